"""Limits: how often or how much a rule gives, to a member, in the whole program or for an order.

Pure. Owns the periods, which are those of the program's calendar, and the room that is left of
limits. Refuses to count what was given: the sums are given to it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rules import calendar

Per = Literal["member", "program", "order"]
Period = Literal["day", "week", "month", "year", "ever"]
Unit = Literal["times", "points"]

PER: tuple[Per, ...] = ("member", "program", "order")
PERIODS: tuple[Period, ...] = ("day", "week", "month", "year", "ever")
#: Before and after everything.
BEGINNING, END = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times or points in each period."""

    per: Per
    period: Period
    unit: Unit
    most: int


@dataclass(frozen=True, slots=True)
class Span:
    """One period of the calendar: from its first instant to the first one after it."""

    start: int
    end: int


def span(period: Period, at: int, zone: ZoneInfo) -> Span:
    """The period in which an instant lies; weeks begin on Monday."""
    if period == "ever":
        return _EVER
    return _span(period, calendar.local(at, zone).date(), zone)


_EVER = Span(BEGINNING, END)


@functools.lru_cache(maxsize=4096)
def _span(period: Period, day: date, zone: ZoneInfo) -> Span:
    if period == "week":
        first = day - timedelta(days=day.weekday())
        following = first + timedelta(days=7)
    elif period == "month":
        first = day.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
    elif period == "year":
        first = day.replace(month=1, day=1)
        following = first.replace(year=day.year + 1)
    else:
        first, following = day, day + timedelta(days=1)
    return Span(calendar.day_start(first, zone), calendar.day_start(following, zone))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a source that stands was judged by: the points its rule wanted (None: not known), and
    the whole points that were left for it, if it wanted more."""

    wanted: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a rule's limits for one source: whole points, or all that it wants.

    A source that stands keeps what it was judged by, so that what others give back does not come
    to it; only when it wants more than it did is the rest looked at. `most` bounds every order.
    """

    left: int | None = None
    again_at: int | None = None
    kept: Kept | None = None
    most: int | None = None

    def cap(self, numerator: int, scale: int) -> int | None:
        """The whole points to give instead of an exact number that is more than there is."""
        left = self.left
        kept = self.kept
        if kept is not None and (kept.wanted is None or -(-numerator // scale) <= kept.wanted):
            left = kept.left
        if self.most is not None:
            left = self.most if left is None else min(left, self.most)
        return left if left is not None and numerator > left * scale else None

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be given, whatever is wanted."""
        return self.left == 0 and (self.kept is None or self.kept.left == 0)


@dataclass(frozen=True, slots=True)
class Use:
    """What was given under a limit's rule by others."""

    times: int = 0
    points: int = 0


def room(
    limits: Sequence[Limit],
    uses: Sequence[Use],
    spans: Sequence[Span],
    *,
    own: Sequence[Use] = (),
    kept: Kept | None = None,
    most: int | None = None,
) -> Room:
    """What is left of these limits when others used so much of each; what is the source's `own`
    of each stays its own."""
    rests: list[tuple[int, Span]] = []
    for limit, use, of, its in zip(limits, uses, spans, own or [Use()] * len(limits), strict=True):
        if limit.unit == "points":
            rests.append((max(its.points, limit.most - use.points, 0), of))
        elif not its.times and use.times >= limit.most:
            rests.append((0, of))
    if not rests:
        return Room(kept=kept, most=most)
    left = min(rest for rest, _ in rests)
    # Of several that are used up there is room again when all of them have some.
    end = max(of.end for rest, of in rests if rest == left)
    return Room(left, None if end == END else end, kept, most)


def order_most(limits: Sequence[Limit]) -> int | None:
    """The most points a rule gives for one order."""
    return min((one.most for one in limits if one.per == "order"), default=None)


def compile_limits(items: Sequence[dict[str, Any]] | None) -> tuple[Limit, ...]:
    """Compile checked limits."""
    return tuple(
        Limit(
            item.get("per", "member"),
            item.get("period") or ("ever" if item.get("per") == "order" else "day"),
            "times" if item.get("times") is not None else "points",
            item["times"] if item.get("times") is not None else item["points"],
        )
        for item in items or ()
    )
