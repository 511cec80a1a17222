"""Owns what rewards cost a checkout: holding, capturing with an order, listing and quoting fifty
rewards, each against its limit on the same server and database, in turns.

Fifty rewards of every kind, half of them with conditions, stock or limits; members have points
from signing up. Exit status 1 with `--check` when a bar is missed.
"""

import argparse
import copy
import itertools
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.capped import second_program
from bench.load import CLIENTS, Load, drive
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import (
    BenchError,
    cpu_seconds,
    free_port,
    interrupt_on_terminate,
    running_server,
    say,
)
from bench.serving import THREADS, WORKERS, Served, served_program
from bench.workload import http_request, program_document

REWARDS = 50
#: The reward that is held: cheap, so that everybody can hold it often.
HELD = "reward-0"
_SIGNUP_POINTS = 1_000_000
_REQUESTS_PER_S = 2_500

#: Name of a bar, what it compares, how, and its limit: `at_most` times the time of the other, or
#: `at_least` of its rate.
BARS = (
    ("PUT order that captures one hold / plain PUT order", "capture", "order", "at_most", 1.6),
    ("POST redemptions / plain PUT order", "hold", "order", "at_most", 1.2),
    (f"list of {REWARDS} rewards / GET balances", "list", "balances", "at_most", 2.0),
    (f"quote with {REWARDS} rewards, of Flask hello", "quote", "hello", "at_least", 0.10),
)


def rewards_document() -> dict[str, Any]:
    """The program of the bench with fifty rewards, paying with points, and points at signup."""
    document = copy.deepcopy(program_document())
    document["earning"]["rules"].append(
        {
            "key": "welcome",
            "trigger": "signup",
            "effect": {"do": "add_points", "points": _SIGNUP_POINTS},
        }
    )
    document["rewards"] = [_reward(number) for number in range(REWARDS)]
    document["pay_with_points"] = {"min_points": 100, "step_points": 100, "max_order_bp": 5_000}
    return document


def _reward(number: int) -> dict[str, Any]:
    values: tuple[tuple[str, dict[str, Any]], ...] = (
        ("discount_amount", {"minor": 500}),
        ("discount_percent", {"percent_bp": 1_000}),
        ("free_shipping", {}),
        ("free_product", {"sku": "MUG"}),
        ("custom", {}),
    )
    kind, value = values[number % len(values)]
    reward: dict[str, Any] = {
        "key": f"reward-{number}",
        "name": {"en": f"Reward {number}", "ko": f"리워드 {number}"},
        "kind": kind,
        "cost_points": 10 + number * 100,
        "estimated_cost_minor": 300,
        "position": number,
    }
    if value:
        reward["value"] = value
    if number % 4 == 1:
        reward["when"] = {"fact": "member.order_count", "op": ">=", "value": 3}
    if number % 4 == 2:
        reward["limits"] = [{"per": "member", "period": "month", "times": 100}]
    if number % 4 == 3:
        reward["stock"] = 1_000_000
    return reward


class Requests:
    """Finished requests for one program."""

    def __init__(self, served: Served, member_count: int) -> None:
        self.served, self.member_count = served, member_count
        self._numbers = itertools.count()
        self._bodies = iter(
            json.loads(one.split(b"\r\n\r\n", 1)[1]) for one in self.served.workload.orders(400_000)
        )

    def _member(self, number: int) -> str:
        return f"member-{number * 2_654_435_761 % self.member_count}"

    def orders(self, how_many: int, *, redemptions: list[tuple[str, str]] | None = None) -> Any:
        """PUT of new orders; each names one redemption of its member where they are given."""
        for index, body in enumerate(itertools.islice(self._bodies, how_many)):
            if redemptions is not None:
                member_ref, redemption_id = redemptions[index]
                body |= {"member_ref": member_ref, "redemptions": [redemption_id]}
            path = f"/v1/orders/redeemed-{next(self._numbers)}"
            yield http_request("PUT", path, key=self.served.secret_key, body=body)

    def holds(self, how_many: int) -> list[bytes]:
        """POST of redemptions, each by a key of its own."""
        found = []
        for _ in range(how_many):
            number = next(self._numbers)
            body = {"member_ref": self._member(number), "reward": HELD}
            request = http_request("POST", "/v1/redemptions", key=self.served.secret_key, body=body)
            head = f"Idempotency-Key: hold-{number}\r\nAccept:"
            found.append(request.replace(b"Accept:", head.encode(), 1))
        return found

    def lists(self, how_many: int) -> list[bytes]:
        """GET of the rewards of one member after the other."""
        return self._reads("/v1/members/{}/rewards", how_many)

    def balances(self, how_many: int) -> list[bytes]:
        """GET of their balances."""
        return self._reads("/v1/members/{}/balances", how_many)

    def _reads(self, path: str, how_many: int) -> list[bytes]:
        key = self.served.secret_key
        numbers = (next(self._numbers) for _ in range(how_many))
        return [http_request("GET", path.format(self._member(one)), key=key) for one in numbers]

    def quotes(self, how_many: int) -> list[bytes]:
        """POST of quotes for carts like the orders."""
        found = []
        for body in itertools.islice(self._bodies, how_many):
            cart = {name: body[name] for name in ("currency", "lines", "shipping_minor", "channel")}
            asked = {"member_ref": body["member_ref"], "cart": cart}
            found.append(http_request("POST", "/v1/quotes", key=self.served.secret_key, body=asked))
        return found


