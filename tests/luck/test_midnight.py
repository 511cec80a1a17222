"""Draws at midnight, while the day is being closed: none is missing below a root."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db
from members.models import Member
from rewards.luck import epochs
from rewards.luck.models import EPOCHS, LEAVES
from rewards.surprises.carried import DRAWS
from storefront.fairness import closing
from tests.concurrency.parallel import at_once
from tests.luck.drawing import owner, receipt
from tests.luck.test_epochs import verified
from tests.world import World

DAYS = range(1, 6)
WRITERS, DRAWN = 6, 6


def at(day: int, time_of_day: str) -> clock.Instant:
    return clock.parse_instant(f"2026-03-{day:02}T{time_of_day}Z")


def test_no_draw_is_missed_at_midnight(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.set_clock("2026-03-01T00:00:00Z")
    program_id = owner(world)
    people = [f"p-{number}" for number in range(WRITERS)]
    for ref in people:
        world.member(ref)

    def drawing(ref: str, day: int) -> Callable[[], int]:
        def unit(number: int) -> Callable[[sa.Connection], int]:
            def work(connection: sa.Connection) -> int:
                member = connection.execute(
                    sa.select(Member.id, Member.member_ref)
                    .where(Member.program_id == program_id, Member.member_ref == ref)
                    .with_for_update(key_share=True)
                ).one()
                # As the clock was when the unit began; it is written a little later.
                now = at(day, "23:59:59.9")
                epoch = epochs.open_now(connection, program_id, now)
                time.sleep(0.004)
                row = receipt(program_id, epoch, member, f"{ref}-{day}-{number}", at=now)
                connection.execute(sa.insert(DRAWS), [row])
                return epoch.number

            return work

        def write() -> int:
            with world.app.app_context():
                return max(db.in_transaction(unit(number)) for number in range(DRAWN))

        return write

    def close(day: int) -> Callable[[], int]:
        def run() -> int:
            time.sleep(0.01)
            world.set_clock(f"2026-03-{day + 1:02}T00:00:00Z")
            with world.app.app_context():
                count = 0
                for _ in range(12):
                    count += closing.settle_due(program_id)
                    time.sleep(0.003)
                return count

        return run

    closed = 0
    for day in DAYS:
        works = [drawing(ref, day) for ref in people]
        closed += sum(at_once([*works, close(day), close(day)])[-2:])
    assert closed >= len(DAYS)
    world.set_clock("2026-03-20T00:00:00Z")
    with world.app.app_context():
        closing.settle_due(program_id)
        counts = db.reading(lambda connection: _counts(connection, program_id))
    assert counts == (len(DAYS) * WRITERS * DRAWN, len(DAYS) * WRITERS * DRAWN, 0)
    assert verified(world)["faults"] == []


def _counts(connection: sa.Connection, program_id: bytes) -> tuple[int, int, int]:
    """Draws, leaves, and epochs that are still open."""
    found: list[Any] = []
    for table in (DRAWS, LEAVES, EPOCHS):
        statement = sa.select(sa.func.count()).where(table.c.program_id == program_id)
        if table is EPOCHS:
            statement = statement.where(closing.IS_OPEN)
        found.append(connection.execute(statement).scalar_one())
    return found[0], found[1], found[2]


def test_many_receipts_are_closed_in_little_memory(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several portions and blocks, each receipt with a proof that leads to the root."""
    world = make_world()
    world.set_clock("2026-03-01T10:00:00Z")
    world.member("mina")
    monkeypatch.setattr(closing, "_PORTION", 100)
    from rewards.luck import merkle
    from tests.luck.drawing import draw

    first = draw(world, *(f"A-{number}" for number in range(600)))
    draw(world, *(f"B-{number}" for number in range(7)), surprise_key="apple")
    world.post("/test-clock", {"now": "2026-03-02T00:00:00Z"})
    (epoch,) = world.get("/fairness/epochs")["data"]
    assert epoch["receipts"] == 607
    assert verified(world) | {"programs": 1} == {
        "programs": 1,
        "epochs": 1,
        "receipts": 607,
        "sealed": 0,
        "faults": [],
    }
    from core import ids

    # Behind the seven apples: the last of the first block, the first of the next, the very last.
    for number in (1, 249, 250, 505, 506, 600):
        shown = world.get(f"/draws/{ids.show_id('drw', first[number - 1]['id'])}")
        proof = shown["proof"]
        assert (shown["number"], proof["place"], proof["count"]) == (number, number + 6, 607)
        path = [bytes.fromhex(one) for one in proof["path"]]
        root = merkle.root_of_proof(
            bytes.fromhex(shown["leaf"]), proof["place"], proof["count"], path=path
        )
        assert root is not None and root.hex() == epoch["root"] == proof["root"]
