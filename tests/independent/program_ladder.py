"""The ladder once more: what time, orders and refunds make of where a member stands.

Written from D27 to D32 for reading, not for speed: whatever is asked is walked through from the
beginning, from one instant at which something could change to the next. Owns the days on which
terms and windows end. Refuses to know what entering a level brings, and to import anything of the
application.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

TICK = timedelta(microseconds=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """What counts for the ladder: an order that stands, or an activity whose points count."""

    at: datetime
    spend: int
    points: int
    orders: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member stands; rank 0 is nowhere."""

    rank: int = 0
    since: datetime = LONG_AGO
    until: datetime | None = None
    grace_until: datetime | None = None
    at_risk: bool = False

    @property
    def ends_at(self) -> datetime | None:
        """When what was promised is over."""
        return self.grace_until or self.until


#: An instant, and where the member stands from then on.
Steps = list[tuple[datetime, Place]]


def better(one: Place, other: Place) -> Place:
    """The higher level; of equal ones that which lasts longer, and of two alike the first. But a
    renewal ends grace, however long that would have lasted (D28)."""
    if one.rank == other.rank and one.grace_until and not other.grace_until:
        return other
    return max(one, other, key=lambda place: (place.rank, place.ends_at or FOR_EVER))


def days_later(day: date, duration: str) -> date:
    """A day so many months or days later, as documents write it: P3M or P30D."""
    count = int(duration[1:-1])
    if duration.endswith("D"):
        return day + timedelta(days=count)
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The midnight that ends a local day."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


