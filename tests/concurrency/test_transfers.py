"""Members who give points to each other at once: no deadlock is anybody's business, and the sum
is what it was."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from core import ids
from storefront import due
from tests.concurrency.parallel import assert_sound, at_once, chain, put, statuses
from tests.world import World, order

THREADS = 16
EACH = 6
NOW = "2027-03-01T03:00:00Z"


@pytest.fixture
def pair(make_world: Callable[..., World]) -> World:
    """Mina and Jun with 1,000 points each: half of them without a date."""
    world = make_world()
    world.set_clock(NOW)
    for ref in ("mina", "jun"):
        world.member(ref)
        for expires_at in ("2027-06-30T15:00:00Z", None):
            body = {"member_ref": ref, "points": 500, "reason": "start", "expires_at": expires_at}
            world.post("/adjustments", body, status=201)
    return world


def gift(world: World, source: str, target: str, points: int, *, key: str) -> Any:
    """The response to a transfer, whatever it is."""
    body = {"from_member_ref": source, "to_member_ref": target, "points": points}
    return world.call("POST", "/transfers", body, headers={"Idempotency-Key": key})


def dated(world: World, ref: str) -> int:
    [balance] = world.get(f"/members/{ref}/balances")["data"]
    return sum(one["points"] for one in balance["expiring"])


def test_opposite_transfers_in_16_threads_conserve_the_sum(pair: World) -> None:
    def give(number: int) -> list[Any]:
        source, target = ("mina", "jun") if number % 2 else ("jun", "mina")
        # Odd threads give 10 more often than even ones give 7: 8 × 6 × (10 - 7) = 144 to Jun.
        points = 10 if number % 2 else 7
        return [
            gift(pair, source, target, points, key=f"{number}-{count}") for count in range(EACH)
        ]

    answers = at_once([partial(give, number) for number in range(THREADS)])
    assert statuses([one for thread in answers for one in thread]) == {201: THREADS * EACH}
    assert (pair.balance("mina"), pair.balance("jun")) == (1000 - 144, 1000 + 144)
    # Two entries began each account; each transfer made one on either side, balance by balance.
    for ref in ("mina", "jun"):
        assert len(chain(pair, ref)) == 2 + THREADS * EACH
    # No point lost or found a date on its way.
    assert dated(pair, "mina") + dated(pair, "jun") == 1000
    assert_sound(pair)
    pair.set_clock("2027-07-01T00:00:00Z")
    assert pair.balance("mina") + pair.balance("jun") == 1000
    assert_sound(pair)


def test_more_than_there_is_goes_to_whoever_comes_first(pair: World) -> None:
    # 1,000 points, 16 gifts of 90: 11 are made (990), 5 are told that 10 are left.
    answers = at_once(
        [partial(gift, pair, "mina", "jun", 90, key=f"all-{number}") for number in range(THREADS)]
    )
    assert statuses(answers) == {201: 11, 409: 5}
    refused = [one.json for one in answers if one.status_code == 409]
    assert {(one["code"], one["available"]) for one in refused} == {("insufficient_points", 10)}
    assert (pair.balance("mina"), pair.balance("jun")) == (10, 1990)
    assert_sound(pair)


def test_one_transfer_sent_by_16_threads_is_made_once(pair: World) -> None:
    def send() -> Any:
        while True:
            response = gift(pair, "mina", "jun", 30, key="once")
            if response.status_code != 409:
                return response
            assert response.json["code"] == "idempotency_in_progress"

    answers = at_once([send] * THREADS)
    assert {one.get_data() for one in answers} == {answers[0].get_data()}
    assert statuses(answers) == {201: THREADS}
    assert (pair.balance("mina"), pair.balance("jun")) == (970, 1030)
    assert_sound(pair)


def test_a_ring_of_members_gives_while_orders_come_and_points_end(
    make_world: Callable[..., World],
) -> None:
    """Each of four gives to the next and to the one before, orders, and is settled meanwhile."""
    world = make_world(points=[{"key": "points", "expiry": {"policy": "after", "duration": "P1M"}}])
    world.set_clock(NOW)
    refs = [f"m{number}" for number in range(4)]
    for ref in refs:
        world.member(ref)
        world.order(f"first-{ref}", 20_000, member_ref=ref, placed_at=NOW)

    def circle(number: int) -> dict[int, int]:
        source = refs[number % 4]
        target = refs[(number + (1 if number < 8 else -1)) % 4]
        answers = []
        for count in range(4):
            answers.append(gift(world, source, target, 5, key=f"{number}-{count}"))
            body = order(300, member_ref=source, placed_at=NOW)
            answers.append(put(world, f"/orders/{number}-{count}", body)())
        return statuses(answers)

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None

    def settle() -> dict[int, int]:
        with world.app.app_context():
            return {0: sum(due.settle_due(program_id) for _ in range(8))}

    works: list[Callable[[], dict[int, int]]] = [settle, settle]
    works += [partial(circle, number) for number in range(THREADS)]
    answers = at_once(works)
    assert answers[2:] == [{201: 8}] * THREADS
    # Each gives 4 × 4 × 5 and receives as much; 4 threads each order 4 times for 3 points.
    assert [world.balance(ref) for ref in refs] == [200 + 48] * 4
    assert_sound(world)
    # Good through 1 April, Seoul, whoever has them by then.
    world.set_clock("2027-04-01T15:00:00Z")
    at_once([settle, settle])
    assert [world.balance(ref) for ref in refs] == [0] * 4
    expired = [one for ref in refs for one in world.entries(ref) if one["kind"] == "expire"]
    assert sum(one["points"] for one in expired) == 4 * 248
    assert {one["effective_at"] for one in expired} == {"2027-04-01T15:00:00Z"}
    assert_sound(world)
