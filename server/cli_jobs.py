"""The command line's jobs: what failed for good, and its second chance."""

import json
import logging

import click
import sqlalchemy as sa
from flask.cli import AppGroup, with_appcontext

from core import clock, db, ids, jobs
from programs.models import Program
from server import queue
from server.reporting import reporting

group = AppGroup("jobs", help="Jobs of the worker.")
_log = logging.getLogger("dangol.cli")


def _programs(text: str | None) -> list[bytes]:
    """The program of an option, or every one."""
    if text is not None:
        found = ids.read_id("prg", text)
        if found is None:
            raise click.ClickException(f"{text!r} is no program id; it looks like prg_01…")
        return [found]
    statement = sa.select(Program.program_id).order_by(Program.program_id)
    with reporting():
        return db.reading(lambda one: [bytes(row.program_id) for row in one.execute(statement)])


@group.command("dead")
@click.option("--program", default=None, help="Only this program.")
@click.option("--json", "is_json", is_flag=True, help="Print one line of JSON for each job.")
@with_appcontext
def list_dead(program: str | None, is_json: bool) -> None:
    """List jobs that failed for good, with the last error; at most 100 of a program."""
    for program_id in _programs(program):
        with reporting():
            rows = db.reading(lambda one, at=program_id: jobs.dead(one, at))  # type: ignore[misc]
        for row in rows:
            shown = {
                "id": ids.show_id("job", bytes(row.id)),
                "program_id": ids.show_id("prg", program_id),
                "kind": row.kind,
                "key": row.key,
                "attempts": row.attempts,
                "dead_at": clock.format_instant(row.dead_at),
                "last_error": row.last_error,
            }
            click.echo(json.dumps(shown) if is_json else "  ".join(map(str, shown.values())))


@group.command("redrive")
@click.option("--program", default=None, help="Only this program.")
@click.argument("job_id", required=False)
@with_appcontext
def redrive(program: str | None, job_id: str | None) -> None:
    """Try dead jobs again, with all their attempts: one of them, or all."""
    known = None if job_id is None else ids.read_id("job", job_id)
    if job_id is not None and known is None:
        raise click.ClickException(f"{job_id!r} is no job id; it looks like job_01…")
    now = clock.system_now()
    count = 0
    for program_id in _programs(program):
        with reporting():
            count += db.in_transaction(
                lambda one, at=program_id: jobs.redrive(one, at, now=now, job_id=known)  # type: ignore[misc]
            )
    if job_id is not None and not count:
        raise click.ClickException("there is no such dead job")
    click.echo(f"{count} due again")
    try:
        queue.wake("jobs")
    except Exception:
        # Workers find them within a second anyway.
        _log.warning("the queue is away", exc_info=True)
