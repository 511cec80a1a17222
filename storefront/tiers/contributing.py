"""What moves members on the ladder, as stored: orders that stand, and what else counts.

Reads only; what a unit has decided since is known to its plan.
"""

import functools
from collections.abc import Sequence

import sqlalchemy as sa

from core import rawsql
from loyalty.models import Adjustment
from loyalty.tiers.contributions import Contribution
from members.models import Activity
from orders.models import Order
from storefront.tiers import referred

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
ADJUSTMENTS: sa.Table = Adjustment.__table__  # type: ignore[assignment]


def activity_key(activity_ref: str) -> str:
    """What the contribution of an activity goes by: no order has such a reference."""
    return f"\x02{activity_ref}"


@functools.cache
def _sql(dialect: str) -> str:
    """Everything of one member in one statement: orders first, in the order of arrival."""
    mark = rawsql.mark(dialect)
    mine = f"program_id = {mark}1 AND {{column}} = {mark}2"
    member = mine.format(column="member_id")
    return f"""
SELECT 0 AS kind, order_ref AS ref, placed_at AS at, spend_minor, qualifying_points,
    created_at, id
FROM orders WHERE {member} AND stands
UNION ALL
SELECT 1, '', effective_at, 0, points, effective_at, id
FROM adjustments WHERE {mine.format(column="tier_member_id")}
UNION ALL
SELECT 2, activity_ref, occurred_at, 0, qualifying_points, created_at, id
FROM activities WHERE {member} AND status = 'done' AND qualifying_points > 0
ORDER BY kind, at, created_at, id
"""


def read(
    connection: sa.Connection, program_id: bytes, member_id: bytes, *, counts_referrals: bool
) -> list[tuple[str, Contribution]]:
    """What the member's orders that stand contribute, each with its reference, in the order of
    time and, at one instant, of arrival; then what adjustments and activities do, and approved
    friends, where they count."""
    friends = referred.read(connection, program_id, member_id) if counts_referrals else []
    rows = rawsql.run(connection, _sql(connection.dialect.name), [program_id, member_id])
    return [
        (ref, Contribution(at, spend, points))
        if kind == 0
        else (activity_key(ref) if kind == 2 else "", Contribution(at, 0, points, count=0))
        for kind, ref, at, spend, points, *_ in rows
    ] + friends


def read_many(
    connection: sa.Connection,
    program_id: bytes,
    member_ids: Sequence[bytes],
    *,
    counts_referrals: bool,
) -> dict[bytes, list[tuple[str, Contribution]]]:
    """What the orders of many members contribute, as `read` does of one."""
    found: dict[bytes, list[tuple[str, Contribution]]] = {one: [] for one in member_ids}
    if not found:
        return found
    mine = (ORDERS.c.program_id == program_id, ORDERS.c.member_id.in_(list(found)))
    rows = connection.execute(
        sa.select(
            ORDERS.c.member_id,
            ORDERS.c.order_ref,
            ORDERS.c.placed_at,
            ORDERS.c.spend_minor,
            ORDERS.c.qualifying_points,
        )
        .where(*mine, ORDERS.c.stands)
        .order_by(ORDERS.c.placed_at, ORDERS.c.created_at, ORDERS.c.id)
    )
    for member_id, ref, at, spend, points in rows:
        found[bytes(member_id)].append((ref, Contribution(at, spend, points)))
    columns = ADJUSTMENTS.c
    counted = connection.execute(
        sa.select(columns.tier_member_id, columns.effective_at, columns.points).where(
            columns.program_id == program_id, columns.tier_member_id.in_(list(found))
        )
    )
    for member_id, at, points in counted:
        found[bytes(member_id)].append(("", Contribution(at, 0, points, count=0)))
    told = connection.execute(
        sa.select(
            Activity.member_id,
            Activity.activity_ref,
            Activity.occurred_at,
            Activity.qualifying_points,
        ).where(
            Activity.program_id == program_id,
            Activity.member_id.in_(list(found)),
            Activity.status == "done",
            Activity.qualifying_points > 0,
        )
    )
    for member_id, ref, at, points in told:
        key = activity_key(ref)
        found[bytes(member_id)].append((key, Contribution(at, 0, points, count=0)))
    if counts_referrals:
        for member_id, friends in referred.read_many(connection, program_id, member_ids).items():
            found[member_id] += friends
    return found
