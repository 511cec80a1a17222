"""The ladder of tiers in the document."""

from typing import Any

import marshmallow as ma

from core.fields import BasisPoints, Duration, Key, Localised, Schema, Text, described
from programs.document.earning import EffectSchema
from programs.document.shapes import Item, item_list, nested

METRICS = ("spend", "points", "orders", "referrals")
_OFFERED = ", ".join(METRICS)


class MetricField(ma.fields.Field[Any]):
    """One metric, or a list of them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        names = value if type(value) is list else [value]
        if not names or any(name not in METRICS for name in names) or len(set(names)) < len(names):
            raise ma.ValidationError(f"must be one or a list of different ones of: {_OFFERED}")
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
    duration = described(Duration, "Length of a term from entry; default P12M.")


class PerkSchema(Schema):
    """Something members of a level may have."""

    key = described(Key, "Key of the perk.", required=True)
    name = described(Localised, "Name by locale.")


class LevelSchema(Item):
    """A level of the ladder."""

    enter_at = described(
        ThresholdField,
        "Reached from here on; absent or null: by invitation only, above every other level.",
        allow_none=True,
    )
    retain_at = described(ThresholdField, "Kept from here on; default enter_at.", allow_none=True)
    multiplier_bp = described(BasisPoints, "Factor on amounts and units; default 10,000.")
    perks = item_list(PerkSchema, "What members of the level may have.", 50)
    entry_effects = item_list(
        EffectSchema, "What entering it from below brings, once within a term.", 20
    )


class TiersSchema(Schema):
    """The ladder of tiers."""

    basis = nested(TierBasisSchema, "What moves members up.")
    term = nested(TermSchema, "How long a tier is assured.")
    grace = described(
        Duration,
        "Time to renew after the end of a term; the level is kept meanwhile.",
        allow_none=True,
    )
    downgrade = described(
        Text,
        "Whether time passing lowers a tier, by one level or to what is reached.",
        one_of=("none", "one_down", "full"),
    )
    on_refund = described(
        Text, "What a refund does to a tier in term.", one_of=("until_term_end", "immediate")
    )
    levels = item_list(LevelSchema, "The levels, in any order.", 50)
