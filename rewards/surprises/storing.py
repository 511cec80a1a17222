"""New receipts in the database: those of one happening are one statement, whatever their number.

What they have in common is sent once, the rest as a list for each column. Refuses receipts that
exist: a second one of the same happening ends the unit as a lost race.
"""

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import rawsql
from core.arrays import texts
from rewards.surprises.carried import DRAWS

#: What the receipts of one happening share.
_COMMON = (
    "program_id",
    "live_version",
    "switches",
    "member_id",
    "member_ref",
    "trigger",
    "source_type",
    "source_ref",
    "source_id",
    "activity_ref",
    "is_erased",
    "epoch",
    "drawn_at",
    "recorded_at",
    "seen_at",
)
_NAMES = tuple(column.name for column in DRAWS.columns)
_KINDS = {
    column.name: (
        "boolean"
        if isinstance(column.type, sa.Boolean)
        else "bytea"
        if isinstance(column.type, sa.LargeBinary)
        else "bigint"
        if isinstance(column.type, sa.BigInteger)
        else "integer"
        if isinstance(column.type, sa.Integer)
        else "text"
    )
    for column in DRAWS.columns
}


def insert(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write receipts that are new; on PostgreSQL with the next statement."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.executemany(_sqlite(), [[row[name] for name in _NAMES] for row in rows])
        return
    first = [rows[0][name] for name in _COMMON]
    is_one = all([row[name] for name in _COMMON] == first for row in rows[1:])
    common = _COMMON if is_one else _COMMON[:1]
    lists = texts([[row[name] for name in _NAMES if name not in common] for row in rows])
    rawsql.later(connection, _postgresql(common), [*first[: len(common)], *lists])


@functools.cache
def _sqlite() -> str:
    marks = ", ".join("?" * len(_NAMES))
    return f"INSERT INTO draws ({', '.join(_quoted(_NAMES))}) VALUES ({marks})"


@functools.cache
def _postgresql(common: tuple[str, ...]) -> str:
    """The statement in which these columns are the same in every row."""
    own = tuple(name for name in _NAMES if name not in common)
    values = ", ".join(
        f"CAST(${place} AS {_KINDS[name]})" for place, name in enumerate(common, start=1)
    )
    lists = ", ".join(
        f"CAST(CAST(${place} AS text) AS {_KINDS[name]}[])"
        for place, name in enumerate(own, start=len(common) + 1)
    )
    return (
        f"INSERT INTO draws ({', '.join(_quoted((*common, *own)))})"
        f" SELECT {values}, n.* FROM unnest({lists}) n({', '.join(_quoted(own))})"
    )


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]
