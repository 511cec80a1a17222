"""Leads: evidence that a guest came with, kept until they become a member.

A lead is found by a keyed digest of the guest's contact, or of the order that they placed; neither
says who they are. It is forgotten at its end, used or not. Refuses to judge: whether it still
counts is for whoever attributes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from members import contacts
from referrals.models import Lead

LEADS: sa.Table = Lead.__table__  # type: ignore[assignment]
#: The kind of what is found by an order; the others are kinds of contacts.
ORDER = "order"
CONTACTS = ("email", "phone")

#: A kind and the digests under every accepted key, the current one first.
Known = tuple[str, list[bytes]]


def of_contact(program_id: bytes, told: Mapping[str, Any]) -> list[Known]:
    """What the contacts that somebody told are known by; one in no canonical form is none."""
    found = []
    for kind in CONTACTS:
        text = told.get(kind)
        value = contacts.canonical(kind, text) if text else None
        if value is not None:
            found.append((kind, contacts.digests(program_id, kind, value)))
    return found


def of_order(program_id: bytes, order_ref: str) -> Known:
    """What an order is known by."""
    return ORDER, contacts.digests(program_id, ORDER, order_ref)


def is_known(
    column_kind: sa.ColumnElement[str], column_digest: sa.ColumnElement[bytes], known: list[Known]
) -> sa.ColumnElement[bool]:
    """The condition that a row is of somebody who is known by one of these."""
    return sa.or_(
        sa.false(),
        *(sa.and_(column_kind == kind, column_digest.in_(digests)) for kind, digests in known),
    )


def find(
    connection: sa.Connection, program_id: bytes, known: list[Known], *, now: int
) -> Sequence[sa.RowMapping]:
    """The leads of whoever is known by one of these, in the order in which they were left."""
    if not known:
        return ()
    return (
        connection.execute(
            sa.select(LEADS)
            .where(
                LEADS.c.program_id == program_id,
                is_known(LEADS.c.kind, LEADS.c.digest, known),
                LEADS.c.expires_at > now,
            )
            .order_by(LEADS.c.id)
        )
        .mappings()
        .all()
    )


def row(
    program_id: bytes,
    known: Known,
    *,
    link_id: bytes,
    touched_at: int,
    expires_at: int,
    **more: Any,
) -> dict[str, Any]:
    """A new lead; `more` is its method, channel, version and switches."""
    kind, digests = known
    return {
        "program_id": program_id,
        "id": ids.new_id(),
        "kind": kind,
        "digest": digests[0],
        "link_id": link_id,
        "touched_at": touched_at,
        "expires_at": expires_at,
        **more,
    }
