"""Databases of a test's own, and a little history of everything to fill one with."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask

from core.db import db
from tests.conftest import make_app
from tests.world import World, line, per_euro, rule

_numbers = itertools.count(1)

RULES = [
    rule("base", per_euro()),
    rule("stars", {"do": "points_per_unit", "points": 3, "points_key": "stars"}),
    {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}},
]
#: Everything that a text can hold and a format can trip over.
NAME = "민아 \\N \\x00 \t\"'{}[]\u2028\x7f é e\u0301 \U0001f33a \U0010ffff"


@contextmanager
def empty_url(kind: str, folder: Path, server_url: str | None) -> Iterator[str]:
    """The URL of a new database: a file in the folder, or one on the server, dropped at the end."""
    name = f"dangol_own_{os.getpid()}_{next(_numbers)}"
    if kind == "sqlite":
        yield f"sqlite:///{folder}/{name}.db"
        return
    assert server_url is not None
    admin = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    try:
        yield sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


@contextmanager
def empty(kind: str, folder: Path, server_url: str | None) -> Iterator[Flask]:
    """A migrated application on an empty database of its own."""
    with empty_url(kind, folder, server_url) as url:
        app = make_app(url)
        try:
            yield app
        finally:
            with app.app_context():
                db.engine.dispose()


def fill(app: Flask) -> list[World]:
    """Two programs with members, orders, refunds, cancellations, two kinds of points."""
    worlds = []
    for mode in ("test", "live"):
        world = World(
            app, mode=mode, points=[{"key": "points"}, {"key": "stars"}], earning={"rules": RULES}
        )
        world.member("mina", name=NAME, email="mina@example.com", phone="+821012345678")
        world.member("jun", attributes={"size": 9_007_199_254_740_991, "vip": True})
        world.order("A-1", 12_000)
        world.order("A-1", line("1", 12_000, refunded_minor=8_000))
        world.order("A-2", 9_000, 500, placed_at="2026-03-02T10:00:00Z")
        world.order("A-3", 5_000, placed_at="2026-03-03T10:00:00Z", status="cancelled")
        world.order("B-1", 7_000, member_ref="jun")
        world.order("G-1", 4_000, member_ref=None)
        world.publish(earning={"rules": RULES[:1]})
        world.order("B-2", 100_000_000_000, member_ref="jun", placed_at="2026-03-04T10:00:00Z")
        worlds.append(world)
    return worlds


PATHS = (
    "/program",
    "/program/versions",
    "/members/mina",
    "/members/jun",
    "/members/mina/balances",
    "/members/jun/balances",
    "/members/mina/entries?limit=100",
    "/members/jun/entries?limit=100",
    "/orders/A-1",
    "/orders/B-2",
    "/orders/G-1",
)


def answers(app: Flask, world: World) -> dict[str, bytes]:
    """What an instance answers with the keys of a program, byte for byte."""
    found = {}
    for path in PATHS:
        response: Any = app.test_client().get(
            f"/v1{path}", headers={"Authorization": f"Bearer {world.key}"}
        )
        assert response.status_code == 200, f"{path}: {response.get_data(as_text=True)}"
        found[path] = response.get_data()
    # A contact is found by its digest, which SECRET_KEY keys.
    response = app.test_client().post(
        "/v1/members/search",
        json={"email": "mina@example.com"},
        headers={"Authorization": f"Bearer {world.key}"},
    )
    assert response.status_code == 200 and len(response.json["data"]) == 1
    found["search"] = response.get_data()
    return found


def rows(app: Flask) -> dict[str, list[Any]]:
    """Every row of every table as Python values, by an ORDER of Python's own."""
    found = {}
    with app.app_context(), db.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            read = [tuple(row) for row in connection.execute(sa.select(table))]
            found[table.name] = sorted(read, key=repr)
    return found


def run(app: Flask, *arguments: str) -> Any:
    """A command of the operator."""
    return app.test_cli_runner().invoke(args=list(arguments))
