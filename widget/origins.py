"""Origins: from which pages browsers may call, as the live documents say (`allowed_origins`).

What a document says is remembered for less than a second, so that a request costs no query and a
published change counts at once for people. Refuses wildcards: an origin is allowed by its name.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.dialects import postgresql

from core import db, jsontext
from programs.models import Program, ProgramVersion

_EXTENSION = "dangol.origins"
_REMEMBERED_SECONDS = 0.8
_READ_AT_ONCE = 500
_PORTS = {"http": ":80", "https": ":443"}

#: A live version and the origins that it allows.
Allowed = tuple[int, frozenset[str]]


@dataclass(slots=True)
class Remembered:
    """What an application has read: of each program that was asked about and until when it holds;
    and of all programs, for those who cannot say yet which one they mean."""

    by_program: dict[bytes, tuple[float, frozenset[str]]] = field(default_factory=dict)
    of_all: dict[bytes, Allowed] = field(default_factory=dict)
    anybody: frozenset[str] = frozenset()
    holds_until: float = 0.0
    reading: threading.Lock = field(default_factory=threading.Lock)


def init(app: Flask) -> None:
    """Begin with nothing remembered."""
    app.extensions[_EXTENSION] = Remembered()


def normal(origin: str) -> str:
    """An origin as browsers spell it: in lower case, hosts in ASCII, without the usual port."""
    scheme, _, host = origin.strip().lower().partition("://")
    if not host.isascii():
        name, colon, port = host.partition(":")
        try:
            host = name.encode("idna").decode("ascii") + colon + port
        except UnicodeError:
            return ""
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ' '))}"


def is_allowed(program_id: bytes, origin: str) -> bool:
    """Whether a program lets pages of an origin call."""
    known: Remembered = current_app.extensions[_EXTENSION]
    now, found = time.monotonic(), known.by_program.get(program_id)
    if found is None or found[0] <= now:
        read = db.reading_once(lambda connection: _read(connection, [program_id]))
        allowed = read[program_id][1] if program_id in read else frozenset()
        if len(known.by_program) > 10_000:
            known.by_program.clear()
        found = known.by_program[program_id] = (now + _REMEMBERED_SECONDS, allowed)
    return normal(origin) in found[1]


def is_known(origin: str) -> bool:
    """Whether any program at all lets pages of an origin call."""
    known: Remembered = current_app.extensions[_EXTENSION]
    wanted = normal(origin)
    # Who was allowed before may ask on: only the answer itself says whether still.
    if wanted not in known.anybody and known.holds_until <= time.monotonic():
        with known.reading:
            if known.holds_until <= time.monotonic():
                known.of_all = db.reading(lambda connection: _refreshed(connection, known.of_all))
                known.anybody = frozenset().union(*(one for _, one in known.of_all.values()))
                known.holds_until = time.monotonic() + _REMEMBERED_SECONDS
    return wanted in known.anybody


def _refreshed(connection: sa.Connection, before: dict[bytes, Allowed]) -> dict[bytes, Allowed]:
    """The origins of all programs; documents are read of those alone that were published since."""
    live = {
        bytes(program_id): version
        for program_id, version in connection.execute(
            sa.select(Program.program_id, Program.live_version)
        )
    }
    found = {one: before[one] for one in live if one in before and before[one][0] == live[one]}
    changed = [one for one in live if one not in found]
    for start in range(0, len(changed), _READ_AT_ONCE):
        found |= _read(connection, changed[start : start + _READ_AT_ONCE])
    return found


def _read(connection: sa.Connection, program_ids: Iterable[bytes]) -> dict[bytes, Allowed]:
    # The database takes the list out of the document: the rest of it may be large.
    said: sa.ColumnElement[Any]
    if connection.dialect.name == "postgresql":
        said = sa.cast(ProgramVersion.document, postgresql.JSON)["allowed_origins"].astext
    else:
        said = sa.func.json_extract(ProgramVersion.document, "$.allowed_origins")
    rows = connection.execute(
        sa.select(Program.program_id, Program.live_version, said)
        .join(
            ProgramVersion,
            sa.and_(
                ProgramVersion.program_id == Program.program_id,
                ProgramVersion.version == Program.live_version,
            ),
        )
        .where(Program.program_id.in_(list(program_ids)))
    )
    return {
        bytes(program_id): (version, frozenset(normal(one) for one in jsontext.parse(text or "[]")))
        for program_id, version, text in rows
    }
