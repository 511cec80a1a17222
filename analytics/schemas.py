"""Queries and answers of reports."""

import marshmallow as ma

from core.fields import BasisPoints, Instant, Integer, Json, Schema, Text, described
from loyalty.schemas import whole


class LiabilityQuery(Schema):
    """Query of the liability."""

    as_of = described(Instant, "As of then (default: now); a later one tells what is due by then.")
    expected_redemption_bp = described(
        BasisPoints,
        "Which share of points is spent in the end, in basis points; by default what history says.",
        most=10_000,
    )


class RewardsReportQuery(Schema):
    """Query of what rewards came to."""

    to = described(Instant, "What happened before then (default: now).")


# `from` is a word of Python's own.
RewardsReportQuery._declared_fields["from"] = described(
    Instant, "What happened from then on (default: all)."
)


class LiabilityPoints(Schema):
    """One kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    value = described(
        Json,
        "{points, minor}; null when the document no longer has the kind.",
        required=True,
        allow_none=True,
    )
    active = whole("Available and held.")
    available = whole("What members can spend; those below zero have none.")
    held = whole("Held for redemptions.")
    pending = whole("Not available yet.")
    deficit = whole("What members below zero lack; nobody else's points are less for it.")
    value_minor = described(
        Json, "What the active ones are worth, floored once.", required=True, allow_none=True
    )
    pending_value_minor = described(
        Json, "What the pending ones are worth.", required=True, allow_none=True
    )
    spent = whole("Spent so far, less what came back.")
    expired = whole("Expired so far.")
    expected_redemption_bp = whole("Which share is expected to be spent, in basis points.")
    expected_redemption_from = described(
        Text,
        "history, little_history (fewer than 1,000 points have ended: all) or given.",
        required=True,
    )
    expected_minor = described(
        Json, "Active times value times that share, floored once.", required=True, allow_none=True
    )


class StoredValue(Schema):
    """Gift cards or store credit of one origin."""

    kind = described(Text, "gift_card or store_credit.", required=True)
    origin = described(Text, "sold or granted.", required=True)
    state = described(Text, "active, or frozen with what gave it.", required=True)
    count = whole("How many with something left.")
    remaining_minor = whole("What is left of them.")


class Unredeemed(Schema):
    """Codes or grants of one reward that can still be used."""

    reward = described(Text, "The reward.", required=True, allow_none=True)
    state = described(Text, "active or open; frozen with what gave it.", required=True)
    count = whole("How many.")
    uses_left = whole("How often they can be used.")
    estimated_cost_minor = whole("What those uses are estimated to cost.")


class Unsent(Schema):
    """What is requested of one reward and has not been sent."""

    reward = described(Text, "The reward.", required=True, allow_none=True)
    count = whole("How many.")
    estimated_cost_minor = whole("What they cost: as told of them, else as estimated.")


class LiabilityTotals(Schema):
    """Sums in the program's currency."""

    points_minor = whole("Active points at their value.")
    points_expected_minor = whole("Active points as they are expected to be spent.")
    points_pending_minor = whole("Pending points at their value.")
    stored_value_minor = whole("What is left of gift cards and store credit.")
    vouchers_minor = whole("Estimated cost of codes.")
    grants_minor = whole("Estimated cost of grants.")
    fulfilments_minor = whole("Estimated cost of what is to be sent.")
    payables_minor = described(
        Integer,
        "Cash owed that was not exported; below zero where more was exported than is owed.",
        required=True,
    )


class LiabilityReport(Schema):
    """What the program owes."""

    as_of = described(Text, "As of when.", required=True)
    currency = described(Text, "The program's.", required=True)
    points = ma.fields.List(ma.fields.Nested(LiabilityPoints), required=True)
    stored_value = ma.fields.List(ma.fields.Nested(StoredValue), required=True)
    vouchers = ma.fields.List(ma.fields.Nested(Unredeemed), required=True)
    grants = ma.fields.List(ma.fields.Nested(Unredeemed), required=True)
    fulfilments = ma.fields.List(ma.fields.Nested(Unsent), required=True)
    totals = ma.fields.Nested(LiabilityTotals, required=True)


class SpentPoints(Schema):
    """Points of one kind that redemptions spent."""

    points_key = described(Text, "Kind of points.", required=True)
    captured = whole("Spent in the period.")
    returned = whole("Came back in the period.")
    net = described(Json, "Spent less returned.", required=True)


class IssuedVouchers(Schema):
    """Codes."""

    issued = whole("Given out in the period, those of open redemptions not.")
    used = whole("Uses by orders in the period, released ones not.")
    used_minor = whole("What they took: money of stored value, or the discount where known.")
    drawn_minor = whole("Of this, money of gift cards and store credit.")
    remaining = whole("Can be used now.")
    remaining_minor = whole("What is left of stored value.")


class GivenGrants(Schema):
    """Grants."""

    given = whole("Given in the period.")
    used = whole("Used in the period.")
    lapsed = whole("Ended by their date in the period.")
    revoked = whole("Revoked in the period.")
    open = whole("Can be used now.")


class RewardFigures(Schema):
    """What rewards came to."""

    held = whole("Redemptions held in the period.")
    captured = whole("Captured in it.")
    reversed = whole("Reversed in it.")
    released = whole("Released in it.")
    expired = whole("Ran out in it.")
    open = whole("Held now.")
    points = ma.fields.List(ma.fields.Nested(SpentPoints), required=True)
    discount_minor = whole("Taken off orders by redemptions captured in it that stand.")
    estimated_cost_minor = whole("Estimated cost of these, and of grants that a code used.")
    cost_minor = whole(
        "What they really cost: as told of their fulfilment, else what they took off, else the"
        " estimate; points that paid, what they paid less what went back."
    )
    estimated_count = whole("How many only have the estimate.")
    vouchers = ma.fields.Nested(IssuedVouchers, required=True)
    grants = ma.fields.Nested(GivenGrants, required=True)


class RewardView(RewardFigures):
    """One reward."""

    reward = described(
        Text, "Its key; null for codes of none, as gift cards that were sold.", allow_none=True
    )
    stock = described(Json, "{total, used, left} now; null without limit.", allow_none=True)


class RewardsReport(Schema):
    """What rewards came to in a period."""

    to = described(Text, "Until before when.", required=True)
    currency = described(Text, "The program's.", required=True)
    rewards = ma.fields.List(ma.fields.Nested(RewardView), required=True)
    pay_with_points = ma.fields.Nested(RewardFigures, required=True)
    totals = ma.fields.Nested(RewardFigures, required=True)


RewardsReport._declared_fields["from"] = described(
    Text, "From when on; null is from the first.", required=True, allow_none=True
)
