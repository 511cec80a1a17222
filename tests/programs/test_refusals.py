"""What a document may not say is refused with its pointer, never ignored."""

from typing import Any

import pytest

from tests.contract.checking import pointers, problem, rows
from tests.world import World, document, per_euro, rule

RULE = "/earning/rules/0"


def with_rule(**changes: Any) -> dict[str, Any]:
    return document(earning={"rules": [rule("one", per_euro()) | changes]})


def with_tiers(**changes: Any) -> dict[str, Any]:
    return document(tiers={"levels": [{"key": "gold", "enter_at": 1000}]} | changes)


def with_level(**changes: Any) -> dict[str, Any]:
    return document(tiers={"levels": [{"key": "gold", "enter_at": 1000} | changes]})


def with_points(**changes: Any) -> dict[str, Any]:
    return document(points=[{"key": "points"} | changes])


NOT_YET = [(with_points(state="paused"), "/points/0/state")]


def refused(world: World, body: Any) -> Any:
    before = rows(world)
    found = problem(world.call("PUT", "/program/draft", body), 422, "validation_failed")
    assert rows(world) == before
    return found


@pytest.mark.parametrize(("body", "pointer"), NOT_YET, ids=lambda item: str(item)[-40:])
def test_what_is_not_built_yet_is_refused_and_said_to_be(
    still: World, body: Any, pointer: str
) -> None:
    found = refused(still, body)
    assert pointers(found) == [pointer]
    assert "not available in this version" in found["errors"][0]["detail"]


@pytest.mark.parametrize(
    "body",
    [
        document(cards=[], rewards=[], surprises=[], segments=[], activities=[], holdout_bp=0),
        document(pay_with_points=None, tiers=None, referral_offers=[]),
        with_rule(limits=[], schedule=None, when=None, stacking={"mode": "add", "group": None}),
        with_points(pending={"policy": "immediate"}, expiry={"policy": "never"}),
        with_points(return_policy="within_balance", state="live"),
        with_tiers(term={"policy": "none"}, downgrade="none", basis={"metric": ["spend"]}),
        with_level(entry_effects=[], retain_at=None),
    ],
)
def test_empty_parts_and_first_alternatives_are_always_accepted(world: World, body: Any) -> None:
    assert world.put("/program/draft", body) == body


def when(fact: str, op: str, value: Any) -> dict[str, Any]:
    return with_rule(when={"fact": fact, "op": op, "value": value})


WRONG = [
    (when("order.total", ">=", 1), f"{RULE}/when/fact"),
    (when("order.net_minor", "~", 1), f"{RULE}/when/op"),
    (when("order.net_minor", "contains", 1), f"{RULE}/when/op"),
    (when("order.net_minor", ">=", "1"), f"{RULE}/when/value"),
    (when("order.is_first", "=", 1), f"{RULE}/when/value"),
    (when("member.tier", "in", "gold"), f"{RULE}/when/value"),
    (with_rule(when=[]), f"{RULE}/when"),
    (
        with_rule(when={"all": [{"not": {"fact": "line.sku", "op": "=", "value": "MUG"}}]}),
        f"{RULE}/when/all/0/not/fact",
    ),
    (
        with_rule(
            effect=per_euro()
            | {"lines": {"when": {"fact": "order.channel", "op": "=", "value": "web"}}}
        ),
        f"{RULE}/effect/lines/when/fact",
    ),
    (with_rule(trigger="orders"), f"{RULE}/trigger"),
    (with_rule(trigger="signup"), f"{RULE}/effect/do"),
    (with_rule(effect={"do": "points_per_amount", "points": 1}), f"{RULE}/effect/per_minor"),
    (
        with_rule(effect={"do": "multiply_points", "factor_bp": 1, "points": 1}),
        f"{RULE}/effect/points",
    ),
    (with_rule(effect={"do": "give"}), f"{RULE}/effect/do"),
    (with_rule(effect=per_euro() | {"points_key": "stars"}), f"{RULE}/effect/points_key"),
    (with_rule(effect={"do": "grant_reward", "reward": "mug"}), f"{RULE}/effect/reward"),
    (with_rule(effect=per_euro() | {"points": 1.5}), f"{RULE}/effect/points"),
    (with_rule(stacking={"mode": "exclusive"}), f"{RULE}/stacking/group"),
    (with_rule(stacking={"group": "g"}), f"{RULE}/stacking/mode"),
    (with_rule(key="Not A Key"), f"{RULE}/key"),
    (with_rule(colour="red"), f"{RULE}/colour"),
    (
        document(earning={"rules": [rule("a", per_euro()), rule("a", per_euro())]}),
        "/earning/rules/1/key",
    ),
    (document(points=[]), "/points"),
    (document(points=[{"key": "a"}, {"key": "a"}]), "/points/1/key"),
    (document(timezone="Asia/Atlantis"), "/timezone"),
    (document(currency="EURO"), "/currency"),
    (document(currency="eur"), "/currency"),
    (document(locales=["Korean"]), "/locales/0"),
    (document(allowed_origins=["javascript:alert(1)"]), "/allowed_origins/0"),
    (document(members={"birthday_notice": "30 days"}), "/members/birthday_notice"),
    (with_level(enter_at="1000"), "/tiers/levels/0/enter_at"),
    (with_level(enter_at={"orders": 3}), "/tiers/levels/0/enter_at"),
    (with_level(retain_at=1001), "/tiers/levels/0/retain_at"),
    (
        with_tiers(levels=[{"key": "a", "enter_at": 5}, {"key": "b", "enter_at": 5}]),
        "/tiers/levels/1/enter_at",
    ),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG, ids=lambda item: str(item)[-40:])
def test_what_is_wrong_is_refused_with_its_pointer(still: World, body: Any, pointer: str) -> None:
    assert pointers(refused(still, body)) == [pointer]


def test_an_unknown_fact_is_answered_with_what_may_have_been_meant(world: World) -> None:
    found = refused(world, when("order.net_minors", ">=", 1))
    assert "order.net_minor" in found["errors"][0]["detail"]


def test_every_fault_of_a_document_is_named(world: World) -> None:
    body = when("order.total", ">=", 1) | {"timezone": "Mars"}
    assert sorted(pointers(refused(world, body))) == [f"{RULE}/when/fact", "/timezone"]


def test_groups_that_combine_in_too_many_ways_are_refused(world: World) -> None:
    rules = [
        rule(f"r{group}-{n}", per_euro(), stacking={"mode": "exclusive", "group": f"g{group}"})
        for group in range(3)
        for n in range(7)
    ]
    # 7 × 7 × 7 = 343 > 256.
    assert pointers(refused(world, document(earning={"rules": rules}))) == ["/earning/rules"]
