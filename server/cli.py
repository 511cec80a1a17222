"""The command line of the operator."""

import json
import sys
from typing import Any

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from config import Settings, SettingsError
from core import auth, clock, db, ids
from programs import versions
from programs.models import Program
from server import cli_data, cli_draws, cli_jobs, cli_program, health, serve
from server.cli_program import program_id_of
from server.replay import instance
from server.reporting import reporting

keys_group = AppGroup("keys", help="API keys of a program.")
ledger_group = AppGroup("ledger", help="The ledger of points.")


def init(app: Flask) -> None:
    """Register every command."""
    for group in (
        cli_program.group,
        keys_group,
        ledger_group,
        cli_draws.group,
        cli_jobs.group,
    ):
        app.cli.add_command(group)
    for command in (serve_command, worker_command, replay_command, demo_command):
        app.cli.add_command(command)
    cli_data.init(app)


@keys_group.command("create")
@click.option("--program", required=True, help="Program id.")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scopes", default=",".join(auth.SCOPES), show_default=True, help="With commas.")
@with_appcontext
def create_key(program: str, name: str, scopes: str) -> None:
    """Make a secret key; it is shown this once."""
    wanted = tuple(scope for scope in scopes.split(",") if scope)
    unknown = set(wanted) - set(auth.SCOPES)
    if unknown:
        raise click.ClickException(f"no such scope: {', '.join(sorted(unknown))}")

    def work(connection: Any) -> str:
        row = connection.execute(
            sa.select(Program.mode).where(Program.program_id == program_id_of(program))
        ).first()
        if row is None:
            raise click.ClickException("there is no such program")
        _, key = auth.issue_key(
            connection,
            program_id_of(program),
            kind="sk",
            mode=row.mode,
            name=name,
            scopes=wanted,
            now=clock.system_now(),
        )
        return key

    with reporting():
        key = db.in_transaction(work)
    click.echo(key)


@keys_group.command("list")
@click.option("--program", required=True, help="Program id.")
@with_appcontext
def list_keys(program: str) -> None:
    """List keys without the keys themselves."""
    statement = sa.select(auth.ApiKey).where(auth.ApiKey.program_id == program_id_of(program))
    with reporting():
        rows = db.reading(lambda connection: list(connection.execute(statement)))
    for row in rows:
        state = "revoked" if row.revoked_at else "active"
        shown = ids.show_id("key", bytes(row.id))
        click.echo(f"{shown}  {row.prefix}_…{row.last_four}  {state:8} {row.name}")


@keys_group.command("revoke")
@click.option("--program", required=True, help="Program id.")
@click.argument("key_id")
@with_appcontext
def revoke_key(program: str, key_id: str) -> None:
    """Revoke a key; it stops within a second."""
    known = ids.read_id("key", key_id)
    with reporting():
        done = known is not None and db.in_transaction(
            lambda connection: auth.revoke_key(
                connection, program_id_of(program), known, now=clock.system_now()
            )
        )
    if not done:
        raise click.ClickException("the program has no such key")
    click.echo("revoked")


@ledger_group.command("verify")
@click.option("--program", default=None, help="Only this program.")
@click.option("--json", "is_json", is_flag=True, help="Print one line of JSON.")
@with_appcontext
def verify_ledger(program: str | None, is_json: bool) -> None:
    """Recompute every balance, lot, claim and chain; exit 1 and name the rows on a mismatch."""
    from server.verify import whole

    only = program_id_of(program) if program else None
    with reporting():
        db.reading(health.check_migrated)
        if only is not None:
            db.reading(lambda connection: versions.get_live(connection, only))
        report = db.reading(lambda connection: whole.run(connection, only))
    if is_json:
        click.echo(json.dumps(report))
    else:
        click.echo(
            f"{report['accounts']} accounts, {report['entries']} entries, {report['lots']} lots, "
            f"{report['orders']} orders checked"
        )
        for line in report["mismatches"]:
            click.echo(f"MISMATCH {line}", err=True)
        click.echo("clean" if not report["mismatches"] else "NOT CLEAN")
    sys.exit(1 if report["mismatches"] else 0)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@with_appcontext
def serve_command(host: str, port: int) -> None:
    """Serve with granian: a process per core on PostgreSQL, one process on SQLite."""
    settings: Settings = current_app.extensions["dangol.settings"]
    if instance.is_taken(port):
        raise click.ClickException(f"port {port} is taken; choose another with --port")
    with reporting():
        db.reading(health.check_migrated)
    # The workers are forked from this process: a connection left open would be shared by them.
    db.db.engine.dispose()
    serve.run(settings, host=host, port=port)


@click.command("worker")
@click.option("--once", is_flag=True, help="Drain what is due and exit 0.")
@with_appcontext
def worker_command(once: bool) -> None:
    """Do what is due, again and again; SIGTERM finishes the unit in hand."""
    from server import worker

    try:
        with reporting():
            db.reading(health.check_migrated)
            is_done = worker.run(once=once)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if not is_done:
        raise click.ClickException("a duty failed; the log says which")


@click.command("replay")
@click.argument("data_set", type=click.Choice(["completejourney"]))
@click.option("--weeks", type=click.IntRange(1, 53), default=None, help="Only the first N weeks.")
@click.option("--url", default=None, help="A served instance; default: serve one for the replay.")
@click.option("--secret-key", default=None, help="Key of the program; default: make a program.")
@click.option("--order", type=click.Choice(["single", "batch"]), default="batch", show_default=True)
@click.option("--workers", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option(
    "--refund-bp",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    help="Share of the orders to refund, in basis points.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Chooses the refunds.")
@click.option("--shuffle", is_flag=True, help="Send everything a second time, shuffled.")
@click.option("--check", is_flag=True, help="Compare with the independent computation.")
@click.option("--print-document", is_flag=True, help="Only print the program document.")
@with_appcontext
def replay_command(*, print_document: bool, **options: Any) -> None:
    """Replay a real shop's year of orders through HTTP."""
    from server import replaying
    from server.replay import program

    if print_document:
        click.echo(json.dumps(program.DOCUMENT, indent=2))
        return
    sys.exit(replaying.run(**options))


@click.command("demo")
@click.option("--weeks", type=click.IntRange(1, 53), default=8, show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--no-serve", is_flag=True, help="Stop after the replay.")
@with_appcontext
def demo_command(weeks: int, port: int, no_serve: bool) -> None:
    """Create a program, replay a real shop's first weeks, serve, and say what to try."""
    from server import demo

    demo.run(weeks=weeks, port=port, is_serving=not no_serve)
