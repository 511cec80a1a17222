"""Points that come back to a member who was merged meanwhile, and those that are spent anew there.

They go on to the lots that the member's own lots became, and come back the same way: no lot is
made, so whatever goes to and fro keeps its dates and its award.
"""

from collections.abc import Sequence

from loyalty.ledger import awards, holds, moves
from loyalty.ledger.book import Book
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HeldHold, HeldLot, Holding

_Parts = Sequence[tuple[HeldLot, int]]


def hand_on(book: Book, held: HeldHold, owner_id: bytes, *, cause: Cause) -> None:
    """What came back from a hold goes on to whom its member became, less what the awards that it
    came from still owe there."""
    gone = book.holding(held.member_id, held.points_key)
    owner = book.holding(owner_id, held.points_key)
    points = max(0, gone.available)
    taken, given = list[tuple[HeldLot, int]](), list[tuple[HeldLot, int]]()
    for lot, part in book.take(gone, points):
        twin = _twin(book, lot, owner_id)
        if twin is not None:
            taken.append((lot, part))
            given.append((twin, part))
    _move(book, gone, owner, taken=taken, given=given, cause=cause)
    if gone.available > 0:
        # What came back by grace lies in a lot of its own.
        moves.transfer(book, gone, owner, gone.available, transfer_id=held.id, cause=cause)
    for lot, part in holds.parts_of(book, held):
        twin = _twin(book, lot, owner_id)
        if twin is not None and points:
            awards.collect_for(book, twin, min(part, points), cause=cause)


def hand_back(book: Book, held: HeldHold, owner_id: bytes, points: int, *, cause: Cause) -> None:
    """Points that are to be spent anew come back from whom the hold's member became, as far as
    there are so many: from the lots that they had gone on to, then from what is taken first."""
    gone = book.holding(held.member_id, held.points_key)
    owner = book.holding(owner_id, held.points_key)
    points = min(points, held.returned, max(0, owner.available))
    kept, missing = held.returned - points, points
    taken, given = dict[bytes, int](), list[tuple[HeldLot, int]]()
    for lot, part in reversed(holds.parts_of(book, held)):
        skipped = min(kept, part)
        kept -= skipped
        here = min(missing - sum(n for _, n in given), part - skipped)
        if here:
            given.append((lot, here))
            twin = _twin(book, lot, owner_id)
            if twin is not None:
                before = taken.get(twin.id, 0)
                taken[twin.id] = before + min(here, twin.free - before)
    missing -= sum(taken.values())
    for lot in book.open_lots(owner_id, held.points_key):
        more = min(missing, lot.free - taken.get(lot.id, 0))
        taken[lot.id] = taken.get(lot.id, 0) + more
        missing -= more
    parts = [(book.lot(lot_id), part) for lot_id, part in taken.items() if part]
    _move(book, owner, gone, taken=parts, given=holds.together(given), cause=cause)


def _twin(book: Book, lot: HeldLot, owner_id: bytes) -> HeldLot | None:
    twin = book.twin_of(lot) if lot.is_moved else None
    return twin if twin is not None and twin.member_id == owner_id else None


def _move(
    book: Book, source: Holding, target: Holding, *, taken: _Parts, given: _Parts, cause: Cause
) -> None:
    points = sum(part for _, part in taken)
    if not points:
        return
    book.post(
        "transfer",
        ("available", "transferred"),
        points,
        holding=source,
        changes=[Change(lot, -part) for lot, part in taken],
        cause=cause,
    )
    book.post(
        "transfer",
        ("transferred", "available"),
        points,
        holding=target,
        changes=awards.less(given, book.absorbed(target, points)),
        cause=cause,
    )
