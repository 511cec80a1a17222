"""On which money points are earned: each setting of the basis, with the sums done by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, order, per_euro, points, rule

KRW = {"currency": "KRW"}
Make = Callable[..., World]


def _world(make_world: Make, currency: str = "EUR", **basis: Any) -> World:
    world = make_world(
        currency=currency, earning={"basis": basis, "rules": [rule("base", per_euro())]}
    )
    world.member()
    return world


@pytest.mark.parametrize(
    ("tax", "expected"), [("as_displayed", 199), ("include", 199), ("exclude", 180)]
)
@pytest.mark.parametrize("where", ["line", "order"])
def test_tax_inside_the_price(make_world: Make, tax: str, expected: int, where: str) -> None:
    world = _world(make_world, "KRW", tax=tax)
    # 19,900 - 1,809 = 18,091 → 180.
    if where == "line":
        told = world.order("A-1", line("1", 19900, tax_minor=1809), **KRW)
    else:
        told = world.order("A-1", 19900, tax_minor=1809, **KRW)
    assert points(told) == expected


@pytest.mark.parametrize(
    ("tax", "expected"), [("as_displayed", 180), ("include", 199), ("exclude", 180)]
)
def test_tax_on_top_of_the_price(make_world: Make, tax: str, expected: int) -> None:
    world = _world(make_world, "KRW", tax=tax)
    told = world.order("A-1", line("1", 18091, tax_minor=1809), prices_include_tax=False, **KRW)
    assert points(told) == expected


def test_tax_told_by_line_and_by_order_is_counted_once(make_world: Make) -> None:
    world = _world(make_world, tax="exclude")
    # The order's tax is all its tax: 119.00 - 19.00 = 100.00.
    told = world.order("A-1", line("1", 11900, tax_minor=1900), tax_minor=1900)
    assert points(told) == 100


def test_without_tax_a_refund_takes_the_share_of_the_tax_with_it(make_world: Make) -> None:
    world = _world(make_world, tax="exclude")
    world.order("A-1", line("1", 11900, quantity=2, tax_minor=3800))
    told = world.order("A-1", line("1", 11900, quantity=2, tax_minor=3800, refunded_quantity=1))
    # 119.00 is left, with 19.00 of the tax.
    assert points(told) == 100


def test_the_tax_of_the_shipping_is_not_taken_from_the_goods(make_world: Make) -> None:
    world = _world(make_world, tax="exclude")
    lines = (line("1", 11900, tax_minor=1900),)
    # 19.00 on the goods and 0.95 of 5.95 on the shipping.
    assert world.earned("A-1", *lines, shipping_minor=595, tax_minor=1995) == 100


@pytest.mark.parametrize(("shipping", "expected"), [(False, 20), (True, 23)])
def test_shipping_earns_only_when_told_so(make_world: Make, shipping: bool, expected: int) -> None:
    world = _world(make_world, shipping=shipping)
    assert world.earned("A-1", 2000, shipping_minor=300) == expected


def test_refunded_shipping_no_longer_earns(make_world: Make) -> None:
    world = _world(make_world, shipping=True)
    assert world.earned("A-1", 2000, shipping_minor=300) == 23
    assert world.earned("A-1", 2000, shipping_minor=300, shipping_refunded_minor=200) == 21


@pytest.mark.parametrize(("earns", "expected"), [(False, 20), (True, 70)])
def test_gift_card_lines_earn_only_when_told_so(
    make_world: Make, earns: bool, expected: int
) -> None:
    world = _world(make_world, gift_card_lines=earns)
    told = world.order("A-1", 2000, line("g", 5000, is_gift_card=True))
    assert points(told) == expected
    assert told["order"]["net_minor"] == 7000
    assert told["order"]["spend_minor"] == expected * 100


@pytest.mark.parametrize(
    ("basis", "kind", "expected"),
    [
        ({}, "points", 70),
        ({"paid_with_points": True}, "points", 100),
        ({}, "gift_card", 100),
        ({"paid_with_gift_card": False}, "gift_card", 70),
        ({}, "store_credit", 100),
        ({}, "other", 100),
    ],
)
def test_what_was_paid_with_points_or_gift_cards(
    make_world: Make, basis: dict[str, Any], kind: str, expected: int
) -> None:
    world = _world(make_world, **basis)
    payments = [
        {"kind": "card", "amount_minor": 7000},
        {"kind": kind, "amount_minor": 3000},
    ]
    assert world.earned("A-1", 4000, 6000, payments=payments) == expected


def test_a_mixed_tender_earns_on_the_card_and_a_refund_keeps_the_mix(make_world: Make) -> None:
    # B15: 100.00 = 70.00 card + 3,000 points at 0.01; the 40.00 line goes back.
    world = _world(make_world)
    payments = [
        {"kind": "card", "amount_minor": 7000},
        {"kind": "points", "amount_minor": 3000},
    ]
    assert world.earned("A-1", 4000, 6000, payments=payments) == 70
    back = world.order(
        "A-1", line("1", 4000, refunded_quantity=1), line("2", 6000), payments=payments
    )
    # Points paid 12.00 of the 40.00 and 18.00 of the 60.00: 60 - 18 = 42 stay, 28 go.
    assert points(back) == 42
    assert back["reversed"][0]["points"] == 28


def test_paying_wholly_with_points_earns_nothing(make_world: Make) -> None:
    world = _world(make_world)
    payments = [{"kind": "points", "amount_minor": 2300}]
    told = world.order("A-1", 2000, shipping_minor=300, payments=payments)
    assert (points(told), told["order"]["spend_minor"]) == (0, 0)


@pytest.mark.parametrize(("after", "expected"), [(True, 70), (False, 100)])
def test_discounts_count_or_do_not(make_world: Make, after: bool, expected: int) -> None:
    world = _world(make_world, after_discounts=after)
    # 100.00 - 10.00 on the line - 20.00 on the order.
    told = world.order("A-1", line("1", 10000, discount_minor=1000), discount_minor=2000)
    assert points(told) == expected
    assert told["order"]["net_minor"] == 7000


def test_before_discounts_a_refund_takes_the_same_share(make_world: Make) -> None:
    world = _world(make_world, after_discounts=False)
    told = world.order("A-1", line("1", 5000, quantity=2, refunded_quantity=1), discount_minor=3000)
    # Net 70.00, of which 35.00 is left: half of the 100.00 before discounts.
    assert points(told) == 50


def test_a_line_given_away_keeps_its_price_before_discounts(make_world: Make) -> None:
    world = _world(make_world, after_discounts=False)
    assert world.earned("A-1", line("1", 2500, quantity=2, discount_minor=5000)) == 50
    assert _world(make_world).earned("A-1", line("1", 2500, quantity=2, discount_minor=5000)) == 0


def test_an_order_discount_is_spread_over_all_lines_once(make_world: Make) -> None:
    # A2: 10 % of 125.50 = 12.55 off → A 36.00, B 54.00, C 22.95; A counts twice, B not at all.
    is_a = {"when": {"fact": "line.sku", "op": "=", "value": "A"}}
    not_b = {"when": {"fact": "line.sku", "op": "!=", "value": "B"}}
    world = make_world(
        earning={
            "rules": [
                rule("base", per_euro() | {"lines": not_b}),
                rule("twice", {"do": "multiply_points", "factor_bp": 20000, "lines": is_a}),
            ]
        }
    )
    world.member()
    lines = (line("1", 4000, sku="A"), line("2", 6000, sku="B"), line("3", 2550, sku="C"))
    told = world.order("A-1", *lines, discount_minor=1255)
    # 72 + 22.95 = 94.95 → 94: A 72, C 22.
    [award] = told["earned"]
    assert award["points"] == 94
    assert {one["line_ref"]: one["points"] for one in award["lines"]} == {"1": 72, "3": 22}
    assert points(world.quote(*lines, discount_minor=1255)) == 94


def test_the_discount_is_spread_in_whole_cents_by_largest_remainder(make_world: Make) -> None:
    world = _world(make_world)
    # 1.00 over three lines of 10.00: 0.34 + 0.33 + 0.33, the odd cent to the first line.
    told = world.order("A-1", 1000, 1000, 1000, discount_minor=100)
    decision = world.get(f"/decisions/{told['decision_id']}")
    assert [one["net_minor"] for one in decision["lines"]] == [966, 967, 967]


def test_a_discount_is_spread_before_any_refund(make_world: Make) -> None:
    world = _world(make_world)
    # 50.00 + 50.00 - 10.00: each line is worth 45.00; sending one back leaves 45.00, not 40.00.
    told = world.order(
        "A-1", line("1", 5000, refunded_quantity=1), line("2", 5000), discount_minor=1000
    )
    assert (points(told), told["order"]["net_minor"]) == (45, 4500)
    assert told["order"]["refunded_minor"] == 4500


def test_a_discount_beyond_the_goods_is_refused(make_world: Make) -> None:
    world = _world(make_world)
    answer = world.call("PUT", "/orders/A-1", order(1000, discount_minor=1001))
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/discount_minor"


def test_quotes_agree_with_awards_under_every_basis(make_world: Make) -> None:
    lines = (
        line("1", 3333, quantity=3, discount_minor=499, tax_minor=1500),
        line("2", 4711, tax_minor=752),
        line("g", 2500, is_gift_card=True),
    )
    more: dict[str, Any] = {
        "discount_minor": 777,
        "shipping_minor": 490,
        "tax_minor": 2330,
        "payments": [
            {"kind": "points", "amount_minor": 1234},
            {"kind": "gift_card", "amount_minor": 2000},
        ],
    }
    settings: list[dict[str, Any]] = [
        {},
        {"tax": "exclude"},
        {"tax": "include"},
        {"after_discounts": False},
        {"shipping": True, "tax": "exclude"},
        {"gift_card_lines": True},
        {"paid_with_points": True},
        {"paid_with_gift_card": False},
        {"after_discounts": False, "shipping": True, "gift_card_lines": True},
    ]
    for number, basis in enumerate(settings):
        world = _world(make_world, **basis)
        quoted = points(world.quote(*lines, **more))
        assert quoted == world.earned(f"A-{number}", *lines, **more) > 0
