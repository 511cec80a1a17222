"""Levels told of late: the log follows on itself, and what is told late pays as told in time."""

import itertools
from typing import Any

import pytest

from tests.scenarios.tier_shop import Make, changes, clean, open_shop
from tests.world import World, points

MONTH = {"metric": "spend", "window": "rolling", "duration": "P30D"}
SHORT: dict[str, Any] = {"basis": MONTH, "term": {"policy": "from_entry", "duration": "P45D"}}
LATER = "2027-01-01T00:00:00Z"


def _told(world: World, ref: str, minor: int, at: str, **more: Any) -> Any:
    return world.order(ref, minor, placed_at=at, **more)


def _follow_on_each_other(world: World) -> None:
    log = changes(world)
    assert all(one[1] == next_one[0] for one, next_one in itertools.pairwise(log)), log


@pytest.mark.parametrize(
    ("now", "placed_at"),
    [
        ("2026-03-08T10:00:00Z", "2026-03-08T10:00:00Z"),
        ("2026-03-09T10:00:00Z", "2026-03-08T09:00:00Z"),
    ],
)
def test_the_end_of_a_hand_is_logged_before_what_an_order_brings(
    make_world: Make, now: str, placed_at: str
) -> None:
    shop = open_shop(make_world)
    by_hand = {"key": "gold", "until": "2026-03-08T10:00:00Z", "reason": "sponsor"}
    shop.post("/members/mina/tier", by_hand)
    # Nobody writes what time does.
    shop.set_clock(now)
    _told(shop, "A-1", 60_000, placed_at)
    assert changes(shop) == [
        (None, "gold", "upgrade", "manual"),
        ("gold", None, "downgrade", "time"),
        (None, "silver", "upgrade", "order"),
    ]
    clean(shop)


def test_risk_that_time_brought_is_logged_before_what_a_late_order_brings(
    make_world: Make,
) -> None:
    shop = open_shop(make_world, basis=MONTH)
    _told(shop, "A-1", 60_000, "2026-03-01T10:00:00Z")
    shop.set_clock("2026-03-31T09:59:00Z")
    _told(shop, "A-2", 10_000, "2026-03-31T09:59:00Z")
    shop.set_clock("2026-03-31T12:00:00Z")
    # The window of 30 March 10:00 holds 600.00 and 400.00.
    _told(shop, "A-3", 40_000, "2026-03-30T10:00:00Z")
    assert shop.tier()["key"] == "gold"
    assert changes(shop) == [
        (None, "silver", "upgrade", "order"),
        ("silver", "gold", "upgrade", "order"),
    ]
    clean(shop)
    _told(shop, "A-3", 40_000, "2026-03-30T10:00:00Z", status="cancelled")
    _follow_on_each_other(shop)
    clean(shop)


@pytest.mark.parametrize("told", ["in time", "first", "first, worked", "late", "late, worked"])
def test_a_level_that_is_over_paid_whenever_its_orders_are_told(
    make_world: Make, told: str
) -> None:
    shop = open_shop(make_world, **SHORT)
    first, second = "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"
    if not told.startswith("late"):
        shop.set_clock(first)
        _told(shop, "A-1", 60_000, first)
    if told == "in time":
        shop.set_clock(second)
        _told(shop, "A-2", 50_000, second)
    if told.endswith("worked"):
        shop.post("/test-clock", {"now": LATER})
    shop.set_clock(LATER)
    if told.startswith("late"):
        _told(shop, "A-1", 60_000, first)
    if told != "in time":
        answer = _told(shop, "A-2", 50_000, second)
        assert (points(answer), answer["tier"]["key"]) == (500, None)
    # 600 and 500 for the orders, 100 for silver, 500 for gold.
    assert (shop.balance(), shop.tier()["key"]) == (1700, None)
    _follow_on_each_other(shop)
    clean(shop)
    # Told again, and cancelled and paid again, it is entered no second time.
    for status in ("paid", "cancelled", "paid"):
        _told(shop, "A-2", 50_000, second, status=status)
    assert shop.balance() == 1700
    _follow_on_each_other(shop)
    clean(shop)


def test_a_stay_of_long_ago_is_paid_beside_a_later_one_that_was_taken_back(
    make_world: Make,
) -> None:
    shop = open_shop(make_world, **SHORT)
    later = "2026-08-01T10:00:00Z"
    shop.set_clock(later)
    _told(shop, "A-1", 60_000, later)
    _told(shop, "A-1", 60_000, later, status="cancelled")
    assert shop.balance() == 0
    # Silver from 2 March on, for 45 days: its own stay, not that of August.
    _told(shop, "A-2", 60_000, "2026-03-02T10:00:00Z")
    assert (shop.balance(), shop.tier()["key"]) == (600 + 100, None)
    clean(shop)
    _told(shop, "A-1", 60_000, later)
    assert (shop.balance(), shop.tier()["key"]) == (700 + 700, "silver")
    _follow_on_each_other(shop)
    clean(shop)


def test_a_late_order_below_a_level_enters_nothing(make_world: Make) -> None:
    shop = open_shop(make_world, **SHORT)
    _told(shop, "A-1", 60_000, "2026-03-01T10:00:00Z")
    shop.post("/test-clock", {"now": LATER})
    _told(shop, "A-2", 30_000, "2026-03-03T10:00:00Z")
    # 600, 300 and silver: 900.00 are not gold.
    assert shop.balance() == 600 + 300 + 100
    assert [one[1] for one in changes(shop)] == ["silver", None]
    clean(shop)


@pytest.mark.parametrize(
    ("placed_at", "until"),
    [
        # The grace would last as long as the term that was renewed, or longer.
        ("2026-04-10T10:00:00Z", "2026-05-10T15:00:00Z"),
        ("2026-04-01T10:00:00Z", "2026-05-01T15:00:00Z"),
    ],
)
def test_a_renewal_in_grace_counts_from_its_day_whenever_it_is_told_or_read(
    make_world: Make, placed_at: str, until: str
) -> None:
    term = {"policy": "from_entry", "duration": "P30D"}
    shop = open_shop(make_world, basis=MONTH, term=term, grace="P40D")
    _told(shop, "A-1", 60_000, "2026-03-01T10:00:00Z")
    shop.post("/test-clock", {"now": "2026-04-18T10:00:00Z"})
    # The term ended with 31 March in Seoul, 40 days before 10 May ends there.
    assert shop.tier()["grace_until"] == "2026-05-10T15:00:00Z"
    _told(shop, "A-2", 1_000, "2026-04-15T10:00:00Z")
    _told(shop, "A-3", 30_000, placed_at)
    for now in ("2026-04-20T10:00:00Z", "2026-04-21T10:00:00Z"):
        shop.set_clock(now)
        tier = shop.tier()
        assert (tier["key"], tier["until"], tier["grace_until"]) == ("silver", until, None)
    clean(shop)
