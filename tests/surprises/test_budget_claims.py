"""What budgets and limits bear: gifts that are used for good, shares that shrink, other rules by
the time a prize stands again, units that change."""

from typing import Any

import pytest

from tests.surprises.playing import Make, gift, receipts, sound, won
from tests.surprises.test_budgets import alerts, budget_of, paces, told
from tests.world import World

NOTHING: dict[str, Any] = {"earning": {"rules": []}}
#: A coupon of 5.00.
FIVE = {
    "key": "five",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "cost_points": None,
    "estimated_cost_minor": 500,
    "voucher": {"pattern": "FIVE-############"},
}


def again(world: World, ref: str, *lines: int, revision: int, **more: Any) -> Any:
    """An order told anew."""
    return world.order(ref, *lines, revision=revision, **more)


def test_a_used_gift_keeps_what_it_took(make_world: Make) -> None:
    once = [{"per": "member", "period": "ever", "times": 1}]
    prizes = [{"effects": [{"do": "grant_reward", "reward": "five"}]}]
    coupon: dict[str, Any] = {"key": "coupon", "prizes": prizes, "limits": once}
    coupon["budget"] = {"unit": "minor", "total": 1000}
    world = make_world(rewards=[FIVE], surprises=[coupon], **NOTHING)
    world.member()
    world.member("jun")
    # What falls unused gives everything back.
    [prize] = world.order("A-0", 1000)["surprises"]
    again(world, "A-0", 1000, revision=2, status="cancelled")
    assert budget_of(world, "coupon")["used"] == 0
    # What is used is gone, whatever becomes of the order.
    [prize] = world.order("A-1", 1000)["surprises"]
    code = prize["grants"][0]["voucher"]["code"]
    world.post(f"/vouchers/{code}/redeem", {"order_ref": "U-1"}, status=201)
    again(world, "A-1", 1000, revision=2, status="cancelled")
    assert (budget_of(world, "coupon")["used"], budget_of(world, "coupon")["left"]) == (500, 500)
    assert won(world.order("A-2", 1000)) == []
    assert won(again(world, "A-0", 1000, revision=3)) == []
    assert [row["guard"] for row in receipts(world)] == [None, None, "limit_reached"]
    sound(world)
    # It stands again by what it holds, and takes nothing more: there is one left for somebody else.
    [back] = again(world, "A-1", 1000, revision=3)["surprises"]
    assert back["grants"][0]["id"] == prize["grants"][0]["id"]
    assert budget_of(world, "coupon")["used"] == 500
    assert won(world.order("B-1", 1000, member_ref="jun")) == ["coupon"]
    assert budget_of(world, "coupon")["used"] == 1000
    again(world, "A-1", 1000, revision=4, status="cancelled")
    assert budget_of(world, "coupon")["used"] == 1000
    [shown] = world.get("/reports/surprises")["surprises"]
    assert (shown["standing"], shown["budget"]["claimed"]) == (1, 1000)
    sound(world)


def test_exported_cash_keeps_what_it_took(make_world: Make) -> None:
    cash = {"key": "cash", "prizes": [{"effects": [{"do": "payable", "minor": 300}]}]}
    world = make_world(surprises=[cash | {"budget": {"unit": "minor", "total": 500}}], **NOTHING)
    world.member()
    world.order("A-1", 1000)
    again(world, "A-1", 1000, revision=2, status="cancelled")
    assert budget_of(world, "cash")["used"] == 0
    again(world, "A-1", 1000, revision=3)
    world.post("/payables/exports", {}, status=201)
    again(world, "A-1", 1000, revision=4, status="cancelled")
    assert budget_of(world, "cash")["used"] == 300
    assert won(world.order("A-2", 1000)) == []
    sound(world)


def test_a_share_shrinks_below_a_lowered_budget(make_world: Make) -> None:
    share = {
        "key": "share",
        "prizes": [{"effects": [{"do": "points_per_amount", "points": 1, "per_minor": 100}]}],
    }
    world = make_world(surprises=[share | {"budget": {"total": 100}}], **NOTHING)
    world.member()
    world.member("jun")
    world.order("A", 5000)
    world.order("B", 5000, member_ref="jun")
    world.publish(surprises=[share | {"budget": {"total": 40}}], **NOTHING)
    # 1 point per 1.00: 5.00 are left of A, and 50 points of B are more than the 40 there are.
    body = {"refunded_at": "2026-03-02T10:00:00Z", "amount_minor": 4500}
    world.put("/orders/A/refunds/R-1", body)
    assert (world.balance(), world.balance("jun")) == (5, 50)
    assert (budget_of(world, "share")["used"], budget_of(world, "share")["left"]) == (55, 0)
    # What it lost it does not get back: that would be more.
    body["amount_minor"] = 1000
    world.put("/orders/A/refunds/R-1", body)
    assert world.balance() == 5
    sound(world)


