"""Gift cards and store credit: spent in parts, never below nothing (SEMANTICS E37)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.world import World, line

Make = Callable[..., World]
NOW = "2026-03-05T12:00:00Z"
CARD = {"key": "card", "kind": "gift_card", "value": {"minor": 3000}, "cost_points": 100}
CREDIT = {"key": "credit", "kind": "store_credit", "value": {"minor": 2000}, "cost_points": 100}


@pytest.fixture
def shop(make_world: Make) -> World:
    """Mina and Jun with 1,000 points each."""
    world = make_world(rewards=[CARD, CREDIT])
    world.set_clock(NOW)
    for ref in ("mina", "jun"):
        world.member(ref)
        world.post(
            "/adjustments", {"member_ref": ref, "points": 1000, "reason": "start"}, status=201
        )
    return world


def sold(world: World, minor: int = 5000, **more: Any) -> str:
    """Sell a gift card; its code."""
    body = {"kind": "gift_card", "minor": minor} | more
    code: str = world.post("/vouchers", body, status=201)["voucher"]["code"]
    return code


def redeemed(world: World, key: str) -> str:
    """Mina redeems a reward; its code."""
    held = world.post("/redemptions", {"member_ref": "mina", "reward": key}, status=201)
    path = f"/redemptions/{held['redemption']['id']}/capture"
    code: str = world.post(path, {})["redemption"]["voucher"]["code"]
    return code


def left(world: World, code: str) -> int:
    """What remains on a card."""
    found: int = world.get(f"/vouchers/{code}")["remaining_minor"]
    return found


def paid(amount: int, code: str | None = None, kind: str = "gift_card") -> dict[str, Any]:
    """A payment by card or credit."""
    return {"kind": kind, "amount_minor": amount} | ({"code": code} if code else {})


def by_card(amount: int) -> dict[str, Any]:
    """A payment by other means."""
    return {"kind": "card", "amount_minor": amount}


def problems(answer: Any) -> list[tuple[str, str]]:
    """What could not be done, and where."""
    return [(one["code"], one["pointer"]) for one in answer["problems"]]


def test_a_card_that_is_sold_shows_what_it_holds(shop: World) -> None:
    body = {"kind": "gift_card", "minor": 5000, "member_ref": "mina", "order_ref": "S-1"}
    body["expires_at"] = "2027-03-05T12:00:00Z"
    voucher = shop.post("/vouchers", body, status=201)["voucher"]
    assert voucher == shop.get(f"/vouchers/{voucher['code']}")
    assert (voucher["origin"], voucher["state"], voucher["kind"]) == ("sold", "active", "gift_card")
    assert (voucher["value_minor"], voucher["remaining_minor"]) == (5000, 5000)
    assert (voucher["member_ref"], voucher["order_ref"]) == ("mina", "S-1")
    assert voucher["uses_left"] is None
    assert voucher["expires_at"] == "2027-03-05T12:00:00Z"


def test_what_cannot_be_sold_is_refused(shop: World) -> None:
    for body, pointer in (
        ({"kind": "store_credit", "minor": 5}, "/member_ref"),
        ({"kind": "gift_card", "minor": 0}, "/minor"),
        ({"kind": "custom", "minor": 5}, "/kind"),
        ({"kind": "gift_card", "minor": 5, "expires_at": NOW}, "/expires_at"),
    ):
        told = shop.post("/vouchers", body, status=422)
        assert [one["pointer"] for one in told["errors"]] == [pointer]
    body = {"kind": "gift_card", "minor": 5, "member_ref": "nobody"}
    shop.post("/vouchers", body, status=404)


def test_a_card_is_spent_in_parts_at_the_redeem_address(shop: World) -> None:
    code = sold(shop)
    path = f"/vouchers/{code}/redeem"
    told = shop.post(path, {"order_ref": "A-1"}, status=422)
    assert [one["pointer"] for one in told["errors"]] == ["/order_minor"]
    first = shop.post(path, {"order_ref": "A-1", "order_minor": 2000}, status=201)
    assert (first["use"]["amount_minor"], first["voucher"]["remaining_minor"]) == (2000, 3000)
    again = shop.post(path, {"order_ref": "A-1", "order_minor": 2000})
    assert again["voucher"]["remaining_minor"] == 3000
    # The order grew, and then more than there is.
    assert shop.post(path, {"order_ref": "A-1", "order_minor": 2500})["use"]["amount_minor"] == 2500
    last = shop.post(path, {"order_ref": "A-2", "order_minor": 9000}, status=201)
    assert (last["use"]["amount_minor"], last["voucher"]["state"]) == (2500, "redeemed")
    shop.post(path, {"order_ref": "A-3", "order_minor": 100}, status=404)
    back = shop.post(f"/vouchers/{code}/release", {"order_ref": "A-1"})
    assert (back["voucher"]["remaining_minor"], back["voucher"]["state"]) == (2500, "active")
    assert back["use"]["returned_minor"] == 2500
    shop.post(f"/vouchers/{code}/release", {"order_ref": "A-1"})
    assert left(shop, code) == 2500


def test_payments_by_code_take_what_they_come_to(shop: World) -> None:
    first, second = sold(shop), sold(shop, 1000)
    told = shop.order("A-1", 4000, payments=[paid(2500, first), paid(1000, second), by_card(500)])
    assert told["problems"] == []
    assert (left(shop, first), left(shop, second)) == (2500, 0)
    assert "code" in told["order"]["payments"][0]
    assert first not in str(told["order"])
    # Money paid by gift card earns.
    assert sum(one["points"] for one in told["earned"]) == 40
    # The order shrinks, then grows beyond what there is.
    shop.order("A-1", 4000, payments=[paid(1500, first), by_card(2500)])
    assert (left(shop, first), left(shop, second)) == (3500, 1000)
    told = shop.order("A-1", 9000, payments=[paid(6000, first), by_card(3000)])
    assert problems(told) == [("insufficient_value", "/payments/0/code")]
    assert left(shop, first) == 0
    shop.order("A-1", 9000, payments=[paid(6000, first), by_card(3000)], status="cancelled")
    assert left(shop, first) == 5000


def test_payments_without_a_code_are_of_the_cards_that_codes_name(shop: World) -> None:
    first, second = sold(shop, 1000), sold(shop, 3000)
    payments = [paid(2500), by_card(2500)]
    told = shop.order("A-1", 5000, codes=[first, "SPRING", second], payments=payments)
    assert told["problems"] == []
    assert (left(shop, first), left(shop, second)) == (0, 1500)
    payments = [paid(5000)]
    told = shop.order("A-1", 5000, codes=[first, "SPRING", second], payments=payments)
    assert problems(told) == [("insufficient_value", "/payments")]
    assert (left(shop, first), left(shop, second)) == (0, 0)
    # Gift cards of the storefront's own are none of our business.
    assert shop.order("A-2", 5000, payments=[paid(5000)])["problems"] == []


def test_a_payment_by_a_code_that_is_none_is_a_problem_each_time(shop: World) -> None:
    body = [paid(500, "NONE-0000-00000"), by_card(500)]
    for _ in range(2):
        told = shop.order("A-1", 1000, payments=body)
        assert problems(told) == [("not_found", "/payments/0/code")]
        assert "NONE" not in str(told["order"])


def test_a_partial_refund_goes_back_by_proportion(shop: World) -> None:
    code = sold(shop)
    # 100.00 = 30.00 by gift card + 70.00 by card.
    lines = [line("1", 4000), line("2", 6000)]
    shop.order("A-1", *lines, payments=[paid(3000, code), by_card(7000)])
    assert left(shop, code) == 2000
    refund: dict[str, Any] = {"refunded_at": "2026-03-02T00:00:00Z"}
    refund["lines"] = [{"line_ref": "1", "quantity": 1}]
    for _ in range(2):
        shop.put("/orders/A-1/refunds/R-1", refund)
        # 40 % of 30.00.
        assert left(shop, code) == 3200
    shop.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert left(shop, code) == 2000
    shop.put("/orders/A-1/refunds/R-1", refund)
    rest = refund | {"lines": [{"line_ref": "2", "quantity": 1}]}
    shop.put("/orders/A-1/refunds/R-2", rest)
    assert left(shop, code) == 5000


def test_a_refund_that_says_how_it_was_paid_back_is_believed(shop: World) -> None:
    code = sold(shop)
    shop.order("A-1", 10000, payments=[paid(3000, code), by_card(7000)])
    refund: dict[str, Any] = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 4000}
    shop.put("/orders/A-1/refunds/R-1", refund | {"payments": [paid(3000), by_card(1000)]})
    assert left(shop, code) == 5000
    shop.put("/orders/A-1/refunds/R-1", refund | {"payments": [by_card(4000)]})
    assert left(shop, code) == 2000
    told = shop.put("/orders/A-1/refunds/R-2?dry_run=true", refund | {"payments": [paid(1000)]})
    assert told["problems"] == [] and left(shop, code) == 2000


def test_what_went_back_and_was_spent_cannot_be_taken_again(shop: World) -> None:
    code = sold(shop, 3000)
    shop.order("A-1", 3000, payments=[paid(3000, code)])
    refund: dict[str, Any] = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 1500}
    shop.put("/orders/A-1/refunds/R-1", refund)
    shop.order("A-2", 1000, payments=[paid(1000, code)])
    assert left(shop, code) == 500
    # Another refund: the order keeps what it had.
    shop.put("/orders/A-1/refunds/R-2", refund | {"amount_minor": 300})
    assert left(shop, code) == 800
    told = shop.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
    # 15.00 are needed again, 8.00 are there.
    assert problems(told) == [("insufficient_value", "/payments")]
    assert left(shop, code) == 0


def test_store_credit_is_its_members_alone(shop: World) -> None:
    code = redeemed(shop, "credit")
    body: dict[str, Any] = {"order_ref": "A-1", "order_minor": 500}
    shop.post(f"/vouchers/{code}/redeem", body, status=404)
    shop.post(f"/vouchers/{code}/redeem", body | {"member_ref": "jun"}, status=404)
    shop.post(f"/vouchers/{code}/redeem", body | {"member_ref": "mina"}, status=201)
    for member_ref in (None, "jun"):
        told = shop.order(
            f"A-{member_ref}",
            500,
            payments=[paid(500, code, "store_credit")],
            member_ref=member_ref,
        )
        assert problems(told) == [("not_found", "/payments/0/code")]
    told = shop.order("A-2", 500, payments=[paid(500, code, "store_credit")])
    assert told["problems"] == [] and left(shop, code) == 1000


def test_a_card_that_mina_redeemed_is_spent_by_whoever_bears_it(shop: World) -> None:
    code = redeemed(shop, "card")
    assert shop.balance() == 900
    told = shop.order("A-1", 2000, payments=[paid(2000, code)], member_ref="jun")
    assert told["problems"] == [] and left(shop, code) == 1000
    told = shop.order("A-2", 2000, payments=[paid(500, code), by_card(1500)], member_ref=None)
    assert told["problems"] == [] and left(shop, code) == 500
    refund = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 2000}
    shop.put("/orders/A-2/refunds/R-1", refund)
    shop.order("A-1", 2000, payments=[paid(2000, code)], member_ref="jun", status="cancelled")
    assert left(shop, code) == 3000


def test_a_card_that_is_only_held_is_captured_by_spending_it(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "card"}
    held = shop.post("/redemptions", body, status=201)["redemption"]
    code = held["voucher"]["code"]
    assert shop.get(f"/vouchers/{code}")["state"] == "frozen"
    told = shop.order("A-1", 2000, payments=[paid(2000, code)], member_ref="jun")
    assert told["problems"] == [] and left(shop, code) == 1000
    assert shop.get(f"/redemptions/{held['id']}")["state"] == "captured"
    assert shop.balance() == 900
    shop.post(f"/redemptions/{held['id']}/reverse", {"reason": "x"}, status=409)


def test_buying_a_card_earns_nothing_and_paying_with_it_does(shop: World) -> None:
    told = shop.order("A-1", line("1", 5000, is_gift_card=True), payments=[by_card(5000)])
    assert told["earned"] == []
    code = sold(shop, order_ref="A-1")
    assert shop.earned("A-2", 5000, payments=[paid(5000, code)]) == 50


def test_what_is_redeemed_by_hand_stays_when_the_order_tells_no_payments(shop: World) -> None:
    code = sold(shop)
    body = {"order_ref": "A-1", "order_minor": 2000}
    shop.post(f"/vouchers/{code}/redeem", body, status=201)
    shop.order("A-1", 2000, codes=[code])
    assert left(shop, code) == 3000
    shop.order("A-1", 2000, codes=[code], payments=[paid(2000)])
    assert left(shop, code) == 3000
    shop.order("A-1", 2000, codes=[code], status="cancelled")
    assert left(shop, code) == 5000


def test_a_card_is_never_overspent_by_many_at_once(shop: World) -> None:
    code = sold(shop, 1000)

    def spend(number: int) -> int:
        if number % 2:
            order = {"order_ref": f"R-{number}", "order_minor": 70}
            answer = shop.call(
                "POST",
                f"/vouchers/{code}/redeem",
                order,
                headers={"Idempotency-Key": f"spend-{number}"},
            )
            assert answer.status_code in (201, 404), answer.get_data(as_text=True)
            return int(answer.json["use"]["amount_minor"]) if answer.status_code == 201 else 0
        member = ("mina", "jun")[number // 2 % 2]
        told = shop.order(f"O-{number}", 70, payments=[paid(70, code)], member_ref=member)
        assert {one["code"] for one in told["problems"]} <= {"insufficient_value", "not_found"}
        return 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, range(24)))
    # 24 × 70 = 1,680: all of it is gone, and nothing more.
    assert left(shop, code) == 0
    for number in range(0, 24, 2):
        member = ("mina", "jun")[number // 2 % 2]
        shop.order(
            f"O-{number}", 70, payments=[paid(70, code)], member_ref=member, status="cancelled"
        )
    back = left(shop, code)
    for number in range(1, 24, 2):
        shop.call(
            "POST",
            f"/vouchers/{code}/release",
            {"order_ref": f"R-{number}"},
            headers={"Idempotency-Key": f"back-{number}"},
        )
    assert back <= 1000 and left(shop, code) == 1000
