"""Referrals of a person who is erased: nobody is left to be paid, and nothing tells of them.

Their links lead nowhere, what they were still to get is lost, and what they were known by is
forgotten. Whoever is on the other side of a referral is paid as if nothing had happened. Refuses
to touch what was paid: points and grants end as all others of theirs do.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from members.members import MEMBERS
from orders.models import Order
from referrals import leads, links, referrals
from referrals.carried import REFERRALS, SIDES
from referrals.models import (
    HouseholdTrust,
    Lead,
    OrderContact,
    Trace,
)
from rewards.carried import Row
from storefront.plan import Plan

TRACES: sa.Table = Trace.__table__  # type: ignore[assignment]
TRUSTS: sa.Table = HouseholdTrust.__table__  # type: ignore[assignment]
LEADS: sa.Table = Lead.__table__  # type: ignore[assignment]
ORDER_CONTACTS: sa.Table = OrderContact.__table__  # type: ignore[assignment]
ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]

#: What somebody may still be paid from.
_OPEN = ("identified", "qualified", "on_hold", "in_review")
_UNPAID = ("waiting", "capped")


def _changing(program_id: bytes, everyone: Sequence[bytes]) -> sa.ColumnElement[bool]:
    """Referrals of which a side of the person is still to be paid."""
    of_side = sa.select(SIDES.c.referral_id).where(
        SIDES.c.program_id == program_id,
        SIDES.c.member_id.in_(everyone),
        SIDES.c.state.in_(_UNPAID),
    )
    is_theirs = sa.or_(REFERRALS.c.friend_id.in_(everyone), REFERRALS.c.advocate_id.in_(everyone))
    is_open = sa.and_(REFERRALS.c.is_bound, REFERRALS.c.state.in_(_OPEN))
    return sa.and_(
        REFERRALS.c.program_id == program_id,
        sa.or_(sa.and_(is_theirs, is_open), REFERRALS.c.id.in_(of_side)),
    )


def parties(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> set[bytes]:
    """The members whose locks an erasure needs besides: those of every referral that changes. Read
    without locks, so that all can be locked at once."""
    rows = connection.execute(
        sa.select(REFERRALS.c.id, REFERRALS.c.friend_id, REFERRALS.c.advocate_id).where(
            _changing(program_id, everyone)
        )
    ).all()
    found = {bytes(one) for row in rows for one in (row.friend_id, row.advocate_id)}
    if rows:
        others = sa.select(SIDES.c.member_id).where(
            SIDES.c.program_id == program_id,
            SIDES.c.referral_id.in_([bytes(row.id) for row in rows]),
        )
        found |= {bytes(one) for one in connection.execute(others).scalars()}
    return found - set(everyone)


def give_up(connection: sa.Connection, plan: Plan, everyone: Sequence[bytes]) -> None:
    """Let every side that the person was still to be paid be lost. Everybody concerned is
    locked."""
    plan.referrals.locked |= {*everyone, *parties(connection, plan.program_id, everyone)}
    changing = connection.execute(
        sa.select(REFERRALS.c.id).where(_changing(plan.program_id, everyone))
    ).scalars()
    for referral_id in sorted(bytes(one) for one in changing):
        row = referrals.find(plan, referral_id)
        assert row is not None
        for name, member_id in (("advocate", row.advocate_id), ("friend", row.friend_id)):
            if member_id in everyone and row.is_bound and row.state in _OPEN:
                # One that waits without a row has one now, so that it is never paid.
                referrals.side(plan, row, name, member_id)
        _lose(plan, row, everyone)


def _lose(plan: Plan, referral: Row, everyone: Iterable[bytes]) -> None:
    gone = set(everyone)
    for side in list(plan.referrals.sides_of(referral.id)):
        if side.member_id in gone and side.state in _UNPAID:
            referrals.move_side(
                plan, referral, side, "lost", cause="erasure", reason="ERASED", at=plan.now
            )


def forget(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    """Close the person's links and forget what they were known by. Before their row is emptied:
    leads are found by their contacts."""
    links.forget(connection, program_id, everyone)
    for table, columns in (
        (TRACES, (TRACES.c.member_id,)),
        (TRUSTS, (TRUSTS.c.first_id, TRUSTS.c.second_id)),
    ):
        connection.execute(
            sa.delete(table).where(
                table.c.program_id == program_id,
                sa.or_(*(column.in_(everyone) for column in columns)),
            )
        )
    _forget_contacts(connection, program_id, everyone)


def _forget_contacts(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    """Leads of their contacts and orders, and the contacts that their orders were told with."""
    orders = connection.execute(
        sa.select(ORDERS.c.order_ref).where(
            ORDERS.c.program_id == program_id, ORDERS.c.member_id.in_(everyone)
        )
    ).scalars()
    order_refs = list(orders)
    rows = connection.execute(
        sa.select(MEMBERS.c.email, MEMBERS.c.phone).where(
            MEMBERS.c.program_id == program_id, MEMBERS.c.id.in_(everyone)
        )
    )
    known = [one for row in rows.mappings() for one in leads.of_contact(program_id, dict(row))]
    known += [leads.of_order(program_id, ref) for ref in order_refs]
    for kind, digests in known:
        connection.execute(
            sa.delete(LEADS).where(
                LEADS.c.program_id == program_id, LEADS.c.kind == kind, LEADS.c.digest.in_(digests)
            )
        )
    connection.execute(
        sa.delete(ORDER_CONTACTS).where(
            ORDER_CONTACTS.c.program_id == program_id, ORDER_CONTACTS.c.order_ref.in_(order_refs)
        )
    )
