"""What an order does to the redemptions that it names: captured with it, kept while it is pending,
undone when it falls, and never a reason to refuse it (SEMANTICS E36).

All of it happens under the lock of their member, in the order's own unit of work. What cannot be
done is noted among the order's problems. Refuses to judge what was promised: terms are frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.errors import Problem
from loyalty.ledger import due
from loyalty.ledger.rows import HeldHold
from orders.figures import OrderFigures
from orders.refunds import Folded
from rewards import coupons, discounts, redemptions, spending, vouchers
from rewards.carried import Row
from rewards.terms import PAY_WITH_POINTS
from storefront import decide
from storefront.plan import Plan
from storefront.redeeming import judging
from storefront.redeeming.named import Named, has_moved, read, shown, wanted_of
from storefront.refunding import tender
from storefront.refunding.tender import Shares
from storefront.standing import StoredOrder
from storefront.telling import Telling


@dataclass(frozen=True, slots=True)
class Bound:
    """The redemptions of an order, and what goes back of the points that pay."""

    named: Sequence[Named]
    shares: Shares
    order: OrderFigures | None


def take(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    folded: Folded,
    order: OrderFigures | None,
) -> Bound:
    """Capture or keep what an order names, held anew where it had run out, as far as it stands;
    before the order's own points come, which pay for nothing in it."""
    named = read(
        connection,
        plan,
        telling,
        stored,
        wanted=wanted_of(telling, order),
        has_moved=has_moved(telling, stored, order),
    )
    if not named or order is None:
        return Bound(named, Shares(), order)
    skus = frozenset(line.sku for line in order.lines if line.sku is not None)
    plan.rewards.skus.setdefault(telling.order_ref, skus)
    bound = Bound(named, tender.shares(telling, folded=folded, order=order), order)
    for one in named:
        redemptions.settle(plan, one.row)
        if one.is_unnamed or _is_to_be_undone(one, bound.shares):
            continue
        if one.is_lost:
            state = one.row.state
            detail = f"{one.row.kind} was {state} before the order was told"
            telling.note("state_conflict", one.pointer, detail)
        elif one.row.state != "reversed":
            _take(plan, telling, one, order)
    return bound


def _is_to_be_undone(one: Named, shares: Shares) -> bool:
    points: int = one.row.points
    if one.is_dropped or (one.wanted == "undone" and not (one.pays and one.is_payment and points)):
        return True
    return one.pays and points > 0 and _due(one, shares) == points


def _due(one: Named, shares: Shares) -> int:
    """How many points of a redemption that stands go back."""
    return shares.due(one.row.points, is_payment=one.is_payment) if one.pays else 0


def _take(plan: Plan, telling: Telling, one: Named, order: OrderFigures) -> None:
    row = one.row
    if row.state == "captured":
        _adopt(plan, telling, one, order)
        return
    if one.wanted == "kept" and row.state == "held" and row.expires_at is None:
        return
    expires_at = row.expires_at
    if row.state != "held" and not _hold_again(plan, telling, one):
        return
    if one.wanted == "kept":
        redemptions.keep(plan, row, telling.order_ref)
        _look_again(plan, redemptions.hold_of(plan, row))
        row.is_undone = False
    else:
        _capture(plan, telling, one, order, expires_at=expires_at)


def _capture(
    plan: Plan, telling: Telling, one: Named, order: OrderFigures, *, expires_at: int | None
) -> None:
    """Capture what is held by now; `expires_at` is when it ran out, or would have."""
    row = one.row
    if not one.is_unnamed:
        _note_order(plan, telling, row, order)
    redemptions.end(plan, row, "captured")
    _date_as_before(plan, row, expires_at)
    row.is_undone = False


def _date_as_before(plan: Plan, row: Row, expires_at: int | None) -> None:
    """Leave a hold that was made anew and captured its date: what was known of it before the order
    came is what it was."""
    if row.expires_at == expires_at:
        return
    row.expires_at = expires_at
    held = redemptions.hold_of(plan, row)
    if held is not None:
        held.expires_at = expires_at
        plan.book.touch_hold(held)


def _hold_again(plan: Plan, telling: Telling, one: Named) -> bool:
    """Hold on its old terms what had run out or fell with the order; False, noted, where something
    is missing."""
    row = one.row
    held = redemptions.hold_of(plan, row)
    was = None if held is None else held.member_id
    if held is not None and held.member_id != row.member_id:
        if held.state == "reversed":
            detail = "it was undone before its member was merged; redeem anew"
            telling.note("state_conflict", one.pointer, detail)
            return False
        held.member_id = row.member_id
    try:
        redemptions.hold_again(plan, row, expires_at=None)
    except Problem as problem:
        if held is not None and was is not None:
            held.member_id = was
        telling.note(problem.code, one.pointer, _why(plan, row, problem))
        return False
    return True


def _why(plan: Plan, row: Row, problem: Problem) -> str:
    if problem.code != "insufficient_points":
        return problem.detail
    available = plan.book.holding(row.member_id, row.points_key).available
    return f"{row.points} points are needed again and {available} are available"


