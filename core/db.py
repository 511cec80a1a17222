"""Two databases behind one code path: engine set-up, units of work, statements compiled once.

A unit of work is one transaction that `in_transaction` commits, and the only place that commits.
It repeats the whole unit when a race was lost, so a unit may touch nothing but the database.
SQLite writers start with BEGIN IMMEDIATE (one at a time, queued in this process first); PostgreSQL
runs READ COMMITTED with row locks. Hot statements skip SQLAlchemy's execution layer: they are
compiled once per dialect and run on the driver's own connection.
"""

import contextlib
import itertools
import random  # noqa: TID251
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase

from config import Settings
from core import failpoints, rawsql
from core.errors import Problem

T = TypeVar("T")
Row = Sequence[Any]

#: Lost races that a fresh attempt can win: serialization, deadlock, unique violation.
_RETRIED = {"40001", "40P01", "23505"}
_ATTEMPTS = 8
#: Units of work after which a connection plans its statements anew (some 3 ms of planning).
_REPLANNED_EVERY = 256


class Base(DeclarativeBase):
    """Parent of every table class."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

#: 16 bytes of a UUIDv7.
Id = sa.LargeBinary(16)


class Restart(Exception):  # noqa: N818
    """The unit found that it must lock more than it had: run it again from the start."""


def init(app: Flask, settings: Settings) -> None:
    """Bind the application to its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    if settings.is_sqlite:
        event.listen(engine, "connect", _set_up_sqlite(settings))
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _set_up_postgresql)
        event.listen(engine, "before_cursor_execute", _flush_before)
        event.listen(engine, "commit", _flush_before)


def _engine_options(settings: Settings) -> dict[str, Any]:
    if settings.is_sqlite:
        return {
            "connect_args": {"check_same_thread": False, "isolation_level": None},
            "pool_size": settings.server_threads,
            "max_overflow": 32,
            "pool_timeout": 10,
        }
    options = (
        f"-c timezone=utc -c statement_timeout={settings.statement_timeout_ms}"
        f" -c lock_timeout={settings.lock_timeout_ms}"
        " -c idle_in_transaction_session_timeout=60000"
        # Every hot statement finds its rows by key: a plan made once serves all values, also
        # when it was made while the tables were still empty.
        " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
    )
    # psycopg prepares nothing by itself: it would drop `core.rawsql`'s statements with its own.
    return {
        "connect_args": {"options": options, "prepare_threshold": None, "connect_timeout": 10},
        "pool_size": settings.server_threads,
        "max_overflow": 2,
        "pool_timeout": 10,
        "pool_use_lifo": True,
    }


