"""The ladder of tiers of a compiled program."""

from dataclasses import dataclass
from typing import Any, Literal

from core import clock
from programs.checking.tiers import threshold

FACTOR_ONE = 10_000


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the ladder; `rank` counts from 1, the lowest."""

    key: str
    name: dict[str, str]
    rank: int
    enter_at: int
    retain_at: int
    multiplier_bp: int
    perks: tuple[tuple[str, dict[str, str]], ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tiers: what is measured over which window, and the levels from the lowest up."""

    metric: Literal["spend", "points", "orders"]
    window: clock.Duration | None
    is_kept_by_time: bool
    levels: tuple[Level, ...]

    def find(self, key: str | None) -> Level | None:
        """The level with this key, if the ladder still has it."""
        return next((level for level in self.levels if level.key == key), None)


def compile_ladder(tiers: dict[str, Any]) -> Ladder:
    """Compile a checked ladder."""
    basis = tiers.get("basis") or {}
    metric = basis.get("metric", "spend")
    metric = metric[0] if isinstance(metric, list) else metric
    window = None
    if basis.get("window", "lifetime") == "rolling":
        window = clock.parse_duration(basis.get("duration", "P12M"))
    items = sorted(
        tiers.get("levels") or [], key=lambda item: threshold(item["enter_at"], metric) or 0
    )
    levels = []
    for rank, item in enumerate(items, start=1):
        enter_at = threshold(item["enter_at"], metric)
        assert enter_at is not None
        retain_at = threshold(item.get("retain_at"), metric)
        levels.append(
            Level(
                key=item["key"],
                name=item.get("name") or {},
                rank=rank,
                enter_at=enter_at,
                retain_at=enter_at if retain_at is None else retain_at,
                multiplier_bp=item.get("multiplier_bp", FACTOR_ONE),
                perks=tuple(
                    (perk["key"], perk.get("name") or {}) for perk in item.get("perks", [])
                ),
            )
        )
    return Ladder(
        metric=metric,
        window=window,
        is_kept_by_time=tiers.get("downgrade", "none") == "none",
        levels=tuple(levels),
    )
