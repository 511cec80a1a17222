"""Advice on the ladder: levels that nobody reaches, gaps, and what entering a level brings."""

import itertools
from collections.abc import Sequence
from typing import Any

from programs.checking.advice.reading import (
    FACTOR_ONE,
    Rule,
    by_threshold,
    kind_of,
    metrics_of,
    value_of,
)
from programs.checking.findings import Findings

_GAP = 10
_UNBOUNDED = ("points_per_amount", "points_per_unit", "multiply_points")


def advise_tiers(found: Findings, rules: Sequence[Rule], document: dict[str, Any]) -> None:
    """Everything about the levels."""
    metrics = metrics_of(document)
    _advise_reach(found, rules, document)
    for metric in metrics:
        levels = by_threshold(document, metric)
        for (low, below, _), (high, level, at) in itertools.pairwise(levels):
            if low and high > _GAP * low:
                detail = (
                    f"{level['key']} asks for {high:,}, more than ten times the {low:,} of "
                    f"{below['key']} ({_unit(metric)}): few will ever see the next step"
                )
                found.warning(f"{at}/enter_at", "gap_in_ladder", detail)
        if len(metrics) == 1:
            for asked, level, at in levels:
                _advise_entry(found, document, level, at, (metric, asked))
    _advise_order(found, by_threshold(document, metrics[0]))


def _unit(metric: str) -> str:
    return {"spend": "minor units of spend"}.get(metric, metric)


def _advise_reach(found: Findings, rules: Sequence[Rule], document: dict[str, Any]) -> None:
    """Levels by points, where all that can ever count comes to less."""
    basis = (document.get("tiers") or {}).get("basis") or {}
    metrics = metrics_of(document)
    if "points" not in metrics or (len(metrics) > 1 and basis.get("require") == "any"):
        return
    most = _points_at_most(rules)
    if most is None:
        return
    for asked, level, at in by_threshold(document, "points"):
        if asked > most:
            what = f"rules count for at most {most:,}" if most else "no rule's points count"
            detail = (
                f"{level['key']} asks for {asked:,} points, but {what}: only points given by hand "
                "could lead there; see counts_for_tier"
            )
            found.warning(f"{at}/enter_at", "unreachable_level", detail)


def _points_at_most(rules: Sequence[Rule]) -> int | None:
    """The most points that can ever count for one member; None when there is no bound."""
    total = 0
    is_earning = any(rule.effect["do"] in _UNBOUNDED[:2] for rule in rules)
    for rule in rules:
        effect = rule.effect
        counts = rule.trigger == "order" or rule.trigger.startswith("activity:")
        is_fixed = effect["do"] == "add_points"
        if not counts or not effect.get("counts_for_tier", effect["do"] in _UNBOUNDED[:2]):
            continue
        bounds = [
            limit["points"]
            if limit.get("points") is not None
            else limit["times"] * effect["points"]
            for limit in rule.item.get("limits") or []
            if limit.get("per", "member") == "member"
            and limit.get("period") == "ever"
            and (limit.get("points") is not None or is_fixed)
        ]
        if effect["do"] == "multiply_points":
            bounds = bounds or ([] if is_earning else [0])
        if not bounds:
            return None
        total += min(bounds)
    return total


def _advise_entry(
    found: Findings,
    document: dict[str, Any],
    level: dict[str, Any],
    at: str,
    asks: tuple[str, int],
) -> None:
    """What entering brings, beside what it takes."""
    metric, asked = asks
    for index, effect in enumerate(level.get("entry_effects") or []):
        points = effect.get("points")
        if effect["do"] != "add_points" or not isinstance(points, int) or not asked:
            continue
        place = f"{at}/entry_effects/{index}/points"
        if metric == "spend":
            per_points, minor = value_of(kind_of(document, effect))
            worth = points * minor // per_points
            if worth >= asked:
                detail = (
                    f"entering {level['key']} takes {asked:,} minor units of spend and brings "
                    f"{points:,} points worth {worth:,}"
                )
                found.warning(place, "entry_effect_lifts", detail)
        elif metric == "points" and points >= asked:
            detail = f"entering {level['key']} takes {asked:,} points and brings {points:,}"
            found.warning(place, "entry_effect_lifts", detail)


def _advise_order(found: Findings, levels: Sequence[tuple[int, dict[str, Any], str]]) -> None:
    """Multipliers and perks that a higher level loses."""
    for (_, below, _), (_, level, at) in itertools.pairwise(levels):
        low, high = (one.get("multiplier_bp", FACTOR_ONE) for one in (below, level))
        if high < low:
            detail = (
                f"{level['key']} multiplies by {_factor(high)}, the lower {below['key']} by "
                f"{_factor(low)}: whoever is promoted earns less"
            )
            place = f"{at}/multiplier_bp" if "multiplier_bp" in level else at
            found.warning(place, "higher_level_gives_less", detail)
        mine = {perk["key"] for perk in level.get("perks") or []}
        lost = [perk["key"] for perk in below.get("perks") or [] if perk["key"] not in mine]
        if lost:
            detail = (
                f"{level['key']} lacks what the lower {below['key']} has: {', '.join(lost)}; "
                "whoever is promoted loses it"
            )
            place = f"{at}/perks" if "perks" in level else at
            found.warning(place, "higher_level_gives_less", detail)


def _factor(factor_bp: int) -> str:
    whole, rest = divmod(factor_bp, FACTOR_ONE)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".")
