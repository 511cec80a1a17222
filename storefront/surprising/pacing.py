"""Pacing: the pace of a surprise on a day of its program, the same for every draw of the day.

It is computed at the first draw of the day and stored; who comes first computes it for all. Every
figure is of stored rows and of the plan's clock, so telling the same facts again comes to the same
paces. Refuses to lower what is not paced, and anything once the budget's end is over.
"""

from datetime import date, timedelta

import sqlalchemy as sa

from core import clock, rawsql
from loyalty.limits.claims import CounterKey
from programs.surprises import CERTAIN_PPM, Surprise, budget_rule
from rewards.surprises import pacing
from rules.calendar import day_start
from rules.limits import BEGINNING
from storefront.plan import Plan

_READ = (
    "SELECT pace_ppm FROM surprise_paces WHERE program_id = {0}1 AND surprise_key = {0}2"
    " AND version = {0}3 AND paced_on = {0}4"
)
_FIRST = (
    "SELECT MIN(recorded_at) FROM draws WHERE program_id = {0}1 AND surprise_key = {0}2"
    " AND expected_cost_micro IS NOT NULL"
)
_SPENT = (
    "SELECT SUM(expected_cost_micro) FROM draws WHERE program_id = {0}1 AND surprise_key = {0}2"
    " AND recorded_at >= {0}3 AND recorded_at < {0}4 AND expected_cost_micro IS NOT NULL"
)
#: Only what the surprise drew as it is by now.
_AS_IT_IS = " AND version = {0}"
_COUNTED = "SELECT 1 FROM limit_counters WHERE program_id = {0}1 AND rule = {0}2 LIMIT 1"
_WRITE = (
    "INSERT INTO surprise_paces (program_id, surprise_key, version, paced_on, remaining, days_left,"
    " expected_micro, pace_ppm, recorded_at)"
    " VALUES ({0}1, {0}2, {0}3, {0}4, {0}5, {0}6, {0}7, {0}8, {0}9)"
    " ON CONFLICT (program_id, surprise_key, version, paced_on) DO NOTHING"
)

#: Paces that others have committed, by program, surprise, version and day; not on SQLite, where
#: programs of one id may live in several databases of one process.
_known: dict[tuple[bytes, str, int, date], int] = {}
_KNOWN_MAX = 4096


def pace_ppm(connection: sa.Connection, plan: Plan, surprise: Surprise) -> int:
    """What is left of the probability, in millionths. The budget's counter was read before."""
    budget = surprise.budget
    if budget is None or not budget.is_paced or budget.ends_at is None:
        return CERTAIN_PPM
    if plan.now >= budget.ends_at:
        return CERTAIN_PPM
    today = clock.local_date(plan.now, plan.live.zone)
    key = (plan.program_id, surprise.key, surprise.version, today)
    found = plan.surprises.paces.get(key, _known.get(key))
    if found is not None:
        return found
    mark = rawsql.mark(connection.dialect.name)
    row_key = [plan.program_id, surprise.key, surprise.version, today.isoformat()]
    rows = rawsql.run(connection, _READ.format(mark), row_key)
    if rows and connection.dialect.name == "sqlite":
        return int(rows[0][0])
    if rows:
        # Only what is committed is remembered: a unit that starts again takes its own row back.
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[key] = rows[0][0]
        return int(rows[0][0])
    figures = _figures(connection, plan, surprise, today, ends_at=budget.ends_at)
    factor = pacing.factor_ppm(
        remaining=figures[0], days_left=figures[1], expected_micro=figures[2]
    )
    rawsql.later(connection, _WRITE.format(mark), [*row_key, *figures, factor, plan.now])
    # Another unit may have been first: its pace is the day's.
    [(stored,)] = rawsql.run(connection, _READ.format(mark), row_key)
    plan.surprises.paces[key] = int(stored)
    return int(stored)


def _figures(
    connection: sa.Connection, plan: Plan, surprise: Surprise, today: date, *, ends_at: int
) -> tuple[int, int, int]:
    """What is left of the total, for how many days, and what each of them is expected to spend."""
    assert surprise.budget is not None
    zone, rule = plan.live.zone, surprise.budget.rule
    used = plan.claims.counted(CounterKey(rule.key, "ever", BEGINNING, "points"), but=None)
    remaining = max(0, surprise.budget.total - used)
    expected = _expected(connection, plan, surprise, today)
    return remaining, pacing.days_left(today, ends_at, zone), expected


def _expected(connection: sa.Connection, plan: Plan, surprise: Surprise, today: date) -> int:
    """The mean of the whole local days before today, a week at most, since the first draw: in
    millionths. On the day of the first draw there is none, and nothing is lowered."""
    mark, zone = rawsql.mark(connection.dialect.name), plan.live.zone
    of: list[object] = [plan.program_id, surprise.key]
    only, version = (
        ("", []) if _is_of_one_unit(connection, plan, surprise) else (_AS_IT_IS, [surprise.version])
    )
    [(first_at,)] = rawsql.run(
        connection, (_FIRST + only.format(mark + "3")).format(mark), [*of, *version]
    )
    # A unit that tells several days at once has draws that nobody can read yet.
    unwritten = [
        row
        for row in plan.surprises.new.values()
        if row.surprise_key == surprise.key and row.expected_cost_micro is not None
    ]
    starts = [at for at in (first_at, *(row.recorded_at for row in unwritten)) if at is not None]
    if not starts:
        return 0
    days = min(pacing.DAYS, (today - clock.local_date(min(starts), zone)).days)
    if days <= 0:
        return 0
    start, end = day_start(today - timedelta(days=days), zone), day_start(today, zone)
    [(spent,)] = rawsql.run(
        connection,
        (_SPENT + only.format(mark + "5")).format(mark),
        [*of, start, end, *version],
    )
    whole = int(spent or 0) + sum(
        row.expected_cost_micro for row in unwritten if start <= row.recorded_at < end
    )
    return int(whole // days)


def _is_of_one_unit(connection: sa.Connection, plan: Plan, surprise: Surprise) -> bool:
    """Whether its budget never was of another unit: points are no money, and are not added up."""
    assert surprise.budget is not None
    other = budget_rule(surprise.key, "minor" if surprise.budget.unit == "points" else "points")
    mark = rawsql.mark(connection.dialect.name)
    return not rawsql.run(connection, _COUNTED.format(mark), [plan.program_id, other])
