"""Paying with points: how many points can pay for an order, and what they pay.

Owns the bounds of the slider (SEMANTICS E35) and the judgement of a wanted number by them. Pure.
Refuses to hold points: whether there are still so many is said by the ledger when it holds them.
"""

from dataclasses import dataclass
from typing import Any

from core import language
from core.errors import Problem, invalid_at
from core.language import Text
from loyalty import sentences
from orders.figures import OrderFigures
from programs.compiled import Compiled
from programs.rewards import PayWithPoints

POINTER = "/pay_with_points/points"
_ALL_BP = 10_000


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why nobody can pay with points here; codes are those of rewards (API section 5)."""

    code: str
    text: Text
    missing_points: int | None = None

    def shown(self) -> dict[str, Any]:
        """How quotes say it."""
        missing = {} if self.missing_points is None else {"missing_points": self.missing_points}
        return {"code": self.code, "detail": self.text, **missing}


PAUSED = Unavailable(
    "paused",
    {
        "en": "Paying with points is paused at the moment.",
        "ko": "지금은 포인트 결제가 일시 중지되었습니다.",
    },
)
#: A guest has no points.
GUEST = Unavailable(
    "condition_not_met",
    {"en": "Only members pay with points.", "ko": "회원만 포인트로 결제할 수 있습니다."},
)


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


def bounds(
    pay: PayWithPoints,
    *,
    available: int,
    order: OrderFigures | None = None,
    program: Compiled | None = None,
) -> Bounds:
    """What a member with so many points can pay of an order, or of any where none is known; the
    program gives points and money their names."""
    least, step = least_points(pay), pay.step_points
    most = _multiple(max(0, available), step)
    payable = None if order is None else payable_minor(pay, order)
    if payable is not None:
        most = min(most, _most_for(pay, payable))
    why = _Why(pay, program)
    reason = why.reason(available=available, least=least, most=most, payable=payable)
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


@dataclass(frozen=True, slots=True)
class _Why:
    """Why nothing can be paid so, in words."""

    pay: PayWithPoints
    program: Compiled | None

    def reason(
        self, *, available: int, least: int, most: int, payable: int | None
    ) -> Unavailable | None:
        """None where something can."""
        if not self.pay.is_live:
            return PAUSED
        if available < 0:
            return self._negative(available, least)
        if payable is not None and _most_for(self.pay, payable) < least:
            return self._too_small(payable, least)
        if most < least:
            return self._too_few(available, least)
        return None

    def _points(self, count: int) -> Text:
        return sentences.points(count, self.pay.points_key, self.program)

    def _money(self, minor: int, language_: str) -> str:
        if self.program is None:
            return language.number(minor)
        return language.money(minor, self.program.currency, language=language_)

    def _negative(self, available: int, least: int) -> Unavailable:
        lacking = self._points(-available)
        return Unavailable(
            "negative_balance",
            {
                "en": f"The balance is {lacking['en']} below zero; what is earned next fills it.",
                "ko": f"잔액이 {lacking['ko']} 부족합니다. 다음에 적립되는 포인트로 채워집니다.",
            },
            least - available,
        )

    def _too_small(self, payable: int, least: int) -> Unavailable:
        fewest = self._points(least)
        return Unavailable(
            "condition_not_met",
            {
                "en": f"Points can pay at most {self._money(payable, 'en')} of this order, and "
                f"{fewest['en']} are the fewest that can be used.",
                "ko": f"이 주문에는 포인트로 최대 {self._money(payable, 'ko')}까지 결제할 수 "
                f"있고, 최소 {fewest['ko']}부터 사용할 수 있습니다.",
            },
        )

    def _too_few(self, available: int, least: int) -> Unavailable:
        fewest, has = self._points(least), self._points(available)
        return Unavailable(
            "insufficient_points",
            {
                "en": f"{fewest['en']} are the fewest that can be used; there are "
                f"{language.number(available)}.",
                "ko": f"최소 {fewest['ko']}부터 사용할 수 있습니다. 현재 잔액은 {has['ko']}입니다.",
            },
            least - available,
        )
