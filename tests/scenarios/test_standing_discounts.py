"""The discount of an order is of what stands of it: a refund in money is no discount."""

from collections.abc import Callable
from typing import Any

from tests.world import World, line, per_euro, points, reversed_points, rule

Make = Callable[..., World]
FULL_PRICE = {"fact": "order.discount_minor", "op": "=", "value": 0}


def _world(make_world: Make, when: dict[str, Any]) -> World:
    bonus = rule("bonus", {"do": "add_points", "points": 500}, when=when)
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus]})
    world.set_clock("2026-06-01T00:00:00Z")
    world.member("mina")
    return world


def test_a_refund_in_money_is_no_discount(make_world: Make) -> None:
    world = _world(make_world, FULL_PRICE)
    assert world.earned("A-1", 60_000) == 600 + 500
    told = world.order("A-1", 60_000, refunded_minor=1_000)
    assert (points(told), reversed_points(told)) == (590 + 500, 10)
    facts = world.get(f"/decisions/{told['decision_id']}")["facts"]
    assert facts["order.net_minor"] == facts["order.gross_minor"] == 59_000
    assert facts["order.discount_minor"] == 0
    assert world.verify()["mismatches"] == []


def test_a_refund_resource_in_money_is_no_discount(make_world: Make) -> None:
    world = _world(make_world, FULL_PRICE)
    world.order("A-1", 60_000)
    refund = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 1_000}
    told = world.put("/orders/A-1/refunds/R-1", refund)
    assert (points(told), reversed_points(told)) == (590 + 500, 10)
    assert world.verify()["mismatches"] == []


def test_a_discount_goes_with_what_is_refunded(make_world: Make) -> None:
    # 1,000 off the first line of 4,000: half of its net of 3,000 back leaves 500 of it.
    when = {"fact": "order.discount_minor", "op": ">=", "value": 500}
    world = _world(make_world, when)
    lines = line("1", 4_000, discount_minor=1_000), line("2", 6_000)
    assert world.earned("A-1", *lines) == 90 + 500
    half = line("1", 4_000, discount_minor=1_000, refunded_minor=1_500)
    told = world.order("A-1", half, lines[1])
    assert points(told) == 75 + 500
    facts = world.get(f"/decisions/{told['decision_id']}")["facts"]
    named = ("net_minor", "gross_minor", "discount_minor")
    assert [facts[f"order.{name}"] for name in named] == [7_500, 8_000, 500]
    more = line("1", 4_000, discount_minor=1_000, refunded_minor=1_501)
    told = world.order("A-1", more, lines[1])
    # 74.99 and no bonus: of 1,000 off 3,000, 499.67 are on the 1,499 that stand.
    assert (points(told), reversed_points(told)) == (74, 501)
    assert world.verify()["mismatches"] == []
