"""A worker to be killed: `python -m tests.server.crashing` performs the jobs of kind
`test.order`, each of which tells an order, and ends when none is due.

The crash tests start it with CRASH_AT; the places themselves are in the application. `work` is
what the one that comes after it does, in the process of the tests.
"""

import sys

from flask import Flask

from core import clock, jobs
from server import worker
from server.app import create_app


def _duty(app: Flask) -> worker.Duty:
    """Only jobs, by the one handler of the tests: what other duties commit would be counted by
    CRASH_AT as well."""

    def tell(job: jobs.Job) -> None:
        response = app.test_client().put(
            f"/v1/orders/{job.key}",
            json=job.payload["order"],
            headers={"Authorization": f"Bearer {job.payload['key']}"},
        )
        if response.status_code not in (200, 201):
            raise jobs.JobError(f"the order was answered with {response.status_code}")

    def perform(now: clock.Instant) -> int:
        return jobs.perform_due({"test.order": tell}, now)

    return worker.Duty("jobs", perform, every=1)


def work(app: Flask) -> bool:
    """Perform what is due; False when a job failed."""
    with app.app_context():
        return worker.Rounds(app, (_duty(app),)).drain()


def main() -> int:
    """Perform what is due as `flask worker --once` does; its exit status."""
    app = create_app()
    worker.DUTIES[:] = [_duty(app)]
    with app.app_context():
        return 0 if worker.run(once=True) else 1


if __name__ == "__main__":
    sys.exit(main())
