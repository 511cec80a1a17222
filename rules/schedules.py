"""Schedules: when a rule is in force, by the clock on the wall of the program's zone.

Pure. Owns the meaning of `starts_at`, `ends_at`, `weekdays`, `from` and `until`. Every bound is
half-open. Hours may cross midnight and belong to the weekday on which they began. Local time
alone decides: an hour that the clock shows twice counts twice, one that it skips never comes.
Refuses to know what is scheduled.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rules import calendar
from rules.facts import microseconds_of

_DAY = 24 * 60
_EVERY_DAY = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule is in force; `opens` and `closes` are local minutes of a day, and hours that
    close no later than they open end on the day after."""

    starts_at: int | None
    ends_at: int | None
    weekdays: frozenset[int]
    opens: int
    closes: int

    def is_in_force(self, at: int, zone: ZoneInfo) -> bool:
        """Whether an instant lies in the schedule, by the local time of a zone."""
        if self.starts_at is not None and at < self.starts_at:
            return False
        if self.ends_at is not None and at >= self.ends_at:
            return False
        moment = calendar.local(at, zone)
        minute, today = moment.hour * 60 + moment.minute, moment.isoweekday()
        if self.opens < self.closes:
            return self.opens <= minute < self.closes and today in self.weekdays
        yesterday = today - 1 or 7
        return (minute >= self.opens and today in self.weekdays) or (
            minute < self.closes and yesterday in self.weekdays
        )

    def next_start(self, at: int, zone: ZoneInfo) -> int | None:
        """The first instant from `at` on that lies in the schedule; None when none does."""
        first = at if self.starts_at is None else max(at, self.starts_at)
        if self.is_in_force(first, zone):
            return first
        day = calendar.local(first, zone).date() - timedelta(days=1)
        # A week has every weekday; the clock may skip the hours of one.
        for ahead in range(16):
            starts = (
                start
                for start in self._openings(day + timedelta(days=ahead), zone)
                if start >= first and self.is_in_force(start, zone)
            )
            found = min(starts, default=None)
            if found is not None:
                return found
        return None

    def _openings(self, day: date, zone: ZoneInfo) -> list[int]:
        """The instants on a day at which the hours may open: where the clock shows the opening
        hour, once or twice, and where it is put forward or back."""
        shown = datetime.combine(day, time(self.opens // 60, self.opens % 60), zone)
        found = [calendar.instant(shown.replace(fold=fold)) for fold in (0, 1)]
        low = calendar.day_start(day, zone)
        high = calendar.day_start(day + timedelta(days=1), zone)
        before = _offset(low, zone)
        if before != _offset(high, zone):
            while high - low > calendar.SECOND:
                middle = (low + high) // 2 // calendar.SECOND * calendar.SECOND
                low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
            found.append(high)
        return found


def _offset(at: int, zone: ZoneInfo) -> timedelta | None:
    return calendar.local(at, zone).utcoffset()


def compile_schedule(schedule: dict[str, Any] | None) -> Schedule | None:
    """Compile a checked schedule; None when it bounds nothing."""
    given = {name: value for name, value in (schedule or {}).items() if value is not None}
    if not given:
        return None
    return Schedule(
        starts_at=microseconds_of(given["starts_at"]) if "starts_at" in given else None,
        ends_at=microseconds_of(given["ends_at"]) if "ends_at" in given else None,
        weekdays=frozenset(given.get("weekdays") or _EVERY_DAY),
        opens=minutes(given.get("from", "00:00")),
        closes=minutes(given.get("until", "24:00")),
    )


def minutes(text: str) -> int:
    """`14:30` as minutes of the day; `24:00` is the midnight that ends it."""
    hour, minute = text.split(":")
    found = int(hour) * 60 + int(minute)
    assert found <= _DAY
    return found
