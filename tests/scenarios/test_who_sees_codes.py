"""Live codes are money: keys that only read are told of everything but them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World

Make = Callable[..., World]
REWARD = {
    "key": "tenner",
    "kind": "discount_amount",
    "value": {"minor": 1000},
    "cost_points": 0,
    "voucher": {},
}
RULE = {
    "key": "gift",
    "trigger": "order",
    "effect": {"do": "grant_reward", "reward": "tenner"},
}


@pytest.fixture
def shop(make_world: Make) -> World:
    """A redemption that is held, a grant by hand, one by an order, and a gift card."""
    world = make_world(rewards=[REWARD], earning={"rules": [RULE]})
    world.member("mina")
    world.order("A-1", 1000)
    mina = {"member_ref": "mina", "reward": "tenner"}
    world.post("/redemptions", mina, status=201)
    world.post("/grants", mina | {"reason": "sorry"}, status=201)
    world.post("/vouchers", {"kind": "gift_card", "minor": 500}, status=201)
    return world


def key_with(world: World, *scopes: str) -> str:
    """Another key of the program."""
    made = world.post("/keys", {"name": "another", "scopes": list(scopes)}, status=201)
    found: str = made["secret_key"] if "secret_key" in made else made["key"]
    return found


def codes_in(value: Any) -> list[str | None]:
    """The codes of every voucher in an answer."""
    if isinstance(value, dict):
        own = [value["code"]] if {"code", "expires_at"} <= value.keys() else []
        return own + [code for one in value.values() for code in codes_in(one)]
    if isinstance(value, list):
        return [code for one in value for code in codes_in(one)]
    return []


def paths(world: World) -> list[str]:
    """Where codes are shown, with one at least."""
    redemption = world.get("/redemptions")["data"][0]
    grant = world.get("/grants")["data"][0]
    voucher = world.get(f"/vouchers/{redemption['voucher']['code']}")
    return [
        "/redemptions",
        f"/redemptions/{redemption['id']}",
        "/grants",
        f"/grants/{grant['id']}",
        f"/vouchers/{voucher['id']}",
        "/members/mina/rewards",
        "/orders/A-1",
    ]


def read(world: World, path: str, key: str) -> Any:
    """An address read with a key."""
    return world.app.test_client().get(f"/v1{path}", headers={"Authorization": f"Bearer {key}"})


def test_a_key_that_only_reads_sees_no_code(shop: World) -> None:
    key = key_with(shop, "read")
    for path in paths(shop):
        shown = codes_in(shop.get(path))
        assert shown and all(shown), path
        told = read(shop, path, key)
        assert told.status_code == 200, path
        assert codes_in(told.json) == [None] * len(shown), path
        # The rest is as everybody sees it.
        assert told.json.keys() == shop.get(path).keys()
        assert not any(code in told.get_data(as_text=True) for code in shown)


def test_keys_that_spend_codes_see_them(shop: World) -> None:
    for path in paths(shop):
        scopes = {"/orders/A-1": "orders", "/members/mina/rewards": "orders"}
        for scope in {"rewards", scopes.get(path, "rewards")}:
            told = read(shop, path, key_with(shop, scope, "read"))
            assert all(codes_in(told.json)), (path, scope)


def test_members_see_their_own(shop: World) -> None:
    token = shop.post("/members/mina/tokens", {}, status=201)["token"]
    told = read(shop, "/me/redemptions", token)
    assert told.status_code == 200
    shown = codes_in(told.json)
    assert shown and all(shown)