@pytest.mark.parametrize(
    ("tight", "loose", "free"),
    (
        (
            {"budget": {"total": 99, "per_day": 7}},
            {"budget": {"total": 99, "per_day": 70}},
            {"budget": {"total": 99}},
        ),
        (
            {"limits": [{"per": "program", "period": "day", "times": 1}]},
            {"limits": [{"per": "program", "period": "day", "times": 9}]},
            {},
        ),
    ),
    ids=("budget", "limit"),
)
def test_what_bounds_nothing_any_more_refuses_nothing(
    make_world: Make, tight: Any, loose: Any, free: Any
) -> None:
    world = make_world(surprises=[gift("p", **tight)], **NOTHING)
    world.member()
    world.order("A", 1000)
    world.order("D", 1000, placed_at="2026-03-02T10:00:00Z")
    again(world, "A", 1000, revision=2, status="cancelled")
    world.publish(surprises=[gift("p", **loose)], **NOTHING)
    assert won(world.order("B", 1000)) == won(world.order("C", 1000)) == ["p"]
    # By the rules of now, 21 of 70 or 3 of 9 on the day: then without any.
    assert won(again(world, "A", 1000, revision=3)) == ["p"]
    again(world, "A", 1000, revision=4, status="cancelled")
    world.publish(surprises=[gift("p", **free)], **NOTHING)
    assert won(again(world, "A", 1000, revision=5)) == ["p"]
    assert world.balance() == 28
    # In one unit with another that falls, which reads the rules that it was won under.
    again(world, "A", 1000, revision=6, status="cancelled")
    whole = {
        "member_ref": "mina",
        "currency": "EUR",
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 1000}],
    }
    first = "2026-03-01T10:00:00Z"
    told_at_once = [
        whole | {"order_ref": "A", "status": "paid", "placed_at": first, "revision": 7},
        whole | {"order_ref": "E", "status": "paid", "placed_at": first},
        whole
        | {
            "order_ref": "D",
            "status": "cancelled",
            "revision": 2,
            "placed_at": "2026-03-02T10:00:00Z",
        },
    ]
    found = world.post("/orders/batch", {"orders": told_at_once})
    assert [won(one) for one in found["results"]] == [["p"], ["p"], []]
    # Gone altogether, it stands again by what it was won under: a day had room for one.
    again(world, "A", 1000, revision=8, status="cancelled")
    world.publish(surprises=[], **NOTHING)
    assert won(again(world, "A", 1000, revision=9)) == []
    assert world.balance() == 21
    sound(world)


def test_units_are_counted_apart_and_an_estimate_is_no_less_than_its_cash(make_world: Make) -> None:
    world = make_world(
        points=[{"key": "points", "value": {"points": 1, "minor": 10}}],
        surprises=[gift("p", 60, budget={"unit": "points", "total": 100})],
        **NOTHING,
    )
    world.member()
    assert won(world.order("A", 1000)) == ["p"]
    prizes = [{"effects": [{"do": "payable", "minor": 90}], "estimated_cost_minor": 5}]
    money = {"key": "p", "prizes": prizes, "budget": {"unit": "minor", "total": 100}}
    kinds = [{"key": "points", "value": {"points": 1, "minor": 10}}]
    world.publish(points=kinds, surprises=[money], **NOTHING)
    # No point of it is money: 0 of 100, then 90, for the cash is what it is.
    assert budget_of(world, "p")["used"] == 0
    assert won(world.order("B", 1000)) == ["p"]
    assert (budget_of(world, "p")["unit"], budget_of(world, "p")["used"]) == ("minor", 90)
    assert won(world.order("C", 1000)) == []
    # Of the points no prize of 60 was left, and that was told by itself.
    assert [one["unit"] for one in alerts(world)] == ["points", "minor", "minor"]
    assert told(world) == [("p", 100, 100, 60), ("p", 80, 100, 90), ("p", 100, 100, 90)]
    # The points come back by what they were won under.
    again(world, "A", 1000, revision=2, status="cancelled")
    assert won(again(world, "A", 1000, revision=3)) == ["p"]
    [shown] = world.get("/reports/surprises")["surprises"]
    assert (shown["budget"]["claimed"], shown["budget"]["used"]) == (90, 90)
    # 60 points of 0.10, and 0.90 in cash.
    assert (shown["cost"]["points_minor"], shown["cost"]["payables_minor"]) == (600, 90)
    assert (shown["cost"]["estimates_minor"], shown["cost"]["total_minor"]) == (0, 690)
    sound(world)


