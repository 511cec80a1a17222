"""Why: every rule with its outcome and, where it failed, what would have changed it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, per_euro, rule

Make = Callable[..., World]
MUGS = {"when": {"fact": "line.categories", "op": "in", "value": ["mugs", "cups"]}}
LEVELS = {
    "levels": [
        {
            "key": "gold",
            "name": {"en": "Gold", "ko": "골드"},
            "enter_at": 10_000,
            "multiplier_bp": 12_500,
        }
    ]
}


def add(points: int) -> dict[str, Any]:
    return {"do": "add_points", "points": points}


def leaf(fact: str, op: str, value: Any) -> dict[str, Any]:
    return {"fact": fact, "op": op, "value": value}


def named(key: str, effect: dict[str, Any], english: str, korean: str, **more: Any) -> Any:
    return rule(key, effect, name={"en": english, "ko": korean}, **more)


def why(world: World, source: str, ref: str = "mina") -> Any:
    return world.get(f"/members/{ref}/why?source={source}")


def rules_of(answer: Any) -> dict[str, Any]:
    return {one["rule"]: one for one in answer["rules"]}


def details(outcome: Any, language: str = "en") -> list[str]:
    return [one["detail"][language] for one in outcome["missing"]]


@pytest.fixture
def shop(make_world: Make) -> World:
    group = {"mode": "exclusive", "group": "luck"}
    world = make_world(
        tiers=LEVELS,
        earning={
            "rules": [
                rule("base", per_euro()),
                named(
                    "bonus",
                    add(50),
                    "Big basket",
                    "큰 장바구니",
                    when=leaf("order.net_minor", ">=", 15_000),
                ),
                named("mugs", per_euro(2) | {"lines": MUGS}, "Mugs", "머그잔"),
                named("small", add(5), "Small gift", "작은 선물", stacking=group),
                named("large", add(9), "Large gift", "큰 선물", stacking=group),
                named("asleep", add(1000), "Dream", "꿈", state="paused"),
                named(
                    "top", add(7), "Gold day", "골드 데이", when=leaf("member.tier", "in", ["gold"])
                ),
            ]
        },
    )
    world.member()
    return world


def test_every_rule_says_what_became_of_it_and_what_would_have_changed_it(shop: World) -> None:
    shop.order("A-1", 12_000)
    told = why(shop, "order:A-1")
    # 120 for 120.00 and 9 fixed; gold is reached by this order, so the factor is still one.
    assert told["summary"] == {
        "en": "129 points for order A-1: 120 for what you bought and 9 from “Large gift”.",
        "ko": "주문 A-1로 129포인트가 적립되었습니다: 구매 120포인트, ‘큰 선물’ 9포인트.",
    }
    assert told["source"] == {"type": "order", "ref": "A-1"}
    assert (told["is_hypothetical"], told["version"]) == (False, 1)
    found = rules_of(told)
    assert list(found) == ["asleep", "base", "bonus", "large", "mugs", "small", "top"]
    assert [key for key, one in found.items() if one["is_fired"]] == ["base", "large"]
    assert found["large"]["points"] == [{"points_key": "points", "points": 9}]
    assert found["large"]["summary"] == {
        "en": "“Large gift” gave 9 points.",
        "ko": "‘큰 선물’로 9포인트가 적립되었습니다.",
    }
    assert found["large"]["missing"] == []
    assert found["bonus"]["missing"] == [
        {
            "detail": {"en": "€30.00 more", "ko": "€30.00 더 구매"},
            "fact": "order.net_minor",
            "op": ">=",
            "needed": 15_000,
            "actual": 12_000,
            "minor": 3_000,
        }
    ]
    assert found["bonus"]["summary"] == {
        "en": "“Big basket” did not apply. What it takes: €30.00 more.",
        "ko": "‘큰 장바구니’는 조건에 맞지 않았습니다. 필요한 조건: €30.00 더 구매.",
    }
    assert details(found["mugs"]) == ["with one of the categories mugs, cups"]
    assert found["small"]["missing"] == [
        {"detail": {"en": "without “Large gift”", "ko": "‘큰 선물’ 없이"}, "rule": "large"}
    ]
    assert found["small"]["summary"] == {
        "en": "“Small gift” did not apply: “Large gift” gave more.",
        "ko": "‘작은 선물’은 적용되지 않았습니다: ‘큰 선물’ 혜택이 더 컸습니다.",
    }
    assert details(found["asleep"]) == ["once it runs again"]
    assert found["asleep"]["summary"] == {
        "en": "“Dream” is paused.",
        "ko": "‘꿈’은 일시 중지된 혜택입니다.",
    }
    assert (details(found["top"]), details(found["top"], "ko")) == (
        ["from Gold on"],
        ["골드 등급부터"],
    )
    assert [one["summary"]["en"] for one in told["entries"]] == ["129 points for order A-1"]
    assert (told["earned"], told["reversed"]) == ([{"points_key": "points", "points": 129}], [])


def test_what_was_missing_would_have_changed_it(shop: World) -> None:
    shop.order("A-1", 12_000)
    [lacking] = rules_of(why(shop, "order:A-1"))["bonus"]["missing"]
    shop.order("A-2", 12_000 + lacking["minor"])
    assert rules_of(why(shop, "order:A-2"))["bonus"]["is_fired"]


def test_the_factor_of_the_tier_is_told(shop: World) -> None:
    shop.order("A-1", 20_000, placed_at="2026-02-01T10:00:00Z")
    shop.order("A-2", 8_000)
    told = why(shop, "order:A-2")
    assert told["tier"]["key"] == "gold"
    assert told["tier"]["name"] == {"en": "Gold", "ko": "골드"}
    assert told["tier"]["factor"].startswith("× 1.25")
    # 80 × 1.25 = 100, and 9 and 7 fixed.
    assert told["summary"] == {
        "en": "116 points for order A-2: 80 for what you bought, 20 from your Gold level, "
        "9 from “Large gift” and 7 from “Gold day”.",
        "ko": "주문 A-2로 116포인트가 적립되었습니다: 구매 80포인트, 골드 등급 혜택 20포인트, "
        "‘큰 선물’ 9포인트, ‘골드 데이’ 7포인트.",
    }


@pytest.mark.parametrize(
    ("change", "english", "korean", "lacking"),
    [
        ({"status": "cancelled"}, "it was cancelled", "취소되어", "if it still stood"),
        (
            {"status": "pending"},
            "it is not paid yet",
            "아직 결제되지 않아",
            "once the order is paid",
        ),
    ],
)
def test_an_order_that_does_not_stand_says_why(
    shop: World, change: dict[str, Any], english: str, korean: str, lacking: str
) -> None:
    shop.order("A-1", 12_000)
    shop.order("A-1", 12_000, **change)
    told = why(shop, "order:A-1")
    assert told["summary"] == {
        "en": f"No points for order A-1: {english}.",
        "ko": f"주문 A-1은 {korean} 적립되지 않았습니다.",
    }
    found = rules_of(told)
    assert (found["base"]["reason"], details(found["base"])) == ("not_paid", [lacking])
    assert found["base"]["summary"] == {
        "en": f"“base” did not apply: {english}.",
        "ko": f"‘base’는 주문이 {korean} 적용되지 않았습니다.",
    }
    assert told["reversed"] == [{"points_key": "points", "points": 129}]
    assert [one["summary"]["en"] for one in told["entries"]] == [
        "129 points for order A-1",
        "129 points for order A-1 taken back",
    ]


def test_a_refunded_order_says_so(shop: World) -> None:
    shop.order("A-1", 12_000)
    shop.order("A-1", line("1", 12_000, refunded_quantity=1))
    assert why(shop, "order:A-1")["summary"]["en"] == "No points for order A-1: it was refunded."


def test_a_partial_refund_shows_what_was_reversed_since(shop: World) -> None:
    shop.order("A-1", 12_000)
    shop.order("A-1", line("1", 12_000, refunded_minor=2_000))
    told = why(shop, "order:A-1")
    assert told["reversed"] == [{"points_key": "points", "points": 20}]
    assert told["summary"]["en"].startswith("109 points for order A-1: 100 for what you bought")


def test_a_merge_keeps_what_is_told(shop: World) -> None:
    shop.member("jun")
    shop.order("A-1", 12_000)
    before = why(shop, "order:A-1")
    shop.post("/members/mina/merge", {"into_member_ref": "jun"})
    told = why(shop, "order:A-1", "jun")
    assert (told["summary"], told["rules"]) == (before["summary"], before["rules"])
    assert [one["id"] for one in told["entries"]] == [one["id"] for one in before["entries"]]
    shop.order("A-1", 12_000, member_ref="jun", status="cancelled")
    gone = why(shop, "order:A-1", "jun")
    assert gone["reversed"] == gone["earned"] == [{"points_key": "points", "points": 129}]


def test_a_guests_order_is_told_as_it_would_be(shop: World) -> None:
    shop.order("G-1", 16_000, member_ref=None)
    told = why(shop, "order:G-1")
    # 160 and 50 and 9.
    assert (told["is_hypothetical"], told["decision_id"], told["entries"]) == (True, None, [])
    assert told["summary"]["en"].startswith("219 points for order G-1")
    assert shop.entries() == []


def test_somebody_who_does_not_take_part_is_told_so(shop: World) -> None:
    shop.member("guest", is_enrolled=False)
    shop.order("A-1", 5_000, member_ref="guest")
    told = why(shop, "order:A-1", "guest")
    assert told["summary"] == {
        "en": "No points for order A-1: only members who take part earn points.",
        "ko": "주문 A-1은 적립되지 않았습니다: 참여 회원만 적립할 수 있습니다.",
    }
    assert details(rules_of(told)["base"]) == ["as a member who takes part"]


def test_a_signup_needs_no_reference(make_world: Make) -> None:
    welcome = {"key": "welcome", "trigger": "signup", "effect": add(200)}
    world = make_world(earning={"rules": [rule("base", per_euro()), welcome]})
    contact = {"email": "mina@example.com"}
    world.put("/members/mina", contact)
    world.put("/members/again", contact)
    told = why(world, "signup")
    assert told["source"] == {"type": "signup", "ref": "mina"}
    assert told["summary"] == {
        "en": "200 points for signing up, from “welcome”.",
        "ko": "가입으로 200포인트가 적립되었습니다(‘welcome’).",
    }
    again = why(world, "signup", "again")
    assert again["summary"] == {
        "en": "No points for signing up: it was given before.",
        "ko": "가입 혜택은 적립되지 않았습니다: 이미 지급되었습니다.",
    }
    [outcome] = again["rules"]
    assert (outcome["reason"], outcome["missing"]) == ("already_paid", [])
    assert outcome["summary"]["ko"] == ("‘welcome’은 한 번만 제공되며 이미 지급되었습니다.")


def test_unknown_sources_are_404_and_malformed_ones_422(shop: World) -> None:
    shop.member("jun")
    shop.order("A-1", 5_000)
    for source in ("order:A-2", "activity:R-1", "tier:gold", "card:coffee", "birthday:2027-05-04"):
        assert shop.call("GET", f"/members/mina/why?source={source}").status_code == 404, source
    assert shop.call("GET", "/members/jun/why?source=order:A-1").status_code == 404
    assert shop.call("GET", "/members/nobody/why?source=order:A-1").status_code == 404
    for source in ("order", "order:", "lottery:7", ""):
        response = shop.call("GET", f"/members/mina/why?source={source}")
        assert response.status_code == 422, source
        assert response.json["errors"][0]["pointer"] == "?source"
    assert shop.call("GET", "/members/mina/why").status_code == 422


def test_a_quote_names_the_rules_that_only_lack_money(shop: World) -> None:
    told = shop.quote(12_000)
    assert told["missing"] == [
        {
            "detail": {
                "en": "€30.00 more for “Big basket”",
                "ko": "€30.00 더 구매하면 ‘큰 장바구니’ 혜택",
            },
            "minor": 3_000,
            "rule": "bonus",
        }
    ]
    assert shop.quote(16_000)["missing"] == []


def test_a_decision_has_the_same_sentences(shop: World) -> None:
    told = shop.order("A-1", 12_000)
    decision = shop.get(f"/decisions/{told['decision_id']}")
    explained = why(shop, "order:A-1")
    assert decision["summary"] == explained["summary"]
    assert [one["summary"] for one in decision["outcomes"]] == [
        one["summary"] for one in explained["rules"]
    ]
    assert decision["tier"]["factor"] == "× 1"


def test_a_rule_outside_of_its_hours_says_when_it_comes(make_world: Make) -> None:
    hours = {"weekdays": [6], "from": "14:00", "until": "17:00"}
    april = {"starts_at": "2026-03-31T15:00:00Z"}
    over = {"ends_at": "2026-01-31T15:00:00Z"}
    world = make_world(
        earning={
            "rules": [
                rule("base", per_euro()),
                named("late", add(5), "Saturday", "토요일 혜택", schedule=hours),
                named("april", add(5), "April", "4월 혜택", schedule=april),
                named("past", add(5), "January", "1월 혜택", schedule=over),
            ]
        }
    )
    world.member()
    world.order("A-1", 5_000)  # Sunday, 1 March 2026, 19:00 in Seoul.
    found = rules_of(why(world, "order:A-1"))
    assert {one["reason"] for key, one in found.items() if key != "base"} == {"outside_schedule"}
    assert details(found["late"]) == [
        "from 7 March 2026 14:00",
        "Saturdays 14:00–17:00",
    ]
    assert details(found["late"], "ko") == [
        "2026년 3월 7일 14:00부터",
        "토요일 14:00–17:00",
    ]
    assert found["late"]["missing"][0]["from"] == "2026-03-07T05:00:00Z"
    assert details(found["april"]) == ["from 1 April 2026"]
    assert details(found["past"]) == ["before 1 February 2026"]
    assert found["april"]["summary"]["en"] == (
        "“April” was not running at that time. Next: 1 April 2026."
    )
    assert found["late"]["summary"]["ko"] == (
        "‘토요일 혜택’은 그 시각에 진행되지 않은 혜택입니다. "
        "다음 진행: 2026년 3월 7일 14:00 (토요일 14:00–17:00)."
    )
    assert found["past"]["summary"]["en"] == (
        "“January” was not running at that time. It ran before 1 February 2026."
    )


def test_a_limit_says_what_it_withheld_and_from_when_on_there_is_room(make_world: Make) -> None:
    limits = [{"per": "member", "period": "month", "points": 100}]
    name = {"en": "Double", "ko": "두 배"}
    world = make_world(earning={"rules": [rule("base", per_euro(), limits=limits, name=name)]})
    world.member()
    assert [world.earned(f"A-{n}", 6_000) for n in (1, 2, 3)] == [60, 40, 0]
    [capped] = why(world, "order:A-2")["rules"]
    assert (capped["is_fired"], capped["reason"], capped["withheld"]) == (True, "capped", 20)
    assert capped["summary"] == {
        "en": "“Double” gave 40 points. Over its limit: 20 points.",
        "ko": "‘두 배’로 40포인트가 적립되었습니다. 한도를 넘은 20포인트는 적립되지 않았습니다.",
    }
    told = why(world, "order:A-3")
    assert told["summary"]["en"] == "No points for order A-3: the limit is used up."
    [reached] = told["rules"]
    assert reached["missing"] == [
        {
            "detail": {"en": "again from 1 April 2026", "ko": "2026년 4월 1일부터 다시"},
            "from": "2026-03-31T15:00:00Z",
        }
    ]
    assert reached["summary"] == {
        "en": "“Double” has been used up to its limit. You can get it again from 1 April 2026.",
        "ko": "‘두 배’는 한도까지 모두 사용되었습니다. 2026년 4월 1일부터 다시 받을 수 있습니다.",
    }
