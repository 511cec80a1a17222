"""What was redeemed by hand follows its order: back when that falls, and again with it (B14)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios.test_gift_cards import by_card, left, paid, problems, sold
from tests.world import World, line

Make = Callable[..., World]
NOW = "2026-03-05T12:00:00Z"
TENNER = {"key": "tenner", "kind": "discount_amount", "value": {"minor": 1000}, "cost_points": 100}
TENNER |= {"voucher": {}}
REFUND = {"refunded_at": "2026-03-02T00:00:00Z"}


@pytest.fixture
def shop(make_world: Make) -> Iterator[World]:
    """Mina with 1,000 points."""
    world = make_world(rewards=[TENNER])
    world.set_clock(NOW)
    world.member("mina")
    world.post(
        "/adjustments", {"member_ref": "mina", "points": 1000, "reason": "start"}, status=201
    )
    yield world
    assert world.verify()["mismatches"] == []


def by_hand(world: World, code: str, minor: int = 2000, order_ref: str = "A-1") -> None:
    """Redeem a code for an order at a till."""
    body = {"order_ref": order_ref, "order_minor": minor}
    world.post(f"/vouchers/{code}/redeem", body, status=201)


def coupon(world: World) -> str:
    """A code that takes 10.00 off."""
    body = {"member_ref": "mina", "reward": "tenner"}
    held = world.post("/redemptions", body, status=201)["redemption"]
    world.post(f"/redemptions/{held['id']}/capture", {})
    return str(held["voucher"]["code"])


def codes(answer: Any) -> list[tuple[int | None, int | None, int | None, int | None]]:
    """What an order did with codes: discount, amount, returned, remaining."""
    names = ("discount_minor", "amount_minor", "returned_minor", "remaining_minor")
    found = []
    for one in answer["codes"]:
        discount, amount, returned, remaining = (one[name] for name in names)
        found.append((discount, amount, returned, remaining))
    return found


@pytest.mark.parametrize("told_before", [True, False])
def test_a_card_is_given_back_when_its_order_is_cancelled(shop: World, told_before: bool) -> None:
    code = sold(shop)
    by_hand(shop, code)
    if told_before:
        assert shop.order("A-1", 2000)["codes"] == []
    for _ in range(2):
        shop.order("A-1", 2000, status="cancelled")
        assert left(shop, code) == 5000
    # What is paid after all takes it again, as much as was asked for by hand.
    told = shop.order("A-1", 2000)
    assert codes(told) == [(None, 2000, 0, 3000)] and left(shop, code) == 3000
    shop.post(f"/vouchers/{code}/release", {"order_ref": "A-1"})
    assert left(shop, code) == 5000
    shop.order("A-1", 2000, status="cancelled")
    shop.order("A-1", 2000)
    # A hand has released it: it comes back with no order.
    assert left(shop, code) == 5000


def test_what_was_spent_meanwhile_is_not_there_again(shop: World) -> None:
    code = sold(shop, 3000)
    by_hand(shop, code)
    shop.order("A-1", 2000, status="cancelled")
    by_hand(shop, code, 2500, "A-2")
    told = shop.order("A-1", 2000)
    # 20.00 are needed again, 5.00 are there.
    assert problems(told) == [("insufficient_value", "/payments")]
    assert left(shop, code) == 0


def test_refunds_go_back_by_proportion(shop: World) -> None:
    code = sold(shop)
    by_hand(shop, code, 3000)
    shop.order("A-1", line("1", 4000), line("2", 6000))
    first = REFUND | {"lines": [{"line_ref": "1", "quantity": 1}]}
    preview = shop.put("/orders/A-1/refunds/R-1?dry_run=true", first)
    # 40 % of 30.00.
    assert codes(preview) == [(None, 3000, 1200, 3200)] and left(shop, code) == 2000
    told = shop.put("/orders/A-1/refunds/R-1", first)
    assert codes(told) == [(None, 3000, 1200, 3200)] and left(shop, code) == 3200
    shop.put("/orders/A-1/refunds/R-1", first | {"status": "withdrawn"})
    assert left(shop, code) == 2000
    shop.put("/orders/A-1/refunds/R-1", first)
    second = REFUND | {"lines": [{"line_ref": "2", "quantity": 1}]}
    told = shop.put("/orders/A-1/refunds/R-2", second)
    assert codes(told) == [(None, 3000, 3000, 5000)] and left(shop, code) == 5000


def test_a_refund_told_in_the_order_counts_as_well(shop: World) -> None:
    code = sold(shop)
    by_hand(shop, code, 3000)
    shop.order("A-1", 10000, refunded_minor=5000)
    assert left(shop, code) == 3500
    shop.order("A-1", 10000)
    assert left(shop, code) == 2000
    told = shop.put("/orders/A-1/refunds/R-1", REFUND | {"amount_minor": 4000})
    assert left(shop, code) == 3200 and told["problems"] == []
    body = REFUND | {"amount_minor": 4000, "payments": [by_card(4000)]}
    shop.put("/orders/A-1/refunds/R-1", body)
    assert left(shop, code) == 2000


def test_shipping_that_is_kept_keeps_its_part(shop: World) -> None:
    code = sold(shop, 11000)
    shop.order("A-1", 10000, shipping_minor=1000, payments=[paid(11000, code)])
    assert left(shop, code) == 0
    shop.put("/orders/A-1/refunds/R-1", REFUND | {"amount_minor": 10000})
    assert left(shop, code) == 10000
    shop.put("/orders/A-1/refunds/R-2", REFUND | {"shipping_minor": 1000})
    assert left(shop, code) == 11000


def test_a_discount_is_given_back_and_taken_again(shop: World) -> None:
    code = coupon(shop)
    by_hand(shop, code)
    shop.order("A-1", 2000)
    shop.put("/orders/A-1/refunds/R-1", REFUND | {"amount_minor": 500})
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    told = shop.put("/orders/A-1/refunds/R-2", REFUND | {"amount_minor": 1500})
    assert codes(told) == [(None, None, None, None)]
    assert shop.get(f"/vouchers/{code}")["state"] == "active"
    told = shop.put(
        "/orders/A-1/refunds/R-2", REFUND | {"amount_minor": 1500, "status": "withdrawn"}
    )
    assert codes(told) == [(1000, None, None, None)]
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    shop.order("A-1", 2000, status="cancelled")
    by_hand(shop, code, order_ref="A-2")
    told = shop.order("A-1", 2000)
    assert problems(told) == [("state_conflict", "/codes")]


def test_batches_give_back_as_well(shop: World) -> None:
    code = sold(shop)
    by_hand(shop, code)
    shop.order("A-1", 2000)
    body = {
        "order_ref": "A-1",
        "member_ref": "mina",
        "status": "cancelled",
        "currency": "EUR",
        "placed_at": "2026-03-01T10:00:00Z",
        "lines": [line("1", 2000)],
    }
    told = shop.call("POST", "/orders/batch", {"orders": [body]})
    assert [one["status"] for one in told.json["results"]] == [200], told.json
    assert left(shop, code) == 5000


def test_a_card_among_the_codes_pays_only_what_payments_leave_to_it(shop: World) -> None:
    code = sold(shop)
    told = shop.order("A-1", 2000, codes=[code], payments=[by_card(2000)])
    assert (told["problems"], codes(told)) == ([], [(None, 0, 0, 5000)])
    assert left(shop, code) == 5000
    again = shop.order("A-1", 2000, codes=[code], payments=[by_card(2000)])
    assert again["problems"] == [] and again["codes"] == told["codes"]
    # Nothing is told of payments: it pays what it can, goods and shipping.
    for _ in range(2):
        told = shop.order("A-2", 2000, codes=[code], shipping_minor=300)
        assert (told["problems"], codes(told)) == ([], [(None, 2300, 0, 2700)])
    told = shop.order("A-3", 4000, codes=[code])
    assert codes(told) == [(None, 2700, 0, 0)]
    assert shop.get("/orders/A-3")["codes"] == told["codes"]
    assert shop.order("A-2", 1000, codes=[code])["codes"][0]["remaining_minor"] == 1300
    told = shop.order("A-3", 4000, codes=[code], refunded_minor=2000)
    assert codes(told) == [(None, 2700, 1350, 2650)]
    # It took 27.00 when it was told, and takes no more since more is there.
    shop.order("A-3", 4000, codes=[code], status="cancelled")
    assert left(shop, code) == 4000


def test_what_was_taken_by_hand_and_named_stays_as_it_was_asked_for(shop: World) -> None:
    code = sold(shop)
    by_hand(shop, code, 700)
    told = shop.order("A-1", 2000, codes=[code])
    assert codes(told) == [(None, 700, 0, 4300)]
    told = shop.order("A-1", 2000, codes=[code], payments=[by_card(2000)])
    assert codes(told) == [(None, 700, 0, 4300)]
    told = shop.order("A-1", 2000)
    assert left(shop, code) == 4300
    told = shop.order("A-1", 2000, codes=[code], payments=[paid(2000)])
    assert codes(told) == [(None, 2000, 0, 3000)]
    # Now the order has it, and names it no longer.
    shop.order("A-1", 2000)
    assert left(shop, code) == 5000


def test_a_card_of_another_member_is_given_back_too(shop: World) -> None:
    shop.member("jun")
    code = coupon(shop)
    by_hand(shop, code)
    shop.order("A-1", 2000, member_ref="jun")
    shop.order("A-1", 2000, member_ref="jun", status="cancelled")
    assert shop.get(f"/vouchers/{code}")["state"] == "active"
    by_hand(shop, code, order_ref="A-2")
    shop.order("A-2", 2000, member_ref=None)
    told = shop.put("/orders/A-2/refunds/R-1", REFUND | {"amount_minor": 2000})
    assert told["codes"][0]["state"] == "active"
