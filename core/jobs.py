"""Jobs: work that is due at an instant, kept as rows that workers lease.

Owns the rows: they are written with the effect that asks for them, claimed by one worker at a
time, tried again with growing pauses, and set aside as dead when that does not help. A worker
may be killed at any time: its lease runs out and another one claims the job. So a job is
performed at least once, and its handler must be idempotent. Refuses personal data: a payload
names rows by their ids, and an error is kept as the type and place of its exception.
"""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, db, failpoints, ids, jsontext, rawsql
from core.errors import Problem

#: How long a claimed job is this worker's own. A handler that needs longer calls `renew`.
LEASE_SECONDS = 300
ATTEMPTS_MAX = 10
#: The kind of job that takes minutes: others do not wait for it.
APART = "backtests.run"
_PAUSE_FIRST_SECONDS = 10
_PAUSE_MAX_SECONDS = 3600
_CLAIMED_AT_ONCE = 8
_ERROR_MAX = 200
_log = logging.getLogger("dangol.jobs")
_KEPT_SECONDS = 30 * 86_400
_FORGOTTEN_AT_ONCE = 1000


class JobRow(db.Base):
    """One job. It is open until `done_at` or `dead_at` is set."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.UniqueConstraint("program_id", "kind", "key"),
        sa.Index(
            "ix_jobs_open",
            "program_id",
            "run_at",
            postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
            sqlite_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
        ),
        sa.Index(
            "ix_jobs_dead",
            "program_id",
            "dead_at",
            postgresql_where=sa.text("dead_at IS NOT NULL"),
            sqlite_where=sa.text("dead_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_jobs_done",
            "program_id",
            "done_at",
            postgresql_where=sa.text("done_at IS NOT NULL"),
            sqlite_where=sa.text("done_at IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    key: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[str] = mapped_column(sa.Text)
    run_at: Mapped[int] = mapped_column(sa.BigInteger)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    leased_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    lease_id: Mapped[bytes | None] = mapped_column(db.Id)
    done_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    dead_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    last_error: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job; `lease_id` proves the claim."""

    program_id: bytes
    id: bytes
    kind: str
    key: str
    payload: Any
    attempts: int
    lease_id: bytes


#: Performs a job in units of its own; may be called again for a job it has performed.
Handler = Callable[[Job], None]


class JobError(Exception):
    """A handler could not do its job; the message is kept for the operator, so it may name
    nobody."""


class PutOff(Exception):  # noqa: N818
    """A handler stopped before the end because its worker does: nothing of it counts, and the job
    is whoever's comes next."""


_OPEN = "done_at IS NULL AND dead_at IS NULL"
_ADD = """INSERT INTO jobs (program_id, id, kind, key, payload, run_at, attempts, created_at)
VALUES (#1, #2, #3, #4, #5, #6, 0, #7) ON CONFLICT (program_id, kind, key) DO NOTHING"""
_PROGRAMS_DUE = f"""SELECT p.program_id FROM programs p WHERE EXISTS (
SELECT 1 FROM jobs j WHERE j.program_id = p.program_id AND j.{_OPEN.replace("AND ", "AND j.")}
AND j.run_at <= #1 AND (j.leased_until IS NULL OR j.leased_until <= #1)) ORDER BY p.program_id"""
# A job that takes its worker down with it never reports a failure: its claims are counted.
_BURY = f"""UPDATE jobs SET dead_at = #2, leased_until = NULL, lease_id = NULL,
last_error = 'the worker died or its lease ran out, each time'
WHERE program_id = #1 AND {_OPEN} AND run_at <= #2 AND leased_until <= #2 AND attempts >= #3"""
_CLAIM = f"""WITH due AS (SELECT id FROM jobs WHERE program_id = #1 AND {_OPEN} AND run_at <= #2
AND (leased_until IS NULL OR leased_until <= #2) AND (kind = CAST(#6 AS TEXT)) = CAST(#7 AS BOOLEAN)
ORDER BY run_at, id LIMIT #3 [lock])
UPDATE jobs SET leased_until = #4, lease_id = #5, attempts = attempts + 1
FROM due WHERE jobs.program_id = #1 AND jobs.id = due.id
RETURNING jobs.run_at, jobs.id, jobs.kind, jobs.key, jobs.payload, jobs.attempts"""
_OURS = f"program_id = #1 AND id = #2 AND lease_id = #3 AND {_OPEN}"
_RENEW = f"UPDATE jobs SET leased_until = #4 WHERE {_OURS} RETURNING id"
_RELEASE = f"""UPDATE jobs SET leased_until = NULL, lease_id = NULL, attempts = attempts - 1
WHERE {_OURS} RETURNING id"""
_DONE = f"""UPDATE jobs SET done_at = #4, leased_until = NULL, lease_id = NULL
WHERE {_OURS} RETURNING id"""
_FAIL = f"""UPDATE jobs SET run_at = #4, dead_at = #5, last_error = #6, leased_until = NULL,
lease_id = NULL WHERE {_OURS} RETURNING id"""
_PROGRAMS_DONE = """SELECT p.program_id FROM programs p WHERE EXISTS (
SELECT 1 FROM jobs j WHERE j.program_id = p.program_id AND j.done_at < #1)"""
_FORGET = """DELETE FROM jobs WHERE program_id = #1 AND id IN (
SELECT id FROM jobs WHERE program_id = #1 AND done_at < #2 LIMIT #3) RETURNING id"""


