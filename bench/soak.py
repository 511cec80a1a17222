"""Owns `make soak`: does a worker's memory hold over 100,000 orders, does a year replay exactly,
is every random history of the ledger what an independent model says, can a whole shop move in,
does each of 10,000 orders count once however often and however badly it is told.

Not part of the tests, which do a tenth of it. Exit status 1 when memory grew by a fifth or more,
when the replay's balances differ, when the ledger does not verify, or when a history differs.
"""

import argparse
import secrets
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.load import drive
from bench.moving import soak_moving
from bench.postgres import Postgres, running_postgres, temporary_folder
from bench.processes import (
    BenchError,
    interrupt_on_terminate,
    resident_bytes,
    run_command,
    say,
)
from bench.repeats import soak_repeats
from bench.run import DATABASE
from bench.serving import THREADS, Served, flask_command, served_program

PARTS = ("memory", "replay", "machine", "moving", "repeats")
ORDERS = 100_000
WARM_UP_ORDERS = 10_000
STEP_ORDERS = 10_000
GROWTH_MAX_BP = 2_000
REPLAY_TIMEOUT_S = 3_600
#: Histories on SQLite (two fifths of them on PostgreSQL), rounds of 32 competing clients.
LEDGER_RUNS = 500
HOLD_ROUNDS = 200
MACHINE_TIMEOUT_S = 3_600


def soak_memory(served: Served, *, orders: int) -> bool:
    """Send the orders; whether every worker grew by less than the bar since its warm-up."""
    _send(served, WARM_UP_ORDERS)
    # What the system gives to a worker late (thread stacks, caches) belongs to the warm-up.
    warm = resident_bytes(served.server.pid)
    say(f"after {WARM_UP_ORDERS:,} orders: {_mebibytes(warm)}")
    sent = WARM_UP_ORDERS
    now = warm
    while sent < orders:
        step = min(STEP_ORDERS, orders - sent)
        started = time.monotonic()
        _send(served, step)
        sent += step
        now = resident_bytes(served.server.pid)
        rate = step / (time.monotonic() - started)
        say(f"after {sent:,} orders: {_mebibytes(now)}, {rate:,.0f}/s")
    if now.keys() != warm.keys():
        raise BenchError(f"workers were replaced meanwhile: {sorted(warm)} became {sorted(now)}")
    is_held = True
    for pid, before in warm.items():
        growth_bp = (now[pid] - before) * 10_000 // before
        is_met = growth_bp < GROWTH_MAX_BP
        is_held = is_held and is_met
        print(
            f"worker {pid}: {before >> 20} MiB after {WARM_UP_ORDERS:,} orders, "
            f"{now[pid] >> 20} MiB after {orders:,}: {growth_bp / 100:+.1f} % "
            f"(needed: less than {GROWTH_MAX_BP / 100:.0f} %) {'met' if is_met else 'missed'}"
        )
    return is_held


def _send(served: Served, how_many: int) -> None:
    load = drive(
        served.address,
        served.workload.orders(how_many),
        seconds=600,
        expected=frozenset({201}),
    )
    if load.unexpected or load.count != how_many:
        raise BenchError(f"{load.count} of {how_many} orders: {load.statuses} {load.unexpected}")


def _mebibytes(resident: dict[int, int]) -> str:
    return ", ".join(f"{size >> 20} MiB" for size in resident.values())


def replay_year(*, name: str, database_url: str) -> None:
    """Replay the Complete Journey year by batch on one database, with refunds and everything sent
    a second time, and compare every balance with the independent computation.

    The command makes its program, serves, and fails when a balance differs or an answer is a
    problem; the ledger is verified afterwards.
    """
    environment = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SERVER_THREADS": str(THREADS),
    }
    run_command(flask_command("db", "upgrade"), environment=environment)
    started = time.monotonic()
    report = run_command(
        flask_command(
            *("replay", "completejourney", "--order", "batch"),
            *("--refund-bp", "840", "--shuffle", "--check"),
        ),
        environment=environment,
        timeout=REPLAY_TIMEOUT_S,
    )
    print(f"{name}: the year in {time.monotonic() - started:.0f} s\n{report}")
    print(run_command(flask_command("ledger", "verify"), environment=environment, timeout=900))


def run_machine(seed: int) -> None:
    """Random histories against the model, and holds that compete, on both databases.

    The seed is said first: the same one runs the same histories.
    """
    say(f"histories of seed {seed}")
    started = time.monotonic()
    report = run_command(
        (
            *(sys.executable, "-m", "pytest"),
            "tests/properties/test_ledger_machine.py",
            "tests/properties/test_order_permutations.py",
            "tests/concurrency/test_holds.py",
        ),
        environment={
            "LEDGER_RUNS": str(LEDGER_RUNS),
            "LEDGER_SEED": str(seed),
            "HOLD_ROUNDS": str(HOLD_ROUNDS),
        },
        timeout=MACHINE_TIMEOUT_S,
    )
    print(f"{LEDGER_RUNS} histories in {time.monotonic() - started:.0f} s\n{report}")


def soak_postgres(folder: Path, *, postgres: Postgres, orders: int) -> bool:
    """The memory soak on PostgreSQL, where the number of workers is the number of cores."""
    postgres.create_database(DATABASE)
    with served_program(
        folder,
        name="soak",
        database_url=postgres.url(DATABASE),
        threads=THREADS,
        member_count=10_000,
    ) as served:
        return soak_memory(served, orders=orders)


def main(arguments: list[str]) -> int:
    """Run the chosen parts and answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    parser.add_argument("--seed", type=int, help="repeat what this seed did")
    options = parser.parse_args(arguments)
    parts = options.parts or PARTS
    if options.orders <= WARM_UP_ORDERS:
        parser.error(f"--orders must be more than the warm-up of {WARM_UP_ORDERS}")
    interrupt_on_terminate()
    is_held = True
    if "machine" in parts:
        run_machine(secrets.randbelow(2**32) if options.seed is None else options.seed)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(running_postgres(folder))
        if "memory" in parts:
            is_held = soak_postgres(folder, postgres=postgres, orders=options.orders)
        if "replay" in parts:
            postgres.create_database("replay")
            replay_year(name="PostgreSQL", database_url=postgres.url("replay"))
            replay_year(name="SQLite", database_url=f"sqlite:///{folder / 'replay.db'}")
        if "moving" in parts:
            postgres.create_database("moving")
            soak_moving(folder, name="PostgreSQL", database_url=postgres.url("moving"))
            soak_moving(folder, name="SQLite", database_url=f"sqlite:///{folder / 'moving.db'}")
        if "repeats" in parts:
            seed = secrets.randbelow(2**32) if options.seed is None else options.seed
            postgres.create_database("repeats")
            url = f"sqlite:///{folder / 'repeats.db'}"
            soak_repeats(folder, name="SQLite", database_url=url, seed=seed)
            url = postgres.url("repeats")
            soak_repeats(folder, name="PostgreSQL", database_url=url, seed=seed)
    return 0 if is_held else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except BenchError as error:
        say(str(error))
        sys.exit(1)
