"""Lapsing: grants whose time is over are so when they are read; here it is written.

What they took of stock is free from then on. Refuses to end what was used.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from rewards import grants
from rewards.carried import GRANTS
from storefront.plan import Plan


def settle(connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes]) -> None:
    """Let what is due of these members' grants be over, each at its own instant."""
    columns = GRANTS.c
    found = connection.execute(
        sa.select(GRANTS)
        .where(
            columns.program_id == plan.program_id,
            columns.due_at <= plan.now,
            columns.member_id.in_(member_ids),
        )
        .order_by(columns.due_at, columns.id)
    ).all()
    rows = [grants.take_up(plan, row) for row in found]
    grants.lock(plan, rows)
    for row in rows:
        grants.settle(plan, row)


def overdue(
    connection: sa.Connection, program_id: bytes, reward_key: str, *, now: int, limit: int
) -> list[bytes]:
    """Members with grants of a reward that are over and still take of its stock, those waiting
    longest first."""
    columns = GRANTS.c
    rows = connection.execute(
        sa.select(columns.member_id)
        .where(
            columns.program_id == program_id,
            columns.due_at <= now,
            columns.reward_key == reward_key,
            columns.has_stock,
        )
        .order_by(columns.due_at)
        .limit(limit)
    )
    return [bytes(row[0]) for row in rows]
