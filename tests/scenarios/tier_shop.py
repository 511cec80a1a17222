"""A ladder that pays on entering, and how to look at what it did."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext
from core.outbox import OutboxMessage
from tests.world import BASE_RULE, World

#: Spend in cents: silver from 500.00, kept from 300.00; gold from 1,000.00.
SILVER = {
    "key": "silver",
    "enter_at": 50_000,
    "retain_at": 30_000,
    "entry_effects": [{"do": "add_points", "points": 100}],
}
GOLD = {
    "key": "gold",
    "enter_at": 100_000,
    "retain_at": 80_000,
    "entry_effects": [{"do": "add_points", "points": 500}],
}
TIERS: dict[str, Any] = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "downgrade": "full",
    "on_refund": "immediate",
    "levels": [SILVER, GOLD],
}
Make = Callable[..., World]


def open_shop(make_world: Make, *rules: dict[str, Any], **tiers: Any) -> World:
    """A program with the ladder, changed where a test says so, and Mina, on 1 March 2026."""
    made = make_world(tiers=TIERS | tiers, earning={"rules": [BASE_RULE, *rules]})
    made.set_clock("2026-03-01T10:00:00Z")
    made.member("mina")
    return made


def rows(world: World, table: sa.Table) -> list[Any]:
    """The program's rows of a table."""
    statement = sa.select(table).where(table.c.program_id == ids.read_id("prg", world.program_id))
    with world.app.app_context():
        return db.reading(lambda connection: list(connection.execute(statement)))


def changes(world: World, ref: str = "mina") -> list[tuple[Any, ...]]:
    """From, to, kind and cause of a member's changes, the oldest first."""
    data = world.get(f"/members/{ref}/tier/changes")["data"]
    names = ("from", "to", "kind", "cause")
    return [tuple(one[name] for name in names) for one in data][::-1]


def clean(world: World) -> None:
    """The proof of the ledger finds nothing."""
    assert world.verify()["mismatches"] == []


def messages(world: World, type: str) -> list[dict[str, Any]]:
    """The payloads of the messages of a type, the oldest first."""
    outbox: sa.Table = OutboxMessage.__table__  # type: ignore[assignment]
    found = sorted(rows(world, outbox), key=lambda row: bytes(row.id))
    return [jsontext.parse(row.payload) for row in found if row.type == type]
