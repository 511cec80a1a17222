"""Rules of a compiled program: conditions made closures, effects with their terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from programs import terms, triggers
from programs.kinds import PointsKind
from programs.terms import Terms
from programs.triggers import Declared
from rules import conditions
from rules.conditions import Condition
from rules.effects import (
    GIVEN,
    AddPoints,
    AddStamps,
    Effect,
    GrantReward,
    MultiplyPoints,
    Payable,
    PointsPerAmount,
    PointsPerUnit,
)
from rules.facts import Catalogue
from rules.limits import Limit, compile_limits
from rules.schedules import Schedule, compile_schedule

_NO_FACTS = Catalogue([])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, ready to run; the effects of a level or a card are rules without conditions."""

    key: str
    name: dict[str, str]
    is_live: bool
    when: Condition
    priority: int
    group: str | None
    on_refund: Literal["recheck", "keep", "prorate"]
    effect: Effect
    terms: Terms
    schedule: Schedule | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def is_kept_on_refund(self) -> bool:
        """Whether a partial refund leaves the rule judged by the order as it was."""
        effect = self.effect
        is_fixed = isinstance(effect, AddPoints | AddStamps | GrantReward) or (
            isinstance(effect, Payable) and effect.minor is not None
        )
        return is_fixed and self.on_refund != "recheck"


def compile_rule(
    item: dict[str, Any],
    trigger: str,
    kinds: tuple[PointsKind, ...],
    *,
    activities: Mapping[str, Declared] | None = None,
) -> Rule:
    """Compile a checked rule, of a document that declares these activities."""
    facts = triggers.find_facts(trigger, activities)
    assert facts is not None, f"trigger {trigger} passed the check without facts"
    stacking = item.get("stacking") or {}
    effect = _effect(item["effect"], triggers.find_line_facts(trigger), kinds[0].key)
    kind = kinds[0]
    if not isinstance(effect, GIVEN):
        kind = next(kind for kind in kinds if kind.key == effect.points_key)
    return Rule(
        key=item["key"],
        name=item.get("name") or {},
        is_live=item.get("state", "live") == "live",
        when=conditions.compile_condition(item.get("when"), catalogue=facts),
        priority=item.get("priority", 0),
        group=stacking.get("group") if stacking.get("mode") == "exclusive" else None,
        on_refund=item.get("on_refund", "recheck"),
        effect=effect,
        terms=terms.of_document(item["effect"], kind.terms),
        schedule=compile_schedule(item.get("schedule")),
        limits=compile_limits(item.get("limits")),
    )


def compile_effects(
    effects: Sequence[dict[str, Any]], key: str, trigger: str, kinds: tuple[PointsKind, ...]
) -> tuple[Rule, ...]:
    """Compile checked effects that come without conditions: on entering a level, for a full card.
    Their rules are named `key`, `key.2`, `key.3` …"""
    return tuple(
        compile_rule(
            {"key": key if number == 1 else f"{key}.{number}", "effect": effect}, trigger, kinds
        )
        for number, effect in enumerate(effects, start=1)
    )


def counting(key: str, limits: Sequence[dict[str, Any]]) -> Rule:
    """A rule that brings nothing: what others take of these checked limits is counted under it."""
    return Rule(
        key=key,
        name={},
        is_live=True,
        when=conditions.compile_condition(None, catalogue=_NO_FACTS),
        priority=0,
        group=None,
        on_refund="recheck",
        effect=AddPoints("", 0),
        terms=Terms("immediate", "never"),
        limits=compile_limits(limits),
    )


def _effect(effect: dict[str, Any], lines: Catalogue | None, default_key: str) -> Effect:
    if effect["do"] == "add_stamps":
        return AddStamps(effect["card"], effect["stamps"])
    if effect["do"] == "grant_reward":
        return GrantReward(effect["reward"])
    if effect["do"] == "payable":
        return Payable(effect.get("minor"), effect.get("percent_bp"))
    do, points_key = effect["do"], effect.get("points_key") or default_key
    when: Condition | None = None
    if lines is not None and effect.get("lines") and effect["lines"]["when"] is not None:
        when = conditions.compile_condition(effect["lines"]["when"], catalogue=lines)
    if do == "points_per_amount":
        counts = effect.get("counts_for_tier", True)
        return PointsPerAmount(points_key, effect["points"], effect["per_minor"], when, counts)
    if do == "points_per_unit":
        counts = effect.get("counts_for_tier", True)
        return PointsPerUnit(points_key, effect["points"], when, counts)
    if do == "add_points":
        return AddPoints(points_key, effect["points"], effect.get("counts_for_tier", False))
    counts = effect.get("counts_for_tier", False)
    return MultiplyPoints(points_key, effect["factor_bp"], when, counts)
