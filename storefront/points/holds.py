"""Holds of points for an open checkout: held, then captured, released or run out, once.

The member is found, locked and settled first, so a hold whose time is over has run out before
anything else can end it. Rewards build their redemptions on these.
"""

from collections.abc import Callable
from typing import Any, Literal

import sqlalchemy as sa

from core import clock, db
from core.errors import not_found
from loyalty import reading
from loyalty.ledger import holds
from loyalty.ledger.rows import HeldHold
from members import members
from programs import versions
from storefront.activities import inactivity
from storefront.membership import erasure
from storefront.plan import Plan, begin
from storefront.refunding import tender


def hold(
    program_id: bytes,
    member_ref: str,
    points: int,
    *,
    points_key: str | None = None,
    ttl: clock.Duration | None,
    actor: str | None = None,
) -> dict[str, Any]:
    """Hold points for so long (None: until somebody ends it); 409 `insufficient_points`."""

    def unit(connection: sa.Connection) -> dict[str, Any]:
        known = members.find(connection, program_id, member_ref, is_locking=True)
        if known is None:
            raise not_found("member")
        plan = _settled(connection, program_id, known.id, actor)
        key = points_key or plan.live.points[0].key
        expires_at = None if ttl is None else clock.after(plan.now, ttl, plan.live.zone)
        made = holds.hold(
            plan.book,
            plan.book.holding(known.id, key),
            points,
            expires_at=expires_at,
            now=plan.now,
            actor=actor,
        )
        plan.write(connection)
        return made.shown()

    return db.in_transaction(unit)


def capture(program_id: bytes, hold_id: str, *, actor: str | None = None) -> dict[str, Any]:
    """Spend what is held; 409 `state_conflict` when the hold has ended otherwise."""
    return _end(program_id, hold_id, "captured", actor)


def release(program_id: bytes, hold_id: str, *, actor: str | None = None) -> dict[str, Any]:
    """Give up a hold; 409 `state_conflict` when the hold has ended otherwise."""
    return _end(program_id, hold_id, "released", actor)


def reverse(
    program_id: bytes,
    hold_id: str,
    *,
    policy: Literal["strict", "grace"] = "strict",
    actor: str | None = None,
) -> dict[str, Any]:
    """Give all points of a captured hold back to their lots; again changes nothing."""

    def work(plan: Plan, held: HeldHold) -> None:
        holds.give_back(
            plan.book, held, held.points, policy=policy, at=plan.now, now=plan.now, actor=actor
        )

    return _on_hold(program_id, hold_id, work, actor=actor)


def _end(
    program_id: bytes, hold_id: str, state: Literal["captured", "released"], actor: str | None
) -> dict[str, Any]:
    def work(plan: Plan, held: HeldHold) -> None:
        holds.end(plan.book, held, state, at=plan.now, now=plan.now, actor=actor)

    return _on_hold(program_id, hold_id, work, actor=actor)


def _on_hold(
    program_id: bytes,
    hold_id: str,
    work: Callable[[Plan, HeldHold], None],
    *,
    actor: str | None,
) -> dict[str, Any]:
    """Do something to a hold under its member's lock, after what fell due of that member."""

    def unit(connection: sa.Connection) -> dict[str, Any]:
        seen = reading.find_hold(connection, program_id, hold_id)
        if seen is None:
            raise not_found("hold")
        owner = members.lock_ids(connection, program_id, [seen.member_id]).get(seen.member_id)
        held = reading.find_hold(connection, program_id, hold_id)
        assert held is not None
        plan = _settled(connection, program_id, held.member_id, actor)
        held = plan.book.take_up(held)
        work(plan, held)
        inactivity.follow(connection, plan, held.member_id)
        if owner is not None and owner.id != held.member_id:
            plan.book.load(reading.read_holdings(connection, program_id, owner.id))
            plan.settle(owner.id)
            tender.hand_on(plan, held, owner.id)
        if owner is not None and owner.is_erased:
            erasure.forfeit(plan, owner.id)
        plan.write(connection)
        return held.shown()

    return db.in_transaction(unit)


def _settled(
    connection: sa.Connection, program_id: bytes, member_id: bytes, actor: str | None
) -> Plan:
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, member_id))
    plan.settle(member_id)
    return plan
