"""A worker that is killed around sending loses no message; its repeat carries the same id."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.webhooks.conftest import Hooks
from tests.webhooks.receiver import Receiver
from webhooks import parcels

ROOT = Path(__file__).parent.parent.parent
WORKER = """
from core import clock
from server.app import create_app
from webhooks import deliveries

with create_app().app_context():
    while deliveries.dispatch_due(clock.system_now()):
        pass
    while deliveries.deliver_due(clock.system_now()):
        pass
"""


def run_worker(hooks: Hooks, crash_at: str) -> int:
    settings = hooks.app.extensions["dangol.settings"]
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "CRASH_AT": crash_at,
    }
    done = subprocess.run(
        [sys.executable, "-c", WORKER], cwd=ROOT, env=environment, timeout=60, check=False
    )
    return done.returncode


@pytest.mark.parametrize(
    ("crash_at", "received"),
    [("webhooks.before_send", [0, 1]), ("webhooks.after_send", [1, 2])],
)
def test_killed_around_sending(
    hooks: Hooks, receiver: Receiver, crash_at: str, received: list[int]
) -> None:
    hooks.endpoint(receiver.url)
    hooks.tell()
    assert run_worker(hooks, crash_at) == -signal.SIGKILL
    assert len(receiver.got) == received[0]
    delivery = hooks.one()
    assert (delivery["state"], delivery["attempts"]) == ("pending", [])
    # It is leased still: nobody sends it before the lease has run out.
    hooks.run()
    assert len(receiver.got) == received[0]
    hooks.deliver(seconds=parcels.LEASE_SECONDS + 1)
    assert len(receiver.got) == received[1]
    assert len(set(receiver.ids)) == 1
    assert hooks.one()["state"] == "delivered"
    hooks.deliver(seconds=2 * parcels.LEASE_SECONDS)
    assert len(receiver.got) == received[1]


@pytest.mark.parametrize("time", [1, 2, 3])
def test_killed_before_a_commit_of_dispatching_or_leasing(
    hooks: Hooks, receiver: Receiver, time: int
) -> None:
    """Whatever commit it does not reach, the next worker sends each message once."""
    hooks.endpoint(receiver.url)
    for _ in range(3):
        hooks.tell()
    assert run_worker(hooks, f"db.before_commit:{time}") == -signal.SIGKILL
    hooks.run()
    hooks.deliver(seconds=parcels.LEASE_SECONDS + 1)
    assert len(set(receiver.ids)) == 3
    assert {one["state"] for one in hooks.log()} == {"delivered"}
    assert len(hooks.log()) == 3
