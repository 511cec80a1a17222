"""A changed value of an activity, or of a birthday that was paid, is found and its row named."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from core import ids
from members.activities import ACTIVITIES
from members.occasions import PAYMENTS
from tests.server.tampering import changed, flipped, mismatches, rows
from tests.world import World

RULES = [
    {
        "key": "visit",
        "trigger": "activity:visit",
        "effect": {"do": "add_points", "points": 20, "counts_for_tier": True},
    },
    {"key": "birthday", "trigger": "birthday", "effect": {"do": "add_points", "points": 100}},
]
LADDER = {"basis": {"metric": "points"}, "levels": [{"key": "silver", "enter_at": 20}]}
#: What no proof can know: the storefront's own words and when they were told. Whether an instant
#: ahead of the clock was told is bounded alone.
FREE = {("activities", "updated_at"), ("activities", "created_at"), ("activities", "said_at")}


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    world = World(app, earning={"rules": RULES}, tiers=LADDER)
    world.post("/test-clock", {"now": "2026-01-01T00:00:00Z"})
    for ref in ("mina", "jun"):
        world.member(ref, birthday_on="1990-03-10")
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-01-01T00:00:00Z"}
    world.put("/activities/V-1", body | {"facts": {"minutes": 5}})
    world.put("/activities/V-2", body)
    world.put("/activities/V-2", body | {"status": "withdrawn"})
    world.post("/test-clock", {"now": "2026-03-10T00:00:00Z"})
    yield world
    # Every test has put back what it changed.
    assert mismatches(world) == []


def test_the_history_is_clean(told: World) -> None:
    assert mismatches(told) == []
    assert len(rows(told, ACTIVITIES)) == 2
    assert len(rows(told, PAYMENTS)) == 2


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column.name)
        for table in (ACTIVITIES, PAYMENTS)
        for column in table.columns
        if (table.name, column.name) not in FREE
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_changed_value_is_found(told: World, table: sa.Table, column: str) -> None:
    prefix = {"activities": "act", "occasion_payments": "occ"}[table.name]
    for row in rows(told, table):
        value = flipped(table.c[column], row[column])
        with changed(told, table, row, column, value):
            found = mismatches(told)
            if column == "program_id":
                found += mismatches(told, value)
        if column == "id" and any(text.startswith("lots ") for text in found):
            # What it made is named: its cause is not there any more.
            continue
        shown = ids.show_id(prefix, value if column == "id" else row["id"])
        assert any(shown in text for text in found), found
