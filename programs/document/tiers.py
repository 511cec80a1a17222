"""The ladder of tiers in the document."""

from typing import Any

import marshmallow as ma

from core.fields import BasisPoints, Duration, Key, Localised, Schema, Text, described
from programs.document.earning import EffectSchema
from programs.document.shapes import Item, item_list, nested

METRICS = ("spend", "points", "orders", "referrals")
_OFFERED = ", ".join(METRICS)
_METRIC = {"type": "string", "enum": [*METRICS]}
_THRESHOLD = {"type": "integer", "minimum": 0, "maximum": 10**15}


class MetricField(ma.fields.Field[Any]):
    """One metric, or a list of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        several = {"type": "array", "items": _METRIC, "minItems": 1, "uniqueItems": True}
        self.metadata = {"oneOf": [_METRIC, several], **self.metadata}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        names = value if type(value) is list else [value]
        if not names or any(name not in METRICS for name in names) or len(set(names)) < len(names):
            raise ma.ValidationError(f"must be one or a list of different ones of: {_OFFERED}")
        return value


class ThresholdField(ma.fields.Field[Any]):
    """An integer in the metric's unit, or an object by metric."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        by_metric = {
            "type": "object",
            "properties": dict.fromkeys(METRICS, _THRESHOLD),
            "additionalProperties": False,
        }
        accepted = [_THRESHOLD, by_metric, *([{"type": "null"}] if self.allow_none else [])]
        self.metadata = {"oneOf": accepted, **self.metadata}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        items = value if type(value) is dict else {"spend": value}
        for name, item in items.items():
            if name not in METRICS or type(item) is not int or not 0 <= item <= 10**15:
                raise ma.ValidationError("must be an integer ≥ 0, or an object of them by metric")
        return value


class TierBasisSchema(Schema):
    """What moves members up the ladder."""

    metric = described(
        MetricField,
        "spend (minor units; default), points, orders or referrals (approved friends whose orders"
        " stand), or a list.",
    )
    require = described(Text, "With several metrics: all (default) or any.", one_of=("all", "any"))
    window = described(
        Text, "Over which time; default lifetime.", one_of=("lifetime", "rolling", "calendar_year")
    )
    duration = described(Duration, "Length of a rolling window, and of no other; default P12M.")


class TermSchema(Schema):
    """How long a tier is assured."""

    policy = described(
        Text,
        "none (default); from_entry: so long after the level was entered; calendar_year: to the"
        " end of the year after it.",
        one_of=("none", "from_entry", "calendar_year"),
    )
    duration = described(Duration, "Length of a term from entry, and of no other; default P12M.")


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
        "Whether time passing lowers a tier: none (default), by one level, or to what is reached.",
        one_of=("none", "one_down", "full"),
    )
    on_refund = described(
        Text,
        "What a refund does to a tier in term: until_term_end (default) keeps it to the end,"
        " immediate lowers it at once.",
        one_of=("until_term_end", "immediate"),
    )
    levels = item_list(LevelSchema, "The levels, in any order.", 50)
