"""Every test that takes `app`, `world` or `make_world` runs on SQLite and on PostgreSQL.

One migrated database a backend and session; each test makes programs of its own, which never
meet, so tests do not see each other.
"""

import gc
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from config import Settings
from server.app import create_app
from tests.postgres import postgresql
from tests.world import World

SECRET_KEY = "tests-only-0123456789-abcdefghijklmnop"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: looking through it for garbage, again and again, is a
    twentieth of the time of all tests, and a quarter of that of collecting them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def make_app(database_url: str) -> Flask:
    """A migrated application on a database."""
    app = create_app(
        Settings(
            database_url=database_url,
            secret_key=SECRET_KEY,
            log_level="error",
            server_threads=32,
            lock_timeout_ms=20_000,
        )
    )
    app.config["TESTING"] = False
    with app.app_context():
        flask_migrate.upgrade()
    return app


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """An empty PostgreSQL database of this session."""
    with postgresql() as url:
        name = f"dangol_suite_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}"'))
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        admin.dispose()
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on SQLite."""
    made = make_app(f"sqlite:///{tmp_path_factory.mktemp('db')}/dangol.db")
    with made.app_context():
        _write_carelessly()
    yield made
    _close(made)


@pytest.fixture(scope="session")
def postgresql_app(postgresql_url: str) -> Iterator[Flask]:
    """The application on PostgreSQL."""
    made = make_app(postgresql_url)
    yield made
    _close(made)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Flask:
    """The application on each database."""
    found: Flask = request.getfixturevalue(f"{request.param}_app")
    return found


def _close(app: Flask) -> None:
    from core.db import db

    with app.app_context():
        db.engine.dispose()


def _write_carelessly() -> None:
    """Do not wait for the disk: no test lets the machine die. `tests/core/test_db.py` looks at how
    a database is opened otherwise."""
    from core.db import db

    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    sa.event.listen(db.engine, "connect", set_up)
    # What migrating opened is opened anew.
    db.engine.dispose()


@pytest.fixture
def make_world(app: Flask) -> Callable[..., World]:
    """Make a program: `make_world(earning={…})` changes sections of the standard document."""

    def make(**changes: Any) -> World:
        return World(app, **changes)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A program with one point per 1.00, and Mina and Jun as members."""
    made = make_world()
    made.member("mina")
    made.member("jun")
    return made
