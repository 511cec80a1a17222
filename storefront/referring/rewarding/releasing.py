"""Releasing: what time alone does to referrals, each in a unit of its own.

The hold of one ends, its review has taken as long as it may, or no order came in time. Two members
are locked for each, so these units are none of those that settle members one by one. The oldest
come first, since they may take what is left of a cap. Refuses to decide: `following` does.
"""

import functools
from collections.abc import Sequence

import sqlalchemy as sa

from core import db
from loyalty import reading
from members import members
from programs import versions
from referrals import referrals
from referrals.carried import REFERRALS
from storefront import finishing
from storefront.plan import begin
from storefront.referring import locking
from storefront.referring.rewarding import following
from storefront.tiers import tier_entries

#: Which rows are due at all.
IS_DUE = REFERRALS.c.due_at.is_not(None)


def settle_due(program_id: bytes, limit: int) -> int:
    """Let time have its way with some referrals of a program; how many there were."""
    found = db.reading(lambda connection: _due(connection, program_id, limit))
    for referral_id in found:
        db.in_transaction(functools.partial(_unit, program_id, referral_id))
    return len(found)


def _due(connection: sa.Connection, program_id: bytes, limit: int) -> Sequence[bytes]:
    """Referrals that are due, in the order in which they fell due; at one instant who qualified
    first is first."""
    _, now = versions.get_live(connection, program_id)
    rows = connection.execute(
        sa.select(REFERRALS.c.id)
        .where(REFERRALS.c.program_id == program_id, REFERRALS.c.due_at <= now, IS_DUE)
        .order_by(REFERRALS.c.due_at, REFERRALS.c.qualified_at, REFERRALS.c.id)
        .limit(limit)
    )
    return [bytes(one) for one in rows.scalars()]


def _unit(program_id: bytes, referral_id: bytes, connection: sa.Connection) -> None:
    live, now = versions.get_live(connection, program_id)
    looking = begin(connection, live, now=now, is_quote=True)
    seen = referrals.find(looking, referral_id)
    if seen is None:
        return
    wanted = locking.parties(connection, looking, seen)
    locked = members.lock_ids(connection, program_id, sorted(wanted))
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now)
    locking.note(plan, wanted)
    referral = referrals.find(plan, referral_id)
    assert referral is not None
    if not wanted <= locked.keys() or locking.parties(connection, plan, referral) - wanted:
        raise db.Restart
    if referral.due_at is None or referral.due_at > now:
        # Somebody's order has settled it since.
        return
    for member_id in sorted(wanted):
        plan.book.load(reading.read_holdings(connection, program_id, member_id))
        plan.settle(member_id)
    due_at = referral.due_at
    following.follow(connection, plan, referral, cause="time", at=due_at)
    if referral.due_at == due_at:
        referral.due_at = None
    tier_entries.follow(connection, plan)
    finishing.write(connection, plan)
