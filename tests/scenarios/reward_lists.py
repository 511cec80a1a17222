"""A program whose rewards are listed, for the scenarios of the list."""

from collections.abc import Callable
from typing import Any

from tests.world import World, per_euro, rule

Make = Callable[..., World]

TIERS = {
    "basis": {"metric": "spend"},
    "levels": [
        {"key": "silver", "name": {"en": "Silver", "ko": "실버"}, "enter_at": 10_000},
        {"key": "gold", "name": {"en": "Gold", "ko": "골드"}, "enter_at": 50_000},
    ],
}
WELCOME = rule("welcome", {"do": "add_points", "points": 500}, trigger="signup")


def reward(key: str, **more: Any) -> dict[str, Any]:
    """Five off for 200 points."""
    return {
        "key": key,
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 200,
    } | more


def opened(make_world: Make, *rewards: dict[str, Any], **more: Any) -> World:
    """A program with these rewards, at noon of 1 April 2026, and Mina with 500 points."""
    rules = [rule("base", per_euro()), WELCOME]
    world = make_world(rewards=list(rewards), tiers=TIERS, earning={"rules": rules}, **more)
    world.set_clock("2026-04-01T03:00:00Z")
    world.member()
    return world


def listed(world: World, ref: str = "mina") -> dict[str, Any]:
    """A member's list, by key."""
    data = world.get(f"/members/{ref}/rewards")
    assert data["next_cursor"] is None
    return {one["key"]: one for one in data["data"]}


def codes(entry: dict[str, Any]) -> list[str]:
    """Every reason why not."""
    return [one["code"] for one in entry["unavailable_reasons"]]
