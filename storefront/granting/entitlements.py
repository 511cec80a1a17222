"""Entitlements that rewards bring: access that was redeemed or granted, until its time is over.

Those of levels are `loyalty.tiers.showing`'s. Reads only.
"""

from typing import Any

import sqlalchemy as sa

from core import clock, db
from rewards import terms, vouchers
from rewards.carried import GRANTS, REDEMPTIONS
from rewards.terms import Terms
from storefront.plan import Plan

_redeemed = sa.select(
    sa.literal_column("0"), REDEMPTIONS.c.id, REDEMPTIONS.c.terms, REDEMPTIONS.c.captured_at
).where(
    REDEMPTIONS.c.program_id == sa.bindparam("program_id"),
    REDEMPTIONS.c.member_id == sa.bindparam("member_id"),
    REDEMPTIONS.c.kind == sa.literal_column("'access'"),
    REDEMPTIONS.c.state == sa.literal_column("'captured'"),
)
_granted = sa.select(sa.literal_column("1"), GRANTS.c.id, GRANTS.c.terms, GRANTS.c.ended_at).where(
    GRANTS.c.program_id == sa.bindparam("program_id"),
    GRANTS.c.member_id == sa.bindparam("member_id"),
    GRANTS.c.state == sa.literal_column("'used'"),
    GRANTS.c.redemption_id.is_(None),
)
_both = db.Statement(sa.union_all(_redeemed, _granted))


def of(connection: sa.Connection, plan: Plan, member_id: bytes) -> list[dict[str, Any]]:
    """What rewards entitle a member to as of now, as this unit leaves it; oldest first."""
    values = {"program_id": plan.program_id, "member_id": member_id}
    since = {
        (is_granted, bytes(row_id)): (terms.parse(text), at)
        for is_granted, row_id, text, at in _both.rows(connection, values)
    }
    carried = plan.rewards
    for redemption in carried.redemptions.values():
        since.pop((0, redemption.id), None)
        if redemption.member_id == member_id and redemption.state == "captured":
            since[0, redemption.id] = redemption.frozen, redemption.captured_at
    for grant in carried.grants.values():
        since.pop((1, grant.id), None)
        is_used = grant.state == "used" and grant.redemption_id is None
        if grant.member_id == member_id and is_used:
            since[1, grant.id] = grant.frozen, grant.ended_at
    found = sorted(since.items(), key=lambda one: (one[1][1], one[0]))
    perks = [_perk(plan, told, at) for _, (told, at) in found if told.kind == "access"]
    return [perk for perk in perks if perk is not None]


def _perk(plan: Plan, told: Terms, at: int) -> dict[str, Any] | None:
    """None where its time is over."""
    until = vouchers.ends_at(told.access_for, at, plan.live.zone)
    if until is not None and until <= plan.now:
        return None
    known = {key: name for level in plan.live.ladder.levels for key, name in level.perks}
    return {
        "perk": told.perk,
        "name": known.get(told.perk or "") or told.name or {plan.live.locales[0]: told.perk},
        "until": None if until is None else clock.format_instant(until),
        "source": f"reward:{told.reward_key}",
    }
