"""The second level: whoever brought the advocate, where an offer says that they get something too.

One level further and no more. Refuses to lock and to pay: `locking` and `paying` do.
"""

import sqlalchemy as sa

from programs import versions
from referrals import referrals
from referrals.carried import REFERRALS, SIDES
from rewards.carried import Row
from storefront.plan import Plan

SIDE = "second"


def member_of(connection: sa.Connection, plan: Plan, referral: Row) -> bytes | None:
    """Who gets the second level of a referral; None when its offer has none, or nobody brought the
    advocate. Once somebody gets it, it is theirs. Reads beside what the unit holds, so that it
    may be asked before anybody is locked; asked again under the advocate's lock, it is certain."""
    held = plan.referrals.sides.get((referral.id, SIDE))
    if held is not None:
        member_id: bytes = held.member_id
        return member_id
    program = versions.get_compiled(
        connection, plan.program_id, referral.version, referral.switches
    )
    offer = program.offer(referral.offer_key)
    if offer is None or not offer.second:
        return None
    stored = connection.execute(
        sa.select(SIDES.c.member_id).where(
            SIDES.c.program_id == plan.program_id,
            SIDES.c.referral_id == referral.id,
            SIDES.c.side == SIDE,
        )
    ).scalar()
    found = bytes(stored) if stored is not None else _brought_by(connection, plan, referral)
    # Rings come about by merges; nobody gets two sides of one referral.
    return None if found in (referral.friend_id, referral.advocate_id) else found


def refusal(connection: sa.Connection, plan: Plan, referral: Row, side: Row) -> str | None:
    """Why a second level is not paid: its member is not the one any more who brought the advocate,
    or that was refused since. Needs the locks of both."""
    if _brought_by(connection, plan, referral) == side.member_id:
        return None
    own = referrals.of_friend(plan, referral.advocate_id)
    reason = None if own is None else own.reason
    return "MANUAL" if reason is None else str(reason)


def _brought_by(connection: sa.Connection, plan: Plan, referral: Row) -> bytes | None:
    """Who brought the advocate, if their own referral is bound and not rejected."""
    known = plan.referrals.of_friend.get(referral.advocate_id)
    if known is not None:
        own = plan.referrals.referrals[known]
        advocate_id: bytes = own.advocate_id
        return advocate_id if own.is_bound and own.state != "rejected" else None
    row = connection.execute(
        sa.select(REFERRALS.c.advocate_id).where(
            REFERRALS.c.program_id == plan.program_id,
            REFERRALS.c.friend_id == referral.advocate_id,
            REFERRALS.c.is_bound,
            REFERRALS.c.state != "rejected",
        )
    ).scalar()
    return None if row is None else bytes(row)
