"""What stands for each refund: points that went back with it, money suggested to be deducted.

Kept with the refund, so that telling it again answers the same. What a telling changes belongs to
the refunds that it applies; together they never have more than the order has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.money import spread
from orders.refunds import Folded, Refund
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling, is_same_member

_Share = Literal["points_returned", "suggested_deduction_minor"]


@dataclass(frozen=True, slots=True)
class Before:
    """What of an order had gone back and was lost before a telling; lost by kind of points."""

    points_returned: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


def before(plan: Plan, telling: Telling, stored: StoredOrder | None) -> Before:
    """What a telling begins with."""
    if stored is None or not telling.refunds:
        return Before()
    return Before(stored.points_returned, _lost(plan, telling, stored.id))


def note(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    folded: Folded,
    row: Mapping[str, Any],
    was: Before,
) -> None:
    """Note with the telling's refunds what it changed."""
    if not telling.refunds:
        return
    points = row["points_returned"]
    _share(telling, folded, "points_returned", points - was.points_returned, most=points)
    if stored is None or is_same_member(stored, telling):
        lost = _lost(plan, telling, row["id"])
        _share(
            telling,
            folded,
            "suggested_deduction_minor",
            sum(_worth(plan, key, lost[key] - was.lost.get(key, 0)) for key in lost),
            most=sum(_worth(plan, key, lost[key]) for key in lost),
        )
    for refund in telling.refunds:
        if not refund.stands and not refund.is_applied:
            # Of what a withdrawn one gave back only what could not be taken again stands.
            refund.points_returned = min(refund.points_returned, telling.points_missed)
            refund.suggested_deduction_minor = 0


def _lost(plan: Plan, telling: Telling, order_id: bytes) -> dict[str, int]:
    """What could not be taken back so far of what the order made, by kind of points."""
    found: dict[str, int] = {}
    # What an erased member lost was forfeited, not spent: nobody is asked to pay for it.
    if telling.member is not None and not telling.member.is_erased:
        for lot in plan.book.lots_of(order_id, telling.member.id):
            found[lot.points_key] = found.get(lot.points_key, 0) + lot.owed
    return found


def _worth(plan: Plan, points_key: str, points: int) -> int:
    """The money that points are worth, where the program deducts it from refunds."""
    kind = plan.live.kind(points_key)
    if kind is None or kind.return_policy != "deduct_from_refund":
        return 0
    worth = kind.value_minor(abs(points))
    return worth if points > 0 else -worth


def _share(telling: Telling, folded: Folded, name: _Share, change: int, *, most: int) -> None:
    fresh = [refund for refund in telling.refunds if not refund.is_applied]
    standing = [refund for refund in fresh if refund.stands]
    if change > 0 and standing:
        values = [folded.applied[refund.refund_ref].total_minor for refund in standing]
        for refund, part in zip(standing, spread(change, values), strict=True):
            setattr(refund, name, getattr(refund, name) + part)
    over = sum(getattr(refund, name) for refund in telling.refunds) - most
    for refund in [*fresh, *_latest_first(telling)]:
        part = max(0, min(over, getattr(refund, name)))
        if part:
            over -= part
            setattr(refund, name, getattr(refund, name) - part)
            refund.is_changed = True


def _latest_first(telling: Telling) -> list[Refund]:
    applied = [refund for refund in telling.refunds if refund.is_applied]
    return sorted(applied, key=lambda one: (one.refunded_at, one.refund_ref), reverse=True)
