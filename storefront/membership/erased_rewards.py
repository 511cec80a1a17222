"""Rewards of a person who is erased: what is held is given up, what is unused is void, and what
somebody wrote about it goes.

A gift card that was sold is its bearer's, so it lives on and leads to nobody; everything else that
could still be used was the person's, and ends with them. Redemptions, uses and stock stay counted.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from rewards import grants, payables, redemptions, vouchers
from rewards.carried import FULFILMENTS, GRANTS, REDEMPTIONS, VOUCHERS
from rewards.fulfilments import CHANGES
from storefront.plan import Plan

#: What stays of a sealed code that is forgotten: as long as one, opened by no key.
FORGOTTEN = "A" * 40

_USABLE = ("reserved", "active", "frozen")


def give_up(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Release what is held, before points are forfeited, end codes and grants, and withdraw the
    cash that is owed."""
    program_id = plan.program_id
    for row in redemptions.open_of(plan, member_id):
        redemptions.end(plan, row, "released")
    # What came back after its date has expired, and is not forfeited.
    plan.settle(member_id)
    payables.withdraw(plan, member_id)
    own = connection.execute(
        sa.select(VOUCHERS.c.id).where(
            VOUCHERS.c.program_id == program_id,
            VOUCHERS.c.member_id == member_id,
            VOUCHERS.c.state.in_(_USABLE),
        )
    ).scalars()
    codes = vouchers.lock(plan, [bytes(one) for one in own])
    given = connection.execute(
        sa.select(GRANTS).where(GRANTS.c.program_id == program_id, GRANTS.c.member_id == member_id)
    )
    for grant in [grants.take_up(plan, one) for one in given.all()]:
        # Whatever gave it gives it no more.
        grant.cause = "withdrawn"
        grants.settle(plan, grant)
        if grant.state in grants.UNUSED:
            grants.end(plan, grant, "revoked", at=plan.now)
    for code in codes.values():
        if not (code.kind == "gift_card" and code.origin == "sold"):
            vouchers.void(plan, code)


def forget(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    """Empty what was written about the person's rewards; their codes can be shown no more, and
    gift cards that were sold are nobody's."""
    connection.execute(
        sa.update(REDEMPTIONS)
        .where(REDEMPTIONS.c.program_id == program_id, REDEMPTIONS.c.member_id.in_(everyone))
        .values(cart_ref=None, reason=None)
    )
    connection.execute(
        sa.update(GRANTS)
        .where(GRANTS.c.program_id == program_id, GRANTS.c.member_id.in_(everyone))
        .values(reason=None)
    )
    of_member = sa.and_(
        FULFILMENTS.c.program_id == program_id, FULFILMENTS.c.member_id.in_(everyone)
    )
    connection.execute(
        sa.update(CHANGES)
        .where(
            CHANGES.c.program_id == program_id,
            CHANGES.c.fulfilment_id.in_(sa.select(FULFILMENTS.c.id).where(of_member)),
        )
        .values(note=None)
    )
    connection.execute(
        sa.update(FULFILMENTS).where(of_member).values(carrier=None, tracking=None, note=None)
    )
    own = sa.and_(VOUCHERS.c.program_id == program_id, VOUCHERS.c.member_id.in_(everyone))
    connection.execute(sa.update(VOUCHERS).where(own).values(sealed=FORGOTTEN, void_reason=None))
    is_bearers = sa.and_(VOUCHERS.c.kind == "gift_card", VOUCHERS.c.origin == "sold")
    connection.execute(sa.update(VOUCHERS).where(own, is_bearers).values(member_id=None))
