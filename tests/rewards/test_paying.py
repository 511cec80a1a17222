"""Paying with points: the bounds of the slider (SEMANTICS E35), worked out by hand."""

from typing import Any

import pytest

from core.errors import Problem
from orders import figures
from orders.figures import OrderFigures
from programs.compiled import Basis
from programs.rewards import PayWithPoints
from rewards import paying

BASIS = Basis(
    after_discounts=True,
    tax="as_displayed",
    shipping=False,
    gift_card_lines=False,
    paid_with_points=False,
    paid_with_gift_card=True,
)


def pay(**changes: Any) -> PayWithPoints:
    """The program of E35: from 500 in steps of 100, half of the order, a point is 0.01."""
    values: dict[str, Any] = {
        "points_key": "points",
        "min_points": 500,
        "step_points": 100,
        "max_order_bp": 5000,
        "points": 1,
        "minor": 1,
        "exclude_gift_cards": True,
        "is_live": True,
    }
    return PayWithPoints(**(values | changes))


def cart(*lines: int, gift: int = 0, **more: Any) -> OrderFigures:
    """A cart of lines of one piece each, with a gift card."""
    told = [
        {
            "line_ref": str(number),
            "quantity": 1,
            "unit_price_minor": minor,
            "discount_minor": 0,
            "tax_minor": 0,
            "refunded_quantity": 0,
            "is_gift_card": number == 0,
        }
        for number, minor in enumerate((gift, *lines))
        if minor
    ]
    body = {"lines": told, "discount_minor": 0, "shipping_minor": 0, "tax_minor": 0} | more
    return figures.figure(body, BASIS, prices_include_tax=True)


def seen(bounds: paying.Bounds) -> tuple[int, int, int, int, str | None]:
    """The bounds and the code of the reason."""
    code = None if bounds.reason is None else bounds.reason.code
    return bounds.min, bounds.max, bounds.step, bounds.value_minor, code


@pytest.mark.parametrize(
    ("changes", "available", "order", "expected"),
    [
        # Half of 40.00 is 20.00; of the 10.00 that are no gift card, 5.00.
        ({}, 2345, cart(4000), (500, 2000, 100, 2000, None)),
        ({}, 2345, cart(1000, gift=3000), (500, 500, 100, 500, None)),
        ({"exclude_gift_cards": False}, 2345, cart(1000, gift=3000), (500, 2000, 100, 2000, None)),
        # 9.99 without the gift card: 4.99 is below the least.
        ({}, 2345, cart(999, gift=3001), (500, 400, 100, 400, "condition_not_met")),
        ({}, 2345, cart(gift=4000), (500, 0, 100, 0, "condition_not_met")),
        # The balance is less than half of the order; 1,999 are 19 steps.
        ({}, 1999, cart(100000), (500, 1900, 100, 1900, None)),
        ({}, 499, cart(4000), (500, 400, 100, 400, "insufficient_points")),
        ({}, -1, cart(4000), (500, 0, 100, 0, "negative_balance")),
        ({}, 2345, None, (500, 2300, 100, 2300, None)),
        ({"is_live": False}, 2345, cart(4000), (500, 2000, 100, 2000, "paused")),
        # 510 is no multiple of 200: 600 is the first one. Half of 25.01 is 12.50: 1,200.
        ({"min_points": 510, "step_points": 200}, 9000, cart(2501), (600, 1200, 200, 1200, None)),
        # 100 points pay 0.33: 6,100 pay 20.13, over 20.00; 6,000 pay 19.80.
        ({"points": 100, "minor": 33}, 9000, cart(4000), (500, 6000, 100, 1980, None)),
        # 3 points pay 0.01, in whole cents: 32 still pay 0.10 of 0.10, one alone pays nothing.
        (
            {"points": 3, "min_points": 1, "step_points": 1, "max_order_bp": 10000},
            50,
            cart(10),
            (3, 32, 1, 10, None),
        ),
        # A point pays 7.00: one is more than half of 13.00, and just half of 14.00.
        (
            {"minor": 700, "min_points": 1, "step_points": 1},
            9,
            cart(1300),
            (1, 0, 1, 0, "condition_not_met"),
        ),
        ({"minor": 700, "min_points": 1, "step_points": 1}, 9, cart(1400), (1, 1, 1, 700, None)),
        # What pays nothing is no payment.
        ({"minor": 0}, 9000, cart(4000), (500, 0, 100, 0, "condition_not_met")),
        ({"max_order_bp": 0}, 9000, cart(4000), (500, 0, 100, 0, "condition_not_met")),
    ],
)
def test_bounds(
    changes: dict[str, Any],
    available: int,
    order: OrderFigures | None,
    expected: tuple[int, int, int, int, str | None],
) -> None:
    assert seen(paying.bounds(pay(**changes), available=available, order=order)) == expected


def test_what_was_refunded_cannot_be_paid() -> None:
    order = cart(4000, refunded_minor=2000)
    assert seen(paying.bounds(pay(), available=2345, order=order))[1] == 1000


def test_the_reason_says_what_is_missing_and_hides_the_slider() -> None:
    bounds = paying.bounds(pay(), available=-20)
    assert bounds.shown(pay()) is None
    assert bounds.reason is not None
    assert bounds.reason.shown()["missing_points"] == 520
    shown = paying.bounds(pay(), available=700).shown(pay())
    assert shown == {
        "min": 500,
        "max": 700,
        "step": 100,
        "value_minor": 700,
        "value": {"points": 1, "minor": 1},
        "points_key": "points",
    }


@pytest.mark.parametrize("points", [500, 600, 2000])
def test_a_number_within_the_bounds(points: int) -> None:
    paying.check(pay(), points, order=cart(4000))


@pytest.mark.parametrize(
    ("points", "order", "words"),
    [
        (400, cart(4000), "must be a multiple of 100, at least 500"),
        (550, cart(4000), "must be a multiple of 100, at least 500"),
        (0, None, "must be a multiple of 100, at least 500"),
        (-500, None, "must be a multiple of 100, at least 500"),
        (2100, cart(4000), "must be a multiple of 100, from 500 to 2000"),
        (500, cart(999), "must be a multiple of 100, of which this order takes none"),
    ],
)
def test_a_number_out_of_them(points: int, order: OrderFigures | None, words: str) -> None:
    with pytest.raises(Problem) as raised:
        paying.check(pay(), points, order=order)
    assert (raised.value.status, raised.value.code) == (422, "validation_failed")
    [error] = raised.value.errors
    assert (error.pointer, error.detail) == ("/pay_with_points/points", words)


def test_a_paused_program_takes_no_points() -> None:
    with pytest.raises(Problem) as raised:
        paying.check(pay(is_live=False), 500)
    assert (raised.value.status, raised.value.extra["state"]) == (409, "paused")
