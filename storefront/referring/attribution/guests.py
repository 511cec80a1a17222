"""Guests: the evidence of an order without member is kept until somebody becomes its member.

It is left twice: by the order, for whoever claims it, and by the guest's contacts, for whoever
signs up or orders with them. The contacts of every order are kept as keyed digests, so that who
bought with them is no new member. Nothing in programs without offers.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock
from referrals import existing, leads
from referrals.attribution import Candidate
from storefront.plan import Plan
from storefront.referring.attribution import evidence
from storefront.referring.attribution.evidence import Occasion
from storefront.telling import Telling

_UTC = ZoneInfo("UTC")
#: An order can become a member's so long by its token, and somebody's later; then nobody asks.
KEPT_BY_ORDER = clock.Duration(days=400)
#: A signup within the window may be told so long after it.
TOLD_LATE = clock.Duration(days=90)


def note_contact(
    connection: sa.Connection, plan: Plan, order_ref: str, body: Mapping[str, Any]
) -> None:
    """Keep by which contact an order was told; every order's, of members and of guests."""
    contact = body.get("contact")
    if not contact or not plan.live.offers or plan.is_quote:
        return
    known = leads.of_contact(plan.program_id, contact)
    existing.note_contacts(connection, plan.program_id, order_ref, known)


def leave(connection: sa.Connection, plan: Plan, telling: Telling, *, at: int) -> dict[str, Any]:
    """Keep the evidence of a guest's order placed at an instant; what is answered of it, with the
    `problems` of evidence that leads to nobody."""
    body = telling.body
    if not plan.live.offers or not evidence.is_told(body, telling) or body.get("is_history"):
        return {"referral": None, "problems": []}
    occasion = Occasion(at, "order", telling.order_ref)
    found = evidence.gather(
        connection, plan, body, occasion, telling=telling, known_by=[], is_bound=False
    )
    by_order = leads.of_order(plan.program_id, telling.order_ref)
    by_contact = leads.of_contact(plan.program_id, body.get("contact") or {})
    left = {
        (row["kind"], bytes(row["digest"]), bytes(row["link_id"]), row["touched_at"])
        for row in leads.find(connection, plan.program_id, [by_order, *by_contact], now=plan.now)
    }
    for one in found.candidates:
        if one.method == "contact" or one.link_id is None:
            continue
        for known in [by_order, *by_contact]:
            if any((known[0], digest, one.link_id, one.at) in left for digest in known[1]):
                continue
            plan.writes.insert(leads.LEADS, _row(connection, plan, one, known, at=at))
    return {"referral": None, "problems": found.problems}


def _row(
    connection: sa.Connection, plan: Plan, one: Candidate, known: leads.Known, *, at: int
) -> dict[str, Any]:
    assert one.link_id is not None
    if known[0] == leads.ORDER:
        expires_at = clock.after(at, KEPT_BY_ORDER, _UTC)
    else:
        offer = evidence.offer_of(connection, plan, one)
        over_at = one.at if offer is None else clock.after(one.at, offer.click_window, _UTC)
        expires_at = clock.after(over_at, TOLD_LATE, _UTC)
    return leads.row(
        plan.program_id,
        known,
        link_id=one.link_id,
        touched_at=one.at,
        expires_at=expires_at,
        method=one.method,
        channel=one.channel,
        version=one.version,
        switches=one.switches,
    )
