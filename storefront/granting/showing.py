"""Grants as the contract shows them, one and those of what gave them.

A code is shown to whoever asks for the grant itself, and where what gave it is told. Where an
answer is stored as it is, codes are left out (`hide_codes`): a stored answer holds none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core import clock, ids
from rewards import discounts, grants, vouchers
from rewards.carried import Row
from storefront.plan import Plan


def show(plan: Plan, row: Row) -> dict[str, Any]:
    """A grant as of the program's clock."""
    return show_with(plan, row, vouchers.shown_for(plan, row))


def show_with(plan: Plan, row: Row, voucher: dict[str, Any] | None) -> dict[str, Any]:
    """The same with its code as it was read."""
    return {
        "id": ids.show_id(grants.PREFIX, row.id),
        "reward": row.reward_key,
        "state": grants.state_of(row, plan.now),
        "discount": discounts.shown(row.frozen, until=access_until(plan, row)),
        "voucher": voucher,
        "expires_at": _instant(row.expires_at),
        "source": source(row),
        "rule": row.rule,
        "granted_at": clock.format_instant(row.granted_at),
        "ended_at": _instant(_ended_at(row, plan.now)),
        "redemption_id": None
        if row.redemption_id is None
        else ids.show_id("rdm", row.redemption_id),
        "reason": row.reason,
        "actor": row.actor,
    }


def _ended_at(row: Row, now: int) -> int | None:
    is_over = row.state in grants.UNUSED and grants.state_of(row, now) not in grants.UNUSED
    found: int | None = row.due_at if is_over else row.ended_at
    return found


def source(row: Row) -> dict[str, str]:
    """What gave it."""
    return {"type": row.source_type, "ref": row.source_ref}


def access_until(plan: Plan, row: Row) -> int | None:
    """When the access that a used grant gives is over; None for never, or where it gives none."""
    terms = row.frozen
    if terms.kind != "access" or row.state != "used" or row.ended_at is None:
        return None
    return vouchers.ends_at(terms.access_for, row.ended_at, plan.live.zone)


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


def of_source(plan: Plan, source_id: bytes, member_id: bytes) -> list[dict[str, Any]]:
    """What stands of a source's grants for a member, as this unit leaves them."""
    return _shown(plan, grants.read_of(plan, source_id), member_id)


def revoked(plan: Plan) -> list[dict[str, Any]]:
    """What this unit took back unused, of whatever gave it."""
    return [
        show(plan, row)
        for row in plan.rewards.grants.values()
        if row.is_changed and row.state == "revoked" and row.cause == "fell"
    ]


def revoked_of(plan: Plan, source_id: bytes, member_id: bytes) -> list[dict[str, str]]:
    """What this unit took back unused of a source's grants for a member, briefly."""
    return [
        {"id": ids.show_id(grants.PREFIX, row.id), "reward": row.reward_key}
        for row in grants.known_of(plan, source_id)
        if row.member_id == member_id and row.is_changed and row.state == "revoked"
    ]


def known_of(plan: Plan, source_id: bytes, member_id: bytes) -> list[dict[str, Any]]:
    """The same of a source that was fired in this unit, without a statement."""
    return _shown(plan, grants.known_of(plan, source_id), member_id)


def _shown(plan: Plan, rows: Iterable[Row], member_id: bytes) -> list[dict[str, Any]]:
    return [
        show(plan, row)
        for row in rows
        if row.member_id == member_id and grants.state_of(row, plan.now) != "revoked"
    ]


def problems(plan: Plan, member_id: bytes) -> list[dict[str, str]]:
    """What could not be given to a member since this was asked last."""
    return plan.rewards.problems.pop(member_id, [])


def hide_codes(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without the codes of the grants in it, however deep."""
    return {name: _hidden(name, value) for name, value in answer.items()}


def _hidden(name: str, value: Any) -> Any:
    if name == "grants" and isinstance(value, Sequence):
        return [one | {"voucher": _without_code(one["voucher"])} for one in value]
    if isinstance(value, Mapping):
        return hide_codes(value)
    if isinstance(value, list):
        return [_hidden("", one) for one in value]
    return value


def _without_code(voucher: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if voucher is None else {**voucher, "code": None}
