"""An order's messages may come late, twice and in any order: the newest snapshot stands."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.world import World, line, order, per_euro, points, rule

Make = Callable[..., World]


def _snapshots() -> dict[int, dict[str, Any]]:
    """One order's life by revision: paid, 20.00 refunded, fulfilled, cancelled, paid again."""
    whole = (line("1", 6000), line("2", 4000))
    less = (line("1", 6000, refunded_minor=2000), line("2", 4000))
    return {
        1: order(*whole, revision=1),
        2: order(*less, revision=2),
        3: order(*less, revision=3, status="fulfilled"),
        4: order(*less, revision=4, status="cancelled"),
        5: order(*less, revision=5),
    }


#: By the newest revision: what stands of the 100.00 (a bonus of 50 from 90.00 on, 30 when first).
POINTS = {1: 100 + 50 + 30, 2: 80 + 30, 3: 80 + 30, 4: 0, 5: 80 + 30}
SPEND = {1: 10000, 2: 8000, 3: 8000, 4: 0, 5: 8000}


def _world(make_world: Make) -> World:
    enough = {"fact": "order.net_minor", "op": ">=", "value": 9000}
    first = {"fact": "order.is_first", "op": "=", "value": True}
    return make_world(
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("bonus", {"do": "add_points", "points": 50}, when=enough),
                rule("first", {"do": "add_points", "points": 30}, when=first),
            ]
        },
        tiers={"levels": [{"key": "silver", "enter_at": 8000}, {"key": "gold", "enter_at": 10000}]},
    )


def _arrivals() -> Iterator[tuple[int, ...]]:
    """Every permutation of the whole life, and of its beginnings."""
    for newest in range(2, 6):
        yield from itertools.permutations(range(1, newest + 1))


