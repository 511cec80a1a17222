"""Published versions: reading, publishing, restoring, and the live one compiled.

A version is immutable, so a compiled one is remembered by number for ever; which number is live
is never remembered: every unit of work reads it from the database.
"""

import threading
from collections import OrderedDict
from typing import Any

import sqlalchemy as sa

from core import clock, db, http, ids, jsontext, outbox
from core.errors import Problem, invalid, invalid_at, not_found
from core.writing import Writes
from programs import checking
from programs.compiled import Compiled, compile_document
from programs.document import DocumentSchema
from programs.models import Program, ProgramDraft, ProgramVersion

_document_schema = DocumentSchema()
_REMEMBERED = 256
_compiled: OrderedDict[tuple[bytes, int], Compiled] = OrderedDict()
_lock = threading.Lock()

_document_of = db.Statement(
    sa.select(ProgramVersion.document).where(
        ProgramVersion.program_id == sa.bindparam("program_id"),
        ProgramVersion.version == sa.bindparam("version"),
    )
)
_program_of = db.Statement(
    sa.select(Program.live_version, Program.clock_at, Program.mode).where(
        Program.program_id == sa.bindparam("program_id")
    )
)


def validate(document: Any, *, pointer: str = "") -> dict[str, Any]:
    """A document that may be stored: 422 with pointers when schema or meaning refuse it."""
    http.load(_document_schema, document, pointer=pointer)
    errors, _ = checking.check(document)
    if errors:
        raise invalid(errors)
    checked: dict[str, Any] = document
    return checked


def find_remembered(program_id: bytes, version: int) -> Compiled | None:
    """A version that this process has compiled before."""
    return _compiled.get((program_id, version))


def get_compiled(connection: sa.Connection, program_id: bytes, version: int) -> Compiled:
    """A version ready to decide; no query once this process has seen it."""
    key = (program_id, version)
    found = _compiled.get(key)
    if found is not None:
        return found
    row = _document_of.first(connection, {"program_id": program_id, "version": version})
    if row is None:
        raise not_found("program version")
    made = compile_document(program_id, version, jsontext.parse(row[0]))
    with _lock:
        _compiled[key] = made
        while len(_compiled) > _REMEMBERED:
            _compiled.popitem(last=False)
    return made


def get_live(connection: sa.Connection, program_id: bytes) -> tuple[Compiled, clock.Instant]:
    """The live version and the program's clock, both read now."""
    row = _program_of.first(connection, {"program_id": program_id})
    if row is None:
        raise not_found("program")
    return get_compiled(connection, program_id, row[0]), program_now(row[1])


def program_now(clock_at: int | None) -> clock.Instant:
    """The program's clock: its own when it has been set, otherwise the machine's."""
    return clock.system_now() if clock_at is None else clock.Instant(clock_at)


def lock_program(connection: sa.Connection, program_id: bytes) -> tuple[int, clock.Instant]:
    """Lock the program against other publications; its live version and clock."""
    row = connection.execute(
        sa.select(Program.live_version, Program.clock_at)
        .where(Program.program_id == program_id)
        .with_for_update()
    ).first()
    if row is None:
        raise not_found("program")
    return row.live_version, program_now(row.clock_at)


def create_program(
    connection: sa.Connection, document: dict[str, Any], *, mode: str, now: clock.Instant
) -> bytes:
    """A new program with its first version published."""
    program_id = ids.new_id()
    connection.execute(
        sa.insert(Program).values(
            program_id=program_id,
            name=document["name"],
            mode=mode,
            clock_at=None,
            live_version=1,
            created_at=now,
        )
    )
    _insert_version(connection, program_id, 1, document, note="created", now=now)
    return program_id


