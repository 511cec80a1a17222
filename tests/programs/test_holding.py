"""What cannot hold: never said of a condition that can, and found wherever nothing can."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from programs import triggers
from programs.checking.advice import holding
from rules.conditions import check, compile_condition
from storefront import facts

facts.install()

_NUMBERS = st.integers(-3, 4)
_WORDS = st.sampled_from(["a", "b", "ab", "ba", "aba", ""])
_DAYS = st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03", "2026-02-01"])
_LITERALS: dict[str, Any] = {
    "order.net_minor": _NUMBERS,
    "member.balance": _NUMBERS,
    "order.channel": _WORDS,
    "order.is_first": st.booleans(),
    "order.skus": _WORDS,
    "member.joined_on": _DAYS,
    "member.attributes.x": _NUMBERS | _WORDS | st.booleans(),
}
_ORDERED = ["=", "!=", "<", "<=", ">", ">=", "in", "not_in"]
_OPS = {
    "order.channel": ["=", "!=", "in", "not_in", "contains"],
    "order.is_first": ["=", "!="],
    "order.skus": ["in", "not_in", "contains"],
    "member.attributes.x": [*_ORDERED, "contains"],
}


@st.composite
def _leaf(draw: Any, names: list[str] = list(_LITERALS)) -> dict[str, Any]:  # noqa: B006
    name = draw(st.sampled_from(names))
    op, value = draw(st.sampled_from(_OPS.get(name, _ORDERED))), _LITERALS[name]
    if name == "member.attributes.x":
        value = draw(st.sampled_from([_NUMBERS, _WORDS, st.booleans()]))
        value = {"contains": _WORDS}.get(op, _NUMBERS if op in ("<", "<=", ">", ">=") else value)
    many = st.lists(value, min_size=1, max_size=3)
    return {"fact": name, "op": op, "value": draw(many if op in ("in", "not_in") else value)}


_CONDITIONS = st.recursive(
    _leaf(),
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=4)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=6,
)
_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "order.net_minor": st.integers(0, 5),
        "member.balance": st.integers(-4, 5),
        "order.channel": st.text("ab", max_size=4),
        "order.is_first": st.booleans(),
        "order.skus": st.lists(st.text("ab", max_size=3), max_size=4),
        "member.joined_on": _DAYS | st.just("2030-05-05"),
        "member.attributes.x": st.integers(-4, 5)
        | st.text("ab", max_size=4)
        | st.booleans()
        | st.lists(st.text("ab", max_size=3), max_size=4),
    },
)


@settings(max_examples=400, deadline=None)
@given(_CONDITIONS, st.lists(_FACTS, min_size=40, max_size=40))
def test_what_is_said_never_to_fire_never_does(condition: Any, worlds: list[Any]) -> None:
    catalogue = triggers.find_facts("order")
    assert catalogue is not None
    assert check(condition, catalogue=catalogue, pointer="") == []
    test = compile_condition(condition, catalogue=catalogue)
    demands = holding.conflict(condition, catalogue)
    if demands is not None:
        assert not any(test.matches(world) for world in worlds)
        # And the comparisons that are named are why.
        named = {"all": [demand.condition for demand in demands]}
        why = compile_condition(named, catalogue=catalogue)
        assert not any(why.matches(world) for world in worlds)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["member.balance", "order.channel", "order.skus", "member.attributes.x"]),
    st.data(),
)
def test_what_holds_nowhere_in_a_small_world_is_found(name: str, data: Any) -> None:
    """Every value of a small world that could hold is tried one by one: where none does, the
    comparisons are found to conflict."""
    catalogue = triggers.find_facts("order")
    assert catalogue is not None
    leaf = _leaf([name])
    first, second = data.draw(leaf), data.draw(leaf)
    condition = {"all": [first, second]}
    test = compile_condition(condition, catalogue=catalogue)
    holds = any(test.matches({name: value}) for value in _small_world())
    assert (holding.conflict(condition, catalogue) is None) == holds


def _small_world() -> list[Any]:
    words = [""]
    for _ in range(6):
        words += [word + letter for word in words for letter in "abc" if len(word) < 6]
        words = list(dict.fromkeys(words))
    texts = ["", "a", "b", "ab", "ba", "aba", "c"]
    lists: list[Any] = [
        [text for number, text in enumerate(texts) if mask >> number & 1] for mask in range(128)
    ]
    return [*range(-6, 8), True, False, *words, *lists]
