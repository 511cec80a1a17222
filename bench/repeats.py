"""Owns what a storefront that times out does: every order is told one to five times, in any order,
by sixteen clients of whom a tenth of the requests is dropped in flight and sent again later.

Afterwards each order must be there once, with one entry and the points worked out here. Knows
only the commands and the HTTP contract, but for the counts of rows, which no address answers.
`python -m bench.repeats` does it with 10,000 orders on SQLite and on PostgreSQL.
"""

import argparse
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.crashes import ServedInstance
from bench.postgres import running_postgres, temporary_folder
from bench.processes import BenchError, interrupt_on_terminate, say

ORDERS, CLIENTS, MEMBERS = 10_000, 16, 40
REPEATS_MAX = 5
#: How a request is dropped: its body half sent, its answer not waited for, or hardly.
DROPS, DROPPED = ("half", "unread", "impatient"), 0.1
#: Answers that the contract asks to send again after.
REPEATED = {"overloaded", "storage_unavailable"}
SECONDS_PER_ORDER, SECONDS = 0.1, 120
VERIFY_TIMEOUT_S = 900
_DOCUMENT: dict[str, Any] = {
    "name": "Repeats",
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
}


@dataclass(frozen=True, slots=True)
class Told:
    """One order as it is told, always alike, and the points that it is worth."""

    ref: str
    member: str
    points: int

    def body(self) -> bytes:
        """The order in two lines: 1.00 a point, and 99 cents that are not enough for one."""
        lines = [
            {"line_ref": "1", "quantity": self.points, "unit_price_minor": 100},
            {"line_ref": "2", "quantity": 1, "unit_price_minor": 99},
        ]
        order = {
            "member_ref": self.member,
            "status": "paid",
            "currency": "EUR",
            "placed_at": "2026-03-01T10:00:00Z",
            "lines": lines,
        }
        return json.dumps(order).encode()


