"""Back-tests that are killed, stopped, raced for or left without seeds; and what they leave out."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from analytics.backtests import laboratory, rooms, running
from analytics.backtests.asking import BACKTESTS
from core import clock, db, ids, jobs, sealing
from rewards.luck import keeping
from server import worker
from storefront.fairness import revealing
from tests.concurrency.parallel import at_once, statuses
from tests.contract import checking
from tests.luck.drawing import draw, owner
from tests.luck.test_epochs import verified
from tests.world import World, per_euro, rule

JANUARY = {"from": "2027-01-01T00:00:00Z", "to": "2027-02-01T00:00:00Z"}
_KEEPS_A_ROOM = """
import sys, tempfile, time
from analytics.backtests import rooms
tempfile.tempdir = sys.argv[1]
with rooms.opened("bkt_killed") as room:
    rooms.private(room / "told.db").write_text("mina")
    print("ready", flush=True)
    time.sleep(60)
"""


def work(world: World, **more: Any) -> None:
    with world.app.app_context():
        while running.run_due(clock.system_now(), **more):
            pass


def done(world: World, **body: Any) -> Any:
    made = world.post("/backtests", JANUARY | body, status=202)
    work(world)
    answer = world.get(f"/backtests/{made['id']}")
    assert (answer["state"], answer["error"]) == ("done", None)
    return answer


def job_row(world: World) -> Any:
    """The program's newest job."""
    statement = sa.select(jobs.JobRow.attempts, jobs.JobRow.leased_until, jobs.JobRow.done_at)
    statement = statement.where(jobs.JobRow.program_id == owner(world))
    with world.app.app_context():
        return db.reading(
            lambda one: one.execute(statement.order_by(jobs.JobRow.id.desc()).limit(1)).one()
        )


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where back-tests have their rooms."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_leaves_goes_and_what_is_in_use_stays(room: Path) -> None:
    command = [sys.executable, "-c", _KEEPS_A_ROOM, str(room)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    [left] = room.iterdir()
    assert left.name.startswith("dangol-backtest-bkt_killed-")
    assert left.stat().st_mode & 0o777 == 0o700
    assert (left / "told.db").stat().st_mode & 0o777 == 0o600
    assert rooms.clear() == 0 and left.is_dir(), "it is in use"
    os.kill(other.pid, signal.SIGKILL)
    other.wait(10)
    other.stdout.close()
    (room / "dangol-backtest-link").symlink_to(Path(__file__).parent)
    (room / "another").mkdir()
    with rooms.opened("bkt_killed") as mine:
        assert rooms.clear() == 1
        assert not left.exists() and mine.is_dir() and (room / "another").is_dir()
    assert {one.name for one in room.iterdir()} == {"dangol-backtest-link", "another"}
    assert Path(__file__).exists()


def test_one_that_is_to_stop_goes_back_whole_and_a_lost_lease_says_nothing(
    make_world: Callable[..., World], room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.set_clock("2027-01-10T10:00:00Z")
    world.member()
    world.order("A", 1000, placed_at="2027-01-10T09:00:00Z")
    world.set_clock("2027-02-01T00:00:00Z")
    made = world.post("/backtests", JANUARY | {"version": 1}, status=202)

    # Stopped when it first looks, after the job was claimed: the attempt is not spent.
    looks = itertools.chain([False], itertools.repeat(True))
    work(world, is_stopping=lambda: next(looks))
    answer = world.get(f"/backtests/{made['id']}")
    assert (answer["state"], answer["progress"]) == ("queued", 0)
    assert job_row(world) == (0, None, None)
    assert list(room.iterdir()) == []

    # Another worker has the job when the first one is through: its word does not count.
    live = laboratory.live

    def outlived(lab: laboratory.Laboratory, *arguments: Any, **more: Any) -> Any:
        files = [one.stat().st_mode & 0o777 for one in lab.directory.iterdir()]
        assert lab.directory.name.startswith(f"dangol-backtest-{made['id']}-")
        life = live(lab, *arguments, **more)
        files += [one.stat().st_mode & 0o777 for one in lab.directory.iterdir()]
        assert set(files) == {0o600} and len(files) == 3
        taken = sa.update(jobs.JobRow).where(jobs.JobRow.program_id == owner(world))
        with world.app.app_context():
            db.in_transaction(lambda one: one.execute(taken.values(lease_id=ids.new_id())))
        return life

    with monkeypatch.context() as patched:
        patched.setattr(laboratory, "live", outlived)
        work(world)
    assert world.get(f"/backtests/{made['id']}")["state"] == "running"
    with world.app.app_context():
        mine = BACKTESTS.c.program_id == owner(world)
        stored = db.reading(lambda one: one.execute(sa.select(BACKTESTS).where(mine)).one())
        assert (stored.result, stored.finished_at) == (None, None)
        free = sa.update(jobs.JobRow).where(jobs.JobRow.program_id == owner(world))
        db.in_transaction(lambda one: one.execute(free.values(leased_until=1)))
    work(world)
    answer = world.get(f"/backtests/{made['id']}")
    assert (answer["state"], answer["points"]["forecast"]) == ("done", 10)
    assert job_row(world).attempts == 2


def test_six_at_once_are_five_and_who_may_only_read_asks_for_none(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.set_clock("2027-02-01T00:00:00Z")

    def ask(number: int) -> Callable[[], Any]:
        headers = {"Idempotency-Key": f"at-once-{number}"}
        return lambda: world.call("POST", "/backtests", JANUARY | {"version": 1}, headers=headers)

    assert statuses(at_once([ask(number) for number in range(10)])) == {202: 5, 409: 5}
    [first, *_] = world.get("/backtests")["data"]
    assert world.call("DELETE", f"/backtests/{first['id']}").status_code == 204
    assert ask(10)().status_code == 202
    made = world.post("/keys", {"name": "looks", "scopes": ["read"]}, status=201)
    world.key = made["key"]
    [first, *_] = world.get("/backtests")["data"]
    for answer in (ask(11)(), world.call("DELETE", f"/backtests/{first['id']}")):
        checking.problem(answer, 403, "forbidden")


def test_what_is_not_lived_again_is_counted_by_name(make_world: Callable[..., World]) -> None:
    mug = {"key": "mug", "kind": "custom", "cost_points": 5, "stock": 3}
    rules = [rule("base", per_euro())]
    world = make_world(members={"auto_enrol": True}, earning={"rules": rules}, rewards=[mug])
    world.set_clock("2027-01-01T00:00:00Z")
    for ref in ("gone", "sue", "mina", "never"):
        world.member(ref, is_enrolled=ref != "never")
        world.order(f"{ref}-1", 1000, member_ref=ref, placed_at="2027-01-01T00:00:00Z")
    world.order("late-1", 1000, member_ref="late", placed_at="2027-01-01T00:00:00Z")
    world.set_clock("2027-01-02T00:00:00Z")
    # Late was brought by an order and told of a day later; Mina has a birthday only now.
    world.member("late")
    world.member("mina", birthday_on="1990-06-01")
    world.member("sue", is_enrolled=False)
    assert world.call("DELETE", "/members/gone").status_code == 200
    lot = world.get("/members/mina/lots")["data"][0]
    redated = {
        "lot_id": lot["id"],
        "points": 10,
        "expires_at": "2027-12-31T00:00:00Z",
        "reason": "goodwill",
    }
    world.post("/adjustments", {"member_ref": "mina"} | redated, status=201)
    world.post("/rewards/mug/stock", {"change": 2, "reason": "more mugs"})
    given = {"member_ref": "mina", "reward": "mug", "reason": "goodwill"}
    world.post("/grants", given, status=201)
    world.set_clock("2027-02-01T00:00:00Z")
    answer = done(world, version=1)
    assert answer["left_out"] == {
        "erased_members": 1,
        "changed_members": 2,
        "left_members": 1,
        "redated_lots": 1,
        "stock_moves": 1,
        "manual_grants": 1,
    }
    # Ten points each: of Gone, of Sue, who had them before she left, of Mina and of Late.
    assert (answer["points"]["forecast"], answer["points"]["actual"]) == (40, 40)
    assert answer["points"]["forecast_first"] == answer["minor"]["forecast_first"] == 40


def test_a_seed_that_no_key_opens_is_revealed_when_one_does(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ["first-key-0123456789-0123456789-abcd"]
    monkeypatch.setattr(sealing, "keys", lambda: tuple(held))
    world = make_world()
    world.set_clock("2027-01-02T10:00:00Z")
    world.member()

    def epochs() -> list[tuple[Any, ...]]:
        shown = world.get("/fairness/epochs")["data"]
        return [(one["number"], one["chain"], one["state"], bool(one["seed"])) for one in shown]

    draw(world, "A-1")
    held[:] = ["other-key-0123456789-0123456789-abcd"]
    keeping._seeds.clear()
    draw(world, "A-2")
    world.post("/test-clock", {"now": "2027-02-01T00:00:00Z"})
    # Both are closed, in their order; draws went on in another chain.
    assert epochs() == [(2, 2, "closed", True), (1, 1, "closed", False)]
    assert len(verified(world)["faults"]) == 1
    assert done(world, version=1)["left_out"] == {"lost_seeds": 1}
    with world.app.app_context():
        assert revealing.reveal_some(clock.system_now()) == 0
        held.append("first-key-0123456789-0123456789-abcd")
        assert revealing.reveal_some(clock.system_now()) == 1
        assert revealing.reveal_some(clock.system_now()) == 0
    assert epochs() == [(2, 2, "closed", True), (1, 1, "closed", True)]
    assert verified(world)["faults"] == []
    assert done(world, version=1)["left_out"] == {}


def test_what_takes_minutes_comes_when_nothing_else_is_due() -> None:
    told: list[str] = []
    waiting = {"short": 2, "long": 1}

    def duty(name: str) -> worker.Duty:
        def run(_now: clock.Instant) -> int:
            told.append(name)
            waiting[name] -= 1
            return int(waiting[name] >= 0)

        return worker.Duty(name, run, every=1, is_long=name == "long")

    assert worker.Rounds(Flask("turns"), [duty("long"), duty("short")]).drain()
    assert told == ["short", "short", "short", "long", "short", "long"]
