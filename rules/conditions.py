"""Conditions over facts: checked when saved, compiled once to closures, able to explain themselves.

Owns the meaning of `all`, `any`, `not` and of every operator. It refuses conditions that name
unknown facts, compare what cannot be compared, or are too deep or too large. It is plain
two-valued logic: a comparison with a missing fact is false whatever the operator, and the `not`
of it is true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from rules import operators
from rules.facts import (
    Catalogue,
    Fact,
    Facts,
    FactType,
    Value,
    instant_of,
    literal_problem,
    microseconds_of,
    printable,
    shown,
)
from rules.operators import MEMBERSHIP, ORDERING

MAX_DEPTH = 5
MAX_NODES = 50
MAX_LITERALS = 200

Explanation: TypeAlias = dict[str, Any]
_Test: TypeAlias = Callable[[Facts], bool]
_Explain: TypeAlias = Callable[[Facts], Explanation]

_GROUPS = tuple(operators.GROUPS)
_LEAF = ("fact", "op", "value")
_OPERATORS = operators.OF_TYPE
_ALL_OPERATORS = _OPERATORS["attribute"]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a condition: where (RFC 6901), which kind, and what to do about it."""

    pointer: str
    code: str
    detail: str


def check(condition: object, *, catalogue: Catalogue, pointer: str) -> list[Finding]:
    """Everything that is wrong with `condition`, which stands at `pointer`; never raises."""
    if condition is None:
        return []
    checker = _Checker(catalogue=catalogue, root=pointer)
    checker.node(condition, pointer=pointer, depth=1)
    return checker.findings


@dataclass
class _Checker:
    catalogue: Catalogue
    root: str
    findings: list[Finding] = field(default_factory=list)
    node_count: int = 0

    def report(self, pointer: str, code: str, detail: str) -> None:
        self.findings.append(Finding(pointer, code, detail))

    def node(self, node: object, *, pointer: str, depth: int) -> None:
        self.node_count += 1
        if self.node_count == MAX_NODES + 1:
            detail = f"The condition has more than {MAX_NODES} nodes (groups and comparisons)."
            self.report(self.root, "too_many_nodes", f"{detail} Use `in` for lists, or split it.")
        if self.node_count > MAX_NODES:
            return
        if not isinstance(node, dict):
            detail = f"A condition is an object, not {shown(node)}."
            if node is None:
                detail = "null stands only for a whole condition (always true); leave it out here."
            self.report(pointer, "malformed_condition", detail)
            return
        groups = [key for key in _GROUPS if key in node]
        if len(groups) > 1:
            detail = f"One object holds {' and '.join(groups)}; nest one group inside the other."
            self.report(pointer, "malformed_condition", detail)
        elif groups:
            self.unknown_keys(node, known=(groups[0],), pointer=pointer)
            below = f"{pointer}/{groups[0]}"
            self.group(groups[0], node[groups[0]], pointer=below, depth=depth)
        elif any(key in node for key in _LEAF):
            self.unknown_keys(node, known=_LEAF, pointer=pointer)
            self.leaf(node, pointer=pointer)
        else:
            detail = "Give `all`, `any`, `not`, or a comparison of `fact`, `op` and `value`."
            self.report(pointer, "malformed_condition", detail)

    def unknown_keys(self, node: dict[Any, Any], *, known: tuple[str, ...], pointer: str) -> None:
        for key in node:
            if key not in known:
                detail = f"The key {shown(key)} is not known here; only {_listed(known)} may stand."
                self.report(f"{pointer}/{_token(key)}", "malformed_condition", detail)

    def group(self, kind: str, inner: object, *, pointer: str, depth: int) -> None:
        """Descends no further than the depth allowed, so input of any depth is safe to check."""
        if kind != "not" and not isinstance(inner, list):
            detail = f"`{kind}` takes a list of conditions, not {shown(inner)}."
            self.report(pointer, "malformed_condition", detail)
        elif isinstance(inner, list) and kind == "not":
            detail = "`not` takes one condition, not a list; put `all` or `any` inside it."
            self.report(pointer, "malformed_condition", detail)
        elif inner == []:
            detail = f"An empty `{kind}` says nothing; add a condition or leave the group out."
            self.report(pointer, "malformed_condition", detail)
        elif depth == MAX_DEPTH:
            detail = f"The condition is more than {MAX_DEPTH} levels deep here; flatten its groups."
            self.report(pointer, "too_deep", detail)
        elif isinstance(inner, list):
            for index, child in enumerate(inner):
                self.node(child, pointer=f"{pointer}/{index}", depth=depth + 1)
                if self.node_count > MAX_NODES:
                    return
        else:
            self.node(inner, pointer=pointer, depth=depth + 1)

    def leaf(self, node: dict[Any, Any], *, pointer: str) -> None:
        missing = [key for key in _LEAF if key not in node]
        if missing:
            detail = f"The comparison lacks {_listed(missing)}; it takes {_listed(_LEAF)}."
            self.report(pointer, "malformed_condition", detail)
        fact = self.fact(node["fact"], pointer=f"{pointer}/fact") if "fact" in node else None
        if "op" not in node:
            return
        op = node["op"]
        if not isinstance(op, str) or op not in _ALL_OPERATORS:
            detail = f"{shown(op)} is no operator; use one of {_listed(_ALL_OPERATORS)}."
            self.report(f"{pointer}/op", "wrong_operator", detail)
            return
        if fact is None:
            return
        if op not in _OPERATORS[fact.type]:
            detail = f"`{op}` does not apply to {shown(node['fact'])}, a fact of type {fact.type};"
            detail = f"{detail} use one of {_listed(_OPERATORS[fact.type])}."
            self.report(f"{pointer}/op", "wrong_operator", detail)
        if "value" in node:
            subject = f"`{op}` on {shown(node['fact'])}"
            for suffix, problem in _value_problems(op, node["value"], type_=fact.type):
                detail = f"{subject} {problem}"
                self.report(f"{pointer}/value{suffix}", "wrong_type", detail)

    def fact(self, name: object, *, pointer: str) -> Fact | None:
        if not isinstance(name, str):
            detail = f"`fact` is the name of a fact, not {shown(name)}."
            self.report(pointer, "malformed_condition", detail)
            return None
        fact = self.catalogue.find(name)
        if fact is None:
            detail = f"There is no fact {shown(name)} here. {self.catalogue.suggestion(name)}"
            self.report(pointer, "unknown_fact", detail)
        return fact


