"""What rewards take off an order: floors, bounds, lines, and how it is shown."""

import random  # noqa: TID251
from fractions import Fraction
from typing import Any

import pytest

from orders import figures
from orders.figures import OrderFigures
from programs.compiled import compile_document
from programs.rewards import Reward
from rewards import discounts, terms
from storefront import facts
from tests.world import document, line

facts.install()
MUGS = {"fact": "line.categories", "op": "contains", "value": "mugs"}


def reward(kind: str, value: dict[str, Any] | None = None, **more: Any) -> Reward:
    item = {"key": "one", "kind": kind, "value": value or {}, "cost_points": 100} | more
    [found] = compile_document(bytes(16), 1, document(rewards=[item])).catalogue.rewards
    return found


def cart(*lines: dict[str, Any] | int, **more: Any) -> OrderFigures:
    items = [
        line(str(number), one) if isinstance(one, int) else one
        for number, one in enumerate(lines, start=1)
    ]
    usual = {"discount_minor": 0, "tax_minor": 0, "refunded_quantity": 0, "is_gift_card": False}
    body = {
        "currency": "EUR",
        "discount_minor": 0,
        "shipping_minor": 0,
        "tax_minor": 0,
        "lines": [usual | one for one in items],
    }
    basis = compile_document(bytes(16), 1, document()).basis
    return figures.figure(body | more, basis, prices_include_tax=True)


def mug(minor: int, **more: Any) -> dict[str, Any]:
    return line("mug", minor, sku="MUG", categories=["mugs"], **more)


def card(minor: int) -> dict[str, Any]:
    return line("card", minor, is_gift_card=True)


FIVE = reward("discount_amount", {"minor": 500})
TENTH = reward("discount_percent", {"percent_bp": 1000})


def test_an_amount_is_never_more_than_the_goods() -> None:
    assert discounts.worth(FIVE, cart(2000)) == 500
    assert discounts.worth(FIVE, cart(300, 199)) == 499
    assert discounts.worth(FIVE, cart(0)) == 0


def test_percentages_floor() -> None:
    # 10 % of 19.99 is 1.999.
    assert discounts.worth(TENTH, cart(1999)) == 199
    assert discounts.worth(TENTH, cart(9)) == 0
    # Of the sum, not of each line: 10 % of 0.09 and 0.09 is 0.018.
    assert discounts.worth(TENTH, cart(9, 9)) == 1


def test_a_percentage_is_of_what_is_left_after_discounts() -> None:
    assert discounts.worth(TENTH, cart(line("1", 5000, discount_minor=1000))) == 400
    assert discounts.worth(TENTH, cart(5000, discount_minor=2500)) == 250


def test_a_maximum_bounds_a_percentage() -> None:
    bounded = reward("discount_percent", {"percent_bp": 5000}, max_discount_minor=700)
    assert discounts.worth(bounded, cart(1399)) == 699
    assert discounts.worth(bounded, cart(1400)) == 700
    assert discounts.worth(bounded, cart(100_000)) == 700


def test_only_the_lines_it_applies_to_are_discounted() -> None:
    mugs = reward("discount_percent", {"percent_bp": 1000}, applies_to=MUGS)
    assert discounts.worth(mugs, cart(mug(1200), 5000)) == 120
    assert discounts.worth(mugs, cart(5000)) == 0
    five = reward("discount_amount", {"minor": 500}, applies_to={"when": MUGS})
    assert discounts.worth(five, cart(mug(420), 5000)) == 420


def test_gift_cards_are_never_discounted() -> None:
    assert discounts.worth(TENTH, cart(1000, card(5000))) == 100
    assert discounts.worth(FIVE, cart(card(5000))) == 0
    everything = reward("discount_percent", {"percent_bp": 10_000})
    assert discounts.worth(everything, cart(1000, card(5000))) == 1000


def test_shipping_is_free_once_a_line_is_there_that_it_applies_to() -> None:
    assert discounts.worth(reward("free_shipping"), cart(1000, shipping_minor=300)) == 300
    of_mugs = reward("free_shipping", applies_to=MUGS)
    assert discounts.worth(of_mugs, cart(1000, shipping_minor=300)) == 0
    assert discounts.worth(of_mugs, cart(mug(1000), shipping_minor=300)) == 300
    # What was refunded of it is not free.
    refunded = cart(1000, shipping_minor=300, shipping_refunded_minor=100)
    assert discounts.worth(reward("free_shipping"), refunded) == 200


