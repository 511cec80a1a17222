"""The worker: what is due is done here, outside of requests, in rounds of duties.

Owns the order in which duties take turns and the end of the process. What is due stands in
rows: a worker may be killed at any time, and any number of them may run at once.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app
from huey.consumer import Consumer
from huey.consumer import Worker as Puller

from analytics.backtests import running
from core import clock, idempotency, jobs
from programs import versions
from referrals import clicks, traces
from rewards import guesses
from server import queue
from storefront import due
from storefront.fairness import revealing
from storefront.membership import erasure
from storefront.tiers import assessing
from webhooks import deliveries

_log = logging.getLogger("dangol.worker")
#: How long a stopping worker waits for the unit in hand; what is cut off is claimed again.
_STOP_SECONDS = 20
_POLL_SECONDS = 0.5
_stopping = threading.Event()


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the worker does in rounds.

    `run` does one bounded portion (seconds at most) and returns how many things it did. While
    that is not 0 it is called again, in turn with the others; otherwise after `every` seconds.
    It may run in several processes at once and may be cut off anywhere. One that `is_long` takes
    minutes: in a single thread its turn comes when nothing else is due.
    """

    name: str
    run: Callable[[clock.Instant], int]
    every: float
    is_long: bool = False


#: What performs a job, by its kind. A handler is idempotent: it may be called again for a job.
HANDLERS: dict[str, jobs.Handler] = {versions.LADDER_JOB: assessing.perform}


def _perform_jobs(now: clock.Instant) -> int:
    return jobs.perform_due(HANDLERS, now, is_stopping=_stopping.is_set)


def _run_backtests(now: clock.Instant) -> int:
    return running.run_due(now, is_stopping=_stopping.is_set)


#: Everything the worker does; a further duty is one line here.
DUTIES: list[Duty] = [
    Duty("jobs", _perform_jobs, every=1),
    Duty("backtests.run", _run_backtests, every=2, is_long=True),
    Duty("backtests.clear", running.clear, every=3600),
    Duty("draws.reveal", revealing.reveal_some, every=3600),
    Duty("jobs.forget", jobs.forget, every=3600),
    Duty("idempotency.forget", idempotency.forget_old, every=3600),
    Duty("due.settle", due.settle_some, every=1),
    Duty("segments.look", due.look_some, every=1),
    Duty("erasure.purge", erasure.purge_due, every=3600),
    Duty("clicks.forget", clicks.forget_expired, every=3600),
    Duty("traces.forget", traces.forget_old, every=3600),
    Duty("guesses.forget", guesses.forget_old, every=3600),
    Duty("webhooks.dispatch", deliveries.dispatch_due, every=1),
    Duty("webhooks.deliver", deliveries.deliver_due, every=1),
]


@dataclass(slots=True)
class _Turn:
    """When a duty is due again, by the monotonic clock, and whether a thread is at it."""

    duty: Duty
    due_at: float = 0.0
    is_taken: bool = False
    is_woken: bool = False


class Rounds:
    """The duties of one process taking turns: each in one thread at a time, none left out."""

    def __init__(self, app: Flask, duties: Sequence[Duty]) -> None:
        self._app = app
        self._turns = [_Turn(duty) for duty in duties]
        self._lock = threading.Lock()

    def wake(self, name: str = "") -> None:
        """Make one duty due now, or all."""
        with self._lock:
            for turn in self._turns:
                if name in ("", turn.duty.name):
                    turn.due_at, turn.is_woken = 0.0, True

    def perform_next(self) -> bool:
        """Perform the next duty that is due; False when there is none."""
        with self._lock:
            now = time.monotonic()
            free = (one for one in self._turns if not one.is_taken and one.due_at <= now)
            turn = next(free, None)
            if turn is None:
                return False
            turn.is_taken, turn.is_woken = True, False
            # It goes to the end of the row, so that the others come first.
            self._turns.remove(turn)
            self._turns.append(turn)
        count = self._perform(turn.duty)
        with self._lock:
            turn.is_taken = False
            is_again = bool(count) or turn.is_woken
            turn.due_at = 0.0 if is_again else time.monotonic() + turn.duty.every
        return True

    def drain(self) -> bool:
        """Perform all duties in turn until none finds anything; False when one failed."""
        duties = [turn.duty for turn in self._turns]
        has_failed = False
        while not _stopping.is_set():
            counts = self._perform_each(one for one in duties if not one.is_long)
            if not any(counts):
                counts += self._perform_each(one for one in duties if one.is_long)
            has_failed = has_failed or None in counts
            if not any(counts):
                break
        return not has_failed

    def _perform_each(self, duties: Iterable[Duty]) -> list[int | None]:
        return [self._perform(one) for one in duties if not _stopping.is_set()]

    def _perform(self, duty: Duty) -> int | None:
        """How many things were done; None when it failed."""
        try:
            with self._app.app_context():
                return duty.run(clock.system_now())
        except Exception:
            # The others go on; this one is tried again at its next turn.
            _log.exception("duty failed", extra={"duty": duty.name})
            return None


class _Puller(Puller):  # type: ignore[misc]
    """A thread that takes a message if there is one, and looks for itself in any case."""

    rounds: Rounds

    def loop(self, now: Any = None) -> None:
        super().loop(now)
        while not self.stop_flag.is_set() and self.rounds.perform_next():
            pass


class _Consumer(Consumer):  # type: ignore[misc]
    """Huey's consumer with a thread for each duty, so that a slow one holds up no other."""

    def __init__(self, huey: Any, rounds: Rounds, threads: int) -> None:
        self.rounds = rounds
        super().__init__(
            huey,
            workers=threads,
            periodic=False,
            initial_delay=_POLL_SECONDS,
            max_delay=_POLL_SECONDS,
            shutdown_timeout=_STOP_SECONDS,
            graceful_signal="TERM",
        )

    def _create_worker(self) -> _Puller:
        made = _Puller(
            huey=self.huey,
            stop_flag=self.stop_flag,
            default_delay=self.default_delay,
            max_delay=self.max_delay,
            backoff=self.backoff,
        )
        made.rounds = self.rounds
        return made

    def stop(self, graceful: bool = False) -> None:
        _stopping.set()
        super().stop(graceful)


def run(*, once: bool) -> bool:
    """Do what is due; with `once` return when nothing is, otherwise go on until SIGTERM.

    False when a duty failed that is not tried again.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    rounds = Rounds(app, DUTIES)
    _stopping.clear()
    if once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _stopping.set())
        return rounds.drain()
    logging.getLogger("huey").handlers = logging.getLogger("dangol").handlers
    logging.getLogger("huey").setLevel(logging.WARNING)
    consumer = _Consumer(queue.make(_settings(app), rounds.wake).huey, rounds, len(DUTIES))
    _log.info("worker started", extra={"duties": [duty.name for duty in DUTIES]})
    consumer.run()
    _log.info("worker stopped")
    return True


def _settings(app: Flask) -> Any:
    return app.extensions["dangol.settings"]
