"""How the contract shows the ledger: balances, entries in a sentence, lots."""

from collections.abc import Mapping
from typing import Any

from core import clock, ids
from core.language import Text
from loyalty import sentences
from loyalty.ledger.book import Book
from loyalty.ledger.rows import HeldLot, Holding
from programs.compiled import Compiled


def show_balance(book: Book, holding: Holding) -> dict[str, Any]:
    """A balance as the contract shows it; every dated lot is named, soonest first."""
    return {
        "points_key": holding.points_key,
        "available": holding.available,
        "pending": holding.pending,
        "held": holding.held,
        "version": holding.version,
        "lifetime_earned": holding.lifetime_earned,
        "expiring": _expiring(book, holding),
    }


def _expiring(book: Book, holding: Holding) -> list[dict[str, Any]]:
    if holding.due_at is None and not holding.held:
        return []
    dates: dict[int, int] = {}
    for lot in book.open_lots(holding.member_id, holding.points_key):
        if lot.expires_at is not None:
            dates[lot.expires_at] = dates.get(lot.expires_at, 0) + lot.remaining
    return [
        {"expires_at": clock.format_instant(at), "points": points}
        for at, points in sorted(dates.items())
    ]


def show_entry(
    row: Any,
    program: Compiled | None = None,
    *,
    member_ref: str | None = None,
    pinned: Compiled | None = None,
    named: Mapping[str, Text] | None = None,
) -> dict[str, Any]:
    """An entry as the contract shows it; `row` is a mapping of the table's columns.

    The program names points, levels and cards, and the version that decided the entry, `pinned`,
    those that are gone; `named` says by reference what redemptions are called, which the ledger
    does not know. `member_ref` stands for the member whose signup is the source: entries
    know only our id.
    """
    ref = (row["source_type"] == "signup" and member_ref) or row["source_ref"]
    return {
        "id": ids.show_id("ent", bytes(row["id"])),
        "seq": row["seq"],
        "kind": row["kind"],
        "points": row["points"],
        "points_key": row["points_key"],
        "from": row["from_bucket"],
        "to": row["to_bucket"],
        "available_after": row["available_after"],
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
        "source": {"type": row["source_type"], "ref": ref},
        "summary": sentences.entry(
            row, program, pinned=pinned, named=(named or {}).get(row["source_ref"])
        ),
        "decision_id": (
            ids.show_id("dec", bytes(row["decision_id"])) if row["decision_id"] else None
        ),
        "actor": row["actor"],
    }


def show_lot(lot: HeldLot) -> dict[str, Any]:
    """A lot as the contract shows it."""
    return {
        "id": ids.show_id("lot", lot.id),
        "points_key": lot.points_key,
        "points": lot.points,
        "remaining": lot.remaining,
        "held": lot.held,
        "reversed": lot.reversed,
        "written_off": lot.written_off,
        "state": _lot_state(lot),
        "earned_at": clock.format_instant(lot.earned_at),
        "available_at": None
        if lot.available_at is None
        else clock.format_instant(lot.available_at),
        "expires_at": None if lot.expires_at is None else clock.format_instant(lot.expires_at),
    }


def _lot_state(lot: HeldLot) -> str:
    if lot.is_pending:
        return "pending"
    return "available" if lot.remaining else "used"
