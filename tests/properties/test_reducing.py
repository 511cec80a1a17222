"""Reduced facts: every condition answers as before, and what nobody asks for is gone."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import conditions
from rules.facts import Catalogue, Fact
from storefront.refunding.reducing import reduce_facts

CATALOGUE = Catalogue(
    [
        Fact("member.attributes.*", "attribute", "any", "test"),
        Fact("member.locale", "text", "any", "test"),
        Fact("member.order_count", "integer", "any", "test"),
        Fact("order.codes", "list", "any", "test"),
    ]
)
NAMES = ("member.attributes.a", "member.attributes.b", "member.locale", "order.codes")
TEXTS = st.sampled_from(["", "gold", "goldfish", "fish", "x@gold.example", "silver"])
NUMBERS = st.integers(-3, 30)


def _leaves() -> st.SearchStrategy[dict[str, Any]]:
    attributes = st.sampled_from(NAMES[:2])

    def leaf(name: Any, op: Any, value: Any) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({"fact": name, "op": op, "value": value})

    many = st.sampled_from(["in", "not_in"])
    return st.one_of(
        leaf(attributes, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), NUMBERS),
        leaf(attributes, st.sampled_from(["=", "!=", "contains"]), TEXTS),
        leaf(attributes, st.sampled_from(["=", "!="]), st.booleans()),
        leaf(attributes, many, st.lists(TEXTS, min_size=1, max_size=3)),
        leaf(attributes, many, st.lists(NUMBERS, min_size=1, max_size=3)),
        leaf(st.just("member.locale"), st.sampled_from(["=", "!=", "contains"]), TEXTS),
        leaf(st.just("order.codes"), st.just("contains"), TEXTS),
        leaf(st.just("order.codes"), many, st.lists(TEXTS, min_size=1, max_size=3)),
    )


CONDITIONS = st.lists(
    st.recursive(
        _leaves(),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"not": inner}),
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        ),
        max_leaves=4,
    ),
    max_size=3,
)
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none(), st.lists(TEXTS, max_size=4))
FACTS = st.fixed_dictionaries(
    {"member.order_count": NUMBERS, "order.codes": st.lists(TEXTS, max_size=4)},
    optional={
        "member.attributes.a": VALUES,
        "member.attributes.b": VALUES,
        "member.locale": TEXTS,
    },
)


def _compiled(told: list[dict[str, Any]]) -> list[conditions.Condition]:
    return [
        conditions.compile_condition(one, catalogue=CATALOGUE)
        for one in told
        if not conditions.check(one, catalogue=CATALOGUE, pointer="")
    ]


@given(told=CONDITIONS, facts=FACTS)
@settings(max_examples=400, deadline=None)
def test_every_condition_answers_as_before_whatever_else_changes(
    told: list[dict[str, Any]], facts: dict[str, Any]
) -> None:
    asked = _compiled(told)
    kept = reduce_facts(facts, asked)
    assert [one.matches(kept) for one in asked] == [one.matches(facts) for one in asked]
    assert kept["member.order_count"] == facts["member.order_count"]
    # Not only as a whole: each fact by itself, so that the others may change later.
    for name, value in facts.items():
        alone = {name: value}
        left = {name: kept[name]} if name in kept else {}
        assert [one.matches(left) for one in asked] == [one.matches(alone) for one in asked]


@given(told=CONDITIONS, facts=FACTS)
@settings(max_examples=400, deadline=None)
def test_reducing_twice_changes_nothing(told: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    asked = _compiled(told)
    once = reduce_facts(facts, asked)
    assert reduce_facts(once, asked) == once


@given(facts=FACTS)
def test_what_nobody_asks_for_is_gone(facts: dict[str, Any]) -> None:
    kept = reduce_facts(facts, [])
    assert kept == {"member.order_count": facts["member.order_count"], "order.codes": []}


def test_what_is_left_stands_in_the_rule() -> None:
    [asked] = _compiled([{"fact": "member.attributes.a", "op": "contains", "value": "gold"}])
    for value, left in (("x@gold.example", "gold"), ("silver", None), (["gold", "mina"], None)):
        assert reduce_facts({"member.attributes.a": value}, [asked]).get("member.attributes.a") == (
            ["gold"] if isinstance(value, list) else left
        )
