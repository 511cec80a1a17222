"""Python says of one member what SQL says of all: facts, and every condition over them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from programs.segments import compile_segments
from segments import days
from tests.segments.populations import (
    NUMBERS,
    TEXTS,
    ZONES,
    facts_by_sql,
    populate,
    told_by_python,
    told_by_sql,
)
from tests.world import World

Known = tuple[World, Mapping[str, Mapping[str, Any]]]

_ORDERED = ("=", "!=", "<", "<=", ">", ">=")
#: Facts whose values are numbers, with literals near those that occur.
_INTEGERS: dict[str, list[int]] = {
    "member.days_since_joined": [0, 100, 300, 390],
    "member.order_count": [0, 1, 2, 3, 9],
    "member.spend_minor": [0, 1, 5_000, 60_000, 100_000],
    "member.spend_12m_minor": [0, 5_000, 20_000, 60_000],
    "member.days_since_last_order": [0, 1, 30, 90, 365],
    "member.approved_referrals": [0, 1],
    "member.balance": [0, 50, 300],
    "member.spend_rank_bp": [0, 169, 1_000, 2_000, 9_000],
    "member.rhythm_bp": [0, 10_000, 15_000, 20_000, 25_000],
    "member.days_to_tier_end": [0, 1, 20, 90, 184],
    "member.order_streak_weeks": [0, 1, 2],
    "member.order_streak_months": [0, 1, 2, 4],
}
_TEXTS = {
    "member.tier": ["bronze", "silver", "gold", "friends", "ol"],
    "member.locale": ["ko", "en", "en-GB", ""],
    "member.rhythm": ["steady", "due", "late", "lapsed"],
}
_BOOLEANS = ("member.is_enrolled", "member.is_tier_at_risk")
_DATES = ["2025-12-31", "2026-01-02", "2026-03-16", "2026-06-15", "2026-09-30", "2027-01-01"]
_NAMES = ("colour", "a.b-c", "n", "Colour", "missing")


def _leaf(fact: str, op: str, value: Any) -> dict[str, Any]:
    return {"fact": fact, "op": op, "value": value}


def _of(fact: str, values: st.SearchStrategy[Any], ops: tuple[str, ...]) -> Any:
    many = st.lists(values, min_size=1, max_size=3, unique=True)
    return st.one_of(
        st.builds(_leaf, st.just(fact), st.sampled_from(ops), values),
        st.builds(_leaf, st.just(fact), st.sampled_from(("in", "not_in")), many),
    )


def leaves() -> st.SearchStrategy[Any]:
    """Comparisons of every fact, with values that occur and values beside them."""
    numbers = [
        _of(name, st.sampled_from([v + d for v in values for d in (-1, 0, 1)]), _ORDERED)
        for name, values in _INTEGERS.items()
    ]
    texts = [
        _of(name, st.sampled_from(values), ("=", "!=", "contains"))
        for name, values in _TEXTS.items()
    ]
    dates = _of("member.joined_on", st.sampled_from(_DATES), _ORDERED)
    flags = st.builds(
        _leaf, st.sampled_from(_BOOLEANS), st.sampled_from(("=", "!=")), st.booleans()
    )
    own = []
    for name in (f"member.attributes.{one}" for one in _NAMES):
        near = st.sampled_from([v for n in NUMBERS for v in (n, n - 1) if abs(v) < 2**63])
        own += [
            _of(name, near, _ORDERED),
            _of(name, st.sampled_from(TEXTS), ("=", "!=", "contains")),
            _of(name, st.booleans(), ("=", "!=")),
        ]
    return st.one_of(*numbers, *texts, dates, flags, *own)


def _grouped(inner: Any) -> Any:
    groups = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(lambda some: {"all": some}, groups),
        st.builds(lambda some: {"any": some}, groups),
    )


CONDITIONS = st.one_of(
    leaves(),
    _grouped(leaves()),
    _grouped(_grouped(leaves())),
    _grouped(_grouped(_grouped(leaves()))),
)


@pytest.fixture(scope="module", params=ZONES)
def known(request: pytest.FixtureRequest, app: Flask) -> Known:
    url: str = app.extensions["dangol.settings"].database_url
    if request.param != ZONES[0] and url.startswith("postgresql"):
        pytest.skip("one zone is enough to compare the databases")
    world = populate(app, request.param)
    return world, told_by_python(world)


def test_the_population_has_members_of_every_kind(known: Known) -> None:
    """What no member is, no comparison of the two could find wrong."""
    _, facts = known
    assert len(facts) == 58
    seen = {name: {repr(one.get(name)) for one in facts.values()} for name in _INTEGERS}
    poor = ("member.approved_referrals",)
    assert [name for name, values in seen.items() if len(values) < 3 and name not in poor] == []
    assert {one["member.tier"] for one in facts.values()} == {"bronze", "silver", "gold", "friends"}
    assert {one["member.is_tier_at_risk"] for one in facts.values()} == {True, False}
    assert {one.get("member.rhythm") for one in facts.values()} >= {None, "steady", "lapsed"}


def test_python_and_sql_reckon_the_same_facts(known: Known) -> None:
    world, facts = known
    names = [*_INTEGERS, *_TEXTS, *_BOOLEANS, "member.joined_on"]
    found = facts_by_sql(world, names)
    assert found.keys() == facts.keys()
    for ref, told in facts.items():
        expected = {name: told[name] for name in names if name in told}
        joined = date.fromisoformat(expected["member.joined_on"])
        assert found[ref] == expected | {"member.joined_on": days.number_of(joined)}, ref


@settings(max_examples=25, deadline=None)
@given(conditions=st.lists(CONDITIONS, min_size=12, max_size=12))
def test_python_and_sql_find_the_same_members(known: Known, conditions: list[Any]) -> None:
    world, facts = known
    found = told_by_sql(world, conditions)
    made = compile_segments([{"key": str(n), "when": one} for n, one in enumerate(conditions)])
    for segment, members in zip(made, found, strict=True):
        expected = {ref for ref, one in facts.items() if segment.when.matches(one)}
        assert members == expected, segment.definition
