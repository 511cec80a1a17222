"""Levels: assessing order by order, replaying, and a naive reading of the rules agree."""

import calendar
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from loyalty import tiers
from loyalty.tiers import Contribution, Standing
from programs.ladder import Ladder, Level

SEOUL = ZoneInfo("Asia/Seoul")
START = datetime(2026, 1, 31, 15, tzinfo=UTC)
HOURS = 3600 * clock.SECOND
FIRST = int(START.timestamp()) * clock.SECOND

METRICS: tuple[Literal["spend", "points", "orders"], ...] = ("spend", "points", "orders")
metrics = st.sampled_from(METRICS)
windows = st.sampled_from([None, "P30D", "P1M", "P12M", "PT36H"])
contributions = st.lists(
    # Hours from a month's end on: windows of a month meet short months, and instants coincide.
    st.tuples(
        st.integers(0, 24 * 40).map(lambda hours: FIRST + hours * HOURS),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    max_size=12,
).map(lambda rows: [Contribution(*row) for row in sorted(rows, key=lambda row: row[0])])


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    window = draw(windows)
    thresholds = sorted(draw(st.sets(st.integers(0, 150), min_size=1, max_size=4)))
    levels = [
        Level(
            key=f"level{rank}",
            name={},
            rank=rank,
            enter_at=enter_at,
            retain_at=draw(st.integers(0, enter_at)),
            multiplier_bp=10_000,
            perks=(),
        )
        for rank, enter_at in enumerate(thresholds, start=1)
    ]
    return Ladder(
        metric=draw(metrics),
        window=None if window is None else clock.parse_duration(window),
        is_kept_by_time=draw(st.booleans()),
        levels=tuple(levels),
    )


def window_start(window: clock.Duration, at: int) -> datetime:
    """The start of the window by the calendar of Seoul, where no clock is ever changed."""
    local = datetime.fromtimestamp(at // clock.SECOND, UTC) + timedelta(hours=9)
    months = local.year * 12 + local.month - 1 - window.months
    year, month = months // 12, months % 12 + 1
    day = min(local.day, calendar.monthrange(year, month)[1])
    local = local.replace(year=year, month=month, day=day)
    local -= timedelta(days=window.days, seconds=window.seconds)
    return local - timedelta(hours=9)


def naive_value(ladder: Ladder, rows: list[Contribution], at: int) -> int:
    """The metric over (at - window, at]: everything added up anew."""
    inside = []
    for one in rows:
        placed = datetime.fromtimestamp(one.at // clock.SECOND, UTC)
        if ladder.window is None or placed > window_start(ladder.window, at):
            inside.append(one)
    if ladder.metric == "orders":
        return len(inside)
    return sum(one.spend if ladder.metric == "spend" else one.points for one in inside)


def naive_look(ladder: Ladder, rank: int, value: int) -> int:
    """The rank after a look at the value: what it enters, unless the one held is kept."""
    entered = max([level.rank for level in ladder.levels if value >= level.enter_at], default=0)
    if rank > entered and (ladder.is_kept_by_time or value >= ladder.levels[rank - 1].retain_at):
        return rank
    return entered


def naive_replay(ladder: Ladder, rows: list[Contribution], at: int) -> tuple[int, int]:
    """Rank and since: before each order, after each order, and at the end."""
    rank, since = 0, 0
    for count, one in enumerate(rows):
        if one.at > at:
            break
        before = naive_look(ladder, rank, naive_value(ladder, rows[:count], one.at))
        after = naive_look(ladder, before, naive_value(ladder, rows[: count + 1], one.at))
        if before != rank or after != before:
            rank, since = after, one.at
    known = [one for one in rows if one.at <= at]
    last = naive_look(ladder, rank, naive_value(ladder, known, at))
    return (rank, since) if last == rank else (last, at)


def shown(standing: Standing) -> tuple[int, int]:
    return (standing.level.rank if standing.level else 0), standing.since


@settings(max_examples=300, deadline=None)
@given(ladder=ladders(), rows=contributions, later=st.integers(0, 24 * 420))
def test_a_replay_is_what_adding_everything_up_anew_gives(
    ladder: Ladder, rows: list[Contribution], later: int
) -> None:
    at = FIRST + later * HOURS
    assert shown(tiers.replay(ladder, rows, SEOUL, at=at)) == naive_replay(ladder, rows, at)


@settings(max_examples=300, deadline=None)
@given(ladder=ladders(), rows=contributions)
def test_assessing_order_by_order_ends_where_a_replay_does(
    ladder: Ladder, rows: list[Contribution]
) -> None:
    held: Level | None = None
    since = 0
    for count, one in enumerate(rows):
        value = naive_value(ladder, rows[:count], one.at)
        # A level lost to time and reached again with the order is held since the order.
        for metric in (value, value + one.value(ladder.metric)):
            after = tiers.assess(ladder, held, metric)
            if after != held:
                held, since = after, one.at
        expected = tiers.replay(ladder, rows[: count + 1], SEOUL, at=one.at)
        assert Standing(held, since) == expected


@settings(max_examples=200, deadline=None)
@given(ladder=ladders(), value=st.integers(0, 200), data=st.data())
def test_more_of_the_metric_is_never_a_lower_level(ladder: Ladder, value: int, data: Any) -> None:
    held = data.draw(st.sampled_from([None, *ladder.levels]))
    less, more = (tiers.assess(ladder, held, one) for one in (value, value + 1))
    assert (less.rank if less else 0) <= (more.rank if more else 0)


@settings(max_examples=200, deadline=None)
@given(
    ladder=ladders(),
    rows=contributions,
    later=st.integers(0, 24 * 420),
)
def test_time_alone_never_lowers_a_level_of_a_ladder_without_downgrades(
    ladder: Ladder, rows: list[Contribution], later: int
) -> None:
    at = FIRST + later * HOURS
    early = tiers.replay(ladder, rows, SEOUL, at=at)
    late = tiers.replay(ladder, rows, SEOUL, at=at + 24 * 500 * HOURS)
    if ladder.is_kept_by_time:
        assert shown(late)[0] >= shown(early)[0]
