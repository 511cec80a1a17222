"""A program version compiled once: defaults applied, conditions made closures, rules by trigger.

Compiled versions are immutable and remembered per process by (program, version).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from core import clock
from programs import terms, triggers
from programs.checking import threshold
from programs.terms import Terms
from rules import conditions
from rules.conditions import Condition
from rules.effects import AddPoints, Effect, MultiplyPoints, PointsPerAmount, PointsPerUnit
from rules.facts import Catalogue

FACTOR_ONE = 10_000

ReturnPolicy = Literal["within_balance", "only_pending", "unlimited", "deduct_from_refund"]


@dataclass(frozen=True, slots=True)
class Rule:
    """An earning rule, ready to run."""

    key: str
    name: dict[str, str]
    is_live: bool
    when: Condition
    priority: int
    group: str | None
    on_refund: Literal["recheck", "keep", "prorate"]
    effect: Effect
    terms: Terms

    @property
    def is_kept_on_refund(self) -> bool:
        """Whether a partial refund leaves the rule judged by the order as it was."""
        return isinstance(self.effect, AddPoints) and self.on_refund != "recheck"


@dataclass(frozen=True, slots=True)
class Basis:
    """On which money points are earned."""

    after_discounts: bool
    tax: Literal["as_displayed", "include", "exclude"]
    shipping: bool
    gift_card_lines: bool
    paid_with_points: bool
    paid_with_gift_card: bool


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


@dataclass(frozen=True, slots=True)
class PointsKind:
    """A kind of points; `minor` per `points` is what they are worth.

    `notices` are how long before they expire the member is told, the earliest first.
    """

    key: str
    name: dict[str, str]
    points: int
    minor: int
    terms: Terms
    notices: tuple[clock.Duration, ...]
    return_policy: ReturnPolicy

    def value_minor(self, points: int) -> int:
        """What points are worth in whole minor units."""
        return points * self.minor // self.points


@dataclass(frozen=True, slots=True)
class Compiled:
    """One version of a program, ready to decide."""

    program_id: bytes
    version: int
    name: str
    zone: ZoneInfo
    currency: str
    locales: tuple[str, ...]
    prices_include_tax: bool
    auto_enrol: bool
    tombstone_for: clock.Duration
    points: tuple[PointsKind, ...]
    basis: Basis
    rounding: Literal["floor", "half_up", "ceil"]
    tier_multiplier_at: Literal["order_time", "new_tier", "split"]
    rules: dict[str, tuple[Rule, ...]]
    ladder: Ladder
    per_minor_common: int

    def kind(self, points_key: str) -> PointsKind | None:
        """A kind of points by key."""
        return next((kind for kind in self.points if kind.key == points_key), None)


def compile_document(program_id: bytes, version: int, document: dict[str, Any]) -> Compiled:
    """Compile a checked document."""
    earning = document.get("earning") or {}
    kinds = tuple(_kind(kind) for kind in document["points"])
    rules: dict[str, list[Rule]] = {}
    for item in earning.get("rules") or []:
        trigger = item.get("trigger", "order")
        rules.setdefault(trigger, []).append(_rule(item, trigger, kinds))
    ordered = {
        trigger: tuple(sorted(items, key=lambda rule: (rule.priority, rule.key)))
        for trigger, items in rules.items()
    }
    per_minor = [
        rule.effect.per_minor
        for items in ordered.values()
        for rule in items
        if isinstance(rule.effect, PointsPerAmount)
    ]
    return Compiled(
        program_id=program_id,
        version=version,
        name=document["name"],
        zone=ZoneInfo(document["timezone"]),
        currency=document["currency"],
        locales=tuple(document.get("locales") or ["en"]),
        prices_include_tax=document.get("prices_include_tax", True),
        auto_enrol=(document.get("members") or {}).get("auto_enrol", False),
        tombstone_for=clock.parse_duration(
            (document.get("members") or {}).get("tombstone_for", "P36M")
        ),
        points=kinds,
        basis=_basis(earning.get("basis") or {}),
        rounding=earning.get("rounding", "floor"),
        tier_multiplier_at=earning.get("tier_multiplier_at", "order_time"),
        rules=ordered,
        ladder=_ladder(document.get("tiers") or {}),
        per_minor_common=math.lcm(*per_minor) if per_minor else 1,
    )


def _kind(kind: dict[str, Any]) -> PointsKind:
    value = kind.get("value") or {"points": 1, "minor": 1}
    return PointsKind(
        key=kind["key"],
        name=kind.get("name") or {"en": kind["key"]},
        points=value["points"],
        minor=value["minor"],
        terms=terms.of_document(kind),
        notices=_notices(kind),
        return_policy=kind.get("return_policy", "within_balance"),
    )


def _notices(kind: dict[str, Any]) -> tuple[clock.Duration, ...]:
    durations = (
        clock.parse_duration(text) for text in (kind.get("expiry") or {}).get("notify", ())
    )
    return tuple(
        sorted(durations, key=lambda one: (one.months, one.days, one.seconds), reverse=True)
    )


def _basis(basis: dict[str, Any]) -> Basis:
    return Basis(
        after_discounts=basis.get("after_discounts", True),
        tax=basis.get("tax", "as_displayed"),
        shipping=basis.get("shipping", False),
        gift_card_lines=basis.get("gift_card_lines", False),
        paid_with_points=basis.get("paid_with_points", False),
        paid_with_gift_card=basis.get("paid_with_gift_card", True),
    )


def _rule(item: dict[str, Any], trigger: str, kinds: tuple[PointsKind, ...]) -> Rule:
    facts = triggers.find_facts(trigger)
    assert facts is not None, f"trigger {trigger} passed the check without facts"
    stacking = item.get("stacking") or {}
    effect = _effect(item["effect"], triggers.find_line_facts(trigger), kinds[0].key)
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
    )


def _effect(effect: dict[str, Any], lines: Catalogue | None, default_key: str) -> Effect:
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


def _ladder(tiers: dict[str, Any]) -> Ladder:
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
