"""Published versions: reading, publishing, restoring, and the live one compiled.

A version is immutable, and so is what switches up to a number made of it, so a compiled one is
remembered by both numbers for ever; which numbers are live is never remembered: every unit of work
reads them from the database.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import clock, db, http, ids, jobs, jsontext, outbox
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from core.writing import Writes
from programs import checking, tried
from programs.compiled import Compiled, compile_document
from programs.document import DocumentSchema
from programs.models import Program, ProgramDraft, ProgramSwitch, ProgramVersion
from programs.surprises import last_changed
from programs.switches import check_section, in_force, items_of, switched

#: The job that follows a publication which changes the ladder: members are looked at anew.
LADDER_JOB = "tiers.reassess"
#: What of a document says where members stand.
_LADDER = ("tiers", "timezone")
_document_schema = DocumentSchema()
_REMEMBERED = 256
_compiled: OrderedDict[tuple[bytes, int, int], Compiled] = OrderedDict()
_lock = threading.Lock()
#: What is to be there with a version, of a package that this one does not know.
Beside = Callable[[sa.Connection, bytes, dict[str, Any], clock.Instant], None]
_beside: list[Beside] = []

_document_of = db.Statement(
    sa.select(ProgramVersion.document, ProgramVersion.surprise_versions, Program.holdout_salt)
    .join(Program, Program.program_id == ProgramVersion.program_id)
    .where(
        ProgramVersion.program_id == sa.bindparam("program_id"),
        ProgramVersion.version == sa.bindparam("version"),
    )
)
_program_of = db.Statement(
    sa.select(Program.live_version, Program.switches, Program.clock_at).where(
        Program.program_id == sa.bindparam("program_id")
    )
)


def validate(document: Any, *, pointer: str = "") -> dict[str, Any]:
    """A document that may be stored: 422 with pointers when schema or meaning refuse it."""
    http.load(_document_schema, document, pointer=pointer)
    errors = checking.find_errors(document)
    if errors:
        raise invalid(errors)
    checked: dict[str, Any] = document
    return checked


def find_remembered(program_id: bytes, edition: tuple[int, int]) -> Compiled | None:
    """A version with so many switches that this process has compiled before."""
    return _compiled.get((program_id, *edition))


def get_compiled(
    connection: sa.Connection, program_id: bytes, version: int, switches: int = 0
) -> Compiled:
    """A version, as so many switches left it, ready to decide; no query once this process has
    seen it."""
    key = (program_id, version, switches)
    found = _compiled.get(key)
    if found is not None:
        return found
    row = _document_of.first(connection, {"program_id": program_id, "version": version})
    if row is None:
        raise not_found("program version")
    document = jsontext.parse(row[0])
    if switches:
        document = switched(document, in_force(connection, program_id, upto=switches))
    made = compile_document(
        program_id,
        version,
        document,
        switches=switches,
        surprise_versions=_parsed(row[1]),
        holdout_salt=row[2],
    )
    with _lock:
        _compiled[key] = made
        while len(_compiled) > _REMEMBERED:
            _compiled.popitem(last=False)
    return made


def _parsed(surprise_versions: str | None) -> dict[str, int]:
    return {} if surprise_versions is None else jsontext.parse(surprise_versions)


def get_live(connection: sa.Connection, program_id: bytes) -> tuple[Compiled, clock.Instant]:
    """The live version with its switches and the program's clock, all read now."""
    row = _program_of.first(connection, {"program_id": program_id})
    if row is None:
        raise not_found("program")
    return get_compiled(connection, program_id, row[0], row[1]), program_now(row[2])


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
    if approver is not None and approver == actor:
        raise invalid_at("/approver", "must be somebody else than who publishes (Dangol-Actor)")
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
    try:
        document = validate(jsontext.parse(row.document))
    except Problem as problem:
        what = "the draft" if restored is None else f"version {restored}"
        problem.detail = f"{what} is no longer valid: {problem.detail}"
        raise
    currency = get_compiled(connection, program_id, live).currency
    if document["currency"] != currency:
        raise invalid_at("/currency", f"cannot change: amounts were told in {currency}")
    if restored is None:
        connection.execute(sa.delete(ProgramDraft).where(ProgramDraft.program_id == program_id))
    backtest_id = None if restored is not None else tried.find(connection, program_id, document)
    _insert_version(
        connection,
        program_id,
        live + 1,
        document,
        backtest_id=backtest_id,
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
    before = jsontext.parse(get_version(connection, program_id, live).document)
    if any(before.get(name) != document.get(name) for name in _LADDER):
        jobs.add(connection, program_id, kind=LADDER_JOB, key=str(live + 1))
    return show(get_version(connection, program_id, live + 1), live=live + 1, is_whole=True)


def switch(
    connection: sa.Connection,
    program_id: bytes,
    item: tuple[str, str],
    *,
    state: str,
    reason: str,
    actor: str | None,
) -> Any:
    """Pause an item of the live document, or set it live, at once; the switch's row.

    422 when items of this section cannot be paused, or the document has none that can.
    """
    section, key = item
    check_section(section)
    live, now = lock_program(connection, program_id)
    document = jsontext.parse(get_version(connection, program_id, live).document)
    if key not in {one["key"] for one in items_of(document, section)}:
        raise invalid_at("/key", f"is no item of {section} in the published document")
    thrown = connection.execute(
        sa.select(Program.switches).where(Program.program_id == program_id)
    ).scalar_one()
    before = switched(document, in_force(connection, program_id, upto=thrown))
    row = {
        "program_id": program_id,
        "number": thrown + 1,
        "section": section,
        "key": key,
        "state": state,
        "reason": reason,
        "actor": actor,
        "switched_at": now,
    }
    connection.execute(sa.insert(ProgramSwitch).values(**row))
    after = in_force(connection, program_id, upto=thrown + 1)
    # Only what the switch itself breaks: it must also work on a document of older rules.
    known = {(one.pointer, one.code) for one in _errors(before)}
    for error in _errors(switched(document, after)):
        if (error.pointer, error.code) not in known:
            raise invalid_at("/section", f"cannot be {state}: {error.pointer}: {error.detail}")
    connection.execute(
        sa.update(Program).where(Program.program_id == program_id).values(switches=thrown + 1)
    )
    return after[section, key]


def _errors(document: dict[str, Any]) -> list[FieldError]:
    try:
        validate(document)
    except Problem as problem:
        return problem.errors
    return []


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
    backtest_id: bytes | None = None,
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
            surprise_versions=_surprise_versions(connection, program_id, version, document),
            published_at=now,
            backtest_id=backtest_id,
        )
    )
    for make in _beside:
        make(connection, program_id, document, now)


