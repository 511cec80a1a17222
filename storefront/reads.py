"""Reads that need the use cases' view: members with their tier, balances, orders."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import db, ids, paging
from core.errors import invalid_at, not_found
from loyalty import reading
from loyalty.ledger.book import Book
from loyalty.tiers import showing as tiers
from members import members
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from segments.models import BELONGING
from storefront import answers, standing
from storefront.membership import signup
from storefront.orders import ORDERS
from storefront.plan import Plan, begin
from storefront.segmenting import showing as segments
from storefront.surprising import chances
from storefront.telling import Telling, item_of

_SEARCH_MAX = 100


def _plan(connection: sa.Connection, program_id: bytes) -> Plan:
    live, now = versions.get_live(connection, program_id)
    return begin(connection, live, now=now)


def member(connection: sa.Connection, program_id: bytes, member_ref: str) -> dict[str, Any]:
    """A member by reference; 404 when unknown."""
    known = members.get(connection, program_id, member_ref)
    plan = _plan(connection, program_id)
    return signup.show(connection, plan, members.get_row(connection, program_id, known.id))


def balances(program_id: bytes, member_ref: str) -> dict[str, Any]:
    """Balances of every kind of points, also of those where nothing moved yet."""
    found = db.reading_once(
        lambda connection: reading.find_balances(connection, program_id, member_ref)
    )
    if found is None:
        return db.reading(lambda connection: _balances(connection, program_id, member_ref))
    edition, clock_at, member_id, holdings = found
    if any(one.due_at is not None or one.held for one in holdings):
        return db.reading(lambda connection: _balances(connection, program_id, member_ref))
    live = versions.find_remembered(program_id, edition) or db.reading(
        lambda connection: versions.get_compiled(connection, program_id, *edition)
    )
    plan = Plan(live, versions.program_now(clock_at), None, Book(live))
    plan.book.load(holdings)
    return {"data": answers.balances(plan, member_id), "next_cursor": None}


def _balances(connection: sa.Connection, program_id: bytes, member_ref: str) -> dict[str, Any]:
    """Balances as what fell due by now leaves them, written or not (SEMANTICS C18)."""
    known = members.get(connection, program_id, member_ref)
    plan = _plan(connection, program_id)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    return {"data": answers.balances(plan, known.id), "next_cursor": None}


def check_key(
    connection: sa.Connection, live: Compiled, member_id: bytes, points_key: str | None
) -> None:
    """422 for a kind of points that neither the program has nor the member ever had."""
    if points_key is None or live.kind(points_key) is not None:
        return
    had = {one.points_key for one in reading.read_holdings(connection, live.program_id, member_id)}
    if points_key not in had:
        known = ", ".join(sorted({kind.key for kind in live.points} | had))
        raise invalid_at("?points_key", f"is no kind of points here; there are: {known}")


def tier(connection: sa.Connection, program_id: bytes, member_ref: str) -> dict[str, Any]:
    """A member's tier as of the program's clock."""
    known = members.get(connection, program_id, member_ref)
    plan = _plan(connection, program_id)
    return tiers.show(plan.live, signup.seen_now(connection, plan, known.id))


def search(connection: sa.Connection, program_id: bytes, kind: str, text: str) -> dict[str, Any]:
    """Members with a contact, in any spelling."""
    found = members.search(connection, program_id, kind, text, limit=_SEARCH_MAX)
    plan = _plan(connection, program_id)
    rows = [members.get_row(connection, program_id, member_id) for member_id in found]
    return {
        "data": [signup.show(connection, plan, row) for row in rows],
        "next_cursor": None,
    }


def list_members(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Members, oldest first; of one level, or of one segment as of its last look, when asked."""
    cursor = paging.read_cursor(query.get("cursor"), [str])
    after = paging.read_id(members.PREFIX, cursor[0]) if cursor else None
    plan, limit = _plan(connection, program_id), query["limit"]
    segment = query.get("segment")
    segments.check_key(plan.live, segment)
    rows: list[dict[str, Any]] = []
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    while len(shown) <= limit:
        rows = _members_after(connection, program_id, after, limit + 1, segment=segment)
        for row in rows:
            view = signup.show(connection, plan, row)
            if _is_of(view, query.get("tier")):
                shown.append((row, view))
        if len(rows) <= limit:
            break
        after = bytes(rows[-1]["id"])
    return paging.page(
        shown,
        limit,
        key=lambda pair: [ids.show_id(members.PREFIX, bytes(pair[0]["id"]))],
        show=lambda pair: pair[1],
    )


def _is_of(view: Mapping[str, Any], tier_key: str | None) -> bool:
    return tier_key is None or (view["tier"]["key"] or "none") == tier_key


def _members_after(
    connection: sa.Connection,
    program_id: bytes,
    after: bytes | None,
    limit: int,
    *,
    segment: str | None,
) -> list[dict[str, Any]]:
    statement = sa.select(MEMBERS).where(
        MEMBERS.c.program_id == program_id,
        MEMBERS.c.erased_at.is_(None),
        MEMBERS.c.merged_into_id.is_(None),
    )
    if after is not None:
        statement = statement.where(MEMBERS.c.id > after)
    if segment is not None:
        inside = sa.select(BELONGING.c.member_id).where(
            BELONGING.c.program_id == program_id, BELONGING.c.segment == segment
        )
        statement = statement.where(MEMBERS.c.id.in_(inside))
    rows = connection.execute(statement.order_by(MEMBERS.c.id).limit(limit)).mappings()
    return [dict(row) for row in rows]


def resolve_order_ref(program_id: bytes, ref: str) -> str:
    """The storefront's reference behind our own id of an order; any other text as it is."""
    order_id = ids.read_id("ord", ref)
    if order_id is None:
        return ref
    found = db.reading_once(
        lambda connection: connection.execute(
            sa.select(ORDERS.c.order_ref).where(
                ORDERS.c.program_id == program_id, ORDERS.c.id == order_id
            )
        ).scalar()
    )
    if found is None:
        raise not_found("order")
    return str(found)


def order(connection: sa.Connection, program_id: bytes, order_ref: str) -> dict[str, Any]:
    """An order as last told, and what it earned; 404 when unknown."""
    plan = _plan(connection, program_id)
    telling = Telling(order_ref, {"placed_at": plan.now})
    telling.item = item_of(telling, plan.live, plan.now)
    [read] = standing.read(connection, program_id, [telling.item])
    if read.stored is None:
        raise not_found("order")
    if read.stored.member_id is not None:
        row = members.get_row(connection, program_id, read.stored.member_id)
        telling.member = members.find(connection, program_id, row["member_ref"])
        telling.item = item_of(telling, plan.live, plan.now)
        [read] = standing.read(connection, program_id, [telling.item])
        plan.book.load(read.holdings)
        if read.stored is not None and telling.member is not None:
            plan.book.load((), reading.read_lots(connection, program_id, [read.stored.id]))
            plan.settle(telling.member.id)
    return chances.stored_order(connection, plan, telling, read, is_stale=False)
