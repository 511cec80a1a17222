"""What is there for a member beside their points: stock, pools of codes, and open grants.

Owns how it is read: as columns of one row, so that a statement about a member has it with anything
else. Each is an index look-up for the member or the program, whatever the planner thinks.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import jsontext, rawsql

#: How many columns there are.
WIDTH = 5


@dataclass(frozen=True, slots=True)
class OpenGrant:
    """A grant that can be used."""

    id: bytes
    reward_key: str
    voucher_id: bytes | None
    expires_at: int | None


@dataclass(slots=True)
class Opened:
    """What is there, as stored. `over` is what holds and grants of others that have run out still
    take of stock; `is_over` says that some hold of the member's own has. `pools` are those with a
    code for somebody, which a hold that has run out may still have."""

    stock: dict[str, tuple[int, int]] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)
    is_over: bool = False
    pools: set[str] = field(default_factory=set)
    grants: list[OpenGrant] = field(default_factory=list)


def read(connection: sa.Connection, program_id: bytes, member_id: bytes, *, now: int) -> Opened:
    """What is there for a member who is known."""
    sql = _sql(connection.dialect.name)
    [row] = rawsql.run(connection, sql, [program_id, member_id, now])
    return parse(row)


@functools.cache
def _sql(dialect: str) -> str:
    mark, blob = rawsql.mark(dialect), "BLOB" if dialect == "sqlite" else "BYTEA"
    start = f"SELECT CAST({mark}2 AS {blob}) AS id, CAST({mark}3 AS BIGINT) AS now"
    return f"WITH m AS ({start}) SELECT {columns(dialect)} FROM m"


def columns(dialect: str, *, has_stock: bool = True, has_pools: bool = True) -> str:
    """The columns, of a member `m` with their `id`, as of `now`; the program is the first value.
    What a catalogue has none of is not looked for."""
    program = f"program_id = {rawsql.mark(dialect)}1"
    over = (
        "SELECT r.reward_key, COUNT(CASE WHEN r.has_stock AND r.member_id <> m.id THEN 1 END),"
        " COUNT(CASE WHEN r.member_id = m.id THEN 1 END) FROM (SELECT * FROM redemptions h WHERE"
        f" h.{program} AND h.state = 'held' AND h.expires_at IS NOT NULL AND h.expires_at <= m.now"
        f" ORDER BY h.expires_at{_fence(dialect)}) r GROUP BY r.reward_key"
    )
    lapsed = (
        f"SELECT g.reward_key, COUNT(*) FROM (SELECT * FROM grants d WHERE d.{program}"
        f" AND d.due_at IS NOT NULL AND d.due_at <= m.now ORDER BY d.due_at{_fence(dialect)}) g"
        " WHERE g.has_stock GROUP BY g.reward_key"
    )
    # A look-up for each pool, and never a scan of all codes.
    pools = (
        f"SELECT p.key FROM voucher_pools p WHERE p.{program} AND ((SELECT 1 FROM vouchers v WHERE"
        f" v.{program} AND v.pool_key = p.key AND v.state = 'pooled' LIMIT 1) IS NOT NULL OR"
        f" p.key IN (SELECT w.pool_key FROM redemptions b JOIN vouchers w ON w.{program}"
        f" AND w.id = b.voucher_id WHERE b.{program} AND b.state = 'held'"
        " AND b.expires_at IS NOT NULL AND b.expires_at <= m.now AND w.pool_key IS NOT NULL))"
    )
    grants = (
        "SELECT g.reward_key, "
        + ", ".join(_hex(dialect, name) for name in ("g.id", "g.voucher_id"))
        + f", g.expires_at FROM grants g WHERE g.{program} AND g.member_id = m.id"
        " AND g.state = 'open' AND (g.due_at IS NULL OR g.due_at > m.now)"
    )
    stock = f"SELECT s.reward_key, s.total, s.used FROM reward_stock s WHERE s.{program}"
    return ", ".join(
        _listed(dialect, sql, count) if is_asked else "NULL"
        for sql, count, is_asked in (
            (stock, 3, has_stock),
            (over, 3, True),
            (lapsed, 2, has_stock),
            (pools, 1, has_pools),
            (grants, 4, True),
        )
    )


def _fence(dialect: str) -> str:
    """What keeps PostgreSQL from taking a query apart and planning it otherwise."""
    return "" if dialect == "sqlite" else " OFFSET 0"


def _hex(dialect: str, name: str) -> str:
    if dialect == "sqlite":
        return f"CASE WHEN {name} IS NOT NULL THEN hex({name}) END"
    return f"encode({name}, 'hex')"


def _listed(dialect: str, sql: str, count: int) -> str:
    """The rows of a query as a column: a list of lists in JSON, or nothing."""
    names = ", ".join(f"c{place}" for place in range(count))
    if dialect == "sqlite":
        aliased = f"WITH q({names}) AS ({sql}) SELECT json_group_array(json_array({names})) FROM q"
        return f"({aliased})"
    return f"(SELECT json_agg(json_build_array({names}))::text FROM ({sql}) q({names}))"


def parse(row: Any) -> Opened:
    """What such columns say."""
    stock, over, lapsed, pools, grants = (
        jsontext.parse(column) if column else () for column in row
    )
    found = Opened({key: (total, used) for key, total, used in stock})
    for key, others, own in over:
        found.is_over = found.is_over or own > 0
        # What pays with points is no reward.
        if key is not None and others:
            found.over[key] = others
    for key, count in lapsed:
        found.over[key] = found.over.get(key, 0) + count
    found.pools.update(key for (key,) in pools)
    for key, grant_id, voucher_id, expires_at in grants:
        voucher = None if voucher_id is None else bytes.fromhex(voucher_id)
        found.grants.append(OpenGrant(bytes.fromhex(grant_id), key, voucher, expires_at))
    # Ids are in the order in which they were made.
    found.grants.sort(key=lambda one: one.id)
    return found
