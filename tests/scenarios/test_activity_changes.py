"""Activities told again as another kind, and all that one telling brings: cards, levels, limits."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.activities import MARCH, sound, told
from tests.scenarios.stamping import bonus, coffee, stamps, state
from tests.world import World, points, reversed_points, rule

Make = Callable[..., World]
ONCE_A_DAY = {"per": "member", "period": "day", "times": 1}


def _world(make_world: Make, *rules: dict[str, Any], **more: Any) -> World:
    world = make_world(earning={"rules": list(rules)}, **more)
    world.set_clock("2026-03-10T10:00:00Z")
    world.member("mina")
    return world


def _on(
    kind: str, effect: dict[str, Any], *limits: dict[str, Any], key: str | None = None
) -> dict[str, Any]:
    trigger = f"activity:{kind}"
    return rule(key or f"on-{kind}", effect, trigger=trigger, limits=list(limits))


def test_told_as_another_kind_it_gives_back_what_it_took_of_limits(make_world: Make) -> None:
    world = _world(
        make_world,
        _on("visit", bonus(20), ONCE_A_DAY),
        _on("review", bonus(7), ONCE_A_DAY),
    )
    assert points(told(world, "V-1")) == 20
    changed = told(world, "V-1", kind="review")
    # 20 stood, 7 do.
    assert (points(changed), reversed_points(changed)) == (7, 13)
    sound(world)
    # The visit's place is free, the review's is taken.
    assert points(told(world, "V-2")) == 20
    assert points(told(world, "R-2", kind="review")) == 0
    # Back again it finds the place taken, and frees the other.
    back = told(world, "V-1")
    assert (points(back), reversed_points(back)) == (0, 7)
    assert points(told(world, "R-3", kind="review")) == 7
    assert world.balance() == 20 + 7
    sound(world)


def test_withdrawn_as_another_kind_it_gives_back_what_it_took_of_limits(make_world: Make) -> None:
    world = _world(make_world, _on("visit", bonus(20), ONCE_A_DAY))
    told(world, "V-1")
    gone = told(world, "V-1", kind="look", status="withdrawn")
    assert (points(gone), reversed_points(gone)) == (0, 20)
    sound(world)
    assert points(told(world, "V-2")) == 20
    sound(world)


def test_told_as_another_kind_for_another_member_nobody_keeps_a_place(make_world: Make) -> None:
    all_of_us = {"per": "program", "period": "ever", "times": 1}
    world = _world(make_world, _on("visit", bonus(20), ONCE_A_DAY, all_of_us))
    world.member("jun")
    told(world, "V-1")
    moved = told(world, "V-1", kind="look", member_ref="jun")
    assert (points(moved), reversed_points(moved)) == (0, 20)
    sound(world)
    # Whose place is it now: the program's and Mina's own are both free.
    assert points(told(world, "V-2")) == 20
    sound(world)


def test_told_as_another_kind_it_gives_back_what_all_share_and_its_stamps(make_world: Make) -> None:
    shared = {"per": "program", "period": "month", "points": 50}
    world = _world(
        make_world,
        _on("visit", bonus(40), shared),
        _on("visit", stamps(), ONCE_A_DAY, key="stamp"),
        _on("review", bonus(5)),
        cards=[coffee(stamps=2)],
    )
    assert points(told(world, "V-1")) == 40
    assert state(world) == (0, 1)
    changed = told(world, "V-1", kind="review")
    assert (points(changed), reversed_points(changed)) == (5, 35)
    assert state(world) == (0, 0)
    sound(world)
    # 50 are left again, not 10; and a stamp.
    assert points(told(world, "V-2")) == 40
    assert points(told(world, "V-3")) == 10
    assert state(world) == (0, 1)
    sound(world)


def test_each_completion_of_a_card_gives_back_its_own_place(make_world: Make) -> None:
    twice = {"per": "member", "period": "ever", "times": 2}
    world = _world(
        make_world,
        _on("visit", stamps()),
        rule("party", bonus(9), trigger="card_completed", limits=[twice]),
        cards=[coffee(stamps=1, effects=[])],
    )
    told(world, "V-1", occurred_at="2026-03-01T10:00:00Z")
    told(world, "V-2", occurred_at="2026-03-02T10:00:00Z")
    told(world, "V-3", occurred_at="2026-03-03T10:00:00Z")
    assert world.balance() == 18
    # The newest goes first, whichever stamp is taken: the third had no place, the others had one.
    for number in (1, 2, 3):
        told(world, f"V-{number}", status="withdrawn")
        sound(world)
    assert world.balance() == 0
    told(world, "V-4")
    told(world, "V-5")
    assert world.balance() == 18
    sound(world)


def test_what_a_completed_card_brought_is_in_the_answer_that_completed_it(
    make_world: Make,
) -> None:
    world = _world(
        make_world, _on("visit", bonus(1)), _on("visit", stamps(), key="stamp"), cards=[coffee()]
    )
    told(world, "V-1")
    [card] = told(world, "V-2")["cards"]
    assert "completed" not in card
    answer = told(world, "V-3")
    assert points(answer) == 1
    [card] = answer["cards"]
    [completed] = card["completed"]
    assert completed["number"] == 1
    [award] = completed["earned"]
    assert (award["points_key"], award["points"], award["state"]) == ("points", 50, "available")
    assert award["breakdown"] == [{"rule": "coffee", "points": 50, "detail": "50 fixed"}]
    decision = world.get(f"/decisions/{award['decision_id']}")
    assert decision["source"]["type"] == "card"
    assert decision["source"]["ref"] == "coffee"
    # Read, and told again, it is the card alone.
    assert "completed" not in world.get("/activities/V-3")["cards"][0]
    assert "completed" not in told(world, "V-3")["cards"][0]
    assert "completed" not in world.get("/members/mina/cards")["data"][0]
    gone = told(world, "V-3", status="withdrawn")
    assert reversed_points(gone) == 51
    assert "completed" not in gone["cards"][0]
    again = told(world, "V-3")
    assert points(again["cards"][0]["completed"][0]) == 50
    sound(world)


def test_an_order_says_what_every_card_that_it_completed_brought(make_world: Make) -> None:
    gold = coffee(key="gold", stamps=2, effects=[bonus(100)])
    small = coffee(stamps=1, effects=[stamps("gold"), bonus(3)])
    world = _world(make_world, rule("stamp", stamps("coffee", 2)), cards=[gold, small])
    found = {one["key"]: one for one in world.order("A-1", 1000)["cards"]}
    assert [(one["number"], points(one)) for one in found["coffee"]["completed"]] == [
        (1, 3),
        (2, 3),
    ]
    assert [(one["number"], points(one)) for one in found["gold"]["completed"]] == [(1, 100)]
    assert world.balance() == 106
    # Orders of one batch each say their own.
    batch = [
        {"order_ref": ref, "member_ref": "mina", "status": "paid", "currency": "EUR"}
        | {"placed_at": MARCH, "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 100}]}
        for ref in ("B-1", "B-2")
    ]
    results = world.post("/orders/batch", {"orders": batch})["results"]
    numbers = [
        {card["key"]: [one["number"] for one in card["completed"]] for card in result["cards"]}
        for result in results
    ]
    assert numbers == [{"gold": [2], "coffee": [3, 4]}, {"gold": [3], "coffee": [5, 6]}]


@pytest.mark.parametrize("metric", ["points", "spend"])
def test_the_answer_says_where_the_member_stands_and_what_that_brought(
    make_world: Make, metric: str
) -> None:
    silver = {"key": "silver", "enter_at": 100, "entry_effects": [bonus(500)]}
    tiers = {"basis": {"metric": metric}, "levels": [silver], "on_refund": "immediate"}
    counting = _on("visit", bonus(60) | {"counts_for_tier": True})
    world = _world(make_world, counting, tiers=tiers)
    first = told(world, "V-1")
    assert first["tier"] == world.tier()
    second = told(world, "V-2")
    assert points(second) == 60
    if metric == "spend":
        # No points of theirs are money.
        assert (second["tier"]["key"], "change" in second["tier"]) == (None, False)
        return
    change = second["tier"].pop("change")
    earned = change.pop("earned")
    assert change == {"from": None, "to": "silver", "kind": "upgrade", "grants": [], "payables": []}
    assert [one["points"] for one in earned] == [500]
    assert second["tier"] == world.tier()
    assert second["tier"]["key"] == "silver"
    assert second["tier"]["progress"][0]["value"] == 120
    assert world.balance() == 620
    # Told again, and read: without the change.
    assert told(world, "V-2")["tier"] == second["tier"]
    assert world.get("/activities/V-2")["tier"] == second["tier"]
    gone = told(world, "V-1", status="withdrawn")
    assert gone["tier"]["change"].items() >= {"from": "silver", "to": None}.items()
    assert reversed_points(gone) == 560
    sound(world)


def test_the_tier_of_an_answer_is_the_one_it_leaves_with_adjustments_too(make_world: Make) -> None:
    tiers = {"basis": {"metric": "points"}, "levels": [{"key": "silver", "enter_at": 1000}]}
    world = _world(make_world, _on("visit", bonus(60) | {"counts_for_tier": True}), tiers=tiers)
    adjusted = {"member_ref": "mina", "reason": "gift", "counts_for_tier": True}
    world.post("/adjustments", adjusted | {"points": 30}, status=201)
    answer = told(world, "V-1")
    assert answer["tier"]["progress"][0]["value"] == 90
    assert answer["tier"] == world.tier()
    moved = told(world, "V-1", kind="look")
    assert moved["tier"]["progress"][0]["value"] == 30
    assert moved["tier"] == world.tier()
