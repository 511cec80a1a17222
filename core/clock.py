"""Time: instants as whole microseconds since 1970-01-01T00:00:00Z, calendar steps in a time zone.

An `Instant` is an integer, so both databases store, compare and index it alike and none of them
can lose its zone. `now` is asked here and nowhere else; a test program brings its own clock.
"""

import calendar
import functools
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NewType
from zoneinfo import ZoneInfo

Instant = NewType("Instant", int)

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)
#: The first and the last instant that a calendar can show in UTC.
_FIRST, _LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
_DURATION = re.compile(
    r"P(?=[\dT])(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?",
    re.ASCII,
)

_ANY_DURATION = re.compile(re.sub(r"\{1,\d\}", "+", _DURATION.pattern), re.ASCII)


def system_now() -> Instant:
    """The machine's clock."""
    return Instant(time.time_ns() // 1000)


def parse_instant(text: str) -> Instant:
    """An RFC 3339 instant with an offset; ValueError says what is wrong with it."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 instant with an offset, such as 2026-03-01T09:00:00Z")
    year, month, day, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError as error:
        raise ValueError(f"no such instant: {error}") from None
    offset = 0
    if sign:
        if int(off_hour) > 23 or int(off_minute) > 59:
            raise ValueError("the offset is not between -23:59 and +23:59")
        offset = (int(off_hour) * 60 + int(off_minute)) * 60 * (1 if sign == "+" else -1)
    micros = int((fraction or "").ljust(6, "0")[:6])
    seconds = calendar.timegm(moment.timetuple()) - offset
    instant = seconds * SECOND + micros
    if not _FIRST <= instant <= _LAST:
        raise ValueError("no such instant: in UTC it is outside of the years 1 to 9999")
    return Instant(instant)


def format_instant(instant: int) -> str:
    """UTC with `Z`; a fraction only if it is not zero."""
    seconds, micros = divmod(instant, SECOND)
    text = _format_seconds(seconds)
    return f"{text}.{f'{micros:06d}'.rstrip('0')}Z" if micros else f"{text}Z"


@functools.lru_cache(maxsize=4096)
def _format_seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def to_datetime(instant: int, zone: ZoneInfo | None = None) -> datetime:
    """The aware datetime of an instant, in `zone` or UTC."""
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.astimezone(zone) if zone is not None else moment


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime."""
    delta = moment - _EPOCH
    return Instant((delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds)


def local_date(instant: int, zone: ZoneInfo) -> date:
    """The calendar day on which an instant falls in `zone`."""
    return to_datetime(instant, zone).date()


@dataclass(frozen=True, slots=True)
class Duration:
    """An ISO 8601 duration: calendar months and days, then elapsed seconds."""

    months: int = 0
    days: int = 0
    seconds: int = 0


@functools.lru_cache(maxsize=1024)
def parse_duration(text: str) -> Duration:
    """`P12M`, `P30D`, `P1Y`, `P2W`, `PT30M`; ValueError when it is none of these."""
    match = _DURATION.fullmatch(text)
    if match is None and _ANY_DURATION.fullmatch(text):
        raise ValueError(
            "too long for a duration; at most P999Y, P9999M, P9999W, P99999D, PT99999H, PT999999M"
            " or PT99999999S"
        )
    if match is None:
        raise ValueError("not an ISO 8601 duration, such as P12M, P30D or PT30M")
    years, months, weeks, days, hours, minutes, seconds = (
        int(part or 0) for part in match.groups()
    )
    return Duration(
        months=years * 12 + months,
        days=weeks * 7 + days,
        seconds=hours * 3600 + minutes * 60 + seconds,
    )


def before(instant: int, duration: Duration, zone: ZoneInfo) -> Instant:
    """The instant one duration earlier: months and days by the local calendar (31 March minus one
    month is the last day of February, at the same local time), seconds as elapsed time."""
    if not (duration.months or duration.days):
        # No local time is kept: in the hour that comes twice it would be that of an hour earlier.
        return Instant(max(-(2**62), instant - duration.seconds * SECOND))
    moment = to_datetime(instant, zone).replace(fold=0)
    index = moment.year * 12 + moment.month - 1 - duration.months
    year, month = divmod(index, 12)
    if year < 1:
        return Instant(-(2**62))
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    try:
        moment = moment.replace(year=year, month=month + 1, day=day)
        moment -= timedelta(days=duration.days)
        return Instant(from_datetime(moment) - duration.seconds * SECOND)
    except OverflowError:
        return Instant(-(2**62))


def after(instant: int, duration: Duration, zone: ZoneInfo) -> Instant:
    """The instant one duration later: months and days by the local calendar (31 January plus one
    month is the last day of February, at the same local time), seconds as elapsed time."""
    if not (duration.months or duration.days):
        return Instant(min(_LAST, instant + duration.seconds * SECOND))
    moment = to_datetime(instant, zone).replace(fold=0)
    day = step(moment.date(), duration)
    try:
        moment = moment.replace(year=day.year, month=day.month, day=day.day)
        return Instant(min(_LAST, from_datetime(moment) + duration.seconds * SECOND))
    except OverflowError:
        return Instant(_LAST)


def step(day: date, duration: Duration) -> date:
    """The day so many months (clamped to the month's last day) and days later."""
    year, month = divmod(day.year * 12 + day.month - 1 + duration.months, 12)
    if year > date.max.year:
        return date.max
    last = calendar.monthrange(year, month + 1)[1]
    try:
        return date(year, month + 1, min(day.day, last)) + timedelta(days=duration.days)
    except OverflowError:
        return date.max


@functools.lru_cache(maxsize=4096)
def end_of_day(day: date, zone: ZoneInfo) -> Instant:
    """The midnight that ends a local day: the first instant of the next one."""
    if day >= date.max - timedelta(days=1):
        return Instant(_LAST)
    following = day + timedelta(days=1)
    return from_datetime(datetime(following.year, following.month, following.day, tzinfo=zone))


def end_of_period(day: date, period: str) -> date:
    """The last day of the day's month, quarter or year; `day` is the day itself."""
    if period == "day":
        return day
    month = {"month": day.month, "quarter": (day.month + 2) // 3 * 3, "year": 12}[period]
    return date(day.year, month, calendar.monthrange(day.year, month)[1])
