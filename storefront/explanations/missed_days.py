"""Missed days: why a birthday or an anniversary was not paid, and since when it comes again.

Reads what stood against a day besides its rules: that it was told too late, or what was paid
before; and says it in words. Refuses to decide: `storefront.activities.occasions` did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from core import clock, language
from core.language import Text
from members import members, occasions
from members.occasions import OCCASIONS, PAYMENTS, Due, Kind
from programs.compiled import Compiled

#: What may stand against a day, whatever the rules say of it.
REASONS = ("already_paid", "cooldown")
#: A date told again and again is late again and again: so many days are tried.
_TRIED = 4


@dataclass(frozen=True, slots=True)
class Missed:
    """A day that was not paid: the day that was paid before, if that stood against it, and the
    next one that nothing stands against by what is known."""

    kind: Kind
    day: date
    reason: str
    paid_on: date | None
    again_on: date | None


def find(
    connection: sa.Connection, program: Compiled, row: Any, outcomes: Mapping[str, Any]
) -> Missed | None:
    """What a stored decision missed; None when it missed no day."""
    if row.source_type not in occasions.KINDS or row.member_id is None:
        return None
    reason = next(
        (one["reason"] for one in outcomes["rules"] if one.get("reason") in REASONS), None
    )
    if reason is None:
        return None
    kind, member_id, day = row.source_type, bytes(row.member_id), date.fromisoformat(row.source_ref)
    paid_on = _paid_before(connection, program.program_id, member_id, kind=kind, day=day)
    due = _due(connection, program.program_id, member_id, kind)
    again_on = None if due is None else _again(program, due, day=day, paid_on=paid_on)
    return Missed(kind, day, reason, paid_on if reason == "already_paid" else None, again_on)


def is_due(
    connection: sa.Connection, program: Compiled, *, source: tuple[str, str], row: Any, now: int
) -> bool:
    """Whether a reference names a day of a member's that came; `row` is theirs."""
    kind, ref = source
    try:
        day = date.fromisoformat(ref)
    except ValueError:
        return False
    due = _due(connection, program.program_id, bytes(row["id"]), kind)
    origin = None if due is None else due.origin(program.zone)
    if origin is None or day.isoformat() != ref or day <= origin:
        return False
    began_at = occasions.start_of(day, program.zone)
    return row["created_at"] <= began_at <= now and occasions.in_year(origin, day.year) == day


def _paid_before(
    connection: sa.Connection, program_id: bytes, member_id: bytes, *, kind: str, day: date
) -> date | None:
    """The last day that was paid by one; that very one only of somebody merged."""
    found = connection.execute(
        sa.select(sa.func.max(PAYMENTS.c.paid_on)).where(
            PAYMENTS.c.program_id == program_id,
            PAYMENTS.c.member_id == member_id,
            PAYMENTS.c.kind == kind,
            PAYMENTS.c.paid_on <= day.isoformat(),
        )
    ).scalar()
    return None if found is None else date.fromisoformat(found)


def _due(connection: sa.Connection, program_id: bytes, member_id: bytes, kind: str) -> Due | None:
    """The member's day of a kind as it is told now."""
    told_at = connection.execute(
        sa.select(OCCASIONS.c.told_at).where(
            OCCASIONS.c.program_id == program_id,
            OCCASIONS.c.member_id == member_id,
            OCCASIONS.c.kind == kind,
        )
    ).scalar()
    if told_at is None:
        return None
    row = members.get_row(connection, program_id, member_id)
    born = row["birthday_on"]
    return Due(
        member_id=member_id,
        kind="birthday" if kind == "birthday" else "anniversary",
        due_at=told_at,
        told_at=told_at,
        last_on=None,
        birthday_on=None if born is None else date.fromisoformat(born),
        joined_at=row["joined_at"],
    )


def _again(program: Compiled, due: Due, *, day: date, paid_on: date | None) -> date | None:
    """The first day after one that neither comes too soon nor was told too late."""
    origin, zone = due.origin(program.zone), program.zone
    if origin is None:
        return None
    for _ in range(_TRIED):
        day = occasions.next_day(origin, day + timedelta(days=1))
        is_late = occasions.is_late(due, day, notice=program.birthday_notice, zone=zone)
        if not is_late and not occasions.was_paid(paid_on, day):
            return day
    return None


def again(program: Compiled, missed: Missed) -> int | None:
    """The instant with which the next day begins."""
    day = missed.again_on
    return None if day is None else occasions.start_of(day, program.zone)


def cause(program: Compiled, missed: Missed) -> Text:
    """Why the day was not paid: a clause."""
    paid_on = missed.paid_on
    if missed.reason == "cooldown":
        return _late(program, missed.kind)
    if paid_on is None:
        return {
            "en": f"less than {occasions.APART} days have passed since it was paid",
            "ko": f"마지막 지급 후 {occasions.APART}일이 지나지 않았습니다",
        }
    told = language.day(paid_on)
    if paid_on.year == missed.day.year:
        return {
            "en": f"this year's was paid already, on {told['en']}",
            "ko": f"올해 혜택은 {told['ko']}에 이미 지급되었습니다",
        }
    return {
        "en": f"less than {occasions.APART} days have passed since it was paid on {told['en']}",
        "ko": f"{told['ko']} 지급 후 {occasions.APART}일이 지나지 않았습니다",
    }


def _late(program: Compiled, kind: Kind) -> Text:
    notice = program.birthday_notice
    if kind == "anniversary":
        return {
            "en": "the day of joining was told after it had begun",
            "ko": "가입 기념일이 시작된 뒤에 가입일이 등록되었습니다",
        }
    if notice == clock.Duration():
        return {
            "en": "the birthday was told after it had begun",
            "ko": "생일이 시작된 뒤에 생일이 등록되었습니다",
        }
    told = language.duration(notice)
    return {
        "en": f"the birthday was told less than {told['en']} before",
        "ko": f"생일은 {told['ko']} 전까지 등록되어 있어야 합니다",
    }


def outcome(program: Compiled, missed: Missed, name: Text) -> Text:
    """What became of a rule of the day, in a sentence or two."""
    why = cause(program, missed)
    topic = language.with_particle(name["ko"], "은")
    english = f"{name['en']} was not given: {why['en']}."
    korean = f"{topic} 지급되지 않았습니다: {why['ko']}."
    if missed.again_on is not None:
        told = language.day(missed.again_on)
        english += f" Next: {told['en']}."
        korean += f" 다음 지급: {told['ko']}."
    return {"en": english, "ko": korean}
