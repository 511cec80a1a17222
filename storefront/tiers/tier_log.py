"""The log of levels: every change of where a member stands, who made it and why; and its messages.

Owns how a move is told, inside and out. History that is moved in is logged and told nobody.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, outbox, paging
from loyalty.tiers.models import CHANGES
from loyalty.tiers.standing import LevelMove
from members import members
from storefront.plan import Plan

PREFIX = "tch"


def change_of(move: LevelMove) -> dict[str, Any] | None:
    """A move in the words of the contract; None when only the risk of losing the level changed."""
    before, after = move.before, move.after
    from_key = before.key or before.lost_key
    if from_key != after.key:
        kind = "upgrade" if move.rise > 0 else "downgrade"
    elif move.cause == "manual" or _is_renewed(move):
        kind = "renewal"
    else:
        return None
    return {"from": from_key, "to": after.key, "kind": kind}


def _is_renewed(move: LevelMove) -> bool:
    """Whether a level that is kept has another end: grace lets it end later and renews nothing."""
    before, after = move.before, move.after
    if after.level is None or after.grace_until is not None:
        return False
    return (before.until, before.is_manual) != (after.until, after.is_manual)


def write(plan: Plan, move: LevelMove, *, note: str | None = None) -> None:
    """Append a move to the member's log, and tell the world of it; `note` is why somebody moved
    them by hand."""
    change = change_of(move)
    if change is not None:
        plan.writes.insert(
            CHANGES,
            {
                "program_id": plan.program_id,
                "id": ids.new_id(),
                "member_id": move.member_id,
                "from_key": change["from"],
                "to_key": change["to"],
                "kind": change["kind"],
                "cause": move.cause,
                "source_type": move.source_type,
                "source_ref": move.source_ref,
                "note": note,
                "actor": plan.actor,
                "effective_at": move.at,
                "recorded_at": plan.now,
            },
        )
    if not move.is_history and move.cause != "opening":
        _tell_world(plan, move, change)


def _tell_world(plan: Plan, move: LevelMove, change: Mapping[str, Any] | None) -> None:
    after = move.after
    until = _shown(after.until)
    if change is not None:
        payload = {**change, "cause": move.cause, "until": until}
        if move.source_type is not None:
            payload["source"] = {"type": move.source_type, "ref": move.source_ref}
        _send(plan, move, "tier.changed", payload)
    was_told = move.before.is_at_risk and move.before.key == after.key
    if after.is_at_risk and not was_told:
        ends_at = _shown(after.ends_at)
        _send(plan, move, "tier.at_risk", {"key": after.key, "until": ends_at})


def _send(plan: Plan, move: LevelMove, type: str, payload: dict[str, Any]) -> None:
    outbox.add(
        plan.writes,
        plan.program_id,
        type=type,
        payload=payload,
        now=plan.now,
        member_id=move.member_id,
    )


def _shown(instant: int | None) -> str | None:
    return None if instant is None else clock.format_instant(instant)


def list_changes(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A member's changes of level, the one recorded last first; 404 when the member is unknown."""
    known = members.get(connection, program_id, member_ref)
    columns, limit = CHANGES.c, query["limit"]
    statement = sa.select(CHANGES).where(
        columns.program_id == program_id, columns.member_id == known.id
    )
    cursor = paging.read_cursor(query.get("cursor"), [int, str])
    if cursor is not None:
        last = (cursor[0], paging.read_id(PREFIX, cursor[1]))
        statement = statement.where(sa.tuple_(columns.recorded_at, columns.id) < last)
    newest = (columns.recorded_at.desc(), columns.id.desc())
    rows = connection.execute(statement.order_by(*newest).limit(limit + 1)).all()
    return paging.page(
        rows,
        limit,
        key=lambda row: [row.recorded_at, ids.show_id(PREFIX, bytes(row.id))],
        show=_show,
    )


def _show(row: Any) -> dict[str, Any]:
    source = None
    if row.source_type is not None:
        source = {"type": row.source_type, "ref": row.source_ref}
    return {
        "id": ids.show_id(PREFIX, bytes(row.id)),
        "from": row.from_key,
        "to": row.to_key,
        "kind": row.kind,
        "cause": row.cause,
        "source": source,
        "note": row.note,
        "actor": row.actor,
        "effective_at": clock.format_instant(row.effective_at),
        "recorded_at": clock.format_instant(row.recorded_at),
    }
