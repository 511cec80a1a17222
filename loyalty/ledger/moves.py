"""Moves by hand and between members: adjustments, transfers, forfeiture, merging.

Points keep their dates wherever they go (SEMANTICS C23). Refuses to take more than there is,
unless the caller says that an account may go below zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from loyalty.ledger import awards, holds
from loyalty.ledger.awards import Award
from loyalty.ledger.book import Book
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HeldLot, Holding, new_lot
from programs import terms
from programs.terms import NO_TERMS, Terms


def add(
    book: Book,
    holding: Holding,
    points: int,
    *,
    source_id: bytes,
    cause: Cause,
    expires_at: int | None,
    earned_at: int | None = None,
) -> HeldLot:
    """Give points by hand, with a date of their own or none; a deficit takes of them first."""
    lot = new_lot(
        holding,
        source_id=source_id,
        terms=NO_TERMS,
        points=points,
        earned_at=cause.effective_at if earned_at is None else earned_at,
    )
    lot.expires_at = expires_at
    lot.notice_at = awards.next_notice(book, lot, after=cause.recorded_at)
    book.add_lot(lot)
    awards.credit(book, "adjust", "adjusted", points, lot, cause=cause)
    return lot


def add_on_terms(
    book: Book,
    holding: Holding,
    points: int,
    *,
    source_id: bytes,
    cause: Cause,
    expiry: Terms,
) -> HeldLot:
    """Give points by hand that expire as the kind of points does; at once available."""
    own = Terms(NO_TERMS.pending, expiry.expiry)
    award = Award(source_id, holding.member_id, holding.points_key, own)
    return awards.give(book, points, award, cause=cause, kind="adjust")


def remove(
    book: Book, holding: Holding, points: int, *, cause: Cause, is_overdraft_allowed: bool = False
) -> dict[str, Any]:
    """Take points by hand, soonest expiry first; 409 `insufficient_points` below zero."""
    if points > holding.available and not is_overdraft_allowed:
        raise holds.insufficient(holding, points)
    return book.post(
        "adjust",
        ("available", "adjusted"),
        points,
        holding=holding,
        changes=[Change(lot, -part) for lot, part in book.take(holding, points)],
        cause=cause,
    )


def remove_from(book: Book, lot: HeldLot, points: int, *, cause: Cause) -> None:
    """Take points out of one lot by hand; it must have so many free."""
    book.post(
        "adjust",
        ("available", "adjusted"),
        points,
        holding=book.holding(lot.member_id, lot.points_key),
        changes=[Change(lot, -points)],
        cause=cause,
    )


def transfer(
    book: Book,
    sender: Holding,
    receiver: Holding,
    points: int,
    *,
    transfer_id: bytes,
    cause: Cause,
) -> list[dict[str, Any]]:
    """Move available points to another member with their dates; returns both entries."""
    if points > sender.available:
        raise holds.insufficient(sender, points)
    parts = book.take(sender, points)
    sent = book.post(
        "transfer",
        ("available", "transferred"),
        points,
        holding=sender,
        changes=[Change(lot, -part) for lot, part in parts],
        cause=cause,
    )
    arrived = []
    for lot, part in parts:
        made = _twin(book, lot, receiver, points=part, source_id=transfer_id)
        own = terms.parse(lot.terms)
        if own.inactivity and lot.expires_at is not None:
            # What the giver did counts for the points given, not for the receiver's others.
            kept = own.day_before(lot.expires_at, book.program.zone)
            made.available_at = made.available_at if kept is None else kept
        arrived.append((made, part))
    received = book.post(
        "transfer",
        ("transferred", "available"),
        points,
        holding=receiver,
        changes=awards.less(arrived, book.absorbed(receiver, points)),
        cause=cause,
    )
    return [sent, received]


def _twin(book: Book, lot: HeldLot, receiver: Holding, *, points: int, source_id: bytes) -> HeldLot:
    """A lot with the same dates and terms in another account, still empty."""
    made = new_lot(
        receiver,
        source_id=source_id,
        terms=terms.parse(lot.terms),
        points=points,
        earned_at=lot.earned_at,
    )
    made.available_at, made.is_pending = lot.available_at, lot.is_pending
    made.expires_at, made.notice_at = lot.expires_at, lot.notice_at
    made.origin_lot_id = lot.id
    if lot.terms != NO_TERMS.text and terms.parse(lot.terms).inactivity:
        receiver.has_inactivity = receiver.is_changed = True
    book.add_lot(made)
    return made


def forfeit(book: Book, holding: Holding, *, cause: Cause) -> None:
    """Take everything that is left of an account: holds are released, pending points go too."""
    _release_all(book, holding, cause)
    for lot in book.open_lots(holding.member_id, holding.points_key):
        if lot.is_pending:
            book.post(
                "adjust",
                ("pending", "adjusted"),
                lot.remaining,
                holding=holding,
                changes=[Change(lot, -lot.remaining)],
                cause=cause,
            )
    if holding.available > 0:
        remove(book, holding, holding.available, cause=cause)


def _release_all(book: Book, holding: Holding, cause: Cause) -> None:
    for held in book.open_holds(holding.member_id, holding.points_key):
        holds.end(
            book,
            held,
            "released",
            at=cause.effective_at,
            now=cause.recorded_at,
            actor=cause.actor,
        )


def move_all(
    book: Book, source: Holding, target: Holding, *, lots: Sequence[HeldLot], cause: Cause
) -> None:
    """Move a whole account into another: every one of its `lots`, empty ones too, so that each
    award stands with the new member as it stood, and a deficit with them. Holds are released."""
    _release_all(book, source, cause)
    deficit = max(0, -source.available)
    silent = replace(cause, is_silent=True)
    for lot in lots:
        twin = _twin(book, lot, target, points=lot.points, source_id=lot.source_id)
        for name in ("reversed", "overdrawn", "written_off", "expired"):
            setattr(twin, name, getattr(lot, name))
        # What other lots gave for its award is not known of the twins: it is its own from now on.
        twin.borrowed = 0
        # The twin owes it from now on.
        lot.written_off = 0
        remaining, lot.is_moved = lot.remaining, True
        if remaining:
            bucket = "pending" if lot.is_pending else "available"
            book.post(
                "transfer",
                (bucket, "transferred"),
                remaining,
                holding=source,
                changes=[Change(lot, -remaining)],
                cause=silent,
            )
            awards.credit(book, "transfer", "transferred", remaining, twin, cause=silent)
        book.touch(lot)
        book.touch(twin)
    if deficit:
        _move_deficit(book, source, target, deficit, cause=silent)


def _move_deficit(
    book: Book, source: Holding, target: Holding, points: int, *, cause: Cause
) -> None:
    book.post(
        "transfer", ("transferred", "available"), points, holding=source, changes=[], cause=cause
    )
    book.post(
        "transfer",
        ("available", "transferred"),
        points,
        holding=target,
        changes=[Change(lot, -part) for lot, part in book.take(target, points)],
        cause=cause,
    )


def redate(
    book: Book, member_id: bytes, *, active_at: Mapping[str, Sequence[int]], now: int
) -> None:
    """Date anew what expires by inactivity, after an activity came to stand or fell (SEMANTICS
    C21); what is thereby late expires when it is settled, now. `active_at` are the instants of each
    kind of activity that stands."""
    for holding in book.holdings(member_id):
        if not holding.has_inactivity:
            continue
        for lot in book.open_lots(member_id, holding.points_key):
            own = terms.parse(lot.terms)
            if lot.is_pending or not own.inactivity:
                continue
            start = lot.available_at or lot.earned_at
            since = own.kept_since(start, active_at, book.program.zone)
            before = lot.expires_at
            awards.date(book, lot, since=since)
            if lot.expires_at != before:
                # What an undone activity had kept alive ends when it is undone.
                lot.credited_at = now
                book.touch(lot)
