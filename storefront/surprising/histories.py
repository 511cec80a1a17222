"""What surprises did to members before, read in one statement under the member's lock."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
#: Whether an epoch is open, which holds its row until the unit ends: closing waits for that.
_OPEN = """o AS MATERIALIZED (SELECT e.number FROM draw_epochs e WHERE e.program_id = {p}
    AND e.number = {e} AND e.closed_at IS NULL AND e.receipt_count IS NULL FOR KEY SHARE),
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Histories by key, of those to whom it matters; and whether the epoch that was asked for is
    open, which is not known when nothing was asked."""

    by_key: dict[str, History]
    is_open: bool = False


@functools.cache
def _sql(count: int, dialect: str, *, with_epoch: bool) -> str:
    mark = rawsql.mark(dialect)
    blob = "BLOB" if dialect == "sqlite" else "BYTEA"
    flag = "INTEGER" if dialect == "sqlite" else "BOOLEAN"
    first = 5 if with_epoch else 4
    rows = ", ".join(
        f"(CAST({mark}{first + 2 * n} AS TEXT), CAST({mark}{first + 1 + 2 * n} AS {flag}))"
        for n in range(count)
    )
    program = f"CAST({mark}1 AS {blob})"
    columns = _COLUMNS.format(
        p=program, m=f"CAST({mark}2 AS {blob})", at=f"CAST({mark}3 AS BIGINT)"
    )
    opened, is_open = "", "FALSE"
    if with_epoch:
        opened = _OPEN.format(p=program, e=f"CAST({mark}4 AS INTEGER)")
        is_open = "(SELECT COUNT(*) > 0 FROM o)"
    return (
        f"WITH {opened}k(key, is_shadow) AS (VALUES {rows})"
        f" SELECT k.key, {columns}, {is_open} FROM k"
    )


def read(
    connection: sa.Connection,
    program_id: bytes,
    carried: Carried,
    surprises: Iterable[Surprise],
    *,
    member_id: bytes,
    at: int,
    epoch: int | None = None,
) -> Found:
    """What this unit drew counts. An `epoch` is locked against being closed, in the same statement
    (PostgreSQL alone has to), if anything is asked at all."""
    asked = [one for one in surprises if one.cooldown is not None or one.pity_after is not None]
    if not asked:
        return Found({})
    values: list[Any] = [program_id, member_id, at]
    if epoch is not None:
        values.append(epoch)
    for one in asked:
        values += (one.key, one.is_shadow)
    sql = _sql(len(asked), connection.dialect.name, with_epoch=epoch is not None)
    rows = rawsql.run(connection, sql, values)
    found = {key: History(before, after, losses or 0) for key, before, after, losses, _ in rows}
    for one in asked:
        mine = list(carried.of_member(member_id, one.key))
        found[one.key] = _with(found[one.key], mine, at=at, is_shadow=one.is_shadow)
    return Found(found, is_open=bool(rows[0][4]))


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
