"""Giving: what a won prize brings is paid by the one engine, follows what caused it, and claims
what it takes of limits and the budget.

A prize stands while what caused it does (SEMANTICS B14): it goes back with it, and comes back by
the same draw if limits and budget still have it, as they are by now. What fell gives back what it
took of them, unless something of it is gone (a gift used, cash exported): that was given for good.
Refuses to draw.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, outbox
from loyalty.earning import Earning, Taken
from loyalty.limits.claims import Claim
from programs import versions
from programs.compiled import Compiled
from programs.surprises import LIMIT_PREFIX, Prize, Surprise, trigger_of
from rewards import grants
from rewards.carried import Row
from rewards.payables import PAYABLES
from rewards.surprises.carried import Chance
from rules.effects import Payable, PointsPerAmount, PointsPerUnit
from rules.limits import Room
from storefront import brought, costing, firing, limiting
from storefront.firing import Fired, Source
from storefront.limiting import Before
from storefront.plan import Plan

PREFIX = "drw"
SOURCE_TYPE = "surprise"
EVENT = "surprise.won"
IS_FIRST = "order.is_first"
#: More than is ever counted, and still a number that both databases add to.
UNBOUNDED = 2**62


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
            fixed = _weighed(connection, plan, plan.live, surprise, number, chance=chance)
        found.append(fixed)
    return tuple(found)


def _weighed(
    connection: sa.Connection,
    plan: Plan,
    program: Compiled,
    surprise: Surprise,
    number: int,
    *,
    chance: Chance,
) -> int:
    """What a prize would cost its budget now, where that depends on the order."""
    earning = firing.weigh(
        connection,
        plan,
        chance.member_id,
        Source(SOURCE_TYPE, "", ids.new_id(), chance.at),
        program=program,
        rules=program.rules_of(trigger_of(surprise.key, number)),
        facts={**chance.member_facts, **chance.own_facts},
        order=chance.order,
    )
    return cost_of(program, surprise, surprise.prizes[number], earning)


def pay(
    connection: sa.Connection, plan: Plan, surprise: Surprise, row: Row, chance: Chance
) -> Fired:
    """Pay the prize that a receipt has just won."""
    fired = _fire(connection, plan, row, chance, program=plan.live, is_new=True)
    row.decision_id = fired.decision_id
    row.stands = True
    row.cost = cost_of(plan.live, surprise, surprise.prizes[row.prize], fired.earning)
    _claim(plan, plan.live, surprise, row)
    outbox.add(
        plan.writes,
        plan.program_id,
        type=EVENT,
        payload={
            "surprise": surprise.key,
            "prize": row.prize,
            "draw_id": ids.show_id(PREFIX, row.id),
            "source": {"type": row.source_type, "ref": row.source_ref},
            "won_at": clock.format_instant(row.drawn_at),
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
    rooms = _rooms(connection, plan, program, surprise, row)
    if stands:
        cost = _cost_anew(connection, plan, program, surprise, row, chance=chance)
        why = _closed(plan, program, surprise, rooms, row=row, cost=cost)
        if why is None and not row.stands and _lacks_first(surprise, chance):
            why = "condition_not_met"
        if why is not None:
            # What stands is kept as it is: it is the more of it that nobody pays.
            row.why_fallen = None if row.stands else why
            return []
    held = dict(plan.claims.of(row.id))
    fired = _fire(connection, plan, row, chance, program=program, is_new=False, stands=stands)
    row.decision_id = fired.decision_id
    row.stands, row.why_fallen = stands, None if stands else "not_paid"
    if stands:
        row.cost = cost_of(program, surprise, surprise.prizes[row.prize], fired.earning)
        _claim(plan, program, surprise, row)
    elif held and _is_gone(connection, plan, surprise.prizes[row.prize], row):
        plan.claims.take(row.id, held)
    else:
        row.cost = 0
        plan.claims.take(row.id, {})
    return fired.made


def _is_gone(connection: sa.Connection, plan: Plan, prize: Prize, row: Row) -> bool:
    """Whether something of a prize that fell was used, or paid out: it keeps what it took, or else
    winning, using and cancelling would go round every limit."""
    if prize.reward_keys and any(
        grants.is_spent(plan, one) for one in grants.read_of(plan, row.id)
    ):
        return True
    if not any(isinstance(rule.effect, Payable) for rule in prize.effects):
        return False
    exported = sa.select(PAYABLES.c.id).where(
        PAYABLES.c.program_id == plan.program_id,
        PAYABLES.c.source_id == row.id,
        PAYABLES.c.exported_by.is_not(None),
    )
    return connection.execute(exported.limit(1)).first() is not None


def _rooms(
    connection: sa.Connection, plan: Plan, program: Compiled, surprise: Surprise, row: Row
) -> Mapping[str, Room]:
    """What limits leave of a prize as they are by now, or as it was won under where the surprise is
    gone; and how much its counters bear at most when it is written."""
    before = Before(row.id, row.member_id, surprise.counted, row.drawn_at, is_kept=False)
    whose: dict[str, Any] = {"member_id": row.member_id, "at": row.drawn_at, "before": before}
    known = dict(plan.claims.most)
    rooms = limiting.rooms(connection, plan, program, surprise.counted, **whose)
    live, bound, free = plan.live.surprises.find(surprise.key), set(), set()
    if live is surprise:
        return rooms
    if live is not None:
        rooms = limiting.rooms(connection, plan, plan.live, live.counted, **whose)
        bound = set(limiting.day_of(live.counted, row.drawn_at, plan.live.zone).counters)
        free = {LIMIT_PREFIX + live.key, *(rule.key for rule in live.counted)}
    for counter in limiting.day_of(surprise.counted, row.drawn_at, program.zone).counters:
        if counter not in bound:
            # It counts on where it was counted; where nothing bounds it there any more, it is never
            # refused for that, and never less than another prize of this unit was told.
            most = max(plan.claims.most[counter], known.get(counter, 0))
            plan.claims.most[counter] = UNBOUNDED if counter.rule in free else most
    return rooms


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


def _cost_anew(
    connection: sa.Connection,
    plan: Plan,
    program: Compiled,
    surprise: Surprise,
    row: Row,
    *,
    chance: Chance,
) -> int:
    """What a prize takes of the budget when it is to stand, again or for more than before."""
    if surprise.budget is None:
        return 0
    prize: Prize = surprise.prizes[row.prize]
    is_points = surprise.budget.unit == "points"
    fixed = prize.fixed_points if is_points else prize.fixed_minor
    if fixed is not None:
        return fixed
    return _weighed(connection, plan, program, surprise, row.prize, chance=chance)


def _closed(
    plan: Plan,
    program: Compiled,
    surprise: Surprise,
    rooms: Mapping[str, Room],
    *,
    row: Row,
    cost: int,
) -> str | None:
    """What a prize that is to stand again, or for more, finds taken by others meanwhile. What it
    holds already, and what becomes less, is never refused."""
    room = None if surprise.limit is None else rooms.get(surprise.limit.key)
    if room is not None and room.is_closed and not row.stands and not plan.claims.of(row.id):
        return "limit_reached"
    if cost > row.cost and _budget_left(plan, program, surprise, row) < cost:
        return "budget"
    return None


def _budget_left(plan: Plan, program: Compiled, surprise: Surprise, row: Row) -> int:
    """What others leave of the budget: by the live total and day's share, since nothing more than
    these may ever be spent, or by those that it was won under where there are no others."""
    live = plan.live.surprises.find(surprise.key)
    budget = surprise.budget if live is None or live.budget is None else live.budget
    assert budget is not None and surprise.budget is not None
    if budget.unit != surprise.budget.unit:
        budget = surprise.budget
    # By the rules that the counters were read for.
    day = limiting.day_of(surprise.counted, row.drawn_at, program.zone)
    lefts = []
    for counter in day.counters:
        most = budget.total if counter.period == "ever" else budget.per_day
        if counter.rule == surprise.budget.rule.key and most is not None:
            lefts.append(most - plan.claims.counted(counter, but=row.id))
    return min(lefts)


def _lacks_first(surprise: Surprise, chance: Chance) -> bool:
    """Whether a prize for the first purchase comes back to an order that is it no more: that is no
    fact but a claim, which another order holds by now (SEMANTICS 8)."""
    facts = {**chance.member_facts, **chance.own_facts}
    if IS_FIRST not in surprise.when.facts or facts.get(IS_FIRST):
        return False
    return surprise.when.matches(facts | {IS_FIRST: True}) and not surprise.when.matches(facts)


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


def cost_of(program: Compiled, surprise: Surprise, prize: Prize, earning: Earning) -> int:
    """What a prize takes of the budget; without one its money."""
    unit = "minor" if surprise.budget is None else surprise.budget.unit
    if unit == "minor" and prize.estimated_cost_minor is not None:
        # Cash is what it is, whatever the rest is thought to cost.
        return max(prize.estimated_cost_minor, sum(earning.payables.values()))
    return costing.cost_of(program, earning).in_unit(unit)


def _claim(plan: Plan, program: Compiled, surprise: Surprise, row: Row) -> None:
    """Claim one win of the limits, and the cost of the budget."""
    claims = claims_of(
        program, surprise, draw_id=row.id, member_id=row.member_id, at=row.drawn_at, cost=row.cost
    )
    if claims or plan.claims.of(row.id):
        plan.claims.take(row.id, claims)


def claims_of(
    program: Compiled,
    surprise: Surprise,
    *,
    draw_id: bytes,
    member_id: bytes,
    at: int,
    cost: int,
) -> dict[str, Claim]:
    """What a prize that stands takes: one win of the limits, and its cost of the budget."""
    taken: dict[str, Taken] = {}
    if surprise.limit is not None:
        taken[surprise.limit.key] = Taken(0, 1)
    if surprise.budget is not None and cost:
        taken[surprise.budget.rule.key] = Taken(cost, cost)
    return limiting.claims_of(
        program, surprise.counted, source_id=draw_id, member_id=member_id, at=at, taken=taken
    )


def _has_shares(prize: Prize) -> bool:
    return any(
        isinstance(rule.effect, PointsPerAmount | PointsPerUnit)
        or (isinstance(rule.effect, Payable) and rule.effect.percent_bp is not None)
        for rule in prize.effects
    )
