"""Killed at any named place, and under load: nothing acknowledged is lost, nothing doubled."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from bench import crashes
from bench.postgres import temporary_folder
from config import Settings, SettingsError
from core import db, failpoints, ids, jobs
from core.outbox import OutboxMessage
from tests.conftest import SECRET_KEY
from tests.server import crashing
from tests.world import World, document, order, points

ROOT = Path(__file__).parents[2]
#: At each place: is the order stored when the process dies there?
SERVING = {"db.before_commit": False, "db.after_commit": True, "http.before_answer": True}
#: A worker's first commit claims the job, the second is its effect, the third marks it.
WORKING = {
    "jobs.after_claim": False,
    "db.before_commit:2": False,
    "db.after_commit:2": True,
    "jobs.before_done": True,
    "db.before_commit:3": True,
}


def environment(app: Flask) -> dict[str, str]:
    settings: Settings = app.extensions["dangol.settings"]
    return {"DATABASE_URL": settings.database_url, "SECRET_KEY": SECRET_KEY}


@pytest.fixture
def served(app: Flask, tmp_path: Path) -> Iterator[crashes.ServedInstance]:
    made = crashes.ServedInstance(
        environment(app)["DATABASE_URL"], tmp_path, SECRET_KEY=SECRET_KEY, SERVER_WORKERS="1"
    )
    yield made
    made.stop()


def outbox_types(world: World) -> list[str]:
    statement = sa.select(OutboxMessage.type).where(
        OutboxMessage.program_id == ids.read_id("prg", world.program_id)
    )
    with world.app.app_context():
        return sorted(db.reading(lambda one: list(one.execute(statement).scalars())))


def effects(world: World) -> tuple[int, int, list[str]]:
    return world.balance(), len(world.entries()), outbox_types(world)


def undisturbed(make_world: Callable[..., World]) -> tuple[int, int, list[str]]:
    world = make_world()
    world.member("mina")
    world.order("o1", 1200)
    return effects(world)


@pytest.mark.parametrize("place", SERVING)
def test_a_server_killed_at_a_place_has_the_effect_of_a_repeated_order_once(
    make_world: Callable[..., World], served: crashes.ServedInstance, place: str
) -> None:
    world = make_world()
    world.member("mina")
    served.start(CRASH_AT=place)
    with pytest.raises((OSError, HTTPException)):
        served.call("PUT", "/v1/orders/o1", order(1200), key=world.key)
    stored = world.call("GET", "/orders/o1").status_code == 200
    assert stored is SERVING[place]
    served.kill()
    # Told again to another process on the same database; the test below starts the same anew.
    again = world.put("/orders/o1", order(1200), status=200 if stored else 201)
    assert points(again) == 12
    assert effects(world) == undisturbed(make_world)
    assert world.balance() == 12
    assert world.verify()["mismatches"] == []


def test_a_server_killed_before_it_answers_gives_the_stored_answer_to_the_repeated_key(
    make_world: Callable[..., World], served: crashes.ServedInstance
) -> None:
    world = make_world()
    world.put("/program/draft", document(name="Bloom 2"))
    served.start(CRASH_AT="http.before_answer")
    path, body = "/v1/program/draft/publish", {"note": "again"}
    before = {one.pid for one in served.workers()}
    with pytest.raises((OSError, HTTPException)):
        served.call("POST", path, body, key=world.key)
    served.kill()
    served.start()
    assert not before & {one.pid for one in served.workers()}
    assert served.call("POST", path, body, key=world.key)[0] == 200
    assert [one["version"] for one in world.get("/program/versions")["data"]] == [2, 1]


def killed_at(app: Flask, place: str) -> int:
    """How a worker ended in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.server.crashing"],
        cwd=ROOT,
        env=os.environ | environment(app) | {"CRASH_AT": place},
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def change(app: Flask, statement: Any) -> None:
    with app.app_context():
        db.in_transaction(lambda connection: connection.execute(statement))


