"""Whether a condition can hold at all: a proof that it cannot, or nothing.

A condition is taken apart into alternatives, each a list of comparisons that must, or must not,
hold together. An alternative falls when one fact has no value for all of its comparisons: tried
are a value at, beside and between all that are compared with, which is every case that there is.
What would take too long to take apart is taken to hold.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rules.conditions import compile_condition
from rules.facts import Catalogue, FactType, Value, instant_of, microseconds_of

#: Integers that count things or sums that are never less than nothing.
NOT_NEGATIVE = frozenset(
    {
        "order.net_minor",
        "order.gross_minor",
        "order.discount_minor",
        "order.item_count",
        "order.line_count",
        "line.net_minor",
        "line.quantity",
        "member.order_count",
        "member.days_since_joined",
        "member.days_since_last_order",
    }
)
_ALTERNATIVES_MAX = 200


#: By the comparisons of one fact, whether they can hold together.
_Tried = dict[tuple[tuple[int, bool], ...], bool]


@dataclass(frozen=True, slots=True)
class Demand:
    """A comparison that must hold, or must not."""

    leaf: dict[str, Any]
    is_met: bool

    @property
    def condition(self) -> dict[str, Any]:
        """The demand as a condition."""
        return self.leaf if self.is_met else {"not": self.leaf}


def conflict(condition: Any, catalogue: Catalogue) -> tuple[Demand, ...] | None:
    """Comparisons with one fact that can never hold together, of a condition that cannot hold;
    None when it can. Of several alternatives, those of the first."""
    if condition is None:
        return None
    tried: _Tried = {}
    # What every alternative demands, first: there may be very many of them.
    first = _conflict(tuple(_sure(condition, is_met=True)), catalogue, tried)
    if first is not None:
        return first
    for number, alternative in enumerate(_alternatives(condition, is_met=True)):
        if number >= _ALTERNATIVES_MAX:
            return None
        found = _conflict(alternative, catalogue, tried)
        if found is None:
            return None
        first = first or found
    return first


def can_both_hold(one: Any, other: Any, catalogue: Catalogue) -> bool:
    """Whether two conditions may hold at once, as far as is known."""
    parts = [part for part in (one, other) if part is not None]
    return not parts or conflict({"all": parts}, catalogue) is None


def leaves(condition: Any, pointer: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every comparison of a condition with its pointer."""
    if not isinstance(condition, dict):
        return
    if "fact" in condition:
        yield condition, pointer
    elif "not" in condition:
        yield from leaves(condition["not"], f"{pointer}/not")
    for kind in ("all", "any"):
        for index, child in enumerate(condition.get(kind) or ()):
            yield from leaves(child, f"{pointer}/{kind}/{index}")


def _alternatives(node: dict[str, Any], *, is_met: bool) -> Iterator[tuple[Demand, ...]]:
    """Lists of demands of which one must be met as a whole, made one after the other."""
    if "fact" in node:
        yield (Demand(node, is_met),)
    elif "not" in node:
        yield from _alternatives(node["not"], is_met=not is_met)
    elif ("all" in node) == is_met:
        yield from _joined(node.get("all") or node.get("any") or [], is_met=is_met)
    else:
        for child in node.get("all") or node.get("any") or []:
            yield from _alternatives(child, is_met=is_met)


def _sure(node: dict[str, Any], *, is_met: bool) -> Iterator[Demand]:
    """The demands that are in every alternative."""
    if "fact" in node:
        yield Demand(node, is_met)
    elif "not" in node:
        yield from _sure(node["not"], is_met=not is_met)
    else:
        children = node.get("all") or node.get("any") or []
        if ("all" in node) == is_met or len(children) == 1:
            for child in children:
                yield from _sure(child, is_met=is_met)


def _joined(nodes: Sequence[dict[str, Any]], *, is_met: bool) -> Iterator[tuple[Demand, ...]]:
    if not nodes:
        yield ()
        return
    for head in _alternatives(nodes[0], is_met=is_met):
        for tail in _joined(nodes[1:], is_met=is_met):
            yield (*head, *tail)


