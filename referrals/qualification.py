"""Qualification: which order of a friend a referral qualifies by, and if none does, why not.

Pure. The earliest of the friend's orders that stands, came in time and meets the offer's condition
and minimum; judged by how the orders look, not by when they were told (SEMANTICS B13, F45, F46).
Refuses to know the past of the referral: what was paid by an order is kept to it by the caller.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core import clock
from programs.compiled import Compiled
from programs.referrals import Offer

#: Why no order qualifies; `ORDER_CANCELLED` and `REFUND_BELOW_MIN` say that one would have.
Why = Literal["BELOW_MIN", "CONDITION_NOT_MET", "REFUND_BELOW_MIN", "ORDER_CANCELLED"]
FELL: frozenset[str] = frozenset({"REFUND_BELOW_MIN", "ORDER_CANCELLED"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order of the friend as it looks: `net_minor` is what stands of it (net of discounts,
    without shipping), `whole_minor` what it came to before refunds. `facts` are those that its own
    decision was made by; `is_met` is what was said of the offer's condition once and for all."""

    order_ref: str
    placed_at: int
    #: When it was told first: of two placed at one instant, that one comes first.
    told_at: int
    status: str
    stands: bool
    net_minor: int
    whole_minor: int
    is_history: bool = False
    facts: Mapping[str, Any] | None = None
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """When the friend's order may be placed: from the first instant to the one after the last."""

    since: int
    until: int | None = None

    def holds(self, at: int) -> bool:
        """Whether an instant lies in it."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The order that qualifies, or why none does, by how much money one falls short, and which
    order says so."""

    order: Candidate | None
    reason: Why | None = None
    missing_minor: int | None = None
    about: Candidate | None = None


def span_of(offer: Offer, program: Compiled, *, clicked_at: int | None, bound_at: int) -> Span:
    """When the friend's order may be placed: since the click, else since the binding, and within
    the credit window, which is half-open (SEMANTICS F41)."""
    since = bound_at if clicked_at is None else clicked_at
    if offer.credit_window is None:
        return Span(since)
    return Span(since, clock.after(since, offer.credit_window, program.zone))


def judge(offer: Offer, orders: Iterable[Candidate], span: Span) -> Verdict:
    """Which of the friend's orders qualifies. Of several that do not, one that would have if it
    had not fallen says why; else the one placed last."""
    within = [one for one in orders if not one.is_history and span.holds(one.placed_at)]
    within.sort(key=lambda one: (one.placed_at, one.told_at, one.order_ref))
    fell: Verdict | None = None
    short: Verdict | None = None
    for one in within:
        found = judge_one(offer, one)
        if found.order is not None:
            return found
        if found.reason in FELL:
            fell = fell or found
        elif found.reason is not None:
            short = found
    return fell or short or Verdict(None)


def judge_one(offer: Offer, order: Candidate) -> Verdict:
    """Whether an order that came in time qualifies as it stands."""
    is_met = order.is_met
    if is_met is None:
        is_met = not offer.when.facts or offer.when.matches(order.facts or {})
    if order.status == "pending":
        return Verdict(None)
    if not order.stands:
        if order.whole_minor < offer.min_net_minor or not (is_met or order.status != "cancelled"):
            return Verdict(None)
        is_cancelled = order.status == "cancelled"
        why: Why = "ORDER_CANCELLED" if is_cancelled else "REFUND_BELOW_MIN"
        return Verdict(None, why, about=order)
    if order.net_minor < offer.min_net_minor:
        missing = offer.min_net_minor - order.net_minor
        if order.whole_minor >= offer.min_net_minor:
            return Verdict(None, "REFUND_BELOW_MIN", missing, order)
        return Verdict(None, "BELOW_MIN", missing, order)
    if not is_met:
        return Verdict(None, "CONDITION_NOT_MET", about=order)
    return Verdict(order, about=order)
