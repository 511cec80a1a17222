"""Budgets as they stand: total, used, left, of the day, and the pace of today.

Read from the counters that are claimed; nothing is summed up. Refuses to change anything.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.limits.claims import CounterKey
from loyalty.limits.storing import LIMIT_COUNTERS
from programs import versions
from programs.compiled import Compiled
from rewards.surprises.models import SurprisePace
from rules.calendar import day_start
from storefront.budgets import alerting, known
from storefront.budgets.known import Known

PACES: sa.Table = SurprisePace.__table__  # type: ignore[assignment]
_C = LIMIT_COUNTERS.c


def show(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    """Every budget of the live version, of surprises first."""
    live, now = versions.get_live(connection, program_id)
    today = clock.local_date(now, live.zone)
    starts_at = day_start(today, live.zone)
    budgets = list(known.all_of(live))
    used = _used(connection, program_id, budgets, starts_at)
    paces = _paces(connection, live, today.isoformat())
    return {
        "data": [_show(live, one, used, paces, starts_at=starts_at, now=now) for one in budgets]
    }


def _used(
    connection: sa.Connection, program_id: bytes, budgets: Sequence[Known], starts_at: int
) -> dict[CounterKey, int]:
    statement = sa.select(_C.rule, _C.period, _C.starts_at, _C.unit, _C.used).where(
        _C.program_id == program_id,
        _C.rule.in_([one.rule for one in budgets]),
        sa.or_(_C.period == "ever", sa.and_(_C.period == "day", _C.starts_at == starts_at)),
    )
    return {CounterKey(*of): used for *of, used in connection.execute(statement)}


def _paces(connection: sa.Connection, live: Compiled, today: str) -> dict[tuple[str, int], Any]:
    """Today's paces, by surprise and version."""
    statement = sa.select(PACES).where(
        PACES.c.program_id == live.program_id,
        PACES.c.surprise_key.in_([one.key for one in live.surprises.all]),
        PACES.c.paced_on == today,
    )
    return {(row.surprise_key, row.version): row for row in connection.execute(statement)}


def _show(
    live: Compiled,
    one: Known,
    used: dict[CounterKey, int],
    paces: dict[tuple[str, int], Any],
    *,
    starts_at: int,
    now: int,
) -> dict[str, Any]:
    taken = used.get(one.counter, 0)
    today = None if one.per_day is None else used.get(one.day_counter(starts_at), 0)
    return {
        "section": one.section,
        "key": one.key,
        "unit": one.unit,
        "total": one.total,
        "used": taken,
        "left": max(0, one.total - taken),
        "is_exhausted": alerting.GONE in alerting.reached(one, taken),
        "per_day": one.per_day,
        "used_today": today,
        **_pacing(live, one, paces, now=now),
    }


def _pacing(
    live: Compiled, one: Known, paces: dict[tuple[str, int], Any], *, now: int
) -> dict[str, Any]:
    surprise = live.surprises.find(one.key) if one.section == "surprises" else None
    budget = None if surprise is None else surprise.budget
    if surprise is None or budget is None or budget.ends_at is None:
        return {"ends_at": None, "pace": None}
    ends_at = clock.format_instant(budget.ends_at)
    row = paces.get((surprise.key, surprise.version))
    if not budget.is_paced or row is None or now >= budget.ends_at:
        return {"ends_at": ends_at, "pace": None}
    return {
        "ends_at": ends_at,
        "pace": {
            "on": row.paced_on,
            "pace_ppm": row.pace_ppm,
            "remaining": row.remaining,
            "days_left": row.days_left,
            "expected_per_day": row.expected_micro // 1_000_000,
        },
    }
