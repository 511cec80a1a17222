"""Referral offers in the document."""

import marshmallow as ma

from core.fields import (
    BasisPoints,
    Boolean,
    Duration,
    Integer,
    Items,
    Json,
    Key,
    Localised,
    Minor,
    Schema,
    Text,
    described,
)
from programs.document.earning import EffectSchema
from programs.document.limits import ScheduleSchema
from programs.document.shapes import Item, item_list, nested
from programs.referrals import SIGNALS
from rules.limits import PERIODS

_URL = r"https?://[^\s/?#@\\]+([/?#][^\s\\]*)?"


def _effects(description: str) -> Items:
    return Items(ma.fields.Nested(EffectSchema), most=20, metadata={"description": description})


class QualifiesSchema(Schema):
    """What makes a referral qualify."""

    trigger = described(
        Text, "The friend's order (default), or their signup.", one_of=("order", "signup")
    )
    when = described(
        Json, "Condition over the facts of the order, or of the signup.", allow_none=True
    )
    min_net_minor = described(
        Minor,
        "The least an order comes to: net of discounts, without shipping, less what was refunded.",
        allow_none=True,
    )


class NewMemberSchema(Schema):
    """Who counts as new."""

    lookback = described(
        Duration,
        "Purchases longer before the referral than this do not count against the friend; all do"
        " when absent.",
        allow_none=True,
    )


class CapSchema(Schema):
    """How many referrals pay the advocate."""

    per = described(
        Text, "For each advocate (default), or in the program.", one_of=("advocate", "program")
    )
    period = described(
        Text,
        "In which period of the program's calendar, default ever; by the time of qualification.",
        one_of=PERIODS,
    )
    times = described(Integer, "So many.", required=True, least=1, most=10**9)


class ReferralBudgetSchema(Schema):
    """What an offer may cost in all, on all sides."""

    unit = described(Text, "points (default), or minor units of money.", one_of=("points", "minor"))
    total = described(Integer, "So many.", required=True, least=1, most=10**12)


class MilestoneSchema(Schema):
    """What so many friends bring the advocate besides."""

    at = described(Integer, "At so many approved friends.", required=True, least=1, most=10_000)
    effects = _effects("What it brings.")
    repeats = described(Boolean, "Again at each further so many friends (default false).")


class WeightsSchema(Schema):
    """What each signal weighs, in basis points; what is absent keeps its default."""


WeightsSchema._declared_fields |= {
    name: described(BasisPoints, f"{meaning} Default {weight:,}.", most=10_000)
    for name, (weight, meaning) in SIGNALS.items()
}


class ReviewSchema(Schema):
    """When staff looks at a referral before it is paid."""

    review_at_bp = described(
        BasisPoints, "From this score on a referral is reviewed; default 5,000.", most=10_000
    )
    block_at_bp = described(
        BasisPoints, "From this score on it is rejected; default 8,500.", most=10_000
    )
    timeout = described(
        Duration, "How long a review may take; without end when absent.", allow_none=True
    )
    timeout_action = described(
        Text, "What happens then; default approve.", one_of=("approve", "reject")
    )
    four_eyes_above_minor = described(
        Minor,
        "Referrals that cost more than this need the approval of two people; none does when"
        " absent.",
        allow_none=True,
    )
    weights = nested(WeightsSchema, "What signals weigh.")


class ReferralOfferSchema(Item):
    """A referral offer."""

    advocate = _effects("What the advocate gets; amounts are of the friend's order.")
    friend = _effects("What the friend gets.")
    second_level = _effects("What whoever brought the advocate gets; nothing by default.")
    friend_at = described(
        Text,
        "When the friend is paid: with the advocate (qualified, the default), or at once (signup).",
        one_of=("qualified", "signup"),
    )
    qualifies = nested(QualifiesSchema, "What makes a referral qualify.")
    attribution = described(
        Text,
        "Which click wins: the last one (default) or the first.",
        one_of=("last_touch", "first_touch"),
    )
    click_window = described(Duration, "How long a click counts; default P30D.")
    credit_window = described(
        Duration,
        "How long after the referral the friend's order may come; without end when absent.",
        allow_none=True,
    )
    hold = described(Duration, "How long a reward is held back; not at all when absent.")
    hold_from = described(
        Text,
        "Since when: the order's payment (qualified, the default), or its fulfilment.",
        one_of=("qualified", "fulfilled"),
    )
    new_member = nested(NewMemberSchema, "Who counts as new.")
    tiers = Items(
        Key(),
        most=50,
        allow_none=True,
        metadata={"description": "Only advocates on one of these levels; all when absent."},
    )
    schedule = nested(ScheduleSchema, "When the offer attributes; always.", allow_none=True)
    caps = item_list(CapSchema, "How many referrals pay the advocate.", 10)
    budget = nested(ReferralBudgetSchema, "What the offer may cost in all.", allow_none=True)
    milestones = item_list(MilestoneSchema, "What so many friends bring besides.", 20)
    clawback_window = described(
        Duration,
        "How long after it was paid a reward is taken back; at any age when absent.",
        allow_none=True,
    )
    landing_url = described(Text, "Where links lead.", most=2048, pattern=_URL)
    allowed_hosts = Items(
        Text(most=253, pattern=r"[A-Za-z0-9.-]+(:[0-9]{1,5})?"),
        most=50,
        metadata={
            "description": "Hosts that landing_url may name; those of the URL itself when absent."
        },
    )
    share_text = described(
        Localised,
        "What a member shares, by locale; {link}, {code} and {program} are filled in.",
        most=1000,
    )
    review = nested(ReviewSchema, "When staff looks at it.", allow_none=True)
