"""Owns `make bench`: everything side by side on one machine, one PostgreSQL, in five minutes.

Each round runs every section once, every other round in reverse order, so that what drifts
touches all of them alike. Exit status 0 also when a bar is missed; `--check` makes that 1.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.limits import Pgbench, SqliteLoop
from bench.load import CLIENTS, Load, drive
from bench.postgres import Postgres, recorded_statements, running_postgres, temporary_folder
from bench.processes import (
    BenchError,
    cpu_seconds,
    free_port,
    interrupt_on_terminate,
    running_server,
    say,
)
from bench.report import Measurement, bars, markdown
from bench.serving import THREADS, WORKERS, Served, batch_errors, served_program
from bench.workload import BATCH_ORDERS, HOT_MEMBERS

TITLES = {
    "a": "(a) pgbench, one CTE statement, prepared",
    "b": "(b) Flask hello",
    "c": "(c) PUT new orders over all members",
    "d": "(d) PUT new orders of one hot member",
    "e": "(e) GET balances",
    "f": "(f) POST batches of 100 new orders",
    "g": "(g) PUT new orders on SQLite",
    "h": "(h) raw sqlite3 loop, one connection",
}
DATABASE = "dangol"

# Requests are built before the clock starts: so many for each second of a run. A section that is
# faster ends earlier, its rate stays right.
_ORDERS_PER_S = 4_000
_BATCHES_PER_S = 120
_READS_PER_S = 12_000
_STATEMENT_ORDERS = 60


@dataclass(frozen=True, slots=True)
class Section:
    """One thing to measure and the processes whose CPU time belongs to it."""

    run: Callable[[float], Load]
    application_pid: int | None = None
    database_pid: int | None = None
    units_per_request: int = 1
    is_own_process: bool = False
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose."""

    sections: str
    seconds: float
    rounds: int
    member_count: int
    clients: int
    threads: int
    is_whole: bool
    is_check: bool
    output: Path | None
    command: str


