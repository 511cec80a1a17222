"""Figures of orders: net, what is left, and what of it earns. No database."""

import random  # noqa: TID251
from fractions import Fraction
from typing import Any

import pytest

from core.errors import Problem
from orders import figures
from orders.figures import OrderFigures
from orders.schemas import OrderSchema
from programs.compiled import Basis
from tests.world import line, order

DEFAULT = Basis(
    after_discounts=True,
    tax="as_displayed",
    shipping=False,
    gift_card_lines=False,
    paid_with_points=False,
    paid_with_gift_card=True,
)
SCHEMA = OrderSchema()


def _basis(**changes: Any) -> Basis:
    names = (
        "after_discounts",
        "tax",
        "shipping",
        "gift_card_lines",
        "paid_with_points",
        "paid_with_gift_card",
    )
    return Basis(**({name: getattr(DEFAULT, name) for name in names} | changes))


def _load(*lines: dict[str, Any] | int, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = SCHEMA.load(order(*lines, **more))
    return body


def _figure(
    *lines: dict[str, Any] | int, basis: Basis = DEFAULT, include_tax: bool = True, **more: Any
) -> OrderFigures:
    body = _load(*lines, **more)
    figures.check(body, currency="EUR")
    return figures.figure(body, basis, prices_include_tax=include_tax)


def _earning(figured: OrderFigures) -> list[int]:
    return [one.earning_minor for one in figured.lines]


def test_net_is_price_times_quantity_less_discounts() -> None:
    figured = _figure(line("1", 1200, quantity=3, discount_minor=100), 500)
    assert [one.net_minor for one in figured.lines] == [3500, 500]
    assert (figured.net_minor, figured.whole_net_minor, figured.gross_minor) == (4000, 4000, 4100)
    assert figured.item_count == 4


def test_an_order_discount_is_spread_by_what_lines_are_worth_net() -> None:
    # Net 30.00 and 10.00; 4.00 off: 3.00 and 1.00.
    figured = _figure(line("1", 4000, discount_minor=1000), 1000, discount_minor=400)
    assert [one.net_minor for one in figured.lines] == [2700, 900]


def test_odd_cents_of_a_discount_go_to_the_largest_remainder() -> None:
    # 1.00 over 1.00, 2.00, 4.00: 14.28…, 28.57…, 57.14… cents: the cent over goes to the second.
    figured = _figure(100, 200, 400, discount_minor=100)
    assert [one.net_minor for one in figured.lines] == [86, 171, 343]


def test_a_discount_equal_to_the_goods_leaves_nothing_but_is_no_refund() -> None:
    figured = _figure(700, 300, discount_minor=1000)
    assert (figured.net_minor, figured.spend_minor) == (0, 0)
    assert figured.is_wholly_refunded is False


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"discount_minor": 1001}, "/discount_minor"),
        ({"refunded_minor": 1001}, "/refunded_minor"),
        ({"shipping_minor": 5, "shipping_refunded_minor": 6}, "/shipping_refunded_minor"),
    ],
)
def test_amounts_that_contradict_each_other_are_refused(more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Problem) as caught:
        _figure(1000, **more)
    assert caught.value.status == 422
    assert [one.pointer for one in caught.value.errors] == [pointer]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"discount_minor": 2001}, "discount_minor"),
        ({"refunded_quantity": 3}, "refunded_quantity"),
        ({"fulfilled_quantity": 3}, "fulfilled_quantity"),
        ({"refunded_minor": 2001}, "refunded_minor"),
    ],
)
def test_lines_that_contradict_themselves_are_refused(more: dict[str, Any], name: str) -> None:
    with pytest.raises(Problem) as caught:
        _figure(line("1", 1000, quantity=2, **more))
    assert [one.pointer for one in caught.value.errors] == [f"/lines/0/{name}"]


def test_a_line_reference_occurs_once() -> None:
    with pytest.raises(Problem) as caught:
        _figure(line("1", 1000), line("1", 2000))
    assert [one.pointer for one in caught.value.errors] == ["/lines/1/line_ref"]


