"""Orders told at the same moment: every effect once, sums exact, no lost race shown."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

from tests.concurrency.parallel import assert_sound, at_once, chain, entries, put, statuses
from tests.world import World, line, order, per_euro, points, rule

FIRST = rule(
    "first",
    {"do": "add_points", "points": 1000},
    when={"fact": "order.is_first", "op": "=", "value": True},
)


def test_32_orders_of_one_member_at_once_add_up_exactly(world: World) -> None:
    works = [put(world, f"/orders/A-{n}", order(100 * n)) for n in range(1, 33)]
    responses = at_once(works)
    assert statuses(responses) == {201: 32}
    # 1 + 2 + … + 32 points.
    assert world.balance() == 528
    links = chain(world, "mina")
    assert (len(links), links[-1]) == (32, (32, 528))
    assert_sound(world)


def test_the_same_order_told_32_times_at_once_has_one_effect(world: World) -> None:
    responses = at_once([put(world, "/orders/A-1", order(1999))] * 32)
    assert statuses(responses) == {201: 1, 200: 31}
    assert {points(response.json) for response in responses} == {19}
    assert len({response.json["decision_id"] for response in responses}) == 1
    assert world.balance() == 19
    assert len(entries(world, "mina")) == 1
    assert_sound(world)


def test_a_paid_and_a_cancelled_revision_at_once_end_cancelled(world: World) -> None:
    works = []
    for number in range(8):
        for revision, status in ((1, "paid"), (2, "fulfilled"), (3, "cancelled")):
            body = order(5000, status=status, revision=revision)
            works.append(put(world, f"/orders/A-{number}", body))
    at_once(works)
    for number in range(8):
        assert world.get(f"/orders/A-{number}")["order"]["status"] == "cancelled"
    assert world.balance() == 0
    assert_sound(world)


def test_32_threads_with_16_orders_each_told_twice_in_another_order(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    refs = [f"m{number}" for number in range(8)]
    for ref in refs:
        world.member(ref)

    def tell(thread: int, number: int) -> int:
        body = order(100 * (number + 1), member_ref=refs[number % 8])
        return int(put(world, f"/orders/A-{thread}-{number}", body)().status_code)

    def work(thread: int) -> list[int]:
        # Its own orders, while the thread before it tells them too, from the last to the first.
        other = (thread + 1) % 32
        mixed = zip(range(16), reversed(range(16)), strict=True)
        return [
            status for own, theirs in mixed for status in (tell(thread, own), tell(other, theirs))
        ]

    works = [functools.partial(work, thread) for thread in range(32)]
    told = list(itertools.chain(*at_once(works)))
    assert (told.count(201), told.count(200)) == (512, 512)
    # Of each thread, orders n and n + 8 are of member n: n + 1 and n + 9 points.
    assert [world.balance(ref) for ref in refs] == [32 * (2 * n + 10) for n in range(8)]
    for ref in refs:
        assert len(chain(world, ref)) == 64
    assert_sound(world)


def test_an_order_sent_back_and_forth_between_members_conserves_points(world: World) -> None:
    world.order("M-1", 7000)

    def move(ref: str) -> Callable[[], Any]:
        def work() -> None:
            for _ in range(8):
                put(world, "/orders/M-1", order(7000, member_ref=ref))()

        return work

    def pay(ref: str, thread: int) -> Callable[[], Any]:
        def work() -> None:
            for number in range(4):
                put(world, f"/orders/{ref}-{thread}-{number}", order(300, member_ref=ref))()

        return work

    payers = [pay(ref, thread) for ref in ("mina", "jun") for thread in range(4)]
    at_once([move("mina"), move("jun"), *payers])
    owner = world.get("/orders/M-1")["order"]["member_ref"]
    other = {"mina": "jun", "jun": "mina"}[owner]
    # Four payers of four orders of 3.00 each.
    assert (world.balance(owner), world.balance(other)) == (48 + 70, 48)
    for ref in ("mina", "jun"):
        chain(world, ref)
    assert_sound(world)


def test_two_orders_swapped_between_two_members_never_deadlock(world: World) -> None:
    world.order("M-1", 7000)
    world.order("M-2", 9000, member_ref="jun")
    works = []
    for number in range(16):
        ref, other = ("mina", "jun") if number % 2 else ("jun", "mina")
        works.append(put(world, "/orders/M-1", order(7000, member_ref=ref)))
        works.append(put(world, "/orders/M-2", order(9000, member_ref=other)))
    at_once(works)
    expected = {"mina": 0, "jun": 0}
    for ref, worth in (("M-1", 70), ("M-2", 90)):
        expected[world.get(f"/orders/{ref}")["order"]["member_ref"]] += worth
    assert {ref: world.balance(ref) for ref in expected} == expected
    assert_sound(world)


def test_of_16_first_orders_at_once_exactly_one_is_the_first(
    make_world: Callable[..., World],
) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro()), FIRST]})
    world.member("mina")
    responses = at_once([put(world, f"/orders/A-{n}", order(1000)) for n in range(16)])
    assert sorted(points(response.json) for response in responses) == [10] * 15 + [1010]
    assert world.balance() == 1000 + 16 * 10
    assert_sound(world)


def test_a_first_order_given_up_while_others_are_paid_pays_the_bonus_once_at_a_time(
    make_world: Callable[..., World],
) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro()), FIRST]})
    world.member("mina")
    world.order("A-0", 1000)
    works = [put(world, "/orders/A-0", order(1000, status="cancelled"))]
    works += [put(world, f"/orders/A-{n}", order(1000)) for n in range(1, 16)]
    at_once(works)
    holders = [n for n in range(16) if points(world.get(f"/orders/A-{n}")) >= 1000]
    # Whoever came after the cancellation may have taken it; nobody is decided again.
    assert len(holders) <= 1
    assert world.balance() == 15 * 10 + 1000 * len(holders)
    assert_sound(world)


def test_tiers_reached_by_orders_at_once_are_those_of_their_sum(
    make_world: Callable[..., World],
) -> None:
    levels = [
        {"key": "silver", "enter_at": 5_000, "multiplier_bp": 20_000},
        {"key": "gold", "enter_at": 16_000},
    ]
    world = make_world(tiers={"levels": levels})
    world.member("mina")
    responses = at_once([put(world, f"/orders/A-{n}", order(1000)) for n in range(16)])
    # Whichever came first: five orders before 50.00 had been spent, eleven at silver's double; the
    # sixteenth makes gold but counts by the tier before it.
    earned = sorted(points(response.json) for response in responses)
    assert earned == [10] * 5 + [20] * 11
    changes = [response.json["tier"].get("change") for response in responses]
    assert sorted(one["to"] for one in changes if one) == ["gold", "silver"]
    assert world.get("/members/mina")["tier"]["key"] == "gold"
    assert_sound(world)


def test_batches_and_single_orders_mixed_have_each_effect_once(world: World) -> None:
    bodies = {
        f"A-{number}": order(
            line("1", 100 * (number + 1)), member_ref="mina" if number % 2 else "jun"
        )
        for number in range(24)
    }

    def batch(refs: list[str]) -> Callable[[], Any]:
        def work() -> list[int]:
            sent = [bodies[ref] | {"order_ref": ref} for ref in refs]
            results = world.post("/orders/batch", {"orders": sent})["results"]
            assert [one["order_ref"] for one in results] == refs
            return [one["status"] for one in results]

        return work

    def single(ref: str) -> Callable[[], Any]:
        return lambda: [put(world, f"/orders/{ref}", bodies[ref])().status_code]

    refs = list(bodies)
    batches = [refs, refs[::-1], refs[::2], refs[1::2], refs[12:] + refs[:12], refs[6:18]]
    works = [batch(some) for some in batches] + [single(ref) for ref in refs]
    told = list(itertools.chain(*at_once(works)))
    assert set(told) == {200, 201}
    assert told.count(201) == 24
    # jun: 1 + 3 + … + 23; mina: 2 + 4 + … + 24.
    assert (world.balance("jun"), world.balance("mina")) == (144, 156)
    for ref in ("mina", "jun"):
        assert len(chain(world, ref)) == 12
    assert_sound(world)
