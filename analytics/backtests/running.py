"""Running a back-test: the job, which keeps its row up to date and looks whether it is wanted.

May be killed at any time: run again it begins from the start, in a laboratory of its own, and its
last word is one update. Writes nothing of the program but the back-test's own row.
"""

import functools
import heapq
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from analytics.backtests import asking, laboratory, measuring, reporting, rooms
from analytics.backtests.asking import BACKTESTS
from analytics.backtests.laboratory import Asked, Laboratory
from analytics.backtests.measuring import Figures, Period
from analytics.backtests.replaying import Life, Stopped
from analytics.backtests.told import Told
from core import clock, db, ids, jobs, jsontext
from core.errors import Problem
from programs import versions
from programs.compiled import Compiled

_LOOKED_EVERY_SECONDS = 2.0


def run_due(now: clock.Instant, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """A duty of the worker, apart from other jobs, which are not to wait for it."""
    handlers = {asking.JOB: functools.partial(perform, is_stopping=is_stopping)}
    return jobs.perform_due(handlers, now, is_stopping=is_stopping, only=asking.JOB)


def clear(_now: clock.Instant) -> int:
    """A duty of the worker: what killed ones left on disk goes."""
    return rooms.clear()


def perform(job: jobs.Job, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Run a back-test to its end; what it cannot do anything about is kept as its error. One that
    is to stop goes back to the row."""
    backtest_id = ids.read_id(asking.PREFIX, job.key) or b""
    row = db.reading(lambda one: asking.find(one, job.program_id, backtest_id))
    if row is None or row.state in (asking.DONE, asking.FAILED):
        return
    _keep(job, row, state=asking.RUNNING, progress=0)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        result = _run(row, _Watch(app, job, row, is_stopping))
    except Stopped:
        return
    except jobs.PutOff:
        _keep(job, row, state=asking.QUEUED, progress=0)
        raise
    except Exception as error:
        if db.as_problem(error) is not None:
            # The store is away for the moment: the job is tried again.
            raise
        why = error.detail if isinstance(error, Problem) else jobs.error_text(error)
        _keep(job, row, state=asking.FAILED, error=str(why), finished_at=_now(row))
        return
    done = {"state": asking.DONE, "progress": 100, "result": jsontext.text(result)}
    _keep(job, row, **done, finished_at=_now(row))


def _now(row: Any) -> clock.Instant:
    program_id = bytes(row.program_id)
    return db.reading(lambda connection: versions.get_live(connection, program_id)[1])


def _keep(job: jobs.Job, row: Any, **values: Any) -> bool:
    """Set columns of the row, and keep the lease; False when the row is gone, or when the lease is
    another's, and with it the row."""
    its = (BACKTESTS.c.program_id == row.program_id, BACKTESTS.c.id == row.id)
    statement = sa.update(BACKTESTS).where(*its).values(**values)

    def work(connection: sa.Connection) -> bool:
        is_ours = jobs.renew(connection, job, now=clock.system_now())
        return is_ours and bool(connection.execute(statement).rowcount)

    return db.in_transaction(work)


class _Watch:
    """Says now and then how far it is, keeps the lease, and stops what nobody wants any more."""

    def __init__(
        self, app: Flask, job: jobs.Job, row: Any, is_stopping: Callable[[], bool]
    ) -> None:
        self._app, self._job, self._row = app, job, row
        self._is_stopping = is_stopping
        self._looked_at = time.monotonic()
        self.total = 1
        self.before = 0

    def go_on(self, done: int) -> None:
        """So many facts are told of this life."""
        if self._is_stopping():
            raise jobs.PutOff
        if time.monotonic() - self._looked_at < _LOOKED_EVERY_SECONDS:
            return
        self._looked_at = time.monotonic()
        progress = min(99, (self.before + done) * 100 // self.total)
        with self._app.app_context():
            is_wanted = _keep(self._job, self._row, progress=progress)
        if not is_wanted:
            raise Stopped


def _run(row: Any, watch: _Watch) -> dict[str, Any]:
    """Everything but the row: copy, live as often as there are seeds, measure, compare."""
    program_id = bytes(row.program_id)
    period = Period(row.from_at, row.to_at)
    asked = Asked(program_id, row.document, period.from_at, period.to_at)
    truth: list[tuple[Figures, Compiled]] = []

    def also(connection: sa.Connection, told: Told) -> None:
        live, _ = versions.get_live(connection, program_id)
        truth.append((measuring.measure(connection, program_id, period), live))
        rows = measuring.of_members(connection, program_id, period)
        told.note_actual((_ref(told, member_id), points) for member_id, _, points in rows)

    name = ids.show_id(asking.PREFIX, bytes(row.id))
    with laboratory.opened(asked, name=name, also=also, go_on=watch.go_on) as lab:
        count = lab.told.count_upto(lab.bounds.last_id)
        lab.warm_count = lab.told.count_upto(lab.bounds.cut_id or lab.bounds.last_id)
        watch.total = max(1, count + (row.seeds - 1) * max(0, count - lab.warm_count))
        lab.secret = bytes(row.id)
        forecasts: list[Figures] = []

        def seen(further: Life) -> None:
            with further.copy.entered():
                found, _ = db.reading(lambda one: _measured(one, further, period))
            forecasts.append(found)
            watch.before += further.done - lab.warm_count

        life = laboratory.live(lab, watch.go_on, seeds=row.seeds, seen=seen)
        with life.copy.entered():
            figures, tested = db.reading(lambda one: _measured(one, life, period))
            members = db.reading(lambda one: _members(one, life, lab, period))
        life.copy.close()
        [(actual, live)] = truth
        report = reporting.compare([*forecasts, figures], actual, tested=tested, live=live)
        # The last life is the first one: with the program's own luck.
        report["points"]["forecast_first"] = sum(figures.points.values())
        report["minor"]["forecast_first"] = figures.worth(tested)
        return report | {"members": members, "left_out": lab.left_out}


def _ref(told: Told, member_id: bytes) -> str:
    return told.ref_of(member_id) or ""


def _measured(connection: sa.Connection, life: Life, period: Period) -> tuple[Figures, Compiled]:
    program_id = life.copy.program_id
    live, _ = versions.get_live(connection, program_id)
    return measuring.measure(connection, program_id, period), live


def _members(
    connection: sa.Connection, life: Life, lab: Laboratory, period: Period
) -> list[dict[str, Any]]:
    """Those whose points change most, by our own ids."""

    def changed() -> Iterator[tuple[int, str, int, int]]:
        rows = measuring.of_members(connection, life.copy.program_id, period)
        for _, ref, forecast in rows:
            actual = lab.told.take_actual(ref)
            yield abs(forecast - actual), ref, forecast, actual
        for ref, actual in lab.told.actual():
            yield abs(actual), ref, 0, actual

    top = heapq.nlargest(reporting.MEMBERS_MAX, (one for one in changed() if one[0]))
    return [
        {
            "member_id": ids.show_id("mem", member_id),
            "points": {"forecast": forecast, "actual": actual},
            "change": forecast - actual,
        }
        for _, ref, forecast, actual in top
        if (member_id := lab.told.member_of(ref)) is not None
    ]
