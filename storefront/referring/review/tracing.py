"""Noting traces: what a storefront says of a visitor becomes keyed digests at once.

Nothing is noted where nothing could be compared: in a program without referral offers, of guests,
of what is history, and when a plan is thrown away.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from referrals import traces
from storefront.plan import Plan
from storefront.telling import Telling


def note(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    visitor: Mapping[str, Any] | None,
    *,
    at: int,
) -> None:
    """Note what was seen with a member at an instant, under the member's lock."""
    if visitor and plan.live.offers and not plan.is_quote:
        traces.note(connection, plan.program_id, member_id, visitor, at=at, now=plan.now)


def note_order(connection: sa.Connection, plan: Plan, telling: Telling) -> None:
    """The same of whoever placed an order."""
    if telling.member is None or telling.member.is_erased or telling.body.get("is_history"):
        return
    assert telling.item is not None
    visitor = telling.body.get("visitor")
    note(connection, plan, telling.member.id, visitor, at=telling.item.at)
