"""Compiled conditions agree with a naive reading of them, and the check survives any JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import check, compile_condition, first_unmet
from rules.facts import Catalogue, Fact, FactType

TYPES: dict[str, FactType] = {
    "n": "integer",
    "t": "text",
    "b": "boolean",
    "i": "instant",
    "d": "date",
    "l": "list",
    "a.*": "attribute",
}
CATALOGUE = Catalogue(Fact(name, type_, name, "a test") for name, type_ in TYPES.items())
ORDERED = ["=", "!=", "<", "<=", ">", ">="]

# Few values, so that comparisons often meet their equal.
integers = st.sampled_from([-(2**63), -1, 0, 1, 2, 2**63 - 1])
texts = st.sampled_from(["", "a", "ab", "b", "단골", "1"])
dates = st.sampled_from(["0999-12-31", "2027-02-28", "2027-03-01", "2028-02-29"])
instants = st.sampled_from(
    [
        "2027-03-28T22:00:00Z",
        "2027-03-29T00:00:00+02:00",
        "2027-03-28T22:00:00.000001Z",
        "2027-03-28T21:59:59.999999-00:30",
        "1969-12-31T23:59:59.500000+00:00",
    ]
)


def naive_micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    offset = moment.utcoffset()
    assert offset is not None
    days = moment.toordinal() - date(1970, 1, 1).toordinal()
    seconds = days * 86400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    seconds -= offset.days * 86400 + offset.seconds
    return seconds * 1_000_000 + moment.microsecond


def leaves_of(name: str, literals: st.SearchStrategy[Any], ops: list[str]) -> Any:
    single = st.fixed_dictionaries(
        {"fact": st.just(name), "op": st.sampled_from(ops), "value": literals}
    )
    if not {"in", "not_in"} & set(ops):
        return single
    several = st.lists(literals, min_size=1, max_size=3)
    listed = st.fixed_dictionaries(
        {"fact": st.just(name), "op": st.sampled_from(["in", "not_in"]), "value": several}
    )
    return single.filter(lambda leaf: leaf["op"] not in ("in", "not_in")) | listed


MEMBERSHIP = ["in", "not_in"]
leaves = st.one_of(
    leaves_of("n", integers, [*ORDERED, *MEMBERSHIP]),
    leaves_of("i", instants, [*ORDERED, *MEMBERSHIP]),
    leaves_of("d", dates, [*ORDERED, *MEMBERSHIP]),
    leaves_of("t", texts, ["=", "!=", "contains", *MEMBERSHIP]),
    leaves_of("b", st.booleans(), ["=", "!="]),
    leaves_of("l", texts, ["contains", *MEMBERSHIP]),
    leaves_of("a.x", integers, [*ORDERED, *MEMBERSHIP]),
    leaves_of("a.x", texts, ["=", "!=", "contains", *MEMBERSHIP]),
    leaves_of("a.x", st.booleans(), ["=", "!=", *MEMBERSHIP]),
)


def level(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    group = st.lists(below, min_size=1, max_size=3)
    return st.one_of(
        below,
        group.map(lambda parts: {"all": parts}),
        group.map(lambda parts: {"any": parts}),
        below.map(lambda part: {"not": part}),
    )


def node_count(node: dict[str, Any]) -> int:
    inner = node.get("all") or node.get("any") or ([node["not"]] if "not" in node else [])
    return 1 + sum(node_count(part) for part in inner)


conditions = level(level(level(level(leaves)))).filter(lambda node: node_count(node) <= 50)
facts_of_all_types = st.fixed_dictionaries(
    {},
    optional={
        "n": st.none() | integers,
        "t": st.none() | texts,
        "b": st.none() | st.booleans(),
        "i": st.none() | instants.map(naive_micros),
        "d": st.none() | dates,
        "l": st.none() | st.lists(texts, max_size=3),
        "a.x": st.one_of(st.none(), integers, texts, st.booleans(), st.lists(texts, max_size=3)),
    },
)


def holds(node: Any, facts: dict[str, Any]) -> bool:
    """The language read word by word, with none of the compiler's machinery."""
    if "all" in node:
        return False not in [holds(part, facts) for part in node["all"]]
    if "any" in node:
        return True in [holds(part, facts) for part in node["any"]]
    if "not" in node:
        return not holds(node["not"], facts)
    actual = facts.get(node["fact"])
    literals = node["value"] if isinstance(node["value"], list) else [node["value"]]
    if node["fact"] == "i":
        literals = [naive_micros(text) for text in literals]
    if isinstance(actual, list):
        if not isinstance(literals[0], str) or node["op"] not in ("contains", "in", "not_in"):
            return False
        shared = [element for element in actual if element in literals]
        return shared == [] if node["op"] == "not_in" else shared != []
    return type(actual) is type(literals[0]) and compares(node["op"], actual, literals)


def compares(op: str, actual: Any, literals: list[Any]) -> bool:
    if op == "contains":
        return any(actual[at:].startswith(literals[0]) for at in range(len(actual) + 1))
    if op in ("in", "not_in"):
        return (actual in literals) is (op == "in")
    (literal,) = literals
    smaller, equal = actual < literal, actual == literal
    truths = {
        "=": equal,
        "!=": not equal,
        "<": smaller,
        "<=": smaller or equal,
        ">": not (smaller or equal),
        ">=": not smaller,
    }
    return bool(truths[op])


@given(condition=conditions, facts=facts_of_all_types)
@settings(max_examples=500, deadline=None)
def test_a_compiled_condition_agrees_with_a_naive_reading_of_it(
    condition: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert check(condition, catalogue=CATALOGUE, pointer="") == []
    compiled = compile_condition(condition, catalogue=CATALOGUE)
    expected = holds(condition, facts)
    assert compiled.matches(facts) is expected
    explanation = compiled.explain(facts)
    assert explanation["is_met"] is expected
    assert (first_unmet(explanation) == []) is expected
    assert json.loads(json.dumps(explanation)) == explanation


@given(leaf=leaves, facts=facts_of_all_types)
@settings(max_examples=500, deadline=None)
def test_a_single_comparison_agrees_with_a_naive_reading_of_it(
    leaf: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert compile_condition(leaf, catalogue=CATALOGUE).matches(facts) is holds(leaf, facts)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(st.characters(categories=["Cs", "Cc", "Lo"]), max_size=3),
    st.sampled_from([*TYPES, "a.x", "a. ", *ORDERED, "in", "not_in", "contains", 10**100]),
)
keys = st.sampled_from(["all", "any", "not", "fact", "op", "value", "a/~b"]) | st.text(max_size=3)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
almost_leaves = st.fixed_dictionaries({"fact": scalars, "op": scalars, "value": any_json})
almost_conditions = level(level(almost_leaves | any_json))


@given(condition=any_json | almost_conditions)
@settings(max_examples=500, deadline=None)
def test_the_check_answers_any_json_and_what_it_passes_compiles(condition: Any) -> None:
    findings = check(condition, catalogue=CATALOGUE, pointer="/when")
    for finding in findings:
        assert finding.pointer == "/when" or finding.pointer.startswith("/when/")
        assert f"{finding.pointer} {finding.detail}".encode()
    if not findings:
        compile_condition(condition, catalogue=CATALOGUE).explain({})
