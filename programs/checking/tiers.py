"""The check of the ladder of tiers."""

import itertools
from typing import Any, Literal

from core import clock
from programs.checking.findings import Findings
from programs.checking.rules import check_effect

Metric = Literal["spend", "points", "orders", "referrals"]
TRIGGER = "tier_entered"


def check_tiers(found: Findings, document: dict[str, Any]) -> None:
    """The ladder, what moves members on it, and the rules that listen to it."""
    tiers = document.get("tiers") or {}
    basis = tiers.get("basis") or {}
    metrics = metrics_of(basis)
    split = (document.get("earning") or {}).get("tier_multiplier_at") == "split"
    if split and len(metrics) > 1:
        found.error(
            "/earning/tier_multiplier_at",
            "must be order_time or new_tier when several metrics are required: an order crosses"
            " each at another point, so it cannot be split",
        )
    _check_durations(found, tiers)
    levels = tiers.get("levels") or []
    for index, level in enumerate(levels):
        _check_level(found, level, metrics, at=f"/tiers/levels/{index}")
    _check_order(found, levels, metrics)
    _check_effects(found, document, levels)


def _check_durations(found: Findings, tiers: dict[str, Any]) -> None:
    basis, term = tiers.get("basis") or {}, tiers.get("term") or {}
    policy = term.get("policy") or "none"
    for at, item, name, dated in (
        ("/tiers/basis", basis, basis.get("window") or "lifetime", "rolling"),
        ("/tiers/term", term, policy, "from_entry"),
    ):
        if item.get("duration") is not None and name != dated:
            found.error(
                f"{at}/duration", f"means nothing with {name}; {dated} has one", "unknown_field"
            )
    if policy == "from_entry" and not _has_days(term.get("duration") or "P12M"):
        found.error("/tiers/term/duration", "must be whole days, at least one: P12M, P90D")
    if policy != "none":
        if tiers.get("grace") is not None and not _has_days(tiers["grace"]):
            found.error("/tiers/grace", "must be whole days, at least one: P30D")
        return
    if tiers.get("grace") is not None:
        found.error("/tiers/grace", "needs a term: grace follows the end of one")
    if tiers.get("downgrade") == "one_down":
        found.error(
            "/tiers/downgrade", "one_down needs a term: without one no day steps a member down"
        )


def _has_days(text: str) -> bool:
    duration = clock.parse_duration(text)
    return bool(duration.months or duration.days) and not duration.seconds


def _check_level(
    found: Findings, level: dict[str, Any], metrics: tuple[Metric, ...], *, at: str
) -> None:
    for name in ("enter_at", "retain_at"):
        value = level.get(name)
        if isinstance(value, dict) and set(value) != set(metrics):
            listed = " and ".join(metrics)
            found.error(f"{at}/{name}", f"must be an integer or an object with {listed} alone")
        elif value is not None and not isinstance(value, dict) and len(metrics) > 1:
            listed = " and ".join(metrics)
            found.error(f"{at}/{name}", f"must be an object with {listed}: all are required")
    enter = thresholds(level.get("enter_at"), metrics)
    retain = thresholds(level.get("retain_at"), metrics)
    if retain is None:
        return
    if level.get("enter_at") is None:
        found.error(f"{at}/retain_at", "means nothing on a level that is entered by invitation")
    elif enter is not None and any(low > high for low, high in zip(retain, enter, strict=True)):
        found.error(f"{at}/retain_at", "must not be more than enter_at")


def _check_order(
    found: Findings, levels: list[dict[str, Any]], metrics: tuple[Metric, ...]
) -> None:
    """Levels that are reached must be reached one after the other, whatever metric is looked at."""
    entered = [
        (values, index)
        for index, level in enumerate(levels)
        if (values := thresholds(level.get("enter_at"), metrics)) is not None
    ]
    for (low, _), (high, index) in itertools.pairwise(sorted(entered)):
        at = f"/tiers/levels/{index}/enter_at"
        if low == high:
            found.error(at, "two levels are entered at the same")
        elif any(more < less for less, more in zip(low, high, strict=True)):
            found.error(at, "must not be less in one metric than a level that is lower in another")


def _check_effects(found: Findings, document: dict[str, Any], levels: list[dict[str, Any]]) -> None:
    kinds = {kind["key"] for kind in document["points"]}
    cards = {card["key"] for card in document.get("cards") or []}
    rewards = {reward["key"] for reward in document.get("rewards") or []}
    keys = {level["key"] for level in levels}
    for index, level in enumerate(levels):
        for number, effect in enumerate(level.get("entry_effects") or []):
            at = f"/tiers/levels/{index}/entry_effects/{number}"
            check_effect(found, effect, kinds, cards, rewards=rewards, trigger=TRIGGER, at=at)
    for index, rule in enumerate((document.get("earning") or {}).get("rules") or []):
        if rule.get("trigger") == TRIGGER and rule["key"] in keys:
            # A decision names rules by their keys, and what a level brings by the level's.
            found.error(
                f"/earning/rules/{index}/key",
                f"is the key of a level; a {TRIGGER} rule needs another",
                "duplicate",
            )


def metrics_of(basis: dict[str, Any]) -> tuple[Metric, ...]:
    """The metrics that a basis names, one or several."""
    metric: Any = basis.get("metric") or "spend"
    return tuple(metric) if isinstance(metric, list) else (metric,)


def thresholds(value: Any, metrics: tuple[Metric, ...]) -> tuple[int, ...] | None:
    """A level's thresholds aligned with the metrics, however they were written; None when there
    are none, or not of every metric."""
    if isinstance(value, dict):
        found = [value.get(metric) for metric in metrics]
        return None if None in found else tuple(one for one in found if one is not None)
    if value is None or len(metrics) > 1:
        return None
    return (value,)
