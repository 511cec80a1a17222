"""Codes that an order names: used while it stands, given back when it falls.

An order is a fact: whatever is wrong with a code, the order is stored, and a problem says so. A
code that is none of ours is the storefront's own and left alone. In the order that is stored our
codes are replaced by the ids of their vouchers, so that no order gives a live code away; told so
again, they mean the same. Owns how much an order takes of gift cards and store credit: what its
payments of these kinds come to, less what of them was refunded. Refuses to be a reason to refuse.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext
from core.money import spread
from orders.figures import OrderFigures
from orders.refunds import Folded
from programs.rewards import STORED_VALUE
from rewards import discounts, spending, vouchers
from rewards.carried import Row
from storefront import answers, decide
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling
from storefront.vouchers import using

_MARK = f'"{vouchers.PREFIX}_'
_WRONG = "it is unknown, another member's, used up or over"


@dataclass(slots=True)
class Named:
    """The vouchers that an order names, by where it does, and those that it named before."""

    #: By the index of `codes`, and of the payments that say which code paid.
    codes: dict[int, bytes] = field(default_factory=dict)
    payments: dict[int, bytes] = field(default_factory=dict)
    #: Payments by a code that is none of ours.
    unknown: list[int] = field(default_factory=list)
    before: set[bytes] = field(default_factory=set)
    #: Whose each voucher is; None where nobody need be locked for it.
    owners: dict[bytes, bytes | None] = field(default_factory=dict)

    @property
    def ids(self) -> set[bytes]:
        """All of them."""
        return {*self.codes.values(), *self.payments.values(), *self.before}


def resolve(plan: Plan, telling: Telling, stored: StoredOrder | None) -> None:
    """Find the vouchers that an order names, and name them by their ids from here on. Starts the
    unit again where somebody else than the order's member must be locked for them."""
    before = _named_before(stored)
    places = list(_places(telling.body))
    # An attempt that was lost has put ids in place of codes already.
    lost: Named | None = telling.named
    telling.named = None
    if not places and not before and lost is None:
        return
    named = telling.named = Named(before=before, unknown=[] if lost is None else lost.unknown)
    own = before if lost is None else before | lost.ids
    shown = {ids.show_id(vouchers.PREFIX, one): one for one in own}
    texts = [text for _, _, text in places if text not in shown]
    found = vouchers.find_all(plan, texts)
    for kind, index, text in places:
        voucher_id = shown.get(text) or (found[text].id if text in found else None)
        if voucher_id is not None:
            (named.codes if kind == "codes" else named.payments)[index] = voucher_id
        elif kind == "payments":
            named.unknown.append(index)
    telling.body = _with_ids(telling.body, named)
    rows = {row.id: row for row in found.values()}
    rows |= vouchers.peek_all(plan, [one for one in named.ids if one not in rows])
    named.owners = {row.id: using.owner_of(row) for row in rows.values()}
    _see_to_locks(telling, stored, rows)


def has_codes(body: Mapping[str, Any]) -> bool:
    """Whether an order names any code, or a payment by one."""
    return next(_places(body), None) is not None


