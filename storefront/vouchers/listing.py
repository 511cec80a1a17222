"""A member's vouchers: pages of them for servers, and the wallet that the member sees.

Read with the redemptions that they came with, so that states are those of now, written or not.
What a hold that ran out let go of is in its pool again, and nobody's. Refuses to write, and to
tell members what staff has noted.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, paging
from members import members
from programs import versions
from rewards import codes, redemptions, vouchers
from rewards.carried import REDEMPTIONS, VOUCHERS, Row
from storefront.plan import begin
from storefront.vouchers import showing

_C = VOUCHERS.c
_WIDTH = len(VOUCHERS.columns)
_WALLET = (
    *("id", "state", "kind", "reward", "discount", "value_minor", "remaining_minor", "uses_left"),
    *("redemption_id", "grant_id", "issued_at", "expires_at", "code"),
)

Shown = dict[str, Any]


def find_all(connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]) -> Shown:
    """A page of a member's vouchers with their codes, newest first; 404 for an unknown member."""
    known = members.get(connection, program_id, query["member_ref"])
    ref = None if known.is_erased else known.member_ref
    return _page(connection, program_id, known.id, query, member_ref=ref)


def wallet(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Shown:
    """A page of what a member has, as the member sees it: without what is void. `query` is a
    page's, with `state` and `kind` where these are asked for."""
    found = _page(connection, program_id, member_id, query, member_ref=None, has_void=False)
    shown = [{name: one[name] for name in _WALLET} for one in found["data"]]
    return {**found, "data": shown}


def _page(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    query: Mapping[str, Any],
    *,
    member_ref: str | None,
    has_void: bool = True,
) -> Shown:
    live, now = versions.get_live(connection, program_id)
    where = [_C.program_id == program_id, _C.member_id == member_id]
    where += [sa.or_(_C.state != "reserved", _C.pool_key.is_(None), _is_held(now))]
    if not has_void:
        where.append(sa.not_(_is_in("void", now)))
    if "state" in query:
        where.append(_is_in(query["state"], now))
    if "kind" in query:
        where.append(_C.kind == query["kind"])
    cursor = paging.read_cursor(query.get("cursor"), [int, str])
    if cursor:
        voucher_id = paging.read_id(vouchers.PREFIX, cursor[1])
        is_older = sa.and_(_C.issued_at == cursor[0], _C.id < voucher_id)
        where.append(sa.or_(_C.issued_at < cursor[0], is_older))
    its = sa.and_(REDEMPTIONS.c.program_id == _C.program_id, REDEMPTIONS.c.id == _C.redemption_id)
    rows = connection.execute(
        sa.select(VOUCHERS, REDEMPTIONS)
        .select_from(VOUCHERS.outerjoin(REDEMPTIONS, its))
        .where(*where)
        # Codes of a pool are older than who has them.
        .order_by(_C.issued_at.desc(), _C.id.desc())
        .limit(query["limit"] + 1)
    ).all()
    plan = begin(connection, live, now=now, is_quote=True)

    def show(row: Any) -> Shown:
        voucher, behind = vouchers.row_of(row[:_WIDTH]), _redemption(row[_WIDTH:])
        one = showing.view(plan, voucher, member_ref=member_ref, redemption=behind)
        return one | {"code": codes.reveal(program_id, voucher.id, voucher.sealed)}

    return paging.page(rows, query["limit"], key=_place, show=show)


def _place(row: Any) -> list[Any]:
    voucher = vouchers.row_of(row[:_WIDTH])
    return [voucher.issued_at, ids.show_id(vouchers.PREFIX, voucher.id)]


def _redemption(values: Any) -> Row | None:
    return None if values[0] is None else redemptions.row_of(values)


def _is_held(now: int) -> sa.ColumnElement[bool]:
    behind = REDEMPTIONS.c
    lasts = sa.or_(behind.expires_at.is_(None), behind.expires_at > now)
    return sa.func.coalesce(sa.and_(behind.state == "held", lasts), sa.false())


def _is_in(state: str, now: int) -> sa.ColumnElement[bool]:
    """Whether a row is in a state of the contract as of now."""
    is_over = sa.and_(_C.expires_at.is_not(None), _C.expires_at <= now)
    if state == "active":
        return sa.and_(_C.state.in_(("active", "expired")), sa.not_(is_over))
    if state == "expired":
        return sa.and_(_C.state.in_(("active", "frozen", "expired")), is_over)
    if state == "frozen":
        is_frozen = sa.and_(_C.state == "frozen", sa.not_(is_over))
        return sa.or_(is_frozen, sa.and_(_C.state == "reserved", _is_held(now)))
    if state == "void":
        return sa.or_(_C.state == "void", sa.and_(_C.state == "reserved", sa.not_(_is_held(now))))
    return _C.state == state