def _run(connection: sa.Connection, sql: str, values: Sequence[Any]) -> rawsql.Rows:
    dialect = connection.dialect.name
    lock = "" if dialect == "sqlite" else "FOR UPDATE SKIP LOCKED"
    text = sql.replace("#", rawsql.mark(dialect)).replace("[lock]", lock)
    return rawsql.run(connection, text, values)


def add(
    connection: sa.Connection,
    program_id: bytes,
    *,
    kind: str,
    key: str,
    payload: Mapping[str, Any] | None = None,
    run_at: clock.Instant | None = None,
) -> None:
    """Ask for a job in the caller's transaction; a job with this kind and key stays as it is.

    Jobs are due by the machine's clock, also those of a program with a clock of its own.
    """
    now = clock.system_now()
    text = jsontext.text(dict(payload or {}))
    values = (program_id, ids.new_id(), kind, key, text, now if run_at is None else run_at, now)
    _run(connection, _ADD, values)


def programs_due(connection: sa.Connection, now: clock.Instant) -> list[bytes]:
    """The programs that have a job to claim, by one look into the index for each program."""
    return [bytes(program_id) for (program_id,) in _run(connection, _PROGRAMS_DUE, [now])]


def claim(
    connection: sa.Connection,
    program_id: bytes,
    *,
    limit: int,
    now: clock.Instant,
    lease: int = LEASE_SECONDS,
    only: str | None = None,
) -> list[Job]:
    """Lease up to `limit` due jobs of a program for `lease` seconds, those due first first: of
    `only` this kind, or by default of all but those that have a turn of their own (`APART`).

    What nobody holds is claimed, and what somebody's lease ran out on; never what another worker
    claims at this moment. A job that was claimed too often without a word is dead instead.
    """
    _run(connection, _BURY, [program_id, now, ATTEMPTS_MAX])
    lease_id = ids.new_id()
    until = now + lease * clock.SECOND
    kind = [only or APART, only is not None]
    rows = _run(connection, _CLAIM, [program_id, now, limit, until, lease_id, *kind])
    return [
        Job(
            program_id=program_id,
            id=bytes(job_id),
            kind=kind,
            key=key,
            payload=jsontext.read(payload.encode()),
            attempts=attempts,
            lease_id=lease_id,
        )
        for _, job_id, kind, key, payload, attempts in sorted(
            rows, key=lambda row: (row[0], row[1])
        )
    ]


def renew(
    connection: sa.Connection, job: Job, *, now: clock.Instant, lease: int = LEASE_SECONDS
) -> bool:
    """Keep a claimed job longer; False when the lease was lost to another worker."""
    values = [job.program_id, job.id, job.lease_id, now + lease * clock.SECOND]
    return bool(_run(connection, _RENEW, values))


def release(connection: sa.Connection, job: Job) -> bool:
    """Give back a claimed job that was not begun or is put off, as if it had not been claimed."""
    return bool(_run(connection, _RELEASE, [job.program_id, job.id, job.lease_id]))


def done(connection: sa.Connection, job: Job, *, now: clock.Instant) -> bool:
    """Mark a claimed job as done; False when the lease was lost or it is marked already.

    A handler may do this itself in the transaction of its effect, which makes both one.
    """
    return bool(_run(connection, _DONE, [job.program_id, job.id, job.lease_id, now]))


