"""The check of the ladder of tiers."""

import itertools
from typing import Any

from programs.checking.findings import Findings


def check_tiers(found: Findings, tiers: dict[str, Any]) -> None:
    """The ladder and what moves members on it."""
    basis = tiers.get("basis") or {}
    metric = basis.get("metric", "spend")
    if type(metric) is list and len(metric) > 1:
        found.missing("/tiers/basis/metric", "requiring several metrics")
    metric = metric[0] if type(metric) is list else metric
    if metric == "referrals":
        found.missing("/tiers/basis/metric", "the metric referrals")
    if basis.get("window") == "calendar_year":
        found.missing("/tiers/basis/window", "the window calendar_year")
    if (tiers.get("term") or {}).get("policy", "none") != "none":
        found.missing("/tiers/term/policy", "a term")
    if tiers.get("downgrade") == "one_down":
        found.missing("/tiers/downgrade", "the downgrade one_down")
    _check_levels(found, tiers.get("levels") or [], metric)


def _check_levels(found: Findings, levels: list[dict[str, Any]], metric: str) -> None:
    thresholds: list[tuple[int, int]] = []
    for index, level in enumerate(levels):
        at = f"/tiers/levels/{index}"
        if level.get("state") == "paused":
            found.missing(f"{at}/state", "pausing a level")
        for name in ("enter_at", "retain_at"):
            value = level.get(name)
            if type(value) is dict and set(value) != {metric}:
                found.error(f"{at}/{name}", f"must be an integer or an object with {metric} alone")
        enter = threshold(level["enter_at"], metric)
        retain = threshold(level.get("retain_at"), metric)
        if enter is not None and retain is not None and retain > enter:
            found.error(f"{at}/retain_at", "must not be more than enter_at")
        if enter is not None:
            thresholds.append((enter, index))
    for (low, _), (high, index) in itertools.pairwise(sorted(thresholds)):
        if low == high:
            found.error(f"/tiers/levels/{index}/enter_at", "two levels are entered at the same")


def threshold(value: Any, metric: str) -> int | None:
    """A level's threshold as an integer, however it was written."""
    found = value.get(metric) if isinstance(value, dict) else value
    return found if isinstance(found, int) else None