@dataclass(frozen=True, slots=True)
class Sending:
    """One request to come: which order, and how it is dropped, if it is."""

    told: Told
    drop: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to; `faults` names everything lost, doubled, wrong or refused."""

    orders: int
    answered: int
    dropped: int
    retried: int
    seconds: float
    faults: list[str]

    def shown(self) -> str:
        """One line of it."""
        return (
            f"{self.orders:,} orders, {self.answered:,} requests answered, {self.dropped:,} "
            f"dropped in flight, {self.retried:,} told to come again by 503, in "
            f"{self.seconds:.0f} s: {len(self.faults)} lost, doubled, wrong or refused"
        )


def planned(orders: int, chance: random.Random) -> list[Sending]:
    """Every order one to five times, shuffled; a tenth of the requests is dropped."""
    sendings = []
    for number in range(orders):
        told = Told(f"o-{number}", f"m{chance.randrange(MEMBERS)}", chance.randint(1, 99))
        sendings += [
            Sending(told, chance.choice(DROPS) if chance.random() < DROPPED else None)
            for _ in range(chance.randint(1, REPEATS_MAX))
        ]
    chance.shuffle(sendings)
    return sendings


@dataclass(slots=True)
class Storm:
    """The clients and what is left to be sent; what was dropped is sent again after the rest."""

    instance: ServedInstance
    key: str
    left: deque[Sending]
    deadline: float
    dropped: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Send everything, until each order is acknowledged."""
        clients = [threading.Thread(target=self._client, args=(one,)) for one in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _client(self, number: int) -> None:
        chance = random.Random(number)
        connection = self._connect()
        while time.monotonic() < self.deadline:
            try:
                sending = self.left.popleft()
            except IndexError:
                break
            if sending.drop is None:
                self._send(connection, sending)
                continue
            self._drop(connection, sending, chance)
            connection.close()
            connection = self._connect()
        connection.close()

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.instance.port, timeout=60)

    def _request(self, connection: HTTPConnection, told: Told, *, is_half: bool = False) -> None:
        body = told.body()
        connection.putrequest("PUT", f"/v1/orders/{told.ref}")
        for name, value in (
            ("Authorization", f"Bearer {self.key}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            connection.putheader(name, value)
        connection.endheaders(body[: len(body) // 2] if is_half else body)

    def _send(self, connection: HTTPConnection, sending: Sending) -> None:
        try:
            self._request(connection, sending.told)
            response = connection.getresponse()
            self._note(sending, response.status, response.read())
        except (OSError, HTTPException) as error:
            connection.close()
            with self._lock:
                self.faults.append(f"{sending.told.ref}: cut off by the server: {error!r}")
            self.left.append(sending)

    def _drop(self, connection: HTTPConnection, sending: Sending, chance: random.Random) -> None:
        """Send, do not wait for the answer (or hardly), and reset the connection."""
        with suppress(OSError, HTTPException):
            self._request(connection, sending.told, is_half=sending.drop == "half")
            assert connection.sock is not None
            if sending.drop == "impatient":
                # Answers take some milliseconds: most, not all of these come too late.
                connection.sock.settimeout(chance.uniform(0.001, 0.03))
                response = connection.getresponse()
                self._note(sending, response.status, response.read())
                return
            time.sleep(chance.uniform(0, 0.02))
            reset = struct.pack("ii", 1, 0)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        with self._lock:
            self.dropped += 1
        self.left.append(Sending(sending.told))

    def _note(self, sending: Sending, status: int, content: bytes) -> None:
        answer = json.loads(content)
        told = sending.told
        with self._lock:
            self.statuses[status] += 1
            if status in (200, 201):
                earned = [one["points"] for one in answer["earned"]]
                if earned != [told.points]:
                    self.faults.append(f"{told.ref} earned {earned}, by hand {told.points}")
                self.acknowledged.add(told.ref)
                return
            if status != 503 or answer["code"] not in REPEATED:
                self.faults.append(f"{told.ref}: {status} {content[:300]!r}")
                return
        time.sleep(0.05)
        self.left.append(Sending(told))


def run(database_url: str, folder: Path, *, orders: int, seed: int) -> Report:
    """Serve, send everything, compare what is there; nothing is left running."""
    instance = ServedInstance(database_url, folder, SERVER_WORKERS="0")
    instance.command("db", "upgrade")
    document = folder / "repeats-program.json"
    document.write_text(json.dumps(_DOCUMENT), encoding="utf-8")
    made = instance.command(
        *("program", "create", "--name", "Repeats", "--document", str(document), "--json")
    )
    key = str(json.loads(made.strip().splitlines()[-1])["secret_key"])
    sendings = planned(orders, random.Random(seed))
    started = time.monotonic()
    storm = Storm(instance, key, deque(sendings), started + SECONDS + orders * SECONDS_PER_ORDER)
    told = {one.told.ref: one.told for one in sendings}
    try:
        instance.start()
        for number in range(MEMBERS):
            instance.call("PUT", f"/v1/members/m{number}", {}, key=key)
        storm.run()
        seconds = time.monotonic() - started
        missing = sorted(told.keys() - storm.acknowledged)
        faults = storm.faults + [f"{ref} was never acknowledged" for ref in missing]
        faults += _compared(instance, key, told)
    finally:
        instance.stop()
    faults += _counted(database_url, orders)
    try:
        instance.command("ledger", "verify", timeout=VERIFY_TIMEOUT_S)
    except BenchError as error:
        faults.append(str(error))
    return Report(
        orders=orders,
        answered=storm.statuses.total(),
        dropped=storm.dropped,
        retried=storm.statuses[503],
        seconds=seconds,
        faults=faults,
    )


def _compared(instance: ServedInstance, key: str, told: dict[str, Told]) -> list[str]:
    """What members have against what their orders are worth, entry by entry."""
    faults = []
    for number in range(MEMBERS):
        member = f"m{number}"
        wanted = {one.ref: one.points for one in told.values() if one.member == member}
        _, shown = instance.call("GET", f"/v1/members/{member}/balances", key=key)
        available = sum(one["available"] for one in shown["data"])
        if available != sum(wanted.values()):
            faults.append(f"{member} has {available}, by hand {sum(wanted.values())}")
        found = [
            (one["source"]["ref"], one["points"])
            for one in _entries(instance, key, member)
            if one["kind"] == "earn"
        ]
        if sorted(found) != sorted(wanted.items()):
            odd = (Counter(found) - Counter(wanted.items())) | (
                Counter(wanted.items()) - Counter(found)
            )
            faults.append(f"{member}: entries lost or doubled: {dict(odd)}")
    return faults


def _entries(instance: ServedInstance, key: str, member: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = "?limit=100"
    while True:
        _, page = instance.call("GET", f"/v1/members/{member}/entries{query}", key=key)
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        query = f"?limit=100&cursor={page['next_cursor']}"


def _counted(database_url: str, orders: int) -> list[str]:
    """As many orders, entries, lots and messages as orders were told, and not one more."""
    engine = sa.create_engine(database_url)
    faults = []
    counts = {
        "orders": "SELECT count(*) FROM orders",
        "entries": "SELECT count(*) FROM entries",
        "earnings": "SELECT count(*) FROM entries WHERE kind = 'earn'",
        "lots": "SELECT count(*) FROM lots",
        "messages": "SELECT count(*) FROM outbox WHERE type = 'points.earned'",
    }
    with engine.connect() as connection:
        for name, statement in counts.items():
            found = connection.execute(sa.text(statement)).scalar_one()
            if found != orders:
                faults.append(f"{found} {name} of {orders} orders")
    engine.dispose()
    return faults


def soak_repeats(folder: Path, *, name: str, database_url: str, seed: int) -> None:
    """10,000 orders on one database; fails when anything is lost, doubled, wrong or refused."""
    report = run(database_url, folder, orders=ORDERS, seed=seed)
    print(f"{name}, seed {seed}: {report.shown()}")
    if report.faults:
        raise BenchError("\n".join(report.faults[:50]))


def main(arguments: list[str]) -> int:
    """Run on both databases and answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.repeats", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    interrupt_on_terminate()
    is_met = True
    with temporary_folder() as folder, running_postgres(folder) as postgres:
        postgres.create_database("repeats")
        for name, url in (
            ("SQLite", f"sqlite:///{folder / 'repeats.db'}"),
            ("PostgreSQL", postgres.url("repeats")),
        ):
            report = run(url, folder, orders=options.orders, seed=options.seed)
            print(f"{name}: {report.shown()}")
            for fault in report.faults[:50]:
                print(f"  {fault}")
            is_met = is_met and not report.faults
    return 0 if is_met else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
