"""Advocates on the ladder: a friend who comes to stand, or stands no longer, moves whoever referred
them, in the same unit.

A program whose ladder does not count referrals, and whose rules do not ask for them, costs nothing
here. Refuses to know when a friend stands: the rows of the unit say so.
"""

from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty import reading
from referrals import referrals
from storefront.plan import Plan
from storefront.tiers import levels, places, referred, tier_entries
from storefront.tiers.tier_entries import Followed


def reassess(
    connection: sa.Connection, plan: Plan, advocate_id: bytes, cause: str = "order"
) -> Followed:
    """Let the referrals of an advocate count as this unit leaves them; what followed from the
    change of level. The unit holds the advocate's lock. Again nothing happens. `cause` is what
    moved them: after a merge the friends of both count, whom the database has united."""
    ladder = plan.live.ladder
    if not plan.live.reads_referrals:
        return Followed()
    changed = plan.changes.get(advocate_id, {})
    before = dict(referred.read(connection, plan.program_id, advocate_id))
    before |= {key: new for key, (_, new) in changed.items() if new is not None}
    gone = {key for key, (_, new) in changed.items() if new is None}
    moved = cause == "merge" and ladder.counts_referrals
    if moved:
        _load(connection, plan, advocate_id)
        places.reassess(connection, plan, [advocate_id], cause="merge")
    for row in list(plan.referrals.referrals.values()):
        if row.advocate_id != advocate_id:
            continue
        key = referred.key(row.id)
        old = None if key in gone else before.get(key)
        new = referred.contribution(row)
        if old == new:
            continue
        if not ladder.counts_referrals:
            plan.record(advocate_id, key, old, new)
            continue
        if not moved:
            _load(connection, plan, advocate_id)
            moved = True
        levels.recount(
            connection,
            plan,
            advocate_id,
            named=(referrals.SOURCE_TYPE, ids.show_id(referrals.PREFIX, row.id)),
            key=key,
            old=old,
            new=new,
        )
    if not moved:
        return Followed()
    return tier_entries.follow(connection, plan).get(advocate_id, Followed())


def _load(connection: sa.Connection, plan: Plan, advocate_id: bytes) -> None:
    """The advocate's accounts, which entering a level may move."""
    held: list[Any] = plan.book.holdings(advocate_id)
    if not held:
        plan.book.load(reading.read_holdings(connection, plan.program_id, advocate_id))
        plan.settle(advocate_id)
