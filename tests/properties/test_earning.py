"""Earning agrees with a naive reading in exact fractions, adds up, and reverses to nothing."""

from copy import deepcopy
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core import clock
from orders.schemas import OrderSchema
from programs import versions
from programs.compiled import Compiled, compile_document
from storefront import decide, facts
from storefront.decide import Decided, Pinned
from tests.properties import worlds
from tests.properties.naive_earning import NaiveProgram, read_order
from tests.world import World, points
from tests.world import document as standard

SCHEMA = OrderSchema()
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", autouse=True)
def _triggers() -> None:
    facts.install()


def compiled(document: dict[str, Any]) -> Compiled:
    return compile_document(bytes(16), 1, versions.validate(document))


def decided(
    program: Compiled,
    body: dict[str, Any],
    *,
    held: str | None = None,
    before: int = 0,
    is_first: bool = True,
) -> Decided:
    """The pure decision on an order as the storefront would send it."""
    loaded: Any = SCHEMA.load(deepcopy(body))
    order = decide.figure(program, loaded)
    return decide.decide_order(
        Pinned(program, {"member.is_enrolled": True}, held, (before,)),
        loaded,
        order=order,
        stands=decide.is_standing(loaded["status"], order),
        is_first=is_first,
        is_history=False,
        at=loaded["placed_at"],
        rooms={},
    )


def by_kind(result: Decided) -> dict[str, int]:
    return {one.points_key: one.points for one in result.earning.earned}


@st.composite
def standings(draw: st.DrawFn, document: dict[str, Any]) -> tuple[str | None, int]:
    """A level that a member can hold, and the metric before the order."""
    before = draw(st.sampled_from([0, 1, 49, 950, 4_999, 7_000]))
    ladder = document["tiers"] or {"levels": [], "downgrade": "none"}
    reached = [level["key"] for level in ladder["levels"] if before >= level["enter_at"]]
    higher = [
        level["key"]
        for level in ladder["levels"]
        if before < level["enter_at"]
        and (ladder["downgrade"] == "none" or before >= level["retain_at"])
    ]
    return draw(st.sampled_from([reached[-1] if reached else None, *higher])), before


@MANY
@given(data=st.data(), document=worlds.documents(), whole=worlds.orders(), is_first=st.booleans())
def test_points_are_what_a_naive_reading_in_fractions_gives(
    data: Any, document: dict[str, Any], whole: dict[str, Any], is_first: bool
) -> None:
    held, before = data.draw(standings(document))
    body = data.draw(st.one_of(st.just(whole), worlds.refunded(whole)))
    got = decided(compiled(document), body, held=held, before=before, is_first=is_first)
    order = read_order(body, document["earning"]["basis"])
    expected, qualifying = NaiveProgram(document, held, before, is_first).decide(order)
    assert got.stands == (not order.is_gone)
    assert by_kind(got) == expected
    assert got.qualifying_points == qualifying
    assert got.spend_minor == (0 if order.is_gone else order.spend)


@MANY
@given(data=st.data(), document=worlds.documents(), whole=worlds.orders())
def test_the_breakdown_and_the_lines_add_up_to_the_points(
    data: Any, document: dict[str, Any], whole: dict[str, Any]
) -> None:
    held, before = data.draw(standings(document))
    body = data.draw(st.one_of(st.just(whole), worlds.refunded(whole)))
    got = decided(compiled(document), body, held=held, before=before)
    fixed = {
        rule["effect"]["points_key"]
        for rule in document["earning"]["rules"]
        if rule["effect"]["do"] == "add_points"
    }
    for one in got.earning.earned:
        assert one.points > 0
        assert sum(share.points for share in one.breakdown) == one.points
        on_lines = sum(part for _, part in one.by_line)
        assert on_lines <= one.points
        assert all(part >= 0 for _, part in one.by_line)
        if one.points_key not in fixed and not got.figures.shipping_earning_minor:
            assert on_lines == one.points


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), document=worlds.documents(), whole=worlds.orders())
def test_refunding_line_by_line_reverses_the_award_exactly(
    data: Any, document: dict[str, Any], whole: dict[str, Any]
) -> None:
    assume(worlds.goods(whole) > whole["discount_minor"])
    held, before = data.draw(standings(document))
    program = compiled(document)
    standing = by_kind(decided(program, whole, held=held, before=before))
    award, reversed_total = dict(standing), dict.fromkeys(worlds.KINDS, 0)
    body = deepcopy(whole)
    for index in data.draw(st.permutations(range(len(body["lines"])))):
        body["lines"][index]["refunded_quantity"] = body["lines"][index]["quantity"]
        now = by_kind(decided(program, body, held=held, before=before))
        for kind in worlds.KINDS:
            assert now.get(kind, 0) >= 0
            reversed_total[kind] += standing.get(kind, 0) - now.get(kind, 0)
        standing = now
    assert standing == {}
    assert reversed_total == {kind: award.get(kind, 0) for kind in worlds.KINDS}


@MANY
@given(data=st.data(), whole=worlds.orders(), per_minor=st.sampled_from([1, 7, 100]))
def test_a_larger_refund_never_leaves_more_points(
    data: Any, whole: dict[str, Any], per_minor: int
) -> None:
    base = {"do": "points_per_amount", "points": 3, "per_minor": per_minor}
    effects: list[dict[str, Any]] = [
        base,
        {"do": "multiply_points", "factor_bp": data.draw(st.integers(10_000, 30_000))},
        {"do": "add_points", "points": 100},
    ]
    how = data.draw(st.sampled_from(["recheck", "keep", "prorate"]))
    when = {"fact": "order.net_minor", "op": ">=", "value": 3_000}
    rules = [
        {"key": f"r{index}", "trigger": "order", "effect": effect, "on_refund": how, "when": when}
        for index, effect in enumerate(effects)
    ]
    program = compiled(standard(earning={"rules": rules}))
    most = worlds.goods(whole)
    less = data.draw(st.integers(0, most))
    more = data.draw(st.integers(less, most))
    some, fewer = (
        by_kind(decided(program, whole | {"refunded_minor": minor})).get("points", 0)
        for minor in (less, more)
    )
    assert fewer <= some


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(document=worlds.documents(), bodies=st.lists(worlds.orders(), min_size=1, max_size=3))
def test_a_quote_is_the_award(
    app: Flask, document: dict[str, Any], bodies: list[dict[str, Any]]
) -> None:
    world = World(app, **document)
    world.member("mina")
    for number, body in enumerate(bodies):
        at = clock.format_instant(clock.parse_instant(body["placed_at"]) + number * clock.SECOND)
        cart = {
            name: value
            for name, value in body.items()
            if name not in ("member_ref", "status", "placed_at")
        }
        quote = world.post("/quotes", {"member_ref": "mina", "cart": cart, "at": at})
        told = world.put(f"/orders/A-{number}", body | {"placed_at": at})
        for kind in worlds.KINDS:
            assert points(quote, kind) == points(told, kind)
        assert quote["tier"]["key"] == told["tier"]["key"]
    assert world.verify()["mismatches"] == []
