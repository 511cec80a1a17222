"""Surprises for stories: what they give, what answers tell of them, and their receipts."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import db, ids
from rewards.surprises.models import Draw
from tests.world import World

Make = Callable[..., World]
DRAWS: sa.Table = Draw.__table__  # type: ignore[assignment]


def gift(key: str, points: int = 7, **more: Any) -> dict[str, Any]:
    """A surprise that always gives so many points, changed where a test says so."""
    return {"key": key, "prizes": [{"effects": [{"do": "add_points", "points": points}]}]} | more


def when(fact: str, op: str, value: Any) -> dict[str, Any]:
    """A condition."""
    return {"when": {"fact": fact, "op": op, "value": value}}


def won(answer: Any) -> list[str]:
    """The keys of the surprises that an answer tells of."""
    return [one["key"] for one in answer["surprises"]]


def receipts(world: World, *keys: str) -> list[dict[str, Any]]:
    """The receipts of the program, of these surprises if any are named, the oldest first."""
    own = DRAWS.c.program_id == ids.read_id("prg", world.program_id)
    statement = sa.select(DRAWS).where(own).order_by(DRAWS.c.id)
    if keys:
        statement = statement.where(DRAWS.c.surprise_key.in_(keys))
    with world.app.app_context():
        return db.reading(
            lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
        )


def told(world: World, *keys: str) -> list[tuple[str, str, str | None, bool]]:
    """Of each receipt: surprise, what happened, the guard that failed, whether it stands."""
    return [
        (row["surprise_key"], row["activity_ref"], row["guard"], bool(row["stands"]))
        for row in receipts(world, *keys)
    ]


def given(world: World, ref: str = "mina") -> list[tuple[str, int]]:
    """When points of surprises are effective, and how many; what was taken back is below zero."""
    return [
        (entry["effective_at"], entry["points"] * (1 if entry["kind"] == "earn" else -1))
        for entry in world.entries(ref)
        if entry["source"]["type"] == "surprise"
    ]


def go_to(world: World, instant: str) -> None:
    """Move the clock, through everything that falls due."""
    world.post("/test-clock", {"now": instant})


def sound(world: World) -> None:
    """The proof of the ledger finds nothing."""
    found = world.verify()["mismatches"]
    assert found == [], found
