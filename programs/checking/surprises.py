"""The check of surprises: what brings them, what they bring, what bounds them, what notes say."""

from typing import Any

from core import clock
from programs import triggers
from programs.checking.activities import declared
from programs.checking.findings import Findings
from programs.checking.limits import check_limits
from programs.checking.rules import check_effect
from programs.surprises import CERTAIN_PPM, PLACE, PLACES
from rules import conditions


def check_surprises(found: Findings, document: dict[str, Any]) -> None:
    """The surprises of a document."""
    for index, surprise in enumerate(document.get("surprises") or []):
        at = f"/surprises/{index}"
        trigger = surprise.get("trigger", "order")
        facts = triggers.find_facts(trigger, declared(document))
        if facts is None:
            found.error(
                f"{at}/trigger", f"is no trigger; there are: {', '.join(triggers.available())}"
            )
            continue
        for one in conditions.check(surprise.get("when"), catalogue=facts, pointer=f"{at}/when"):
            found.error(one.pointer, one.detail, one.code)
        _check_trigger(found, surprise, trigger, at)
        _check_prizes(found, document, surprise, trigger, at)
        _check_bounds(found, surprise, at)


def _check_trigger(found: Findings, surprise: dict[str, Any], trigger: str, at: str) -> None:
    silent_for = surprise.get("silent_for")
    if trigger == triggers.SILENCE:
        if silent_for is None:
            found.error(f"{at}/silent_for", "is required by silence", "required")
        elif clock.parse_duration(silent_for) == clock.Duration():
            found.error(f"{at}/silent_for", "must be longer than nothing")
    elif silent_for is not None:
        found.error(f"{at}/silent_for", "belongs to the trigger silence alone", "unknown_field")


def _check_prizes(
    found: Findings, document: dict[str, Any], surprise: dict[str, Any], trigger: str, at: str
) -> None:
    kinds = {kind["key"] for kind in document["points"]}
    cards = {card["key"] for card in document.get("cards") or []}
    rewards = {reward["key"] for reward in document.get("rewards") or []}
    if not surprise.get("prizes"):
        found.error(f"{at}/prizes", "needs one prize at least", "required")
    for number, prize in enumerate(surprise.get("prizes") or []):
        where = f"{at}/prizes/{number}"
        effects = prize.get("effects") or []
        if not effects and not prize.get("note"):
            found.error(where, "needs effects or a note: it brings nothing", "required")
        for place, effect in enumerate(effects):
            pointer = f"{where}/effects/{place}"
            check_effect(found, effect, kinds, cards, rewards=rewards, trigger=trigger, at=pointer)
            if effect.get("counts_for_tier"):
                found.error(f"{pointer}/counts_for_tier", "no surprise counts for tiers")
            if effect["do"] == "multiply_points":
                found.error(f"{pointer}/do", "a surprise has no points of its own to multiply")
        _check_note(found, prize, where)


def _check_note(found: Findings, prize: dict[str, Any], at: str) -> None:
    """Merge fields are looked up by exact name; whatever else looks like one is refused."""
    gives = {effect["do"] for effect in prize.get("effects") or []}
    has_points = not gives.isdisjoint({"add_points", "points_per_amount", "points_per_unit"})
    for locale, text in (prize.get("note") or {}).items():
        where = f"{at}/note/{locale}"
        for name in PLACE.findall(text):
            if name not in PLACES:
                known = ", ".join(f"{{{{{one}}}}}" for one in PLACES)
                found.error(where, f"{{{{{name}}}}} is none of what is filled in: {known}")
            elif name == "reward.name" and "grant_reward" not in gives:
                found.error(where, "names a reward, and the prize grants none")
            elif name == "points" and not has_points:
                found.error(where, "names points, and the prize gives none")
        rest = PLACE.sub("", text)
        if "{{" in rest or "}}" in rest or "{%" in rest or "{#" in rest:
            found.error(where, "has {{ or }} that stand for no field; nothing is evaluated here")


def _check_bounds(found: Findings, surprise: dict[str, Any], at: str) -> None:
    check_limits(found, surprise | {"effect": {"do": "surprise"}}, at)
    for number, limit in enumerate(surprise.get("limits") or []):
        if "points" in limit:
            found.error(f"{at}/limits/{number}/points", "limit the times, or give a budget")
        if limit.get("per") == "order":
            found.error(f"{at}/limits/{number}/per", "must be member or program")
    cooldown = surprise.get("cooldown")
    if cooldown is not None and clock.parse_duration(cooldown) == clock.Duration():
        found.error(f"{at}/cooldown", "must be longer than nothing")
    pity, probability = surprise.get("pity_after"), surprise.get("probability_ppm", CERTAIN_PPM)
    if pity is not None and probability == CERTAIN_PPM:
        found.error(f"{at}/pity_after", "means nothing where every draw wins", "unknown_field")
    _check_budget(found, surprise.get("budget") or {}, f"{at}/budget")


def _check_budget(found: Findings, budget: dict[str, Any], at: str) -> None:
    per_day = budget.get("per_day")
    if per_day is not None and per_day > budget["total"]:
        found.error(f"{at}/per_day", "is more than the total")
    if budget.get("pacing") and budget.get("ends_at") is None:
        found.error(f"{at}/ends_at", "is required by pacing: until when is it to last?", "required")
