"""Points that an order was paid with: what goes back of them with what is refunded (B15).

Owns the share: as much of the points as of the goods, unless a refund says how it was paid back;
all of them when the order is cancelled or wholly refunded. What the storefront gave back by itself
is not given twice. Refuses to touch points of anybody but the order's member.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty import reading
from loyalty.ledger import handing, holds
from loyalty.ledger.entries import Cause
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold
from members import aliases, members
from orders.figures import OrderFigures
from orders.refunds import Folded
from storefront import answers
from storefront.plan import Plan
from storefront.telling import Telling


@dataclass(frozen=True, slots=True)
class _Paid:
    """A hold that pays for an order, and where the order names it."""

    held: HeldHold
    pointer: str


def give_back(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    *,
    folded: Folded,
    order: OrderFigures,
    row: dict[str, Any],
    at: int,
) -> None:
    """Bring what went back of the points to the share that is refunded; notes in the telling
    what this did, and in the order's row what went back in all."""
    payments = _payments(telling.body)
    if not payments:
        return
    share, whole = _share(telling, payments, folded=folded, order=order)
    if not share and not row["points_returned"]:
        return
    paid = _read(connection, plan, telling, payments)
    due = {one.held.id: one.held.points * share // whole for one in paid}
    before = row["points_returned"]
    if sum(due.values()) >= before:
        _return(plan, telling, paid, due=due, at=at)
        row["points_returned"] = before + telling.points_returned
    else:
        taken = _take_again(plan, telling, paid, due=due, returned=before)
        row["points_returned"] = before - taken
        telling.points_missed = row["points_returned"] - sum(due.values())


def _payments(body: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    return [
        (index, payment)
        for index, payment in enumerate(body.get("payments") or ())
        if payment.get("redemption_id")
    ]


def _share(
    telling: Telling,
    payments: list[tuple[int, Mapping[str, Any]]],
    *,
    folded: Folded,
    order: OrderFigures,
) -> tuple[int, int]:
    """How much of the points goes back, as a share of a whole."""
    kinds = {payment["kind"] for _, payment in payments}
    paid = sum(payment["amount_minor"] for _, payment in payments)
    value, goods = 0, 0
    for refund in telling.refunds:
        applied = folded.applied.get(refund.refund_ref)
        if applied is not None and refund.body.get("payments"):
            goods += applied.goods_minor
            value += _paid_back(refund.body["payments"], kinds, applied.total_minor)
    if telling.body["status"] == "cancelled":
        return 1, 1
    whole = order.whole_net_minor
    if not whole or not paid:
        return int(order.is_wholly_refunded), 1
    share = value * whole + max(0, order.refunded_minor - goods) * paid
    return min(share, whole * paid), whole * paid


def _paid_back(payments: list[Mapping[str, Any]], kinds: set[str], total: int) -> int:
    """What of a refund was paid back in the kinds that the points were paid in: as told, else
    what nothing else is told to have paid; never more than was refunded."""
    in_points: list[int] = [one["amount_minor"] for one in payments if one["kind"] in kinds]
    if in_points:
        return min(sum(in_points), total)
    otherwise: int = sum(one["amount_minor"] for one in payments)
    return max(0, total - otherwise)


def _read(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    payments: list[tuple[int, Mapping[str, Any]]],
) -> list[_Paid]:
    assert telling.member is not None
    found: dict[bytes, _Paid] = {}
    for index, payment in payments:
        pointer = f"/payments/{index}/redemption_id"
        held = reading.find_hold(connection, plan.program_id, payment["redemption_id"])
        if held is None or not _is_of(connection, plan, held, telling.member.id):
            telling.problems.append(
                answers.problem("not_found", pointer, "the order's member has no such redemption")
            )
            continue
        found[held.id] = _Paid(plan.book.take_up(held), pointer)
    return list(found.values())


def _is_of(connection: sa.Connection, plan: Plan, held: HeldHold, member_id: bytes) -> bool:
    """Whether a hold is a member's, or of somebody who was merged into them; the account that it
    is of is then taken up as well."""
    if held.member_id == member_id:
        return True
    if aliases.follow(connection, plan.program_id, held.member_id) != member_id:
        return False
    plan.book.load(reading.read_holdings(connection, plan.program_id, held.member_id))
    return True


def _return(
    plan: Plan, telling: Telling, paid: list[_Paid], *, due: Mapping[bytes, int], at: int
) -> None:
    for one in paid:
        held, points = one.held, due[one.held.id] - one.held.returned
        if held.state == "held" and points > 0:
            _release(plan, telling, one, at=at)
        elif held.state in ("captured", "reversed") and points > 0:
            telling.points_returned += holds.give_back(
                plan.book,
                held,
                points,
                policy="strict",
                at=max(at, held.ended_at or at),
                now=plan.now,
                actor=plan.actor,
            )
            assert telling.member is not None
            if held.member_id != telling.member.id:
                plan.settle(held.member_id)
                hand_on(plan, held, telling.member.id)


def _release(plan: Plan, telling: Telling, one: _Paid, *, at: int) -> None:
    """What was never spent is only held no longer, once nothing stands that it could pay for."""
    if telling.body["status"] == "cancelled":
        at = max(at, one.held.held_at)
        holds.end(plan.book, one.held, "released", at=at, now=plan.now, actor=plan.actor)
        return
    detail = f"{ids.show_id(HOLD_PREFIX, one.held.id)} is held and not captured: none go back"
    telling.problems.append(answers.problem("state_conflict", one.pointer, detail))


def _take_again(
    plan: Plan,
    telling: Telling,
    paid: list[_Paid],
    *,
    due: Mapping[bytes, int],
    returned: int,
) -> int:
    """Take points again that had gone back with a refund that no longer stands; how many."""
    assert telling.member is not None
    points, taken = returned - sum(due.values()), 0
    # More went back than by refunds of this order.
    is_by_hand = sum(one.held.returned for one in paid) > returned
    for one in paid:
        wanted = min(points - taken, max(0, one.held.returned - due[one.held.id]))
        if wanted and is_by_hand and one.held.state == "reversed":
            detail = f"{ids.show_id(HOLD_PREFIX, one.held.id)} was reversed: none are taken again"
            telling.problems.append(answers.problem("state_conflict", one.pointer, detail))
            continue
        if one.held.member_id != telling.member.id:
            handing.hand_back(
                plan.book, one.held, telling.member.id, wanted, cause=_merged(plan, one.held)
            )
        found = holds.take_again(
            plan.book, one.held, wanted, at=plan.now, now=plan.now, actor=plan.actor
        )
        taken += found
        if found < wanted:
            detail = f"{wanted - found} of {wanted} points that went back are not available again"
            telling.problems.append(answers.problem("insufficient_points", one.pointer, detail))
    return taken


def hand_on(plan: Plan, held: HeldHold, owner_id: bytes) -> None:
    """What comes back to a member who was merged meanwhile goes on to whom that is now."""
    handing.hand_on(plan.book, held, owner_id, cause=_merged(plan, held))


def _merged(plan: Plan, held: HeldHold) -> Cause:
    ref = ids.show_id(members.PREFIX, held.member_id)
    return Cause("merge", ref, None, plan.actor, plan.now, plan.now, is_silent=True)
