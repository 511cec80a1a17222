"""Owns the proof that a whole shop can move in: 10,000 members with balances, lots and levels and
100,000 old orders, twice; afterwards exactly what its file names is there.

Knows only the commands and the HTTP contract, but for the count of outbox messages, which no
address answers. Fails (`BenchError`) when a balance differs, when a message or a welcome bonus
appeared that the file does not name, or when the ledger does not verify.
"""

import argparse
import hashlib
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.postgres import running_postgres, temporary_folder
from bench.processes import (
    BenchError,
    Server,
    free_port,
    interrupt_on_terminate,
    run_command,
    running_server,
    say,
)
from bench.serving import THREADS, flask_command

MEMBERS, ORDERS = 10_000, 100_000
BATCH = 500
VERIFY_TIMEOUT_S = 1_800
_YEAR_END = "2999-12-31T15:00:00Z"
_DOCUMENT: dict[str, Any] = {
    "name": "Moving",
    "timezone": "Asia/Seoul",
    "currency": "KRW",
    "points": [{"key": "points"}],
    "earning": {
        "rules": [
            {
                "key": "base",
                "trigger": "order",
                "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
            },
            {
                "key": "hello",
                "trigger": "signup",
                "effect": {"do": "add_points", "points": 1000},
            },
        ]
    },
    "tiers": {
        "levels": [{"key": "silver", "enter_at": 200000}, {"key": "gold", "enter_at": 500000}]
    },
}


