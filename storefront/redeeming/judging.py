"""What an order that captured redemptions does not have of what they were promised for.

An order is never refused and keeps its discount: whoever told it is told what was not met, by the
terms as they were frozen and the order before its refunds. Refuses to change anything, and to judge
what was granted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core import ids
from orders import figures
from orders.figures import OrderFigures
from programs.rewards import OF_ORDERS
from rewards import discounts, redemptions
from rewards.carried import Row
from rewards.terms import PAY_WITH_POINTS, Terms
from storefront import decide
from storefront.plan import Plan
from storefront.refunding import tender
from storefront.telling import Telling

_ALL_BP = 10_000


class Its(Protocol):
    """A redemption that an order names, and by which address in it."""

    row: Row
    pointer: str
    is_payment: bool
    is_dropped: bool
    is_unnamed: bool


def note(plan: Plan, telling: Telling, named: Iterable[Its]) -> None:
    """Note in the telling what the redemptions that are the order's by now do not get: payments of
    more than they are worth, and of those captured also the conditions that the order misses."""
    own = [
        one
        for one in named
        if not one.is_dropped
        and one.row.kept_by == telling.order_ref
        and one.row.state in ("held", "captured")
    ]
    if not own:
        return
    body = unrefunded(telling.body)
    judged = _Judged.of(body, decide.figure(plan.live, body), own)
    for one in own:
        if not one.is_unnamed:
            _note_payments(telling, one, judged.order)
    captured = [one for one in own if one.row.state == "captured"]
    for one in captured:
        if not one.is_unnamed and one.row.grant_id is None:
            _note_order(telling, one, judged)
        if not one.row.frozen.combines and len(captured) > 1:
            detail = f"{one.row.reward_key} does not combine with others, and the order has "
            detail += f"{len(captured)} redemptions"
            telling.note("condition_not_met", one.pointer, detail)
    _note_points(telling, [one for one in captured if not one.is_unnamed], judged)


def unrefunded(body: Mapping[str, Any]) -> dict[str, Any]:
    """An order as if nothing of it had been refunded."""
    lines = [
        {name: value for name, value in line.items() if name != "refunded_minor"}
        | {"refunded_quantity": 0}
        for line in body["lines"]
    ]
    return {**body, "lines": lines, "refunded_minor": 0, "shipping_refunded_minor": 0}


@dataclass(frozen=True, slots=True)
class _Judged:
    """An order before its refunds; `value_minor` is what it comes to before what its redemptions
    took off it, as a cart is judged."""

    body: Mapping[str, Any]
    order: OrderFigures
    value_minor: int

    @classmethod
    def of(cls, body: Mapping[str, Any], order: OrderFigures, own: Sequence[Its]) -> "_Judged":
        gross = sum(line.gross_minor for line in order.lines)
        off = sum(one.row.discount_minor or 0 for one in own if not one.is_payment)
        # What other codes took off is not known here: it is not held against the member.
        value = gross if body.get("codes") else min(gross, order.whole_net_minor + off)
        return cls(body, order, value)

    def without_gift_cards(self) -> int:
        """What it comes to without what sells gift cards."""
        gift_cards = sum(line.left_minor for line in self.order.lines if line.is_gift_card)
        return max(0, self.value_minor - gift_cards)


def _payments(body: Mapping[str, Any], row: Row) -> list[tuple[int, int]]:
    """The payments with the points of a redemption: which, and how much."""
    return [
        (index, payment["amount_minor"])
        for index, payment in enumerate(body.get("payments") or ())
        if tender.is_payment(payment)
        and ids.read_id(redemptions.PREFIX, payment["redemption_id"]) == row.id
    ]


def _note_payments(telling: Telling, one: Its, order: OrderFigures) -> None:
    terms = one.row.frozen
    left = value = terms.minor or discounts.told_off(terms, order)
    for index, amount in _payments(telling.body, one.row):
        if amount > left:
            detail = f"{amount} (minor units) are told as paid by a redemption that is worth "
            detail += f"{value}" if left == value else f"{value}, of which {left} were left"
            telling.note("insufficient_value", f"/payments/{index}/amount_minor", detail)
        left = max(0, left - amount)


def _note_order(telling: Telling, one: Its, judged: _Judged) -> None:
    terms = one.row.frozen
    if judged.value_minor < terms.min_order_minor:
        detail = f"{terms.reward_key} is for orders of at least {terms.min_order_minor} (minor "
        detail += f"units), and this one comes to {judged.value_minor}"
        telling.note("condition_not_met", one.pointer, detail)
    facts = figures.order_facts(judged.body, judged.order, is_whole=True)
    if discounts.is_missed(terms, facts | {"order.net_minor": judged.value_minor}):
        detail = f"the order is not as {terms.reward_key} asks of orders"
        telling.note("condition_not_met", one.pointer, detail)
    if terms.kind in OF_ORDERS and not _applies(terms, judged.order):
        detail = f"none of the {len(judged.order.lines)} lines is what {terms.reward_key} applies "
        detail += "to"
        telling.note("condition_not_met", one.pointer, detail)


def _applies(terms: Terms, order: OrderFigures) -> bool:
    condition = discounts.condition_of(terms)
    if terms.kind == "free_product" and condition is None:
        return True
    return any(
        not line.is_gift_card and (condition is None or condition.matches(figures.line_facts(line)))
        for line in order.lines
    )


def _note_points(telling: Telling, captured: Sequence[Its], judged: _Judged) -> None:
    """Points that pay more than their share of the order, all of them together."""
    paid = 0
    for one in captured:
        terms = one.row.frozen
        if terms.kind != PAY_WITH_POINTS:
            continue
        told = sum(amount for _, amount in _payments(judged.body, one.row))
        paid += told if one.is_payment else one.row.discount_minor or 0
        base = judged.without_gift_cards() if terms.exclude_gift_cards else judged.value_minor
        most = base * terms.max_order_bp // _ALL_BP
        if paid > most:
            detail = f"{paid} (minor units) are paid with points, and at most {most} of this "
            detail += f"order of {judged.value_minor} can be"
            telling.note("condition_not_met", one.pointer, detail)
