"""A worker to be killed: `python -m tests.server.crashing` performs the jobs of kind
`test.order`, each of which tells an order, and ends when none is due.

The crash tests start it with CRASH_AT; the places themselves are in the application.
"""

import sys

from core import clock, jobs
from server import worker
from server.app import create_app


def main() -> int:
    """Perform what is due with the one handler of the tests; the worker's exit status."""
    app = create_app()

    def tell(job: jobs.Job) -> None:
        response = app.test_client().put(
            f"/v1/orders/{job.key}",
            json=job.payload["order"],
            headers={"Authorization": f"Bearer {job.payload['key']}"},
        )
        if response.status_code not in (200, 201):
            raise jobs.JobError(f"the order was answered with {response.status_code}")

    def perform(now: clock.Instant) -> int:
        return jobs.perform_due(worker.HANDLERS, now)

    worker.HANDLERS["test.order"] = tell
    # Only jobs: what other duties commit would be counted by CRASH_AT as well.
    worker.DUTIES[:] = [worker.Duty("jobs", perform, every=1)]
    with app.app_context():
        return 0 if worker.run(once=True) else 1


if __name__ == "__main__":
    sys.exit(main())
