"""Limits over HTTP: what is left is paid, what is given back goes to whoever comes next."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, per_euro, points, reversed_points, rule

Make = Callable[..., World]
DAILY = {"per": "member", "period": "day", "points": 500}


def world_with(make_world: Make, *rules: dict[str, Any], **changes: Any) -> World:
    """A program of these rules, and Mina; its clock stands on 1 June 2026."""
    world = make_world(earning={"rules": list(rules)}, **changes)
    world.set_clock("2026-06-01T00:00:00Z")
    world.member("mina")
    return world


def capped(world: World, answer: Any, key: str = "base") -> tuple[bool, str | None, int | None]:
    outcome = world.outcomes(answer)[key]
    return outcome["is_fired"], outcome.get("reason"), outcome.get("withheld")


def test_a_cap_pays_what_is_left_and_a_refund_gives_it_to_whoever_comes_next(
    make_world: Make,
) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    assert world.earned("A-1", 45_000) == 450
    answer = world.order("A-2", 12_000)
    assert points(answer) == 50
    assert capped(world, answer) == (True, "capped", 70)
    third = world.order("A-3", 1_000)
    assert points(third) == 0
    assert capped(world, third) == (False, "limit_reached", None)
    # The next day in Seoul.
    assert world.outcomes(third)["base"]["again_at"] == "2026-03-01T15:00:00Z"
    # Refunding the capped order gives its 50 to the next one, and re-decides nobody.
    assert reversed_points(world.order("A-2", 12_000, status="cancelled")) == 50
    assert points(world.order("A-3", 1_000, status="fulfilled")) == 0
    answer = world.order("A-4", 12_000)
    assert points(answer) == 50
    assert capped(world, answer) == (True, "capped", 70)
    # It stands again, and there is nothing left.
    assert points(world.order("A-2", 12_000)) == 0
    assert world.balance() == 500
    assert world.verify()["mismatches"] == []


def test_a_claim_shrinks_with_its_order_and_grows_with_nothing_else(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    world.order("A-1", 45_000)
    world.order("A-2", line("1", 9_000), line("2", 3_000))
    world.order("A-1", 45_000, status="cancelled")
    # 90 would be deserved and 450 are free by now: it keeps the 50 that it was capped at.
    refund = {"refunded_at": "2026-03-02T00:00:00Z"}
    answer = world.put(
        "/orders/A-2/refunds/R-1", refund | {"lines": [{"line_ref": "2", "quantity": 1}]}
    )
    assert (points(answer), reversed_points(answer)) == (50, 0)
    # 20 are left of it, and claimed; then the first refund is withdrawn: it grows, from the rest.
    more = refund | {"lines": [{"line_ref": "1", "amount_minor": 7_000}]}
    assert points(world.put("/orders/A-2/refunds/R-2", more)) == 20
    assert world.earned("A-3", 45_000) == 450
    assert world.earned("A-4", 45_000) == 30
    withdrawn = refund | {
        "status": "withdrawn",
        "lines": [{"line_ref": "1", "amount_minor": 7_000}],
    }
    assert points(world.put("/orders/A-2/refunds/R-2", withdrawn)) == 20
    assert world.verify()["mismatches"] == []


def test_the_day_is_the_programs_day(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    assert world.earned("A-1", 50_000, placed_at="2025-12-31T23:30:00-08:00") == 500
    # The same day in Seoul, the year after in Los Angeles.
    assert world.earned("A-2", 1_000, placed_at="2026-01-01T23:59:59+09:00") == 0
    assert world.earned("A-3", 1_000, placed_at="2025-12-31T23:59:59+09:00") == 10
    assert world.earned("A-4", 1_000, placed_at="2026-01-02T00:00:00+09:00") == 10


@pytest.mark.parametrize(
    ("period", "last", "following"),
    [
        # 1 January 2026 is a Thursday; the ISO week ends with Sunday, 4 January.
        ("week", "2026-01-04T23:59:59+09:00", "2026-01-05T00:00:00+09:00"),
        ("month", "2026-01-31T23:59:59+09:00", "2026-02-01T00:00:00+09:00"),
        ("year", "2026-05-31T23:59:59+09:00", "2025-12-31T23:59:59+09:00"),
    ],
)
def test_times_in_a_period(make_world: Make, period: str, last: str, following: str) -> None:
    limits = [{"per": "member", "period": period, "times": 2}]
    world = world_with(make_world, rule("gift", {"do": "add_points", "points": 7}, limits=limits))
    assert world.earned("A-1", 100, placed_at="2026-01-01T00:00:00+09:00") == 7
    assert world.earned("A-2", 100, placed_at=last) == 7
    assert world.earned("A-3", 100, placed_at=last) == 0
    assert world.earned("A-4", 100, placed_at=following) == 7
    assert world.verify()["mismatches"] == []


def test_ever_is_for_ever_and_each_member_has_their_own(make_world: Make) -> None:
    limits = [{"per": "member", "period": "ever", "times": 1}]
    world = world_with(make_world, rule("gift", {"do": "add_points", "points": 7}, limits=limits))
    world.member("jun")
    assert world.earned("A-1", 100) == 7
    answer = world.order("A-2", 100, placed_at="2026-05-01T00:00:00Z")
    assert points(answer) == 0
    assert "again_at" not in world.outcomes(answer)["gift"]
    assert world.earned("B-1", 100, member_ref="jun") == 7


def test_a_limit_per_order_bounds_each_order(make_world: Make) -> None:
    limits = [{"per": "order", "points": 30}]
    world = world_with(make_world, rule("base", per_euro(), limits=limits))
    answer = world.order("A-1", 4_550)
    # 45.5 wanted, 30 given: 15.5 were withheld, 15 by the rounding of the program.
    assert (points(answer), capped(world, answer)) == (30, (True, "capped", 15))
    assert world.earned("A-2", 2_999) == 29
    assert world.verify()["mismatches"] == []


def test_others_multiply_what_is_left(make_world: Make) -> None:
    world = world_with(
        make_world,
        rule("base", per_euro(), limits=[DAILY]),
        rule("double", {"do": "multiply_points", "factor_bp": 20_000}, priority=1),
        tiers={"levels": [{"key": "silver", "enter_at": 0, "multiplier_bp": 15_000}]},
    )
    # 600 wanted, capped at 500; doubled, and 1.5 by the tier: 1,500, of which 500 are its own.
    answer = world.order("A-1", 60_000)
    assert points(answer) == 1_500
    shares = {one["rule"]: one["points"] for one in answer["earned"][0]["breakdown"]}
    assert shares == {"base": 500, "double": 500, "tier": 500}
    assert world.earned("A-2", 10_000) == 0


def test_a_multipliers_own_extra_is_limited(make_world: Make) -> None:
    limits = [{"per": "member", "period": "month", "points": 80}]
    world = world_with(
        make_world,
        rule("base", per_euro()),
        rule("double", {"do": "multiply_points", "factor_bp": 20_000}, limits=limits),
    )
    assert world.earned("A-1", 5_000) == 100
    answer = world.order("A-2", 5_000)
    # 50, and of the other 50 the 30 that are left.
    assert points(answer) == 80
    assert capped(world, answer, "double") == (True, "capped", 20)
    answer = world.order("A-3", 5_000)
    assert points(answer) == 50
    assert capped(world, answer, "double") == (False, "limit_reached", None)
    assert world.verify()["mismatches"] == []


def test_of_a_group_the_best_is_chosen_by_what_limits_leave(make_world: Make) -> None:
    luck = {"mode": "exclusive", "group": "luck"}
    limits = [{"per": "member", "period": "day", "points": 110}]
    world = world_with(
        make_world,
        rule("base", per_euro()),
        rule("fixed", {"do": "add_points", "points": 60}, stacking=luck),
        rule(
            "triple",
            {"do": "multiply_points", "factor_bp": 30_000},
            stacking=luck,
            limits=limits,
        ),
    )
    # 50 and 100 by the factor, which leaves 10 of it: then 60 fixed points are better.
    assert world.earned("A-1", 5_000) == 150
    answer = world.order("A-2", 5_000)
    assert points(answer) == 110
    outcomes = world.outcomes(answer)
    assert (outcomes["fixed"]["is_fired"], outcomes["triple"]["reason"]) == (True, "excluded")
    assert world.verify()["mismatches"] == []


def test_a_program_wide_limit_is_everybodys(make_world: Make) -> None:
    limits = [{"per": "program", "period": "month", "points": 100}]
    world = world_with(make_world, rule("base", per_euro(), limits=limits))
    world.member("jun")
    assert world.earned("A-1", 7_000) == 70
    assert world.earned("B-1", 7_000, member_ref="jun") == 30
    assert world.earned("A-2", 7_000) == 0
    world.order("A-1", 7_000, status="cancelled")
    assert world.earned("B-2", 4_000, member_ref="jun") == 40
    # It stands again, and takes what is left: 100 - 30 - 40.
    assert world.earned("A-1", 7_000) == 30
    assert world.earned("A-3", 7_000, placed_at="2026-04-01T00:00:00Z") == 70
    assert world.verify()["mismatches"] == []


def test_signup_effects_are_limited_alike(make_world: Make) -> None:
    welcome = {
        "key": "welcome",
        "trigger": "signup",
        "effect": {"do": "add_points", "points": 40},
        "limits": [{"per": "program", "period": "day", "points": 100}],
    }
    world = make_world(earning={"rules": [welcome]})
    world.set_clock("2026-06-01T00:00:00Z")
    answers = [world.member(f"m{number}") for number in range(4)]
    assert [points(answer) for answer in answers] == [40, 40, 20, 0]
    assert world.verify()["mismatches"] == []


def test_a_batch_sees_its_own_orders_and_a_quote_takes_nothing(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    assert [points(world.quote(60_000)) for _ in range(2)] == [500, 500]
    from tests.world import order

    bodies = [order(20_000) | {"order_ref": f"A-{number}"} for number in range(4)]
    answer = world.post("/orders/batch", {"orders": bodies})
    earned = [points(one) for one in answer["results"]]
    assert earned == [200, 200, 100, 0]
    assert points(world.quote(1_000)) == 0
    preview = world.post("/orders/batch", {"orders": bodies}, key="again")
    assert [points(one) for one in preview["results"]] == earned
    assert world.verify()["mismatches"] == []


def test_a_guests_order_takes_what_is_left_when_it_is_claimed(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    world.order("G-1", 30_000, member_ref=None)
    assert world.earned("A-1", 40_000) == 400
    assert world.earned("G-1", 30_000, member_ref="mina") == 100
    # It changes hands: Jun has his own 500, and Mina's 100 are free again.
    world.member("jun")
    assert world.earned("G-1", 30_000, member_ref="jun") == 300
    assert world.earned("A-2", 30_000) == 100
    assert world.verify()["mismatches"] == []


def test_a_merged_members_claims_count_for_who_stays(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro(), limits=[DAILY]))
    world.member("jun")
    world.order("A-1", 30_000)
    world.order("B-1", 15_000, member_ref="jun")
    world.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert world.earned("A-2", 20_000) == 50
    assert reversed_points(world.order("B-1", 15_000, status="cancelled")) == 150
    assert world.earned("A-3", 20_000) == 150
    assert world.verify()["mismatches"] == []


def test_a_limit_counts_from_its_publication_on(make_world: Make) -> None:
    world = world_with(make_world, rule("base", per_euro()))
    world.order("A-1", 45_000)
    world.publish(earning={"rules": [rule("base", per_euro(), limits=[DAILY])]})
    assert world.earned("A-2", 60_000) == 500
    # The first one is decided by its own version for ever.
    assert world.earned("A-1", 45_000, status="fulfilled") == 450
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize(
    ("limits", "pointer"),
    [
        ([{"per": "member", "period": "day"}], ""),
        ([{"per": "member", "period": "day", "times": 1, "points": 1}], ""),
        ([{"per": "order", "times": 1}], "/times"),
        ([{"per": "order", "period": "day", "points": 1}], "/period"),
        ([{"per": "program", "period": "decade", "points": 1}], "/period"),
        ([{"per": "member", "period": "day", "points": 0}], "/points"),
    ],
)
def test_limits_that_mean_nothing_are_refused(
    make_world: Make, limits: list[dict[str, Any]], pointer: str
) -> None:
    world = make_world()
    from tests.world import document

    body = document(earning={"rules": [rule("base", per_euro(), limits=limits)]})
    response = world.call("PUT", "/program/draft", body)
    assert response.status_code == 422
    found = [error["pointer"] for error in response.json["errors"]]
    assert f"/earning/rules/0/limits/0{pointer}" in found


def test_activities_are_limited_and_give_back_what_they_took(make_world: Make) -> None:
    review = {
        "key": "review",
        "trigger": "activity:review",
        "effect": {"do": "add_points", "points": 40},
        "limits": [{"per": "member", "period": "day", "points": 100}],
    }
    world = make_world(earning={"rules": [review]}, activities=[{"key": "review"}])
    world.set_clock("2026-06-01T00:00:00Z")
    world.member("mina")

    def tell(ref: str, **more: Any) -> int:
        body = {"member_ref": "mina", "kind": "review", "occurred_at": "2026-03-01T10:00:00Z"}
        return points(world.put(f"/activities/{ref}", body | more))

    assert [tell(f"V-{number}") for number in range(4)] == [40, 40, 20, 0]
    assert tell("V-1", status="withdrawn") == 0
    # What it gave back is not for those that were told before.
    assert (tell("V-3"), tell("V-2")) == (0, 20)
    assert tell("V-4") == 40
    assert tell("V-1") == 0
    assert tell("V-5", occurred_at="2026-03-02T10:00:00Z") == 40
    assert world.verify()["mismatches"] == []


def test_stamps_are_limited_in_times(make_world: Make) -> None:
    stamp = rule(
        "stamp",
        {"do": "add_stamps", "card": "coffee", "stamps": 2},
        limits=[{"per": "member", "period": "day", "times": 2}],
    )
    card = {"key": "coffee", "stamps": 10, "effects": [{"do": "add_points", "points": 50}]}
    world = world_with(make_world, stamp, cards=[card])
    for number in range(3):
        world.order(f"A-{number}", 100)
    [shown] = world.get("/members/mina/cards")["data"]
    assert shown["stamps"] == 4
    assert capped(world, world.get("/orders/A-2"), "stamp") == (False, "limit_reached", None)
    world.order("A-0", 100, status="cancelled")
    world.order("A-3", 100)
    [shown] = world.get("/members/mina/cards")["data"]
    assert shown["stamps"] == 4
    assert world.verify()["mismatches"] == []


def test_what_is_left_out_is_each_member_and_each_day(make_world: Callable[..., World]) -> None:
    bonus = rule("bonus", {"do": "add_points", "points": 30}, limits=[{"points": 50}])
    world = make_world(earning={"rules": [bonus]})
    world.member("mina")
    world.member("jun")
    told = [world.earned(f"A-{number}", 100) for number in (1, 2, 3)]
    assert told == [30, 20, 0]
    assert world.earned("B-1", 100, member_ref="jun") == 30
    assert world.earned("A-4", 100, placed_at="2026-03-02T10:00:00Z") == 30
