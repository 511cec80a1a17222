"""Decisions and outcomes in sentences, written out by hand; no reason is without one."""

from datetime import date
from typing import Any, get_args

import pytest

from core import clock
from core.language import Text
from programs.compiled import Compiled, compile_document
from rules.outcomes import REASONS, Reason
from storefront import facts
from storefront.explanations import explaining, missing
from storefront.explanations.missed_days import Missed

#: Reasons of rules as the contract lists them.
CONTRACT = [
    *("not_live", "outside_schedule", "condition_not_met", "limit_reached", "capped", "excluded"),
    *("holdout", "cooldown", "budget", "lost", "no_member", "not_paid", "negative_balance"),
    "already_paid",
]
DOCUMENT: dict[str, Any] = {
    "name": "Bloom",
    "timezone": "Asia/Seoul",
    "currency": "KRW",
    "points": [{"key": "points"}, {"key": "stars", "name": {"en": "stars", "ko": "별"}}],
    "cards": [
        {
            "key": "coffee",
            "name": {"en": "Coffee card", "ko": "커피 카드"},
            "stamps": 10,
            "effects": [{"do": "add_points", "points": 40}],
        }
    ],
    "tiers": {
        "levels": [
            {
                "key": "gold",
                "name": {"en": "Gold", "ko": "골드"},
                "enter_at": 10,
                "entry_effects": [{"do": "add_points", "points": 300}],
            }
        ]
    },
    "earning": {
        "rules": [
            {
                "key": "party",
                "name": {"en": "Party", "ko": "파티"},
                "trigger": "tier_entered",
                "effect": {"do": "add_points", "points": 7},
            },
            {
                "key": "base",
                "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
            },
            {
                "key": "spring",
                "name": {"en": "Spring", "ko": "봄맞이"},
                "effect": {"do": "multiply_points", "factor_bp": 20_000},
                "stacking": {"mode": "exclusive", "group": "g"},
            },
            {
                "key": "happy",
                "name": {"en": "Happy hour", "ko": "해피 아워"},
                "effect": {"do": "multiply_points", "factor_bp": 30_000},
                "stacking": {"mode": "exclusive", "group": "g"},
            },
            {
                "key": "stamp",
                "name": {"en": "A stamp a visit", "ko": "방문 스탬프"},
                "effect": {"do": "add_stamps", "card": "coffee", "stamps": 1},
            },
        ]
    },
}


@pytest.fixture(scope="module")
def program() -> Compiled:
    facts.install()
    return compile_document(bytes(16), 1, DOCUMENT)


def outcomes(rules: list[dict[str, Any]], *kinds: Any, **more: Any) -> dict[str, Any]:
    arithmetic = [
        {"points_key": key, "points": sum(one[1] for one in breakdown), "breakdown": breakdown}
        for key, breakdown in kinds
    ]
    return {"rules": rules, "arithmetic": arithmetic} | more


def whole(
    program: Compiled, stored: dict[str, Any], *, source: tuple[str, str, str] | None = None
) -> Text:
    type_, ref, trigger = source or ("order", "A-1", "order")
    return explaining.decision(
        program,
        explaining.about(program, (type_, ref), trigger, status="cancelled"),
        stored,
        rules={rule.key: rule for rule in program.rules_of("order")},
        tier_key=None,
    )


def fired(*keys: str) -> list[dict[str, Any]]:
    return [{"rule": key, "is_fired": True} for key in keys]


def not_fired(reason: str, *keys: str) -> list[dict[str, Any]]:
    return [{"rule": key, "is_fired": False, "reason": reason} for key in keys]


def test_every_reason_of_the_contract_has_a_sentence() -> None:
    assert list(explaining.REASONS) == CONTRACT
    assert set(REASONS) == set(get_args(Reason)) <= set(CONTRACT)
    for texts in explaining.REASONS.values():
        assert set(texts) == {"en", "ko"}


def test_one_rule_that_pays_for_what_was_bought(program: Compiled) -> None:
    stored = outcomes(fired("base"), ("points", [["base", 1, ""]]))
    assert whole(program, stored) == {
        "en": "1 point for order A-1.",
        "ko": "주문 A-1로 1포인트가 적립되었습니다.",
    }


def test_a_negative_part_and_parts_of_none_are_told_as_they_are(program: Compiled) -> None:
    parts = [["base", 1100, ""], ["spring", -100, ""], ["happy", 0, ""]]
    assert whole(program, outcomes(fired("base"), ("points", parts)))["en"] == (
        "1,000 points for order A-1: 1,100 for what you bought and -100 from “Spring”."
    )