def test_estimates_of_prizes_are_in_the_reports_total(make_world: Make) -> None:
    prizes = [
        {
            "effects": [{"do": "add_points", "points": 7}, {"do": "payable", "minor": 30}],
            "note": {"en": "Thank you!"},
            "estimated_cost_minor": 90,
        }
    ]
    kinds = [{"key": "points", "value": {"points": 1, "minor": 10}}]
    notes = [
        {"key": "money", "prizes": prizes, "budget": {"unit": "minor", "total": 1000}},
        {"key": "points", "prizes": prizes, "budget": {"unit": "points", "total": 1000}},
        {"key": "plain", "prizes": prizes},
    ]
    world = make_world(points=kinds, surprises=notes, **NOTHING)
    world.member()
    world.order("A", 1000)
    world.order("B", 1000)
    again(world, "B", 1000, revision=2, status="cancelled")
    report = world.get("/reports/surprises")
    # 7 points of 0.10 and 0.30 in cash are 1.00, and 0.10 more than the 0.90 it is thought to cost.
    cost = {
        "points": [{"points_key": "points", "points": 7, "value_minor": 70}],
        "points_minor": 70,
        "rewards_minor": 0,
        "payables_minor": 30,
        "estimates_minor": -10,
        "total_minor": 90,
    }
    assert [one["cost"] for one in report["surprises"]] == [cost] * 3
    assert report["cost"]["total_minor"] == 270
    by_key = {one["surprise"]: one["budget"] for one in report["surprises"]}
    assert (by_key["money"]["claimed"], by_key["points"]["claimed"]) == (90, 7)
    sound(world)


def test_a_days_share_has_alerts_of_its_own(make_world: Make) -> None:
    one = gift("luck", 7, budget={"total": 1000, "per_day": 20})
    world = make_world(surprises=[one], **NOTHING)
    world.member()
    world.order("A-1", 1000)
    assert alerts(world) == []
    # 14 of 20: less than four fifths, and 6 are no prize of 7.
    world.order("A-2", 1000)
    [gone] = alerts(world)
    program_id = gone.pop("program_id", None)
    assert program_id in (None, world.program_id)
    assert gone == {
        "section": "surprises",
        "key": "luck",
        "unit": "points",
        "period": "day",
        "on": "2026-03-01",
        "percent": 100,
        "total": 20,
        "used": 14,
        "is_exhausted": True,
    }
    # Once a day, and each day anew.
    again(world, "A-2", 1000, revision=2, status="cancelled")
    again(world, "A-2", 1000, revision=3)
    assert len(alerts(world)) == 1
    for ref in ("B-1", "B-2", "B-3"):
        world.order(ref, 1000, placed_at="2026-03-02T10:00:00Z")
    assert [(one["on"], one["percent"]) for one in alerts(world)] == [
        ("2026-03-01", 100),
        ("2026-03-02", 100),
    ]
    assert told(world) == []
    sound(world)


def test_what_an_empty_budget_stopped_was_expected_and_points_are_no_money(
    make_world: Make,
) -> None:
    kinds = [{"key": "points", "value": {"points": 7, "minor": 1}}]
    until = {"pacing": True, "ends_at": "2026-03-05T15:00:00Z"}

    def changes(**budget: Any) -> dict[str, Any]:
        return {"points": kinds, "surprises": [gift("p", 7, budget=budget | until)], **NOTHING}

    world = make_world(**changes(total=20))
    world.member()
    world.set_clock("2026-03-01T10:00:00Z")
    got = [won(world.order(f"A-{number}", 1000)) for number in range(4)]
    assert got == [["p"], ["p"], [], []]
    assert [row["guard"] for row in receipts(world)] == [None, None, "budget", "budget"]
    # The next day in Seoul, with more: 86 for 4 days of four times 7 are 86 / 112.
    world.set_clock("2026-03-01T15:00:00Z")
    world.publish(**changes(total=100))
    world.order("B", 1000)
    assert paces(world)[-1] == 767_857
    # Of 10 minor units nothing is known: 35 points in two days, 17 for each of 3, are none.
    world.set_clock("2026-03-02T15:00:00Z")
    world.publish(**changes(unit="minor", total=10))
    world.order("C", 1000)
    assert paces(world)[-1] == 1_000_000
    sound(world)
