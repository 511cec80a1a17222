"""Giving: what a won prize brings is paid by the one engine, follows what caused it, and claims
what it takes of limits and the budget.

A prize stands while what caused it does (SEMANTICS B14): it goes back with it, and comes back by
the same draw if limits and budget still have it. Refuses to draw.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, outbox
from loyalty.earning import Earning, Taken
from programs import versions
from programs.surprises import Prize, Surprise, trigger_of
from rewards.carried import Row
from rewards.surprises.carried import Chance
from rules.effects import Payable, PointsPerAmount, PointsPerUnit
from storefront import brought, costing, firing, limiting
from storefront.costing import Cost
from storefront.firing import Fired, Source
from storefront.limiting import Before
from storefront.plan import Plan

PREFIX = "drw"
SOURCE_TYPE = "surprise"
EVENT = "surprise.won"


def source_of(row: Row) -> Source:
    """What entries and decisions of a prize name."""
    return Source(SOURCE_TYPE, ids.show_id(PREFIX, row.id), row.id, row.drawn_at)


def costs(
    connection: sa.Connection, plan: Plan, surprise: Surprise, chance: Chance
) -> tuple[int, ...]:
    """What each prize costs its budget, in the budget's unit; nothing without a budget."""
    budget = surprise.budget
    if budget is None:
        return (0,) * len(surprise.prizes)
    found = []
    for number, prize in enumerate(surprise.prizes):
        fixed = prize.fixed_points if budget.unit == "points" else prize.fixed_minor
        if fixed is None:
            weighed = _weigh(connection, plan, surprise, number, chance)
            fixed = costing.cost_of(plan.live, weighed).in_unit(budget.unit)
        found.append(fixed)
    return tuple(found)


def _weigh(
    connection: sa.Connection, plan: Plan, surprise: Surprise, number: int, chance: Chance
) -> Earning:
    rules = plan.live.rules_of(trigger_of(surprise.key, number))
    return firing.weigh(
        connection,
        plan,
        chance.member_id,
        Source(SOURCE_TYPE, "", ids.new_id(), chance.at),
        program=plan.live,
        rules=rules,
        facts={**chance.member_facts, **chance.own_facts},
        order=chance.order,
    )


def pay(
    connection: sa.Connection, plan: Plan, surprise: Surprise, row: Row, chance: Chance
) -> Fired:
    """Pay the prize that a receipt has just won."""
    fired = _fire(connection, plan, row, chance, program=plan.live, is_new=True)
    row.decision_id = fired.decision_id
    row.stands = True
    row.cost = _cost(plan, surprise, surprise.prizes[row.prize], fired)
    _claim(plan, surprise, row)
    outbox.add(
        plan.writes,
        plan.program_id,
        type=EVENT,
        payload={
            "member_ref": row.member_ref,
            "surprise": surprise.key,
            "prize": row.prize,
            "draw_id": ids.show_id(PREFIX, row.id),
            "source": {"type": row.source_type, "ref": row.source_ref},
        },
        now=plan.now,
        member_id=row.member_id,
    )
    return fired


def follow(
    connection: sa.Connection, plan: Plan, row: Row, chance: Chance, *, stands: bool
) -> list[dict[str, Any]]:
    """Bring what stands of a won prize to what its cause deserves; the entries made."""
    program = versions.get_compiled(connection, plan.program_id, row.live_version, row.switches)
    surprise = program.surprises.find(row.surprise_key)
    assert surprise is not None
    if stands == row.stands and not (stands and _has_shares(surprise.prizes[row.prize])):
        return []
    rooms = limiting.rooms(
        connection,
        plan,
        program,
        surprise.counted,
        member_id=row.member_id,
        at=row.drawn_at,
        before=Before(row.id, row.member_id, surprise.counted, row.drawn_at, is_kept=False),
    )
    if stands and not row.stands:
        why = _closed(surprise, rooms, cost=row.cost)
        if why is not None:
            row.why_fallen = why
            return []
    fired = _fire(connection, plan, row, chance, program=program, is_new=False, stands=stands)
    row.decision_id = fired.decision_id
    row.stands, row.why_fallen = stands, None if stands else "not_paid"
    if stands:
        row.cost = _cost(plan, surprise, surprise.prizes[row.prize], fired)
        _claim(plan, surprise, row)
    else:
        plan.claims.take(row.id, {})
    return fired.made


def brought_before(connection: sa.Connection, plan: Plan, row: Row) -> dict[str, Any]:
    """What a prize that was paid in another unit brought, as far as it stands."""
    return brought.read(
        connection,
        plan,
        source_of(row),
        member_id=row.member_id,
        decision_id=row.decision_id,
        trigger=trigger_of(row.surprise_key, row.prize),
    )


def _closed(surprise: Surprise, rooms: Mapping[str, Any], *, cost: int) -> str | None:
    """What a prize that comes back finds taken by others meanwhile."""
    if surprise.limit is not None and rooms[surprise.limit.key].is_closed:
        return "limit_reached"
    if surprise.budget is not None:
        left = rooms[surprise.budget.rule.key].left
        if left is not None and left < cost:
            return "budget"
    return None


def _fire(
    connection: sa.Connection,
    plan: Plan,
    row: Row,
    chance: Chance,
    *,
    program: Any,
    is_new: bool,
    stands: bool = True,
) -> Fired:
    plan.surprises.is_paying = True
    try:
        fired = firing.fire(
            connection,
            plan,
            row.member_id,
            source_of(row),
            trigger=trigger_of(row.surprise_key, row.prize),
            program=program,
            member_facts=chance.member_facts,
            own_facts={
                **chance.own_facts,
                "surprise.key": row.surprise_key,
                "surprise.prize": row.prize,
            },
            reason=None if stands else "not_paid",
            is_new=is_new,
            decided_id=row.decision_id,
            reversal_at=chance.reversal_at,
            order=chance.order,
        )
    finally:
        plan.surprises.is_paying = False
    plan.surprises.brought[row.id] = firing.brought(plan, [fired])
    return fired


def _cost(plan: Plan, surprise: Surprise, prize: Prize, fired: Fired) -> int:
    """What a prize takes of the budget; without one its money."""
    unit = "minor" if surprise.budget is None else surprise.budget.unit
    cost: Cost = costing.cost_of(plan.live, fired.earning)
    if unit == "minor" and prize.estimated_cost_minor is not None:
        return prize.estimated_cost_minor
    return cost.in_unit(unit)


def _claim(plan: Plan, surprise: Surprise, row: Row) -> None:
    """Claim one win of the limits, and the cost of the budget."""
    taken: dict[str, Taken] = {}
    if surprise.limit is not None:
        taken[surprise.limit.key] = Taken(0, 1)
    if surprise.budget is not None and row.cost:
        taken[surprise.budget.rule.key] = Taken(row.cost, row.cost)
    claims = limiting.claims_of(
        plan.live,
        surprise.counted,
        source_id=row.id,
        member_id=row.member_id,
        at=row.drawn_at,
        taken=taken,
    )
    if claims or plan.claims.of(row.id):
        plan.claims.take(row.id, claims)


def _has_shares(prize: Prize) -> bool:
    return any(
        isinstance(rule.effect, PointsPerAmount | PointsPerUnit)
        or (isinstance(rule.effect, Payable) and rule.effect.percent_bp is not None)
        for rule in prize.effects
    )
