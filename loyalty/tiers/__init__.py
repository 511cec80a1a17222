"""Tiers: which level a member stands on, derived from the orders that stand.

Pure but for the two functions that read and write the kept level. Spending points never lowers a
level. Refunds do: what does not stand was never there. Time lowers it only when the program says
so (`downgrade: full`), and then only below `retain_at`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock
from core.writing import Writes
from loyalty.exact import NO_TIER_FACTOR, TierFactor, show_ratio
from loyalty.models import MemberTier
from programs.compiled import Compiled
from programs.ladder import FACTOR_ONE, Ladder, Level

TIERS: sa.Table = MemberTier.__table__  # type: ignore[assignment]
#: The derived half of the table: keeping a level leaves what is assured as it is.
_KEPT = sa.Table(
    TIERS.name,
    sa.MetaData(),
    *(
        sa.Column(name, TIERS.c[name].type, primary_key=TIERS.c[name].primary_key)
        for name in ("program_id", "member_id", "level_key", "since")
    ),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The level a member stands on, and since when; `until` when it is assured until then."""

    level: Level | None
    since: int
    until: int | None = None
    is_assured: bool = False


@dataclass(frozen=True, slots=True)
class Assured:
    """At least this level, from one instant until another (None: for good)."""

    level: Level
    since: int
    until: int | None

    def holds(self, at: int) -> bool:
        """Whether it is assured at an instant."""
        return self.since <= at and (self.until is None or at < self.until)


def assured(ladder: Ladder, kept: tuple[str, int, int | None] | None) -> Assured | None:
    """What is assured, if the ladder still has its level."""
    level = None if kept is None else ladder.find(kept[0])
    return None if kept is None or level is None else Assured(level, kept[1], kept[2])


def at_least(standing: Standing, floor: Assured | None, *, at: int) -> Standing:
    """Where a member stands who reached `standing` and is assured `floor`."""
    if floor is None or not floor.holds(at):
        return standing
    if standing.level is not None and standing.level.rank > floor.level.rank:
        return standing
    return Standing(floor.level, floor.since, floor.until, is_assured=True)


def better(one: Assured | None, other: Assured | None, *, at: int) -> Assured | None:
    """Of what is assured twice: the higher level, of equal ones the one that lasts longer."""
    found = [each for each in (one, other) if each is not None and each.holds(at)]
    if not found:
        return one or other
    return max(
        found,
        key=lambda each: (each.level.rank, each.until is None, each.until or 0),
    )


def reached(ladder: Ladder, value: int) -> Level | None:
    """The highest level that a value of the metric enters."""
    found = None
    for level in ladder.levels:
        if value >= level.enter_at:
            found = level
    return found


