"""The program document of the Complete Journey replay.

Owns the rules and the tier ladder that the replayed year is decided by. Refuses anything beyond
data: the figures they must lead to are computed elsewhere, from the data set alone.
"""

from typing import Any, Final

POINTS_KEY: Final = "points"

DOCUMENT: Final[dict[str, Any]] = {
    "name": "Complete Journey",
    "timezone": "UTC",
    "currency": "USD",
    "locales": ["en"],
    "points": [{"key": POINTS_KEY, "name": {"en": "points"}}],
    "earning": {
        "rounding": "floor",
        "tier_multiplier_at": "order_time",
        "rules": [
            {
                "key": "base",
                "name": {"en": "1 point per dollar"},
                "trigger": "order",
                "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
            },
            {
                "key": "produce",
                "name": {"en": "Double points on produce"},
                "trigger": "order",
                "effect": {
                    "do": "multiply_points",
                    "factor_bp": 20000,
                    "lines": {
                        "when": {"fact": "line.categories", "op": "contains", "value": "PRODUCE"}
                    },
                },
            },
        ],
    },
    "tiers": {
        "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
        "levels": [
            {
                "key": "silver",
                "name": {"en": "Silver"},
                "enter_at": 40000,
                "multiplier_bp": 12500,
            },
            {
                "key": "gold",
                "name": {"en": "Gold"},
                "enter_at": 150000,
                "multiplier_bp": 15000,
            },
            {
                "key": "platinum",
                "name": {"en": "Platinum"},
                "enter_at": 500000,
                "multiplier_bp": 20000,
            },
        ],
    },
}
