"""Programs with stamp cards, and what tests ask of them."""

from collections.abc import Callable
from typing import Any

from tests.world import World, rule

Make = Callable[..., World]


def stamps(card: str = "coffee", count: int = 1) -> dict[str, Any]:
    """The effect that adds stamps."""
    return {"do": "add_stamps", "card": card, "stamps": count}


def bonus(points: int) -> dict[str, Any]:
    """The effect that adds points."""
    return {"do": "add_points", "points": points}


def coffee(**more: Any) -> dict[str, Any]:
    """A card of three, worth 50 points."""
    return {"key": "coffee", "stamps": 3, "effects": [bonus(50)]} | more


def program(make: Make, *cards: dict[str, Any], rules: Any = None, **more: Any) -> World:
    """A world that earns nothing but stamps, with its clock on 1 March 2026 and Mina in it."""
    given = rules if rules is not None else [rule("stamp", stamps())]
    world = make(cards=list(cards), earning={"rules": given}, **more)
    world.set_clock("2026-03-01T12:00:00Z")
    world.member("mina")
    return world


def shown(world: World, key: str = "coffee", ref: str = "mina") -> dict[str, Any]:
    """A member's card."""
    data = world.get(f"/members/{ref}/cards")["data"]
    found: dict[str, Any] = next(one for one in data if one["key"] == key)
    return found


def state(world: World, key: str = "coffee", ref: str = "mina") -> tuple[int, int]:
    """How often it was completed, and how many stamps the open one has."""
    card = shown(world, key, ref)
    return card["completed_count"], card["stamps"]


def buy(world: World, ref: str, day: str, **more: Any) -> Any:
    """An order of one line of 10.00 at noon UTC."""
    return world.order(ref, 1000, placed_at=f"{day}T12:00:00Z", **more)


def sound(world: World) -> None:
    """Nothing in the ledger disagrees with its proof."""
    report = world.verify()
    assert report["mismatches"] == [], report["mismatches"]
