"""A unit of work is whole or nothing, is run again when it lost a race, and fails readably."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from config import Settings
from core import auth, db, ids, rawsql
from core.errors import Problem
from server.app import create_app
from tests.contract.checking import problem, rows
from tests.world import World, order

KEYS: sa.Table = auth.ApiKey.__table__  # type: ignore[assignment]


def key_row(world: World, key_id: bytes, name: str = "row") -> dict[str, Any]:
    return {
        "program_id": ids.read_id("prg", world.program_id),
        "id": key_id,
        "name": name,
        "prefix": "sk_test",
        "last_four": "abcd",
        "scopes": "[]",
        "created_at": 0,
    }


def add(connection: sa.Connection, world: World, key_id: bytes) -> None:
    connection.execute(sa.insert(KEYS).values(key_row(world, key_id)))


def test_a_unit_that_lost_a_race_is_run_again_whole(world: World) -> None:
    taken, own, free = ids.new_id(), ids.new_id(), ids.new_id()
    attempts: list[int] = []

    def work(connection: sa.Connection) -> int:
        attempts.append(len(attempts))
        # Written by every attempt: only if the lost one left nothing can the next write it again.
        add(connection, world, own)
        add(connection, world, taken if len(attempts) == 1 else free)
        return len(attempts)

    with world.app.app_context():
        db.in_transaction(lambda connection: add(connection, world, taken))
        before = len(rows(world)["api_keys"])
        assert db.in_transaction(work) == 2
    assert len(rows(world)["api_keys"]) == before + 2


def test_a_race_that_is_lost_for_ever_ends(world: World) -> None:
    taken = ids.new_id()
    attempts: list[int] = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        add(connection, world, taken)

    with world.app.app_context():
        db.in_transaction(lambda connection: add(connection, world, taken))
        with pytest.raises(sa.exc.IntegrityError):
            db.in_transaction(work)
    assert len(attempts) == 8


def test_a_unit_that_asks_for_it_starts_again_with_nothing_written(world: World) -> None:
    key_id = ids.new_id()
    attempts: list[int] = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        add(connection, world, key_id)
        if len(attempts) < 3:
            raise db.Restart

    with world.app.app_context():
        db.in_transaction(work)
        with pytest.raises(Problem) as refused:
            db.in_transaction(_restart)
    assert len(attempts) == 3
    assert (refused.value.status, refused.value.code) == (503, "storage_unavailable")
    assert refused.value.headers["Retry-After"] == "1"


def _restart(_: sa.Connection) -> None:
    raise db.Restart


@pytest.mark.parametrize("error", [Problem(409, "state_conflict", "no"), KeyError("x")])
def test_a_unit_that_fails_leaves_nothing_and_is_not_run_again(
    world: World, error: Exception
) -> None:
    before = rows(world)
    attempts: list[int] = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        add(connection, world, ids.new_id())
        raise error

    with world.app.app_context(), pytest.raises(type(error)):
        db.in_transaction(work)
    assert len(attempts) == 1
    assert rows(world) == before


def test_nothing_written_while_reading_is_kept(world: World) -> None:
    before = rows(world)
    # PostgreSQL refuses it at once.
    with world.app.app_context(), contextlib.suppress(sa.exc.DBAPIError):
        db.reading(lambda connection: add(connection, world, ids.new_id()))
    assert rows(world) == before


def test_reading_little_needs_a_transaction_for_more_than_one_statement_alone(
    world: World,
) -> None:
    is_postgresql = "postgresql" in world.app.config["SQLALCHEMY_DATABASE_URI"]
    in_transaction: list[bool] = []

    def ask(connection: sa.Connection, *, raw: int, others: int) -> list[int]:
        kept: Any = connection.connection.driver_connection
        found = [rawsql.run(connection, "SELECT 1", [])[0][0] for _ in range(raw)]
        in_transaction.append(
            kept.in_transaction if not is_postgresql else kept.info.transaction_status != 0
        )
        found += [connection.execute(sa.text("SELECT 2")).scalar_one() for _ in range(others)]
        return found

    with world.app.app_context():
        for raw, others, expected in (
            (1, 0, [False]),
            # Begun anew in a transaction, whatever it is that asks for more.
            (2, 0, [True]),
            (1, 1, [False, True]),
            (1, 0, [False]),
        ):
            in_transaction.clear()
            work = partial(ask, raw=raw, others=others)
            assert db.reading_little(work) == [1] * raw + [2] * others
            assert in_transaction == (expected if is_postgresql else [True])


def test_a_statement_alone_is_in_no_transaction_and_survives_a_lost_connection(
    world: World,
) -> None:
    known = db.Statement(
        sa.select(KEYS.c.name)
        .where(KEYS.c.program_id == sa.bindparam("program_id"))
        .where(KEYS.c.id == sa.bindparam("id"))
    )
    key_id = ids.new_id()
    values = {"program_id": ids.read_id("prg", world.program_id), "id": key_id}
    with world.app.app_context():
        assert known.first_alone(values) is None
        # What is committed in between is seen by the next one: no snapshot is kept.
        db.in_transaction(lambda connection: add(connection, world, key_id))
        for _ in range(20):
            assert known.first_alone(values) == ("row",)
        engine = db.db.engine
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        if engine.dialect.name == "sqlite":
            return
        with engine.connect() as lent:
            driver: Any = lent.connection.driver_connection
            assert driver.info.transaction_status == 0
            pid = driver.info.backend_pid
        # The pool lends the connection that came back last.
        with engine.connect() as lost, engine.connect() as other:
            assert lost.connection.driver_connection.info.backend_pid == pid  # type: ignore[union-attr]
            other.execute(
                sa.text("SELECT pg_terminate_backend(CAST(:pid AS integer))"), {"pid": pid}
            )
        assert known.first_alone(values) == ("row",)
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_two_units_that_wait_for_each_other_both_end(world: World) -> None:
    one, other = ids.new_id(), ids.new_id()
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def lock(connection: sa.Connection, key_id: bytes) -> None:
        connection.execute(
            sa.update(KEYS)
            .where(KEYS.c.program_id == ids.read_id("prg", world.program_id), KEYS.c.id == key_id)
            .values(created_at=KEYS.c.created_at + 1)
        )

    def run(name: str, first: bytes, second: bytes) -> None:
        def work(connection: sa.Connection) -> None:
            attempts.append(name)
            lock(connection, first)
            if attempts.count(name) == 1 and connection.dialect.name == "postgresql":
                both_hold_one.wait(timeout=5)
            lock(connection, second)

        with world.app.app_context():
            db.in_transaction(work)

    with world.app.app_context():
        for key_id in (one, other):
            db.in_transaction(partial(add, world=world, key_id=key_id))
    threads = [
        threading.Thread(target=run, args=("there", one, other)),
        threading.Thread(target=run, args=("back", other, one)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    counts = [row[6] for row in rows(world)["api_keys"] if bytes(row[1]) in {one, other}]
    assert counts == [2, 2]
    if world.app.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql"):
        assert len(attempts) == 3  # One of them was the deadlock's victim, and ran again.


@pytest.fixture
def impatient(app: Flask, tmp_path: Path) -> Iterator[World]:
    """An application that waits a tenth of a second for a lock."""
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    if url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/impatient.db"
    made = create_app(
        Settings(database_url=url, secret_key="x" * 40, log_level="critical", lock_timeout_ms=100)
    )
    with made.app_context():
        flask_migrate.upgrade()
    world = World(made)
    world.member("mina")
    yield world
    with made.app_context():
        db.db.engine.dispose()


def test_a_database_locked_by_another_is_unavailable_and_not_an_error(impatient: World) -> None:
    url = impatient.app.config["SQLALCHEMY_DATABASE_URI"]
    other = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT 1 FROM members FOR UPDATE")
        before = rows(impatient)
        response = impatient.call("PUT", "/orders/A-1", order(1000))
        found = problem(response, 503, "storage_unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert "members" not in found["detail"]
        # Readers go on.
        assert impatient.balance() == 0
        assert rows(impatient) == before
        connection.exec_driver_sql("ROLLBACK")
    other.dispose()
    assert impatient.earned("A-1", 1000) == 10


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    # The session's own database is not: see tests/conftest.py.
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/new.db", secret_key="k" * 32))
    with app.app_context(), db.db.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with app.app_context():
        db.db.engine.dispose()


def test_a_server_is_set_up_to_see_what_is_committed_and_to_speak_of_one_time(app: Flask) -> None:
    with app.app_context(), db.db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            shown = connection.exec_driver_sql("SHOW transaction_isolation").scalar()
            assert shown == "read committed"
            assert connection.exec_driver_sql("SHOW timezone").scalar() in ("utc", "UTC")


def test_a_full_disk_is_unavailable_and_our_own_mistake_is_not() -> None:
    full = db.as_problem(sqlite3.OperationalError("database or disk is full"))
    assert full is not None and full.status == 503
    assert db.as_problem(ValueError("ours")) is None
    assert db.as_problem(sqlite3.IntegrityError("NOT NULL constraint failed")) is None
