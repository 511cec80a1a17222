"""Periods of the program's calendar, and the room that limits leave."""

from zoneinfo import ZoneInfo

import pytest

from core.clock import format_instant, parse_instant
from rules.limits import BEGINNING, END, Kept, Limit, Period, Room, Span, Use, room, span

SEOUL = ZoneInfo("Asia/Seoul")


def bounds(period: Period, instant: str, zone: ZoneInfo = SEOUL) -> tuple[str, str]:
    found = span(period, parse_instant(instant), zone)
    return format_instant(found.start), format_instant(found.end)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        # 23:30 on 31 December 2025 in Los Angeles is 16:30 on 1 January 2026 in Seoul, a Thursday.
        ("day", "2025-12-31T15:00:00Z", "2026-01-01T15:00:00Z"),
        ("week", "2025-12-28T15:00:00Z", "2026-01-04T15:00:00Z"),
        ("month", "2025-12-31T15:00:00Z", "2026-01-31T15:00:00Z"),
        ("year", "2025-12-31T15:00:00Z", "2026-12-31T15:00:00Z"),
    ],
)
def test_a_period_is_the_programs(period: Period, start: str, end: str) -> None:
    assert bounds(period, "2025-12-31T23:30:00-08:00") == (start, end)
    assert bounds(period, start) == (start, end), "its first instant is in it"
    assert bounds(period, end)[0] == end, "its end is the next one's first instant"


def test_the_same_instant_is_another_day_in_los_angeles() -> None:
    la = ZoneInfo("America/Los_Angeles")
    assert bounds("day", "2025-12-31T23:30:00-08:00", la) == (
        "2025-12-31T08:00:00Z",
        "2026-01-01T08:00:00Z",
    )


def test_days_of_dst_are_shorter_or_longer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert bounds("day", "2026-03-29T12:00:00Z", berlin) == (
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    )
    assert bounds("day", "2026-10-25T12:00:00Z", berlin) == (
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    )


def test_february_of_a_leap_year_and_ever() -> None:
    assert bounds("month", "2028-02-29T12:00:00Z") == (
        "2028-01-31T15:00:00Z",
        "2028-02-29T15:00:00Z",
    )
    assert span("ever", 0, SEOUL) == Span(BEGINNING, END)


DAY, WEEK = Span(0, 100), Span(0, 700)
POINTS = Limit("member", "day", "points", 500)
TIMES = Limit("member", "week", "times", 3)


def test_what_is_left_is_the_least_of_all_limits() -> None:
    found = room((POINTS, TIMES), (Use(9, 450), Use(2, 0)), (DAY, WEEK))
    assert (found.left, found.again_at) == (50, 100)
    assert found.cap(120, 1) == 50
    assert found.cap(50, 1) is None
    assert found.cap(501, 10) == 50, "exact: 50.1 is more than 50"


def test_of_two_that_are_used_up_the_later_one_ends_the_wait() -> None:
    found = room((POINTS, TIMES), (Use(0, 500), Use(3, 0)), (DAY, WEEK))
    assert (found.left, found.again_at) == (0, 700)
    assert found.is_closed
    forever = Limit("member", "ever", "times", 1)
    assert room((forever,), (Use(1, 0),), (Span(BEGINNING, END),)).again_at is None


def test_times_that_are_left_bound_no_points() -> None:
    assert room((TIMES,), (Use(2, 10_000),), (WEEK,)).cap(10**9, 1) is None


def test_a_source_that_stands_keeps_what_it_was_judged_by() -> None:
    # Others used everything since: 80 were its own, uncapped.
    free = room((POINTS,), (Use(1, 500),), (DAY,), own=(Use(1, 80),), kept=Kept(81, None))
    assert free.cap(805, 10) is None, "80.5 want at most the 81 of before"
    assert free.cap(120, 1) == 80, "more is looked for, and nothing is left but its own"
    # It was capped at 50 of 120; others gave everything back since.
    capped = room((POINTS,), (Use(0, 0),), (DAY,), own=(Use(1, 50),), kept=Kept(120, 50))
    assert capped.cap(90, 1) == 50
    assert capped.cap(121, 1) is None, "it grew: there is room for all of it now"


def test_an_order_has_a_limit_of_its_own() -> None:
    assert Room(most=30).cap(31, 1) == 30
    assert Room(left=10, most=30).cap(31, 1) == 10
    assert Room(left=40, most=30).cap(31, 1) == 30
