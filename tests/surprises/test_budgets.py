"""Budgets: paced so that they last, told of before they are gone, and shown as they stand."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from core.outbox import OutboxMessage
from rewards.surprises import pacing
from rewards.surprises.carried import DRAWS
from tests.scenarios.attributing import code_of, offer, sign_up
from tests.surprises.test_surprises import surprise, won
from tests.world import World

SEOUL = ZoneInfo("Asia/Seoul")


def told(world: World, period: str = "total") -> list[tuple[str, int, int, int]]:
    """Alerts of budgets, or of days' shares: key, percent, total and what was used."""
    return [
        (one["key"], one["percent"], one["total"], one["used"])
        for one in alerts(world)
        if one["period"] == period
    ]


def alerts(world: World) -> list[dict[str, Any]]:
    """Every alert."""
    statement = (
        sa.select(OutboxMessage.payload)
        .where(
            OutboxMessage.program_id == ids.read_id("prg", world.program_id),
            OutboxMessage.type == "budget.alert",
        )
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        found = db.reading(lambda connection: list(connection.execute(statement).scalars()))
    return [jsontext.parse(one) for one in found]


def budget_of(world: World, key: str = "luck") -> Any:
    """A budget as the address shows it."""
    return next(one for one in world.get("/budgets")["data"] if one["key"] == key)


def paces(world: World) -> list[int]:
    """The pace in every receipt, in order."""
    statement = (
        sa.select(DRAWS.c.pace_ppm)
        .where(DRAWS.c.program_id == ids.read_id("prg", world.program_id))
        .order_by(DRAWS.c.id)
    )
    with world.app.app_context():
        return db.reading(lambda connection: list(connection.execute(statement).scalars()))


def test_what_is_left_over_what_is_expected_lowers_the_probability() -> None:
    # SEMANTICS 57: 400,000 left, 20 days of 40,000 each are 800,000.
    of = {"remaining": 400_000, "days_left": 20}
    assert pacing.factor_ppm(**of, expected_micro=40_000 * 10**6) == 500_000
    # Never raised, and nothing is expected of nothing.
    assert pacing.factor_ppm(**of, expected_micro=20_000 * 10**6) == 1_000_000
    assert pacing.factor_ppm(**of, expected_micro=0) == 1_000_000
    assert pacing.factor_ppm(remaining=-1, days_left=3, expected_micro=1) == 0
    # 1 / 3 is rounded down: never more is given than is left.
    assert pacing.factor_ppm(remaining=1, days_left=3, expected_micro=10**6) == 333_333
    # A tenth of 7 in three of four and 15 in one: 10 % of 36 / 4 = 0.9.
    assert pacing.expected_micro(100_000, [3, 1], [7, 15]) == 900_000
    assert pacing.expected_micro(1, [1], [1]) == 1
    # Until midnight of the 31st in Seoul: the 30th is the last day.
    end = clock.parse_instant("2026-03-30T15:00:00Z")
    assert pacing.days_left(date(2026, 3, 11), end, SEOUL) == 20
    assert pacing.days_left(date(2026, 3, 30), end, SEOUL) == 1
    assert pacing.days_left(date(2026, 3, 30), end + 1, SEOUL) == 2
    assert pacing.days_left(date(2026, 3, 31), end, SEOUL) == 0


def test_a_paced_budget_lasts_and_its_pace_is_the_days(make_world: Any) -> None:
    ends_at = "2026-03-05T15:00:00Z"
    budget = {"unit": "points", "total": 100, "pacing": True, "ends_at": ends_at}
    world: World = make_world(surprises=[surprise(budget=budget)])
    world.member()
    world.set_clock("2026-03-01T10:00:00Z")
    # The first day has nothing to go by: six times 7 are 42.
    for number in range(6):
        assert won(world.order(f"A-{number}", 1000)) == ["luck"]
    assert budget_of(world)["pace"] == {
        "on": "2026-03-01",
        "pace_ppm": 1_000_000,
        "remaining": 100,
        "days_left": 5,
        "expected_per_day": 0,
    }
    # The day in Seoul is over at 15:00: 58 for 4 days of which each would take 42 are 58 / 168.
    world.set_clock("2026-03-01T15:00:00Z")
    world.order("B-0", 1000)
    assert paces(world) == [1_000_000] * 6 + [345_238]
    # Whatever was won since, it is the pace of the day.
    world.order("B-1", 1000)
    shown = budget_of(world)
    assert paces(world)[-1] == 345_238
    assert (shown["pace"]["remaining"], shown["pace"]["days_left"]) == (58, 4)
    assert shown["pace"]["expected_per_day"] == 42
    # Two days later: 8 draws in 3 days, of which one had none, are 56 / 3 for each.
    world.set_clock("2026-03-03T15:00:00Z")
    left = budget_of(world)["left"]
    world.order("C-0", 1000)
    assert paces(world)[-1] == min(10**6, left * 10**12 // (2 * (56 * 10**6 // 3)))
    # A total that was raised is another surprise from that moment on.
    world.publish(surprises=[surprise(budget=budget | {"total": 10_000})])
    assert won(world.order("C-1", 1000)) == ["luck"]
    assert paces(world)[-1] == 1_000_000
    # Behind its end nothing is lowered.
    world.set_clock("2026-03-06T10:00:00Z")
    assert won(world.order("D-0", 1000)) == ["luck"]
    assert budget_of(world)["pace"] is None
    assert world.verify()["mismatches"] == []


def test_alerts_come_once_for_each_threshold_and_total(make_world: Any) -> None:
    one = surprise(budget={"unit": "points", "total": 50, "per_day": 49})
    advocate = [{"do": "add_points", "points": 10}]
    friends = offer(advocate=advocate, friend=[], budget={"unit": "points", "total": 10})
    # What costs money as it is thought to, and is no points at all.
    note = surprise("note", budget={"unit": "minor", "total": 100}, limits=[{"times": 1}])
    note["prizes"] = [{"estimated_cost_minor": 90, "note": {"en": "Thank you!"}}]
    world: World = make_world(surprises=[one, note], referral_offers=[friends])
    world.set_clock("2026-06-01T00:00:00Z")
    world.member()
    for number in range(5):
        world.order(f"A-{number}", 1000)
    assert told(world) == [("note", 80, 100, 90), ("note", 100, 100, 90)]
    assert (budget_of(world, "note")["unit"], budget_of(world, "note")["used"]) == ("minor", 90)
    # 42 of 50 are more than four fifths; with 49 no prize of 7 is left.
    world.order("A-5", 1000)
    assert told(world)[2:] == [("luck", 80, 50, 42)]
    world.order("A-6", 1000)
    assert told(world)[3:] == [("luck", 100, 50, 49)]
    # What falls and comes again is not told again.
    world.order("A-6", 1000, status="cancelled", revision=2)
    world.order("A-6", 1000, revision=3)
    assert len(told(world)) == 4
    shown = budget_of(world)
    assert (shown["used"], shown["left"], shown["is_exhausted"]) == (49, 1, True)
    assert (shown["per_day"], shown["used_today"]) == (49, 0)
    # Another total is told of anew: 56 of 60, and nothing left of it either.
    raised = surprise(budget={"unit": "points", "total": 60})
    world.publish(surprises=[raised], referral_offers=[friends])
    world.order("A-7", 1000)
    assert told(world)[4:] == [("luck", 80, 60, 56), ("luck", 100, 60, 56)]
    # An offer's budget is gone when all of it is used.
    sign_up(world, "new", {"code": code_of(world, "mina")})
    world.order("F-1", 1000, member_ref="new", placed_at="2026-06-01T00:00:00Z")
    assert told(world)[6:] == [("friends", 80, 10, 10), ("friends", 100, 10, 10)]
    assert budget_of(world, "friends")["section"] == "referral_offers"
    assert world.verify()["mismatches"] == []
