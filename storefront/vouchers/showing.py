"""Vouchers as they are shown: in the states of the contract, as of now, written or not.

A code that cannot be used yet, or not for now, is `frozen`: its redemption is held, its grant is
frozen, or it waits in its pool and is nobody's. What came with a hold that has run out is shown as
what becomes of it: back in its pool, or void. Refuses to change anything.
"""

from typing import Any

from core import clock, ids
from members import members
from rewards import discounts, redemptions, spending, vouchers
from rewards.carried import Row
from storefront.plan import Plan

#: What can be asked for in lists, and is shown.
STATES = ("active", "redeemed", "expired", "void", "frozen")


def view(
    plan: Plan, voucher: Row, *, member_ref: str | None, redemption: Row | None
) -> dict[str, Any]:
    """A voucher as servers see it, without its code; `redemption` is the one that it came with."""
    seen = as_of(plan, voucher, redemption)
    is_bound = seen.kind is not None
    is_money = vouchers.is_stored_value(seen)
    return {
        "id": ids.show_id(vouchers.PREFIX, seen.id),
        "state": _of_contract(vouchers.state_of(seen, plan.now)),
        "kind": seen.kind,
        "reward": seen.reward_key,
        "discount": discounts.shown(seen.frozen) if is_bound else None,
        "value_minor": seen.value_minor,
        "remaining_minor": spending.left_of(seen) if is_money else None,
        "origin": seen.origin,
        "pool": seen.pool_key,
        "uses": seen.uses,
        "uses_left": None if is_money else max(0, seen.uses_max - seen.uses),
        "member_ref": None if seen.member_id is None else member_ref,
        "redemption_id": _shown_id(redemptions.PREFIX, seen.redemption_id),
        "grant_id": _shown_id("grt", seen.grant_id),
        "order_ref": seen.order_ref,
        "issued_at": clock.format_instant(seen.issued_at) if is_bound else None,
        "expires_at": instant(seen.expires_at),
        "void_reason": seen.void_reason,
        "void_actor": seen.void_actor,
    }


def of(plan: Plan, voucher: Row) -> dict[str, Any]:
    """The same of one voucher, whatever that takes to be read."""
    return view(plan, voucher, member_ref=_member_ref(plan, voucher), redemption=_of(plan, voucher))


def state_of(plan: Plan, voucher: Row) -> str:
    """The state of a voucher as the contract has it."""
    seen = as_of(plan, voucher, _of(plan, voucher))
    return _of_contract(vouchers.state_of(seen, plan.now))


def as_of(plan: Plan, voucher: Row, redemption: Row | None) -> Row:
    """A voucher as of now: let go by a hold that has run out."""
    if voucher.state != "reserved":
        return voucher
    if redemption is not None and redemptions.state_of(redemption, plan.now) == "held":
        return voucher
    if voucher.pool_key is not None:
        return Row({**voucher.values, **vouchers.unbound()})
    return Row({**voucher.values, "state": "void"})


def _of_contract(state: str) -> str:
    return "frozen" if state in ("pooled", "reserved") else state


def _of(plan: Plan, voucher: Row) -> Row | None:
    if voucher.state != "reserved":
        return None
    return redemptions.find_by_id(plan, voucher.redemption_id)


def _member_ref(plan: Plan, voucher: Row) -> str | None:
    if voucher.member_id is None:
        return None
    assert plan.connection is not None
    shown = ids.show_id(members.PREFIX, voucher.member_id)
    known = members.find(plan.connection, plan.program_id, shown)
    return None if known is None or known.is_erased else known.member_ref


def _shown_id(prefix: str, value: bytes | None) -> str | None:
    return None if value is None else ids.show_id(prefix, value)


def instant(value: int | None) -> str | None:
    """An instant as it is shown, if there is one."""
    return None if value is None else clock.format_instant(value)
