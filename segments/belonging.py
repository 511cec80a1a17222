"""Belonging: the rows that say who is in which segment since when, and how often.

Owns those rows; who belongs where is found by whoever looks. Refuses to tell anybody of it.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from members.members import MEMBERS
from segments.models import BELONGING, RANKS, STATES


def unite(connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes) -> None:
    """Let the member who stays be where the other was: the next look says whether they still
    belong there. They are ranked anew with the next midnight."""
    had = sa.select(BELONGING.c.segment).where(
        BELONGING.c.program_id == program_id, BELONGING.c.member_id == into_id
    )
    connection.execute(
        sa.update(BELONGING)
        .where(
            BELONGING.c.program_id == program_id,
            BELONGING.c.member_id == old_id,
            BELONGING.c.segment.not_in(had),
        )
        .values(member_id=into_id)
    )
    forget(connection, program_id, [old_id])


def forget(connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]) -> None:
    """Take members out of every segment and every rank, and tell nobody."""
    for table in (BELONGING, RANKS):
        connection.execute(
            sa.delete(table).where(
                table.c.program_id == program_id, table.c.member_id.in_(member_ids)
            )
        )


def states(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    """What the last look said of each segment."""
    rows = connection.execute(sa.select(STATES).where(STATES.c.program_id == program_id))
    return {row.segment: row for row in rows}


def counts(connection: sa.Connection, program_id: bytes) -> dict[str, int]:
    """How many members are in each segment."""
    rows = connection.execute(
        sa.select(BELONGING.c.segment, sa.func.count())
        .where(BELONGING.c.program_id == program_id)
        .group_by(BELONGING.c.segment)
    )
    return {row[0]: row[1] for row in rows}


def of_member(connection: sa.Connection, program_id: bytes, member_id: bytes) -> dict[str, int]:
    """The segments in which the last look found a member, and since when."""
    rows = connection.execute(
        sa.select(BELONGING.c.segment, BELONGING.c.since).where(
            BELONGING.c.program_id == program_id, BELONGING.c.member_id == member_id
        )
    )
    return {row[0]: row[1] for row in rows}


def list_members(
    connection: sa.Connection,
    program_id: bytes,
    segment: str,
    *,
    after: bytes | None,
    limit: int,
) -> list[Any]:
    """Members of a segment by id, one more than `limit`."""
    statement = (
        sa.select(MEMBERS.c.id, MEMBERS.c.member_ref, BELONGING.c.since)
        .select_from(BELONGING)
        .join(
            MEMBERS,
            sa.and_(
                MEMBERS.c.program_id == BELONGING.c.program_id,
                MEMBERS.c.id == BELONGING.c.member_id,
            ),
        )
        .where(BELONGING.c.program_id == program_id, BELONGING.c.segment == segment)
        .order_by(BELONGING.c.member_id)
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(BELONGING.c.member_id > after)
    return list(connection.execute(statement))
