"""What moves members on the ladder: what each order adds, and what a window of it comes to."""

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from core import clock
from programs.ladder import Ladder, year_start


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one standing order adds to the metrics, in order of time; an adjustment that counts
    is no order, nor is a referral, which is known since it was approved (`known_at`)."""

    at: int
    spend: int
    points: int
    count: int = 1
    referrals: int = 0
    known_at: int = 0

    def value(self, metric: str) -> int:
        """The contribution to one metric."""
        if metric == "orders":
            return self.count
        if metric == "referrals":
            return self.referrals
        return self.spend if metric == "spend" else self.points

    def values(self, ladder: Ladder) -> tuple[int, ...]:
        """The contribution to each metric of a ladder."""
        return tuple(self.value(metric) for metric in ladder.metrics)


def contributions(rows: Iterable[Sequence[Any]]) -> list[Contribution]:
    """Contributions from rows of (placed_at, spend_minor, qualifying_points)."""
    return [Contribution(at, spend, points) for at, spend, points in rows]


def netted(contributions: Sequence[Contribution]) -> Sequence[Contribution]:
    """What stands after points that an adjustment took: they were never there, the newest before
    it first, as if an order had been refunded."""
    if all(one.points >= 0 for one in contributions):
        return contributions
    found: list[Contribution] = []
    for one in contributions:
        taken = -min(one.points, 0)
        for index in range(len(found) - 1, -1, -1):
            part = min(taken, found[index].points)
            found[index] = replace(found[index], points=found[index].points - part)
            taken -= part
        if one.points >= 0:
            found.append(one)
    return found


class History:
    """The contributions of one member, sorted by time, and what windows over them hold."""

    def __init__(
        self, ladder: Ladder, contributions: Sequence[Contribution], zone: ZoneInfo
    ) -> None:
        self.ladder, self.zone = ladder, zone
        self.rows = netted(contributions)
        self.times = [one.at for one in self.rows]
        self._sums = [
            [0, *itertools.accumulate(one.value(metric) for one in self.rows)]
            for metric in ladder.metrics
        ]

    def count(self, at: int) -> int:
        """How many contributions there were by an instant."""
        return bisect.bisect_right(self.times, at)

    def values(self, at: int, *, count: int | None = None) -> tuple[int, ...]:
        """The metrics in the window as of `at`; of the first `count` contributions alone."""
        last = self.count(at) if count is None else count
        first = min(last, self.count(self.ladder.window_from(at, self.zone)))
        return tuple(sums[last] - sums[first] for sums in self._sums)

    def closing(self, ends_at: int, *, count: int | None = None) -> tuple[int, ...]:
        """The metrics that a term or grace is judged by that ends at an instant."""
        last = self.count(ends_at - 1)
        last = last if count is None else min(last, count)
        first = min(last, self.count(self.ladder.closing_from(ends_at, self.zone)))
        return tuple(sums[last] - sums[first] for sums in self._sums)

    def leaving(self, after: int, *, until: int, count: int) -> Iterable[int]:
        """The instants after `after` and up to `until` at which one of the first `count`
        contributions leaves the window, in order."""
        if self.ladder.window == "lifetime" or not count:
            return
        first = min(count, self.count(self.ladder.window_from(after, self.zone)))
        seen = after
        for index in range(first, count):
            at = leaves_at(self.ladder, self.times[index], self.zone)
            if at <= after:
                # A month of 28 days looked back on from the 29th holds it once more.
                at = _halved(self.ladder.duration, self.times[index], self.zone, low=after)
            if at > until:
                return
            if at > seen:
                seen = at
                yield at


def leaves_at(ladder: Ladder, placed_at: int, zone: ZoneInfo) -> int:
    """The first instant whose window no longer holds what was placed at `placed_at`."""
    if ladder.window == "calendar_year":
        return year_start(clock.local_date(placed_at, zone).year + 1, zone)
    duration = ladder.duration
    guess = clock.after(placed_at, duration, zone)
    if _is_exact(guess, placed_at, duration, zone):
        return guess
    return _halved(duration, placed_at, zone, low=placed_at)


def _halved(duration: clock.Duration, placed_at: int, zone: ZoneInfo, *, low: int) -> int:
    """The same where months are of unequal length, or a clock was changed: found by halving, from
    an instant on at which the window holds it."""
    high = clock.after(placed_at, duration, zone) + _SLACK
    while high - low > 1:
        middle = (low + high) // 2
        if clock.before(middle, duration, zone) >= placed_at:
            high = middle
        else:
            low = middle
    return high


#: How much longer than by the calendar a window may hold something, at most.
_SLACK = 5 * 86_400 * clock.SECOND


def _is_exact(at: int, placed_at: int, duration: clock.Duration, zone: ZoneInfo) -> bool:
    return clock.before(at, duration, zone) >= placed_at > clock.before(at - 1, duration, zone)
