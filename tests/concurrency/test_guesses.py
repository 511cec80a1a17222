"""Codes that are tried all at once: no more wrong ones are told than may be (SEMANTICS E38)."""

from functools import partial
from typing import Any

import pytest

from tests.concurrency.parallel import at_once
from tests.contract import checking
from tests.scenarios.ledgers import MakeWorld
from tests.world import World, line

_AT_ONCE = 12
REWARD = {
    "key": "tenner",
    "kind": "discount_amount",
    "value": {"minor": 1000},
    "cost_points": 0,
    "voucher": {},
}


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """Mina, and a reward with a code."""
    world = make_world(rewards=[REWARD])
    world.member("mina")
    return world


def quote(world: World, codes: list[str]) -> Any:
    """Quote a cart with codes."""
    cart = {"currency": "EUR", "lines": [line("1", 9000)], "codes": codes}
    return world.call("POST", "/quotes", {"member_ref": "mina", "cart": cart})


def test_of_many_quotes_with_many_codes_ten_wrong_ones_are_told(shop: World) -> None:
    told = at_once(
        [
            partial(quote, shop, [f"BAD{number}-{index:02d}" for index in range(30)])
            for number in range(_AT_ONCE)
        ]
    )
    assert {one.status_code for one in told} <= {200, 429}
    reasons = [
        code["reason"] for one in told if one.status_code == 200 for code in one.json["codes"]
    ]
    assert reasons.count("NOT_FOUND") == 10
    assert set(reasons) == {"NOT_FOUND", "RATE_LIMITED"}
    # Ten codes, and whose they were.
    assert sum(row[-1] for row in checking.rows(shop)["wrong_guesses"]) == 20
    checking.problem(quote(shop, ["ONE-MORE"]), 429, "rate_limited")


def test_of_many_wrong_codes_redeemed_at_once_ten_are_looked_at(shop: World) -> None:
    def redeem(number: int) -> Any:
        return shop.call(
            "POST",
            f"/vouchers/WRONG-{number:04d}/redeem",
            {"order_ref": "A-1", "member_ref": "mina"},
            headers={"Idempotency-Key": f"wrong-{number}"},
        )

    found = [
        one.status_code for one in at_once([partial(redeem, number) for number in range(_AT_ONCE)])
    ]
    assert (found.count(404), found.count(429)) == (10, 2)


def test_right_codes_take_no_room_however_many_at_once(shop: World) -> None:
    held = shop.post("/redemptions", {"member_ref": "mina", "reward": "tenner"}, status=201)
    code = held["redemption"]["voucher"]["code"]
    for _ in range(2):
        told = at_once([partial(quote, shop, [code])] * _AT_ONCE)
        assert {one.status_code for one in told} == {200}
        assert all(one.json["codes"][0]["is_valid"] for one in told)
    assert checking.rows(shop)["wrong_guesses"] == []
