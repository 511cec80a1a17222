"""Claims and counters in the database: one statement reads them, few write them.

A member's claims are read under the member's lock. Counters are read without a lock and claimed
last of all, each under the condition that there is still enough; where there is not, the unit
starts again and locks them first. Refuses to decide what is claimed.
"""

import functools
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from core import db, jsontext, rawsql
from core.arrays import element
from core.arrays import texts as lists_of
from loyalty.limits.claims import NONE_USED, Claim, ClaimKey, Claims, CounterKey, Window
from loyalty.limits.models import LimitClaim, LimitCounter
from rules.limits import Use

LIMIT_CLAIMS: sa.Table = LimitClaim.__table__  # type: ignore[assignment]
LIMIT_COUNTERS: sa.Table = LimitCounter.__table__  # type: ignore[assignment]

_WINDOW, _OWN, _COUNTER = 0, 1, 2

#: What is read of each kind, with the types of the lists that it is read by.
_PARTS = (
    (
        ("bytea", "text", "bigint", "bigint"),
        """
SELECT 0, w.k, s.times, s.points, NULL::bigint, NULL::text
FROM unnest({}) WITH ORDINALITY w(member_id, rule, start, ending, k)
CROSS JOIN LATERAL (
    SELECT SUM(c.times)::bigint, SUM(c.points)::bigint FROM limit_claims c
    WHERE c.program_id = $1 AND c.member_id = w.member_id AND c.rule = w.rule
      AND c.at >= w.start AND c.at < w.ending) s(times, points)
WHERE s.times IS NOT NULL""",
    ),
    (
        ("bytea", "text", "bigint", "bytea"),
        """
SELECT 1, o.k, c.times, c.points, c.wanted, c.counters
FROM unnest({}) WITH ORDINALITY o(member_id, rule, at, source_id, k)
CROSS JOIN LATERAL (
    SELECT * FROM limit_claims c
    WHERE c.program_id = $1 AND c.member_id = o.member_id AND c.rule = o.rule AND c.at = o.at
      AND c.source_id = o.source_id OFFSET 0) c""",
    ),
    (
        ("text", "text", "bigint", "text"),
        """
SELECT 2, n.k, c.used, NULL::bigint, NULL::bigint, NULL::text
FROM unnest({}) WITH ORDINALITY n(rule, period, starts_at, unit, k)
CROSS JOIN LATERAL (
    SELECT * FROM limit_counters c
    WHERE c.program_id = $1 AND c.rule = n.rule AND c.period = n.period
      AND c.starts_at = n.starts_at AND c.unit = n.unit OFFSET 0) c""",
    ),
)
_WINDOW_SQLITE = (
    "SELECT SUM(times), SUM(points) FROM limit_claims"
    " WHERE program_id = ?1 AND member_id = ?2 AND rule = ?3 AND at >= ?4 AND at < ?5"
)
_OWN_SQLITE = (
    "SELECT times, points, wanted, counters FROM limit_claims"
    " WHERE program_id = ?1 AND member_id = ?2 AND rule = ?3 AND at = ?4 AND source_id = ?5"
)
_COUNTER_SQLITE = (
    "SELECT used FROM limit_counters"
    " WHERE program_id = ?1 AND rule = ?2 AND period = ?3 AND starts_at = ?4 AND unit = ?5"
)
_LOCK = (
    "SELECT 1 FROM limit_counters"
    " WHERE program_id = $1 AND rule = $2 AND period = $3 AND starts_at = $4 AND unit = $5"
    " FOR UPDATE"
)
_GIVE_BACK = (
    "DELETE FROM limit_claims WHERE program_id = {0}1 AND member_id = {0}2 AND rule = {0}3"
    " AND at = {0}4 AND source_id = {0}5"
)
_COLUMNS = "program_id, member_id, rule, at, source_id, times, points, wanted, counters"
_REPLACED = (
    " ON CONFLICT (program_id, member_id, rule, at, source_id) DO UPDATE SET"
    " times = excluded.times, points = excluded.points, wanted = excluded.wanted,"
    " counters = excluded.counters"
)
_TYPES = ("bytea", "text", "bigint", "bytea", "bigint", "bigint", "bigint", "text")
_WRITE_SQLITE = (
    f"INSERT INTO limit_claims ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9){_REPLACED}"
)
_COUNTER_COLUMNS = "program_id, rule, period, starts_at, unit, used"
_COUNTED_TYPES = ("text", "text", "bigint", "text", "bigint", "bigint")
_COUNT_SQLITE = (
    f"INSERT INTO limit_counters ({_COUNTER_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (program_id, rule, period, starts_at, unit)"
    " DO UPDATE SET used = used + excluded.used"
    " WHERE excluded.used < 0 OR used + excluded.used <= ?7"
    " RETURNING rule, period, starts_at, unit, used"
)

