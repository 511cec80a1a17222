"""The ladder of tiers of a compiled program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from core import clock
from programs.checking.tiers import metrics_of, thresholds
from programs.kinds import PointsKind
from programs.rules import Rule, compile_effects

FACTOR_ONE = 10_000
BEGINNING = -(2**62)
Metric = Literal["spend", "points", "orders", "referrals"]


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the ladder; `rank` counts from 1, the lowest.

    Thresholds are aligned with the ladder's metrics; a level without is entered by invitation
    only, and ranks above those that can be reached. `effects` are paid on entering.
    """

    key: str
    name: dict[str, str]
    description: dict[str, str]
    rank: int
    enter_at: tuple[int, ...] | None
    retain_at: tuple[int, ...] | None
    multiplier_bp: int
    perks: tuple[tuple[str, dict[str, str]], ...]
    effects: tuple[Rule, ...] = ()
    #: A paused level is not entered, and gives neither perks nor multiplier; who stands on it
    #: keeps standing there.
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tiers: what is measured over which window, how long a level is promised, and the levels
    from the lowest up."""

    metrics: tuple[Metric, ...]
    require: Literal["all", "any"]
    window: Literal["lifetime", "rolling", "calendar_year"]
    duration: clock.Duration
    term: Literal["none", "from_entry", "calendar_year"]
    term_duration: clock.Duration
    grace: clock.Duration | None
    downgrade: Literal["none", "one_down", "full"]
    on_refund: Literal["until_term_end", "immediate"]
    levels: tuple[Level, ...]

    @property
    def has_term(self) -> bool:
        """Whether a level is promised for a time."""
        return self.term != "none"

    @property
    def counts_referrals(self) -> bool:
        """Whether approved friends move members on it."""
        return bool(self.levels) and "referrals" in self.metrics

    def find(self, key: str | None) -> Level | None:
        """The level with this key, if the ladder still has it."""
        return next((level for level in self.levels if level.key == key), None)

    def window_from(self, at: int, zone: ZoneInfo) -> int:
        """What the window as of `at` starts after: windows are (start, at]."""
        if self.window == "lifetime":
            return BEGINNING
        if self.window == "rolling":
            return clock.before(at, self.duration, zone)
        return year_start(clock.local_date(at, zone).year, zone) - 1

    def closing_from(self, ends_at: int, zone: ZoneInfo) -> int:
        """The same for a term or grace that ends at an instant: months are counted back from the
        end itself, whose window begins with that instant; a calendar year is the one that was."""
        if self.window == "rolling":
            return self.window_from(ends_at, zone) - 1
        return self.window_from(ends_at - 1, zone)

    def is_met(self, needed: tuple[int, ...] | None, values: Sequence[int]) -> bool:
        """Whether values of the metrics come up to thresholds."""
        if needed is None:
            return False
        found = (value >= one for value, one in zip(values, needed, strict=True))
        return all(found) if self.require == "all" else any(found)


def year_start(year: int, zone: ZoneInfo) -> int:
    """The instant at which a year begins in a zone."""
    return clock.from_datetime(datetime(year, 1, 1, tzinfo=zone))


def compile_ladder(tiers: dict[str, Any], kinds: tuple[PointsKind, ...]) -> Ladder:
    """Compile a checked ladder."""
    basis, term = tiers.get("basis") or {}, tiers.get("term") or {}
    metrics = metrics_of(basis)
    grace = tiers.get("grace")
    return Ladder(
        metrics=metrics,
        require=basis.get("require") or "all",
        window=basis.get("window") or "lifetime",
        duration=clock.parse_duration(basis.get("duration") or "P12M"),
        term=term.get("policy") or "none",
        term_duration=clock.parse_duration(term.get("duration") or "P12M"),
        grace=None if grace is None else clock.parse_duration(grace),
        downgrade=tiers.get("downgrade") or "none",
        on_refund=tiers.get("on_refund") or "until_term_end",
        levels=_levels(tiers.get("levels") or [], metrics, kinds),
    )


def _levels(
    items: list[dict[str, Any]], metrics: tuple[Metric, ...], kinds: tuple[PointsKind, ...]
) -> tuple[Level, ...]:
    entered = [(thresholds(item.get("enter_at"), metrics), item) for item in items]
    reachable = sorted(
        ((enter_at, item) for enter_at, item in entered if enter_at is not None),
        key=lambda pair: pair[0],
    )
    invited = [(None, item) for enter_at, item in entered if enter_at is None]
    levels = []
    for rank, (enter_at, item) in enumerate([*reachable, *invited], start=1):
        is_live = item.get("state", "live") == "live"
        retain_at = thresholds(item.get("retain_at"), metrics)
        levels.append(
            Level(
                key=item["key"],
                name=item.get("name") or {},
                description=item.get("description") or {},
                rank=rank,
                enter_at=enter_at,
                retain_at=enter_at if retain_at is None else retain_at,
                multiplier_bp=item.get("multiplier_bp", FACTOR_ONE),
                perks=tuple(
                    (perk["key"], perk.get("name") or {}) for perk in item.get("perks") or ()
                ),
                effects=compile_effects(
                    item.get("entry_effects") or (), item["key"], "tier_entered", kinds
                )
                if is_live
                else (),
                is_live=is_live,
            )
        )
    return tuple(levels)
