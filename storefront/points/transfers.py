"""Transfers: a member gives points to another; they keep their dates (SEMANTICS C23)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import db, ids
from core.errors import invalid_at, not_found
from loyalty import binding, reading, showing
from loyalty.ledger import moves
from loyalty.ledger.entries import Cause
from loyalty.models import Transfer
from members import members
from members.members import Known
from programs import versions
from storefront import answers, finishing
from storefront.plan import Plan, begin

TRANSFERS: sa.Table = Transfer.__table__  # type: ignore[assignment]
PREFIX = "trf"


def transfer(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Move points from one member to another in one unit; the answer and 201."""
    sender, receiver = _locked(connection, program_id, body)
    live, now = versions.get_live(connection, program_id)
    key = body.get("points_key") or live.points[0].key
    if live.kind(key) is None:
        raise invalid_at("/points_key", "is none of the program's kinds of points")
    plan = begin(connection, live, now=now, actor=actor)
    for known in (sender, receiver):
        plan.book.load(reading.read_holdings(connection, program_id, known.id))
        plan.settle(known.id)
    row = {
        "program_id": program_id,
        "from_member_id": sender.id,
        "to_member_id": receiver.id,
        "points_key": key,
        "points": body["points"],
        "reason": body.get("reason"),
        "actor": actor,
        "effective_at": now,
    }
    transfer_id = binding.bound_id(binding.of_transfer(row))
    ref = ids.show_id(PREFIX, transfer_id)
    sent, received = moves.transfer(
        plan.book,
        plan.book.holding(sender.id, key),
        plan.book.holding(receiver.id, key),
        body["points"],
        transfer_id=transfer_id,
        cause=Cause("transfer", ref, None, actor, now, now),
    )
    plan.writes.insert(TRANSFERS, row | {"id": transfer_id})
    answer = {
        "transfer": {
            "id": ref,
            "points_key": key,
            "points": body["points"],
            "reason": body.get("reason"),
        },
        "from": _side(plan, sender, sent),
        "to": _side(plan, receiver, received),
    }
    finishing.write(connection, plan)
    return answer, 201


def _locked(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]
) -> tuple[Known, Known]:
    """Both members, locked at once and in one order."""
    sender = members.find(connection, program_id, body["from_member_ref"])
    receiver = members.find(connection, program_id, body["to_member_ref"])
    if sender is None or receiver is None:
        raise not_found("member")
    if sender.id == receiver.id:
        raise invalid_at("/to_member_ref", "is the member who gives")
    locked = members.lock_ids(connection, program_id, sorted({sender.id, receiver.id}))
    if any(known.id != member_id for member_id, known in locked.items()) or len(locked) < 2:
        # One of them was merged since we looked, perhaps into the other one.
        raise db.Restart
    sender, receiver = locked[sender.id], locked[receiver.id]
    if sender.is_erased or receiver.is_erased:
        raise not_found("member")
    if not receiver.is_enrolled:
        raise invalid_at("/to_member_ref", "is not enrolled and can hold no points")
    return sender, receiver


def _side(plan: Plan, known: Known, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "member_ref": known.member_ref,
        "entry": showing.show_entry(entry, plan.live),
        "balances": answers.balances(plan, known.id),
    }
