"""Bought before: whether a friend turns out to be no new member, asked before anybody is paid.

Orders are told late: one of before the referral may have come since the friend was bound (SEMANTICS
F42). Nearly nobody has one, so that is found out first, by the friend's own orders and by those of
whoever has their contacts. Refuses to say which orders count: `newcomers` does, of those there are.
"""

import functools
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db, jsontext
from members.members import DIGESTS
from programs.referrals import Offer
from referrals import leads
from referrals.attribution import CONFIRMED
from referrals.existing import ORDER_CONTACTS, ORDERS
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.attribution import newcomers
from storefront.referring.review.suspecting import Known
from storefront.referring.rewarding.judged_orders import Told

_UTC = ZoneInfo("UTC")


def before(
    connection: sa.Connection, plan: Plan, referral: Row, told: Told | None, known: Known
) -> bool:
    """Whether the friend had bought before they were brought, by the orders that are stored but
    for the one that this unit tells. Whoever placed the order that qualifies with the contact of
    somebody who had bought is the same person."""
    if _is_confirmed(referral):
        return False
    told_ref = None if told is None else told.order_ref
    is_worth_it = known.has_older
    if not is_worth_it:
        found = leads.of_contact(plan.program_id, known.contact(referral.friend_id))
        found += known.ordered
        digests = [(kind, digest) for kind, accepted in found for digest in accepted]
        values: dict[str, Any] = {
            "program_id": plan.program_id,
            "before": since(referral),
            "told": told_ref or "",
        }
        for number, (kind, digest) in enumerate(digests):
            values |= {f"kind_{number}": kind, f"digest_{number}": digest}
        is_worth_it = bool(digests) and _others(len(digests)).first(connection, values) is not None
    return is_worth_it and newcomers.has_bought_before(
        connection, plan, referral, without=told_ref, also=known.ordered
    )


def is_told(offer: Offer, referral: Row, told: Told | None) -> bool:
    """Whether the order that this unit tells is one that the friend placed before."""
    if told is None or told.member_id != referral.friend_id:
        return False
    return (
        told.stands
        and counts(offer, since(referral), told.placed_at)
        and not _is_confirmed(referral)
    )


def _is_confirmed(referral: Row) -> bool:
    """Whether staff brought the friend by hand, knowing who they are."""
    if referral.method != "manual":
        return False
    return bool(jsontext.parse(referral.evidence).get(CONFIRMED))


def counts(offer: Offer, brought_at: int, placed_at: int) -> bool:
    """Whether an order was placed before the referral, and not longer ago than the offer looks."""
    if placed_at >= brought_at:
        return False
    return offer.lookback is None or clock.after(placed_at, offer.lookback, _UTC) > brought_at


def since(referral: Row) -> int:
    """The instant of a referral: the click's, else that of the binding."""
    at: int = referral.bound_at if referral.clicked_at is None else referral.clicked_at
    return at


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

    program: sa.BindParameter[bytes] = sa.bindparam("program_id")
    is_older = sa.and_(
        ORDERS.c.program_id == program,
        ORDERS.c.placed_at < sa.bindparam("before"),
        ORDERS.c.order_ref != sa.bindparam("told"),
    )
    one: sa.ColumnElement[int] = sa.literal_column("1")
    of_members = sa.select(one).select_from(
        DIGESTS.join(ORDERS, ORDERS.c.member_id == DIGESTS.c.member_id)
    )
    of_orders = sa.select(one).select_from(
        ORDER_CONTACTS.join(ORDERS, ORDERS.c.order_ref == ORDER_CONTACTS.c.order_ref)
    )
    found = [
        of_members.where(DIGESTS.c.program_id == program, is_known(DIGESTS), is_older),
        of_orders.where(ORDER_CONTACTS.c.program_id == program, is_known(ORDER_CONTACTS), is_older),
    ]
    return db.Statement(sa.select(one).where(sa.or_(*(each.exists() for each in found))))
