"""Query and answer of the report on surprises."""

from typing import Any

import marshmallow as ma

from analytics.schemas import RewardsReportQuery
from core.fields import BasisPoints, Boolean, Integer, Json, Key, Schema, Text, described
from loyalty.schemas import whole


def _maybe(description: str) -> Any:
    return described(Json, description, required=True, allow_none=True)


class SurprisesReportQuery(RewardsReportQuery):
    """Query of what surprises came to."""

    surprise = described(Key, "Only this surprise.")
    detect_bp = described(
        BasisPoints,
        "Which lift of the repeat rate members_needed is told for, in basis points; default 300:"
        " three points.",
        least=1,
        most=10_000,
    )


class HeldOut(Schema):
    """Receipts of members held out."""

    program = whole("By the program's holdout.")
    rule = whole("By the surprise's own.")


class GuardCount(Schema):
    """How often one guard stood against it."""

    guard = described(Text, "excluded, limit_reached, cooldown or budget.", required=True)
    count = whole("How often it was the first that did.")


class Luck(Schema):
    """What chance did beside what it promises."""

    draws = whole("Draws that chance alone decided: not those won by pity.")
    won = whole("Won of them.")
    won_ppm = _maybe("The share won, in millionths.")
    expected_ppm = _maybe("The share to be expected by the probabilities of these draws.")
    is_within_chance = described(
        Boolean, "Whether it is within four standard errors of that.", required=True
    )


class PrizeCount(Schema):
    """One prize."""

    prize = whole("Its place in the document, from 0.")
    won = whole("Won.")
    standing = whole("Of these, those that stand.")


class PrizePoints(Schema):
    """Points of one kind that prizes brought."""

    points_key = described(Text, "Kind of points.", required=True)
    points = whole("Given, less what was taken back.")
    value_minor = _maybe("What they are worth; null when the document no longer has the kind.")


class SurpriseCost(Schema):
    """What stands of what won prizes brought."""

    points = ma.fields.List(ma.fields.Nested(PrizePoints), required=True)
    points_minor = whole("Points at their value.")
    rewards_minor = whole("Rewards granted, as estimated.")
    payables_minor = whole("Cash owed or exported.")
    estimates_minor = described(
        Integer,
        "What prizes with an estimated_cost_minor of their own are thought to cost beyond what they"
        " gave; below zero where it is less.",
        required=True,
    )
    total_minor = whole("All of it: what budgets of money count.")


class BudgetView(Schema):
    """The budget; all but `claimed` as of now, whatever the period."""

    unit = described(Text, "points or minor.", required=True)
    claimed = whole("What prizes of the period take of it; those of another unit are left out.")
    total = whole("In all.")
    used = whole("Taken of it.")
    left = whole("Left of it.")
    per_day = _maybe("On each day; null without.")
    used_today = _maybe("Taken of today's; null without.")
    left_today = _maybe("Left of today's, at most what is left in all; null without.")
    ends_at = _maybe("Until when it is to last; null without.")


class Pretended(Schema):
    """Receipts of the time in which it drew and gave nothing."""

    considered = whole("Receipts.")
    draws = whole("Draws.")
    won = whole("Would have been won.")


class SurpriseFigures(Schema):
    """One surprise."""

    surprise = described(Text, "Its key.", required=True)
    state = _maybe("live, shadow or paused; null: no longer in the document.")
    considered = whole("Receipts: what happened met its condition.")
    held_out = ma.fields.Nested(HeldOut, required=True)
    guards = ma.fields.List(ma.fields.Nested(GuardCount), required=True)
    draws = whole("Draws.")
    won = whole("Won of them.")
    standing = whole("Of these, those that stand.")
    taken_back = whole("Of these, those that fell with what caused them.")
    won_by_pity = whole("Won after as many losses in a row as pity_after says.")
    luck = ma.fields.Nested(Luck, required=True)
    prizes = ma.fields.List(ma.fields.Nested(PrizeCount), required=True)
    cost = ma.fields.Nested(SurpriseCost, required=True)
    budget = ma.fields.Nested(BudgetView, required=True, allow_none=True)
    shadow = ma.fields.Nested(Pretended, required=True)


class Arms(Schema):
    """Members by arm, as they were assigned."""

    treated = whole("Not held out.")
    held_out = whole("Held out.")


class LeftOut(Schema):
    """Exposed members who are in neither arm."""

    other_share = whole("Met first while another share was held out.")
    both_arms = whole("Merged out of two references in different arms.")


