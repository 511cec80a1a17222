"""Reducing: what an order and its decisions must keep of an erased member.

An order can still be refunded, with the points that it was decided to deserve, so all that its
pinned version asks must be answered as before. What nothing asks for goes; where a rule compares
a text or a number of the storefront's own, a value is kept that every comparison answers alike:
none, an empty one, or one that stands in the rule itself. Reducing twice changes nothing. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from programs.compiled import Compiled
from programs.referrals import SIDES, trigger_of
from rules.conditions import Condition, Explanation
from rules.effects import GIVEN, AddPoints

#: Facts that may say who somebody is, as far as they are not asked for.
_PERSONAL = ("member.attributes.", "order.attributes.", "line.attributes.", "activity.facts.")
_ALSO_PERSONAL = frozenset({"member.locale", "order.codes", "order.location_ref"})
#: Facts that are never missing, only empty.
_ALWAYS_THERE = frozenset({"order.codes"})
#: What of an order no rule can ask for.
_NOT_ASKED = ("member_ref", "subscription_ref", "contact", "visitor", "referral")

_ABSENT = object()


def conditions(program: Compiled, trigger: str) -> tuple[list[Condition], list[Condition]]:
    """What a version asks of facts, and what of lines; of an order its referral offers ask, too:
    whoever brought the person is paid by it. So do surprises, and prizes that are shares of it."""
    rules = program.rules_of(trigger)
    asked = [rule.when for rule in rules]
    for offer in program.offers:
        if trigger == offer.trigger == "order":
            asked.append(offer.when)
            for side in SIDES:
                rules = (*rules, *program.rules_of(trigger_of(side, offer.key)))
    for surprise in program.surprises.of(trigger):
        asked.append(surprise.when)
        rules = (*rules, *(rule for prize in surprise.prizes for rule in prize.effects))
    lines = [
        rule.effect.lines
        for rule in rules
        if not isinstance(rule.effect, AddPoints | GIVEN) and rule.effect.lines is not None
    ]
    return asked, lines


def reduce_facts(facts: Mapping[str, Any], asked: Sequence[Condition]) -> dict[str, Any]:
    """Facts without what says who somebody is; every condition of `asked` holds as before."""
    kept = {}
    for name, value in facts.items():
        is_personal = name in _ALSO_PERSONAL or name.startswith(_PERSONAL)
        left = _reduced(name, value, asked) if is_personal else value
        if left is not _ABSENT:
            kept[name] = left
    return kept


def _reduced(name: str, value: Any, asked: Sequence[Condition]) -> Any:
    asking = [one for one in asked if name in one.facts]
    wanted = _answers(name, value, asking)
    literals = list(_literals(name, asking))
    for candidate in _candidates(name, value, literals):
        if _answers(name, candidate, asking) == wanted:
            return candidate
    return value


def _answers(name: str, value: Any, asking: Sequence[Condition]) -> list[bool]:
    """What each comparison with the fact says of a value."""
    facts = {} if value is _ABSENT else {name: value}
    return [
        leaf["is_met"]
        for one in asking
        for leaf in _leaves(one.explain(facts))
        if leaf["fact"] == name
    ]


def _leaves(explanation: Explanation) -> Iterator[Explanation]:
    if "fact" in explanation:
        yield explanation
    elif "not" in explanation:
        yield from _leaves(explanation["not"])
    else:
        for part in explanation.get("all") or explanation.get("any") or ():
            yield from _leaves(part)


def _literals(name: str, asking: Sequence[Condition]) -> Iterator[Any]:
    """The values that the fact is compared with."""
    for one in asking:
        for leaf in _leaves(one.explain({})):
            if leaf["fact"] == name:
                yield from leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]]


def _candidates(name: str, value: Any, literals: Sequence[Any]) -> Iterator[Any]:
    """Values that say less than `value`, the least telling first."""
    if name not in _ALWAYS_THERE:
        yield _ABSENT
    if isinstance(value, list):
        yield []
        yield [literal for literal in dict.fromkeys(literals) if literal in value]
    elif isinstance(value, str):
        yield ""
        yield from (literal for literal in literals if isinstance(literal, str))
    elif type(value) is int:
        yield 0
        for literal in literals:
            if type(literal) is int:
                yield from (literal, literal - 1, literal + 1)


def reduce_order(body: Mapping[str, Any], program: Compiled) -> dict[str, Any]:
    """An order as told, without what says whose it is."""
    of_order, of_lines = conditions(program, "order")
    kept = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    facts = {f"order.{name}": body[name] for name in ("codes", "location_ref") if body.get(name)}
    for name in ("codes", "location_ref"):
        kept.pop(name, None)
    for name, value in reduce_facts(facts, of_order).items():
        kept[name.removeprefix("order.")] = value
    _reduce_attributes(kept, "order", of_order)
    kept["lines"] = []
    for line in body["lines"]:
        # A line's name may be what was engraved.
        shorter = {name: value for name, value in line.items() if name != "name"}
        _reduce_attributes(shorter, "line", of_lines)
        kept["lines"].append(shorter)
    return kept


def _reduce_attributes(thing: dict[str, Any], kind: str, asked: Sequence[Condition]) -> None:
    prefix = f"{kind}.attributes."
    given = {f"{prefix}{name}": value for name, value in (thing.pop("attributes", {})).items()}
    kept = reduce_facts(given, asked)
    if kept:
        thing["attributes"] = {name.removeprefix(prefix): value for name, value in kept.items()}


def reduce_decision(facts: Mapping[str, Any], program: Compiled, trigger: str) -> dict[str, Any]:
    """The facts of a decision as it stores them, without what says whose it is."""
    asked, _ = conditions(program, str(facts.get("trigger", trigger)))
    kept = dict(facts)
    for part in ("member", "order", "order_whole", "own"):
        if part in kept:
            kept[part] = reduce_facts(kept[part], asked)
    return kept
