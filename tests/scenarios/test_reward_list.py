"""What members can have: every reward of the catalogue with its cost and every reason why not."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.contract.checking import problem
from tests.scenarios.reward_lists import WELCOME, codes, listed, opened, reward
from tests.world import World

Make = Callable[..., World]


@pytest.fixture
def shop(make_world: Make) -> Make:
    """Opens a program with the rewards it is given."""
    return partial(opened, make_world)


def adjust(world: World, points: int, **more: Any) -> None:
    body = {"member_ref": "mina", "points": points, "reason": "test"} | more
    world.post("/adjustments", body, status=201)


def test_a_reward_is_shown_whole(shop: Callable[..., World]) -> None:
    world = shop(
        reward(
            "five",
            name={"en": "Five off", "ko": "5유로 할인"},
            description={"en": "On anything."},
            terms={"en": "Once."},
            category="money",
            image_url="https://shop.example.org/five.png",
            estimated_cost_minor=400,
        )
    )
    assert listed(world)["five"] == {
        "key": "five",
        "name": {"en": "Five off", "ko": "5유로 할인"},
        "description": {"en": "On anything."},
        "kind": "discount_amount",
        "cost_points": 200,
        "points_key": "points",
        "discount": {"kind": "discount_amount", "minor": 500},
        "is_available": True,
        "unavailable_reasons": [],
        "needs_cart": False,
        "min_order_minor": 0,
        "stock_left": None,
        "has_voucher": False,
        "combines": True,
        "image_url": "https://shop.example.org/five.png",
        "terms": {"en": "Once."},
        "category": "money",
        "position": 0,
        "grants": [],
    }


def test_rewards_come_by_position_and_then_as_written(shop: Callable[..., World]) -> None:
    world = shop(
        reward("d", position=2), reward("a", position=1), reward("c"), reward("b", position=-1)
    )
    assert [*listed(world)] == ["b", "c", "a", "d"]


def test_a_program_without_rewards_has_an_empty_list(world: World) -> None:
    world.member()
    assert world.get("/members/mina/rewards") == {"data": [], "next_cursor": None}


def test_an_unknown_member_is_not_found(shop: Callable[..., World]) -> None:
    world = shop(reward("five"))
    problem(world.call("GET", "/members/nobody/rewards"), 404, "not_found")


def test_a_member_is_found_by_our_own_id_and_by_an_alias(shop: Callable[..., World]) -> None:
    world = shop(reward("five"))
    own = world.get("/members/mina")["id"]
    world.member("twin")
    world.post("/members/twin/merge", {"into_member_ref": "mina"})
    first = world.get("/members/mina/rewards")
    assert world.get(f"/members/{own}/rewards") == first
    assert world.get("/members/twin/rewards") == first


def test_missing_points_are_counted_of_the_kind_that_it_costs(make_world: Make) -> None:
    world = make_world(
        points=[
            {"key": "points", "name": {"en": "petals", "ko": "꽃잎"}},
            {"key": "stars", "name": {"en": "stars", "ko": "별"}},
        ],
        rewards=[reward("a", cost_points=1200), reward("b", cost_points=3, points_key="stars")],
        earning={"rules": [WELCOME]},
    )
    world.member()
    found = listed(world)
    assert found["a"]["unavailable_reasons"] == [
        {
            "code": "insufficient_points",
            "detail": {"en": "700 more petals needed.", "ko": "700꽃잎이 더 필요합니다."},
            "missing_points": 700,
        }
    ]
    assert (found["a"]["is_available"], found["a"]["missing_points"]) == (False, 700)
    assert found["b"]["missing_points"] == 3
    assert found["b"]["points_key"] == "stars"


def test_a_cost_may_differ_by_level(shop: Callable[..., World]) -> None:
    world = shop(reward("five", cost_points=600, cost_by_tier={"silver": 450, "gold": 300}))
    assert (listed(world)["five"]["cost_points"], codes(listed(world)["five"])) == (
        600,
        ["insufficient_points"],
    )
    # 100.00 spent: silver, and 100 points more.
    world.order("A-1", 10_000)
    found = listed(world)["five"]
    assert (found["cost_points"], found["is_available"]) == (450, True)


def test_levels_are_named(shop: Callable[..., World]) -> None:
    world = shop(reward("five", tiers=["gold", "silver"]), reward("six", tiers=["gold"]))
    found = listed(world)["five"]
    assert found["unavailable_reasons"] == [
        {
            "code": "tier_required",
            "detail": {
                "en": "It is for members at the level Silver or Gold.",
                "ko": "실버 또는 골드 등급 회원만 받을 수 있습니다.",
            },
        }
    ]
    world.order("A-1", 10_000)
    found = listed(world)
    assert (codes(found["five"]), codes(found["six"])) == ([], ["tier_required"])


def test_a_window_opens_and_closes(shop: Callable[..., World]) -> None:
    world = shop(
        reward("may", schedule={"starts_at": "2026-05-01T00:00:00+09:00"}),
        reward("march", schedule={"ends_at": "2026-04-01T12:00:00+09:00"}),
        reward("now", schedule={"ends_at": "2026-04-01T12:00:01+09:00"}),
        # Wednesday is the third day.
        reward("nights", schedule={"weekdays": [3], "from": "18:00"}),
    )
    found = listed(world)
    assert found["may"]["unavailable_reasons"] == [
        {
            "code": "not_started",
            "detail": {
                "en": "It can be had from 1 May 2026 on.",
                "ko": "2026년 5월 1일부터 받을 수 있습니다.",
            },
            "from": "2026-04-30T15:00:00Z",
        }
    ]
    assert codes(found["march"]) == ["ended"]
    assert codes(found["now"]) == []
    [night] = found["nights"]["unavailable_reasons"]
    assert (night["code"], night["from"]) == ("not_started", "2026-04-01T09:00:00Z")


def test_conditions_on_the_member_say_what_is_missing(shop: Callable[..., World]) -> None:
    when = {"fact": "member.order_count", "op": ">=", "value": 2}
    world = shop(reward("loyal", when=when))
    [reason] = listed(world)["loyal"]["unavailable_reasons"]
    assert reason["code"] == "condition_not_met"
    assert reason["detail"]["en"] == (
        "Its conditions are not met. What it takes: 2 more earlier orders."
    )
    assert reason["missing"][0]["fact"] == "member.order_count"
    assert (reason["missing"][0]["needed"], reason["missing"][0]["actual"]) == (2, 0)
    world.order("A-1", 100)
    [reason] = listed(world)["loyal"]["unavailable_reasons"]
    assert reason["missing"][0]["actual"] == 1
    world.order("A-2", 100)
    assert listed(world)["loyal"]["is_available"]


def test_what_asks_for_a_cart_is_left_open_without_one(shop: Callable[..., World]) -> None:
    of_order = {"fact": "order.net_minor", "op": ">=", "value": 5000}
    of_member = {"fact": "member.locale", "op": "=", "value": "ko"}
    world = shop(
        reward("order", when=of_order),
        reward("both", when={"all": [of_order, of_member]}),
        reward("either", when={"any": [of_order, of_member]}),
        reward("least", min_order_minor=5000),
        reward("lines", applies_to={"fact": "line.sku", "op": "=", "value": "MUG"}),
        reward("member", when=of_member),
    )
    found = listed(world)
    assert {key: (one["needs_cart"], codes(one)) for key, one in found.items()} == {
        "order": (True, []),
        "both": (True, ["condition_not_met"]),
        "either": (True, []),
        "least": (True, []),
        "lines": (True, []),
        "member": (False, ["condition_not_met"]),
    }
    world.member(locale="ko")
    assert codes(listed(world)["both"]) == []


def test_what_is_only_granted_says_so(shop: Callable[..., World]) -> None:
    world = shop(reward("gift", cost_points=None), reward("free", cost_points=0))
    found = listed(world)
    assert found["gift"]["unavailable_reasons"] == [
        {
            "code": "condition_not_met",
            "detail": {
                "en": "It cannot be bought with points, only be given.",
                "ko": "포인트로 교환할 수 없고 지급받을 수만 있습니다.",
            },
        }
    ]
    assert (found["free"]["cost_points"], found["free"]["is_available"]) == (0, True)


def test_stock_is_counted_down_and_gone(shop: Callable[..., World]) -> None:
    world = shop(reward("none", stock=0), reward("three", stock=3))
    found = listed(world)
    assert (found["none"]["stock_left"], codes(found["none"])) == (0, ["out_of_stock"])
    assert (found["three"]["stock_left"], codes(found["three"])) == (3, [])


def test_below_zero_nothing_is_sold(shop: Callable[..., World]) -> None:
    world = shop(reward("five"), reward("free", cost_points=0))
    adjust(world, -530, allow_negative=True)
    found = listed(world)
    assert codes(found["five"]) == ["negative_balance", "insufficient_points"]
    # 200 and the 30 that are owed.
    assert found["five"]["missing_points"] == 230
    assert codes(found["free"]) == ["negative_balance"]


def test_every_reason_is_told_in_the_order_of_the_contract(shop: Callable[..., World]) -> None:
    world = shop(
        reward(
            "five",
            cost_points=900,
            state="paused",
            schedule={"starts_at": "2026-05-01T00:00:00+09:00"},
            tiers=["gold"],
            when={"fact": "member.locale", "op": "=", "value": "ko"},
            stock=0,
        )
    )
    assert codes(listed(world)["five"]) == [
        "paused",
        "not_started",
        "tier_required",
        "condition_not_met",
        "out_of_stock",
        "insufficient_points",
    ]


def test_whoever_does_not_take_part_cannot_have_it(shop: Callable[..., World]) -> None:
    world = shop(reward("free", cost_points=0))
    world.member("jun", is_enrolled=False)
    assert codes(listed(world, "jun")["free"]) == ["condition_not_met"]


def test_a_switch_pauses_a_reward_at_once(shop: Callable[..., World]) -> None:
    world = shop(reward("five"))
    assert codes(listed(world)["five"]) == []
    switch = {"section": "rewards", "key": "five", "state": "paused", "reason": "too dear"}
    world.post("/switches", switch)
    assert codes(listed(world)["five"]) == ["paused"]
    world.post("/switches", switch | {"state": "live"})
    assert codes(listed(world)["five"]) == []
