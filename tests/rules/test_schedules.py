"""Schedules by the local clock: half-open hours, midnight, and the hours that DST moves."""

from zoneinfo import ZoneInfo

import pytest

from core.clock import format_instant, parse_instant
from rules.schedules import Schedule, compile_schedule

BERLIN = ZoneInfo("Europe/Berlin")
SEOUL = ZoneInfo("Asia/Seoul")


def schedule(**given: object) -> Schedule:
    """A compiled schedule; `from_` stands for `from`."""
    found = compile_schedule({name.rstrip("_"): value for name, value in given.items()})
    assert found is not None
    return found


def in_force(one: Schedule, instant: str, zone: ZoneInfo = BERLIN) -> bool:
    return one.is_in_force(parse_instant(instant), zone)


def next_start(one: Schedule, instant: str, zone: ZoneInfo = BERLIN) -> str | None:
    found = one.next_start(parse_instant(instant), zone)
    return None if found is None else format_instant(found)


@pytest.mark.parametrize("given", [None, {}, {"from": None, "weekdays": None}])
def test_no_bound_is_no_schedule(given: dict[str, object] | None) -> None:
    assert compile_schedule(given) is None


def test_hours_are_half_open() -> None:
    happy = schedule(from_="14:00", until="17:00")
    # Berlin is at +01:00 in January.
    assert not in_force(happy, "2026-01-15T12:59:59.999999Z")
    assert in_force(happy, "2026-01-15T13:00:00Z")
    assert in_force(happy, "2026-01-15T15:59:59.999999Z")
    assert not in_force(happy, "2026-01-15T16:00:00Z")


def test_instants_are_half_open() -> None:
    month = schedule(starts_at="2026-01-31T00:00:00+09:00", ends_at="2026-03-01T00:00:00+09:00")
    assert not in_force(month, "2026-01-30T14:59:59Z", SEOUL)
    assert in_force(month, "2026-01-30T15:00:00Z", SEOUL)
    assert in_force(month, "2026-02-28T14:59:59Z", SEOUL)
    assert not in_force(month, "2026-02-28T15:00:00Z", SEOUL)
    assert next_start(month, "2026-01-02T00:00:00Z", SEOUL) == "2026-01-30T15:00:00Z"
    assert next_start(month, "2026-02-28T15:00:00Z", SEOUL) is None


def test_weekdays_are_those_of_the_program() -> None:
    # 5 January 2026 is a Monday; 20:00 UTC is Tuesday in Seoul.
    monday = schedule(weekdays=[1])
    assert in_force(monday, "2026-01-05T14:59:59Z", SEOUL)
    assert not in_force(monday, "2026-01-05T15:00:00Z", SEOUL)
    assert in_force(monday, "2026-01-04T15:00:00Z", SEOUL)
    assert next_start(monday, "2026-01-05T20:00:00Z", SEOUL) == "2026-01-11T15:00:00Z"


def test_hours_past_midnight_belong_to_the_day_they_began_on() -> None:
    friday = schedule(weekdays=[5], from_="22:00", until="02:00")
    # Friday 9 January 2026, Berlin: 22:00 is 21:00 UTC.
    assert not in_force(friday, "2026-01-09T00:30:00Z"), "Friday 01:30 belongs to Thursday"
    assert in_force(friday, "2026-01-09T21:00:00Z")
    assert in_force(friday, "2026-01-10T00:59:59Z"), "Saturday 01:59 belongs to Friday"
    assert not in_force(friday, "2026-01-10T01:00:00Z")
    assert not in_force(friday, "2026-01-10T21:30:00Z")
    assert next_start(friday, "2026-01-10T01:00:00Z") == "2026-01-16T21:00:00Z"
    assert next_start(friday, "2026-01-10T00:15:00Z") == "2026-01-10T00:15:00Z", "in force now"


def test_an_open_end_is_the_midnight_that_ends_the_day() -> None:
    evening = schedule(from_="18:00")
    assert in_force(evening, "2026-01-15T22:59:59Z")
    assert not in_force(evening, "2026-01-15T23:00:00Z")
    assert in_force(schedule(from_="18:00", until="00:00"), "2026-01-15T22:59:59Z")
    assert in_force(schedule(until="24:00"), "2026-01-15T22:59:59Z")


def test_the_hour_that_is_skipped_never_comes() -> None:
    # On 29 March 2026 Berlin goes from 02:00 (+01:00) to 03:00 (+02:00) at 01:00 UTC.
    night = schedule(from_="02:00", until="03:00")
    assert not in_force(night, "2026-03-29T00:59:59Z")
    assert not in_force(night, "2026-03-29T01:00:00Z")
    assert next_start(night, "2026-03-28T02:00:00Z") == "2026-03-30T00:00:00Z"
    sunday = schedule(weekdays=[7], from_="02:00", until="03:00")
    assert next_start(sunday, "2026-03-28T12:00:00Z") == "2026-04-05T00:00:00Z"


def test_hours_that_would_open_in_the_gap_open_behind_it() -> None:
    half = schedule(from_="02:30", until="04:00")
    assert next_start(half, "2026-03-28T12:00:00Z") == "2026-03-29T01:00:00Z"
    assert in_force(half, "2026-03-29T01:00:00Z"), "03:00 summer time"
    assert in_force(half, "2026-03-29T01:59:59Z")
    assert not in_force(half, "2026-03-29T02:00:00Z"), "04:00"


def test_the_hour_that_comes_twice_counts_twice() -> None:
    # On 25 October 2026 Berlin goes back from 03:00 (+02:00) to 02:00 (+01:00) at 01:00 UTC.
    half = schedule(from_="02:00", until="02:30")
    assert [
        in_force(half, f"2026-10-25T{time}Z")
        for time in ("00:00:00", "00:29:59", "00:30:00", "01:00:00", "01:29:59", "01:30:00")
    ] == [True, True, False, True, True, False]
    assert next_start(half, "2026-10-25T00:30:00Z") == "2026-10-25T01:00:00Z"
    assert next_start(half, "2026-10-25T01:30:00Z") == "2026-10-26T01:00:00Z"


def test_hours_that_began_before_open_again_where_the_clock_goes_back() -> None:
    early = schedule(from_="01:00", until="02:30")
    # 02:30 summer time closes; at 01:00 UTC the clock shows 02:00 again.
    assert next_start(early, "2026-10-25T00:30:00Z") == "2026-10-25T01:00:00Z"


def test_a_week_without_a_chance_is_passed_over() -> None:
    late = schedule(weekdays=[3], from_="10:00", until="11:00", starts_at="2026-06-10T09:30:00Z")
    # Wednesday 10 June 2026, 11:30 in Berlin: too late that day.
    assert next_start(late, "2026-01-01T00:00:00Z") == "2026-06-17T08:00:00Z"
