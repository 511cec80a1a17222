"""The outbox: what the world outside will be told, written with the effect it tells of.

Owns the rows. Nothing is sent from inside a request; a worker reads and delivers them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, db, ids, jsontext
from core.writing import Writes


class OutboxMessage(db.Base):
    """One thing that happened, in the words of the webhook types."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index(
            "ix_outbox_undelivered",
            "created_at",
            postgresql_where=sa.text("delivered_at IS NULL"),
            sqlite_where=sa.text("delivered_at IS NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    type: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    payload: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    delivered_at: Mapped[int | None] = mapped_column(sa.BigInteger)


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
            "delivered_at": None,
        },
    )