def test_another_currency_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        figures.check(_load(1000), currency="KRW")
    assert caught.value.code == "currency_mismatch"


def test_a_refund_by_quantity_is_a_share_of_the_net() -> None:
    figured = _figure(line("1", 1000, quantity=3, discount_minor=500, refunded_quantity=2))
    # 25.00 × 2 / 3 = 16.666… → 16.67.
    assert (figured.lines[0].left_minor, figured.lines[0].left_quantity) == (833, 1)
    assert figured.refunded_minor == 1667


def test_a_refund_by_amount_outweighs_the_quantity() -> None:
    figured = _figure(line("1", 1000, quantity=2, refunded_quantity=1, refunded_minor=300))
    assert (figured.lines[0].left_minor, figured.lines[0].left_quantity) == (1700, 1)


def test_an_orders_refund_is_spread_over_what_is_left_by_value() -> None:
    # 10.00 back on the first of 30.00, 20.00; 14.00 in all: 4.00 more over 20.00 and 20.00.
    figured = _figure(line("1", 3000, refunded_minor=1000), 2000, refunded_minor=1400)
    assert [one.left_minor for one in figured.lines] == [1800, 1800]


def test_a_whole_refund_is_whole_however_it_is_told() -> None:
    by_lines = _figure(line("1", 700, refunded_quantity=1), line("2", 300, refunded_minor=300))
    by_order = _figure(700, 300, refunded_minor=1000)
    free = _figure(line("1", 500, discount_minor=500, refunded_quantity=1))
    for figured in (by_lines, by_order, free):
        assert figured.is_wholly_refunded
        assert (figured.net_minor, figured.item_count) == (0, 0)


def test_points_payments_are_spread_over_the_goods() -> None:
    payments = [{"kind": "points", "amount_minor": 3000}, {"kind": "card", "amount_minor": 7000}]
    assert _earning(_figure(4000, 6000, payments=payments)) == [2800, 4200]
    whole = _figure(4000, 6000, payments=payments, basis=_basis(paid_with_points=True))
    assert _earning(whole) == [4000, 6000]


def test_a_points_payment_beyond_the_goods_earns_nothing_and_no_less() -> None:
    payments = [{"kind": "points", "amount_minor": 1500}]
    assert _figure(1000, shipping_minor=500, payments=payments).spend_minor == 0


@pytest.mark.parametrize(
    ("tax", "include", "expected"),
    [
        ("as_displayed", True, 11900),
        ("include", True, 11900),
        ("exclude", True, 10000),
        ("as_displayed", False, 11900),
        ("include", False, 13800),
        ("exclude", False, 11900),
    ],
)
def test_tax_is_added_or_taken_as_the_basis_says(tax: str, include: bool, expected: int) -> None:
    figured = _figure(line("1", 11900, tax_minor=1900), basis=_basis(tax=tax), include_tax=include)
    assert _earning(figured) == [expected]


def test_an_order_may_say_itself_whether_its_prices_include_tax() -> None:
    figured = _figure(
        line("1", 10000, tax_minor=1900), basis=_basis(tax="include"), prices_include_tax=False
    )
    assert _earning(figured) == [11900]


def test_tax_told_for_the_order_is_spread_over_goods_and_shipping() -> None:
    # 19.00 over 90.00 and 10.00 of shipping: 17.10 and 1.90.
    figured = _figure(
        9000, shipping_minor=1000, tax_minor=1900, basis=_basis(tax="exclude", shipping=True)
    )
    assert (_earning(figured), figured.shipping_earning_minor) == ([7290], 810)


