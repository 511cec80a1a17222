"""Every test that takes `app`, `world` or `make_world` runs on SQLite and on PostgreSQL.

One migrated database a backend and session; each test makes programs of its own, which never
meet, so tests do not see each other.
"""

import os
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The application on each database."""
    if request.param == "sqlite":
        made = make_app(f"sqlite:///{tmp_path_factory.mktemp('db')}/dangol.db")
    else:
        made = make_app(request.getfixturevalue("postgresql_url"))
    yield made
    with made.app_context():
        from core.db import db

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
