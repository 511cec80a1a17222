"""Refunds in snapshots: what is reversed is what was awarded less what the rest deserves."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, per_euro, points, reversed_points, rule

Make = Callable[..., World]
THIRDS = (3333, 3333, 3334)


def _thirds(back: tuple[int, ...]) -> list[dict[str, Any]]:
    return [
        line(str(index), minor, refunded_quantity=1 if index in back else 0)
        for index, minor in enumerate(THIRDS)
    ]


def test_lines_refunded_one_by_one_reverse_34_33_33(world: World) -> None:
    assert world.earned("A-1", *_thirds(())) == 100
    # 66.67 → 66 stay, 33.34 → 33 stay, nothing stays.
    taken = [
        reversed_points(world.order("A-1", *_thirds(tuple(range(count))))) for count in (1, 2, 3)
    ]
    assert taken == [34, 33, 33]
    assert world.balance() == 0


def test_lines_refunded_in_any_order_reverse_what_was_awarded(world: World) -> None:
    for number, turn in enumerate(itertools.permutations(range(3))):
        ref = f"A-{number}"
        world.order(ref, *_thirds(()))
        taken = [reversed_points(world.order(ref, *_thirds(turn[:count]))) for count in (1, 2, 3)]
        assert sum(taken) == 100
    assert world.balance() == 0


@pytest.mark.parametrize("rounding", ["floor", "half_up", "ceil"])
def test_small_refunds_one_cent_at_a_time_end_at_zero(make_world: Make, rounding: str) -> None:
    world = make_world(earning={"rounding": rounding, "rules": [rule("base", per_euro(7))]})
    world.member()
    world.order("A-1", line("1", 23))
    taken = 0
    for back in range(1, 24):
        told = world.order("A-1", line("1", 23, refunded_minor=back))
        taken += reversed_points(told)
        # Seven points for each 1.00 of what is left, by hand.
        hundredths = 7 * (23 - back)
        expected = {
            "floor": hundredths // 100,
            "half_up": (hundredths + 50) // 100,
            "ceil": (hundredths + 99) // 100,
        }[rounding]
        assert points(told) == expected
        assert world.balance() == expected
    assert world.balance() == 0


@pytest.mark.parametrize(
    ("on_refund", "left"), [("keep", 290), ("recheck", 90), ("prorate", 240), (None, 90)]
)
def test_a_fixed_bonus_follows_its_own_rule(
    make_world: Make, on_refund: str | None, left: int
) -> None:
    # B10: 120 by amount + 200 from 100.00 on; 30.00 goes back; prorated 200 × 90 / 120 = 150.
    enough = {"fact": "order.net_minor", "op": ">=", "value": 10000}
    more = {} if on_refund is None else {"on_refund": on_refund}
    bonus = rule("bonus", {"do": "add_points", "points": 200}, when=enough, **more)
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus]})
    world.member()
    assert world.earned("A-1", 12000) == 320
    told = world.order("A-1", line("1", 12000, refunded_minor=3000))
    assert points(told) == left
    assert reversed_points(told) == 320 - left
    gone = world.order("A-1", line("1", 12000, refunded_minor=12000))
    assert points(gone) == 0
    assert reversed_points(gone) == left
    assert world.balance() == 0


def test_a_kept_bonus_is_not_won_by_a_refund(make_world: Make) -> None:
    small = {"fact": "order.net_minor", "op": "<", "value": 10000}
    bonus = rule("bonus", {"do": "add_points", "points": 50}, when=small, on_refund="keep")
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus]})
    world.member()
    assert world.earned("A-1", 12000) == 120
    assert world.earned("A-1", line("1", 12000, refunded_minor=3000)) == 90


def test_amounts_units_and_factors_always_follow_what_is_left(make_world: Make) -> None:
    enough = {"fact": "order.net_minor", "op": ">=", "value": 10000}
    double = {"do": "multiply_points", "factor_bp": 20000}
    rules = [
        rule("base", per_euro(), on_refund="keep"),
        rule("units", {"do": "points_per_unit", "points": 10}, on_refund="keep"),
        rule("double", double, when=enough, on_refund="keep"),
    ]
    world = make_world(earning={"rules": rules})
    world.member()
    assert world.earned("A-1", line("1", 3000, quantity=4)) == 320  # (120 + 40) × 2
    told = world.order("A-1", line("1", 3000, quantity=4, refunded_quantity=1))
    assert points(told) == 120  # 90 + 30, no longer doubled


def test_an_amount_told_for_the_order_is_spread_over_what_is_left(make_world: Make) -> None:
    only_a = {"when": {"fact": "line.sku", "op": "=", "value": "A"}}
    world = make_world(earning={"rules": [rule("base", per_euro() | {"lines": only_a})]})
    world.member()
    lines = (line("1", 6000, sku="A"), line("2", 4000, sku="B"))
    assert world.earned("A-1", *lines) == 60
    # 20.00 over 60.00 and 40.00: 12.00 and 8.00.
    assert world.earned("A-1", *lines, refunded_minor=2000) == 48
    # 40.00 of line B is told by line; the 10.00 more fall on what is left, line A.
    back = (line("1", 6000, sku="A"), line("2", 4000, sku="B", refunded_quantity=1))
    assert world.earned("A-1", *back, refunded_minor=5000) == 50


def test_the_orders_total_includes_what_its_lines_say(world: World) -> None:
    lines = (line("1", 5000, refunded_minor=2000), line("2", 5000))
    told = world.order("A-1", *lines, refunded_minor=2000)
    assert (points(told), told["order"]["refunded_minor"]) == (80, 2000)


def test_a_quantity_refunded_is_worth_its_share_of_the_discounted_line(world: World) -> None:
    # 3 × 10.00 - 5.00 = 25.00; one of three is 8.33 (25.00 / 3 = 8.333…).
    told = world.order("A-1", line("1", 1000, quantity=3, discount_minor=500, refunded_quantity=1))
    assert (points(told), told["order"]["net_minor"]) == (16, 1667)


def test_a_refund_never_takes_more_than_the_order_gave(world: World) -> None:
    world.order("A-0", 50000)
    world.order("A-1", line("1", 1000, discount_minor=400))
    told = world.order("A-1", line("1", 1000, discount_minor=400, refunded_minor=1000))
    assert reversed_points(told) == 6
    assert told["order"]["refunded_minor"] == 600
    assert world.balance() == 500


def test_a_refund_uses_the_program_of_the_first_decision(make_world: Make) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro(2))]})
    world.member()
    first = world.order("A-1", 10000)
    assert points(first) == 200
    world.publish(earning={"rules": [rule("other", per_euro(5))]})
    told = world.order("A-1", line("1", 10000, refunded_minor=2500))
    assert (points(told), reversed_points(told)) == (150, 50)
    assert world.get(f"/decisions/{told['decision_id']}")["version"] == 1
    assert world.earned("A-2", 10000) == 500
    grown = world.order("A-1", 20000)
    assert points(grown) == 400


def test_a_rule_paused_later_still_counts_for_the_order_it_rewarded(make_world: Make) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro())]})
    world.member()
    world.order("A-1", 10000)
    world.publish(earning={"rules": [rule("base", per_euro(), state="paused")]})
    told = world.order("A-1", line("1", 10000, refunded_minor=1000))
    assert (points(told), reversed_points(told)) == (90, 10)
    assert world.earned("A-2", 10000) == 0


def test_a_refund_uses_the_tier_and_the_facts_of_the_first_decision(make_world: Make) -> None:
    vip = {"fact": "member.attributes.vip", "op": "=", "value": True}
    rules = [
        rule("base", per_euro()),
        rule("vip", {"do": "multiply_points", "factor_bp": 20000}, when=vip),
    ]
    levels = [{"key": "gold", "enter_at": 10000, "multiplier_bp": 15000}]
    world = make_world(earning={"rules": rules}, tiers={"levels": levels})
    world.member(attributes={"vip": True})
    assert world.earned("A-1", 10000) == 200  # vip, not yet gold
    world.member(attributes={"vip": False})
    # Now gold and no vip; a new order of 100.00 gets 150, the old one still 2 × what is left.
    assert world.earned("A-2", 10000, placed_at="2026-03-02T10:00:00Z") == 150
    assert world.earned("A-1", line("1", 10000, refunded_minor=5000)) == 100
    # Not gold any more without the refunded half… but the second order was decided as gold.
    assert points(world.get("/orders/A-2")) == 150


def test_a_cancelled_order_gives_everything_back_and_paid_again_everything_returns(
    world: World,
) -> None:
    world.order("A-1", 1999)
    gone = world.order("A-1", 1999, status="cancelled")
    assert (gone["earned"], reversed_points(gone)) == ([], 19)
    assert gone["order"]["net_minor"] == 0
    again = world.order("A-1", 1999)
    assert (points(again), again["reversed"]) == (19, [])
    assert [one["kind"] for one in world.entries()] == ["earn", "claw_back", "restore"]
    assert world.balance() == 19


def test_a_stale_revision_changes_nothing_and_says_so(world: World) -> None:
    world.order("A-1", 2000, revision=5)
    told = world.order("A-1", 1000, revision=4)
    assert told["stale"] is True
    assert points(told) == 20
    assert told["order"]["lines"][0]["unit_price_minor"] == 2000
    assert world.balance() == 20
    # Equal or absent: order of arrival.
    assert world.earned("A-1", 1000, revision=5) == 10
    assert world.earned("A-1", 3000) == 30
    assert world.order("A-1", 1000, revision=4)["stale"] is True


def test_a_kept_bonus_is_judged_by_all_pieces_bought_also_those_for_nothing(
    make_world: Callable[..., World],
) -> None:
    two = {"fact": "order.item_count", "op": ">=", "value": 2}
    bonus = {"do": "add_points", "points": 100}
    world = make_world(earning={"rules": [rule("two", bonus, when=two, on_refund="keep")]})
    world.member()
    free = {"line_ref": "2", "quantity": 1, "unit_price_minor": 0}
    assert world.earned("A-1", line("1", 1000), free) == 100
    # No money moves with the free piece that comes back; two were bought.
    assert world.earned("A-1", line("1", 1000), free | {"refunded_quantity": 1}) == 100
