"""Every number leads to a decision that explains it: what fired, what did not, and why."""

from collections.abc import Callable
from typing import Any

from tests.world import World, line, order, per_euro, points, rule

Make = Callable[..., World]
BIG = {"fact": "order.net_minor", "op": ">=", "value": 10000}
WEB = {"fact": "order.channel", "op": "=", "value": "web"}


def _add(number: int) -> dict[str, Any]:
    return {"do": "add_points", "points": number}


def _decision(world: World, answer: Any) -> Any:
    return world.get(f"/decisions/{answer['decision_id']}")


def _world(make_world: Make) -> World:
    group = {"mode": "exclusive", "group": "luck"}
    world = make_world(
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("big", _add(50), when={"all": [BIG, WEB]}),
                rule("small", _add(5), stacking=group),
                rule("large", _add(9), stacking=group),
                rule("asleep", _add(1000), state="paused"),
            ]
        }
    )
    world.member()
    return world


def test_a_decision_shows_what_fired_and_what_did_not_with_the_reason(make_world: Make) -> None:
    world = _world(make_world)
    told = world.order("A-1", 5000, channel="web")
    assert points(told) == 59
    outcomes = world.outcomes(told)
    fired = {key for key, one in outcomes.items() if one["is_fired"]}
    assert fired == {"base", "large"}
    reasons = {key: one.get("reason") for key, one in outcomes.items() if not one["is_fired"]}
    assert reasons == {"big": "condition_not_met", "small": "excluded", "asleep": "not_live"}
    assert "large" in outcomes["small"]["detail"]


def test_a_condition_is_explained_leaf_by_leaf(make_world: Make) -> None:
    world = _world(make_world)
    told = world.order("A-1", 5000, channel="web")
    big = world.outcomes(told)["big"]
    assert big["conditions"]["is_met"] is False
    money, channel = big["conditions"]["all"]
    assert (money["actual"], money["value"], money["is_met"]) == (5000, 10000, False)
    assert (channel["actual"], channel["is_met"]) == ("web", True)
    assert [one["fact"] for one in big["unmet"]] == ["order.net_minor"]


def test_a_missing_fact_fails_its_comparison(make_world: Make) -> None:
    world = _world(make_world)
    big = world.outcomes(world.order("A-1", 10000))["big"]
    assert [one["fact"] for one in big["unmet"]] == ["order.channel"]
    assert big["unmet"][0]["actual"] is None


def test_the_arithmetic_adds_up_to_the_award_and_to_the_entry(make_world: Make) -> None:
    world = _world(make_world)
    told = world.order("A-1", 12345, channel="web")
    [award] = told["earned"]
    # 123.45 + 50 + 9 = 182.45.
    assert award["points"] == 182
    decision = _decision(world, told)
    [arithmetic] = decision["arithmetic"]
    assert arithmetic["points"] == 182
    assert arithmetic["exact"] == "3649/20"
    shares = {one["rule"]: one["points"] for one in arithmetic["breakdown"]}
    assert shares == {"base": 123, "big": 50, "large": 9}
    assert decision["version"] == 1
    assert decision["source"] == {"type": "order", "ref": "A-1"}
    [entry] = world.entries()
    assert (entry["points"], entry["decision_id"]) == (182, told["decision_id"])
    shown = world.get(f"/entries/{entry['id']}")
    assert shown["decision"]["id"] == told["decision_id"]
    assert shown["lots"][0]["points"] == 182


def test_a_decision_keeps_the_facts_it_was_made_on(make_world: Make) -> None:
    world = _world(make_world)
    first = world.order("A-1", 5000, placed_at="2026-02-27T10:00:00Z")
    told = world.order("A-2", line("1", 2500, quantity=2, sku="MUG", categories=["mugs"]))
    facts = _decision(world, told)["facts"]
    assert facts["member.order_count"] == 1
    assert facts["member.spend_minor"] == facts["member.spend_12m_minor"] == 5000
    assert facts["member.balance"] == points(first) == 59
    assert facts["member.days_since_last_order"] == 2
    assert facts["member.days_since_joined"] == 59  # 1 January to 1 March
    assert facts["order.net_minor"] == 5000
    assert (facts["order.item_count"], facts["order.line_count"]) == (2, 1)
    assert (facts["order.skus"], facts["order.categories"]) == (["MUG"], ["mugs"])
    assert (facts["order.is_first"], facts["order.is_renewal"]) == (False, False)


def test_a_cancelled_order_says_that_it_was_not_paid(make_world: Make) -> None:
    world = _world(make_world)
    world.order("A-1", 5000)
    told = world.order("A-1", 5000, status="cancelled")
    outcomes = world.outcomes(told)
    assert {one["reason"] for key, one in outcomes.items() if key != "asleep"} == {"not_paid"}
    assert outcomes["asleep"]["reason"] == "not_live"
    entries = told["reversed"][0]["entries"]
    assert [one["decision_id"] for one in entries] == [told["decision_id"]]


