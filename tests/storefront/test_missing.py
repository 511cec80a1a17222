"""What a condition lacks, in words: each operator on each type of fact, written out by hand."""

from typing import Any

import pytest

from core import clock
from programs import triggers
from programs.compiled import Compiled, compile_document
from rules.conditions import compile_condition
from storefront import facts
from storefront.explanations import missing

DOCUMENT: dict[str, Any] = {
    "name": "Bloom",
    "timezone": "Asia/Seoul",
    "currency": "KRW",
    "points": [{"key": "points"}],
    "tiers": {
        "levels": [
            {"key": "silver", "name": {"en": "Silver", "ko": "실버"}, "enter_at": 10},
            {"key": "gold", "name": {"en": "Gold", "ko": "골드"}, "enter_at": 20},
            {"key": "vip", "enter_at": 30},
        ]
    },
}
FACTS: dict[str, Any] = {
    "order.net_minor": 48_000,
    "order.gross_minor": 50_000,
    "order.discount_minor": 2_000,
    "order.item_count": 2,
    "order.channel": "app",
    "order.categories": ["plates"],
    "order.codes": [],
    "order.is_first": False,
    "order.is_renewal": True,
    "order.attributes.colour": "red",
    "order.attributes.weight": 3,
    "order.attributes.gift": False,
    "member.order_count": 4,
    "member.spend_12m_minor": 100_000,
    "member.joined_on": "2026-06-01",
    "member.tier": "silver",
    "member.balance": 900,
}
CASES: list[tuple[str, str, Any, str, str]] = [
    ("order.net_minor", ">=", 50_000, "₩2,000 more", "2,000원 더 구매"),
    ("order.net_minor", ">", 50_000, "₩2,001 more", "2,001원 더 구매"),
    ("order.net_minor", "<", 40_000, "at most ₩39,999", "39,999원 이하"),
    ("order.net_minor", "=", 40_000, "exactly ₩40,000", "40,000원인 경우"),
    (
        "order.gross_minor",
        ">=",
        60_000,
        "₩10,000 more before discounts",
        "할인 전 금액 10,000원 더",
    ),
    ("order.discount_minor", "=", 0, "exactly ₩0 in discounts", "할인 금액이 0원인 경우"),
    ("order.item_count", "=", 1, "exactly 1 item", "상품 1개인 경우"),
    ("order.item_count", ">=", 3, "1 more item", "상품 1개 더"),
    ("order.item_count", ">=", 4, "2 more items", "상품 2개 더"),
    ("order.item_count", "<=", 1, "at most 1 item", "상품 1개 이하"),
    ("order.item_count", "!=", 2, "1 more item", "상품 1개 더"),
    ("member.order_count", "=", 0, "exactly 0 earlier orders", "이전 주문 0건인 경우"),
    (
        "member.spend_12m_minor",
        ">=",
        150_000,
        "₩50,000 more spent in the 12 months before",
        "최근 12개월 구매 금액 50,000원 더",
    ),
    (
        "member.days_since_last_order",
        ">=",
        30,
        "at least 30 days since the last order",
        "마지막 주문 후 30일 이상",
    ),
    ("member.balance", ">=", 1000, "100 more points on the account", "보유 포인트 100점 더"),
    ("order.attributes.weight", ">=", 5, "with weight of at least 5", "weight가 5 이상인 경우"),
    ("order.attributes.weight", "<", 3, "with weight of at most 2", "weight가 2 이하인 경우"),
    ("order.attributes.weight", "=", 5, "with weight 5", "weight가 5인 경우"),
    ("order.channel", "=", "web", "with the channel web", "판매 채널이 web인 경우"),
    ("order.channel", "!=", "app", "with a channel other than app", "판매 채널이 app이 아닌 경우"),
    (
        "order.channel",
        "in",
        ["web", "kiosk"],
        "with one of the channels web, kiosk",
        "판매 채널이 web, kiosk 중 하나인 경우",
    ),
    (
        "order.channel",
        "not_in",
        ["web", "app"],
        "with none of the channels web, app",
        "판매 채널이 web, app이 아닌 경우",
    ),
    (
        "order.channel",
        "contains",
        "we",
        "with a channel containing we",
        "판매 채널에 we가 있는 경우",
    ),
    (
        "order.categories",
        "contains",
        "mugs",
        "with the category mugs",
        "카테고리에 mugs가 있는 경우",
    ),
    (
        "order.categories",
        "in",
        ["mugs", "cups"],
        "with one of the categories mugs, cups",
        "카테고리에 mugs, cups 중 하나가 있는 경우",
    ),
    (
        "order.categories",
        "not_in",
        ["plates", "cups"],
        "with none of the categories plates, cups",
        "카테고리에 plates, cups가 없는 경우",
    ),
    ("order.codes", "contains", "SPRING", "with the code SPRING", "코드에 SPRING이 있는 경우"),
    ("order.is_first", "=", True, "on the first purchase", "첫 구매인 경우"),
    (
        "order.is_renewal",
        "=",
        False,
        "when it is no renewal of a subscription",
        "정기 구독 갱신이 아닌 주문인 경우",
    ),
    ("order.attributes.gift", "=", True, "with gift yes", "gift가 예인 경우"),
    ("order.attributes.colour", "=", "blue", "with colour blue", "colour가 blue인 경우"),
    (
        "member.joined_on",
        "<",
        "2026-01-31",
        "with a day of joining before 31 January 2026",
        "가입일이 2026년 1월 31일보다 앞인 경우",
    ),
    (
        "member.joined_on",
        ">=",
        "2027-01-31",
        "with a day of joining from 31 January 2027 on",
        "가입일이 2027년 1월 31일 이후인 경우",
    ),
    ("member.tier", "in", ["gold", "vip"], "from Gold on", "골드 등급부터"),
    ("member.tier", "=", "vip", "from vip on", "vip 등급부터"),
    ("member.tier", "=", "gold", "at the level Gold", "골드 등급인 경우"),
    ("member.tier", "in", ["gold", "old"], "at the level Gold or old", "골드 또는 old 등급인 경우"),
]


