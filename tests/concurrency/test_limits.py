"""Limits that everybody shares, claimed at the same moment: never more than there is, and all."""

from collections.abc import Callable
from typing import Any

from tests.concurrency.parallel import assert_sound, at_once, put
from tests.world import World, order, points, rule

Make = Callable[..., World]
MEMBERS = [f"m{number}" for number in range(16)]
SEVEN = {"do": "add_points", "points": 7}


def shared_world(make_world: Make, total: int, **more: Any) -> World:
    """7 points an order, `total` of them for the whole program, and 16 members."""
    limits = [{"per": "program", "period": "ever", "points": total}]
    world = make_world(earning={"rules": [rule("gift", SEVEN, limits=limits, **more)]})
    world.set_clock("2026-06-01T00:00:00Z")
    for ref in MEMBERS:
        world.member(ref)
    return world


def batch(world: World, ref: str, number: int, size: int, **more: Any) -> list[Any]:
    """A batch of orders of one member; the result of each."""
    bodies = [
        order(100, member_ref=ref, **more) | {"order_ref": f"{ref}-{number}-{index}"}
        for index in range(size)
    ]
    found = world.post("/orders/batch", {"orders": bodies}, key=f"{ref}-{number}-{more}")
    results: list[Any] = found["results"]
    return results


def total_of(world: World) -> int:
    return sum(world.balance(ref) for ref in MEMBERS)


def test_16_writers_end_at_exactly_10_000_with_the_last_award_partial(make_world: Make) -> None:
    world = shared_world(make_world, 10_000)
    # 16 × 84 = 1,344 in batches, which leave 592 points: 84 awards of 7 and one of 4. Then one by
    # one: 16 × 6 = 96 orders.
    given: list[int] = []

    def work(ref: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(4):
                given.extend(points(one) for one in batch(world, ref, number, 21))
            for number in range(6):
                answer = put(world, f"/orders/{ref}-{number}", order(100, member_ref=ref))()
                given.append(points(answer.json))

        return run

    at_once([work(ref) for ref in MEMBERS])
    assert total_of(world) == 10_000
    assert len(given) == 16 * 90
    # 1,428 × 7 = 9,996: one award of the 4 that are left, and nothing for the 11 others.
    assert sorted(given) == [0] * 11 + [4] + [7] * 1428
    assert_sound(world)


def test_refunds_in_between_give_back_what_others_take(make_world: Make) -> None:
    world = shared_world(make_world, 300)

    def work(ref: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(6):
                path = f"/orders/{ref}-{number}"
                put(world, path, order(100, member_ref=ref))()
                if number % 3 != 2:
                    put(world, path, order(100, member_ref=ref, status="cancelled"))()

        return run

    at_once([work(ref) for ref in MEMBERS])
    # Of 96 orders 32 stand, at most 7 each: never more than they want, never more than there is.
    assert total_of(world) <= 224
    assert_sound(world)
    for number in range(20):
        world.order(f"last-{number}", 100, member_ref=MEMBERS[0])
    # Whatever was given back in between has not been lost.
    assert total_of(world) == 300
    assert_sound(world)


def test_the_last_times_of_a_limit_go_to_exactly_so_many(make_world: Make) -> None:
    limits = [
        {"per": "program", "period": "day", "times": 5},
        {"per": "program", "period": "month", "points": 40},
    ]
    world = make_world(earning={"rules": [rule("gift", SEVEN, limits=limits)]})
    world.set_clock("2026-06-01T00:00:00Z")
    for ref in MEMBERS:
        world.member(ref)
    works = [put(world, f"/orders/{ref}", order(100, member_ref=ref)) for ref in MEMBERS]
    given = sorted(points(one.json) for one in at_once(works))
    assert given == [0] * 11 + [7] * 5
    # Another day of the month: 5 points are left.
    body = order(100, placed_at="2026-03-02T10:00:00Z")
    works = [put(world, f"/orders/next-{ref}", body | {"member_ref": ref}) for ref in MEMBERS]
    assert sorted(points(one.json) for one in at_once(works)) == [0] * 15 + [5]
    assert_sound(world)


def test_orders_of_one_member_at_once_never_pass_their_limit(make_world: Make) -> None:
    limits = [{"per": "member", "period": "day", "points": 100}]
    world = make_world(earning={"rules": [rule("gift", SEVEN, limits=limits)]})
    world.member("mina")
    responses = at_once([put(world, f"/orders/A-{number}", order(100)) for number in range(16)])
    assert sorted(points(one.json) for one in responses) == [0, 2] + [7] * 14
    assert world.balance() == 100
    assert_sound(world)