#: The counters that the last unit of this thread could not claim: the same unit runs again next.
_contended = threading.local()


def read(
    connection: sa.Connection,
    program_id: bytes,
    claims: Claims,
    *,
    windows: Sequence[Window],
    own: Iterable[ClaimKey],
    counters: Sequence[CounterKey],
    is_locking: bool,
    texts: Sequence[str] | None = None,
) -> None:
    """Read what was not read yet: sums within windows, claims of sources, counters. `texts` are
    the lists of rules and bounds of the windows as they are sent, when these are of one member."""
    wanted = [key for key in own if key.source_id not in claims.stored]
    for key in wanted:
        claims.stored[key.source_id] = {}
    unread = claims.missing(windows)
    uncounted = [key for key in dict.fromkeys(counters) if key not in claims.used]
    if not (wanted or unread or uncounted):
        return
    if is_locking:
        _lock(connection, program_id, uncounted)
    claims.sums |= dict.fromkeys(unread, NONE_USED)
    claims.used |= dict.fromkeys(uncounted, 0)
    if connection.dialect.name == "sqlite":
        rows = _rows_sqlite(connection, program_id, unread, wanted, uncounted)
    else:
        if texts is None or len(unread) != len(windows):
            texts = lists_of(unread)
        elif unread:
            texts = [_repeated(unread[0][0], len(unread)), *texts]
        rows = _rows_postgresql(connection, program_id, texts, wanted, uncounted)
    for kind, number, first, second, third, text in rows:
        if kind == _WINDOW:
            claims.sums[unread[number - 1]] = Use(first, second)
        elif kind == _COUNTER:
            claims.used[uncounted[number - 1]] = first
        else:
            key = wanted[number - 1]
            claims.stored[key.source_id][key.rule] = Claim(
                key, first, second, third, read_counters(text)
            )


_Row = tuple[int, int, int, Any, Any, Any]


def _rows_postgresql(
    connection: sa.Connection,
    program_id: bytes,
    windows: Sequence[str],
    own: Sequence[ClaimKey],
    counters: Sequence[CounterKey],
) -> list[Any]:
    asked = (windows, lists_of(own), lists_of(counters))
    values: list[Any] = [program_id]
    for texts in asked:
        values += texts
    return rawsql.run(connection, _read_sql(*(bool(texts) for texts in asked)), values)


@functools.cache
def _read_sql(*are_asked: bool) -> str:
    """The statement that reads what is asked, and nothing else."""
    parts, place = [], 2
    for is_asked, (types, sql) in zip(are_asked, _PARTS, strict=True):
        if is_asked:
            parts.append(sql.format(_unnested(types, place)))
            place += len(types)
    return "\nUNION ALL".join(parts)


def _unnested(types: Sequence[str], place: int) -> str:
    return ", ".join(
        f"CAST(CAST(${place + index} AS text) AS {kind}[])" for index, kind in enumerate(types)
    )


def _repeated(value: Any, times: int) -> str:
    return "{" + ",".join([element(value)] * times) + "}"


