"""SQL of our own on the driver's connection: prepared once per connection, one call each.

psycopg's cursors wait in Python for every answer, which costs a checkout more than its queries
do. Here libpq's blocking call is used instead, with psycopg's own adaptation of values. SQLite
runs the same text through the standard library.
"""

import contextlib
import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.abc import PyFormat
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

Rows = list[tuple[Any, ...]]
_KEPT = "dangol.driver"
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class ConnectionLostError(psycopg.OperationalError):
    """The server went away: nothing that was not committed is stored."""


class MoreAskedError(Exception):
    """What was to be a single statement asks for another."""


@dataclass(slots=True)
class _Sent:
    """A statement ready to be sent: by its prepared name, or as text."""

    sql: bytes
    name: bytes | None
    values: Sequence[Any] | None
    types: Any
    formats: Any

    def run(self, pgconn: Any) -> Any:
        """Run it alone and wait."""
        if self.name is None:
            return pgconn.exec_params(self.sql, self.values, self.types, self.formats)
        return pgconn.exec_prepared(self.name, self.values, self.formats)

    def send(self, pgconn: Any) -> None:
        """Send it as part of a pipeline."""
        if self.name is None:
            pgconn.send_query_params(self.sql, self.values, self.types, self.formats)
        else:
            pgconn.send_query_prepared(self.name, self.values, self.formats)


_COMMIT = _Sent(b"COMMIT", None, None, None, None)
_ROLLBACK = _Sent(b"ROLLBACK", None, None, None, None)


class _Driver:
    """What is kept beside a PostgreSQL connection: its statements, its adaptation, its queue."""

    def __init__(self, driver: Any) -> None:
        self.pgconn = driver.pgconn
        self.transformer = Transformer(driver)
        self.names: dict[str, bytes] = {}
        self.waiting: list[_Sent] = []
        #: How many statements may still be run, where that is limited (`single`).
        self.left: int | None = None
        self.poll = select.poll()
        self.poll.register(driver.pgconn.socket, select.POLLIN)


def _driver_of(connection: sa.Connection) -> _Driver:
    # `info` lives as long as the driver's connection, and is emptied with it.
    kept: _Driver | None = connection.info.get(_KEPT)
    return kept or _driver_of_lent(connection.connection)


def _driver_of_lent(lent: sa.PoolProxiedConnection) -> _Driver:
    kept: _Driver | None = lent.info.get(_KEPT)
    if kept is None:
        kept = lent.info[_KEPT] = _Driver(lent.driver_connection)
    return kept


