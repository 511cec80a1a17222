"""Won surprises as the contract shows them."""

from typing import Any

from core import clock, ids
from rewards.carried import Row
from storefront.plan import Plan
from storefront.surprising import giving


def won(plan: Plan, row: Row) -> dict[str, Any]:
    """A prize that stands: what it is, what is said with it, what it brought."""
    assert plan.connection is not None
    brought = plan.surprises.brought.get(row.id)
    if brought is None:
        brought = giving.brought_before(plan.connection, plan, row)
    return {
        "key": row.surprise_key,
        "prize": row.prize,
        "note": None,
        "awards": brought["earned"],
        "grants": brought["grants"],
        "payables": brought["payables"],
        "draw_id": ids.show_id(giving.PREFIX, row.id),
        "won_at": clock.format_instant(row.drawn_at),
    }
