"""Judging: whether a surprise may be drawn for, and what the draw says. Pure.

The guards are asked in a fixed order, and the first that fails is the reason (SEMANTICS 54):
live, schedule, eligibility, holdout, exclusivity group, limits and cool-down, budget; then the
draw. Refuses to read, to write and to know the time: everything is given.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from core import clock
from programs.surprises import Surprise
from rewards.luck import rolling

#: What stood against a surprise behind its condition: told by its receipt.
Guard = Literal["holdout", "excluded", "limit_reached", "cooldown", "budget"]
#: What stood against it before: no receipt, the decision says it.
Against = Literal["not_live", "outside_schedule", "condition_not_met"]


@dataclass(frozen=True, slots=True)
class History:
    """What a surprise did to a member: the wins next to an instant, and losses in a row."""

    won_before: int | None = None
    won_after: int | None = None
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What others leave: whether the limits are closed, and the budget (None: without end)."""

    is_limited: bool = False
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class Rolled:
    """A draw: below what a roll wins, what was rolled, and which prize; `is_pity` says that it was
    won by losses alone."""

    threshold_ppm: int
    is_pity: bool
    roll: int
    prize: int | None


def against(
    surprise: Surprise, facts: Mapping[str, Any], *, at: int, zone: ZoneInfo
) -> Against | None:
    """What stands against it before anything about the member's luck is asked."""
    if not surprise.is_live:
        return "not_live"
    if surprise.schedule is not None and not surprise.schedule.is_in_force(at, zone):
        return "outside_schedule"
    if not surprise.when.matches(facts):
        return "condition_not_met"
    return None


def guard(
    surprise: Surprise,
    *,
    at: int,
    zone: ZoneInfo,
    is_held: bool,
    taken: Collection[str],
    history: History,
    left: Left,
    dearest: int,
) -> Guard | None:
    """The first guard that fails behind the condition; `taken` are the groups in which something
    was won, `dearest` is the cost of the dearest prize: the budget must have it before the draw."""
    if is_held:
        return "holdout"
    if surprise.group is not None and surprise.group in taken:
        return "excluded"
    if left.is_limited:
        return "limit_reached"
    if surprise.cooldown is not None and _is_cooling(surprise.cooldown, history, at, zone):
        return "cooldown"
    if left.budget is not None and left.budget < dearest:
        return "budget"
    return None


def _is_cooling(cooldown: clock.Duration, history: History, at: int, zone: ZoneInfo) -> bool:
    """Whether another win is nearer than the cool-down, which is half-open (SEMANTICS 58): also
    one that happened later and was told before."""
    before, after = history.won_before, history.won_after
    if before is not None and at < clock.after(before, cooldown, zone):
        return True
    return after is not None and after < clock.after(at, cooldown, zone)


def draw(
    surprise: Surprise,
    seed: bytes,
    *,
    member_ref: str,
    activity_ref: str,
    pace_ppm: int,
    losses: int,
) -> Rolled:
    """Roll, and pick the prize when it won."""
    about: dict[str, Any] = {
        "rule": surprise.key,
        "version": surprise.version,
        "member_ref": member_ref,
        "activity_ref": activity_ref,
    }
    roll = rolling.roll(seed, **about)
    threshold = rolling.threshold(surprise.probability_ppm, pace_ppm)
    is_owed = surprise.pity_after is not None and losses >= surprise.pity_after
    is_lucky = roll < threshold
    prize = None
    if is_lucky or is_owed:
        prize = rolling.pick(seed, **about, weights=surprise.weights)
    return Rolled(threshold, is_owed and not is_lucky, roll, prize)
