"""Terms of points: when they become available and when they expire.

Pure. Frozen on every lot as one line of text, so that a changed policy touches new lots only.
Points expire at the midnight that ends their last valid local day (SEMANTICS C17); a duration of
`after` runs from the instant on which they become available (C22).
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core import clock


@dataclass(frozen=True, slots=True)
class Terms:
    """`pending`: `immediate`, `after P14D` or `on_fulfilled`. `expiry`: `never`,
    `after P12M month`, `inactivity P12M order,redemption` or `fixed_dates 06-30,12-31`."""

    pending: str
    expiry: str

    @property
    def text(self) -> str:
        """How a lot keeps them."""
        return f"{self.pending}|{self.expiry}"

    @property
    def inactivity(self) -> tuple[str, ...]:
        """The activities that restart the term, when it is one of inactivity."""
        policy, _, rest = self.expiry.partition(" ")
        return tuple(rest.split(" ")[1].split(",")) if policy == "inactivity" else ()

    def available_at(self, earned_at: int, zone: ZoneInfo) -> int | None:
        """When points earned at an instant become available; None when that is not known yet."""
        policy, _, duration = self.pending.partition(" ")
        if policy == "on_fulfilled":
            return None
        if policy == "immediate":
            return earned_at
        # The same local time so many days later (C22).
        return clock.after(earned_at, clock.parse_duration(duration), zone)

    def expires_at(self, since: int, zone: ZoneInfo) -> int | None:
        """When points available since an instant expire; None is never. For inactivity `since`
        is the later of that and the last activity."""
        policy, _, rest = self.expiry.partition(" ")
        if policy == "never":
            return None
        day = clock.local_date(since, zone)
        if policy == "fixed_dates":
            return clock.end_of_day(_next_of(day, rest.split(",")), zone)
        text, period = rest.split(" ")
        if policy == "inactivity":
            period = "day"
        duration = clock.parse_duration(text)
        last = clock.step(day, duration)
        if duration.seconds:
            last = clock.local_date(clock.after(since, duration, zone), zone)
        return clock.end_of_day(clock.end_of_period(last, period), zone)

    def kept_since(
        self, available_at: int, active_at: Mapping[str, Sequence[int]], zone: ZoneInfo
    ) -> int:
        """From which instant the term of inactivity runs: the last of the chosen activities, each
        of which came before the points had ended by those before it (C21)."""
        since = available_at
        ends_at = self.expires_at(since, zone)
        chosen = {at for kind in self.inactivity for at in active_at.get(kind, ())}
        for at in sorted(at for at in chosen if at > available_at):
            if ends_at is not None and at >= ends_at:
                break
            since, ends_at = at, self.expires_at(at, zone)
        return since

    def day_before(self, expires_at: int, zone: ZoneInfo) -> int | None:
        """The beginning of a local day from which points would live until then: how a lot whose
        term of inactivity runs takes it along to another account (C23)."""
        duration = clock.parse_duration(self.expiry.split(" ")[1])
        near = clock.local_date(clock.before(expires_at, duration, zone), zone)
        for days in range(6, -7, -1):
            at = clock.end_of_day(near + timedelta(days=days - 1), zone)
            if self.expires_at(at, zone) == expires_at:
                return at
        return None


NO_TERMS = Terms("immediate", "never")


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Terms:
    """The terms that a lot keeps."""
    pending, _, expiry = text.partition("|")
    return Terms(pending, expiry)


def of_document(item: Mapping[str, Any], kind: Terms = NO_TERMS) -> Terms:
    """The terms of a kind of points, or of an effect that overrides those of its kind."""
    pending, expiry = item.get("pending"), item.get("expiry")
    return Terms(
        kind.pending if pending is None else _pending(pending),
        kind.expiry if expiry is None else _expiry(expiry),
    )


def _pending(item: Mapping[str, Any]) -> str:
    policy: str = item.get("policy", "immediate")
    return f"after {item['duration']}" if policy == "after" else policy


def _expiry(item: Mapping[str, Any]) -> str:
    policy: str = item.get("policy", "never")
    if policy == "after":
        return f"after {item['duration']} {item.get('round_up_to', 'day')}"
    if policy == "inactivity":
        return f"inactivity {item['duration']} {','.join(item.get('activities') or ['order'])}"
    if policy == "fixed_dates":
        return f"fixed_dates {','.join(sorted(set(item['dates'])))}"
    return policy


def _next_of(day: date, dates: list[str]) -> date:
    """The first of some days of the year from `day` on; 29 February is kept on 28 February."""
    found = []
    for year in (day.year, day.year + 1):
        for text in dates:
            month, number = int(text[:2]), int(text[3:])
            if month == 2 and number == 29:
                number = clock.end_of_period(date(year, 2, 1), "month").day
            found.append(date(year, month, number))
    return min(one for one in found if one >= day)