def window_texts(windows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Rules and bounds of windows (or counters) as they are sent, kept for the next member."""
    return tuple(lists_of(windows))


def _rows_sqlite(
    connection: sa.Connection,
    program_id: bytes,
    windows: Sequence[Window],
    own: Sequence[ClaimKey],
    counters: Sequence[CounterKey],
) -> list[Any]:
    found: list[Any] = []
    for number, window in enumerate(windows, start=1):
        [(times, points)] = rawsql.run(connection, _WINDOW_SQLITE, [program_id, *window])
        if times is not None:
            found.append((_WINDOW, number, times, points, None, None))
    for number, key in enumerate(own, start=1):
        rows = rawsql.run(connection, _OWN_SQLITE, [program_id, *key])
        found += [(_OWN, number, *row) for row in rows]
    for number, counter in enumerate(counters, start=1):
        for (used,) in rawsql.run(connection, _COUNTER_SQLITE, [program_id, *counter]):
            found.append((_COUNTER, number, used, None, None, None))
    return found


def _lock(connection: sa.Connection, program_id: bytes, counters: Sequence[CounterKey]) -> None:
    """Lock counters in the order of their keys, when one of them was just lost to others."""
    lost: set[CounterKey] = getattr(_contended, "keys", set())
    if connection.dialect.name == "sqlite" or lost.isdisjoint(counters):
        return
    for key in sorted(counters):
        rawsql.later(connection, _LOCK, [program_id, *key])


def write(connection: sa.Connection, program_id: bytes, claims: Claims) -> dict[CounterKey, int]:
    """Write what the unit changed; Restart when a counter has not enough left. Returns what is used
    by now of the counters that the unit takes of, which it holds until its end."""
    gone, changed = claims.rows()
    mark = rawsql.mark(connection.dialect.name)
    for key in gone:
        rawsql.later(connection, _GIVE_BACK.format(mark), [program_id, *key])
    rows = [
        (*claim.key, claim.times, claim.points, claim.wanted, write_counters(claim.counters))
        for claim in changed
    ]
    if rows and mark == "$":
        is_new = not gone and not any(claims.stored.values())
        rawsql.later(connection, _write_sql(is_new=is_new), [program_id, *lists_of(rows)])
    elif rows:
        for row in rows:
            rawsql.run(connection, _WRITE_SQLITE, [program_id, *row])
    counted = _count(connection, program_id, claims)
    _contended.keys = set()
    claims.settled()
    return counted


def _count(connection: sa.Connection, program_id: bytes, claims: Claims) -> dict[CounterKey, int]:
    rows = [
        (*key, points, claims.most.get(key, 0))
        for key, points in sorted(claims.changes().items())
        if points
    ]
    if not rows:
        return {}
    if connection.dialect.name == "sqlite":
        done = [
            one for row in rows for one in rawsql.run(connection, _COUNT_SQLITE, [program_id, *row])
        ]
    else:
        done = rawsql.run(connection, _count_sql(), [program_id, *lists_of(rows)])
    if len(done) < len(rows):
        _contended.keys = {CounterKey(*row[:4]) for row in rows}
        raise db.Restart
    taken = {CounterKey(*row[:4]) for row in rows if row[4] > 0}
    return {key: used for *of, used in done if (key := CounterKey(*of)) in taken}


@functools.cache
def _write_sql(*, is_new: bool) -> str:
    names = _COLUMNS.removeprefix("program_id, ")
    return (
        f"INSERT INTO limit_claims ({_COLUMNS}) SELECT $1, n.* FROM unnest({_unnested(_TYPES, 2)})"
        f" n({names}){'' if is_new else _REPLACED}"
    )


@functools.cache
def _count_sql() -> str:
    return f"""
WITH n(rule, period, starts_at, unit, used, most) AS (
    SELECT * FROM unnest({_unnested(_COUNTED_TYPES, 2)}))
INSERT INTO limit_counters ({_COUNTER_COLUMNS})
SELECT $1, rule, period, starts_at, unit, used FROM n
ON CONFLICT (program_id, rule, period, starts_at, unit)
DO UPDATE SET used = limit_counters.used + excluded.used
WHERE excluded.used < 0 OR limit_counters.used + excluded.used <= (
    SELECT n.most FROM n WHERE n.rule = excluded.rule AND n.period = excluded.period
      AND n.starts_at = excluded.starts_at AND n.unit = excluded.unit)
RETURNING limit_counters.rule, limit_counters.period, limit_counters.starts_at,
    limit_counters.unit, limit_counters.used
"""


def read_counters(text: str | None) -> tuple[CounterKey, ...]:
    """Counters as a claim stores them."""
    return () if text is None else tuple(CounterKey(*one) for one in jsontext.parse(text))


def write_counters(counters: Sequence[CounterKey]) -> str | None:
    """Counters as a claim is to store them."""
    return jsontext.text([list(one) for one in counters]) if counters else None
