"""Birthdays and anniversaries: kept by the worker at the local midnight of the day (SEMANTICS A7).

A day is decided by the version that was live when it began, so a rule published later pays nothing
for it. Only programs that listen look at all. Refuses to know dates: `members.occasions` does.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from core import clock, ids
from core.writing import Writes
from members import members, occasions
from members.members import Known
from members.occasions import PAYMENTS, Due, Kind
from programs import versions
from programs.compiled import Compiled
from programs.models import ProgramVersion
from rules.outcomes import Reason
from storefront import firing
from storefront.firing import Source
from storefront.membership import member_facts
from storefront.plan import Plan

#: So many that need only be looked at again later are put off at once.
PORTION = 2000
_EVER = -(2**62)
#: Since when the versions up to one, which never changes, have listened without a gap.
_since: dict[tuple[bytes, int, Kind], int] = {}
_REMEMBERED = 1024


def heard(live: Compiled) -> tuple[Kind, ...]:
    """The kinds that a program's rules listen to."""
    return tuple(kind for kind in occasions.KINDS if live.hears(kind))


def put_off(connection: sa.Connection, program_id: bytes) -> int:
    """Put off what needs only be looked at later: members just told of, days that came before
    a rule was published; how many. No member is locked for it, so it is a unit of its own."""
    live, now = versions.get_live(connection, program_id)
    kinds = heard(live)
    if not kinds:
        return 0
    writes, count = Writes(), 0
    found = occasions.list_due(
        connection, program_id, kinds, now=now, limit=PORTION, is_locking=True
    )
    for one in found:
        since = _heard_since(connection, live, one.kind, now=now)
        days, next_at = occasions.look(one, since=since, now=now, zone=live.zone)
        if not days:
            writes.replace(occasions.OCCASIONS, one.row(program_id, due_at=next_at))
            count += 1
    writes.run(connection)
    return count


def settle(connection: sa.Connection, plan: Plan, member_ids: Collection[bytes]) -> None:
    """Keep the days of these members that came by now; they are locked, their accounts loaded and
    settled."""
    kinds = heard(plan.live)
    if not kinds or not member_ids:
        return
    due = occasions.list_due(
        connection, plan.program_id, kinds, now=plan.now, member_ids=member_ids
    )
    if not due:
        return
    member_ids = sorted({one.member_id for one in due})
    known = members.lock_ids(connection, plan.program_id, member_ids)
    kept = [_Kept(one, known[one.member_id], *_look(connection, plan, one)) for one in due]
    moments = [
        (one.known, occasions.start_of(day, plan.live.zone)) for one in kept for day in one.days
    ]
    facts = iter(member_facts.before(connection, plan, moments) if moments else ())
    numbers = _versions(connection, plan.live) if moments else []
    for one in kept:
        _keep(connection, plan, one, facts=facts, numbers=numbers)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An occasion of a locked member: the days that came by now, and when to look again."""

    due: Due
    known: Known
    days: list[date]
    next_at: int | None


def _look(connection: sa.Connection, plan: Plan, one: Due) -> tuple[list[date], int | None]:
    since = _heard_since(connection, plan.live, one.kind, now=plan.now)
    return occasions.look(one, since=since, now=plan.now, zone=plan.live.zone)


def _keep(
    connection: sa.Connection,
    plan: Plan,
    kept: _Kept,
    *,
    facts: Iterator[dict[str, Any]],
    numbers: Sequence[Any],
) -> None:
    one, zone, last_on = kept.due, plan.live.zone, kept.due.last_on
    for day in kept.days:
        at = occasions.start_of(day, zone)
        source = Source(one.kind, day.isoformat(), ids.new_id(), at)
        reason = _against(plan, one, kept.known, day=day, last_on=last_on)
        fired = firing.fire(
            connection,
            plan,
            one.member_id,
            source,
            trigger=one.kind,
            program=_live_at(connection, plan, numbers, at=at),
            member_facts=next(facts),
            own_facts=_own(one, day, zone),
            reason=reason,
        )
        earning = fired.earning
        if fired.deserved or earning.stamps or earning.grants or earning.payables:
            last_on = day
            plan.writes.insert(PAYMENTS, _payment(plan, source, one, fired.decision_id))
        elif reason is None and any(of.is_live for of in plan.live.surprises.of(one.kind)):
            # It had its chance: a day that is changed brings no second one.
            last_on = day
    occasions.mark(connection, plan.program_id, one, due_at=kept.next_at, last_on=last_on)


def _own(one: Due, day: date, zone: Any) -> dict[str, Any]:
    origin = one.origin(zone)
    if one.kind == "birthday" or origin is None:
        return {}
    return {"anniversary.years": day.year - origin.year}


def _against(
    plan: Plan, one: Due, known: Known, *, day: date, last_on: date | None
) -> Reason | None:
    """What stands against paying a day, whatever the rules say."""
    if not known.is_enrolled:
        return "no_member"
    if occasions.was_paid(last_on, day):
        return "already_paid"
    if occasions.is_late(one, day, notice=plan.live.birthday_notice, zone=plan.live.zone):
        return "cooldown"
    return None


def _payment(plan: Plan, source: Source, one: Due, decision_id: bytes) -> dict[str, Any]:
    return {
        "program_id": plan.program_id,
        "id": source.id,
        "member_id": one.member_id,
        "kind": one.kind,
        "paid_on": source.ref,
        "decision_id": decision_id,
    }


def _versions(connection: sa.Connection, live: Compiled) -> Sequence[Any]:
    """Numbers and dates of the versions up to the live one, newest first."""
    return connection.execute(
        sa.select(ProgramVersion.version, ProgramVersion.published_at)
        .where(ProgramVersion.program_id == live.program_id, ProgramVersion.version <= live.version)
        .order_by(ProgramVersion.version.desc())
    ).all()


def _heard_since(connection: sa.Connection, live: Compiled, kind: Kind, *, now: int) -> int:
    """Since when the program has listened without a gap. What was published before its clock was
    first set, to an earlier time, was there from the beginning."""
    key = (live.program_id, live.version, kind)
    since = _since.get(key)
    if since is None:
        since = clock.system_now()
        for number, published_at in _versions(connection, live):
            program = live
            if number != live.version:
                program = versions.get_compiled(connection, live.program_id, number)
            if not program.hears(kind):
                break
            since = _EVER if number == 1 else published_at
        if len(_since) >= _REMEMBERED:
            _since.clear()
        _since[key] = since
    return _EVER if since > now else since


def _live_at(connection: sa.Connection, plan: Plan, numbers: Sequence[Any], *, at: int) -> Compiled:
    """The version that was live at an instant, by the program's clock."""
    for number, published_at in numbers:
        if number != 1 and at < published_at <= plan.now:
            continue
        if number == plan.live.version:
            break
        return versions.get_compiled(connection, plan.program_id, number)
    return plan.live
