"""Levels: replaying, deciding order by order, looking often, and a naive reading of the rules that
goes from hour to hour agree."""

import calendar
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from loyalty.tiers import moving
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.standing import NOWHERE, Standing
from programs.ladder import Ladder, Level, Metric

SEOUL = ZoneInfo("Asia/Seoul")
#: 1 February 2026 in Seoul; the hours looked at end with 28 March, before windows of a month are
#: looked back on from days that February lacks.
START = datetime(2026, 1, 31, 15, tzinfo=UTC)
HOURS = 3600 * clock.SECOND
FIRST = int(START.timestamp()) * clock.SECOND
LAST = 56 * 24
DAY = timedelta(days=1)

NAMES: tuple[Metric, ...] = ("spend", "points", "orders")
contributions = st.lists(
    st.tuples(
        st.integers(0, 24 * 40).map(lambda hours: FIRST + hours * HOURS),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    max_size=12,
).map(lambda rows: [Contribution(*row) for row in sorted(rows, key=lambda row: row[0])])
later = st.integers(0, LAST - 1).map(lambda hours: FIRST + hours * HOURS)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    metrics = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)))
    steps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=4))
    enter = [tuple(sum(steps[:count]) for _ in metrics) for count in range(1, len(steps) + 1)]
    levels = [
        Level(
            key=f"level{rank}",
            name={},
            description={},
            rank=rank,
            enter_at=values,
            retain_at=tuple(draw(st.integers(0, value)) for value in values),
            multiplier_bp=10_000,
            perks=(),
        )
        for rank, values in enumerate(enter, start=1)
    ]
    window: Literal["lifetime", "rolling"] = "rolling"
    duration = draw(st.sampled_from(["", "P10D", "P30D", "P1M", "PT36H"]))
    if not duration:
        window, duration = "lifetime", "P12M"
    term = draw(st.sampled_from(["", "P1D", "P7D", "P10D", "P1M"]))
    downgrades: list[Literal["none", "one_down", "full"]] = ["none", "full"]
    grace = draw(st.sampled_from([None, "P1D", "P5D"])) if term else None
    return Ladder(
        metrics=metrics,
        require=draw(st.sampled_from(["all", "any"])),
        window=window,
        duration=clock.parse_duration(duration),
        term="from_entry" if term else "none",
        term_duration=clock.parse_duration(term or "P12M"),
        grace=None if grace is None else clock.parse_duration(grace),
        downgrade=draw(st.sampled_from(downgrades + (["one_down"] if term else []))),
        on_refund="until_term_end",
        levels=tuple(levels),
    )


def instant(moment: datetime) -> int:
    return int(moment.timestamp()) * clock.SECOND


