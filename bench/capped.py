"""Owns what limits cost a checkout: PUT orders under ten rules with limits against the same ten
without, on one server and database, in turns.

Every rule has a limit for each member, half of them two, none of which is ever reached: what is
measured is reading and claiming. With `--shared` one rule is limited for the whole program besides.
Exit status 1 with `--check` when the limits cost more than a fifth.
"""

import argparse
import copy
import json
import statistics
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.load import CLIENTS, drive
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import (
    BenchError,
    cpu_seconds,
    interrupt_on_terminate,
    run_command,
    say,
)
from bench.serving import THREADS, Served, flask_command, served_program
from bench.workload import Workload, program_document

LEAST = 0.8
_ORDERS_PER_S = 4_000


def limited_document(*, is_shared: bool) -> dict[str, Any]:
    """The program of the bench with limits on each of its rules."""
    document = copy.deepcopy(program_document())
    for number, rule in enumerate(document["earning"]["rules"]):
        limits = [{"per": "member", "period": "month", "points": 10_000_000}]
        if number % 2:
            limits.append({"per": "member", "period": "day", "times": 100_000})
        rule["limits"] = limits
    if is_shared:
        shared = {"per": "program", "period": "month", "points": 1_000_000_000}
        next(rule for rule in document["earning"]["rules"] if rule["key"] == "app_silver")[
            "limits"
        ].append(shared)
    return document


def second_program(
    served: Served, folder: Path, document: dict[str, Any], *, member_count: int
) -> Served:
    """Another program on the same server, its members signed up."""
    file = folder / "capped-program.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    printed = run_command(
        [
            *flask_command("program", "create", "--name", "Capped", "--currency", "USD"),
            *("--timezone", "UTC", "--document", str(file), "--json"),
        ],
        environment=served.environment,
    )
    key = str(json.loads(printed.strip().splitlines()[-1])["secret_key"])
    found = replace(served, workload=Workload(key=key, member_count=member_count), secret_key=key)
    load = drive(found.address, found.workload.members(), seconds=120, expected=frozenset({201}))
    if load.unexpected:
        raise BenchError(f"not every member was created: {load.unexpected[0]}")
    return found


def measure(served: Served, postgres: Postgres, seconds: float) -> tuple[float, float]:
    """New orders a second, and microseconds of CPU for each, of application and database."""
    requests = served.workload.orders(round(seconds * _ORDERS_PER_S))
    pids = (served.server.pid, postgres.pid)
    before = sum(cpu_seconds(pid) or 0 for pid in pids)
    load = drive(
        served.address, requests, seconds=seconds, clients=CLIENTS, expected=frozenset({201})
    )
    spent = sum(cpu_seconds(pid) or 0 for pid in pids) - before
    if load.unexpected:
        raise BenchError(f"an order was refused: {load.unexpected[0]}")
    return load.count / load.seconds, spent / load.count * 1e6


def main(arguments: list[str]) -> int:
    """Measure in turns, print the ratio, answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.capped", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, default=3_000)
    parser.add_argument("--shared", action="store_true", help="with a limit of the whole program")
    parser.add_argument("--check", action="store_true", help="exit 1 when the bar is missed")
    given = parser.parse_args(arguments)
    interrupt_on_terminate()
    ratios, costs = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(running_postgres(folder))
        postgres.create_database("dangol")
        plain = stack.enter_context(
            served_program(
                folder,
                name="postgres",
                database_url=postgres.url("dangol"),
                threads=THREADS,
                member_count=given.members,
            )
        )
        document = limited_document(is_shared=given.shared)
        capped = second_program(plain, folder, document, member_count=given.members)
        for one in (plain, capped):
            measure(one, postgres, 1.0)
        for number in range(given.rounds):
            pair = (plain, capped) if number % 2 == 0 else (capped, plain)
            found = {id(one): measure(one, postgres, given.seconds) for one in pair}
            (rate, cost), (rate_capped, cost_capped) = found[id(plain)], found[id(capped)]
            ratios.append(rate_capped / rate)
            costs.append(cost / cost_capped)
            say(
                f"round {number + 1}: without limits {rate:,.0f}/s at {cost:,.0f} us,"
                f" with limits {rate_capped:,.0f}/s at {cost_capped:,.0f} us,"
                f" ratio {ratios[-1]:.2f}, by CPU {costs[-1]:.2f}"
            )
    ratio = statistics.median(ratios)
    print(
        f"PUT orders with ten limited rules: {ratio:.2f} of the speed without (at least {LEAST});"
        f" by CPU time {statistics.median(costs):.2f}"
    )
    return 0 if ratio >= LEAST or not given.check else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
