"""Members of the independent program: their levels with what entering paid, and their cards.

Owns the claims on entry effects (D30, once per term) and on completions (D33, the newest falls
first). Refuses to decide rules, and to import anything of the application.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.independent.program_ladder import FOR_EVER, LONG_AGO, Place, Row, days_later, end_of
from tests.independent.program_rules import Program


@dataclass(slots=True)
class Entering:
    """A level entered: until the term that began then is over it is not paid again."""

    rank: int
    since: datetime
    until: datetime
    points: int
    stands: bool = True


@dataclass(slots=True)
class Card:
    """The stamps of one member on one card, and how many completions stand."""

    terms: dict[str, Any]
    zone: ZoneInfo
    #: By the source's number: when, and how many.
    marks: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    completed: int = 0

    @property
    def points(self) -> int:
        """What its completions brought."""
        each: int = sum(one["points"] for one in self.terms.get("effects", []))
        return self.completed * each

    def mark(self, source: int, at: datetime, stamps: int, *, now: datetime) -> None:
        """A source has so many stamps now. More of them never take a completion back, fewer
        never bring one."""
        before = self.marks.get(source, (at, 0))[1]
        self.marks[source] = (at, stamps)
        deserved, _ = self.walk(now)
        if stamps > before:
            self.completed = max(self.completed, deserved)
        elif stamps < before:
            self.completed = min(self.completed, deserved)

    def walk(self, now: datetime) -> tuple[int, list[datetime]]:
        """Stamp by stamp: how many cards were completed, and the stamps on the open one."""
        done, stamps = 0, list[datetime]()
        most = FOR_EVER.year if self.terms.get("repeats", True) else 1
        coins = [at for at, count in sorted(self.marks.values()) for _ in range(count)]
        for coin in [*coins, None]:
            stamps = self._valid(stamps, coin or now)
            if coin is None or done == most:
                break
            stamps.append(coin)
            if len(stamps) == self.terms["stamps"]:
                done, stamps = done + 1, []
        return done, stamps

    def _valid(self, stamps: list[datetime], at: datetime) -> list[datetime]:
        """What has not expired, with the first stamp or each by itself."""
        duration = self.terms.get("expires_after")
        if duration is None or not stamps:
            return stamps

        def is_valid(stamp: datetime) -> bool:
            day = stamp.astimezone(self.zone).date()
            return at < end_of(days_later(day, duration), self.zone)

        if self.terms.get("expires") == "stamp":
            return [stamp for stamp in stamps if is_valid(stamp)]
        return stamps if is_valid(stamps[0]) else []

    def shown(self, now: datetime) -> tuple[int, int]:
        """How often it was completed, and the stamps on the open card; a full one stays full."""
        deserved, stamps = self.walk(now)
        is_over = self.completed == 1 and not self.terms.get("repeats", True)
        is_full = is_over or deserved > self.completed
        return self.completed, self.terms["stamps"] if is_full else len(stamps)


@dataclass(slots=True)
class Given:
    """A level by hand."""

    rank: int
    since: datetime
    until: datetime

    def covers(self, at: datetime) -> bool:
        """Whether it holds."""
        return self.since <= at < self.until


class Member:
    """One member: points by source, cards, and where they stand."""

    def __init__(self, name: str, program: Program, now: datetime) -> None:
        self.name, self.program, self.ladder = name, program, program.ladder
        self.points_of: dict[str, int] = {}
        self.adjusted = 0
        self.cards = {one["key"]: Card(one, program.zone) for one in program.cards}
        self.rows: dict[str, Row] = {}
        #: Since when they have stood there, and up to when time was looked at.
        self.place, self.placed_at, self.seen_at = Place(), LONG_AGO, now
        self.given: Given | None = None
        self.entered: list[Entering] = []

    @property
    def balance(self) -> int:
        """Everything that stands."""
        paid = sum(one.points for one in self.entered if one.stands)
        cards = sum(card.points for card in self.cards.values())
        return sum(self.points_of.values()) + paid + cards + self.adjusted

    def rank_at(self, at: datetime) -> int:
        """The rank as of an instant, as far as is known now."""
        if self.given and self.given.covers(at):
            return self.given.rank
        rows = list(self.rows.values())
        found = self.ladder.replay([row for row in rows if row.at <= at], to=at)
        if self.ladder.has_term and self.place.since <= at:
            # It was promised by then.
            return max(found.rank, self.place.rank)
        return found.rank

    def shown(self, at: datetime) -> tuple[Place, bool]:
        """Where they are seen to stand, and whether by hand."""
        if self.given and self.given.covers(at):
            return Place(self.given.rank, self.given.since, self.given.until), True
        return self.place, False

    def pass_time(self, to: datetime) -> None:
        """What is over by then is over at its own instant."""
        steps = self.ladder.wait(self.place, list(self.rows.values()), after=self.seen_at, to=to)
        events: list[tuple[datetime, Place | None]] = [*steps]
        if self.given and self.seen_at < self.given.until <= to:
            events.append((self.given.until, None))
        for at, place in sorted(events, key=lambda event: event[0]):
            before, _ = self.shown(self.seen_at)
            if place is not None:
                self._place(place, at)
            self.seen_at = at
            self._moved(before, self.shown(at)[0], at, is_undoing=False)
        self.seen_at = to

    def count(self, ref: str, row: Row | None, *, now: datetime) -> None:
        """What a source counts for the ladder from now on."""
        old = self.rows.get(ref)
        if row == old:
            return
        self.pass_time(now)
        past = list(self.rows.values())
        if row is None:
            del self.rows[ref]
        else:
            self.rows[ref] = row
        rows, before = list(self.rows.values()), self.shown(now)[0]
        is_newest = old is None and row is not None and all(one.at <= row.at for one in past)
        if is_newest and row is not None and row.at >= self.placed_at:
            # As if it had been told in time: nothing has happened since.
            self._place(self.ladder.buy(self.place, rows, row.at), row.at)
            self._moved(before, self.shown(now)[0], row.at, is_undoing=True)
            self.seen_at = row.at
            self.pass_time(now)
            return
        less = old is not None and (row is None or row.spend < old.spend or row.points < old.points)
        found = self.ladder.after_change(self.place, past, rows, now=now, less=less)
        if row is not None and not less and all(one.at <= row.at for one in past):
            self._lead_through(past, rows, row.at, found, now=now)
            before = self.shown(now)[0]
        at = min(found.since, now) if found.rank > self.place.rank else now
        self._place(found, at, is_undoing=True)
        after = self.shown(now)[0]
        at = min(after.since, now) if after.rank > before.rank else now
        self._moved(before, after, at, is_undoing=True)

    def _lead_through(
        self, past: list[Row], rows: list[Row], at: datetime, found: Place, *, now: datetime
    ) -> None:
        """The levels above that of now through which the newest order would have led, had it been
        told in time."""
        lowest = self.place.rank
        entered = self.ladder.replay(rows, to=at)
        if entered.rank <= max(lowest, self.ladder.replay(past, to=at).rank):
            return
        for when, place in [(at, entered), *self.ladder.wait(entered, rows, after=at, to=now)]:
            before = self.shown(now)[0]
            self._place(place if place.rank > lowest else found, when)
            self._moved(before, self.shown(now)[0], when, is_undoing=False)
            if place.rank <= lowest:
                return

    def _place(self, place: Place, at: datetime, *, is_undoing: bool = False) -> None:
        if self.given and self.given.covers(max(at, self.seen_at)):
            # Unseen beneath what a hand gave nothing is entered. Stays go on, fall and come back,
            # but for that of the given level, which is deserved all the same.
            self._carry_on(self.place, place)
            if is_undoing and place.rank < self.place.rank:
                self._take_back(self.place, place, at, but=self.given.rank)
            elif place.rank > self.place.rank:
                self._stand_again(place, at)
        # Being at risk or not is no other place.
        if replace(place, at_risk=self.place.at_risk) != self.place:
            self.placed_at = at
        self.place = place

    def give(self, key: str | None, until: datetime | None, *, now: datetime) -> None:
        """A level by hand until an end, or what was given is over."""
        self.pass_time(now)
        before = self.shown(now)[0]
        self.given = None
        if key is not None and until is not None:
            self.given = Given(self.ladder.rank_of(key), now, until)
        self._moved(before, self.shown(now)[0], now, is_undoing=False)

    # What entering a level brings

    def _moved(self, before: Place, after: Place, at: datetime, *, is_undoing: bool) -> None:
        self._carry_on(before, after)
        if after.rank > before.rank:
            self._enter(after, at)
        elif after.rank < before.rank and is_undoing:
            self._take_back(before, after, at)
            # What is left was entered from below before.
            self._enter(after, min(after.since, at))

    def _take_back(self, before: Place, after: Place, at: datetime, *, but: int = 0) -> None:
        for one in self.entered:
            if after.rank < one.rank <= before.rank and at < one.until and one.rank != but:
                one.stands = False

    def _stand_again(self, place: Place, at: datetime) -> bool:
        """What was entered within a term that is not over stands, and goes on; if there is any."""
        ends_at = place.ends_at or FOR_EVER
        held = [
            one
            for one in self.entered
            if one.rank == place.rank and at < one.until and one.since < ends_at
        ]
        for one in held:
            one.until = max(one.until, ends_at)
            one.stands = True
        return bool(held)

    def _carry_on(self, before: Place, after: Place) -> None:
        """A stay lasts as long as the level is held, with its renewals and grace."""
        for one in self.entered:
            if one.rank == before.rank and one.until > before.since:
                one.until = max(one.until, before.ends_at or FOR_EVER)
                if after.rank == before.rank:
                    one.until = max(one.until, after.ends_at or FOR_EVER)

    def _enter(self, place: Place, at: datetime) -> None:
        if not place.rank:
            return
        if self._stand_again(place, at):
            return
        points = self.program.entry_points(place.rank)
        self.entered.append(Entering(place.rank, at, place.ends_at or FOR_EVER, points))
