"""What was told of a program, in the order of arrival: a file of its own beside the scratch copy.

Owns the file and its tables. Ids are UUIDv7, made when a thing was told, so they order what came at
one instant of a test program's clock as well. Refuses to know where any of it comes from.
"""

import operator
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Of these the instant says whether they belong to a period.
PLACED = ("order", "refund", "activity")
_SCHEMA = """
CREATE TABLE facts (id BLOB NOT NULL, kind TEXT NOT NULL, recorded_at INTEGER NOT NULL,
    effective_at INTEGER NOT NULL, ref TEXT NOT NULL, member_ref TEXT, body TEXT NOT NULL);
CREATE TABLE members (id BLOB PRIMARY KEY, ref TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE superseded (kind TEXT NOT NULL, ref TEXT NOT NULL, refund_ref TEXT, id BLOB NOT NULL,
    recorded_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE actual (ref TEXT PRIMARY KEY, points INTEGER NOT NULL) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX ix_members_ref ON members (ref);
CREATE INDEX ix_facts ON facts (id);
CREATE INDEX ix_placed ON facts (effective_at, id) WHERE kind IN ('order', 'refund', 'activity');
"""
_COLUMNS = "id, kind, recorded_at, effective_at, ref, member_ref, body"
_PLACED = "kind IN ('order', 'refund', 'activity')"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was told: when, as of when, of whom, and what."""

    id: bytes
    kind: str
    recorded_at: int
    effective_at: int
    ref: str
    member_ref: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Before:
    """What was told of a thing before it was told anew, and when that was."""

    id: bytes
    recorded_at: int
    body: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a period lies in the order of arrival: from which fact on the tested document rules,
    at which instant it is published, and which fact is the last. None: behind all, or none."""

    cut_id: bytes | None
    cut_at: int
    last_id: bytes | None


_values = operator.attrgetter(*_COLUMNS.split(", "))


class Told:
    """Everything told, written once and read in order as often as it is asked for."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16384"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.executescript(_SCHEMA)
        self._file.execute("BEGIN")

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def add(self, facts: Iterable[Fact]) -> None:
        """Add facts, in any order."""
        self._file.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
            map(_values, facts),
        )

    def name_members(self, named: Iterable[tuple[bytes, str]]) -> None:
        """Note under which references members are told of."""
        self._file.executemany("INSERT OR REPLACE INTO members VALUES (?, ?)", named)

    def ref_of(self, member_id: bytes | None) -> str | None:
        """Under which reference a member is told of."""
        if member_id is None:
            return None
        row = self._file.execute("SELECT ref FROM members WHERE id = ?", (member_id,)).fetchone()
        return None if row is None else str(row[0])

    def add_superseded(self, rows: Iterable[tuple[str, str, str | None, bytes, int, str]]) -> bool:
        """Note what was told before; whether there is any."""
        self._file.executemany("INSERT INTO superseded VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._file.execute("CREATE INDEX ix_superseded ON superseded (kind, ref, refund_ref, id)")
        return self._file.execute("SELECT 1 FROM superseded LIMIT 1").fetchone() is not None

    def before(self, kind: str, ref: str, refund_ref: str | None = None) -> list[Before]:
        """What was told before of a thing, the oldest first."""
        rows = self._file.execute(
            "SELECT id, recorded_at, body FROM superseded"
            " WHERE kind = ? AND ref = ? AND refund_ref IS ? ORDER BY id",
            (kind, ref, refund_ref),
        )
        return [Before(*row) for row in rows]

    def note_actual(self, rows: Iterable[tuple[str, int]]) -> None:
        """Note what members were really given in the period."""
        self._file.executemany(
            "INSERT INTO actual VALUES (?, ?) ON CONFLICT (ref) DO UPDATE SET"
            " points = points + excluded.points",
            rows,
        )

    def actual(self) -> Iterator[tuple[str, int]]:
        """What members were really given, by reference."""
        yield from self._file.execute("SELECT ref, points FROM actual")

    def take_actual(self, ref: str) -> int:
        """The same of one member, who is not among the others any more."""
        row = self._file.execute(
            "DELETE FROM actual WHERE ref = ? RETURNING points", (ref,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def member_of(self, ref: str) -> bytes | None:
        """Who is told of under a reference: of those merged, one of them."""
        row = self._file.execute("SELECT id FROM members WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else bytes(row[0])

    def finish(self) -> None:
        """Everything is there."""
        self._file.execute("COMMIT")
        self._file.executescript(_INDEXES)

    def count_upto(self, last_id: bytes | None) -> int:
        """How many facts there are up to one."""
        found = self._file.execute("SELECT COUNT(*) FROM facts WHERE id <= ?", (last_id,))
        return int(found.fetchone()[0])

    def bounds(self, from_at: int, to_at: int) -> Bounds:
        """Where a period lies.

        The tested document is published behind the last thing told that is of before the period
        and came before the first thing of it; what comes late after that is decided by it. What
        was told up to the last thing of the period is told, whatever it is.
        """
        placed = f"SELECT MIN(id) FROM facts WHERE {_PLACED} AND effective_at >= ?"
        first = self._one(placed, from_at)
        last = self._one("SELECT MAX(id) FROM facts WHERE effective_at < ?", to_at)
        older = None
        if first is not None:
            older = self._one(f"SELECT MAX(id) FROM facts WHERE {_PLACED} AND id < ?", first)
        cut = self._one(
            "SELECT MIN(id) FROM facts WHERE id > ? AND kind <> 'version' AND recorded_at >= ?",
            older or b"",
            from_at,
        )
        cut = min((one for one in (first, cut) if one is not None), default=None)
        at = self._one("SELECT MAX(recorded_at) FROM facts WHERE id = ?", older)
        return Bounds(cut, max(from_at, from_at if at is None else at), last)

    def _one(self, sql: str, *values: object) -> Any:
        found = self._file.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def read(self, upto: bytes | None, *, after: bytes = b"") -> Iterator[Fact]:
        """Facts in the order of arrival, behind one and up to another."""
        if upto is None:
            return
        rows = self._file.execute(
            f"SELECT {_COLUMNS} FROM facts WHERE id > ? AND id <= ? ORDER BY id, rowid",
            (after, upto),
        )
        for row in rows:
            yield Fact(*row)