def local_day(at: int) -> date:
    """The day in Seoul, where no clock is ever changed."""
    return (datetime.fromtimestamp(at // clock.SECOND, UTC) + timedelta(hours=9)).date()


def midnight_after(day: date) -> int:
    return instant(datetime(day.year, day.month, day.day, 15, tzinfo=UTC))


def stepped(day: date, duration: clock.Duration, sign: int) -> date:
    months = day.year * 12 + day.month - 1 + sign * duration.months
    year, month = months // 12, months % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(day.day, last)) + sign * timedelta(days=duration.days)


def window_start(window: clock.Duration, at: int) -> int:
    local = datetime.fromtimestamp(at // clock.SECOND, UTC) + timedelta(hours=9)
    day = stepped(local.date(), window, -1)
    moved = local.replace(year=day.year, month=day.month, day=day.day)
    return instant(moved - timedelta(hours=9, seconds=window.seconds))


def naive_values(ladder: Ladder, rows: list[Contribution], at: int) -> list[int]:
    """The metrics over (at - window, at]: everything added up anew."""
    start = -1 if ladder.window == "lifetime" else window_start(ladder.duration, at)
    inside = [one for one in rows if one.at > start]
    sums = {
        "orders": len(inside),
        "spend": sum(one.spend for one in inside),
        "points": sum(one.points for one in inside),
    }
    return [sums[name] for name in ladder.metrics]


def naive_is_met(ladder: Ladder, needed: Any, values: list[int]) -> bool:
    found = [value >= one for value, one in zip(values, needed, strict=True)]
    return all(found) if ladder.require == "all" else any(found)


class Naive:
    """A member whose standing is looked at every hour."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.rank, self.since = 0, 0
        self.until: int | None = None
        self.grace_until: int | None = None
        self.at_risk = False

    @property
    def held(self) -> Level:
        return self.ladder.levels[self.rank - 1]

    def enter(self, rank: int, at: int) -> None:
        self.rank, self.since, self.grace_until = rank, at, None
        self.renew(local_day(at))

    def renew(self, day: date) -> None:
        self.until = self.grace_until = None
        self.at_risk = False
        if self.rank and self.ladder.term == "from_entry":
            self.until = midnight_after(stepped(day, self.ladder.term_duration, 1))

    def reached(self, values: list[int]) -> int:
        ranks = [one.rank for one in self.ladder.levels if self.meets(one.enter_at, values)]
        return max(ranks, default=0)

    def meets(self, needed: Any, values: list[int]) -> bool:
        return naive_is_met(self.ladder, needed, values)

    def close(self, rows: list[Contribution], at: int) -> None:
        """The end of a term or of its grace, judged by what came before it."""
        values = naive_values(self.ladder, rows, at)
        if self.grace_until is None:
            last = local_day(at - clock.SECOND)
            if self.ladder.downgrade == "none" or self.meets(self.held.retain_at, values):
                self.renew(last)
                return
            if self.ladder.grace is not None:
                self.grace_until = midnight_after(stepped(last, self.ladder.grace, 1))
                return
        reached = self.reached(values)
        one_down = self.ladder.downgrade == "one_down"
        self.enter(max(reached, self.rank - 1) if one_down else reached, at)
        # What follows a term begins at its end, and so on the same day of the month.
        self.renew(local_day(at - clock.SECOND))

    def look(self, values: list[int], at: int) -> None:
        """What time does to the window."""
        if not self.rank or self.ladder.downgrade == "none":
            return
        is_kept = self.meets(self.held.retain_at, values)
        if not is_kept and self.ladder.term == "none":
            self.enter(self.reached(values), at)
        else:
            self.at_risk = not is_kept

    def buy(self, values: list[int], at: int) -> None:
        if self.reached(values) > self.rank:
            self.enter(self.reached(values), at)
        elif self.rank and self.grace_until and self.meets(self.held.retain_at, values):
            self.renew(local_day(at))
        else:
            self.look(values, at)


def naive_replay(ladder: Ladder, rows: list[Contribution], to: int) -> Standing:
    """From hour to hour: what ends first, then the window, then orders one by one."""
    one = Naive(ladder)
    for at in range(FIRST, to + 1, HOURS):
        before = [row for row in rows if row.at < at]
        while one.rank and at == (one.grace_until or one.until):
            one.close(before, at)
        one.look(naive_values(ladder, before, at), at)
        for count, row in enumerate(rows, start=1):
            if row.at == at:
                one.buy(naive_values(ladder, rows[:count], at), at)
    level = one.held if one.rank else None
    return Standing(level, one.since, one.until, one.grace_until, one.at_risk)


@settings(max_examples=120, deadline=None)
@given(ladder=ladders(), rows=contributions, at=later)
def test_a_replay_is_what_looking_every_hour_gives(
    ladder: Ladder, rows: list[Contribution], at: int
) -> None:
    assert moving.replay(ladder, rows, SEOUL, at=at) == naive_replay(ladder, rows, at)


@settings(max_examples=200, deadline=None)
@given(ladder=ladders(), rows=contributions, looks=st.lists(later, max_size=6))
def test_deciding_order_by_order_and_looking_between_ends_where_a_replay_does(
    ladder: Ladder, rows: list[Contribution], looks: list[int]
) -> None:
    standing, at = NOWHERE, FIRST
    for count, one in enumerate(rows):
        known = History(ladder, rows[:count], SEOUL)
        for look in sorted(look for look in looks if at < look < one.at):
            standing = moving.passed(ladder, standing, known, to=look)
        standing, at = moving.passed(ladder, standing, known, to=one.at), one.at
        values = History(ladder, rows[: count + 1], SEOUL).values(at)
        standing = moving.bought(ladder, standing, values, at=at, zone=SEOUL)
        assert standing == moving.replay(ladder, rows[: count + 1], SEOUL, at=at)


@settings(max_examples=200, deadline=None)
@given(ladder=ladders(), rows=contributions, steps=st.lists(st.integers(1, 24 * 90), max_size=6))
def test_time_in_steps_is_time_at_once(
    ladder: Ladder, rows: list[Contribution], steps: list[int]
) -> None:
    history = History(ladder, rows, SEOUL)
    at = rows[-1].at if rows else FIRST
    once = standing = moving.replayed(history, at=at)
    begin = at
    for hours in steps:
        at += hours * HOURS
        standing = moving.passed(ladder, standing, history, to=at)
    assert standing == moving.passed(ladder, once, history, to=at)
    assert standing == moving.replayed(history, at=at)
    changes = moving.forward(ladder, once, history, to=at)
    assert [when for when, _ in changes] == sorted(when for when, _ in changes)
    assert all(begin <= when <= at for when, _ in changes)


@settings(max_examples=200, deadline=None)
@given(ladder=ladders(), rows=contributions, wait=st.integers(0, 24 * 60))
def test_nothing_changes_before_the_next_change_and_something_does_at_it(
    ladder: Ladder, rows: list[Contribution], wait: int
) -> None:
    history = History(ladder, rows, SEOUL)
    now = (rows[-1].at if rows else FIRST) + wait * HOURS
    standing = moving.replayed(history, at=now)
    following = moving.next_change(ladder, standing, history, now=now)
    if following is None:
        assert moving.passed(ladder, standing, history, to=now + 400 * 24 * HOURS) == standing
        return
    assert following > now
    assert moving.passed(ladder, standing, history, to=following - 1) == standing
    assert moving.passed(ladder, standing, history, to=following) != standing


@settings(max_examples=200, deadline=None)
@given(ladder=ladders(), value=st.integers(0, 200), data=st.data())
def test_more_of_the_metrics_is_never_a_lower_level(ladder: Ladder, value: int, data: Any) -> None:
    level = data.draw(st.sampled_from([None, *ladder.levels]))
    held = Standing(level, 5, None if level is None or not ladder.has_term else 10**18)
    fewer, more = (
        moving.bought(ladder, held, tuple([one] * len(ladder.metrics)), at=FIRST, zone=SEOUL)
        for one in (value, value + 1)
    )
    assert fewer.rank <= more.rank


@settings(max_examples=100, deadline=None)
@given(ladder=ladders(), rows=contributions, at=later)
def test_time_alone_never_lowers_a_level_of_a_ladder_without_downgrades(
    ladder: Ladder, rows: list[Contribution], at: int
) -> None:
    ladder = replace(ladder, downgrade="none")
    early = moving.replay(ladder, rows, SEOUL, at=at)
    late = moving.replay(ladder, rows, SEOUL, at=at + 24 * 500 * HOURS)
    assert late.rank >= early.rank
