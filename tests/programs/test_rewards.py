"""Rewards in the document: what is refused, where, and what a compiled catalogue says."""

from typing import Any

import pytest

from programs import checking, exchange
from programs.compiled import compile_document
from programs.rewards import Reward
from storefront import facts
from tests.contract.checking import pointers, problem
from tests.world import World, document

facts.install()
AT = "/rewards/0"
LEVELS = {"levels": [{"key": "silver", "enter_at": 100}, {"key": "gold", "enter_at": 500}]}
SKU = {"fact": "line.sku", "op": "=", "value": "MUG"}
LEAST = {"fact": "order.net_minor", "op": ">=", "value": 5000}
NATIVE = {"fact": "member.locale", "op": "=", "value": "ko"}
VALUES: dict[str, dict[str, Any]] = {
    "discount_amount": {"minor": 500},
    "discount_percent": {"percent_bp": 1000},
    "free_shipping": {},
    "free_product": {"sku": "MUG"},
    "gift_card": {"minor": 2000},
    "store_credit": {"minor": 2000},
    "access": {"perk": "early"},
    "custom": {},
}


def reward(kind: str = "discount_amount", **more: Any) -> dict[str, Any]:
    return {"key": "one", "kind": kind, "value": VALUES[kind], "cost_points": 100} | more


def rewarding(*rewards: dict[str, Any], **more: Any) -> dict[str, Any]:
    return document(rewards=list(rewards), tiers=LEVELS, **more)


def refused(told: dict[str, Any]) -> list[str]:
    return [one.pointer for one in checking.find_errors(told)]


@pytest.mark.parametrize("kind", VALUES)
def test_every_kind_is_accepted_with_its_value_and_nothing_else(kind: str) -> None:
    assert refused(rewarding(reward(kind))) == []
    assert [*VALUES[kind]] == [
        pointer.removeprefix(f"{AT}/value/")
        for pointer in refused(rewarding(reward(kind, value={})))
    ]
    everything = {"minor": 5, "percent_bp": 5, "sku": "A", "perk": "p", "valid_for": "P1D"}
    own = set(VALUES[kind]) | ({"valid_for"} if kind == "access" else set())
    found = refused(rewarding(reward(kind, value=everything)))
    assert found == [f"{AT}/value/{name}" for name in everything if name not in own]


WRONG: list[tuple[dict[str, Any], str]] = [
    (reward(value={"minor": 0}), "/value/minor"),
    (reward(points_key="stars"), "/points_key"),
    (reward(tiers=[]), "/tiers"),
    (reward(tiers=["gold", "glod"]), "/tiers/1"),
    (reward(tiers=["gold", "gold"]), "/tiers/1"),
    (reward(cost_by_tier={"glod": 5}), "/cost_by_tier/glod"),
    (reward(tiers=["gold"], cost_by_tier={"silver": 5}), "/cost_by_tier/silver"),
    (reward(max_discount_minor=100), "/max_discount_minor"),
    (reward("discount_percent", max_discount_minor=0), "/max_discount_minor"),
    (reward("gift_card", min_order_minor=100), "/min_order_minor"),
    (reward("access", applies_to=SKU), "/applies_to"),
    (reward(when={"fact": "order.net", "op": "=", "value": 1}), "/when/fact"),
    (reward(when=SKU), "/when/fact"),
    (reward(applies_to=LEAST), "/applies_to/fact"),
    (reward(applies_to={"when": LEAST}), "/applies_to/when/fact"),
    (reward(applies_to=SKU | {"op": "~"}), "/applies_to/op"),
    (reward(voucher={"pattern": "A-####", "pool": "summer"}), "/voucher"),
    (reward(voucher={"pattern": "WELCOME"}), "/voucher/pattern"),
    (reward("gift_card", voucher={"uses": 2}), "/voucher/uses"),
    (reward("free_product", voucher={"uses": 2}), "/voucher/uses"),
    (reward(limits=[{"points": 5}]), "/limits/0/times"),
    (reward(limits=[{"per": "order", "times": 1}]), "/limits/0/per"),
    (reward(limits=[{"times": 1}, {"per": "member", "period": "day", "times": 2}]), "/limits/1"),
    (
        reward(schedule={"starts_at": "2026-05-01T00:00:00Z", "ends_at": "2026-05-01T00:00:00Z"}),
        "/schedule/ends_at",
    ),
    (reward(schedule={"weekdays": []}), "/schedule/weekdays"),
]


@pytest.mark.parametrize(("told", "pointer"), WRONG, ids=lambda one: str(one)[-40:])
def test_what_is_wrong_is_refused_with_its_pointer(told: dict[str, Any], pointer: str) -> None:
    assert refused(rewarding(told))[0] == AT + pointer


@pytest.mark.parametrize(
    "told",
    [
        reward(cost_points=None),
        reward(cost_points=0, cost_by_tier={"gold": 50, "silver": 0}),
        reward(tiers=["gold"], cost_by_tier={"gold": 50}),
        reward("discount_percent", max_discount_minor=1, min_order_minor=1, applies_to=SKU),
        reward("free_shipping", applies_to={"when": SKU}, voucher={"uses": 3}),
        reward("access", value={"perk": "early", "valid_for": "P30D"}),
        reward(
            limits=[{"times": 1}, {"per": "program", "times": 9}, {"period": "ever", "times": 5}]
        ),
        reward(when={"all": [LEAST, NATIVE]}, schedule=None, stock=None, voucher=None, tiers=None),
        reward(voucher={"pool": "summer", "valid_for": "P30D"}, stock=0, claim_within="P7D"),
    ],
    ids=lambda one: str(one)[-40:],
)
def test_what_is_meant_is_accepted(told: dict[str, Any]) -> None:
    assert refused(rewarding(told)) == []


