"""Writing what dates have ended: codes that nobody can use any more.

True when read without it: a voucher whose date is over is expired whatever its row says. Refuses to
wait for rows that somebody holds: whoever holds one leaves it right.
"""

import sqlalchemy as sa

from programs import versions
from rewards.carried import VOUCHERS

#: What a date can end. In these very words the index of what is due has it.
IS_DUE: sa.ColumnElement[bool] = sa.and_(
    VOUCHERS.c.state.in_([sa.literal_column("'active'"), sa.literal_column("'frozen'")]),
    VOUCHERS.c.expires_at.is_not(None),
)


def expire_due(connection: sa.Connection, program_id: bytes, limit: int) -> int:
    """Write that some of a program's codes have ended, each at its own instant; how many."""
    _, now = versions.get_live(connection, program_id)
    found = [
        bytes(row[0])
        for row in connection.execute(
            sa.select(VOUCHERS.c.id)
            .where(VOUCHERS.c.program_id == program_id, IS_DUE, VOUCHERS.c.expires_at <= now)
            .order_by(VOUCHERS.c.expires_at)
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
        )
    ]
    if found:
        connection.execute(
            sa.update(VOUCHERS)
            .where(VOUCHERS.c.program_id == program_id, VOUCHERS.c.id.in_(found))
            .values(state="expired", ended_at=VOUCHERS.c.expires_at)
        )
    return len(found)
