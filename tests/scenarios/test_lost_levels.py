"""Levels that a publication takes off the ladder: nobody is paid for falling, or for a new name."""

from typing import Any

import pytest

from loyalty.tiers.models import ENTRIES
from tests.scenarios.tier_shop import (
    GOLD,
    SILVER,
    TIERS,
    Make,
    changes,
    clean,
    messages,
    open_shop,
    rows,
)
from tests.world import BASE_RULE, World

NOTICERS = ["worker", "order"]
GOLDEN = GOLD | {"key": "golden"}


@pytest.fixture
def shop(make_world: Make) -> World:
    """A ladder with terms, whose refunds lower at once."""
    return open_shop(make_world)


def _publish(world: World, *levels: dict[str, Any], **tiers: Any) -> None:
    ladder = TIERS | {"levels": list(levels)} | tiers
    world.publish(tiers=ladder, earning={"rules": [BASE_RULE]})


def _notice(world: World, noticer: str, number: int) -> int:
    """Let a change of the ladder be noticed; the points that an order earns that notices it."""
    if noticer == "worker":
        world.post("/test-clock", {"now": f"2026-03-{1 + number:02}T10:00:00Z"})
        return 0
    told = world.order(f"N-{number}", 1_000)
    assert told["tier"].get("change") is None
    return 10


@pytest.mark.parametrize("noticer", NOTICERS)
def test_a_level_deleted_is_left_downwards_and_pays_nothing(shop: World, noticer: str) -> None:
    shop.order("A-1", 120_000)
    assert shop.balance() == 1200 + 500
    _publish(shop, SILVER)
    extra = _notice(shop, noticer, 1)
    assert shop.tier()["key"] == "silver"
    assert shop.balance() == 1700 + extra
    assert changes(shop)[1:] == [("gold", "silver", "downgrade", "ladder")]
    assert messages(shop, "tier.changed")[-1]["kind"] == "downgrade"
    clean(shop)
    # The old version again: gold is reached again within its term, and was paid for.
    _publish(shop, SILVER, GOLD)
    extra += _notice(shop, noticer, 2) if noticer == "worker" else _order_up(shop, "N-2")
    assert shop.tier()["key"] == "gold"
    assert shop.balance() == 1700 + extra
    assert changes(shop)[2][:3] == ("silver", "gold", "upgrade")
    assert [row.level_key for row in rows(shop, ENTRIES)] == ["gold"]
    clean(shop)


def _order_up(world: World, ref: str) -> int:
    change = world.order(ref, 1_000)["tier"]["change"]
    assert (change["from"], change["to"], change["earned"]) == ("silver", "gold", [])
    return 10


@pytest.mark.parametrize("noticer", NOTICERS)
def test_a_level_under_another_key_is_the_same_level(shop: World, noticer: str) -> None:
    shop.order("A-1", 120_000)
    _publish(shop, SILVER, GOLDEN)
    extra = _notice(shop, noticer, 1)
    assert (shop.tier()["key"], shop.balance()) == ("golden", 1700 + extra)
    assert changes(shop)[1:] == [("gold", "golden", "downgrade", "ladder")]
    clean(shop)
    # What gold was paid for goes with the order, and comes back with it: once.
    for _ in range(2):
        shop.order("A-1", 120_000, status="cancelled")
        assert (shop.tier()["key"], shop.balance()) == (None, extra)
        clean(shop)
        shop.order("A-1", 120_000)
        assert (shop.tier()["key"], shop.balance()) == ("golden", 1700 + extra)
        clean(shop)
    _publish(shop, SILVER, GOLD)
    extra += _notice(shop, noticer, 2)
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1700 + extra)
    shop.order("A-1", 120_000, status="cancelled")
    assert shop.balance() == extra
    clean(shop)