def _value_problems(op: str, value: object, *, type_: FactType) -> list[tuple[str, str]]:
    """Pairs of a pointer below the value and what is wrong there."""
    if op not in MEMBERSHIP:
        problem = literal_problem(value, type_=type_) or _attribute_problem(op, value, type_=type_)
        return [("", problem)] if problem else []
    if not isinstance(value, list):
        return [("", f"takes a list of values, not {shown(value)}.")]
    if not 1 <= len(value) <= MAX_LITERALS:
        return [("", f"takes 1 to {MAX_LITERALS} values, not {len(value)}.")]
    problems = []
    for index, item in enumerate(value):
        problem = literal_problem(item, type_=type_)
        if problem is None and type_ == "attribute" and type(item) is not type(value[0]):
            problem = f"takes values of one type; {shown(item)} is of another than the first."
        if problem:
            problems.append((f"/{index}", problem))
    return problems


def _attribute_problem(op: str, value: object, *, type_: FactType) -> str | None:
    if type_ != "attribute":
        return None
    if op in ORDERING and type(value) is not int:
        return f"takes an integer, not {shown(value)}; other attributes have no order."
    if op == "contains" and not isinstance(value, str):
        return f"takes a text, not {shown(value)}."
    return None


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _token(key: object) -> str:
    return printable(str(key)).replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. `matches` and `explain` take the facts; `facts` are the names read."""

    # Closures held as fields, not methods: a rule is judged millions of times in a replay.
    matches: _Test
    explain: _Explain
    facts: frozenset[str]


def compile_condition(condition: object, *, catalogue: Catalogue) -> Condition:
    """Builds the closures of a condition that passes `check`; ValueError for any other."""
    findings = check(condition, catalogue=catalogue, pointer="")
    if findings:
        first = findings[0]
        raise ValueError(f"{first.code} at {first.pointer or 'the root'}: {first.detail}")
    if not isinstance(condition, dict):
        return Condition(lambda _: True, lambda _: {"is_met": True}, frozenset())
    names: set[str] = set()
    test, explain = _compile(condition, catalogue=catalogue, names=names)
    return Condition(test, explain, frozenset(names))


def _compile(
    node: dict[str, Any], *, catalogue: Catalogue, names: set[str]
) -> tuple[_Test, _Explain]:
    if "fact" in node:
        names.add(node["fact"])
        return _compile_leaf(node, type_=catalogue.get(node["fact"]).type)
    if "not" in node:
        test, explain = _compile(node["not"], catalogue=catalogue, names=names)
        return (lambda facts: not test(facts)), _explain_not(explain)
    kind = "all" if "all" in node else "any"
    parts = [_compile(child, catalogue=catalogue, names=names) for child in node[kind]]
    tests = tuple(part[0] for part in parts)
    explains = tuple(part[1] for part in parts)
    return (_all if kind == "all" else _any)(tests), _explain_group(kind, explains)


def _all(tests: Sequence[_Test]) -> _Test:
    first, *rest = tests
    if not rest:
        return first
    second = _all(rest)
    return lambda facts: first(facts) and second(facts)


def _any(tests: Sequence[_Test]) -> _Test:
    first, *rest = tests
    if not rest:
        return first
    second = _any(rest)
    return lambda facts: first(facts) or second(facts)


def _compile_leaf(node: dict[str, Any], *, type_: FactType) -> tuple[_Test, _Explain]:
    name, op, value = node["fact"], node["op"], node["value"]
    many = op in MEMBERSHIP
    literal = value
    if type_ == "instant":
        literal = [microseconds_of(item) for item in value] if many else microseconds_of(value)
    test = _leaf_test(name, op, literal, type_=type_)

    def explain(facts: Facts) -> Explanation:
        actual = facts.get(name)
        return {
            "fact": name,
            "op": op,
            "value": list(value) if many else value,
            "actual": _readable(actual, type_=type_),
            "is_met": test(facts),
        }

    return test, explain


# Mirrored, for the literal is bound first: `actual < literal` is `literal > actual`.
_MIRRORED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.gt,
    "<=": operator.ge,
    ">": operator.lt,
    ">=": operator.le,
}


def _holds(op: str, literal: Any) -> Callable[[Any], bool]:
    """The comparison with one literal, for actual values already known to be of its type."""
    if op == "contains":
        return lambda actual: literal in actual
    if op == "in":
        return frozenset(literal).__contains__
    if op == "not_in":
        excluded = frozenset(literal)
        return lambda actual: actual not in excluded
    return partial(_MIRRORED[op], literal)


def _leaf_test(name: str, op: str, literal: Any, *, type_: FactType) -> _Test:
    """A value that is missing or not of the fact's type meets no comparison, whatever the operator.

    An attribute may also be a list of texts; membership operators then judge its elements.
    """
    if type_ == "attribute":
        sample = literal[0] if op in MEMBERSHIP else literal
        if isinstance(sample, str):
            text = _leaf_test(name, op, literal, type_="text")
            if op not in _OPERATORS["list"]:
                return text
            # Only the one of the two that fits the actual value's type can be true.
            return _any((text, _leaf_test(name, op, literal, type_="list")))
        type_ = "boolean" if isinstance(sample, bool) else "integer"
    if type_ == "list":
        return _list_test(name, op, literal)
    holds = _holds(op, literal)
    if type_ in ("text", "date"):
        return lambda facts: isinstance(actual := facts.get(name), str) and holds(actual)
    kind = bool if type_ == "boolean" else int
    # Not isinstance: true is an int to Python, and 1 is not true to us.
    return lambda facts: type(actual := facts.get(name)) is kind and holds(actual)


def _list_test(name: str, op: str, literal: Any) -> _Test:
    if op == "contains":
        return lambda facts: isinstance(actual := facts.get(name), list) and literal in actual
    apart = frozenset(literal).isdisjoint
    if op == "not_in":
        return lambda facts: isinstance(actual := facts.get(name), list) and apart(actual)
    return lambda facts: isinstance(actual := facts.get(name), list) and not apart(actual)


def _readable(actual: Value, *, type_: FactType) -> Value:
    """The actual value in the form that the condition's own literals have."""
    if type_ == "instant" and type(actual) is int:
        try:
            return instant_of(actual)
        except OverflowError:
            return actual
    return actual