def fail(connection: sa.Connection, job: Job, *, error: str, now: clock.Instant) -> bool:
    """Try a claimed job again later, or set it aside as dead after the last attempt."""
    exponent = min(job.attempts - 1, 20)
    pause = min(_PAUSE_FIRST_SECONDS * 2**exponent, _PAUSE_MAX_SECONDS)
    dead_at = now if job.attempts >= ATTEMPTS_MAX else None
    values = [job.program_id, job.id, job.lease_id, now + pause * clock.SECOND, dead_at]
    return bool(_run(connection, _FAIL, [*values, error[:_ERROR_MAX]]))


def dead(connection: sa.Connection, program_id: bytes, *, limit: int = 100) -> list[Any]:
    """Rows of the dead jobs of a program, the latest first."""
    statement = (
        sa.select(JobRow)
        .where(JobRow.program_id == program_id, JobRow.dead_at.is_not(None))
        .order_by(JobRow.dead_at.desc())
        .limit(limit)
    )
    return list(connection.execute(statement))


def redrive(
    connection: sa.Connection,
    program_id: bytes,
    *,
    now: clock.Instant,
    job_id: bytes | None = None,
) -> int:
    """Make a program's dead jobs (or one of them) due again with all their attempts; how many."""
    statement = (
        sa.update(JobRow)
        .where(JobRow.program_id == program_id, JobRow.dead_at.is_not(None))
        .values(dead_at=None, attempts=0, run_at=now, leased_until=None, lease_id=None)
    )
    if job_id is not None:
        statement = statement.where(JobRow.id == job_id)
    return connection.execute(statement).rowcount


def perform_due(
    handlers: Mapping[str, Handler],
    now: clock.Instant,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    only: str | None = None,
) -> int:
    """Perform some due jobs of every program; how many were tried. 0: nothing is due."""
    tried = 0
    for program_id in db.reading_once(lambda connection: programs_due(connection, now)):
        if is_stopping():
            break
        tried += _perform_some(handlers, program_id, is_stopping, only)
    return tried


def _perform_some(
    handlers: Mapping[str, Handler],
    program_id: bytes,
    is_stopping: Callable[[], bool],
    only: str | None,
) -> int:
    now = clock.system_now()
    limit = _CLAIMED_AT_ONCE if only is None else 1
    claimed = db.in_transaction(
        lambda connection: claim(connection, program_id, limit=limit, now=now, only=only)
    )
    if claimed:
        failpoints.reach("jobs.after_claim")
    # What one slow job leaves too little of the lease for goes back to whoever is free.
    last_start = now + LEASE_SECONDS * clock.SECOND // 3
    for index, job in enumerate(claimed):
        if index and (is_stopping() or clock.system_now() > last_start):
            _release_all(claimed[index:])
            return index
        _perform(handlers, job)
    return len(claimed)


def _release_all(claimed: Sequence[Job]) -> None:
    def work(connection: sa.Connection) -> None:
        for job in claimed:
            release(connection, job)

    db.in_transaction(work)


def _perform(handlers: Mapping[str, Handler], job: Job) -> None:
    handler = handlers.get(job.kind)
    try:
        if handler is None:
            raise JobError("this version has no handler for the kind")
        handler(job)
    except PutOff:
        _release_all([job])
        return
    except Exception as failure:
        text = error_text(failure)
        _log.warning(
            "job failed",
            extra={"kind": job.kind, "job": ids.show_id("job", job.id), "reason": text},
        )
        db.in_transaction(
            lambda connection: fail(connection, job, error=text, now=clock.system_now())
        )
        return
    failpoints.reach("jobs.before_done")
    db.in_transaction(lambda connection: done(connection, job, now=clock.system_now()))


def error_text(error: BaseException) -> str:
    """An exception as its type and place: its message can carry a caller's data."""
    if isinstance(error, JobError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    code = f" {error.code}" if isinstance(error, Problem) else ""
    return f"{type(error).__name__}{code}{place}"


def forget(now: clock.Instant) -> int:
    """Delete jobs that were done 30 days ago, a thousand of a program at once; how many.

    Until then a job with the same kind and key is not done a second time.
    """
    before = now - _KEPT_SECONDS * clock.SECOND
    forgotten = 0
    for (program_id,) in db.reading_once(lambda one: _run(one, _PROGRAMS_DONE, [before])):
        values = [bytes(program_id), before, _FORGOTTEN_AT_ONCE]
        forgotten += len(db.in_transaction(lambda one, values=values: _run(one, _FORGET, values)))  # type: ignore[misc]
    return forgotten
