"""Costing: what it costs to give what rules say, in points and in money."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.earning import Earning
from programs.compiled import Compiled


@dataclass(frozen=True, slots=True)
class Cost:
    """Points of every kind, and the money that all of it is worth, in minor units."""

    points: int
    minor: int

    def exceeds(self, other: "Cost") -> bool:
        """Whether it is more, in points or in money."""
        return self.points > other.points or self.minor > other.minor

    def in_unit(self, unit: str) -> int:
        """What a budget of this unit gives for it."""
        return self.points if unit == "points" else self.minor


def cost_of(program: Compiled, earning: Earning) -> Cost:
    """Points at the value of their kind, what is owed in cash, rewards at their estimated cost."""
    earned = [(one.points_key, one.points) for one in earning.earned]
    return _cost(program, earned, earning.payables.values(), earning.grants.values())


def cost_held(program: Compiled, outcomes: Mapping[str, Any]) -> Cost:
    """The same of what a stored decision let somebody have."""
    earned = [(one["points_key"], one["points"]) for one in outcomes["arithmetic"]]
    payables, grants = outcomes.get("payables") or {}, outcomes.get("grants") or {}
    return _cost(program, earned, payables.values(), grants.values())


def _cost(
    program: Compiled,
    earned: Iterable[tuple[str, int]],
    payables: Iterable[int],
    rewards: Iterable[str],
) -> Cost:
    points = minor = 0
    for points_key, count in earned:
        kind = program.kind(points_key)
        points += count
        minor += 0 if kind is None else kind.value_minor(count)
    minor += sum(payables)
    for reward_key in rewards:
        reward = program.catalogue.find(reward_key)
        minor += 0 if reward is None else reward.estimated_cost_minor
    return Cost(points, minor)