def _number(*parts: object, below: int) -> int:
    """A number that is the same in every run."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % below


def members(how_many: int) -> Iterator[dict[str, Any]]:
    """The members of the file, each with what they bring along."""
    for number in range(how_many):
        lots = [
            {
                "points": 1 + _number("points", number, place, below=5000),
                "earned_at": f"2025-0{1 + place}-15T00:00:00Z",
                "expires_at": _YEAR_END if place % 2 else None,
            }
            for place in range(_number("lots", number, below=4))
        ]
        opening: dict[str, Any] = {
            "lots": lots,
            "lifetime_earned": _number("lifetime", number, below=100_000),
        }
        if number % 10 == 0:
            opening["tier"] = {"key": "gold", "since": "2025-01-01T00:00:00Z", "until": None}
        yield {
            "member_ref": f"c-{number}",
            "is_history": True,
            "email": f"c{number}@example.com",
            "joined_at": "2024-01-01T00:00:00Z",
            "opening": opening,
        }


def orders(how_many: int, of_members: int) -> Iterator[dict[str, Any]]:
    """The old orders of the file, those of one member in the order of time."""
    for number in range(how_many):
        day = number * 360 // how_many
        yield {
            "order_ref": f"H-{number}",
            "member_ref": f"c-{_number('owner', number, below=of_members)}",
            "is_history": True,
            "status": "fulfilled",
            "currency": "KRW",
            "placed_at": f"2025-{1 + day // 30:02}-{1 + day % 28:02}T{number % 24:02}:00:00Z",
            "lines": [
                {
                    "line_ref": "1",
                    "quantity": 1,
                    "unit_price_minor": 1000 + _number("price", number, below=60_000),
                }
            ],
        }


class _Shop:
    """One client of the served program."""

    def __init__(self, server: Server, key: str) -> None:
        self._connection = HTTPConnection(server.host, server.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that must be 200."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, f"/v1{path}", body=sent, headers=self._headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise BenchError(f"{method} {path} answered {response.status}: {text[:500]!r}")
        return json.loads(text)

    def tell(self, path: str, name: str, batch: Sequence[dict[str, Any]], status: int) -> None:
        """One batch, of which every item must answer this status."""
        results = self.call("POST", path, {name: batch})["results"]
        wrong = [one for one in results if one["status"] != status]
        if wrong:
            raise BenchError(f"{len(wrong)} of {len(results)} answered otherwise: {wrong[0]}")


def _batches(items: Iterator[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found = list(items)
    return [found[start : start + BATCH] for start in range(0, len(found), BATCH)]


def move_in(make: Callable[[], _Shop], *, member_count: int, order_count: int) -> None:
    """Tell the whole file once and once more, by several clients; members before their orders."""
    for status in (201, 200):
        for path, name, batches in (
            ("/members/batch", "members", _batches(members(member_count))),
            ("/orders/batch", "orders", _batches(orders(order_count, member_count))),
        ):
            started = time.monotonic()
            with ThreadPoolExecutor(THREADS) as threads:
                told = [threads.submit(make().tell, path, name, batch, status) for batch in batches]
                for one in told:
                    one.result()
            count = sum(map(len, batches))
            took = time.monotonic() - started
            say(f"{count:,} {name} ({status}) in {took:.0f} s, {count / took:,.0f}/s")


def check(make: Callable[[], _Shop], *, member_count: int) -> int:
    """Compare every balance with the file; the points in all."""

    def compare(part: Sequence[dict[str, Any]]) -> int:
        shop, total = make(), 0
        for one in part:
            opening = one["opening"]
            [balance] = shop.call("GET", f"/members/{one['member_ref']}/balances")["data"]
            named = sum(lot["points"] for lot in opening["lots"])
            expected = (named, 0, 0, opening["lifetime_earned"], len(opening["lots"]))
            names = ("available", "pending", "held", "lifetime_earned", "version")
            found = tuple(balance[name] for name in names)
            if found != expected:
                raise BenchError(f"{one['member_ref']} has {found}, the file names {expected}")
            total += named
        return total

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(compare, _batches(members(member_count))))


@contextmanager
def _served(folder: Path, database_url: str) -> Iterator[tuple[Server, str, dict[str, str]]]:
    environment = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DANGOL_ENV": "production",
        "SERVER_THREADS": str(THREADS),
    }
    run_command(flask_command("db", "upgrade"), environment=environment)
    document = folder / "moving.json"
    document.write_text(json.dumps(_DOCUMENT), encoding="utf-8")
    printed = run_command(
        flask_command(
            "program", "create", "--name", "Moving", "--document", str(document), "--json"
        ),
        environment=environment,
    )
    port = free_port()
    with running_server(
        flask_command("serve", "--host", "127.0.0.1", "--port", str(port)),
        port=port,
        ready_path="/readyz",
        log=folder / "moving.log",
        environment=environment,
    ) as server:
        yield server, str(json.loads(printed.strip().splitlines()[-1])["secret_key"]), environment


def _count_messages(database_url: str) -> int:
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        statement = sa.text("SELECT COUNT(*) FROM outbox WHERE member_id IS NOT NULL")
        count = int(connection.execute(statement).scalar_one())
    engine.dispose()
    return count


def soak_moving(
    folder: Path,
    *,
    name: str,
    database_url: str,
    member_count: int = MEMBERS,
    order_count: int = ORDERS,
) -> None:
    """A shop moves into a fresh database, twice; BenchError when anything is not as named."""
    with _served(folder, database_url) as (server, key, environment):

        def make() -> _Shop:
            return _Shop(server, key)

        started = time.monotonic()
        move_in(make, member_count=member_count, order_count=order_count)
        took = time.monotonic() - started
        points = check(make, member_count=member_count)
    messages = _count_messages(database_url)
    if messages:
        raise BenchError(f"{messages} messages that the file does not name")
    run_command(
        flask_command("ledger", "verify"), environment=environment, timeout=VERIFY_TIMEOUT_S
    )
    print(
        f"{name}: {member_count:,} members and {order_count:,} orders moved in twice in "
        f"{took:.0f} s: {points:,} points as named, no message, verified"
    )


def main(arguments: list[str]) -> int:
    """Move in on PostgreSQL or, with --sqlite, on SQLite."""
    parser = argparse.ArgumentParser(prog="python -m bench.moving", description=__doc__)
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--sqlite", action="store_true")
    options = parser.parse_args(arguments)
    interrupt_on_terminate()
    counts = {"member_count": options.members, "order_count": options.orders}
    with temporary_folder() as folder:
        if options.sqlite:
            url = f"sqlite:///{folder / 'moving.db'}"
            soak_moving(folder, name="SQLite", database_url=url, **counts)
            return 0
        with running_postgres(folder) as postgres:
            postgres.create_database("moving")
            soak_moving(folder, name="PostgreSQL", database_url=postgres.url("moving"), **counts)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
