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

#: The same with three surprises, two of them within budgets, one of these paced, and two referral
#: offers that nobody uses.
SURPRISING: Final[dict[str, Any]] = DOCUMENT | {
    "surprises": [
        {
            "key": "luck",
            "name": {"en": "Lucky basket"},
            "trigger": "order",
            "probability_ppm": 50_000,
            "cooldown": "P14D",
            "group": "luck",
            "priority": 20,
            "holdout_bp": 1000,
            "budget": {
                "unit": "points",
                "total": 150_000,
                "pacing": True,
                "ends_at": "2018-01-01T00:00:00Z",
            },
            "prizes": [
                {"weight": 3, "effects": [{"do": "add_points", "points": 50}]},
                {"weight": 1, "effects": [{"do": "add_points", "points": 200}]},
            ],
        },
        {
            "key": "twentieth",
            "name": {"en": "Every twentieth visit"},
            "trigger": "order",
            "group": "luck",
            "priority": 10,
            "when": {
                "any": [
                    {"fact": "member.order_count", "op": "=", "value": count}
                    for count in (19, 39, 59, 79, 99)
                ]
            },
            "prizes": [{"effects": [{"do": "add_points", "points": 100}]}],
        },
        {
            "key": "welcome_back",
            "name": {"en": "Good to see you again"},
            "trigger": "order",
            "when": {"fact": "member.days_since_last_order", "op": ">=", "value": 30},
            "probability_ppm": 300_000,
            "pity_after": 3,
            "limits": [{"per": "member", "period": "month", "times": 1}],
            "budget": {"unit": "points", "total": 40_000, "per_day": 1_000},
            "prizes": [{"effects": [{"do": "add_points", "points": 150}]}],
        },
    ],
    "referral_offers": [
        {
            "key": "friends",
            "advocate": [{"do": "add_points", "points": 500}],
            "friend": [{"do": "add_points", "points": 300}],
            "qualifies": {"min_net_minor": 2_000},
            "hold": "P14D",
            "landing_url": "https://shop.example/welcome",
        },
        {
            "key": "neighbours",
            "advocate": [{"do": "add_points", "points": 200}],
            "friend": [{"do": "add_points", "points": 100}],
            "qualifies": {"min_net_minor": 1_000},
            "landing_url": "https://shop.example/neighbours",
        },
    ],
}
