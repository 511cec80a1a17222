"""Rhythm: how regularly a member orders, from the days on which they did.

Pure, in whole numbers. Orders of one local day count as one, so that no gap is nothing. What the
worker asks of all members at once (`storefront.segmenting.relation`) says the same in SQL.
"""

from collections.abc import Collection, Iterable
from datetime import date
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from core import clock
from segments.facts import MONTHS, OF_ORDERS, RHYTHM, RHYTHM_BP, WEEKS

#: Of three days of ordering there are two gaps: fewer say nothing about a rhythm.
DAYS_LEAST = 3
_ONE = 10_000
#: From so many basis points of the usual gap on; whoever is below the first is steady.
BANDS = ((25_000, "lapsed"), (15_000, "late"), (10_000, "due"))
STEADY = "steady"


def facts_of(
    instants: Iterable[int], *, at: int, zone: ZoneInfo, asked: Collection[str]
) -> dict[str, Any]:
    """The facts asked for of a member who ordered at these instants, as of another one."""
    if OF_ORDERS.isdisjoint(asked):
        return {}
    today = clock.local_date(at, zone)
    days = sorted({clock.local_date(one, zone) for one in instants if one <= at})
    facts: dict[str, Any] = {
        WEEKS: _streak({week(day) for day in days}, week(today)),
        MONTHS: _streak({month(day) for day in days}, month(today)),
    }
    rhythm_bp = _rhythm_bp(days, today)
    if rhythm_bp is not None:
        facts |= {RHYTHM_BP: rhythm_bp, RHYTHM: band(rhythm_bp)}
    return {name: value for name, value in facts.items() if name in asked}


def band(rhythm_bp: int) -> str:
    """The rhythm in a word."""
    return next((name for least, name in BANDS if rhythm_bp >= least), STEADY)


def week(day: date) -> int:
    """The week of a day, counted from the first Monday there is."""
    return (day.toordinal() - 1) // 7


def month(day: date) -> int:
    """The month of a day, counted from March of the year 0."""
    return day.year * 12 + day.month - 3


def _rhythm_bp(days: list[date], today: date) -> int | None:
    """Days since the last order over the median gap; of an even number of gaps that is the mean of
    the middle two, so twice the median is whole."""
    if len(days) < DAYS_LEAST:
        return None
    gaps = sorted((two - one).days for one, two in pairwise(days))
    twice = gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]
    return (today - days[-1]).days * 2 * _ONE // twice


def _streak(periods: set[int], now: int) -> int:
    """How many periods in a row have an order, up to the present one or the one before it."""
    last = now if now in periods else now - 1
    count = 0
    while last - count in periods:
        count += 1
    return count
