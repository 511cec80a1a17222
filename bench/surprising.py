"""Owns what surprises cost a checkout: an order that meets ten surprises, each of which is drawn,
against an order that meets none of them and one in a program without any, on the same server and
database, in turns.

Each is won in one of ten draws; some have a budget, a limit, a cool-down or pity. Exit status 1
with `--check` when a bar is missed.
"""

import argparse
import copy
import itertools
import json
import statistics
import sys
from contextlib import ExitStack
from typing import Any

from bench.capped import second_program
from bench.load import CLIENTS, drive
from bench.postgres import Postgres, recorded_statements, running_postgres, temporary_folder
from bench.processes import BenchError, cpu_seconds, interrupt_on_terminate, say
from bench.serving import THREADS, Served, served_program
from bench.workload import http_request, program_document

_REQUESTS_PER_S = 2_000
_STATEMENT_ORDERS = 40
#: An order that meets them all, of one that meets none.
MOST = 1.5
SURPRISES = 10
CHANNEL = "surprising"
_OWN: tuple[dict[str, Any], ...] = (
    {"budget": {"unit": "points", "total": 10**9}},
    {"budget": {"unit": "points", "total": 10**9, "per_day": 10**8}},
    {"limits": [{"per": "member", "period": "day", "times": 1_000}]},
    {"limits": [{"per": "program", "period": "day", "times": 10**8}]},
    {"cooldown": "P1D"},
    {"cooldown": "PT1H", "group": "luck"},
    {"pity_after": 50},
    {"pity_after": 100, "group": "luck"},
    {},
    {"holdout_bp": 500},
)


def surprises_document() -> dict[str, Any]:
    """The program of the bench with ten surprises for the orders of one channel."""
    document = copy.deepcopy(program_document())
    document["surprises"] = [
        {
            "key": f"luck-{number}",
            "when": {"fact": "order.channel", "op": "=", "value": CHANNEL},
            "probability_ppm": 100_000,
            "prizes": [
                {"weight": 3, "effects": [{"do": "add_points", "points": 5}]},
                {"weight": 1, "effects": [{"do": "add_points", "points": 50}]},
            ],
        }
        | own
        for number, own in enumerate(_OWN)
    ]
    return document


class Surprising:
    """Both programs and their orders."""

    def __init__(self, without: Served, served: Served, postgres: Postgres) -> None:
        self._without, self._served = without, served
        self._pids = (served.server.pid, postgres.pid)
        self._numbers = itertools.count()
        self._bodies = {
            one.secret_key: iter(
                json.loads(each.split(b"\r\n\r\n", 1)[1]) for each in one.workload.orders(400_000)
            )
            for one in (without, served)
        }

    def orders(self, name: str, count: int) -> tuple[Served, list[bytes]]:
        """So many requests of one kind, and who takes them."""
        served = self._without if name == "without" else self._served
        channel = CHANNEL if name == "ten" else "quiet"
        requests = [
            http_request(
                "PUT",
                f"/v1/orders/surprising-{next(self._numbers)}",
                key=served.secret_key,
                body=body | {"channel": channel},
            )
            for _, body in zip(range(count), self._bodies[served.secret_key], strict=False)
        ]
        return served, requests

    def time(self, name: str, seconds: float) -> tuple[float, float]:
        """Seconds for one order of that kind, and the CPU time of server and database for it."""
        served, requests = self.orders(name, round(seconds * _REQUESTS_PER_S))
        before = sum(cpu_seconds(pid) or 0 for pid in self._pids)
        load = drive(
            served.address,
            iter(requests),
            seconds=seconds,
            clients=CLIENTS,
            expected=frozenset({201}),
        )
        spent = sum(cpu_seconds(pid) or 0 for pid in self._pids) - before
        if load.unexpected:
            raise BenchError(f"an order was refused: {load.unexpected[0]}")
        return load.seconds / load.count, spent / load.count

    def count_statements(self, name: str, postgres: Postgres) -> None:
        """Print the statements of an order, by a short run of one client outside the timing."""
        served, requests = self.orders(name, _STATEMENT_ORDERS)
        with recorded_statements(postgres, "dangol") as statements:
            load = drive(
                served.address, iter(requests), seconds=60, clients=1, expected=frozenset({201})
            )
        say(f"{name}: {len(statements) / load.count:.1f} statements an order; the last one's:")
        for statement in statements[-round(len(statements) / load.count) :]:
            say(f"    {statement[:140]}")


def report(rounds: list[dict[str, tuple[float, float]]]) -> bool:
    """Print medians and the bar; whether it is met."""
    for name in ("without", "none", "ten"):
        wall = statistics.median(one[name][0] for one in rounds)
        cpu = statistics.median(one[name][1] for one in rounds)
        print(f"{name:10} {1 / wall:10,.0f}/s {cpu * 1e6:8,.0f} us of CPU")
    is_met = True
    for base, title in (("none", "that meets none"), ("without", "in a program without")):
        wall = statistics.median(one["ten"][0] / one[base][0] for one in rounds)
        cpu = statistics.median(one["ten"][1] / one[base][1] for one in rounds)
        is_met = is_met and (base == "without" or wall <= MOST)
        bar = f" (at most {MOST})" if base == "none" else ""
        said = "" if is_met else " MISSED"
        print(f"meets {SURPRISES} / {title}: {wall:.2f}{bar}; by CPU {cpu:.2f}{said}")
    return is_met


def main(arguments: list[str]) -> int:
    """Measure in turns, print the ratios, answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.surprising", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--statements", action="store_true", help="print those of an order")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    given = parser.parse_args(arguments)
    interrupt_on_terminate()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(running_postgres(folder))
        postgres.create_database("dangol")
        without = stack.enter_context(
            served_program(
                folder,
                name="postgres",
                database_url=postgres.url("dangol"),
                threads=THREADS,
                member_count=given.members,
            )
        )
        served = second_program(without, folder, surprises_document(), member_count=given.members)
        surprising = Surprising(without, served, postgres)
        names = ["without", "none", "ten"]
        for name in names:
            surprising.time(name, 1.5)
            if given.statements:
                surprising.count_statements(name, postgres)
        rounds = []
        for number in range(given.rounds):
            found = {}
            for name in names[number % 3 :] + names[: number % 3]:
                found[name] = surprising.time(name, given.seconds)
            rounds.append(found)
            said = ", ".join(f"{name} {1 / found[name][0]:,.0f}/s" for name in names)
            say(f"round {number + 1}: {said}")
    is_met = report(rounds)
    return 0 if is_met or not given.check else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
