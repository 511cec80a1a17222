"""SQL of our own on the driver's connection: prepared once per connection, one call each.

psycopg's cursors wait in Python for every answer, which costs a checkout more than its queries
do. Here libpq's blocking call is used instead, with psycopg's own adaptation of values. SQLite
runs the same text through the standard library.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.abc import PyFormat
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus

Rows = list[tuple[Any, ...]]
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class _Driver:
    """What is kept beside a PostgreSQL connection: its statements and its adaptation."""

    def __init__(self, driver: Any) -> None:
        self.pgconn = driver.pgconn
        self.transformer = Transformer(driver)
        self.names: dict[str, bytes] = {}


def _driver_of(connection: sa.Connection) -> _Driver:
    # `info` lives as long as the driver's connection, and is emptied with it.
    kept: _Driver | None = connection.info.get("dangol.driver")
    if kept is None:
        kept = _Driver(connection.connection.driver_connection)
        connection.info["dangol.driver"] = kept
    return kept


def run(
    connection: sa.Connection, sql: str, values: Sequence[Any], *, is_rare: bool = False
) -> Rows:
    """Run a statement with numbered parameters (`mark`) in the current transaction.

    Returns every row. A statement whose shape will hardly come again (`is_rare`) is not prepared.
    Raises the driver's own errors.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return driver.execute(sql, values).fetchall()  # type: ignore[no-any-return]
    kept = _driver_of(connection)
    pgconn, transformer = kept.pgconn, kept.transformer
    dumped = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
    if is_rare:
        result = pgconn.exec_params(
            sql.encode(), dumped, transformer.types or None, transformer.formats or None
        )
    else:
        name = kept.names.get(sql)
        if name is None:
            name = f"dangol_{len(kept.names)}".encode()
            _checked(pgconn.prepare(name, sql.encode(), transformer.types or None))
            kept.names[sql] = name
        result = pgconn.exec_prepared(name, dumped, transformer.formats or None)
    _checked(result)
    if result.ntuples == 0:
        return []
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def command(connection: sa.Connection, text: str) -> None:
    """BEGIN, COMMIT and the like, on PostgreSQL."""
    _checked(_driver_of(connection).pgconn.exec_(text.encode()))


def commit(connection: sa.Connection) -> None:
    """COMMIT on PostgreSQL; raises when the server rolled back instead."""
    pgconn = _driver_of(connection).pgconn
    if pgconn.transaction_status == TransactionStatus.IDLE:
        return
    result = _checked(pgconn.exec_(b"COMMIT"))
    if result.command_status == b"ROLLBACK":
        raise psycopg.errors.InFailedSqlTransaction("the transaction had failed")


def _checked(result: Any) -> Any:
    if result.status not in _GOOD:
        raise psycopg.errors.error_from_result(result)
    return result


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