def _set_up_sqlite(settings: Settings) -> Callable[[sqlite3.Connection, Any], None]:
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in (
            f"busy_timeout={settings.lock_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-16384",
            # What is erased or replaced is overwritten, not only forgotten.
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return set_up


def _begin_sqlite(connection: sa.Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _flush_before(connection: sa.Connection, *_: Any) -> None:
    rawsql.flush(connection)


def _set_up_postgresql(connection: psycopg.Connection[Any], _record: Any) -> None:
    # One wire type for every integer: otherwise psycopg picks int2, int4 or int8 by value and
    # each combination becomes a prepared statement of its own.
    connection.adapters.register_dumper(int, Int8Dumper)


def in_transaction(work: Callable[[sa.Connection], T]) -> T:
    """Run `work` in one transaction and commit it; run it again when it lost a race.

    Raises whatever `work` raises, with nothing written, and `Problem` 503 when the store is
    locked, full or away. After a 503 the caller repeats the request with the same reference.
    """
    for attempt in itertools.count(1):
        try:
            return _attempt(work)
        except Restart:
            if attempt >= _ATTEMPTS:
                raise unavailable("The rows of this request keep changing.") from None
        except rawsql.ConnectionLostError:
            # The database was restarted: its other connections are gone as well.
            db.engine.dispose()
            if attempt > 1:
                raise
        except (DBAPIError, psycopg.Error, sqlite3.Error, PoolTimeout) as error:
            if attempt >= _ATTEMPTS or not _is_lost_race(error):
                raise
        # Not chance that decides anything: it only keeps two losers from meeting again.
        time.sleep(random.uniform(0.0, 0.004) * attempt)  # noqa: S311
    raise AssertionError("unreachable")


def _attempt(work: Callable[[sa.Connection], T]) -> T:
    result = _committed(work)
    failpoints.reach("db.after_commit")
    return result


def _committed(work: Callable[[sa.Connection], T]) -> T:
    engine = db.engine
    if engine.dialect.name == "sqlite":
        with (
            _sqlite_queue(),
            engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            result = work(connection)
            failpoints.reach("db.before_commit")
            return result
    with engine.connect() as connection, connection.begin():
        with _dropped_when_lost(connection):
            rawsql.begin(connection)
            _age(connection)
            result = work(connection)
            failpoints.reach("db.before_commit")
            rawsql.commit(connection)
        return result


@contextlib.contextmanager
def _dropped_when_lost(connection: sa.Connection) -> Iterator[None]:
    """Leave a connection clean behind a transaction: nothing waits on it, and a lost one is
    dropped, since rolling it back would fail in place of what it was lost in."""
    try:
        yield
    except psycopg.OperationalError:
        rawsql.forget(connection)
        if rawsql.is_lost(connection):
            connection.invalidate()
        raise
    finally:
        if not connection.invalidated:
            rawsql.forget(connection)


def _age(connection: sa.Connection) -> None:
    """Throw a connection's plans away now and then: those made on a table that was still empty
    pick any index, a plan is kept as long as its connection lives, and any table may be the one
    that starts to grow."""
    units = connection.info["units"] = connection.info.get("units", 0) + 1
    if units % _REPLANNED_EVERY == 0:
        rawsql.later(connection, "DISCARD PLANS", is_rare=True)


class _sqlite_queue:  # noqa: N801
    """Writers of this process wait here in turn, not in SQLite's busy loop that sleeps."""

    def __enter__(self) -> None:
        settings: Settings = current_app.extensions["dangol.settings"]
        self._turn = current_app.extensions.setdefault("dangol.writer", threading.Lock())
        if not self._turn.acquire(timeout=settings.lock_timeout_ms / 1000):
            raise unavailable("Another writer holds the database.")

    def __exit__(self, *_: object) -> None:
        self._turn.release()


def reading(work: Callable[[sa.Connection], T]) -> T:
    """Run `work` on one consistent read transaction; nothing it does is kept."""
    return _again_when_lost(lambda: _read(work))


def _again_when_lost(read: Callable[[], T]) -> T:
    try:
        return read()
    except rawsql.ConnectionLostError:
        db.engine.dispose()
        return read()


def _read(work: Callable[[sa.Connection], T]) -> T:
    with db.engine.connect() as connection, connection.begin() as transaction:
        try:
            with _dropped_when_lost(connection):
                if connection.dialect.name == "postgresql":
                    rawsql.begin(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    result = work(connection)
                    rawsql.rollback(connection)
                    return result
                return work(connection)
        finally:
            transaction.rollback()


def reading_little(work: Callable[[sa.Connection], T]) -> T:
    """The same for work that hardly ever asks for more than one statement: then that needs no
    transaction. If it does ask for more, it is run again from the start, in one."""
    try:
        if db.engine.dialect.name == "postgresql":
            return _again_when_lost(lambda: _read_little(work))
    except rawsql.MoreAskedError:
        pass
    return reading(work)


def _read_little(work: Callable[[sa.Connection], T]) -> T:
    with (
        db.engine.connect() as connection,
        _dropped_when_lost(connection),
        rawsql.single(connection),
    ):
        return work(connection)


def reading_once(work: Callable[[sa.Connection], T]) -> T:
    """Run `work`, which is a single statement, without a transaction around it."""
    return _again_when_lost(lambda: _read_once(work))


def _read_once(work: Callable[[sa.Connection], T]) -> T:
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            return work(connection)
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        try:
            return work(connection)
        finally:
            if not driver.closed:
                driver.autocommit = False


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _is_lost_race(error: BaseException) -> bool:
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.IntegrityError):
        return "UNIQUE" in str(cause)
    return getattr(cause, "sqlstate", None) in _RETRIED


def unavailable(detail: str) -> Problem:
    """503 `storage_unavailable`."""
    return Problem(
        503,
        "storage_unavailable",
        f"{detail} Nothing is lost: send the same request again.",
        headers={"Retry-After": "1"},
    )


_NOT_MIGRATED = "The database is not migrated: run flask db upgrade."


def as_problem(error: BaseException) -> Problem | None:
    """The 503 for a database that is locked, full or away; None when it is a fault of ours."""
    if isinstance(error, PoolTimeout):
        return Problem(
            503,
            "overloaded",
            "All database connections are in use. Send the same request again.",
            headers={"Retry-After": "1"},
        )
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.OperationalError):
        if str(cause).startswith("no such table"):
            return unavailable(_NOT_MIGRATED)
        return unavailable(f"The database cannot be used just now ({cause}).")
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate or ""
        if state == "42P01":
            return unavailable(_NOT_MIGRATED)
        if state[:2] in {"08", "53", "55", "57", "40"} or isinstance(
            cause, psycopg.OperationalError
        ):
            return unavailable("The database cannot be used just now.")
    return None


def is_refused(error: BaseException) -> bool:
    """Whether the database refused a row (a constraint): nothing of the unit was written."""
    cause = _driver_error(error)
    return isinstance(cause, (psycopg.IntegrityError, sqlite3.IntegrityError))


class Statement:
    """A Core statement compiled once per dialect and run on the driver's own connection.

    Values are bound as they are: bytes, str, int, bool and None, and rows come back as the
    driver gives them (SQLite's booleans are 0 and 1).
    """

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str]]] = {}

    def rows(self, connection: sa.Connection, values: Mapping[str, Any]) -> list[Row]:
        """Run it and return every row."""
        return list(self._run(connection, values))

    def first(self, connection: sa.Connection, values: Mapping[str, Any]) -> Row | None:
        """Run it and return the first row, if any."""
        return next(iter(self._run(connection, values)), None)

    def first_alone(self, values: Mapping[str, Any]) -> Row | None:
        """Run it by itself, in no transaction, and return the first row, if any."""
        engine = db.engine
        if engine.dialect.name == "sqlite":
            return reading_once(lambda connection: self.first(connection, values))
        sql, bound = self._bound(engine.dialect, values)
        found = _again_when_lost(lambda: rawsql.run_alone(engine, sql, bound))
        return found[0] if found else None

    def _run(self, connection: sa.Connection, values: Mapping[str, Any]) -> rawsql.Rows:
        return rawsql.run(connection, *self._bound(connection.dialect, values))

    def _bound(self, dialect: sa.Dialect, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=_numbering(dialect))
            order = getattr(compiled, "positiontup", None)
            assert order is not None
            found = self._compiled[dialect.name] = (str(compiled), order)
        return found[0], [values[key] for key in found[1]]


def _numbering(dialect: sa.Dialect) -> sa.Dialect:
    """A dialect that numbers its parameters as the driver takes them raw: ?, or $1, $2, …"""
    if dialect.name == "sqlite":
        return dialect
    numbered: sa.Dialect = postgresql.psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    return numbered