def _with_duplicates(arrival: tuple[int, ...], number: int) -> tuple[int, ...]:
    """The arrival with one message sent again at once and one at the end, each time others."""
    at = number % len(arrival)
    again = arrival[(number // 2) % len(arrival)]
    return (*arrival[: at + 1], *arrival[at:], again)


def _state(world: World, order_ref: str, member_ref: str) -> dict[str, Any]:
    answer = world.get(f"/orders/{order_ref}")
    shown = {
        name: answer["order"][name]
        for name in ("status", "revision", "net_minor", "refunded_minor", "spend_minor", "lines")
    }
    [balance] = world.get(f"/members/{member_ref}/balances")["data"]
    return shown | {
        "points": points(answer),
        "available": balance["available"],
        "lifetime_earned": balance["lifetime_earned"],
        "tier": answer["tier"]["key"],
        "progress": answer["tier"]["progress"],
    }


def test_every_permutation_with_duplicates_ends_in_the_newest_snapshot(make_world: Make) -> None:
    world = _world(make_world)
    snapshots = _snapshots()
    expected: dict[int, dict[str, Any]] = {}
    for number, arrival in enumerate(_arrivals()):
        ref, newest = f"m-{number}", max(arrival)
        world.member(ref)
        messages = [
            snapshots[revision] | {"member_ref": ref, "order_ref": f"A-{ref}"}
            for revision in _with_duplicates(arrival, number)
        ]
        world.post("/orders/batch", {"orders": messages})
        state = _state(world, f"A-{ref}", ref)
        assert state["points"] == state["available"] == POINTS[newest], arrival
        assert state["lifetime_earned"] == POINTS[newest], arrival
        assert (state["spend_minor"], state["revision"]) == (SPEND[newest], newest), arrival
        assert state["tier"] == {10000: "gold", 8000: "silver", 0: None}[SPEND[newest]], arrival
        assert expected.setdefault(newest, state) == state, arrival
    assert not world.verify()["mismatches"]


def test_a_stale_answer_says_how_the_order_stands(make_world: Make) -> None:
    world = _world(make_world)
    world.member()
    snapshots = _snapshots()
    world.put("/orders/A-1", snapshots[4])
    late = world.put("/orders/A-1", snapshots[1])
    assert late["stale"] is True
    assert (late["earned"], late["order"]["status"]) == ([], "cancelled")
    assert world.balance() == 0
    paid = world.put("/orders/A-1", snapshots[5])
    assert "stale" not in paid or paid["stale"] is False
    assert points(paid) == 110


def test_a_stale_snapshot_of_another_member_shows_the_order_as_it_is(make_world: Make) -> None:
    world = _world(make_world)
    world.member()
    world.member("jun")
    world.order("A-1", 10000, member_ref="jun", revision=2)
    late = world.order("A-1", 10000, member_ref="mina", revision=1)
    assert late["stale"] is True
    # Nothing changed: the order is Jun's still, and so are the points and the balances shown.
    assert late["order"]["member_ref"] == "jun"
    assert late["balances"][0]["available"] == 180
    assert (world.balance("mina"), world.balance("jun")) == (0, 180)


def test_without_revisions_the_last_to_arrive_stands(make_world: Make) -> None:
    world = _world(make_world)
    bodies = [
        {name: value for name, value in body.items() if name != "revision"}
        for body in _snapshots().values()
    ]
    for number, turn in enumerate(itertools.permutations(range(4))):
        ref = f"m-{number}"
        world.member(ref)
        for index in turn:
            world.put(f"/orders/A-{ref}", bodies[index] | {"member_ref": ref})
        assert world.balance(ref) == POINTS[turn[-1] + 1]


def test_many_orders_of_one_member_converge_to_the_sum_of_what_stands(make_world: Make) -> None:
    world = make_world()
    world.member()
    for step in range(3):
        for number in range(6):
            status = "cancelled" if (number + step) % 3 == 0 else "paid"
            world.order(f"A-{number}", 1000 + 150 * number, status=status)
    # In the last step 1 and 4 are cancelled: 10.00, 13.00, 14.50 → 14, 17.50 → 17.
    assert world.balance() == 10 + 13 + 14 + 17
    assert not world.verify()["mismatches"]


def test_a_stale_snapshot_enrols_nobody(make_world: Make) -> None:
    world = make_world(members={"auto_enrol": True})
    world.order("A-1", 1000, revision=2)
    late = world.order("A-1", 1000, member_ref="ghost", revision=1)
    assert late["stale"] is True
    assert world.call("GET", "/members/ghost").status_code == 404


def test_told_together_or_one_by_one_orders_earn_the_same(make_world: Make) -> None:
    first = {"fact": "order.is_first", "op": "=", "value": True}
    third = {"fact": "member.order_count", "op": ">=", "value": 2}
    rules = [
        rule("base", per_euro()),
        rule("first", {"do": "add_points", "points": 7}, when=first),
        rule("third", {"do": "add_points", "points": 3}, when=third),
    ]
    levels = [
        {"key": "silver", "enter_at": 5000, "multiplier_bp": 15000},
        {"key": "gold", "enter_at": 9000, "multiplier_bp": 20000},
    ]
    # (day, amount, points): the third of February comes before the first and the second.
    life = [
        (3, 2999, 36),  # 29.99 + 7
        (1, 3333, 33),
        (2, 4001, 51),  # 33.33 before: 16.67 + 23.34 × 1.5 = 51.68
        (5, 100, 5),  # 103.33 before, gold: 1 × 2 + 3
        (4, 777, 18),  # 7.77 × 2 + 3 = 18.54
        (6, 9999, 202),  # 99.99 × 2 + 3 = 202.98
    ]
    bodies = [
        order(minor, placed_at=f"2026-02-0{day}T10:00:00Z") | {"order_ref": f"A-{day}"}
        for day, minor, _ in life
    ]
    for is_batch in (False, True):
        world = make_world(
            earning={"tier_multiplier_at": "split", "rules": rules}, tiers={"levels": levels}
        )
        world.member()
        if is_batch:
            told = world.post("/orders/batch", {"orders": bodies})["results"]
        else:
            told = [world.post("/orders/batch", {"orders": [one]})["results"][0] for one in bodies]
        assert [points(one) for one in told] == [earned for _, _, earned in life]
        assert world.tier()["since"] == "2026-02-03T10:00:00Z"
        gone = bodies[0] | {"status": "cancelled"}
        world.post("/orders/batch", {"orders": [gone]})
        # Without the 29.99: 73.34, 81.11, 82.11 and gold with the last; nothing else changes.
        assert world.tier()["since"] == "2026-02-06T10:00:00Z"
        assert world.balance() == 309
        assert not world.verify()["mismatches"]
