"""Holds: points reserved for an open checkout, ended once: captured, released or run out.

A hold outlives the expiry of what it holds (SEMANTICS C19). What a captured hold gave goes back
to the same lots with their dates (C20).
"""

from typing import Any, Literal

from core import clock, ids
from core.errors import Problem
from loyalty.ledger import awards
from loyalty.ledger.book import Book, spending_order
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold, HeldLot, Holding, new_lot
from programs import terms

End = Literal["captured", "released", "expired"]

#: How much longer points live that come back too late by the program's own fault (C20).
GRACE = clock.Duration(days=14)


def insufficient(holding: Holding, points: int) -> Problem:
    """409 `insufficient_points`, saying what is there."""
    return Problem(
        409,
        "insufficient_points",
        f"{points} points were asked for and {holding.available} are available; nothing changed.",
        available=holding.available,
    )


def hold(
    book: Book,
    holding: Holding,
    points: int,
    *,
    expires_at: int | None,
    now: int,
    actor: str | None,
    hold_id: bytes | None = None,
) -> HeldHold:
    """Reserve points, soonest expiry first; 409 `insufficient_points` when there are fewer."""
    if points > holding.available:
        raise insufficient(holding, points)
    hold_id = hold_id or ids.new_id()
    parts = book.take(holding, points)
    assert sum(part for _, part in parts) == points
    entry = book.post(
        "hold",
        ("available", "held"),
        points,
        holding=holding,
        changes=[Change(lot, 0, part) for lot, part in parts],
        cause=_cause(hold_id, at=now, now=now, actor=actor),
    )
    made = HeldHold(
        program_id=book.program_id,
        id=hold_id,
        member_id=holding.member_id,
        points_key=holding.points_key,
        points=points,
        returned=0,
        state="held",
        entry_id=entry["id"],
        held_at=now,
        expires_at=expires_at,
        ended_at=None,
        is_new=True,
        parts=parts,
    )
    book.touch_hold(made)
    return made


def _cause(hold_id: bytes, *, at: int, now: int, actor: str | None) -> Cause:
    return Cause("redemption", ids.show_id(HOLD_PREFIX, hold_id), None, actor, at, now)


def conflict(held: HeldHold, wanted: str) -> Problem:
    """409 `state_conflict`: another end than the one it had."""
    return Problem(
        409,
        "state_conflict",
        f"The hold cannot be {wanted}: it is {held.state}. Hold the points again if needed.",
        state=held.state,
    )


def end(
    book: Book, held: HeldHold, state: End, *, at: int, now: int, actor: str | None
) -> dict[str, Any] | None:
    """End a hold; repeating the end it had does nothing, another is 409 `state_conflict`."""
    if held.state == state:
        return None
    if held.state != "held":
        raise conflict(held, state)
    holding = book.holding(held.member_id, held.points_key)
    parts = parts_of(book, held)
    cause = _cause(held.id, at=at, now=now, actor=actor)
    held.state, held.ended_at = state, at
    book.touch_hold(held)
    if state == "captured":
        changes = [Change(lot, -part, -part) for lot, part in parts]
        return book.post(
            "capture", ("held", "spent"), held.points, holding=holding, changes=changes, cause=cause
        )
    absorbed, changes = book.absorbed(holding, held.points), []
    for lot, part in parts:
        lost = min(absorbed, part)
        absorbed -= lost
        changes.append(Change(lot, -lost, -part))
    entry = book.post(
        "release", ("held", "available"), held.points, holding=holding, changes=changes, cause=cause
    )
    awards.collect_owed(book, parts, cause)
    return entry


def hold_again(
    book: Book, held: HeldHold, *, expires_at: int | None, at: int, now: int, actor: str | None
) -> dict[str, Any]:
    """Reserve anew, under the same id, what had run out or was given back: the same points, from
    the lots that it had before while they have it, then soonest expiry first; 409
    `insufficient_points` when there are fewer."""
    if held.state not in ("released", "expired", "reversed"):
        raise conflict(held, "held")
    holding = book.holding(held.member_id, held.points_key)
    if held.points > holding.available:
        raise insufficient(holding, held.points)
    missing, taken = held.points, dict[bytes, int]()
    for lot, part in parts_of(book, held):
        taken[lot.id] = min(missing, part, lot.free)
        missing -= taken[lot.id]
    for lot in book.open_lots(held.member_id, held.points_key):
        more = min(missing, lot.free - taken.get(lot.id, 0))
        taken[lot.id] = taken.get(lot.id, 0) + more
        missing -= more
    assert not missing
    parts = [(book.lot(lot_id), part) for lot_id, part in taken.items() if part]
    parts.sort(key=lambda part: spending_order(part[0]))
    entry = book.post(
        "hold",
        ("available", "held"),
        held.points,
        holding=holding,
        changes=[Change(lot, 0, part) for lot, part in parts],
        cause=_cause(held.id, at=at, now=now, actor=actor),
    )
    held.state, held.ended_at, held.returned = "held", None, 0
    held.entry_id, held.held_at, held.parts = entry["id"], at, parts
    held.expires_at = expires_at
    book.touch_hold(held)
    return entry


