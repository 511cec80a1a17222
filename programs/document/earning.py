"""Earning rules in the document: basis, conditions, effects, stacking."""

from core import money
from core.fields import (
    BasisPoints,
    Boolean,
    Integer,
    Json,
    Key,
    Points,
    Schema,
    Text,
    described,
)
from programs.document.limits import LimitSchema, ScheduleSchema
from programs.document.points import ExpirySchema, PendingSchema
from programs.document.shapes import Item, item_list, nested

MINOR_PER_MAX = 10**9


class BasisSchema(Schema):
    """On which money points are earned."""

    after_discounts = described(Boolean, "Amounts net of discounts (default true).")
    tax = described(
        Text,
        "Amounts as displayed (default), or with, or without tax.",
        one_of=("as_displayed", "include", "exclude"),
    )
    shipping = described(Boolean, "Shipping earns (default false).")
    gift_card_lines = described(Boolean, "Buying gift cards earns (default false).")
    paid_with_points = described(Boolean, "What was paid with points earns (default false).")
    paid_with_gift_card = described(Boolean, "What was paid by gift card earns (default true).")


class LinesSchema(Schema):
    """Which lines an effect concerns."""

    when = described(Json, "Condition over line facts.", required=True, allow_none=True)


class EffectSchema(Schema):
    """What a rule does. Which fields are needed depends on `do`."""

    do = described(
        Text,
        "Kind of effect.",
        required=True,
        one_of=(
            "points_per_amount",
            "points_per_unit",
            "add_points",
            "multiply_points",
            "add_stamps",
            "grant_reward",
            "payable",
        ),
    )
    points = described(Points, "Points per step, or in all.", most=10**6)
    per_minor = described(Integer, "Money per step, minor units.", least=1, most=MINOR_PER_MAX)
    factor_bp = described(BasisPoints, "Factor in basis points: 20,000 doubles.")
    lines = nested(LinesSchema, "Only these lines.", allow_none=True)
    points_key = described(Key, "Which kind of points; the first kind when absent.")
    pending = nested(PendingSchema, "Overrides the kind's own.")
    expiry = nested(ExpirySchema, "Overrides the kind's own.")
    counts_for_tier = described(
        Boolean,
        "Whether it counts towards tiers: by default, what amounts and units earn on orders and"
        " activities does, before the tier's multiplier, and nothing else.",
    )
    card = described(Key, "Which card add_stamps fills.")
    stamps = described(Integer, "How many stamps.", least=1, most=1000)
    reward = described(Key, "Which reward grant_reward gives.")
    minor = described(
        Integer, "Cash that payable owes (minor units).", least=1, most=money.AMOUNT_MAX
    )
    percent_bp = described(
        BasisPoints, "Cash that payable owes as a share of the order.", least=1, most=10_000
    )


class StackingSchema(Schema):
    """How a rule stands to others."""

    mode = described(Text, "add (default) or exclusive.", one_of=("add", "exclusive"))
    group = described(
        Key, "Of an exclusive group only the best for the member counts.", allow_none=True
    )


class RuleSchema(Item):
    """An earning rule."""

    trigger = described(Text, "What it listens to; default order.", most=64)
    when = described(Json, "Condition over facts; null is always.", allow_none=True)
    schedule = nested(ScheduleSchema, "When the rule is in force; always.", allow_none=True)
    limits = item_list(LimitSchema, "How often or how much this rule gives, by itself.", 20)
    priority = described(Integer, "Smaller goes first and wins ties.", least=-(10**6), most=10**6)
    stacking = nested(StackingSchema, "How it stands to other rules.")
    on_refund = described(
        Text,
        "What a partial refund does to a fixed effect: recheck (default) asks the condition again"
        " of what is left, keep leaves it, prorate takes its share. Other effects follow what is"
        " left.",
        one_of=("recheck", "keep", "prorate"),
    )
    effect = nested(EffectSchema, "What it does.", required=True)


class EarningSchema(Schema):
    """How points are earned."""

    basis = nested(BasisSchema, "On which money.")
    rounding = described(Text, "The one rounding per order.", one_of=("floor", "half_up", "ceil"))
    tier_multiplier_at = described(
        Text,
        "Which tier's multiplier an order that crosses a threshold gets.",
        one_of=("order_time", "new_tier", "split"),
    )
    rules = item_list(RuleSchema, "The rules.", 200)
