"""Payables as they are listed: everything that came to be owed or not to be, newest first."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import invalid_at
from members import members
from members.members import MEMBERS
from rewards.payables import EXPORT_PREFIX, PAYABLES, PREFIX

_C = PAYABLES.c
_STATES = {"owed": _C.exported_by.is_(None), "exported": _C.exported_by.is_not(None)}


def find_all(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of payables; 404 when they are asked of an unknown member."""
    where = [_C.program_id == program_id]
    if "member" in query:
        where.append(_C.member_id == members.get(connection, program_id, query["member"]).id)
    if "source" in query:
        kind, separator, ref = query["source"].partition(":")
        if not separator:
            raise invalid_at("?source", "must be a type and a reference: order:A-1")
        where += [_C.source_type == kind, _C.source_ref == ref]
    if "state" in query:
        where.append(_STATES[query["state"]])
    return _page(connection, where, query)


def of_member(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The same of one member, with what they are owed in all; 404 when they are unknown."""
    known = members.get(connection, program_id, member_ref)
    where = [_C.program_id == program_id, _C.member_id == known.id]
    total = sa.cast(sa.func.coalesce(sa.func.sum(_C.minor), 0), sa.BigInteger)
    sums = {
        f"{state}_minor": connection.execute(sa.select(total).where(*where, is_in)).scalar_one()
        for state, is_in in _STATES.items()
    }
    if "state" in query:
        where.append(_STATES[query["state"]])
    return _page(connection, where, query) | sums


def _page(
    connection: sa.Connection, where: list[sa.ColumnElement[bool]], query: Mapping[str, Any]
) -> dict[str, Any]:
    cursor = paging.read_cursor(query.get("cursor"), [str])
    if cursor:
        where = [*where, _C.id < paging.read_id(PREFIX, cursor[0])]
    is_theirs = sa.and_(MEMBERS.c.program_id == _C.program_id, MEMBERS.c.id == _C.member_id)
    rows = connection.execute(
        sa.select(PAYABLES, MEMBERS.c.member_ref, MEMBERS.c.erased_at)
        .join(MEMBERS, is_theirs)
        .where(*where)
        .order_by(_C.id.desc())
        .limit(query["limit"] + 1)
    )
    return paging.page(
        rows.mappings().all(),
        query["limit"],
        key=lambda row: [ids.show_id(PREFIX, bytes(row["id"]))],
        show=_shown,
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": ids.show_id(PREFIX, bytes(row["id"])),
        "member_ref": None if row["erased_at"] is not None else row["member_ref"],
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "rule": row["rule"],
        "minor": row["minor"],
        "currency": row["currency"],
        "state": "owed" if row["exported_by"] is None else "exported",
        "export_id": _id(EXPORT_PREFIX, row["exported_by"]),
        "decision_id": _id("dec", row["decision_id"]),
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
    }


def _id(prefix: str, value: Any) -> str | None:
    return None if value is None else ids.show_id(prefix, bytes(value))
