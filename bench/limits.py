"""Owns the limits of the machine: the least work an order can be, without an application.

The same four writes on both databases: the order, the ledger entry, the balance under its lock,
the outbox row, durable when it returns. pgbench does them as one prepared statement, sqlite3 as
one transaction on one connection. Refuses any shortcut in durability.
"""

import re
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Load
from bench.postgres import Postgres, run_program

MEMBER_COUNT = 10_000
DATABASE = "limit"

_POSTGRES_TABLES = """
CREATE TABLE accounts (
    member_id integer PRIMARY KEY, available bigint NOT NULL, version bigint NOT NULL
) WITH (fillfactor = 60);
CREATE TABLE orders (
    id uuid PRIMARY KEY, order_ref text NOT NULL UNIQUE, member_id integer NOT NULL,
    net_minor bigint NOT NULL, placed_at timestamptz NOT NULL
);
CREATE TABLE entries (
    id uuid NOT NULL UNIQUE, member_id integer NOT NULL, seq bigint NOT NULL,
    order_id uuid NOT NULL, kind text NOT NULL, points bigint NOT NULL,
    available_after bigint NOT NULL, recorded_at timestamptz NOT NULL,
    PRIMARY KEY (member_id, seq)
);
CREATE TABLE outbox (
    id uuid PRIMARY KEY, kind text NOT NULL, payload text NOT NULL, created_at timestamptz NOT NULL
);
INSERT INTO accounts SELECT n, 0, 0 FROM generate_series(1, {members}) AS n;
VACUUM ANALYZE;
"""

# The UPDATE takes the row lock; entry and sequence number come from what it returns.
_PGBENCH_SCRIPT = """
\\set member random(1, {members})
\\set points random(1, 500)
WITH balance AS (
    UPDATE accounts SET available = available + :points, version = version + 1
    WHERE member_id = :member RETURNING member_id, available, version
), placed AS (
    INSERT INTO orders (id, order_ref, member_id, net_minor, placed_at)
    SELECT uuidv7(), 'order-' || uuidv7(), member_id, :points * 100, now() FROM balance
    RETURNING id
), entry AS (
    INSERT INTO entries
        (id, member_id, seq, order_id, kind, points, available_after, recorded_at)
    SELECT uuidv7(), balance.member_id, balance.version, placed.id, 'earn', :points,
           balance.available, now()
    FROM balance, placed
    RETURNING id
)
INSERT INTO outbox (id, kind, payload, created_at)
SELECT uuidv7(), 'points.earned', '{{"entry":"' || id || '"}}', now() FROM entry;
"""

_SQLITE_TABLES = """
CREATE TABLE accounts (
    member_id INTEGER PRIMARY KEY, available INTEGER NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE orders (
    id BLOB PRIMARY KEY, order_ref TEXT NOT NULL UNIQUE, member_id INTEGER NOT NULL,
    net_minor INTEGER NOT NULL, placed_at TEXT NOT NULL
);
CREATE TABLE entries (
    id BLOB NOT NULL UNIQUE, member_id INTEGER NOT NULL, seq INTEGER NOT NULL,
    order_id BLOB NOT NULL, kind TEXT NOT NULL, points INTEGER NOT NULL,
    available_after INTEGER NOT NULL, recorded_at TEXT NOT NULL,
    PRIMARY KEY (member_id, seq)
);
CREATE TABLE outbox (
    id BLOB PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, created_at TEXT NOT NULL
);
"""


