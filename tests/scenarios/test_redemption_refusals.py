"""What can be held: beside what a cart has already, within bounds, conditions and limits."""

from typing import Any

import pytest

from tests.scenarios.ledgers import MakeWorld, give, opened
from tests.scenarios.redeeming import (
    CART,
    FIVE,
    NOON,
    Till,
    numbers,
    opened_till,
    reward,
)
from tests.world import line


@pytest.fixture
def till(make_world: MakeWorld) -> Till:
    """A program whose clock stands at noon, where Mina has 1,000 points and Jun has 100."""
    return opened_till(make_world)


def test_a_new_hold_for_a_cart_replaces_the_open_one_of_its_kind(till: Till) -> None:
    world = till.world
    first = till.hold("five", cart_ref="C-1")["id"]
    points = till.hold(800, cart_ref="C-1")["id"]
    assert numbers(world) == (100, 900)
    second = till.hold("five", cart_ref="C-1")["id"]
    assert (till.state(first), till.state(second)) == ("released", "held")
    # 900 are enough only once the 800 are back.
    again = till.hold(900, cart_ref="C-1")["id"]
    assert (till.state(points), till.state(again)) == ("released", "held")
    assert numbers(world) == (0, 1000)
    # What is refused leaves the open one as it was.
    assert till.refused(1200, cart_ref="C-1")["code"] == "insufficient_points"
    assert till.state(again) == "held"
    till.done("release", again)
    others = [till.hold("five", cart_ref="C-2")["id"], till.hold("five")["id"]]
    till.hold("five", "jun", cart_ref="C-1")
    assert [till.state(one) for one in (second, *others)] == ["held"] * 3
    assert world.verify()["mismatches"] == []


def test_what_does_not_combine_stands_alone_in_a_cart(make_world: MakeWorld) -> None:
    alone = reward("alone", kind="free_shipping", value={}, cost_points=10, combines=False)
    world = opened(make_world, NOON, rewards=[FIVE, alone])
    till = Till(world)
    give(world, 1000, None)
    five = till.hold("five", cart_ref="C-1")["id"]
    for key, cart_ref in (("alone", "C-1"), ("five", "C-2")):
        if key == "five":
            till.hold("alone", cart_ref="C-2")
        refused = till.refused(key, cart_ref=cart_ref)
        assert (refused["code"], refused["state"]) == ("state_conflict", "held")
        assert "alone does not combine" in refused["detail"]
    till.done("release", five)
    till.hold("alone", cart_ref="C-1")
    # Of its own kind it is replaced, not refused.
    till.hold("alone", cart_ref="C-1")
    assert numbers(world) == (980, 20)


PAY = {"min_points": 500, "step_points": 100, "max_order_bp": 5000}


@pytest.mark.parametrize(
    ("points", "cart", "words"),
    [
        (400, None, "at least 500"),
        (550, None, "multiple of 100"),
        (2100, CART, "from 500 to 2000"),
        (600, CART | {"lines": [line("1", 1000), line("2", 3000, is_gift_card=True)]}, "to 500"),
        (500, CART | {"lines": [line("1", 900)]}, "takes none"),
    ],
)
def test_points_out_of_bounds_do_not_pay(
    make_world: MakeWorld, points: int, cart: Any, words: str
) -> None:
    # The numbers of SEMANTICS E35.
    world = opened(make_world, NOON, pay_with_points=PAY)
    till = Till(world)
    give(world, 2345, None)
    given = {} if cart is None else {"cart": cart}
    refused = till.refused(points, **given)
    assert refused["code"] == "validation_failed"
    [finding] = refused["errors"]
    assert finding["pointer"] == "/pay_with_points/points" and words in finding["detail"]


def test_points_pay_up_to_the_bounds(make_world: MakeWorld) -> None:
    world = opened(make_world, NOON, pay_with_points=PAY)
    till = Till(world)
    give(world, 2345, None)
    for points in (500, 2000):
        held = till.hold(points, cart=CART, cart_ref="C-1")
        assert held["discount"] == {"kind": "pay_with_points", "minor": points}
        assert (held["reward"], held["kind"]) == (None, "pay_with_points")
        assert numbers(world) == (2345 - points, points)
    # Without a cart only what there is bounds them.
    assert till.refused(2400, ttl="PT1M")["available"] == 345
    foreign = till.refused(500, cart=CART | {"currency": "USD"})
    assert foreign["code"] == "currency_mismatch"


def test_a_program_without_it_lets_no_points_pay(make_world: MakeWorld) -> None:
    world = opened(make_world, NOON, rewards=[FIVE])
    give(world, 1000, None)
    refused = Till(world).refused(100)
    assert refused["errors"][0]["pointer"] == "/pay_with_points"
    world.publish(pay_with_points={"min_points": 1, "state": "paused"})
    assert Till(world).refused(100)["state"] == "paused"


SOON = {"starts_at": "2026-04-01T00:00:00Z"}


