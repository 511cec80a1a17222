"""Changes to stored rows that only the owner of a database can make, put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from core import ids
from core.db import db
from server.verify import whole
from tests.world import World


def program_id(world: World) -> bytes:
    """The program's id as stored."""
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def rows(world: World, table: sa.Table) -> list[dict[str, Any]]:
    """Every row of the world's program, in the order of its key."""
    statement = (
        sa.select(table).where(table.c.program_id == program_id(world)).order_by(*table.primary_key)
    )
    with world.app.app_context(), db.engine.connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


@contextmanager
def changed(
    world: World, table: sa.Table, row: dict[str, Any], column: str, value: Any
) -> Iterator[None]:
    """One value of one row is another."""
    key = {one.name: row[one.name] for one in table.primary_key}
    _write(world, table, key, {column: value})
    try:
        yield
    finally:
        moved = key | ({column: value} if column in key else {})
        _write(world, table, moved, {column: row[column]})


def _write(world: World, table: sa.Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    where = sa.and_(*(table.c[name] == value for name, value in key.items()))
    statement = sa.update(table).where(where).values(**values)
    with (
        world.app.app_context(),
        db.engine.connect().execution_options(is_write=True) as connection,
    ):
        if connection.dialect.name == "postgresql":
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
                assert connection.execute(statement).rowcount == 1
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            triggers = connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                f" AND tbl_name = '{table.name}'"
            ).fetchall()
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            assert connection.execute(statement).rowcount == 1
            for _, sql in triggers:
                connection.exec_driver_sql(sql)
        driver.execute("PRAGMA foreign_keys=ON")


def mismatches(world: World, of: bytes | None = None) -> list[str]:
    """What the proof finds in the world's program, or in another."""
    from core import db as store

    with world.app.app_context():
        report = store.reading(lambda one: whole.run(one, of or program_id(world)))
    found: list[str] = report["mismatches"]
    return found


def few(world: World, chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of the rows on SQLite, the first on PostgreSQL: what was read is compared by the same
    code on both, and a row for each column shows that it is read."""
    with world.app.app_context():
        return chosen[:1] if db.engine.dialect.name == "postgresql" else chosen


def flipped(column: sa.Column[Any], value: Any) -> Any:
    """A value that differs from another in one bit, or is there where none was."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return not value
    if isinstance(kind, sa.LargeBinary):
        return b"\x01" * 16 if value is None else value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(kind, sa.Text):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    assert isinstance(kind, sa.Integer)
    if column.name == "seq":
        # The next number is taken.
        return value ^ (1 << 40)
    return 1 if value is None else value ^ 1
