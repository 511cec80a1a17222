"""Codes that an order names: used while it stands, given back when it falls.

An order is a fact: whatever is wrong with a code, the order is stored, and a problem says so. A
code that is none of ours is the storefront's own and left alone. In the order that is stored our
codes are replaced by the ids of their vouchers, so that no order gives a live code away; told so
again by an order that named them, they mean the same, and nothing in any other. Which they are is
kept beside them, where no caller can write. What was redeemed for the order by hand, and is not
named, follows it as well once some of it falls. Refuses to be a reason to refuse, and to say how
much money is taken of cards: `storefront.vouchers.spent` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import db, ids
from orders.figures import OrderFigures
from orders.refunds import Folded
from orders.schemas import VOUCHER_IDS
from rewards import codes, discounts, redemptions, spending, vouchers
from rewards.carried import Row
from storefront import decide
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling
from storefront.vouchers import spent, told, using

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
    #: What was redeemed for it by hand, where that was looked for.
    used: set[bytes] = field(default_factory=set)
    is_looked: bool = False
    #: What was sent of codes and payments, which an attempt that is lost has replaced.
    sent: dict[str, Any] = field(default_factory=dict)
    #: Whose each voucher is; None where nobody need be locked for it.
    owners: dict[bytes, bytes | None] = field(default_factory=dict)

    @property
    def ids(self) -> set[bytes]:
        """All of them."""
        return {*self.told_ids, *self.before, *self.used}

    @property
    def told_ids(self) -> set[bytes]:
        """Those that it names now."""
        return {*self.codes.values(), *self.payments.values()}


def resolve(plan: Plan, telling: Telling, stored: StoredOrder | None) -> None:
    """Find the vouchers that an order names, and name them by their ids from here on. Starts the
    unit again where somebody else than the order's member must be locked for them."""
    before = told.named_in(stored)
    if telling.named is not None:
        telling.body = {**telling.body, **telling.named.sent}
    telling.named = None
    places = list(_places(telling.body))
    is_looked = _concerns_hands(telling, stored)
    used = spending.voucher_ids_by_hand(plan, telling.order_ref) if is_looked else set()
    if not places and not before and not used:
        return
    sent = {name: telling.body[name] for name in ("codes", "payments") if name in telling.body}
    named = telling.named = Named(before=before, used=used, is_looked=is_looked, sent=sent)
    shown = {ids.show_id(vouchers.PREFIX, one): one for one in before}
    texts = [text for _, _, text in places if text not in shown]
    found = vouchers.find_all(plan, texts)
    for kind, index, text in places:
        voucher_id = shown.get(text) or (found[text].id if text in found else None)
        if voucher_id is not None:
            (named.codes if kind == "codes" else named.payments)[index] = voucher_id
        elif kind == "payments":
            named.unknown.append(index)
    rows = {row.id: row for row in found.values()}
    rows |= vouchers.peek_all(plan, [one for one in named.ids if one not in rows])
    named.owners = {row.id: using.owner_of(row) for row in rows.values()}
    telling.body = _with_ids(plan, telling, rows)
    _see_to_locks(telling, stored, rows)


def _concerns_hands(telling: Telling, stored: StoredOrder | None) -> bool:
    """Whether it matters what was redeemed for the order by hand: some of it fell, or stands again;
    or it tells codes and no payments, so that its cards pay what nothing else has."""
    body = telling.body
    if telling.refunds or _has_fallen(body) or (body.get("codes") and body.get("payments") is None):
        return True
    return stored is not None and bool(
        stored.refunded_minor or '"status":"cancelled"' in stored.snapshot
    )


def _has_fallen(body: Mapping[str, Any]) -> bool:
    if body["status"] == "cancelled":
        return True
    if body.get("refunded_minor") or body.get("shipping_refunded_minor"):
        return True
    lines = body["lines"]
    return any(one.get("refunded_quantity") or one.get("refunded_minor") for one in lines)


