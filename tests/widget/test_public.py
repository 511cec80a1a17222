"""The program as everybody may see it."""

from collections.abc import Callable
from typing import Any

from tests.contract.checking import problem
from tests.widget.browsing import ask, public
from tests.world import BASE_RULE, World, rule

MakeWorld = Callable[..., World]

NAMES = {"en": "points", "ko": "포인트"}
WHEN = {"fact": "order.net_minor", "op": ">=", "value": 50000}


def rich(**changes: Any) -> dict[str, Any]:
    """Sections of a program of every kind of thing."""
    return {
        "locales": ["ko", "en"],
        "currency": "KRW",
        "points": [{"key": "points", "name": NAMES}],
        "earning": {
            "rules": [
                BASE_RULE,
                rule("units", {"do": "points_per_unit", "points": 3}),
                rule(
                    "double",
                    {
                        "do": "multiply_points",
                        "factor_bp": 15000,
                        "lines": {"when": {"fact": "line.sku", "op": "=", "value": "MUG"}},
                    },
                    name={"en": "Mugs", "ko": "머그"},
                    description={"en": "One and a half", "ko": "한 배 반"},
                    when=WHEN,
                    schedule={"weekdays": [6, 7], "from": "14:00", "until": "17:00"},
                ),
                rule("hello", {"do": "add_points", "points": 500}, trigger="signup"),
                rule("wrote", {"do": "add_points", "points": 1}, trigger="activity:review"),
                rule("played", {"do": "add_points", "points": 2}, trigger="activity:quiz_night"),
                rule("born", {"do": "add_points", "points": 1000}, trigger="birthday"),
                rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1}),
                rule("gift", {"do": "grant_reward", "reward": "cup"}, trigger="anniversary"),
                rule("asleep", {"do": "add_points", "points": 9}, state="paused"),
                rule(
                    "past",
                    {"do": "add_points", "points": 9},
                    schedule={"ends_at": "2026-02-01T00:00:00Z"},
                ),
                rule(
                    "future",
                    {"do": "add_points", "points": 9},
                    schedule={"starts_at": "2026-05-01T00:00:00Z"},
                ),
            ]
        },
        "tiers": {
            "basis": {"metric": "spend"},
            "levels": [
                {
                    "key": "silver",
                    "name": {"en": "Silver", "ko": "실버"},
                    "enter_at": 500000,
                    "multiplier_bp": 12500,
                    "perks": [{"key": "early", "name": {"en": "Early access", "ko": "먼저 보기"}}],
                    "entry_effects": [{"do": "add_points", "points": 300}],
                },
                {"key": "black", "enter_at": None},
                {"key": "gone", "enter_at": 900000, "state": "paused"},
            ],
        },
        "cards": [
            {
                "key": "coffee",
                "name": {"en": "Coffee", "ko": "커피"},
                "stamps": 10,
                "effects": [{"do": "add_points", "points": 100}],
                "expires_after": "P6M",
            },
            {"key": "shut", "stamps": 5, "state": "paused"},
        ],
        "rewards": [
            {
                "key": "five",
                "name": {"en": "5,000 off", "ko": "5,000원 할인"},
                "terms": {"en": "Once an order."},
                "kind": "discount_amount",
                "value": {"minor": 5000},
                "cost_points": 400,
                "cost_by_tier": {"silver": 300},
                "min_order_minor": 20000,
                "stock": 7,
                "limits": [{"per": "program", "period": "day", "times": 50}],
                "estimated_cost_minor": 4321,
                "voucher": {"pattern": "FIVE-##########-####"},
                "category": "money",
                "position": 2,
            },
            {
                "key": "cup",
                "name": {"en": "A cup"},
                "kind": "free_product",
                "value": {"sku": "CUP"},
                "estimated_cost_minor": 9999,
            },
            {
                "key": "soon",
                "kind": "free_shipping",
                "cost_points": 0,
                "schedule": {"starts_at": "2026-05-01T00:00:00Z"},
            },
            {
                "key": "over",
                "kind": "free_shipping",
                "cost_points": 1,
                "schedule": {"ends_at": "2026-02-01T00:00:00Z"},
            },
            {"key": "off", "kind": "free_shipping", "cost_points": 1, "state": "paused"},
        ],
        "pay_with_points": {"min_points": 500, "step_points": 100, "max_order_bp": 5000},
    } | changes


def at_march(make_world: MakeWorld, **changes: Any) -> World:
    world = make_world(**rich(**changes))
    world.set_clock("2026-03-01T10:00:00Z")
    return world


