"""Levels in a plan: where a member stood before an order, and where the order moves them.

An order that is the member's newest moves the level by one assessment; anything else (refunds,
late orders, orders that change hands) replays the orders that stand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from loyalty import tiers
from loyalty.tiers import Contribution
from programs.ladder import Level
from storefront.plan import Plan
from storefront.standing import Read, StoredOrder
from storefront.telling import Telling, is_same_member


def held(plan: Plan, member_id: bytes, read: Read) -> tiers.Standing:
    """The level the member stands on as this unit leaves it."""
    known = plan.levels.get(member_id)
    if known is not None:
        return known
    return tiers.Standing(plan.live.ladder.find(read.level_key), read.level_since or 0)


def before(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Level | None:
    """The level a member stood on as of an order's instant, before the order."""
    assert telling.item is not None
    if not plan.live.ladder.levels:
        return None
    level = _derived_before(connection, plan, telling, read)
    return _lifted(plan, read, level, at=telling.item.at)


def _lifted(plan: Plan, read: Read, level: Level | None, *, at: int) -> Level | None:
    """A level, or the one that the member is assured if that is higher."""
    floor = tiers.assured(plan.live.ladder, read.assured)
    return tiers.at_least(tiers.Standing(level, 0), floor, at=at).level


def _change(
    plan: Plan, read: Read, before: Level | None, after: Level | None
) -> dict[str, Any] | None:
    """What the member sees of a derived level that changed."""
    return tiers.change(
        _lifted(plan, read, before, at=plan.now), _lifted(plan, read, after, at=plan.now)
    )


def _derived_before(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read
) -> Level | None:
    ladder, member, item = plan.live.ladder, telling.member, telling.item
    assert member is not None and item is not None
    standing = held(plan, member.id, read)
    if read.sums.later_count and not _is_settled(plan, standing, item.at):
        earlier = [
            one
            for one in plan.contributions(connection, member.id, without=telling.order_ref)
            if one.at <= item.at
        ]
        return tiers.replay(ladder, earlier, plan.live.zone, at=item.at).level
    if read.sums.later_count:
        return standing.level
    return tiers.assess(ladder, standing.level, read.sums.metric(ladder.metric))


def _is_settled(plan: Plan, standing: tiers.Standing, at: int) -> bool:
    """Whether the level held now is the level held at `at`: it was reached by then (or none was
    ever reached), and time lowers none."""
    return plan.live.ladder.is_kept_by_time and (standing.level is None or standing.since <= at)


def _stays(plan: Plan, standing: tiers.Standing, read: Read, new: Contribution) -> bool:
    """Whether a late order surely moves nothing: even if everything from its window on counted
    together, the next level were not reached."""
    ladder = plan.live.ladder
    if not _is_settled(plan, standing, new.at):
        return False
    rank = standing.level.rank if standing.level else 0
    following = next((level for level in ladder.levels if level.rank > rank), None)
    most = read.sums.metric(ladder.metric) + read.sums.metric_later(ladder.metric)
    return following is None or most + new.value(ladder.metric) < following.enter_at


def move(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read, row: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Record what the order adds now and move levels; returns the member's change of level."""
    stored = read.stored
    old = _contribution_of(stored)
    if stored is not None and stored.member_id is not None and not is_same_member(stored, telling):
        plan.record(stored.member_id, telling.order_ref, old, None)
        if stored.is_first:
            plan.first_refs[stored.member_id] = None
        replay(connection, plan, stored.member_id, None)
        old = None
    if telling.member is None:
        return None
    new = None
    if row["stands"]:
        new = Contribution(row["placed_at"], row["spend_minor"], row["qualifying_points"])
    member_id = telling.member.id
    if row["is_first"]:
        plan.first_refs[member_id] = telling.order_ref
    elif plan.first_ref(member_id, read.first_ref) == telling.order_ref:
        plan.first_refs[member_id] = None
    if old == new:
        return None
    plan.record(member_id, telling.order_ref, old, new)
    if old is None and new is not None and not read.sums.later_count:
        change = advance(plan, member_id, read, new)
        if member_id in plan.levels:
            tiers.keep(plan.writes, plan.program_id, member_id, plan.levels[member_id])
        return change
    standing = held(plan, member_id, read)
    if old is None and new is not None and _stays(plan, standing, read, new):
        return None
    after = replay(connection, plan, member_id, standing)
    return _change(plan, read, standing.level, after.level)


def _contribution_of(stored: StoredOrder | None) -> Contribution | None:
    if stored is None or not stored.stands or stored.member_id is None:
        return None
    return Contribution(stored.placed_at, stored.spend_minor, stored.qualifying_points)


def advance(plan: Plan, member_id: bytes, read: Read, new: Contribution) -> dict[str, Any] | None:
    """Move the member's level in the plan by their newest order; returns the change."""
    ladder = plan.live.ladder
    standing = held(plan, member_id, read)
    value = read.sums.metric(ladder.metric)
    # Time may have lowered the level since the last order; the order starts from there.
    lowered = tiers.current(ladder, standing, value, at=new.at)
    level = tiers.assess(ladder, lowered.level, value + new.value(ladder.metric))
    after = lowered if level == lowered.level else tiers.Standing(level, new.at)
    if after == standing:
        return None
    plan.levels[member_id] = after
    return _change(plan, read, lowered.level, after.level)


def unite(
    connection: sa.Connection, plan: Plan, member_id: bytes, reads: Sequence[Read]
) -> dict[str, Any] | None:
    """Keep the level of a member into whom another was merged, whose orders are theirs by now;
    the change for them. `reads` are of both as they stood, theirs last: the better level stays,
    though the ladder may have been raised since it was reached.
    """
    ladder = plan.live.ladder
    stood = []
    for read in reads:
        kept = tiers.Standing(ladder.find(read.level_key), read.level_since or 0)
        value = read.sums.metric_now(ladder.metric)
        stood.append(tiers.current(ladder, kept, value, at=plan.now))
    after = replay(connection, plan, member_id, None)
    best = max(stood, key=_rank)
    if _rank(best) > _rank(after):
        after = plan.levels[member_id] = best
        tiers.keep(plan.writes, plan.program_id, member_id, best)
    return _change(plan, reads[-1], stood[-1].level, after.level)


def _rank(standing: tiers.Standing) -> int:
    return 0 if standing.level is None else standing.level.rank


def replay(
    connection: sa.Connection, plan: Plan, member_id: bytes, standing: tiers.Standing | None
) -> tiers.Standing:
    """The level that everything which stands leads to, kept where it is not `standing` already."""
    if not plan.live.ladder.levels:
        return tiers.Standing(None, 0)
    contributions = plan.contributions(connection, member_id)
    after = tiers.Standing(None, 0)
    if contributions:
        after = tiers.replay(
            plan.live.ladder, contributions, plan.live.zone, at=contributions[-1].at
        )
    if standing is None or after != standing:
        plan.levels[member_id] = after
        tiers.keep(plan.writes, plan.program_id, member_id, after)
    return after