def _explain_not(explain: _Explain) -> _Explain:
    def explain_not(facts: Facts) -> Explanation:
        inner = explain(facts)
        return {"not": inner, "is_met": not inner["is_met"]}

    return explain_not


def _explain_group(kind: str, explains: tuple[_Explain, ...]) -> _Explain:
    combine = all if kind == "all" else any

    def explain_group(facts: Facts) -> Explanation:
        parts = [explain(facts) for explain in explains]
        return {kind: parts, "is_met": combine(part["is_met"] for part in parts)}

    return explain_group


def first_unmet(explanation: Explanation) -> list[Explanation]:
    """The comparisons that keep an unmet condition from being met, in the order written.

    One that is met itself (`is_met` true) stands under a `not`: it would have to stop being met.
    """
    return [] if explanation["is_met"] else _in_the_way(explanation)


def _in_the_way(explanation: Explanation) -> list[Explanation]:
    """The leaves that make `explanation` what it is: of a group, those of the parts like itself."""
    if "not" in explanation:
        return _in_the_way(explanation["not"])
    for kind in ("all", "any"):
        if kind in explanation:
            alike = [p for p in explanation[kind] if p["is_met"] == explanation["is_met"]]
            return [leaf for part in alike for leaf in _in_the_way(part)]
    return [explanation]
