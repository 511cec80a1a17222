"""What an order earns: one rounding, kinds of points, units, entries, and quotes that agree."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, order, per_euro, points, rule

SILVER = {"levels": [{"key": "silver", "enter_at": 1, "multiplier_bp": 12500}]}


def _times(factor_bp: int) -> dict[str, Any]:
    return {"do": "multiply_points", "factor_bp": factor_bp}


@pytest.mark.parametrize(("rounding", "expected"), [("floor", 37), ("half_up", 37), ("ceil", 38)])
def test_points_are_rounded_once_at_the_end(
    make_world: Callable[..., World], rounding: str, expected: int
) -> None:
    world = make_world(
        earning={
            "rounding": rounding,
            "rules": [rule("base", per_euro()), rule("campaign", _times(15000))],
        },
        tiers=SILVER,
    )
    world.member()
    # The first order only makes Mina silver: 0.01 × 1.5 = 0.015 points.
    world.order("A-0", 1, placed_at="2026-02-01T10:00:00Z")
    quote = world.quote(1999)
    told = world.order("A-1", 1999)
    # 19.99 × 1.5 × 1.25 = 37.48125; rounding at each step: 19 → 28 → 35.
    assert points(told) == points(quote) == expected
    [award] = told["earned"]
    assert sum(share["points"] for share in award["breakdown"]) == expected
    assert {share["rule"] for share in award["breakdown"]} == {"base", "campaign", "tier"}


@pytest.mark.parametrize(("rounding", "expected"), [("floor", 0), ("half_up", 1), ("ceil", 1)])
def test_exactly_half_a_point_rounds_as_the_program_says(
    make_world: Callable[..., World], rounding: str, expected: int
) -> None:
    world = make_world(earning={"rounding": rounding, "rules": [rule("base", per_euro())]})
    world.member()
    assert world.earned("A-1", 50) == expected


@pytest.mark.parametrize(("rounding", "expected"), [("floor", 0), ("half_up", 0), ("ceil", 1)])
def test_just_less_than_half_a_point_rounds_as_the_program_says(
    make_world: Callable[..., World], rounding: str, expected: int
) -> None:
    world = make_world(earning={"rounding": rounding, "rules": [rule("base", per_euro())]})
    world.member()
    assert world.earned("A-1", 49) == expected


def test_won_have_no_minor_units(make_world: Callable[..., World]) -> None:
    world = make_world(currency="KRW")
    world.member()
    assert world.earned("A-1", 19900, currency="KRW") == 199
    assert world.earned("A-2", 19999, currency="KRW") == 199


def test_thirds_are_exact_until_the_end(make_world: Callable[..., World]) -> None:
    by_three = {"do": "points_per_amount", "points": 1, "per_minor": 300}
    by_seven = {"do": "points_per_amount", "points": 1, "per_minor": 700}
    world = make_world(earning={"rules": [rule("three", by_three), rule("seven", by_seven)]})
    world.member()
    # 3 lines of 7.00: 21.00 / 3 + 21.00 / 7 = 7 + 3; by line (2.33 + 1) × 3 it is 10 as well.
    told = world.order("A-1", 700, 700, 700)
    assert points(told) == 10
    [award] = told["earned"]
    assert [share["points"] for share in award["lines"]] == [4, 3, 3]
    assert sum(share["points"] for share in award["breakdown"]) == 10


def test_units_earn_by_quantity_and_line(make_world: Callable[..., World]) -> None:
    mugs = {"when": {"fact": "line.categories", "op": "contains", "value": "mugs"}}
    world = make_world(
        earning={
            "rules": [rule("mugs", {"do": "points_per_unit", "points": 100, "lines": mugs})],
        }
    )
    world.member()
    mug = line("1", 1200, quantity=3, categories=["mugs"])
    assert world.earned("A-1", mug, line("2", 900, quantity=5)) == 300
    assert world.earned("A-2", line("1", 900, quantity=5)) == 0


def test_units_handed_back_no_longer_earn(make_world: Callable[..., World]) -> None:
    world = make_world(earning={"rules": [rule("unit", {"do": "points_per_unit", "points": 10})]})
    world.member()
    assert world.earned("A-1", line("1", 1200, quantity=3)) == 30
    assert world.earned("A-1", line("1", 1200, quantity=3, refunded_quantity=1)) == 20
    assert world.balance() == 20


def test_a_unit_rule_gives_nothing_for_bought_gift_cards(
    make_world: Callable[..., World],
) -> None:
    # Gift cards do not earn when bought: otherwise they earn twice (A2, E37).
    world = make_world(earning={"rules": [rule("unit", {"do": "points_per_unit", "points": 10})]})
    world.member()
    assert world.earned("A-1", line("1", 5000, is_gift_card=True), line("2", 100)) == 10


def test_kinds_of_points_are_earned_and_kept_apart(make_world: Callable[..., World]) -> None:
    stars = {"do": "points_per_amount", "points": 1, "per_minor": 1000, "points_key": "stars"}
    double_stars = _times(20000) | {"points_key": "stars"}
    world = make_world(
        points=[{"key": "points"}, {"key": "stars"}],
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("stars", stars),
                rule("more", double_stars),
            ]
        },
        tiers=SILVER,
    )
    world.member()
    world.order("A-0", 1, placed_at="2026-02-01T10:00:00Z")
    told = world.order("A-1", 4790)
    # Points 47.90 × 1.25 = 59.875 → 59; stars 4.79 × 2 × 1.25 = 11.975 → 11.
    assert points(told) == 59
    assert points(told, "stars") == 11
    assert (world.balance(), world.balance(points_key="stars")) == (59, 11)
    world.order("A-1", 4790, status="cancelled")
    assert (world.balance(), world.balance(points_key="stars")) == (0, 0)
    assert not world.verify()["mismatches"]


def test_an_entry_is_effective_when_paid_and_recorded_by_the_clock(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.set_clock("2026-03-09T00:00:00Z")
    world.member()
    world.order("A-1", 1000, paid_at="2026-03-02T09:30:00+09:00")
    world.order("A-2", 2000)
    world.set_clock("2026-03-10T00:00:00Z")
    world.order("A-2", 2000, status="cancelled", cancelled_at="2026-03-09T12:00:00Z")
    first, second, third = world.entries()
    assert first["effective_at"] == "2026-03-02T00:30:00Z"
    assert second["effective_at"] == "2026-03-01T10:00:00Z"
    assert third["effective_at"] == "2026-03-09T12:00:00Z"
    recorded = [one["recorded_at"] for one in (first, second, third)]
    assert recorded == ["2026-03-09T00:00:00Z"] * 2 + ["2026-03-10T00:00:00Z"]
    assert [one["seq"] for one in (first, second, third)] == [1, 2, 3]
    assert [one["kind"] for one in (first, second, third)] == ["earn", "earn", "claw_back"]
    assert [one["available_after"] for one in (first, second, third)] == [10, 30, 10]
    assert [(one["from"], one["to"]) for one in (first, third)] == [
        ("issued", "available"),
        ("available", "clawed_back"),
    ]


def test_a_reversal_without_an_instant_is_effective_by_the_clock(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.set_clock("2026-03-09T00:00:00Z")
    world.member()
    world.order("A-1", 1000)
    world.order("A-1", line("1", 1000, refunded_minor=400))
    assert world.entries()[1]["effective_at"] == "2026-03-09T00:00:00Z"
    assert world.entries()[1]["points"] == 4


@pytest.mark.parametrize("name", ["placed_at", "paid_at", "fulfilled_at", "cancelled_at"])
def test_an_instant_far_ahead_is_refused_and_a_little_ahead_is_the_clock(
    make_world: Callable[..., World], name: str
) -> None:
    world = make_world()
    world.set_clock("2026-03-09T00:00:00Z")
    world.member()
    late = world.call("PUT", "/orders/A-1", order(1000, **{name: "2026-03-09T00:05:01Z"}))
    assert late.status_code == 422
    assert [one["pointer"] for one in late.json["errors"]] == [f"/{name}"]
    told = world.order("A-1", 1000, **{name: "2026-03-09T00:05:00Z"})
    assert points(told) == 10
    # Taken as the clock; not paid or placed ahead of time, the order was placed on 1 March.
    expected = {"paid_at": "2026-03-09T00:00:00Z", "placed_at": "2026-03-09T00:00:00Z"}
    assert world.entries()[0]["effective_at"] == expected.get(name, "2026-03-01T10:00:00Z")


def test_only_paid_and_fulfilled_orders_earn(world: World) -> None:
    expected = {"pending": 0, "paid": 10, "fulfilled": 10, "cancelled": 0}
    for status, earned in expected.items():
        assert world.earned(f"A-{status}", 1000, status=status) == earned
    assert world.balance() == 20


def test_a_pending_order_earns_once_it_is_paid(world: World) -> None:
    pending = world.order("A-1", 1000, status="pending")
    assert pending["earned"] == []
    assert world.earned("A-1", 1000, status="paid") == 10
    assert world.earned("A-1", 1000, status="fulfilled") == 10
    assert [one["points"] for one in world.entries()] == [10]


def test_an_order_that_grows_earns_more_and_one_that_shrinks_less(world: World) -> None:
    assert world.earned("A-1", 1050) == 10
    assert world.earned("A-1", 1050, 1050) == 21
    shrunk = world.order("A-1", 1050)
    assert points(shrunk) == 10
    assert shrunk["reversed"][0]["points"] == 11
    assert world.balance() == 10
    assert [one["points"] for one in world.entries()] == [10, 11, 11]


def test_an_order_that_grows_beyond_a_reversal_first_gets_back_what_was_taken(
    world: World,
) -> None:
    world.order("A-1", 1000)
    world.order("A-1", 400)
    world.order("A-1", 1500)
    in_turn = sorted(world.entries(), key=lambda one: int(one["seq"]))
    kinds = [(one["kind"], one["points"]) for one in in_turn]
    assert kinds == [("earn", 10), ("claw_back", 6), ("restore", 6), ("earn", 5)]
    assert world.balance() == 15


def test_entries_of_one_request_are_listed_in_the_order_of_their_numbers(world: World) -> None:
    # Each second telling restores 6 and earns more: two entries of one request.
    for number in range(8):
        world.order(f"A-{number}", 1000)
        world.order(f"A-{number}", 400)
        world.order(f"A-{number}", 1500)
    assert [one["seq"] for one in world.entries()] == list(range(1, 33))


def test_telling_the_same_again_answers_the_same_and_writes_nothing(world: World) -> None:
    first = world.order("A-1", 1999)
    again = world.order("A-1", 1999)
    assert again["earned"] == first["earned"]
    assert again["reversed"] == []
    assert again["balances"] == first["balances"]
    assert len(world.entries()) == 1
    assert world.get("/orders/A-1")["earned"] == first["earned"]


def test_lifetime_earned_is_less_what_was_reversed(world: World) -> None:
    world.order("A-1", 1000)
    world.order("A-1", line("1", 1000, refunded_minor=300))
    [balance] = world.get("/members/mina/balances")["data"]
    assert (balance["lifetime_earned"], balance["available"], balance["version"]) == (7, 7, 2)


def test_the_ledger_verifies_after_a_busy_week(world: World) -> None:
    for number in range(1, 6):
        world.order(f"A-{number}", number * 777)
        world.order(f"A-{number}", number * 777, status="cancelled" if number % 2 else "fulfilled")
    # 2 × 7.77 → 15 and 4 × 7.77 = 31.08 → 31.
    assert world.balance() == 46
    assert not world.verify()["mismatches"]