class Ladder:
    """The levels of a document, and how members move on them."""

    def __init__(self, tiers: dict[str, Any], zone: ZoneInfo) -> None:
        basis = tiers.get("basis", {})
        metric = basis.get("metric", "spend")
        self.zone = zone
        self.metrics = metric if isinstance(metric, list) else [metric]
        self.quantifier = {"all": all, "any": any}[basis.get("require", "all")]
        self.window = basis.get("window", "lifetime")
        self.days = int(basis.get("duration", "P365D")[1:-1])
        self.term = tiers.get("term", {"policy": "none"})
        self.grace = tiers.get("grace")
        self.downgrade = tiers.get("downgrade", "none")
        self.is_immediate = tiers.get("on_refund") == "immediate"
        self.levels: list[dict[str, Any]] = sorted(
            tiers.get("levels", []),
            key=lambda one: FOR_EVER.timestamp() if "enter_at" not in one else self.least(one),
        )

    @property
    def has_term(self) -> bool:
        """Whether levels are promised until an end."""
        return bool(self.term["policy"] != "none")

    def level(self, rank: int) -> dict[str, Any]:
        """The level of a rank above 0."""
        return self.levels[rank - 1]

    def key(self, rank: int) -> str | None:
        """The key of a rank's level."""
        return self.level(rank)["key"] if rank else None

    def rank_of(self, key: str | None) -> int:
        """The rank of a level."""
        return next((rank for rank in range(1, len(self.levels) + 1) if self.key(rank) == key), 0)

    def least(self, level: dict[str, Any]) -> float:
        """By what levels are in order."""
        at = level["enter_at"]
        return float(min(at.values()) if isinstance(at, dict) else at)

    # The window

    def counts(self, row: Row, at: datetime) -> bool:
        """Whether something lies in the window that ends with an instant."""
        if row.at > at:
            return False
        if self.window == "rolling":
            return self.leaves_at(row) > at
        if self.window == "calendar_year":
            return self.day(row.at).year == self.day(at).year
        return True

    def leaves_at(self, row: Row) -> datetime:
        """When something leaves the window."""
        if self.window == "rolling":
            local = row.at.astimezone(self.zone) + timedelta(days=self.days)
            return local.astimezone(UTC)
        if self.window == "calendar_year":
            return end_of(date(self.day(row.at).year, 12, 31), self.zone)
        return FOR_EVER

    def day(self, at: datetime) -> date:
        """The day in the program's zone."""
        return at.astimezone(self.zone).date()

    def is_met(self, rank: int, limit: str, rows: Iterable[Row], at: datetime) -> bool:
        """Whether the window holds what a level takes to be entered or kept."""
        level = self.level(rank)
        wanted = level.get(limit, level.get("enter_at"))
        if wanted is None:
            # By invitation only: nothing bought enters it.
            return False
        inside = [row for row in rows if self.counts(row, at)]
        each = wanted if isinstance(wanted, dict) else {self.metrics[0]: wanted}
        found = (sum(getattr(row, name) for row in inside) >= each[name] for name in self.metrics)
        return bool(self.quantifier(found))

    def reached(self, rows: Sequence[Row], at: datetime) -> int:
        """The highest rank that the window enters."""
        ranks = range(len(self.levels), 0, -1)
        return next((rank for rank in ranks if self.is_met(rank, "enter_at", rows, at)), 0)

    # What happens to a place

    def enter(self, rank: int, at: datetime) -> Place:
        """Come to stand on a level."""
        return Place(rank, at, self.term_from(self.day(at)) if rank else None)

    def term_from(self, day: date) -> datetime | None:
        """The end of a term that begins on a day."""
        if self.term["policy"] == "from_entry":
            return end_of(days_later(day, self.term["duration"]), self.zone)
        if self.term["policy"] == "calendar_year":
            return end_of(date(day.year + 1, 12, 31), self.zone)
        return None

    def buy(self, place: Place, rows: Sequence[Row], at: datetime) -> Place:
        """After something was bought: up at once; within grace what keeps the level renews it."""
        rank = self.reached(rows, at)
        if rank > place.rank:
            return self.enter(rank, at)
        if place.grace_until and self.is_met(place.rank, "retain_at", rows, at):
            return Place(place.rank, place.since, self.term_from(self.day(at)))
        return self.look(place, rows, at)

    def look(self, place: Place, rows: Sequence[Row], at: datetime) -> Place:
        """When the window has moved: at risk, or lowered where nothing is promised."""
        if not place.rank or self.downgrade == "none":
            return replace(place, at_risk=False)
        is_kept = self.is_met(place.rank, "retain_at", rows, at)
        if not is_kept and not self.has_term:
            return self.enter(self.reached(rows, at), at)
        return replace(place, at_risk=not is_kept)

    def close(self, place: Place, rows: Sequence[Row], at: datetime) -> Place:
        """At the end of a term or of its grace, by what the window held to the last."""
        last = at - TICK
        is_kept = self.is_met(place.rank, "retain_at", rows, last)
        if place.grace_until is None:
            if is_kept or self.downgrade == "none":
                return replace(place, until=self.term_from(self.day(last)), at_risk=False)
            if self.grace is not None:
                day = days_later(self.day(last), self.grace)
                return replace(place, grace_until=end_of(day, self.zone))
        rank = self.reached(rows, last)
        if self.downgrade == "one_down":
            rank = max(rank, place.rank - 1)
        # Its own term begins at the old end too.
        return Place(rank, at, self.term_from(self.day(last)) if rank else None)

    def wait(self, place: Place, rows: Sequence[Row], *, after: datetime, to: datetime) -> Steps:
        """What time alone makes of a place as of `after`."""
        steps: Steps = []
        while True:
            instants = [self.leaves_at(row) for row in rows] + [place.ends_at or FOR_EVER]
            after = min((one for one in instants if one > after), default=FOR_EVER)
            if after > to or after == FOR_EVER:
                return steps
            found = place
            if place.rank and place.ends_at == after:
                found = self.close(place, rows, after)
            found = self.look(found, rows, after)
            if found != place:
                place = found
                steps.append((after, place))

    def waited(self, place: Place, rows: Sequence[Row], *, after: datetime, to: datetime) -> Place:
        """Where that leads."""
        steps = self.wait(place, rows, after=after, to=to)
        return steps[-1][1] if steps else place

    def replay(self, rows: Sequence[Row], *, to: datetime) -> Place:
        """Where these lead, in order of time and arrival, as of an instant."""
        place, at = Place(), LONG_AGO
        told = [row for row in sorted(rows, key=lambda row: row.at) if row.at <= to]
        for count, row in enumerate(told):
            place = self.waited(place, told[:count], after=at, to=row.at)
            place, at = self.buy(place, told[: count + 1], row.at), row.at
        return self.waited(place, told, after=at, to=to)

    def after_change(
        self, stored: Place, past: Sequence[Row], rows: Sequence[Row], *, now: datetime, less: bool
    ) -> Place:
        """Where a member stands when what was bought turns out to be other than it was. Without
        terms that follows from what stands. With them what is promised stays and the better
        counts, but where refunds lower at once, they lower by what the replays say."""
        after = self.replay(rows, to=now)
        is_lowered = self.is_immediate and less and after.rank < self.replay(past, to=now).rank
        found = better(stored, after) if self.has_term and not is_lowered else after
        return self.look(found, rows, now)
