"""Proof of lots: figures against their entries, dates against their terms.

A date is right when the lot's terms give it in a zone that the program has had. Where terms do
not fix it alone, it must be one that something known gives: the lot it came from, what the member
did, when points were given back.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from core import clock, ids
from loyalty.ledger.holds import GRACE
from loyalty.ledger.rows import HOLDS, LOTS, HeldLot, hold_digest
from programs import terms
from programs.terms import NO_TERMS
from server.verify.entries import LotSums, Sums, in_lots
from server.verify.programs import Calendar
from server.verify.rows import Place, Report, show

LOT_NAMES = tuple(LOTS.columns.keys())
#: What a lot's row is joined with: the lot that it came from.
ORIGIN_NAMES = (
    "source_id",
    "terms",
    "points",
    "reversed",
    "overdrawn",
    "expired",
    "earned_at",
    "available_at",
    "is_pending",
    "expires_at",
)
_UTC = ZoneInfo("UTC")
_TERMS = re.compile(
    r"(immediate|on_fulfilled|after P\w+)"
    r"\|(never|after P\w+ (day|month|quarter|year)|inactivity P\w+ [\w:,]+|fixed_dates [\d,-]+)"
)
_FIGURES = ("remaining", "held", "reversed", "borrowed", "overdrawn", "expired")


@dataclass(slots=True)
class Lots:
    """The lots of one account, what its entries say of them, and what may have dated them."""

    calendar: Calendar
    place: Place
    sums: Sums
    rows: Sequence[Any]
    holds: Sequence[Any]
    #: When the member did something that may have kept points alive.
    active_at: frozenset[int]


def check(report: Report, of: Lots, account: Any) -> None:
    """Every lot of an account, and what the account says of all of them."""
    remaining = held = pending = 0
    for row in of.rows:
        report.lots += 1
        remaining += row.remaining
        held += row.held
        pending += row.remaining if row.is_pending else 0
        found = of.sums.lots.pop(row.id, LotSums())
        if _is_readable(row.terms):
            _check_lot(report, of, row, found)
        else:
            report.note("lots", ("lot", row.id, ""), "terms", row.terms, "terms that can be read")
    for lot_id in of.sums.lots:
        report.note("lots", ("lot", lot_id, ""), "row", "none", f"entries in {show(of.place)}")
    expected = in_lots({name: getattr(of.sums, name) for name in ("available", "pending", "held")})
    report.compare("lots", of.place, "sum of remaining", remaining, expected)
    report.compare("lots", of.place, "sum of held", held, of.sums.held)
    report.compare("lots", of.place, "sum of pending", pending, of.sums.pending)
    if account is not None:
        _check_due(report, of, account)


def _is_readable(text: str) -> bool:
    """Whether terms are any; those that are still must be the right ones."""
    if _TERMS.fullmatch(text) is None:
        return False
    try:
        own = terms.parse(text)
        own.available_at(0, _UTC)
        own.expires_at(0, _UTC)
    except (ValueError, LookupError):
        return False
    return True


def _check_lot(report: Report, of: Lots, row: Any, found: LotSums) -> None:
    place = ("lot", row.id, "")
    has_origin = row.origin_points is not None
    if row.origin_lot_id is not None and not has_origin:
        report.note("lots", place, "origin_lot_id", row.origin_lot_id, "a lot that exists")
    if found.born is None and not has_origin:
        report.note(
            "lots", place, "row", f"in the account {show(of.place)}", "no entry of it there"
        )
        return
    is_merged = has_origin and row.origin_source_id == row.source_id
    base = {}
    if is_merged:
        # What came out of nothing before the merge is given back first.
        overdrawn = max(0, row.origin_overdrawn - found.restored)
        base = {
            "reversed": row.origin_reversed,
            "overdrawn": overdrawn,
            "expired": row.origin_expired,
        }
    for name in _FIGURES:
        report.compare(
            "lots", place, name, getattr(row, name), getattr(found, name) + base.get(name, 0)
        )
    _check_birth(report, of, row, found, is_merged=is_merged)
    _check_dates(report, of, row, found)


def _check_birth(report: Report, of: Lots, row: Any, found: LotSums, *, is_merged: bool) -> None:
    place, born = ("lot", row.id, ""), found.born
    given = row.origin_points if is_merged else found.given
    if given is not None:
        report.compare("lots", place, "points", row.points, given)
    if row.origin_points is not None:
        report.compare("lots", place, "terms", row.terms, row.origin_terms)
        report.compare("lots", place, "earned_at", row.earned_at, row.origin_earned_at)
        return
    if born is None:
        return
    if born["kind"] in ("transfer", "restore"):
        report.note("lots", place, "origin_lot_id", None, "the lot that it came from")
        return
    if born["source_type"] != "opening":
        report.compare("lots", place, "earned_at", row.earned_at, born["effective_at"])
    if born["kind"] == "adjust":
        allowed = {NO_TERMS.text, *of.calendar.by_hand.get(row.points_key, ())}
        if row.terms not in allowed:
            report.note("lots", place, "terms", row.terms, "those of its kind of points, or none")


def _check_dates(report: Report, of: Lots, row: Any, found: LotSums) -> None:
    place = ("lot", row.id, "")
    is_pending = found.is_pending
    if is_pending is None:
        is_pending = bool(row.origin_is_pending)
    # What had become empty before it was fulfilled became available without an entry.
    is_late = is_pending and not row.is_pending and (found.was_empty or found.born is None)
    if bool(row.is_pending) != is_pending and not is_late:
        report.note("lots", place, "is_pending", bool(row.is_pending), is_pending)
    available = _available_at(of, row, found)
    if row.available_at not in available and not (is_late and _is_after(row)):
        report.note("lots", place, "available_at", row.available_at, _either(available))
    is_earned = found.born is not None and found.born["kind"] == "earn"
    expires = _expires_at(of, row, available, is_earned=is_earned)
    if expires is not None and row.expires_at not in expires and not _is_free_date(of, row):
        report.note("lots", place, "expires_at", row.expires_at, _either(expires))
    if row.notice_at is not None and row.notice_at not in _notices(of, row):
        report.note("lots", place, "notice_at", row.notice_at, _either(_notices(of, row)))
    due_at = _held_lot(row).next_due()
    report.compare("lots", place, "due_at", row.due_at, due_at)


def _is_after(row: Any) -> bool:
    return row.available_at is not None and row.available_at >= row.earned_at


def _available_at(of: Lots, row: Any, found: LotSums) -> set[int | None]:
    if found.activated_at is not None:
        return {found.activated_at}
    if row.origin_points is not None:
        own = terms.parse(row.terms)
        # A term of inactivity that was brought along runs from the beginning of a day.
        is_day = row.available_at is not None and any(
            _is_midnight(row.available_at, zone) for zone in of.calendar.zones
        )
        brought = {row.available_at} if own.inactivity and is_day else set()
        return {row.origin_available_at, *of.sums.given_back_at, *brought}
    return {terms.parse(row.terms).available_at(row.earned_at, zone) for zone in of.calendar.zones}


def _expires_at(
    of: Lots, row: Any, available: Iterable[int | None], *, is_earned: bool
) -> set[int | None] | None:
    """The dates that something known gives; None when nothing that is kept tells the date."""
    zones, found = of.calendar.zones, set[int | None]()
    own = terms.parse(row.terms)
    if row.origin_points is not None:
        found.add(row.origin_expires_at)
        for at in of.sums.given_back_at:
            found |= {
                clock.end_of_day(clock.step(clock.local_date(at, zone), GRACE), zone)
                for zone in zones
            }
    elif row.terms == NO_TERMS.text:
        # Points given by hand may have a date of their own, told where they were given.
        return {None} if is_earned else None
    since = {one for one in (*available, row.available_at) if one is not None}
    since |= {
        one for one in (own.available_at(row.earned_at, zone) for zone in zones) if one is not None
    }
    if own.inactivity:
        least = min(since, default=row.earned_at)
        since |= {at for at in of.active_at if at > least}
    if row.terms != NO_TERMS.text:
        found |= {own.expires_at(one, zone) for one in since for zone in zones}
    if row.available_at is None:
        found.add(None)
    return found


def _is_free_date(of: Lots, row: Any) -> bool:
    """Whether a lot has a date that another member's activity may have given, or one that is told
    otherwise by now: nobody dates an empty lot again."""
    if row.remaining and row.origin_points is None:
        return False
    if row.expires_at is None or not terms.parse(row.terms).inactivity:
        return False
    return any(_is_midnight(row.expires_at, zone) for zone in of.calendar.zones)


def _is_midnight(instant: int, zone: Any) -> bool:
    day = clock.local_date(instant - 1, zone)
    return clock.end_of_day(day, zone) == instant


def _notices(of: Lots, row: Any) -> set[int]:
    if row.expires_at is None:
        return set()
    return {
        clock.before(row.expires_at, notice, zone)
        for notice in of.calendar.notices.get(row.points_key, ())
        for zone in of.calendar.zones
    }


def _held_lot(row: Any) -> HeldLot:
    return HeldLot(**{name: getattr(row, name) for name in LOT_NAMES})


def _either(values: Iterable[Any]) -> str:
    found = sorted(str(one) for one in values)
    return " or ".join(found[:4]) + (" …" if len(found) > 4 else "") if found else "none"


def _check_due(report: Report, of: Lots, account: Any) -> None:
    """An account is looked at no later than the first thing falls due in it."""
    known: set[int] = set()
    first: int | None = None
    for row in of.rows:
        known |= {one for one in (row.available_at, row.expires_at) if one is not None}
        known |= _notices(of, row)
        due_at = _held_lot(row).next_due()
        if due_at is not None and (first is None or due_at < first):
            first = due_at
    for hold in of.holds:
        if hold.expires_at is not None:
            known.add(hold.expires_at)
            if hold.state == "held" and (first is None or hold.expires_at < first):
                first = hold.expires_at
    has_inactivity = any(
        _is_readable(row.terms) and terms.parse(row.terms).inactivity for row in of.rows
    )
    report.compare(
        "accounts", of.place, "has_inactivity", bool(account.has_inactivity), has_inactivity
    )
    stored = account.due_at
    is_late = first is not None and (stored is None or stored > first)
    # Dates that inactivity moved on are known no more; all of them are whole seconds.
    is_known = stored in known or (has_inactivity and (stored or 0) % clock.SECOND == 0)
    if is_late or (stored is not None and not is_known):
        report.note("accounts", of.place, "due_at", stored, first)


def check_hold(report: Report, sums: Sums, row: Any) -> None:
    """A hold against the entries that name it."""
    report.holds += 1
    place = ("rdm", row.id, "")
    found = sums.holds.pop(ids.show_id("rdm", row.id), None)
    if found is None or found.held is None:
        report.note("holds", place, "row", "held", "no entry holds it in its account")
        return
    entry, ended = found.held, found.ended
    expected: dict[str, Any] = {
        "points": entry["points"],
        "entry_id": entry["id"],
        "held_at": entry["effective_at"],
        "returned": found.returned,
        "ended_at": None if ended is None else ended["effective_at"],
        "state": _state(row, ended, found.returned),
    }
    for name, value in expected.items():
        report.compare("holds", place, name, getattr(row, name), value)
    values = {column.name: getattr(row, column.name) for column in HOLDS.columns}
    report.compare("holds", place, "digest", row.digest, hold_digest(values))


def _state(row: Any, ended: dict[str, Any] | None, returned: int) -> str:
    if ended is None:
        return "held"
    if ended["kind"] == "capture":
        return "reversed" if returned == row.points else "captured"
    # Whoever runs out of time ends at that very instant, and by nobody's hand.
    is_expired = ended["effective_at"] == row.expires_at and ended["actor"] is None
    return "expired" if is_expired else "released"
