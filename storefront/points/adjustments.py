"""Adjustments: points given or taken by hand, always with a reason, and lots given a new date.

An adjustment may count for tiers; it is no order, restarts no inactivity and earns nothing.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from loyalty import binding, reading, showing
from loyalty.ledger import moves, reinstating
from loyalty.ledger.entries import Cause
from loyalty.ledger.rows import HeldLot, Holding
from loyalty.models import Adjustment
from loyalty.tiers.contributions import Contribution
from members import members
from members.members import Known
from programs import versions
from storefront import answers, finishing
from storefront.activities import inactivity
from storefront.granting.showing import hide_codes
from storefront.plan import Plan, begin
from storefront.tiers import levels, tier_entries
from storefront.tiers.tier_entries import Followed

ADJUSTMENTS: sa.Table = Adjustment.__table__  # type: ignore[assignment]
PREFIX = "adj"


def adjust(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Adjust one member's points; the answer and 201."""
    known = members.find(connection, program_id, body["member_ref"], is_locking=True)
    if known is None:
        raise not_found("member")
    live, now = versions.get_live(connection, program_id)
    key = body.get("points_key") or live.points[0].key
    if live.kind(key) is None:
        raise invalid_at("/points_key", f"is none of the program's: {', '.join(_keys(live))}")
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    holding = plan.book.holding(known.id, key)
    expected = body.get("expected_version")
    if expected is not None and expected != holding.version:
        raise Problem(
            409,
            "version_mismatch",
            f"The account is at version {holding.version}, not {expected}: read it and try again.",
            version=holding.version,
        )
    row = _row(plan, known, holding, body)
    expires_at = body.get("expires_at")
    adjustment_id = binding.bound_id(binding.of_adjustment(row, expires_at=expires_at))
    ref = ids.show_id(PREFIX, adjustment_id)
    cause = Cause("adjustment", ref, None, actor, now, now)
    _move(connection, plan, holding, body, adjustment_id=adjustment_id, cause=cause)
    entry = plan.book.entries[-1]
    change = None
    if body["counts_for_tier"]:
        change = _count(connection, plan, known, holding, body, ref=ref)
        entered = tier_entries.follow(connection, plan)
        if change is not None:
            change |= hide_codes(entered.get(known.id, Followed()).shown)
    plan.settle(known.id)
    plan.writes.insert(ADJUSTMENTS, row | {"id": adjustment_id})
    answer = {
        "adjustment": {"id": ref, "reason": body["reason"], "note": body.get("note")},
        "entry": showing.show_entry(entry, plan.live),
        "balances": answers.balances(plan, known.id),
        "tier_change": change,
    }
    finishing.write(connection, plan)
    return answer, 201


def _keys(live: Any) -> list[str]:
    return [kind.key for kind in live.points]


def _move(
    connection: sa.Connection,
    plan: Plan,
    holding: Holding,
    body: Mapping[str, Any],
    *,
    adjustment_id: bytes,
    cause: Cause,
) -> None:
    points, expires_at = body["points"], body.get("expires_at")
    if points < 0:
        if expires_at is not None or body.get("lot_id") is not None:
            raise invalid([FieldError("/points", "invalid", "points taken have no date or lot")])
        moves.remove(
            plan.book, holding, -points, cause=cause, is_overdraft_allowed=body["allow_negative"]
        )
        return
    if expires_at is not None and expires_at <= plan.now:
        raise invalid_at("/expires_at", "is past; points would be gone at once")
    if body.get("lot_id") is not None:
        lot = _lot(connection, plan, holding, body)
        if lot.expires_at is not None and lot.expires_at <= plan.now:
            again = lot.expired - reading.given_again(connection, plan.program_id, lot)
            _check_enough(again, points, "had expired and were not given again yet")
            reinstating.reinstate(
                plan.book,
                lot,
                points,
                source_id=adjustment_id,
                cause=cause,
                expires_at=expires_at,
            )
            return
        _check_enough(lot.free, points, "can be given a new date")
        moves.remove_from(plan.book, lot, points, cause=cause)
    kind = plan.live.kind(holding.points_key)
    assert kind is not None
    if "expires_at" in body:
        moves.add(
            plan.book,
            holding,
            points,
            source_id=adjustment_id,
            cause=cause,
            expires_at=expires_at,
        )
        return
    # What is given by hand lives as long as what is earned now.
    moves.add_on_terms(
        plan.book,
        holding,
        points,
        source_id=adjustment_id,
        cause=cause,
        expiry=kind.terms,
    )
    inactivity.follow(connection, plan, holding.member_id)


def _lot(
    connection: sa.Connection, plan: Plan, holding: Holding, body: Mapping[str, Any]
) -> HeldLot:
    """The lot whose points are to have a new date: they leave it and come back under the date
    asked for; once it has expired, points that expired of it are given again."""
    if "expires_at" not in body:
        raise invalid_at("/expires_at", "is required with lot_id: the new date, or null for none")
    lot_id = ids.read_id("lot", body["lot_id"])
    lots = (
        [] if lot_id is None else reading.Stored(connection, plan.program_id).lots_by_id([lot_id])
    )
    if not lots or lots[0].member_id != holding.member_id:
        raise invalid_at("/lot_id", "is no lot of this member")
    if lots[0].points_key != holding.points_key:
        raise invalid_at("/lot_id", "is a lot of another kind of points")
    plan.book.open_lots(holding.member_id, holding.points_key)
    return plan.book.lot(lots[0].id)


def _check_enough(available: int, points: int, what: str) -> None:
    """409 when a lot has fewer points for it."""
    if available < points:
        raise Problem(
            409,
            "insufficient_points",
            f"The lot has {available} points that {what}; nothing changed.",
            available=available,
        )


def _count(
    connection: sa.Connection,
    plan: Plan,
    known: Known,
    holding: Holding,
    body: Mapping[str, Any],
    *,
    ref: str,
) -> dict[str, Any] | None:
    """Let an adjustment count for tiers; returns the change of level."""
    if holding.points_key != plan.live.points[0].key:
        raise invalid_at("/counts_for_tier", "only the first kind of points counts for tiers")
    holding.has_counted = holding.is_changed = True
    one = Contribution(plan.now, 0, body["points"], count=0)
    return levels.count(connection, plan, known.id, ref=ref, one=one)


def _row(plan: Plan, known: Known, holding: Holding, body: Mapping[str, Any]) -> dict[str, Any]:
    """The adjustment's row but for its id, which is bound to it."""
    return {
        "program_id": plan.program_id,
        "member_id": known.id,
        "points_key": holding.points_key,
        "points": body["points"],
        "reason": body["reason"],
        "note": body.get("note"),
        "counts_for_tier": body["counts_for_tier"],
        "tier_member_id": known.id if body["counts_for_tier"] else None,
        "actor": plan.actor,
        "effective_at": plan.now,
    }
