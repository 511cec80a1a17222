"""The check of stamp cards: their terms, what they bring, and cards that complete each other."""

from typing import Any

from programs import triggers
from programs.cards import TRIGGER
from programs.checking.findings import Findings
from programs.checking.rules import check_effect
from rules import conditions


def check_cards(found: Findings, document: dict[str, Any]) -> None:
    """The cards, and the rules that listen to them."""
    cards = document.get("cards") or []
    keys = {card["key"] for card in cards}
    kinds = {kind["key"] for kind in document["points"]}
    rewards = {reward["key"] for reward in document.get("rewards") or []}
    rules = (document.get("earning") or {}).get("rules") or []
    for index, card in enumerate(cards):
        at = f"/cards/{index}"
        if card.get("expires") and not card.get("expires_after"):
            found.error(f"{at}/expires", "means nothing without expires_after", "unknown_field")
        for number, effect in enumerate(card.get("effects") or []):
            check_effect(
                found,
                effect,
                kinds,
                keys,
                rewards=rewards,
                trigger=TRIGGER,
                at=f"{at}/effects/{number}",
            )
    _check_rule_keys(found, rules, keys)
    surprises = document.get("surprises") or []
    _check_cycles(found, cards, rules + _prizes(surprises))
    _check_use(found, cards, rules, surprises)


def _check_rule_keys(found: Findings, rules: list[dict[str, Any]], keys: set[str]) -> None:
    """A decision names rules by their keys, and what a card brings by the card's."""
    for index, rule in enumerate(rules):
        if rule.get("trigger") == TRIGGER and rule["key"] in keys:
            found.error(
                f"/earning/rules/{index}/key",
                f"is the key of a card; a {TRIGGER} rule needs another",
                "duplicate",
            )


def _stamps_of(effect: dict[str, Any]) -> str | None:
    return effect.get("card") if effect["do"] == "add_stamps" else None


def _prizes(surprises: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What prizes bring, as rules of the surprise's trigger; of a paused surprise too, since a
    switch makes it live again."""
    return [
        {"trigger": surprise.get("trigger", "order"), "when": surprise.get("when"), "effect": one}
        for surprise in surprises
        for prize in surprise.get("prizes") or []
        for one in prize.get("effects") or []
    ]


def _check_use(
    found: Findings,
    cards: list[dict[str, Any]],
    rules: list[dict[str, Any]],
    surprises: list[dict[str, Any]],
) -> None:
    """Warnings for cards that nobody can fill, or that bring nothing."""
    given = {_stamps_of(rule["effect"]) for rule in rules + _prizes(surprises)}
    given |= {_stamps_of(effect) for card in cards for effect in card.get("effects") or []}
    for index, card in enumerate(cards):
        if card["key"] not in given:
            found.warning(
                f"/cards/{index}",
                "no_stamps",
                "neither a rule nor a surprise adds stamps to this card: nobody fills it",
            )
        listens = any(one.get("trigger") == TRIGGER for one in rules + surprises)
        if not card.get("effects") and not listens:
            found.warning(
                f"/cards/{index}/effects", "nothing_earns", "completing this card brings nothing"
            )


def _check_cycles(
    found: Findings, cards: list[dict[str, Any]], rules: list[dict[str, Any]]
) -> None:
    """An error for a card that may come to stamp itself, over others or directly, by rules or by
    prizes: it would stand on its own stamps when all that filled it is gone."""
    onwards: dict[str, set[str]] = {}
    for card in cards:
        targets = {_stamps_of(effect) for effect in card.get("effects") or []}
        targets |= {
            _stamps_of(rule["effect"])
            for rule in rules
            if rule.get("trigger") == TRIGGER and True in _may_be(rule.get("when"), card["key"])
        }
        onwards[card["key"]] = {target for target in targets if target is not None}
    for index, card in enumerate(cards):
        reached, waiting = set[str](), list(onwards[card["key"]])
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached.add(key)
                waiting += onwards.get(key, ())
        if card["key"] in reached:
            found.error(
                f"/cards/{index}",
                "completing this card may add stamps to it again; let cards stamp one way only",
            )


def _may_be(when: Any, key: str) -> set[bool]:
    """What a condition can come to when this card is complete; it may know only the card."""
    if when is None:
        return {True}
    if not isinstance(when, dict):
        return {True, False}
    if "not" in when:
        return {not one for one in _may_be(when["not"], key)}
    for word, is_enough in (("all", False), ("any", True)):
        if isinstance(when.get(word), list):
            parts = [_may_be(part, key) for part in when[word]]
            otherwise = not is_enough
            found = {is_enough} if any(is_enough in part for part in parts) else set[bool]()
            return found | ({otherwise} if all(otherwise in part for part in parts) else set())
    if when.get("fact") == "card.key":
        facts = triggers.find_facts(TRIGGER)
        assert facts is not None
        if conditions.check(when, catalogue=facts, pointer=""):
            return {True, False}
        return {conditions.compile_condition(when, catalogue=facts).matches({"card.key": key})}
    return {True, False}
