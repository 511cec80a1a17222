"""Locking: who must be locked before a referral may be changed, and getting those locks.

A referral, its sides and its log belong to everybody whom it concerns: the friend, the advocate,
and whoever gets a second level. A unit that holds some locks may try for further ones, and waits
for none of them: locks taken late are out of their order. Refuses to start a unit again: whoever
called does, with every lock at once and sorted.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from core import db, jsontext
from members import members
from members.members import MEMBERS, Known
from referrals.carried import REFERRALS
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.rewarding import second_level
from storefront.standing import FriendOf

#: A member whom nobody has locked just now, and who was merged into nobody.
_free = db.Statement(
    sa.select(
        MEMBERS.c.id,
        MEMBERS.c.member_ref,
        MEMBERS.c.is_enrolled,
        MEMBERS.c.joined_at,
        MEMBERS.c.locale,
        MEMBERS.c.attributes,
        MEMBERS.c.erased_at,
    )
    .where(
        MEMBERS.c.program_id == sa.bindparam("program_id"),
        MEMBERS.c.id == sa.bindparam("id"),
        MEMBERS.c.merged_into_id.is_(None),
    )
    .with_for_update(key_share=True, skip_locked=True)
)


def parties(connection: sa.Connection, plan: Plan, referral: Row) -> set[bytes]:
    """Everybody whose lock a unit needs that changes a referral."""
    second = second_level.member_of(connection, plan, referral)
    found: set[bytes] = {referral.friend_id, referral.advocate_id}
    return found if second is None else found | {second}


def note(plan: Plan, member_ids: Iterable[bytes | None]) -> None:
    """Note which members' locks the unit holds."""
    plan.referrals.locked.update(one for one in member_ids if one is not None)


def try_lock(connection: sa.Connection, plan: Plan, member_ids: Iterable[bytes]) -> bool:
    """Lock further members if that needs no waiting; whether all of them are locked now."""
    locked = plan.referrals.locked
    missing = sorted(set(member_ids) - locked)
    if not missing:
        return True
    for member_id in missing:
        row = _free.first(connection, {"program_id": plan.program_id, "id": member_id})
        if row is None:
            return False
        plan.referrals.people[member_id] = _known(row)
        note(plan, [member_id])
    return True


def _known(row: Sequence[Any]) -> Known:
    member_id, member_ref, is_enrolled, joined_at, locale, attributes, erased_at = row
    return Known(
        bytes(member_id),
        member_ref,
        is_enrolled=bool(is_enrolled),
        joined_at=joined_at,
        locale=locale,
        attributes=jsontext.parse(attributes),
        is_erased=erased_at is not None,
    )


def person(connection: sa.Connection, plan: Plan, member_id: bytes) -> Known | None:
    """A member who is locked for a referral."""
    known: Known | None = plan.referrals.people.get(member_id)
    if known is None:
        known = members.lock_ids(connection, plan.program_id, [member_id]).get(member_id)
        if known is not None and known.id == member_id:
            plan.referrals.people[member_id] = known
    return known


def peek(connection: sa.Connection, plan: Plan, friend_id: bytes) -> FriendOf | None:
    """The referral that brought a member, read before anybody is locked for it."""
    row = connection.execute(
        sa.select(
            REFERRALS.c.id,
            REFERRALS.c.advocate_id,
            REFERRALS.c.state,
            REFERRALS.c.order_ref,
            REFERRALS.c.is_bound,
            REFERRALS.c.reason,
            REFERRALS.c.qualified_at,
            sa.func.coalesce(REFERRALS.c.clicked_at, REFERRALS.c.bound_at),
        ).where(REFERRALS.c.program_id == plan.program_id, REFERRALS.c.friend_id == friend_id)
    ).first()
    if row is None:
        return None
    referral_id, advocate_id, state, order_ref, is_bound, *rest = row
    return FriendOf(bytes(referral_id), bytes(advocate_id), state, order_ref, bool(is_bound), *rest)
