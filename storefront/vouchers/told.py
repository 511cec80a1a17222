"""What an order did with codes, as its answer shows it.

Owns the shape. Shows vouchers that the order names as its own, and those that were redeemed for it
by hand where these were looked for. Refuses to show codes, and what is somebody else's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core import ids, jsontext
from orders.schemas import VOUCHER_IDS
from rewards import spending, vouchers
from rewards.carried import Row
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling
from storefront.vouchers import showing

_MARK = f'"{VOUCHER_IDS}"'


def named_in(stored: StoredOrder | None) -> set[bytes]:
    """The vouchers that a stored order names as its own."""
    if stored is None or _MARK not in stored.snapshot:
        return set()
    return own_of(jsontext.parse(stored.snapshot))


def own_of(body: Mapping[str, Any]) -> set[bytes]:
    """The same of an order as it is to be stored."""
    found = (ids.read_id(vouchers.PREFIX, text) for text in body.get(VOUCHER_IDS) or ())
    return {one for one in found if one is not None}


def show(plan: Plan, telling: Telling, voucher_ids: Iterable[bytes]) -> None:
    """Note in the telling what it did with these vouchers, as this unit leaves them."""
    rows = vouchers.peek_all(plan, voucher_ids)
    telling.codes = [
        _shown(plan, row, spending.use_of(plan, row, telling.order_ref))
        for _, row in sorted(rows.items())
    ]


def show_stored(plan: Plan, telling: Telling, stored: StoredOrder) -> None:
    """The same of an order as it is stored; nothing is asked where it names no voucher."""
    named = named_in(stored)
    if named:
        uses = spending.used_by(plan, telling.order_ref)
        show(plan, telling, named | {one.voucher_id for one in uses if one.is_by_hand})


def _shown(plan: Plan, row: Row, use: Row | None) -> dict[str, Any]:
    has_value = vouchers.is_stored_value(row)
    stands = use is not None and not use.is_released
    discount = use.amount_minor if use is not None and stands else None
    return {
        "voucher_id": ids.show_id(vouchers.PREFIX, row.id),
        "kind": row.kind,
        "state": showing.state_of(plan, row),
        "discount_minor": None if has_value else discount,
        "amount_minor": (0 if use is None else use.amount_minor) if has_value else None,
        "returned_minor": (0 if use is None else use.returned_minor) if has_value else None,
        "remaining_minor": spending.left_of(row) if has_value else None,
    }
