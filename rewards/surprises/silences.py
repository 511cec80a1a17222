"""Rows that say when members' silences are to be looked at next. Refuses to know what falls due."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from core import rawsql
from rewards.surprises.models import Silence, SilenceLook

SILENCES: sa.Table = Silence.__table__  # type: ignore[assignment]
LOOKS: sa.Table = SilenceLook.__table__  # type: ignore[assignment]
#: What the worker's agenda asks of a row.
IS_DUE = SILENCES.c.due_at.is_not(None)

_TOUCH = (
    "INSERT INTO silences (program_id, member_id, due_at) VALUES ({0}1, {0}2, {0}3)"
    " ON CONFLICT (program_id, member_id) DO UPDATE SET due_at = excluded.due_at"
    " WHERE silences.due_at IS NULL OR excluded.due_at < silences.due_at"
)


def touch(connection: sa.Connection, program_id: bytes, due: Mapping[bytes, int]) -> None:
    """Look at these members at the latest then; whoever is to be looked at before, is so."""
    sql = _TOUCH.format(rawsql.mark(connection.dialect.name))
    for member_id, due_at in sorted(due.items()):
        rawsql.later(connection, sql, [program_id, member_id, due_at])


def unite(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes, *, now: int
) -> None:
    """Two members are one: when they last ordered is looked at anew, and what was over for either
    is over."""
    of_either = sa.and_(
        SILENCES.c.program_id == program_id, SILENCES.c.member_id.in_([old_id, into_id])
    )
    settled_at = connection.execute(
        sa.select(sa.func.max(SILENCES.c.settled_at)).where(of_either)
    ).scalar()
    if not forget(connection, program_id, [old_id]):
        return
    touch(connection, program_id, {into_id: now})
    connection.execute(
        sa.update(SILENCES)
        .where(SILENCES.c.program_id == program_id, SILENCES.c.member_id == into_id)
        .values(settled_at=settled_at)
    )


def forget(connection: sa.Connection, program_id: bytes, member_ids: Iterable[bytes]) -> bool:
    """Look at these members no more; whether any was to be."""
    gone = connection.execute(
        sa.delete(SILENCES).where(
            SILENCES.c.program_id == program_id, SILENCES.c.member_id.in_(list(member_ids))
        )
    )
    return bool(gone.rowcount)