def read_options(arguments: list[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--sections", default="".join(TITLES), help="letters, default all")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--threads", type=int, default=THREADS, help="threads of a worker")
    parser.add_argument(
        "--whole", action="store_true", help="with card, referral offer and surprises on"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    parser.add_argument("--output", type=Path, help="also write the report to this file")
    given = parser.parse_args(arguments)
    unknown = set(given.sections) - set(TITLES)
    if unknown or given.rounds < 1 or given.seconds < 1:
        parser.error("sections are letters of a to h, rounds and seconds at least 1")
    return Options(
        sections=given.sections,
        seconds=given.seconds,
        rounds=given.rounds,
        member_count=given.members,
        clients=given.clients,
        threads=given.threads,
        is_whole=given.whole,
        is_check=given.check,
        output=given.output,
        command=" ".join(["python -m bench.run", *arguments]),
    )


def prepare(
    options: Options, *, stack: ExitStack, folder: Path, postgres: Postgres
) -> tuple[dict[str, Section], Served | None]:
    """Start what the chosen sections need; the stack stops it."""
    sections: dict[str, Section] = {}
    served = None
    if "a" in options.sections:
        pgbench = Pgbench(postgres, folder, options.clients)
        pgbench.prepare()
        sections["a"] = Section(pgbench.run, database_pid=postgres.pid)
    if "b" in options.sections:
        sections["b"] = _hello_section(options, stack=stack, folder=folder)
    if set("cdef") & set(options.sections):
        postgres.create_database(DATABASE)
        say("starting the application on PostgreSQL and signing members up")
        served = stack.enter_context(
            served_program(
                folder,
                name="postgres",
                database_url=postgres.url(DATABASE),
                threads=options.threads,
                member_count=options.member_count,
                is_whole=options.is_whole,
            )
        )
        sections |= _postgres_sections(served, options=options, database_pid=postgres.pid)
    if "g" in options.sections:
        say("starting the application on SQLite and signing members up")
        embedded = stack.enter_context(
            served_program(
                folder,
                name="sqlite",
                database_url=f"sqlite:///{folder / 'dangol.db'}",
                threads=options.threads,
                member_count=options.member_count,
                is_whole=options.is_whole,
            )
        )
        sections["g"] = Section(_orders(embedded, options), application_pid=embedded.server.pid)
    if "h" in options.sections:
        loop = SqliteLoop(folder / "raw.db")
        loop.prepare()
        stack.callback(loop.close)
        sections["h"] = Section(loop.run, is_own_process=True)
    chosen = {key: sections[key] for key in TITLES if key in options.sections}
    return chosen, served


def _hello_section(options: Options, *, stack: ExitStack, folder: Path) -> Section:
    port = free_port()
    command = [sys.executable, "-m", "bench.hello", "--port", str(port)]
    command += ["--workers", str(WORKERS), "--threads", str(options.threads)]
    server = stack.enter_context(
        running_server(command, port=port, ready_path="/", log=folder / "hello.log")
    )
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def run(seconds: float) -> Load:
        return drive(
            (server.host, server.port),
            itertools.repeat(request),
            seconds=seconds,
            clients=options.clients,
        )

    return Section(run, application_pid=server.pid)


def _orders(
    served: Served, options: Options, *, member_ref: str | None = None
) -> Callable[[float], Load]:
    def run(seconds: float) -> Load:
        return drive(
            served.address,
            served.workload.orders(round(seconds * _ORDERS_PER_S), member_ref=member_ref),
            seconds=seconds,
            clients=options.clients,
            # 200 would mean that the order was not new.
            expected=frozenset({201}),
        )

    return run


def _postgres_sections(
    served: Served, *, options: Options, database_pid: int
) -> dict[str, Section]:
    def read(seconds: float) -> Load:
        requests = served.workload.balances(round(seconds * _READS_PER_S))
        return drive(served.address, requests, seconds=seconds, clients=options.clients)

    def batch(seconds: float) -> Load:
        return drive(
            served.address,
            served.workload.batches(round(seconds * _BATCHES_PER_S)),
            seconds=seconds,
            clients=options.clients,
            keep_bodies=True,
        )

    rounds = itertools.cycle(HOT_MEMBERS)

    def hot(seconds: float) -> Load:
        return _orders(served, options, member_ref=next(rounds))(seconds)

    section = partial(Section, application_pid=served.server.pid, database_pid=database_pid)
    return {
        "c": section(_orders(served, options)),
        "d": section(hot),
        "e": section(read),
        "f": section(batch, units_per_request=BATCH_ORDERS, is_batch=True),
    }


def measure(key: str, section: Section, *, seconds: float) -> Measurement:
    """One timed run with the CPU time of the processes that did the work."""
    before = _cpu(section)
    load = section.run(seconds)
    after = _cpu(section)
    spent = [
        None if start is None or end is None else end - start
        for start, end in zip(before, after, strict=True)
    ]
    errors = sum(number for status, number in load.statuses.items() if status not in load.expected)
    refused = batch_errors(load.bodies) if section.is_batch else []
    for text in [*load.unexpected, *refused[:3]]:
        say(f"error in ({key}): {text}")
    load.bodies.clear()
    return Measurement(
        section=key,
        load=load,
        units_per_request=section.units_per_request,
        application_cpu_s=load.client_cpu_s if section.is_own_process else spent[0],
        database_cpu_s=spent[1],
        errors=errors + len(refused),
    )


def _cpu(section: Section) -> tuple[float | None, float | None]:
    return (
        None if section.application_pid is None else cpu_seconds(section.application_pid),
        None if section.database_pid is None else cpu_seconds(section.database_pid),
    )


def run_rounds(sections: dict[str, Section], *, options: Options) -> list[dict[str, Measurement]]:
    """All rounds, every other one in reverse order."""
    rounds = []
    for number in range(options.rounds):
        order = list(sections) if number % 2 == 0 else list(reversed(sections))
        done = {}
        for key in order:
            done[key] = one = measure(key, sections[key], seconds=options.seconds)
            say(
                f"round {number + 1} ({key}) {one.per_second:10,.0f}/s"
                f"  p50 {one.load.percentile_ms(50):7.2f} ms"
                f"  p99 {one.load.percentile_ms(99):7.2f} ms"
                f"  client {one.load.client_cpu_us:4.0f} us CPU a request  errors {one.errors}"
            )
        rounds.append(done)
    return rounds


def count_statements(served: Served, postgres: Postgres) -> float:
    """SQL statements for each new order, on a short run by one client outside the timing."""
    orders = served.workload.orders(_STATEMENT_ORDERS)
    with recorded_statements(postgres, DATABASE) as statements:
        load = drive(served.address, orders, seconds=60, clients=1, expected=frozenset({201}))
    if load.count != _STATEMENT_ORDERS or not statements:
        raise BenchError("the statements of an order could not be counted")
    if load.unexpected:
        raise BenchError(f"an order was refused: {load.unexpected[0]}")
    say("statements of one order, the last one:")
    per_order = len(statements) / load.count
    for statement in statements[-round(per_order) :]:
        say(f"    {statement[:160]}")
    return per_order


def main(arguments: list[str]) -> int:
    """Measure, print the report, answer the exit status."""
    options = read_options(arguments)
    interrupt_on_terminate()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(running_postgres(folder))
        sections, served = prepare(options, stack=stack, folder=folder, postgres=postgres)
        for key, section in sections.items():
            # Fills caches, connection pools and prepared statements; nobody counts it.
            measure(key, section, seconds=1.0)
        statements = count_statements(served, postgres) if served else None
        rounds = run_rounds(sections, options=options)
        version = postgres.version()
    found = bars(rounds, statements=statements)
    report = markdown(
        rounds,
        found,
        titles=TITLES,
        postgres_version=version,
        command=options.command,
        clients=options.clients,
        seconds=options.seconds,
    )
    print(report)
    if options.output is not None:
        options.output.write_text(report, encoding="utf-8")
    return 1 if options.is_check and not all(bar.is_met for bar in found) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