class SampleRatio(Schema):
    """Whether the arms have the sizes that assignment gives them."""

    holdout_bp = whole("The share to be held out.")
    held_out_bp = _maybe("The share that is; null of nobody.")
    p = _maybe("How often chance alone is as uneven, as decimal text; null: too few to say.")
    is_broken = described(Boolean, "Whether that is below 0.001.", required=True)


class Minimum(Schema):
    """How many members each arm must have."""

    members = whole("So many.")
    why = described(Json, "{en, ko}: why.", required=True)


class Lift(Schema):
    """The difference as a part of what a member held out has."""

    difference_bp = whole("In basis points.")
    low_bp = whole("Its 95 % interval: from.")
    high_bp = whole("To.")


class RateDifference(Schema):
    """A share, or a number for each member times 10,000, of both arms."""

    treated_bp = whole("Treated.")
    held_out_bp = whole("Held out.")
    difference_bp = whole("Treated less held out.")
    low_bp = whole("Its 95 % interval: from.")
    high_bp = whole("To.")
    verdict = described(
        Text,
        "higher or lower: the interval does not hold zero; unclear: it does, which is no proof"
        " that nothing happened.",
        required=True,
    )


class OrdersDifference(RateDifference):
    """Orders for each member, times 10,000."""

    lift = ma.fields.Nested(Lift, required=True, allow_none=True)
    is_rough = described(
        Boolean,
        "Whether few members with large figures decide the mean, so that the interval is rough.",
        required=True,
    )


class MinorBounds(Schema):
    """Money with its interval."""

    difference_minor = whole("Treated less held out.")
    low_minor = whole("Its 95 % interval: from.")
    high_minor = whole("To.")


class NetDifference(MinorBounds):
    """Net of the orders for each member."""

    treated_minor = whole("Treated.")
    held_out_minor = whole("Held out.")
    lift = ma.fields.Nested(Lift, required=True, allow_none=True)
    smallest_minor = whole("Which true difference so many members find with 80 % power.")
    all_treated = ma.fields.Nested(MinorBounds, required=True)
    verdict = described(Text, "higher, lower or unclear.", required=True)
    is_rough = described(
        Boolean,
        "Whether few members with large figures decide the mean, so that the interval is rough.",
        required=True,
    )


class Power(Schema):
    """What the experiment can find at all."""

    confidence_bp = whole("Of the intervals.")
    power_bp = whole("How often a lift that is there is to be found.")
    repeat_rate_bp = _maybe("The repeat rate of both arms together; null of nobody.")
    smallest_lift_bp = _maybe("Which lift of it so many members find; null: none.")
    lift_bp = whole("The lift that was asked about.")
    members_needed = _maybe("How many members in both arms find that one; null: no number does.")


class Experiment(Schema):
    """Treated members against those held out."""

    surprise = _maybe("Key of the surprise; null: the program's holdout, from all of them.")
    is_running = described(
        Boolean,
        "Whether the share is in force; else it is the last one that was.",
        required=True,
    )
    first_exposed_at = _maybe("When the first member was exposed.")
    left_out = ma.fields.Nested(LeftOut, required=True)
    members = ma.fields.Nested(Arms, required=True)
    sample_ratio = ma.fields.Nested(SampleRatio, required=True)
    minimum = ma.fields.Nested(Minimum, required=True)
    withheld = _maybe(
        "sample_ratio: assignment is broken; too_few: an arm has fewer members than the minimum."
        " No figure of either arm is told then."
    )
    repeat_rate = ma.fields.Nested(RateDifference, required=True, allow_none=True)
    orders_by_member = ma.fields.Nested(OrdersDifference, required=True, allow_none=True)
    net_by_member = ma.fields.Nested(NetDifference, required=True, allow_none=True)
    power = ma.fields.Nested(Power, required=True, allow_none=True)
    meaning = described(
        Json, "{en, ko}: what the differences show, and what they do not.", required=True
    )


class SurprisesReport(Schema):
    """What surprises came to in a period."""

    to = described(Text, "Before when.", required=True)
    currency = described(Text, "The program's.", required=True)
    surprises = ma.fields.List(ma.fields.Nested(SurpriseFigures), required=True)
    cost = ma.fields.Nested(SurpriseCost, required=True)
    experiments = ma.fields.List(ma.fields.Nested(Experiment), required=True)


SurprisesReport._declared_fields["from"] = described(
    Text, "From when on; null: from the first.", required=True, allow_none=True
)
