"""Every reason why a reward cannot be had: alone, together, and in the order of the contract."""

import itertools
from typing import Any

import pytest

from core import clock
from programs.compiled import Compiled, compile_document
from programs.rewards import Reward
from rewards import availability
from rewards.availability import Asked
from rules.limits import Room
from storefront import facts
from tests.rewards.test_discounts import card, cart, mug
from tests.world import document

facts.install()
NOON = clock.parse_instant("2026-04-01T03:00:00Z")
LATER = clock.parse_instant("2026-04-02T15:00:00Z")
MUGS = {"fact": "line.categories", "op": "contains", "value": "mugs"}
KOREAN = {"fact": "member.locale", "op": "=", "value": "ko"}
LEVELS = {"levels": [{"key": "gold", "enter_at": 500, "name": {"en": "Gold"}}]}

#: Of each reason: what makes a reward have it, and what makes it go away.
CAUSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "paused": ({"state": "paused"}, {}),
    "not_started": ({"schedule": {"starts_at": "2026-04-01T03:00:01Z"}}, {}),
    "tier_required": ({"tiers": ["gold"]}, {"level_key": "gold"}),
    "condition_not_met": ({"when": KOREAN}, {"facts": {"member.locale": "ko"}}),
    "limit_reached": ({"limits": [{"times": 1}]}, {"rooms": {}}),
    "out_of_stock": ({"stock": 2}, {"stock": {"one": (3, 2)}}),
    "insufficient_points": ({"cost_points": 101}, {"available": {"points": 101}}),
}
LACKING: dict[str, Any] = {
    "level_key": None,
    "facts": {},
    "rooms": {"reward:one": Room(0)},
    "stock": {"one": (2, 2)},
    "available": {"points": 100},
}


def made(**more: Any) -> tuple[Compiled, Reward]:
    item = {"key": "one", "kind": "discount_amount", "value": {"minor": 500}, "cost_points": 100}
    told = document(rewards=[item | more], tiers=LEVELS)
    program = compile_document(bytes(16), 1, told)
    return program, program.catalogue.rewards[0]


def judged(asks: dict[str, Any] | None = None, /, **more: Any) -> list[availability.Reason]:
    """The reasons of a reward with these fields, for what is asked of it."""
    program, reward = made(**more)
    usual = {"level_key": None, "facts": {}, "available": {"points": 1000}}
    given = usual | (asks or {})
    if not reward.rule.limits:
        given.pop("rooms", None)
    asked = Asked(program, NOON, **given)
    return availability.reasons(reward, asked, cost=reward.cost(asked.level_key))


def codes(asks: dict[str, Any] | None = None, /, **more: Any) -> list[str]:
    return [one.code for one in judged(asks, **more)]


def test_nothing_stands_in_the_way_of_the_usual() -> None:
    assert judged() == []


@pytest.mark.parametrize("count", range(1, len(CAUSES) + 1))
def test_all_reasons_that_apply_are_told_in_their_order(count: int) -> None:
    for chosen in itertools.combinations(CAUSES, count):
        fields: dict[str, Any] = {}
        for name in chosen:
            fields |= CAUSES[name][0]
        # Conditions of the member are judged of their facts, so both are lacking.
        assert codes(LACKING, **fields) == list(chosen)


@pytest.mark.parametrize("name", [name for name in CAUSES if CAUSES[name][1]])
def test_each_reason_goes_away_with_its_cause(name: str) -> None:
    fields, cure = CAUSES[name]
    assert codes(LACKING, **fields) == [name]
    assert codes(LACKING | cure, **fields) == []


def test_the_bounds_of_points_are_exact() -> None:
    for available, missing in ((100, None), (99, 1), (0, 100)):
        found = judged({"available": {"points": available}})
        assert [one.missing_points for one in found] == ([] if missing is None else [missing])
    # Of a kind nobody has: nothing is there.
    [found_one] = judged({"available": {}})
    assert found_one.missing_points == 100


def test_a_debt_is_a_reason_of_its_own_and_counts_to_what_is_missing() -> None:
    found = judged({"available": {"points": -30}})
    assert [one.code for one in found] == ["negative_balance", "insufficient_points"]
    assert found[1].missing_points == 130
    assert found[0].detail == "The balance of points is below zero: -30."
    # B11: nothing is redeemed below zero, not even what is free.
    [free] = judged({"available": {"points": -30}}, cost_points=0)
    assert free.code == "negative_balance"


