"""The check of earning rules: triggers, conditions, effects, exclusive groups."""

import math
from collections.abc import Mapping
from typing import Any

from programs import triggers
from programs.checking.findings import Findings
from programs.checking.limits import check_limits
from programs.checking.points import check_terms
from programs.triggers import Declared
from rules import conditions
from rules.effects import EFFECTS

#: Exclusive groups are decided exactly, by trying every combination; this bounds the work.
COMBINATIONS_MAX = 256


def check_earning(
    found: Findings,
    earning: dict[str, Any],
    kinds: set[str],
    cards: set[str],
    *,
    activities: Mapping[str, Declared],
    rewards: set[str],
) -> None:
    """The earning rules, for programs of these kinds of points, stamp cards, activities and
    rewards."""
    rules = earning.get("rules") or []
    groups: dict[tuple[str, str], int] = {}
    for index, rule in enumerate(rules):
        at = f"/earning/rules/{index}"
        trigger = rule.get("trigger", "order")
        facts = triggers.find_facts(trigger, activities)
        if facts is None or trigger == triggers.SILENCE:
            _refuse_trigger(found, trigger, f"{at}/trigger")
            continue
        _check_condition(found, rule.get("when"), facts, f"{at}/when")
        check_effect(
            found,
            rule["effect"],
            kinds,
            cards,
            rewards=rewards,
            trigger=trigger,
            at=f"{at}/effect",
        )
        if rule["effect"]["do"] in _GIVEN:
            _check_given(found, rule, at)
        check_limits(found, rule, at)
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


def _refuse_trigger(found: Findings, trigger: str, at: str) -> None:
    if trigger == triggers.SILENCE:
        found.error(at, "is a trigger of surprises alone")
    elif trigger in triggers.KNOWN:
        found.missing(at, f"the trigger {trigger}")
    elif trigger.startswith(triggers.ACTIVITY):
        found.error(
            at,
            f"the kind after {triggers.ACTIVITY} must match [a-z_]{{1,40}}: a-z and _ alone,"
            " no hyphens",
        )
    else:
        usable = [one for one in triggers.available() if one != triggers.SILENCE]
        found.error(at, f"is no trigger; there are: {', '.join(usable)}")


def _check_condition(found: Findings, when: Any, facts: Any, at: str) -> None:
    for finding in conditions.check(when, catalogue=facts, pointer=at):
        found.error(finding.pointer, finding.detail, finding.code)


#: What is no points, and what its rules do; those that are never split.
_GIVEN = {
    "add_stamps": "adds stamps",
    "grant_reward": "grants a reward",
    "payable": "owes cash",
}
_WHOLE = ("add_stamps", "grant_reward")


def _check_given(found: Findings, rule: dict[str, Any], at: str) -> None:
    """Stamps, rewards and cash are no points that could be compared; the first two are never
    split."""
    do = rule["effect"]["do"]
    does = _GIVEN[do]
    if (rule.get("stacking") or {}).get("mode") == "exclusive":
        found.error(f"{at}/stacking/mode", f"must be add for a rule that {does}")
    if rule.get("on_refund") == "prorate" and do in _WHOLE:
        found.error(f"{at}/on_refund", f"must be recheck or keep for a rule that {does}")


def check_effect(
    found: Findings,
    effect: dict[str, Any],
    kinds: set[str],
    cards: set[str],
    *,
    rewards: set[str],
    trigger: str,
    at: str,
) -> None:
    """An effect of a rule, or of a card or level."""
    do = effect["do"]
    declared = EFFECTS.get(do)
    if declared is None:
        found.missing(f"{at}/do", f"the effect {do}")
        return
    for name in declared.needs:
        if name not in effect:
            found.error(f"{at}/{name}", f"is required by {do}", "required")
    for name in effect.keys() - {"do", *declared.needs, *declared.may}:
        found.error(f"{at}/{name}", f"is not a field of {do}", "unknown_field")
    if effect.get("points_key") is not None and effect["points_key"] not in kinds:
        found.error(f"{at}/points_key", f"is none of the kinds of points: {', '.join(kinds)}")
    counts = trigger == "order" or trigger.startswith("activity:")
    if effect.get("counts_for_tier") and not counts:
        found.error(
            f"{at}/counts_for_tier", "only what orders and activities earn can count for tiers"
        )
    check_terms(found, effect, at)
    lines = triggers.find_line_facts(trigger)
    if do == "add_stamps" and effect.get("card") is not None and effect["card"] not in cards:
        found.error(f"{at}/card", f"is none of the cards: {', '.join(sorted(cards)) or 'none'}")
    if do == "grant_reward" and effect.get("reward", next(iter(rewards), None)) not in rewards:
        found.error(
            f"{at}/reward", f"is none of the rewards: {', '.join(sorted(rewards)) or 'none'}"
        )
    if do == "payable":
        _check_payable(found, effect, has_order=lines is not None, at=at)
    if lines is None and declared.is_of_lines:
        found.error(
            f"{at}/do",
            f"needs an order; {trigger} can only add_points, add_stamps, grant_reward or payable"
            " a fixed sum",
        )
    elif lines is not None and effect.get("lines"):
        _check_condition(found, effect["lines"]["when"], lines, f"{at}/lines/when")


def _check_payable(found: Findings, effect: dict[str, Any], *, has_order: bool, at: str) -> None:
    """Cash is owed as a sum or as a share, and a share is of an order."""
    if ("minor" in effect) == ("percent_bp" in effect):
        found.error(at, "payable needs minor or percent_bp, and not both", "required")
    elif "percent_bp" in effect and not has_order:
        found.error(f"{at}/percent_bp", "is a share of an order, and there is none here; use minor")
