"""What rewards brought goes to the member who stays, when two members turn out to be one person.

Redemptions, codes, grants and fulfilments change hands; captured points stay in the books of whom
they were spent by, as their lots do. What was held for a cart is released with its member's
account; what a pending order keeps is held anew in the account that its points went to. Refuses
to give a reward anew.
"""

import sqlalchemy as sa

from core.errors import Problem
from loyalty import reading
from loyalty.ledger import holds
from members.members import Known
from rewards import redemptions
from rewards.carried import FULFILMENTS, GRANTS, REDEMPTIONS, USES, VOUCHERS, Row
from storefront.plan import Plan

#: Tables that name the member whose they are.
OWNED = (
    REDEMPTIONS.c.member_id,
    VOUCHERS.c.member_id,
    USES.c.member_id,
    GRANTS.c.member_id,
    FULFILMENTS.c.member_id,
)


def release(connection: sa.Connection, plan: Plan, old: Known) -> None:
    """Release what the one who goes holds for carts, and write it: all that is written of them is
    handed over afterwards."""
    plan.book.load(reading.read_holdings(connection, plan.program_id, old.id))
    plan.settle(old.id)
    for row in redemptions.open_of(plan, old.id):
        if row.kept_by is None:
            redemptions.end(plan, row, "released")
    # What came back after its date is gone at once.
    plan.settle(old.id)
    plan.write(connection)


def kept(plan: Plan, old: Known) -> list[Row]:
    """What orders keep of the one who goes, before their account is moved."""
    found = redemptions.open_of(plan, old.id)
    for row in found:
        redemptions.hold_of(plan, row)
    return found


def hold_anew(plan: Plan, rows: list[Row], into: Known) -> None:
    """Hold what orders keep in the account that its points went to: under the same id, on the same
    terms. Where a deficit there took of them it is released, and comes back with its order."""
    for row in rows:
        held = redemptions.hold_of(plan, row)
        row.member_id = into.id
        if held is None:
            continue
        held.member_id = into.id
        try:
            holds.hold_again(
                plan.book, held, expires_at=None, at=plan.now, now=plan.now, actor=plan.actor
            )
        except Problem:
            redemptions.end(plan, row, "released")
            row.is_undone = True
