"""What a condition needs is enough: with the facts changed so, it holds."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import compile_condition
from rules.facts import Catalogue, Fact
from rules.needs import Need, ways

NAMES = ("a", "b", "c")
CATALOGUE = Catalogue(Fact(name, "integer", name, "a test") for name in NAMES)

numbers = st.integers(-6, 6)
names = st.sampled_from(NAMES)
leaves = st.one_of(
    st.fixed_dictionaries(
        {
            "fact": names,
            "op": st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
            "value": numbers,
        }
    ),
    st.fixed_dictionaries(
        {
            "fact": names,
            "op": st.sampled_from(["in", "not_in"]),
            "value": st.lists(numbers, min_size=1, max_size=4),
        }
    ),
)


def level(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    group = st.lists(below, min_size=1, max_size=3)
    return st.one_of(
        below,
        group.map(lambda parts: {"all": parts}),
        group.map(lambda parts: {"any": parts}),
        below.map(lambda part: {"not": part}),
    )


conditions = level(level(level(leaves)))
facts = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, numbers))


def can_be_met(condition: Any, known: dict[str, int]) -> bool:
    """Whether any integers near the literals meet it, where facts that are absent may come."""
    matches = compile_condition(condition, catalogue=CATALOGUE).matches
    choices = range(-7, 8)
    return any(matches({"a": a, "b": b, "c": c}) for a in choices for b in choices for c in choices)


@settings(max_examples=300, deadline=None)
@given(conditions, facts)
def test_changing_the_facts_by_what_is_missing_meets_the_condition(
    condition: Any, known: dict[str, int]
) -> None:
    compiled = compile_condition(condition, catalogue=CATALOGUE)
    found = ways(compiled.explain(known))
    if compiled.matches(known):
        assert found == []
        return
    for way in found:
        assert way
        changed = known | {need.fact: need.needed for need in way}
        assert compiled.matches(changed), (condition, known, way)
        assert {need.actual for need in way} == {known.get(need.fact) for need in way}
    assert [len(way) for way in found] == sorted(len(way) for way in found)


@settings(max_examples=60, deadline=None)
@given(level(level(leaves)), facts)
def test_nothing_is_missing_only_where_nothing_would_do(
    condition: Any, known: dict[str, int]
) -> None:
    compiled = compile_condition(condition, catalogue=CATALOGUE)
    if not compiled.matches(known) and not ways(compiled.explain(known)):
        assert not can_be_met(condition, known)


def needed(condition: Any, known: dict[str, int]) -> list[list[tuple[str, int | None]]]:
    found = ways(compile_condition(condition, catalogue=CATALOGUE).explain(known))
    return [[(need.fact, need.needed) for need in way] for way in found]


def leaf(name: str, op: str, value: Any) -> dict[str, Any]:
    return {"fact": name, "op": op, "value": value}


def test_the_least_that_does_is_told() -> None:
    assert needed(leaf("a", ">=", 5), {"a": 3}) == [[("a", 5)]]
    assert needed(leaf("a", ">", 5), {"a": 3}) == [[("a", 6)]]
    assert needed(leaf("a", "<", 5), {"a": 9}) == [[("a", 4)]]
    assert needed(leaf("a", "in", [1, 9]), {"a": 4}) == [[("a", 1)]]
    assert needed(leaf("a", "in", [1, 9]), {"a": 5}) == [[("a", 9)]]
    assert needed(leaf("a", "not_in", [4, 5, 6]), {"a": 5}) == [[("a", 7)]]
    assert needed({"not": leaf("a", "<", 5)}, {"a": 3}) == [[("a", 5)]]


def test_what_is_met_stays_met() -> None:
    both = {"all": [leaf("a", ">=", 5), {"not": leaf("a", "=", 5)}]}
    assert needed(both, {"a": 3}) == [[("a", 6)]]


def test_of_several_ways_the_one_that_changes_least_comes_first() -> None:
    either = {"any": [{"all": [leaf("a", "=", 1), leaf("b", "=", 1)]}, leaf("c", "=", 1)]}
    assert needed(either, {"a": 0, "b": 0, "c": 0}) == [[("c", 1)], [("a", 1), ("b", 1)]]


def test_what_cannot_be_is_no_way() -> None:
    assert needed({"all": [leaf("a", "<", 3), leaf("a", ">", 3)]}, {"a": 3}) == []


def test_other_types_are_told_as_they_stand() -> None:
    catalogue = Catalogue([Fact("t", "text", "t", "a test"), Fact("l", "list", "l", "a test")])
    condition = {"all": [leaf("t", "=", "web"), {"not": leaf("l", "contains", "x")}]}
    explain = compile_condition(condition, catalogue=catalogue).explain
    assert ways(explain({"t": "app", "l": ["x"]})) == [
        (Need("t", "=", "web", "app"), Need("l", "lacks", "x", ["x"]))
    ]
