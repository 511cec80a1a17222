"""Surprises of a compiled program: what may bring them, what they bring, what bounds them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core import clock, jsontext
from programs import triggers
from programs.kinds import PointsKind
from programs.rewards import Catalogue
from programs.rules import Rule, compile_effects, counting
from programs.triggers import Declared
from rules import conditions
from rules.conditions import Condition
from rules.effects import AddPoints, AddStamps, GrantReward, Payable
from rules.limits import compile_limits
from rules.schedules import Schedule, compile_schedule

CERTAIN_PPM = 1_000_000
#: Under which keys what surprises take of limits, budgets and places is claimed; no rule can have
#: them.
LIMIT_PREFIX = "surprise:"
BUDGET_PREFIX = "surprise_budget:"
MONEY_PREFIX = "surprise_budget_minor:"
PLACE_PREFIX = "surprise_place:"
#: What is filled in in a note, and nothing else.
PLACES = ("member.name", "points", "reward.name", "program.name")
PLACE = re.compile(r"\{\{([^{}]*)\}\}")
#: What says nothing about how a surprise works.
_APART = ("state", "name", "description")


@dataclass(frozen=True, slots=True)
class Prize:
    """One prize. `fixed_points` and `fixed_minor` are what it costs when it is no share of an
    order, else None; `estimated_cost_minor` is what it is thought to cost, unless its cash is
    more."""

    weight: int
    effects: tuple[Rule, ...]
    note: dict[str, str]
    estimated_cost_minor: int | None
    fixed_points: int | None
    fixed_minor: int | None
    #: Points and rewards that its note may name.
    points: int
    reward_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a surprise may cost: counted under `rule`, whose limits are the total and the day's.
    Points and money are counted apart, so that a unit that changes mixes nothing."""

    rule: Rule
    unit: Literal["points", "minor"]
    total: int
    per_day: int | None
    is_paced: bool
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class Surprise:
    """A surprise, ready to be judged."""

    key: str
    name: dict[str, str]
    description: dict[str, str]
    #: The program version in which it last changed: part of every roll.
    version: int
    trigger: str
    silent_for: clock.Duration | None
    every: int | None
    when: Condition
    probability_ppm: int
    prizes: tuple[Prize, ...]
    weights: tuple[int, ...]
    budget: Budget | None
    cooldown: clock.Duration | None
    #: Counts how often it is won.
    limit: Rule | None
    group: str | None
    priority: int
    holdout_bp: int
    pity_after: int | None
    schedule: Schedule | None
    state: Literal["live", "shadow", "paused"]
    #: The rules that its limits and budget are claimed under: always the same tuple, since
    #: what is known of rules on a day is kept by that.
    counted: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collect what is counted."""
        budget = None if self.budget is None else self.budget.rule
        rules = (self.limit, budget)
        object.__setattr__(self, "counted", tuple(one for one in rules if one is not None))

    @property
    def is_live(self) -> bool:
        """Whether it is judged at all."""
        return self.state != "paused"

    @property
    def is_shadow(self) -> bool:
        """Whether it draws and gives nothing."""
        return self.state == "shadow"


@dataclass(frozen=True, slots=True)
class Surprises:
    """The surprises of a version, by trigger in the order of priority and key; `counted` are, by
    trigger, all the rules that their limits are counted under."""

    all: tuple[Surprise, ...] = ()
    by_trigger: Mapping[str, tuple[Surprise, ...]] = field(default_factory=dict)
    counted: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)

    def of(self, trigger: str) -> tuple[Surprise, ...]:
        """Those that a trigger may bring."""
        return self.by_trigger.get(trigger, ())

    def find(self, key: str) -> Surprise | None:
        """One by key."""
        return next((one for one in self.all if one.key == key), None)


def trigger_of(key: str, prize: int) -> str:
    """The trigger of what a prize brings, as `Compiled.rules_of` takes it."""
    return f"surprise:{key}:{prize}"


def budget_rule(key: str, unit: str) -> str:
    """Under which key a budget of this unit is claimed."""
    return (MONEY_PREFIX if unit == "minor" else BUDGET_PREFIX) + key


def heard_trigger(fired: str) -> str:
    """The trigger of the document that a firing means."""
    if fired.startswith(triggers.ACTIVITY):
        return fired
    base = fired.partition(":")[0]
    return "referral_qualified" if base == "referral_advocate" else base


def compile_surprises(
    document: dict[str, Any],
    kinds: tuple[PointsKind, ...],
    catalogue: Catalogue,
    *,
    activities: Mapping[str, Declared],
    versions: Mapping[str, int],
    version: int,
) -> Surprises:
    """Compile the checked surprises; `versions` says in which version each last changed."""
    made = sorted(
        (
            _surprise(
                item,
                kinds,
                catalogue,
                activities=activities,
                version=versions.get(item["key"], version),
            )
            for item in document.get("surprises") or []
        ),
        key=lambda one: (one.priority, one.key),
    )
    by_trigger: dict[str, tuple[Surprise, ...]] = {}
    for one in made:
        by_trigger[one.trigger] = (*by_trigger.get(one.trigger, ()), one)
    counted = {
        trigger: tuple(rule for one in items for rule in one.counted)
        for trigger, items in by_trigger.items()
    }
    return Surprises(tuple(made), by_trigger, counted)


def rules_by_trigger(surprises: Surprises) -> dict[str, tuple[Rule, ...]]:
    """What prizes bring, by trigger."""
    return {
        trigger_of(one.key, number): prize.effects
        for one in surprises.all
        for number, prize in enumerate(one.prizes)
    }


def last_changed(
    document: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    versions: Mapping[str, int],
    *,
    version: int,
) -> dict[str, int]:
    """In which version each surprise of a document last changed, when it follows the one `before`,
    of which `versions` says it. A state alone changes nothing about how it draws."""
    old = {item["key"]: _meant(item) for item in (before or {}).get("surprises") or []}
    return {
        item["key"]: versions.get(item["key"], version)
        if old.get(item["key"]) == _meant(item)
        else version
        for item in document.get("surprises") or []
    }


def _meant(item: Mapping[str, Any]) -> str:
    return jsontext.sorted_text({k: v for k, v in item.items() if k not in _APART})


def _surprise(
    item: dict[str, Any],
    kinds: tuple[PointsKind, ...],
    catalogue: Catalogue,
    *,
    activities: Mapping[str, Declared],
    version: int,
) -> Surprise:
    key, trigger = item["key"], item.get("trigger", "order")
    facts = triggers.find_facts(trigger, activities)
    assert facts is not None, f"trigger {trigger} passed the check without facts"
    prizes = tuple(_prize(one, key, trigger, kinds, catalogue) for one in item["prizes"])
    limits = compile_limits(item.get("limits"))
    return Surprise(
        key=key,
        name=item.get("name") or {},
        description=item.get("description") or {},
        version=version,
        trigger=trigger,
        silent_for=_duration(item.get("silent_for")),
        every=item.get("every"),
        when=conditions.compile_condition(item.get("when"), catalogue=facts),
        probability_ppm=item.get("probability_ppm", CERTAIN_PPM),
        prizes=prizes,
        weights=tuple(prize.weight for prize in prizes),
        budget=_budget(item.get("budget"), key),
        cooldown=_duration(item.get("cooldown")),
        limit=counting(LIMIT_PREFIX + key, item["limits"]) if limits else None,
        group=item.get("group"),
        priority=item.get("priority", 0),
        holdout_bp=item.get("holdout_bp", 0),
        pity_after=item.get("pity_after"),
        schedule=compile_schedule(item.get("schedule")),
        state=item.get("state", "live"),
    )


def _prize(
    item: dict[str, Any],
    key: str,
    trigger: str,
    kinds: tuple[PointsKind, ...],
    catalogue: Catalogue,
) -> Prize:
    effects = compile_effects(item.get("effects") or [], key, trigger, kinds)
    estimated = item.get("estimated_cost_minor")
    minor = _fixed_minor(effects, kinds, catalogue)
    if estimated is not None:
        cash = _fixed_cash(effects)
        minor = None if cash is None else max(estimated, cash)
    rewards = [rule.effect.reward for rule in effects if isinstance(rule.effect, GrantReward)]
    return Prize(
        weight=item.get("weight", 1),
        effects=effects,
        note=item.get("note") or {},
        estimated_cost_minor=estimated,
        fixed_points=_fixed_points(effects),
        fixed_minor=minor,
        points=sum(rule.effect.points for rule in effects if isinstance(rule.effect, AddPoints)),
        reward_keys=tuple(rewards),
    )


def _fixed_points(effects: Sequence[Rule]) -> int | None:
    total = 0
    for rule in effects:
        effect = rule.effect
        if isinstance(effect, AddPoints):
            total += effect.points
        elif not isinstance(effect, AddStamps | GrantReward | Payable):
            return None
    return total


def _fixed_cash(effects: Sequence[Rule]) -> int | None:
    owed = [rule.effect.minor for rule in effects if isinstance(rule.effect, Payable)]
    fixed = [minor for minor in owed if minor is not None]
    return sum(fixed) if len(fixed) == len(owed) else None


def _fixed_minor(
    effects: Sequence[Rule], kinds: tuple[PointsKind, ...], catalogue: Catalogue
) -> int | None:
    total = 0
    for rule in effects:
        effect = rule.effect
        if isinstance(effect, AddPoints):
            kind = next(kind for kind in kinds if kind.key == effect.points_key)
            total += kind.value_minor(effect.points)
        elif isinstance(effect, Payable) and effect.minor is not None:
            total += effect.minor
        elif isinstance(effect, GrantReward):
            reward = catalogue.find(effect.reward)
            total += 0 if reward is None else reward.estimated_cost_minor
        elif not isinstance(effect, AddStamps):
            return None
    return total


def _budget(item: dict[str, Any] | None, key: str) -> Budget | None:
    if item is None:
        return None
    limits = [{"per": "program", "period": "ever", "points": item["total"]}]
    if item.get("per_day") is not None:
        limits.append({"per": "program", "period": "day", "points": item["per_day"]})
    ends_at, unit = item.get("ends_at"), item.get("unit", "points")
    return Budget(
        rule=counting(budget_rule(key, unit), limits),
        unit=unit,
        total=item["total"],
        per_day=item.get("per_day"),
        is_paced=bool(item.get("pacing")),
        ends_at=None if ends_at is None else clock.parse_instant(ends_at),
    )


def _duration(text: str | None) -> clock.Duration | None:
    return None if text is None else clock.parse_duration(text)