def _conflict(
    demands: Sequence[Demand], catalogue: Catalogue, tried: _Tried
) -> tuple[Demand, ...] | None:
    by_fact: dict[str, list[Demand]] = {}
    for demand in demands:
        by_fact.setdefault(demand.leaf["fact"], []).append(demand)
    for name, own in by_fact.items():
        # A fact that is missing meets whatever must not hold.
        if not any(demand.is_met for demand in own):
            continue
        key = tuple((id(demand.leaf), demand.is_met) for demand in own)
        if key not in tried:
            tried[key] = _is_possible(name, own, catalogue)
        if not tried[key]:
            return _fewest(name, own, catalogue)
    return None


def _fewest(name: str, demands: list[Demand], catalogue: Catalogue) -> tuple[Demand, ...]:
    """The same conflict without the demands that have no part in it."""
    for one in demands:
        if one.is_met and not _is_possible(name, [one], catalogue):
            return (one,)
    for pair in itertools.combinations(demands, 2):
        if any(one.is_met for one in pair) and not _is_possible(name, pair, catalogue):
            return pair
    return tuple(demands)


def _is_possible(name: str, demands: Sequence[Demand], catalogue: Catalogue) -> bool:
    fact = catalogue.get(name)
    condition = {"all": [demand.condition for demand in demands]}
    test = compile_condition(condition, catalogue=catalogue)
    return any(
        test.matches({name: value})
        for value in _values(fact.type, demands)
        if not (name in NOT_NEGATIVE and isinstance(value, int) and value < 0)
    )


def _values(type_: FactType, demands: Sequence[Demand]) -> Iterator[Value]:
    """Values of a fact among which is one of every kind that its comparisons tell apart."""
    literals: list[Any] = []
    for demand in demands:
        literals += _listed(demand)
    if type_ == "instant":
        yield from _around(microseconds_of(one) for one in literals)
    elif type_ == "date":
        yield from _days(literals)
    if type_ in ("integer", "attribute"):
        yield from _around(one for one in literals if type(one) is int)
    if type_ in ("boolean", "attribute"):
        yield from (True, False)
    if type_ in ("text", "attribute"):
        yield from _texts(demands, [one for one in literals if isinstance(one, str)])
    if type_ in ("list", "attribute"):
        yield _most(demands, [one for one in literals if isinstance(one, str)])


def _listed(demand: Demand) -> list[Any]:
    value = demand.leaf["value"]
    return value if isinstance(value, list) else [value]


def _around(literals: Iterator[int] | Any) -> Iterator[int]:
    yield 0
    for one in literals:
        yield from (one - 1, one, one + 1)


def _days(literals: list[str]) -> Iterator[str]:
    yield "2000-01-01"
    for one in literals:
        day = date.fromisoformat(one)
        for step in (-1, 0, 1):
            if date.min.toordinal() <= day.toordinal() + step <= date.max.toordinal():
                yield (day + timedelta(days=step)).isoformat()


def _texts(demands: Sequence[Demand], literals: list[str]) -> Iterator[str]:
    """Each that is compared with, one that is none of them, and one that holds all that must be
    held and nothing that lies across two of these."""
    held = [
        demand.leaf["value"]
        for demand in demands
        if demand.leaf["op"] == "contains"
        and demand.is_met
        and isinstance(demand.leaf["value"], str)
    ]
    apart = _apart(literals)
    yield from literals
    yield apart.join(["", *held, ""]) or apart


def _most(demands: Sequence[Demand], literals: list[str]) -> list[str]:
    """The longest list without anything that must not be in it: more only helps."""
    excluded: set[Any] = set()
    for demand in demands:
        op = demand.leaf["op"]
        if op in ("contains", "in", "not_in") and (op == "not_in") == demand.is_met:
            excluded.update(_listed(demand))
    return [one for one in dict.fromkeys(literals) if one not in excluded] + [_apart(literals)]


def _apart(literals: list[str]) -> str:
    """A character that is in none of these."""
    known = set("".join(literals))
    return next(chr(one) for one in range(0xE000, 0xF8FF) if chr(one) not in known)


def readable(demand: Demand, catalogue: Catalogue) -> str:
    """A demand as a sentence shows it."""
    leaf, value = demand.leaf, demand.leaf["value"]
    shown = ", ".join(map(str, value[:5])) if isinstance(value, list) else str(value)
    if isinstance(value, bool):
        shown = "true" if value else "false"
    elif catalogue.get(leaf["fact"]).type == "instant" and not isinstance(value, list):
        shown = instant_of(microseconds_of(value))
    text = f"{leaf['fact']} {leaf['op']} {shown}"
    return text if demand.is_met else f"not ({text})"