def parts_of(book: Book, held: HeldHold) -> list[tuple[HeldLot, int]]:
    """Which lots a hold took its points from, in the order of taking."""
    if not held.parts:
        taken = book.source.hold_parts(held.entry_id)
        if len(taken) > 1:
            book.load((), book.source.lots_by_id([lot_id for lot_id, _ in taken]))
        held.parts = [(book.lot(lot_id), points) for lot_id, points in taken]
        held.parts.sort(key=lambda part: spending_order(part[0]))
    return held.parts


def give_back(
    book: Book,
    held: HeldHold,
    points: int,
    *,
    policy: Literal["strict", "grace"],
    at: int,
    now: int,
    actor: str | None,
) -> int:
    """Give points of a captured hold back to their own lots, the last taken first; how many.

    What comes back after its date expires at once (`strict`), or lives on in a lot of its own
    for 14 days (`grace`).
    """
    if held.state not in ("captured", "reversed"):
        raise conflict(held, "reversed")
    points = min(points, held.points - held.returned)
    if not points:
        return 0
    skipped, parts, left = held.returned, [], points
    for lot, part in reversed(parts_of(book, held)):
        gone = min(skipped, part)
        skipped -= gone
        back = min(left, part - gone)
        if back:
            parts.append((_revived(book, lot, back, held, policy=policy, at=at), back))
            left -= back
    held.returned += points
    if held.returned == held.points:
        held.state = "reversed"
    book.touch_hold(held)
    holding = book.holding(held.member_id, held.points_key)
    cause = _cause(held.id, at=at, now=now, actor=actor)
    changes = awards.less(parts, book.absorbed(holding, points))
    book.post(
        "restore", ("spent", "available"), points, holding=holding, changes=changes, cause=cause
    )
    awards.collect_owed(book, parts, cause)
    return points


def take_again(
    book: Book, held: HeldHold, points: int, *, at: int, now: int, actor: str | None
) -> int:
    """Spend anew what was given back of a captured hold, as far as there is so much; how many.

    From the lots that it went back to while they have it, the last given back first, then from
    what is taken first of all others.
    """
    holding = book.holding(held.member_id, held.points_key)
    points = min(points, held.returned, max(0, holding.available))
    if not points:
        return 0
    kept, missing, taken = held.returned - points, points, dict[bytes, int]()
    for lot, part in reversed(parts_of(book, held)):
        skipped = min(kept, part)
        kept -= skipped
        taken[lot.id] = min(missing, part - skipped, lot.free)
        missing -= taken[lot.id]
    for lot in book.open_lots(held.member_id, held.points_key):
        more = min(missing, lot.free - taken.get(lot.id, 0))
        taken[lot.id] = taken.get(lot.id, 0) + more
        missing -= more
    held.returned -= points
    held.state = "captured"
    book.touch_hold(held)
    book.post(
        "spend",
        ("available", "spent"),
        points,
        holding=holding,
        changes=[Change(book.lot(lot_id), -part) for lot_id, part in taken.items() if part],
        cause=_cause(held.id, at=at, now=now, actor=actor),
    )
    return points


def _revived(
    book: Book,
    lot: HeldLot,
    points: int,
    held: HeldHold,
    *,
    policy: str,
    at: int,
) -> HeldLot:
    """Where points come back to: their lot, or after its date by grace a new one, still dated."""
    if policy == "strict" or lot.expires_at is None or lot.expires_at > at:
        return lot
    zone = book.program.zone
    made = new_lot(
        book.holding(lot.member_id, lot.points_key),
        source_id=held.id,
        terms=terms.parse(lot.terms),
        points=points,
        earned_at=lot.earned_at,
    )
    made.available_at, made.origin_lot_id = at, lot.id
    made.expires_at = clock.end_of_day(clock.step(clock.local_date(at, zone), GRACE), zone)
    made.notice_at = awards.next_notice(book, made, after=at)
    book.add_lot(made)
    return made
