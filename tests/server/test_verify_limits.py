"""Any value that changes in a claim or a counter is found."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from core import ids
from core.db import db
from loyalty.limits.storing import LIMIT_CLAIMS, LIMIT_COUNTERS
from tests.server.tampering import changed, few, flipped, mismatches, program_id, rows
from tests.world import World, per_euro, rule

TABLES = (LIMIT_CLAIMS, LIMIT_COUNTERS)


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    """Claims of orders and of a signup, with counters of times and of points."""
    rules = [
        rule(
            "base",
            per_euro(),
            limits=[
                {"per": "member", "period": "day", "points": 500},
                {"per": "program", "period": "month", "points": 10_000},
                {"per": "program", "period": "ever", "times": 100},
            ],
        ),
        rule(
            "gift",
            {"do": "add_points", "points": 7},
            limits=[{"per": "member", "period": "ever", "times": 1}],
        ),
        {
            "key": "hello",
            "trigger": "signup",
            "effect": {"do": "add_points", "points": 30},
            "limits": [{"per": "program", "period": "year", "points": 50}],
        },
    ]
    world = World(app, earning={"rules": rules})
    world.set_clock("2026-06-01T00:00:00Z")
    world.member("mina")
    world.member("jun")
    world.order("A-1", 45_050)
    world.order("A-2", 12_000)
    world.order("B-1", 3_000, member_ref="jun")
    yield world
    # Every test has put back what it changed.
    assert mismatches(world) == []


def test_the_history_is_clean_and_has_claims_of_every_kind(told: World) -> None:
    assert mismatches(told) == []
    claims = rows(told, LIMIT_CLAIMS)
    # 450.5 wanted, 450 given, 50 of 120, 30; one gift each; 30 and 20 for the signups.
    assert sorted((one["rule"], one["points"], one["wanted"]) for one in claims) == [
        ("base", 30, 30),
        ("base", 50, 120),
        ("base", 450, 451),
        ("gift", 7, 7),
        ("gift", 7, 7),
        ("hello", 20, 30),
        ("hello", 30, 30),
    ]
    used = {(one["rule"], one["period"], one["unit"]): one["used"] for one in _counters(told)}
    assert used == {
        ("base", "month", "points"): 530,
        ("base", "ever", "times"): 3,
        ("hello", "year", "points"): 50,
    }


def _counters(world: World) -> list[dict[str, object]]:
    return rows(world, LIMIT_COUNTERS)


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column.name) for table in TABLES for column in table.columns],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_changed_value_is_found(told: World, table: sa.Table, column: str) -> None:
    for row in few(told, rows(told, table)):
        value = flipped(table.c[column], row[column])
        with changed(told, table, row, column, value):
            found = mismatches(told)
        assert any(one.startswith(("limit_claims ", "limit_counters ")) for one in found), (
            f"{row[column]!r} → {value!r}: {found}"
        )


def test_a_claim_that_is_gone_is_found(told: World) -> None:
    [row] = [one for one in rows(told, LIMIT_CLAIMS) if one["points"] == 50]
    where = sa.and_(
        *(LIMIT_CLAIMS.c[one.name] == row[one.name] for one in LIMIT_CLAIMS.primary_key)
    )
    for statement in (sa.delete(LIMIT_CLAIMS).where(where), sa.insert(LIMIT_CLAIMS).values(row)):
        with (
            told.app.app_context(),
            db.engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            connection.execute(statement)
        found = mismatches(told)
        if statement.is_delete:
            shown = ids.show_id("mem", row["member_id"])
            assert any(shown in one and "base" in one for one in found), found
            assert any(one.startswith("limit_counters ") for one in found)
    assert mismatches(told) == []
    assert row["program_id"] == program_id(told)
