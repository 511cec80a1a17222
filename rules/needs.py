"""Needs: what would have made a condition hold, from its explanation.

Pure. A condition that was not met has ways in which it would be: each changes some facts, all of
them together, so that it is met. Integers are solved exactly, over everything that the way asks
of a fact, those comparisons included that are met already. Refuses to put it into words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from rules.conditions import Explanation

#: So many ways are looked at, and so many comparisons of one.
_WAYS_MAX = 64

_NEGATED = {
    "=": "!=",
    "!=": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not_in",
    "not_in": "in",
    "contains": "lacks",
}


@dataclass(frozen=True, slots=True)
class Need:
    """A fact that would have to be otherwise: `op` `value` is what is asked of it, as it reads
    after every `not`; an integer's `needed` is the nearest that does, None for other types."""

    fact: str
    op: str
    value: Any
    actual: Any
    needed: int | None = None


Way = tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class _Leaf:
    fact: str
    op: str
    value: Any
    actual: Any
    is_wanted: bool
    is_met: bool

    @property
    def is_right(self) -> bool:
        return self.is_met == self.is_wanted

    @property
    def asked(self) -> str:
        return self.op if self.is_wanted else _NEGATED[self.op]

    def allows(self, value: int) -> bool:
        """Whether an integer, which is there, would be right."""
        return _compares(self.op, value, self.value) == self.is_wanted


def ways(explanation: Explanation) -> list[Way]:
    """The ways in which an unmet condition would be met, the one that changes least first; none
    when it is met, or when it never can be by what is known of its facts."""
    if explanation["is_met"]:
        return []
    found: list[Way] = []
    for leaves in _ways(explanation, is_wanted=True):
        way = _solved(leaves)
        if way is not None and way not in found:
            found.append(way)
    return sorted(found, key=len)


def _ways(explanation: Explanation, *, is_wanted: bool) -> list[tuple[_Leaf, ...]]:
    if "not" in explanation:
        return _ways(explanation["not"], is_wanted=not is_wanted)
    parts = explanation.get("all") or explanation.get("any")
    if parts is None:
        return [(_leaf(explanation, is_wanted=is_wanted),)] if "fact" in explanation else [()]
    inner = [_ways(part, is_wanted=is_wanted) for part in parts]
    if ("all" in explanation) == is_wanted:
        return [
            tuple(leaf for way in combination for leaf in way)
            for combination in _first(product(*inner))
        ]
    return list(_first(way for part in inner for way in part))


def _first(items: Any) -> Iterator[Any]:
    return (item for item, _ in zip(items, range(_WAYS_MAX), strict=False))


def _leaf(explanation: Explanation, *, is_wanted: bool) -> _Leaf:
    return _Leaf(
        explanation["fact"],
        explanation["op"],
        explanation["value"],
        explanation["actual"],
        is_wanted,
        explanation["is_met"],
    )


def _solved(leaves: Sequence[_Leaf]) -> Way | None:
    """What of a way is still wanting; None when it asks for what cannot be."""
    by_fact: dict[str, list[_Leaf]] = {}
    for leaf in leaves:
        by_fact.setdefault(leaf.fact, []).append(leaf)
    needs: list[Need] = []
    for of_fact in by_fact.values():
        wanting = [leaf for leaf in of_fact if not leaf.is_right]
        if not wanting:
            continue
        if all(_is_integer(leaf) for leaf in of_fact):
            needed = _nearest(of_fact)
            if needed is None:
                return None
            first = wanting[0]
            needs.append(Need(first.fact, first.asked, first.value, first.actual, needed))
        else:
            needs += [
                need
                for need in (Need(one.fact, one.asked, one.value, one.actual) for one in wanting)
                if need not in needs
            ]
    return tuple(needs)


def _is_integer(leaf: _Leaf) -> bool:
    values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
    is_known = leaf.actual is None or type(leaf.actual) is int
    return is_known and leaf.op != "contains" and all(type(one) is int for one in values)


def _nearest(leaves: Sequence[_Leaf]) -> int | None:
    """The integer nearest to the actual one that every comparison allows; the greater of two."""
    actual = leaves[0].actual or 0
    values = [
        value
        for leaf in leaves
        for value in (leaf.value if isinstance(leaf.value, list) else [leaf.value])
    ]
    candidates = {value + step for value in values for step in (-1, 0, 1)}
    fitting = [one for one in candidates if all(leaf.allows(one) for leaf in leaves)]
    return min(fitting, key=lambda one: (abs(one - actual), -one), default=None)


def _compares(op: str, actual: int, value: Any) -> bool:
    if op in ("in", "not_in"):
        return (actual in value) == (op == "in")
    holds: dict[str, bool] = {
        "=": actual == value,
        "!=": actual != value,
        "<": actual < value,
        "<=": actual <= value,
        ">": actual > value,
        ">=": actual >= value,
    }
    return holds[op]
