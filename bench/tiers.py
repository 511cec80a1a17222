"""Owns the bars of tiers over a whole program: a million members with three million orders, made by
PostgreSQL; everybody reassessed after a ladder was published, some members looked at, and a ladder
previewed, each against one plain GROUP BY member over the same orders in the same run.
"""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import BenchError, interrupt_on_terminate, run_command, say
from bench.serving import flask_command

MEMBERS, ORDERS_OF_MEMBER = 1_000_000, 3
SOME = 10_000
#: One of so many members is moved by each published ladder.
MOVED_ONE_OF = 2_000
FULL_MAX, SOME_MAX, IMPACT_MAX = 4.0, 1 / 20, 6.0
MEMORY_MAX = 300 * 2**20
_DATABASE = "tiers"
_ID = "uuid_send(uuidv7())"
_DAY = 86_400_000_000
_LEVELS = {"bronze": 20_000, "silver": 35_000, "gold": 52_000}
_DOCUMENT: dict[str, Any] = {
    "name": "Tiers",
    "timezone": "UTC",
    "currency": "EUR",
    "points": [{"key": "points"}],
    "earning": {
        "rules": [
            {
                "key": "base",
                "trigger": "order",
                "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
            }
        ]
    },
    "tiers": {
        "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
        "term": {"policy": "from_entry", "duration": "P12M"},
        "grace": "P30D",
        "downgrade": "one_down",
        "levels": [{"key": key, "enter_at": least} for key, least in _LEVELS.items()],
    },
}

_MEMBERS = f"""
INSERT INTO members (program_id, id, member_ref, contact_verified, attributes, is_enrolled,
                     joined_at, created_at)
SELECT p.program_id, {_ID}, 'member-' || n, '[]', '{{}}', true, 0, 0
FROM programs p, generate_series(1, %(members)s::int) n
"""
_NUMBERED = """
CREATE TEMPORARY TABLE numbered AS
SELECT program_id, id, row_number() OVER () AS n FROM members;
CREATE INDEX ON numbered (n);
ANALYZE numbered
"""
#: In order of time, each of a member who is far away from the one before, over 500 days.
_ORDERS = f"""
INSERT INTO orders (program_id, id, order_ref, member_id, status, placed_at, snapshot, net_minor,
                    refunded_minor, spend_minor, qualifying_points, stands, is_first, is_history,
                    created_at, updated_at, points_returned)
SELECT m.program_id, {_ID}, 'order-' || s, m.id, 'paid',
       %(now)s::bigint - (500 * (1 - s / %(orders)s::float8) * {_DAY})::bigint, repeat('x', 200),
       v, 0, v, v / 100, true, false, false, 0, 0, 0
FROM (SELECT s, s::bigint * 7919 %% %(members)s::int + 1 AS n,
             500 + (s::bigint * 104729 %% 20011)::int AS v
      FROM generate_series(1, %(orders)s::int) s) made
JOIN numbered m ON m.n = made.n
"""
#: Rebuilt when the orders are there: filling them as random members come takes far longer.
_INDEX = "CREATE INDEX ix_orders_member_time ON orders (program_id, member_id, placed_at)"
#: Where the ladder puts them, as if the application had: terms run to a midnight within a year,
#: and they are looked at again before the first order leaves the window.
_PLACED = f"""
INSERT INTO member_tiers (program_id, member_id, level_key, since, until, is_at_risk, due_at)
SELECT program_id, member_id, level_key, latest, until, false,
       LEAST(until, earliest + 363 * {_DAY}::bigint)
FROM (SELECT program_id, member_id, max(placed_at) AS latest, min(placed_at) AS earliest,
             (max(placed_at) / {_DAY} + 366) * {_DAY} AS until,
             CASE WHEN sum(spend_minor) >= {_LEVELS["gold"]} THEN 'gold'
                  WHEN sum(spend_minor) >= {_LEVELS["silver"]} THEN 'silver'
                  WHEN sum(spend_minor) >= {_LEVELS["bronze"]} THEN 'bronze' END AS level_key
      FROM orders WHERE placed_at > %(start)s::bigint GROUP BY program_id, member_id) placed
WHERE level_key IS NOT NULL
"""
_PLAIN = """
SELECT count(*), sum(spend), sum(n) FROM (
SELECT member_id, sum(spend_minor) AS spend, count(*) AS n
FROM orders WHERE program_id = (SELECT program_id FROM programs) AND stands GROUP BY member_id) x
"""
#: What the members who come closest to gold have bought; the last of so many.
_CLOSEST = """
SELECT spend FROM (
SELECT o.member_id, sum(o.spend_minor) AS spend FROM orders o
JOIN member_tiers t ON t.program_id = o.program_id AND t.member_id = o.member_id
WHERE t.level_key = 'silver' AND o.placed_at > %(start)s::bigint GROUP BY o.member_id) x
ORDER BY spend DESC OFFSET %(moved)s::int LIMIT 1
"""


