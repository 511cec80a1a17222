"""Owns the processes a measurement starts: their start, their end, their CPU time and memory.

Refuses to end anything that it did not start itself.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType

import psutil

ROOT = Path(__file__).resolve().parent.parent


class BenchError(Exception):
    """The measurement cannot go on; the text says what failed and what it printed."""


@dataclass(frozen=True, slots=True)
class Server:
    """One HTTP server under measurement and the process at its head."""

    host: str
    port: int
    pid: int


def say(text: str) -> None:
    """Progress goes to standard error, the report alone to standard output."""
    print(text, file=sys.stderr, flush=True)


def interrupt_on_terminate() -> None:
    """Make SIGTERM end the measurement as Ctrl-C does, so that all it started is stopped."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(
    command: Sequence[str],
    *,
    port: int,
    ready_path: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start an HTTP server, wait until it answers 200, stop it however the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the measurement, which then stops its servers in order.
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, port=port, path=ready_path)
        yield Server(host="127.0.0.1", port=port, pid=process.pid)
    except BenchError:
        # The log goes with the temporary folder; what the server said is worth keeping.
        say(f"the server printed at last:\n{_tail(log)}")
        raise
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], *, port: int, path: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise BenchError(f"the server never answered 200 on {path}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it left behind of its own children."""
    family = _family(process.pid)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    for left in psutil.wait_procs(family, timeout=2)[1]:
        left.kill()


def _family(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all it started, also of children that have ended meanwhile."""
    total = 0.0
    for process in _family(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_bytes(pid: int) -> dict[int, int]:
    """Resident memory of each process below the given one, or of itself if it has no children."""
    family = _family(pid)
    workers = family[1:] or family
    return {process.pid: int(process.memory_info().rss) for process in workers}


def run_command(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout: int = 120
) -> str:
    """Run a command of the project to its end; its failure is ours, with what it printed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        printed = (done.stdout + done.stderr)[-3000:]
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}:\n{printed}")
    return done.stdout
