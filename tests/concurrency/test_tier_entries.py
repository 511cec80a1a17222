"""Levels entered at the same moment: their effects are paid once, whoever comes first."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound, at_once, chain, put, statuses
from tests.world import World, order

LEVELS = [
    {
        "key": "silver",
        "enter_at": 50_000,
        "entry_effects": [{"do": "add_points", "points": 100}],
    },
    {
        "key": "gold",
        "enter_at": 100_000,
        "entry_effects": [{"do": "add_points", "points": 500}],
    },
]


@pytest.fixture
def shop(make_world: Callable[..., World]) -> World:
    """Silver from 500.00 pays 100, gold from 1,000.00 pays 500."""
    made = make_world(tiers={"levels": LEVELS, "on_refund": "immediate"})
    made.member("mina")
    return made


def _paid(world: World) -> list[tuple[str, str, int]]:
    """Kind, level and points of what entering levels brought and lost."""
    return [
        (entry["kind"], entry["source"]["ref"], entry["points"])
        for entry in world.entries()
        if entry["source"]["type"] == "tier"
    ]


def test_16_orders_that_cross_two_thresholds_pay_each_once(shop: World) -> None:
    works = [put(shop, f"/orders/A-{number}", order(10_000)) for number in range(16)]
    assert statuses(at_once(works)) == {201: 16}
    # 16 × 100 for the orders.
    assert shop.balance() == 1600 + 100 + 500
    assert _paid(shop) == [("earn", "silver", 100), ("earn", "gold", 500)]
    chain(shop, "mina")
    assert_sound(shop)


def test_an_order_and_its_cancellation_told_by_16_end_as_one_of_them(shop: World) -> None:
    paid = order(60_000, revision=1)
    cancelled = order(60_000, status="cancelled", revision=2)
    at_once([put(shop, "/orders/A-1", body) for body in (paid, cancelled) * 8])
    # The newer revision wins: nothing stands, of the level neither.
    assert (shop.balance(), shop.tier()["key"]) == (0, None)
    assert sum(points if kind == "earn" else -points for kind, _, points in _paid(shop)) == 0
    assert_sound(shop)


def test_a_level_by_hand_and_the_order_that_reaches_it_pay_it_once(shop: World) -> None:
    body: dict[str, Any] = {"key": "silver", "until": "2999-01-01T00:00:00Z", "reason": "sponsor"}

    def give(number: int) -> Callable[[], Any]:
        return lambda: shop.post("/members/mina/tier", body, key=f"give-{number}")

    gives = [give(number) for number in range(8)]
    orders = [put(shop, f"/orders/A-{number}", order(10_000)) for number in range(8)]
    at_once([*gives, *orders])
    assert shop.tier()["key"] == "silver"
    assert _paid(shop) == [("earn", "silver", 100)]
    assert shop.balance() == 800 + 100
    assert_sound(shop)