def test_ways_to_earn_are_told_in_words(make_world: MakeWorld) -> None:
    world = at_march(make_world)
    found = {one["key"]: one for one in public(world, "?locale=en")["ways_to_earn"]}
    assert {key: one["summary"] for key, one in found.items()} == {
        "base": "1 point for every ₩100 spent",
        "units": "3 points for each item",
        "double": "1.5 × points on selected products for an order",
        "hello": "500 points for signing up",
        "wrote": "1 point for a review",
        "played": "2 points for: quiz night",
        "born": "1,000 points on your birthday",
        "stamp": "1 stamp on “Coffee” for an order",
        "gift": "“A cup” on the anniversary of your joining",
    }
    assert found["double"] == {
        "key": "double",
        "trigger": "order",
        "name": "Mugs",
        "description": "One and a half",
        "summary": "1.5 × points on selected products for an order",
        "hours": "Sat, Sun 14:00–17:00",
        "ends_at": None,
        "has_conditions": True,
    }
    assert found["base"]["has_conditions"] is False
    told = {one["key"]: one["summary"] for one in public(world)["ways_to_earn"]}
    assert told == {
        "base": "100원당 1포인트",
        "units": "상품 1개당 3포인트",
        "double": "주문 시 대상 상품 포인트 1.5배",
        "hello": "가입 시 500포인트",
        "wrote": "리뷰 작성 시 1포인트",
        "played": "quiz night: 2포인트",
        "born": "생일에 1,000포인트",
        "stamp": "주문 시 ‘커피’ 스탬프 1개",
        "gift": "가입 기념일에 ‘A cup’",
    }


def test_levels_cards_and_rewards_are_told_in_one_locale(make_world: MakeWorld) -> None:
    world = at_march(make_world)
    shown = public(world)
    assert (shown["name"], shown["locale"], shown["locales"]) == ("Bloom", "ko", ["ko", "en"])
    assert (shown["currency"], shown["timezone"]) == ("KRW", "Asia/Seoul")
    assert shown["points"] == [{"key": "points", "name": "포인트"}]
    silver, black = shown["levels"]
    assert silver == {
        "key": "silver",
        "name": "실버",
        "description": None,
        "enter_at": {"spend": 500000},
        "multiplier_bp": 12500,
        "perks": [{"key": "early", "name": "먼저 보기"}],
        "brings": ["300포인트"],
    }
    assert (black["key"], black["name"], black["enter_at"]) == ("black", "black", None)
    [card] = shown["cards"]
    assert card == {
        "key": "coffee",
        "name": "커피",
        "description": None,
        "stamps": 10,
        "brings": ["100포인트"],
        "repeats": True,
        "valid_for": "6개월",
    }
    assert [one["key"] for one in shown["rewards"]] == ["soon", "five"]
    soon, five = shown["rewards"]
    assert soon["starts_at"] == "2026-05-01T00:00:00Z"
    assert five == {
        "key": "five",
        "name": "5,000원 할인",
        "description": None,
        "kind": "discount_amount",
        "cost_points": 400,
        "cost_by_tier": {"silver": 300},
        "points_key": "points",
        "discount": {"kind": "discount_amount", "minor": 5000},
        "min_order_minor": 20000,
        "tiers": None,
        "starts_at": None,
        "ends_at": None,
        "hours": None,
        "image_url": None,
        "terms": "Once an order.",
        "category": "money",
        "position": 2,
        "combines": True,
    }
    assert shown["pay_with_points"] == {
        "points_key": "points",
        "min_points": 500,
        "step_points": 100,
        "max_order_bp": 5000,
        "value": {"points": 1, "minor": 1},
        "exclude_gift_cards": True,
    }


def test_a_locale_of_which_there_is_no_text_gets_the_programs_first(make_world: MakeWorld) -> None:
    world = at_march(make_world)
    assert public(world, "?locale=de")["levels"][0]["name"] == "실버"
    assert public(world, "?locale=en-GB")["levels"][0]["name"] == "Silver"
    bad = ask(world, "GET", "/public/program?locale=xx_", credential=world.publishable_key)
    problem(bad, 422, "validation_failed")


def test_what_begins_ends_or_is_switched_off_is_so_at_once(make_world: MakeWorld) -> None:
    world = at_march(make_world)
    assert "future" not in str(public(world))
    world.set_clock("2026-06-01T00:00:00Z")
    keys = [one["key"] for one in public(world)["ways_to_earn"]]
    assert keys[-1] == "future" and "past" not in keys
    body = {"section": "rules", "key": "hello", "state": "paused", "reason": "r"}
    world.post("/switches", body)
    assert "hello" not in [one["key"] for one in public(world)["ways_to_earn"]]
    world.post("/switches", body | {"key": "asleep", "state": "live"})
    assert "asleep" in [one["key"] for one in public(world)["ways_to_earn"]]


def test_a_small_program_has_empty_lists(make_world: MakeWorld) -> None:
    shown = public(make_world(earning={"rules": []}))
    assert shown["pay_with_points"] is None
    for name in ("ways_to_earn", "levels", "level_metrics", "cards", "rewards", "offers"):
        assert shown[name] == []


def test_the_locale_says_which_one_was_taken(make_world: MakeWorld) -> None:
    world = make_world(**rich())
    assert public(world, "?locale=en-GB")["locale"] == "en-GB"
    first = public(world)
    french = public(world, "?locale=fr")
    assert french == first and french["locale"] == world.get("/program")["document"]["locales"][0]
