"""The document of a program that was created without one: small, and it works."""

from typing import Any

from core import money
from programs import starter


def document(name: str, timezone: str, currency: str) -> dict[str, Any]:
    """One point for each whole unit of money (each 100 of a currency without minor units), and the
    starter set of segments."""
    places = money.exponent(currency) if money.is_currency(currency) else 2
    per_minor = 10**places if places else 100
    return {
        "name": name,
        "timezone": timezone,
        "currency": currency,
        "locales": ["ko", "en"] if currency == "KRW" else ["en", "ko"],
        "points": [{"key": "points", "name": {"en": "points", "ko": "포인트"}}],
        "segments": starter.segments(),
        "earning": {
            "rules": [
                {
                    "key": "base",
                    "name": {"en": "Every purchase", "ko": "모든 구매"},
                    "trigger": "order",
                    "effect": {"do": "points_per_amount", "points": 1, "per_minor": per_minor},
                }
            ]
        },
    }
