"""The check of a program document beyond its schema: meaning, references, what is not there yet.

Errors block saving and publishing; warnings tell of what is allowed but probably not meant.
"""

import itertools
import math
import zoneinfo
from collections.abc import Mapping
from datetime import date
from typing import Any

from core.errors import FieldError
from programs import triggers
from rules import conditions

#: Exclusive groups are decided exactly, by trying every combination; this bounds the work.
COMBINATIONS_MAX = 256

#: What a member does that can restart the term of `inactivity`.
INACTIVITY_ENDS = ("order", "redemption")

_NEEDS = {
    "points_per_amount": ("points", "per_minor"),
    "points_per_unit": ("points",),
    "add_points": ("points",),
    "multiply_points": ("factor_bp",),
}
_MAY = {
    "points_per_amount": {"points_key", "lines", "counts_for_tier", "pending", "expiry"},
    "points_per_unit": {"points_key", "lines", "counts_for_tier", "pending", "expiry"},
    "add_points": {"points_key", "counts_for_tier", "pending", "expiry"},
    "multiply_points": {"points_key", "lines", "counts_for_tier"},
}


class _Findings:
    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.warnings: list[FieldError] = []

    def error(self, pointer: str, detail: str, code: str = "invalid") -> None:
        self.errors.append(FieldError(pointer, code, detail))

    def missing(self, pointer: str, what: str) -> None:
        self.error(
            pointer,
            f"{what} is not available in this version of Dangol; leave it out",
            "not_available",
        )

    def warning(self, pointer: str, code: str, detail: str) -> None:
        self.warnings.append(FieldError(pointer, code, detail))


def check(document: dict[str, Any]) -> tuple[list[FieldError], list[FieldError]]:
    """Errors and warnings of a document that its schema accepted."""
    found = _Findings()
    if document["timezone"] not in zoneinfo.available_timezones():
        found.error("/timezone", "is no IANA time zone, such as Asia/Seoul")
    _check_points(found, document["points"])
    _check_keys(found, document)
    kinds = {kind["key"] for kind in document["points"]}
    _check_earning(found, document.get("earning") or {}, kinds)
    if document.get("tiers"):
        _check_tiers(found, document["tiers"])
    return found.errors, found.warnings


def _check_keys(found: _Findings, document: dict[str, Any]) -> None:
    earning, tiers = document.get("earning") or {}, document.get("tiers") or {}
    for pointer, items in (
        ("/points", document["points"]),
        ("/earning/rules", earning.get("rules") or []),
        ("/tiers/levels", tiers.get("levels") or []),
    ):
        seen: set[str] = set()
        for index, item in enumerate(items):
            if item["key"] in seen:
                found.error(f"{pointer}/{index}/key", "occurs twice; keys are unique", "duplicate")
            seen.add(item["key"])


def _check_points(found: _Findings, kinds: list[dict[str, Any]]) -> None:
    for index, kind in enumerate(kinds):
        at = f"/points/{index}"
        _check_terms(found, kind, at, has_notices=True)
        if kind.get("state") == "paused":
            found.missing(f"{at}/state", "pausing a kind of points")


def _check_terms(
    found: _Findings, item: dict[str, Any], at: str, *, has_notices: bool = False
) -> None:
    """The terms of a kind of points, or of an effect; only a kind's points are told of before they
    expire."""
    pending, expiry = item.get("pending") or {}, item.get("expiry") or {}
    needs = {"after": ("duration",)}
    _check_policy(found, pending, needs, may=(), at=f"{at}/pending", default="immediate")
    needs = {"after": ("duration",), "inactivity": ("duration",), "fixed_dates": ("dates",)}
    may = {"after": ("round_up_to",), "inactivity": ("activities",)}
    policy = expiry.get("policy", "never")
    allowed = (*may.get(policy, ()), *(("notify",) if has_notices else ()))
    _check_policy(found, expiry, needs, may=allowed, at=f"{at}/expiry", default="never")
    for index, text in enumerate(expiry.get("dates") or ()):
        if not _is_day_of_year(text):
            found.error(f"{at}/expiry/dates/{index}", "is no day of a year, such as 12-31")
    for index, name in enumerate(expiry.get("activities") or ()):
        if name not in INACTIVITY_ENDS:
            found.error(
                f"{at}/expiry/activities/{index}", f"must be one of {', '.join(INACTIVITY_ENDS)}"
            )