@pytest.mark.parametrize("noticer", NOTICERS)
def test_a_paused_level_pays_nobody_who_stands_on_it(shop: World, noticer: str) -> None:
    shop.order("A-1", 120_000)
    extra = 0
    for number, levels in enumerate([(SILVER, GOLD | {"state": "paused"}), (SILVER, GOLD)], 1):
        _publish(shop, *levels)
        extra += _notice(shop, noticer, number)
        assert (shop.tier()["key"], shop.balance()) == ("gold", 1700 + extra)
        clean(shop)
    body = {"section": "levels", "key": "gold", "reason": "audit"}
    for number, state in enumerate(["paused", "live"], 3):
        shop.post("/switches", body | {"state": state})
        extra += _notice(shop, noticer, number)
        assert (shop.tier()["key"], shop.balance()) == ("gold", 1700 + extra)
    assert len(changes(shop)) == 1
    clean(shop)


@pytest.mark.parametrize("noticer", NOTICERS)
def test_the_last_level_deleted_leads_to_none_and_is_logged(shop: World, noticer: str) -> None:
    shop.order("A-1", 60_000)
    assert shop.balance() == 700
    _publish(shop, GOLD)
    extra = _notice(shop, noticer, 1)
    assert (shop.tier()["key"], shop.balance()) == (None, 700 + extra)
    assert changes(shop)[1:] == [("silver", None, "downgrade", "ladder")]
    _publish(shop, SILVER, GOLD)
    extra += 10
    change = shop.order("N-9", 1_000)["tier"]["change"]
    assert (change["to"], change["earned"]) == ("silver", [])
    assert shop.balance() == 700 + extra
    clean(shop)


def test_a_refund_after_it_takes_back_what_the_lost_level_paid(shop: World) -> None:
    shop.order("A-1", 120_000)
    _publish(shop, SILVER)
    # The refund is the first to notice.
    shop.order("A-1", 120_000, status="cancelled")
    assert (shop.tier()["key"], shop.balance()) == (None, 0)
    assert changes(shop)[1:] == [
        ("gold", "silver", "downgrade", "ladder"),
        ("silver", None, "downgrade", "refund"),
    ]
    # Entered anew, silver is paid for as silver.
    shop.order("A-2", 60_000)
    assert shop.balance() == 700
    clean(shop)


def test_a_level_that_the_lost_one_stood_beneath_is_entered_and_pays(shop: World) -> None:
    shop.order("A-1", 60_000)
    # Gold is lowered in the version that takes silver out.
    _publish(shop, GOLD | {"enter_at": 55_000, "retain_at": 55_000})
    shop.post("/test-clock", {"now": "2026-03-02T10:00:00Z"})
    assert (shop.tier()["key"], shop.balance()) == ("gold", 700 + 500)
    assert changes(shop)[1:] == [("silver", "gold", "upgrade", "ladder")]
    clean(shop)


@pytest.mark.parametrize("noticer", NOTICERS)
def test_the_whole_ladder_renamed_and_measured_otherwise_pays_nothing(
    make_world: Make, noticer: str
) -> None:
    shop = open_shop(make_world, term={"policy": "none"})
    shop.order("A-1", 60_000)
    first = SILVER | {"key": "leaf", "enter_at": 1, "retain_at": 1}
    second = GOLD | {"key": "tree", "enter_at": 50, "retain_at": 50}
    basis = {"metric": "orders", "window": "lifetime"}
    _publish(shop, first, second, basis=basis, term={"policy": "none"})
    extra = _notice(shop, noticer, 1)
    assert (shop.tier()["key"], shop.balance()) == ("leaf", 700 + extra)
    assert changes(shop)[1:] == [("silver", "leaf", "downgrade", "ladder")]
    clean(shop)


def test_a_hand_laid_on_it_first_logs_both(shop: World) -> None:
    shop.order("A-1", 120_000)
    _publish(shop, SILVER)
    body = {"key": "silver", "until": "2026-06-01T00:00:00Z", "reason": "sponsor"}
    shop.post("/members/mina/tier", body)
    assert changes(shop)[1:] == [
        ("gold", "silver", "downgrade", "ladder"),
        ("silver", "silver", "renewal", "manual"),
    ]
    assert shop.balance() == 1700
    clean(shop)
