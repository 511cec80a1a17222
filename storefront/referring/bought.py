"""Bought before: whether a friend turns out to be no new member, asked before anybody is paid.

Orders are told late: one of before the referral may have come since the friend was bound (SEMANTICS
F42). Nearly nobody has one, so that is found out first, by the friend's own orders and by those of
whoever has their contacts. Refuses to say which orders count: `newcomers` does, of those there are.
"""

import functools

import sqlalchemy as sa

from core import clock, db
from members.members import DIGESTS, MEMBERS
from programs.referrals import Offer
from referrals import leads
from referrals.existing import ORDER_CONTACTS, ORDERS
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring import newcomers
from storefront.referring.judged_orders import Told


def before(connection: sa.Connection, plan: Plan, referral: Row, told: Told | None) -> bool:
    """Whether the friend had bought before they were brought, by the orders that are stored but
    for the one that this unit tells."""
    values = {
        "program_id": plan.program_id,
        "friend_id": referral.friend_id,
        "before": since(referral),
        "told": "" if told is None else told.order_ref,
    }
    row = _own.first(connection, values)
    if row is None:
        return False
    email, phone, has_own = row
    if not has_own:
        known = leads.of_contact(plan.program_id, {"email": email, "phone": phone})
        digests = [(kind, digest) for kind, found in known for digest in found]
        for number, (kind, digest) in enumerate(digests):
            values |= {f"kind_{number}": kind, f"digest_{number}": digest}
        if not digests or _others(len(digests)).first(connection, values) is None:
            return False
    return newcomers.has_bought_before(
        connection, plan, referral, without=None if told is None else told.order_ref
    )


def is_told(offer: Offer, referral: Row, told: Told | None) -> bool:
    """Whether the order that this unit tells is one that the friend placed before."""
    if told is None or told.member_id != referral.friend_id:
        return False
    return told.stands and counts(offer, since(referral), told.placed_at)


def counts(offer: Offer, brought_at: int, placed_at: int) -> bool:
    """Whether an order was placed before the referral, and not longer ago than the offer looks."""
    if placed_at >= brought_at:
        return False
    return offer.lookback is None or clock.after(placed_at, offer.lookback, clock.UTC) > brought_at


def since(referral: Row) -> int:
    """The instant of a referral: the click's, else that of the binding."""
    at: int = referral.bound_at if referral.clicked_at is None else referral.clicked_at
    return at


def _own_statement() -> db.Statement:
    own = sa.exists(sa.literal_column("1")).where(
        ORDERS.c.program_id == MEMBERS.c.program_id,
        ORDERS.c.member_id == MEMBERS.c.id,
        ORDERS.c.placed_at < sa.bindparam("before"),
        ORDERS.c.order_ref != sa.bindparam("told"),
    )
    return db.Statement(
        sa.select(MEMBERS.c.email, MEMBERS.c.phone, own).where(
            MEMBERS.c.program_id == sa.bindparam("program_id"),
            MEMBERS.c.id == sa.bindparam("friend_id"),
        )
    )


_own = _own_statement()


@functools.cache
def _others(count: int) -> db.Statement:
    """Older orders of members, or told with contacts, that are known by so many digests."""

    def is_known(table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.or_(
            *(
                sa.and_(
                    table.c.kind == sa.bindparam(f"kind_{number}"),
                    table.c.digest == sa.bindparam(f"digest_{number}"),
                )
                for number in range(count)
            )
        )

    program = sa.bindparam("program_id")
    is_older = sa.and_(
        ORDERS.c.program_id == program,
        ORDERS.c.placed_at < sa.bindparam("before"),
        ORDERS.c.order_ref != sa.bindparam("told"),
    )
    one = sa.select(sa.literal_column("1"))
    return db.Statement(
        sa.union_all(
            one.select_from(DIGESTS.join(ORDERS, ORDERS.c.member_id == DIGESTS.c.member_id)).where(
                DIGESTS.c.program_id == program, is_known(DIGESTS), is_older
            ),
            one.select_from(
                ORDER_CONTACTS.join(ORDERS, ORDERS.c.order_ref == ORDER_CONTACTS.c.order_ref)
            ).where(ORDER_CONTACTS.c.program_id == program, is_known(ORDER_CONTACTS), is_older),
        ).limit(sa.literal_column("1"))
    )
