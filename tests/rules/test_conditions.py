"""What a condition means, what is refused on save, and how it explains itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.conditions import check, compile_condition, first_unmet
from rules.facts import Catalogue, Fact, FactType, Value

TYPES: dict[str, FactType] = {
    "order.net_minor": "integer",
    "order.placed_at": "instant",
    "order.is_first": "boolean",
    "order.categories": "list",
    "order.attributes.*": "attribute",
    "member.tier": "text",
    "member.joined_on": "date",
}
CATALOGUE = Catalogue(Fact(name, type_, f"The {name}", "a test") for name, type_ in TYPES.items())

BIG_ORDER = {"fact": "order.net_minor", "op": ">=", "value": 50000}
GOLD = {"fact": "member.tier", "op": "in", "value": ["gold", "platinum"]}
FIRST = {"fact": "order.is_first", "op": "=", "value": True}


def found(condition: object, pointer: str = "/when") -> list[tuple[str, str]]:
    findings = check(condition, catalogue=CATALOGUE, pointer=pointer)
    return [(finding.pointer, finding.code) for finding in findings]


def detail(condition: object) -> str:
    (finding,) = check(condition, catalogue=CATALOGUE, pointer="")
    return finding.detail


def matches(condition: object, facts: dict[str, Value]) -> bool:
    return compile_condition(condition, catalogue=CATALOGUE).matches(facts)


def compares(fact: str, op: str, value: object, *, actual: Value) -> bool:
    return matches({"fact": fact, "op": op, "value": value}, {fact.replace("*", "x"): actual})


def nested(levels: int) -> Any:
    condition: Any = BIG_ORDER
    for _ in range(levels - 1):
        condition = {"not": condition}
    return condition


# fact, operator, literal, then actual values that meet it and actual values that do not
MEANINGS: list[tuple[str, str, object, list[Value], list[Value]]] = [
    ("order.net_minor", "=", 5, [5], [4, 6, True, "5", None]),
    ("order.net_minor", "=", 1, [1], [True]),
    ("order.net_minor", "!=", 5, [4, 6], [5, True, "4", None]),
    ("order.net_minor", "<", 5, [4, -(2**63)], [5, 6, False, None]),
    ("order.net_minor", "<=", 5, [4, 5], [6, None]),
    ("order.net_minor", ">", 5, [6], [5, 4, None]),
    ("order.net_minor", ">=", 5, [5, 6], [4, "6", None]),
    ("order.net_minor", "in", [1, 5], [1, 5], [3, True, None]),
    ("order.net_minor", "not_in", [1, 5], [3], [1, 5, True, None]),
    ("order.is_first", "=", True, [True], [False, 1, None]),
    ("order.is_first", "!=", True, [False], [True, 0, None]),
    ("member.tier", "=", "gold", ["gold"], ["Gold", "gol", "", None]),
    ("member.tier", "!=", "gold", ["Gold", ""], ["gold", None]),
    ("member.tier", "in", ["gold", "silver"], ["silver"], ["old", None]),
    ("member.tier", "not_in", ["gold", "silver"], ["old", ""], ["gold", None]),
    ("member.tier", "contains", "ol", ["gold", "old", "ol"], ["lo", "", ["ol"], None]),
    ("member.joined_on", "<", "2027-03-01", ["2027-02-28", "1999-12-31"], ["2027-03-01", None]),
    ("member.joined_on", ">=", "2027-03-01", ["2027-03-01", "2028-01-01"], ["2027-02-28", None]),
    ("member.joined_on", "in", ["2027-03-01"], ["2027-03-01"], ["2027-03-02", None]),
    # 00:00:01 at +00:00 is 1,000,000 µs; the same instant is written 09:00:01 in Seoul.
    ("order.placed_at", "=", "1970-01-01T09:00:01+09:00", [1_000_000], [999_999, None]),
    ("order.placed_at", "!=", "1970-01-01T00:00:01Z", [0], [1_000_000, "x", None]),
    ("order.placed_at", "<", "1970-01-01T00:00:01Z", [999_999, -1], [1_000_000, None]),
    ("order.placed_at", "in", ["1970-01-01T00:00:01Z"], [1_000_000], [1, None]),
    ("order.categories", "contains", "mugs", [["mugs"], ["tea", "mugs"]], [[], ["mug"], None]),
    ("order.categories", "contains", "mug", [["mug"]], [["mugs"], "mugs", None]),
    ("order.categories", "in", ["mugs", "tea"], [["tea", "soap"]], [[], ["soap"], None]),
    ("order.categories", "not_in", ["mugs", "tea"], [[], ["soap"]], [["soap", "tea"], None]),
    ("order.attributes.x", "=", 1, [1], [True, "1", 2, None]),
    ("order.attributes.x", "!=", 1, [0, 2], [1, True, "2", None]),
    ("order.attributes.x", ">=", 5, [5, 9], [4, True, "9", None]),
    ("order.attributes.x", "in", [1, 2], [2], [True, "2", [], None]),
    ("order.attributes.x", "=", True, [True], [1, "true", False, None]),
    ("order.attributes.x", "!=", True, [False], [0, True, "no", None]),
    ("order.attributes.x", "not_in", [True], [False], [True, 0, "no", None]),
    ("order.attributes.x", "=", "red", ["red"], ["Red", 1, ["red"], None]),
    ("order.attributes.x", "!=", "red", ["blue"], ["red", 1, True, ["blue"], None]),
    ("order.attributes.x", "contains", "re", ["red", ["re"]], ["blue", ["red"], 1, None]),
    ("order.attributes.x", "in", ["red", "tan"], ["red", ["a", "tan"]], ["re", [], ["a"], 1]),
    ("order.attributes.x", "not_in", ["red"], ["re", [], ["a"]], ["red", ["red"], 1, True, None]),
]


@pytest.mark.parametrize(("fact", "op", "value", "met", "unmet"), MEANINGS)
def test_every_operator_means_what_its_table_says(
    fact: str, op: str, value: object, met: list[Value], unmet: list[Value]
) -> None:
    for actual in met:
        assert compares(fact, op, value, actual=actual) is True, actual
    for actual in unmet:
        assert compares(fact, op, value, actual=actual) is False, actual


def test_a_missing_fact_meets_no_comparison_and_the_not_of_it_is_met() -> None:
    differs = {"fact": "member.tier", "op": "!=", "value": "gold"}
    outside = {"fact": "member.tier", "op": "not_in", "value": ["gold"]}
    missing: list[dict[str, Value]] = [{}, {"member.tier": None}]
    for facts in missing:
        assert matches(differs, facts) is False
        assert matches(outside, facts) is False
        assert matches({"not": differs}, facts) is True
        assert matches({"not": outside}, facts) is True


def test_all_needs_every_part_and_any_needs_one() -> None:
    parts = [BIG_ORDER, GOLD, FIRST]
    rich_gold: dict[str, Value] = {"order.net_minor": 50000, "member.tier": "gold"}
    assert matches({"all": parts}, {**rich_gold, "order.is_first": True}) is True
    assert matches({"all": parts}, {**rich_gold, "order.is_first": False}) is False
    assert matches({"all": parts}, rich_gold) is False
    assert matches({"any": parts}, {"order.is_first": True}) is True
    assert matches({"any": parts}, {"order.is_first": False, "order.net_minor": 49999}) is False
    assert matches({"all": [{"any": [BIG_ORDER, FIRST]}, {"not": GOLD}]}, rich_gold) is False


def test_null_always_matches_and_reads_nothing() -> None:
    assert found(None) == []
    always = compile_condition(None, catalogue=CATALOGUE)
    assert always.matches({}) is True
    assert always.explain({}) == {"is_met": True}
    assert always.facts == frozenset()
    assert first_unmet(always.explain({})) == []


def test_a_compiled_condition_names_the_facts_it_reads() -> None:
    colour = {"fact": "order.attributes.colour", "op": "=", "value": "red"}
    condition = compile_condition(
        {"all": [BIG_ORDER, {"not": {"any": [GOLD, colour]}}, BIG_ORDER]}, catalogue=CATALOGUE
    )
    assert condition.facts == {"order.net_minor", "member.tier", "order.attributes.colour"}


def test_a_compiled_condition_keeps_its_meaning_when_the_document_is_changed_afterwards() -> None:
    document = {"fact": "member.tier", "op": "in", "value": ["gold"]}
    condition = compile_condition(document, catalogue=CATALOGUE)
    document["op"] = "not_in"
    assert condition.matches({"member.tier": "gold"}) is True
    condition.explain({})["value"].append("silver")
    assert condition.explain({})["value"] == ["gold"]


def test_a_condition_that_fails_the_check_is_not_compiled() -> None:
    with pytest.raises(ValueError, match="unknown_fact at /all/0/fact"):
        compile_condition({"all": [{**BIG_ORDER, "fact": "order.net"}]}, catalogue=CATALOGUE)
    with pytest.raises(ValueError, match="malformed_condition at the root"):
        compile_condition(False, catalogue=CATALOGUE)


def test_what_the_table_of_meanings_holds_passes_the_check() -> None:
    for fact, op, value, _, _ in MEANINGS:
        assert found({"fact": fact, "op": op, "value": value}) == []


def test_an_integer_too_long_to_print_is_refused_like_any_other() -> None:
    condition = {"fact": "order.net_minor", "op": "=", "value": 10**5000}
    assert detail(condition).endswith("not an integer of more than 64 bits.")


def test_an_unknown_fact_is_answered_with_close_names() -> None:
    condition = {"all": [BIG_ORDER, {"fact": "order.net_mino", "op": "=", "value": 1}]}
    assert found(condition, "/earning/rules/0/when") == [
        ("/earning/rules/0/when/all/1/fact", "unknown_fact")
    ]
    assert detail(condition) == (
        'There is no fact "order.net_mino" here. Did you mean order.net_minor?'
    )
    assert "member.joined_on" in detail({"fact": "zzz", "op": "=", "value": 1})


@pytest.mark.parametrize(
    ("fact", "op", "value"),
    [
        ("order.net_minor", "contains", 1),
        ("order.placed_at", "contains", "2027-01-01T00:00:00Z"),
        ("member.joined_on", "contains", "2027-01-01"),
        ("member.tier", "<", "gold"),
        ("member.tier", ">=", "gold"),
        ("order.is_first", "in", [True]),
        ("order.is_first", "<", True),
        ("order.categories", "=", "mugs"),
        ("order.categories", "!=", "mugs"),
        ("order.categories", "<", "mugs"),
        ("order.net_minor", "==", 1),
        ("order.net_minor", None, 1),
        ("order.net_minor", ["="], 1),
        ("order.attributes.x", "like", "red"),
    ],
)
def test_an_operator_that_the_type_does_not_have_is_refused(
    fact: str, op: object, value: object
) -> None:
    condition = {"fact": fact, "op": op, "value": value}
    assert found(condition) == [("/when/op", "wrong_operator")]
    assert "use one of `" in detail(condition)


@pytest.mark.parametrize(
    ("fact", "op", "value"),
    [
        ("order.net_minor", "=", "5"),
        ("order.net_minor", "=", 5.0),
        ("order.net_minor", "=", True),
        ("order.net_minor", "=", None),
        ("order.net_minor", "=", 2**63),
        ("order.net_minor", "=", -(2**63) - 1),
        ("order.net_minor", "=", [5]),
        ("order.net_minor", "in", 5),
        ("order.net_minor", "in", []),
        ("order.net_minor", "in", {"a": 1}),
        ("order.net_minor", "not_in", list(range(201))),
        ("order.is_first", "=", 1),
        ("order.is_first", "=", "true"),
        ("member.tier", "=", 5),
        ("member.tier", "=", "a\x00b"),
        ("member.tier", "=", "a\ud800b"),
        ("member.tier", "=", "x" * 257),
        ("member.tier", "in", "gold"),
        ("order.categories", "contains", ["mugs"]),
        ("order.categories", "contains", 5),
        ("member.joined_on", "=", "20270101"),
        ("member.joined_on", "=", "2027-02-29"),
        ("member.joined_on", "=", "2027-1-1"),
        ("member.joined_on", "=", "2027-W01-1"),
        ("member.joined_on", "=", "2027-01-01T00:00:00Z"),
        ("member.joined_on", "=", "２０２７-01-01"),
        ("order.placed_at", "=", "2027-01-01T00:00:00"),
        ("order.placed_at", "=", "2027-01-01"),
        ("order.placed_at", "=", "2027-02-29T00:00:00Z"),
        ("order.placed_at", "=", "2027-01-01T24:00:00Z"),
        ("order.placed_at", "=", "2027-01-01T00:00:00+24:00"),
        ("order.placed_at", "=", "2027-01-01T00:00:00.1234567Z"),
        ("order.placed_at", "=", 0),
        ("order.attributes.x", "=", 1.5),
        ("order.attributes.x", "=", None),
        ("order.attributes.x", "=", 2**63),
        ("order.attributes.x", "<", "red"),
        ("order.attributes.x", ">", True),
        ("order.attributes.x", "contains", 5),
        ("order.attributes.x", "contains", True),
    ],
)
def test_a_literal_of_another_type_is_refused(fact: str, op: str, value: object) -> None:
    condition = {"fact": fact, "op": op, "value": value}
    assert found(condition) == [("/when/value", "wrong_type")]
    assert detail(condition).startswith(f'`{op}` on "{fact}" takes ')
    detail(condition).encode("utf-8")


def test_each_wrong_literal_of_a_list_is_named() -> None:
    mixed = {"fact": "order.net_minor", "op": "in", "value": [1, "2", 3, True]}
    assert found(mixed) == [("/when/value/1", "wrong_type"), ("/when/value/3", "wrong_type")]
    attribute = {"fact": "order.attributes.x", "op": "in", "value": [1, True, 2, "a"]}
    assert found(attribute) == [("/when/value/1", "wrong_type"), ("/when/value/3", "wrong_type")]


def test_the_widest_literals_are_accepted() -> None:
    assert found({"fact": "order.net_minor", "op": "=", "value": 2**63 - 1}) == []
    assert found({"fact": "order.net_minor", "op": "=", "value": -(2**63)}) == []
    assert found({"fact": "order.net_minor", "op": "in", "value": list(range(200))}) == []
    assert found({"fact": "member.tier", "op": "=", "value": "단" * 256}) == []


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ([], "/when"),
        ("gold", "/when"),
        (False, "/when"),
        ({}, "/when"),
        ({"all": []}, "/when/all"),
        ({"any": []}, "/when/any"),
        ({"all": BIG_ORDER}, "/when/all"),
        ({"any": None}, "/when/any"),
        ({"not": [BIG_ORDER]}, "/when/not"),
        ({"not": None}, "/when/not"),
        ({"all": [BIG_ORDER, None]}, "/when/all/1"),
        ({"all": [BIG_ORDER], "any": [GOLD]}, "/when"),
        ({"all": [BIG_ORDER], "fact": "member.tier"}, "/when/fact"),
        ({"all": [BIG_ORDER], "a/b~c": 1}, "/when/a~1b~0c"),
        ({**BIG_ORDER, "note": "x"}, "/when/note"),
        ({**BIG_ORDER, "fact": 5}, "/when/fact"),
        ({"fact": "member.tier", "op": "="}, "/when"),
        ({"op": "=", "value": 5}, "/when"),
        ({"fact": "member.tier", "value": "gold"}, "/when"),
    ],
)
def test_a_node_of_another_shape_is_refused(condition: object, pointer: str) -> None:
    assert found(condition) == [(pointer, "malformed_condition")]


def test_all_findings_are_given_at_once() -> None:
    condition = {
        "all": [
            {"fact": "member.tire", "op": "=", "value": "gold"},
            {"any": [{"fact": "order.net_minor", "op": "contains", "value": "5"}]},
            {"not": {}},
        ]
    }
    assert found(condition, "") == [
        ("/all/0/fact", "unknown_fact"),
        ("/all/1/any/0/op", "wrong_operator"),
        ("/all/1/any/0/value", "wrong_type"),
        ("/all/2/not", "malformed_condition"),
    ]


def test_five_levels_are_accepted_and_six_are_not() -> None:
    assert found(nested(5)) == []
    assert found(nested(6)) == [("/when/not/not/not/not/not", "too_deep")]
    assert found(nested(50_000)) == [("/when/not/not/not/not/not", "too_deep")]


def test_fifty_nodes_are_accepted_and_fifty_one_are_not() -> None:
    assert found({"any": [BIG_ORDER] * 49}) == []
    assert found({"any": [BIG_ORDER] * 50}) == [("/when", "too_many_nodes")]
    # 1 + 5 groups of 1 + 9 nodes = 51
    assert found({"any": [{"all": [GOLD] * 9}] * 5}) == [("/when", "too_many_nodes")]
    assert found({"any": [{"all": [GOLD] * 9}] * 4 + [{"all": [GOLD] * 8}]}) == []
    assert found({"any": ["x"] * 100_000}, "").count(("", "too_many_nodes")) == 1


def test_an_explanation_has_the_shape_of_its_condition() -> None:
    condition = compile_condition(
        {"all": [BIG_ORDER, {"any": [GOLD, {"not": FIRST}]}]}, catalogue=CATALOGUE
    )
    explanation = condition.explain({"order.net_minor": 48000, "order.is_first": False})
    assert explanation == {
        "all": [
            {**BIG_ORDER, "actual": 48000, "is_met": False},
            {
                "any": [
                    {**GOLD, "actual": None, "is_met": False},
                    {"not": {**FIRST, "actual": False, "is_met": False}, "is_met": True},
                ],
                "is_met": True,
            },
        ],
        "is_met": False,
    }
    assert json.loads(json.dumps(explanation)) == explanation


def test_an_explained_instant_reads_like_the_literal_beside_it() -> None:
    late = {"fact": "order.placed_at", "op": ">", "value": "1970-01-01T00:00:01+00:00"}
    condition = compile_condition(late, catalogue=CATALOGUE)
    assert condition.explain({"order.placed_at": 1_500_000}) == {
        **late,
        "actual": "1970-01-01T00:00:01.500000Z",
        "is_met": True,
    }
    assert condition.explain({"order.placed_at": 2**63 - 1})["actual"] == 2**63 - 1
    assert condition.explain({})["actual"] is None


def unmet_facts(condition: object, facts: dict[str, Value]) -> list[tuple[str, Value]]:
    explanation = compile_condition(condition, catalogue=CATALOGUE).explain(facts)
    return [(leaf["fact"], leaf["actual"]) for leaf in first_unmet(explanation)]


def test_what_is_unmet_is_told_so_that_a_sentence_can_be_made_of_it() -> None:
    facts: dict[str, Value] = {"order.net_minor": 48000, "member.tier": "gold"}
    facts["order.is_first"] = False
    big, first = ("order.net_minor", 48000), ("order.is_first", False)
    assert unmet_facts(BIG_ORDER, facts) == [big]
    assert unmet_facts(GOLD, facts) == []
    assert unmet_facts({"all": [BIG_ORDER, GOLD, FIRST]}, facts) == [big, first]
    assert unmet_facts({"any": [BIG_ORDER, FIRST]}, facts) == [big, first]
    assert unmet_facts({"any": [{"all": [GOLD, BIG_ORDER]}, FIRST]}, facts) == [big, first]
    assert unmet_facts({"all": [GOLD, {"any": [GOLD, FIRST]}]}, facts) == []


def test_under_a_not_the_comparisons_that_are_met_stand_in_the_way() -> None:
    facts: dict[str, Value] = {"order.net_minor": 48000, "member.tier": "gold"}
    gold = ("member.tier", "gold")
    assert unmet_facts({"not": GOLD}, facts) == [gold]
    assert unmet_facts({"all": [{"not": GOLD}, BIG_ORDER]}, facts) == [
        gold,
        ("order.net_minor", 48000),
    ]
    assert unmet_facts({"not": {"any": [BIG_ORDER, GOLD]}}, facts) == [gold]
    assert unmet_facts({"not": {"not": BIG_ORDER}}, facts) == [("order.net_minor", 48000)]
    explanation = compile_condition({"not": GOLD}, catalogue=CATALOGUE).explain(facts)
    assert first_unmet(explanation) == [explanation["not"]]
