"""Bringing: the cash that a source owes follows what its rules say it deserves now.

As points and grants do, before an export as after it: what was exported and is not deserved any
more is owed back, and comes off what is exported next. A program whose rules owe no cash costs no
statement here. Refuses to decide what is deserved.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from loyalty.earning import Earning
from programs import versions
from programs.compiled import Compiled
from programs.rules import Rule
from rewards import payables
from rewards.payables import Origin
from rules.effects import Payable
from storefront import awarding
from storefront.decide import Decided
from storefront.granting.giving import Origin as Given
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling, is_same_member


def concern(rules: Iterable[Rule]) -> bool:
    """Whether what was decided by these rules can have to do with cash at all."""
    return any(isinstance(rule.effect, Payable) for rule in rules)


def concern_at_all(program: Compiled) -> bool:
    """The same of any rules that a version has."""
    return any(concern(rules) for rules in program.rules.values())


def bring(
    plan: Plan, member_id: bytes, origin: Origin, *, earning: Earning, is_new: bool, taken_at: int
) -> bool:
    """Bring what a source owes a member to what was found to be deserved; whether anything
    changed."""
    if plan.is_quote:
        return False
    return payables.bring(
        plan, member_id, origin, wanted=earning.payables, is_new=is_new, taken_at=taken_at
    )


def follow_order(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    row: Mapping[str, Any],
    decided: Decided | None,
    decision_id: bytes,
) -> bool:
    """Bring the cash that an order owes to what it deserves, for the member it had and the one it
    has. Whether anything changed for the one it has."""
    _undo_for_others(connection, plan, telling, stored)
    member = telling.member
    if decided is None or member is None or member.is_erased:
        return False
    if not concern(decided.pinned.program.rules_of("order")):
        return False
    at = min(telling.body.get("paid_at") or row["placed_at"], plan.now)
    return bring(
        plan,
        member.id,
        Given("order", telling.order_ref, row["id"], at, decision_id),
        earning=decided.earning,
        is_new=stored is None,
        taken_at=awarding.reversal_at(plan, telling),
    )


def _undo_for_others(
    connection: sa.Connection, plan: Plan, telling: Telling, stored: StoredOrder | None
) -> None:
    """Whoever the order belonged to before is owed nothing for it; no decision of theirs says
    so."""
    if stored is None or stored.member_id is None or is_same_member(stored, telling):
        return
    program = plan.live
    if stored.version is not None:
        program = versions.get_compiled(
            connection, plan.program_id, stored.version, stored.switches or 0
        )
    if concern(program.rules_of("order")):
        origin = Given("order", telling.order_ref, stored.id, plan.now)
        bring(plan, stored.member_id, origin, earning=Earning(), is_new=False, taken_at=plan.now)
