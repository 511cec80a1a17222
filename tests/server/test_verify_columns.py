"""Any value that changes in any ledger table is found, and its row is named.

The columns come from the tables themselves, so one that is added later is tested without being
named here.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core import clock, ids
from loyalty.ledger.rows import ACCOUNTS, ALLOCATIONS, ENTRIES, HOLDS, LOTS
from server.verify.hands import ADJUSTMENTS, TRANSFERS
from tests import holding as holds
from tests.server.tampering import changed, few, flipped, mismatches, program_id, rows
from tests.world import World, line, per_euro, rule

TABLES = (ACCOUNTS, ENTRIES, ALLOCATIONS, LOTS, HOLDS, ADJUSTMENTS, TRANSFERS)
#: Which column names a row, and how the proof writes it.
NAMES = {
    "accounts": [("mem", "member_id")],
    "entries": [("ent", "id")],
    "allocations": [("ent", "entry_id")],
    "lots": [("lot", "id")],
    "holds": [("rdm", "id")],
    "adjustments": [("adj", "id")],
    "transfers": [("trf", "id")],
}
KINDS = [
    {
        "key": "points",
        "expiry": {"policy": "after", "duration": "P2M", "notify": ["P7D"]},
        "return_policy": "unlimited",
    },
    {"key": "stars", "pending": {"policy": "after", "duration": "P10D"}},
    {
        "key": "miles",
        "pending": {"policy": "on_fulfilled"},
        "expiry": {"policy": "inactivity", "duration": "P6M", "activities": ["order"]},
    },
]
RULES = [
    rule("base", per_euro()),
    rule("stars", {"do": "points_per_unit", "points": 3, "points_key": "stars"}),
    rule("miles", {"do": "points_per_unit", "points": 7, "points_key": "miles"}),
    {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 30}},
]


def _told(app: Flask) -> World:
    """A history in which every column of every ledger table has something to say."""
    world = World(app, points=KINDS, earning={"rules": RULES})
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    world.order("A-1", 10_000, placed_at="2026-03-01T09:00:00Z")
    world.set_clock("2026-03-05T10:00:00Z")
    world.order("A-2", 20_000, placed_at="2026-03-05T09:00:00Z", status="fulfilled")
    owner = program_id(world)
    with app.app_context():
        spent = holds.hold(owner, "mina", 150, ttl=clock.parse_duration("PT30M"))
        holds.capture(owner, spent["id"], actor="till")
        holds.reverse(owner, spent["id"])
        kept = holds.hold(owner, "mina", 40, ttl=clock.parse_duration("P3D"))
        holds.capture(owner, kept["id"])
        lapsed = holds.hold(owner, "mina", 20, ttl=clock.parse_duration("PT30M"))
        assert lapsed["state"] == "held"
    headers = {"member_ref": "mina", "reason": "kindness", "note": "rang twice"}
    world.post("/adjustments", headers | {"points": 25, "counts_for_tier": True}, status=201)
    dated = {"points": 5, "expires_at": "2027-01-01T00:00:00Z"}
    world.post("/adjustments", headers | dated, status=201)
    world.post("/adjustments", headers | {"points": -60, "points_key": "points"}, status=201)
    gift = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 70, "reason": "gift"}
    world.post("/transfers", gift, status=201)
    # Taken back out of other lots, and out of nothing.
    world.order("A-1", line("1", 10_000, refunded_minor=4_000), placed_at="2026-03-01T09:00:00Z")
    world.order("J-1", 9_000, member_ref="jun", placed_at="2026-03-05T09:00:00Z")
    with app.app_context():
        holds.capture(owner, holds.hold(owner, "jun", 185, ttl=None)["id"])
    world.order(
        "J-1", 9_000, member_ref="jun", placed_at="2026-03-05T09:00:00Z", status="cancelled"
    )
    world.set_clock("2026-03-20T10:00:00Z")
    world.order("A-3", 3_000, placed_at="2026-03-20T09:00:00Z")
    with app.app_context():
        holds.hold(owner, "mina", 10, ttl=clock.parse_duration("P1D"))
    return world


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    world = _told(app)
    yield world
    # Every test has put back what it changed.
    assert mismatches(world) == []


def test_the_history_is_clean_and_has_every_kind_of_row(told: World) -> None:
    assert mismatches(told) == []
    for table in TABLES:
        assert rows(told, table), table.name
    assert any(row["is_split"] for row in rows(told, ENTRIES))
    lots = rows(told, LOTS)
    for column in ("reversed", "borrowed", "overdrawn", "held", "is_pending", "origin_lot_id"):
        assert any(row[column] for row in lots), column


def _named(found: list[str], table: sa.Table, row: dict[str, Any]) -> bool:
    names = [ids.show_id(prefix, row[column]) for prefix, column in NAMES[table.name]]
    return any(
        one.startswith(f"{table.name} ") and all(name in one for name in names) for one in found
    )


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column.name) for table in TABLES for column in table.columns],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_changed_value_is_found_and_its_row_named(
    told: World, table: sa.Table, column: str
) -> None:
    for row in few(told, _examples(rows(told, table), column)):
        value = flipped(table.c[column], row[column])
        with changed(told, table, row, column, value):
            found = mismatches(told)
            if column == "program_id":
                found += mismatches(told, value)
        assert _named(found, table, row | _moved(column, value)) or _named(found, table, row), (
            f"{row[column]!r} → {value!r}: {found}"
        )


def _moved(column: str, value: Any) -> dict[str, Any]:
    return {column: value}


def _examples(found: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """A row for each of a few different values of the column."""
    seen: dict[Any, dict[str, Any]] = {}
    for row in found:
        seen.setdefault(row[column], row)
    chosen = list(seen.values())
    return chosen[:2] + chosen[2:][-2:]
