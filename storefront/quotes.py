"""Quotes: the same decision as an order's, thrown away. Writes nothing, draws nothing."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import db
from core.errors import FieldError, invalid
from loyalty.tiers import Contribution
from members import members
from members.members import Known
from orders import figures
from programs import versions
from storefront import answers, decide, levels, orders, standing
from storefront.plan import Plan, begin
from storefront.telling import Telling, item_of

#: No stored order can have this reference: it is not printable.
_NO_ORDER = "\x01"
_NOBODY = Known(bytes(16), "", is_enrolled=False, joined_at=0, locale=None, attributes={})


def quote(program_id: bytes, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a cart would earn if it were ordered and paid at `at` (now when absent)."""
    return db.reading(lambda connection: _quote(connection, program_id, body))


def _quote(connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]) -> dict[str, Any]:
    live, now = versions.get_live(connection, program_id)
    at = min(body.get("at") or now, now)
    cart = {**body["cart"], "placed_at": at, "paid_at": at, "status": "paid", "is_history": False}
    figures.check(cart, currency=live.currency, pointer="/cart")
    ref = body.get("member_ref")
    member = None
    if ref is not None:
        member = members.find(connection, program_id, ref)
        if member is None and not live.auto_enrol:
            raise invalid(
                [FieldError("/member_ref", "unknown_member", "no member has this reference")]
            )
        if member is None:
            member = Known(bytes(16), ref, True, at, None, {})
    telling = Telling(_NO_ORDER, cart, member=member or _NOBODY)
    telling.item = item_of(telling, live, now)
    [read] = standing.read(connection, program_id, [telling.item])
    plan = begin(connection, live, now=now)
    plan.book.load(read.holdings)
    if member is not None:
        plan.settle(member.id)
    pinned = orders.pinned_of(connection, plan, telling, read)
    order = decide.figure(live, cart)
    decided = decide.decide_order(
        pinned,
        cart,
        order=order,
        stands=decide.is_standing("paid", order),
        is_first=orders.takes_first(plan, telling, read),
        is_history=False,
    )
    tier = None
    if member is not None:
        own = Contribution(at, decided.spend_minor, decided.qualifying_points)
        tier = _tier_after(plan, telling, read, own)
    return {
        "earned": answers.awards(plan, decided, earned_at=at),
        "tier": tier,
        "pay_with_points": None,
        "rewards": [],
        "codes": [
            {"code": code, "is_valid": False, "reason": "NOT_FOUND"}
            for code in cart.get("codes") or ()
        ],
        "missing": [],
    }


def _tier_after(plan: Plan, telling: Telling, read: Any, own: Contribution) -> dict[str, Any]:
    """The tier as it would be after the order, with the change it would bring."""
    assert telling.member is not None
    change = levels.advance(plan, telling.member.id, read, own)
    return answers.tier_now(plan, telling.member.id, read, own, change)
