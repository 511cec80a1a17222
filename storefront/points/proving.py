"""The ledger's proof as it is asked for: which days, which page of heads."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core import ids, paging
from core.errors import FieldError, invalid
from loyalty import proof
from programs import versions


def prove(connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]) -> dict[str, Any]:
    """The proof, with the roots of the days asked for."""
    first, last = query.get("from"), query.get("until")
    if first is not None and last is not None and last - first >= timedelta(days=proof.DAYS_MAX):
        raise invalid([FieldError("?until", "invalid", f"at most {proof.DAYS_MAX} days at once")])
    live, now = versions.get_live(connection, program_id)
    return proof.prove(connection, live, now=now, days=(first, last))


def heads(connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]) -> dict[str, Any]:
    """Heads of chains, in the order of their leaves."""
    cursor = paging.read_cursor(query.get("cursor"), [str, str])
    after = (paging.read_id("mem", cursor[0]), cursor[1]) if cursor else None
    statement = proof.list_heads(connection.dialect.name, program_id, after=after)
    rows = list(connection.execute(statement.limit(query["limit"] + 1)))
    return paging.page(
        rows,
        query["limit"],
        key=lambda row: [ids.show_id("mem", row.member_id), row.points_key],
        show=proof.show_head,
    )