def run(
    connection: sa.Connection, sql: str, values: Sequence[Any], *, is_rare: bool = False
) -> Rows:
    """Run a statement with numbered parameters (`mark`) in the current transaction.

    Returns every row. A statement whose shape will hardly come again (`is_rare`) is not prepared.
    Raises the driver's own errors, also those of statements that waited.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return driver.execute(sql, values).fetchall()  # type: ignore[no-any-return]
    kept = _driver_of(connection)
    sent = _dumped(kept, sql, values, is_rare=is_rare)
    kept.waiting.append(sent)
    return _loaded(kept, _send(kept))


def run_alone(engine: sa.Engine, sql: str, values: Sequence[Any]) -> Rows:
    """Run one statement on PostgreSQL by itself, in no transaction, on a connection that is lent
    for it: there is no cheaper read. Raises as `run` does; a lost connection is dropped."""
    lent = engine.raw_connection()
    try:
        kept = _driver_of_lent(lent)
        kept.waiting = [_dumped(kept, sql, values, is_rare=False)]
        return _loaded(kept, _send(kept))
    except ConnectionLostError:
        lent.invalidate()
        raise
    finally:
        lent.close()


def _loaded(kept: _Driver, result: Any) -> Rows:
    if result.ntuples == 0:
        return []
    kept.transformer.set_pgresult(result)
    return kept.transformer.load_rows(0, result.ntuples, tuple)


def later(
    connection: sa.Connection, sql: str, values: Sequence[Any] = (), *, is_rare: bool = False
) -> None:
    """Run a statement that returns nothing, on PostgreSQL together with the next one: BEGIN goes
    with the first statement of a unit, its last one with COMMIT. Each sees what the one before
    it did; if one fails, none of those behind it runs."""
    if connection.dialect.name == "sqlite":
        run(connection, sql, values)
        return
    kept = _driver_of(connection)
    sent = _dumped(kept, sql, values, is_rare=is_rare)
    kept.waiting.append(sent)


def begin(connection: sa.Connection, text: str = "BEGIN") -> None:
    """Begin a transaction on PostgreSQL, with its first statement."""
    _driver_of(connection).waiting = [_Sent(text.encode(), None, None, None, None)]


def rollback(connection: sa.Connection) -> None:
    """End a transaction of nothing but reading on PostgreSQL."""
    kept = _driver_of(connection)
    # Where it was only to be begun, there is nothing to end.
    is_begun = kept.pgconn.transaction_status != TransactionStatus.IDLE
    kept.waiting = [_ROLLBACK] if is_begun else []
    _send(kept)


@contextlib.contextmanager
def single(connection: sa.Connection) -> Iterator[None]:
    """Let one statement be run on PostgreSQL, in no transaction, and refuse any other."""
    kept = _driver_of(connection)
    kept.left = 1
    try:
        yield
    finally:
        kept.left = None


def ask_for_more(connection: sa.Connection) -> None:
    """Say, before a single statement is sent, that it would not do."""
    if connection.dialect.name != "sqlite" and _driver_of(connection).left is not None:
        raise MoreAskedError


def forget(connection: sa.Connection) -> None:
    """Drop what waits: its transaction is over."""
    if connection.dialect.name != "sqlite":
        _driver_of(connection).waiting.clear()


def is_lost(connection: sa.Connection) -> bool:
    """Whether the server behind a PostgreSQL connection went away."""
    lost: bool = _driver_of(connection).pgconn.status != ConnStatus.OK
    return lost


def flush(connection: sa.Connection) -> None:
    """Run what waits, before somebody else uses the connection."""
    if connection.dialect.name != "sqlite":
        kept = _driver_of(connection)
        if kept.left is not None:
            raise MoreAskedError
        if kept.waiting:
            _send(kept)


def commit(connection: sa.Connection) -> None:
    """COMMIT on PostgreSQL, with what waits; raises when the server rolled back instead."""
    kept = _driver_of(connection)
    kept.waiting.append(_COMMIT)
    try:
        result = _send(kept)
    except ConnectionLostError as error:
        # It may have committed: only the caller, with the same reference, can try again.
        raise psycopg.OperationalError(str(error)) from error
    if result.command_status == b"ROLLBACK":
        raise psycopg.errors.InFailedSqlTransaction("the transaction had failed")


def _dumped(kept: _Driver, sql: str, values: Sequence[Any], *, is_rare: bool) -> _Sent:
    if kept.left is not None:
        if not kept.left:
            raise MoreAskedError
        kept.left -= 1
    transformer = kept.transformer
    dumped = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values)) if values else None
    types = transformer.types if values else None
    formats = transformer.formats if values else None
    if is_rare:
        return _Sent(sql.encode(), None, dumped, types, formats)
    name = kept.names.get(sql)
    if name is None:
        _send(kept)
        name = f"dangol_{len(kept.names)}".encode()
        _checked(kept.pgconn, kept.pgconn.prepare(name, sql.encode(), types))
        kept.names[sql] = name
    return _Sent(sql.encode(), name, dumped, types, formats)


def _send(kept: _Driver) -> Any:
    """Send what waits and return the result of the last; nothing waits afterwards."""
    waiting, kept.waiting = kept.waiting, []
    if not waiting:
        return None
    try:
        if len(waiting) == 1:
            return _checked(kept.pgconn, waiting[0].run(kept.pgconn))
        return _pipelined(kept, waiting)
    except psycopg.OperationalError as error:
        if kept.pgconn.status == ConnStatus.OK:
            raise
        raise ConnectionLostError("the connection was lost") from error


def _pipelined(kept: _Driver, waiting: Sequence[_Sent]) -> Any:
    pgconn = kept.pgconn
    pgconn.enter_pipeline_mode()
    try:
        for sent in waiting:
            sent.send(pgconn)
        pgconn.pipeline_sync()
        _flush(kept)
        return _received(kept, len(waiting))
    finally:
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()


def _flush(kept: _Driver) -> None:
    """Send everything: more than the socket takes at once waits until the server has read it,
    and what the server answers meanwhile is taken in, or both would wait for each other."""
    pgconn = kept.pgconn
    if not pgconn.flush():
        return
    kept.poll.modify(pgconn.socket, select.POLLIN | select.POLLOUT)
    try:
        while pgconn.flush():
            for _, what in kept.poll.poll():
                if what & ~select.POLLOUT:
                    pgconn.consume_input()
    finally:
        kept.poll.modify(pgconn.socket, select.POLLIN)


def _received(kept: _Driver, count: int) -> Any:
    """The last of `count` results, once all have come; raises the first failure."""
    failed, last = None, None
    for _ in range(count):
        result = _next(kept)
        if result is None:
            raise ConnectionLostError("the connection was lost")
        if result.status not in _GOOD and failed is None:
            failed = result
        last = result
        # A null ends the results of each statement.
        _next(kept)
    synced = _next(kept)
    if failed is not None:
        raise _error(kept.pgconn, failed)
    if synced is None or synced.status != ExecStatus.PIPELINE_SYNC:
        raise ConnectionLostError("the connection was lost")
    return last


def _next(kept: _Driver) -> Any:
    # libpq would wait for the result with Python's lock held, and the thread that we wait for
    # could not finish: wait for the socket instead.
    pgconn = kept.pgconn
    while pgconn.is_busy():
        kept.poll.poll()
        pgconn.consume_input()
    return pgconn.get_result()


def _checked(pgconn: Any, result: Any) -> Any:
    if result.status not in _GOOD:
        raise _error(pgconn, result)
    return result


def _error(pgconn: Any, result: Any) -> psycopg.Error:
    if pgconn.status != ConnStatus.OK:
        return ConnectionLostError("the connection was lost")
    return psycopg.errors.error_from_result(result)


def mark(dialect: str) -> str:
    """What numbered parameters start with: ?1, ?2 … on SQLite, $1, $2 … on PostgreSQL."""
    return "?" if dialect == "sqlite" else "$"


def left_join(dialect: str, table: str, alias: str, *, on: str) -> str:
    """A left join that is an index look-up for each row on the left, whatever the planner thinks.

    PostgreSQL may otherwise plan it, while tables are small, as one scan of a whole program.
    """
    if dialect == "sqlite":
        return f"LEFT JOIN {table} {alias} ON {on}"
    look_up = f"SELECT * FROM {table} {alias} WHERE {on} OFFSET 0"
    return f"LEFT JOIN LATERAL ({look_up}) {alias} ON TRUE"
