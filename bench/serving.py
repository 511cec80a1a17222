"""Owns the application under measurement: migrated, given a program, served, checked.

Knows only what an operator knows: the commands, the environment and the HTTP contract.
"""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.load import drive
from bench.processes import BenchError, Server, free_port, run_command, running_server
from bench.workload import PROBE_POINTS, Workload, program_document, whole_document

THREADS = 4
WORKERS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Served:
    """One served instance with one program, its members signed up."""

    server: Server
    workload: Workload
    secret_key: str
    environment: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.server.host, self.server.port

    @property
    def url(self) -> str:
        """Where it listens, as an address for commands."""
        return f"http://{self.server.host}:{self.server.port}"


def flask_command(*arguments: str) -> list[str]:
    """A command of the application's own command line."""
    return [sys.executable, "-m", "flask", *arguments]


@contextmanager
def served_program(
    folder: Path,
    *,
    name: str,
    database_url: str,
    threads: int,
    member_count: int,
    is_whole: bool = False,
) -> Iterator[Served]:
    """Migrate, create the program (the whole product, if asked), serve it, sign the members up;
    stop it however it ends."""
    environment = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DANGOL_ENV": "production",
        "SERVER_THREADS": str(threads),
    }
    run_command(flask_command("db", "upgrade"), environment=environment)
    document = folder / f"{name}-program.json"
    document.write_text(
        json.dumps(whole_document() if is_whole else program_document()), encoding="utf-8"
    )
    printed = run_command(
        flask_command(
            *("program", "create", "--name", "Bench", "--currency", "USD", "--timezone", "UTC"),
            *("--document", str(document), "--json"),
        ),
        environment=environment,
    )
    secret_key = str(json.loads(printed.strip().splitlines()[-1])["secret_key"])
    port = free_port()
    with running_server(
        flask_command("serve", "--host", "127.0.0.1", "--port", str(port)),
        port=port,
        ready_path="/readyz",
        log=folder / f"{name}.log",
        environment=environment,
    ) as server:
        served = Served(
            server=server,
            workload=Workload(key=secret_key, member_count=member_count),
            secret_key=secret_key,
            environment=environment,
        )
        _sign_up(served)
        _check_probe(served)
        yield served


def _sign_up(served: Served) -> None:
    """Create all members; nothing can be measured if one of them is refused."""
    load = drive(served.address, served.workload.members(), seconds=120, expected=frozenset({201}))
    if load.unexpected or load.count != len(served.workload.member_refs()):
        raise BenchError(f"not every member was created: {load.statuses} {load.unexpected}")


def _check_probe(served: Served) -> None:
    """One order must earn what was worked out by hand, or the numbers are of something else."""
    answers = []
    for request in served.workload.probe():
        load = drive(
            served.address,
            iter([request]),
            seconds=10,
            clients=1,
            expected=frozenset({201}),
            keep_bodies=True,
        )
        if load.unexpected:
            raise BenchError(f"the probe was refused: {load.unexpected[0]}")
        answers.append(json.loads(load.bodies[0]))
    points = [award["points"] for award in answers[-1]["earned"]]
    if points != [PROBE_POINTS]:
        raise BenchError(f"the probe order earned {points}, by hand it is {PROBE_POINTS}")
    decision = _get(served, f"/v1/decisions/{answers[-1]['decision_id']}")
    missing = [
        rule["key"]
        for rule in program_document()["earning"]["rules"]
        if f'"{rule["key"]}"' not in decision
    ]
    if missing:
        raise BenchError(f"the decision of the probe order does not mention the rules {missing}")


def _get(served: Served, path: str) -> str:
    connection = HTTPConnection(*served.address, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {served.secret_key}"})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        raise BenchError(f"GET {path} answered {response.status}: {text[:1000]}")
    return text


def batch_errors(bodies: list[bytes]) -> list[str]:
    """The items of batch answers that were not stored; each item answers by its own status."""
    return [
        json.dumps(item)
        for body in bodies
        for item in json.loads(body)["results"]
        if not (isinstance(item.get("status"), int) and 200 <= item["status"] < 300)
    ]
