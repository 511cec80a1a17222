"""Paying with points: how many points can pay for an order, and what they pay.

Owns the bounds of the slider (SEMANTICS E35) and the judgement of a wanted number by them. Pure.
Refuses to hold points: whether there are still so many is said by the ledger when it holds them.
"""

from dataclasses import dataclass
from typing import Any

from core.errors import Problem, invalid_at
from orders.figures import OrderFigures
from programs.rewards import PayWithPoints

POINTER = "/pay_with_points/points"
_ALL_BP = 10_000


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why nobody can pay with points here; codes are those of rewards (API section 5)."""

    code: str
    detail: str
    missing_points: int | None = None

    def shown(self) -> dict[str, Any]:
        """How quotes say it."""
        missing = {} if self.missing_points is None else {"missing_points": self.missing_points}
        return {"code": self.code, "detail": self.detail, **missing}


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `min` to `max` points in steps of `step`; `value_minor` is what `max` pays.

    Where `reason` says why nothing can be paid so, `max` is what there would be without the least.
    """

    min: int
    max: int
    step: int
    value_minor: int
    reason: Unavailable | None

    def shown(self, pay: PayWithPoints) -> dict[str, Any] | None:
        """The slider as quotes show it; None where it is not offered."""
        if self.reason is not None:
            return None
        return {
            "min": self.min,
            "max": self.max,
            "step": self.step,
            "value_minor": self.value_minor,
            "value": {"points": pay.points, "minor": pay.minor},
            "points_key": pay.points_key,
        }


def bounds(pay: PayWithPoints, *, available: int, order: OrderFigures | None = None) -> Bounds:
    """What a member with so many points can pay of an order; of any order where none is known."""
    least, step = least_points(pay), pay.step_points
    most = _multiple(max(0, available), step)
    payable = None if order is None else payable_minor(pay, order)
    if payable is not None:
        most = min(most, _most_for(pay, payable))
    reason = _reason(pay, available=available, least=least, most=most, payable=payable)
    return Bounds(least, most, step, pay.value_minor(most), reason)


def check(pay: PayWithPoints, points: int, *, order: OrderFigures | None = None) -> None:
    """409 `state_conflict` while paying with points is paused, 422 `validation_failed` for a number
    that is no step or out of what the program and the order allow; the balance is not judged."""
    if not pay.is_live:
        raise Problem(
            409,
            "state_conflict",
            "Paying with points is paused; offer another payment. Nothing changed.",
            state="paused",
        )
    least, step = least_points(pay), pay.step_points
    words = f"must be a multiple of {step}" if step > 1 else "must be a whole number"
    if points % step or points < least:
        raise invalid_at(POINTER, f"{words}, at least {least}")
    if order is None:
        return
    most = _most_for(pay, payable_minor(pay, order))
    if points > most:
        limit = f"from {least} to {most}" if most >= least else "of which this order takes none"
        raise invalid_at(POINTER, f"{words}, {limit}")


def least_points(pay: PayWithPoints) -> int:
    """The fewest points that can pay: a whole step, and worth something."""
    worth_one = -(-pay.points // pay.minor) if pay.minor else 1
    return -(-max(pay.min_points, worth_one) // pay.step_points) * pay.step_points


def payable_minor(pay: PayWithPoints, order: OrderFigures) -> int:
    """How much of an order can be paid with points: a share of what stands of its lines, without
    those that sell gift cards where the program excludes them."""
    base = order.net_minor
    if pay.exclude_gift_cards:
        base -= sum(line.left_minor for line in order.lines if line.is_gift_card)
    return base * pay.max_order_bp // _ALL_BP


def _multiple(points: int, step: int) -> int:
    return points // step * step


def _most_for(pay: PayWithPoints, payable_minor: int) -> int:
    """The most points, in whole steps, that pay no more than so much."""
    if not pay.minor:
        return 0
    return _multiple(((payable_minor + 1) * pay.points - 1) // pay.minor, pay.step_points)


def _reason(
    pay: PayWithPoints, *, available: int, least: int, most: int, payable: int | None
) -> Unavailable | None:
    if not pay.is_live:
        return Unavailable("paused", "paying with points is paused")
    if available < 0:
        detail = f"the balance is {available}; the next points earned come first"
        return Unavailable("negative_balance", detail, least - available)
    if payable is not None and _most_for(pay, payable) < least:
        detail = f"points can pay at most {payable} (minor units) of this order"
        return Unavailable("condition_not_met", f"{detail}, fewer than the least of {least} points")
    if most < least:
        detail = f"at least {least} points are needed and {available} are available"
        return Unavailable("insufficient_points", detail, least - available)
    return None