def job(world: World) -> Any:
    statement = sa.select(jobs.JobRow).where(
        jobs.JobRow.program_id == ids.read_id("prg", world.program_id)
    )
    with world.app.app_context():
        return db.reading(lambda one: one.execute(statement).one())


@pytest.mark.parametrize("place", WORKING)
def test_a_worker_killed_at_a_place_has_its_job_done_once_by_another(
    make_world: Callable[..., World], place: str
) -> None:
    world = make_world()
    world.member("mina")
    # What other tests of the session left open is not this worker's.
    change(world.app, sa.delete(jobs.JobRow))
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    payload = {"order": order(1200), "key": world.key}
    with world.app.app_context():
        db.in_transaction(
            lambda one: jobs.add(one, program_id, kind="test.order", key="o1", payload=payload)
        )
    assert killed_at(world.app, place) == -signal.SIGKILL
    assert (world.call("GET", "/orders/o1").status_code == 200) is WORKING[place]
    left = job(world)
    assert left.done_at is None and left.leased_until is not None and left.attempts == 1
    # Its lease is respected as long as it runs, and taken over when it has run out: by this
    # process, which is another than the one that died.
    assert crashing.work(world.app) and job(world).attempts == 1
    change(world.app, sa.update(jobs.JobRow).values(leased_until=1))
    assert crashing.work(world.app)
    assert job(world).done_at is not None and job(world).attempts == 2
    assert effects(world) == undisturbed(make_world)
    assert world.verify()["mismatches"] == []


def test_every_failpoint_is_placed_and_has_a_test_of_its_own() -> None:
    folders = ("core", "members", "orders", "loyalty", "storefront", "webhooks", "server")
    sources = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    placed = {
        name
        for file in sources
        for name in re.findall(r'failpoints\.reach\("([a-z._]+)"\)', file.read_text())
    }
    tests = [file.read_text() for file in (ROOT / "tests").rglob("*.py")]
    assert placed <= set(failpoints.NAMES)
    assert {one.split(":")[0] for one in (*SERVING, *WORKING)} <= placed
    assert [name for name in placed if not any(f'"{name}' in text for text in tests)] == []


def test_production_refuses_failpoints_and_so_does_a_name_nobody_knows() -> None:
    production = {"DANGOL_ENV": "production", "SECRET_KEY": SECRET_KEY}
    assert Settings.from_env(production).is_production
    with pytest.raises(SettingsError, match="CRASH_AT is for tests"):
        Settings.from_env(production | {"CRASH_AT": "db.after_commit"})
    for bad in ("db.after_commit:0", "db.after_commit:x"):
        with pytest.raises(SettingsError, match="third time"):
            Settings.from_env({"CRASH_AT": bad})
    refused = subprocess.run(
        [sys.executable, "-c", "import core.failpoints"],
        cwd=ROOT,
        env=os.environ | {"CRASH_AT": "nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1 and "names no failpoint" in refused.stderr


#: `python -m bench.crashes` kills ten times as often.
KILLS = int(os.environ.get("CRASH_KILLS", "3"))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_under_load_every_acknowledged_order_counts_once(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    if database == "postgresql":
        given = sa.make_url(request.getfixturevalue("postgresql_url"))
        name = f"{given.database}_killed"
        admin = sa.create_engine(given, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        admin.dispose()
        url = given.set(database=name).render_as_string(hide_password=False)
    report = crashes.run(url, tmp_path, kills=KILLS, kill=crashes.kill_serving)
    assert report.faults == []
    # The kills fell into requests, and there was a load to speak of.
    assert report.orders > 100 and report.retries > KILLS


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="kills a PostgreSQL of its own")
def test_postgresql_killed_under_load_loses_nothing_that_was_acknowledged() -> None:
    # Not in pytest's own folder: PostgreSQL's operating system user must reach it.
    with temporary_folder() as folder, crashes.killed_postgres(folder) as postgres:
        report = crashes.run(postgres.url, folder, kills=1, kill=postgres.kill)
    assert report.faults == []
    assert report.orders > 50 and report.retries > 1
