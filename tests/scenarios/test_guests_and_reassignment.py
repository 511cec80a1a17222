"""Orders without a member, and orders that change hands."""

from collections.abc import Callable

import pytest

from tests.scenarios.ledgers import Holds
from tests.world import World, line, order, per_euro, points, reversed_points, rule

Make = Callable[..., World]


def test_a_guests_order_is_stored_and_earns_nothing(world: World) -> None:
    told = world.put("/orders/A-1", order(1000, member_ref=None), status=201)
    assert told["earned"] == []
    assert (told["tier"], told["balances"], told["decision_id"]) == (None, [], None)
    assert told["order"]["member_ref"] is None
    assert told["order"]["net_minor"] == 1000


def test_a_guests_order_may_leave_the_member_out(world: World) -> None:
    body = order(1000)
    del body["member_ref"]
    assert world.put("/orders/A-1", body)["order"]["member_ref"] is None


def test_a_later_put_with_the_member_awards_it_once(world: World) -> None:
    world.order("A-1", 1999, member_ref=None)
    assert world.earned("A-1", 1999) == 19
    again = world.order("A-1", 1999)
    assert (points(again), again["reversed"]) == (19, [])
    assert world.balance() == 19
    assert len(world.entries()) == 1
    assert world.entries()[0]["effective_at"] == "2026-03-01T10:00:00Z"


def test_a_snapshot_without_a_member_keeps_the_orders_member(world: World) -> None:
    world.order("A-1", 1999)
    told = world.order("A-1", 2999, member_ref=None)
    assert (told["order"]["member_ref"], points(told)) == ("mina", 29)
    assert world.balance() == 29


def test_a_guests_refunded_order_awards_what_is_left(world: World) -> None:
    world.order("A-1", 2000, member_ref=None)
    world.order("A-1", line("1", 2000, refunded_minor=500), member_ref=None)
    assert world.earned("A-1", line("1", 2000, refunded_minor=500)) == 15


def test_a_changed_member_undoes_it_for_the_old_and_decides_it_for_the_new(
    make_world: Make,
) -> None:
    levels = [{"key": "gold", "enter_at": 10000, "multiplier_bp": 20000}]
    world = make_world(tiers={"levels": levels})
    world.member()
    world.member("jun")
    world.order("J-1", 10000, member_ref="jun", placed_at="2026-02-01T10:00:00Z")
    world.order("A-1", 10000)
    assert world.tier()["key"] == "gold"
    moved = world.order("A-1", 10000, member_ref="jun")
    # Jun is gold: 100 × 2; Mina loses her 100 and her level.
    assert (points(moved), reversed_points(moved)) == (200, 100)
    assert moved["order"]["member_ref"] == "jun"
    assert (world.balance("mina"), world.balance("jun")) == (0, 300)
    assert world.tier()["key"] is None
    assert world.tier("jun")["progress"][0]["value"] == 20000
    assert not world.verify()["mismatches"]


def test_an_order_that_comes_back_is_awarded_again(world: World) -> None:
    world.order("A-1", 1000)
    world.order("A-1", 1000, member_ref="jun")
    assert world.earned("A-1", 1000) == 10
    assert (world.balance("mina"), world.balance("jun")) == (10, 0)
    back = world.order("A-1", 1000, status="cancelled")
    assert reversed_points(back) == 10
    assert (world.balance("mina"), world.balance("jun")) == (0, 0)
    assert not world.verify()["mismatches"]


def test_a_new_member_is_decided_by_the_program_in_force_then(make_world: Make) -> None:
    world = make_world()
    world.member()
    world.member("jun")
    world.order("A-1", 1000)
    world.publish(earning={"rules": [rule("base", per_euro(3))]})
    assert world.earned("A-1", 1100) == 11
    assert world.earned("A-1", 1100, member_ref="jun") == 33
    assert world.balance() == 0


def test_an_order_moved_to_who_is_not_enrolled_earns_nothing(world: World) -> None:
    world.member("guest", is_enrolled=False)
    world.order("A-1", 1000)
    moved = world.order("A-1", 1000, member_ref="guest")
    assert (points(moved), reversed_points(moved)) == (0, 10)
    assert world.balance() == 0


@pytest.mark.parametrize(
    ("policy", "left"),
    [("unlimited", -100), ("only_pending", 0), ("within_balance", 0), ("deduct_from_refund", 0)],
)
def test_points_that_were_spent_follow_the_return_policy(
    make_world: Make, policy: str, left: int
) -> None:
    world = make_world(points=[{"key": "points", "return_policy": policy}])
    world.member("mina")
    world.member("jun")
    world.order("A-1", 10000)
    spending = Holds(world)
    spending.end(spending.hold(100), "capture")
    # Another policy meanwhile: the order keeps the one that it was decided by.
    world.publish(points=[{"key": "points", "return_policy": "within_balance"}])
    world.order("A-1", 10000, member_ref="jun")
    assert (world.balance("mina"), world.balance("jun")) == (left, 100)
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize("pending", ["immediate", "on_fulfilled"])
def test_points_that_are_available_stay_where_only_pending_ones_are_taken(
    make_world: Make, pending: str
) -> None:
    kind = {"key": "points", "return_policy": "only_pending", "pending": {"policy": pending}}
    world = make_world(points=[kind])
    world.member("mina")
    world.member("jun")
    world.order("A-1", 10000)
    world.order("A-1", 10000, member_ref="jun")
    shown = world.get("/members/mina/balances")["data"][0]
    expected = (100, 0) if pending == "immediate" else (0, 0)
    assert (shown["available"], shown["pending"]) == expected
    assert world.verify()["mismatches"] == []