def test_a_schedule_is_half_open() -> None:
    at = "2026-04-01T03:00:00Z"
    assert codes(schedule={"starts_at": at}) == []
    [ended] = judged(schedule={"ends_at": at})
    assert (ended.code, ended.again_at) == ("ended", None)
    [early] = judged(schedule={"starts_at": "2026-04-02T15:00:00Z"})
    assert (early.code, early.again_at) == ("not_started", LATER)
    assert early.text == {
        "en": "It can be had from 3 April 2026 on.",
        "ko": "2026년 4월 3일부터 받을 수 있습니다.",
    }


def test_limits_say_when_there_is_room_again() -> None:
    limits = [{"times": 1}]
    [found] = judged({"rooms": {"reward:one": Room(0, LATER)}}, limits=limits)
    assert found.again_at == LATER
    assert found.detail == (
        "It was redeemed as often as it can be for now; again from 3 April 2026 on."
    )
    assert judged({"rooms": {"reward:one": Room()}}, limits=limits) == []
    [found] = judged({"rooms": {"reward:one": Room(0)}}, limits=limits)
    assert availability.show(found) == {
        "code": "limit_reached",
        "detail": {
            "en": "It was redeemed as often as it can be.",
            "ko": "받을 수 있는 횟수를 모두 사용했습니다.",
        },
    }


def test_stock_is_what_the_row_says_and_else_the_document() -> None:
    for stock, row, left in (
        (3, None, 3),
        (3, (5, 1), 4),
        (3, (2, 2), 0),
        (3, (1, 2), 0),
        (0, None, 0),
        (0, (1, 0), 1),
    ):
        program, reward = made(stock=stock)
        rows = {} if row is None else {"one": row}
        asked = Asked(program, NOON, None, {}, {"points": 1000}, stock=rows)
        assert availability.left(reward, asked) == left
        found = [one.code for one in availability.reasons(reward, asked, cost=100)]
        assert found == ([] if left else ["out_of_stock"])


def test_an_empty_pool_of_codes_is_out_of_stock() -> None:
    voucher = {"pool": "summer"}
    assert codes({"empty_pools": frozenset({"summer"})}, voucher=voucher) == ["out_of_stock"]
    assert codes({"empty_pools": frozenset({"winter"})}, voucher=voucher) == []


def test_without_a_cart_what_asks_for_one_is_left_open() -> None:
    least = {"fact": "order.net_minor", "op": ">=", "value": 5000}
    assert codes(when=least) == []
    assert codes(when={"all": [least, KOREAN]}) == ["condition_not_met"]
    assert codes(min_order_minor=5000, applies_to=MUGS) == []


def test_with_a_cart_the_least_the_lines_and_the_condition_are_judged() -> None:
    asks = {"order": cart(mug(1200), 2000)}
    [below] = judged(asks, min_order_minor=5000)
    assert (below.code, below.missing_minor) == ("condition_not_met", 1800)
    assert below.text == {
        "en": "The order needs €18.00 more.",
        "ko": "주문 금액이 €18.00 더 필요합니다.",
    }
    assert judged(asks, min_order_minor=3200) == []
    assert judged(asks, applies_to=MUGS) == []
    assert codes({"order": cart(2000)}, applies_to=MUGS) == ["condition_not_met"]
    facts_ = {"order.net_minor": 3200}
    least = {"fact": "order.net_minor", "op": ">=", "value": 3201}
    assert codes(asks | {"facts": facts_}, when=least) == ["condition_not_met"]
    assert codes(asks | {"facts": {"order.net_minor": 3201}}, when=least) == []


def test_gift_cards_are_nothing_that_a_discount_applies_to() -> None:
    assert codes({"order": cart(card(5000))}) == ["condition_not_met"]
    assert codes({"order": cart(card(5000), 1)}) == []
    gift = {"kind": "free_product", "value": {"sku": "MUG"}}
    assert codes({"order": cart(card(5000))}, **gift) == []


def test_what_is_only_granted_cannot_be_bought_but_used() -> None:
    assert codes(cost_points=None) == ["condition_not_met"]
    assert codes(cost_points=None, cost_by_tier={"gold": 5}) == ["condition_not_met"]
    assert codes({"level_key": "gold"}, cost_points=None, cost_by_tier={"gold": 5}) == []


def test_a_grant_is_judged_no_more() -> None:
    everything: dict[str, Any] = {}
    for fields, _ in CAUSES.values():
        everything |= fields
    assert codes(LACKING | {"grants": {"one": 1}}, **everything) == []
    assert codes(LACKING | {"grants": {"other": 1}}, cost_points=None) == ["condition_not_met"]