def test_facts_are_of_what_stands_and_on_demand_of_the_whole() -> None:
    body = _load(
        line("1", 1000, quantity=2, sku="A", categories=["x", "y"], refunded_quantity=2),
        line("2", 500, sku="B", categories=["y"]),
    )
    figured = figures.figure(body, DEFAULT, prices_include_tax=True)
    left = figures.order_facts(body, figured, is_whole=False)
    whole = figures.order_facts(body, figured, is_whole=True)
    names = ("net_minor", "gross_minor", "item_count", "line_count", "skus", "categories")
    assert [left[f"order.{name}"] for name in names] == [500, 500, 1, 1, ["B"], ["y"]]
    assert [whole[f"order.{name}"] for name in names] == [2500, 2500, 3, 2, ["A", "B"], ["x", "y"]]


def _worth(*lines: dict[str, Any] | int, **more: Any) -> list[int]:
    """Net, gross and discount of what stands."""
    body = _load(*lines, **more)
    figured = figures.figure(body, DEFAULT, prices_include_tax=True)
    facts = figures.order_facts(body, figured, is_whole=False)
    return [facts[f"order.{name}"] for name in ("net_minor", "gross_minor", "discount_minor")]


def test_discounts_on_what_stands_are_in_proportion_to_it() -> None:
    # A refund in money of what had no discount is none.
    assert _worth(60000, refunded_minor=1000) == [59000, 59000, 0]
    assert _worth(line("1", 1000, quantity=3, refunded_minor=700)) == [2300, 2300, 0]
    # 10.00 off 40.00: of net 30.00 are left 10.00, with a third of it; 3.33 and not 3.34.
    one = line("1", 4000, discount_minor=1000)
    assert _worth(one) == [3000, 4000, 1000]
    assert _worth(one | {"refunded_minor": 2000}) == [1000, 1333, 333]
    assert _worth(one | {"refunded_minor": 3000}) == [0, 0, 0]
    # Each line by itself: 4.00 off the order is 3.00 and 1.00; of the first 9.00 of 27.00 stand.
    two = line("1", 3000, refunded_minor=1800), 1000
    assert _worth(*two, discount_minor=400) == [1800, 2000, 200]
    # Pieces back: one of two at 10.00, with 1.00 off each.
    pieces = line("1", 1000, quantity=2, discount_minor=200, refunded_quantity=1)
    assert _worth(pieces) == [900, 1000, 100]


def test_what_cost_nothing_stands_by_its_pieces() -> None:
    free = line("1", 1000, quantity=2, discount_minor=2000)
    assert _worth(free, 500) == [500, 2500, 2000]
    assert _worth(free | {"refunded_quantity": 1}, 500) == [500, 1500, 1000]
    assert _worth(free | {"refunded_quantity": 2}, 500) == [500, 500, 0]


def test_random_orders_share_discounts_payments_and_refunds_exactly() -> None:
    dice = random.Random(20260301)
    for _ in range(300):
        prices = [dice.randint(0, 9999) for _ in range(dice.randint(1, 6))]
        quantities = [dice.randint(1, 4) for _ in prices]
        goods = sum(p * q for p, q in zip(prices, quantities, strict=True))
        discount, paid = dice.randint(0, goods), dice.randint(0, goods)
        back = dice.randint(0, goods - discount)
        lines = [
            line(str(i), p, quantity=q)
            for i, (p, q) in enumerate(zip(prices, quantities, strict=True))
        ]
        payments = [{"kind": "points", "amount_minor": paid}]
        told: dict[str, Any] = {"discount_minor": discount, "payments": payments}
        whole = _figure(*lines, **told)
        assert whole.net_minor == goods - discount
        assert whole.spend_minor == max(0, goods - discount - paid)
        for one, p, q in zip(whole.lines, prices, quantities, strict=True):
            share = Fraction(discount * p * q, goods) if goods else Fraction(0)
            assert abs(p * q - one.net_minor - share) < 1
        left = _figure(*lines, refunded_minor=back, **told)
        assert left.net_minor == goods - discount - back
        # Each line's payment is shared in whole cents: at most half a cent a line off the ratio.
        assert all(0 <= a <= b for a, b in zip(_earning(left), _earning(whole), strict=True))
