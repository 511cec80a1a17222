"""Days of occasions against a plain walk through the calendar, day after day."""

import itertools
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from members import occasions
from members.occasions import Due

ZONES = [ZoneInfo(name) for name in ("Asia/Seoul", "America/Los_Angeles", "Europe/Berlin", "UTC")]
DAY = 86_400 * clock.SECOND
FIRST, LAST = date(2024, 1, 1), date(2031, 12, 31)
DAYS = st.dates(FIRST, LAST)
ORIGINS = st.one_of(
    st.dates(date(1980, 1, 1), LAST),
    st.sampled_from([date(1988, 2, 29), date(2024, 2, 29), date(2028, 2, 29), date(2000, 2, 28)]),
)


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day, by the end of the one before."""
    return int(clock.end_of_day(day - timedelta(days=1), zone))


def is_kept(origin: date, day: date) -> bool:
    """By the rule as people say it: the same day and month; 28 February for 29 where there is
    none."""
    if day.year <= origin.year:
        return False
    if (origin.month, origin.day) == (2, 29) and (day + timedelta(days=1)).month == 3:
        return day.month == 2
    return (day.month, day.day) == (origin.month, origin.day)


def due(origin: date, *, due_at: int, told_at: int, last_on: date | None = None) -> Due:
    return Due(b"m" * 16, "birthday", due_at, told_at, last_on, origin, 0)


@settings(max_examples=300, deadline=None)
@given(ORIGINS, st.tuples(DAYS, DAYS, DAYS), st.sampled_from(ZONES), st.integers(0, DAY - 1))
def test_days_that_came_are_those_of_the_calendar(
    origin: date, moments: tuple[date, date, date], zone: ZoneInfo, second: int
) -> None:
    looked, listening, today = moments
    due_at, since = midnight(looked, zone), midnight(listening, zone)
    now = midnight(today, zone) + second
    days, next_at = occasions.look(
        due(origin, due_at=due_at, told_at=0), since=since, now=now, zone=zone
    )
    expected, day = [], FIRST
    while midnight(day, zone) <= now:
        if is_kept(origin, day) and day >= looked and midnight(day, zone) >= since:
            expected.append(day)
        day += timedelta(days=1)
    assert days == expected
    assert next_at is not None
    assert next_at > now
    following = clock.local_date(next_at, zone)
    assert is_kept(origin, following)
    assert midnight(following, zone) == next_at
    # None between is passed over.
    start = max(today + timedelta(days=1), looked, listening)
    between = (start + timedelta(days=n) for n in range(max(0, (following - start).days)))
    assert not any(is_kept(origin, one) for one in between)


@settings(max_examples=200, deadline=None)
@given(ORIGINS, DAYS, DAYS, st.sampled_from(ZONES))
def test_looking_often_finds_what_looking_once_finds(
    origin: date, first: date, last: date, zone: ZoneInfo
) -> None:
    start = due(origin, due_at=midnight(first, zone), told_at=0)
    now = midnight(last, zone)
    once, _ = occasions.look(start, since=-(2**62), now=now, zone=zone)
    found: list[date] = []
    one = start
    for day in range(0, max(1, (last - first).days + 1), 17):
        at = min(now, midnight(first + timedelta(days=day), zone))
        days, next_at = occasions.look(one, since=-(2**62), now=at, zone=zone)
        assert next_at is not None
        found += days
        one = due(origin, due_at=next_at, told_at=0)
    days, _ = occasions.look(one, since=-(2**62), now=now, zone=zone)
    assert found + days == once


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(DAYS, ORIGINS), min_size=1, max_size=6), st.sampled_from(ZONES))
def test_however_often_the_day_changes_payments_lie_a_year_apart(
    changes: list[tuple[date, date]], zone: ZoneInfo
) -> None:
    paid: list[date] = []
    notice = clock.Duration(days=30)
    changes = sorted(changes, key=lambda pair: pair[0])
    ends = [told for told, _ in changes[1:]] + [LAST]
    for (told, origin), end in zip(changes, ends, strict=True):
        told_at = midnight(told, zone)
        one = due(origin, due_at=told_at, told_at=told_at)
        days, _ = occasions.look(one, since=-(2**62), now=midnight(end, zone), zone=zone)
        for day in days:
            last_on = paid[-1] if paid else None
            is_late = occasions.is_late(one, day, notice=notice, zone=zone)
            assert is_late == (clock.before(midnight(day, zone), notice, zone) < told_at)
            if not is_late and not occasions.was_paid(last_on, day):
                paid.append(day)
    for before, after in itertools.pairwise(paid):
        assert (after - before).days >= 365
        assert after.year != before.year


def test_an_anniversary_begins_with_the_first_year() -> None:
    zone = ZONES[0]
    joined = clock.parse_instant("2026-03-01T15:00:00Z")
    one = Due(b"m" * 16, "anniversary", joined, joined, None, None, joined)
    days, _ = occasions.look(
        one, since=-(2**62), now=clock.parse_instant("2028-03-03T00:00:00Z"), zone=zone
    )
    # Midnight of 2 March 2026 in Seoul.
    assert days == [date(2027, 3, 2), date(2028, 3, 2)]
