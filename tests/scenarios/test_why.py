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
            "detail": {"en": "€30.00 more", "ko": "€30.00 더"},
            "fact": "order.net_minor",
            "op": ">=",
            "needed": 15_000,
            "actual": 12_000,
            "minor": 3_000,
        }
    ]
    assert found["bonus"]["summary"] == {
        "en": "“Big basket” did not apply. What it takes: €30.00 more.",
        "ko": "‘큰 장바구니’는 조건에 맞지 않았습니다. 필요한 조건: €30.00 더.",
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
        ({"status": "cancelled"}, "it was cancelled", "취소되었습니다", "if it still stood"),
        (
            {"status": "pending"},
            "it is not paid yet",
            "아직 결제되지 않았습니다",
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
        "ko": f"주문 A-1은 적립되지 않았습니다: {korean}.",
    }
    found = rules_of(told)
    assert (found["base"]["reason"], details(found["base"])) == ("not_paid", [lacking])
    assert found["base"]["summary"]["en"] == f"“base” did not apply: {english}."
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
        "ko": "가입으로 200포인트가 적립되었습니다: ‘welcome’.",
    }
    again = why(world, "signup", "again")
    assert again["summary"] == {
        "en": "No points for signing up: it was given before.",
        "ko": "가입은 적립되지 않았습니다: 이미 지급되었습니다.",
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
            "detail": {"en": "€30.00 more for “Big basket”", "ko": "‘큰 장바구니’까지 €30.00 더"},
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
        "on Saturdays from 14:00 to 17:00",
    ]
    assert details(found["late"], "ko") == [
        "2026년 3월 7일 14:00부터",
        "토요일 14:00부터 17:00까지",
    ]
    assert found["late"]["missing"][0]["from"] == "2026-03-07T05:00:00Z"
    assert details(found["april"]) == ["from 1 April 2026"]
    assert details(found["past"]) == ["before 1 February 2026"]
    assert found["april"]["summary"]["en"] == (
        "“April” was not running at that time. What it takes: from 1 April 2026."
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


def _everything(make_world: Make) -> World:
    def of(trigger: str, points: int) -> dict[str, Any]:
        return {"key": trigger.replace(":", "_"), "trigger": trigger, "effect": add(points)}

    levels = [LEVELS["levels"][0] | {"entry_effects": [add(30)]}]
    card = {
        "key": "coffee",
        "name": {"en": "Coffee card", "ko": "커피 카드"},
        "stamps": 2,
        "effects": [add(40)],
    }
    stamp = {"do": "add_stamps", "card": "coffee", "stamps": 1}
    happy = of("activity:review", 10) | {"when": leaf("activity.facts.rating", ">=", 4)}
    world = make_world(
        tiers={"levels": levels},
        cards=[card],
        activities=[{"key": "review", "facts": {"rating": "integer"}}],
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("stamp", stamp, name={"en": "Stamp", "ko": "스탬프"}),
                happy,
                of("birthday", 50),
                of("anniversary", 60),
            ]
        },
    )
    world.post("/test-clock", {"now": "2026-03-01T00:00:00Z"})
    world.member(birthday_on="1990-05-04")
    return world


def test_an_activity_is_told_by_its_kind(make_world: Make) -> None:
    world = _everything(make_world)
    review = {"member_ref": "mina", "kind": "review", "occurred_at": "2026-03-01T00:00:00Z"}
    world.put("/activities/R-1", review | {"facts": {"rating": 3}})
    told = why(world, "activity:R-1")
    assert told["summary"] == {
        "en": "No points for review R-1: no offer applied.",
        "ko": "리뷰 R-1은 적립되지 않았습니다: 해당하는 혜택이 없었습니다.",
    }
    [outcome] = told["rules"]
    assert (details(outcome), outcome["missing"][0]["needed"]) == (["with rating of at least 4"], 4)
    world.put("/activities/R-1", review | {"facts": {"rating": 4}})
    assert why(world, "activity:R-1")["summary"]["ko"] == (
        "리뷰 R-1로 10포인트가 적립되었습니다: ‘activity_review’."
    )
    world.put("/activities/R-1", review | {"facts": {"rating": 4}, "status": "withdrawn"})
    gone = why(world, "activity:R-1")
    assert gone["summary"]["en"] == "No points for review R-1: it no longer stands."
    assert [one["summary"] for one in gone["entries"]] == [
        {"en": "10 points for activity R-1", "ko": "활동 R-1로 10포인트 적립"},
        {"en": "10 points for activity R-1 taken back", "ko": "활동 R-1 변경으로 10포인트 회수"},
    ]


def test_levels_and_cards_are_told_by_their_names(make_world: Make) -> None:
    world = _everything(make_world)
    at = {"placed_at": "2026-02-20T10:00:00Z"}
    world.order("A-1", 6_000, **at)
    told = why(world, "order:A-1")
    assert told["summary"] == {
        "en": "60 points and 1 stamp on “Coffee card” for order A-1.",
        "ko": "주문 A-1로 60포인트, ‘커피 카드’ 스탬프 1개가 적립되었습니다.",
    }
    world.order("A-2", 6_000, **at)
    tier, card = why(world, "tier:gold"), why(world, "card:coffee")
    assert tier["summary"]["en"].startswith("30 points for reaching Gold")
    assert tier["summary"]["ko"].startswith("골드 등급 달성으로 30포인트가 적립되었습니다")
    assert card["summary"]["en"].startswith("40 points for completing Coffee card")
    assert [one["summary"]["ko"] for one in (*tier["entries"], *card["entries"])] == [
        "골드 등급 달성으로 30포인트 적립",
        "커피 카드 완성으로 40포인트 적립",
    ]


def test_birthdays_and_anniversaries_are_told_by_their_day(make_world: Make) -> None:
    world = _everything(make_world)
    world.post("/test-clock", {"now": "2027-01-10T00:00:00Z"})
    birthday = why(world, "birthday:2026-05-04")
    assert birthday["summary"] == {
        "en": "50 points for your birthday, from “birthday”.",
        "ko": "생일로 50포인트가 적립되었습니다: ‘birthday’.",
    }
    anniversary = why(world, "anniversary:2027-01-01")
    assert [one["summary"] for one in anniversary["entries"]] == [
        {
            "en": "60 points for the anniversary of your joining",
            "ko": "가입 기념일로 60포인트 적립",
        }
    ]
