"""Backups: every row of a database in one file, and that file in an empty database.

Owns the file: gzip of JSON lines, readable with zcat. First what it is, then of each table its
name, its columns and its rows, last the manifest with rows and SHA-256 of each table. A closing,
empty gzip member carries the SHA-256 of all bytes before it, so every byte is covered.
Refuses a file that is damaged, cut off or not ours, and one of another migration; never overwrites
a file or a row. SECRET_KEY is not in it, only checks by which another one is noticed.
"""

import contextlib
import gzip
import hashlib
import hmac
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from core import clock, db
from server import copying, health
from server.copying import Contents, Lines, RefusedError

FORMAT = "dangol-backup"
VERSION = 1
_LEVEL = 6
_CHUNK = 1 << 20
#: An empty gzip member whose comment is the digest of everything before it.
_SEAL = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff" + b"sha256 %s\x00" + b"\x03\x00" + b"\x00" * 8
_SEAL_SIZE = len(_SEAL % (b"0" * 64))
_SEAL_SHAPE = re.compile(re.escape(_SEAL).replace(b"%s", b"[0-9a-f]{64}"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds; `has_keys` when the keys it was taken with are those of here."""

    migration: str
    taken_at: str
    tables: dict[str, Contents]
    has_keys: bool = True

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(one.rows for one in self.tables.values())


def write(path: Path, secret_keys: tuple[str, ...]) -> Manifest:
    """Write the application's database to a new file, which is there whole or not at all.

    Other processes go on reading and writing meanwhile: the file is one snapshot.
    """
    _check_new(path)
    if not path.parent.is_dir():
        raise RefusedError(
            f"the backup could not be written: there is no folder {path.parent}; create it first"
        )
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            # A read that lost its connection starts again, and so does the file.
            made = db.reading(lambda connection: _write(connection, part, secret_keys))
            _seal(part)
            _check_new(path)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise RefusedError(f"the backup could not be written: {error}") from None
    return made


def _check_new(path: Path) -> None:
    if path.exists():
        raise RefusedError(f"{path} exists and is not overwritten; name a new file")


def _write(connection: sa.Connection, part: Path, secret_keys: tuple[str, ...]) -> Manifest:
    migration = copying.prepare_source(connection)
    taken_at = clock.format_instant(clock.system_now())
    told: dict[str, Contents] = {}
    # No name and no time in the header of gzip: its bytes are what they must be.
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as file,
    ):
        _put(
            file,
            {
                "format": FORMAT,
                "version": VERSION,
                "migration": migration,
                "database": connection.dialect.name,
                "taken_at": taken_at,
                "secret_key_checks": [_key_check(key) for key in secret_keys],
            },
        )
        for lines in copying.tables():
            _put(file, {"table": lines.name, "columns": lines.names})
            digest = copying.Digest()
            for line in copying.read_lines(connection, lines, digest):
                file.write(line)
            told[lines.name] = digest.contents()
            _put(file, {"end": lines.name})
        _put(
            file,
            {
                "format": FORMAT,
                "version": VERSION,
                "migration": migration,
                "tables": {name: asdict(one) for name, one in told.items()},
            },
        )
    return Manifest(migration, taken_at, told)


def _put(file: gzip.GzipFile, value: dict[str, Any]) -> None:
    file.write(orjson.dumps(value) + b"\n")


def _key_check(secret_key: str) -> str:
    return hmac.new(secret_key.encode(), b"dangol backup: the key", hashlib.sha256).hexdigest()[:16]


def _seal(part: Path) -> None:
    digest = _digest(part, part.stat().st_size)
    with part.open("ab") as file:
        file.write(_SEAL % digest.encode())
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path, size: int) -> str:
    """The SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(_CHUNK, size))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(path: Path, secret_keys: tuple[str, ...]) -> Manifest:
    """Refuse a file that is not whole or not for this version, before anything is written."""
    try:
        _check_seal(path)
        with _opened(path) as file:
            head = _read_object(file)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error}") from None
    if head.get("format") != FORMAT:
        raise RefusedError(f"{path} is no backup of Dangol")
    if head.get("version") != VERSION:
        raise RefusedError(
            f"{path} is written in format {head.get('version')}, this version reads {VERSION}: "
            "restore it with the version of Dangol that wrote it, or a newer one"
        )
    expected = health.expected_migration()
    if head["migration"] != expected:
        raise RefusedError(
            f"{path} is of migration {head['migration']}, this version needs {expected}: restore "
            f"it with the version of Dangol whose newest migration is {head['migration']}, then "
            "move that database on with flask db upgrade"
        )
    has_keys = set(head["secret_key_checks"]) <= {_key_check(key) for key in secret_keys}
    return Manifest(head["migration"], head["taken_at"], {}, has_keys)


def _check_seal(path: Path) -> None:
    size = path.stat().st_size - _SEAL_SIZE
    seal = b""
    if size > 0:
        with path.open("rb") as file:
            file.seek(size)
            seal = file.read()
    if not _SEAL_SHAPE.fullmatch(seal):
        raise RefusedError(f"{path} is no backup of Dangol, or the end of it is missing or damaged")
    if seal != _SEAL % _digest(path, size).encode():
        raise RefusedError(f"{path} is damaged: its SHA-256 is not the one it was closed with")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[gzip.GzipFile]:
    try:
        with gzip.open(path, "rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile) as error:
        raise RefusedError(f"{path} is no backup of Dangol: {error}") from None


def _read_object(file: gzip.GzipFile) -> dict[str, Any]:
    try:
        value = orjson.loads(file.readline())
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def restore(path: Path, secret_keys: tuple[str, ...]) -> Manifest:
    """Load a checked file into the application's database, which must be migrated and empty.

    One transaction: all of it is there afterwards, or nothing.
    """
    checked = check(path, secret_keys)
    loaded = db.in_transaction(lambda connection: _load(connection, path))
    return Manifest(checked.migration, checked.taken_at, loaded, checked.has_keys)


def _load(connection: sa.Connection, path: Path) -> dict[str, Contents]:
    copying.prepare_target(connection)
    known = {lines.name: lines for lines in copying.tables()}
    found: dict[str, Contents] = {}
    with _opened(path) as file:
        _read_object(file)
        while "table" in (mark := _read_object(file)):
            lines = known.get(mark["table"])
            if lines is None or mark["columns"] != lines.names or mark["table"] in found:
                raise RefusedError(f"{path} holds another {mark['table']} than this version")
            digest = copying.Digest()
            copying.write_rows(connection, lines, _rows(file, lines, digest))
            found[lines.name] = digest.contents()
    told = {name: Contents(**one) for name, one in mark.get("tables", {}).items()}
    if set(told) != set(known):
        raise RefusedError(f"{path} does not hold the tables of this version")
    copying.check_equal(told, found)
    copying.finish(connection)
    return found


def _rows(file: gzip.GzipFile, lines: Lines, digest: copying.Digest) -> Iterator[tuple[Any, ...]]:
    """The rows of one table, up to its end mark."""
    while line := file.readline():
        if line.startswith(b"{"):
            return
        digest.add(line)
        yield lines.read(line)
    raise RefusedError(f"the rows of {lines.name} end too early")
