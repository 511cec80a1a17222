"""Holds: points reserved for an open checkout, ended once: captured, released or run out.

A hold outlives the expiry of what it holds (SEMANTICS C19). What a captured hold gave goes back
to the same lots with their dates (C20).
"""

from collections.abc import Sequence
from typing import Any, Literal

from core import clock, ids
from core.errors import Problem
from loyalty.ledger import awards
from loyalty.ledger.book import Book, spending_order
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold, HeldLot, Holding, new_lot
from programs import terms

End = Literal["captured", "released", "expired"]
_Part = tuple[HeldLot, int]
_Parts = Sequence[_Part]

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
    parts = _take_from(book, held, held.points, own=parts_of(book, held))
    assert sum(part for _, part in parts) == held.points
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


def _take_from(book: Book, held: HeldHold, points: int, *, own: _Parts) -> list[_Part]:
    """Which lots so many points come from: those of `own` while they have it, then soonest expiry
    first; in the order of taking."""
    taken = dict[bytes, int]()
    for lot, part in (*own, *((lot, points) for lot in _open_lots(book, held))):
        before = taken.get(lot.id, 0)
        more = min(points, part, lot.free - before)
        taken[lot.id] = before + more
        points -= more
    parts = [(book.lot(lot_id), part) for lot_id, part in taken.items() if part]
    return sorted(parts, key=_in_order)


def _open_lots(book: Book, held: HeldHold) -> list[HeldLot]:
    return book.open_lots(held.member_id, held.points_key)


def _in_order(part: _Part) -> tuple[bool, int, int, bytes]:
    return spending_order(part[0])


def parts_of(book: Book, held: HeldHold) -> list[_Part]:
    """Which lots a hold took its points from, in the order of taking. Of a captured one those that
    what went back was spent anew of; the last are those of what is back still."""
    if not held.parts:
        held.parts = sorted(_lots(book, book.source.hold_parts(held.entry_id)), key=_in_order)
    if not held.is_followed:
        held.is_followed = True
        if held.state in ("captured", "reversed"):
            _follow(book, held)
    return held.parts


def _lots(book: Book, parts: Sequence[tuple[bytes, int]]) -> list[_Part]:
    if len(parts) > 1:
        book.load((), book.source.lots_by_id([lot_id for lot_id, _ in parts]))
    return [(book.lot(lot_id), points) for lot_id, points in parts]


def _follow(book: Book, held: HeldHold) -> None:
    """Bring the parts that a hold was made of to those that stand by what is stored."""
    returned = 0
    for points, spent in book.source.spent_again(held):
        if spent:
            held.parts = _retaken(held.parts, returned, _lots(book, spent))
        returned += -points if spent else points


def _retaken(parts: _Parts, returned: int, taken: _Parts) -> list[_Part]:
    """The parts once some of the points that went back were taken again, of whatever lots: those
    that stand in the order of taking, then those of what is back still."""
    missing = _last(parts, 0, returned - sum(points for _, points in taken))
    stands = [*_last(parts, returned, sum(points for _, points in parts)), *taken]
    return [*sorted(stands, key=_in_order), *reversed(missing)]


def _last(parts: _Parts, skipped: int, points: int) -> list[_Part]:
    """What so many points are of, counted from the last part on, after so many."""
    found = []
    for lot, part in reversed(parts):
        gone = min(skipped, part)
        skipped -= gone
        here = min(points, part - gone)
        points -= here
        if here:
            found.append((lot, here))
    return found


def together(parts: _Parts) -> list[_Part]:
    """Each lot once, with all that is told of it."""
    found = dict[bytes, _Part]()
    for lot, points in parts:
        found[lot.id] = (lot, points + (found[lot.id][1] if lot.id in found else 0))
    return list(found.values())


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
    parts = [
        (_revived(book, lot, back, held, policy=policy, at=at), back)
        for lot, back in together(_last(parts_of(book, held), held.returned, points))
    ]
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
    own = parts_of(book, held)
    taken = _take_from(book, held, points, own=_last(own, held.returned - points, points))
    held.parts = _retaken(own, held.returned, taken)
    held.returned -= points
    held.state = "captured"
    book.touch_hold(held)
    book.post(
        "spend",
        ("available", "spent"),
        points,
        holding=holding,
        changes=[Change(lot, -part) for lot, part in taken],
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