@dataclass(slots=True)
class Pgbench:
    """pgbench with the one statement, prepared, against its own database."""

    postgres: Postgres
    folder: Path
    clients: int
    _script: Path = field(init=False)

    def prepare(self) -> None:
        """Create the tables and write the script."""
        self.postgres.create_database(DATABASE)
        with self.postgres.connect(DATABASE) as connection:
            for statement in _POSTGRES_TABLES.format(members=MEMBER_COUNT).split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
        self._script = self.folder / "order.sql"
        self._script.write_text(_PGBENCH_SCRIPT.format(members=MEMBER_COUNT), encoding="utf-8")

    def run(self, seconds: float) -> Load:
        """One timed run; latencies from pgbench's own log of every tenth transaction."""
        logs = self.folder / "pgbench-logs"
        logs.mkdir()
        try:
            printed = run_program(
                self.postgres,
                "pgbench",
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={self.clients}",
                "--jobs=2",
                f"--time={max(1, round(seconds))}",
                f"--file={self._script}",
                "--log",
                f"--log-prefix={logs / 'run'}",
                "--sampling-rate=0.1",
                DATABASE,
            )
            latencies = [
                int(line.split()[2]) * 1000
                for log in logs.iterdir()
                for line in log.read_text(encoding="utf-8").splitlines()
            ]
        finally:
            shutil.rmtree(logs)
        return _load_of(printed, latencies)


def _load_of(printed: str, latencies_ns: list[int]) -> Load:
    """pgbench's summary in the terms of the load generator."""
    done = int(_figure(printed, r"number of transactions actually processed: (\d+)"))
    failed = int(_figure(printed, r"number of failed transactions: (\d+)"))
    load = PgbenchLoad(latencies_ns=latencies_ns, processed=done)
    load.seconds = done / float(_figure(printed, r"tps = ([0-9.]+)"))
    load.statuses[200] = done
    if failed:
        load.statuses[500] = failed
    return load


def _figure(printed: str, pattern: str) -> str:
    found = re.search(pattern, printed)
    if found is None:
        raise RuntimeError(f"pgbench printed no {pattern!r}:\n{printed}")
    return found[1]


@dataclass(slots=True)
class PgbenchLoad(Load):
    """A load whose latencies are a sample, so that the count is told apart from them."""

    processed: int = 0

    @property
    def count(self) -> int:
        """How many transactions were committed."""
        return self.processed


@dataclass(slots=True)
class SqliteLoop:
    """One raw sqlite3 connection that commits one order after the other, WAL and FULL."""

    path: Path
    _connection: sqlite3.Connection = field(init=False)
    _next_order: int = 1

    def prepare(self) -> None:
        """Create the tables and the accounts."""
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        mode = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        assert mode == ("wal",)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SQLITE_TABLES)
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO accounts VALUES (?, 0, 0)", ((n,) for n in range(1, MEMBER_COUNT + 1))
        )
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def run(self, seconds: float) -> Load:
        """One timed run of transactions, each durable before the next begins."""
        load = Load()
        cpu_before = time.process_time()
        started = time.perf_counter_ns()
        until = started + int(seconds * 1e9)
        before = started
        while before < until:
            self._commit_order(self._next_order)
            self._next_order += 1
            after = time.perf_counter_ns()
            load.latencies_ns.append(after - before)
            before = after
        load.seconds = (before - started) / 1e9
        load.client_cpu_s = time.process_time() - cpu_before
        load.statuses[200] = load.count
        return load

    def _commit_order(self, number: int) -> None:
        execute = self._connection.execute
        member_id = (number * 2_654_435_761 >> 7) % MEMBER_COUNT + 1
        points = number % 500 + 1
        key = number.to_bytes(16, "big")
        placed_at = "2026-01-01T00:00:00Z"
        execute("BEGIN IMMEDIATE")
        available, version = execute(
            "UPDATE accounts SET available = available + ?, version = version + 1"
            " WHERE member_id = ? RETURNING available, version",
            (points, member_id),
        ).fetchone()
        execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?)",
            (key, f"order-{number}", member_id, points * 100, placed_at),
        )
        execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, 'earn', ?, ?, ?)",
            (key, member_id, version, key, points, available, placed_at),
        )
        execute(
            "INSERT INTO outbox VALUES (?, 'points.earned', ?, ?)",
            (key, f'{{"entry":"{number}"}}', placed_at),
        )
        execute("COMMIT")
