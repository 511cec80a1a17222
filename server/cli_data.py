"""Commands on a whole database: back it up, restore it, move it to another one."""

import dataclasses
import sys
from pathlib import Path

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import Settings, SettingsError
from core import db
from server import backup, copying
from server.reporting import reporting

_FILE = click.Path(dir_okay=False, path_type=Path)


def init(app: Flask) -> None:
    """Register every command."""
    for command in (backup_command, restore_command, copy_command):
        app.cli.add_command(command)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["dangol.settings"]
    return settings


@click.command("backup")
@click.argument("file", type=_FILE)
@with_appcontext
def backup_command(file: Path) -> None:
    """Write every row to a new FILE, consistently, while the instance goes on serving."""
    with reporting():
        made = backup.write(file, _settings().secret_keys)
    click.echo(
        f"{file}: {made.rows} rows of {len(made.tables)} tables at migration {made.migration}, "
        f"as of {made.taken_at}"
    )
    click.echo("Keep SECRET_KEY with it: it is not in the file, and contacts are found by it.")


@click.command("restore")
@click.argument("file", type=_FILE)
@with_appcontext
def restore_command(file: Path) -> None:
    """Load FILE into an empty, migrated database, and verify it; exit 1 on a mismatch."""
    with reporting():
        made = backup.restore(file, _settings().secret_keys)
    click.echo(f"restored {made.rows} rows of {len(made.tables)} tables, as of {made.taken_at}")
    if not made.has_keys:
        click.echo(
            "WARNING: the backup was taken with another SECRET_KEY. Set that one, or add it to "
            "SECRET_KEY_FALLBACKS: without it contacts are not found and signup effects are "
            "paid again.",
            err=True,
        )
    sys.exit(_verified())


@click.command("db-copy")
@click.option("--to", "url", required=True, help="Empty, migrated database to copy into.")
@with_appcontext
def copy_command(url: str) -> None:
    """Copy every row into another database and compare the two; stop the server before a move."""
    with reporting(), copying.database(_target(url)) as target:
        copied = db.reading(lambda source: _copy_into(target, source))
        with target.app_context():
            rows = sum(one.rows for one in copied.tables.values())
            click.echo(f"copied {rows} rows of {len(copied.tables)} tables; source equals target")
            for program, proof in copied.proofs.items():
                click.echo(
                    f"{program}  {proof.accounts} accounts  {proof.entries} entries  "
                    f"heads {proof.heads}"
                )
            status = _verified()
    sys.exit(status)


def _target(url: str) -> Settings:
    settings = _settings()
    if not url:
        raise click.ClickException("--to is empty; name the database to copy into")
    try:
        named = Settings.from_env({"DATABASE_URL": url, "SECRET_KEY": settings.secret_key})
    except SettingsError as error:
        raise click.ClickException(str(error).replace("DATABASE_URL", "--to")) from None
    return dataclasses.replace(settings, database_url=named.database_url)


def _copy_into(target: Flask, source: sa.Connection) -> copying.Copied:
    with target.app_context():
        return db.in_transaction(lambda connection: copying.copy(source, connection))


def _verified() -> int:
    """Verify the ledger of the current database; the exit status."""
    from server.verify import whole

    with reporting():
        report = db.reading(lambda connection: whole.run(connection, None))
    click.echo(
        f"{report['accounts']} accounts, {report['entries']} entries, {report['lots']} lots, "
        f"{report['orders']} orders checked"
    )
    for line in report["mismatches"]:
        click.echo(f"MISMATCH {line}", err=True)
    click.echo("clean" if not report["mismatches"] else "NOT CLEAN")
    return 1 if report["mismatches"] else 0
