"""Giving points again that had expired: they come back by hand, and the entry names their lot.

The lot that they had expired out of stays as it is; the entry has an allocation of nothing for
it, so that the chain says what was given again of it (`loyalty.reading.given_again`). Refuses to
say how much that may be: whoever calls has looked.
"""

from loyalty.ledger import awards
from loyalty.ledger.book import Book
from loyalty.ledger.entries import Cause, Change
from loyalty.ledger.rows import HeldLot, new_lot
from programs.terms import NO_TERMS


def reinstate(
    book: Book,
    expired: HeldLot,
    points: int,
    *,
    source_id: bytes,
    cause: Cause,
    expires_at: int | None,
) -> HeldLot:
    """Give points again that expired of a lot, with a date of their own or none; a deficit takes
    of them first."""
    holding = book.holding(expired.member_id, expired.points_key)
    lot = new_lot(
        holding,
        source_id=source_id,
        terms=NO_TERMS,
        points=points,
        earned_at=cause.effective_at,
    )
    lot.expires_at = expires_at
    lot.notice_at = awards.next_notice(book, lot, after=cause.recorded_at)
    book.add_lot(lot)
    kept = awards.less([(lot, points)], book.absorbed(holding, points))
    book.post(
        "adjust",
        ("adjusted", "available"),
        points,
        holding=holding,
        changes=[*kept, Change(expired, 0)],
        cause=cause,
        lot=lot,
    )
    return lot
