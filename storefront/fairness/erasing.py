"""Receipts of a person who is erased: whom and what they were about goes, their hashes stay.

They stay counted, numbered and below their roots: whoever checks counts them as sealed.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from rewards.surprises.carried import DRAWS


def forget(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    """Seal the receipts of a person, under whichever id they were drawn."""
    connection.execute(
        sa.update(DRAWS)
        .where(DRAWS.c.program_id == program_id, DRAWS.c.member_id.in_(everyone))
        .values(member_ref=None, activity_ref=None, source_ref=None, is_erased=True)
    )