def install(make: Beside) -> None:
    """Have something made with every version, in its unit."""
    if make not in _beside:
        _beside.append(make)


def _surprise_versions(
    connection: sa.Connection, program_id: bytes, version: int, document: dict[str, Any]
) -> str | None:
    """In which version each surprise last changed, of a version that is about to be written."""
    if not document.get("surprises"):
        return None
    before, known = None, None
    if version > 1:
        row = get_version(connection, program_id, version - 1)
        before, known = jsontext.parse(row.document), row.surprise_versions
    return jsontext.text(last_changed(document, before, _parsed(known), version=version))


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
        "backtest_id": tried.shown(row.backtest_id),
    }
    if is_whole:
        body["document"] = jsontext.parse(row.document)
        # What was valid when it was published may have been refused since: it cannot be restored.
        body["errors"] = [error.shown() for error in _errors(body["document"])]
    return body


_expected: dict[bytes, tuple[int, int]] = {}


def expected(connection: sa.Connection, program_id: bytes) -> Compiled:
    """The version this process saw live last, without a query: a guess to plan the reading by.

    The reader compares it with the live edition that the standing carries, and starts again with
    `expect` when it was wrong.
    """
    edition = _expected.get(program_id)
    if edition is None:
        live, _ = get_live(connection, program_id)
        _expected[program_id] = live.edition
        return live
    return get_compiled(connection, program_id, *edition)


def expect(connection: sa.Connection, program_id: bytes, edition: tuple[int, int]) -> None:
    """Remember the version and switches that were read as live."""
    get_compiled(connection, program_id, *edition)
    _expected[program_id] = edition