@pytest.fixture(scope="module")
def program() -> Compiled:
    facts.install()
    return compile_document(bytes(16), 1, DOCUMENT)


def of(program: Compiled, condition: Any) -> tuple[Any, Any]:
    catalogue = triggers.find_facts("order")
    assert catalogue is not None
    explanation = compile_condition(condition, catalogue=catalogue).explain(FACTS)
    return missing.of_condition(program, explanation, catalogue=catalogue)


@pytest.mark.parametrize("case", CASES, ids=[f"{one[0]} {one[1]} {one[2]}" for one in CASES])
def test_a_comparison_says_what_it_takes(
    program: Compiled, case: tuple[str, str, Any, str, str]
) -> None:
    fact, op, value, english, korean = case
    [[found], others] = of(program, {"fact": fact, "op": op, "value": value})
    assert found["detail"] == {"en": english, "ko": korean}
    assert (found["fact"], found["actual"], others) == (fact, FACTS.get(fact), [])


def test_a_negation_is_told_as_what_it_asks(program: Compiled) -> None:
    leaf: dict[str, Any] = {"fact": "order.categories", "op": "contains", "value": "plates"}
    [[found], _] = of(program, {"not": leaf})
    assert found["detail"] == {
        "en": "without the category plates",
        "ko": "카테고리에 plates가 없는 경우",
    }
    leaf = {"fact": "order.net_minor", "op": "<", "value": 50_000}
    [[found], _] = of(program, {"not": leaf})
    assert (found["detail"]["en"], found["needed"], found["minor"]) == ("₩2,000 more", 50_000, 2000)


def test_everything_that_is_missing_is_named_together_and_other_ways_apart(
    program: Compiled,
) -> None:
    money = {"fact": "order.net_minor", "op": ">=", "value": 50_000}
    web = {"fact": "order.channel", "op": "=", "value": "web"}
    first = {"fact": "order.is_first", "op": "=", "value": True}
    found, others = of(program, {"any": [{"all": [money, web]}, first]})
    assert [one["detail"]["en"] for one in found] == ["on the first purchase"]
    assert [[one["detail"]["en"] for one in way] for way in others] == [
        ["₩2,000 more", "with the channel web"]
    ]


def test_an_instant_is_told_by_the_programs_day(program: Compiled) -> None:
    at = clock.parse_instant("2027-01-30T15:00:00Z")
    assert missing.from_instant(program, at, is_again=True) == {
        "detail": {"en": "again from 31 January 2027", "ko": "2027년 1월 31일부터 다시"},
        "from": "2027-01-30T15:00:00Z",
    }


SCHEDULES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"weekdays": [1, 2, 3, 4, 5], "from": "14:00", "until": "17:00"},
        "Next: 3 May 2027 14:00 (Mon–Fri 14:00–17:00).",
        "다음 진행: 2027년 5월 3일 14:00 (월–금 14:00–17:00).",
    ),
    (
        {"weekdays": [1, 3], "from": "14:00", "until": "24:00"},
        "Next: 3 May 2027 14:00 (Mon, Wed 14:00–24:00).",
        "다음 진행: 2027년 5월 3일 14:00 (월, 수 14:00–24:00).",
    ),
    (
        {"weekdays": [1]},
        "Next: 3 May 2027 14:00 (Mondays).",
        "다음 진행: 2027년 5월 3일 14:00 (월요일).",
    ),
    (
        {"starts_at": "2027-05-03T05:00:00Z"},
        "Next: 3 May 2027 14:00.",
        "다음 진행: 2027년 5월 3일 14:00.",
    ),
]


@pytest.mark.parametrize(("schedule", "english", "korean"), SCHEDULES)
def test_a_schedule_says_when_it_comes_next(
    program: Compiled, schedule: dict[str, Any], english: str, korean: str
) -> None:
    item = {
        "key": "hours",
        "schedule": schedule,
        "effect": {"do": "add_points", "points": 1},
    }
    document = DOCUMENT | {"earning": {"rules": [item]}}
    [rule] = compile_document(bytes(16), 1, document).rules_of("order")
    # 3 May 2027 is a Monday; 05:00Z is 14:00 in Seoul.
    stored = {"again_at": "2027-05-03T05:00:00Z"}
    items = missing.of_reason(program, "outside_schedule", rule, stored, None)
    assert missing.advice(program, "outside_schedule", items) == {"en": english, "ko": korean}
