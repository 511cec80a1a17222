"""Owns the replayed year with surprises: served over HTTP, then back-tested, entry by entry.

A year of a real grocer's orders is told in batches to a served instance whose program has tiers, a
card, surprises within budgets and idle referral offers; its clock goes on week by week. Then the
laboratory lives the year again under the document that was live, and every entry of both ledgers is
compared. Says how fast a back-test is against the batch endpoint, by wall clock and by processor
time of the application, and how much memory it takes at most. Exit status 1 when entries differ.
"""

import argparse
import itertools
import json
import resource
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.postgres import running_postgres, temporary_folder
from bench.processes import BenchError, cpu_seconds, free_port, run_command, running_server, say
from bench.serving import flask_command
from core import clock
from server.replay import dataset, messages
from server.replay.connection import Connection, Tally
from server.replay.dataset import Journey
from server.replay.messages import JOINED_AT, Request
from server.replay.program import SURPRISING

FROM, TO = "2017-01-01T00:00:00Z", "2018-01-01T00:00:00Z"
WEEK = 7 * 86_400
#: Sources whose reference is an id of ours, which a copy makes anew.
OWN = ("surprise", "referral", "lot", "expiry", "redemption", "adjustment")
RATIO_MIN, MEMORY_MAX = 5.0, 400 << 20


def main() -> int:
    """Tell, live again, compare, report."""
    parser = argparse.ArgumentParser(prog="python -m bench.journey", description=__doc__)
    parser.add_argument("--weeks", type=int, help="only so many weeks of the year")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--compare", metavar="PROGRAM", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compare:
        return compare(options.compare)
    with temporary_folder() as folder:
        if options.database == "sqlite":
            return run(folder, f"sqlite:///{folder}/journey.db", weeks=options.weeks)
        with running_postgres(folder) as server:
            server.create_database("journey")
            return run(folder, server.url("journey"), weeks=options.weeks)


def run(folder: Path, database_url: str, *, weeks: int | None) -> int:
    """The whole of it on one database."""
    environment = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SERVER_THREADS": "2",
    }
    run_command(flask_command("db", "upgrade"), environment=environment)
    document = folder / "program.json"
    document.write_text(json.dumps(SURPRISING), encoding="utf-8")
    printed = run_command(
        flask_command("program", "create", "--document", str(document), "--name", "J", "--json"),
        environment=environment,
    )
    made = json.loads(printed.strip().splitlines()[-1])
    journey = dataset.load(weeks)
    port = free_port()
    with running_server(
        flask_command("serve", "--host", "127.0.0.1", "--port", str(port)),
        port=port,
        ready_path="/readyz",
        log=folder / "serve.log",
        environment=environment,
    ) as server:
        before = cpu_seconds(server.pid)
        wall = _tell(f"http://127.0.0.1:{port}", made["secret_key"], journey)
        cpu = cpu_seconds(server.pid) - before
    say(f"told {journey.order_count:,} orders in {wall:.0f} s, {cpu:.0f} s of the application")
    # The laboratory is a process of its own, as the worker is, so that its memory can be told.
    text = run_command(
        [sys.executable, "-m", "bench.journey", "--compare", made["program_id"]],
        environment=environment,
        timeout=3_600,
    )
    found = json.loads(text.strip().splitlines()[-1])
    return _report(journey.order_count, wall=wall, cpu=cpu, found=found)


def _report(orders: int, *, wall: float, cpu: float, found: dict[str, Any]) -> int:
    by_wall, by_cpu = wall / found["wall"], cpu / found["cpu"]
    print(f"entries: {found['entries']:,} served, {found['differing']} differ; {found['kinds']}")
    print(f"batches: {orders / wall:,.0f} orders/s, {orders / cpu:,.0f} per s of the application")
    print(f"back-test: {orders / found['wall']:,.0f}/s, {orders / found['cpu']:,.0f} per s of it")
    met = "met" if by_wall >= RATIO_MIN else "missed"
    print(
        f"ratio: {by_wall:.2f} by wall clock, {by_cpu:.2f} by processor (needed {RATIO_MIN}) {met}"
    )
    is_small = found["memory"] < MEMORY_MAX
    print(f"memory: {found['memory'] >> 20} MiB {'met' if is_small else 'missed'} (< 400 MiB)")
    return 1 if found["differing"] else 0


