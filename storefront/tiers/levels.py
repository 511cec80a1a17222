"""Levels in a plan: where a member stood before an order, and where what happened moves them.

An order that is the member's newest moves the level by one look at the window; anything else
(refunds, late orders, orders that change hands) replays what stands. What fell due by time comes
first, each change at its own instant. A newest order that is told late leads through the levels
that it would have led through in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from loyalty.tiers import keeping, moving
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.moving import Values
from loyalty.tiers.standing import (
    NOWHERE,
    Assured,
    Cause,
    Place,
    Standing,
    better,
    higher,
    place_of,
)
from programs.ladder import Ladder
from storefront import awarding
from storefront.plan import Plan
from storefront.standing import Read, StoredOrder
from storefront.telling import Telling, is_same_member
from storefront.tiers import contributing, places, undone_levels
from storefront.tiers.places import Source, Steps


def before(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Standing:
    """Where a member stood as of an order's instant, before the order."""
    item, member = telling.item, telling.member
    assert item is not None and member is not None
    if not plan.live.ladder.levels:
        return NOWHERE
    spot = places.place(plan, member.id, read)
    derived = _derived_before(connection, plan, spot, telling, read)
    return spot.with_derived(derived).shown(item.at)


def _derived_before(
    connection: sa.Connection, plan: Plan, spot: Place, telling: Telling, read: Read
) -> Standing:
    live, item, member = plan.live, telling.item, telling.member
    assert item is not None and member is not None
    derived = spot.derived
    if _is_later(read, derived, item.at):
        if _is_settled(plan, derived, item.at):
            return derived
        history = places.history_of(connection, plan, member.id, without=telling.order_ref)
        found = moving.replayed(history, at=item.at)
        if found.level is None:
            # A level at nothing is everybody's, also before they were told.
            values = history.values(item.at)
            found = moving.bought(live.ladder, found, values, at=item.at, zone=live.zone)
        is_promised = live.ladder.has_term and derived.since <= item.at
        return higher(derived, found) if is_promised else found
    if places.is_due(spot, item.at):
        history = places.history_of(connection, plan, member.id, without=telling.order_ref)
        derived = moving.passed(live.ladder, derived, history, to=item.at)
    values = read.sums.values(live.ladder)
    return moving.bought(live.ladder, derived, values, at=item.at, zone=live.zone)


def _is_later(read: Read, standing: Standing, at: int) -> bool:
    """Whether something was recorded, or came to pass by time, that is later than an instant."""
    if read.sums.later_count or standing.since > at:
        return True
    return standing.grace_until is not None and (standing.until or 0) > at


def _is_settled(plan: Plan, standing: Standing, at: int) -> bool:
    """Whether the level held now is the level held at `at`: it was reached by then (or none was
    ever reached), and time lowers none."""
    ladder = plan.live.ladder
    if ladder.has_term or ladder.downgrade != "none":
        return False
    return standing.level is None or standing.since <= at


def _stays(plan: Plan, standing: Standing, read: Read, new: Contribution) -> bool:
    """Whether a late order surely moves nothing: even if everything from its window on counted
    together, the next level were not reached."""
    ladder = plan.live.ladder
    if not _is_settled(plan, standing, new.at):
        return False
    most = [
        sum(parts)
        for parts in zip(
            read.sums.values(ladder),
            read.sums.values_later(ladder),
            new.values(ladder),
            strict=True,
        )
    ]
    level = moving.reached(ladder, most)
    return level is None or level.rank <= standing.rank