@dataclass(slots=True)
class Figures:
    """What was measured, by what it is of."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: int = 0

    def add(self, what: str, seconds: float) -> None:
        """Note one measurement."""
        self.seconds.setdefault(what, []).append(seconds)

    def of(self, what: str) -> float:
        """The median."""
        return median(self.seconds[what])


def _fill(postgres: Postgres, member_count: int) -> None:
    now = time.time_ns() // 1000
    values = {
        "members": member_count,
        "orders": member_count * ORDERS_OF_MEMBER,
        "now": now,
        "start": now - 365 * _DAY,
    }
    with postgres.connect(_DATABASE) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(_MEMBERS, values)
        for statement in _NUMBERED.split(";"):
            connection.execute(statement)
        connection.execute("DROP INDEX ix_orders_member_time")
        connection.execute(_ORDERS, values)
        connection.execute(_INDEX)
        connection.execute(_PLACED, values)
        for table in ("members", "orders", "member_tiers"):
            connection.execute(f"VACUUM ANALYZE {table}")
        connection.execute("CHECKPOINT")


def _environment(folder: Path, postgres: Postgres) -> dict[str, str]:
    """The application's settings for a database with one program."""
    environment = {
        "DATABASE_URL": postgres.url(_DATABASE),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "LOG_LEVEL": "error",
    }
    run_command(flask_command("db", "upgrade"), environment=environment)
    document = folder / "tiers-program.json"
    document.write_text(json.dumps(_DOCUMENT), encoding="utf-8")
    names = ("--name", "Tiers", "--currency", "EUR", "--timezone", "UTC")
    create = flask_command("program", "create", *names, "--document", str(document), "--json")
    run_command(create, environment=environment)
    return environment


def _measure(
    postgres: Postgres, environment: dict[str, str], *, rounds: int, member_count: int
) -> Figures:
    figures = Figures()
    some, moved = min(SOME, member_count // 100), member_count // MOVED_ONE_OF

    def plain() -> None:
        with postgres.connect(_DATABASE) as connection:
            connection.execute("SET jit = off")
            started = time.monotonic()
            connection.execute(_PLAIN).fetchone()
            figures.add("plain", time.monotonic() - started)

    def own(what: str, number: int) -> None:
        command = [sys.executable, "-m", "bench.assessing", what, str(number)]
        told = json.loads(run_command(command, environment=environment, timeout=300))
        figures.add(what, told["seconds"])
        figures.peak_bytes = max(figures.peak_bytes, told["peak_bytes"])
        say(f"{what}: {told['seconds']:.2f} s, found {told['found']:,}")

    parts: tuple[Callable[[], None], ...] = (
        lambda: own("full", _closest(postgres, moved)),
        lambda: own("some", some),
        lambda: own("impact", _closest(postgres, moved) - 500),
    )
    for number in range(rounds + 1):
        if number == 1:
            # The first round reads everything into memory, and is not counted.
            figures.seconds.clear()
        for part in parts:
            plain()
            part()
        say(f"plain GROUP BY member: {figures.of('plain'):.2f} s")
    return figures


def _closest(postgres: Postgres, moved: int) -> int:
    values = {"start": time.time_ns() // 1000 - 365 * _DAY, "moved": moved}
    with postgres.connect(_DATABASE) as connection:
        row = connection.execute(_CLOSEST, values).fetchone()
    if row is None:
        raise BenchError("there are too few members for the ladder to move any")
    return int(row[0])


def _report(figures: Figures) -> bool:
    plain, full = figures.of("plain"), figures.of("full")
    met = []
    for text, value, most in (
        ("everybody reassessed, in plain GROUP BYs", full / plain, FULL_MAX),
        (f"{SOME:,} members looked at, of that", figures.of("some") / full, SOME_MAX),
        ("a ladder previewed, in plain GROUP BYs", figures.of("impact") / plain, IMPACT_MAX),
    ):
        met.append(value <= most)
        print(f"{text}: {value:.3f} (needed {most})")
    print(f"most memory of a process: {figures.peak_bytes / 2**20:.0f} MiB (needed 300)")
    return all(met) and figures.peak_bytes < MEMORY_MAX


def main(arguments: list[str]) -> int:
    """Measure; 1 with --check when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.tiers", description=__doc__)
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    given = parser.parse_args(arguments)
    interrupt_on_terminate()
    with temporary_folder() as folder, running_postgres(folder) as postgres:
        with postgres.connect() as connection:
            # So that the log of filling does not take more room than what is filled.
            connection.execute("ALTER SYSTEM SET max_wal_size = '1GB'")
            connection.execute("SELECT pg_reload_conf()")
        postgres.create_database(_DATABASE)
        environment = _environment(folder, postgres)
        started = time.monotonic()
        _fill(postgres, given.members)
        say(f"{given.members:,} members filled in {time.monotonic() - started:.0f} s")
        figures = _measure(postgres, environment, rounds=given.rounds, member_count=given.members)
        is_met = _report(figures)
    return 1 if given.check and not is_met else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        say(str(error))
        sys.exit(1)
