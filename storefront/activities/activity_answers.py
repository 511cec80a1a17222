"""Activities as they are told back: how one was told last, and what stands of what it brought.

Reads only, in the plan of a unit that may have changed it.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import not_found
from loyalty import reading
from loyalty.tiers import showing as tiers
from members import activities, members
from members.activities import StoredActivity
from members.members import Known
from programs import versions
from programs.triggers import ACTIVITY as TRIGGER
from storefront import answers, brought, cards
from storefront.firing import Source
from storefront.plan import Plan, begin
from storefront.surprising import chances, drawing
from storefront.tiers import places


def resolve(connection: sa.Connection, program_id: bytes, ref: str) -> str:
    """The storefront's reference behind our own id of an activity; any other text as it is."""
    own_id = ids.read_id(activities.PREFIX, ref)
    if own_id is None:
        return ref
    found = activities.find_ref(connection, program_id, own_id)
    if found is None:
        raise not_found("activity")
    return found


def get(connection: sa.Connection, program_id: bytes, activity_ref: str) -> dict[str, Any]:
    """An activity as last told, and what stands of what it brought; 404 when unknown."""
    ref = resolve(connection, program_id, activity_ref)
    stored = activities.find(connection, program_id, ref)
    if stored is None:
        raise not_found("activity")
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now)
    row = members.get_row(connection, program_id, stored.member_id)
    shown = ids.show_id(members.PREFIX, stored.member_id)
    known = Known(
        stored.member_id,
        shown if row["erased_at"] is not None else row["member_ref"],
        is_enrolled=bool(row["is_enrolled"]),
        joined_at=row["joined_at"],
        locale=None,
        attributes={},
        is_erased=row["erased_at"] is not None,
    )
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    return answer_stored(connection, plan, stored, known)


def answer_stored(
    connection: sa.Connection, plan: Plan, stored: StoredActivity, known: Known
) -> dict[str, Any]:
    """The answer to what changed nothing."""
    row = {name: getattr(stored, name) for name in StoredActivity.__slots__}
    stood = brought.read(
        connection,
        plan,
        Source("activity", stored.activity_ref, stored.id, stored.occurred_at),
        member_id=stored.member_id,
        decision_id=stored.decision_id,
        trigger=TRIGGER + stored.kind,
    )
    if plan.live.surprises.all:
        drawing.rows_of(connection, plan, stored.id)
    return {
        "activity": shown(row, known),
        "earned": stood["earned"],
        "grants": stood["grants"],
        "payables": [] if known.is_erased else stood["payables"],
        "reversed": [],
        "balances": answers.balances(plan, known.id),
        "tier": tier(connection, plan, known.id, None),
        "cards": cards.show(connection, plan, known.id),
        "surprises": chances.shown(plan, stored.member_id),
        "problems": answers.misspelt(plan.live, stored.kind),
    }


def shown(row: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """An activity as the contract shows it."""
    return {
        "id": ids.show_id(activities.PREFIX, row["id"]),
        "activity_ref": row["activity_ref"],
        "member_ref": None if known.is_erased else known.member_ref,
        "kind": row["kind"],
        "occurred_at": clock.format_instant(row["occurred_at"]),
        "facts": jsontext.parse(row["facts"]),
        "status": row["status"],
        "updated_at": clock.format_instant(row["updated_at"]),
        "decision_id": ids.show_id("dec", row["decision_id"]),
    }


def tier(
    connection: sa.Connection, plan: Plan, member_id: bytes, change: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The member\'s tier as the plan leaves it, and what changed of it."""
    return tiers.show(plan.live, places.view_planned(connection, plan, member_id), change=change)
