"""The outbox: what the world outside will be told, written with the effect it tells of.

Owns the rows. Nothing is sent from inside a request: a worker takes what waits, program by
program, and hands it on. A row stays after that; it is the message that deliveries refer to.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, db, ids, jsontext
from core.writing import Writes


class OutboxMessage(db.Base):
    """One thing that happened, in the words of the webhook types.

    `created_at` is by the program's clock; the id carries the machine's.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index(
            "ix_outbox_waiting",
            "program_id",
            "id",
            postgresql_where=sa.text("dispatched_at IS NULL"),
            sqlite_where=sa.text("dispatched_at IS NULL"),
        ),
        sa.Index(
            "ix_outbox_member",
            "program_id",
            "member_id",
            postgresql_where=sa.text("member_id IS NOT NULL"),
            sqlite_where=sa.text("member_id IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    type: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    payload: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    dispatched_at: Mapped[int | None] = mapped_column(sa.BigInteger)


def add(
    writes: Writes,
    program_id: bytes,
    *,
    type: str,
    payload: dict[str, Any],
    now: clock.Instant,
    member_id: bytes | None = None,
) -> None:
    """Tell the world of something, in the same transaction as the thing itself."""
    writes.insert(
        OutboxMessage.__table__,  # type: ignore[arg-type]
        {
            "program_id": program_id,
            "id": ids.new_id(),
            "type": type,
            "member_id": member_id,
            "payload": jsontext.text(payload),
            "created_at": now,
            "dispatched_at": None,
        },
    )


def list_waiting(connection: sa.Connection) -> list[tuple[bytes, clock.Instant]]:
    """Each program that has messages waiting, and when its oldest one was written.

    One look-up in the index for each program, however many messages wait.
    """
    found: list[tuple[bytes, clock.Instant]] = []
    after = b""
    while True:
        row = connection.execute(
            sa.select(OutboxMessage.program_id, OutboxMessage.id)
            .where(OutboxMessage.dispatched_at.is_(None), OutboxMessage.program_id > after)
            .order_by(OutboxMessage.program_id, OutboxMessage.id)
            .limit(1)
        ).first()
        if row is None:
            return found
        after = bytes(row.program_id)
        found.append((after, _written_at(bytes(row.id))))


def _written_at(message_id: bytes) -> clock.Instant:
    # A UUIDv7 starts with the milliseconds at which it was made, by the machine's clock.
    return clock.Instant(int.from_bytes(message_id[:6], "big") * 1000)


def lock_waiting(connection: sa.Connection, program_id: bytes, *, limit: int) -> list[Any]:
    """The program's oldest waiting messages, locked; those that another worker has are left."""
    return list(
        connection.execute(
            sa.select(OutboxMessage.id, OutboxMessage.type)
            .where(OutboxMessage.program_id == program_id, OutboxMessage.dispatched_at.is_(None))
            .order_by(OutboxMessage.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def mark_dispatched(
    connection: sa.Connection, program_id: bytes, message_ids: Sequence[bytes], now: clock.Instant
) -> None:
    """These messages wait no longer: whoever is to hear of them has a row of their own."""
    connection.execute(
        sa.update(OutboxMessage)
        .where(OutboxMessage.program_id == program_id, OutboxMessage.id.in_(message_ids))
        .values(dispatched_at=now)
    )
