"""The worker: its rounds, its end, and the queue that only wakes it."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from huey.registry import Message

from config import Settings, SettingsError
from core import clock, db, ids, jobs, jsontext
from server import queue, worker
from tests.conftest import SECRET_KEY, make_app
from tests.server.databases import run
from tests.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """A database of these tests' own: a worker does what is due for everybody in it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('worker')}/dangol.db"
    if request.param == "postgresql":
        given = sa.make_url(request.getfixturevalue("postgresql_url"))
        name = f"{given.database}_worker"
        admin = sa.create_engine(given, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        admin.dispose()
        url = given.set(database=name).render_as_string(hide_password=False)
    made = make_app(url)
    yield made
    with made.app_context():
        db.db.engine.dispose()


def environment(app: Flask, tmp_path: Path) -> dict[str, str]:
    settings: Settings = app.extensions["dangol.settings"]
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": SECRET_KEY,
        "QUEUE_URL": f"sqlite:///{tmp_path}/queue.db",
        "LOG_LEVEL": "info",
    }


def flask(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def running(env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`flask worker`, past its start."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "worker"], cwd=ROOT, env=env, stderr=output
        )
    try:
        until(lambda: "worker started" in log.read_text(), seconds=60)
        yield process
    finally:
        process.kill()
        process.wait(10)


def ask(world: World, key: str = "a", *, kind: str = "of the future") -> None:
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        db.in_transaction(lambda one: jobs.add(one, program_id, kind=kind, key=key))


def row(world: World) -> Any:
    program_id = ids.read_id("prg", world.program_id)
    statement = sa.select(jobs.JobRow).where(jobs.JobRow.program_id == program_id)
    with world.app.app_context():
        return db.reading(lambda one: one.execute(statement).one())


def until(is_true: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_once_drains_what_is_due_and_ends(make_world: Any, tmp_path: Path) -> None:
    world = make_world()
    ask(world)
    env = environment(world.app, tmp_path)
    done = flask("worker", "--once", env=env)
    assert done.returncode == 0, done.stderr
    # No handler knows its kind: it was tried, is said in the log, and is tried again later.
    assert row(world).attempts == 1 and "no handler" in row(world).last_error
    assert '"message": "job failed"' in done.stderr and "of the future" in done.stderr
    assert not (tmp_path / "queue.db").exists()


def test_dead_jobs_are_shown_and_redriven_by_command(make_world: Any) -> None:
    world = make_world()
    ask(world)
    change = (
        sa.update(jobs.JobRow)
        .where(jobs.JobRow.program_id == ids.read_id("prg", world.program_id))
        .values(attempts=10, dead_at=1, last_error="ValueError at x.py:1")
    )
    with world.app.app_context():
        db.in_transaction(lambda one: one.execute(change))
    shown = run(world.app, "jobs", "dead", "--program", world.program_id)
    job_id = ids.show_id("job", bytes(row(world).id))
    assert shown.exit_code == 0 and job_id in shown.stdout
    assert "1970-01-01T00:00:00.000001Z  ValueError at x.py:1" in shown.stdout
    again = run(world.app, "jobs", "redrive", "--program", world.program_id, job_id)
    assert again.stdout == "1 due again\n" and row(world).dead_at is None
    twice = run(world.app, "jobs", "redrive", "--program", world.program_id, job_id)
    assert twice.exit_code == 1 and "no such dead job" in twice.stderr
    assert "no job id" in run(world.app, "jobs", "redrive", "job_x").stderr


def test_a_running_worker_finds_a_job_without_being_woken_and_ends_at_sigterm(
    make_world: Any, tmp_path: Path
) -> None:
    world = make_world()
    with running(environment(world.app, tmp_path), tmp_path / "log") as process:
        ask(world)
        until(lambda: row(world).attempts == 1)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 5
        assert "worker stopped" in (tmp_path / "log").read_text()


def test_losing_the_queue_loses_nothing(make_world: Any, tmp_path: Path) -> None:
    world = make_world()
    with running(environment(world.app, tmp_path), tmp_path / "log") as process:
        until((tmp_path / "queue.db").exists)
        for file in tmp_path.glob("queue.db*"):
            file.write_bytes(b"no database")
        ask(world)
        until(lambda: row(world).attempts == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_worker_refuses_an_unmigrated_database(tmp_path: Path) -> None:
    env = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/new.db", "SECRET_KEY": SECRET_KEY}
    refused = flask("worker", "--once", env=env)
    assert refused.returncode == 1 and "flask db upgrade" in refused.stderr


@pytest.fixture
def rounds_of(app: Flask) -> Iterator[Callable[..., worker.Rounds]]:
    worker._stopping.clear()
    yield lambda *duties: worker.Rounds(app, duties)
    worker._stopping.clear()


def counted(name: str, seen: list[str], *counts: int, every: float = 1000) -> worker.Duty:
    left = list(counts)

    def run(_now: clock.Instant) -> int:
        seen.append(name)
        return left.pop(0) if left else 0

    return worker.Duty(name, run, every=every)


def test_duties_take_turns_while_they_find_something(rounds_of: Any) -> None:
    seen: list[str] = []
    rounds = rounds_of(counted("a", seen, 5, 5, 5), counted("b", seen, 1), counted("c", seen))
    while rounds.perform_next():
        pass
    assert seen == ["a", "b", "c", "a", "b", "a", "a"]
    rounds.wake("b")
    assert rounds.perform_next() and not rounds.perform_next() and seen[-1] == "b"
    rounds.wake()
    assert [rounds.perform_next() for _ in range(4)] == [True, True, True, False]


def test_a_duty_comes_again_after_its_time(rounds_of: Any) -> None:
    seen: list[str] = []
    rounds = rounds_of(counted("a", seen, every=0.05))
    assert rounds.perform_next() and not rounds.perform_next()
    time.sleep(0.06)
    assert rounds.perform_next() and seen == ["a", "a"]


def test_a_failing_duty_stops_no_other_and_is_told_without_its_message(
    rounds_of: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_now: clock.Instant) -> int:
        raise ValueError("mina@example.com")

    caplog.set_level("INFO", logger="dangol")
    monkeypatch.setattr(logging.getLogger("dangol"), "propagate", True)
    seen: list[str] = []
    rounds = rounds_of(worker.Duty("bad", fail, every=1000), counted("good", seen, 1, 1))
    assert rounds.drain() is False
    assert seen == ["good"] * 3
    assert {record.message for record in caplog.records} == {"duty failed"}
    assert {record.duty for record in caplog.records} == {"bad"}  # type: ignore[attr-defined]
    assert rounds_of(counted("good", seen, 1)).drain() is True


def test_a_duty_is_in_one_thread_of_a_process_at_a_time_and_a_slow_one_holds_up_no_other(
    rounds_of: Any,
) -> None:
    seen: list[str] = []
    is_free = threading.Event()

    def wait(_now: clock.Instant) -> int:
        seen.append("slow")
        assert is_free.wait(10)
        return 0

    rounds = rounds_of(worker.Duty("slow", wait, every=1000), counted("quick", seen))
    thread = threading.Thread(target=rounds.perform_next)
    thread.start()
    until(lambda: seen == ["slow"])
    rounds.wake("slow")
    assert rounds.perform_next() and not rounds.perform_next()
    assert seen == ["slow", "quick"]
    is_free.set()
    thread.join(10)
    # It was woken while it ran: what was written meanwhile may have escaped it.
    assert rounds.perform_next() and seen[-1] == "slow"


def settings(queue_url: str) -> Settings:
    return Settings(database_url="sqlite:///unused.db", secret_key=SECRET_KEY, queue_url=queue_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/queue.db"
    given: str = request.getfixturevalue("postgresql_url")
    return given.replace("postgresql+psycopg://", "postgresql://", 1)


def test_a_message_wakes_whoever_takes_it_once(queue_url: str) -> None:
    woken: list[str] = []
    sending, taking = queue.make(settings(queue_url)), queue.make(settings(queue_url), woken.append)
    sending.message("jobs")
    sending.message("")
    while (task := taking.huey.dequeue()) is not None:
        taking.huey.execute(task)
    assert woken == ["jobs", ""] and sending.huey.pending_count() == 0
    for one in (sending, taking):
        one.huey.storage.close()


def test_a_message_is_json_and_a_pickle_is_not_run(queue_url: str) -> None:
    made = queue.make(settings(queue_url))
    made.message("jobs")
    [raw] = made.huey.storage.enqueued_items()
    assert b'"args":["jobs"]' in bytes(raw)
    assert made.huey.dequeue() is not None
    made.huey.storage.enqueue(pickle.dumps(Message("1", "server.queue.wake")))
    with pytest.raises(jsontext.MalformedJson):
        made.huey.dequeue()
    made.huey.storage.close()


def test_a_wake_up_that_nobody_takes_piles_up_no_messages(app: Flask, queue_url: str) -> None:
    app.extensions["dangol.queue"] = made = queue.make(settings(queue_url))
    made.huey.flush()
    with app.app_context():
        for _ in range(40):
            queue.wake("jobs")
    assert made.huey.pending_count() == 16
    made.huey.flush()
    made.huey.storage.close()
    del app.extensions["dangol.queue"]


def test_the_queue_on_postgresql_keeps_out_of_the_schema_of_the_migrations(
    postgresql_url: str,
) -> None:
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://", 1)
    makers = [threading.Thread(target=lambda: queue.make(settings(url))) for _ in range(4)]
    for thread in makers:
        thread.start()
    for thread in makers:
        thread.join(20)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables"
            " WHERE table_name IN ('task', 'schedule', 'kv', 'counter')"
        ).fetchall()
    assert found == [("dangol_queue",)]


def test_a_running_worker_on_a_postgresql_queue_is_woken_by_a_message(
    make_world: Any, postgresql_url: str, tmp_path: Path
) -> None:
    world = make_world()
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://", 1)
    env = environment(world.app, tmp_path) | {"QUEUE_URL": url}
    with running(env, tmp_path / "log") as process:
        sending = queue.make(settings(url))
        sending.message("jobs")
        until(lambda: sending.huey.pending_count() == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    sending.huey.storage.close()


def test_an_unknown_queue_is_refused_and_redis_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsError, match="QUEUE_URL must start with"):
        Settings.from_env({"QUEUE_URL": "amqp://x"})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match="pip install redis"):
        queue.make(settings("redis://127.0.0.1/0"))


def test_the_queue_is_a_file_beside_the_database(tmp_path: Path) -> None:
    beside = Settings(database_url=f"sqlite:///{tmp_path}/shop.db", secret_key=SECRET_KEY)
    made = queue.make(beside)
    made.message("jobs")
    made.huey.storage.close()
    assert (tmp_path / "shop-queue.db").exists()
