"""What members did that keeps points alive: orders that stand, redemptions that were captured.

Owns which of it counts as activity; an adjustment, a gift or a transfer never does (SEMANTICS
C21). Refuses to date a lot itself.
"""

import sqlalchemy as sa

from loyalty import reading
from loyalty.ledger import moves
from members import activities, aliases
from storefront.plan import Plan


def follow(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Date anew what lives as long as the member is active; what is late by now is settled."""
    if any(holding.has_inactivity for holding in plan.book.holdings(member_id)):
        active_at = instants(connection, plan, member_id)
        moves.redate(plan.book, member_id, active_at=active_at, now=plan.now)
    plan.settle(member_id)


def instants(connection: sa.Connection, plan: Plan, member_id: bytes) -> dict[str, list[int]]:
    """When the member did what, as this unit leaves it; by activity. Redemptions of those who were
    merged into them count as well."""
    captured = plan.book.captured(
        member_id, reading.captured_holds(connection, plan.program_id, member_id)
    )
    for merged_id in aliases.merged_ids(connection, plan.program_id, member_id):
        captured += reading.captured_holds(connection, plan.program_id, merged_id)
    done: dict[str, list[int]] = {}
    for kind, occurred_at in _done(connection, plan, member_id):
        done.setdefault(kind, []).append(occurred_at)
    return done | {
        "order": [one.at for one in plan.contributions(connection, member_id) if one.count],
        "redemption": [hold.ended_at for hold in captured if hold.ended_at is not None],
    }


def _done(connection: sa.Connection, plan: Plan, member_id: bytes) -> list[tuple[str, int]]:
    """Activities of a member that stand, as this unit leaves them: kind and instant."""
    changed = plan.activities
    found = [
        (kind, at)
        for activity_id, kind, at in activities.list_done(connection, plan.program_id, member_id)
        if activity_id not in changed
    ]
    return found + [
        (row["kind"], row["occurred_at"])
        for row in changed.values()
        if row["member_id"] == member_id and row["status"] == activities.DONE
    ]
