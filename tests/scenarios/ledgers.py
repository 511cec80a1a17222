"""What the tests of lots share: a program whose clock stands, Mina's balance, holds of hers."""

from collections.abc import Callable
from typing import Any

from core import clock, ids
from tests.world import World

MakeWorld = Callable[..., World]


def kind(**terms: Any) -> list[dict[str, Any]]:
    return [{"key": "points"} | terms]


def opened(make_world: MakeWorld, at: str, **changes: Any) -> World:
    """A program whose clock stands at an instant, with Mina and Jun."""
    world = make_world(**changes)
    world.set_clock(at)
    world.member("mina", joined_at="2020-01-01T00:00:00Z")
    world.member("jun", joined_at="2020-01-01T00:00:00Z")
    return world


def go(world: World, instant: str) -> None:
    world.post("/test-clock", {"now": instant})


def balance(world: World, ref: str = "mina") -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"/members/{ref}/balances")["data"][0]
    return found


def expiring(world: World, ref: str = "mina") -> list[tuple[str, int]]:
    return [(one["expires_at"], one["points"]) for one in balance(world, ref)["expiring"]]


def give(world: World, points: int, expires_at: str | None, ref: str = "mina") -> Any:
    return world.post(
        "/adjustments",
        {"member_ref": ref, "points": points, "reason": "gift", "expires_at": expires_at},
        status=201,
    )


class Holds:
    """Holds of a world's members."""

    def __init__(self, world: World) -> None:
        self.world = world
        found = ids.read_id("prg", world.program_id)
        assert found is not None
        self.program_id = found

    def hold(self, points: int, *, minutes: int = 30, ref: str = "mina") -> str:
        from tests import holding as holds

        with self.world.app.app_context():
            made = holds.hold(
                self.program_id, ref, points, ttl=clock.Duration(seconds=60 * minutes)
            )
        return str(made["id"])

    def end(self, hold_id: str, how: str, **more: Any) -> dict[str, Any]:
        from tests import holding as holds

        with self.world.app.app_context():
            done: dict[str, Any] = getattr(holds, how)(self.program_id, hold_id, **more)
            return done
