"""The command line's draws: checked, and written to a file for whoever checks them."""

import json
import sys
from pathlib import Path

import click
from flask.cli import AppGroup, with_appcontext

from core import db
from programs import versions
from server import checking_draws, health
from server.cli_program import program_id_of
from server.reporting import reporting

group = AppGroup("draws", help="Draws of surprises.")


@group.command("verify")
@click.option("--program", default=None, help="Only this program.")
@click.option("--json", "is_json", is_flag=True, help="Print one line of JSON.")
@with_appcontext
def verify_draws(program: str | None, is_json: bool) -> None:
    """Derive every draw again from its seed; exit 1 and name the receipts that are wrong."""
    only = program_id_of(program) if program else None
    with reporting():
        db.reading(health.check_migrated)
        if only is not None:
            db.reading(lambda connection: versions.get_live(connection, only))
        report = db.reading(lambda connection: checking_draws.verify(connection, only))
    if is_json:
        click.echo(json.dumps(report))
    else:
        click.echo(
            f"{report['programs']} programs, {report['epochs']} epochs, "
            f"{report['receipts']} receipts checked, {report['sealed']} of them sealed"
        )
        for line in report["faults"]:
            click.echo(f"WRONG {line}", err=True)
        click.echo("clean" if not report["faults"] else "NOT CLEAN")
    sys.exit(1 if report["faults"] else 0)


@group.command("export")
@click.option("--program", required=True, help="Program id.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def export_draws(program: str, file: Path) -> None:
    """Write chains, epochs and receipts of closed epochs to a new FILE, which
    examples/verify_draws.py checks."""
    program_id = program_id_of(program)
    with reporting():
        db.reading(lambda connection: versions.get_live(connection, program_id))
        try:
            made = db.reading(
                lambda connection: checking_draws.export(connection, program_id, file)
            )
        except OSError as error:
            raise click.ClickException(f"the file could not be written: {error}") from None
    click.echo(f"{file}: {made['receipts']} receipts of {made['epochs']} epochs")
