"""Stamp cards when two members turn out to be one, and when what they were told changes hands."""

from collections.abc import Callable
from typing import Any

from tests.scenarios.stamping import bonus, buy, coffee, program, shown, sound, stamps, state
from tests.world import World, rule

Make = Callable[..., World]


def _merge(world: World) -> Any:
    return world.post("/members/jun/merge", {"into_member_ref": "mina"})


def _with_jun(make_world: Make, *cards: Any, **more: Any) -> World:
    world = program(make_world, *cards, **more)
    world.member("jun")
    return world


def test_an_order_that_passed_between_two_members_is_merged_once(make_world: Make) -> None:
    world = _with_jun(make_world, coffee())
    # A-1 ends with Mina, J-1 with Jun, A-2 is Mina's again.
    world.order("A-1", 1000, member_ref="jun")
    world.order("A-1", 1000)
    world.order("J-1", 1000)
    world.order("J-1", 1000, member_ref="jun")
    world.order("A-2", 1000)
    world.order("A-2", 1000, member_ref="jun", status="cancelled")
    assert (state(world), state(world, ref="jun")) == ((0, 1), (0, 1))
    _merge(world)
    assert state(world) == (0, 2)
    sound(world)
    world.order("J-1", 1000, status="cancelled")
    world.order("A-2", 1000)
    assert state(world) == (0, 2)
    world.order("A-3", 1000)
    assert state(world) == (1, 0)
    sound(world)


def test_a_merge_completes_what_both_fill_together_once(make_world: Make) -> None:
    world = _with_jun(make_world, coffee())
    for ref in ("A-1", "A-2"):
        buy(world, ref, "2026-02-01")
    buy(world, "J-1", "2026-02-02", member_ref="jun")
    _merge(world)
    assert (state(world), world.balance()) == ((1, 0), 50)
    [entry] = world.entries()
    # It was nobody's full card before.
    assert entry["effective_at"] == "2026-03-01T12:00:00Z"
    _merge(world)
    assert (state(world), world.balance()) == ((1, 0), 50)
    sound(world)
    world.order("J-1", 1000, placed_at="2026-02-02T12:00:00Z", status="cancelled")
    assert (state(world), world.balance()) == ((0, 2), 0)
    buy(world, "J-2", "2026-02-03", member_ref="jun")
    assert (state(world), world.balance()) == ((1, 0), 50)
    sound(world)


def test_a_merge_never_takes_a_completion_back(make_world: Make) -> None:
    # A card that cannot be completed twice was, by two.
    world = _with_jun(make_world, coffee(repeats=False))
    for who, refs in (("mina", "ABC"), ("jun", "DEF")):
        for ref in refs:
            world.order(ref, 1000, member_ref=who)
    assert (world.balance(), world.balance("jun")) == (50, 50)
    _merge(world)
    assert (shown(world)["completed_count"], world.balance()) == (2, 100)
    sound(world)


def test_a_paused_card_is_not_completed_by_a_merge(make_world: Make) -> None:
    world = _with_jun(make_world, coffee())
    buy(world, "A-1", "2026-02-01")
    buy(world, "A-2", "2026-02-01")
    buy(world, "J-1", "2026-02-01", member_ref="jun")
    switch = {"section": "cards", "key": "coffee", "state": "paused", "reason": "no beans"}
    world.post("/switches", switch)
    _merge(world)
    assert (state(world), world.balance()) == ((0, 2), 0)
    sound(world)


def test_a_card_that_became_smaller_is_one_stamp_from_full(make_world: Make) -> None:
    world = _with_jun(make_world, coffee(stamps=5))
    for number in range(4):
        world.order(f"A-{number}", 1000)
    rules = {"rules": [rule("stamp", stamps())]}
    world.publish(cards=[coffee(stamps=3)], earning=rules)
    card = shown(world)
    assert (card["stamps"], card["required"], card["state"]) == (2, 3, "open")
    world.order("A-4", 1000)
    # 5 = 3 + 2.
    assert (state(world), world.balance()) == ((1, 2), 50)
    sound(world)


def test_a_completion_that_a_refund_takes_is_gone_since_the_refund(make_world: Make) -> None:
    world = program(make_world, coffee(effects=[bonus(50)]))
    for number in (1, 2, 3):
        buy(world, f"A-{number}", f"2026-02-0{number}")
    refund = {"refunded_at": "2026-02-10T12:00:00Z", "amount_minor": 1000}
    world.put("/orders/A-2/refunds/R-1", refund)
    told = [(one["kind"], one["effective_at"]) for one in world.entries()]
    assert told == [("earn", "2026-02-03T12:00:00Z"), ("claw_back", "2026-02-10T12:00:00Z")]
    sound(world)


def test_a_completion_is_never_taken_back_before_it_was_there(make_world: Make) -> None:
    world = program(make_world, coffee())
    buy(world, "A-1", "2026-02-01")
    refund = {"refunded_at": "2026-02-02T12:00:00Z", "amount_minor": 1000}
    buy(world, "A-2", "2026-02-03")
    buy(world, "A-3", "2026-02-05")
    world.put("/orders/A-1/refunds/R-1", refund)
    told = [(one["kind"], one["effective_at"]) for one in world.entries()]
    assert told == [("earn", "2026-02-05T12:00:00Z"), ("claw_back", "2026-02-05T12:00:00Z")]
    sound(world)


def test_a_merge_of_somebody_whose_activities_counted_is_sound(make_world: Make) -> None:
    visit = {
        "key": "visit",
        "trigger": "activity:visit",
        "effect": {"do": "add_points", "points": 10, "counts_for_tier": True},
    }
    tiers = {"basis": {"metric": "points"}, "levels": [{"key": "gold", "enter_at": 100}]}
    world = make_world(earning={"rules": [visit]}, tiers=tiers)
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    world.member("jun")
    body = {"member_ref": "jun", "kind": "visit", "occurred_at": "2026-03-02T10:00:00Z"}
    world.put("/activities/a", body)
    world.post("/adjustments", {"member_ref": "jun", "points": 5, "reason": "x"}, status=201)
    _merge(world)
    assert world.balance() == 15
    sound(world)


def test_a_birthday_that_a_merge_meets_is_handed_over(make_world: Make) -> None:
    effects = [
        {
            "key": "cake",
            "trigger": "birthday",
            "effect": stamps(),
            "limits": [{"per": "member", "period": "ever", "times": 9}],
        },
        {"key": "gift", "trigger": "birthday", "effect": bonus(7)},
    ]
    world = make_world(cards=[coffee()], earning={"rules": effects})
    world.set_clock("2026-01-05T10:00:00Z")
    world.member("mina")
    world.member("jun", birthday_on="1990-03-01", joined_at="2026-01-01T00:00:00Z")
    # No worker was here since.
    world.set_clock("2026-03-02T10:00:00Z")
    _merge(world)
    assert (state(world), world.balance()) == ((0, 1), 7)
    sound(world)
