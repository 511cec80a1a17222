"""How fast the past is told again, beside the batch endpoint: orders for each second of a core.

    python -m bench.backtesting [--weeks 8] [--households 300] [--rounds 3]

A part of the Complete Journey year is told through `POST /v1/orders/batch` in this process (no
network), then tried on itself; rounds alternate. Memory is that of a process which does nothing
but the back-test.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SECRET_KEY = "bench-only-0123456789-abcdefghijklmnop"
FROM, TO = "2017-01-01T00:00:00Z", "2018-03-01T00:00:00Z"


def make_app(path: Path) -> Any:
    """The application on an SQLite file."""
    from config import Settings
    from server.app import create_app

    url = f"sqlite:///{path}"
    return create_app(Settings(database_url=url, secret_key=SECRET_KEY, log_level="error"))


def tell(path: Path, *, weeks: int, households: int) -> tuple[int, float]:
    """Tell the orders in batches to a new program; how many, and the seconds of processor."""
    import flask_migrate

    from programs.creation import create
    from server.replay import dataset, messages
    from server.replay.program import DOCUMENT

    app = make_app(path)
    journey = dataset.load(weeks).first_households(households)
    with app.app_context():
        flask_migrate.upgrade()
        made = create(DOCUMENT, mode="test")
    client = app.test_client()
    headers = {"Authorization": f"Bearer {made['secret_key']}"}
    for household in journey.households():
        request = messages.member_request(dataset.member_ref(household))
        answer = client.put(
            request.path, data=request.body, headers=headers, content_type="application/json"
        )
        assert answer.status_code == 201
    order = sorted(range(journey.order_count), key=lambda index: journey.placed_at[index])
    batches = list(messages.batch_requests(journey, order, None))
    started = time.process_time()
    for number, request in enumerate(batches):
        answer = client.post(
            request.path,
            data=request.body,
            headers=headers | {"Idempotency-Key": f"batch-{number}"},
            content_type="application/json",
        )
        assert answer.status_code == 200
    return journey.order_count, time.process_time() - started


def try_again(path: Path) -> None:
    """Back-test the only program of a database under its own document; prints what it took."""
    import sqlalchemy as sa

    from analytics.backtests import laboratory, measuring
    from analytics.backtests.laboratory import Asked
    from core import clock, db
    from programs import versions
    from programs.models import Program

    app = make_app(path)
    start, end = clock.parse_instant(FROM), clock.parse_instant(TO)
    period = measuring.Period(start, end)
    with app.app_context():
        program_id = bytes(
            db.reading(lambda one: one.execute(sa.select(Program.program_id)).scalar_one())
        )
        document = db.reading(lambda one: versions.get_version(one, program_id, 1).document)
        started = time.process_time()
        with laboratory.opened(Asked(program_id, document, start, end)) as lab:
            life = laboratory.live(lab)
            seconds = time.process_time() - started
            with life.copy.entered():
                told = db.reading(lambda one: measuring.measure(one, life.copy.program_id, period))
            life.copy.close()
        real = db.reading(lambda one: measuring.measure(one, program_id, period))
    assert told == real, "the copy came out differently"
    # Not `ru_maxrss`: that of who started this process is counted in.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(seconds, peak, told.points.total())


def main() -> None:
    """Alternate both, and print each round and the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--households", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        try_again(arguments.only)
        return
    batch, again, peak = 0.0, 0.0, 0
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "shop.db"
            count, seconds = tell(path, weeks=arguments.weeks, households=arguments.households)
            batch = max(batch, count / seconds)
            command = [sys.executable, "-m", "bench.backtesting", "--only", str(path)]
            made = subprocess.run(
                command, check=True, capture_output=True, text=True, env=dict(os.environ)
            )
            told_seconds, told_peak, points = made.stdout.split()
            again, peak = max(again, count / float(told_seconds)), max(peak, int(told_peak))
        print(
            f"round {number + 1}: {count} orders, batch {count / seconds:.0f}/s,"
            f" back-test {count / float(told_seconds):.0f}/s, {points} points alike"
        )
    print(
        f"best: batch {batch:.0f}/s, back-test {again:.0f}/s, ratio {again / batch:.2f};"
        f" peak memory {peak} MiB"
    )


if __name__ == "__main__":
    main()