def _places(body: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    for index, text in enumerate(body.get("codes") or ()):
        yield "codes", index, text
    for index, payment in enumerate(body.get("payments") or ()):
        if payment.get("code"):
            yield "payments", index, payment["code"]


def _named_before(stored: StoredOrder | None) -> set[bytes]:
    if stored is None or _MARK not in stored.snapshot:
        return set()
    texts = [text for _, _, text in _places(jsontext.parse(stored.snapshot))]
    found = (ids.read_id(vouchers.PREFIX, text) for text in texts)
    return {one for one in found if one is not None}


def _with_ids(body: Mapping[str, Any], named: Named) -> dict[str, Any]:
    told = dict(body)
    if named.codes:
        told["codes"] = [
            ids.show_id(vouchers.PREFIX, named.codes[index]) if index in named.codes else text
            for index, text in enumerate(body["codes"])
        ]
    if named.payments or named.unknown:
        told["payments"] = [
            _payment(payment, named.payments.get(index))
            for index, payment in enumerate(body["payments"])
        ]
    return told


def _payment(payment: Mapping[str, Any], voucher_id: bytes | None) -> dict[str, Any]:
    """A payment as it is stored: a code that is none of ours may be somebody else's live one."""
    told = {name: value for name, value in payment.items() if name != "code"}
    if voucher_id is not None:
        told["code"] = ids.show_id(vouchers.PREFIX, voucher_id)
    return told


def _see_to_locks(telling: Telling, stored: StoredOrder | None, rows: Mapping[bytes, Row]) -> None:
    member_id = None if telling.member is None else telling.member.id
    locked = {member_id, telling.owner_id, *telling.others}
    named = telling.named
    assert named is not None
    needed = {
        owner_id
        for voucher_id, owner_id in named.owners.items()
        if owner_id is not None
        and (voucher_id in named.before or using.is_theirs(rows[voucher_id], member_id))
    }
    if needed <= locked:
        return
    telling.others.update(needed)
    raise telling.be_careful(None if stored is None else stored.member_id)


def remind(plan: Plan, telling: Telling, *, stands: bool) -> None:
    """Say again of an order that is told as it is stored which of its codes it does not use."""
    named = telling.named
    if named is None:
        return
    _unknown(telling, named)
    if not stands:
        return
    rows = vouchers.peek_all(plan, sorted(set(named.codes.values())))
    for index, voucher_id in named.codes.items():
        voucher = rows[voucher_id]
        if spending.standing(plan, voucher, telling.order_ref) is None and not _is_idle(
            telling, voucher
        ):
            _wrong(telling, f"/codes/{index}")


def follow(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    *,
    folded: Folded,
    row: Mapping[str, Any],
) -> None:
    """Bring what the order uses to what it names now; notes problems in the telling."""
    named = telling.named
    if named is None:
        return
    _unknown(telling, named)
    locked = vouchers.lock(plan, named.ids)
    if any(using.owner_of(one) != named.owners.get(one.id) for one in locked.values()):
        # Bound, or handed over, since we looked.
        raise db.Restart
    is_paid = telling.body["status"] in ("paid", "fulfilled")
    order = decide.figure(plan.live, folded.body)
    usable = _usable(connection, plan, telling, locked) if is_paid else {}
    kept: set[bytes] = set()
    if row["stands"]:
        kept |= _use(plan, telling, usable, order)
    if is_paid:
        kept |= _spend(plan, telling, usable, folded=folded, order=order, stands=row["stands"])
    for voucher_id in sorted(named.ids - kept):
        spending.release(plan, locked[voucher_id], telling.order_ref)


def _usable(
    connection: sa.Connection, plan: Plan, telling: Telling, locked: Mapping[bytes, Row]
) -> dict[bytes, Row]:
    """The vouchers that the order may use, each once; problems of the others."""
    named = telling.named
    assert named is not None and telling.item is not None
    member_id = None if telling.member is None else telling.member.id
    found: dict[bytes, Row] = {}
    judged: dict[bytes, bool] = {}
    places = [("/codes/{}", one) for one in named.codes.items()]
    places += [("/payments/{}/code", one) for one in named.payments.items()]
    for pointer, (index, voucher_id) in places:
        voucher = locked[voucher_id]
        if voucher_id not in judged:
            judged[voucher_id] = using.is_theirs(voucher, member_id) and using.begin(
                connection, plan, voucher, telling.order_ref, at=telling.item.at
            )
        if judged[voucher_id]:
            found[voucher_id] = voucher
        else:
            _wrong(telling, pointer.format(index))
    return found


def _use(
    plan: Plan, telling: Telling, usable: Mapping[bytes, Row], order: OrderFigures
) -> set[bytes]:
    """Use what is used once."""
    member_id = None if telling.member is None else telling.member.id
    once = {key: one for key, one in usable.items() if not vouchers.is_stored_value(one)}
    for voucher in once.values():
        known = spending.standing(plan, voucher, telling.order_ref)
        # What it took off is of the order as it was when it was used.
        minor = discounts.told_off(voucher.frozen, order) if known is None else known.amount_minor
        spending.use(plan, voucher, telling.order_ref, member_id=member_id, minor=minor)
    return set(once)


def _spend(
    plan: Plan,
    telling: Telling,
    usable: Mapping[bytes, Row],
    *,
    folded: Folded,
    order: OrderFigures,
    stands: bool,
) -> set[bytes]:
    """Take of stored value what payments of its kind come to, less what went back."""
    member_id = None if telling.member is None else telling.member.id
    kept: set[bytes] = set()
    for kind in STORED_VALUE:
        cards = [one for one in usable.values() if one.kind == kind]
        if not cards:
            continue
        kept |= {one.id for one in cards}
        if telling.body.get("payments") is None:
            # Nothing is told of payments: what was redeemed by hand for the order stays.
            kept -= set() if stands else {one.id for one in cards}
            continue
        taken = _gross(plan, telling, cards, kind)
        back = _back(telling, taken, kind, folded=folded, order=order)
        for card, gross, returned in zip(cards, taken, back, strict=True):
            missing = spending.take(
                plan,
                card,
                telling.order_ref,
                member_id=member_id,
                gross_minor=gross,
                back_minor=returned,
            )
            _short(telling, missing, "of what went back is there again")
    return kept


def _gross(plan: Plan, telling: Telling, cards: Sequence[Row], kind: str) -> list[int]:
    """What each card pays: what payments say of it, then of what they say of no card as much as it
    holds, in the order of the codes."""
    named = telling.named
    assert named is not None
    room = {one.id: spending.capacity(plan, one, telling.order_ref) for one in cards}
    taken = dict.fromkeys(room, 0)
    loose = 0
    for index, payment in enumerate(telling.body["payments"]):
        voucher_id = named.payments.get(index)
        if voucher_id in room:
            paid = min(payment["amount_minor"], room[voucher_id] - taken[voucher_id])
            taken[voucher_id] += paid
            _short(telling, payment["amount_minor"] - paid, "is left", f"/payments/{index}/code")
        elif payment["kind"] == kind and index not in named.unknown and not _is_told(payment):
            loose += payment["amount_minor"]
    of_codes = [one for one in cards if one.id in named.codes.values()]
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
    """What of each card's part went back: as refunds say how they were paid, else by proportion
    as goods went back."""
    paid, told, goods = sum(taken), 0, 0
    for refund in telling.refunds:
        applied = folded.applied.get(refund.refund_ref)
        payments = refund.body.get("payments")
        if applied is not None and payments:
            goods += applied.goods_minor
            of_kind = sum(one["amount_minor"] for one in payments if one["kind"] == kind)
            told += min(of_kind, applied.total_minor)
    rest = max(0, order.refunded_minor - goods)
    whole = order.whole_net_minor
    by_share = paid * rest // whole if whole else paid * int(order.is_wholly_refunded)
    return spread(min(paid, told + by_share), taken)


def _is_idle(telling: Telling, voucher: Row) -> bool:
    """Whether an order that names a card pays nothing with it, which is no problem."""
    if not vouchers.is_stored_value(voucher):
        return False
    kinds = [one["kind"] for one in telling.body.get("payments") or ()]
    return voucher.kind not in kinds


def _short(telling: Telling, missing: int, what: str, pointer: str = "/payments") -> None:
    if missing > 0:
        detail = f"{missing} too few: less {what} on the card or the credit; what there is is taken"
        telling.problems.append(answers.problem("insufficient_value", pointer, detail))


def _unknown(telling: Telling, named: Named) -> None:
    for index in named.unknown:
        _wrong(telling, f"/payments/{index}/code")


def _wrong(telling: Telling, pointer: str) -> None:
    detail = f"the order cannot use this code: {_WRONG}"
    telling.problems.append(answers.problem("not_found", pointer, detail))
