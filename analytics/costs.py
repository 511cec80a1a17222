"""What a reward cost the program: one meaning for every report.

What staff told of its fulfilment, else what its discount really took off orders, else what it is
estimated to cost; points that paid cost what they paid, less what went back. Writes nothing.
"""

from typing import Any

import sqlalchemy as sa

from loyalty.ledger.rows import HOLDS
from programs.rewards import STORED_VALUE
from rewards.carried import REDEMPTIONS, USES, VOUCHERS
from rewards.terms import Terms

#: Of these, what was taken off is what they cost; a free product costs what it costs to buy.
_TAKEN_OFF = ("discount_amount", "discount_percent", "free_shipping")


def estimated(terms: Terms) -> int:
    """What one is estimated to cost: as the document says, else what a fixed discount takes off."""
    if terms.estimated_cost_minor or terms.kind != "discount_amount":
        return terms.estimated_cost_minor
    return terms.minor


def of_points(terms: Terms, *, count: int, returned: int) -> int:
    """What so many equal payments with points paid, less the points that went back; floored."""
    if not terms.points:
        return 0
    return (count * terms.points - returned) * terms.minor // terms.points


class Redeemed:
    """What is known of the costs of redemptions, as columns of a query over them."""

    def __init__(self, program_id: bytes) -> None:
        self._used = _used(program_id, VOUCHERS.c.redemption_id)
        columns = REDEMPTIONS.c
        takes_off = columns.kind.in_(_TAKEN_OFF)
        #: Null where there is only the estimate.
        self.known_minor: sa.ColumnElement[Any] = sa.case(
            (columns.cost_minor.is_not(None), columns.cost_minor),
            (takes_off, sa.func.coalesce(columns.discount_minor, self._used.c.minor)),
        )
        #: Points that went back of it.
        self.returned: sa.ColumnElement[Any] = sa.func.coalesce(HOLDS.c.returned, 0)

    def source(self) -> sa.Join:
        """Redemptions with what these columns take."""
        columns = REDEMPTIONS.c
        its = sa.and_(HOLDS.c.program_id == columns.program_id, HOLDS.c.id == columns.id)
        return REDEMPTIONS.outerjoin(self._used, self._used.c.owner_id == columns.id).outerjoin(
            HOLDS, its
        )


def used_of_grants(program_id: bytes) -> sa.Subquery:
    """What codes of grants took off orders, by grant (`owner_id`, `minor`)."""
    return _used(program_id, VOUCHERS.c.grant_id)


def _used(program_id: bytes, owner: sa.ColumnElement[Any]) -> sa.Subquery:
    """What codes that hold no money took off orders, by what they belong to; null where no order
    told it."""
    its = sa.and_(VOUCHERS.c.program_id == USES.c.program_id, VOUCHERS.c.id == USES.c.voucher_id)
    return (
        sa.select(
            owner.label("owner_id"),
            sa.func.sum(USES.c.amount_minor - USES.c.returned_minor).label("minor"),
        )
        .select_from(USES.join(VOUCHERS, its))
        .where(
            USES.c.program_id == program_id,
            USES.c.is_released.is_(False),
            VOUCHERS.c.kind.not_in(STORED_VALUE),
            owner.is_not(None),
        )
        .group_by(owner)
        .subquery()
    )
