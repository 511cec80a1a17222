"""Advice on rules beside each other: who never wins, who ties, who occurs twice."""

from collections.abc import Sequence
from typing import Any

from core import jsontext
from programs.checking.advice import holding
from programs.checking.advice.reading import FACTOR_ONE, Rule, kind_of, same
from programs.checking.findings import Findings

_BY_AMOUNT = ("points_per_amount", "points_per_unit")


def advise_groups(found: Findings, rules: Sequence[Rule], document: dict[str, Any]) -> None:
    """Everything about live rules as they stand to each other."""
    groups: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        if rule.group is not None:
            groups.setdefault((rule.trigger, rule.group), []).append(rule)
    for group in groups.values():
        _advise_group(found, group, document)
    _advise_duplicates(found, rules)
    _advise_multipliers(found, rules, document)


def _advise_group(found: Findings, group: list[Rule], document: dict[str, Any]) -> None:
    beaten: set[str] = set()
    for loser in group:
        winner = next((one for one in group if _always_beats(one, loser, document)), None)
        if winner is None:
            continue
        beaten.add(loser.key)
        detail = (
            f"the rule {loser.key} never wins in the group {loser.group}: {_gives(winner)} of "
            f"{winner.key} is at least as much as {_gives(loser)} and holds whenever it does"
        )
        found.warning(loser.at, "never_wins", detail)
    left = [rule for rule in group if rule.key not in beaten]
    for index, other in enumerate(left):
        one = next((one for one in left[:index] if _ties(one, other)), None)
        if one is None:
            continue
        detail = (
            f"{one.key} and {other.key} of the group {one.group} both give {_gives(one)} with "
            f"the same priority: which of them counts depends on their keys alone"
        )
        found.warning(other.at, "overlapping_exclusives", detail)


def _always_beats(winner: Rule, loser: Rule, document: dict[str, Any]) -> bool:
    """Whether one wins whenever the other could: it holds whenever that does, on as many lines,
    without bounds of its own, and gives more, or as much and goes first."""
    if winner.key == loser.key or winner.item.get("limits"):
        return False
    if winner.schedule and not same(winner.schedule, loser.schedule):
        return False
    same_refund = winner.item.get("on_refund") == loser.item.get("on_refund")
    if winner.when is not None and not (same(winner.when, loser.when) and same_refund):
        return False
    if winner.lines_when is not None and not same(winner.lines_when, loser.lines_when):
        return False
    mine, theirs = winner.effect, loser.effect
    if mine["do"] != theirs["do"] or mine.get("counts_for_tier") != theirs.get("counts_for_tier"):
        return False
    if kind_of(document, mine)["key"] != kind_of(document, theirs)["key"]:
        return False
    if mine["do"] == "add_points":
        if not same_refund:
            return False
        if mine["points"] > theirs["points"]:
            return True
    # As much after rounding is a tie, which priority and key decide.
    return _more(mine, theirs) and winner.order < loser.order


def _more(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether one effect gives at least as much as another of its kind."""
    if mine["do"] == "points_per_amount":
        return bool(mine["points"] * theirs["per_minor"] >= theirs["points"] * mine["per_minor"])
    name = "factor_bp" if mine["do"] == "multiply_points" else "points"
    return bool(mine.get(name, 0) >= theirs.get(name, 0))


def _ties(one: Rule, other: Rule) -> bool:
    is_alike = same(one.effect, other.effect) and one.order[0] == other.order[0]
    is_alike = is_alike and same(one.schedule, other.schedule)
    return is_alike and holding.can_both_hold(one.when, other.when, one.facts)


def _gives(rule: Rule) -> str:
    effect = rule.effect
    if effect["do"] == "multiply_points":
        whole, rest = divmod(effect["factor_bp"], FACTOR_ONE)
        return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + " ×"
    points = f"{effect.get('points', 0):,} points"
    if effect["do"] == "points_per_amount":
        return f"{points} per {effect['per_minor']:,} minor units"
    return f"{points} per unit" if effect["do"] == "points_per_unit" else points


def _advise_duplicates(found: Findings, rules: Sequence[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.group is not None:
            continue
        meaning = {
            name: value
            for name, value in rule.item.items()
            if name not in ("key", "name", "description", "priority", "state")
            and value not in (None, [], {})
        }
        meaning["trigger"] = rule.trigger
        text = jsontext.sorted_text(meaning)
        first = seen.setdefault(text, rule)
        if first is not rule:
            detail = f"{rule.key} says the same as {first.key}: both fire, so all is given twice"
            found.warning(rule.at, "duplicate_rule", detail)


def _advise_multipliers(found: Findings, rules: Sequence[Rule], document: dict[str, Any]) -> None:
    for rule in rules:
        if rule.effect["do"] != "multiply_points":
            continue
        key = kind_of(document, rule.effect)["key"]
        if not any(
            one.effect["do"] in _BY_AMOUNT
            and one.trigger == rule.trigger
            and kind_of(document, one.effect)["key"] == key
            for one in rules
        ):
            detail = (
                f"the rule {rule.key} multiplies {key}, but no live rule earns {key} by amount "
                "or unit: it multiplies nothing"
            )
            found.warning(f"{rule.at}/effect", "nothing_to_multiply", detail)
