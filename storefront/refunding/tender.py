"""Points that an order was paid with: what goes back of them with what is refunded (B15).

Owns the share: as much of the points as of the goods, unless a refund says how it was paid back;
all of them when the order is cancelled or wholly refunded. Refuses to say whose redemptions an
order names, and what becomes of one that does not pay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core import ids
from loyalty.ledger import handing, holds
from loyalty.ledger.entries import Cause
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold
from members import members
from orders.figures import OrderFigures
from orders.refunds import Folded
from storefront.plan import Plan
from storefront.telling import Telling

#: Payments that are not points, whatever redemption they name: their money goes back by itself.
_MONEY = ("gift_card", "store_credit")


@dataclass(frozen=True, slots=True)
class Shares:
    """What of an order went back, as shares of a whole: of its goods, and of the payments that name
    redemptions."""

    goods: tuple[int, int] = (0, 1)
    payments: tuple[int, int] = (0, 1)

    def due(self, points: int, *, is_payment: bool) -> int:
        """How many of so many points go back."""
        share, whole = self.payments if is_payment else self.goods
        return points * share // whole


ALL = Shares((1, 1), (1, 1))


def is_payment(payment: Mapping[str, Any]) -> bool:
    """Whether a payment was made with the points of the redemption that it names."""
    return bool(payment.get("redemption_id")) and payment["kind"] not in _MONEY


def shares(telling: Telling, *, folded: Folded, order: OrderFigures) -> Shares:
    """How much of the points that pay goes back."""
    if telling.body["status"] == "cancelled":
        return ALL
    whole = order.whole_net_minor
    goods = (order.refunded_minor, whole) if whole else (int(order.is_wholly_refunded), 1)
    payments = [one for one in telling.body.get("payments") or () if is_payment(one)]
    paid = sum(payment["amount_minor"] for payment in payments)
    if not whole or not paid:
        return Shares(goods, goods)
    kinds = {payment["kind"] for payment in payments}
    value = by_goods = 0
    for refund in telling.refunds:
        applied = folded.applied.get(refund.refund_ref)
        if applied is not None and refund.body.get("payments"):
            by_goods += applied.goods_minor
            value += _paid_back(refund.body["payments"], kinds, applied.total_minor)
    share = value * whole + max(0, order.refunded_minor - by_goods) * paid
    return Shares(goods, (min(share, whole * paid), whole * paid))


def _paid_back(payments: list[Mapping[str, Any]], kinds: set[str], total: int) -> int:
    """What of a refund was paid back in the kinds that the points were paid in: as told, else
    what nothing else is told to have paid; never more than was refunded."""
    in_points: list[int] = [one["amount_minor"] for one in payments if one["kind"] in kinds]
    if in_points:
        return min(sum(in_points), total)
    otherwise: int = sum(one["amount_minor"] for one in payments)
    return max(0, total - otherwise)


def give_back(plan: Plan, held: HeldHold, due: int, *, owner_id: bytes, at: int) -> int:
    """Bring what went back of captured points up to what is due; how many went back now."""
    given = holds.give_back(
        plan.book,
        held,
        due - held.returned,
        policy="strict",
        at=max(at, held.ended_at or at),
        now=plan.now,
        actor=plan.actor,
    )
    follow_merge(plan, held, owner_id)
    return given


def take_again(
    plan: Plan, telling: Telling, held: HeldHold, due: int, *, owner_id: bytes, pointer: str
) -> int:
    """Take points again that had gone back and are not due any more, as far as there are so many;
    how many."""
    wanted = held.returned - due
    if held.member_id != owner_id:
        handing.hand_back(plan.book, held, owner_id, wanted, cause=_merged(plan, held))
    taken = holds.take_again(plan.book, held, wanted, at=plan.now, now=plan.now, actor=plan.actor)
    if taken < wanted:
        detail = f"{wanted - taken} of {wanted} points that went back are not available again"
        telling.note("insufficient_points", pointer, detail)
    return taken


def follow_merge(plan: Plan, held: HeldHold, owner_id: bytes) -> None:
    """Hand on what came back to somebody who was merged into its owner."""
    if held.member_id != owner_id:
        plan.settle(held.member_id)
        hand_on(plan, held, owner_id)


def hand_on(plan: Plan, held: HeldHold, owner_id: bytes) -> None:
    """What comes back to a member who was merged meanwhile goes on to whom that is now."""
    handing.hand_on(plan.book, held, owner_id, cause=_merged(plan, held))


def shown_id(held_id: bytes) -> str:
    """A redemption's id as its storefront knows it."""
    return ids.show_id(HOLD_PREFIX, held_id)


def _merged(plan: Plan, held: HeldHold) -> Cause:
    ref = ids.show_id(members.PREFIX, held.member_id)
    return Cause("merge", ref, None, plan.actor, plan.now, plan.now, is_silent=True)