def test_a_kept_bonus_is_explained_by_the_facts_it_was_kept_for(make_world: Make) -> None:
    # The bonus fired for 120.00 and is kept at 90.00: a rule that fired shows a condition met.
    world = make_world(
        earning={"rules": [rule("base", per_euro()), rule("big", _add(50), when=BIG)]}
    )
    world.member()
    kept = make_world(
        earning={
            "rules": [rule("base", per_euro()), rule("big", _add(50), when=BIG, on_refund="keep")]
        }
    )
    kept.member()
    for one, earned in ((world, 90), (kept, 140)):
        one.order("A-1", 12000)
        told = one.order("A-1", line("1", 12000, refunded_minor=3000))
        assert points(told) == earned
        outcome = one.outcomes(told)["big"]
        assert outcome["conditions"]["is_met"] is outcome["is_fired"]


def test_a_rule_about_lines_says_when_none_is_concerned(make_world: Make) -> None:
    mugs = {"when": {"fact": "line.categories", "op": "contains", "value": "mugs"}}
    world = make_world(earning={"rules": [rule("mugs", per_euro() | {"lines": mugs})]})
    world.member()
    outcome = world.outcomes(world.order("A-1", line("1", 1000, categories=["cups"])))["mugs"]
    assert (outcome["is_fired"], outcome["reason"]) == (False, "condition_not_met")
    assert "line" in outcome["detail"]


def test_a_signup_is_explained_like_an_order(make_world: Make) -> None:
    welcome = {"key": "welcome", "trigger": "signup", "effect": _add(200)}
    world = make_world(earning={"rules": [rule("base", per_euro()), welcome]})
    contact = {"email": "mina@example.com"}
    world.put("/members/mina", contact)
    world.put("/members/again", contact)
    [entry] = world.entries()
    assert _decision(world, entry)["source"] == {"type": "signup", "ref": "mina"}
    assert world.outcomes(entry)["welcome"]["is_fired"] is True
    assert world.entries("again") == []


def test_summaries_speak_korean_and_english(make_world: Make) -> None:
    world = _world(make_world)
    world.order("A-1", 123456)
    [entry] = world.entries()
    assert entry["summary"] == {
        "en": "1,243 points for order A-1",
        "ko": "주문 A-1로 1,243포인트 적립",
    }


def test_points_are_told_by_their_name_wherever_an_entry_is_shown(make_world: Make) -> None:
    kinds = [{"key": "points", "name": {"en": "Petals", "ko": "꽃잎"}}]
    world = make_world(points=kinds, locales=["fr"])
    world.member()
    world.member("jun")
    told = world.order("A-1", 5000)
    assert world.get(f"/decisions/{told['decision_id']}")["summary"] == {
        "en": "50 Petals for order A-1.",
        "ko": "주문 A-1로 50꽃잎이 적립되었습니다.",
    }
    [entry] = world.entries()
    earned = {"en": "50 Petals for order A-1", "ko": "주문 A-1로 50꽃잎 적립"}
    assert entry["summary"] == earned
    assert world.get(f"/entries/{entry['id']}")["summary"] == earned
    [past] = world.get("/members/mina/entries?as_of=2026-04-01T00:00:00Z")["data"]
    assert past["summary"] == earned
    back = world.order("A-1", 5000, status="cancelled")["reversed"][0]["entries"]
    assert [one["summary"]["ko"] for one in back] == ["주문 A-1 변경으로 50꽃잎 회수"]
    gone = world.get(f"/decisions/{back[0]['decision_id']}")["summary"]["en"]
    assert gone == "No Petals for order A-1: it was cancelled."
    given = world.post(
        "/adjustments", {"member_ref": "mina", "points": 1, "reason": "sorry"}, status=201
    )
    assert given["entry"]["summary"]["en"] == "1 Petal added by an adjustment"
    sent = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 1}
    moved = world.post("/transfers", sent, status=201)
    assert moved["to"]["entry"]["summary"]["en"] == "1 Petal added by a transfer"
    [account] = world.get("/members/jun/statement")["accounts"]
    assert account["entries"][0]["summary"]["ko"] == "양도로 1꽃잎 추가"


def test_who_acted_is_kept_with_the_entry(make_world: Make) -> None:
    world = _world(make_world)
    answer = world.call("PUT", "/orders/A-1", order(1000), headers={"Dangol-Actor": "desk-3"})
    assert answer.status_code == 201
    assert world.entries()[0]["actor"] == "desk-3"


def test_a_change_that_moves_no_point_but_fires_another_rule_is_explained(
    make_world: Callable[..., World],
) -> None:
    """100 points by channel web, 100 by channel app: the same sum for another reason."""
    by_channel = [
        rule(
            channel,
            {"do": "add_points", "points": 100},
            when={"fact": "order.channel", "op": "=", "value": channel},
        )
        for channel in ("web", "app")
    ]
    world = make_world(earning={"rules": by_channel})
    world.member()
    first = world.order("A-1", 1000, channel="web")
    second = world.order("A-1", 1000, channel="app")
    assert points(first) == points(second) == 100
    outcomes = world.outcomes(second)
    assert outcomes["app"]["is_fired"] and not outcomes["web"]["is_fired"]