def test_several_kinds_and_stamps_are_listed(program: Compiled) -> None:
    stored = outcomes(
        fired("base", "stamp"),
        ("points", [["base", 10, ""]]),
        ("stars", [["base", 1, ""]]),
        stamps={"coffee": 1},
    )
    assert whole(program, stored) == {
        "en": "10 points, 1 star and 1 stamp on “Coffee card” for order A-1.",
        "ko": "주문 A-1로 10포인트, 1별, ‘커피 카드’ 스탬프 1개가 적립되었습니다.",
    }


@pytest.mark.parametrize(
    ("stored", "english", "korean"),
    [
        (
            not_fired("no_member", "base"),
            "only members who take part earn points",
            "참여 회원만 적립할 수 있습니다",
        ),
        (not_fired("already_paid", "base"), "it was given before", "이미 지급되었습니다"),
        (
            not_fired("limit_reached", "base"),
            "the limit is used up",
            "한도를 모두 사용했습니다",
        ),
        (
            not_fired("outside_schedule", "base"),
            "no offer was running at that time",
            "그 시각에 진행 중인 혜택이 없었습니다",
        ),
        (not_fired("not_live", "base"), "the offers are paused", "혜택이 일시 중지되었습니다"),
        (not_fired("condition_not_met", "base"), "no offer applied", "해당하는 혜택이 없었습니다"),
        (
            not_fired("limit_reached", "base") + not_fired("not_live", "happy"),
            "the limit is used up",
            "한도를 모두 사용했습니다",
        ),
        (
            not_fired("limit_reached", "base") + not_fired("condition_not_met", "happy"),
            "no offer applied",
            "해당하는 혜택이 없었습니다",
        ),
        (fired("base"), "it comes to less than 1", "1 미만입니다"),
        ([], "no offer applied", "해당하는 혜택이 없었습니다"),
    ],
)
def test_nothing_is_said_with_its_reason(
    program: Compiled, stored: list[dict[str, Any]], english: str, korean: str
) -> None:
    assert whole(program, outcomes(stored)) == {
        "en": f"No points for order A-1: {english}.",
        "ko": f"주문 A-1은 적립되지 않았습니다: {korean}.",
    }


@pytest.mark.parametrize(
    ("status", "english", "korean"),
    [
        ("cancelled", "it was cancelled", "취소되어"),
        ("pending", "it is not paid yet", "아직 결제되지 않아"),
        ("paid", "it was refunded", "환불되어"),
        (
            None,
            "it was not paid, or was cancelled or refunded",
            "결제되지 않았거나 취소 또는 환불되어",
        ),
    ],
)
def test_an_order_that_does_not_stand_says_so(
    program: Compiled, status: str | None, english: str, korean: str
) -> None:
    about = explaining.about(program, ("order", "A-1"), "order", status=status)
    stored = outcomes(not_fired("not_paid", "base") + not_fired("not_live", "happy"))
    told = explaining.decision(program, about, stored, rules={}, tier_key=None)
    assert told == {
        "en": f"No points for order A-1: {english}.",
        "ko": f"주문 A-1은 {korean} 적립되지 않았습니다.",
    }


@pytest.mark.parametrize(
    ("source", "english", "korean", "gone"),
    [
        (
            ("activity", "R-1", "activity:review"),
            "review R-1",
            "리뷰 R-1로",
            "리뷰 R-1은 철회되어",
        ),
        (
            ("activity", "R-2", "activity:test_drive"),
            "test drive R-2",
            "test drive R-2로",
            "test drive R-2는 철회되어",
        ),
        (
            ("birthday", "2027-05-04", "birthday"),
            "your birthday",
            "생일 축하",
            "생일 혜택은 취소되어",
        ),
        (
            ("card", "coffee", "card_completed:coffee"),
            "completing Coffee card",
            "커피 카드 완성으로",
            "커피 카드 완성 혜택은 취소되어",
        ),
        (
            ("tier", "gold", "tier_entered:gold"),
            "reaching Gold",
            "골드 등급 달성으로",
            "골드 등급 달성 혜택은 취소되어",
        ),
        (
            ("signup", "mem_x", "signup"),
            "signing up",
            "가입으로",
            "가입 혜택은 취소되어",
        ),
    ],
)
def test_what_was_decided_on_is_told_by_its_kind(
    program: Compiled, source: tuple[str, str, str], english: str, korean: str, gone: str
) -> None:
    stored = outcomes(fired("base"), ("points", [["base", 5, ""]]))
    told = whole(program, stored, source=source)
    assert told == {
        "en": f"5 points for {english}.",
        "ko": f"{korean} 5포인트가 적립되었습니다.",
    }
    assert whole(program, outcomes(not_fired("not_paid", "base")), source=source) == {
        "en": f"No points for {english}: it no longer stands.",
        "ko": f"{gone} 적립되지 않았습니다.",
    }


