"""Every row of a database, read as one consistent snapshot and written into an empty one.

Owns how a row travels, the same for SQLite and PostgreSQL: a line of JSON, ordered by primary key,
with a SHA-256 over the lines of each table. A table is known by the models alone, so a new one
travels without being named here. Rows stream: memory holds a few of them, whatever the size.
Refuses a target that holds rows or another migration, and a value that is not of its column's type
(SQLite would keep it, PostgreSQL would not). Only ever inserts: triggers and keys stay in force.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from flask import Flask

from config import Settings
from core import db, ids, rawsql
from core.errors import Problem
from programs.models import Program
from server import health

#: Rows that are fetched at a time.
_ROWS = 500
#: What a value is in Python, by the type of its column; anything else cannot travel yet.
_KINDS: tuple[tuple[type[Any], type[Any]], ...] = (
    (sa.Boolean, bool),
    (sa.Integer, int),
    (sa.LargeBinary, bytes),
    (sa.Text, str),
    (sa.String, str),
)
#: What a driver raises for a row that its database refuses.
_NOT_TAKEN = (
    psycopg.DataError,
    psycopg.IntegrityError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
)
_METADATA: sa.MetaData = db.db.metadata

Row = Sequence[Any]


class RefusedError(Exception):
    """The rows cannot be taken or must not be written; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a table holds: how many rows, and the SHA-256 of their lines in order."""

    rows: int
    sha256: str


class Digest:
    """Adds up the contents of one table, line by line."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0

    def add(self, line: bytes) -> None:
        """Count a line."""
        self._hash.update(line)
        self._rows += 1

    def contents(self) -> Contents:
        """What was added so far."""
        return Contents(self._rows, self._hash.hexdigest())


