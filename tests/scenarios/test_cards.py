"""Stamp cards over HTTP (SEMANTICS D33): filling, repeating, expiring, taking back."""

from typing import Any

import pytest

from tests.scenarios.stamping import Make, bonus, buy, coffee, program, shown, sound, stamps, state
from tests.world import line, order, per_euro, points, reversed_points, rule


def test_the_tenth_stamp_completes_the_card_and_pays_once(make_world: Make) -> None:
    world = program(make_world, coffee(stamps=10, effects=[bonus(500)]))
    for number in range(1, 10):
        # Two lines, one stamp: orders are stamped, not lines.
        told = world.order(f"A-{number}", 1000, 2000)
        assert [(one["stamps"], one["completed_count"]) for one in told["cards"]] == [(number, 0)]
    assert world.balance() == 0
    told = world.order("A-10", 1000, 2000)
    assert [(one["stamps"], one["completed_count"]) for one in told["cards"]] == [(0, 1)]
    assert world.balance() == 500
    # Told again nothing moves; the new card opens with the next order.
    world.order("A-10", 1000, 2000)
    world.order("A-11", 1000)
    assert state(world) == (1, 1)
    assert world.balance() == 500
    # One goes back: ten are left, and the card is still complete.
    world.order("A-3", 1000, 2000, status="cancelled")
    assert state(world) == (1, 0)
    assert world.balance() == 500
    # And another: 9 stamps, so the completion goes with what it paid.
    told = world.order("A-11", line("1", 1000, refunded_quantity=1))
    assert [(one["stamps"], one["completed_count"]) for one in told["cards"]] == [(9, 0)]
    assert reversed_points(told) == 500
    assert world.balance() == 0
    # Paid after all: it stands again and its points come back to their own lot.
    world.order("A-3", 1000, 2000)
    assert state(world) == (1, 0)
    assert world.balance() == 500
    assert [one["kind"] for one in world.entries()] == ["earn", "claw_back", "restore"]
    assert len({one["source"]["ref"] for one in world.entries()}) == 1
    sound(world)


def test_refunds_of_lines_follow_on_refund(make_world: Make) -> None:
    enough = {"fact": "order.net_minor", "op": ">=", "value": 5000}
    rules = [
        rule("recheck", stamps("coffee"), when=enough),
        rule("keep", stamps("tea"), when=enough, on_refund="keep"),
    ]
    world = program(make_world, coffee(), coffee(key="tea"), rules=rules)
    world.order("A-1", 6000)
    assert (state(world, "coffee"), state(world, "tea")) == ((0, 1), (0, 1))
    world.order("A-1", line("1", 6000, refunded_minor=2000))
    assert (state(world, "coffee"), state(world, "tea")) == ((0, 0), (0, 1))
    world.order("A-1", line("1", 6000, refunded_minor=6000))
    assert (state(world, "coffee"), state(world, "tea")) == ((0, 0), (0, 0))
    sound(world)


def test_stamps_beyond_a_full_card_open_the_next(make_world: Make) -> None:
    world = program(make_world, coffee(), rules=[rule("stamp", stamps(count=8))])
    world.order("A-1", 1000)
    # 8 = 3 + 3 + 2.
    assert state(world) == (2, 2)
    assert world.balance() == 100
    world.order("A-2", 1000)
    # 16 = 5 × 3 + 1.
    assert state(world) == (5, 1)
    assert world.balance() == 250
    world.order("A-1", 1000, status="cancelled")
    assert state(world) == (2, 2)
    assert world.balance() == 100
    sound(world)


def test_a_card_that_does_not_repeat_is_completed_once(make_world: Make) -> None:
    world = program(make_world, coffee(repeats=False))
    for number in range(1, 8):
        world.order(f"A-{number}", 1000)
    card = shown(world)
    assert (card["state"], card["completed_count"]) == ("completed", 1)
    assert (card["stamps"], card["required"], card["expires_at"]) == (3, 3, None)
    assert world.balance() == 50
    # Of seven stamps three are needed: the fifth that goes back uncompletes it.
    for number, balance in ((1, 50), (4, 50), (2, 50), (7, 50), (5, 0)):
        world.order(f"A-{number}", 1000, status="cancelled")
        assert world.balance() == balance
    assert shown(world)["state"] == "open"
    assert state(world) == (0, 2)
    sound(world)


