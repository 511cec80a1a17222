"""Advice on what points are worth, how long they wait and how long they live."""

from collections.abc import Sequence
from typing import Any

from programs.checking.advice.reading import Rule, bounds_of, kind_of, live_effects, value_of
from programs.checking.findings import Findings

#: From this share of the price on, in percent.
_TOO_MUCH = 50


def advise_points(found: Findings, rules: Sequence[Rule], document: dict[str, Any]) -> None:
    """Everything about kinds of points and the terms of effects."""
    for index, kind in enumerate(document["points"]):
        at = f"/points/{index}"
        _advise_terms(found, kind, kind, at)
        _advise_notices(found, kind, at)
        if kind.get("value") and kind["value"].get("minor") == 0:
            detail = f"{kind['value']['points']:,} {kind['key']} are worth 0: they buy nothing"
            found.warning(f"{at}/value/minor", "points_worth_nothing", detail)
    for effect, at in live_effects(document):
        if effect.get("pending") or effect.get("expiry"):
            _advise_terms(found, effect, kind_of(document, effect), at)
    for rule in rules:
        _advise_value(found, rule, document)


def _advise_terms(found: Findings, item: dict[str, Any], kind: dict[str, Any], at: str) -> None:
    pending = item.get("pending") or kind.get("pending") or {}
    expiry = item.get("expiry") or kind.get("expiry") or {}
    if pending.get("policy") != "after" or expiry.get("policy") not in ("after", "inactivity"):
        return
    if expiry.get("round_up_to", "day") != "day":
        return
    wait, life = pending.get("duration"), expiry.get("duration")
    if wait and life and bounds_of(life)[1] < bounds_of(wait)[0]:
        detail = f"points wait for {wait} and can then be spent for {life} only"
        place = "expiry" if item.get("expiry") else "pending"
        found.warning(f"{at}/{place}/duration", "shorter_than_pending", detail)


def _advise_notices(found: Findings, kind: dict[str, Any], at: str) -> None:
    expiry = kind.get("expiry") or {}
    life = expiry.get("duration")
    if expiry.get("policy") != "after" or not life or expiry.get("round_up_to", "day") != "day":
        return
    # The last day counts as a whole.
    longest = bounds_of(life)[1] + 86_400
    for index, notice in enumerate(expiry.get("notify") or []):
        if bounds_of(notice)[0] > longest:
            detail = f"a notice {notice} before the end, but points live for {life}"
            found.warning(f"{at}/expiry/notify/{index}", "notice_too_early", detail)


def _advise_value(found: Findings, rule: Rule, document: dict[str, Any]) -> None:
    effect = rule.effect
    if effect["do"] != "points_per_amount":
        return
    points, minor = value_of(kind_of(document, effect))
    given, per_minor = effect["points"] * minor, effect["per_minor"] * points
    if given * 100 >= per_minor * _TOO_MUCH:
        detail = (
            f"the rule {rule.key} gives {effect['points']:,} points per {effect['per_minor']:,} "
            f"minor units, which are worth {given * 100 // per_minor} % of what is paid"
        )
        found.warning(f"{rule.at}/effect/points", "gives_back_too_much", detail)
