"""Stamps given and taken at the same moment: each completion is claimed once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound, at_once, entries, put, statuses
from tests.world import World, order, rule

Make = Callable[..., World]
STAMP = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})


def _world(make: Make, **more: Any) -> World:
    bonus = {"do": "add_points", "points": 500}
    card = {"key": "coffee", "stamps": 10, "effects": [bonus]} | more
    world = make(cards=[card], earning={"rules": [STAMP]})
    world.member("mina")
    for number in range(9):
        world.order(f"A-{number}", 1000)
    return world


def _card(world: World) -> tuple[int, int]:
    [card] = world.get("/members/mina/cards")["data"]
    return card["completed_count"], card["stamps"]


@pytest.mark.parametrize(("repeats", "left"), [(False, (1, 10)), (True, (2, 5))])
def test_16_orders_that_would_each_be_the_tenth_complete_it_once(
    make_world: Make, repeats: bool, left: tuple[int, int]
) -> None:
    world = _world(make_world, repeats=repeats)
    works = [put(world, f"/orders/B-{number}", order(1000)) for number in range(16)]
    assert statuses(at_once(works)) == {201: 16}
    # 9 + 16 = 25 stamps: two cards and five more, when it repeats.
    assert _card(world) == left
    assert world.balance() == left[0] * 500
    assert [one["kind"] for one in entries(world, "mina")] == ["earn"] * left[0]
    assert_sound(world)


def test_the_tenth_order_told_16_times_at_once_completes_it_once(make_world: Make) -> None:
    world = _world(make_world)
    at_once([put(world, "/orders/B-1", order(1000))] * 16)
    assert _card(world) == (1, 0)
    assert world.balance() == 500
    assert_sound(world)


def test_orders_paid_and_cancelled_at_once_end_as_what_stands(make_world: Make) -> None:
    world = _world(make_world)
    works = []
    for number in range(8):
        last = "paid" if number < 3 else "cancelled"
        for revision, status in ((1, "paid"), (2, last)):
            body = order(1000, status=status, revision=revision)
            works.append(put(world, f"/orders/B-{number}", body))
    at_once(works)
    # 9 + 3 = 12 stamps stand.
    assert _card(world) == (1, 2)
    assert world.balance() == 500
    assert_sound(world)
