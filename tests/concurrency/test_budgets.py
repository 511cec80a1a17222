"""Budgets of surprises, claimed at the same moment: never more than there is, and all that fits.

`BUDGET_TRIES` lengthens the lottery (100,000 in `make soak`).
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from core.db import db as store
from loyalty.limits.storing import LIMIT_COUNTERS
from rewards.surprises.carried import DRAWS
from tests.concurrency.parallel import assert_sound, at_once, put
from tests.surprises.test_budgets import budget_of
from tests.surprises.test_surprises import surprise, won
from tests.world import World, order

Make = Callable[..., World]
MEMBERS = [f"m{number}" for number in range(16)]
TRIES = int(os.environ.get("BUDGET_TRIES", "320"))
BATCH = 20


def lucky_world(make_world: Make, *surprises: dict[str, Any]) -> World:
    """A program without other points, and 16 members."""
    world = make_world(earning={"rules": []}, surprises=list(surprises))
    world.set_clock("2026-06-01T00:00:00Z")
    for ref in MEMBERS:
        world.member(ref)
    return world


def batch(world: World, ref: str, number: int, size: int) -> list[Any]:
    """A batch of orders of one member; the result of each."""
    bodies = [
        order(100, member_ref=ref) | {"order_ref": f"{ref}-{number}-{index}"}
        for index in range(size)
    ]
    found = world.post("/orders/batch", {"orders": bodies}, key=f"{ref}-{number}")
    results: list[Any] = found["results"]
    return results


def spent(world: World, key: str) -> tuple[int, int]:
    """How many receipts of a surprise stand, and what they cost."""
    statement = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(DRAWS.c.cost), 0)).where(
        DRAWS.c.program_id == ids.read_id("prg", world.program_id),
        DRAWS.c.surprise_key == key,
        DRAWS.c.stands,
    )
    with world.app.app_context():
        count, cost = db.reading(lambda connection: connection.execute(statement).one())
    return count, int(cost)


def total_of(world: World) -> int:
    return sum(world.balance(ref) for ref in MEMBERS)


def test_16_writers_spend_9_996_of_10_000_in_prizes_of_7(make_world: Make) -> None:
    world = lucky_world(make_world, surprise(budget={"unit": "points", "total": 10_000}))
    # 16 x 84 = 1,344 in batches, then 16 x 6 = 96 one by one: 12 more than the 1,428 that fit.
    given: list[int] = []

    def work(ref: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(4):
                given.extend(len(won(one)) for one in batch(world, ref, number, 21))
            for number in range(6):
                answer = put(world, f"/orders/{ref}-{number}", order(100, member_ref=ref))()
                given.append(len(won(answer.json)))

        return run

    at_once([work(ref) for ref in MEMBERS])
    assert sorted(given) == [0] * 12 + [1] * 1428
    assert spent(world, "luck") == (1428, 9_996)
    assert total_of(world) == 9_996
    shown = budget_of(world)
    assert (shown["used"], shown["left"], shown["is_exhausted"]) == (9_996, 4, True)
    assert_sound(world)


def test_budgets_hold_while_orders_fall_and_stand_again(make_world: Make) -> None:
    world = lucky_world(
        make_world,
        surprise("seven", budget={"unit": "points", "total": 200}),
        surprise(
            "five",
            budget={"unit": "points", "total": 10_000, "per_day": 88},
            prizes=[{"effects": [{"do": "add_points", "points": 5}]}],
        ),
    )

    def work(ref: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(4):
                path, body = f"/orders/{ref}-{number}", order(100, member_ref=ref)
                put(world, path, body)()
                if number % 2:
                    put(world, path, body | {"status": "cancelled"})()
                if number == 3:
                    put(world, path, body)()

        return run

    at_once([work(ref) for ref in MEMBERS])
    assert spent(world, "seven")[1] <= 196
    assert spent(world, "five")[1] <= 85
    assert_sound(world)
    for number in range(30):
        world.order(f"last-{number}", 100, member_ref=MEMBERS[number % 16])
    # Whatever was given back in between has not been lost: 28 x 7, and 17 x 5 of the day.
    assert spent(world, "seven") == (28, 196)
    assert spent(world, "five") == (17, 85)
    assert total_of(world) == 281
    # Another day has a budget of its own.
    day = {"placed_at": "2026-03-02T10:00:00Z", "member_ref": MEMBERS[0]}
    assert won(world.order("next", 100, **day)) == ["five"]
    assert_sound(world)


def test_a_lottery_never_wins_what_is_not_there(make_world: Make) -> None:
    # A try is expected to cost 0.5 x (3 x 1 + 2 x 7 + 15) / 6 = 2.67: more than there is.
    total = TRIES * 3 // 2
    prizes = [
        {"weight": weight, "effects": [{"do": "add_points", "points": points}]}
        for weight, points in ((3, 1), (2, 7), (1, 15))
    ]
    one = surprise(
        probability_ppm=500_000, prizes=prizes, budget={"unit": "points", "total": total}
    )
    world = lucky_world(make_world, one)

    def work(ref: str, number: int) -> Callable[[], list[Any]]:
        return lambda: batch(world, ref, number, BATCH)

    for number in range(TRIES // len(MEMBERS) // BATCH):
        at_once([work(ref, number) for ref in MEMBERS])
    used = spent(world, "luck")[1]
    assert total - 15 < used <= total
    assert (total_of(world), budget_of(world)["used"]) == (used, used)
    assert_sound(world)


def test_a_lost_draw_waits_for_nobody(make_world: Make) -> None:
    budget = {"unit": "points", "total": 100}
    world = lucky_world(make_world, surprise(budget=budget))
    world.order("A-1", 100, member_ref="m0")
    world.publish(earning={"rules": []}, surprises=[surprise(probability_ppm=0, budget=budget)])
    with world.app.app_context():
        if store.engine.dialect.name == "sqlite":
            pytest.skip("SQLite has one writer")
        with store.engine.connect() as connection, connection.begin():
            counter = sa.select(LIMIT_COUNTERS.c.used).where(
                LIMIT_COUNTERS.c.program_id == ids.read_id("prg", world.program_id)
            )
            # Somebody claims of the budget and takes their time.
            assert connection.execute(counter.with_for_update()).scalars().all() == [7]
            answers = at_once(
                [put(world, f"/orders/{ref}", order(100, member_ref=ref)) for ref in MEMBERS]
            )
    assert [won(one.json) for one in answers] == [[]] * 16
    assert spent(world, "luck") == (1, 7)
