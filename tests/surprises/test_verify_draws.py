"""Any value that changes in a receipt, a pace or an alert is found by the proof of the ledger.

The columns come from the tables themselves, so one that is added later is tested without being
named here. What only a clock told, or a person, is listed.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core import db, ids
from loyalty.limits.storing import LIMIT_CLAIMS
from rewards.surprises.carried import DRAWS
from rewards.surprises.models import BudgetAlert, SurprisePace
from server.verify import draws, orders
from server.verify.programs import Programs
from server.verify.rows import Report
from tests.server.tampering import changed, flipped, mismatches, program_id, rows
from tests.surprises.test_surprises import surprise, won
from tests.world import World

PACES: sa.Table = SurprisePace.__table__  # type: ignore[assignment]
ALERTS: sa.Table = BudgetAlert.__table__  # type: ignore[assignment]
#: Of some rows a change is not found: of those that gave nothing, little hangs on these.
TOLD = {
    "draws": {
        *("id", "decision_id", "member_id", "live_version", "switches", "recorded_at", "seen_at"),
        *("why_fallen", "expected_cost_micro"),
    },
    "surprise_paces": {"remaining", "days_left", "expected_micro", "pace_ppm", "recorded_at"},
    "budget_alerts": {"rule", "total", "percent", "used", "recorded_at"},
}
#: Of these no change of any row can be found: a clock told them, or nothing hangs on them.
UNPROVED = {
    "draws": {"recorded_at"},
    # A millionth more or less changes no pace.
    "surprise_paces": {"expected_micro", "recorded_at"},
    "budget_alerts": {"rule", "total", "used", "recorded_at"},
}


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    """Draws that were won, lost and never made; a pace; prizes that fell and came back."""
    budget = {"unit": "points", "total": 60, "pacing": True, "ends_at": "2026-03-03T15:00:00Z"}
    paced = surprise("paced", budget=budget)
    world = World(
        app,
        surprises=[
            paced,
            surprise("shadow", state="shadow", priority=1),
            surprise("never", probability_ppm=0, pity_after=3, priority=2),
            surprise("once", cooldown="P30D", group="few", priority=3),
            surprise("group", group="few", priority=4),
            surprise("held", holdout_bp=10_000, priority=5),
            surprise("second", every=2, budget={"total": 7}, priority=6),
        ],
    )
    world.member()
    world.member("jun")
    world.set_clock("2026-03-01T10:00:00Z")
    for number in range(5):
        world.order(f"A-{number}", 1000)
    world.set_clock("2026-03-01T16:00:00Z")
    for number in range(5):
        world.order(f"B-{number}", 1000, member_ref="jun")
    world.order("A-0", 1000, status="cancelled", revision=2)
    world.order("A-1", 1000, status="cancelled", revision=2)
    world.order("A-1", 1000, revision=3)
    world.publish(surprises=[paced | {"budget": budget | {"total": 45}}])
    world.order("C-1", 1000)
    yield world


def test_the_history_is_sound_and_has_every_kind_of_row(told: World) -> None:
    assert mismatches(told) == []
    found = rows(told, DRAWS)
    assert {one["guard"] for one in found} >= {None, "holdout", "cooldown", "excluded"}
    assert {(bool(one["won"]), bool(one["stands"])) for one in found} == {
        (True, True),
        (True, False),
        (False, False),
    }
    assert any(one["is_pity"] for one in found)
    assert {one["why_fallen"] for one in found} >= {None, "not_paid"}
    assert len({one["pace_ppm"] for one in found if one["surprise_key"] == "paced"}) > 1
    assert rows(told, ALERTS) != []


def _is_found(world: World, table: sa.Table, column: str, row: dict[str, Any]) -> bool:
    value = flipped(table.c[column], row[column])
    with (
        changed(world, table, row, column, value),
        world.app.app_context(),
    ):
        return bool(db.reading(lambda connection: _check(connection, program_id(world))))


def _check(connection: sa.Connection, of: bytes) -> list[str]:
    report, programs = Report(), Programs(connection)
    draws.check(connection, of, report, programs)
    orders.check_sources(connection, of, report, programs)
    return report.mismatches


@pytest.mark.parametrize("table", (DRAWS, PACES, ALERTS), ids=lambda one: one.name)
def test_a_changed_value_is_found(told: World, table: sa.Table) -> None:
    if told.app.extensions["dangol.settings"].database_url.startswith("postgresql"):
        pytest.skip("the same statements and the same comparisons: once is enough")
    found = rows(told, table)
    lost = []
    for column in table.columns:
        if column.name == "program_id":
            continue
        seen: dict[Any, dict[str, Any]] = {}
        for row in found:
            seen.setdefault(row[column.name], row)
        chosen = list(seen.values())
        is_partly = column.name in TOLD[table.name]
        some = chosen[:6] + found[:8] if is_partly else [*chosen[:1], *chosen[1:][-1:]]
        results = (_is_found(told, table, column.name, row) for row in some)
        is_proved = any(results) if is_partly else all(results)
        if is_proved is (column.name in UNPROVED[table.name]):
            lost.append(column.name)
    assert lost == [], lost
    assert mismatches(told) == []


def test_every_claim_belongs_to_a_receipt_that_stands(told: World) -> None:
    receipt = next(one for one in rows(told, DRAWS) if one["stands"] and one["cost"])
    claim = next(one for one in rows(told, LIMIT_CLAIMS) if one["source_id"] == receipt["id"])
    shown = ids.show_id("drw", receipt["id"])
    with changed(told, LIMIT_CLAIMS, claim, "points", claim["points"] + 1):
        assert any(one.startswith(f"limit_claims {shown}") for one in mismatches(told))
    lost = next(one for one in rows(told, DRAWS) if not one["won"])
    with changed(told, LIMIT_CLAIMS, claim, "source_id", lost["id"]):
        found = mismatches(told)
        assert any(one.startswith(f"limit_claims {shown}") for one in found)
        assert any(ids.show_id("drw", lost["id"]) in one for one in found)
    fallen = next(one for one in rows(told, DRAWS) if one["won"] and one["why_fallen"])
    with changed(told, DRAWS, fallen, "stands", value=True):
        assert any(ids.show_id("drw", fallen["id"]) in one for one in mismatches(told))
    assert won(told.order("A-1", 1000, revision=3)) != []
