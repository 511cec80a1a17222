"""Owns what a referral costs a checkout: an order that qualifies one and pays both sides at once,
and a plain order in a program with offers, each against a plain order in a program without, on the
same server and database, in turns.

Exit status 1 with `--check` when a bar is missed.
"""

import argparse
import copy
import itertools
import json
import statistics
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from bench.capped import second_program
from bench.load import CLIENTS, drive
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import BenchError, cpu_seconds, interrupt_on_terminate, say
from bench.redirecting import share
from bench.serving import THREADS, Served, served_program
from bench.workload import http_request, program_document

_REQUESTS_PER_S = 2_000
#: What a run of one kind of order may take, as a multiple of the plain one in a program without.
BARS = (("plain", "PUT order in a program with offers", 1.10), ("qualify", "that qualifies", 2.0))


def offers_document() -> dict[str, Any]:
    """The program of the bench with an offer that pays both sides with the first order."""
    document = copy.deepcopy(program_document())
    document["referral_offers"] = [
        {
            "key": "friends",
            "advocate": [{"do": "add_points", "points": 500}],
            "friend": [{"do": "add_points", "points": 300}],
            "qualifies": {"min_net_minor": 100},
            "landing_url": "https://bloom.example/welcome",
        }
    ]
    return document


class Referring:
    """Both programs, and friends who have not bought yet."""

    def __init__(self, without: Served, served: Served, postgres: Postgres) -> None:
        self._without, self._served = without, served
        self._pids = (served.server.pid, postgres.pid)
        self._codes = share(served)
        self._numbers = itertools.count()
        self._friends: list[str] = []
        self._bodies = {
            one.secret_key: iter(
                json.loads(each.split(b"\r\n\r\n", 1)[1]) for each in one.workload.orders(200_000)
            )
            for one in (without, served)
        }

    def sign_up(self, how_many: int) -> None:
        """Friends by the members' codes."""
        requests = []
        for _ in range(how_many):
            number = next(self._numbers)
            ref = f"friend-{number}"
            body = {"referral": {"code": self._codes[number % len(self._codes)]}}
            requests.append(
                http_request("PUT", f"/v1/members/{ref}", key=self._served.secret_key, body=body)
            )
            self._friends.append(ref)
        load = drive(self._served.address, iter(requests), seconds=300, expected=frozenset({201}))
        if load.unexpected or load.count != how_many:
            raise BenchError(f"not every friend was signed up: {load.unexpected[:1]}")

    def time(self, name: str, seconds: float) -> tuple[float, float]:
        """Seconds for one order of that kind, and the CPU time of server and database for it."""
        most = round(seconds * _REQUESTS_PER_S)
        if name == "qualify":
            refs, self._friends = self._friends[:most], self._friends[most:]
            return self._drive(self._served, seconds, refs)
        return self._drive(
            self._without if name == "without" else self._served, seconds, [None] * most
        )

    def _drive(
        self, served: Served, seconds: float, refs: Iterable[str | None]
    ) -> tuple[float, float]:
        requests = []
        for ref, body in zip(refs, self._bodies[served.secret_key], strict=False):
            path = f"/v1/orders/referring-{next(self._numbers)}"
            told = body | {"member_ref": ref or body["member_ref"]}
            if ref is not None:
                # Nobody who bought before they were brought is new.
                told = {name: value for name, value in told.items() if name != "paid_at"}
                told["placed_at"] = datetime.now(UTC).isoformat(timespec="seconds")
            requests.append(http_request("PUT", path, key=served.secret_key, body=told))
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

    def paid(self) -> int:
        """Points that advocates have of their friends, of whom so many were paid."""
        load = drive(
            self._served.address,
            iter([http_request("GET", "/v1/reports/referrals", key=self._served.secret_key)]),
            seconds=60,
            clients=1,
            expected=frozenset({200}),
            keep_bodies=True,
        )
        return int(json.loads(load.bodies[0])["totals"]["rewarded"])


def report(rounds: list[dict[str, tuple[float, float]]]) -> bool:
    """Print medians and bars; whether all are met."""
    is_met = True
    for name in ("without", "plain", "qualify"):
        wall = statistics.median(one[name][0] for one in rounds)
        cpu = statistics.median(one[name][1] for one in rounds)
        print(f"{name:10} {1 / wall:10,.0f}/s {cpu * 1e6:8,.0f} us of CPU")
    for name, title, limit in BARS:
        wall = statistics.median(one[name][0] / one["without"][0] for one in rounds)
        cpu = statistics.median(one[name][1] / one["without"][1] for one in rounds)
        met = wall <= limit
        is_met = is_met and met
        said = "" if met else " MISSED"
        print(f"{title} / plain PUT order: {wall:.2f} (at most {limit}); by CPU {cpu:.2f}{said}")
    return is_met


def main(arguments: list[str]) -> int:
    """Measure in turns, print the ratios, answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.referring", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--members", type=int, default=1_000)
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
        served = second_program(without, folder, offers_document(), member_count=given.members)
        referring = Referring(without, served, postgres)
        names = ["without", "plain", "qualify"]
        referring.sign_up(_REQUESTS_PER_S)
        for name in names:
            referring.time(name, 1.0)
        rounds = []
        for number in range(given.rounds):
            referring.sign_up(round(given.seconds * _REQUESTS_PER_S) // 2)
            found = {}
            for name in names[number % 3 :] + names[: number % 3]:
                found[name] = referring.time(name, given.seconds)
            rounds.append(found)
            said = ", ".join(f"{name} {1 / found[name][0]:,.0f}/s" for name in names)
            say(f"round {number + 1}: {said}")
        say(f"{referring.paid():,} friends were paid")
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
