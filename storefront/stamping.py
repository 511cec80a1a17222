"""What an order stamps: the stamps of whom it belongs to follow what it deserves now.

Owns whose stamps are taken back when an order changes hands. Refuses to decide how many are
deserved, and stamps nobody who was erased.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from programs import versions
from storefront import awarding, cards, firing
from storefront.cards import Given
from storefront.decide import Decided
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling, is_same_member


def follow(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    decided: Decided | None,
    row: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Bring stamps to what the order deserves, for the member it had and the one it has; returns
    the entries of cards that are complete by it, or no longer."""
    made = _undo_for_others(connection, plan, telling, stored)
    member = telling.member
    if decided is None or member is None or member.is_erased:
        return made
    # What is moved in was stamped where it came from.
    stamps = {} if row["is_history"] else decided.earning.stamps
    program = decided.pinned.program
    if not cards.concern(plan, program) or (stored is None and not stamps):
        return made
    return made + firing.stamp(
        connection,
        plan,
        member.id,
        Given("order", telling.order_ref, row["id"], row["placed_at"], stamps),
        program=program,
        member_facts=decided.pinned.facts,
        reversal_at=awarding.reversal_at(plan, telling),
    )


def _undo_for_others(
    connection: sa.Connection, plan: Plan, telling: Telling, stored: StoredOrder | None
) -> list[dict[str, Any]]:
    if stored is None or stored.member_id is None or is_same_member(stored, telling):
        return []
    program = plan.live
    if stored.version is not None:
        program = versions.get_compiled(
            connection, plan.program_id, stored.version, stored.switches or 0
        )
    if not cards.concern(plan, program):
        return []
    given = Given("order", telling.order_ref, stored.id, stored.placed_at, {})
    return firing.stamp(connection, plan, stored.member_id, given, program=program, member_facts={})
