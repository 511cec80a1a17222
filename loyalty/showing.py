"""How the contract shows the ledger: balances, entries in a sentence, lots."""

from typing import Any

from core import clock, ids
from loyalty.ledger.book import Book
from loyalty.ledger.rows import HeldLot, Holding


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


_SPENT = {
    "en": "{points} points spent on {source}",
    "ko": "{source}(으)로 {points}포인트 사용",
}
_MOVED = {
    "en": "{points} points {way} by {source}",
    "ko": "{source}(으)로 {points}포인트 {way}",
}
_SUMMARIES = {
    "earn": {"en": "{points} points for {source}", "ko": "{source}(으)로 {points}포인트 적립"},
    "activate": {
        "en": "{points} points are available now",
        "ko": "{points}포인트 사용 가능",
    },
    "hold": {"en": "{points} points held for {source}", "ko": "{source}(으)로 {points}포인트 보류"},
    "capture": {
        "en": "{points} points spent on {source}",
        "ko": "{source}(으)로 {points}포인트 사용",
    },
    "spend": {
        "en": "{points} points spent on {source}",
        "ko": "{source}(으)로 {points}포인트 사용",
    },
    "release": {
        "en": "{points} points no longer held for {source}",
        "ko": "{source} 보류 해제로 {points}포인트 반환",
    },
    "expire": {"en": "{points} points expired", "ko": "{points}포인트 소멸"},
    "claw_back": {
        "en": "{points} points taken back with {source}",
        "ko": "{source} 변경으로 {points}포인트 회수",
    },
    "restore": {
        "en": "{points} points given back with {source}",
        "ko": "{source} 변경으로 {points}포인트 복원",
    },
    "adjust": {
        "en": "{points} points {way} by {source}",
        "ko": "{source}(으)로 {points}포인트 {way}",
    },
    "transfer": {
        "en": "{points} points {way} by {source}",
        "ko": "{source}(으)로 {points}포인트 {way}",
    },
}
_WAYS = {
    True: {"en": "added", "ko": "추가"},
    False: {"en": "taken", "ko": "차감"},
}
_SOURCES = {
    "order": {"en": "order {ref}", "ko": "주문 {ref}"},
    "signup": {"en": "signing up", "ko": "가입"},
    "lot": {"en": "their waiting time ending", "ko": "대기 기간 종료"},
    "expiry": {"en": "their date", "ko": "유효 기간 만료"},
    "redemption": {"en": "a redemption", "ko": "포인트 사용"},
    "adjustment": {"en": "an adjustment", "ko": "조정"},
    "transfer": {"en": "a transfer", "ko": "양도"},
    "opening": {"en": "the opening balance", "ko": "이월 잔액"},
    "merge": {"en": "merging with another membership", "ko": "회원 통합"},
    "erasure": {"en": "erasure", "ko": "회원 정보 삭제"},
}


def show_entry(row: Any, *, member_ref: str | None = None) -> dict[str, Any]:
    """An entry as the contract shows it; `row` is a mapping of the table's columns.

    `member_ref` stands for the member whose signup is the source: entries know only our id.
    """
    sources = _SOURCES[row["source_type"]]
    ref = (row["source_type"] == "signup" and member_ref) or row["source_ref"]
    way = _WAYS[row["to_bucket"] in ("available", "pending")]
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
        "summary": {
            locale: text.format(
                points=f"{row['points']:,}",
                source=sources[locale].format(ref=row["source_ref"]),
                way=way[locale],
            )
            for locale, text in _SUMMARIES[row["kind"]].items()
        },
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
