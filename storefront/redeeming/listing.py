"""Redemptions as they are shown: one, and pages of them.

Refuses to write: what ran out is shown as such before that is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import not_found
from loyalty.ledger.rows import HOLDS
from members import members
from members.members import MEMBERS
from orders.figures import OrderFigures
from programs import versions
from rewards import discounts, redemptions, vouchers
from rewards.carried import REDEMPTIONS, Row
from rewards.desk import Desk
from storefront.plan import begin

_C = REDEMPTIONS.c


def show(
    desk: Desk, row: Row, member_ref: str | None, *, order: OrderFigures | None = None
) -> dict[str, Any]:
    """A redemption as the contract shows it; `order` is the cart that it is for, where known."""
    return _shown(
        desk,
        row,
        member_ref,
        order=order,
        voucher=vouchers.shown_for(desk, row),
        returned=redemptions.points_returned(desk, row),
    )


def _shown(
    desk: Desk,
    row: Row,
    member_ref: str | None,
    *,
    order: OrderFigures | None = None,
    voucher: dict[str, Any] | None,
    returned: int,
) -> dict[str, Any]:
    terms = row.frozen
    cost = terms.estimated_cost_minor if row.cost_minor is None else row.cost_minor
    return {
        "id": ids.show_id(redemptions.PREFIX, row.id),
        "member_ref": member_ref,
        "reward": row.reward_key,
        "kind": row.kind,
        "state": redemptions.state_of(row, desk.now),
        "points_key": row.points_key,
        "points": row.points,
        "points_returned": returned,
        "discount": discounts.shown(terms, order, until=_until(desk, row)),
        "voucher": voucher,
        "cart_ref": row.cart_ref,
        "order_ref": row.kept_by,
        "held_at": clock.format_instant(row.held_at),
        "expires_at": _instant(row.expires_at),
        "captured_at": _instant(row.captured_at),
        "ended_at": _instant(_ended_at(row, desk.now)),
        "cost_minor": cost,
        "discount_minor": row.discount_minor,
        "actor": row.actor,
        "reason": row.reason,
    }


def _until(desk: Desk, row: Row) -> int | None:
    """When access ends that was captured."""
    terms = row.frozen
    if terms.kind != "access" or row.state != "captured":
        return None
    return vouchers.ends_at(terms.access_for, row.captured_at, desk.live.zone)


def _ended_at(row: Row, now: int) -> int | None:
    has_run_out = row.state == "held" and redemptions.state_of(row, now) == "expired"
    found: int | None = row.expires_at if has_run_out else row.ended_at
    return found


def _instant(value: int | None) -> str | None:
    return None if value is None else clock.format_instant(value)


def get(connection: sa.Connection, program_id: bytes, redemption_ref: str) -> dict[str, Any]:
    """One redemption; 404 when unknown."""
    redemption_id = ids.read_id(redemptions.PREFIX, redemption_ref)
    found = [] if redemption_id is None else _read(connection, program_id, [_C.id == redemption_id])
    if not found:
        raise not_found("redemption")
    [shown] = _show_all(connection, program_id, found)
    return shown


def find_all(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of redemptions, newest first; 404 when they are asked of an unknown member."""
    where: list[sa.ColumnElement[bool]] = []
    if "member_ref" in query:
        where.append(_C.member_id == members.get(connection, program_id, query["member_ref"]).id)
    if "reward" in query:
        where.append(_C.reward_key == query["reward"])
    if "order_ref" in query:
        where.append(_C.kept_by == query["order_ref"])
    if "state" in query:
        _, now = versions.get_live(connection, program_id)
        where.append(_is_in(query["state"], now))
    cursor = paging.read_cursor(query.get("cursor"), [str])
    if cursor:
        where.append(_C.id < paging.read_id(redemptions.PREFIX, cursor[0]))
    limit = query["limit"]
    found = _read(connection, program_id, where, limit=limit + 1)
    shown = _show_all(connection, program_id, found)
    return paging.page(shown, limit, key=lambda one: [one["id"]], show=lambda one: one)


def _is_in(state: str, now: int) -> sa.ColumnElement[bool]:
    """Whether a row is in a state as of now: held until its time is over, then run out."""
    is_over = sa.and_(_C.state == "held", _C.expires_at.is_not(None), _C.expires_at <= now)
    if state == "held":
        return sa.and_(_C.state == "held", sa.not_(is_over))
    if state == "expired":
        return sa.or_(_C.state == "expired", is_over)
    return _C.state == state


def _read(
    connection: sa.Connection,
    program_id: bytes,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    limit: int = 1,
) -> list[Any]:
    """Rows with their members' references, and what went back of their points, newest first."""
    is_its = sa.and_(MEMBERS.c.program_id == _C.program_id, MEMBERS.c.id == _C.member_id)
    is_behind = sa.and_(HOLDS.c.program_id == _C.program_id, HOLDS.c.id == _C.id)
    statement = (
        sa.select(REDEMPTIONS, MEMBERS.c.member_ref, MEMBERS.c.erased_at, HOLDS.c.returned)
        .join(MEMBERS, is_its)
        .outerjoin(HOLDS, is_behind)
        .where(_C.program_id == program_id, *where)
        .order_by(_C.id.desc())
        .limit(limit)
    )
    return list(connection.execute(statement).all())


def _show_all(
    connection: sa.Connection, program_id: bytes, found: Sequence[Any]
) -> list[dict[str, Any]]:
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    rows = redemptions.take_up(plan, [row[:-3] for row in found])
    known = vouchers.shown_all(
        connection, program_id, [row.voucher_id for row in rows if row.voucher_id is not None]
    )
    return [
        _shown(
            plan,
            row,
            None if erased_at is not None else member_ref,
            voucher=known.get(row.voucher_id),
            returned=returned or 0,
        )
        for row, (*_, member_ref, erased_at, returned) in zip(rows, found, strict=True)
    ]