def _check_policy(
    found: _Findings,
    item: dict[str, Any],
    needs: Mapping[str, tuple[str, ...]],
    *,
    may: tuple[str, ...],
    at: str,
    default: str,
) -> None:
    """A policy has the settings it needs, and none that it would ignore."""
    policy = item.get("policy", default)
    needed = needs.get(policy, ())
    for name in needed:
        if not item.get(name):
            found.error(f"{at}/{name}", f"is required by {policy}", "required")
    for name in item.keys() - {"policy", *needed, *may}:
        if not item[name]:
            continue
        found.error(f"{at}/{name}", f"means nothing with the policy {policy}", "unknown_field")


def _is_day_of_year(text: str) -> bool:
    try:
        date(2028, int(text[:2]), int(text[3:]))
    except ValueError:
        return False
    return True


def _check_earning(found: _Findings, earning: dict[str, Any], kinds: set[str]) -> None:
    rules = earning.get("rules") or []
    groups: dict[tuple[str, str], int] = {}
    for index, rule in enumerate(rules):
        at = f"/earning/rules/{index}"
        trigger = rule.get("trigger", "order")
        facts = triggers.find_facts(trigger)
        if facts is None:
            known = trigger in triggers.KNOWN or trigger.startswith("activity:")
            if known:
                found.missing(f"{at}/trigger", f"the trigger {trigger}")
            else:
                offered = ", ".join(triggers.available())
                found.error(f"{at}/trigger", f"is no trigger; there are: {offered}")
            continue
        _check_condition(found, rule.get("when"), facts, f"{at}/when")
        _check_effect(found, rule["effect"], kinds, trigger=trigger, at=f"{at}/effect")
        stacking = rule.get("stacking") or {}
        if stacking.get("mode") == "exclusive":
            if not stacking.get("group"):
                found.error(
                    f"{at}/stacking/group", "is required when the mode is exclusive", "required"
                )
            else:
                name = (trigger, stacking["group"])
                groups[name] = groups.get(name, 0) + 1
        elif stacking.get("group"):
            found.error(f"{at}/stacking/mode", "must be exclusive for a rule with a group")
    for trigger in {trigger for trigger, _ in groups}:
        ways = math.prod(count for (of, _), count in groups.items() if of == trigger)
        if ways > COMBINATIONS_MAX:
            found.error(
                "/earning/rules",
                f"the exclusive groups of {trigger} combine in {ways} ways; at most "
                f"{COMBINATIONS_MAX} are decided: use fewer or smaller groups",
            )
    if not any(rule.get("state", "live") == "live" for rule in rules):
        found.warning("/earning/rules", "nothing_earns", "no live rule: nobody earns anything")


def _check_condition(found: _Findings, when: Any, facts: Any, at: str) -> None:
    for finding in conditions.check(when, catalogue=facts, pointer=at):
        found.error(finding.pointer, finding.detail, finding.code)


def _check_effect(
    found: _Findings, effect: dict[str, Any], kinds: set[str], *, trigger: str, at: str
) -> None:
    do = effect["do"]
    needs = _NEEDS.get(do)
    if needs is None:
        found.missing(f"{at}/do", f"the effect {do}")
        return
    for name in needs:
        if name not in effect:
            found.error(f"{at}/{name}", f"is required by {do}", "required")
    for name in effect.keys() - {"do", *needs} - _MAY[do]:
        found.error(f"{at}/{name}", f"is not a field of {do}", "unknown_field")
    if effect.get("points_key") is not None and effect["points_key"] not in kinds:
        found.error(f"{at}/points_key", f"is none of the kinds of points: {', '.join(kinds)}")
    _check_terms(found, effect, at)
    lines = triggers.find_line_facts(trigger)
    if lines is None and do != "add_points":
        found.error(f"{at}/do", f"needs an order; a {trigger} rule can only add_points")
    elif lines is not None and effect.get("lines"):
        _check_condition(found, effect["lines"]["when"], lines, f"{at}/lines/when")


def _check_tiers(found: _Findings, tiers: dict[str, Any]) -> None:
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


def _check_levels(found: _Findings, levels: list[dict[str, Any]], metric: str) -> None:
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
