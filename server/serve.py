"""Serving in production: granian, with workers and threads from the settings."""

import os

from granian import Granian
from granian.constants import Interfaces

from config import Settings


def workers(settings: Settings) -> int:
    """Processes: as set, else one per core on PostgreSQL and one on SQLite."""
    if settings.is_sqlite:
        return 1
    return settings.server_workers or os.cpu_count() or 1


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight is finished first."""
    Granian(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers(settings),
        blocking_threads=settings.server_threads,
        backlog=1024,
        websockets=False,
        workers_kill_timeout=30,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()
