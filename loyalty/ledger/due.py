"""What falls due by time: pending points become available, holds run out, points expire.

Each at its own instant, and at one instant in this order (SEMANTICS C24). A reader applies it in
memory, whoever holds the member's lock writes it; both see the same, whenever a worker runs.
"""

from collections.abc import Iterable, Sequence

from core import clock, ids
from loyalty.ledger import awards, holds
from loyalty.ledger.book import Book
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HeldHold, HeldLot, Holding


def settle(book: Book, member_id: bytes, now: int) -> None:
    """Write what fell due of a member's accounts, at its own instant, recorded now."""
    for holding in book.holdings(member_id):
        if holding.due_at is not None and holding.due_at <= now:
            _settle(book, holding, now)


def next_due(book: Book, holding: Holding) -> int | None:
    """When something of the account falls due next, exactly."""
    member_id, key = holding.member_id, holding.points_key
    return _next_due(book.open_lots(member_id, key), book.open_holds(member_id, key))


def _next_due(lots: Iterable[HeldLot], open_holds: Iterable[HeldHold]) -> int | None:
    dates = [lot.next_due() for lot in lots]
    dates += [hold.expires_at for hold in open_holds]
    return min((one for one in dates if one is not None), default=None)


def _settle(book: Book, holding: Holding, now: int) -> None:
    lots = book.open_lots(holding.member_id, holding.points_key)
    while True:
        open_holds = book.open_holds(holding.member_id, holding.points_key)
        due_at = _next_due(lots, open_holds)
        if due_at is None or due_at > now:
            break
        for lot in lots:
            if lot.is_pending and lot.available_at is not None and lot.available_at <= due_at:
                activate(book, lot, at=max(lot.available_at, lot.credited_at or 0), now=now)
        for hold in open_holds:
            if hold.expires_at is not None and hold.expires_at <= due_at:
                holds.end(book, hold, "expired", at=hold.expires_at, now=now, actor=None)
        _expire_due(book, holding, lots, at=due_at, now=now)
        _notify_due(book, holding, lots, at=due_at, now=now)
    if holding.due_at != due_at:
        holding.due_at, holding.is_changed = due_at, True


def _cause(kind: str, ref: str, *, at: int, now: int) -> Cause:
    return Cause(kind, ref, None, None, at, now)


def activate(book: Book, lot: HeldLot, *, at: int, now: int) -> None:
    """Make a pending lot available; from now on its term runs, and a deficit takes of it."""
    holding = book.holding(lot.member_id, lot.points_key)
    lot.is_pending, lot.available_at = False, at
    if lot.expires_at is None:
        awards.date(book, lot, since=at)
    book.touch(lot)
    if not lot.remaining:
        return
    absorbed = book.absorbed(holding, lot.remaining)
    book.post(
        "activate",
        ("pending", "available"),
        lot.remaining,
        holding=holding,
        changes=[Change(lot, -absorbed)],
        cause=_cause("lot", ids.show_id("lot", lot.id), at=at, now=now),
        lot=lot,
    )


def _expire_due(
    book: Book, holding: Holding, lots: Sequence[HeldLot], *, at: int, now: int
) -> None:
    """Expire what is free of lots whose date has come; one entry for all that end together."""
    ended: dict[int, list[HeldLot]] = {}
    for lot in lots:
        if lot.expires_at is not None and lot.expires_at <= at and lot.free:
            # What came back to a lot after its date expires at once, not before it came.
            when = max(lot.expires_at, lot.credited_at or lot.expires_at)
            ended.setdefault(when, []).append(lot)
    for when, together in sorted(ended.items()):
        changes = [Change(lot, -lot.free) for lot in together]
        for lot in together:
            lot.expired += lot.free
        book.post(
            "expire",
            ("available", "expired"),
            sum(lot.free for lot in together),
            holding=holding,
            changes=changes,
            cause=_cause("expiry", clock.format_instant(when), at=when, now=now),
        )


def _notify_due(
    book: Book, holding: Holding, lots: Sequence[HeldLot], *, at: int, now: int
) -> None:
    """Tell the member once of all that expires together, and only the latest of what is late."""
    told: dict[int, int] = {}
    for lot in lots:
        if lot.notice_at is not None and lot.notice_at <= at and not lot.is_pending:
            lot.notice_at = awards.next_notice(book, lot, after=now)
            book.touch(lot)
            if lot.expires_at is not None and lot.expires_at > now:
                told[lot.expires_at] = told.get(lot.expires_at, 0) + lot.free
    for expires_at, points in sorted(told.items()):
        if points:
            book.notify(holding, points=points, expires_at=expires_at)
