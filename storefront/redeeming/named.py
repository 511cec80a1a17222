"""Which redemptions are an order's: those of its member that it names and no other order keeps,
those that it named before, and those that were captured for it by their ids.

Owns how they are read, all in one statement, and how the order's answer shows them. The last are
asked for only where an order falls or has refunds. What is not its own is noted among the order's
problems. Refuses to change them: `storefront.redeeming.bound` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from core import ids, jsontext
from loyalty import reading
from orders.figures import OrderFigures
from rewards import loading, redemptions
from rewards.carried import Row
from rewards.terms import PAY_WITH_POINTS
from storefront.plan import Plan
from storefront.redeeming import judging
from storefront.refunding import tender
from storefront.standing import Read, StoredOrder
from storefront.telling import Telling, is_same_member

Wanted = Literal["kept", "captured", "undone"]
_MONEY_OFF = ("discount_amount", "discount_percent", "free_shipping")
_GIVEN_BACK = ("released", "reversed")
#: Where problems of redemptions are that an order does not name.
_UNNAMED = "/redemptions"


@dataclass(slots=True)
class _Name:
    """A redemption as an order names it: by what address in it, and whether as a payment."""

    ref: str
    pointer: str
    is_payment: bool


@dataclass(slots=True)
class Named:
    """A redemption that an order names, and what the order wants of it. What it names no more, or
    its new member does not have, is dropped. One that was captured for it without ever being named
    follows it all the same: where it falls, comes back or is refunded."""

    row: Row
    pointer: str
    wanted: Wanted
    is_payment: bool = False
    is_dropped: bool = False
    is_unnamed: bool = False

    @property
    def pays(self) -> bool:
        """Whether its points go back by proportion: they paid, or their value is a discount. What
        was had for points besides (a card, a gift) is had wholly or not at all."""
        is_money_off = self.is_payment and self.row.kind in _MONEY_OFF
        return is_money_off or self.row.kind == PAY_WITH_POINTS

    @property
    def is_lost(self) -> bool:
        """Whether it ended by no order: released, or reversed by hand."""
        return self.row.state in _GIVEN_BACK and not self.row.is_undone


def load(plan: Plan, tellings: Iterable[Telling], reads: Iterable[Read]) -> None:
    """Read at once what many orders name."""
    found: list[bytes] = []
    for telling, read in zip(tellings, reads, strict=True):
        found += [*_names(telling.body)[0], *_names(_before(read.stored))[0]]
    if found:
        loading.load(plan, found)


def read(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    wanted: Wanted,
    has_moved: bool,
) -> list[Named]:
    """The redemptions that are the order's, in one statement; none where it names none and never
    did. Those that are not its member's are noted as unknown, those of another order as lost. Where
    it falls or has refunds, or did before, also those that it never named."""
    names, unread = _names(telling.body)
    before = _names(_before(stored))[0]
    if not (names or unread or before or has_moved):
        return []
    for name in unread:
        _note_unknown(telling, name)
    loading.load(plan, [*names, *before])
    found: list[Named] = []
    for redemption_id, name in names.items():
        row = plan.rewards.redemptions.get(redemption_id)
        if row is None or telling.member is None or row.member_id != telling.member.id:
            _note_unknown(telling, name)
        elif row.kept_by not in (None, telling.order_ref):
            detail = f"{name.ref} belongs to another order; it counts once"
            telling.note("state_conflict", name.pointer, detail)
        else:
            found.append(Named(row, name.pointer, wanted, name.is_payment))
    own = {one.row.id for one in found}
    for redemption_id, name in before.items():
        row = plan.rewards.redemptions.get(redemption_id)
        if row is not None and redemption_id not in own and _was_its(stored, telling, row):
            found.append(Named(row, name.pointer, "undone", name.is_payment, is_dropped=True))
    if has_moved:
        found += _unnamed(plan, telling, stored, wanted, {*names, *before})
    for one in found:
        _load_account(connection, plan, one.row)
    return found


def _unnamed(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    wanted: Wanted,
    known: set[bytes],
) -> list[Named]:
    """Those that were captured for the order by their ids. An order that captured what it named has
    noted what that took off it: where it is named no more it stays undone."""
    found = []
    own = None if telling.member is None else telling.member.id
    for row in loading.load_of_order(plan, telling.order_ref):
        comes_back = row.state == "reversed" and row.is_undone and row.discount_minor is None
        if row.id in known or not (row.state == "captured" or comes_back):
            continue
        if row.member_id == own:
            found.append(Named(row, _UNNAMED, wanted, is_unnamed=True))
        elif _was_its(stored, telling, row):
            found.append(Named(row, _UNNAMED, "undone", is_dropped=True, is_unnamed=True))
    return found


def has_moved(telling: Telling, stored: StoredOrder | None, order: OrderFigures | None) -> bool:
    """Whether an order falls, has refunds or goes to another member, or did before."""
    if stored is not None and not is_same_member(stored, telling):
        return True
    if telling.member is None:
        # A guest has no redemptions.
        return False
    if telling.refunds or order is None or order.refunded_minor or order.is_wholly_refunded:
        return True
    return telling.body["status"] == "cancelled" or (stored is not None and _has_moved(stored))


def _has_moved(stored: StoredOrder) -> bool:
    """Whether an order as it is stored has fallen or has refunds."""
    if stored.stands or stored.refunded_minor:
        return stored.refunded_minor > 0
    status: str = jsontext.parse(stored.snapshot)["status"]
    return status != "pending"


def wanted_of(telling: Telling, order: OrderFigures | None) -> Wanted:
    """What the order as told wants of the redemptions that it names."""
    status = telling.body["status"]
    if order is None or status == "cancelled" or order.is_wholly_refunded:
        return "undone"
    return "kept" if status == "pending" else "captured"


def _names(body: Mapping[str, Any]) -> tuple[dict[bytes, _Name], list[_Name]]:
    """The redemptions that an order names, each once, and what can be no redemption's id."""
    found: dict[bytes, _Name] = {}
    unread: list[_Name] = []
    if not (body.get("redemptions") or body.get("payments")):
        return found, unread
    told = [
        _Name(ref, f"/redemptions/{index}", is_payment=False)
        for index, ref in enumerate(body.get("redemptions") or ())
    ]
    told += [
        _Name(payment["redemption_id"], f"/payments/{index}/redemption_id", is_payment=is_payment)
        for index, payment in enumerate(body.get("payments") or ())
        if payment.get("redemption_id")
        for is_payment in (tender.is_payment(payment),)
    ]
    for name in told:
        redemption_id = ids.read_id(redemptions.PREFIX, name.ref)
        if redemption_id is None:
            unread.append(name)
        elif redemption_id in found:
            found[redemption_id].is_payment |= name.is_payment
        else:
            found[redemption_id] = name
    return found, unread