def test_a_free_product_is_worth_one_piece_that_is_in_the_order() -> None:
    gift = reward("free_product", {"sku": "MUG"})
    assert discounts.worth(gift, cart(5000)) == 0
    assert discounts.worth(gift, cart(mug(1200, quantity=3))) == 1200
    cheaper = line("other", 900, sku="MUG")
    assert discounts.worth(gift, cart(mug(1200), cheaper)) == 900


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("gift_card", {"minor": 500}),
        ("store_credit", {"minor": 500}),
        ("access", {"perk": "early"}),
        ("custom", {}),
    ],
)
def test_what_is_no_discount_takes_nothing_off(kind: str, value: dict[str, Any]) -> None:
    assert discounts.worth(reward(kind, value), cart(1000)) == 0


def test_points_pay_no_gift_cards_where_those_are_excluded() -> None:
    def paid(**more: Any) -> terms.Terms:
        return terms.Terms("pay_with_points", None, "points", 3000, minor=3000, **more)

    assert discounts.worth(paid(), cart(1000, card(5000))) == 3000
    assert discounts.worth(paid(exclude_gift_cards=True), cart(1000, card(5000))) == 1000


def test_frozen_terms_are_worth_what_the_reward_was() -> None:
    order = cart(mug(1999), 5000, shipping_minor=300)
    for one in (
        FIVE,
        TENTH,
        reward("discount_percent", {"percent_bp": 2500}, applies_to=MUGS, max_discount_minor=400),
        reward("free_shipping", applies_to={"when": MUGS}),
        reward("free_product", {"sku": "MUG"}),
    ):
        frozen = terms.parse(terms.of_reward(one, 100).text)
        assert discounts.worth(frozen, order) == discounts.worth(one, order)
        assert discounts.shown(frozen, order) == discounts.shown(one, order)


def test_what_an_order_was_told_with_is_counted_back() -> None:
    # 10 % of 50.00 came off: the order tells 45.00, and 10 % of that is not what it was.
    told = cart(5000, discount_minor=500)
    assert discounts.worth(TENTH, told) == 450
    assert discounts.told_off(TENTH, told) == 500
    # Never more than the discounts that were told.
    assert discounts.told_off(TENTH, cart(5000, discount_minor=300)) == 300
    assert discounts.told_off(FIVE, cart(line("1", 2000, discount_minor=500))) == 500
    # A whole order for nothing.
    whole = reward("discount_percent", {"percent_bp": 10_000})
    assert discounts.told_off(whole, cart(5000, discount_minor=5000)) == 5000
    # None was told: it is still to come off.
    assert discounts.told_off(TENTH, cart(5000)) == 500
    points = terms.Terms("pay_with_points", None, "points", 3000, minor=3000)
    assert discounts.told_off(points, cart(5000)) == 3000
    assert discounts.told_off(points, cart(5000, discount_minor=5000)) == 3000


def test_discounts_are_shown_by_kind() -> None:
    bounded = reward("discount_percent", {"percent_bp": 1000}, max_discount_minor=700)
    access = reward("access", {"perk": "early", "valid_for": "P30D"})
    order = cart(2000, shipping_minor=300)
    for one, without, with_cart in (
        (FIVE, {"minor": 500}, {"minor": 500}),
        (TENTH, {"percent_bp": 1000}, {"percent_bp": 1000, "minor": 200}),
        (
            bounded,
            {"percent_bp": 1000, "max_minor": 700},
            {"percent_bp": 1000, "max_minor": 700, "minor": 200},
        ),
        (reward("free_shipping"), {}, {"minor": 300}),
        (reward("free_product", {"sku": "MUG"}), {"sku": "MUG"}, {"sku": "MUG"}),
        (reward("gift_card", {"minor": 900}), {"minor": 900}, {"minor": 900}),
        (reward("store_credit", {"minor": 900}), {"minor": 900}, {"minor": 900}),
        (
            access,
            {"perk": "early", "valid_for": "P30D", "until": None},
            {"perk": "early", "valid_for": "P30D", "until": None},
        ),
        (reward("custom"), {}, {}),
    ):
        assert discounts.shown(one) == {"kind": one.kind} | without
        assert discounts.shown(one, order) == {"kind": one.kind} | with_cart
    assert discounts.shown(access, until=0)["until"] == "1970-01-01T00:00:00Z"
    assert discounts.shown(FIVE, cart(120)) == {"kind": "discount_amount", "minor": 120}


def test_any_percentage_of_any_cart_is_the_floor_of_the_exact_share() -> None:
    draw = random.Random(4)
    for _ in range(300):
        share = draw.randint(1, 10_000)
        prices = [draw.randint(0, 9999) for _ in range(draw.randint(1, 5))]
        most = draw.choice([None, draw.randint(1, 5000)])
        one = reward("discount_percent", {"percent_bp": share}, max_discount_minor=most)
        exact = Fraction(share, 10_000) * sum(prices)
        expected = exact.numerator // exact.denominator
        found = discounts.worth(one, cart(*prices))
        assert found == (expected if most is None else min(expected, most))
        assert 0 <= found <= sum(prices)
