"""What a request changed of the sides of a referral, as its answer shows it.

Refuses to show what it did not change, and the reference of whoever was erased.
"""

from typing import Any

import sqlalchemy as sa

from members.members import Known
from rewards import payables
from rewards.carried import Row
from storefront import answers, firing
from storefront.firing import Fired
from storefront.granting import showing
from storefront.plan import Plan
from storefront.referring import locking

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
    sides.sort(key=lambda one: _ORDER.index(one.side))
    return [_shown(plan, one, locking.person(connection, plan, one.member_id)) for one in sides]


def _shown(plan: Plan, side: Row, known: Known | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"side": side.side}
    if known is not None and not known.is_erased:
        shown["member_ref"] = known.member_ref
    shown["state"] = side.state
    if side.reason is not None:
        shown["reason"] = side.reason
    fired: Fired | None = plan.referrals.fired.get(side.id)
    brought = firing.nothing() if fired is None else firing.brought(plan, [fired])
    taken = answers.reversed_points(plan.live, plan.referrals.made.get(side.id, ()))
    reversed_ = [{name: one[name] for name in ("points_key", "points")} for one in taken]
    return (
        shown
        | brought
        | {
            "reversed": reversed_,
            "payables_reversed": payables.reversed_of(plan, side.id, side.member_id),
            "grants_revoked": showing.revoked_of(plan, side.id, side.member_id),
        }
    )
