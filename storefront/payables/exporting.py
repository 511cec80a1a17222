"""Exporting: what is owed is handed on to be paid, each row of it once.

A member is exported with the sum of what was owed them up to an instant and of all that was taken
back, whenever that was; whose sum is not above zero stays for the next time. Exports of a program
wait for one another. Refuses to pay.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, paging, spreadsheet
from core.errors import not_found
from core.writing import Writes
from members.members import MEMBERS
from programs import versions
from programs.models import Program
from rewards.payables import EXPORT_PREFIX, EXPORTS, PAYABLES, PREFIX

COLUMNS = ("member_ref", "minor", "currency", "first_at", "last_at", "payables")
_C = PAYABLES.c
_PROGRAMS: sa.Table = Program.__table__  # type: ignore[assignment]


def export(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Export what is owed up to an instant; the export and 201."""
    # One at a time: what another has taken is seen behind its commit.
    connection.execute(
        sa.select(_PROGRAMS.c.program_id)
        .where(_PROGRAMS.c.program_id == program_id)
        .with_for_update(key_share=True)
    )
    live, now = versions.get_live(connection, program_id)
    row: dict[str, Any] = {
        "program_id": program_id,
        "id": ids.new_id(),
        "until": min(body.get("until", now), now),
        "currency": live.currency,
        "count": 0,
        "total_minor": 0,
        "actor": actor,
        "created_at": now,
    }
    writes = Writes()
    writes.insert(EXPORTS, row)
    writes.run(connection)
    _take(connection, row)
    sums = connection.execute(
        sa.select(sa.cast(sa.func.sum(_C.minor), sa.BigInteger))
        .where(_C.program_id == program_id, _C.exported_by == row["id"])
        .group_by(_C.payee_id)
    )
    found = [minor for (minor,) in sums]
    if any(minor <= 0 for minor in found):
        # Whose it is changed as it was taken: members were merged meanwhile.
        raise db.Restart
    row |= {"count": len(found), "total_minor": sum(found)}
    connection.execute(
        sa.update(EXPORTS)
        .where(EXPORTS.c.program_id == program_id, EXPORTS.c.id == row["id"])
        .values(count=row["count"], total_minor=row["total_minor"])
    )
    return {"export": _shown(row)}, 201


def _take(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Let an export take what everybody is owed who is owed anything."""
    program_id = row["program_id"]
    owed = PAYABLES.alias("owed")
    is_open = [
        owed.c.program_id == program_id,
        owed.c.exported_by.is_(None),
        sa.or_(owed.c.effective_at <= row["until"], owed.c.minor < 0),
        owed.c.currency == row["currency"],
    ]
    is_their = sa.and_(
        MEMBERS.c.program_id == owed.c.program_id,
        MEMBERS.c.id == owed.c.member_id,
        MEMBERS.c.erased_at.is_(None),
    )
    everybody = (
        sa.select(owed.c.member_id)
        .join(MEMBERS, is_their)
        .where(*is_open)
        .group_by(owed.c.member_id)
        .having(sa.func.sum(owed.c.minor) > 0)
    )
    connection.execute(
        sa.update(PAYABLES)
        .where(
            _C.program_id == program_id,
            _C.exported_by.is_(None),
            sa.or_(_C.effective_at <= row["until"], _C.minor < 0),
            _C.currency == row["currency"],
            _C.member_id.in_(everybody),
        )
        .values(exported_by=row["id"], payee_id=_C.member_id)
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": ids.show_id(EXPORT_PREFIX, bytes(row["id"])),
        "until": clock.format_instant(row["until"]),
        "currency": row["currency"],
        "count": row["count"],
        "total_minor": row["total_minor"],
        "actor": row["actor"],
        "created_at": clock.format_instant(row["created_at"]),
    }


def find_all(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of exports, newest first."""
    where = [EXPORTS.c.program_id == program_id]
    cursor = paging.read_cursor(query.get("cursor"), [str])
    if cursor:
        where.append(EXPORTS.c.id < paging.read_id(EXPORT_PREFIX, cursor[0]))
    rows = connection.execute(
        sa.select(EXPORTS).where(*where).order_by(EXPORTS.c.id.desc()).limit(query["limit"] + 1)
    )
    return paging.page(
        rows.mappings().all(),
        query["limit"],
        key=lambda row: [ids.show_id(EXPORT_PREFIX, bytes(row["id"]))],
        show=_shown,
    )


def get(connection: sa.Connection, program_id: bytes, export_ref: str) -> dict[str, Any]:
    """An export with a line for each member; 404 when unknown."""
    export_id = ids.read_id(EXPORT_PREFIX, export_ref)
    found = None
    if export_id is not None:
        found = (
            connection.execute(
                sa.select(EXPORTS).where(
                    EXPORTS.c.program_id == program_id, EXPORTS.c.id == export_id
                )
            )
            .mappings()
            .first()
        )
    if found is None:
        raise not_found("export")
    return _shown(dict(found)) | {"lines": list(_lines(connection, program_id, bytes(found["id"])))}


def _lines(
    connection: sa.Connection, program_id: bytes, export_id: bytes
) -> Iterator[dict[str, Any]]:
    is_theirs = sa.and_(MEMBERS.c.program_id == _C.program_id, MEMBERS.c.id == _C.payee_id)
    rows = connection.execute(
        sa.select(
            _C.payee_id,
            _C.id,
            _C.minor,
            _C.currency,
            _C.effective_at,
            MEMBERS.c.member_ref,
            MEMBERS.c.erased_at,
        )
        .join(MEMBERS, is_theirs)
        .where(_C.program_id == program_id, _C.exported_by == export_id)
        .order_by(_C.payee_id, _C.id)
    )
    for _, group in itertools.groupby(rows, key=lambda row: bytes(row.payee_id)):
        yield _line(list(group))


def _line(rows: Sequence[Any]) -> dict[str, Any]:
    first = rows[0]
    instants = [row.effective_at for row in rows]
    return {
        "member_ref": None if first.erased_at is not None else first.member_ref,
        "minor": sum(row.minor for row in rows),
        "currency": first.currency,
        "first_at": clock.format_instant(min(instants)),
        "last_at": clock.format_instant(max(instants)),
        "payables": [ids.show_id(PREFIX, bytes(row.id)) for row in rows],
    }


def write_csv(found: Mapping[str, Any]) -> Iterator[bytes]:
    """An export as CSV in UTF-8, a line for each member."""
    yield spreadsheet.BOM.encode() + spreadsheet.line(COLUMNS)
    for one in found["lines"]:
        cells = one | {"payables": " ".join(one["payables"])}
        yield spreadsheet.line(cells[name] for name in COLUMNS)
