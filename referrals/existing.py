"""Who is new: whether somebody had bought before they were brought (SEMANTICS F42).

A person is whoever has the same canonical contact, among members and in orders, told by us or by
the shop's history. Owns `order_contacts`. Refuses to keep a contact: keyed digests alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, jsontext, rawsql
from members.members import CLAIMS, DIGESTS
from orders.models import Order, OrderRefund
from referrals import leads
from referrals.carried import REFERRALS
from referrals.models import OrderContact

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
REFUNDS: sa.Table = OrderRefund.__table__  # type: ignore[assignment]
ORDER_CONTACTS: sa.Table = OrderContact.__table__  # type: ignore[assignment]
_UTC = ZoneInfo("UTC")
_PAID = ("paid", "fulfilled")
#: So many orders that fell are looked at, the latest ones.
_FALLEN_MAX = 50


@dataclass(frozen=True, slots=True)
class Person:
    """A friend and everybody who has their contacts: members, orders, whoever was erased."""

    member_id: bytes
    member_ids: tuple[bytes, ...]
    order_refs: tuple[str, ...]
    is_remembered: bool


def find_person(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    known: list[leads.Known],
    *,
    now: int,
) -> Person:
    """Who a member is by their contacts."""
    if not known:
        return Person(member_id, (member_id,), (), False)
    members = connection.execute(
        sa.select(DIGESTS.c.member_id)
        .distinct()
        .where(
            DIGESTS.c.program_id == program_id,
            leads.is_known(DIGESTS.c.kind, DIGESTS.c.digest, known),
        )
    ).scalars()
    refs = connection.execute(
        sa.select(ORDER_CONTACTS.c.order_ref)
        .distinct()
        .where(
            ORDER_CONTACTS.c.program_id == program_id,
            leads.is_known(ORDER_CONTACTS.c.kind, ORDER_CONTACTS.c.digest, known),
        )
    ).scalars()
    # Somebody of this contact was erased, and is remembered so that nobody is welcomed twice.
    tombstone = connection.execute(
        sa.select(CLAIMS.c.ends_at)
        .where(
            CLAIMS.c.program_id == program_id,
            leads.is_known(CLAIMS.c.kind, CLAIMS.c.digest, known),
            CLAIMS.c.member_id.is_(None),
            CLAIMS.c.ends_at > now,
        )
        .limit(1)
    ).first()
    found = {member_id, *map(bytes, members)}
    return Person(member_id, tuple(sorted(found)), tuple(sorted(refs)), tombstone is not None)


def is_referred(connection: sa.Connection, program_id: bytes, person: Person) -> bool:
    """Whether the same person was brought before, as another member."""
    others = [one for one in person.member_ids if one != person.member_id]
    if not others:
        return False
    found = connection.execute(
        sa.select(REFERRALS.c.id)
        .where(
            REFERRALS.c.program_id == program_id,
            REFERRALS.c.friend_id.in_(others),
            REFERRALS.c.is_bound,
        )
        .limit(1)
    )
    return found.first() is not None


def has_bought(
    connection: sa.Connection,
    program_id: bytes,
    person: Person,
    *,
    before: int,
    lookback: clock.Duration | None,
    without: str | None = None,
) -> bool:
    """Whether the person had a paid order before an instant, not longer ago than `lookback`;
    `without` is the order that is being told. One that was wholly refunded or cancelled by then
    does not count; one that fell later does."""
    if person.is_remembered:
        return True
    of_person = sa.and_(
        ORDERS.c.program_id == program_id,
        sa.or_(
            ORDERS.c.member_id.in_(person.member_ids),
            ORDERS.c.order_ref.in_(person.order_refs) if person.order_refs else sa.false(),
        ),
        ORDERS.c.placed_at < before,
        sa.true() if without is None else ORDERS.c.order_ref != without,
    )
    latest = connection.execute(
        sa.select(sa.func.max(ORDERS.c.placed_at)).where(of_person, ORDERS.c.stands)
    ).scalar()
    if latest is not None and _counts(latest, before, lookback):
        return True
    rows = connection.execute(
        sa.select(ORDERS.c.order_ref, ORDERS.c.placed_at, ORDERS.c.snapshot)
        .where(of_person, sa.not_(ORDERS.c.stands))
        .order_by(ORDERS.c.placed_at.desc())
        .limit(_FALLEN_MAX)
    ).all()
    return any(
        _counts(placed_at, before, lookback)
        and _fell_at(connection, program_id, ref, jsontext.parse(snapshot)) >= before
        for ref, placed_at, snapshot in rows
    )


def _counts(placed_at: int, before: int, lookback: clock.Duration | None) -> bool:
    return lookback is None or clock.after(placed_at, lookback, _UTC) > before


def _fell_at(connection: sa.Connection, program_id: bytes, order_ref: str, body: Any) -> int:
    """When an order that was paid stood no longer; the beginning of time for one that never was
    paid, or of which nobody said when."""
    if body["status"] == "cancelled":
        return (body.get("cancelled_at") or 0) if body.get("paid_at") else 0
    if body["status"] not in _PAID:
        return 0
    refunded_at = connection.execute(
        sa.select(sa.func.max(REFUNDS.c.refunded_at)).where(
            REFUNDS.c.program_id == program_id,
            REFUNDS.c.order_ref == order_ref,
            REFUNDS.c.status == "succeeded",
        )
    ).scalar()
    return refunded_at or 0


def note_contacts(
    connection: sa.Connection, program_id: bytes, order_ref: str, known: Sequence[leads.Known]
) -> None:
    """Keep by which contacts an order was told, once."""
    mark = rawsql.mark(connection.dialect.name)
    sql = (
        "INSERT INTO order_contacts (program_id, kind, digest, order_ref)"
        f" VALUES ({mark}1, {mark}2, {mark}3, {mark}4) ON CONFLICT DO NOTHING"
    )
    for kind, digests in known:
        rawsql.later(connection, sql, [program_id, kind, digests[0], order_ref])
