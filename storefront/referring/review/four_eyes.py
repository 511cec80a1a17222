"""Four eyes: referrals that cost more than the offer lets one person approve.

Reckons what both sides would cost if they were paid now. An approval is of the cost that it saw:
what costs more at release needs approving again. Refuses to decide who may approve.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import Problem
from members import members
from programs.referrals import Side, trigger_of
from referrals import referrals, scoring
from referrals.scoring import Assessment
from rewards.carried import Row
from storefront import costing, firing
from storefront.firing import Ordered, Source
from storefront.membership import member_facts
from storefront.plan import Plan
from storefront.referring.review import suspecting
from storefront.referring.rewarding import judged_orders, pinning, second_level
from storefront.referring.rewarding.judged_orders import Told

#: How many people must approve what one may not.
_NEEDED = 2
_NAME_YOURSELF = (
    "It needs the approval of two people: send the header Dangol-Actor, which says who acts."
)
_SOMEBODY_ELSE = (
    "You have approved it already: somebody else must as well, under another Dangol-Actor."
)


def cost_minor(
    connection: sa.Connection, plan: Plan, referral: Row, told: Told | None = None
) -> int:
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
            found += _estimate(connection, plan, referral, receiver=(name, member_id), told=told)
    return found


def _estimate(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    *,
    receiver: tuple[Side, bytes],
    told: Told | None,
) -> int:
    name, member_id = receiver
    program = pinning.program_of(connection, plan, referral)
    rules = program.rules_of(trigger_of(name, referral.offer_key))
    known = members.lock_ids(connection, plan.program_id, [member_id]).get(member_id)
    if not rules or known is None or known.is_erased:
        return 0
    body = None
    if referral.order_ref is not None:
        body = judged_orders.body_of(connection, plan, referral.order_ref, told)
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
    return costing.cost_of(program, earning).minor


def sign(connection: sa.Connection, plan: Plan, referral: Row) -> bool:
    """Let who acts approve a referral at what it costs now; whether that is enough. 409 where a
    second person is needed and nobody says who acts, or the first one approves again."""
    most = suspecting.review_of(connection, plan, referral).four_eyes_above_minor
    if most is None:
        return True
    cost = cost_minor(connection, plan, referral)
    if cost <= most:
        return True
    name = _name(plan.actor or "")
    if not name:
        raise _conflict(referral, _NAME_YOURSELF)
    if name in _signed(referral, cost):
        raise _conflict(referral, _SOMEBODY_ELSE)
    others = [one for one in jsontext.parse(referral.approvals) if _name(one["actor"]) != name]
    now = {
        "actor": plan.actor,
        "approved_at": clock.format_instant(plan.now),
        "cost_minor": cost,
    }
    referral.approvals = jsontext.text([*others, now])
    return len(_signed(referral, cost)) >= _NEEDED


def is_signed(
    connection: sa.Connection, plan: Plan, referral: Row, told: Told | None = None
) -> bool:
    """Whether enough people have approved what a referral costs now, with the order that this unit
    tells: nobody need where one may do so alone."""
    most = suspecting.review_of(connection, plan, referral).four_eyes_above_minor
    if most is None:
        return True
    cost = cost_minor(connection, plan, referral, told)
    return cost <= most or len(_signed(referral, cost)) >= _NEEDED


def is_missing(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    found: Assessment,
    told: Told | None,
) -> bool:
    """Whether a referral that only a reviewer's clearance, or trust, lets pass costs more by now
    than was approved."""
    review = suspecting.review_of(connection, plan, referral)
    if review.four_eyes_above_minor is None or not referral.cleared_bp:
        return False
    signals = [replace(one, weight_bp=review.weights[one.name]) for one in found.signals]
    unseen = scoring.assess(signals, review, cleared_bp=0)
    if unseen.reason is None and not unseen.needs_review:
        return False
    return not is_signed(connection, plan, referral, told)


def _signed(referral: Row, cost: int) -> set[str]:
    """Who has approved a referral at this cost or a higher one."""
    approvals: Sequence[dict[str, Any]] = jsontext.parse(referral.approvals)
    return {_name(one["actor"]) for one in approvals if one["cost_minor"] >= cost}


def _name(actor: str) -> str:
    """A name as names are told apart: however it is written."""
    return actor.strip().casefold()


def _conflict(referral: Row, detail: str) -> Problem:
    return Problem(409, "state_conflict", detail, state=referral.state)