def test_an_unfinished_card_expires_at_the_midnight_that_ends_its_last_day(
    make_world: Make,
) -> None:
    world = program(make_world, coffee(expires_after="P1M"))
    world.set_clock("2026-01-31T12:00:00Z")
    buy(world, "A-1", "2026-01-31")
    world.set_clock("2026-02-10T12:00:00Z")
    buy(world, "A-2", "2026-02-10")
    # Seoul, 31 January + 1 month: valid through 28 February, which ends at 15:00Z.
    card = shown(world)
    assert card["first_stamp_at"] == "2026-01-31T12:00:00Z"
    assert card["expires_at"] == "2026-02-28T15:00:00Z"
    world.set_clock("2026-02-28T14:59:59Z")
    assert state(world) == (0, 2)
    # No worker was here.
    world.set_clock("2026-02-28T15:00:00Z")
    assert state(world) == (0, 0)
    assert shown(world)["first_stamp_at"] is None
    told = world.order("A-3", 1000, placed_at="2026-02-28T15:00:00Z")
    assert told["cards"][0]["stamps"] == 1
    # One placed in time but told late fills the old card.
    world.order("A-4", 1000, placed_at="2026-02-28T14:59:59Z")
    assert state(world) == (1, 1)
    assert world.balance() == 50
    sound(world)


def test_three_orders_in_four_weeks_is_a_window_that_slides(make_world: Make) -> None:
    streak = coffee(expires_after="P4W", expires="stamp")
    world = program(make_world, streak, timezone="Europe/Berlin")
    for ref, day in (("A-1", "2026-01-05"), ("A-2", "2026-01-20")):
        world.set_clock(f"{day}T13:00:00Z")
        buy(world, ref, day)
    # The first is valid through 2 February, which ends in Berlin at 23:00Z.
    assert shown(world)["expires_at"] == "2026-02-02T23:00:00Z"
    world.set_clock("2026-02-02T23:00:00Z")
    assert state(world) == (0, 1)
    assert shown(world)["first_stamp_at"] == "2026-01-20T12:00:00Z"
    for ref, day in (("A-3", "2026-02-05"), ("A-4", "2026-02-17")):
        world.set_clock(f"{day}T13:00:00Z")
        buy(world, ref, day)
    # 20 January, 5 and 17 February: within four weeks.
    assert state(world) == (1, 0)
    assert world.balance() == 50
    # The one in the middle goes back, and two are left, of which the older one is too old.
    world.set_clock("2026-02-18T13:00:00Z")
    world.order("A-3", 1000, placed_at="2026-02-05T12:00:00Z", status="cancelled")
    assert state(world) == (0, 1)
    assert world.balance() == 0
    sound(world)


def test_one_order_stamps_two_cards_and_a_quote_shows_both(make_world: Make) -> None:
    tea = coffee(key="tea", stamps=2, effects=[bonus(7), bonus(5)])
    rules = [
        rule("coffee-rule", stamps("coffee")),
        rule("tea-rule", stamps("tea")),
        rule("base", per_euro()),
    ]
    world = program(make_world, coffee(), tea, rules=rules)
    world.order("A-1", 1000)
    quoted = world.quote(1000)
    assert [(one["key"], one["stamps"], one["completed_count"]) for one in quoted["cards"]] == [
        ("coffee", 2, 0),
        ("tea", 0, 1),
    ]
    # Nothing came of the quote.
    assert (state(world, "coffee"), state(world, "tea")) == ((0, 1), (0, 1))
    told = world.order("A-2", 1000)
    # Told, it says beside what completing a card brought.
    completed = {card["key"]: card.pop("completed", []) for card in told["cards"]}
    assert told["cards"] == quoted["cards"]
    assert {key: [points(one) for one in cards] for key, cards in completed.items()} == {
        "coffee": [],
        "tea": [12],
    }
    assert world.balance() == 10 + 10 + 7 + 5
    assert [one["points"] for one in told["earned"]] == [10]
    sound(world)


def test_moved_in_orders_and_those_who_are_not_enrolled_get_no_stamps(make_world: Make) -> None:
    world = program(make_world, coffee())
    world.order("H-1", 1000, is_history=True)
    assert state(world) == (0, 0)
    world.member("jun", is_enrolled=False)
    world.order("J-1", 1000, member_ref="jun")
    assert state(world, ref="jun") == (0, 0)
    sound(world)


def test_an_order_that_changes_hands_takes_its_stamp_along(make_world: Make) -> None:
    world = program(make_world, coffee())
    world.member("jun")
    for number in range(1, 4):
        world.order(f"A-{number}", 1000)
    world.order("J-1", 1000, member_ref="jun")
    assert (state(world), state(world, ref="jun")) == ((1, 0), (0, 1))
    world.order("A-3", 1000, member_ref="jun")
    assert (state(world), state(world, ref="jun")) == ((0, 2), (0, 2))
    assert (world.balance(), world.balance("jun")) == (0, 0)
    world.order("A-2", 1000, member_ref="jun")
    assert (state(world), state(world, ref="jun")) == ((0, 1), (1, 0))
    assert (world.balance(), world.balance("jun")) == (0, 50)
    sound(world)


