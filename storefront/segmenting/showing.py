"""Segments as they are shown: how many belong to each, who does, and to which one member does."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import invalid_at, not_found
from loyalty import reading
from members import members
from programs import versions
from programs.compiled import Compiled
from programs.segments import SEGMENTS
from segments import belonging
from storefront.membership import member_facts
from storefront.plan import begin


def list_segments(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    """Every segment of the published document, with how many belonged to it at the last look."""
    live, _ = versions.get_live(connection, program_id)
    states = belonging.states(connection, program_id)
    shown = []
    for one in live.segments:
        state = states.get(one.key)
        counted_at = None if state is None else state.counted_at
        shown.append(
            {
                "key": one.key,
                "name": one.name,
                "description": one.description,
                "state": "live" if one.is_live else "paused",
                "members_count": None if state is None else state.members_count,
                "counted_at": None if counted_at is None else clock.format_instant(counted_at),
            }
        )
    return {"data": shown, "next_cursor": None}


def list_members(
    connection: sa.Connection, program_id: bytes, segment: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Who belonged to a segment at its last look; 404 when there is no such segment."""
    live, _ = versions.get_live(connection, program_id)
    if segment not in {one.key for one in live.segments}:
        raise not_found("segment")
    cursor = paging.read_cursor(query.get("cursor"), [str])
    after = paging.read_id(members.PREFIX, cursor[0]) if cursor else None
    limit = query["limit"]
    rows = belonging.list_members(connection, program_id, segment, after=after, limit=limit)

    def shown_id(row: Any) -> str:
        return ids.show_id(members.PREFIX, bytes(row.id))

    return paging.page(
        rows,
        limit,
        key=lambda row: [shown_id(row)],
        show=lambda row: {
            "id": shown_id(row),
            "member_ref": row.member_ref,
            "since": clock.format_instant(row.since),
        },
    )


def of_member(connection: sa.Connection, program_id: bytes, member_ref: str) -> dict[str, Any]:
    """The segments to which a member belongs now, as a rule would see it."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    asked = all_asked(live)
    [facts] = member_facts.before(connection, plan, [(known, now)], asked=asked)
    since = belonging.of_member(connection, program_id, known.id)
    belongs = set(facts[SEGMENTS])
    return {
        "data": [
            {
                "key": one.key,
                "name": one.name,
                "since": clock.format_instant(since[one.key]) if one.key in since else None,
            }
            for one in live.segments
            if one.key in belongs
        ],
        "next_cursor": None,
    }


def all_asked(live: Compiled) -> frozenset[str]:
    """Every fact that tells to which segments somebody belongs."""
    return frozenset({SEGMENTS}).union(*(one.when.facts for one in live.segments if one.is_live))


def check_key(live: Compiled, segment: str | None) -> None:
    """422 for a segment that the published document does not have."""
    keys = [one.key for one in live.segments]
    if segment is not None and segment not in keys:
        known = ", ".join(keys) or "none"
        raise invalid_at("?segment", f"is no segment here; there are: {known}")
