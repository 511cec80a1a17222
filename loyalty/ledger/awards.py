"""Awards: what one cause gave, brought to what it deserves now.

Taking back is undone in the reverse order of taking, so that an award that was lowered and raised
again stands as if it had only ever been what it is. Sources: SEMANTICS B9, B11, B12; DESIGN 1 on
what was written off.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core import clock
from loyalty.ledger.book import Book, spending_order
from loyalty.ledger.entries import Cause, Change, Kind, Move
from loyalty.ledger.rows import HeldLot, new_lot
from programs import terms
from programs.kinds import PointsKind, ReturnPolicy
from programs.terms import Terms


@dataclass(frozen=True, slots=True)
class Award:
    """What made points for whom: the id of the cause, the member's, the kind of points, and the
    terms that they come under."""

    source_id: bytes
    member_id: bytes
    points_key: str
    terms: Terms


def lots_of(book: Book, award: Award) -> list[HeldLot]:
    """The lots of an award, oldest first."""
    return [
        lot
        for lot in book.lots_of(award.source_id, award.member_id)
        if lot.points_key == award.points_key and lot.terms == award.terms.text
    ]


def bring_to(
    book: Book,
    deserved: int,
    award: Award,
    *,
    cause: Cause,
    reversal_at: int,
    policy: ReturnPolicy = "within_balance",
) -> list[dict[str, Any]]:
    """Bring what stands of an award to what is deserved; returns the entries made.

    More than stands: write-offs are cancelled first, then what was taken goes back to where it
    was taken from, then a new lot is made. Less: taken as the return policy allows; what cannot
    be taken is written off. `reversal_at` is when the cause changed.
    """
    lots = lots_of(book, award)
    delta = deserved - sum(lot.standing for lot in lots)
    before = len(book.entries)
    change = replace(cause, effective_at=reversal_at)
    if delta > 0:
        rest = _give_back(book, delta, lots, change)
        if rest:
            give(book, rest, award, cause=cause)
    elif delta < 0:
        _take(book, -delta, lots, cause=change, policy=policy)
    return book.entries[before:]


def give(
    book: Book,
    points: int,
    award: Award,
    *,
    cause: Cause,
    kind: Literal["earn", "adjust"] = "earn",
) -> HeldLot:
    """Make a new lot, dated by its terms from the cause's instant."""
    holding = book.holding(award.member_id, award.points_key)
    lot = new_lot(
        holding,
        source_id=award.source_id,
        terms=award.terms,
        points=points,
        earned_at=cause.effective_at,
    )
    zone = book.program.zone
    lot.available_at = award.terms.available_at(lot.earned_at, zone)
    lot.is_pending = lot.available_at != lot.earned_at
    if lot.available_at is not None:
        date(book, lot, since=lot.available_at)
    if award.terms.inactivity and not holding.has_inactivity:
        holding.has_inactivity = holding.is_changed = True
    book.add_lot(lot)
    source = "issued" if kind == "earn" else "adjusted"
    credit(book, kind, source, points, lot, cause=cause)
    return lot


def date(book: Book, lot: HeldLot, *, since: int) -> None:
    """Give a lot the dates that its terms have for points available (or active) since then."""
    zone = book.program.zone
    lot.expires_at = terms.parse(lot.terms).expires_at(since, zone)
    lot.notice_at = next_notice(book, lot, after=since)


def next_notice(book: Book, lot: HeldLot, *, after: int) -> int | None:
    """When the member is to be told next that the lot expires."""
    kind: PointsKind | None = book.program.kind(lot.points_key)
    if kind is None or lot.expires_at is None:
        return None
    for notice in kind.notices:
        at = clock.before(lot.expires_at, notice, book.program.zone)
        if at > after:
            return at
    return None


def credit(book: Book, kind: Kind, source: str, points: int, lot: HeldLot, *, cause: Cause) -> None:
    """Put points into a lot; a deficit takes of what becomes available first."""
    holding = book.holding(lot.member_id, lot.points_key)
    if lot.is_pending:
        move: Move = (source, "pending")
        changes = [Change(lot, points)]
    else:
        move = (source, "available")
        kept = points - book.absorbed(holding, points)
        changes = [Change(lot, kept)] if kept else []
    book.post(kind, move, points, holding=holding, changes=changes, cause=cause, lot=lot)


