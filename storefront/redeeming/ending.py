"""Ending redemptions: captured, released, reversed; or their time is over.

The member is found, locked and settled first, so that what has run out is so before anything else
can end it; of several ends one wins. Refuses what hangs on orders: they end what they name
themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import db, ids
from core.errors import Problem, not_found
from loyalty import reading
from loyalty.ledger.rows import HeldHold
from members import members
from members.members import Known
from programs import versions
from rewards import coupons, redemptions, spending, vouchers
from rewards.carried import REDEMPTIONS, Row
from storefront import answers, finishing
from storefront.activities import inactivity
from storefront.membership import erasure
from storefront.plan import Plan, begin
from storefront.redeeming import listing
from storefront.refunding import tender

_member_of = db.Statement(
    sa.select(REDEMPTIONS.c.member_id).where(
        REDEMPTIONS.c.program_id == sa.bindparam("program_id"),
        REDEMPTIONS.c.id == sa.bindparam("id"),
    )
)


def capture(
    connection: sa.Connection,
    program_id: bytes,
    redemption_ref: str,
    *,
    order_ref: str | None = None,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Capture what is held, by an order where one is named; the answer and 200. Again changes
    nothing; 409 when it has ended otherwise, or belongs to another order."""

    def work(plan: Plan, row: Row) -> None:
        if order_ref is not None and row.kept_by not in (None, order_ref):
            raise redemptions.conflict(row, f"captured by {order_ref}", plan.now)
        if order_ref is not None and row.kept_by is None and row.state == "captured":
            _adopt(plan, row, order_ref)
        if order_ref is not None:
            row.kept_by = order_ref
        redemptions.end(plan, row, "captured")

    return change(connection, program_id, redemption_ref, work, actor=actor)


def _adopt(plan: Plan, row: Row, order_ref: str) -> None:
    """Let what was captured by no order belong to this one; 409 where another used its code."""
    voucher = None if row.voucher_id is None else vouchers.get(plan, row.voucher_id)
    if voucher is not None and spending.is_used_elsewhere(plan, voucher, order_ref):
        raise redemptions.conflict(row, f"captured by {order_ref}", plan.now)
    row.kept_by = order_ref
    coupons.captured(plan, row)


def release(
    connection: sa.Connection, program_id: bytes, redemption_ref: str, *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Give up what is held; the answer and 200. Again changes nothing; 409 while an order keeps
    it."""

    def work(plan: Plan, row: Row) -> None:
        if row.state == "held" and row.kept_by is not None:
            raise _kept(row)
        redemptions.end(plan, row, "released")

    return change(connection, program_id, redemption_ref, work, actor=actor)


def _kept(row: Row) -> Problem:
    return Problem(
        409,
        "state_conflict",
        f"Order {row.kept_by} keeps the redemption: tell that order cancelled, or without the "
        "redemption. Nothing changed.",
        state="held",
    )


def reverse(
    connection: sa.Connection,
    program_id: bytes,
    redemption_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Undo what was captured; the answer and 200. Again changes nothing."""

    def work(plan: Plan, row: Row) -> None:
        redemptions.reverse(plan, row, policy=body["policy"], reason=body["reason"])

    return change(connection, program_id, redemption_ref, work, actor=actor)


def subjects(program_id: bytes, redemption_ref: str) -> Callable[[sa.Connection], list[bytes]]:
    """Whom a redemption is about: for what is kept and must go when they are erased."""

    def find(connection: sa.Connection) -> list[bytes]:
        found = _owner_id(connection, program_id, redemption_ref)
        return [] if found is None else [found]

    return find


def _owner_id(connection: sa.Connection, program_id: bytes, redemption_ref: str) -> bytes | None:
    redemption_id = ids.read_id(redemptions.PREFIX, redemption_ref)
    if redemption_id is None:
        return None
    row = _member_of.first(connection, {"program_id": program_id, "id": redemption_id})
    return None if row is None else bytes(row[0])


@dataclass(slots=True)
class _Taken:
    """A redemption taken up for a change: who it belongs to by now, and the hold behind it."""

    plan: Plan
    row: Row
    owner: Known
    held: HeldHold | None


def change(
    connection: sa.Connection,
    program_id: bytes,
    redemption_ref: str,
    work: Callable[[Plan, Row], None],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Do something to a redemption under its member's lock, after what fell due of them; how it
    is then, and 200."""
    taken = _take_up(connection, program_id, redemption_ref, actor=actor)
    plan, owner = taken.plan, taken.owner
    work(plan, taken.row)
    _follow(connection, taken)
    if owner.is_erased:
        erasure.forfeit(plan, owner.id)
    answer = {
        "redemption": listing.show(plan, taken.row, None if owner.is_erased else owner.member_ref),
        "balances": answers.balances(plan, owner.id),
    }
    finishing.write(connection, plan)
    return answer, 200


def _take_up(
    connection: sa.Connection, program_id: bytes, redemption_ref: str, *, actor: str | None
) -> _Taken:
    """A redemption under its member's lock, after what fell due of that member; 404 when it is
    unknown."""
    seen = _owner_id(connection, program_id, redemption_ref)
    if seen is None:
        raise not_found("redemption")
    owner = members.lock_ids(connection, program_id, [seen]).get(seen)
    assert owner is not None
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    row = redemptions.find(plan, redemption_ref)
    assert row is not None
    if row.member_id != seen:
        # Merged since we looked.
        raise db.Restart
    held = reading.find_hold(connection, program_id, redemption_ref) if row.points else None
    for member_id in _concerned(owner, row, held):
        plan.book.load(reading.read_holdings(connection, program_id, member_id))
        plan.settle(member_id)
    if held is not None:
        held = plan.book.take_up(held)
    redemptions.settle(plan, row)
    return _Taken(plan, row, owner, held)


def _concerned(owner: Known, row: Row, held: HeldHold | None) -> list[bytes]:
    """Whose accounts a change touches: points that a member spent before they were merged are in
    the books of the one they were."""
    found = [row.member_id, owner.id]
    if held is not None:
        found.append(held.member_id)
    return list(dict.fromkeys(found))


def _follow(connection: sa.Connection, taken: _Taken) -> None:
    """What points that moved bring: activity begins or ends, and what came back to a member who
    was merged goes on to whom that is now."""
    plan, held = taken.plan, taken.held
    if held is None:
        return
    inactivity.follow(connection, plan, held.member_id)
    if held.member_id != taken.owner.id:
        tender.hand_on(plan, held, taken.owner.id)
        plan.settle(taken.owner.id)
