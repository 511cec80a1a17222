"""Manual tiers: a level given by hand until an end, with a reason, and ended before it.

While it holds it outranks what the member reached, up and down; that goes on beneath it. Entering
a level by hand pays what entering it pays, once per term. Refuses a level without an end.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core import clock
from core.errors import FieldError, invalid, not_found
from loyalty import reading
from loyalty.tiers import keeping, showing
from loyalty.tiers.models import TIERS
from loyalty.tiers.standing import Assured, LevelMove, Place
from members import members
from programs import versions
from programs.compiled import Compiled
from storefront import finishing, standing
from storefront.granting.showing import hide_codes
from storefront.membership import signup
from storefront.plan import Plan, begin
from storefront.tiers import places, tier_entries


def put(
    connection: sa.Connection,
    program_id: bytes,
    member_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Give a member a level, or end what was given; where they stand then, and 200."""
    known = members.find(connection, program_id, member_ref, is_locking=True)
    if known is None:
        raise not_found("member")
    live, now = versions.get_live(connection, program_id)
    given = _given(live, body, now)
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    # What time had done by now was so before a hand was laid on it.
    places.settle_due(connection, plan, [known.id])
    tier_entries.follow(connection, plan)
    before = places.stored_place(connection, plan, known.id)
    is_ending = before.manual is not None and before.manual.holds(now)
    change = None
    if given is not None or is_ending:
        change = _move(connection, plan, known.id, before, given=given, reason=body["reason"])
    answer = {"tier": _show(connection, plan, known.id, body["reason"]), "change": change}
    finishing.write(connection, plan)
    return answer, 200


def _given(live: Compiled, body: Mapping[str, Any], now: clock.Instant) -> Assured | None:
    """What is to be given; 422 when it cannot be."""
    key, until = body["key"], body.get("until")
    errors = []
    if key is None:
        if until is not None:
            errors.append(FieldError("/until", "invalid", "means nothing without a level"))
        level = None
    else:
        level = live.ladder.find(key)
        if level is None:
            errors.append(FieldError("/key", "unknown", "is no level of the program"))
        elif not level.is_live:
            errors.append(FieldError("/key", "invalid", "is paused; nobody enters it now"))
        if until is None:
            errors.append(FieldError("/until", "required", "is required: a level by hand ends"))
        elif until <= now:
            errors.append(FieldError("/until", "invalid", "must be later than now"))
    if errors:
        raise invalid(errors)
    return None if level is None else Assured(level, now, until)


def _move(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    before: Place,
    *,
    given: Assured | None,
    reason: str,
) -> dict[str, Any] | None:
    """Write what is given, and what follows; the change as the member sees it."""
    if given is None:
        _end(connection, plan.program_id, member_id)
    else:
        keeping.give(connection, plan.program_id, {member_id: given})
    history = places.history_of(connection, plan, member_id)
    after = places.dated(plan, replace(before, manual=given), history)
    plan.levels[member_id] = after
    keeping.keep(plan.writes, plan.program_id, member_id, after)
    move = LevelMove(member_id, before.shown(plan.now), after.shown(plan.now), plan.now, "manual")
    plan.level_moves.append(move)
    entered = tier_entries.follow(connection, plan, note=reason)
    change = showing.change(move.before.level, move.after.level)
    return None if change is None else change | hide_codes(entered[member_id].shown)


def _end(connection: sa.Connection, program_id: bytes, member_id: bytes) -> None:
    connection.execute(
        sa.update(TIERS)
        .where(TIERS.c.program_id == program_id, TIERS.c.member_id == member_id)
        .values(manual_key=None, manual_since=None, manual_until=None)
    )


def _show(connection: sa.Connection, plan: Plan, member_id: bytes, reason: str) -> dict[str, Any]:
    item = signup.item_now(plan.live, member_id, plan.now)
    [read] = standing.read(connection, plan.program_id, [item])
    view = places.view(connection, plan, member_id, read)
    if view.standing.is_manual:
        view = replace(view, reason=reason)
    return showing.show(plan.live, view)
