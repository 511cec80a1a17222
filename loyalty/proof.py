"""The ledger's proof for outsiders: sums, counts, and Merkle roots that pin every entry.

A root is the Merkle tree hash of RFC 6962: SHA-256 with 0x00 before a leaf and 0x01 before two
nodes. One tree has the head of every account's chain as its leaves, one for every local day the
hashes of the entries recorded on it. Rows stream; memory holds one hash for each height of a tree.
"""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from core import clock, ids
from loyalty.ledger.rows import ACCOUNTS, ALLOCATIONS, ENTRIES, HOLDS, LOTS
from programs.compiled import Compiled

_ROWS = 2000
DAYS_MAX = 31
_OWN = ("available", "pending", "held")
_PROGRAM = ("issued", "spent", "expired", "clawed_back", "adjusted", "transferred")


class Tree:
    """A Merkle tree that grows by leaves; keeps a hash for each perfect subtree on its right."""

    def __init__(self) -> None:
        self.count = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf."""
        size, node = 1, hashlib.sha256(b"\x00" + leaf).digest()
        while self._peaks and self._peaks[-1][0] == size:
            node = hashlib.sha256(b"\x01" + self._peaks.pop()[1] + node).digest()
            size *= 2
        self._peaks.append((size, node))
        self.count += 1

    def root(self) -> bytes:
        """The Merkle tree hash of the leaves so far; of none, SHA-256 of nothing."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        root = self._peaks[-1][1]
        for _, node in reversed(self._peaks[:-1]):
            root = hashlib.sha256(b"\x01" + node + root).digest()
        return root


def head_leaf(member_id: bytes, points_key: str, version: int, head: bytes) -> bytes:
    """An account's leaf: 16 bytes of the member, the kind of points in UTF-8 behind its length in
    two bytes, the version in eight, the hash of the last entry."""
    key = points_key.encode()
    return member_id + len(key).to_bytes(2, "big") + key + version.to_bytes(8, "big") + head


def prove(
    connection: sa.Connection,
    program: Compiled,
    *,
    now: clock.Instant,
    days: tuple[date | None, date | None],
) -> dict[str, Any]:
    """The proof of one program; `days` are the first and the last of `daily`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    program_id = program.program_id
    tree = Tree()
    for row in _heads(connection, program_id):
        tree.add(head_leaf(row.member_id, row.points_key, row.version, row.head))
    return {
        "at": clock.format_instant(now),
        "sums": _sums(connection, program_id),
        "counts": {
            str(table.name): _count(connection, table, program_id)
            for table in (ACCOUNTS, ENTRIES, ALLOCATIONS, LOTS, HOLDS)
        },
        "chain_heads": {"count": tree.count, "root": tree.root().hex()},
        "daily": _daily(connection, program, days),
    }


def _heads(connection: sa.Connection, program_id: bytes) -> Iterator[Any]:
    return iter(
        connection.execute(
            list_heads(connection.dialect.name, program_id, after=None),
            execution_options={"yield_per": _ROWS},
        )
    )


def _bytewise(dialect: str, column: sa.Column[str]) -> Any:
    """A text column in the order of its bytes, which is the same on every database."""
    return column.collate("C" if dialect == "postgresql" else "BINARY")


def list_heads(
    dialect: str, program_id: bytes, *, after: tuple[bytes, str] | None
) -> sa.Select[Any]:
    """Accounts with the heads of their chains, in the order of the leaves."""
    columns, key = ACCOUNTS.c, _bytewise(dialect, ACCOUNTS.c.points_key)
    statement = (
        sa.select(columns.member_id, columns.points_key, columns.version, columns.head)
        .where(columns.program_id == program_id)
        .order_by(columns.member_id, key)
    )
    if after is not None:
        member_id, points_key = after
        statement = statement.where(
            sa.or_(
                columns.member_id > member_id,
                sa.and_(columns.member_id == member_id, key > points_key),
            )
        )
    return statement


def show_head(row: Any) -> dict[str, Any]:
    """An account's head as the contract shows it."""
    return {
        "member_id": ids.show_id("mem", row.member_id),
        "points_key": row.points_key,
        "version": row.version,
        "head": row.head.hex(),
    }


def _count(connection: sa.Connection, table: sa.Table, program_id: bytes) -> int:
    statement = sa.select(sa.func.count()).where(table.c.program_id == program_id)
    return int(connection.execute(statement.select_from(table)).scalar_one())


def _sums(connection: sa.Connection, program_id: bytes) -> list[dict[str, Any]]:
    """What entries add to each bucket, by kind of points; the program's own the other way round:
    what it issued has left it, what was spent has come to it."""
    rows = connection.execute(
        sa.select(
            ENTRIES.c.points_key,
            ENTRIES.c.from_bucket,
            ENTRIES.c.to_bucket,
            sa.func.sum(ENTRIES.c.points),
        )
        .where(ENTRIES.c.program_id == program_id)
        .group_by(ENTRIES.c.points_key, ENTRIES.c.from_bucket, ENTRIES.c.to_bucket)
    )
    found: dict[str, dict[str, int]] = {}
    for points_key, source, target, points in rows:
        sums = found.setdefault(points_key, dict.fromkeys((*_OWN, *_PROGRAM), 0))
        sums[source] -= int(points)
        sums[target] += int(points)
    shown: list[dict[str, Any]] = []
    for points_key, sums in sorted(found.items()):
        sums["issued"] = -sums["issued"]
        shown.append({"points_key": points_key, **sums})
    return shown


def _daily(
    connection: sa.Connection, program: Compiled, days: tuple[date | None, date | None]
) -> list[dict[str, Any]]:
    """Days that have entries, each with its root, oldest first."""
    first, last = _span(connection, program, days)
    if first is None or last is None:
        return []
    start = clock.end_of_day(first - timedelta(days=1), program.zone)
    end = clock.end_of_day(last, program.zone)
    trees: dict[date, Tree] = {}
    key = _bytewise(connection.dialect.name, ENTRIES.c.points_key)
    statement = (
        sa.select(ENTRIES.c.recorded_at, ENTRIES.c.hash)
        .where(
            ENTRIES.c.program_id == program.program_id,
            ENTRIES.c.recorded_at >= start,
            ENTRIES.c.recorded_at < end,
        )
        .order_by(ENTRIES.c.member_id, key, ENTRIES.c.seq)
    )
    rows = connection.execute(statement, execution_options={"yield_per": _ROWS})
    for recorded_at, entry_hash in rows:
        day = clock.local_date(recorded_at, program.zone)
        trees.setdefault(day, Tree()).add(entry_hash)
    return [
        {"day": day.isoformat(), "entries": tree.count, "root": tree.root().hex()}
        for day, tree in sorted(trees.items())
    ]


def _span(
    connection: sa.Connection, program: Compiled, days: tuple[date | None, date | None]
) -> tuple[date | None, date | None]:
    """The days asked for; by default the last 31 up to the newest entry."""
    first, last = days
    if last is None:
        newest = connection.execute(
            sa.select(sa.func.max(ENTRIES.c.recorded_at)).where(
                ENTRIES.c.program_id == program.program_id
            )
        ).scalar_one()
        if newest is None:
            return None, None
        last = clock.local_date(newest, program.zone)
        if first is not None:
            last = min(last, first + timedelta(days=DAYS_MAX - 1))
    if first is None:
        first = last - timedelta(days=DAYS_MAX - 1)
    return first, last