def _before(stored: StoredOrder | None) -> Mapping[str, Any]:
    """The order as it was told before, as far as it named redemptions."""
    if stored is None or '"redemption' not in stored.snapshot:
        return {}
    before: dict[str, Any] = jsontext.parse(stored.snapshot)
    return before


def _note_unknown(telling: Telling, name: _Name) -> None:
    telling.note("not_found", name.pointer, "the order's member has no such redemption")


def _was_its(stored: StoredOrder | None, telling: Telling, row: Row) -> bool:
    """Whether a redemption is the order's although it is not named (by its member) any more."""
    return stored is not None and (row.member_id, row.kept_by) == (
        stored.member_id,
        telling.order_ref,
    )


def _load_account(connection: sa.Connection, plan: Plan, row: Row) -> None:
    """Take up the account of points that were held before their member was merged."""
    held = redemptions.hold_of(plan, row)
    if held is not None and held.member_id != row.member_id:
        plan.book.load(reading.read_holdings(connection, plan.program_id, held.member_id))
        plan.settle(held.member_id)


def shown(plan: Plan, named: Iterable[Named]) -> list[dict[str, Any]]:
    """The order's redemptions as its answer shows them."""
    return [
        {
            "id": tender.shown_id(one.row.id),
            "state": redemptions.state_of(one.row, plan.now),
            "points": one.row.points,
            "points_returned": redemptions.points_returned(plan, one.row),
            "discount_minor": one.row.discount_minor,
        }
        for one in named
        if not one.is_dropped
    ]


def show_stored(
    connection: sa.Connection, plan: Plan, telling: Telling, stored: StoredOrder
) -> None:
    """Note in the telling the redemptions of an order as it is stored, and what of them could not
    be done. Changes nothing."""
    is_moved = stored.member_id is not None and (bool(telling.refunds) or _has_moved(stored))
    names, unread = _names(_before(stored))
    if not names and not unread and not is_moved:
        return
    snapshot = jsontext.parse(stored.snapshot)
    shadow = Telling(telling.order_ref, snapshot, member=telling.member)
    wanted: Wanted = "undone"
    if stored.stands:
        wanted = "captured"
    elif snapshot["status"] == "pending":
        wanted = "kept"
    named = read(connection, plan, shadow, None, wanted=wanted, has_moved=is_moved)
    for one in named:
        state = redemptions.state_of(one.row, plan.now)
        if wanted != "undone" and state not in ("held", "captured"):
            code, detail = _why_not(plan, one.row, state)
            shadow.note(code, one.pointer, detail)
    if wanted != "undone":
        judging.note(plan, shadow, named)
    telling.problems += shadow.problems
    telling.redemptions = shown(plan, named)


def _why_not(plan: Plan, row: Row, state: str) -> tuple[str, str]:
    """Why an order as it is stored does not have a redemption that it names."""
    if row.points:
        available = plan.book.holding(row.member_id, row.points_key).available
        if available < row.points and (state == "expired" or row.is_undone):
            detail = f"{row.points} points are needed again and {available} are available"
            return "insufficient_points", detail
    return "state_conflict", f"{row.kind} is {state}; tell the order with a change to try again"
