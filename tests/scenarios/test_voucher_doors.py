"""One voucher through several doors: whatever an order names and in whatever order it is told, a
code is used once, and a voucher's id is worth nothing to whoever has not the code."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World

Make = Callable[..., World]
FIVE = {
    "key": "five",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "cost_points": 100,
    "voucher": {},
}
MUG = {"kind": "free_product", "value": {"sku": "MUG"}, "cost_points": 100, "voucher": {}}


@pytest.fixture
def shop(make_world: Make) -> World:
    """Mina and Jun with 1,000 points each."""
    rewards = [
        FIVE,
        FIVE | {"key": "thrice", "voucher": {"uses": 3}},
        MUG | {"key": "mug"},
    ]
    world = make_world(rewards=rewards)
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.post(
            "/adjustments", {"member_ref": ref, "points": 1000, "reason": "start"}, status=201
        )
    return world


def held(world: World, reward: str, member_ref: str = "mina") -> Any:
    body = {"member_ref": member_ref, "reward": reward}
    return world.post("/redemptions", body, status=201)["redemption"]


def state(world: World, redemption: Any) -> str:
    found: str = world.get(f"/vouchers/{redemption['voucher']['code']}")["state"]
    return found


def codes(answer: Any) -> list[str]:
    return [one["code"] for one in answer["problems"]]


def test_the_id_of_a_gift_card_is_no_code(shop: World) -> None:
    card = shop.post("/vouchers", {"kind": "gift_card", "minor": 5000}, status=201)["voucher"]
    shop.order("A-1", 3000, member_ref="jun", status="pending", codes=[card["id"]])
    paid = [{"kind": "gift_card", "amount_minor": 3000}]
    shop.order("A-1", 3000, member_ref="jun", codes=[card["id"]], payments=paid)
    named = [{"kind": "gift_card", "amount_minor": 3000, "code": card["id"]}]
    answer = shop.order("A-1", 3000, member_ref="jun", payments=named)
    assert codes(answer) == ["not_found"]
    assert shop.get(f"/vouchers/{card['code']}")["remaining_minor"] == 5000


def test_the_id_behind_somebody_elses_hold_spends_nothing(shop: World) -> None:
    found = held(shop, "five")
    voucher_id = shop.get(f"/vouchers/{found['voucher']['code']}")["id"]
    for status in ("pending", "paid"):
        shop.order("G-1", 3000, member_ref=None, status=status, codes=[voucher_id])
    assert shop.get(f"/redemptions/{found['id']}")["state"] == "held"


def test_an_order_that_names_what_looks_like_an_id_goes_on(shop: World) -> None:
    unknown = "vou_" + 26 * "0"
    shop.order("A-1", 3000, status="pending", codes=[unknown])
    for status in ("paid", "fulfilled", "cancelled"):
        answer = shop.order("A-1", 3000, status=status, codes=[unknown])
        assert answer["order"]["codes"] == [unknown]


def test_an_order_told_as_it_is_shown_keeps_its_code(shop: World) -> None:
    code = held(shop, "five")["voucher"]["code"]
    first = shop.order("A-1", 3000, codes=[code], discount_minor=500)
    [shown] = first["order"]["codes"]
    assert shown.startswith("vou_") and "voucher_ids" not in first["order"]
    again = shop.order("A-1", 3000, codes=[shown], discount_minor=500, channel="web")
    assert again["problems"] == []
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    # The same id in another order is a word like any other.
    shop.order("B-1", 3000, codes=[shown], discount_minor=500)
    shop.order("A-1", 3000, status="cancelled", codes=[shown])
    assert shop.get(f"/vouchers/{code}")["state"] == "active"


def test_an_order_shows_nothing_of_somebody_elses_code(shop: World) -> None:
    code = held(shop, "five", "jun")["voucher"]["code"]
    voucher_id = shop.get(f"/vouchers/{code}")["id"]
    answer = shop.order("A-1", 3000, codes=[code])
    assert codes(answer) == ["not_found"]
    [shown] = answer["order"]["codes"]
    assert shown not in (code, voucher_id) and not shown.startswith("vou_")
    assert codes(shop.order("A-1", 3000, codes=[code], channel="web")) == ["not_found"]


@pytest.mark.parametrize("is_code_first", [True, False])
def test_dropping_the_code_of_a_captured_redemption_frees_nothing(
    shop: World, is_code_first: bool
) -> None:
    found = held(shop, "five")
    code, both = found["voucher"]["code"], {"discount_minor": 500}
    if is_code_first:
        shop.order("A-1", 3000, codes=[code], **both)
    shop.order("A-1", 3000, codes=[code], redemptions=[found["id"]], **both)
    shop.order("A-1", 3000, redemptions=[found["id"]], **both)
    assert state(shop, found) == "redeemed"
    assert codes(shop.order("B-1", 3000, codes=[code], **both)) == ["not_found"]
    # Neither named any more: the redemption is undone, and its code with it.
    shop.order("A-1", 3000)
    assert state(shop, found) == "void"
    assert shop.balance() >= 1000


def test_a_free_product_in_the_order_uses_its_code(shop: World) -> None:
    found = held(shop, "mug")
    mug = {"line_ref": "1", "sku": "MUG", "quantity": 1, "unit_price_minor": 900}
    shop.order("A-1", mug | {"discount_minor": 900}, redemptions=[found["id"]])
    assert state(shop, found) == "redeemed"
    other = held(shop, "mug")
    # No line of it: the code is for later.
    shop.order("A-2", 3000, redemptions=[other["id"]])
    assert state(shop, other) == "active"


def test_an_undone_order_gives_its_own_use_back_beside_those_of_others(shop: World) -> None:
    found = held(shop, "thrice")
    code = found["voucher"]["code"]
    shop.order("A-1", 3000, redemptions=[found["id"]], discount_minor=500)
    shop.order("B-1", 3000, codes=[code], discount_minor=500)
    assert shop.get(f"/vouchers/{code}")["uses_left"] == 1
    shop.order("A-1", 3000, status="cancelled", redemptions=[found["id"]])
    assert shop.get(f"/vouchers/{code}")["uses_left"] == 2


def test_a_card_named_as_a_payment_is_given_back_wholly_or_not_at_all(make_world: Make) -> None:
    card = {"key": "card", "kind": "gift_card", "value": {"minor": 1000}, "cost_points": 1000}
    world = make_world(rewards=[card], earning={"rules": []})
    world.member()
    world.post("/adjustments", {"member_ref": "mina", "points": 1000, "reason": "x"}, status=201)
    found = held(world, "card")
    payments = [{"kind": "points", "amount_minor": 1000, "redemption_id": found["id"]}]
    world.order("A-1", 10000, payments=payments)
    refund = {"refunded_at": "2026-03-02T10:00:00Z", "amount_minor": 9999}
    assert world.put("/orders/A-1/refunds/R-1", refund)["points_returned"] == 0
    assert state(world, found) == "active" and world.balance() == 0
    world.order("A-1", 10000, payments=payments, status="cancelled")
    assert state(world, found) == "void" and world.balance() == 1000
