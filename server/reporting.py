"""What the command line says when something is refused: one message, no traceback, no password."""

import contextlib
from collections.abc import Iterator

import click
import psycopg
import sqlalchemy as sa
from flask import current_app

from config import Settings
from core import db
from core.errors import Problem
from server import copying


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Turn what was refused, and a database that is away, into a message for the terminal."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except copying.RefusedError as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        text = unreachable(error) or _told(error)
        if text is None:
            raise
        raise click.ClickException(text) from None


def _told(error: Exception) -> str | None:
    problem = error if isinstance(error, Problem) else db.as_problem(error)
    if problem is None:
        return None
    lines = [problem.detail.replace("see errors", "see below")]
    lines += [f"  {error.pointer}: {error.detail}" for error in problem.errors[1:]]
    return "\n".join(lines)


def unreachable(error: BaseException) -> str | None:
    """Which database no connection could be made to, and why; None for any other error."""
    cause = getattr(error, "orig", None) or error
    if not isinstance(cause, psycopg.OperationalError) or cause.sqlstate is not None:
        return None
    settings: Settings = current_app.extensions["dangol.settings"]
    url = sa.make_url(settings.database_url)
    # libpq names host, role and database, and never a password.
    reason = (str(cause).strip().splitlines() or [""])[0].rpartition("failed: ")[2]
    where = f"{url.host or 'localhost'}:{url.port or 5432}"
    return f"cannot reach the database at {where}: {reason}"
