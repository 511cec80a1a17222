"""What entries of redemptions say: the reward's name, or what it gives, in both languages."""

from collections.abc import Callable
from typing import Any

import pytest

from rewards.terms import Terms
from storefront.explanations import redeemed
from tests.analytics.reports import end, give, hold
from tests.world import World

REWARDS = [
    {
        "key": "coupon",
        "kind": "discount_amount",
        "value": {"minor": 5000},
        "cost_points": 500,
    },
    {
        "key": "tea",
        "kind": "custom",
        "name": {"en": "Tea for two", "ko": "이인용 차"},
        "cost_points": 70,
    },
]


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world(currency="KRW", rewards=REWARDS, pay_with_points={"step_points": 1})
    made.member("mina")
    give(made, 2000)
    return made


def _said(world: World) -> list[dict[str, str]]:
    return [one["summary"] for one in world.entries()[1:]]


def test_what_a_reward_gives_is_said_where_it_has_no_name(world: World) -> None:
    held = hold(world, reward="coupon")
    end(world, held, "capture")
    end(world, held, "reverse", reason="sorry")
    assert _said(world) == [
        {"en": "500 points reserved for ₩5,000 off", "ko": "5,000원 할인 교환 대기 (500포인트)"},
        {"en": "500 points spent on ₩5,000 off", "ko": "5,000원 할인 교환에 500포인트 사용"},
        {
            "en": "500 points that were spent on ₩5,000 off given back",
            "ko": "5,000원 할인 교환에 사용한 500포인트 반환",
        },
    ]


def test_a_name_is_what_it_was_when_it_was_promised(world: World) -> None:
    end(world, hold(world, reward="tea"), "release")
    world.publish(currency="KRW", rewards=[REWARDS[1] | {"name": {"en": "Coffee"}}])
    said = _said(world)
    assert said[1] == {
        "en": "70 points no longer reserved for Tea for two",
        "ko": "이인용 차 교환 대기 해제로 70포인트 반환",
    }
    assert said[0]["ko"] == "이인용 차 교환 대기 (70포인트)"


def test_points_that_pay_say_how_much(world: World) -> None:
    end(world, hold(world, pay_with_points={"points": 300}), "capture")
    expected = {"en": "300 points spent on paying ₩300", "ko": "300원 결제에 300포인트 사용"}
    assert _said(world)[1] == expected
    entry = world.entries()[2]
    assert world.get(f"/entries/{entry['id']}")["summary"] == expected
    [account] = world.get("/members/mina/statement")["accounts"]
    assert account["entries"][2]["summary"] == expected
    past = world.get("/members/mina/entries?as_of=2999-01-01T00:00:00Z")["data"]
    assert past[0]["summary"] == expected


@pytest.mark.parametrize(
    ("kind", "more", "english", "korean"),
    [
        ("discount_percent", {"percent_bp": 1000}, "10 % off", "10% 할인"),
        ("discount_percent", {"percent_bp": 1250}, "12.5 % off", "12.5% 할인"),
        ("discount_percent", {"percent_bp": 25}, "0.25 % off", "0.25% 할인"),
        ("free_shipping", {}, "free shipping", "무료 배송"),
        ("free_product", {"sku": "MUG"}, "a free product", "무료 상품"),
        ("gift_card", {"minor": 100}, "a gift card of €1.00", "€1.00 기프트카드"),
        ("store_credit", {"minor": 250}, "€2.50 of store credit", "€2.50 적립금"),
        ("access", {"perk": "lounge"}, "access", "이용권"),
        ("custom", {}, "a reward", "리워드"),
        ("pay_with_points", {"minor": 1}, "paying €0.01", "€0.01 결제"),
    ],
)
def test_every_kind_has_its_words(
    kind: str, more: dict[str, Any], english: str, korean: str
) -> None:
    promised = Terms(kind=kind, reward_key="r", points_key=None, points=0, **more)
    assert redeemed.name_of(promised, "EUR") == {"en": english, "ko": korean}


def test_points_that_paid_and_come_back_are_told_so(world: World) -> None:
    held = hold(world, pay_with_points={"points": 500})
    end(world, held, "capture")
    end(world, held, "reverse", reason="sorry")
    assert [one["ko"] for one in _said(world)] == [
        "500원 결제 대기 (500포인트)",
        "500원 결제에 500포인트 사용",
        "500원 결제에 사용한 500포인트 반환",
    ]