def publish(
    connection: sa.Connection,
    program_id: bytes,
    *,
    note: str | None,
    actor: str | None,
    approver: str | None = None,
    restored: int | None = None,
) -> dict[str, Any]:
    """Make the draft (or a restored version's document) the live version; answers the version.

    Restoring leaves an unpublished draft as it is.
    """
    live, now = lock_program(connection, program_id)
    if restored is None:
        row = connection.execute(
            sa.select(ProgramDraft.document).where(ProgramDraft.program_id == program_id)
        ).first()
        if row is None:
            raise Problem(
                409,
                "state_conflict",
                "The draft equals what is published; write the draft first.",
                state="published",
            )
    else:
        row = connection.execute(
            sa.select(ProgramVersion.document).where(
                ProgramVersion.program_id == program_id, ProgramVersion.version == restored
            )
        ).first()
        if row is None:
            raise not_found("program version")
    document = validate(jsontext.parse(row.document))
    currency = get_compiled(connection, program_id, live).currency
    if document["currency"] != currency:
        raise invalid_at("/currency", f"cannot change: amounts were told in {currency}")
    if restored is None:
        connection.execute(sa.delete(ProgramDraft).where(ProgramDraft.program_id == program_id))
    _insert_version(
        connection,
        program_id,
        live + 1,
        document,
        note=note,
        now=now,
        actor=actor,
        approver=approver,
        restored=restored,
    )
    connection.execute(
        sa.update(Program)
        .where(Program.program_id == program_id)
        .values(live_version=live + 1, name=document["name"])
    )
    writes = Writes()
    outbox.add(
        writes,
        program_id,
        type="program.published",
        payload={"version": live + 1, "note": note, "actor": actor},
        now=now,
    )
    writes.run(connection)
    return show(get_version(connection, program_id, live + 1), live=live + 1, is_whole=True)


def _insert_version(
    connection: sa.Connection,
    program_id: bytes,
    version: int,
    document: dict[str, Any],
    *,
    note: str | None,
    now: clock.Instant,
    actor: str | None = None,
    approver: str | None = None,
    restored: int | None = None,
) -> None:
    connection.execute(
        sa.insert(ProgramVersion).values(
            program_id=program_id,
            version=version,
            document=jsontext.text(document),
            note=note,
            actor=actor,
            approver=approver,
            restored_from=restored,
            published_at=now,
        )
    )


def get_version(connection: sa.Connection, program_id: bytes, version: int) -> Any:
    """A version's row; 404 when the program has no such version."""
    row = connection.execute(
        sa.select(ProgramVersion).where(
            ProgramVersion.program_id == program_id, ProgramVersion.version == version
        )
    ).first()
    if row is None:
        raise not_found("program version")
    return row


def list_versions(
    connection: sa.Connection, program_id: bytes, *, before: int | None, limit: int
) -> list[Any]:
    """Versions, newest first, one more than `limit`."""
    statement = (
        sa.select(ProgramVersion)
        .where(ProgramVersion.program_id == program_id)
        .order_by(ProgramVersion.version.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(ProgramVersion.version < before)
    return list(connection.execute(statement))


def show(row: Any, *, live: int, is_whole: bool) -> dict[str, Any]:
    """A version as the contract shows it."""
    body = {
        "version": row.version,
        "note": row.note,
        "actor": row.actor,
        "approver": row.approver,
        "restored_from": row.restored_from,
        "published_at": clock.format_instant(row.published_at),
        "is_live": row.version == live,
    }
    if is_whole:
        body["document"] = jsontext.parse(row.document)
    return body


_expected: dict[bytes, int] = {}


def expected(connection: sa.Connection, program_id: bytes) -> Compiled:
    """The version this process saw live last, without a query: a guess to plan the reading by.

    The reader compares it with the live number that the standing carries, and starts again with
    `expect` when it was wrong.
    """
    version = _expected.get(program_id)
    if version is None:
        live, _ = get_live(connection, program_id)
        _expected[program_id] = live.version
        return live
    return get_compiled(connection, program_id, version)


def expect(connection: sa.Connection, program_id: bytes, version: int) -> None:
    """Remember the number that was read as live."""
    get_compiled(connection, program_id, version)
    _expected[program_id] = version
