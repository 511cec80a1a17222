"""Owns what opening a link costs: redirects with a click's token against a bare Flask page, on the
same kind of server, in turns.

Every redirect is of a person: half of the browsers are new, half bring the cookie of their last
click, and the visitors of a day are many, so that the rows written in the background are too.
Exit status 1 with `--check` when a bar is missed.
"""

import argparse
import copy
import itertools
import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.capped import second_program
from bench.load import CLIENTS, Load, drive
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import BenchError, cpu_seconds, interrupt_on_terminate, say
from bench.redeeming import start_hello
from bench.serving import THREADS, Served, served_program
from bench.workload import http_request, program_document

#: Redirects a second, of the bare page's; and the slowest in a hundred, of the usual one.
LEAST, MOST = 0.25, 4.0
LINKS = 200
VISITORS = 2_000
_PAGE = "https://bloom.example/welcome?lang=ko"
_CHANNELS = ("kakao", "line", "copy", "sms", "qr")
_AGENT = "Mozilla/5.0 (Linux; Android 14; SM-S918N) AppleWebKit/537.36 Chrome/122.0 KAKAOTALK"


def offers_document() -> dict[str, Any]:
    """The program of the bench with an offer."""
    document = copy.deepcopy(program_document())
    document["referral_offers"] = [{"key": "friends", "landing_url": _PAGE}]
    return document


def share(served: Served) -> list[str]:
    """The codes of so many members' links."""
    requests = []
    for number in range(LINKS):
        path = f"/v1/members/member-{number}/links"
        request = http_request("POST", path, key=served.secret_key, body={})
        head = f"Idempotency-Key: link-{number}\r\nAccept:"
        requests.append(request.replace(b"Accept:", head.encode(), 1))
    load = drive(
        served.address,
        iter(requests),
        seconds=60,
        expected=frozenset({200, 201}),
        keep_bodies=True,
    )
    if load.unexpected or len(load.bodies) != LINKS:
        raise BenchError(f"not every member got a link: {load.unexpected[:1]}")
    return [str(json.loads(body)["code"]) for body in load.bodies]


def opening(code: str, number: int, *, cookie: str | None = None) -> bytes:
    """A visitor opens a link."""
    channel = _CHANNELS[number % len(_CHANNELS)]
    lines = [
        f"GET /r/{code}?ch={channel} HTTP/1.1",
        "Host: 127.0.0.1",
        f"User-Agent: {_AGENT} {number % VISITORS}",
        "Accept: text/html,application/xhtml+xml",
        "Sec-Fetch-Dest: document",
    ]
    if cookie is not None:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join([*lines, "", ""]).encode()


def openings(codes: list[str], cookies: list[str]) -> Iterator[bytes]:
    """Visitors without end, every second one with a cookie."""
    for number in itertools.count():
        code = codes[number * 7 % len(codes)]
        cookie = cookies[number % len(cookies)] if number % 2 else None
        yield opening(code, number * 2_654_435_761, cookie=cookie)


def cookies_of(served: Served, codes: list[str]) -> list[str]:
    """Tokens of first clicks, as browsers would keep them."""
    found = []
    for number, code in enumerate(codes[:50]):
        one = drive(
            served.address,
            iter([opening(code, number)]),
            seconds=10,
            clients=1,
            # Told as unexpected, with its head.
            expected=frozenset(),
        )
        head, token = one.unexpected[0].lower(), None
        at = head.find("dangol_rt_")
        if at >= 0:
            token = one.unexpected[0][at:].split(";", 1)[0]
        if not token or " 302 " not in head[:40]:
            raise BenchError(f"a link did not lead on: {head[:300]}")
        found.append(token)
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """One run: answers a second, the usual and the slow one in milliseconds, and CPU for each."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def measure(
    address: tuple[str, int],
    requests: Iterator[bytes],
    pids: tuple[int, ...],
    *,
    seconds: float,
    status: int,
) -> Run:
    """Drive one server for a while."""
    before = sum(cpu_seconds(pid) or 0 for pid in pids)
    load: Load = drive(
        address, requests, seconds=seconds, clients=CLIENTS, expected=frozenset({status})
    )
    spent = sum(cpu_seconds(pid) or 0 for pid in pids) - before
    if load.unexpected:
        raise BenchError(f"an unexpected answer: {load.unexpected[0]}")
    return Run(
        load.per_second,
        load.percentile_ms(50),
        load.percentile_ms(99),
        spent / load.count * 1e6,
    )


def compare(
    served: Served,
    postgres: Postgres,
    hello: tuple[tuple[str, int], int],
    *,
    seconds: float,
    rounds: int,
) -> bool:
    """Measure both in turns, print the bars; whether they are met."""
    codes = share(served)
    stream = openings(codes, cookies_of(served, codes))
    page = itertools.repeat(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    pids = (served.server.pid, postgres.pid)

    def redirect(length: float) -> Run:
        return measure(served.address, stream, pids, seconds=length, status=302)

    def greet(length: float) -> Run:
        return measure(hello[0], page, (hello[1],), seconds=length, status=200)

    redirect(1.0), greet(1.0)
    ratios, tails, bare_tails, costs = [], [], [], []
    for number in range(rounds):
        if number % 2 == 0:
            one, bare = redirect(seconds), greet(seconds)
        else:
            bare, one = greet(seconds), redirect(seconds)
        ratios.append(one.per_second / bare.per_second)
        tails.append(one.p99_ms / one.p50_ms)
        bare_tails.append(bare.p99_ms / bare.p50_ms)
        costs.append(one.cpu_us)
        say(
            f"round {number + 1}: redirects {one.per_second:,.0f}/s, p50 {one.p50_ms:.2f} ms,"
            f" p99 {one.p99_ms:.2f} ms, {one.cpu_us:,.0f} us of CPU; Flask hello"
            f" {bare.per_second:,.0f}/s at {bare.cpu_us:,.0f} us"
        )
    ratio, tail = statistics.median(ratios), statistics.median(tails)
    print(f"redirects, of Flask hello: {ratio:.2f} (at least {LEAST})")
    bare_tail = statistics.median(bare_tails)
    print(
        f"p99 of redirects, of their p50: {tail:.1f} (at most {MOST});"
        f" of Flask hello {bare_tail:.1f}"
    )
    print(f"CPU of a redirect, database and writing included: {statistics.median(costs):,.0f} us")
    return ratio >= LEAST and tail <= MOST


def main(arguments: list[str]) -> int:
    """Measure in turns, print the ratios, answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.redirecting", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5)
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
        served = second_program(plain, folder, offers_document(), member_count=LINKS)
        hello = start_hello(stack, folder)
        is_met = compare(served, postgres, hello, seconds=given.seconds, rounds=given.rounds)
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
