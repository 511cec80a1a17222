"""What a reward asks of orders is asked of its code: in quotes, and where it is redeemed."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import checking
from tests.world import World, line

Make = Callable[..., World]
BIG = {
    "key": "big",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "cost_points": 0,
    "min_order_minor": 2000,
    "voucher": {},
}
#: On the web from 20.00 on, for whoever joined.
ONLINE = {
    "key": "online",
    "kind": "discount_percent",
    "value": {"percent_bp": 1000},
    "cost_points": 0,
    "when": {
        "all": [
            {"fact": "member.is_enrolled", "op": "=", "value": True},
            {"fact": "order.channel", "op": "=", "value": "web"},
            {"fact": "order.net_minor", "op": ">=", "value": 2000},
        ]
    },
    "voucher": {},
}
MUGS = {
    "key": "mugs",
    "kind": "free_shipping",
    "value": {},
    "cost_points": 0,
    "applies_to": {"fact": "line.sku", "op": "=", "value": "MUG"},
    "voucher": {},
}
CARD = {
    "key": "card",
    "kind": "gift_card",
    "value": {"minor": 3000},
    "cost_points": 0,
}
_numbers = itertools.count()


@pytest.fixture
def shop(make_world: Make) -> World:
    """Mina, and rewards that ask for something."""
    world = make_world(rewards=[BIG, ONLINE, MUGS, CARD])
    world.member("mina")
    return world


def code_of(world: World, reward: str) -> str:
    """The code of a redemption that is held."""
    body = {"member_ref": "mina", "reward": reward}
    found: str = world.post("/redemptions", body, status=201)["redemption"]["voucher"]["code"]
    return found


def quoted(world: World, code: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a quote says of a code."""
    cart = {"currency": "EUR", "lines": list(lines), "codes": [code]} | more
    [found] = world.post("/quotes", {"member_ref": "mina", "cart": cart})["codes"]
    return dict(found)


def redeem(world: World, code: str, **body: Any) -> Any:
    """Use a code at its own address."""
    return world.call(
        "POST",
        f"/vouchers/{code}/redeem",
        {"order_ref": "A-1", "member_ref": "mina"} | body,
        headers={"Idempotency-Key": f"cond-{next(_numbers)}"},
    )


def test_an_order_that_is_too_small_is_told_what_is_missing(shop: World) -> None:
    code = code_of(shop, "big")
    told = redeem(shop, code, order_minor=1400)
    found = checking.problem(told, 409, "state_conflict")
    assert (found["state"], found["missing_minor"]) == ("condition_not_met", 600)
    # Nothing was captured by asking, and no guess was counted.
    assert shop.get(f"/vouchers/{code}")["uses"] == 0
    assert checking.rows(shop)["wrong_guesses"] == []
    assert quoted(shop, code, line("1", 1400))["missing_minor"] == 600
    assert redeem(shop, code, order_minor=2000).status_code == 201
    # What the order uses it uses, whatever is left of it.
    again = redeem(shop, code, order_minor=1400)
    assert again.status_code == 200 and again.json["use"]["amount_minor"] == 500


def test_somebody_elses_code_is_unknown_before_it_is_judged(shop: World) -> None:
    shop.member("jun")
    code = code_of(shop, "big")
    told = redeem(shop, code, member_ref="jun", order_minor=1)
    checking.problem(told, 404, "not_found")


def test_a_quote_judges_what_the_reward_asked_of_orders(shop: World) -> None:
    code = code_of(shop, "online")
    for cart, is_valid in (
        ({"channel": "web"}, True),
        ({"channel": "pos"}, False),
        ({}, False),
    ):
        found = quoted(shop, code, line("1", 2000), **cart)
        assert (found["is_valid"], found.get("reason")) == (
            is_valid,
            None if is_valid else "CONDITION_NOT_MET",
        )
    assert not quoted(shop, code, line("1", 1999), channel="web")["is_valid"]
    # Frozen when it was held: the program asks for something else by now.
    shop.publish(rewards=[BIG, ONLINE | {"when": None}, MUGS, CARD])
    assert not quoted(shop, code, line("1", 1999), channel="web")["is_valid"]
    assert quoted(shop, code_of(shop, "online"), line("1", 1999))["is_valid"]


def test_a_code_for_some_lines_is_not_for_a_cart_without_them(shop: World) -> None:
    code = code_of(shop, "mugs")
    assert quoted(shop, code, line("1", 900, sku="CUP"), shipping_minor=300)["is_valid"] is False
    found = quoted(shop, code, line("1", 900, sku="MUG"), shipping_minor=300)
    assert (found["is_valid"], found["discount"]["minor"]) == (True, 300)


def test_money_is_not_taken_for_nothing(shop: World) -> None:
    code = code_of(shop, "card")
    for minor in (0, None):
        told = redeem(shop, code, **({} if minor is None else {"order_minor": minor}))
        found = checking.problem(told, 422, "validation_failed")
        assert checking.pointers(found) == ["/order_minor"]
    assert redeem(shop, code, order_minor=1000).json["use"]["amount_minor"] == 1000
    assert redeem(shop, code, order_minor=0).status_code == 422
    assert shop.get(f"/vouchers/{code}")["remaining_minor"] == 2000
