"""Fulfilling: what staff does about what is to be sent, and how they see it.

Cancelling what was not delivered reverses its redemption: points go back, a grant is open again.
Refuses states that do not follow (`rewards.fulfilments`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import invalid_at, not_found
from loyalty.ledger.holds import GRACE
from members import members
from members.members import MEMBERS
from rewards import discounts, fulfilments, grants, redemptions, terms
from rewards.carried import FULFILMENTS, REDEMPTIONS, Row
from storefront.plan import Plan
from storefront.redeeming import ending

_C = FULFILMENTS.c


def change(
    connection: sa.Connection,
    program_id: bytes,
    fulfilment_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> dict[str, Any]:
    """Set what staff tells of a fulfilment; how it is then. Again changes nothing."""
    if "policy" in body and body.get("state") != "cancelled":
        raise invalid_at("/policy", "is only for a fulfilment that is cancelled")
    seen = _find(connection, program_id, fulfilment_ref)

    def work(plan: Plan, redemption: Row) -> None:
        row = fulfilments.find_of(plan, redemption)
        assert row is not None
        was = row.state
        fulfilments.change(plan, row, body)
        if "cost_minor" in body:
            redemption.cost_minor = body["cost_minor"]
        if row.state == "cancelled" and was != "cancelled":
            _give_back(plan, redemption, policy=body.get("policy", "strict"))

    redemption_ref = ids.show_id(redemptions.PREFIX, bytes(seen.redemption_id))
    ending.change(connection, program_id, redemption_ref, work, actor=actor)
    return get(connection, program_id, fulfilment_ref)


def _give_back(plan: Plan, redemption: Row, *, policy: Any) -> None:
    """Reverse the redemption; a grant whose date is over meanwhile has as long as points have."""
    redemptions.reverse(plan, redemption, policy=policy, reason="fulfilment cancelled")
    if redemption.grant_id is None or policy != "grace":
        return
    grant = grants.find_by_id(plan, redemption.grant_id)
    if grant is not None and grants.state_of(grant, plan.now) == "lapsed":
        zone = plan.live.zone
        last = clock.step(clock.local_date(plan.now, zone), GRACE)
        grant.expires_at = grant.due_at = clock.end_of_day(last, zone)


def get(connection: sa.Connection, program_id: bytes, fulfilment_ref: str) -> dict[str, Any]:
    """One fulfilment with its log; 404 when unknown."""
    found = _find(connection, program_id, fulfilment_ref)
    changes = fulfilments.CHANGES
    rows = connection.execute(
        sa.select(changes)
        .where(changes.c.program_id == program_id, changes.c.fulfilment_id == found.id)
        .order_by(changes.c.id)
    )
    log = [
        {
            "state": row.state,
            "note": row.note,
            "actor": row.actor,
            "recorded_at": clock.format_instant(row.recorded_at),
        }
        for row in rows
    ]
    return _shown(found) | {"changes": log}


def _find(connection: sa.Connection, program_id: bytes, fulfilment_ref: str) -> Any:
    fulfilment_id = ids.read_id(fulfilments.PREFIX, fulfilment_ref)
    found = [] if fulfilment_id is None else _read(connection, program_id, [_C.id == fulfilment_id])
    if not found:
        raise not_found("fulfilment")
    return found[0]


def find_all(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of fulfilments, oldest first; 404 when they are asked of an unknown member."""
    where: list[sa.ColumnElement[bool]] = []
    if "member_ref" in query:
        where.append(_C.member_id == members.get(connection, program_id, query["member_ref"]).id)
    if "state" in query:
        where.append(_C.state == query["state"])
    cursor = paging.read_cursor(query.get("cursor"), [str])
    if cursor:
        where.append(_C.id > paging.read_id(fulfilments.PREFIX, cursor[0]))
    limit = query["limit"]
    rows = _read(connection, program_id, where, limit=limit + 1)
    return paging.page(
        rows, limit, key=lambda row: [ids.show_id(fulfilments.PREFIX, bytes(row.id))], show=_shown
    )


def _read(
    connection: sa.Connection,
    program_id: bytes,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    limit: int = 1,
) -> list[Any]:
    """Rows with what they are for and whose they are, oldest first."""
    is_its = sa.and_(MEMBERS.c.program_id == _C.program_id, MEMBERS.c.id == _C.member_id)
    is_for = sa.and_(
        REDEMPTIONS.c.program_id == _C.program_id, REDEMPTIONS.c.id == _C.redemption_id
    )
    statement = (
        sa.select(
            FULFILMENTS,
            REDEMPTIONS.c.terms,
            REDEMPTIONS.c.cost_minor,
            MEMBERS.c.member_ref,
            MEMBERS.c.erased_at,
        )
        .join(MEMBERS, is_its)
        .join(REDEMPTIONS, is_for)
        .where(_C.program_id == program_id, *where)
        .order_by(_C.id)
        .limit(limit)
    )
    return list(connection.execute(statement).all())


def _shown(row: Any) -> dict[str, Any]:
    promised = terms.parse(row.terms)
    cost = promised.estimated_cost_minor if row.cost_minor is None else row.cost_minor
    return {
        "id": ids.show_id(fulfilments.PREFIX, bytes(row.id)),
        "member_ref": None if row.erased_at is not None else row.member_ref,
        "redemption_id": ids.show_id(redemptions.PREFIX, bytes(row.redemption_id)),
        "reward": row.reward_key,
        "discount": discounts.shown(promised),
        "state": row.state,
        "carrier": row.carrier,
        "tracking": row.tracking,
        "note": row.note,
        "cost_minor": cost,
        "requested_at": clock.format_instant(row.requested_at),
        "shipped_at": _instant(row.shipped_at),
        "delivered_at": _instant(row.delivered_at),
        "cancelled_at": _instant(row.cancelled_at),
        "updated_at": clock.format_instant(row.updated_at),
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)
