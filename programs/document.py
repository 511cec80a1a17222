"""The program document's schema, the whole of it.

Sections whose feature does not exist yet take nothing but emptiness: a setting that would be
ignored is refused instead.
"""

from typing import Any

import marshmallow as ma

from core.fields import (
    BasisPoints,
    Boolean,
    Currency,
    Duration,
    Integer,
    Items,
    Json,
    Key,
    Localised,
    Minor,
    Points,
    Schema,
    Text,
    described,
)

MINOR_PER_MAX = 10**9


class Unavailable(ma.fields.Field[Any]):
    """A part of the document whose feature this version does not have: absent or empty."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not value and type(value) in (type(None), list, dict):
            return value
        raise ma.ValidationError(
            "is not available in this version of Dangol; leave it out or empty"
        )


def _unavailable(what: str) -> Any:
    return described(
        Unavailable, f"{what} (not available yet: leave out or empty).", allow_none=True
    )


def nested(schema: Any, description: str, **options: Any) -> Any:
    """A nested object with its description."""
    return ma.fields.Nested(schema, metadata={"description": description}, **options)


def _list(schema: Any, description: str, most: int) -> Any:
    return Items(ma.fields.Nested(schema), most=most, metadata={"description": description})


class Item(Schema):
    """What every keyed item has."""

    key = described(Key, "Stable key of the item.", required=True)
    name = described(Localised, "Name by locale.")
    description = described(Localised, "Description by locale.", most=2000)
    state = described(Text, "A paused item does nothing.", one_of=("live", "paused"))


class ValueSchema(Schema):
    """What points are worth."""

    points = described(Points, "So many points …", required=True)
    minor = described(Minor, "… are worth so many minor units.", required=True)


class PendingSchema(Schema):
    """When points become available."""

    policy = described(
        Text, "When points become available.", one_of=("immediate", "after", "on_fulfilled")
    )
    duration = described(Duration, "How long `after` waits.")


class ExpirySchema(Schema):
    """When points expire."""

    policy = described(
        Text, "When points expire.", one_of=("never", "after", "inactivity", "fixed_dates")
    )
    duration = described(Duration, "Term of `after` and `inactivity`.")
    round_up_to = described(
        Text, "End of which period.", one_of=("day", "month", "quarter", "year")
    )
    activities = ma.fields.List(
        Text(most=64), metadata={"description": "Activities that restart inactivity."}
    )
    dates = ma.fields.List(
        Text(pattern=r"\d{2}-\d{2}"), metadata={"description": "Fixed dates, MM-DD."}
    )
    notify = ma.fields.List(Duration(), metadata={"description": "Notices before expiry."})


class PointsSchema(Schema):
    """One kind of points."""

    key = described(Key, "Key of this kind of points.", required=True)
    name = described(Localised, "Name by locale.")
    description = described(Localised, "Description by locale.", most=2000)
    state = described(Text, "live or paused.", one_of=("live", "paused"))
    value = nested(ValueSchema, "What points are worth.", allow_none=True)
    pending = nested(PendingSchema, "When points become available; default at once.")
    expiry = nested(ExpirySchema, "When points expire; default never.")
    return_policy = described(
        Text,
        "What a refund may take when points were spent.",
        one_of=("within_balance", "only_pending", "unlimited", "deduct_from_refund"),
    )


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
    counts_for_tier = described(Boolean, "Whether it counts towards tiers.")
    card = described(Key, "Which card.")
    stamps = described(Integer, "How many stamps.", least=1, most=1000)
    reward = described(Key, "Which reward.")
    minor = described(Minor, "Cash owed.")
    percent_bp = described(BasisPoints, "Cash owed as a share of the order.", most=10_000)


class StackingSchema(Schema):
    """How a rule stands to others."""

    mode = described(Text, "add (default) or exclusive.", one_of=("add", "exclusive"))
    group = described(
        Key, "Of an exclusive group only the best for the member counts.", allow_none=True
    )


class RuleSchema(Item):
    """An earning rule."""

    trigger = described(Text, "What it listens to; default order.", most=48)
    when = described(Json, "Condition over facts; null is always.", allow_none=True)
    schedule = _unavailable("When the rule is in force")
    limits = _unavailable("Caps")
    priority = described(Integer, "Smaller goes first and wins ties.", least=-(10**6), most=10**6)
    stacking = nested(StackingSchema, "How it stands to other rules.")
    on_refund = described(
        Text,
        "What a partial refund does to a fixed effect.",
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
    rules = _list(RuleSchema, "The rules.", 200)


METRICS = ("spend", "points", "orders", "referrals")


class MetricField(ma.fields.Field[Any]):
    """One metric, or a list of them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        names = value if type(value) is list else [value]
        if not names or any(name not in METRICS for name in names):
            raise ma.ValidationError(f"must be one or a list of: {', '.join(METRICS)}")
        return value


