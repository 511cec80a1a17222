"""Receipts of members who turn out to be one person.

The roll stays what it was made with: a receipt keeps the reference that it was drawn with, whoever
has it by now. Refuses to undo a prize.
"""

import sqlalchemy as sa

from rewards.surprises.carried import DRAWS


def unite(connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes) -> None:
    """Hand the receipts of one member to another. Where both drew for the same thing (an order that
    was moved from one to the other) the one who stays keeps their own, and so does the other."""
    kept = DRAWS.alias()
    both_drew = sa.exists().where(
        kept.c.program_id == DRAWS.c.program_id,
        kept.c.source_id == DRAWS.c.source_id,
        kept.c.surprise_key == DRAWS.c.surprise_key,
        kept.c.member_id == into_id,
    )
    connection.execute(
        sa.update(DRAWS)
        .where(DRAWS.c.program_id == program_id, DRAWS.c.member_id == old_id, ~both_drew)
        .values(member_id=into_id)
    )