def _tell(url: str, key: str, journey: Journey) -> float:
    """Members, then week after week its orders in their time order; the seconds of the orders."""
    connection = Connection(url, key, Tally())
    try:
        _send(connection, _clock(JOINED_AT))
        for household in journey.households():
            _send(connection, messages.member_request(dataset.member_ref(household)))
        order = sorted(range(journey.order_count), key=lambda one: journey.placed_at[one])
        seconds = 0.0
        for week, indices in itertools.groupby(order, lambda one: journey.placed_at[one] // WEEK):
            _send(connection, _clock(clock.format_instant((week + 1) * WEEK * clock.SECOND)))
            started = time.monotonic()
            for request in messages.batch_requests(journey, list(indices), None):
                answer = _send(connection, request)
                refused = [one for one in answer["results"] if one["status"] not in (200, 201)]
                if refused:
                    raise BenchError(f"an order was refused: {refused[0]}")
            seconds += time.monotonic() - started
        return seconds
    finally:
        connection.close()


def _clock(to: str) -> Request:
    return Request("POST", "/v1/test-clock", json.dumps({"now": to}).encode())


def _send(connection: Connection, request: Request) -> Any:
    answer = connection.send(request)
    if answer.status not in (200, 201):
        raise BenchError(f"{request.method} {request.path}: {answer.text()}")
    return answer.body


def compare(program: str) -> int:
    """Live the year again and print what came of it, as one line of JSON."""
    from analytics.backtests import laboratory
    from analytics.backtests.laboratory import Asked
    from core import db, ids, jsontext
    from server.app import create_app

    program_id = ids.read_id("prg", program)
    assert program_id is not None
    with create_app().app_context():
        document = jsontext.text(SURPRISING)
        asked = Asked(program_id, document, clock.parse_instant(FROM), clock.parse_instant(TO))
        started, cpu = time.monotonic(), time.process_time()
        with laboratory.opened(asked) as lab:
            life = laboratory.live(lab)
            wall, used = time.monotonic() - started, time.process_time() - cpu
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            with life.copy.entered():
                copied = db.reading(lambda one: list(_entries(one, life.copy.program_id)))
            life.copy.close()
        kinds: dict[str, int] = {}
        count = differing = 0
        real = db.reading(lambda one: list(_entries(one, program_id)))
        for ours, theirs in itertools.zip_longest(real, copied):
            count += ours is not None
            if ours is not None:
                kinds[ours[-3]] = kinds.get(ours[-3], 0) + 1
            if ours != theirs:
                differing += 1
                if differing <= 5:
                    say(f"served {ours}, back-tested {theirs}")
    found = {
        "entries": count,
        "differing": differing,
        "kinds": kinds,
        "wall": wall,
        "cpu": used,
        "memory": memory,
    }
    print(json.dumps(found))
    return 0


def _entries(connection: sa.Connection, program_id: bytes) -> Iterator[Sequence[Any]]:
    """Every entry, by member and number, without the ids that a copy makes anew."""
    from loyalty.ledger.rows import ENTRIES
    from members.members import MEMBERS

    names = ("seq", "kind", "points", "from_bucket", "to_bucket", "available_after")
    its = sa.and_(MEMBERS.c.program_id == ENTRIES.c.program_id, MEMBERS.c.id == ENTRIES.c.member_id)
    statement = (
        sa.select(
            MEMBERS.c.member_ref,
            *(ENTRIES.c[name] for name in names),
            ENTRIES.c.source_type,
            sa.case((ENTRIES.c.source_type.in_(OWN), ""), else_=ENTRIES.c.source_ref),
            ENTRIES.c.effective_at,
        )
        .select_from(ENTRIES.join(MEMBERS, its))
        .where(ENTRIES.c.program_id == program_id)
    )
    rows = [tuple(row) for row in connection.execute(statement)]
    return iter(sorted(rows, key=lambda row: (row[0], row[1])))


if __name__ == "__main__":
    sys.exit(main())
