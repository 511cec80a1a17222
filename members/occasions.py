"""Occasions: birthdays and anniversaries of members, day by day.

Pure about days: which are due, and what stands against paying one. Owns the rows that say when a
member is to be looked at next. Refuses to know what a day brings.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock
from core.writing import Writes
from members.models import Member, Occasion, OccasionPayment

OCCASIONS: sa.Table = Occasion.__table__  # type: ignore[assignment]
PAYMENTS: sa.Table = OccasionPayment.__table__  # type: ignore[assignment]
_MEMBERS: sa.Table = Member.__table__  # type: ignore[assignment]

Kind = Literal["birthday", "anniversary"]
KINDS: tuple[Kind, ...] = ("birthday", "anniversary")
#: The column of a member that each kind comes from.
COLUMNS: dict[Kind, str] = {"birthday": "birthday_on", "anniversary": "joined_at"}
#: So many local days lie between two payments, at least.
APART = 365


@dataclass(frozen=True, slots=True)
class Due:
    """An occasion that is to be looked at, and the day that it comes from."""

    member_id: bytes
    kind: Kind
    due_at: int
    told_at: int
    last_on: date | None
    birthday_on: date | None
    joined_at: int

    def row(self, program_id: bytes, *, due_at: int | None) -> dict[str, Any]:
        """The row, to be looked at again at another time."""
        return {
            "program_id": program_id,
            "member_id": self.member_id,
            "kind": self.kind,
            "due_at": due_at,
            "told_at": self.told_at,
            "last_on": None if self.last_on is None else self.last_on.isoformat(),
        }

    def origin(self, zone: ZoneInfo) -> date | None:
        """The first day of its kind, which itself is none of them."""
        if self.kind == "birthday":
            return self.birthday_on
        return clock.local_date(self.joined_at, zone)


def start_of(day: date, zone: ZoneInfo) -> clock.Instant:
    """The local midnight with which a day begins."""
    return clock.end_of_day(day - timedelta(days=1), zone)


def in_year(origin: date, year: int) -> date:
    """The day of a year; 29 February is kept on 28 February."""
    if origin.month == 2 and origin.day == 29:
        return clock.end_of_period(date(year, 2, 1), "month")
    return origin.replace(year=year)


def next_day(origin: date, since: date) -> date:
    """The first day of its kind from `since` on."""
    year = max(since.year, origin.year + 1)
    day = in_year(origin, year)
    return day if day >= since else in_year(origin, year + 1)


def look(one: Due, *, since: int, now: int, zone: ZoneInfo) -> tuple[list[date], int | None]:
    """The days that came by now, none that began before `since`; and when to look again."""
    origin = one.origin(zone)
    if origin is None:
        return [], None
    day = next_day(origin, clock.local_date(max(one.due_at, one.told_at, since, 0), zone))
    days = []
    while start_of(day, zone) <= now:
        if start_of(day, zone) >= since:
            days.append(day)
        day = in_year(origin, day.year + 1)
    return days, start_of(day, zone)


def was_paid(last_on: date | None, day: date) -> bool:
    """Whether a day comes too soon after the last one paid."""
    return last_on is not None and (last_on.year == day.year or (day - last_on).days < APART)


def is_late(one: Due, day: date, *, notice: clock.Duration, zone: ZoneInfo) -> bool:
    """Whether the day was told too late to be kept this time."""
    at = start_of(day, zone)
    if one.kind == "birthday":
        at = clock.before(at, notice, zone)
    return one.told_at > at


def is_same_day(one: str | None, other: str | None) -> bool:
    """Whether two birthdays are kept on the same day of the year."""
    return one is not None and other is not None and one[5:] == other[5:]


def rows_of(row: Mapping[str, Any], *, now: int) -> list[dict[str, Any]]:
    """The occasions of a new member, to be looked at from now on."""
    return [
        {
            "program_id": row["program_id"],
            "member_id": row["id"],
            "kind": kind,
            "due_at": now,
            "told_at": now,
            "last_on": None,
        }
        for kind, column in COLUMNS.items()
        if row[column] is not None
    ]


def begin(writes: Writes, row: Mapping[str, Any], *, now: clock.Instant) -> None:
    """Plan the occasions of a new member."""
    for occasion in rows_of(row, now=now):
        writes.insert(OCCASIONS, occasion)


def retell(
    connection: sa.Connection, row: Mapping[str, Any], kind: Kind, *, now: clock.Instant
) -> None:
    """The member's day is another one from now on, or there is none any more."""
    due_at = None if row[COLUMNS[kind]] is None else now
    updated = connection.execute(
        sa.update(OCCASIONS)
        .where(_of(row["program_id"], row["id"]), OCCASIONS.c.kind == kind)
        .values(due_at=due_at, told_at=now)
    )
    if not updated.rowcount and due_at is not None:
        new = next(one for one in rows_of(row, now=now) if one["kind"] == kind)
        connection.execute(sa.insert(OCCASIONS).values(**new))


