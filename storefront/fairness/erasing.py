"""Receipts of a person who is erased: whom and what they were about goes, and by which luck; their
hashes stay.

Whether something was won, and what it cost, stays with us, for the ledger and the budget, and is
shown to nobody. They stay counted, numbered and below their roots: whoever checks counts them as
sealed.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from rewards.surprises.carried import DRAWS


def forget(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    """Seal the receipts of a person, under whichever id they were drawn."""
    connection.execute(
        sa.update(DRAWS)
        .where(DRAWS.c.program_id == program_id, DRAWS.c.member_id.in_(everyone))
        .values(
            member_ref=None,
            activity_ref=None,
            source_ref=None,
            roll=None,
            losses=0,
            is_erased=True,
        )
    )