def assess(ladder: Ladder, held: Level | None, value: int) -> Level | None:
    """The level after looking at a value: up at once, down only as the program allows."""
    entered = reached(ladder, value)
    if held is None or (entered is not None and entered.rank >= held.rank):
        return entered
    if ladder.is_kept_by_time or value >= held.retain_at:
        return held
    return entered


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one standing order adds to the metrics, in order of time; an adjustment that counts
    is no order."""

    at: int
    spend: int
    points: int
    count: int = 1

    def value(self, metric: str) -> int:
        """The contribution to one metric."""
        if metric == "orders":
            return self.count
        return self.spend if metric == "spend" else self.points


def replay(
    ladder: Ladder, contributions: Sequence[Contribution], zone: ZoneInfo, *, at: int
) -> Standing:
    """The level as of `at`, from the contributions that stand, sorted by time."""
    contributions = netted(contributions)
    held: Level | None = None
    since, total, first = 0, 0, 0
    for one in contributions:
        if one.at > at:
            break
        total, first = _slide(ladder, contributions, zone, at=one.at, total=total, first=first)
        before = assess(ladder, held, total)
        if _key(before) != _key(held):
            held, since = before, one.at
        total += one.value(ladder.metric)
        level = assess(ladder, held, total)
        if _key(level) != _key(held):
            held, since = level, one.at
    total, _ = _slide(ladder, contributions, zone, at=at, total=total, first=first)
    level = assess(ladder, held, total)
    return Standing(held, since) if _key(level) == _key(held) else Standing(level, at)


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


def _slide(
    ladder: Ladder,
    contributions: Sequence[Contribution],
    zone: ZoneInfo,
    *,
    at: int,
    total: int,
    first: int,
) -> tuple[int, int]:
    """Drop what has left the window (at - duration, at]."""
    if ladder.window is None:
        return total, first
    start = clock.before(at, ladder.window, zone)
    while first < len(contributions) and contributions[first].at <= start:
        total -= contributions[first].value(ladder.metric)
        first += 1
    return total, first


def _key(level: Level | None) -> str | None:
    return None if level is None else level.key


def factor(
    program: Compiled, held: Level | None, *, metric_before: int, contribution: int
) -> TierFactor:
    """The multiplier of an order that adds `contribution` to `metric_before`.

    `order_time`: the level before the order; `new_tier`: the level after it; `split`: each part
    of the contribution at the level that it was made on (SEMANTICS A5).
    """
    ladder = program.ladder
    if not ladder.levels:
        return NO_TIER_FACTOR
    if program.tier_multiplier_at == "order_time" or contribution <= 0:
        return _single(held)
    after = assess(ladder, held, metric_before + contribution)
    if held is not None and (after is None or after.rank < held.rank):
        # An assured level may be more than the metric comes to; an order never lowers it.
        after = held
    if program.tier_multiplier_at == "new_tier" or _key(after) == _key(held):
        return _single(after)
    weighted, done, level = 0, 0, held
    details = []
    rank = held.rank if held else 0
    for upper in ladder.levels:
        if upper.rank <= rank or after is None or upper.rank > after.rank:
            continue
        part = max(0, min(contribution, upper.enter_at - metric_before) - done)
        if part:
            weighted += part * _bp(level)
            details.append(f"{part} at {_key(level) or 'no tier'}")
            done += part
        level = upper
    if contribution > done:
        weighted += (contribution - done) * _bp(level)
        details.append(f"{contribution - done} at {_key(level) or 'no tier'}")
    return TierFactor(weighted, contribution * FACTOR_ONE, f"split over {' and '.join(details)}")


def _bp(level: Level | None) -> int:
    return FACTOR_ONE if level is None else level.multiplier_bp


def _single(level: Level | None) -> TierFactor:
    if level is None or level.multiplier_bp == FACTOR_ONE:
        return NO_TIER_FACTOR
    ratio = show_ratio(level.multiplier_bp)
    return TierFactor(level.multiplier_bp, FACTOR_ONE, f"× {ratio} ({level.key})")


def keep(writes: Writes, program_id: bytes, member_id: bytes, standing: Standing) -> None:
    """Remember the level a member stands on."""
    writes.replace(
        _KEPT,
        {
            "program_id": program_id,
            "member_id": member_id,
            "level_key": _key(standing.level),
            "since": standing.since,
        },
    )


def assure(
    connection: sa.Connection,
    program_id: bytes,
    promises: Mapping[bytes, Assured],
) -> None:
    """Remember what members are assured; what was assured before is replaced."""
    columns, wanted = TIERS.c, list(promises)
    if not wanted:
        return
    known = {
        bytes(row[0])
        for row in connection.execute(
            sa.select(columns.member_id).where(
                columns.program_id == program_id, columns.member_id.in_(wanted)
            )
        )
    }
    rows = [
        {
            "program_id": program_id,
            "member_id": member_id,
            "assured_key": one.level.key,
            "assured_since": one.since,
            "assured_until": one.until,
        }
        for member_id, one in promises.items()
    ]
    new = [row | {"level_key": None, "since": 0} for row in rows if row["member_id"] not in known]
    if new:
        connection.execute(sa.insert(TIERS), new)
    for row in rows:
        if row["member_id"] in known:
            connection.execute(
                sa.update(TIERS)
                .where(columns.program_id == program_id, columns.member_id == row["member_id"])
                .values({name: row[name] for name in row if name.startswith("assured_")})
            )


def show(
    program: Compiled, standing: Standing, *, value: int, change: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A tier as the contract shows it, with the progress to the next level."""
    level, ladder = standing.level, program.ladder
    rank = level.rank if level else 0
    following = next((one for one in ladder.levels if one.rank > rank), None)
    body: dict[str, Any] = {
        "key": _key(level),
        "name": None if level is None else (level.name or {program.locales[0]: level.key}),
        "since": None if level is None else clock.format_instant(standing.since),
        "until": None if standing.until is None else clock.format_instant(standing.until),
        "grace_until": None,
        "at_risk": _is_at_risk(ladder, standing, value),
        "progress": [],
    }
    if ladder.levels:
        body["progress"] = [
            {
                "metric": ladder.metric,
                "value": value,
                "next": None
                if following is None
                else {"key": following.key, "missing": max(0, following.enter_at - value)},
                "retain": _retain(ladder, standing, value),
            }
        ]
    if change is not None:
        body["change"] = dict(change)
    return body


def _retain(ladder: Ladder, standing: Standing, value: int) -> dict[str, Any] | None:
    """What is missing to keep the level: what is assured until a day must be reached by then."""
    level = standing.level
    if level is not None and standing.is_assured and standing.until is not None:
        by = clock.format_instant(standing.until)
        return {"missing": max(0, level.enter_at - value), "by": by}
    if level is None or ladder.is_kept_by_time:
        return None
    return {"missing": max(0, level.retain_at - value), "by": None}


def _is_at_risk(ladder: Ladder, standing: Standing, value: int) -> bool:
    """Whether the level would not be kept as things are."""
    level = standing.level
    if level is None:
        return False
    if standing.is_assured:
        return standing.until is not None and value < level.enter_at
    return not ladder.is_kept_by_time and value < level.retain_at


def entitlements(standing: Standing) -> list[dict[str, Any]]:
    """What the level entitles its members to."""
    if standing.level is None:
        return []
    until = None if standing.until is None else clock.format_instant(standing.until)
    return [
        {"perk": key, "name": name, "until": until, "source": f"tier:{standing.level.key}"}
        for key, name in standing.level.perks
    ]


def change(before: Level | None, after: Level | None) -> dict[str, Any] | None:
    """The change from one level to another, or None."""
    if _key(before) == _key(after):
        return None
    up = (after.rank if after else 0) > (before.rank if before else 0)
    return {"from": _key(before), "to": _key(after), "kind": "upgrade" if up else "downgrade"}


def contributions(rows: Iterable[Sequence[Any]]) -> list[Contribution]:
    """Contributions from rows of (placed_at, spend_minor, qualifying_points)."""
    return [Contribution(at, spend, points) for at, spend, points in rows]


def current(ladder: Ladder, standing: Standing, value: int, *, at: int) -> Standing:
    """The standing as of `at`, when the metric has come to `value` without a further order."""
    level = assess(ladder, standing.level, value)
    return standing if _key(level) == _key(standing.level) else Standing(level, at)
