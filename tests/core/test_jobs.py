"""Jobs: asked for once, claimed by one, given up by nobody, dead when they keep failing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, ids, jobs
from core.clock import SECOND, Instant
from core.errors import Problem
from tests.concurrency.parallel import at_once
from tests.world import World

NOW = Instant(1_800_000_000 * SECOND)


def later(seconds: int) -> Instant:
    return Instant(NOW + seconds * SECOND)


def program(world: World) -> bytes:
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def unit(world: World, work: Callable[[sa.Connection], Any]) -> Any:
    with world.app.app_context():
        return db.in_transaction(work)


def ask(world: World, *keys: str, **more: Any) -> None:
    def work(connection: sa.Connection) -> None:
        for key in keys:
            settled: dict[str, Any] = {"kind": "count", "run_at": NOW} | more
            jobs.add(connection, program(world), key=key, **settled)

    unit(world, work)


def claim(world: World, *, limit: int = 100, now: Instant = NOW, lease: int = 60) -> list[jobs.Job]:
    found: list[jobs.Job] = unit(
        world, lambda one: jobs.claim(one, program(world), limit=limit, now=now, lease=lease)
    )
    return found


def rows(world: World) -> dict[str, Any]:
    statement = sa.select(jobs.JobRow).where(jobs.JobRow.program_id == program(world))
    with world.app.app_context():
        return {row.key: row for row in db.reading(lambda one: list(one.execute(statement)))}


def due(world: World, now: Instant) -> bool:
    with world.app.app_context():
        return program(world) in db.reading_once(lambda one: jobs.programs_due(one, now))


def test_a_job_is_asked_for_once_by_kind_and_key_and_keeps_its_first_payload(
    make_world: Any,
) -> None:
    world = make_world()
    ask(world, "a", payload={"n": 1})
    ask(world, "a", payload={"n": 2})
    ask(world, "a", kind="other")
    other = make_world()
    ask(other, "a", payload={"n": 3})
    assert sorted((job.kind, job.payload.get("n")) for job in claim(world)) == [
        ("count", 1),
        ("other", None),
    ]
    assert [job.payload for job in claim(other)] == [{"n": 3}]


def test_a_job_that_is_done_is_not_asked_for_again(make_world: Any) -> None:
    world = make_world()
    ask(world, "a")
    [job] = claim(world)
    assert unit(world, lambda one: jobs.done(one, job, now=NOW))
    ask(world, "a")
    assert claim(world, now=later(9999)) == []


def test_a_job_is_written_with_the_effect_that_asks_for_it_or_not_at_all(make_world: Any) -> None:
    world = make_world()

    def work(connection: sa.Connection) -> None:
        jobs.add(connection, program(world), kind="count", key="a", run_at=NOW)
        raise Problem(409, "state_conflict", "no")

    with pytest.raises(Problem):
        unit(world, work)
    assert rows(world) == {}


def test_what_is_due_first_is_claimed_first_and_nothing_before_its_time(make_world: Any) -> None:
    world = make_world()
    ask(world, "second", run_at=later(-5))
    ask(world, "first", run_at=later(-9))
    ask(world, "third", run_at=NOW)
    ask(world, "not yet", run_at=Instant(NOW + 1))
    assert [job.key for job in claim(world, limit=2)] == ["first", "second"]
    assert [job.key for job in claim(world)] == ["third"]
    assert not due(world, NOW) and due(world, Instant(NOW + 1))


def test_eight_threads_claim_each_job_once(make_world: Any) -> None:
    world = make_world()
    ask(world, *(f"{number:03}" for number in range(200)))

    def worker() -> list[str]:
        mine: list[str] = []
        while claimed := claim(world, limit=7):
            mine += [job.key for job in claimed]
        return mine

    shares = at_once([worker] * 8)
    taken = sorted(key for share in shares for key in share)
    assert taken == [f"{number:03}" for number in range(200)]
    assert all(row.attempts == 1 for row in rows(world).values())


def test_a_lease_that_ran_out_is_claimed_again_and_the_late_worker_is_refused(
    make_world: Any,
) -> None:
    world = make_world()
    ask(world, "a")
    [late] = claim(world, lease=60)
    assert claim(world, now=Instant(later(60) - 1)) == [] and not due(world, later(59))
    assert due(world, later(60))
    [job] = claim(world, now=later(60), lease=60)
    assert (job.id, job.attempts) == (late.id, 2)
    for refused in (
        lambda one: jobs.done(one, late, now=NOW),
        lambda one: jobs.fail(one, late, error="x", now=NOW),
        lambda one: jobs.renew(one, late, now=NOW),
        lambda one: jobs.release(one, late),
    ):
        assert unit(world, refused) is False
    assert unit(world, lambda one: jobs.done(one, job, now=later(61))) is True
    assert rows(world)["a"].done_at == later(61)
    assert unit(world, lambda one: jobs.done(one, job, now=later(62))) is False


def test_a_lease_is_renewed_and_a_job_not_begun_is_given_back(make_world: Any) -> None:
    world = make_world()
    ask(world, "a", "b")
    first, second = claim(world, lease=60)
    assert unit(world, lambda one: jobs.renew(one, first, now=later(50), lease=60))
    assert unit(world, lambda one: jobs.release(one, second))
    assert rows(world)["b"].attempts == 0
    assert [job.key for job in claim(world, now=later(100))] == ["b"]
    assert [job.key for job in claim(world, now=later(110))] == ["a"]


def test_pauses_double_up_to_an_hour_and_the_tenth_failure_is_the_last(make_world: Any) -> None:
    world = make_world()
    ask(world, "a")
    now, pauses = NOW, []
    for attempt in range(1, 11):
        [job] = claim(world, now=now)
        assert job.attempts == attempt
        unit(world, partial(jobs.fail, job=job, error="E", now=now))
        row = rows(world)["a"]
        pauses.append((row.run_at - now) // SECOND)
        assert (row.dead_at is not None) == (attempt == 10)
        now = Instant(row.run_at)
    assert pauses[:9] == [10, 20, 40, 80, 160, 320, 640, 1280, 2560] and pauses[9] == 3600
    assert claim(world, now=later(999_999)) == []


def dead(world: World) -> list[Any]:
    with world.app.app_context():
        return db.reading(lambda one: jobs.dead(one, program(world)))


def kill_all(world: World) -> None:
    statement = (
        sa.update(jobs.JobRow)
        .where(jobs.JobRow.program_id == program(world))
        .values(attempts=10, dead_at=NOW, last_error="E")
    )
    unit(world, lambda one: one.execute(statement))


def test_dead_jobs_are_listed_and_redriven_one_or_all_of_their_program(make_world: Any) -> None:
    world, other = make_world(), make_world()
    ask(world, "a", "b", "c")
    ask(other, "a")
    kill_all(world)
    kill_all(other)
    assert sorted(row.key for row in dead(world)) == ["a", "b", "c"]
    assert not due(world, later(999_999))
    [one] = [row for row in dead(world) if row.key == "b"]

    def redrive(**which: Any) -> int:
        count: int = unit(
            world, lambda this: jobs.redrive(this, program(world), now=later(5), **which)
        )
        return count

    assert redrive(job_id=bytes(one.id)) == 1
    assert redrive(job_id=bytes(one.id)) == 0
    [job] = claim(world, now=later(5))
    assert (job.key, job.attempts) == ("b", 1)
    assert redrive() == 2 and dead(world) == []
    assert [row.key for row in dead(other)] == ["a"]


def test_a_job_that_takes_its_worker_down_each_time_is_dead_in_the_end(make_world: Any) -> None:
    world = make_world()
    ask(world, "a")
    for attempt in range(10):
        assert len(claim(world, now=later(attempt * 60), lease=60)) == 1
    assert claim(world, now=later(600), lease=60) == []
    [row] = dead(world)
    assert (row.attempts, row.dead_at) == (10, later(600))
    assert "worker died" in row.last_error


def perform(world: World, handlers: dict[str, jobs.Handler], **more: Any) -> int:
    forget_open(world)
    with world.app.app_context():
        return jobs.perform_due(handlers, clock.system_now(), **more)


def forget_open(world: World) -> None:
    """Jobs that other tests of this session left open would be performed as well."""
    statement = sa.delete(jobs.JobRow).where(jobs.JobRow.program_id != program(world))
    unit(world, lambda one: one.execute(statement))


def test_a_handler_gets_the_job_and_only_one_that_returns_has_done_it(make_world: Any) -> None:
    world = make_world()
    ask(world, "good", payload={"n": 1}, run_at=Instant(1))
    ask(world, "bad", payload={"n": 0}, run_at=Instant(2))
    ask(world, "unknown", kind="of the future", run_at=Instant(3))
    seen = []

    def count(job: jobs.Job) -> None:
        seen.append((job.program_id, job.key, 1 // job.payload["n"]))

    assert perform(world, {"count": count}) == 3
    assert seen == [(program(world), "good", 1)]
    found = rows(world)
    assert found["good"].done_at and not found["bad"].done_at
    assert found["bad"].last_error.startswith("ZeroDivisionError at test_jobs.py:")
    assert "no handler" in found["unknown"].last_error
    assert perform(world, {"count": count}) == 0


def test_an_error_is_kept_without_what_its_message_says(make_world: Any) -> None:
    world = make_world()
    ask(world, "a", "b", "c", run_at=Instant(1))

    def fail(job: jobs.Job) -> None:
        if job.key == "a":
            raise ValueError("mina@example.com")
        if job.key == "b":
            raise Problem(409, "state_conflict", "mina@example.com")
        raise jobs.JobError("the receiver is closed")

    perform(world, {"count": fail})
    errors = {key: row.last_error for key, row in rows(world).items()}
    assert "mina" not in str(errors)
    assert errors["a"].startswith("ValueError at ")
    assert errors["b"].startswith("Problem state_conflict at ")
    assert errors["c"] == "JobError: the receiver is closed"


def test_a_worker_that_is_stopped_gives_back_what_it_has_not_begun(make_world: Any) -> None:
    world = make_world()
    ask(world, "a", "b", "c", run_at=Instant(1))
    seen: list[str] = []
    assert (
        perform(
            world,
            {"count": lambda job: seen.append(job.key)},
            is_stopping=lambda: bool(seen),
        )
        == 1
    )
    found = rows(world)
    begun = [key for key, row in found.items() if row.done_at]
    assert begun == seen and len(seen) == 1
    left = [row for key, row in found.items() if key not in seen]
    assert all(row.attempts == 0 and row.lease_id is None for row in left)


def test_done_jobs_are_forgotten_after_thirty_days(make_world: Any) -> None:
    world = make_world()
    ask(world, "old", "new", "open")
    moments = {"old": NOW, "new": Instant(NOW + 1)}
    for job in claim(world):
        if job.key in moments:
            unit(world, partial(jobs.done, job=job, now=moments[job.key]))
    with world.app.app_context():
        assert jobs.forget(Instant(NOW + 1 + 30 * 86_400 * SECOND)) >= 1
    assert set(rows(world)) == {"new", "open"}
