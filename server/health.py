"""Health: is the process up, and is everything it needs there."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from core import clock, db, http, outbox
from core.errors import Problem
from core.fields import Integer, Schema, Text, described

routes = http.Routes("health", __name__, description="Health.")
MIGRATIONS = Path(__file__).parent.parent / "migrations"


class HealthAnswer(Schema):
    """The process answers."""

    status = described(Text, "ok", required=True)


class ReadyAnswer(Schema):
    """The database is there and migrated."""

    status = described(Text, "ok", required=True)
    database = described(Text, "Which database.", required=True)
    migration = described(Text, "Its migration.", required=True)
    oldest_outbox_seconds = described(
        Integer, "Age of the oldest undelivered message.", required=True
    )


@routes.operation("GET", "/healthz", answers={200: HealthAnswer()})
def healthz() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@routes.operation("GET", "/readyz", answers={200: ReadyAnswer()})
def readyz() -> dict[str, Any]:
    """Whether the database is there and migrated, and how far delivery lags."""

    def read(connection: sa.Connection) -> dict[str, Any]:
        current = check_migrated(connection)
        now = clock.system_now()
        oldest = min((written_at for _, written_at in outbox.list_waiting(connection)), default=now)
        age = max(0, now - oldest) // clock.SECOND
        return {
            "status": "ok",
            "database": connection.dialect.name,
            "migration": current,
            "oldest_outbox_seconds": age,
        }

    return db.reading(read)


def check_migrated(connection: sa.Connection) -> str:
    """The database's migration; 503 when it is not the one this version needs."""
    if not sa.inspect(connection).has_table("alembic_version"):
        raise _not_migrated("nothing")
    current = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if current != expected_migration():
        raise _not_migrated(str(current))
    return str(current)


def expected_migration() -> str:
    """The newest migration of this version."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


def _not_migrated(found: str) -> Problem:
    return Problem(
        503,
        "storage_unavailable",
        f"The database is at migration {found}, this version needs {expected_migration()}: "
        "run flask db upgrade.",
    )