class Lines:
    """How the rows of one table are written as lines and read back."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        # The database computes the others itself and refuses to be told.
        self.columns = [column for column in table.columns if column.computed is None]
        # SQLAlchemy's own kind of text is none that JSON takes as a key.
        self.name = str(table.name)
        self.names = [str(column.name) for column in self.columns]
        self._kinds = [_kind(column) for column in self.columns]
        self._binary = [place for place, kind in enumerate(self._kinds) if kind is bytes]
        self._seen: set[tuple[type[Any], ...]] = set()

    def write(self, row: Row) -> bytes:
        """One line: a JSON array, binary values in hexadecimal."""
        shape = tuple(map(type, row))
        if shape not in self._seen:
            self._check(shape)
            self._seen.add(shape)
        values = list(row)
        for place in self._binary:
            if values[place] is not None:
                values[place] = values[place].hex()
        return orjson.dumps(values) + b"\n"

    def read(self, line: bytes) -> tuple[Any, ...]:
        """The row of a line."""
        values = orjson.loads(line)
        for place in self._binary:
            if values[place] is not None:
                values[place] = bytes.fromhex(values[place])
        return tuple(values)

    def _check(self, shape: tuple[type[Any], ...]) -> None:
        for column, kind, found in zip(self.columns, self._kinds, shape, strict=True):
            if found is not kind and not (column.nullable and found is type(None)):
                raise RefusedError(
                    f"a row of {self.name} holds {found.__name__} in {column.name}, "
                    f"which takes {kind.__name__}: mend it first"
                )


def _kind(column: sa.Column[Any]) -> type[Any]:
    for declared, kind in _KINDS:
        if isinstance(column.type, declared):
            return kind
    raise RefusedError(
        f"{column.table.name}.{column.name} is of a type that cannot be copied: {column.type!r}"
    )


def tables() -> list[Lines]:
    """Every table of the models, each after those that its foreign keys lead to."""
    return [Lines(table) for table in _METADATA.sorted_tables]


def prepare_source(connection: sa.Connection) -> str:
    """Make a consistent read transaction fit for reading whole tables; its migration."""
    _lift_limits(connection)
    return health.check_migrated(connection)


def prepare_target(connection: sa.Connection) -> None:
    """Make a write transaction fit for a whole database; refuse one that holds rows.

    Until it ends nobody else writes: what was empty stays so.
    """
    try:
        health.check_migrated(connection)
    except Problem as problem:
        raise RefusedError(
            f"The database to write into is not ready. {problem.detail} "
            "DATABASE_URL must name that database then."
        ) from None
    _lift_limits(connection)
    if connection.dialect.name == "postgresql":
        names = ", ".join(_quoted(connection, table.name) for table in _METADATA.sorted_tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
    else:
        # Rows of a table may lead to rows of the same table that come later.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for table in _METADATA.sorted_tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise RefusedError(
                f"the database is not empty ({table.name} has rows) and is never overwritten. "
                "Create an empty one, migrate it with flask db upgrade, and name that one."
            )


def _lift_limits(connection: sa.Connection) -> None:
    # A whole table takes longer than a request may, and is best read as it lies.
    if connection.dialect.name == "postgresql":
        for setting in (
            "statement_timeout = 0",
            "idle_in_transaction_session_timeout = 0",
            "enable_seqscan = on",
        ):
            connection.exec_driver_sql(f"SET LOCAL {setting}")


def read_rows(connection: sa.Connection, lines: Lines) -> Iterator[Row]:
    """The rows of a table by primary key, the same order on both databases."""
    is_postgresql = connection.dialect.name == "postgresql"
    order = [
        # SQLite compares text by its bytes; PostgreSQL by the language of the database.
        column.collate("C") if is_postgresql and isinstance(column.type, sa.String) else column
        for column in lines.table.primary_key
    ]
    statement = sa.select(*lines.columns).order_by(*order)
    found = connection.execute(statement, execution_options={"yield_per": _ROWS})
    with contextlib.closing(found):
        yield from found


def read_lines(connection: sa.Connection, lines: Lines, digest: Digest) -> Iterator[bytes]:
    """The lines of a table, added to a digest."""
    for row in read_rows(connection, lines):
        line = lines.write(row)
        digest.add(line)
        yield line


def write_rows(connection: sa.Connection, lines: Lines, rows: Iterable[Row]) -> None:
    """Insert rows as they come; RefusedError when the database does not take one."""
    table = _quoted(connection, lines.name)
    names = ", ".join(_quoted(connection, name) for name in lines.names)
    driver: Any = connection.connection.driver_connection
    try:
        if connection.dialect.name == "sqlite":
            places = ", ".join("?" * len(lines.names))
            driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
            return
        rawsql.flush(connection)
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copied:
            for row in rows:
                copied.write_row(row)
    except _NOT_TAKEN as error:
        # The first line names the constraint or the fault; those below it quote the row.
        reason = str(error).split("\n", 1)[0]
        raise _not_taken(lines.name, reason) from None


def _not_taken(table: str, reason: str) -> RefusedError:
    return RefusedError(f"the database does not take a row of {table}: {reason}")


def finish(connection: sa.Connection) -> None:
    """Check the keys that were left for the end, and tell the planner of the rows."""
    if connection.dialect.name == "sqlite":
        wrong = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if wrong is not None:
            raise _not_taken(str(wrong[0]), f"no such row of {wrong[2]}")
        return
    for table in _METADATA.sorted_tables:
        connection.exec_driver_sql(f"ANALYZE {_quoted(connection, table.name)}")


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def contents(connection: sa.Connection) -> dict[str, Contents]:
    """What every table holds, read from the database."""
    found = {}
    for lines in tables():
        digest = Digest()
        for _ in read_lines(connection, lines, digest):
            pass
        found[lines.name] = digest.contents()
    return found


@dataclass(frozen=True, slots=True)
class Proof:
    """The ledger of one program: its entries, and a SHA-256 over the chain head of each account."""

    accounts: int
    entries: int
    heads: str


def proofs(connection: sa.Connection) -> dict[str, Proof]:
    """The proof of every program, by program id."""
    entries = _METADATA.tables["entries"]
    counted = sa.select(entries.c.program_id, sa.func.count()).group_by(entries.c.program_id)
    counts = {bytes(row[0]): row[1] for row in connection.execute(counted)}
    heads: dict[bytes, Digest] = {
        bytes(row.program_id): Digest() for row in connection.execute(sa.select(Program.program_id))
    }
    accounts = Lines(_METADATA.tables["accounts"])
    chain = [accounts.names.index(name) for name in ("member_id", "points_key", "version", "head")]
    place = accounts.names.index("program_id")
    for row in read_rows(connection, accounts):
        member_id, points_key, version, head = (row[number] for number in chain)
        line = f"{member_id.hex()} {points_key} {version} {head.hex()}\n"
        heads.setdefault(row[place], Digest()).add(line.encode())
    found = {key: digest.contents() for key, digest in heads.items()}
    return {
        ids.show_id("prg", key): Proof(found[key].rows, counts.get(key, 0), found[key].sha256)
        for key in sorted(found)
    }


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds, equal in source and target."""

    tables: dict[str, Contents]
    proofs: dict[str, Proof]


def copy(source: sa.Connection, target: sa.Connection) -> Copied:
    """Copy every row, read the target again, and refuse it unless it equals the source.

    Needs one consistent read transaction and one write transaction, which the caller commits.
    """
    prepare_source(source)
    prepare_target(target)
    told = {}
    for lines in tables():
        digest = Digest()
        write_rows(target, lines, _copied(source, lines, digest))
        told[lines.name] = digest.contents()
    finish(target)
    check_equal(told, contents(target))
    proved = proofs(source)
    if proved != proofs(target):
        raise RefusedError("the chain heads of source and target differ: nothing was written")
    return Copied(told, proved)


def _copied(source: sa.Connection, lines: Lines, digest: Digest) -> Iterator[Row]:
    for row in read_rows(source, lines):
        digest.add(lines.write(row))
        # A Row is a tuple to the eye only; the drivers take the real one faster.
        yield tuple(row)


def check_equal(told: dict[str, Contents], found: dict[str, Contents]) -> None:
    """Refuse when what was found is not what was told."""
    for name in sorted({*told, *found}):
        if told.get(name) != found.get(name):
            raise RefusedError(f"{name} did not arrive as it was sent: nothing was written")


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Flask]:
    """An application that is only its database, for work beside the one that runs."""
    app = Flask("dangol-database", static_folder=None)
    app.extensions["dangol.settings"] = settings
    db.init(app, settings)
    try:
        yield app
    finally:
        with app.app_context():
            db.db.engine.dispose()
