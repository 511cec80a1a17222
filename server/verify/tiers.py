"""Proof of the log of levels and of the claims of entry effects, as far as it can be derived.

Changes of one member follow on each other, and no level is entered twice in one term. Members
into whom another was merged have two histories in one, which neither is true of.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from loyalty.tiers.models import CHANGES, ENTRIES
from members import aliases
from programs import versions
from programs.models import ProgramVersion
from server.verify.programs import Programs
from server.verify.rows import Groups, Report, side_by_side, stream

PREFIXES = {"tier_changes": "tch", "tier_entries": "ten"}


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every member with a change or a claim."""
    changes = _by_member(connection, CHANGES, CHANGES.c.recorded_at, program_id)
    entries = _by_member(connection, ENTRIES, ENTRIES.c.since, program_id)
    lost: dict[bytes, frozenset[str]] = {}
    for key in side_by_side(changes, entries):
        if programs.find_live(key[0]) is None:
            # Rows of no program; what they lack is told where they are missed.
            continue
        logged, entered = list(changes.take(key)), list(entries.take(key))
        is_merged = bool(aliases.merged_ids(connection, *key))
        if key[0] not in lost:
            lost[key[0]] = _lost(connection, key[0])
        _check_changes(report, logged, None if is_merged else lost[key[0]])
        _check_entries(report, entered, is_merged=is_merged)


def _by_member(
    connection: sa.Connection,
    table: sa.Table,
    order: sa.ColumnElement[Any],
    program_id: bytes | None,
) -> Groups:
    lead = [table.c.program_id, table.c.member_id]
    rest = [column for column in table.columns if column not in set(lead)]
    statement = sa.select(*lead, *rest).order_by(*lead, order, table.c.id)
    return Groups(stream(connection, statement, table, program_id))


def _lost(connection: sa.Connection, program_id: bytes) -> frozenset[str]:
    """Levels that some version had and a later one had not."""
    numbers = connection.execute(
        sa.select(ProgramVersion.version)
        .where(ProgramVersion.program_id == program_id)
        .order_by(ProgramVersion.version)
    ).scalars()
    seen, lost = set[str](), set[str]()
    for number in list(numbers):
        compiled = versions.get_compiled(connection, program_id, number)
        keys = {level.key for level in compiled.ladder.levels}
        lost |= seen - keys
        seen |= keys
    return frozenset(lost)


def _check_changes(report: Report, rows: Sequence[Any], lost: frozenset[str] | None) -> None:
    """Each change agrees with itself, and goes on where the one before it ended; whoever stood on
    a level that the ladder has lost stands on whatever was beneath it from then on. `lost` is None
    where changes do not follow on each other."""
    for row in rows:
        is_same = row.from_key == row.to_key
        if is_same != (row.kind == "renewal"):
            place = (PREFIXES["tier_changes"], row.id, "")
            computed = "renewal" if is_same else "upgrade or downgrade"
            report.note("tier_changes", place, "kind", row.kind, computed)
    if lost is None:
        return
    for before, row in itertools.pairwise(rows):
        if row.from_key != before.to_key and before.to_key not in lost:
            place = (PREFIXES["tier_changes"], row.id, "")
            report.note("tier_changes", place, "from_key", row.from_key, before.to_key)


def _check_entries(report: Report, rows: Sequence[Any], *, is_merged: bool) -> None:
    ends: dict[str, int | None] = {}
    for row in rows:
        place = (PREFIXES["tier_entries"], row.id, "")
        if row.until is not None and row.until <= row.since:
            report.note("tier_entries", place, "until", row.until, f"later than {row.since}")
        if row.level_key in ends and not is_merged:
            until = ends[row.level_key]
            if until is None or row.since < until:
                computed = f"from {until} on, if ever"
                report.note("tier_entries", place, "since", row.since, computed)
        ends[row.level_key] = row.until
