"""What a request changed of the sides of a referral, as its answer shows it.

Refuses to show what it did not change, and the reference of whoever was erased.
"""

from typing import Any

import sqlalchemy as sa

from members.members import MEMBERS
from rewards.carried import Row
from storefront import answers, firing
from storefront.firing import Fired
from storefront.plan import Plan

_ORDER = ("advocate", "friend", "second")


def show(connection: sa.Connection, plan: Plan, referral: Row) -> list[dict[str, Any]]:
    """The sides that this unit paid, took back or capped, with what stands of them and what it
    took back."""
    sides = [
        one
        for one in plan.referrals.sides_of(referral.id)
        if one.id in plan.referrals.fired or (one.is_changed and one.state != "waiting")
    ]
    if not sides:
        return []
    refs = _refs(connection, plan, [one.member_id for one in sides])
    sides.sort(key=lambda one: _ORDER.index(one.side))
    return [_shown(plan, one, refs.get(one.member_id)) for one in sides]


def _shown(plan: Plan, side: Row, member_ref: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"side": side.side}
    if member_ref is not None:
        shown["member_ref"] = member_ref
    shown["state"] = side.state
    if side.reason is not None:
        shown["reason"] = side.reason
    fired: Fired | None = plan.referrals.fired.get(side.id)
    brought = firing.nothing() if fired is None else firing.brought(plan, [fired])
    taken = answers.reversed_points(plan.live, plan.referrals.made.get(side.id, ()))
    reversed_ = [{name: one[name] for name in ("points_key", "points")} for one in taken]
    return shown | brought | {"reversed": reversed_}


def _refs(connection: sa.Connection, plan: Plan, member_ids: list[bytes]) -> dict[bytes, str]:
    rows = connection.execute(
        sa.select(MEMBERS.c.id, MEMBERS.c.member_ref).where(
            MEMBERS.c.program_id == plan.program_id,
            MEMBERS.c.id.in_(member_ids),
            MEMBERS.c.erased_at.is_(None),
        )
    )
    return {bytes(member_id): ref for member_id, ref in rows}
