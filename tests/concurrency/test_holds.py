"""Holds that compete for one account: never overspent, and each hold has exactly one end.

`HOLD_ROUNDS` says how many rounds of 32 clients (20 without it).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import clock, ids
from core.errors import Problem
from tests.concurrency.parallel import assert_sound, at_once
from tests.world import World, order

ROUNDS = int(os.environ.get("HOLD_ROUNDS", "20"))
START = datetime(2027, 3, 1, tzinfo=UTC)
MINUTE = clock.Duration(seconds=60)
DAY = clock.Duration(days=1)
#: What the account has at the beginning of each round.
WHOLE = 1000
OLD, NEW = 25, 90


@pytest.fixture
def till(make_world: Callable[..., World]) -> "Till":
    """A till in a program whose clock stands still."""
    world = make_world()
    world.set_clock(clock.format_instant(clock.from_datetime(START)))
    world.member("mina")
    return Till(world)


@dataclass(slots=True)
class Till:
    """Where Mina's points are held, captured and released; a refusal is a value here."""

    world: World

    def run(self, work: Callable[[bytes], Any]) -> Any:
        """What the storefront answers, or the 409 it refuses with; anything else is an error."""
        program_id = ids.read_id("prg", self.world.program_id)
        assert program_id is not None
        with self.world.app.app_context():
            try:
                return work(program_id)
            except Problem as problem:
                if problem.status != 409:
                    raise
                return problem

    def hold(self, points: int, ttl: clock.Duration) -> Callable[[], Any]:
        from tests import holding as holds

        return lambda: self.run(lambda program: holds.hold(program, "mina", points, ttl=ttl))

    def end(self, how: str, hold_id: str) -> Callable[[], Any]:
        from tests import holding as holds

        return lambda: self.run(lambda program: getattr(holds, how)(program, hold_id))

    def move(self, to: datetime) -> Callable[[], Any]:
        return lambda: self.world.post("/test-clock", {"now": to.isoformat()})

    def buy(self, ref: str, points: int) -> None:
        """An order that earns so many points."""
        body = order(points * 100, placed_at=START.isoformat())
        self.world.put(f"/orders/{ref}", body)

    def balances(self) -> tuple[int, int, int]:
        [balance] = self.world.get("/members/mina/balances")["data"]
        return balance["available"], balance["pending"], balance["held"]


def is_done(answer: Any) -> bool:
    return not isinstance(answer, Problem)


def test_of_two_redemptions_of_400_on_500_one_succeeds(till: Till) -> None:
    till.buy("A-1", 500)
    for _ in range(8):
        answers = at_once([till.hold(400, MINUTE)] * 2)
        [done] = [one for one in answers if is_done(one)]
        [refused] = [one for one in answers if not is_done(one)]
        assert (refused.code, refused.extra["available"]) == ("insufficient_points", 100)
        assert till.balances() == (100, 0, 400)
        till.end("release", done["id"])()
        assert till.balances() == (500, 0, 0)
    assert_sound(till.world)


def winner(captured: list[Any], released: list[Any]) -> str:
    """The one end that a hold had; the loser of a race is told so, whoever repeats is not."""
    ends = [{is_done(one) for one in answers} for answers in (captured, released)]
    assert all(len(end) == 1 for end in ends), (captured, released)
    refused = [one for one in captured + released if not is_done(one)]
    assert {one.code for one in refused} <= {"state_conflict"}
    [was_captured], [was_released] = ends
    assert not (was_captured and was_released)
    return "captured" if was_captured else "released" if was_released else "expired"


def test_32_clients_compete_for_one_account_round_by_round(till: Till) -> None:
    till.buy("A-0", WHOLE)
    for number in range(1, ROUNDS + 1):
        old = [till.hold(OLD, MINUTE)()["id"] for _ in range(4)]
        assert till.balances() == (WHOLE - 4 * OLD, 0, 4 * OLD)
        works: list[Callable[[], Any]] = []
        for hold_id in old:
            works += [till.end("capture", hold_id), till.end("release", hold_id)] * 2
        # Their time runs out meanwhile, and there is not enough for all of the new ones.
        works.insert(number % 16, till.move(START + timedelta(minutes=number)))
        works += [till.hold(NEW, DAY)] * 15
        answers = at_once(works)
        answers.pop(number % 16)
        ends = [
            winner(answers[at : at + 4 : 2], answers[at + 1 : at + 4 : 2]) for at in (0, 4, 8, 12)
        ]
        new = [one for one in answers[16:] if is_done(one)]
        for refused in answers[16:]:
            if not is_done(refused):
                assert refused.code == "insufficient_points"
                assert 0 <= refused.extra["available"] < NEW
        spent = ends.count("captured") * OLD
        assert till.balances() == (WHOLE - spent - len(new) * NEW, 0, len(new) * NEW)
        # Nobody was refused for nothing: 900 points were free all the time.
        assert len(new) >= 10
        at_once([till.end("release", one["id"]) for one in new])
        if spent:
            till.buy(f"A-{number}", spent)
        assert till.balances() == (WHOLE, 0, 0)
    assert_sound(till.world)


def test_32_captures_of_one_hold_spend_it_once(till: Till) -> None:
    till.buy("A-1", 500)
    for number in range(1, 6):
        made = till.hold(60, MINUTE)()
        answers = at_once([till.end("capture", made["id"])] * 32)
        assert all(is_done(one) for one in answers)
        assert till.balances() == (500 - number * 60, 0, 0)
    assert_sound(till.world)
