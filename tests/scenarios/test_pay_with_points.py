"""Paying with points: the slider in quotes, holds within it, and what refunds give back (SEMANTICS
E35, B15)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound
from tests.scenarios.ledgers import give
from tests.scenarios.redeeming import Till
from tests.world import World, line, points, reversed_points

Make = Callable[..., World]
PAY = {"min_points": 500, "step_points": 100, "max_order_bp": 5000}
TEN = "2026-03-01T10:00:00Z"
GIFT = {"is_gift_card": True}


class Shop(Till):
    """Mina has 2,345 points; from 500 on, in hundreds, they pay at most half of an order."""

    def __init__(self, make_world: Make, *, balance: int = 2345, **pay: Any) -> None:
        super().__init__(make_world(pay_with_points=PAY | pay))
        self.world.set_clock(TEN)
        self.world.member()
        if balance:
            give(self.world, balance, None)

    def refund(self, ref: str, **told: Any) -> Any:
        """Tell a refund of order B-1."""
        return self.world.put(f"/orders/B-1/refunds/{ref}", {"refunded_at": TEN} | told)


@pytest.fixture
def shop(make_world: Make) -> Shop:
    """A shop."""
    return Shop(make_world)


def test_the_slider_of_a_quote(shop: Shop) -> None:
    slider = shop.world.quote(4000)["pay_with_points"]
    assert slider == {
        "min": 500,
        "max": 2000,
        "step": 100,
        "value_minor": 2000,
        "value": {"points": 1, "minor": 1},
        "points_key": "points",
    }
    quoted = shop.world.quote(1000, line("g", 3000, **GIFT))
    assert (quoted["pay_with_points"]["min"], quoted["pay_with_points"]["max"]) == (500, 500)
    assert "pay_with_points_unavailable" not in quoted


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        # 9.99 without the gift card: 4.99 at most.
        ((999, line("g", 3001, **GIFT)), "condition_not_met"),
        ((line("g", 4000, **GIFT),), "condition_not_met"),
    ],
)
def test_a_cart_that_is_too_small_says_so(shop: Shop, lines: tuple[Any, ...], code: str) -> None:
    quoted = shop.world.quote(*lines)
    assert quoted["pay_with_points"] is None
    [reason] = quoted["pay_with_points_unavailable"]
    assert reason["code"] == code and set(reason["detail"]) == {"en", "ko"}
    assert "500 points are the fewest" in reason["detail"]["en"]


def test_too_few_points_say_what_is_missing(make_world: Make) -> None:
    quoted = Shop(make_world, balance=480).world.quote(4000)
    [reason] = quoted["pay_with_points_unavailable"]
    assert quoted["pay_with_points"] is None
    assert (reason["code"], reason["missing_points"]) == ("insufficient_points", 20)
    assert reason["detail"] == {
        "en": "500 points are the fewest that can be used; there are 480.",
        "ko": "최소 500포인트부터 사용할 수 있습니다. 현재 잔액은 480포인트입니다.",
    }


def test_a_guest_and_a_program_without_it_have_no_slider(shop: Shop, make_world: Make) -> None:
    guest = shop.world.quote(4000, member_ref=None)
    assert guest["pay_with_points"] is None
    assert guest["pay_with_points_unavailable"] == [
        {
            "code": "condition_not_met",
            "detail": {
                "en": "Only members pay with points.",
                "ko": "회원만 포인트로 결제할 수 있습니다.",
            },
        }
    ]
    plain = make_world()
    plain.member()
    quoted = plain.quote(4000)
    assert (quoted["pay_with_points"], "pay_with_points_unavailable" in quoted) == (None, False)


def test_the_balance_is_that_before_the_cart_earns(make_world: Make) -> None:
    # 480 points; the cart of 1,000.00 would bring another 1,000.
    quoted = Shop(make_world, balance=480).world.quote(100000)
    assert quoted["earned"][0]["points"] == 1000
    assert quoted["pay_with_points"] is None


def cart(*lines: Any) -> dict[str, Any]:
    items = [
        line(str(number), one) if isinstance(one, int) else one for number, one in enumerate(lines)
    ]
    return {"currency": "EUR", "lines": items}


@pytest.mark.parametrize(("wanted", "is_taken"), [(500, True), (2000, True), (2100, False)])
def test_a_hold_is_within_the_slider_of_its_cart(shop: Shop, wanted: int, is_taken: bool) -> None:
    response = shop.ask("/redemptions", shop.body(wanted, cart=cart(4000)))
    assert (response.status_code == 201) is is_taken
    if not is_taken:
        [error] = response.json["errors"]
        assert error["pointer"] == "/pay_with_points/points"
        assert "from 500 to 2000" in error["detail"]


@pytest.mark.parametrize("wanted", [1, 400, 550])
def test_without_a_cart_the_least_and_the_step_hold(shop: Shop, wanted: int) -> None:
    assert shop.refused(wanted)["code"] == "validation_failed"


def test_more_than_there_is_says_how_many_there_are(shop: Shop) -> None:
    refused = shop.refused(2400)
    assert (refused["status"], refused["code"], refused["available"]) == (
        409,
        "insufficient_points",
        2345,
    )


def buy(shop: Shop, held: str, *, as_payment: bool, **more: Any) -> Any:
    """An order of 40.00 and 60.00, 30.00 of it paid with 3,000 points: as a payment of kind points,
    or as a discount of the order."""
    if as_payment:
        payments = [
            {"kind": "card", "amount_minor": 7000},
            {"kind": "points", "amount_minor": 3000, "redemption_id": held},
        ]
        told: dict[str, Any] = {"payments": payments}
    else:
        told = {"discount_minor": 3000}
    named = {"redemptions": [held]} | told
    return shop.world.order("B-1", line("1", 4000), line("2", 6000), **named, **more)


@pytest.mark.parametrize("as_payment", [True, False])
def test_points_go_back_by_proportion(make_world: Make, as_payment: bool) -> None:
    shop = Shop(make_world, balance=5000)
    held = shop.hold(3000)["id"]
    paid = buy(shop, held, as_payment=as_payment)
    # 70.00 earn, however it is told.
    assert (points(paid), paid["balances"][0]["available"]) == (70, 2070)
    assert paid["redemptions"] == [
        {
            "id": held,
            "state": "captured",
            "points": 3000,
            "points_returned": 0,
            "discount_minor": 3000,
        }
    ]
    first = {"lines": [{"line_ref": "1", "quantity": 1}]}
    seen = shop.refund("R-1?dry_run=true", **first)
    told = shop.refund("R-1", **first)
    # 40 % of 3,000, and 28 of the 70.
    for answer in (seen, told):
        assert (answer["points_returned"], reversed_points(answer)) == (1200, 28)
        assert [one["state"] for one in answer["redemptions"]] == ["captured"]
    rest = shop.refund("R-2", lines=[{"line_ref": "2", "quantity": 1}])
    assert (rest["points_returned"], reversed_points(rest)) == (1800, 42)
    assert [one["state"] for one in rest["redemptions"]] == ["reversed"]
    assert shop.world.balance() == 5000
    # Withdrawn, both are spent again.
    for ref, line_ref in (("R-2", "2"), ("R-1", "1")):
        shop.refund(ref, lines=[{"line_ref": line_ref, "quantity": 1}], status="withdrawn")
    assert (shop.world.balance(), shop.state(held)) == (2070, "captured")
    assert_sound(shop.world)


@pytest.mark.parametrize("as_payment", [True, False])
def test_cancelled_with_a_part_refunded_and_paid_again(make_world: Make, as_payment: bool) -> None:
    shop = Shop(make_world, balance=5000)
    held = shop.hold(3000)["id"]
    buy(shop, held, as_payment=as_payment)
    shop.refund("R-1", lines=[{"line_ref": "1", "quantity": 1}])
    for _ in range(2):
        buy(shop, held, as_payment=as_payment, status="cancelled")
        assert (shop.world.balance(), shop.state(held)) == (5000, "reversed")
        # The refund stands: 1,800 are spent, and 42 earned.
        buy(shop, held, as_payment=as_payment)
        assert (shop.world.balance(), shop.state(held)) == (3242, "captured")
        assert_sound(shop.world)


def test_paid_again_with_too_few_points_takes_none(make_world: Make) -> None:
    shop = Shop(make_world, balance=3000)
    held = shop.hold(3000)["id"]
    buy(shop, held, as_payment=True)
    buy(shop, held, as_payment=True, status="cancelled")
    give(shop.world, -100, None)
    again = buy(shop, held, as_payment=True)
    # 2,900, and the 70 that the order earns again.
    assert [(one["code"], one["pointer"]) for one in again["problems"]] == [
        ("insufficient_points", "/redemptions/0")
    ]
    assert (shop.world.balance(), shop.state(held)) == (2970, "reversed")
    assert_sound(shop.world)


def test_told_with_its_refund_at_once(make_world: Make) -> None:
    shop = Shop(make_world, balance=5000)
    held = shop.hold(3000)["id"]
    path = "/orders/B-1/refunds/R-1"
    body = {"refunded_at": TEN, "lines": [{"line_ref": "1", "quantity": 1}]}
    shop.world.put(path, body, status=202)
    told = buy(shop, held, as_payment=False)
    # It took 30.00 off the order, whatever went back of that.
    assert told["redemptions"][0]["discount_minor"] == 3000
    assert shop.world.balance() == 2000 + 1200 + 42
    assert shop.world.put(path, body)["points_returned"] == 1200
    assert_sound(shop.world)


def test_a_pending_order_keeps_them_and_refunds_nothing(make_world: Make) -> None:
    shop = Shop(make_world, balance=5000)
    held = shop.hold(3000)["id"]
    waiting = buy(shop, held, as_payment=True, status="pending")
    assert [one["state"] for one in waiting["redemptions"]] == ["held"]
    assert waiting["redemptions"][0]["discount_minor"] is None
    shop.world.post("/test-clock", {"now": "2026-03-04T10:00:00Z"})
    assert (shop.world.balance(), shop.state(held)) == (2000, "held")
    assert points(buy(shop, held, as_payment=True)) == 70
    assert (shop.world.balance(), shop.state(held)) == (2070, "captured")
    assert_sound(shop.world)


def test_a_reward_beside_it_stays_until_nothing_stands(make_world: Make) -> None:
    shop = Shop(make_world, balance=5000)
    shop.world.publish(
        pay_with_points=PAY,
        rewards=[
            {"key": "five", "kind": "discount_amount", "value": {"minor": 500}, "cost_points": 100}
        ],
    )
    paid, five = shop.hold(3000)["id"], shop.hold("five")["id"]
    more = {"discount_minor": 3500, "redemptions": [paid, five]}
    shop.world.order("B-1", line("1", 4000), line("2", 6000), **more)
    # 65.00 earn: 5,000 − 3,100 + 65.
    assert shop.world.balance() == 1965
    # 26.00 of 65.00 is line 1: 40 % of the 3,000, nothing of the 100.
    told = shop.refund("R-1", lines=[{"line_ref": "1", "quantity": 1}])
    assert (told["points_returned"], shop.state(five)) == (1200, "captured")
    rest = shop.refund("R-2", lines=[{"line_ref": "2", "quantity": 1}])
    assert (rest["points_returned"], shop.state(five)) == (1900, "reversed")
    assert shop.world.balance() == 5000
    assert_sound(shop.world)