def test_a_batch_is_as_if_told_one_by_one(make_world: Make) -> None:
    world = program(make_world, coffee())
    world.order("A-0", 1000)
    bodies = [order(1000) | {"order_ref": f"A-{number}"} for number in range(1, 6)]
    results = world.post("/orders/batch", {"orders": bodies})["results"]
    counts = [(one["cards"][0]["completed_count"], one["cards"][0]["stamps"]) for one in results]
    assert counts == [(0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert world.balance() == 100
    # Cancelled and paid again within one unit.
    bodies = [
        order(1000, status="cancelled") | {"order_ref": "A-1"},
        order(1000) | {"order_ref": "A-6"},
        order(1000, status="cancelled") | {"order_ref": "A-7"},
    ]
    results = world.post("/orders/batch", {"orders": bodies})["results"]
    counts = [(one["cards"][0]["completed_count"], one["cards"][0]["stamps"]) for one in results]
    assert counts == [(1, 2), (2, 0), (2, 0)]
    assert world.balance() == 100
    sound(world)


def test_signing_up_stamps_too(make_world: Make) -> None:
    rules = [rule("hello", stamps(count=2), trigger="signup"), rule("stamp", stamps())]
    world = program(make_world, coffee(), rules=rules)
    assert state(world) == (0, 2)
    world.order("A-1", 1000)
    assert state(world) == (1, 0)
    assert world.balance() == 50
    sound(world)


def test_merging_joins_stamps_and_pays_what_both_fill_and_nothing_again(make_world: Make) -> None:
    world = program(make_world, coffee())
    world.member("jun")
    for number in range(1, 6):
        world.order(f"A-{number}", 1000)
    for number in range(1, 6):
        world.order(f"J-{number}", 1000, member_ref="jun")
    # 5 = 3 + 2 each: 10 stamps are three completions and one more, two of which were paid.
    world.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert state(world) == (3, 1)
    assert world.balance() == 150
    world.order("A-6", 1000)
    assert state(world) == (3, 2)
    assert world.balance() == 150
    for number, count, balance in ((1, 3, 150), (2, 3, 150), (3, 2, 100)):
        world.order(f"J-{number}", 1000, status="cancelled")
        assert (state(world)[0], world.balance()) == (count, balance)
    sound(world)


@pytest.mark.parametrize(
    "turns",
    [
        "012345601234",
        "654321065432",
        "031425603142",
        "001122334455",
        "632104512036",
        "552015203461",
    ],
)
def test_stamps_go_and_come_in_any_order_and_completions_last_in_first_out(
    make_world: Make, turns: str
) -> None:
    world = program(make_world, coffee(stamps=2))
    refs = [f"A-{number}" for number in range(7)]
    paid: set[str] = set()
    for ref in refs:
        world.order(ref, 1000)
        paid.add(ref)
    for turn in turns:
        ref = f"A-{turn}"
        told = world.order(ref, 1000, status="cancelled" if ref in paid else "paid")
        paid ^= {ref}
        card = told["cards"][0]
        assert (card["completed_count"], card["stamps"]) == divmod(len(paid), 2)
        assert world.balance() == 50 * (len(paid) // 2)
    # Three lots were made, one for each completion, whatever came and went.
    lots = world.get("/members/mina/lots")["data"]
    assert len(lots) == 3
    open_lots = sorted(lot["id"] for lot in lots if lot["remaining"])
    assert open_lots == sorted(lot["id"] for lot in lots)[: len(paid) // 2]
    sound(world)


def test_visits_stamp_and_one_that_is_withdrawn_stamps_no_more(make_world: Make) -> None:
    rules = [rule("visit", stamps(), trigger="activity:visit"), rule("stamp", stamps())]
    world = program(make_world, coffee(), rules=rules)

    def visit(ref: str, **more: Any) -> Any:
        body = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T11:00:00Z"}
        return world.put(f"/activities/{ref}", body | more)

    visit("V-1")
    world.order("A-1", 1000)
    told = visit("V-2")
    assert [(one["stamps"], one["completed_count"]) for one in told["cards"]] == [(0, 1)]
    assert world.balance() == 50
    told = visit("V-1", status="withdrawn")
    assert [(one["stamps"], one["completed_count"]) for one in told["cards"]] == [(2, 0)]
    assert reversed_points(told) == 50
    visit("V-1")
    assert state(world) == (1, 0)
    assert world.balance() == 50
    sound(world)


def test_a_limit_of_one_stamp_a_day(make_world: Make) -> None:
    daily = {"per": "member", "period": "day", "times": 1}
    world = program(make_world, coffee(), rules=[rule("stamp", stamps(), limits=[daily])])
    buy(world, "A-1", "2026-02-27")
    buy(world, "A-2", "2026-02-27")
    assert state(world) == (0, 1)
    buy(world, "A-3", "2026-02-28")
    assert state(world) == (0, 2)
    # What the first gives back goes to nobody but who comes next.
    buy(world, "A-1", "2026-02-27", status="cancelled")
    assert state(world) == (0, 1)
    buy(world, "A-4", "2026-02-27")
    assert state(world) == (0, 2)
    sound(world)
