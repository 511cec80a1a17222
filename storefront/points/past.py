"""What a member had, as of one instant and as known at another; and the lots they have now.

Reads, settles in memory, writes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from loyalty import history, reading, records, showing
from loyalty.history import Moment
from loyalty.ledger.book import Book
from loyalty.ledger.rows import HeldHold, HeldLot
from loyalty.tiers import keeping, moving
from loyalty.tiers import showing as tiers
from loyalty.tiers.contributions import Contribution, History, contributions
from loyalty.tiers.showing import view
from loyalty.tiers.standing import higher, place_of
from members import aliases, members
from members.activities import ACTIVITIES, DONE
from programs import versions
from programs.compiled import Compiled
from programs.terms import parse as parse_terms
from storefront import answers, reads
from storefront.explanations import redeemed
from storefront.orders import ORDERS
from storefront.plan import Plan, begin
from storefront.points.adjustments import ADJUSTMENTS

_DUE = "due"
#: What keeps points alive, too, and is told otherwise.
_OTHERS = ("order", "redemption")


def _moment(query: Mapping[str, Any], now: clock.Instant) -> Moment:
    known_at = min(query.get("known_at", now), now)
    return Moment(query.get("as_of", known_at), known_at)


def _book(connection: sa.Connection, live: Compiled, member_id: bytes, moment: Moment) -> Book:
    contributions = _contributions(connection, live.program_id, member_id, moment)
    holds = records.holds_of_member(connection, live.program_id, member_id)
    lots = records.lots_of_member(connection, live.program_id, member_id)
    spent = list(holds.values())
    if any(parse_terms(lot.terms).inactivity for lot in lots.values()):
        # Holds stay with who made them; what they did counts as the member's all the same.
        for merged_id in aliases.merged_ids(connection, live.program_id, member_id):
            spent += reading.captured_holds(connection, live.program_id, merged_id)
    return history.book_at(
        live,
        moment,
        member_id=member_id,
        recorded=records.of_member(connection, live.program_id, member_id),
        lots=lots,
        holds=holds,
        active_at=_active_at(contributions, spent, moment)
        | _done_at(connection, live.program_id, member_id, moment),
    )


def _active_at(
    contributions: Iterable[Contribution], holds: Iterable[HeldHold], moment: Moment
) -> dict[str, list[int]]:
    """What the member had done by then, by activity."""
    captured = [hold.ended_at or 0 for hold in holds if hold.state == "captured"]
    return {
        "order": [one.at for one in contributions if one.count],
        "redemption": [at for at in captured if at <= moment.as_of],
    }


def _done_at(
    connection: sa.Connection, program_id: bytes, member_id: bytes, moment: Moment
) -> dict[str, list[int]]:
    """Activities that stand, done and known by then, by kind."""
    rows = connection.execute(
        sa.select(ACTIVITIES.c.kind, ACTIVITIES.c.occurred_at).where(
            *_told_by(program_id, member_id, moment), ACTIVITIES.c.kind.not_in(_OTHERS)
        )
    )
    found: dict[str, list[int]] = {}
    for kind, at in rows:
        found.setdefault(kind, []).append(at)
    return found


def _told_by(
    program_id: bytes, member_id: bytes, moment: Moment
) -> tuple[sa.ColumnElement[bool], ...]:
    """Activities of a member that stand, done and known by then."""
    return (
        ACTIVITIES.c.program_id == program_id,
        ACTIVITIES.c.member_id == member_id,
        ACTIVITIES.c.status == DONE,
        ACTIVITIES.c.occurred_at <= moment.as_of,
        ACTIVITIES.c.created_at <= moment.known_at,
    )


def balances(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Balances as of one instant, as known at another."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    moment = _moment(query, now)
    book = _book(connection, live, known.id, moment)
    brought = records.brought(connection, program_id, known.id, known_at=moment.known_at)
    for points_key, points in brought.items():
        book.holding(known.id, points_key).lifetime_earned += points
    plan = Plan(live, clock.Instant(moment.as_of), None, book)
    return {"data": answers.balances(plan, known.id), "next_cursor": None}


def entries(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Entries as of one instant, as known at another, newest first; before them what was due by
    then and is not among them, without an id."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    reads.check_key(connection, live, known.id, query.get("points_key"))
    moment, limit = _moment(query, now), query["limit"]
    cursor = paging.read_cursor(query.get("cursor"), [int, str])
    rows: list[dict[str, Any]] = []
    before = None
    if cursor is None or cursor[1] == _DUE:
        skipped = 0 if cursor is None else cursor[0]
        rows = _due(connection, live, known.id, moment, query.get("points_key"))[max(0, skipped) :]
    else:
        before = (cursor[0], paging.read_id("ent", cursor[1]))
    if len(rows) <= limit:
        rows += records.list_known(
            connection,
            program_id,
            known.id,
            as_of=moment.as_of,
            known_at=moment.known_at,
            points_key=query.get("points_key"),
            before=before,
            limit=limit - len(rows),
        )

    named = redeemed.names(connection, program_id, live.currency, rows)

    def key(row: Mapping[str, Any]) -> list[Any]:
        if "place" in row:
            return [row["place"] + 1, _DUE]
        return [row["recorded_at"], ids.show_id("ent", row["id"])]

    def show(row: Mapping[str, Any]) -> dict[str, Any]:
        shown = showing.show_entry(row, live, member_ref=known.member_ref, named=named)
        return shown | ({"id": None} if "place" in row else {})

    return paging.page(rows, limit, key=key, show=show)


def _due(
    connection: sa.Connection,
    live: Compiled,
    member_id: bytes,
    moment: Moment,
    points_key: str | None,
) -> list[dict[str, Any]]:
    """What was due by then, newest first, as it would have been recorded then."""
    found = [
        entry
        for entry in _book(connection, live, member_id, moment).entries
        if points_key in (None, entry["points_key"])
    ]
    return [
        entry | {"place": place, "recorded_at": max(moment.known_at, entry["effective_at"])}
        for place, entry in enumerate(reversed(found))
    ]


def tier(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The tier as of one instant: replayed over what stands now of the orders known then."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    moment = _moment(query, now)
    ladder, at = live.ladder, moment.as_of
    past = History(ladder, _contributions(connection, program_id, known.id, moment), live.zone)
    found = moving.replayed(past, at=at)
    row = keeping.read_rows(connection, program_id, [known.id]).get(known.id)
    place = place_of(ladder, row)
    promised, ends_at = place.derived, place.derived.ends_at
    if ends_at is not None and promised.since <= at < ends_at:
        # What was promised may be more than what stands now leads to.
        found = higher(found, promised)
    values = past.values(at)
    seen = view(ladder, place.with_derived(found), past, values=values, at=at)
    return tiers.show(live, seen)


def _contributions(
    connection: sa.Connection, program_id: bytes, member_id: bytes, moment: Moment
) -> list[Contribution]:
    """What orders that stand contribute that had been placed by then and were known by then, and
    what adjustments do. Orders are kept as they are now, not as they were."""
    placed = connection.execute(
        sa.select(ORDERS.c.placed_at, ORDERS.c.spend_minor, ORDERS.c.qualifying_points)
        .where(
            ORDERS.c.program_id == program_id,
            ORDERS.c.member_id == member_id,
            ORDERS.c.stands,
            ORDERS.c.placed_at <= moment.as_of,
            ORDERS.c.created_at <= moment.known_at,
        )
        .order_by(ORDERS.c.placed_at, ORDERS.c.created_at, ORDERS.c.id)
    )
    by_hand = connection.execute(
        sa.select(ADJUSTMENTS.c.effective_at, ADJUSTMENTS.c.points).where(
            ADJUSTMENTS.c.program_id == program_id,
            ADJUSTMENTS.c.tier_member_id == member_id,
            ADJUSTMENTS.c.effective_at <= min(moment.as_of, moment.known_at),
        )
    )
    told = connection.execute(
        sa.select(ACTIVITIES.c.occurred_at, ACTIVITIES.c.qualifying_points).where(
            *_told_by(program_id, member_id, moment), ACTIVITIES.c.qualifying_points > 0
        )
    )
    found = contributions(placed) + [
        Contribution(at, 0, points, count=0) for at, points in (*by_hand, *told)
    ]
    return sorted(found, key=lambda one: one.at)


def lots(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A member's lots, newest first, as what is due by now leaves them."""
    known = members.get(connection, program_id, member_ref)
    cursor = paging.read_cursor(query.get("cursor"), [str])
    live, now = versions.get_live(connection, program_id)
    reads.check_key(connection, live, known.id, query.get("points_key"))
    plan = begin(connection, live, now=now)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    rows = records.page_lots(
        connection,
        program_id,
        known.id,
        points_key=query.get("points_key"),
        is_open=query["open"],
        before=paging.read_id("lot", cursor[0]) if cursor else None,
        limit=query["limit"],
    )
    expired = records.expired_lots(connection, program_id, known.id) | _expired_by_now(plan)
    plan.book.load((), rows)
    settled = [plan.book.lot(row.id) for row in rows]
    page = paging.page(
        settled,
        query["limit"],
        key=lambda lot: [ids.show_id("lot", lot.id)],
        show=lambda lot: _show_lot(lot, expired),
    )
    if query["open"]:
        # What expired by now, though nobody wrote it yet.
        page["data"] = [one for one in page["data"] if one["remaining"]]
    return page


def _expired_by_now(plan: Plan) -> set[bytes]:
    entries = [entry for entry in plan.book.entries if entry["kind"] == "expire"]
    own = {entry["id"] for entry in entries}
    return {entry["lot_id"] for entry in entries if entry["lot_id"] is not None} | {
        row["lot_id"] for row in plan.book.allocations if row["entry_id"] in own
    }


def _show_lot(lot: HeldLot, expired: set[bytes]) -> dict[str, Any]:
    shown = showing.show_lot(lot)
    if not lot.remaining and lot.id in expired:
        shown["state"] = "expired"
    return shown
