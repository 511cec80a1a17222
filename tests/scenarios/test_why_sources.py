"""Why, by what it is asked of: activities, levels, cards, days, and what no rule listened to."""

from collections.abc import Callable
from typing import Any

from tests.scenarios.test_why import LEVELS, add, details, leaf, named, rules_of, why
from tests.world import World, per_euro, rule

Make = Callable[..., World]


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
        "리뷰 R-1로 10포인트가 적립되었습니다(‘activity_review’)."
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
    assert tier["summary"] == {
        "en": "30 points for reaching Gold.",
        "ko": "골드 등급 달성으로 30포인트가 적립되었습니다.",
    }
    assert card["summary"]["en"] == "40 points for completing Coffee card."
    # What it was is its reference: no document says tier_entered:gold.
    assert [(one["trigger"], one["source"]) for one in (tier, card)] == [
        ("tier_entered", {"type": "tier", "ref": "gold"}),
        ("card_completed", {"type": "card", "ref": "coffee"}),
    ]
    decision = world.get(f"/decisions/{tier['decision_id']}")
    assert (decision["trigger"], decision["source"]["ref"]) == ("tier_entered", "gold")
    [own] = card["rules"]
    assert (own["rule"], own["name"]["ko"]) == ("coffee", "커피 카드")
    assert own["summary"]["en"] == "“Coffee card” gave 40 points."
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
        "ko": "생일 축하 50포인트가 적립되었습니다(‘birthday’).",
    }
    anniversary = why(world, "anniversary:2027-01-01")
    assert [one["summary"] for one in anniversary["entries"]] == [
        {
            "en": "60 points for the anniversary of your joining",
            "ko": "가입 기념일 축하 60포인트 적립",
        }
    ]


def test_the_arithmetic_adds_up_with_the_tiers_part(make_world: Make) -> None:
    world = make_world(
        tiers=LEVELS,
        earning={
            "rounding": "ceil",
            "rules": [rule("base", per_euro()), named("happy", add(3), "Happy", "해피")],
        },
    )
    world.member()
    world.order("A-1", 20_000, placed_at="2026-02-01T10:00:00Z")
    world.order("A-2", 8_150)
    told = why(world, "order:A-2")
    # 81.5 × 1.25 + 3 = 104.875: 81 or 82, 20 or 21, and 3 are 105.
    [sum_] = told["arithmetic"]
    assert (sum_["points"], sum_["exact"], sum_["rounding"]) == (105, "839/8", "ceil")
    rows = {one["rule"]: one["points"] for one in sum_["breakdown"]}
    assert set(rows) == {"base", "happy", "tier"}
    assert sum(rows.values()) == 105
    assert rows["happy"] == 3
    found = rules_of(told)
    assert found["base"]["points"] == [{"points_key": "points", "points": rows["base"]}]
    decision = world.get(f"/decisions/{told['decision_id']}")
    assert decision["arithmetic"] == told["arithmetic"]
    assert [one["points"] for one in decision["outcomes"]] == [
        one["points"] for one in told["rules"]
    ]


def _days(make_world: Make, **members: Any) -> World:
    def of(trigger: str, korean: str) -> Any:
        return named(trigger, add(50), trigger.title(), korean, trigger=trigger)

    world = make_world(
        members=members,
        earning={
            "rules": [rule("base", per_euro()), of("birthday", "생일"), of("anniversary", "기념일")]
        },
    )
    world.post("/test-clock", {"now": "2027-01-02T00:00:00Z"})
    return world


def _move(world: World, instant: str) -> None:
    world.post("/test-clock", {"now": instant})


def test_a_birthday_told_too_late_says_so_and_when_it_comes(make_world: Make) -> None:
    world = _days(make_world)
    _move(world, "2027-04-10T00:00:00Z")
    world.member(birthday_on="1990-05-03")
    _move(world, "2027-05-10T00:00:00Z")
    told = why(world, "birthday:2027-05-03")
    assert told["summary"] == {
        "en": "No points for your birthday: the birthday was told less than 30 days before.",
        "ko": "생일 혜택은 적립되지 않았습니다: 생일은 30일 전까지 등록되어 있어야 합니다.",
    }
    [outcome] = told["rules"]
    assert outcome["reason"] == "cooldown"
    assert outcome["detail"] == "the birthday was told less than 30 days before"
    # Midnight of 3 May in Seoul.
    assert outcome["missing"] == [
        {
            "detail": {"en": "from 3 May 2028", "ko": "2028년 5월 3일부터"},
            "from": "2028-05-02T15:00:00Z",
        }
    ]
    assert outcome["summary"]["ko"] == (
        "‘생일’은 지급되지 않았습니다: 생일은 30일 전까지 등록되어 있어야 합니다. "
        "다음 지급: 2028년 5월 3일."
    )
    assert world.get(f"/decisions/{told['decision_id']}")["summary"] == told["summary"]
    _move(world, "2028-05-03T00:00:00Z")
    assert why(world, "birthday:2028-05-03")["earned"] == [{"points_key": "points", "points": 50}]


