"""The queue that wakes workers: Huey, on a SQLite file, PostgreSQL or Redis.

A message only says that something may be due. What is due stands in rows, and workers look for
it every second anyway, so a queue that is lost, late or away loses nothing. Messages are JSON:
whoever can write to the queue must not thereby run code in a worker, as pickled ones would.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app
from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from config import Settings, SettingsError
from core import jsontext

_NAME = "dangol"
#: Tables of the queue stay out of the schema that the migrations own.
_SCHEMA = "dangol_queue"
_SET_UP_LOCK = 0x64616E676F6C
#: So many messages wake everybody; more say nothing new.
_WAITING_MAX = 16


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue and the one message it carries."""

    huey: Any
    message: Any


class _Json(Serializer):  # type: ignore[misc]
    def _serialize(self, data: Message) -> bytes:
        return jsontext.write({"id": data.id, "name": data.name, "args": list(data.args)})

    def _deserialize(self, data: bytes) -> Message:
        value = jsontext.read(bytes(data))
        return Message(
            id=str(value["id"]),
            name=str(value["name"]),
            retries=0,
            retry_delay=0,
            args=tuple(value["args"]),
            kwargs={},
        )


def _ignore(_name: str) -> None:
    """What a process that only sends does with messages."""


def make(settings: Settings, on_wake: Callable[[str], None] = _ignore) -> Queue:
    """The queue of the settings; `on_wake` is called with the name of a duty, or "" for all."""
    huey = _huey(settings)

    def woken(name: str) -> None:
        on_wake(name)

    return Queue(huey, huey.task(name="wake")(woken))


def of(app: Flask) -> Queue:
    """The application's queue for sending, made when it is first asked for."""
    made: Queue | None = app.extensions.get("dangol.queue")
    if made is None:
        made = app.extensions["dangol.queue"] = make(app.extensions["dangol.settings"])
    return made


def wake(name: str = "") -> None:
    """Wake a worker for one duty or, with "", for all; called after a commit by whoever does not
    want to wait for the next second."""
    queue = of(current_app)
    if queue.huey.pending_count() < _WAITING_MAX:
        queue.message(name)


def _huey(settings: Settings) -> Any:
    options: dict[str, Any] = {"results": False, "serializer": _Json()}
    url = settings.queue_url or _default_url(settings)
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteHuey(_NAME, filename=str(path), **options)
    if url.startswith("postgresql"):
        return _postgresql(url, options)
    if importlib.util.find_spec("redis") is None:
        raise SettingsError("QUEUE_URL names Redis: pip install redis first.")
    return RedisHuey(_NAME, url=url, **options)


def _default_url(settings: Settings) -> str:
    if not settings.is_sqlite:
        return f"sqlite:///{Path('var/queue.db').absolute()}"
    database = Path(sa.make_url(settings.database_url).database or "var/dangol.db")
    return f"sqlite:///{database.with_name(database.stem + '-queue.db')}"


def _postgresql(url: str, options: dict[str, Any]) -> Any:
    from huey.contrib.sql_huey import SqlStorage
    from peewee import PostgresqlDatabase

    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        # Workers that start together would otherwise all create the tables.
        connection.execute("SELECT pg_advisory_lock(%s)", [_SET_UP_LOCK])
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        database = PostgresqlDatabase(
            url, prefer_psycopg3=True, options=f"-c search_path={_SCHEMA}", connect_timeout=10
        )
        made = Huey(_NAME, storage_class=SqlStorage, database=database, **options)
        made.storage.close()
    return made
