"""An instance served for the length of a replay.

Owns starting `flask serve` as a process of its own, waiting until it is ready, and stopping it.
Refuses to migrate or to know what is sent to it.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from server.replay.errors import ReplayError

ROOT: Final = Path(__file__).parent.parent.parent
HOST: Final = "127.0.0.1"
READY_SECONDS: Final = 30
REFUSALS_MAX: Final = 3
STOP_SECONDS: Final = 40


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Tell whether somebody listens on the loopback port already."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def served(environment: Mapping[str, str], *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Serve on a loopback port until the block is left, however it is left."""
    command = [sys.executable, "-m", "flask", "serve", "--host", HOST, "--port", str(port)]
    variables = {"LOG_LEVEL": "warning"} | dict(os.environ) | dict(environment)
    variables["FLASK_APP"] = "wsgi"
    # A session of its own: Ctrl-C reaches this process alone, which then stops the other.
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command, cwd=ROOT, env=variables, start_new_session=True, stdout=subprocess.DEVNULL
    )
    with _leaving_when_told():
        try:
            _wait_until_ready(process, port)
            yield process
        finally:
            _stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    refusals = 0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ReplayError(f"The instance stopped at once with status {process.returncode}.")
        answer = _readiness(port)
        if answer is not None and answer[0] == 200:
            return
        if answer is not None:
            # It is up and says what it lacks: a database that wakes up is given a moment.
            refusals += 1
            if refusals == REFUSALS_MAX:
                raise ReplayError(f"The instance is not ready: {answer[1]}")
        time.sleep(0.1 if answer is None else 1)
    raise ReplayError(f"The instance does not listen after {READY_SECONDS} seconds.")


def _readiness(port: int) -> tuple[int, str] | None:
    """Return the status of /readyz and what it says, None while nobody listens."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    try:
        return response.status, str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return response.status, text


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # Its workers share its session.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _leaving_when_told() -> Iterator[None]:
    """Let SIGTERM and a closed terminal leave the block like any exception: nothing stays."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