def _give_back(book: Book, points: int, lots: Sequence[HeldLot], cause: Cause) -> int:
    """Undo what was done last first: what could not be taken, what others gave, what had expired,
    its own; returns what is more than was ever awarded."""
    for lot in lots:
        cancelled = min(points, lot.owed)
        if cancelled:
            lot.written_off -= cancelled
            points -= cancelled
            book.touch(lot)
    for lot in lots:
        restored = min(points, lot.borrowed + lot.overdrawn)
        if restored:
            _restore(book, restored, lot, cause)
            points -= restored
    for lot in lots:
        cancelled = min(points, lot.lapsed)
        if cancelled:
            lot.written_off -= cancelled
            points -= cancelled
            book.touch(lot)
    for lot in lots:
        restored = min(points, lot.reversed)
        if restored:
            _restore(book, restored, lot, cause)
            points -= restored
    return points


def _restore(book: Book, points: int, lot: HeldLot, cause: Cause) -> None:
    """Give back what was taken for a lot's award, the last taken first: what came out of nothing,
    then what other lots gave, then its own."""
    lot.reversed -= points
    book.touch(lot)
    from_nothing = min(points, lot.overdrawn)
    lot.overdrawn -= from_nothing
    rest = points - from_nothing
    parts: list[tuple[HeldLot, int]] = []
    if rest and lot.borrowed:
        for lender, taken in reversed(book.lenders(lot)):
            part = min(rest, taken, lot.borrowed)
            if part:
                parts.append((lender, part))
                lot.borrowed -= part
                rest -= part
    own = rest + from_nothing
    if lot.is_pending and own:
        credit(book, "restore", "clawed_back", own, lot, cause=cause)
        own = 0
    elif own:
        parts.append((lot, own))
    if parts:
        _post_restore(book, lot, parts, cause)


def _post_restore(
    book: Book, lot: HeldLot, parts: Sequence[tuple[HeldLot, int]], cause: Cause
) -> None:
    holding = book.holding(lot.member_id, lot.points_key)
    points = sum(part for _, part in parts)
    kept = {
        change.lot.id: change.remaining for change in less(parts, book.absorbed(holding, points))
    }
    changes = [
        Change(one, kept.get(one.id, 0), for_points=0 if one is lot else -part)
        for one, part in parts
        if one is not lot or one.id in kept
    ]
    book.post(
        "restore",
        ("clawed_back", "available"),
        points,
        holding=holding,
        changes=changes,
        cause=cause,
        lot=lot,
    )
    collect_owed(book, [(change.lot, change.remaining) for change in changes], cause)


def less(parts: Sequence[tuple[HeldLot, int]], absorbed: int) -> list[Change]:
    """What lots get of points given to them when a deficit absorbs some: it takes what would be
    spent first."""
    changes = []
    for lot, points in sorted(parts, key=lambda part: spending_order(part[0])):
        lost = min(points, absorbed)
        absorbed -= lost
        if points > lost:
            changes.append(Change(lot, points - lost))
    return changes


def _take(
    book: Book, points: int, lots: Sequence[HeldLot], *, cause: Cause, policy: ReturnPolicy
) -> None:
    """Take back: what is pending of the award, what is free of it; what expired is gone already;
    what was spent comes from other lots, soonest expiry first; the rest is a deficit or written
    off."""
    for lot in reversed(lots):
        taken = min(points, lot.remaining, lot.standing) if lot.is_pending else 0
        if taken:
            points -= taken
            _claw_back(book, lot, [(lot, taken)], cause=cause)
    if policy != "only_pending":
        for lot in reversed(lots):
            own = min(points, lot.free, lot.standing)
            if own:
                points -= own
                _claw_back(book, lot, [(lot, own)], cause=cause)
    for lot in reversed(lots):
        gone = min(points, lot.expired - lot.lapsed, lot.standing)
        if gone:
            lot.written_off += gone
            points -= gone
            book.touch(lot)
    if policy != "only_pending" and points:
        points = _take_spent(book, points, lots, cause=cause, is_unlimited=policy == "unlimited")
    for lot in reversed(lots):
        lost = min(points, lot.standing)
        if lost:
            lot.written_off += lost
            points -= lost
            book.touch(lot)