OVER = {"ends_at": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": "paused"}, "paused"),
        ({"schedule": SOON}, "not_started"),
        ({"schedule": OVER}, "ended"),
        ({"tiers": ["gold"]}, "tier_required"),
        ({"cost_points": None}, "condition_not_met"),
        (
            {"when": {"fact": "member.order_count", "op": ">=", "value": 1}},
            "condition_not_met",
        ),
        ({"min_order_minor": 4001}, "condition_not_met"),
    ],
)
def test_a_reward_that_cannot_be_had_is_refused_with_its_reason(
    make_world: MakeWorld, changes: dict[str, Any], state: str
) -> None:
    levels = [{"key": "gold", "enter_at": 10_000}]
    world = opened(
        make_world,
        NOON,
        rewards=[reward("five", **changes), FIVE | {"key": "other"}],
        tiers={"basis": {"metric": "spend", "window": "lifetime"}, "levels": levels},
    )
    give(world, 1000, None)
    till = Till(world)
    refused = till.refused("five", cart=CART)
    assert (refused["status"], refused["code"], refused["state"]) == (409, "state_conflict", state)
    assert refused["detail"].startswith("five: ")
    till.hold("other", cart=CART)


def test_a_price_of_its_own_by_level(make_world: MakeWorld) -> None:
    world = opened(
        make_world,
        NOON,
        rewards=[reward("five", cost_by_tier={"gold": 40})],
        tiers={
            "basis": {"metric": "spend", "window": "lifetime"},
            "levels": [{"key": "gold", "enter_at": 10_000}],
        },
    )
    till = Till(world)
    for ref in ("mina", "jun"):
        give(world, 100, None, ref)
    world.order("A-1", 10_000, member_ref="jun")
    assert (till.hold("five")["points"], till.hold("five", "jun")["points"]) == (100, 40)


def test_too_few_points_are_said_with_how_many_there_are(till: Till) -> None:
    till.hold("five", "jun")
    refused = till.refused("five", "jun")
    assert (refused["code"], refused["available"]) == ("insufficient_points", 0)
    assert till.refused(60, "jun")["available"] == 0


def test_below_zero_nothing_is_redeemed(till: Till) -> None:
    world = till.world
    taken = {"member_ref": "jun", "points": -150, "reason": "fraud", "allow_negative": True}
    world.post("/adjustments", taken, status=201)
    for what in ("five", 50):
        refused = till.refused(what, "jun")
        assert (refused["code"], refused["available"]) == ("insufficient_points", -50)


def test_below_zero_nothing_is_had_for_nothing_either(till: Till) -> None:
    world = till.world
    body = {"member_ref": "mina", "points": -1001, "reason": "fraud", "allow_negative": True}
    world.post("/adjustments", body, status=201)
    refused = till.refused("free")
    assert (refused["code"], refused["available"]) == ("insufficient_points", -1)
    listed = {one["key"]: one for one in world.get("/members/mina/rewards")["data"]}
    codes = [one["code"] for one in listed["free"]["unavailable_reasons"]]
    assert (listed["free"]["is_available"], codes) == (False, ["negative_balance"])
    body = {"member_ref": "mina", "points": 1, "reason": "found"}
    world.post("/adjustments", body, status=201)
    till.hold("free")


def test_limits_count_what_is_held_or_captured(make_world: MakeWorld) -> None:
    once = reward("once", cost_points=10, limits=[{"per": "member", "period": "ever", "times": 1}])
    world = opened(make_world, NOON, rewards=[once])
    till = Till(world)
    for ref in ("mina", "jun"):
        give(world, 100, None, ref)
    held = till.hold("once")["id"]
    assert till.refused("once")["code"] == "limit_reached"
    till.hold("once", "jun")
    till.done("release", held)
    captured = till.hold("once")["id"]
    till.done("capture", captured)
    assert till.refused("once")["code"] == "limit_reached"
    till.done("reverse", captured)
    lapsed = till.hold("once", ttl="PT1M")["id"]
    world.set_clock("2026-03-01T12:01:00Z")
    # Run out, though nobody has written so: it can be had again, and is then taken.
    till.hold("once")
    assert till.state(lapsed) == "expired"
    assert till.refused("once")["code"] == "limit_reached"
    assert world.verify()["mismatches"] == []


def test_a_limit_of_each_day(make_world: MakeWorld) -> None:
    daily = reward("daily", cost_points=0, limits=[{"per": "member", "period": "day", "times": 2}])
    world = opened(make_world, NOON, rewards=[daily])
    till = Till(world)
    for _ in range(2):
        till.done("capture", till.hold("daily")["id"])
    assert till.refused("daily")["code"] == "limit_reached"
    # The midnight that ends 1 March in Seoul.
    world.set_clock("2026-03-01T14:59:59Z")
    assert till.refused("daily")["code"] == "limit_reached"
    world.set_clock("2026-03-01T15:00:00Z")
    till.hold("daily")


def test_what_others_hold_no_longer_counts_for_the_whole_program(make_world: MakeWorld) -> None:
    shared = reward(
        "shared", cost_points=0, limits=[{"per": "program", "period": "ever", "times": 2}]
    )
    world = opened(make_world, NOON, rewards=[shared])
    till = Till(world)
    for ref in ("a", "b", "c", "d"):
        world.member(ref)
    ran_out = till.hold("shared", "a", ttl="PT5M")["id"]
    kept = till.hold("shared", "b", ttl="PT10M")["id"]
    assert till.refused("shared", "c")["code"] == "limit_reached"
    world.set_clock("2026-03-01T12:05:00Z")
    till.hold("shared", "c")
    assert (till.state(ran_out), till.state(kept)) == ("expired", "held")
    assert till.refused("shared", "d")["code"] == "limit_reached"
    assert world.verify()["mismatches"] == []
