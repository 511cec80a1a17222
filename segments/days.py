"""Local days in SQL: neither database is asked about time zones, both count alike.

A day is a number: days since 1 March of the year 0, so that none is below zero and division of
whole numbers means the same to both databases.
"""

import functools
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock

_DAY = 86_400 * clock.SECOND
#: The number of 1 January 1970.
_EPOCH = 719_468
_SAMPLE = 7 * _DAY
_YEAR = 366 * _DAY
Number = sa.ColumnElement[Any]


def number_of(day: date) -> int:
    """The number of a day."""
    return day.toordinal() + 305


def _offset(instant: int, zone: ZoneInfo) -> int:
    offset = clock.to_datetime(instant, zone).utcoffset()
    assert offset is not None
    return (offset.days * 86_400 + offset.seconds) * clock.SECOND + offset.microseconds


def offsets(zone: ZoneInfo, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """The zone's offsets from UTC between two instants, newest first: from when on, and how much.
    The last one counts for all that is earlier."""
    return _offsets(zone, first // _YEAR, last // _YEAR + 1)


@functools.lru_cache(maxsize=256)
def _offsets(zone: ZoneInfo, first: int, last: int) -> tuple[tuple[int, int], ...]:
    at = first * _YEAR
    found = [(at, _offset(at, zone))]
    while at < last * _YEAR:
        following = at + _SAMPLE
        if _offset(following, zone) != found[-1][1]:
            low, high = at, following
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(middle, zone) == found[-1][1]:
                    low = middle
                else:
                    high = middle
            found.append((high, _offset(high, zone)))
        at = following
    return tuple(reversed(found))


def _whole(value: int) -> Number:
    """A number that stands in the statement itself: there may be many of them."""
    return sa.literal_column(str(value), sa.BigInteger)


def day(instant: Number, zone_offsets: tuple[tuple[int, int], ...]) -> Number:
    """The local day of an instant in a column; `zone_offsets` cover it."""
    *changes, (_, earliest) = zone_offsets
    shift: Number = _whole(earliest)
    if changes:
        shift = sa.case(
            *((instant >= _whole(since), _whole(offset)) for since, offset in changes),
            else_=_whole(earliest),
        )
    return (instant + shift + _whole(_EPOCH * _DAY)) // _whole(_DAY)


def week(number: Number) -> Number:
    """The week of a day, as `segments.rhythm.week` counts."""
    return (number - _whole(306)) // _whole(7)


def month(number: Number) -> Number:
    """The month of a day, as `segments.rhythm.month` counts: from March on, whose year ends with
    the day that only some years have."""
    era = number // _whole(146_097)
    of_era = number - era * _whole(146_097)
    year = (
        of_era - of_era // _whole(1_460) + of_era // _whole(36_524) - of_era // _whole(146_096)
    ) // _whole(365)
    of_year = of_era - (_whole(365) * year + year // _whole(4) - year // _whole(100))
    return (era * _whole(400) + year) * _whole(12) + (_whole(5) * of_year + _whole(2)) // _whole(
        153
    )
