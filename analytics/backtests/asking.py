"""Asking for a back-test: what is tried on which period, checked and kept as a row with its job.

Owns the rows. Refuses a document that could not be published, with the pointers of the draft's
check, a period that is none or lies ahead, and more back-tests at once than a program needs.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jobs, jsontext
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from programs import drafts, tried, versions
from programs.compiled import Compiled
from programs.models import Backtest, Program
from storefront.telling import FUTURE

BACKTESTS: sa.Table = Backtest.__table__  # type: ignore[assignment]
_PROGRAMS: sa.Table = Program.__table__  # type: ignore[assignment]
PREFIX = tried.PREFIX
JOB = jobs.APART
QUEUED, RUNNING, DONE, FAILED = "queued", "running", tried.DONE, "failed"
#: Back-tests of one program that wait or run.
OPEN_MAX = 5
SEEDS_MAX = 100
#: Seeds by default where the document leaves something to luck that was not left to it as it is.
SEEDS = 20
_TESTED = ("document", "draft", "version")


def ask(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Keep a back-test and ask for its job; the row as it is shown, and 202."""
    live, now = versions.get_live(connection, program_id)
    _check_period(body, now)
    tested, version, document = _document(connection, program_id, body)
    if document["currency"] != live.currency:
        raise invalid_at(
            f"/{tested}/currency" if tested == "document" else f"/{tested}",
            f"the currency cannot change: amounts were told in {live.currency}",
        )
    # One asks after the other: each sees what the one before asked for.
    connection.execute(
        sa.select(_PROGRAMS.c.program_id)
        .where(_PROGRAMS.c.program_id == program_id)
        .with_for_update(key_share=True)
    )
    open_count = connection.execute(
        sa.select(sa.func.count()).where(
            BACKTESTS.c.program_id == program_id, BACKTESTS.c.state.in_((QUEUED, RUNNING))
        )
    ).scalar_one()
    if open_count >= OPEN_MAX:
        raise Problem(
            409,
            "state_conflict",
            f"{open_count} back-tests wait or run: delete one, or wait until one is done.",
            state="busy",
        )
    backtest_id = ids.new_id()
    row = {
        "program_id": program_id,
        "id": backtest_id,
        "state": QUEUED,
        "progress": 0,
        "document": jsontext.text(document),
        "digest": tried.digest(document),
        "tested": tested,
        "version": version,
        "from_at": body["from"],
        "to_at": body["to"],
        "seeds": body.get("seeds") or _seeds(document, _document_of(connection, live)),
        "result": None,
        "error": None,
        "actor": actor,
        "created_at": now,
        "finished_at": None,
    }
    connection.execute(sa.insert(BACKTESTS).values(row))
    jobs.add(connection, program_id, kind=JOB, key=ids.show_id(PREFIX, backtest_id))
    return show(connection, get(connection, program_id, backtest_id)), 202


def _seeds(document: Mapping[str, Any], live: Mapping[str, Any]) -> int:
    """One, unless something new hangs on luck: surprises that are as they are live fall as they
    fell."""
    told = document.get("surprises") or []
    chances = (one.get("probability_ppm", 10**6) for one in told)
    is_new = told != (live.get("surprises") or [])
    return SEEDS if is_new and any(0 < chance < 10**6 for chance in chances) else 1


def _document_of(connection: sa.Connection, live: Compiled) -> dict[str, Any]:
    row = versions.get_version(connection, live.program_id, live.version)
    return versions.validate(jsontext.parse(row.document))


def _check_period(body: Mapping[str, Any], now: clock.Instant) -> None:
    errors = []
    if body["from"] >= body["to"]:
        errors.append(FieldError("/to", "invalid", "must be later than from"))
    if body["to"] > now + FUTURE:
        detail = f"lies ahead: the program's clock is at {clock.format_instant(now)}"
        errors.append(FieldError("/to", "invalid", detail))
    if errors:
        raise invalid(errors)


def _document(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]
) -> tuple[str, int | None, dict[str, Any]]:
    """What is tried: its kind, the version's number, and the document, which may be published."""
    told = [name for name in _TESTED if body.get(name) is not None]
    if len(told) != 1:
        raise invalid([FieldError("", "invalid", "needs exactly one of document, draft, version")])
    [tested] = told
    if tested == "version":
        try:
            row = versions.get_version(connection, program_id, body["version"])
        except Problem:
            raise invalid_at("/version", "is no version of the program") from None
        return tested, row.version, versions.validate(jsontext.parse(row.document))
    if tested == "draft":
        if body["draft"] is not True:
            raise invalid_at("/draft", "must be true")
        return tested, None, versions.validate(drafts.read(connection, program_id)[0])
    return tested, None, versions.validate(body["document"], pointer="/document")


def read_id(shown: str) -> bytes:
    """The id of a back-test as it is shown; 404 when it is none."""
    found = ids.read_id(PREFIX, shown)
    if found is None:
        raise not_found("back-test")
    return found


def find(connection: sa.Connection, program_id: bytes, backtest_id: bytes) -> Any:
    """A back-test's row, or None."""
    return connection.execute(
        sa.select(BACKTESTS).where(
            BACKTESTS.c.program_id == program_id, BACKTESTS.c.id == backtest_id
        )
    ).first()


def get(connection: sa.Connection, program_id: bytes, backtest_id: bytes) -> Any:
    """A back-test's row; 404 when the program has none of this id."""
    row = find(connection, program_id, backtest_id)
    if row is None:
        raise not_found("back-test")
    return row


def list_page(
    connection: sa.Connection, program_id: bytes, *, before: bytes | None, limit: int
) -> list[Any]:
    """Rows, the newest first, one more than `limit`."""
    statement = (
        sa.select(BACKTESTS)
        .where(BACKTESTS.c.program_id == program_id)
        .order_by(BACKTESTS.c.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(BACKTESTS.c.id < before)
    return list(connection.execute(statement))


def delete(connection: sa.Connection, program_id: bytes, backtest_id: bytes) -> None:
    """Take a back-test away; one that runs stops as soon as it looks. 404 when there is none."""
    its = (BACKTESTS.c.program_id == program_id, BACKTESTS.c.id == backtest_id)
    if not connection.execute(sa.delete(BACKTESTS).where(*its)).rowcount:
        raise not_found("back-test")


def show(connection: sa.Connection, row: Any) -> dict[str, Any]:
    """A back-test without what came of it."""
    state, error = row.state, row.error
    if state in (QUEUED, RUNNING) and _is_dead(connection, row):
        state, error = FAILED, "the worker ended each time while it ran"
    return {
        "id": ids.show_id(PREFIX, bytes(row.id)),
        "state": state,
        "progress": row.progress,
        "tested": row.tested,
        "version": row.version,
        "from": clock.format_instant(row.from_at),
        "to": clock.format_instant(row.to_at),
        "seeds": row.seeds,
        "error": error,
        "actor": row.actor,
        "created_at": clock.format_instant(row.created_at),
        "finished_at": None if row.finished_at is None else clock.format_instant(row.finished_at),
    }


def _is_dead(connection: sa.Connection, row: Any) -> bool:
    job = jobs.JobRow
    dead = connection.execute(
        sa.select(job.dead_at).where(
            job.program_id == row.program_id,
            job.kind == JOB,
            job.key == ids.show_id(PREFIX, bytes(row.id)),
        )
    ).scalar()
    return dead is not None
