"""Ranks by spend: how many of the members who take part spent more in the last 12 months.

One statement ranks everybody, and writes only whose rank has changed. Refuses to be exact between
two midnights: a rank is a fact of the day.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import clock
from members.members import MEMBERS
from orders.models import Order
from segments.models import RANKS

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
YEAR = clock.Duration(months=12)
_WHOLE: sa.ColumnElement[Any] = sa.literal_column("10000")
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def rank_all(connection: sa.Connection, program_id: bytes, *, at: int, year_from: int) -> None:
    """Rank every member who takes part by what they spent after `year_from`, up to `at`."""
    spent = (
        sa.select(ORDERS.c.member_id, sa.func.sum(ORDERS.c.spend_minor).label("minor"))
        .where(
            ORDERS.c.program_id == program_id,
            ORDERS.c.stands == sa.true(),
            ORDERS.c.placed_at > year_from,
            ORDERS.c.placed_at <= at,
            ORDERS.c.member_id.is_not(None),
        )
        .group_by(ORDERS.c.member_id)
        .subquery()
    )
    minor = sa.cast(sa.func.coalesce(spent.c.minor, 0), sa.BigInteger)
    place = sa.func.rank().over(order_by=minor.desc()) - sa.literal_column("1")
    count = sa.func.count().over()
    living = sa.and_(
        MEMBERS.c.program_id == program_id,
        MEMBERS.c.is_enrolled == sa.true(),
        MEMBERS.c.erased_at.is_(None),
        MEMBERS.c.merged_into_id.is_(None),
    )
    ranked = (
        sa.select(MEMBERS.c.program_id, MEMBERS.c.id, place * _WHOLE // count)
        .select_from(MEMBERS.outerjoin(spent, spent.c.member_id == MEMBERS.c.id))
        .where(living)
    )
    insert = _INSERTS[connection.dialect.name](RANKS).from_select(
        ["program_id", "member_id", "rank_bp"], ranked
    )
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["program_id", "member_id"],
            set_={"rank_bp": insert.excluded.rank_bp},
            where=RANKS.c.rank_bp != insert.excluded.rank_bp,
        )
    )
    connection.execute(
        sa.delete(RANKS).where(
            RANKS.c.program_id == program_id,
            RANKS.c.member_id.not_in(sa.select(MEMBERS.c.id).where(living)),
        )
    )
