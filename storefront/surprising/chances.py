"""Chances that orders bring, and what their surprises are answered as.

What is no order is noted where it is fired (`storefront.firing`). Refuses to draw.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import jsontext
from programs import versions
from rewards.surprises.carried import Chance
from storefront import answers, awarding
from storefront.decide import Decided
from storefront.firing import Ordered
from storefront.plan import Plan
from storefront.standing import Read, StoredOrder
from storefront.surprising import drawing, showing, silence
from storefront.telling import Telling

TRIGGER = "order"


def follow_order(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    row: Mapping[str, Any],
    decided: Decided | None,
    decision: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """Take up what an order brings, and let what it brought before stand or fall with it, also
    for whom it belonged to; the entries made."""
    member = telling.member
    at = awarding.reversal_at(plan, telling)
    _note_silence(connection, plan, telling, stored, row)
    if (
        stored is not None
        and stored.member_id is not None
        and stored.version is not None
        and (member is None or member.id != stored.member_id)
        and _surprises_of(connection, plan, stored)
    ):
        _undo_for_other(plan, telling, stored, at=at)
    if member is not None and decided is not None and not row["is_history"]:
        pinned = decided.pinned
        if pinned.program.surprises.all or plan.live.surprises.of(TRIGGER):
            # Known already: nobody has to read it again.
            plan.surprises.people[member.id] = (None if member.is_erased else member.member_ref,)
            plan.surprises.chances.append(
                Chance(
                    member.id,
                    TRIGGER,
                    "order",
                    telling.order_ref,
                    row["id"],
                    telling.order_ref,
                    min(telling.body.get("paid_at") or row["placed_at"], plan.now),
                    pinned.facts,
                    decided.order_facts,
                    stands=bool(row["stands"]) and bool(pinned.facts["member.is_enrolled"]),
                    is_new=stored is None,
                    pinned=pinned.program,
                    order=Ordered(decided.figures),
                    decision=decision,
                    reversal_at=at,
                )
            )
    return drawing.follow(connection, plan) if plan.surprises.chances else []


def _note_silence(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    row: Mapping[str, Any],
) -> None:
    if telling.member is not None and not telling.member.is_erased:
        if stored is not None and stored.member_id != telling.member.id:
            silence.note_move(connection, plan, telling.member.id)
        silence.note_order(plan, telling.member.id, at=row["placed_at"] if row["stands"] else None)
    if stored is not None and stored.member_id not in (None, row["member_id"]):
        assert stored.member_id is not None
        silence.note_order(plan, stored.member_id, at=None)


def _undo_for_other(plan: Plan, telling: Telling, stored: StoredOrder, *, at: int | None) -> None:
    assert stored.member_id is not None and stored.facts is not None
    facts = jsontext.parse(stored.facts)
    plan.surprises.chances.append(
        Chance(
            stored.member_id,
            TRIGGER,
            "order",
            telling.order_ref,
            stored.id,
            telling.order_ref,
            stored.placed_at,
            facts["member"],
            facts["order"],
            stands=False,
            is_new=False,
            reversal_at=at,
        )
    )


def _surprises_of(connection: sa.Connection, plan: Plan, stored: StoredOrder) -> bool:
    """Whether an order may have brought any, by what it pinned."""
    assert stored.version is not None
    program = versions.get_compiled(
        connection, plan.program_id, stored.version, stored.switches or 0
    )
    return bool(program.surprises.all)


def stored_order(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read, *, is_stale: bool
) -> dict[str, Any]:
    """The answer to an order as it is stored, with what stands of its surprises."""
    stored = read.stored
    assert stored is not None
    if telling.member is not None:
        if stored.version is not None and _surprises_of(connection, plan, stored):
            drawing.rows_of(connection, plan, stored.id)
        telling.surprises = shown(plan, telling.member.id)
    return answers.stored_order(connection, plan, telling, read, is_stale=is_stale)


def shown(plan: Plan, member_id: bytes) -> list[dict[str, Any]]:
    """What stands of a member's surprises that an answer concerns, as the contract shows it: those
    of what was told, and of what followed. Others of the same unit are shown by their own."""
    if plan.is_mute:
        return []
    return [showing.won(plan, row) for row in plan.surprises.answered(member_id) if row.stands]
