"""Making a code void by hand: one that was lost or sold by mistake, or what is left of a card.

What was used of it stays used. A grant that it came with is revoked for good; a redemption stays
captured, and is reversed by its own address where its points are to go back. Refuses what is only
held, what waits in its pool, and a discount that was used.
"""

from typing import Any

import sqlalchemy as sa

from core import db, ids
from core.errors import Problem, not_found
from programs import versions
from rewards import grants, redemptions, vouchers
from rewards.carried import Row
from storefront import finishing
from storefront.plan import Plan, begin
from storefront.vouchers import showing, using


def void(
    connection: sa.Connection, program_id: bytes, text: str, reason: str, *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Make a voucher void, by its code or our id; the answer and 200. Again changes nothing; 404
    for an unknown one, 409 where it cannot be."""
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    seen = find(plan, text)
    if seen is None:
        raise not_found("voucher")
    owner_id = using.owner_of(seen)
    if owner_id is not None:
        using.lock_owners(connection, program_id, [owner_id])
    voucher = vouchers.get(plan, seen.id)
    if using.owner_of(voucher) != owner_id:
        # Bound, or handed over, since we looked.
        raise db.Restart
    using.settle(connection, plan, voucher)
    if voucher.state != "void":
        _check(voucher)
        _end_grant(plan, voucher, reason)
        vouchers.void(plan, voucher)
        voucher.void_reason, voucher.void_actor = reason, actor
    answer = {"voucher": showing.of(plan, voucher)}
    finishing.write(connection, plan)
    return answer, 200


def find(plan: Plan, text: str) -> Row | None:
    """A voucher by its code in any spelling, or by our id; not locked."""
    found = vouchers.find_by_code(plan, text)
    voucher_id = ids.read_id(vouchers.PREFIX, text)
    if found is None and voucher_id is not None:
        return vouchers.peek(plan, voucher_id)
    return found


def owner_ids(connection: sa.Connection, program_id: bytes, text: str) -> list[bytes]:
    """Whom an answer about a voucher tells of."""
    live, now = versions.get_live(connection, program_id)
    found = find(begin(connection, live, now=now, is_quote=True), text)
    return [] if found is None or found.member_id is None else [found.member_id]


def _check(voucher: Row) -> None:
    if voucher.state == "pooled":
        raise _conflict("frozen", "it waits in its pool and nobody has it")
    if voucher.state == "reserved":
        shown = ids.show_id(redemptions.PREFIX, voucher.redemption_id)
        raise _conflict("frozen", f"its redemption {shown} is held: release that")
    if voucher.state == "redeemed" and not vouchers.is_stored_value(voucher):
        raise _conflict("redeemed", "it was used: release it for its order first")


def _conflict(state: str, why: str) -> Problem:
    detail = f"The code cannot be made void: {why}. Nothing changed."
    return Problem(409, "state_conflict", detail, state=state)


def _end_grant(plan: Plan, voucher: Row, reason: str) -> None:
    grant = None if voucher.grant_id is None else grants.find_by_id(plan, voucher.grant_id)
    if grant is None:
        return
    grants.settle(plan, grant)
    grant.cause, grant.reason, grant.actor = "withdrawn", reason, plan.actor
    if grant.state in grants.UNUSED:
        grants.end(plan, grant, "revoked", at=plan.now)