def of_level(program: Compiled, *breakdown: list[Any]) -> tuple[Text, Text]:
    """What is told of entering gold, and of its own effect."""
    about = explaining.about(program, ("tier", "gold"), "tier_entered:gold", status=None)
    rules = {rule.key: rule for rule in program.rules_of("tier_entered:gold")}
    stored = outcomes(fired("gold"), ("points", list(breakdown)))
    return (
        explaining.decision(program, about, stored, rules=rules, tier_key=None),
        explaining.outcome(program, stored["rules"][0], source=about, rules=rules, outcomes=stored),
    )


def test_what_a_level_gives_by_itself_goes_by_its_name(program: Compiled) -> None:
    whole_, own = of_level(program, ["gold", 300, ""])
    assert whole_ == {
        "en": "300 points for reaching Gold.",
        "ko": "골드 등급 달성으로 300포인트가 적립되었습니다.",
    }
    assert own == {
        "en": "“Gold” gave 300 points.",
        "ko": "‘골드’로 300포인트가 적립되었습니다.",
    }


def test_what_a_level_gives_by_itself_stands_beside_what_its_rules_give(program: Compiled) -> None:
    whole_, _ = of_level(program, ["gold", 300, ""], ["party", 7, ""])
    assert whole_ == {
        "en": "307 points for reaching Gold: 300 for the level itself and 7 from “Party”.",
        "ko": "골드 등급 달성으로 307포인트가 적립되었습니다: 등급 달성 혜택 300포인트, "
        "‘파티’ 7포인트.",
    }


def test_what_a_card_gives_by_itself_goes_by_its_name(program: Compiled) -> None:
    about = explaining.about(program, ("card", "coffee"), "card_completed:coffee", status=None)
    rules = {rule.key: rule for rule in program.rules_of("card_completed:coffee")}
    stored = outcomes(fired("coffee"), ("points", [["coffee", 40, ""]]))
    assert explaining.decision(program, about, stored, rules=rules, tier_key=None) == {
        "en": "40 points for completing Coffee card.",
        "ko": "커피 카드 완성으로 40포인트가 적립되었습니다.",
    }


OUTCOMES = [
    ("not_live", "“Spring” is paused.", "‘봄맞이’는 일시 중지된 혜택입니다."),
    (
        "outside_schedule",
        "“Spring” was not running at that time. Next: 1 April 2027.",
        "‘봄맞이’는 그 시각에 진행되지 않은 혜택입니다. 다음 진행: 2027년 4월 1일.",
    ),
    (
        "condition_not_met",
        "“Spring” did not apply. What it takes: again from 1 April 2027.",
        "‘봄맞이’는 조건에 맞지 않았습니다. 필요한 조건: 2027년 4월 1일부터 다시.",
    ),
    (
        "limit_reached",
        "“Spring” has been used up to its limit. You can get it again from 1 April 2027.",
        "‘봄맞이’는 한도까지 모두 사용되었습니다. 2027년 4월 1일부터 다시 받을 수 있습니다.",
    ),
    (
        "excluded",
        "“Spring” did not apply: “Happy hour” gave more.",
        "‘봄맞이’는 적용되지 않았습니다: ‘해피 아워’ 혜택이 더 컸습니다.",
    ),
    (
        "no_member",
        "“Spring” is for members who take part.",
        "‘봄맞이’는 참여 회원에게만 제공됩니다.",
    ),
    (
        "not_paid",
        "“Spring” did not apply: it was cancelled.",
        "‘봄맞이’는 주문이 취소되어 적용되지 않았습니다.",
    ),
    (
        "already_paid",
        "“Spring” is given only once, and was given before.",
        "‘봄맞이’는 한 번만 제공되며 이미 지급되었습니다.",
    ),
    ("holdout", "“Spring” was not offered.", "‘봄맞이’는 제공되지 않았습니다."),
    (
        "cooldown",
        "“Spring” comes again only after some time.",
        "‘봄맞이’는 일정 기간이 지나야 다시 받을 수 있습니다.",
    ),
    ("budget", "“Spring” was not offered.", "‘봄맞이’는 제공되지 않았습니다."),
    ("lost", "“Spring” was not won this time.", "‘봄맞이’는 이번에는 당첨되지 않았습니다."),
    (
        "negative_balance",
        "“Spring” does not apply while points are owed.",
        "‘봄맞이’는 포인트가 부족한 동안에는 적용되지 않습니다.",
    ),
]


