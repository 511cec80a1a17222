"""Owns the bars of the ledger: expiry of many lots, alone and beside a checkout, and whether a
million entries make an order or a balance slower. Part of `make bench`.
"""

import argparse
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.filling import fill, make_due_again
from bench.load import Load, drive
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import BenchError, interrupt_on_terminate, say
from bench.serving import THREADS, Served, flask_command, served_program
from bench.workload import Workload

PARTS = ("expiry", "million")
LOTS = 100_000
LOTS_OF_MEMBER = 5
LOTS_PER_S_MIN = 10_000
P99_RATIO_MAX = 2.0
ENTRIES = 1_000_000
ENTRIES_OF_MEMBER = 10
SLOWER_MAX = 1.3
_ORDERS_PER_S = 3_000
_READS_PER_S = 12_000


def _served(stack: ExitStack, folder: Path, postgres: Postgres, name: str) -> Served:
    postgres.create_database(name)
    return stack.enter_context(
        served_program(
            folder,
            name=name,
            database_url=postgres.url(name),
            threads=THREADS,
            member_count=100,
        )
    )


def _drain(served: Served, processes: int) -> float:
    """Settle everything due as fast as it goes, in so many processes; seconds."""
    command = [sys.executable, "-m", "bench.settling"]
    environment = dict(served.environment)
    started = time.monotonic()
    running = [subprocess.Popen(command, env=_environment(environment)) for _ in range(processes)]
    for one in running:
        if one.wait(timeout=300) != 0:
            raise BenchError("settling failed")
    return time.monotonic() - started


def _environment(extra: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, **extra}


def bench_expiry(folder: Path, postgres: Postgres, *, rounds: int, seconds: float) -> bool:
    """Lots expired per second, unthrottled; then the checkout's p99 beside a worker."""
    with ExitStack() as stack:
        served = _served(stack, folder, postgres, "expiry")
        fill(
            postgres,
            "expiry",
            member_count=LOTS // LOTS_OF_MEMBER,
            each=LOTS_OF_MEMBER,
            is_due=True,
        )
        rates: list[float] = []
        for processes in (1, 2) * rounds:
            lots = make_due_again(postgres, "expiry")
            taken = _drain(served, processes)
            say(f"{lots:,} lots in {processes} processes: {lots / taken:,.0f}/s")
            if processes == 2:
                rates.append(lots / taken)
        ratios = []
        for _ in range(rounds):
            quiet = _orders(served, seconds)
            make_due_again(postgres, "expiry")
            worker = subprocess.Popen(flask_command("worker"), env=_environment(served.environment))
            try:
                time.sleep(2.0)
                busy = _orders(served, seconds)
            finally:
                worker.terminate()
                worker.wait(timeout=30)
            ratios.append(busy.percentile_ms(99) / quiet.percentile_ms(99))
            say(
                f"p99 quiet {quiet.percentile_ms(99):.1f} ms at {quiet.per_second:,.0f}/s,"
                f" beside the worker {busy.percentile_ms(99):.1f} ms at {busy.per_second:,.0f}/s"
            )
    is_fast, is_calm = median(rates) >= LOTS_PER_S_MIN, median(ratios) <= P99_RATIO_MAX
    print(f"lots expired per second: {median(rates):,.0f} (needed {LOTS_PER_S_MIN:,})")
    print(f"p99 of orders beside the worker: {median(ratios):.2f} × (needed {P99_RATIO_MAX})")
    return is_fast and is_calm


def _orders(served: Served, seconds: float) -> Load:
    return drive(
        served.address,
        served.workload.orders(round(seconds * _ORDERS_PER_S)),
        seconds=seconds,
        expected=frozenset({201}),
    )


def bench_million(folder: Path, postgres: Postgres, *, rounds: int, seconds: float) -> bool:
    """Orders and balances on a million entries against the same members with none."""
    member_count = ENTRIES // ENTRIES_OF_MEMBER
    with ExitStack() as stack:
        found: dict[str, Served] = {}
        for name, each in (("empty", 0), ("million", ENTRIES_OF_MEMBER)):
            made = _served(stack, folder, postgres, name)
            fill(postgres, name, member_count=member_count, each=each, is_due=False)
            found[name] = Served(
                made.server,
                Workload(key=made.secret_key, member_count=member_count),
                made.secret_key,
                made.environment,
            )
        rates: dict[tuple[str, str], list[float]] = {}
        for number in range(rounds + 1):
            for name in ("empty", "million") if number % 2 else ("million", "empty"):
                served = found[name]
                orders = _orders(served, seconds)
                requests = served.workload.balances(round(seconds * _READS_PER_S))
                reads = drive(served.address, requests, seconds=seconds)
                if orders.unexpected or reads.unexpected:
                    raise BenchError(f"refused: {[*orders.unexpected, *reads.unexpected][0]}")
                if number == 0:
                    continue
                rates.setdefault((name, "orders"), []).append(orders.per_second)
                rates.setdefault((name, "balances"), []).append(reads.per_second)
                say(f"{name}: {orders.per_second:,.0f} orders/s, {reads.per_second:,.0f} reads/s")
    is_met = True
    for what in ("orders", "balances"):
        ratio = median(rates["empty", what]) / median(rates["million", what])
        is_met = is_met and ratio <= SLOWER_MAX
        print(f"{what} on {ENTRIES:,} entries: {ratio:.2f} × as long (needed {SLOWER_MAX})")
    return is_met


def main(arguments: list[str]) -> int:
    """Measure the chosen parts; 1 with --check when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    given = parser.parse_args(arguments)
    interrupt_on_terminate()
    is_met = True
    with temporary_folder() as folder, running_postgres(folder) as postgres:
        for part in given.parts:
            run = {"expiry": bench_expiry, "million": bench_million}[part]
            is_met = run(folder, postgres, rounds=given.rounds, seconds=given.seconds) and is_met
    return 1 if given.check and not is_met else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        say(str(error))
        sys.exit(1)
