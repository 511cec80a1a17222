"""Programs that grant rewards, and what is asked of them."""

from collections.abc import Callable
from typing import Any

from tests.world import BASE_RULE, World, rule

GIFT = {"key": "gift", "kind": "free_product", "value": {"sku": "MUG"}}


COUPON = {
    "key": "coupon",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "voucher": {"pattern": "HELLO-#############", "valid_for": "P30D"},
}


LOUNGE = {
    "key": "lounge",
    "kind": "access",
    "value": {"perk": "lounge", "valid_for": "P30D"},
}


MakeWorld = Callable[..., World]


def grants_rule(key: str, reward: str = "gift", **more: Any) -> dict[str, Any]:
    return rule(key, {"do": "grant_reward", "reward": reward}) | more


def at_least(minor: int) -> dict[str, Any]:
    return {"fact": "order.net_minor", "op": ">=", "value": minor}


def granting(make_world: MakeWorld, *rules: dict[str, Any], **changes: Any) -> World:
    """A program with gift, coupon and lounge, on 1 March 2026, with Mina and Jun."""
    rewards = changes.pop("rewards", [GIFT, COUPON, LOUNGE])
    world = make_world(earning={"rules": [BASE_RULE, *rules]}, rewards=rewards, **changes)
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    return world


def states(answer: Any) -> list[tuple[str, str]]:
    return [(one["reward"], one["state"]) for one in answer["grants"]]


def all_of(world: World, ref: str = "mina") -> list[tuple[str, str]]:
    """Every grant of a member with its state, oldest first."""
    data = world.get(f"/grants?member_ref={ref}")["data"]
    return [(one["reward"], one["state"]) for one in data][::-1]


def used(world: World, reward: str) -> int:
    found: int = world.get(f"/rewards/{reward}/stock")["used"]
    return found