def one(program: Compiled, stored: dict[str, Any], all_: dict[str, Any]) -> Text:
    # Midnight of 1 April in Seoul.
    at = clock.parse_instant("2027-03-31T15:00:00Z")
    lacking = missing.from_instant(program, at, is_again=True)
    return explaining.outcome(
        program,
        stored,
        source=explaining.about(program, ("order", "A-1"), "order", status="cancelled"),
        rules={rule.key: rule for rule in program.rules_of("order")},
        outcomes=all_,
        lacking=[lacking],
    )


@pytest.mark.parametrize(("reason", "english", "korean"), OUTCOMES)
def test_every_outcome_has_its_sentence(
    program: Compiled, reason: str, english: str, korean: str
) -> None:
    [stored] = not_fired(reason, "spring")
    all_ = outcomes([stored, *fired("happy")])
    assert one(program, stored, all_) == {"en": english, "ko": korean}


def test_no_outcome_is_left_out() -> None:
    assert {case[0] for case in OUTCOMES} | {"capped"} == set(CONTRACT)


def test_a_capped_rule_says_what_was_withheld(program: Compiled) -> None:
    stored = {"rule": "spring", "is_fired": True, "reason": "capped", "withheld": 70}
    all_ = outcomes([stored], ("points", [["spring", 50, ""]]))
    assert one(program, stored, all_) == {
        "en": "“Spring” gave 50 points. Over its limit: 70 points.",
        "ko": "‘봄맞이’로 50포인트가 적립되었습니다. 한도를 넘은 70포인트는 적립되지 않았습니다.",
    }


def test_a_rule_that_fired_says_what_it_gave(program: Compiled) -> None:
    [stamp, spring] = fired("stamp", "spring")
    all_ = outcomes([stamp, spring], ("points", [["base", 50, ""]]))
    assert one(program, stamp, all_) == {
        "en": "“A stamp a visit” gave 1 stamp on “Coffee card”.",
        "ko": "‘방문 스탬프’로 ‘커피 카드’ 스탬프 1개가 적립되었습니다.",
    }
    assert one(program, spring, all_) == {
        "en": "“Spring” applied and gave nothing more.",
        "ko": "‘봄맞이’가 적용되었으나 추가 적립은 없습니다.",
    }


@pytest.mark.parametrize(
    ("missed", "why", "why_ko"),
    [
        (
            Missed("birthday", date(2027, 5, 3), "cooldown", None, date(2028, 5, 3)),
            "the birthday was told less than 30 days before",
            "생일은 30일 전까지 등록되어 있어야 합니다",
        ),
        (
            Missed(
                "birthday", date(2027, 8, 1), "already_paid", date(2027, 5, 3), date(2028, 5, 3)
            ),
            "this year's was paid already, on 3 May 2027",
            "올해 혜택은 2027년 5월 3일에 이미 지급되었습니다",
        ),
        (
            Missed(
                "birthday", date(2027, 1, 1), "already_paid", date(2026, 8, 1), date(2028, 5, 3)
            ),
            "less than 365 days have passed since it was paid on 1 August 2026",
            "2026년 8월 1일 지급 후 365일이 지나지 않았습니다",
        ),
        (
            Missed("birthday", date(2027, 1, 1), "already_paid", None, date(2028, 5, 3)),
            "less than 365 days have passed since it was paid",
            "마지막 지급 후 365일이 지나지 않았습니다",
        ),
        (
            Missed("anniversary", date(2027, 1, 1), "cooldown", None, date(2028, 5, 3)),
            "the day of joining was told after it had begun",
            "가입 기념일이 시작된 뒤에 가입일이 등록되었습니다",
        ),
    ],
)
def test_a_day_that_was_missed_says_what_stood_against_it(
    program: Compiled, missed: Missed, why: str, why_ko: str
) -> None:
    source = (missed.kind, missed.day.isoformat())
    about = explaining.about(program, source, missed.kind, status=None, missed=missed)
    [stored] = not_fired(missed.reason, "spring")
    rules = {rule.key: rule for rule in program.rules_of("order")}
    told = explaining.outcome(
        program, stored, source=about, rules=rules, outcomes=outcomes([stored])
    )
    assert told == {
        "en": f"“Spring” was not given: {why}. Next: 3 May 2028.",
        "ko": f"‘봄맞이’는 지급되지 않았습니다: {why_ko}. 다음 지급: 2028년 5월 3일.",
    }
    whole_ = explaining.decision(program, about, outcomes([stored]), rules=rules, tier_key=None)
    assert whole_["en"].endswith(f": {why}.")
    assert whole_["ko"].endswith(f"혜택은 적립되지 않았습니다: {why_ko}.")
