"""Reading the ledger: a member's balances and entries."""

from typing import Any

import sqlalchemy as sa

from loyalty.ledger import ENTRIES


def list_entries(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    *,
    points_key: str | None,
    before: tuple[int, bytes] | None,
    limit: int,
) -> list[Any]:
    """A member's entries, newest first by recording, one more than `limit`."""
    statement = (
        sa.select(ENTRIES)
        .where(ENTRIES.c.program_id == program_id, ENTRIES.c.member_id == member_id)
        .order_by(ENTRIES.c.recorded_at.desc(), ENTRIES.c.id.desc())
        .limit(limit + 1)
    )
    if points_key is not None:
        statement = statement.where(ENTRIES.c.points_key == points_key)
    if before is not None:
        at, entry_id = before
        statement = statement.where(
            sa.or_(
                ENTRIES.c.recorded_at < at,
                sa.and_(ENTRIES.c.recorded_at == at, ENTRIES.c.id < entry_id),
            )
        )
    return list(connection.execute(statement).mappings())


def find_entry(connection: sa.Connection, program_id: bytes, entry_id: bytes) -> Any | None:
    """An entry by our id."""
    return (
        connection.execute(
            sa.select(ENTRIES).where(ENTRIES.c.program_id == program_id, ENTRIES.c.id == entry_id)
        )
        .mappings()
        .first()
    )
