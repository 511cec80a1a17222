"""Places: where members stand in a plan, what time has made of it, and every move of theirs.

Read with the member's lock or for showing; what fell due is true when read, and written by
whoever writes. Every change of what a member sees is noted in the plan with its instant and cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from loyalty.tiers import keeping, moving, showing
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.models import CHANGES
from loyalty.tiers.moving import Values
from loyalty.tiers.showing import View
from loyalty.tiers.standing import NOWHERE, Cause, LevelMove, Place, Standing, place_of
from storefront.plan import Plan
from storefront.standing import Read

#: Changes of a standing, each with its instant and cause, in order of time.
Steps = list[tuple[int, Standing, Cause]]


@dataclass(frozen=True, slots=True)
class Source:
    """What moves a level, as its log will name it."""

    cause: Cause
    type: str | None = None
    ref: str | None = None
    #: Nobody is told of what is moved in.
    is_history: bool = False


def place(plan: Plan, member_id: bytes, read: Read) -> Place:
    """Where the member stands as this unit leaves it."""
    known = plan.levels.get(member_id)
    return place_of(plan.live.ladder, read.tier) if known is None else known


def stored_place(connection: sa.Connection, plan: Plan, member_id: bytes) -> Place:
    """The same of a member of whom nothing was read."""
    known = plan.levels.get(member_id)
    if known is not None:
        return known
    rows = keeping.read_rows(connection, plan.program_id, [member_id])
    return place_of(plan.live.ladder, rows.get(member_id))


def history_of(
    connection: sa.Connection, plan: Plan, member_id: bytes, *, without: str | None = None
) -> History:
    """What the member's orders contribute as this unit leaves them."""
    rows = plan.contributions(connection, member_id, without=without)
    return History(plan.live.ladder, rows, plan.live.zone)


def is_due(spot: Place, at: int) -> bool:
    """Whether time may have changed a place by an instant."""
    return spot.due_at is not None and spot.due_at <= at


def passed(plan: Plan, standing: Standing, history: History, *, to: int) -> Steps:
    """What time has made of a standing by an instant."""
    found = moving.forward(plan.live.ladder, standing, history, to=to)
    return [(at, one, "time") for at, one in found]


def measured(plan: Plan, standing: Standing, values: Values, *, at: int) -> Steps:
    """Where a member comes to stand whose level the ladder has lost: by what the window holds."""
    if standing.lost_key is None:
        return []
    after = moving.bought(plan.live.ladder, NOWHERE, values, at=at, zone=plan.live.zone)
    return [(at, after, "ladder")]


def settle(
    plan: Plan, member_id: bytes, spot: Place, *, steps: Steps, history: History, source: Source
) -> dict[str, Any] | None:
    """Keep where the steps lead, with when time changes it next; the change as the member sees it
    that was not made by time, or by a ladder that has changed, alone."""
    derived = steps[-1][1] if steps else spot.derived
    after = dated(plan, spot.with_derived(derived), history)
    if after != spot:
        plan.levels[member_id] = after
        keeping.keep(plan.writes, plan.program_id, member_id, after)
    note_all(plan, member_id, spot, steps=steps, source=source)
    lapsed = spot.derived
    for _, standing, cause in steps:
        if cause not in ("time", "ladder"):
            break
        lapsed = standing
    seen = spot.with_derived(lapsed).shown(plan.now)
    return showing.change(seen.level, after.shown(plan.now).level)


def dated(plan: Plan, spot: Place, history: History) -> Place:
    """The place with the instant at which time may change it next."""
    dates = [at for at in spot.ends if at > plan.now]
    change = moving.next_change(plan.live.ladder, spot.derived, history, now=plan.now)
    if change is not None:
        dates.append(change)
    return replace(spot, due_at=min(dates, default=None))


def note_all(plan: Plan, member_id: bytes, spot: Place, *, steps: Steps, source: Source) -> None:
    """Note every change of where the member stands, the ends of promises among them."""
    # What time did was done before anybody looked, the ends of promises with it; what came up by
    # looking (an order placed long ago, say) and what followed from that came after.
    looked = next((place for place, step in enumerate(steps) if step[2] != "time"), len(steps))
    lapsed: list[tuple[int, Standing | None, Cause]] = [*steps[:looked]]
    if spot.due_at is not None:
        lapsed += [(at, None, "time") for at in spot.ends if spot.due_at <= at <= plan.now]
        lapsed.sort(key=lambda step: step[0])
    timeline = [*lapsed, *steps[looked:]]
    if not timeline:
        return
    last = spot.shown(lapsed[0][0] - 1 if lapsed else plan.now)
    for number, (at, derived, cause) in enumerate(timeline):
        beneath = spot.derived
        if derived is not None:
            spot = spot.with_derived(derived)
        shown = spot.shown(at if number < len(lapsed) else plan.now)
        by = source if cause == source.cause else Source(cause, is_history=source.is_history)
        if shown == last and shown.level is not None:
            # What is assured or given by hand hides the move, not what follows from it.
            hidden = shown.level.key
            after = spot.derived
            note(plan, member_id, by, before=beneath, after=after, at=at, hidden_by=hidden)
        note(plan, member_id, by, before=last, after=shown, at=at)
        last = shown


def note(
    plan: Plan,
    member_id: bytes,
    source: Source,
    *,
    before: Standing,
    after: Standing,
    at: int | None = None,
    hidden_by: str | None = None,
    is_brought: bool = False,
) -> None:
    """Note one move of a member, if it is one; now, if it is not said when."""
    if before != after:
        moved_at = plan.now if at is None else at
        plan.level_moves.append(
            LevelMove(
                member_id,
                before,
                after,
                moved_at,
                source.cause,
                source.type,
                source.ref,
                source.is_history,
                hidden_by,
                is_brought=is_brought,
            )
        )


