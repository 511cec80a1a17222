"""Won surprises as the contract shows them.

Notes are filled in here, whenever they are read, and the member's name is read only where a note
speaks to them by it.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from programs.surprises import Prize
from rewards.carried import Row
from rewards.surprises import notes
from storefront.plan import Plan
from storefront.surprising import giving


def won(plan: Plan, row: Row) -> dict[str, Any]:
    """A prize that stands: what it is, what is said with it, what it brought."""
    assert plan.connection is not None
    brought = plan.surprises.brought.get(row.id)
    if brought is None:
        brought = giving.brought_before(plan.connection, plan, row)
    program = versions.get_compiled(
        plan.connection, plan.program_id, row.live_version, row.switches
    )
    surprise = program.surprises.find(row.surprise_key)
    assert surprise is not None, f"{row.surprise_key} was drawn by a version that has it"
    prize = surprise.prizes[row.prize]
    return {
        "key": row.surprise_key,
        "name": surprise.name or None,
        "prize": row.prize,
        "note": note(plan, program, prize, brought, member_id=row.member_id),
        "awards": brought["earned"],
        "grants": brought["grants"],
        "payables": brought["payables"],
        "draw_id": ids.show_id(giving.PREFIX, row.id),
        "source": source(row),
        "won_at": clock.format_instant(row.drawn_at),
    }


def source(row: Row) -> dict[str, Any] | None:
    """What brought it; None where its member was erased."""
    return None if row.source_ref is None else {"type": row.source_type, "ref": row.source_ref}


def note(
    plan: Plan,
    program: Compiled,
    prize: Prize,
    brought: Mapping[str, Any],
    *,
    member_id: bytes,
) -> dict[str, str] | None:
    """What is said with a prize, by locale; None where nothing is."""
    if not prize.note:
        return None
    name = _name(plan, member_id) if notes.asks_for_name(prize.note) else None
    points: dict[str, int] = {}
    for award in brought["earned"]:
        points[award["points_key"]] = points.get(award["points_key"], 0) + award["points"]
    rewards = [(key, program.catalogue.find(key)) for key in prize.reward_keys]
    return notes.render(
        prize.note,
        notes.Given(
            program,
            name,
            [(count, key) for key, count in points.items()],
            [({} if reward is None else reward.name, key) for key, reward in rewards],
        ),
    )


def _name(plan: Plan, member_id: bytes) -> str | None:
    assert plan.connection is not None
    found: str | None = plan.connection.execute(
        sa.select(MEMBERS.c.name).where(
            MEMBERS.c.program_id == plan.program_id, MEMBERS.c.id == member_id
        )
    ).scalar()
    return found


def taken_back(plan: Plan) -> list[dict[str, Any]]:
    """Prizes that this unit took back and has not told of yet: what caused them stands no more."""
    found = [
        row
        for row in plan.surprises.draws.values()
        if row.is_changed and row.why_fallen == "not_paid" and row.id not in plan.surprises.revoked
    ]
    plan.surprises.revoked.update(row.id for row in found)
    return [
        {
            "key": row.surprise_key,
            "prize": row.prize,
            "draw_id": ids.show_id(giving.PREFIX, row.id),
        }
        for row in found
    ]
