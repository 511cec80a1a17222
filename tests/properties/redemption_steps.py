"""What histories of redemptions are made of: a program, and steps drawn from a seed.

A step is a few numbers that mean something whatever came before, so any step may be left out.
"""

import random  # noqa: TID251
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.independent.rewards_parts import Offer

#: Twenty minutes before a day ends in Seoul.
START = datetime(2027, 2, 26, 14, 40, tzinfo=UTC)
#: What orders earn becomes available after the end of every history.
PENDING_DAYS = 90
MEMBERS = ("mina", "jun")
POOL = ["WINTER-AAAA-0001", "WINTER-BBBB-0002", "WINTER-CCCC-0003"]
STOCK = {"mug": 2}

OFFERS = (
    Offer("five", "discount_amount", 300, minor=500),
    Offer("tenth", "discount_percent", 200, percent=10, most=800),
    Offer("sample", "custom", 0, per_member=1),
    Offer("early", "access", 50, per_program=2),
    Offer("mug", "custom", 250),
    Offer("coupon", "discount_amount", 100, minor=200, code="generated"),
    Offer("winter", "discount_amount", 50, minor=300, code="pool"),
    Offer("card", "gift_card", 400, minor=2000, code="generated"),
)
PAID = (300, 1000, 2500)
WAITS = (
    timedelta(minutes=10),
    timedelta(minutes=20),
    timedelta(minutes=30),
    timedelta(hours=9),
    timedelta(days=1),
    timedelta(days=4),
)
LINES = ((2000, 3000, 5000), (4000, 6000), (10_000,))
_WEIGHTS = {
    "give": 5,
    "hold": 26,
    "pay_with_points": 8,
    "capture": 7,
    "release": 5,
    "reverse": 6,
    "order": 18,
    "change_status": 14,
    "name_otherwise": 4,
    "refund": 8,
    "repeat": 3,
    "tell_late": 3,
    "redeem": 8,
    "give_code_back": 5,
    "move_stock": 3,
    "wait": 9,
    "let_time_pass": 9,
}


@dataclass(frozen=True, slots=True)
class Step:
    """What to do; each kind reads the three numbers in its own way."""

    name: str
    one: int
    two: int
    three: int


def draw(number: int, count: int) -> list[Step]:
    """So many steps of a seed."""
    chance = random.Random(number)
    names = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    return [Step(name, *(chance.randrange(10**6) for _ in range(3))) for name in names]


def _reward(offer: Offer) -> dict[str, Any]:
    value: dict[str, Any] = (
        {"minor": offer.minor} if offer.minor else {"percent_bp": offer.percent * 100}
    )
    if offer.kind == "access":
        value = {"perk": "early"}
    made: dict[str, Any] = {"key": offer.key, "kind": offer.kind, "cost_points": offer.cost}
    if offer.kind != "custom":
        made["value"] = value
    if offer.most is not None:
        made["max_discount_minor"] = offer.most
    if offer.key in STOCK:
        made["stock"] = STOCK[offer.key]
    for per, times in (("member", offer.per_member), ("program", offer.per_program)):
        if times is not None:
            made["limits"] = [{"per": per, "period": "ever", "times": times}]
    if offer.code != "none":
        made["voucher"] = {"pool": "winter"} if offer.code == "pool" else {}
    return made


DOCUMENT: dict[str, Any] = {
    "points": [{"key": "points", "pending": {"policy": "after", "duration": f"P{PENDING_DAYS}D"}}],
    "rewards": [_reward(offer) for offer in OFFERS],
    "pay_with_points": {"min_points": 100, "step_points": 100},
}
