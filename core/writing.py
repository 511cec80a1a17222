"""Writing a plan: rows of several tables in as few statements as the database allows.

PostgreSQL takes them as one statement of data-modifying CTEs (or COPY for a bulk of new rows),
SQLite one statement per table. Foreign keys are checked at the end of the statement, so the
order of tables matters to SQLite alone. Writes to one table must not meet in one row.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from core import rawsql

#: From so many rows of one table on they are copied, not sent as parameters.
_BULK_FROM = {"insert": 8, "replace": 100}
#: PostgreSQL's protocol counts the parameters of a statement in 16 bits.
_PARAMETERS_MAX = 60_000
#: Statements with more rows of one table are neither remembered nor kept prepared.
_PREPARED_ROWS = 3


@dataclass(slots=True, eq=False)
class _Write:
    table: sa.Table
    kind: Literal["insert", "replace"]
    #: By primary key where rows are replaced, so that the last one told of a key wins.
    by_key: dict[Any, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The rows, in the order in which they were told."""
        return list(self.by_key.values())


@dataclass(slots=True)
class Writes:
    """Rows to write, by table, in the order in which the tables were first named."""

    _writes: dict[tuple[str, str], _Write] = field(default_factory=dict)

    def insert(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """A row that does not exist yet; a duplicate key ends the unit as a lost race."""
        rows = self._rows(table, "insert")
        rows[len(rows)] = row

    def replace(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """A row whose key may exist: all its columns are set. The last one told wins."""
        rows = self._rows(table, "replace")
        key = _key_getter(table)(row)
        # Told anew, it comes last.
        rows.pop(key, None)
        rows[key] = row

    def _rows(
        self, table: sa.Table, kind: Literal["insert", "replace"]
    ) -> dict[Any, Mapping[str, Any]]:
        write = self._writes.get((table.name, kind))
        if write is None:
            write = self._writes[table.name, kind] = _Write(table, kind)
        return write.by_key

    def run(self, connection: sa.Connection) -> None:
        """Write everything within the current transaction."""
        writes = [write for write in self._writes.values() if write.by_key]
        if connection.dialect.name == "sqlite":
            for write in writes:
                _write_sqlite(connection, write)
            return
        bulk = [write for write in writes if len(write.by_key) >= _BULK_FROM[write.kind]]
        if not bulk:
            _write_postgresql(connection, writes)
            return
        # What others refer to goes first: a bulk is a statement of its own.
        for depth in sorted({_depth(write.table) for write in writes}):
            level = [write for write in writes if _depth(write.table) == depth]
            _write_postgresql(connection, [write for write in level if write not in bulk])
            for write in level:
                if write in bulk:
                    (_copy if write.kind == "insert" else _copy_over)(connection, write)


@functools.cache
def _depth(table: sa.Table) -> int:
    """How many tables deep a table refers to others."""
    referred = {key.column.table for key in table.foreign_keys} - {table}
    return 1 + max(map(_depth, referred)) if referred else 0


def _write_sqlite(connection: sa.Connection, write: _Write) -> None:
    sql = _sql(write.table, write.kind, 1, "sqlite")
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.executemany(sql, [_values(write.table, row) for row in write.rows])


def _write_postgresql(connection: sa.Connection, writes: Sequence[_Write]) -> None:
    if not writes:
        return
    parts = tuple((write.table, write.kind, len(write.by_key)) for write in writes)
    if sum(len(table.columns) * count for table, _, count in parts) > _PARAMETERS_MAX:
        _write_in_pieces(connection, writes)
        return
    is_rare = any(count > _PREPARED_ROWS for _, _, count in parts)
    sql = (_combined.__wrapped__ if is_rare else _combined)(parts)
    values: list[Any] = []
    for write in writes:
        for row in write.rows:
            values.extend(_values(write.table, row))
    rawsql.later(connection, sql, values, is_rare=is_rare)


def _write_in_pieces(connection: sa.Connection, writes: Sequence[_Write]) -> None:
    """More rows than one statement has parameters for, table by table, what others refer to
    first."""
    for write in sorted(writes, key=lambda write: _depth(write.table)):
        most = _PARAMETERS_MAX // len(write.table.columns)
        rows = write.rows
        for start in range(0, len(rows), most):
            piece = rows[start : start + most]
            sql = _sql.__wrapped__(write.table, write.kind, len(piece), "postgresql")
            values = [value for row in piece for value in _values(write.table, row)]
            rawsql.later(connection, sql, values, is_rare=True)


def _copy(connection: sa.Connection, write: _Write) -> None:
    rawsql.flush(connection)
    _copy_to(connection, write, write.table.name)


def _copy_to(connection: sa.Connection, write: _Write, target: str) -> None:
    names = ", ".join(f'"{name}"' for name in _names(write.table))
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f'COPY "{target}" ({names}) FROM STDIN') as copy,
    ):
        for row in write.rows:
            copy.write_row(_values(write.table, row))


def _copy_over(connection: sa.Connection, write: _Write) -> None:
    """Replace a bulk of rows: copied beside the table, then set from there."""
    name, names = write.table.name, ", ".join(f'"{name}"' for name in _names(write.table))
    stage = f"stage_{name}"
    rawsql.later(
        connection,
        f'CREATE TEMPORARY TABLE IF NOT EXISTS "{stage}" (LIKE "{name}") ON COMMIT DELETE ROWS',
        is_rare=True,
    )
    rawsql.later(connection, f'TRUNCATE "{stage}"', is_rare=True)
    rawsql.flush(connection)
    _copy_to(connection, write, stage)
    sql = f'INSERT INTO "{name}" ({names}) SELECT {names} FROM "{stage}" {_conflict(write.table)}'
    rawsql.later(connection, sql, is_rare=True)


def _conflict(table: sa.Table) -> str:
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    changed = ", ".join(
        f'"{column.name}" = excluded."{column.name}"'
        for column in table.columns
        if not column.primary_key
    )
    return f"ON CONFLICT ({key}) DO UPDATE SET {changed}"


def _values(table: sa.Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return _getter(table)(row)


@functools.cache
def _getter(table: sa.Table) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return operator.itemgetter(*_names(table))


@functools.cache
def _key_getter(table: sa.Table) -> Callable[[Mapping[str, Any]], Any]:
    return operator.itemgetter(*(column.name for column in table.primary_key))


@functools.cache
def _names(table: sa.Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


@functools.lru_cache(maxsize=1024)
def _combined(parts: tuple[tuple[sa.Table, str, int], ...]) -> str:
    sqls, first = [], 1
    for table, kind, count in parts:
        make = _sql if count <= _PREPARED_ROWS else _sql.__wrapped__
        sqls.append(make(table, kind, count, "postgresql", first))
        first += count * len(table.columns)
    *heads, last = sqls
    if not heads:
        return last
    ctes = ", ".join(f"w{index} AS ({sql})" for index, sql in enumerate(heads))
    return f"WITH {ctes} {last}"


@functools.lru_cache(maxsize=1024)
def _sql(table: sa.Table, kind: str, count: int, dialect: str, first: int = 1) -> str:
    names, mark = _names(table), rawsql.mark(dialect)
    rows = [
        "(" + ", ".join(f"{mark}{start + place}" for place in range(len(names))) + ")"
        for start in range(first, first + count * len(names), len(names))
    ]
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f'INSERT INTO "{table.name}" ({columns}) VALUES {", ".join(rows)}'
    if kind == "replace":
        sql += f" {_conflict(table)}"
    return sql
