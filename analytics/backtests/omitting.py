"""Omitting: what a back-test does not live again as it was, counted by name.

Owns the names, except those of movements (`moved`) and of what the tested document refuses. Counts
only: nobody is named.
"""

from typing import Any

import sqlalchemy as sa

from loyalty.ledger.rows import ENTRIES
from members.members import MEMBERS
from members.occasions import OCCASIONS
from referrals.carried import REFERRALS
from rewards.carried import GRANTS
from rewards.models import StockMove

_STOCK: sa.Table = StockMove.__table__  # type: ignore[assignment]
_M = MEMBERS.c
#: Whom storefronts still tell of.
_LIVES = sa.and_(_M.erased_at.is_(None), _M.merged_into_id.is_(None))


def has_earned() -> sa.ColumnElement[bool]:
    """Whether a member, of the statement that asks, ever earned points: who does not take part
    earns none."""
    return sa.exists(
        sa.select(sa.literal(1))
        .select_from(ENTRIES)
        .where(
            ENTRIES.c.program_id == _M.program_id,
            ENTRIES.c.member_id == _M.id,
            ENTRIES.c.kind == "earn",
        )
        .correlate(MEMBERS)
    )


def count(connection: sa.Connection, program_id: bytes) -> dict[str, int]:
    """Everything that there is of it."""
    conditions = {
        "erased_members": (MEMBERS, _M.erased_at.is_not(None)),
        "changed_members": (MEMBERS, sa.and_(_LIVES, _has_changed())),
        "left_members": (MEMBERS, sa.and_(_LIVES, ~_M.is_enrolled, has_earned())),
        "referrals": (REFERRALS, REFERRALS.c.state == "approved"),
        "manual_grants": (GRANTS, GRANTS.c.source_type == "manual"),
        "stock_moves": (_STOCK, sa.true()),
    }
    found = {name: _count(connection, program_id, *one) for name, one in conditions.items()}
    found["redated_lots"] = _redated(connection, program_id)
    return {name: value for name, value in found.items() if value}


def _count(connection: sa.Connection, program_id: bytes, table: sa.Table, condition: Any) -> int:
    statement = sa.select(sa.func.count()).select_from(table)
    statement = statement.where(table.c.program_id == program_id, condition)
    return int(connection.execute(statement).scalar_one())


def _has_changed() -> sa.ColumnElement[bool]:
    """A storefront told of them after they were there, or of another birthday: of other changes
    nothing is kept."""
    columns = OCCASIONS.c
    birthday = sa.exists(
        sa.select(sa.literal(1))
        .select_from(OCCASIONS)
        .where(
            columns.program_id == _M.program_id,
            columns.member_id == _M.id,
            columns.kind == "birthday",
            columns.told_at > _M.created_at,
        )
        .correlate(MEMBERS)
    )
    return sa.or_(_M.told_at > _M.created_at, birthday)


def _redated(connection: sa.Connection, program_id: bytes) -> int:
    """Adjustments by which a lot got a new date: each is more than one entry."""
    columns = ENTRIES.c
    several = (
        sa.select(columns.source_ref)
        .where(columns.program_id == program_id, columns.source_type == "adjustment")
        .group_by(columns.source_ref)
        .having(sa.func.count() > 1)
        .subquery()
    )
    return int(connection.execute(sa.select(sa.func.count()).select_from(several)).scalar_one())