def move(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read, row: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Record what the order adds now and move levels; returns the member's change of level."""
    stored = read.stored
    old = _contribution_of(stored)
    if stored is not None and stored.member_id is not None and not is_same_member(stored, telling):
        # For whom it belonged to the order never was, whatever the ladder keeps after a refund.
        source = Source("refund", "order", telling.order_ref, stored.is_history)
        _replace(
            connection, plan, stored.member_id, old=old, new=None, source=source, is_undone=True
        )
        if stored.is_first:
            plan.first_refs[stored.member_id] = None
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
    cause: Cause = "refund" if _is_less(old, new) else "order"
    source = Source(cause, "order", telling.order_ref, bool(row["is_history"]))
    if old is None and new is not None:
        spot = places.place(plan, member_id, read)
        if not _is_later(read, spot.derived, new.at):
            return advance(connection, plan, telling, read, new=new, source=source)
        if _stays(plan, spot.derived, read, new):
            plan.record(member_id, telling.order_ref, old, new)
            return None
    taken_at = awarding.reversal_at(plan, telling)
    return _replace(
        connection, plan, member_id, read=read, old=old, new=new, source=source, taken_at=taken_at
    )


def _contribution_of(stored: StoredOrder | None) -> Contribution | None:
    if stored is None or not stored.stands or stored.member_id is None:
        return None
    return Contribution(stored.placed_at, stored.spend_minor, stored.qualifying_points)


def _is_less(old: Contribution | None, new: Contribution | None) -> bool:
    """Whether something was taken back."""
    if old is None:
        return False
    if new is None:
        return True
    return new.spend < old.spend or new.points < old.points or new.count < old.count


def advance(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    *,
    new: Contribution,
    source: Source,
) -> dict[str, Any] | None:
    """Move the member's level in the plan by their newest order; returns the change."""
    assert telling.member is not None
    member_id, ladder, zone = telling.member.id, plan.live.ladder, plan.live.zone
    plan.record(member_id, telling.order_ref, None, new)
    if not ladder.levels:
        return None
    spot = places.place(plan, member_id, read)
    before = read.sums.values(ladder)
    steps = places.measured(plan, spot.derived, before, at=new.at)
    if spot.derived == NOWHERE:
        steps += _joined(plan, at=new.at)
    derived = steps[-1][1] if steps else spot.derived
    if places.is_due(spot, new.at):
        history = places.history_of(connection, plan, member_id, without=telling.order_ref)
        steps += places.passed(plan, derived, history, to=new.at)
        derived = steps[-1][1] if steps else derived
    values = tuple(one + more for one, more in zip(before, new.values(ladder), strict=True))
    after = moving.bought(ladder, derived, values, at=new.at, zone=zone)
    if after != derived:
        steps.append((new.at, after, source.cause))
    if _keeps(ladder) and after.rank == derived.rank:
        _deserve(plan, member_id, source, before=before, values=values)
    if not steps and not places.is_due(spot, plan.now):
        return None
    history = places.history_of(connection, plan, member_id)
    steps += places.passed(plan, after, history, to=plan.now)
    return places.settle(plan, member_id, spot, steps=steps, history=history, source=source)


def _joined(plan: Plan, *, at: int) -> Steps:
    """The level that everybody stands on, entered by whoever an order has made a member."""
    ladder = plan.live.ladder
    level = moving.base(ladder)
    return [] if level is None else [(at, moving.enter(ladder, level, at, plan.live.zone), "order")]


def _deserve(
    plan: Plan, member_id: bytes, source: Source, *, before: Values, values: Values
) -> None:
    """Note that an order has led up to a level which the member stands on, or above, already."""
    ladder, now = plan.live.ladder, plan.now
    held, led = (moving.reached(ladder, one) for one in (before, values))
    if led is not None and led.rank > (0 if held is None else held.rank):
        stood = [moving.enter(ladder, level, now, plan.live.zone) for level in (held, led)]
        places.note_deserved(plan, member_id, source, before=stood[0], after=stood[1])


def _replace(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    *,
    old: Contribution | None,
    new: Contribution | None,
    source: Source,
    read: Read | None = None,
    key: str | None = None,
    is_undone: bool = False,
    taken_at: int | None = None,
) -> dict[str, Any] | None:
    """Record that what an order or adjustment adds has changed, in the past too, and replay. What
    is taken is gone since `taken_at` (else now); of what `is_undone` no term keeps anything."""
    assert source.ref is not None
    ladder, now = plan.live.ladder, plan.now
    ref = source.ref if key is None else key
    if not ladder.levels:
        plan.record(member_id, ref, old, new)
        return None
    if read is None:
        spot = places.stored_place(connection, plan, member_id)
    else:
        spot = places.place(plan, member_id, read)
    past = places.history_of(connection, plan, member_id)
    plan.record(member_id, ref, old, new)
    history = places.history_of(connection, plan, member_id)
    steps = places.passed(plan, spot.derived, past, to=now)
    steps += places.measured(plan, spot.derived, past.values(now), at=now)
    stored = steps[-1][1] if steps else spot.derived
    deserved = [_founded(plan, moving.replayed(one, at=now), stored) for one in (past, history)]
    after = moving.kept(
        replace(ladder, on_refund="immediate") if is_undone else ladder,
        stored,
        before=deserved[0],
        after=deserved[1],
        is_refund=source.cause == "refund",
    )
    after = moving.seen(ladder, after, history.values(now), at=now, zone=plan.live.zone)
    if new is not None and source.cause == "order" and past.count(new.at) == len(past.times):
        steps += _visited(plan, stored, past, history, at=new.at, to=after)
        stored = steps[-1][1] if steps else stored
    if after != stored:
        at = after.since if after.rank > stored.rank else taken_at
        steps.append((now if at is None else min(at, now), after, source.cause))
    change = places.settle(plan, member_id, spot, steps=steps, history=history, source=source)
    if is_undone or not _keeps(ladder):
        at = now if taken_at is None else taken_at
        undone_levels.note(plan, member_id, source, past=past, history=history, at=at)
    elif after.rank == stored.rank:
        places.note_deserved(
            plan, member_id, source, before=deserved[0], after=deserved[1], at=taken_at
        )
    return change


def _founded(plan: Plan, standing: Standing, stored: Standing) -> Standing:
    """Where orders lead to whoever stands at least on the level that everybody stands on, and that
    since they joined."""
    level = moving.base(plan.live.ladder)
    if level is None or standing.rank > level.rank:
        return standing
    if stored.rank == level.rank:
        return stored
    at = standing.since if standing.level is not None else plan.now
    return moving.enter(plan.live.ladder, level, at, plan.live.zone)


def _keeps(ladder: Ladder) -> bool:
    """Whether a level is kept to the end of its term whatever is refunded."""
    return ladder.has_term and ladder.on_refund == "until_term_end"


def _visited(
    plan: Plan, stored: Standing, past: History, history: History, *, at: int, to: Standing
) -> Steps:
    """Where the member stood since their newest order, told after time has moved them on: higher
    than they do now, and for a while at least. It is as it would have been, had it been told in
    time; `to` is where that leads."""
    entered = moving.replayed(history, at=at)
    if entered.rank <= max(stored.rank, moving.replayed(past, at=at).rank):
        return []
    steps: Steps = [(at, entered, "order")]
    for later, standing, cause in places.passed(plan, entered, history, to=plan.now):
        if standing.rank <= stored.rank:
            return [*steps, (later, to, cause)]
        steps.append((later, standing, cause))
    return steps


def count(
    connection: sa.Connection, plan: Plan, member_id: bytes, *, ref: str, one: Contribution
) -> dict[str, Any] | None:
    """Let an adjustment count; returns the change of level."""
    cause: Cause = "refund" if one.points < 0 else "order"
    source = Source(cause, "adjustment", ref)
    return _replace(connection, plan, member_id, old=None, new=one, source=source)


def recount(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    *,
    named: tuple[str, str],
    key: str,
    old: Contribution | None,
    new: Contribution | None,
) -> dict[str, Any] | None:
    """Let what an activity or a referral adds now count, which is `named` by type and reference
    and contributes under a key; returns the change of level."""
    source = Source("refund" if _is_less(old, new) else "order", *named)
    return _replace(connection, plan, member_id, old=old, new=new, source=source, key=key)


def promise(plan: Plan, member_id: bytes, assured: Assured, source: Source) -> None:
    """Note that a member is assured a level; the row is written with the plan's other facts."""
    assert plan.connection is not None
    spot = places.stored_place(plan.connection, plan, member_id)
    after = replace(spot, assured=assured)
    shown = [one.shown(plan.now) for one in (spot, after)]
    places.note(plan, member_id, source, before=shown[0], after=shown[1])


def source_of(order_ref: str) -> Source:
    """An order as what moves levels."""
    return Source("order", "order", order_ref)


def stood(
    connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes], reads: Sequence[Read]
) -> list[Place]:
    """Where members stand whose orders are about to change hands, as time has left them by now."""
    live, now = plan.live, plan.now
    told = contributing.read_many(
        connection, plan.program_id, member_ids, counts_referrals=live.ladder.counts_referrals
    )
    found = []
    for member_id, read in zip(member_ids, reads, strict=True):
        rows = sorted((one for _, one in told[member_id]), key=lambda one: one.at)
        history = History(live.ladder, rows, live.zone)
        spot = place_of(live.ladder, read.tier)
        derived = moving.passed(live.ladder, spot.derived, history, to=now)
        values = history.values(now)
        derived = moving.bought(live.ladder, derived, values, at=now, zone=live.zone)
        found.append(spot.with_derived(derived))
    return found


def unite(
    connection: sa.Connection, plan: Plan, member_id: bytes, both: Sequence[Place], *, ref: str
) -> Place:
    """Keep where a member stands into whom another was merged, whose orders are theirs by now.
    `both` are of both as they stood, theirs last: the better level runs to its end, though the
    ladder may have been raised since it was reached."""
    ladder, now = plan.live.ladder, plan.now
    history = places.history_of(connection, plan, member_id)
    derived = moving.replayed(history, at=now)
    for one in both:
        if ladder.has_term or one.derived.rank > derived.rank:
            derived = higher(derived, one.derived)
    other, own = both
    merged = Place(
        derived,
        better(own.assured, other.assured, at=now),
        better(own.manual, other.manual, at=now),
    )
    after = places.dated(plan, merged, history)
    plan.levels[member_id] = after
    if ladder.levels:
        keeping.keep(plan.writes, plan.program_id, member_id, after)
    source = Source("merge", "merge", ref)
    shown = [one.shown(now) for one in (own, after, other)]
    # Nothing is entered that either had.
    is_brought = shown[1].rank <= max(shown[0].rank, shown[2].rank)
    places.note(plan, member_id, source, before=shown[0], after=shown[1], is_brought=is_brought)
    return after
