"""What went back of captured holds, and what of that was spent anew, by their entries.

Reads only, under the member's lock.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids
from loyalty.ledger.rows import ENTRIES, HOLD_PREFIX, HeldHold

#: Since the hold was made: what came before it in the account is never looked at.
_made = ENTRIES.alias("made")
_moved = db.Statement(
    sa.select(ENTRIES.c.id, ENTRIES.c.kind, ENTRIES.c.points)
    .where(
        ENTRIES.c.program_id == sa.bindparam("program_id"),
        ENTRIES.c.member_id == sa.bindparam("member_id"),
        ENTRIES.c.points_key == sa.bindparam("points_key"),
        ENTRIES.c.seq
        > sa.select(_made.c.seq)
        .where(
            _made.c.program_id == sa.bindparam("program_id"),
            _made.c.id == sa.bindparam("entry_id"),
        )
        .scalar_subquery(),
        ENTRIES.c.source_type == sa.literal_column("'redemption'"),
        ENTRIES.c.source_ref == sa.bindparam("source_ref"),
        ENTRIES.c.kind.in_([sa.literal_column("'restore'"), sa.literal_column("'spend'")]),
    )
    .order_by(ENTRIES.c.seq)
)


def moved(connection: sa.Connection, held: HeldHold) -> Sequence[Sequence[Any]]:
    """The entries by which points of a hold went back (`restore`) or were spent anew (`spend`)
    since it was made: id, kind and points, in order."""
    values = {
        "program_id": held.program_id,
        "member_id": held.member_id,
        "points_key": held.points_key,
        "entry_id": held.entry_id,
        "source_ref": ids.show_id(HOLD_PREFIX, held.id),
    }
    return _moved.rows(connection, values)