class Sections:
    """What is measured, by name: each returns how long one request took, and its CPU time."""

    def __init__(
        self, requests: Requests, postgres: Postgres, hello: tuple[str, int], hello_pid: int
    ) -> None:
        self._requests = requests
        self._pids = (requests.served.server.pid, postgres.pid)
        self._hello, self._hello_pid = hello, hello_pid
        self._held: list[tuple[str, str]] = []
        self.run: dict[str, Callable[[float], tuple[float, float]]] = {
            "order": lambda seconds: self._orders(seconds, None),
            "hold": self._hold,
            "capture": self._capture,
            "balances": lambda seconds: self._reads(seconds, self._requests.balances, 4),
            "list": lambda seconds: self._reads(seconds, self._requests.lists, 2),
            "hello": self._greet,
            "quote": lambda seconds: self._reads(seconds, self._requests.quotes, 1),
        }

    def _time(
        self, requests: Iterator[bytes], seconds: float, *, status: int, keep: bool = False
    ) -> tuple[Load, tuple[float, float]]:
        before = sum(cpu_seconds(pid) or 0 for pid in self._pids)
        load = drive(
            self._requests.served.address,
            requests,
            seconds=seconds,
            clients=CLIENTS,
            expected=frozenset({status}),
            keep_bodies=keep,
        )
        spent = sum(cpu_seconds(pid) or 0 for pid in self._pids) - before
        if load.unexpected:
            raise BenchError(f"a request was refused: {load.unexpected[0]}")
        return load, (load.seconds / load.count, spent / load.count)

    def _orders(
        self, seconds: float, redemptions: list[tuple[str, str]] | None
    ) -> tuple[float, float]:
        most = round(seconds * _REQUESTS_PER_S)
        how_many = most if redemptions is None else min(most, len(redemptions))
        made = list(self._requests.orders(how_many, redemptions=redemptions))
        return self._time(iter(made), seconds, status=201)[1]

    def _hold(self, seconds: float) -> tuple[float, float]:
        made = self._requests.holds(round(seconds * _REQUESTS_PER_S))
        load, found = self._time(iter(made), seconds, status=201, keep=True)
        for body in load.bodies:
            shown = json.loads(body)["redemption"]
            self._held.append((shown["member_ref"], shown["id"]))
        return found

    def _capture(self, seconds: float) -> tuple[float, float]:
        if not self._held:
            self._hold(seconds)
        held, self._held = self._held, []
        return self._orders(seconds, held)

    def _reads(
        self, seconds: float, make: Callable[[int], list[bytes]], scale: int
    ) -> tuple[float, float]:
        made = make(round(seconds * _REQUESTS_PER_S * scale))
        return self._time(iter(made), seconds, status=200)[1]

    def _greet(self, seconds: float) -> tuple[float, float]:
        request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        before = cpu_seconds(self._hello_pid) or 0
        load = drive(self._hello, itertools.repeat(request), seconds=seconds, clients=CLIENTS)
        spent = (cpu_seconds(self._hello_pid) or 0) - before
        return load.seconds / load.count, spent / load.count


def start_hello(stack: ExitStack, folder: Path) -> tuple[tuple[str, int], int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.hello", "--port", str(port)]
    command += ["--workers", str(WORKERS), "--threads", str(THREADS)]
    server = stack.enter_context(
        running_server(command, port=port, ready_path="/", log=folder / "hello.log")
    )
    return (server.host, server.port), server.pid


def report(rounds: list[dict[str, tuple[float, float]]]) -> bool:
    """Print medians and bars; whether all are met."""
    for name in rounds[0]:
        wall = statistics.median(one[name][0] for one in rounds)
        cpu = statistics.median(one[name][1] for one in rounds)
        print(f"{name:10} {1 / wall:10,.0f}/s {cpu * 1e6:8,.0f} us of CPU")
    is_met = True
    for title, one, other, how, limit in BARS:
        turn = (one, other) if how == "at_most" else (other, one)
        ratio = statistics.median(each[turn[0]][0] / each[turn[1]][0] for each in rounds)
        cpu = statistics.median(each[turn[0]][1] / each[turn[1]][1] for each in rounds)
        met = ratio <= limit if how == "at_most" else ratio >= limit
        is_met = is_met and met
        said = "at most" if how == "at_most" else "at least"
        print(f"{title}: {ratio:.2f} ({said} {limit}); by CPU {cpu:.2f}{'' if met else ' MISSED'}")
    return is_met


def main(arguments: list[str]) -> int:
    """Measure in turns, print the ratios, answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.redeeming", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--members", type=int, default=3_000)
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    given = parser.parse_args(arguments)
    interrupt_on_terminate()
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
                member_count=1,
            )
        )
        served = second_program(plain, folder, rewards_document(), member_count=given.members)
        hello, hello_pid = start_hello(stack, folder)
        sections = Sections(Requests(served, given.members), postgres, hello, hello_pid)
        for run in sections.run.values():
            run(1.0)
        rounds = []
        for number in range(given.rounds):
            names = list(sections.run)
            found = {}
            # A capture needs holds, so these keep their order; the rest turns round.
            for name in names if number % 2 == 0 else [*names[3:], *names[:3]]:
                found[name] = sections.run[name](given.seconds)
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