def _take_spent(
    book: Book, points: int, lots: Sequence[HeldLot], *, cause: Cause, is_unlimited: bool
) -> int:
    """Take what was spent of an award from other lots, or out of nothing; returns the rest."""
    for lot in reversed(lots):
        room = min(points, lot.standing)
        if not room:
            continue
        holding = book.holding(lot.member_id, lot.points_key)
        parts = book.take(holding, room)
        found = sum(part for _, part in parts)
        nothing = room - found if is_unlimited else 0
        if found or nothing:
            _claw_back(book, lot, parts, cause=cause, out_of_nothing=nothing)
            points -= found + nothing
    return points


def collect_owed(book: Book, parts: Sequence[tuple[HeldLot, int]], cause: Cause) -> None:
    """Take from points that came back to lots what is still owed for them: whoever spends or holds
    points, has the order refunded and gives the points back keeps none of them.

    Owed by the lot's own award, or by those whose lots paid for it meanwhile, or for those in
    turn; each pays no more than was lent. Only where the program takes what there is: with
    `deduct_from_refund` the money was deducted instead.
    """
    for lot, points in sorted(parts, key=lambda part: spending_order(part[0])):
        kind = book.program.kind(lot.points_key)
        if kind is not None and kind.return_policy != "within_balance":
            continue
        left, passed = min(points, lot.free), Counter[_Step]()
        while left > 0 and (found := _nearest_debt(book, lot, passed)):
            debtors, way = found
            room, before = min([left, *(lent - passed[step] for step, lent in way)]), left
            for debtor in debtors:
                owed = min(room - (before - left), debtor.owed)
                if owed > 0:
                    left -= owed
                    debtor.written_off -= owed
                    _claw_back(book, debtor, [(lot, owed)], cause=cause)
            passed.update({step: before - left for step, _ in way})


#: From a lot to another that lent to its award.
_Step = tuple[bytes, bytes]


def _nearest_debt(
    book: Book, lot: HeldLot, passed: Mapping[_Step, int]
) -> tuple[list[HeldLot], list[tuple[_Step, int]]] | None:
    """The nearest award that owes points which came back to a lot, and the steps to it with what
    was lent on each; `passed` is what has gone that way already."""
    first = _award_of(book, lot)
    ways: list[tuple[list[HeldLot], list[tuple[_Step, int]]]] = [(first, [])]
    seen = {one.id for one in first}
    for lots, way in ways:
        if any(one.owed > 0 for one in lots):
            return lots, way
        for one in lots:
            for lender, lent in book.lenders(one):
                step = (one.id, lender.id)
                if lent > passed.get(step, 0) and lender.id not in seen:
                    theirs = _award_of(book, lender)
                    seen.update(each.id for each in (lender, *theirs))
                    # Grows while it is gone through: the nearer ones come first.
                    ways.append((theirs, [*way, (step, lent)]))
    return None


def _award_of(book: Book, lot: HeldLot) -> list[HeldLot]:
    """The lots of a lot's award; what comes back by grace lies in a lot of its own, and is still
    the award's."""
    origin = lot if lot.origin_lot_id is None else book.lot(lot.origin_lot_id)
    return book.award_lots(origin if origin.member_id == lot.member_id else lot)


def collect_for(book: Book, debtor: HeldLot, points: int, *, cause: Cause) -> None:
    """Take what a lot still owes from whatever is free of its account, up to so many points."""
    holding = book.holding(debtor.member_id, debtor.points_key)
    kind = book.program.kind(debtor.points_key)
    owed = min(points, debtor.owed)
    if owed and (kind is None or kind.return_policy == "within_balance"):
        parts = book.take(holding, owed)
        debtor.written_off -= sum(part for _, part in parts)
        if parts:
            _claw_back(book, debtor, parts, cause=cause)


def _claw_back(
    book: Book,
    lot: HeldLot,
    parts: Sequence[tuple[HeldLot, int]],
    *,
    cause: Cause,
    out_of_nothing: int = 0,
) -> None:
    points = sum(part for _, part in parts) + out_of_nothing
    lot.reversed += points
    lot.overdrawn += out_of_nothing
    lot.borrowed += sum(part for one, part in parts if one is not lot)
    # The entry may change other lots alone.
    book.touch(lot)
    source = "pending" if lot.is_pending else "available"
    book.post(
        "claw_back",
        (source, "clawed_back"),
        points,
        holding=book.holding(lot.member_id, lot.points_key),
        changes=[Change(one, -part, for_points=0 if one is lot else part) for one, part in parts],
        cause=cause,
        lot=lot,
    )
