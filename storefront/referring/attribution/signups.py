"""Signups: a member who is told may be somebody's friend; then both are locked, and both paid.

Who is not locked yet is found by a look without locks, then everybody is locked at once, sorted;
a new member's row is inserted after that. Programs without offers pay no statement for this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from core import db, jsontext
from members import members
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from storefront.firing import Fired
from storefront.plan import Plan, begin
from storefront.referring import locking
from storefront.referring.attribution import attributing
from storefront.referring.attribution.attributing import Attributed
from storefront.referring.rewarding import following, told_sides
from storefront.tiers import tier_entries


@dataclass(frozen=True, slots=True)
class Locked:
    """The member, if known, and everybody who is locked with them."""

    known: Known | None
    others: frozenset[bytes] = frozenset()
    edition: tuple[int, int] = (0, 0)

    def check(self, connection: sa.Connection, live: Compiled) -> None:
        """Start again where another version than the expected one is live by now."""
        if self.edition != live.edition:
            versions.expect(connection, live.program_id, live.edition)
            raise db.Restart


def lock(
    connection: sa.Connection, program_id: bytes, member_ref: str, body: Mapping[str, Any]
) -> Locked:
    """Lock the member that is told, with everybody whom the evidence would touch."""
    live = versions.expected(connection, program_id)
    if live.offers:
        # Tokens and leads are over by the program's clock.
        live, now = versions.get_live(connection, program_id)
        plan = begin(connection, live, now=now, is_quote=True)
        known = members.find(connection, program_id, member_ref)
        friend_id = None if known is None else known.id
        others = attributing.prepare(connection, plan, None, friend_id=friend_id, body=body, at=now)
        if others:
            return _lock_all(connection, live, known, others)
    known = members.find(connection, program_id, member_ref, is_locking=True)
    return Locked(known, edition=live.edition)


def _lock_all(
    connection: sa.Connection, live: Compiled, known: Known | None, others: set[bytes]
) -> Locked:
    wanted = others if known is None else others | {known.id}
    locked = members.lock_ids(connection, live.program_id, sorted(wanted))
    if not wanted <= set(locked):
        # Somebody was merged since we looked.
        raise db.Restart
    return Locked(
        None if known is None else locked[known.id], frozenset(others), edition=live.edition
    )


def follow(
    connection: sa.Connection,
    plan: Plan,
    row: Mapping[str, Any],
    body: Mapping[str, Any],
    *,
    locked: Locked,
) -> Attributed:
    """Bind the member who was told by the evidence that came with them, and let follow what a
    signup brings both."""
    friend = _friend(row)
    # Whom an order enrolled is told of later: what comes with the first word of them is of when it
    # says that they joined. Of whom somebody told before, it is of now, whatever is said.
    is_first = row["told_at"] is None and "joined_at" in body
    is_new = locked.known is None or is_first
    at = friend.joined_at if is_new else plan.now
    locking.note(plan, [friend.id, *locked.others])
    found = attributing.attribute(
        connection, plan, friend, body, at=at, cause="signup", order_ref=None, is_new=is_new
    )
    referral = found.referral
    if referral is None or not referral.is_changed:
        return found
    if referral.is_bound:
        following.follow(connection, plan, referral, cause="signup")
        tier_entries.follow(connection, plan)
    found = attributing.answered(plan, found)
    sides = told_sides.show(connection, plan, referral)
    return replace(found, answer=(found.answer or {}) | {"sides": sides}) if sides else found


def paid(plan: Plan, member_id: bytes) -> list[Fired]:
    """What this unit paid a member for being brought."""
    carried = plan.referrals
    return [
        carried.fired[side.id]
        for side in carried.sides.values()
        if side.side == "friend" and side.member_id == member_id and side.id in carried.fired
    ]


def _friend(row: Mapping[str, Any]) -> Known:
    return Known(
        id=bytes(row["id"]),
        member_ref=row["member_ref"],
        is_enrolled=bool(row["is_enrolled"]),
        joined_at=row["joined_at"],
        locale=row["locale"],
        attributes=jsontext.parse(row["attributes"]),
    )
