"""Gift cards and store credit that pay for an order: how much of each, and what goes back.

Payments say how much: by the code that paid, else of their kind by the cards that `codes` name. An
order that tells payments and none of a card's kind takes nothing of it; one that tells none at all
takes what the cards hold, up to what it comes to. What was redeemed by hand stays as it was asked
for. Of all of it goes back what refunds say, else the share of the order that was refunded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import ids
from core.money import spread
from orders.figures import OrderFigures
from orders.refunds import Folded
from programs.rewards import STORED_VALUE
from rewards import spending, vouchers
from rewards.carried import Row
from storefront.plan import Plan
from storefront.telling import Telling


@dataclass(frozen=True, slots=True)
class Asked:
    """The cards that an order may use: those that it names, by which of its payments and codes, and
    those that were redeemed for it by hand."""

    named: Mapping[bytes, Row]
    payments: Mapping[int, bytes]
    codes: frozenset[bytes]
    unknown: Sequence[int]
    by_hand: Mapping[bytes, Row]


def spend(
    plan: Plan, telling: Telling, asked: Asked, *, folded: Folded, order: OrderFigures
) -> None:
    """Bring what a paid order has of cards and credit to what it says, less what went back; notes
    what they do not hold."""
    for kind in STORED_VALUE:
        hand, own = _sorted_out(plan, telling, asked, kind)
        cards = [*hand, *own]
        if not cards:
            continue
        uses = [spending.use_of(plan, one, telling.order_ref) for one in cards]
        gross = [use.amount_minor for use in uses[: len(hand)] if use is not None]
        if telling.body.get("payments") is None:
            gross += _what_it_can(plan, telling, own, order=order, paid=sum(gross))
        else:
            gross += _as_told(plan, telling, asked, own, kind)
        back = _back(telling, gross, kind, folded=folded, order=order)
        for place, card in enumerate(cards):
            use, is_by_hand = uses[place], place < len(hand)
            _take(
                plan,
                telling,
                card,
                member_id=use.member_id if is_by_hand and use is not None else _member_id(telling),
                gross_minor=gross[place],
                back_minor=back[place],
                is_by_hand=is_by_hand,
            )


def _member_id(telling: Telling) -> bytes | None:
    return None if telling.member is None else telling.member.id


def _sorted_out(
    plan: Plan, telling: Telling, asked: Asked, kind: str
) -> tuple[list[Row], list[Row]]:
    """The cards of a kind that were used by hand, and those of which the order itself says how much
    they pay."""
    hand = [one for one in asked.by_hand.values() if one.kind == kind]
    own = []
    is_loose = any(one["kind"] == kind for one in telling.body.get("payments") or ())
    for card in asked.named.values():
        if card.kind != kind:
            continue
        use = spending.use_of(plan, card, telling.order_ref)
        is_paying = card.id in asked.payments.values() or (is_loose and card.id in asked.codes)
        if use is not None and spending.is_by_hand(use) and not is_paying:
            hand.append(card)
        else:
            own.append(card)
    return hand, own


def _what_it_can(
    plan: Plan, telling: Telling, cards: Sequence[Row], *, order: OrderFigures, paid: int
) -> list[int]:
    """What cards pay of an order that tells no payments, in the order of their codes: what it once
    took stays, as far as the order comes to so much."""
    rest = order.whole_net_minor + telling.body["shipping_minor"] - paid
    found = []
    for card in cards:
        known = spending.standing(plan, card, telling.order_ref)
        most: int = card.remaining_minor if known is None else known.amount_minor
        found.append(max(0, min(most, rest)))
        rest -= found[-1]
    return found


def _as_told(
    plan: Plan, telling: Telling, asked: Asked, cards: Sequence[Row], kind: str
) -> list[int]:
    """What each card pays: what payments say of it, then of what they say of no card as much as it
    holds, in the order of the codes."""
    room = {one.id: spending.capacity(plan, one, telling.order_ref) for one in cards}
    taken = dict.fromkeys(room, 0)
    loose = 0
    for index, payment in enumerate(telling.body["payments"]):
        voucher_id = asked.payments.get(index)
        if voucher_id in room:
            paid = min(payment["amount_minor"], room[voucher_id] - taken[voucher_id])
            taken[voucher_id] += paid
            _short(telling, payment["amount_minor"] - paid, "is left", f"/payments/{index}/code")
        elif payment["kind"] == kind and index not in asked.unknown and not _is_told(payment):
            loose += payment["amount_minor"]
    of_codes = [one for one in cards if one.id in asked.codes]
    for card in of_codes:
        paid = min(loose, room[card.id] - taken[card.id])
        taken[card.id] += paid
        loose -= paid
    if of_codes:
        _short(telling, loose, "is left")
    return [taken[one.id] for one in cards]


def _is_told(payment: Mapping[str, Any]) -> bool:
    """Whether a payment says itself what it was paid with."""
    return bool(payment.get("code") or payment.get("redemption_id"))


def _back(
    telling: Telling, taken: Sequence[int], kind: str, *, folded: Folded, order: OrderFigures
) -> list[int]:
    """What of each card's part went back: as refunds say how they were paid, else as much of it as
    of the goods and the shipping."""
    paid, told, told_of = sum(taken), 0, 0
    for refund in telling.refunds:
        applied = folded.applied.get(refund.refund_ref)
        payments = refund.body.get("payments")
        if applied is not None and payments:
            told_of += applied.total_minor
            of_kind = sum(one["amount_minor"] for one in payments if one["kind"] == kind)
            told += min(of_kind, applied.total_minor)
    shipping: int = telling.body["shipping_minor"]
    whole = order.whole_net_minor + shipping
    refunded = order.refunded_minor + folded.body.get("shipping_refunded_minor", 0)
    rest = min(whole, max(0, refunded - told_of))
    by_share = paid * rest // whole if whole else paid * int(order.is_wholly_refunded)
    return spread(min(paid, told + by_share), taken)


def _take(
    plan: Plan,
    telling: Telling,
    card: Row,
    *,
    member_id: bytes | None,
    gross_minor: int,
    back_minor: int,
    is_by_hand: bool,
) -> None:
    known = spending.standing(plan, card, telling.order_ref)
    returned = 0 if known is None else known.returned_minor
    missing = spending.take(
        plan,
        card,
        telling.order_ref,
        member_id=member_id,
        gross_minor=gross_minor,
        back_minor=back_minor,
        is_by_hand=is_by_hand,
    )
    _short(telling, missing, "of what went back is there again")
    if known is not None:
        warn(plan, telling, card, known.returned_minor - returned)


def give_back(plan: Plan, telling: Telling, voucher: Row, *, is_undone: bool) -> None:
    """Give back all that an order used of a code, if it uses any."""
    known = spending.standing(plan, voucher, telling.order_ref)
    left = 0 if known is None else known.amount_minor - known.returned_minor
    spending.release(plan, voucher, telling.order_ref, is_undone=is_undone)
    if vouchers.is_stored_value(voucher):
        warn(plan, telling, voucher, left)


def warn(plan: Plan, telling: Telling, card: Row, back_minor: int) -> None:
    """Note that money went back to a card that nobody can use."""
    state = vouchers.state_of(card, plan.now)
    if back_minor > 0 and state not in ("active", "redeemed"):
        shown = ids.show_id(vouchers.PREFIX, card.id)
        detail = f"{back_minor} went back to {shown}, which is {state}: pay them back otherwise"
        telling.note("state_conflict", "/payments", detail)


def _short(telling: Telling, missing: int, what: str, pointer: str = "/payments") -> None:
    if missing > 0:
        detail = f"{missing} too few: less {what} on the card or the credit; what there is is taken"
        telling.note("insufficient_value", pointer, detail)
