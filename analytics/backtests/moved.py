"""Movements that no order, refund, activity or signup led to: given, sent, held and spent points.

They are told again as they were, as far as the points are there under the tested document. Owns
which movements those are and how each is made again, by the ledger's own moves. What is not told
again is counted by name.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from analytics.backtests.arriving import rows_of
from analytics.backtests.told import Fact, Told
from core import ids, jsontext
from core.errors import not_found
from loyalty import reading
from loyalty.ledger import holds, moves
from loyalty.ledger.entries import Cause
from loyalty.ledger.rows import ENTRIES, HOLD_PREFIX, LOTS
from loyalty.models import Adjustment, Transfer
from loyalty.tiers.models import CHANGES
from members import members
from members.members import MEMBERS
from orders.models import Order
from programs import versions
from programs.terms import NO_TERMS
from rewards.carried import REDEMPTIONS
from storefront import finishing
from storefront.membership import erasure
from storefront.plan import Plan, begin
from storefront.points import adjustments, transfers

_ADJUSTMENTS: sa.Table = Adjustment.__table__  # type: ignore[assignment]
_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_TRANSFERS: sa.Table = Transfer.__table__  # type: ignore[assignment]
#: Sources of entries that are made again one by one.
CARRIED = ("redemption", "opening", "erasure", "referral", "referral_milestone")
#: What lies further from a telling was not moved by it.
_NEAR = 1000 << 80


def collect(connection: sa.Connection, program_id: bytes, told: Told) -> dict[str, int]:
    """Copy the movements; what there is that will not be told again."""
    told.add(_adjustments(connection, program_id, told))
    told.add(_transfers(connection, program_id, told))
    told.add(_movements(connection, program_id, told))
    left_out = {
        "merges": _count(connection, MEMBERS, program_id, MEMBERS.c.merged_into_id.is_not(None)),
        "manual_tiers": _count(connection, CHANGES, program_id, CHANGES.c.cause == "manual"),
    }
    return {name: count for name, count in left_out.items() if count}


def _count(connection: sa.Connection, table: sa.Table, program_id: bytes, condition: Any) -> int:
    statement = sa.select(sa.func.count()).where(table.c.program_id == program_id, condition)
    return int(connection.execute(statement).scalar_one())


def _movements(connection: sa.Connection, program_id: bytes, told: Told) -> Iterator[Fact]:
    columns, lots = ENTRIES.c, LOTS.c
    joined = ENTRIES.outerjoin(
        LOTS, sa.and_(lots.program_id == columns.program_id, lots.id == columns.lot_id)
    )
    named = (
        *("id", "member_id", "points_key", "kind", "points", "from_bucket", "to_bucket"),
        *("source_type", "source_ref", "effective_at", "recorded_at"),
    )
    statement = (
        sa.select(*(columns[name] for name in named), lots.expires_at, lots.earned_at)
        .select_from(joined)
        .where(columns.program_id == program_id, columns.source_type.in_(CARRIED))
    )
    for row in rows_of(connection, statement):
        body = {
            "points_key": row.points_key,
            "kind": row.kind,
            "points": row.points,
            "to": row.to_bucket,
            "source": [row.source_type, row.source_ref],
            "expires_at": row.expires_at,
            "earned_at": row.earned_at,
        }
        ref = told.ref_of(bytes(row.member_id))
        came_id = bytes(row.id)
        if row.source_type == "redemption":
            came_id = _beside(connection, program_id, told, row)
        came = (came_id, "movement", row.recorded_at, row.effective_at)
        yield Fact(*came, row.source_ref, ref, jsontext.text(body))


def _beside(connection: sa.Connection, program_id: bytes, told: Told, row: Any) -> bytes:
    """The place of what an order did with points that paid for it: captured before the order is
    told, back behind it, whenever within the unit their ids were made."""
    own = int.from_bytes(bytes(row.id), "big")
    columns, redemption_id = REDEMPTIONS.c, ids.read_id(HOLD_PREFIX, row.source_ref)
    its = sa.and_(
        _ORDERS.c.program_id == columns.program_id, _ORDERS.c.order_ref == columns.kept_by
    )
    order = connection.execute(
        sa.select(_ORDERS.c.id, _ORDERS.c.order_ref)
        .select_from(REDEMPTIONS.join(_ORDERS, its))
        .where(columns.program_id == program_id, columns.id == redemption_id)
    ).first()
    if order is None:
        return bytes(row.id)
    tellings = [bytes(order.id), *(one.id for one in told.before("order", order.order_ref))]
    nearest = min((int.from_bytes(one, "big") for one in tellings), key=lambda at: abs(at - own))
    if abs(nearest - own) > _NEAR:
        return bytes(row.id)
    is_before = row.kind in ("hold", "capture")
    place = min(nearest - 1, own) if is_before else max(nearest + 1, own)
    return place.to_bytes(16, "big")


def _adjustments(connection: sa.Connection, program_id: bytes, told: Told) -> Iterator[Fact]:
    """Those by which points were given or taken; a new date for a lot is none of them."""
    columns, lots = _ADJUSTMENTS.c, LOTS.c
    redated = {
        ref
        for (ref,) in connection.execute(
            sa.select(ENTRIES.c.source_ref)
            .where(ENTRIES.c.program_id == program_id, ENTRIES.c.source_type == "adjustment")
            .group_by(ENTRIES.c.source_ref)
            .having(sa.func.count() > 1)
        )
    }
    made = sa.and_(lots.program_id == columns.program_id, lots.source_id == columns.id)
    statement = (
        sa.select(_ADJUSTMENTS, lots.expires_at, lots.terms)
        .select_from(_ADJUSTMENTS.outerjoin(LOTS, made))
        .where(columns.program_id == program_id)
    )
    for row in rows_of(connection, statement):
        adjustment_id, at = bytes(row.id), row.effective_at
        shown = ids.show_id(adjustments.PREFIX, adjustment_id)
        if shown in redated:
            continue
        body = {
            "points_key": row.points_key,
            "points": row.points,
            "reason": row.reason,
            "counts_for_tier": bool(row.counts_for_tier),
            "allow_negative": True,
        }
        if row.terms == NO_TERMS.text:
            body["expires_at"] = row.expires_at
        ref = told.ref_of(bytes(row.member_id))
        yield Fact(adjustment_id, "adjustment", at, at, shown, ref, jsontext.text(body))


def _transfers(connection: sa.Connection, program_id: bytes, told: Told) -> Iterator[Fact]:
    statement = sa.select(_TRANSFERS).where(_TRANSFERS.c.program_id == program_id)
    for row in rows_of(connection, statement):
        transfer_id, at = bytes(row.id), row.effective_at
        body = {
            "to_member_ref": told.ref_of(bytes(row.to_member_id)),
            "points_key": row.points_key,
            "points": row.points,
            "reason": row.reason,
        }
        shown = ids.show_id(transfers.PREFIX, transfer_id)
        ref = told.ref_of(bytes(row.from_member_id))
        yield Fact(transfer_id, "transfer", at, at, shown, ref, jsontext.text(body))


def tell(connection: sa.Connection, program_id: bytes, fact: Fact) -> None:
    """Make a movement again; a problem says why it cannot be made under the tested document."""
    body = jsontext.parse(fact.body)
    if fact.kind == "adjustment":
        body["member_ref"] = fact.member_ref
        adjustments.adjust(connection, program_id, body, actor=None)
        return
    if fact.kind == "transfer":
        body["from_member_ref"] = fact.member_ref
        transfers.transfer(connection, program_id, body, actor=None)
        return
    known = members.get(connection, program_id, fact.member_ref or "")
    live, now = versions.get_live(connection, program_id)
    if live.kind(body["points_key"]) is None:
        raise not_found("kind of points")
    plan = begin(connection, live, now=now)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    _MAKERS.get(body["source"][0], _move)(plan, known.id, body, fact)
    finishing.write(connection, plan)


def _cause(plan: Plan, body: dict[str, Any], fact: Fact) -> Cause:
    source_type, source_ref = body["source"]
    return Cause(source_type, source_ref, None, None, fact.effective_at, plan.now)


def _move(plan: Plan, member_id: bytes, body: dict[str, Any], fact: Fact) -> None:
    """Points that came or went by whatever is not told again."""
    holding = plan.book.holding(member_id, body["points_key"])
    cause, points = _cause(plan, body, fact), body["points"]
    if body["to"] in ("available", "pending"):
        expires_at = body["expires_at"]
        if expires_at is not None and expires_at <= plan.now:
            return
        moves.add(
            plan.book,
            holding,
            points,
            source_id=fact.id,
            cause=cause,
            expires_at=expires_at,
            earned_at=body["earned_at"],
        )
        return
    moves.remove(plan.book, holding, min(points, max(0, holding.available)) or points, cause=cause)


def _hold(plan: Plan, member_id: bytes, body: dict[str, Any], fact: Fact) -> None:
    """What a redemption did with the points that it held."""
    hold_id = ids.read_id(HOLD_PREFIX, body["source"][1])
    assert hold_id is not None
    book, points = plan.book, body["points"]
    holding = book.holding(member_id, body["points_key"])
    now, at = plan.now, fact.effective_at
    kind = body["kind"]
    stored = _stored(plan, hold_id)
    if kind == "hold" and stored is None:
        holds.hold(book, holding, points, expires_at=None, now=now, actor=None, hold_id=hold_id)
        return
    if stored is None:
        # It could not be held: what became of it could not either.
        raise holds.insufficient(holding, points)
    if kind == "hold":
        holds.hold_again(book, stored, expires_at=None, at=at, now=now, actor=None)
    elif kind == "capture":
        holds.end(book, stored, "captured", at=at, now=now, actor=None)
    elif kind == "release":
        holds.end(book, stored, "released", at=at, now=now, actor=None)
    elif kind == "restore":
        holds.give_back(book, stored, points, policy="strict", at=at, now=now, actor=None)
    else:
        holds.take_again(book, stored, points, at=at, now=now, actor=None)


def _stored(plan: Plan, hold_id: bytes) -> Any:
    assert plan.connection is not None
    shown = ids.show_id(HOLD_PREFIX, hold_id)
    return reading.find_hold(plan.connection, plan.program_id, shown)


def _forfeit(plan: Plan, member_id: bytes, _body: dict[str, Any], _fact: Fact) -> None:
    """Everything that is left, under the tested document."""
    erasure.forfeit(plan, member_id)


_MAKERS = {"redemption": _hold, "erasure": _forfeit}
