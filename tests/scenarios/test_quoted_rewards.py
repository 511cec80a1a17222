"""The rewards of a quote: judged with the cart, and worth what they take off it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import rows
from tests.world import World, line, per_euro, rule

Make = Callable[..., World]
WELCOME = rule("welcome", {"do": "add_points", "points": 500}, trigger="signup")
MUGS = {"fact": "line.categories", "op": "contains", "value": "mugs"}
TIERS = {
    "levels": [
        {"key": "silver", "enter_at": 10_000, "name": {"en": "Silver"}},
        {"key": "gold", "enter_at": 50_000, "name": {"en": "Gold"}},
    ]
}


def reward(key: str, **more: Any) -> dict[str, Any]:
    """A tenth off for 200 points."""
    return {
        "key": key,
        "kind": "discount_percent",
        "value": {"percent_bp": 1000},
        "cost_points": 200,
    } | more


@pytest.fixture
def shop(make_world: Make) -> Callable[..., World]:
    """A program with these rewards, at noon of 1 April 2026, and Mina with 500 points."""

    def make(*rewards: dict[str, Any], **more: Any) -> World:
        rules = [rule("base", per_euro()), WELCOME]
        world = make_world(rewards=list(rewards), tiers=TIERS, earning={"rules": rules}, **more)
        world.set_clock("2026-04-01T03:00:00Z")
        world.member()
        return world

    return make


def cart(*lines: dict[str, Any] | int, **more: Any) -> dict[str, Any]:
    items = [
        line(str(number), one) if isinstance(one, int) else one
        for number, one in enumerate(lines, start=1)
    ]
    return {"currency": "EUR", "lines": items} | more


def quoted(world: World, *lines: dict[str, Any] | int, **more: Any) -> dict[str, Any]:
    ref = more.pop("member_ref", "mina")
    at = {"at": more.pop("at")} if "at" in more else {}
    body = {"member_ref": ref, "cart": cart(*lines, **more), **at}
    return {one["key"]: one for one in world.post("/quotes", body)["rewards"]}


def codes(entry: dict[str, Any]) -> list[str]:
    return [one["code"] for one in entry["unavailable_reasons"]]


def test_the_worth_is_of_the_cart_and_floors(shop: Callable[..., World]) -> None:
    world = shop(
        reward("tenth"),
        reward("most", max_discount_minor=150),
        reward("five", kind="discount_amount", value={"minor": 500}),
        reward("post", kind="free_shipping", value={}),
    )
    mug = line("1", 1999, categories=["mugs"])
    found = quoted(world, mug, line("2", 5000, is_gift_card=True), shipping_minor=390)
    assert {key: one["discount"] for key, one in found.items()} == {
        "tenth": {"kind": "discount_percent", "percent_bp": 1000, "minor": 199},
        "most": {"kind": "discount_percent", "percent_bp": 1000, "max_minor": 150, "minor": 150},
        "five": {"kind": "discount_amount", "minor": 500},
        "post": {"kind": "free_shipping", "minor": 390},
    }
    assert quoted(world, 420)["five"]["discount"]["minor"] == 420


def test_a_least_order_says_what_is_missing_in_money(shop: Callable[..., World]) -> None:
    world = shop(reward("tenth", min_order_minor=5000))
    [reason] = quoted(world, 3200)["tenth"]["unavailable_reasons"]
    assert reason == {
        "code": "condition_not_met",
        "detail": {"en": "The order needs €18.00 more.", "ko": "주문 금액이 €18.00 더 필요합니다."},
        "missing_minor": 1800,
    }
    found = quoted(world, 5000)["tenth"]
    assert (found["is_available"], found["needs_cart"]) == (True, False)
    # Net of discounts, as the goods of the order.
    assert codes(quoted(world, 5000, discount_minor=1)["tenth"]) == ["condition_not_met"]


def test_lines_conditions_and_gift_cards_are_judged(shop: Callable[..., World]) -> None:
    when = {"fact": "order.channel", "op": "=", "value": "app"}
    world = shop(reward("mugs", applies_to=MUGS), reward("app", when=when), reward("any"))
    mug = line("1", 1000, categories=["mugs"])
    found = quoted(world, mug, channel="web")
    assert {key: codes(one) for key, one in found.items()} == {
        "mugs": [],
        "app": ["condition_not_met"],
        "any": [],
    }
    assert found["app"]["unavailable_reasons"][0]["detail"]["en"] == (
        "Its conditions are not met. What it takes: with the channel app."
    )
    found = quoted(world, 1000, channel="app")
    assert {key: codes(one) for key, one in found.items()} == {
        "mugs": ["condition_not_met"],
        "app": [],
        "any": [],
    }
    # The same once more, told from what was kept of it.
    assert quoted(world, 1000, channel="app") == found
    assert codes(quoted(world, line("1", 500, is_gift_card=True))["any"]) == ["condition_not_met"]


def test_the_member_is_judged_as_before_the_cart(shop: Callable[..., World]) -> None:
    first = {"fact": "order.is_first", "op": "=", "value": True}
    world = shop(
        reward("silver", tiers=["silver"]),
        reward("first", when=first),
        reward("dear", cost_points=501),
        reward("cheap", cost_points=900, cost_by_tier={"silver": 500}),
    )
    # The cart would lead to silver, and earn 150 points: what is had now is asked of now.
    found = quoted(world, 15_000)
    assert {key: codes(one) for key, one in found.items()} == {
        "silver": ["tier_required"],
        "first": [],
        "dear": ["insufficient_points"],
        "cheap": ["insufficient_points"],
    }
    assert found["dear"]["missing_points"] == 1
    world.order("A-1", 10_000)
    found = quoted(world, 15_000)
    assert {key: codes(one) for key, one in found.items()} == {
        "silver": [],
        "first": ["condition_not_met"],
        "dear": [],
        "cheap": [],
    }
    assert found["cheap"]["cost_points"] == 500


def test_a_quote_of_another_instant_judges_schedules_by_it(shop: Callable[..., World]) -> None:
    world = shop(reward("march", schedule={"ends_at": "2026-03-31T15:00:00Z"}))
    assert codes(quoted(world, 1000)["march"]) == ["ended"]
    assert codes(quoted(world, 1000, at="2026-03-31T10:00:00Z")["march"]) == []


def test_a_guest_is_shown_none_and_a_stranger_who_may_join_all(make_world: Make) -> None:
    world = make_world(rewards=[reward("tenth"), reward("free", cost_points=0)])
    assert quoted(world, 1000, member_ref=None) == {}
    world = make_world(
        rewards=[reward("tenth"), reward("free", cost_points=0)], members={"auto_enrol": True}
    )
    found = quoted(world, 1000, member_ref="new")
    assert {key: codes(one) for key, one in found.items()} == {
        "tenth": ["insufficient_points"],
        "free": [],
    }


def test_a_quote_writes_nothing(shop: Callable[..., World]) -> None:
    limits = [{"per": "program", "period": "day", "times": 1}, {"times": 1}]
    world = shop(reward("tenth", limits=limits, stock=1))
    before = rows(world)
    for _ in range(2):
        assert codes(quoted(world, 1000)["tenth"]) == []
        world.get("/members/mina/rewards")
    assert rows(world) == before


def test_the_quote_judges_what_the_list_leaves_open_and_nothing_else(
    shop: Callable[..., World],
) -> None:
    world = shop(
        reward("a", tiers=["gold"], cost_points=900, stock=0),
        reward("b", state="paused"),
        reward("c", when={"fact": "member.spend_minor", "op": ">", "value": 5}),
        reward("d", limits=[{"times": 1}], cost_points=None),
        reward("e", voucher={}, combines=False, category="money", position=-5),
    )
    listed = {one["key"]: one for one in world.get("/members/mina/rewards")["data"]}
    found = quoted(world, 1000)
    assert [*found] == [*listed]
    for key, one in found.items():
        assert one | {"discount": None} == listed[key] | {"discount": None}


def test_a_quote_read_at_once_is_the_one_asked_step_by_step(shop: Callable[..., World]) -> None:
    """By the storefront's reference all is read at once; by our own id, one after another."""
    world = shop(
        reward("level", tiers=["silver"], cost_by_tier={"silver": 5}),
        reward("first", when={"fact": "order.is_first", "op": "=", "value": True}),
        reward("mine", cost_points=10, limits=[{"period": "day", "times": 1}]),
        reward("all", cost_points=10, limits=[{"per": "program", "period": "day", "times": 1}]),
        reward("stock", cost_points=10, stock=1),
        pay_with_points={"min_points": 100, "step_points": 100},
    )
    told = world.get("/program")["document"]
    limits = [{"per": "member", "period": "day", "points": 120}]
    limited = rule("base", per_euro(), limits=limits)
    seen = []

    def agree(**more: Any) -> None:
        own = world.get("/members/mina")["id"]
        body = {"cart": cart(line("1", 9_000, categories=["mugs"]), 2_000), **more}
        by_ref = world.post("/quotes", body | {"member_ref": "mina"})
        assert by_ref == world.post("/quotes", body | {"member_ref": own})
        assert by_ref == world.post("/quotes", body | {"member_ref": "mina"})
        seen.append({one["key"]: codes(one) for one in by_ref["rewards"]} | {"by": by_ref})

    agree()
    world.publish(**told | {"earning": {"rules": [limited, WELCOME]}})
    agree()
    world.order("A-1", 10_000, placed_at="2026-04-01T02:00:00Z")
    agree()
    agree(at="2026-04-01T01:00:00Z")
    for key in ("mine", "all", "stock"):
        body = {"member_ref": "mina", "reward": key, "ttl": "PT10M"}
        world.post("/redemptions", body, status=201)
        agree()
    world.set_clock("2026-04-01T03:10:00Z")
    agree()
    # 100 of 120 points of the day are given: of 110 the rest.
    assert [sum(one["points"] for one in told["by"]["earned"]) for told in seen] == [
        *(110, 110, 20, 20),
        *(20, 20, 20, 20),
    ]
    assert [one["first"] for one in seen[1:3]] == [[], ["condition_not_met"]]
    assert [one["level"] for one in seen[1:4]] == [["tier_required"], [], ["tier_required"]]
    assert [seen[6][key] for key in ("mine", "all", "stock")] == [
        ["limit_reached"],
        ["limit_reached"],
        ["out_of_stock"],
    ]
    assert seen[7]["mine"] == seen[7]["stock"] == []


