"""What was told before: kept when an order, a refund or an activity is told anew with news.

Owns the table of superseded tellings. The newest telling of a thing is its own row, so what is told
once costs nothing here. Refuses to keep what was told of somebody who is erased.
"""

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from core import clock, ids
from core.writing import Writes
from orders.models import SupersededTelling

SUPERSEDED: sa.Table = SupersededTelling.__table__  # type: ignore[assignment]

#: A kind of thing, its reference, and of a refund its own.
Told = tuple[Literal["order", "refund", "activity"], str, str | None]


def note(writes: Writes, program_id: bytes, told: Told, *, body: str, now: clock.Instant) -> None:
    """Keep what was told of a thing until now: something else is told in its place."""
    kind, ref, refund_ref = told
    writes.insert(
        SUPERSEDED,
        {
            "program_id": program_id,
            "id": ids.new_id(),
            "kind": kind,
            "ref": ref,
            "refund_ref": refund_ref,
            "body": body,
            "recorded_at": now,
        },
    )


def forget(
    connection: sa.Connection,
    program_id: bytes,
    *,
    order_refs: Sequence[str] | sa.ScalarSelect[str],
    activity_refs: Sequence[str] | sa.ScalarSelect[str],
) -> None:
    """Forget what was told before of these orders, with their refunds, and of these activities."""
    for kinds, refs in ((("order", "refund"), order_refs), (("activity",), activity_refs)):
        connection.execute(
            sa.delete(SUPERSEDED).where(
                SUPERSEDED.c.program_id == program_id,
                SUPERSEDED.c.kind.in_(kinds),
                SUPERSEDED.c.ref.in_(refs),
            )
        )
