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
                "name": {"en": "Double points on produce on weekday evenings"},
                "trigger": "order",
                "schedule": {"weekdays": [1, 2, 3, 4, 5], "from": "16:00", "until": "20:00"},
                "effect": {
                    "do": "multiply_points",
                    "factor_bp": 20000,
                    "lines": {
                        "when": {"fact": "line.categories", "op": "contains", "value": "PRODUCE"}
                    },
                },
            },
            {
                "key": "visit",
                "name": {"en": "25 points for a visit"},
                "trigger": "order",
                "limits": [{"per": "member", "period": "day", "points": 40}],
                "effect": {"do": "add_points", "points": 25},
            },
            {
                "key": "stamp",
                "name": {"en": "A stamp from 10 dollars on"},
                "trigger": "order",
                "when": {"fact": "order.net_minor", "op": ">=", "value": 1000},
                "effect": {"do": "add_stamps", "card": "basket", "stamps": 1},
            },
        ],
    },
    "cards": [
        {
            "key": "basket",
            "name": {"en": "Ten baskets"},
            "stamps": 10,
            "effects": [{"do": "add_points", "points": 100}],
            "repeats": True,
            "expires_after": "P2M",
        }
    ],
    "tiers": {
        "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
        "levels": [
            {
                "key": "silver",
                "name": {"en": "Silver"},
                "enter_at": 40000,
                "multiplier_bp": 12500,
                "entry_effects": [{"do": "add_points", "points": 50}],
            },
            {
                "key": "gold",
                "name": {"en": "Gold"},
                "enter_at": 150000,
                "multiplier_bp": 15000,
                "entry_effects": [{"do": "add_points", "points": 150}],
            },
            {
                "key": "platinum",
                "name": {"en": "Platinum"},
                "enter_at": 500000,
                "multiplier_bp": 20000,
                "entry_effects": [{"do": "add_points", "points": 300}],
            },
        ],
    },
}
