"""What is owed by an award that was spent: nobody keeps points by holding or spending them across
a refund, by whatever way they come back (SEMANTICS B11, B12, B14)."""

from typing import Any

import pytest

from tests.scenarios.ledgers import Holds, MakeWorld, balance, expiring, give, go, kind, opened
from tests.world import World

PLACED: dict[str, Any] = {"placed_at": "2027-01-10T03:00:00Z"}


def shop(make_world: MakeWorld, **terms: Any) -> World:
    return opened(make_world, "2027-01-10T03:00:00Z", points=kind(**terms))


def cancel(world: World, ref: str, minor: int) -> None:
    world.order(ref, minor, **PLACED, status="cancelled")


@pytest.mark.parametrize("how", ["release", "reverse", "time"])
def test_one_hold_does_not_save_the_points_of_two_orders(make_world: MakeWorld, how: str) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    world.order("B", 10_000, **PLACED)
    held = holds.hold(100)
    # A is paid out of B's lot, so B owes when its turn comes.
    cancel(world, "A", 10_000)
    cancel(world, "B", 10_000)
    if how == "reverse":
        holds.end(held, "capture")
    if how == "time":
        go(world, "2027-01-11T03:00:00Z")
    else:
        holds.end(held, how)
    assert (balance(world)["available"], balance(world)["held"]) == (0, 0)
    # Both paid again, nothing was lost by it.
    world.order("B", 10_000, **PLACED)
    world.order("A", 10_000, **PLACED)
    assert balance(world)["available"] == 200
    assert world.verify()["mismatches"] == []


def test_all_lots_of_an_award_owe_together(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    world.order("A", 15_000, **PLACED)
    held = holds.hold(100)
    holds.end(holds.hold(50), "capture")
    # 100.00 stand: of 100 deserved 50 are spent, so 50 are left when the hold ends.
    world.order("A", 15_000, **PLACED, refunded_minor=5_000)
    holds.end(held, "release")
    assert balance(world)["available"] == 50
    assert world.verify()["mismatches"] == []


def test_what_goes_back_to_a_lot_that_owes_is_taken_from_it(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    holds.end(holds.hold(100), "capture")
    world.order("B", 10_000, **PLACED)
    cancel(world, "A", 10_000)
    cancel(world, "B", 10_000)
    # A stands again: its 100 were earned, and spent.
    world.order("A", 10_000, **PLACED)
    assert balance(world)["available"] == 0
    assert world.verify()["mismatches"] == []


def test_a_deficit_between_taking_and_giving_back_is_proved(make_world: MakeWorld) -> None:
    world = shop(make_world, return_policy="unlimited")
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    world.order("B", 20_000, **PLACED)
    holds.end(holds.hold(20), "capture")
    for _ in range(2):
        cancel(world, "A", 10_000)
        cancel(world, "B", 20_000)
        assert balance(world)["available"] == -20
        world.order("A", 10_000, **PLACED)
        assert balance(world)["available"] == 80
        assert world.verify()["mismatches"] == []
        world.order("B", 20_000, **PLACED)
        assert balance(world)["available"] == 280
    assert world.verify()["mismatches"] == []


def test_money_that_was_deducted_instead_is_not_asked_for_again(make_world: MakeWorld) -> None:
    world = shop(make_world, return_policy="deduct_from_refund")
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    held = holds.hold(80)
    holds.end(held, "capture")
    body = {"refunded_at": "2027-01-10T03:00:00Z", "amount_minor": 10_000}
    answer = world.put("/orders/A/refunds/R", body)
    assert answer["suggested_refund_deduction_minor"] == 80
    holds.end(held, "reverse")
    assert balance(world)["available"] == 80


def test_a_debt_goes_along_with_a_merge(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    held = holds.hold(100)
    holds.end(held, "capture")
    cancel(world, "A", 10_000)
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    holds.end(held, "reverse")
    assert balance(world, "jun")["available"] == 0
    world.order("A", 10_000, **PLACED)
    assert balance(world, "jun")["available"] == 100
    assert world.verify()["mismatches"] == []


def test_a_debt_made_after_a_merge_is_paid_by_what_comes_back(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("A", 10_000, **PLACED)
    held = holds.hold(100)
    holds.end(held, "capture")
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    cancel(world, "A", 10_000)
    holds.end(held, "reverse")
    assert balance(world, "jun")["available"] == 0
    assert world.verify()["mismatches"] == []


def test_a_lot_wholly_held_is_still_named_with_its_date(make_world: MakeWorld) -> None:
    world = shop(make_world)
    give(world, 100, "2027-06-01T15:00:00Z")
    Holds(world).hold(100)
    assert expiring(world) == [("2027-06-01T15:00:00Z", 100)]


def test_a_lender_of_a_lender_is_paid_back_as_well(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    for ref in ("A", "X", "Y"):
        world.order(ref, 10_000, **PLACED)
    held = holds.hold(100)
    # A is paid by X's lot, X by Y's, and Y owes.
    for ref in ("A", "X", "Y"):
        cancel(world, ref, 10_000)
    holds.end(held, "release")
    assert balance(world)["available"] == 0
    for ref in ("Y", "A", "X"):
        world.order(ref, 10_000, **PLACED)
    assert balance(world)["available"] == 300
    assert world.verify()["mismatches"] == []


def test_a_lender_is_asked_with_all_the_lots_of_its_award(make_world: MakeWorld) -> None:
    world = shop(make_world)
    holds = Holds(world)
    world.order("X", 10_000, **PLACED)
    world.order("X", 15_000, **PLACED)
    world.order("A", 10_000, **PLACED)
    first = holds.hold(100)
    holds.end(holds.hold(50), "capture")
    second = holds.hold(100)
    holds.end(first, "release")
    cancel(world, "A", 10_000)
    world.order("X", 15_000, **PLACED, refunded_minor=5_000)
    holds.end(second, "release")
    # X deserves 100, of which 50 are spent.
    assert balance(world)["available"] == 50
    assert world.verify()["mismatches"] == []
