"""Four eyes: referrals that cost more than the offer lets one person approve.

Reckons what both sides would cost if they were paid now. Refuses to decide who may approve.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import Problem
from members import members
from programs.referrals import Side, trigger_of
from referrals import referrals
from rewards.carried import Row
from storefront import firing
from storefront.firing import Ordered, Source
from storefront.membership import member_facts
from storefront.plan import Plan
from storefront.referring import capping, judged_orders, pinning, second_level, suspecting


def cost_minor(connection: sa.Connection, plan: Plan, referral: Row) -> int:
    """What all sides of a referral cost: those that are paid as paid, the others as they would be
    paid now. Shares of an order count once there is one."""
    found = 0
    receivers: list[tuple[Side, bytes | None]] = [
        ("advocate", referral.advocate_id),
        ("friend", referral.friend_id),
        ("second", second_level.member_of(connection, plan, referral)),
    ]
    for name, member_id in receivers:
        side = plan.referrals.sides.get((referral.id, name))
        if side is not None and side.state == "rewarded":
            found += side.cost_minor
        elif member_id is not None:
            found += _estimate(connection, plan, referral, name, member_id)
    return found


def _estimate(
    connection: sa.Connection, plan: Plan, referral: Row, name: Side, member_id: bytes
) -> int:
    program = pinning.program_of(connection, plan, referral)
    rules = program.rules_of(trigger_of(name, referral.offer_key))
    known = members.lock_ids(connection, plan.program_id, [member_id]).get(member_id)
    if not rules or known is None or known.is_erased:
        return 0
    body = None
    if referral.order_ref is not None:
        body = judged_orders.body_of(connection, plan, referral.order_ref, None)
    figures = None if body is None else body.figures(program)
    own: dict[str, Any] = {"referral.offer": referral.offer_key}
    if figures is not None:
        own["referral.net_minor"] = figures.net_minor
    [facts] = member_facts.before(connection, plan, [(known, plan.now)])
    ref = ids.show_id(referrals.PREFIX, referral.id)
    earning = firing.weigh(
        connection,
        plan,
        member_id,
        # Nothing was ever given for it: what it would come to is all that is asked.
        Source(referrals.SOURCE_TYPE, ref, ids.new_id(), plan.now),
        program=program,
        rules=rules,
        facts={**facts, **own},
        order=None if figures is None else Ordered(figures),
    )
    return capping.cost_of(program, earning).minor


def sign(connection: sa.Connection, plan: Plan, referral: Row) -> bool:
    """Let who acts approve a referral; whether that is enough. 409 where a second person is needed
    and nobody says who acts, or the first one approves again."""
    review = suspecting.review_of(connection, plan, referral)
    most = review.four_eyes_above_minor
    if most is None or cost_minor(connection, plan, referral) <= most:
        return True
    approvals: Sequence[dict[str, str]] = jsontext.parse(referral.approvals)
    if plan.actor is None:
        raise _conflict(referral, "It needs the approval of two people: say who acts.")
    if any(one["actor"] == plan.actor for one in approvals):
        raise _conflict(referral, "You have approved it already: somebody else must as well.")
    now = {"actor": plan.actor, "approved_at": clock.format_instant(plan.now)}
    referral.approvals = jsontext.text([*approvals, now])
    return bool(approvals)


def _conflict(referral: Row, detail: str) -> Problem:
    return Problem(409, "state_conflict", detail, state=referral.state)