def needs_care(body: Mapping[str, Any], *, has_rewards: bool) -> bool:
    """Whether an order names a code or a payment by one, or may have to give some back: vouchers
    are locked for it."""
    return next(_places(body), None) is not None or (has_rewards and _has_fallen(body))


def _places(body: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    for index, text in enumerate(body.get("codes") or ()):
        yield "codes", index, text
    for index, payment in enumerate(body.get("payments") or ()):
        if payment.get("code"):
            yield "payments", index, payment["code"]


def _with_ids(plan: Plan, telling: Telling, rows: Mapping[bytes, Row]) -> dict[str, Any]:
    """The body with the ids of vouchers in place of their codes; of somebody else's code there is a
    mark that says nothing."""
    named, body = telling.named, telling.body
    assert named is not None
    member_id = None if telling.member is None else telling.member.id
    made = {name: value for name, value in body.items() if name != VOUCHER_IDS}
    foreign = {
        voucher_id
        for voucher_id, row in rows.items()
        if voucher_id not in named.before and not using.is_theirs(row, member_id)
    }
    if named.codes:
        made["codes"] = [
            _in_place_of(plan, text, named.codes.get(index), foreign)
            for index, text in enumerate(body["codes"])
        ]
    ours = {*named.codes.values(), *named.payments.values()} - foreign
    if ours:
        made[VOUCHER_IDS] = sorted(ids.show_id(vouchers.PREFIX, one) for one in ours)
    if named.payments or named.unknown:
        made["payments"] = [
            _payment(payment, named.payments.get(index))
            for index, payment in enumerate(body["payments"])
        ]
    return made


def _in_place_of(plan: Plan, text: str, voucher_id: bytes | None, foreign: set[bytes]) -> str:
    if voucher_id is None:
        return text
    if voucher_id in foreign:
        return f"code_{codes.digests(plan.program_id, text)[0].hex()[:26]}"
    return ids.show_id(vouchers.PREFIX, voucher_id)


def _payment(payment: Mapping[str, Any], voucher_id: bytes | None) -> dict[str, Any]:
    """A payment as it is stored: a code that is none of ours may be somebody else's live one."""
    made = {name: value for name, value in payment.items() if name != "code"}
    if voucher_id is not None:
        made["code"] = ids.show_id(vouchers.PREFIX, voucher_id)
    return made


def _see_to_locks(telling: Telling, stored: StoredOrder | None, rows: Mapping[bytes, Row]) -> None:
    member_id = None if telling.member is None else telling.member.id
    locked = {member_id, telling.owner_id, *telling.others}
    named = telling.named
    assert named is not None
    needed = {
        owner_id
        for voucher_id, owner_id in named.owners.items()
        if owner_id is not None
        and (
            voucher_id in named.before | named.used or using.is_theirs(rows[voucher_id], member_id)
        )
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
    rows = vouchers.peek_all(plan, named.told_ids)
    assert telling.item is not None
    for pointer, voucher_id in _pointed(named):
        voucher = rows[voucher_id]
        if spending.standing(plan, voucher, telling.order_ref) is not None:
            continue
        # A card that could pay, and was not asked to, is no problem.
        is_idle = vouchers.is_stored_value(voucher) and pointer.startswith("/codes")
        if not (is_idle and spending.is_usable(voucher, telling.item.at)):
            _wrong(telling, pointer)


def _pointed(named: Named) -> Iterator[tuple[str, bytes]]:
    for index, voucher_id in named.codes.items():
        yield f"/codes/{index}", voucher_id
    for index, voucher_id in named.payments.items():
        yield f"/payments/{index}/code", voucher_id


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
    has_fallen = telling.body["status"] == "cancelled" or order.is_wholly_refunded
    by_hand = _by_hand(plan, telling, locked)
    kept: set[bytes] = set()
    if row["stands"]:
        kept |= _use(plan, telling, usable, order)
        _use_again(plan, telling, by_hand)
    if is_paid:
        money = {key: one for key, one in usable.items() if vouchers.is_stored_value(one)}
        asked = spent.Asked(
            money, named.payments, frozenset(named.codes.values()), named.unknown, by_hand
        )
        spent.spend(plan, telling, asked, folded=folded, order=order)
        kept |= {*money, *(key for key, one in by_hand.items() if vouchers.is_stored_value(one))}
    for voucher_id in sorted(named.ids - kept):
        _give_back(plan, telling, locked[voucher_id], has_fallen=has_fallen)
    told.show(plan, telling, told.own_of(telling.body) | set(by_hand))


def _by_hand(plan: Plan, telling: Telling, locked: Mapping[bytes, Row]) -> dict[bytes, Row]:
    """What was redeemed for the order by hand and is not named by it, read behind the locks."""
    named = telling.named
    assert named is not None
    if not named.is_looked:
        return {}
    uses = spending.used_by(plan, telling.order_ref)
    found = [one.voucher_id for one in uses if spending.is_by_hand(one)]
    if not set(found) <= set(locked):
        raise db.Restart
    return {one: locked[one] for one in found if one not in named.told_ids}


def _use_again(plan: Plan, telling: Telling, by_hand: Mapping[bytes, Row]) -> None:
    """Use again what is used once, was redeemed by hand, and fell with the order."""
    assert telling.item is not None
    for voucher in by_hand.values():
        use = spending.use_of(plan, voucher, telling.order_ref)
        if use is None or not use.is_undone or vouchers.is_stored_value(voucher):
            continue
        if not spending.is_usable(voucher, telling.item.at):
            shown = ids.show_id(vouchers.PREFIX, voucher.id)
            detail = f"{shown}, which was redeemed for the order, cannot be used again"
            telling.note("state_conflict", "/codes", detail)
            continue
        spending.use(
            plan,
            voucher,
            telling.order_ref,
            member_id=use.member_id,
            minor=use.amount_minor,
            is_by_hand=True,
        )


def _give_back(plan: Plan, telling: Telling, voucher: Row, *, has_fallen: bool) -> None:
    use = spending.use_of(plan, voucher, telling.order_ref)
    is_by_hand = use is not None and use.is_by_hand
    # What a hand has redeemed stays until the order falls, or a hand releases it.
    if (is_by_hand and not has_fallen) or _is_of_redemption(plan, voucher, telling.order_ref):
        return
    spent.give_back(plan, telling, voucher, is_undone=is_by_hand)


def _is_of_redemption(plan: Plan, voucher: Row, order_ref: str) -> bool:
    """Whether the order used a voucher by capturing its redemption, with which it goes back."""
    if voucher.redemption_id is None or vouchers.is_stored_value(voucher):
        return False
    row = redemptions.find_by_id(plan, voucher.redemption_id)
    return row is not None and row.state == "captured" and row.kept_by == order_ref


def _usable(
    connection: sa.Connection, plan: Plan, telling: Telling, locked: Mapping[bytes, Row]
) -> dict[bytes, Row]:
    """The vouchers that the order may use, each once; problems of the others."""
    named = telling.named
    assert named is not None and telling.item is not None
    member_id = None if telling.member is None else telling.member.id
    found: dict[bytes, Row] = {}
    judged: dict[bytes, bool] = {}
    for pointer, voucher_id in _pointed(named):
        voucher = locked[voucher_id]
        if voucher_id not in judged:
            judged[voucher_id] = using.is_theirs(voucher, member_id) and using.begin(
                connection, plan, voucher, telling.order_ref, at=telling.item.at
            )
        if judged[voucher_id]:
            found[voucher_id] = voucher
        else:
            _wrong(telling, pointer)
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


def _unknown(telling: Telling, named: Named) -> None:
    for index in named.unknown:
        _wrong(telling, f"/payments/{index}/code")


def _wrong(telling: Telling, pointer: str) -> None:
    telling.note("not_found", pointer, f"the order cannot use this code: {_WRONG}")
