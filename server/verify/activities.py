"""Proof of activities: each was decided as it is told, and what of it counts for tiers is known.

Their points are proved with those of other claims (`verify_fired`).
"""

from typing import Any

import sqlalchemy as sa

from core import jsontext
from members import activities
from members.activities import ACTIVITIES, DONE
from programs import triggers
from programs.models import Decision
from server.verify.programs import Programs
from server.verify.rows import Groups, Report, stream

_DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]


def by_member(connection: sa.Connection, program_id: bytes | None) -> Groups:
    """Every activity by member: when, what counts of it, and since when it is known."""
    lead = [ACTIVITIES.c.program_id, ACTIVITIES.c.member_id]
    columns = [ACTIVITIES.c[name] for name in ("occurred_at", "qualifying_points", "created_at")]
    stands = ACTIVITIES.c.status == DONE
    statement = sa.select(*lead, *columns, stands.label("stands")).order_by(
        *lead, ACTIVITIES.c.occurred_at, ACTIVITIES.c.id
    )
    return Groups(stream(connection, statement, ACTIVITIES, program_id))


def had_any(connection: sa.Connection, key: tuple[bytes, bytes]) -> bool:
    """Whether an activity was ever decided for a member, though it is another's by now."""
    statement = sa.select(_DECISIONS.c.id).where(
        _DECISIONS.c.program_id == key[0],
        _DECISIONS.c.member_id == key[1],
        _DECISIONS.c.source_type == "activity",
    )
    return connection.execute(statement.limit(1)).first() is not None


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every activity against its decision."""
    joined = sa.and_(
        _DECISIONS.c.program_id == ACTIVITIES.c.program_id,
        _DECISIONS.c.id == ACTIVITIES.c.decision_id,
    )
    statement = sa.select(
        *ACTIVITIES.columns,
        _DECISIONS.c.version,
        _DECISIONS.c.switches,
        _DECISIONS.c.facts.label("decided"),
        _DECISIONS.c.outcomes,
        _DECISIONS.c.effective_at,
    ).select_from(ACTIVITIES.outerjoin(_DECISIONS, joined))
    for row in stream(connection, statement, ACTIVITIES, program_id):
        _check(report, programs, row)


def _check(report: Report, programs: Programs, row: Any) -> None:
    place = (activities.PREFIX, row.id, "")
    if row.version is None:
        report.note("activities", place, "decision_id", row.decision_id, "a decision that exists")
        return
    program = programs.version(row.program_id, row.version, row.switches)
    if program is None:
        # That the decision has no version is told where its points are proved.
        return
    decided, outcomes = jsontext.parse(row.decided), jsontext.parse(row.outcomes)
    declared = program.activities.get(row.kind)
    try:
        facts = jsontext.parse(row.facts)
    except ValueError:
        report.note("activities", place, "facts", row.facts, "a JSON object")
        return
    own = activities.own_facts(row.kind, facts, declared)
    told = (triggers.ACTIVITY + row.kind, own)
    if (decided["trigger"], decided["own"]) != told:
        report.note("activities", place, "facts", told, (decided["trigger"], decided["own"]))
    report.compare("activities", place, "occurred_at", row.occurred_at, row.effective_at)
    if row.said_at < row.occurred_at:
        report.note("activities", place, "said_at", row.said_at, f"at least {row.occurred_at}")
    counts = outcomes["qualifying_points"]
    report.compare("activities", place, "qualifying_points", row.qualifying_points, counts)
    if row.status not in (DONE, activities.WITHDRAWN):
        report.note("activities", place, "status", row.status, "done or withdrawn")
    if row.created_at > row.updated_at:
        report.note("activities", place, "created_at", row.created_at, row.updated_at)
