"""The scratch: a database of its own, in a directory that is gone afterwards, with a copy of the
program in it, which lives through what was told once more.

Owns the application it is bound to: while its context is pushed every use case works there, by the
same code as ever and with a clock of its own. Refuses to touch the program that was copied.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask

from config import Settings
from core import clock, db, ids, jsontext
from programs import versions
from programs.models import Program, ProgramDraft, ProgramSwitch, ProgramVersion
from storefront.tiers import assessing

_PROGRAMS: sa.Table = Program.__table__  # type: ignore[assignment]
_VERSIONS: sa.Table = ProgramVersion.__table__  # type: ignore[assignment]
_SWITCHES: sa.Table = ProgramSwitch.__table__  # type: ignore[assignment]
_DRAFTS: sa.Table = ProgramDraft.__table__  # type: ignore[assignment]
#: Nothing here outlives the process: nothing waits for the disk.
_PRAGMAS = (
    "journal_mode=MEMORY",
    "synchronous=OFF",
    "foreign_keys=OFF",
    "secure_delete=OFF",
    "cache_size=-32768",
)
#: What of a document moves members on the ladder when it is published (`programs.versions`).
_LADDER = ("tiers", "timezone")


@dataclass(frozen=True, slots=True)
class Original:
    """What of the program itself is copied: its row, its versions and its switches by number."""

    program: Mapping[str, Any]
    versions: Mapping[int, Mapping[str, Any]]
    switches: Mapping[int, Mapping[str, Any]]


class Scratch:
    """One scratch database and the copy of the program in it."""

    def __init__(self, path: Path, settings: Settings, program_id: bytes) -> None:
        self.path, self.program_id = path, program_id
        self._settings = settings
        url = f"sqlite:///{path}"
        own = replace(settings, database_url=url, server_threads=2, lock_timeout_ms=60_000)
        self._app = Flask("dangol.backtest", static_folder=None, template_folder=None)
        self._app.extensions["dangol.settings"] = own
        db.init(self._app, own)
        with self._app.app_context():
            sa.event.listen(db.db.engine, "connect", _hurry)

    @classmethod
    def create(cls, path: Path, settings: Settings, original: Original) -> "Scratch":
        """A new one, in which the program stands as it was first published."""
        made = cls(path, settings, ids.new_id())
        with made.entered():
            db.Base.metadata.create_all(db.db.engine)
            db.in_transaction(lambda connection: _begin(connection, made.program_id, original))
        return made

    def twin(self, path: Path) -> "Scratch":
        """A copy that lives on by itself, of the same program."""
        self.close()
        shutil.copyfile(self.path, path)
        return Scratch(path, self._settings, self.program_id)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Every unit of work of the block happens here."""
        with self._app.app_context():
            yield

    def close(self) -> None:
        """Let the file go."""
        with self._app.app_context():
            db.db.engine.dispose()


def _hurry(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection, program_id: bytes, original: Original) -> None:
    first = original.versions[1]
    salt = original.program.get("holdout_salt")
    row = dict(original.program) | {
        "program_id": program_id,
        "mode": "test",
        "clock_at": first["published_at"],
        "clock_target": None,
        "live_version": 1,
        "switches": 0,
    }
    if "holdout_salt" in _PROGRAMS.c:
        # Held out is who was held out: buckets go by the salt, by default the program's own id.
        row["holdout_salt"] = salt or ids.show_id("prg", bytes(original.program["program_id"]))
    connection.execute(sa.insert(_PROGRAMS).values(row))
    connection.execute(sa.insert(_VERSIONS).values(dict(first) | {"program_id": program_id}))


def set_clock(connection: sa.Connection, program_id: bytes, at: int) -> None:
    """Set the program's clock; nothing that falls due is looked at."""
    connection.execute(
        sa.update(_PROGRAMS).where(_PROGRAMS.c.program_id == program_id).values(clock_at=at)
    )


def publish_again(program_id: bytes, row: Mapping[str, Any]) -> None:
    """Publish a version as it was published then."""

    def work(connection: sa.Connection) -> bool:
        live, _ = versions.get_live(connection, program_id)
        before = jsontext.parse(versions.get_version(connection, program_id, live.version).document)
        connection.execute(sa.insert(_VERSIONS).values(dict(row) | {"program_id": program_id}))
        connection.execute(
            sa.update(_PROGRAMS)
            .where(_PROGRAMS.c.program_id == program_id)
            .values(live_version=row["version"])
        )
        after = jsontext.parse(row["document"])
        return any(before.get(name) != after.get(name) for name in _LADDER)

    has_moved = db.in_transaction(work)
    _look_again(program_id)
    if has_moved:
        assessing.reassess(program_id)


def publish(program_id: bytes, document: str, *, at: clock.Instant) -> None:
    """Publish a document as anybody would, unless it is live already."""

    def work(connection: sa.Connection) -> bool:
        set_clock(connection, program_id, at)
        live, _ = versions.get_live(connection, program_id)
        stored = versions.get_version(connection, program_id, live.version).document
        if jsontext.parse(stored) == jsontext.parse(document):
            return False
        values = {"revision": 1, "document": document, "actor": None, "updated_at": at}
        connection.execute(sa.insert(_DRAFTS).values(program_id=program_id, **values))
        versions.publish(connection, program_id, note="back-test", actor=None)
        return True

    if db.in_transaction(work):
        _look_again(program_id)
        assessing.perform_waiting(program_id)


def throw_again(program_id: bytes, row: Mapping[str, Any]) -> None:
    """Throw a switch as it was thrown then."""

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(_SWITCHES).values(dict(row) | {"program_id": program_id}))
        connection.execute(
            sa.update(_PROGRAMS)
            .where(_PROGRAMS.c.program_id == program_id)
            .values(switches=row["number"])
        )

    db.in_transaction(work)
    _look_again(program_id)


def _look_again(program_id: bytes) -> None:
    """Expect what is live now, so that no unit starts again to find out."""

    def read(connection: sa.Connection) -> None:
        live, _ = versions.get_live(connection, program_id)
        versions.expect(connection, program_id, live.edition)

    db.reading(read)