def test_the_notice_is_the_programs_own(make_world: Make) -> None:
    world = _days(make_world, birthday_notice="P2M")
    _move(world, "2027-03-10T00:00:00Z")
    world.member(birthday_on="1990-05-03")
    _move(world, "2027-05-10T00:00:00Z")
    told = why(world, "birthday:2027-05-03")
    assert "less than 2 months before" in told["summary"]["en"]


def test_a_moved_birthday_says_that_this_years_was_paid(make_world: Make) -> None:
    world = _days(make_world)
    world.member(birthday_on="1990-05-03")
    _move(world, "2027-06-01T00:00:00Z")
    world.member(birthday_on="1990-09-10")
    _move(world, "2027-10-01T00:00:00Z")
    told = why(world, "birthday:2027-09-10")
    assert told["summary"]["en"] == (
        "No points for your birthday: this year's was paid already, on 3 May 2027."
    )
    [outcome] = told["rules"]
    assert outcome["reason"] == "already_paid"
    assert details(outcome) == ["from 10 September 2028"]
    # Moved to before 365 days are over, it is the year after that.
    world.member(birthday_on="1990-02-01")
    _move(world, "2028-03-01T00:00:00Z")
    again = why(world, "birthday:2028-02-01")
    assert again["summary"]["en"] == (
        "No points for your birthday: less than 365 days have passed since it was paid on 3 May"
        " 2027."
    )
    assert details(again["rules"][0]) == ["from 1 February 2029"]
    _move(world, "2029-03-01T00:00:00Z")
    assert why(world, "birthday:2029-02-01")["earned"] == [{"points_key": "points", "points": 50}]


def test_what_no_rule_listened_to_has_no_rules(make_world: Make) -> None:
    levels = [{"key": "gold", "name": {"en": "Gold", "ko": "골드"}, "enter_at": 10_000}]
    world = make_world(tiers={"levels": levels})
    world.post("/test-clock", {"now": "2026-03-01T00:00:00Z"})
    world.member(birthday_on="1990-03-10")
    world.order("A-1", 12_000, placed_at="2026-03-01T00:00:00Z")
    _move(world, "2027-03-09T15:00:00Z")
    nothing = "해당하는 혜택이 없었습니다"
    for source, trigger, korean in (
        ("signup", "signup", f"가입 혜택은 적립되지 않았습니다: {nothing}."),
        ("tier:gold", "tier_entered", f"골드 등급 달성 혜택은 적립되지 않았습니다: {nothing}."),
        ("birthday:2026-03-10", "birthday", f"생일 혜택은 적립되지 않았습니다: {nothing}."),
        ("birthday:2027-03-10", "birthday", f"생일 혜택은 적립되지 않았습니다: {nothing}."),
    ):
        told = why(world, source)
        assert (told["rules"], told["arithmetic"], told["entries"]) == ([], [], []), source
        assert (told["decision_id"], told["is_hypothetical"]) == (None, False)
        assert (told["trigger"], told["summary"]["ko"]) == (trigger, korean)
    for source in ("birthday:2025-03-10", "birthday:2028-03-10", "birthday:2026-03-11", "tier:x"):
        assert world.call("GET", f"/members/mina/why?source={source}").status_code == 404, source
    assert world.call("GET", "/members/nobody/why?source=signup").status_code == 404


def test_a_level_that_is_gone_keeps_its_name(make_world: Make) -> None:
    world = _everything(make_world)
    at = {"placed_at": "2026-02-20T10:00:00Z"}
    world.order("A-1", 12_000, **at)
    [entry] = [one for one in world.entries() if one["source"]["type"] == "tier"]
    world.publish(tiers={"levels": []}, cards=[])
    reached = {"en": "30 points for reaching Gold", "ko": "골드 등급 달성으로 30포인트 적립"}
    assert world.get(f"/entries/{entry['id']}")["summary"] == reached
    assert [one["summary"] for one in why(world, "tier:gold")["entries"]] == [reached]
