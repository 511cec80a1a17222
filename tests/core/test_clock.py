"""Instants as RFC 3339 has them, durations as ISO 8601 has them, and steps by the calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from core.clock import Duration

SEOUL, BERLIN, NEW_YORK = (
    ZoneInfo(name) for name in ("Asia/Seoul", "Europe/Berlin", "America/New_York")
)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("1970-01-01T09:00:00+09:00", 0),
        ("1969-12-31T16:30:00-07:30", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        # 2000-03-01 is day 11,017: 30 years of 365, 7 leap days, then 60 days of a leap year.
        ("2000-03-01T00:00:00Z", 11_017 * 86_400 * 1_000_000),
        ("2000-02-29T23:59:59Z", (11_017 * 86_400 - 1) * 1_000_000),
    ],
)
def test_an_instant_is_read_in_any_spelling(text: str, micros: int) -> None:
    assert clock.parse_instant(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01T10:00:00",
        "2026-03-01T10:00Z",
        "2026-03-01T10:00:00+0900",
        "2026-03-01T10:00:00+09",
        "2026-03-01T10:00:00 Z",
        " 2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00Z\n",
        "20260301T100000Z",
        "2026-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-04-31T10:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:60:00Z",
        "2026-03-01T10:00:60Z",
        "2026-03-01T10:00:00.Z",
        "2026-03-01T10:00:00,5Z",
        "2026-03-01T10:00:00+24:00",
        "2026-03-01T10:00:00+09:60",
        "0000-01-01T00:00:00Z",
        "-2026-03-01T10:00:00Z",
        "12026-03-01T10:00:00Z",
        "٢٠٢٦-03-01T10:00:00Z",
        "2026-03-01T10:00:00Zulu",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|offset"):
        clock.parse_instant(text)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (500_000, "1970-01-01T00:00:00.5Z"),
        (1_120_000, "1970-01-01T00:00:01.12Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_000_000, "9999-12-31T23:59:59Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_a_fraction_only_if_there_is_one(
    micros: int, text: str
) -> None:
    assert clock.format_instant(micros) == text
    assert clock.parse_instant(text) == micros


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_what_can_be_read_can_be_written(text: str) -> None:
    """An offset can lead out of the years 1 to 9999: then it must not be read at all."""
    try:
        instant = clock.parse_instant(text)
    except ValueError:
        return
    assert clock.parse_instant(clock.format_instant(instant)) == instant


@settings(max_examples=200, deadline=None, database=None)
@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_every_instant_comes_back_as_it_was_written(micros: int) -> None:
    text = clock.format_instant(micros)
    assert clock.parse_instant(text) == micros
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    assert datetime.fromisoformat(text) == moment
    assert clock.from_datetime(moment) == micros


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P12M", Duration(months=12)),
        ("P1Y", Duration(months=12)),
        ("P1Y2M3D", Duration(months=14, days=3)),
        ("P2W", Duration(days=14)),
        ("P30D", Duration(days=30)),
        ("PT30M", Duration(seconds=1800)),
        ("PT1H1M1S", Duration(seconds=3661)),
        ("P1DT12H", Duration(days=1, seconds=43_200)),
        ("P0D", Duration()),
    ],
)
def test_a_duration_is_read(text: str, duration: Duration) -> None:
    assert clock.parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "P1H",
        "PT1D",
        "P-1D",
        "-P1D",
        "P1.5D",
        "P1DT",
        "p1d",
        "P1D ",
        "P1D1M",
        "P1M1Y",
        "P٣D",
        "P1000000000D",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        clock.parse_duration(text)


def local(text: str, zone: ZoneInfo) -> int:
    """The instant of a local wall-clock time, by the standard library."""
    return clock.from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize(
    ("instant", "duration", "zone", "expected"),
    [
        # The ends of months.
        ("2026-03-31T10:00:00", Duration(months=1), SEOUL, "2026-02-28T10:00:00"),
        ("2028-03-31T10:00:00", Duration(months=1), SEOUL, "2028-02-29T10:00:00"),
        ("2026-07-31T10:00:00", Duration(months=1), SEOUL, "2026-06-30T10:00:00"),
        ("2026-02-28T10:00:00", Duration(months=1), SEOUL, "2026-01-28T10:00:00"),
        ("2026-01-31T10:00:00", Duration(months=2), SEOUL, "2025-11-30T10:00:00"),
        # Leap days and years.
        ("2028-02-29T10:00:00", Duration(months=12), SEOUL, "2027-02-28T10:00:00"),
        ("2028-02-29T10:00:00", Duration(months=48), SEOUL, "2024-02-29T10:00:00"),
        ("2029-02-28T10:00:00", Duration(months=12), SEOUL, "2028-02-28T10:00:00"),
        ("2026-01-15T10:00:00", Duration(months=12), SEOUL, "2025-01-15T10:00:00"),
        ("2026-01-01T00:00:00", Duration(months=1), SEOUL, "2025-12-01T00:00:00"),
        ("2028-03-01T10:00:00", Duration(days=1), SEOUL, "2028-02-29T10:00:00"),
        # Months first, then days: 31 March - 1 month = 28 February, - 1 day = 27.
        ("2026-03-31T10:00:00", Duration(months=1, days=1), SEOUL, "2026-02-27T10:00:00"),
        # The clocks go forward in Berlin on 29 March 2026: the same local time, an hour more.
        ("2026-03-30T10:00:00", Duration(days=2), BERLIN, "2026-03-28T10:00:00"),
        ("2026-10-26T10:00:00", Duration(days=2), BERLIN, "2026-10-24T10:00:00"),
        ("2026-07-15T10:00:00", Duration(months=6), NEW_YORK, "2026-01-15T10:00:00"),
    ],
)
def test_a_calendar_step_back_keeps_the_local_time(
    instant: str, duration: Duration, zone: ZoneInfo, expected: str
) -> None:
    assert clock.before(local(instant, zone), duration, zone) == local(expected, zone)


def test_the_hours_of_a_step_over_a_change_of_clocks_are_counted_by_hand() -> None:
    # 10:00 CEST on 30 March is 08:00 UTC; 10:00 CET on 28 March is 09:00 UTC: 47 hours.
    at = clock.parse_instant("2026-03-30T08:00:00Z")
    back = clock.before(at, Duration(days=2), BERLIN)
    assert clock.format_instant(back) == "2026-03-28T09:00:00Z"
    # 48 elapsed hours are another thing.
    back = clock.before(at, Duration(seconds=48 * 3600), BERLIN)
    assert clock.format_instant(back) == "2026-03-28T08:00:00Z"


def test_a_local_time_that_does_not_exist_is_the_one_an_hour_later() -> None:
    # 02:30 on 30 March, a day back: 02:30 on 29 March is skipped in Berlin. Read with the offset
    # before the change (+01:00) it is 01:30 UTC.
    at = clock.parse_instant("2026-03-30T00:30:00Z")
    back = clock.before(at, Duration(days=1), BERLIN)
    assert clock.format_instant(back) == "2026-03-29T01:30:00Z"


def test_a_local_time_that_comes_twice_is_its_first() -> None:
    # 02:30 on 26 October, a day back: 02:30 comes at 00:30 UTC (CEST) and at 01:30 UTC (CET).
    at = clock.parse_instant("2026-10-26T01:30:00Z")
    back = clock.before(at, Duration(days=1), BERLIN)
    assert clock.format_instant(back) == "2026-10-25T00:30:00Z"


def test_nothing_before_the_first_year_is_the_beginning_of_time() -> None:
    first = clock.parse_instant("0001-01-01T00:00:00Z")
    assert clock.before(first, Duration(months=12), SEOUL) < first
    assert clock.before(first, Duration(days=400), SEOUL) < first


def test_the_day_is_the_zones_day() -> None:
    # 23:30 on 31 December in Los Angeles is 16:30 on 1 January in Seoul.
    instant = clock.parse_instant("2026-12-31T23:30:00-08:00")
    assert clock.local_date(instant, SEOUL).isoformat() == "2027-01-01"
    assert clock.local_date(instant, ZoneInfo("America/Los_Angeles")).isoformat() == "2026-12-31"


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.integers(0, 2_000_000_000_000_000),
    st.integers(1, 3 * 10**15),
    st.builds(Duration, months=st.integers(0, 36), days=st.integers(0, 400)),
    st.sampled_from([SEOUL, BERLIN, NEW_YORK]),
)
def test_a_window_never_grows_backwards(
    early: int, gap: int, duration: Duration, zone: ZoneInfo
) -> None:
    """Of two days, the later one's window starts no earlier."""
    day = 86_400 * 1_000_000
    later = early + day * 2 + gap
    if later > 4_000_000_000_000_000:
        return
    assert clock.before(early, duration, zone) <= clock.before(later, duration, zone)
    assert clock.before(early, duration, zone) <= early


@pytest.mark.parametrize("text", ["P1000Y", "P10000M", "P100000D", "PT100000H", "P1Y10000W"])
def test_a_duration_that_is_too_long_is_said_to_be(text: str) -> None:
    with pytest.raises(ValueError, match="too long for a duration"):
        clock.parse_duration(text)


@pytest.mark.parametrize("text", ["P", "PT", "P1", "1Y", "P1Y2", "P-1D", "P1.5D", "P10000"])
def test_a_duration_that_is_none_is_not_called_long(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        clock.parse_duration(text)
