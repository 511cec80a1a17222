"""What surprises did to members before, read in one statement under the member's lock."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from core import rawsql
from programs.surprises import Surprise
from rewards.carried import Row
from rewards.surprises.carried import Carried
from rewards.surprises.judging import History

_COLUMNS = """
    (SELECT MAX(d.drawn_at) FROM draws d WHERE d.program_id = {p} AND d.member_id = {m}
       AND d.surprise_key = k.key AND d.won AND NOT d.is_shadow AND d.drawn_at <= {at}),
    (SELECT MIN(d.drawn_at) FROM draws d WHERE d.program_id = {p} AND d.member_id = {m}
       AND d.surprise_key = k.key AND d.won AND NOT d.is_shadow AND d.drawn_at > {at}),
    (SELECT CASE WHEN d.won THEN 0 ELSE d.losses + 1 END FROM draws d
       WHERE d.program_id = {p} AND d.member_id = {m} AND d.surprise_key = k.key
         AND d.is_shadow = k.is_shadow AND d.roll IS NOT NULL ORDER BY d.id DESC LIMIT 1)
"""


@functools.cache
def _sql(count: int, dialect: str) -> str:
    mark = rawsql.mark(dialect)
    blob = "BLOB" if dialect == "sqlite" else "BYTEA"
    flag = "INTEGER" if dialect == "sqlite" else "BOOLEAN"
    rows = ", ".join(
        f"(CAST({mark}{4 + 2 * n} AS TEXT), CAST({mark}{5 + 2 * n} AS {flag}))"
        for n in range(count)
    )
    columns = _COLUMNS.format(
        p=f"CAST({mark}1 AS {blob})", m=f"CAST({mark}2 AS {blob})", at=f"CAST({mark}3 AS BIGINT)"
    )
    return f"WITH k(key, is_shadow) AS (VALUES {rows}) SELECT k.key, {columns} FROM k"


def read(
    connection: sa.Connection,
    program_id: bytes,
    carried: Carried,
    surprises: Iterable[Surprise],
    *,
    member_id: bytes,
    at: int,
) -> dict[str, History]:
    """By key, of those to whom it matters; what this unit drew counts."""
    asked = [one for one in surprises if one.cooldown is not None or one.pity_after is not None]
    if not asked:
        return {}
    values: list[Any] = [program_id, member_id, at]
    for one in asked:
        values += (one.key, one.is_shadow)
    rows = rawsql.run(connection, _sql(len(asked), connection.dialect.name), values)
    found = {key: History(before, after, losses or 0) for key, before, after, losses in rows}
    for one in asked:
        mine = list(carried.of_member(member_id, one.key))
        found[one.key] = _with(found[one.key], mine, at=at, is_shadow=one.is_shadow)
    return found


def _with(history: History, rows: Sequence[Row], *, at: int, is_shadow: bool) -> History:
    before, after, losses = history.won_before, history.won_after, history.losses
    for row in rows:
        if row.roll is not None and row.is_shadow == is_shadow:
            losses = 0 if row.won else row.losses + 1
        if row.won and not row.is_shadow:
            if row.drawn_at <= at:
                before = row.drawn_at if before is None else max(before, row.drawn_at)
            else:
                after = row.drawn_at if after is None else min(after, row.drawn_at)
    return History(before, after, losses)
