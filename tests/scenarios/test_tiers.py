"""Tiers: metrics, windows, what they multiply, how refunds lower them and time may."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, per_euro, points, rule

Make = Callable[..., World]
GOLD = {"key": "gold", "enter_at": 100000, "multiplier_bp": 20000}


def _world(
    make_world: Make, *, tiers: dict[str, Any], now: str = "2026-06-01T00:00:00Z", **earning: Any
) -> World:
    world = make_world(earning={"rules": [rule("base", per_euro())]} | earning, tiers=tiers)
    world.set_clock(now)
    world.member()
    return world


@pytest.mark.parametrize(
    ("when", "expected"), [("order_time", 100), ("split", 150), ("new_tier", 200)]
)
@pytest.mark.parametrize(("metric", "enter_at"), [("points", 1000), ("spend", 100000)])
def test_the_order_that_crosses_a_threshold(
    make_world: Make, when: str, expected: int, metric: str, enter_at: int
) -> None:
    # A5: 950 qualifying, an order of 100.00, the new tier doubles.
    tiers = {
        "basis": {"metric": metric},
        "levels": [{"key": "gold", "enter_at": enter_at, "multiplier_bp": 20000}],
    }
    world = _world(make_world, tiers=tiers, tier_multiplier_at=when)
    assert world.earned("A-1", 95000, placed_at="2026-02-01T10:00:00Z") == 950
    quote = world.quote(10000)
    told = world.order("A-2", 10000)
    assert points(quote) == points(told) == expected
    assert told["tier"]["change"].items() >= {"from": None, "to": "gold", "kind": "upgrade"}.items()
    assert told["tier"]["change"].items() >= quote["tier"]["change"].items()


def test_an_order_over_two_thresholds_is_split_in_three(make_world: Make) -> None:
    tiers = {
        "levels": [
            {"key": "silver", "enter_at": 10000, "multiplier_bp": 15000},
            {"key": "gold", "enter_at": 30000, "multiplier_bp": 20000},
        ]
    }
    world = _world(make_world, tiers=tiers, tier_multiplier_at="split")
    # 100.00 at 1, 200.00 at 1.5, 100.00 at 2.
    told = world.order("A-1", 40000)
    assert points(told) == 100 + 300 + 200
    assert told["tier"]["key"] == "gold"


@pytest.mark.parametrize(("metric", "enter_at"), [("spend", 30000), ("points", 300), ("orders", 2)])
def test_each_metric_lifts_at_its_threshold(make_world: Make, metric: str, enter_at: int) -> None:
    tiers = {"basis": {"metric": metric}, "levels": [{"key": "gold", "enter_at": enter_at}]}
    world = _world(make_world, tiers=tiers)
    first = world.order("A-1", 29999)
    assert first["tier"]["key"] is None
    [progress] = first["tier"]["progress"]
    value = {"spend": 29999, "points": 299, "orders": 1}[metric]
    assert (progress["metric"], progress["value"]) == (metric, value)
    assert progress["next"] == {"key": "gold", "missing": enter_at - value}
    second = world.order("A-2", 100)
    assert second["tier"]["key"] == "gold"
    assert second["tier"]["progress"][0]["next"] is None


def test_spend_is_the_money_that_earns(make_world: Make) -> None:
    world = _world(make_world, tiers={"levels": [GOLD]})
    told = world.order(
        "A-1",
        60000,
        line("g", 30000, is_gift_card=True),
        shipping_minor=20000,
        payments=[{"kind": "points", "amount_minor": 9000}],
    )
    # 600.00 of 900.00 earn; points paid 90.00, of which two thirds on them.
    assert told["tier"]["progress"][0]["value"] == 54000


def test_points_qualify_before_the_tier_and_without_fixed_points(make_world: Make) -> None:
    rules = [
        rule("base", per_euro()),
        rule("bonus", {"do": "add_points", "points": 500}),
        rule("quiet", per_euro() | {"counts_for_tier": False}),
        rule("loud", {"do": "add_points", "points": 7, "counts_for_tier": True}),
    ]
    tiers = {
        "basis": {"metric": "points"},
        "levels": [{"key": "silver", "enter_at": 1, "multiplier_bp": 30000}],
    }
    world = _world(make_world, tiers=tiers, rules=rules)
    world.order("A-1", 100, placed_at="2026-02-01T10:00:00Z")
    told = world.order("A-2", 1000)
    # (10 + 10) × 3 + 507; qualifying 10 + 7.
    assert points(told) == 567
    assert told["order"]["qualifying_points"] == 17


def test_a_refund_lowers_a_tier_and_buying_lifts_it_again(make_world: Make) -> None:
    world = _world(make_world, tiers={"levels": [GOLD]})
    world.order("A-1", 60000, placed_at="2026-01-10T10:00:00Z")
    up = world.order("A-2", 40000, placed_at="2026-02-10T10:00:00Z")
    assert (up["tier"]["key"], up["tier"]["since"]) == ("gold", "2026-02-10T10:00:00Z")
    down = world.order("A-1", line("1", 60000, refunded_minor=1), placed_at="2026-01-10T10:00:00Z")
    assert down["tier"]["change"].items() >= {"from": "gold", "to": None}.items()
    assert down["tier"]["change"]["kind"] == "downgrade"
    assert world.tier()["key"] is None
    back = world.order("A-3", 1, placed_at="2026-03-10T10:00:00Z")
    assert (back["tier"]["key"], back["tier"]["since"]) == ("gold", "2026-03-10T10:00:00Z")
    assert not world.verify()["mismatches"]


def test_paying_with_points_never_lowers_a_tier(make_world: Make) -> None:
    world = _world(
        make_world,
        tiers={
            "basis": {"metric": "points"},
            "levels": [{"key": "gold", "enter_at": 1000, "multiplier_bp": 20000}],
        },
    )
    world.order("A-1", 100000)
    payments = [{"kind": "points", "amount_minor": 90000}]
    told = world.order("A-2", 90000, payments=payments, placed_at="2026-04-01T10:00:00Z")
    assert told["tier"]["key"] == "gold"
    assert told["tier"]["progress"][0]["value"] == 1000


def test_a_late_order_moves_the_day_a_tier_was_reached_but_no_other_award(
    make_world: Make,
) -> None:
    world = _world(make_world, tiers={"levels": [GOLD]})
    world.order("A-1", 60000, placed_at="2026-01-10T10:00:00Z")
    assert world.earned("A-2", 50000, placed_at="2026-03-10T10:00:00Z") == 500
    # Gold since March; the late order of February makes it February.
    late = world.order("A-3", 40000, placed_at="2026-02-10T10:00:00Z")
    assert points(late) == 400
    assert world.tier()["since"] == "2026-02-10T10:00:00Z"
    assert points(world.get("/orders/A-2")) == 500
    assert world.balance() == 1500
    # Judged as of February by its own time: gold doubles from then on.
    assert world.earned("A-4", 1000, placed_at="2026-02-11T10:00:00Z") == 20
    assert world.earned("A-5", 1000, placed_at="2026-02-09T10:00:00Z") == 10


def test_orders_of_one_instant_count_in_order_of_arrival(make_world: Make) -> None:
    world = _world(make_world, tiers={"levels": [GOLD]})
    assert world.earned("A-1", 100000) == 1000
    assert world.earned("A-2", 1000) == 20


ROLLING = {"window": "rolling", "duration": "P12M"}


def test_a_rolling_window_leaves_out_what_is_a_year_old_to_the_second(make_world: Make) -> None:
    tiers = {"basis": ROLLING, "levels": [GOLD]}
    for earlier, expected in (("10:00:00", None), ("10:00:01", "gold")):
        world = _world(make_world, tiers=tiers)
        world.order("A-1", 60000, placed_at=f"2025-03-01T{earlier}Z")
        told = world.order("A-2", 40000, placed_at="2026-03-01T10:00:00Z")
        change = told["tier"].get("change")
        assert (change and change["to"]) == expected


def test_time_alone_never_lowers_a_tier_unless_the_program_says_so(make_world: Make) -> None:
    tiers = {"basis": ROLLING, "levels": [GOLD]}
    kept = _world(make_world, tiers=tiers)
    falls = _world(make_world, tiers=tiers | {"downgrade": "full"})
    for world in (kept, falls):
        world.order("A-1", 100000, placed_at="2026-01-10T10:00:00Z")
        world.set_clock("2027-01-10T09:59:59Z")
        assert world.tier()["key"] == "gold"
        world.set_clock("2027-01-10T10:00:00Z")
    assert kept.tier()["key"] == "gold"
    assert kept.tier()["progress"][0]["value"] == 0
    assert falls.tier()["key"] is None
    assert kept.earned("A-2", 1000, placed_at="2027-01-10T10:00:00Z") == 20
    assert falls.earned("A-2", 1000, placed_at="2027-01-10T10:00:00Z") == 10


LADDER = {
    "basis": ROLLING,
    "downgrade": "full",
    "levels": [
        {"key": "silver", "enter_at": 50000, "retain_at": 30000},
        {"key": "gold", "enter_at": 100000, "retain_at": 80000, "multiplier_bp": 20000},
    ],
}


@pytest.mark.parametrize(
    ("second", "expected", "missing"),
    [(80000, "gold", 0), (79999, "silver", None), (50000, "silver", None), (49999, None, None)],
)
def test_retaining_takes_less_than_entering(
    make_world: Make, second: int, expected: str | None, missing: int | None
) -> None:
    world = _world(make_world, tiers=LADDER)
    world.order("A-1", 100000, placed_at="2026-01-10T10:00:00Z")
    world.order("A-2", second, placed_at="2026-05-10T10:00:00Z")
    world.set_clock("2027-02-01T00:00:00Z")
    # Only the second order is left in the window; a fall ends where the window reaches.
    tier = world.tier()
    assert tier["key"] == expected
    if missing is not None:
        assert tier["progress"][0]["retain"]["missing"] == missing


def test_a_level_that_is_retained_is_not_at_risk(make_world: Make) -> None:
    # D28: at risk is what would not be kept as things are; 900.00 keeps gold (800.00).
    world = _world(make_world, tiers=LADDER)
    world.order("A-1", 100000, placed_at="2026-01-10T10:00:00Z")
    world.order("A-2", 90000, placed_at="2026-05-10T10:00:00Z")
    world.set_clock("2027-02-01T00:00:00Z")
    tier = world.tier()
    assert tier["key"] == "gold"
    assert tier["progress"][0]["retain"]["missing"] == 0
    assert tier["at_risk"] is False


def test_a_level_reached_again_after_a_gap_is_held_since_then(make_world: Make) -> None:
    world = _world(make_world, tiers={"basis": ROLLING, "downgrade": "full", "levels": [GOLD]})
    world.order("A-1", 100000, placed_at="2026-01-10T10:00:00Z")
    world.set_clock("2027-03-01T00:00:00Z")
    assert world.tier()["key"] is None
    told = world.order("A-2", 100000, placed_at="2027-02-20T10:00:00Z")
    assert told["tier"]["key"] == "gold"
    assert told["tier"]["since"] == "2027-02-20T10:00:00Z"
    assert points(told) == 1000


def test_the_perks_of_a_level_are_entitlements(make_world: Make) -> None:
    perk = {"key": "early_access", "name": {"en": "Early access", "ko": "선공개"}}
    world = _world(make_world, tiers={"levels": [GOLD | {"perks": [perk]}]})
    assert world.get("/members/mina")["entitlements"] == []
    world.order("A-1", 100000)
    [held] = world.get("/members/mina")["entitlements"]
    assert (held["perk"], held["source"]) == ("early_access", "tier:gold")
    world.order("A-1", 100000, status="cancelled")
    assert world.get("/members/mina")["entitlements"] == []


def test_levels_may_be_written_in_any_order(make_world: Make) -> None:
    silver = {"key": "silver", "enter_at": 50000}
    world = _world(make_world, tiers={"levels": [GOLD, silver]})
    assert world.order("A-1", 99999)["tier"]["key"] == "silver"
    assert world.order("A-2", 1)["tier"]["key"] == "gold"


def test_members_are_listed_by_level(make_world: Make) -> None:
    world = _world(make_world, tiers={"levels": [GOLD]})
    world.member("jun")
    world.order("A-1", 100000)
    assert [one["member_ref"] for one in world.get("/members?tier=gold")["data"]] == ["mina"]
    assert [one["member_ref"] for one in world.get("/members?tier=none")["data"]] == ["jun"]