def note_deserved(
    plan: Plan,
    member_id: bytes,
    source: Source,
    *,
    before: Standing,
    after: Standing,
    at: int | None = None,
) -> None:
    """Note that the orders that stand deserve another level than before, beneath one that is kept
    to the end of its term all the same; since `at`, else now."""
    if before.rank == after.rank:
        return
    shown = plan.levels[member_id].shown(plan.now) if member_id in plan.levels else NOWHERE
    plan.level_moves.append(
        LevelMove(
            member_id,
            before,
            after,
            plan.now if at is None else min(at, plan.now),
            source.cause,
            source.type,
            source.ref,
            source.is_history,
            shown.key if shown.is_manual or shown.is_assured else None,
            is_kept=True,
        )
    )


def settle_due(connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes]) -> None:
    """Write what time has made of members' levels, for many in a few statements."""
    rows = keeping.read_rows(connection, plan.program_id, member_ids)
    due: dict[bytes, Place] = {}
    for member_id, row in rows.items():
        spot = plan.levels.get(member_id) or place_of(plan.live.ladder, row)
        if is_due(spot, plan.now) or spot.derived.lost_key is not None:
            due[member_id] = spot
    plan.load_contributions(connection, list(due))
    for member_id, spot in due.items():
        history = history_of(connection, plan, member_id)
        steps = passed(plan, spot.derived, history, to=plan.now)
        steps += measured(plan, spot.derived, history.values(plan.now), at=plan.now)
        settle(plan, member_id, spot, steps=steps, history=history, source=Source("time"))


def reassess(
    connection: sa.Connection,
    plan: Plan,
    member_ids: Sequence[bytes],
    *,
    cause: Cause = "ladder",
) -> None:
    """Look at members under a ladder that has changed, or who were merged: what it gives sooner is
    given at once, what it asks more for stays until the end of the term."""
    rows = keeping.read_rows(connection, plan.program_id, member_ids)
    plan.load_contributions(connection, member_ids)
    ladder, now = plan.live.ladder, plan.now
    for member_id in member_ids:
        row = rows.get(member_id)
        spot = plan.levels.get(member_id) or place_of(ladder, row)
        history = history_of(connection, plan, member_id)
        values = history.values(now)
        steps = passed(plan, spot.derived, history, to=now)
        steps += measured(plan, spot.derived, values, at=now)
        stored = steps[-1][1] if steps else spot.derived
        after = moving.bought(ladder, stored, values, at=now, zone=plan.live.zone)
        if after != stored:
            steps.append((now, after, cause))
        settle(plan, member_id, spot, steps=steps, history=history, source=Source(cause))


def view(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    read: Read,
    *,
    own: Contribution | None = None,
) -> View:
    """Where a member stands as of the clock, with what an order adds that `read` left out."""
    ladder, now = plan.live.ladder, plan.now
    spot = place(plan, member_id, read)
    values = read.sums.values_now(ladder)
    if own is not None and own.at > ladder.window_from(now, plan.live.zone):
        values = tuple(one + more for one, more in zip(values, own.values(ladder), strict=True))
    return _view(connection, plan, member_id, spot, values=values, own=own)


def view_planned(connection: sa.Connection, plan: Plan, member_id: bytes) -> View:
    """Where a member stands as of the clock, as this unit leaves them, of whom nothing was read."""
    ladder = plan.live.ladder
    spot = stored_place(connection, plan, member_id)
    values: Values = (0,) * len(ladder.metrics)
    if ladder.levels:
        values = history_of(connection, plan, member_id).values(plan.now)
    return _view(connection, plan, member_id, spot, values=values)


def _view(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    spot: Place,
    *,
    values: Values,
    own: Contribution | None = None,
) -> View:
    ladder, now = plan.live.ladder, plan.now
    history = None
    is_late = is_due(spot, now)
    # Where nothing that leaves the window can lower a level, what will have left it is no matter.
    is_watched = ladder.window != "lifetime" and ladder.downgrade != "none"
    if is_late or (spot.derived.until is not None and is_watched):
        history = history_of(connection, plan, member_id)
    derived = spot.derived
    if history is not None and is_late:
        derived = moving.passed(ladder, derived, history, to=now)
    if ladder.levels:
        derived = _looked_at(plan, derived, values, own=own)
    spot = spot.with_derived(derived)
    reason = None
    if spot.shown(now).is_manual:
        reason = _manual_reason(connection, plan.program_id, member_id)
    return showing.view(ladder, spot, history, values=values, at=now, reason=reason)


def _looked_at(
    plan: Plan, standing: Standing, values: Values, *, own: Contribution | None
) -> Standing:
    """The standing by what the window holds now. Within grace a level is renewed from the day of
    what was bought, and by nobody's looking at it."""
    ladder, now, zone = plan.live.ladder, plan.now, plan.live.zone
    found = moving.bought(ladder, standing, values, at=now, zone=zone)
    if standing.grace_until is None or found.grace_until is not None:
        return found
    if found.rank > standing.rank:
        return found
    if own is None:
        return moving.seen(ladder, standing, values, at=now, zone=zone)
    return replace(found, until=moving.term_end(ladder, own.at, zone))


def _manual_reason(connection: sa.Connection, program_id: bytes, member_id: bytes) -> str | None:
    """Why a level was given by hand, last."""
    statement = (
        sa.select(CHANGES.c.note)
        .where(
            CHANGES.c.program_id == program_id,
            CHANGES.c.member_id == member_id,
            CHANGES.c.cause == "manual",
        )
        .order_by(CHANGES.c.recorded_at.desc(), CHANGES.c.id.desc())
        .limit(1)
    )
    found: str | None = connection.execute(statement).scalar()
    return found
