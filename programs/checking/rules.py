"""The check of earning rules: triggers, conditions, effects, exclusive groups."""

import math
from typing import Any

from programs import triggers
from programs.checking.findings import Findings
from programs.checking.points import check_terms
from rules import conditions

#: Exclusive groups are decided exactly, by trying every combination; this bounds the work.
COMBINATIONS_MAX = 256

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


def check_earning(found: Findings, earning: dict[str, Any], kinds: set[str]) -> None:
    """The earning rules."""
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


def _check_condition(found: Findings, when: Any, facts: Any, at: str) -> None:
    for finding in conditions.check(when, catalogue=facts, pointer=at):
        found.error(finding.pointer, finding.detail, finding.code)


def _check_effect(
    found: Findings, effect: dict[str, Any], kinds: set[str], *, trigger: str, at: str
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
    check_terms(found, effect, at)
    lines = triggers.find_line_facts(trigger)
    if lines is None and do != "add_points":
        found.error(f"{at}/do", f"needs an order; a {trigger} rule can only add_points")
    elif lines is not None and effect.get("lines"):
        _check_condition(found, effect["lines"]["when"], lines, f"{at}/lines/when")