PAYING: list[tuple[dict[str, Any], str | None]] = [
    ({"points_key": "stars"}, "/points_key"),
    ({"value": {"points": 100, "minor": 0}}, "/value/minor"),
    ({"max_order_bp": 0}, "/max_order_bp"),
    ({"min_points": 500, "step_points": 100, "max_order_bp": 5000}, None),
    ({"value": {"points": 100, "minor": 1}, "state": "paused"}, None),
]


@pytest.mark.parametrize(("told", "pointer"), PAYING)
def test_paying_with_points_is_checked(told: dict[str, Any], pointer: str | None) -> None:
    found = refused(document(pay_with_points=told))
    assert found == ([] if pointer is None else [f"/pay_with_points{pointer}"])


def test_points_that_are_worth_nothing_need_a_value_to_pay_with() -> None:
    worthless = [{"key": "points", "value": {"points": 1, "minor": 0}}]
    assert refused(document(points=worthless, pay_with_points={"min_points": 1})) == [
        "/pay_with_points/value"
    ]
    told = document(points=worthless, pay_with_points={"value": {"points": 1, "minor": 1}})
    assert refused(told) == []


def test_the_schema_refuses_what_no_kind_can_mean(world: World) -> None:
    for told, pointer in (
        (reward(kind="discount_amount") | {"kind": "cash"}, "/kind"),
        (reward("discount_percent", value={"percent_bp": 10_001}), "/value/percent_bp"),
        (reward("discount_percent", value={"percent_bp": 0}), "/value/percent_bp"),
        (reward(cost_points=-1), "/cost_points"),
        (reward(cost_points="5"), "/cost_points"),
        (reward(image_url="javascript:alert(1)"), "/image_url"),
        (reward(voucher={"pattern": "Ü-####"}), "/voucher/pattern"),
        (reward(colour="red"), "/colour"),
    ):
        answer = world.call("PUT", "/program/draft", rewarding(told))
        assert pointers(problem(answer, 422, "validation_failed")) == [AT + pointer]


def test_keys_are_unique() -> None:
    assert refused(rewarding(reward(), reward())) == ["/rewards/1/key"]


def test_a_reward_is_edited_as_an_item_of_the_draft(world: World) -> None:
    told = reward(cost_points=300)
    world.put("/program/draft/rewards/one", told)
    assert world.get("/program/draft/rewards/one") == told
    assert world.get("/program/draft")["rewards"] == [told]
    assert world.call("DELETE", "/program/draft/rewards/one").status_code in (200, 204)
    assert world.get("/program/draft").get("rewards", []) == []


def test_rewards_survive_being_written_as_yaml() -> None:
    told = rewarding(
        reward(
            name={"en": "Five", "ko": "다섯"}, when=NATIVE, voucher={"pattern": "A-############"}
        ),
        pay_with_points={"min_points": 5, "step_points": 5},
    )
    assert exchange.read(exchange.write(told).encode()).document == told


def test_a_reward_that_is_gone_is_warned_of() -> None:
    live = rewarding(reward(), reward(key="two"))
    _, found = checking.check(rewarding(reward(key="two")), live=live)
    [gone] = [one for one in found if one.code == "removed_reward"]
    assert gone.pointer == "/rewards"
    assert gone.detail.startswith("the reward one is published")


def compiled(**more: Any) -> Reward:
    told = rewarding(reward(**more))
    [found] = compile_document(bytes(16), 1, told).catalogue.rewards
    return found


@pytest.mark.parametrize(
    ("when", "asks_of_member", "needs_cart"),
    [
        (None, set(), False),
        (NATIVE, {"member.locale"}, False),
        (LEAST, set(), True),
        ({"all": [LEAST, NATIVE]}, {"member.locale"}, True),
        ({"any": [LEAST, NATIVE]}, set(), True),
        ({"not": LEAST}, set(), True),
        ({"all": [{"any": [NATIVE, NATIVE]}, {"not": NATIVE}]}, {"member.locale"}, False),
    ],
)
def test_what_asks_only_of_the_member_is_told_apart(
    when: Any, asks_of_member: set[str], needs_cart: bool
) -> None:
    found = compiled(when=when)
    assert found.of_member.facts == asks_of_member
    assert found.needs_cart is needs_cart


def test_a_cost_by_level_counts_before_the_usual_one() -> None:
    found = compiled(cost_points=500, cost_by_tier={"gold": 0})
    assert (found.cost(None), found.cost("silver"), found.cost("gold")) == (500, 500, 0)
    found = compiled(cost_points=None, cost_by_tier={"gold": 5})
    assert (found.cost("silver"), found.cost("gold")) == (None, 5)


def test_levels_are_named_in_the_order_of_the_ladder() -> None:
    found = compiled(tiers=["gold", "silver"])
    assert found.levels == {"en": "silver or gold", "ko": "silver 또는 gold"}
