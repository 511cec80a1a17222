"""What members did that keeps points alive: orders that stand, redemptions that were captured.

Owns which of it counts as activity; an adjustment, a gift or a transfer never does (SEMANTICS
C21). Refuses to date a lot itself.
"""

import sqlalchemy as sa

from loyalty import reading
from loyalty.ledger import moves
from storefront.plan import Plan


def follow(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Date anew what lives as long as the member is active; what is late by now is settled."""
    if any(holding.has_inactivity for holding in plan.book.holdings(member_id)):
        active_at = last(connection, plan, member_id)
        moves.redate(plan.book, member_id, active_at=active_at, now=plan.now)
    plan.settle(member_id)


def last(connection: sa.Connection, plan: Plan, member_id: bytes) -> dict[str, int]:
    """When the member did what for the last time, as this unit leaves it; by activity."""
    orders = [one.at for one in plan.contributions(connection, member_id) if one.count]
    captured = plan.book.captured(
        member_id, reading.captured_holds(connection, plan.program_id, member_id)
    )
    found = {
        "order": max(orders, default=None),
        "redemption": max((hold.ended_at or 0 for hold in captured), default=None),
    }
    return {name: at for name, at in found.items() if at is not None}
