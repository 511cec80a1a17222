"""Blocking: who gets nothing new of referrals, asked before a side is given anything.

What a blocked member has they keep until it is taken back; nothing is given to them, not even once
more. Whoever was looked at in this unit already is not asked for again. Refuses to block: reviewers
do (`reviewing`).
"""

import sqlalchemy as sa

from core import db
from referrals.models import ReferralBlock
from storefront.plan import Plan

_BLOCKS: sa.Table = ReferralBlock.__table__  # type: ignore[assignment]
_found = db.Statement(
    sa.select(_BLOCKS.c.member_id).where(
        _BLOCKS.c.program_id == sa.bindparam("program_id"),
        _BLOCKS.c.member_id == sa.bindparam("member_id"),
    )
)


def is_blocked(connection: sa.Connection, plan: Plan, member_id: bytes) -> bool:
    """Whether a member whose lock is held is blocked."""
    if member_id in plan.referrals.unblocked:
        return False
    values = {"program_id": plan.program_id, "member_id": member_id}
    if _found.first(connection, values) is not None:
        return True
    plan.referrals.unblocked.add(member_id)
    return False
