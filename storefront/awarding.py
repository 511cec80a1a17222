"""What an order makes: what stands of it is brought to what it deserves, for whom it belongs to.

Owns whose awards are taken back, since when, and what the order does to the dates of its lots.
Refuses to decide what is deserved.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from loyalty.deserved import Deserved, by_terms
from loyalty.ledger import awards, due
from loyalty.ledger.awards import Award
from loyalty.ledger.entries import Cause
from programs import versions
from programs.compiled import Compiled
from programs.kinds import ReturnPolicy
from programs.terms import parse as parse_terms
from storefront.activities import inactivity
from storefront.decide import Decided
from storefront.membership import erasure
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling, is_same_member


def undo_for_others(
    connection: sa.Connection, plan: Plan, telling: Telling, stored: StoredOrder | None
) -> list[dict[str, Any]]:
    """Take back what the order made for the member it belonged to, as the program that it was
    decided by for them allows; returns the entries made."""
    if stored is None or stored.member_id is None or is_same_member(stored, telling):
        return []
    program = plan.live
    if stored.version is not None:
        program = versions.get_compiled(
            connection, plan.program_id, stored.version, stored.switches or 0
        )
    cause, made = _cause(plan, telling, stored.decision_id), list[dict[str, Any]]()
    for award in _awards(plan, stored.id, stored.member_id, ()):
        policy = _policy(program, award)
        made += awards.bring_to(
            plan.book, 0, award, cause=cause, reversal_at=plan.now, policy=policy
        )
    return made


def _policy(program: Compiled, award: Award) -> ReturnPolicy:
    kind = program.kind(award.points_key)
    return "within_balance" if kind is None else kind.return_policy


def move_points(
    plan: Plan,
    telling: Telling,
    decided: Decided | None,
    *,
    row: Mapping[str, Any],
    decision_id: bytes,
) -> list[dict[str, Any]]:
    """Bring what stands of the order to what it deserves; returns the entries made."""
    order_id, taken_at = row["id"], reversal_at(plan, telling)
    made: list[dict[str, Any]] = []
    if decided is None or telling.member is None:
        return made
    program = decided.pinned.program
    found = by_terms(program, program.rules_of("order"), decided.earning.earned)
    deserved = {(one.points_key, one.terms): one.points for one in found}
    cause = _cause(plan, telling, decision_id)
    for award in _awards(plan, order_id, telling.member.id, found):
        points = deserved.get((award.points_key, award.terms), 0)
        if points and telling.body["status"] != "fulfilled":
            _await_fulfilment(plan, award)
        policy = "within_balance" if telling.member.is_erased else _policy(program, award)
        made += awards.bring_to(
            plan.book,
            points,
            award,
            cause=cause,
            reversal_at=taken_at,
            policy=policy,
        )
    return made


def _await_fulfilment(plan: Plan, award: Award) -> None:
    """What was wholly taken back of an order that is not fulfilled waits for that again when it is
    given back; so it ends the same whether the order was seen fulfilled before or not."""
    if award.terms.pending != "on_fulfilled":
        return
    for lot in awards.lots_of(plan.book, award):
        if lot.is_moved or lot.is_pending or lot.remaining or lot.reversed != lot.points:
            continue
        if lot.borrowed or lot.overdrawn or lot.written_off or lot.expired:
            # Some of it was spent or had expired: it was available for good.
            continue
        lot.is_pending = True
        lot.available_at = lot.expires_at = lot.notice_at = None
        plan.book.touch(lot)
        # Its dates are no longer when the account is to be looked at.
        holding = plan.book.holding(lot.member_id, lot.points_key)
        holding.due_at, holding.is_changed = due.next_due(plan.book, holding), True


def reversal_at(plan: Plan, telling: Telling) -> int:
    """Since when what is taken back is gone: refunded or cancelled then, else told now."""
    body, at = telling.body, telling.reversal_at
    if at is None and body["status"] == "cancelled":
        at = body.get("cancelled_at")
    return plan.now if at is None else min(at, plan.now)


def _awards(
    plan: Plan, order_id: bytes, member_id: bytes, deserved: Sequence[Deserved]
) -> list[Award]:
    """What the order deserves or has made for a member, by kind of points and terms."""
    keys = [(one.points_key, one.terms) for one in deserved]
    keys += [
        (lot.points_key, parse_terms(lot.terms)) for lot in plan.book.lots_of(order_id, member_id)
    ]
    return [Award(order_id, member_id, key, terms) for key, terms in dict.fromkeys(keys)]


def follow_time(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    row: Mapping[str, Any],
) -> None:
    """What the order does to dates: its points become available when it is fulfilled, those that
    live as long as the member is active live on, and what is late by now happens now."""
    if telling.member is None:
        return
    member_id, body = telling.member.id, telling.body
    if body["status"] == "fulfilled":
        at = min(body.get("fulfilled_at") or plan.now, plan.now)
        for lot in plan.book.lots_of(row["id"], member_id):
            if lot.is_pending and lot.available_at is None:
                due.activate(
                    plan.book, lot, at=max(at, lot.credited_at or lot.earned_at), now=plan.now
                )
    inactivity.follow(connection, plan, member_id)
    if telling.member.is_erased:
        erasure.forfeit(plan, member_id)
    if stored is not None and stored.member_id not in (None, member_id):
        inactivity.follow(connection, plan, stored.member_id)


def _cause(plan: Plan, telling: Telling, decision_id: bytes | None) -> Cause:
    earned_at = min(telling.body.get("paid_at") or telling.body["placed_at"], plan.now)
    return Cause("order", telling.order_ref, decision_id, plan.actor, earned_at, plan.now)