def _of(program_id: bytes, *member_ids: bytes) -> sa.ColumnElement[bool]:
    return sa.and_(OCCASIONS.c.program_id == program_id, OCCASIONS.c.member_id.in_(member_ids))


def list_due(
    connection: sa.Connection,
    program_id: bytes,
    kinds: Collection[Kind],
    *,
    now: int,
    member_ids: Collection[bytes] | None = None,
    limit: int | None = None,
    is_locking: bool = False,
) -> list[Due]:
    """Occasions that are to be looked at by now, those waiting longest first; locked, without
    those that somebody else has locked."""
    statement = (
        sa.select(OCCASIONS, _MEMBERS.c.birthday_on, _MEMBERS.c.joined_at)
        .join(
            _MEMBERS,
            sa.and_(
                _MEMBERS.c.program_id == OCCASIONS.c.program_id,
                _MEMBERS.c.id == OCCASIONS.c.member_id,
            ),
        )
        .where(
            OCCASIONS.c.program_id == program_id,
            OCCASIONS.c.kind.in_(kinds),
            OCCASIONS.c.due_at <= now,
        )
        .order_by(OCCASIONS.c.due_at, OCCASIONS.c.kind, OCCASIONS.c.member_id)
        .limit(limit)
    )
    if member_ids is not None:
        statement = statement.where(OCCASIONS.c.member_id.in_(member_ids))
    if is_locking:
        statement = statement.with_for_update(of=OCCASIONS, skip_locked=True)
    return [_due(row) for row in connection.execute(statement)]


def _due(row: Any) -> Due:
    return Due(
        member_id=bytes(row.member_id),
        kind=row.kind,
        due_at=row.due_at,
        told_at=row.told_at,
        last_on=None if row.last_on is None else date.fromisoformat(row.last_on),
        birthday_on=None if row.birthday_on is None else date.fromisoformat(row.birthday_on),
        joined_at=row.joined_at,
    )


def mark(
    connection: sa.Connection,
    program_id: bytes,
    one: Due,
    *,
    due_at: int | None,
    last_on: date | None,
) -> None:
    """Note what was paid of an occasion, and when it is to be looked at next."""
    connection.execute(
        sa.update(OCCASIONS)
        .where(_of(program_id, one.member_id), OCCASIONS.c.kind == one.kind)
        .values(due_at=due_at, last_on=None if last_on is None else last_on.isoformat())
    )


def unite(
    connection: sa.Connection,
    program_id: bytes,
    old_id: bytes,
    into_id: bytes,
    *,
    taken: Collection[str],
) -> None:
    """The occasions of two members who are one: the day is that of whoever's date was `taken`, and
    what either was paid counts for both."""
    rows = connection.execute(sa.select(OCCASIONS).where(_of(program_id, old_id, into_id))).all()
    by_key = {(bytes(row.member_id), row.kind): row for row in rows}
    connection.execute(sa.delete(OCCASIONS).where(_of(program_id, old_id, into_id)))
    united = []
    for kind, column in COLUMNS.items():
        gone, kept = by_key.get((old_id, kind)), by_key.get((into_id, kind))
        chosen = gone if gone is not None and (column in taken or kept is None) else kept
        if chosen is None:
            continue
        paid = [row.last_on for row in (gone, kept) if row is not None and row.last_on is not None]
        united.append(
            {
                "program_id": program_id,
                "member_id": into_id,
                "kind": kind,
                "due_at": chosen.due_at,
                "told_at": chosen.told_at,
                "last_on": max(paid, default=None),
            }
        )
    if united:
        connection.execute(sa.insert(OCCASIONS), united)


def forget(connection: sa.Connection, program_id: bytes, member_ids: Collection[bytes]) -> None:
    """Somebody erased has no such days any more."""
    connection.execute(sa.delete(OCCASIONS).where(_of(program_id, *member_ids)))
