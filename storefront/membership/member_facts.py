"""Facts of members as of an instant, for what is no order: as before an order placed then."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from members.members import Known
from storefront import decide, standing
from storefront.plan import Plan
from storefront.telling import Telling, item_of
from storefront.tiers import levels

#: No order has this reference, so none is left out of what a member's orders come to.
_NO_ORDER = "\x01"


def before(
    connection: sa.Connection,
    plan: Plan,
    moments: Sequence[tuple[Known, int]],
    *,
    asked: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Who each member was and how they stood as of an instant, in their order; their accounts are
    loaded, where they were not yet, and settled. What the program asks for is told, else what is
    `asked`."""
    tellings = [Telling(_NO_ORDER, {"placed_at": at}, member=known) for known, at in moments]
    for telling in tellings:
        telling.item = item_of(telling, plan.live, plan.now)
    items = [telling.item for telling in tellings if telling.item is not None]
    found = []
    reads = standing.read(connection, plan.program_id, items, asked=asked)
    for telling, read in zip(tellings, reads, strict=True):
        known = telling.member
        assert known is not None and telling.item is not None
        if not plan.book.holdings(known.id):
            plan.book.load(read.holdings)
            plan.settle(known.id)
        stood = levels.before(connection, plan, telling, read)
        found.append(
            decide.facts_of(
                plan.live,
                known,
                read.sums,
                at=telling.item.at,
                stood=stood,
                balance=plan.book.holding(known.id, plan.live.points[0].key).available,
                asked=asked,
            )
        )
    return found
