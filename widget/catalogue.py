"""Rewards as their member sees them: what they cost them, whether they can have them, why not.

Leaves out what is paused or only given, unless it was given to them; how many are left (only
whether any are); and of conditions whatever speaks of what the organisation notes about members.
Refuses to judge: `storefront.redeeming` does.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from members.members import Known
from rewards.availability import CONDITION
from storefront.plan import Plan
from storefront.redeeming import catalogue
from widget.texts import Reader

Shown = dict[str, Any]

_REWARD = (
    *("key", "name", "description", "kind", "cost_points", "points_key", "discount"),
    *("min_order_minor", "needs_cart", "has_voucher", "combines", "is_available"),
    *("missing_points", "image_url", "terms", "category", "position", "grants"),
)
_REASON = ("code", "missing_points", "missing_minor", "from")
#: Facts of the organisation's own making: a member need not read how they are judged.
_INTERNAL = ("member.attributes.", "member.segments", "member.spend_rank_bp", "order.attributes.")


def of_member(connection: sa.Connection, plan: Plan, known: Known, reader: Reader) -> list[Shown]:
    """The rewards for a member whose accounts are loaded and settled, in a plan that is thrown
    away."""
    return [
        _shown(one, reader)
        for one in catalogue.of_member(connection, plan, known)
        if _is_theirs(one)
    ]


def nearest(connection: sa.Connection, plan: Plan, known: Known, reader: Reader) -> Shown | None:
    """The reward for which the fewest points are missing, and nothing but points."""
    best: Shown | None = None
    for one in catalogue.of_member(connection, plan, known):
        codes = {reason["code"] for reason in one["unavailable_reasons"]}
        is_nearer = best is None or one.get("missing_points", 0) < best["missing_points"]
        if codes == {"insufficient_points"} and is_nearer:
            best = one
    if best is None:
        return None
    fields = ("key", "kind", "cost_points", "points_key", "missing_points", "image_url")
    return {"name": reader.name(best["name"], best["key"]), **reader.only(best, fields)}


def _is_theirs(one: Mapping[str, Any]) -> bool:
    """Whether it is on offer to the member, or was given to them."""
    if one["grants"]:
        return True
    is_paused = any(reason["code"] == "paused" for reason in one["unavailable_reasons"])
    return not is_paused and one["cost_points"] is not None


def _shown(one: Mapping[str, Any], reader: Reader) -> Shown:
    reasons = one["unavailable_reasons"]
    return reader.only(one, _REWARD) | {
        "name": reader.name(one["name"], one["key"]),
        "is_in_stock": all(reason["code"] != "out_of_stock" for reason in reasons),
        "unavailable_reasons": [
            {
                **{field: reason[field] for field in _REASON if field in reason},
                "detail": reader.text(_detail(reason)),
            }
            for reason in reasons
        ],
    }


def _detail(reason: Mapping[str, Any]) -> Mapping[str, str]:
    """A reason in words; of what the organisation notes only that it is not met."""
    ways = [reason.get("missing", ()), *reason.get("alternatives", ())]
    asked = [str(one.get("fact", "")) for way in ways for one in way]
    if any(fact.startswith(_INTERNAL) for fact in asked):
        return CONDITION.text
    detail: Mapping[str, str] = reason["detail"]
    return detail
