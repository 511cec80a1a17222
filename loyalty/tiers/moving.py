"""How members move on the ladder: up at once, down only when time or a refund may lower them.

Pure. A standing changes at instants: with an order, when a term or its grace is over, and when
what was bought leaves the window. Each is judged by what the window holds at that instant, so
looking often comes to the same as looking once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from core import clock
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.standing import NOWHERE, Standing, higher
from programs.ladder import Ladder, Level

Values = tuple[int, ...]


def reached(ladder: Ladder, values: Sequence[int]) -> Level | None:
    """The highest level that values of the metrics enter."""
    found = None
    for level in ladder.levels:
        if level.is_live and ladder.is_met(level.enter_at, values):
            found = level
    return found


def base(ladder: Ladder) -> Level | None:
    """The level that everybody stands on from the start, if there is one."""
    return reached(ladder, (0,) * len(ladder.metrics))


def is_retained(ladder: Ladder, level: Level, values: Sequence[int]) -> bool:
    """Whether values of the metrics keep a level."""
    return ladder.is_met(level.retain_at, values)


def term_end(ladder: Ladder, at: int, zone: ZoneInfo) -> int | None:
    """When the term of a level entered or renewed at an instant is over."""
    day = clock.local_date(at, zone)
    if ladder.term == "none":
        return None
    if ladder.term == "calendar_year":
        return clock.end_of_day(_last_of_year(day.year + 1), zone)
    return clock.end_of_day(clock.step(day, ladder.term_duration), zone)


def _last_of_year(year: int) -> date:
    return date(min(year, date.max.year), 12, 31)


def enter(ladder: Ladder, level: Level | None, at: int, zone: ZoneInfo) -> Standing:
    """The standing of whoever comes to stand on a level at an instant."""
    return Standing(level, at, None if level is None else term_end(ladder, at, zone))


def bought(
    ladder: Ladder, standing: Standing, values: Values, *, at: int, zone: ZoneInfo
) -> Standing:
    """The standing after an order, with which the window holds `values`: a higher level is entered
    at once, and within grace what keeps the level renews it."""
    level = reached(ladder, values)
    if level is not None and level.rank > standing.rank:
        return enter(ladder, level, at, zone)
    if standing.level is None:
        return standing
    is_kept = is_retained(ladder, standing.level, values)
    if standing.grace_until is not None and is_kept:
        return Standing(standing.level, standing.since, term_end(ladder, at, zone))
    return seen(ladder, standing, values, at=at, zone=zone)


def seen(
    ladder: Ladder, standing: Standing, values: Values, *, at: int, zone: ZoneInfo
) -> Standing:
    """The standing when the window has come to `values` without an order: at risk or, where
    nothing is promised, lowered."""
    level = standing.level
    if level is None or ladder.downgrade == "none":
        return replace(standing, is_at_risk=False) if standing.is_at_risk else standing
    is_at_risk = level.retain_at is not None and not is_retained(ladder, level, values)
    if is_at_risk and not ladder.has_term and not _is_promised(standing, at):
        return enter(ladder, reached(ladder, values), at, zone)
    if is_at_risk != standing.is_at_risk:
        return replace(standing, is_at_risk=is_at_risk)
    return standing


def _is_promised(standing: Standing, at: int) -> bool:
    return standing.ends_at is not None and at < standing.ends_at


def _close(ladder: Ladder, standing: Standing, history: History, count: int) -> Standing:
    """The standing from the end of its term, or of its grace, on."""
    at, zone = standing.ends_at, history.zone
    assert at is not None
    if not ladder.has_term:
        # The ladder has lost its terms since: what was promised is over.
        after = replace(standing, until=None, grace_until=None)
    else:
        after = _judged(ladder, standing, history, count)
    return seen(ladder, after, history.values(at, count=count), at=at, zone=zone)


def _judged(ladder: Ladder, standing: Standing, history: History, count: int) -> Standing:
    """Renewed, given grace or lowered, by what the window held to the last."""
    level, at, zone = standing.level, standing.ends_at, history.zone
    assert level is not None and at is not None
    values = history.closing(at, count=count)
    if standing.grace_until is None:
        if ladder.downgrade == "none" or is_retained(ladder, level, values):
            return replace(standing, until=_renewed(ladder, at, zone), is_at_risk=False)
        if ladder.grace is not None:
            last = clock.step(clock.local_date(at - 1, zone), ladder.grace)
            grace_until = clock.end_of_day(last, zone)
            if grace_until > at:
                return replace(standing, grace_until=grace_until)
    lower = reached(ladder, values)
    if ladder.downgrade == "one_down" and (0 if lower is None else lower.rank) < level.rank - 1:
        lower = next(
            (one for one in reversed(ladder.levels[: level.rank - 1]) if one.is_live), None
        )
    # Its own term begins at the old end too.
    return Standing(lower, at, None if lower is None else _renewed(ladder, at, zone))


def _renewed(ladder: Ladder, until: int, zone: ZoneInfo) -> int:
    """The end of the term that follows one that ended at `until`."""
    last = clock.local_date(until - 1, zone)
    if ladder.term == "calendar_year":
        return clock.end_of_day(_last_of_year(last.year + 1), zone)
    return clock.end_of_day(clock.step(last, ladder.term_duration), zone)


def _next(
    ladder: Ladder, standing: Standing, history: History, *, after: int, to: int, count: int
) -> tuple[int, Standing] | None:
    """The first change by time after an instant and by another, of `count` contributions."""
    if standing.level is None:
        return None
    ends_at = standing.ends_at
    is_watched = ladder.downgrade != "none" and not (standing.is_at_risk and ladder.has_term)
    if is_watched:
        last = to if ends_at is None else min(to, ends_at - 1)
        for at in history.leaving(after, until=last, count=count):
            values = history.values(at, count=count)
            found = seen(ladder, standing, values, at=at, zone=history.zone)
            if found != standing:
                return at, found
    if ends_at is None or ends_at > to:
        return None
    closed = _close(ladder, standing, history, count)
    if closed.level == standing.level and (closed.ends_at or _NEVER) <= ends_at:
        # The calendar has no later day.
        return None
    return ends_at, closed


_NEVER = 2**62


def _passing(
    ladder: Ladder, standing: Standing, history: History, *, to: int, count: int
) -> Iterator[tuple[int, Standing]]:
    """Changes by time up to `to`, of the first `count` contributions, that follow a standing as
    the last of these left it."""
    at = max(standing.since, history.times[count - 1]) if count else standing.since
    if standing.level is not None and ladder.has_term and standing.until is None:
        # The ladder had no terms when the level was entered: the first begins with this look.
        until = term_end(ladder, to, history.zone)
        values = history.values(to, count=count)
        yield to, seen(ladder, replace(standing, until=until), values, at=to, zone=history.zone)
        return
    while (found := _next(ladder, standing, history, after=at, to=to, count=count)) is not None:
        at, standing = found
        yield found


def forward(
    ladder: Ladder, standing: Standing, history: History, *, to: int
) -> list[tuple[int, Standing]]:
    """What time makes of a standing by `to` when nothing more is bought: each change with its
    instant. The standing is as the last contribution by `to` left it, or as of later."""
    return list(_passing(ladder, standing, history, to=to, count=history.count(to)))


def passed(ladder: Ladder, standing: Standing, history: History, *, to: int) -> Standing:
    """The standing by `to` when nothing more is bought."""
    found = forward(ladder, standing, history, to=to)
    return found[-1][1] if found else standing


def next_change(ladder: Ladder, standing: Standing, history: History, *, now: int) -> int | None:
    """When time changes a standing as of `now` next, if nothing more is bought."""
    count = history.count(now)
    start = max(standing.since, history.times[count - 1]) if count else standing.since
    found = _next(ladder, standing, history, after=max(start, now), to=_NEVER, count=count)
    return None if found is None else found[0]


def replay(
    ladder: Ladder, contributions: Sequence[Contribution], zone: ZoneInfo, *, at: int
) -> Standing:
    """The standing as of `at` that the contributions lead to that stand, sorted by time."""
    return replayed(History(ladder, contributions, zone), at=at)


def replayed(history: History, *, at: int) -> Standing:
    """The same over a history."""
    found = NOWHERE
    for _, standing in walked(history, at=at):
        found = standing
    return found


def walked(history: History, *, at: int) -> Iterator[tuple[int, Standing]]:
    """Every standing on the way to the one as of `at`, each with the instant it begins at."""
    ladder, standing = history.ladder, NOWHERE
    if not ladder.levels:
        return
    count = history.count(at)
    for index in range(count):
        moment = history.times[index]
        before = standing
        for changed_at, changed in _passing(ladder, before, history, to=moment, count=index):
            standing = changed
            yield changed_at, changed
        values = history.values(moment, count=index + 1)
        after = bought(ladder, standing, values, at=moment, zone=history.zone)
        if after != standing:
            standing = after
            yield moment, standing
    yield from _passing(ladder, standing, history, to=at, count=count)


def kept(
    ladder: Ladder, stored: Standing, *, before: Standing, after: Standing, is_refund: bool
) -> Standing:
    """Where a member stands whose past has changed: `stored` is what they were promised, `before`
    and `after` are what their orders lead to without and with the change.

    What was promised until the end of a term stays, unless the ladder lowers at once with a
    refund; a change that lowers nothing takes nothing.
    """
    if ladder.has_term and (ladder.on_refund == "until_term_end" or not is_refund):
        return _better(stored, after)
    if after.rank < before.rank:
        return after
    if not ladder.has_term:
        return after if after.rank >= stored.rank else stored
    return _better(stored, after)


def _better(stored: Standing, after: Standing) -> Standing:
    """The higher level; of equal ones that which lasts longer, but a renewal ends grace however
    long that would have lasted."""
    is_renewed = stored.grace_until is not None and after.grace_until is None
    if is_renewed and after.rank == stored.rank:
        return after
    return higher(stored, after)
