"""Bringing: the grants of a source follow what its rules say it deserves now.

As awards do: given once, revoked while unused when they are no longer deserved, and back again
with the same code when they are. What was used stays, and is never given twice: neither to whoever
has its order next, nor anew by a rule that gives once, whose limits it still takes of
(SEMANTICS A8). What is left of a card goes and comes with its cause. A program that grants nothing
costs no statement here. Refuses to decide what is deserved.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import jsontext
from loyalty.earning import Earning
from programs import versions
from programs.compiled import Compiled
from programs.rules import Rule
from rewards import grants, stock, vouchers
from rewards.carried import Row
from rules.effects import GrantReward
from rules.limits import Kept
from rules.outcomes import Outcome
from storefront import limiting
from storefront.decide import Decided
from storefront.granting import giving
from storefront.granting.giving import By, Origin, Refusal
from storefront.plan import Plan
from storefront.standing import StoredOrder
from storefront.telling import Telling, is_same_member

_BEFORE = Refusal(
    "limit_reached", None, "it could not be given when it was deserved for the first time"
)
_USED_BY_OTHER = Refusal(
    "already_paid", None, "whoever had this before has used what it gave, which stays used"
)
_USED_OF_FIRST = Refusal(
    "already_paid", None, "what it gave for a first order that fell since was used, and stays used"
)
_USED_OF_LIMIT = Refusal(
    "limit_reached", None, "what it gave for something that fell since was used, and still counts"
)

#: The fact by which a rule gives once to a member, as long as that stands.
_FIRST = "order.is_first"


def concern(program: Compiled, rules: Sequence[Rule]) -> bool:
    """Whether what was decided by these rules can have to do with grants at all."""
    return bool(program.catalogue.rewards) and any(
        isinstance(rule.effect, GrantReward) for rule in rules
    )


def concern_at_all(program: Compiled) -> bool:
    """The same of any rules that a version has."""
    return bool(program.catalogue.rewards) and any(
        concern(program, rules) for rules in program.rules.values()
    )


def bring(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    origin: Origin,
    *,
    program: Compiled,
    earning: Earning,
    is_new: bool,
    refused: Collection[str] = (),
    frozen_until: int | None = None,
    claims_at: int | None = None,
) -> bool:
    """Bring a source's grants for a member to what was found to be deserved; what cannot be given
    is taken out of that, with the reason, and so it is with what was `refused` by these rules
    before. `frozen_until` is until when what is unused only rests that is not deserved for now;
    `claims_at` is as of when limits are taken, if not of when it happened. Whether anything
    changed."""
    if plan.is_quote:
        return False
    if is_new:
        plan.rewards.read_sources.add(origin.id)
    everyone = grants.read_of(plan, origin.id)
    own = [one for one in everyone if one.member_id == member_id]
    grants.lock(plan, own)
    for row in own:
        grants.settle(plan, row)
    for rule, reward_key in list(earning.grants.items()):
        of_rule = [one for one in everyone if one.rule == rule]
        known = [one for one in of_rule if one.member_id == member_id]
        refusal = _used_by_other(of_rule, member_id)
        if refusal is not None:
            pass
        elif known:
            refusal = _keep(connection, plan, known)
        elif found := _used_before(
            plan, member_id, origin, program, rule, at=claims_at or origin.at
        ):
            refusal = found
        elif rule in refused:
            refusal = _BEFORE
        else:
            by = By(rule, program.edition, max((one.number for one in of_rule), default=0) + 1)
            # As it is by now; as it was when it was decided, where it is gone since.
            reward = plan.live.catalogue.find(reward_key) or program.catalogue.find(reward_key)
            assert reward is not None
            given = giving.give(connection, plan, member_id, reward, origin=origin, by=by)
            refusal = given if isinstance(given, Refusal) else None
        if refusal is not None:
            _refuse(plan, member_id, earning, rule, refusal)
    for row in own:
        if row.rule not in earning.grants:
            _take_back(plan, row, frozen_until=frozen_until)
    return any(one.is_changed for one in grants.known_of(plan, origin.id))


def _used_by_other(of_rule: Sequence[Row], member_id: bytes) -> Refusal | None:
    """What a rule gave for this was used by the member it belonged to before: it is gone, whoever
    has it now."""
    users = {one.member_id for one in of_rule if one.state == "used"}
    return _USED_BY_OTHER if users and member_id not in users else None


def _used_before(
    plan: Plan, member_id: bytes, origin: Origin, program: Compiled, key: str, *, at: int
) -> Refusal | None:
    """What a rule that gives once, or so many times, gave for what fell since was used: that place
    stays taken."""
    rule = next(one for rules in program.rules.values() for one in rules if one.key == key)
    is_of_first = _FIRST in rule.when.facts
    is_shared = any(limit.per == "program" for limit in rule.limits)
    if not (is_of_first or limiting.counted(rule)):
        return None
    fallen = grants.fallen(plan, key, member_id, is_of_all=is_shared)
    if not fallen:
        return None
    if is_of_first and any(one.member_id == member_id for one in fallen):
        return _USED_OF_FIRST
    is_left = limiting.leaves_once(
        plan,
        program,
        rule,
        member_id=member_id,
        at=at,
        source_id=origin.id,
        fallen=[(one.member_id, one.granted_at) for one in fallen],
    )
    return None if is_left else _USED_OF_LIMIT


def _keep(connection: sa.Connection, plan: Plan, known: Sequence[Row]) -> Refusal | None:
    """What is deserved was given before: it stands, or stands again. Of several, which members
    had who are one by now, one stands."""
    first, *others = sorted(known, key=_by_standing)
    for row in others:
        _take_back(plan, row, frozen_until=None)
    if first.cause == "withdrawn" or first.state in ("open", "used", "lapsed"):
        if first.cause == "fell":
            first.cause = "stands"
            grants.give_rest(plan, first)
        return None
    return _stand_again(connection, plan, first)


def _by_standing(row: Row) -> tuple[int, int]:
    order = ("used", "open", "frozen", "lapsed", "revoked")
    return (order.index(row.state), row.number)


def _stand_again(connection: sa.Connection, plan: Plan, row: Row) -> Refusal | None:
    """The same grant with the same code comes back, with its date; lapsed where that is over."""
    if row.expires_at is not None and row.expires_at <= plan.now:
        row.state, row.cause, row.ended_at = "lapsed", "stands", row.expires_at
        return None
    refusal = giving.take_stock(connection, plan, row, stock.first_of(plan, row))
    if refusal is not None:
        return refusal
    row.state, row.cause, row.ended_at, row.due_at = "open", "stands", None, row.expires_at
    if row.voucher_id is not None:
        voucher = vouchers.get(plan, row.voucher_id)
        vouchers.thaw(plan, voucher)
        vouchers.revive(plan, voucher, "active")
        if voucher.uses:
            # Of a card: all that was taken of it went back.
            grants.use(plan, row)
    giving.use_access(row)
    return None


def _take_back(plan: Plan, row: Row, *, frozen_until: int | None) -> None:
    """Its cause stands no longer: what is unused goes with it, or rests until then."""
    if row.cause == "withdrawn":
        return
    row.cause = "fell"
    is_resting = frozen_until is not None and frozen_until > plan.now
    if grants.is_spent(plan, row):
        if not is_resting:
            grants.take_rest(plan, row)
        return
    if row.state not in (*grants.UNUSED, "used"):
        return
    if is_resting:
        ends = [one for one in (row.expires_at, frozen_until) if one is not None]
        row.state, row.due_at, row.ended_at = "frozen", min(ends), None
        if row.voucher_id is not None:
            vouchers.freeze(plan, vouchers.get(plan, row.voucher_id))
        return
    grants.end(plan, row, "revoked", at=plan.now)


def _refuse(plan: Plan, member_id: bytes, earning: Earning, rule: str, refusal: Refusal) -> None:
    """What could not be given was not deserved: it takes of no limit, and its rule says why."""
    _withhold(earning, rule, refusal)
    if refusal.code is None:
        return
    detail = f"{rule}: {refusal.detail}"
    plan.rewards.problems.setdefault(member_id, []).append(
        {"code": refusal.code, "pointer": "", "detail": detail}
    )


def _withhold(earning: Earning, rule: str, refusal: Refusal) -> None:
    del earning.grants[rule]
    earning.taken.pop(rule, None)
    # Noted as what limits leave is: decided again, nothing is left either.
    earning.bound[rule] = Kept(1, 0)
    for place, outcome in enumerate(earning.outcomes):
        if outcome.rule == rule:
            earning.outcomes[place] = Outcome(
                rule, is_fired=False, reason=refusal.reason, detail=refusal.detail
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
    """Bring the grants of an order to what it deserves, for the member it had and the one it has:
    before its limits are claimed and its decision is written, since what cannot be given counts
    for neither. Whether anything changed for the one it has."""
    plan.rewards.skus[telling.order_ref] = frozenset(
        line["sku"] for line in telling.body["lines"] if line.get("sku")
    )
    at = _given_at(plan, telling, stored)
    origin = Origin("order", telling.order_ref, row["id"], at, decision_id)
    if stored is not None and stored.member_id is not None and not is_same_member(stored, telling):
        before = plan.live
        if stored.version is not None:
            before = versions.get_compiled(
                connection, plan.program_id, stored.version, stored.switches or 0
            )
        if concern(before, before.rules_of("order")):
            bring(
                connection,
                plan,
                stored.member_id,
                origin,
                program=before,
                earning=Earning(),
                is_new=False,
            )
    member = telling.member
    if decided is None or member is None or member.is_erased:
        return False
    program = decided.pinned.program
    if not concern(program, program.rules_of("order")):
        return False
    return bring(
        connection,
        plan,
        member.id,
        origin,
        program=program,
        earning=decided.earning,
        is_new=stored is None,
        refused=_refused(stored, telling),
        claims_at=row["placed_at"],
    )


def _given_at(plan: Plan, telling: Telling, stored: StoredOrder | None) -> int:
    """From when on what an order grants can be used: since it was paid. Where nobody says when
    that was, one that had been pending was paid as it is told so: what is to be claimed within
    days of it would have lapsed before it was there."""
    at: int | None = telling.body.get("paid_at")
    if at is None and stored is not None and not stored.stands:
        at = plan.now
    return min(telling.body["placed_at"] if at is None else at, plan.now)


def _refused(stored: StoredOrder | None, telling: Telling) -> list[str]:
    """The rules that had nothing left to give to an order that stands: what is there by now goes
    to whoever comes next."""
    if stored is None or stored.facts is None or not stored.stands:
        return []
    if not is_same_member(stored, telling):
        return []
    bound = limiting.read_bound(jsontext.parse(stored.facts))
    return [rule for rule, kept in bound.items() if kept.left == 0]
