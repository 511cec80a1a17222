"""Limits when what claims them moves in time: it is judged by what is left where it moves to."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.activities import sound
from tests.world import World, order, per_euro, points, rule

Make = Callable[..., World]
PER = ("member", "program")


def _visits(make_world: Make, per: str, *, most: int = 100) -> World:
    """Visits of 100, bounded a day; reviews of 70, once and for all."""
    visit = {
        "key": "visit",
        "trigger": "activity:visit",
        "effect": {"do": "add_points", "points": 100},
        "limits": [{"per": per, "period": "day", "points": most}],
    }
    world = make_world(earning={"rules": [visit]})
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    return world


def _visit(world: World, ref: str, day: int, **more: Any) -> Any:
    at = f"2026-03-0{day}T10:00:00Z"
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": at}
    return world.put(f"/activities/{ref}", body | more)


def _daily(make_world: Make, per: str) -> World:
    limits = [{"per": per, "period": "day", "points": 500}]
    world = make_world(earning={"rules": [rule("base", per_euro(), limits=limits)]})
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    return world


def _buy(world: World, ref: str, day: int, minor: int = 50_000) -> Any:
    return world.order(ref, minor, placed_at=f"2026-03-0{day}T10:00:00Z")


@pytest.mark.parametrize("per", PER)
def test_an_order_moved_into_a_day_that_is_used_up_brings_nothing(
    make_world: Make, per: str
) -> None:
    world = _daily(make_world, per)
    assert points(_buy(world, "A", 5)) == 500
    assert points(_buy(world, "B", 2)) == 500
    assert points(_buy(world, "A", 2)) == 0
    assert world.balance() == 500
    sound(world)
    # Its own day is free again.
    assert points(_buy(world, "C", 5, 60_000)) == 500
    assert world.balance() == 1_000
    sound(world)


@pytest.mark.parametrize("per", PER)
def test_an_order_moved_takes_what_is_left_there_and_moves_back(make_world: Make, per: str) -> None:
    world = _daily(make_world, per)
    _buy(world, "B", 2, 30_000)
    assert points(_buy(world, "A", 5)) == 500
    assert points(_buy(world, "A", 2)) == 200
    assert points(_buy(world, "A", 5)) == 500
    assert points(_buy(world, "B", 5, 30_000)) == 0
    assert points(_buy(world, "B", 3, 30_000)) == 300
    assert world.balance() == 800
    sound(world)


@pytest.mark.parametrize("per", PER)
def test_a_move_within_the_period_keeps_what_the_order_was_judged_by(
    make_world: Make, per: str
) -> None:
    world = _daily(make_world, per)
    _buy(world, "B", 2, 30_000)
    assert points(_buy(world, "A", 2)) == 200
    world.order("B", 30_000, placed_at="2026-03-02T10:00:00Z", status="cancelled")
    # What B gave back is for whoever comes next: not for A, an hour later on the same day.
    moved = world.put("/orders/A", order(50_000, placed_at="2026-03-02T11:00:00Z"))
    assert points(moved) == 200
    assert points(_buy(world, "C", 2)) == 300
    sound(world)


@pytest.mark.parametrize("per", PER)
def test_times_are_counted_where_an_order_moves_to(make_world: Make, per: str) -> None:
    month = {"per": per, "period": "month", "points": 800}
    once = {"per": per, "period": "day", "times": 1}
    world = make_world(earning={"rules": [rule("base", per_euro(), limits=[once, month])]})
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    assert points(_buy(world, "A", 5)) == 500
    assert points(_buy(world, "B", 2)) == 300
    assert points(_buy(world, "A", 2)) == 0
    # A gave its 500 back to the month, and B is judged anew where it moves to.
    assert points(_buy(world, "B", 3)) == 500
    assert points(_buy(world, "A", 4)) == 300
    assert world.balance() == 800
    sound(world)


@pytest.mark.parametrize("per", PER)
def test_an_activity_moved_into_a_day_that_is_used_up_brings_nothing(
    make_world: Make, per: str
) -> None:
    world = _visits(make_world, per)
    assert points(_visit(world, "a", 1)) == 100
    assert points(_visit(world, "b", 2)) == 100
    assert points(_visit(world, "a", 2)) == 0
    assert world.balance() == 100
    assert points(_visit(world, "c", 1)) == 100
    assert points(_visit(world, "a", 3)) == 100
    assert world.balance() == 300
    sound(world)


def test_an_erased_members_activity_done_again_takes_nothing_of_what_all_share(
    make_world: Make,
) -> None:
    world = _visits(make_world, "program")
    world.member("jun")
    told = _visit(world, "a", 2, status="withdrawn")
    assert told["earned"] == []
    assert world.call("DELETE", "/members/mina").status_code == 200
    again = _visit(world, "a", 2)
    assert again["earned"] == []
    assert points(_visit(world, "b", 2, member_ref="jun")) == 100
    sound(world)


def test_an_order_told_again_answers_as_it_was_first_answered(make_world: Make) -> None:
    base = rule(
        "base",
        {"do": "points_per_unit", "points": 7},
        limits=[{"per": "member", "period": "day", "points": 10}],
    )
    double = rule(
        "double",
        {"do": "multiply_points", "factor_bp": 20_000},
        limits=[{"per": "member", "period": "week", "points": 5}],
    )
    world = make_world(earning={"rules": [base, double]})
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    # 7 and 5 of 7 more; then 3 are left of the day, and nothing of the week.
    for ref, shares in (("A", [("base", 7), ("double", 5)]), ("B", [("base", 3)]), ("C", [])):
        told = _buy(world, ref, 5, 1_000)
        found = [(one["rule"], one["points"]) for one in _breakdown(told)]
        assert found == shares
        assert _buy(world, ref, 5, 1_000)["earned"] == told["earned"]
    sound(world)


def _breakdown(told: Any) -> list[Any]:
    return [share for award in told["earned"] for share in award["breakdown"]]