class ThresholdField(ma.fields.Field[Any]):
    """An integer in the metric's unit, or an object by metric."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        items = value if type(value) is dict else {"spend": value}
        for name, item in items.items():
            if name not in METRICS or type(item) is not int or not 0 <= item <= 10**15:
                raise ma.ValidationError("must be an integer ≥ 0, or an object of them by metric")
        return value


class TierBasisSchema(Schema):
    """What moves members up the ladder."""

    metric = described(MetricField, "spend (minor units), points, orders or referrals.")
    require = described(Text, "With several metrics: all or any.", one_of=("all", "any"))
    window = described(Text, "Over which time.", one_of=("lifetime", "rolling", "calendar_year"))
    duration = described(Duration, "Length of a rolling window; default P12M.")


class TermSchema(Schema):
    """How long a tier is assured."""

    policy = described(
        Text, "none, from_entry or calendar_year.", one_of=("none", "from_entry", "calendar_year")
    )
    duration = described(Duration, "Length of a term from entry.")


class PerkSchema(Schema):
    """Something members of a level may have."""

    key = described(Key, "Key of the perk.", required=True)
    name = described(Localised, "Name by locale.")


class LevelSchema(Item):
    """A level of the ladder."""

    enter_at = described(ThresholdField, "Reached from here on.", required=True)
    retain_at = described(ThresholdField, "Kept from here on; default enter_at.", allow_none=True)
    multiplier_bp = described(BasisPoints, "Factor on amounts and units; default 10,000.")
    perks = _list(PerkSchema, "What members of the level may have.", 50)
    entry_effects = _unavailable("Effects on entering")


class TiersSchema(Schema):
    """The ladder of tiers."""

    basis = nested(TierBasisSchema, "What moves members up.")
    term = nested(TermSchema, "How long a tier is assured.")
    grace = described(Duration, "Time to renew after the end of a term.")
    downgrade = described(
        Text, "Whether time passing lowers a tier.", one_of=("none", "one_down", "full")
    )
    on_refund = described(
        Text, "What a refund does to a tier in term.", one_of=("until_term_end", "immediate")
    )
    levels = _list(LevelSchema, "The levels, in any order.", 50)


class MembersSchema(Schema):
    """Settings of membership."""

    auto_enrol = described(Boolean, "Orders enrol members not seen before (default false).")
    birthday_notice = described(Duration, "How early a birthday must be known.")
    tombstone_for = described(Duration, "How long an erased contact is remembered as paid.")


class DocumentSchema(Schema):
    """A program's document."""

    name = described(Text, "Name of the program.", required=True, most=200)
    timezone = described(Text, "IANA zone: its days are the program's.", required=True, most=64)
    currency = described(Currency, "ISO 4217 code.", required=True)
    locales = ma.fields.List(
        Text(most=16, pattern=r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?"),
        metadata={"description": "Locales, the default first."},
    )
    prices_include_tax = described(Boolean, "Displayed prices include tax (default true).")
    allowed_origins = ma.fields.List(
        Text(most=256, pattern=r"https?://[^/\s]+"),
        metadata={"description": "Origins a browser may call from."},
    )
    members = nested(MembersSchema, "Settings of membership.")
    holdout_bp = described(BasisPoints, "Must be 0: not available yet.", most=0)
    points = Items(
        ma.fields.Nested(PointsSchema),
        most=20,
        least=1,
        required=True,
        metadata={"description": "Kinds of points, the default kind first."},
    )
    earning = nested(EarningSchema, "How points are earned.")
    tiers = nested(TiersSchema, "The ladder of tiers.", allow_none=True)
    cards = _unavailable("Stamp cards")
    activities = _unavailable("Declared activities")
    rewards = _unavailable("Rewards")
    pay_with_points = _unavailable("Paying with points")
    referral_offers = _unavailable("Referral offers")
    segments = _unavailable("Segments")
    surprises = _unavailable("Surprises")
