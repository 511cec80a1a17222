"""What rewards brought goes to the member who stays, when two members turn out to be one person.

Redemptions, codes, grants and fulfilments change hands; captured points stay in the books of whom
they were spent by, as their lots do. What is held, for a cart or kept by a pending order, is held
anew in the account that its points went to, for the time that it has left. Refuses to give a
reward anew.
"""

import sqlalchemy as sa

from core.errors import Problem
from loyalty import reading
from loyalty.ledger import holds
from members.members import Known
from rewards import redemptions
from rewards.carried import FULFILMENTS, GRANTS, REDEMPTIONS, USES, VOUCHERS, Row
from rewards.payables import PAYABLES
from storefront import finishing
from storefront.plan import Plan

#: Tables that name the member whose they are.
OWNED = (
    REDEMPTIONS.c.member_id,
    VOUCHERS.c.member_id,
    USES.c.member_id,
    GRANTS.c.member_id,
    FULFILMENTS.c.member_id,
    # Not who was paid by an export: that stays who it was.
    PAYABLES.c.member_id,
)


def run_out(connection: sa.Connection, plan: Plan, old: Known) -> None:
    """Let what the one who goes held run out where its time is over, and write it: all that is
    written of them is handed over afterwards."""
    plan.book.load(reading.read_holdings(connection, plan.program_id, old.id))
    plan.settle(old.id)
    redemptions.open_of(plan, old.id)
    # What came back after its date is gone at once.
    plan.settle(old.id)
    finishing.write(connection, plan)


def held(plan: Plan, old: Known) -> list[Row]:
    """What the one who goes holds, before their account is moved."""
    found = redemptions.open_of(plan, old.id)
    for row in found:
        redemptions.hold_of(plan, row)
    return found


def hold_anew(plan: Plan, rows: list[Row], old: Known, into: Known) -> None:
    """Hold it in the account that its points went to: under the same id, on the same terms, until
    it would have run out. Where a deficit there took of them it is released; what an order keeps
    comes back with that."""
    for row in rows:
        behind = redemptions.hold_of(plan, row)
        row.member_id = into.id
        if behind is None:
            continue
        behind.member_id = into.id
        try:
            holds.hold_again(
                plan.book,
                behind,
                expires_at=row.expires_at,
                at=plan.now,
                now=plan.now,
                actor=plan.actor,
            )
        except Problem:
            # Nothing holds it here: it is what it became where it was held.
            behind.member_id = old.id
            redemptions.end(plan, row, "released")
            row.is_undone = row.kept_by is not None