def _look_again(plan: Plan, held: HeldHold | None) -> None:
    """Say anew when something of an account falls due: its hold does not any more."""
    if held is not None:
        holding = plan.book.holding(held.member_id, held.points_key)
        holding.due_at, holding.is_changed = due.next_due(plan.book, holding), True


def _note_order(plan: Plan, telling: Telling, row: Row, order: OrderFigures) -> None:
    """Whose it is, and what it took off as the order was told first; later ones change nothing."""
    row.kept_by = telling.order_ref
    if not row.discount_minor:
        if order.refunded_minor:
            order = decide.figure(plan.live, judging.unrefunded(telling.body))
        row.discount_minor = discounts.told_off(row.frozen, order)


def _adopt(plan: Plan, telling: Telling, one: Named, order: OrderFigures) -> None:
    """Let what was captured by no order belong to this one."""
    row = one.row
    if row.kept_by is not None and row.discount_minor is not None:
        return
    if row.voucher_id is not None:
        voucher = vouchers.get(plan, row.voucher_id)
        if spending.is_used_elsewhere(plan, voucher, telling.order_ref):
            detail = "its code was used by another order; it counts once"
            telling.note("state_conflict", one.pointer, detail)
            return
    _note_order(plan, telling, row, order)
    coupons.captured(plan, row)


def follow(plan: Plan, telling: Telling, bound: Bound, *, row: dict[str, Any], at: int) -> None:
    """Undo what fell with the order, give back of the points that paid what was refunded, and take
    again what stands again; notes in the telling what this did, in the order's row what went back
    in all. After the order's own points have moved."""
    if not bound.named:
        return
    taken = owed = 0
    for one in bound.named:
        if one.is_lost:
            # Whoever ended it by hand has settled it.
            continue
        is_undone = _is_to_be_undone(one, bound.shares)
        points = one.row.points if is_undone else _due(one, bound.shares)
        if is_undone:
            _undo(plan, telling, one, at=plan.now if one.is_dropped else at)
        elif one.row.state == "reversed" and bound.order is not None:
            taken += _bring_back(plan, telling, one, points, order=bound.order)
        elif one.row.state == "captured":
            taken += _share(plan, telling, one, points, at=at)
        owed += 0 if one.row.state == "released" else points
    row["points_returned"] += telling.points_returned - taken
    telling.points_missed = max(0, row["points_returned"] - owed)
    if bound.order is not None:
        judging.note(plan, telling, bound.named)
    telling.redemptions = shown(plan, bound.named)


def _undo(plan: Plan, telling: Telling, one: Named, *, at: int) -> None:
    """Release or reverse a redemption; it comes back with the order."""
    row = one.row
    is_captured = row.state in ("captured", "reversed")
    if one.is_dropped and not one.is_unnamed and is_captured and row.discount_minor is None:
        # It comes back where it is named again, not with the order alone.
        row.discount_minor = 0
    held = redemptions.hold_of(plan, row)
    was = 0 if held is None else held.returned
    if row.state == "held":
        redemptions.end(plan, row, "released", at=at)
    elif row.state == "captured":
        try:
            redemptions.reverse(plan, row, at=at, is_with_order=True)
        except Problem as problem:
            telling.note(problem.code, one.pointer, problem.detail)
            return
        if held is not None:
            telling.points_returned += held.returned - was
    else:
        return
    row.kept_by, row.is_undone = telling.order_ref, True
    if held is not None:
        tender.follow_merge(plan, held, row.member_id)


def _share(plan: Plan, telling: Telling, one: Named, points: int, *, at: int) -> int:
    """Bring what went back of captured points to their share; how many were taken again."""
    held = redemptions.hold_of(plan, one.row)
    if held is None or held.returned == points:
        return 0
    owner_id: bytes = one.row.member_id
    if held.returned < points:
        telling.points_returned += tender.give_back(plan, held, points, owner_id=owner_id, at=at)
        return 0
    return tender.take_again(plan, telling, held, points, owner_id=owner_id, pointer=one.pointer)


def _bring_back(
    plan: Plan, telling: Telling, one: Named, points: int, *, order: OrderFigures
) -> int:
    """Take what was reversed with the order again, wholly or not at all, less what of its points
    goes back; how many points were taken again."""
    row, held = one.row, redemptions.hold_of(plan, one.row)
    if row.kind != PAY_WITH_POINTS or held is None:
        expires_at = row.expires_at
        if not _hold_again(plan, telling, one):
            return 0
        _capture(plan, telling, one, order, expires_at=expires_at)
        if held is None:
            return 0
        given = 0
        if points:
            given = tender.give_back(plan, held, points, owner_id=row.member_id, at=plan.now)
        return held.points - given
    available = plan.book.holding(row.member_id, row.points_key).available
    wanted = held.returned - points
    if wanted > available:
        detail = f"{wanted} points are needed again and {max(0, available)} are available"
        telling.note("insufficient_points", one.pointer, detail)
        return 0
    taken = tender.take_again(
        plan, telling, held, points, owner_id=row.member_id, pointer=one.pointer
    )
    if not one.is_unnamed:
        _note_order(plan, telling, row, order)
    row.state, row.ended_at, row.is_undone = "captured", None, False
    redemptions.tell(plan, row, "captured")
    return taken