def test_a_cart_may_be_the_order_as_it_will_be_told(shop: Callable[..., World]) -> None:
    world = shop(reward("tenth"), pay_with_points={"min_points": 50})
    plain = cart(5000)
    whole = plain | {
        "member_ref": "jun",
        "status": "cancelled",
        "placed_at": "2020-01-01T00:00:00Z",
        "paid_at": None,
        "fulfilled_at": None,
        "cancelled_at": "2020-01-01T00:00:00Z",
        "contact": {"email": "mina@example.org"},
        "visitor": {"ip": "192.0.2.1"},
        "referral": {"code": "JUN"},
        "revision": 3,
        "is_history": True,
        "refunded_minor": 5000,
        "shipping_refunded_minor": 1,
    }
    expected = world.post("/quotes", {"member_ref": "mina", "cart": plain})
    assert world.post("/quotes", {"member_ref": "mina", "cart": whole}) == expected
    assert expected["earned"][0]["points"] == 50
    body = {"member_ref": "mina", "reward": "tenth", "cart": whole}
    held = world.post("/redemptions", body, status=201)["redemption"]
    assert held["discount"]["minor"] == 500
    body = {"member_ref": "mina", "pay_with_points": {"points": 50}, "cart": whole}
    world.post("/redemptions", body, status=201)
    wrong = {"member_ref": "mina", "cart": plain | {"total_minor": 5}}
    assert world.post("/quotes", wrong, status=422)["errors"][0]["code"] == "unknown_field"


def test_what_a_reward_lacks_in_money_is_missing(shop: Callable[..., World]) -> None:
    world = shop(
        reward("far", min_order_minor=9000, name={"en": "Far", "ko": "먼 리워드"}),
        reward("near", min_order_minor=5000),
        # More than money: points are missing as well.
        reward("dear", min_order_minor=5000, cost_points=9999),
    )
    body = {"member_ref": "mina", "cart": cart(3200)}
    assert world.post("/quotes", body)["missing"] == [
        {
            "detail": {
                "en": "€18.00 more for “near”",
                "ko": "€18.00 더 구매하면 ‘near’ 리워드",
            },
            "minor": 1800,
            "reward": "near",
        },
        {
            "detail": {
                "en": "€58.00 more for “Far”",
                "ko": "€58.00 더 구매하면 ‘먼 리워드’ 리워드",
            },
            "minor": 5800,
            "reward": "far",
        },
    ]
