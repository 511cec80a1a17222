"""Alerts of budgets: told once when four fifths of a total are used, and once when it is gone; and
the same of each day's share.

Asked in the unit of work that claims, while it holds the counter: nothing is told of a claim that
is not written, and no claim that matters is missed. Each threshold of a total, or of a day's share
on a day, is told once, also when what was used falls below it and rises again; another total is
told of anew.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from core import clock, ids, jsontext, rawsql
from loyalty.limits.claims import CounterKey
from programs.compiled import Compiled
from programs.referrals import BUDGET_PREFIX as OFFER_PREFIX
from programs.surprises import BUDGET_PREFIX as SURPRISE_PREFIX
from programs.surprises import MONEY_PREFIX
from storefront.budgets import known
from storefront.budgets.known import Known

EVENT = "budget.alert"
NEARLY, GONE = 80, 100
_PREFIXES = (SURPRISE_PREFIX, MONEY_PREFIX, OFFER_PREFIX)

_SENT = (
    "INSERT INTO budget_alerts (program_id, rule, total, percent, used, recorded_at)"
    " VALUES ({0}1, {0}2, {0}3, {0}4, {0}5, {0}6)"
    " ON CONFLICT (program_id, rule, total, percent) DO NOTHING RETURNING 1"
)
_TOLD = "INSERT INTO outbox (program_id, id, type, payload, created_at)"
#: Both at once: nothing has to come back before the unit is committed.
_BOTH = (
    f"WITH sent AS ({_SENT.format('$')}) {_TOLD}"
    " SELECT CAST($1 AS bytea), CAST($7 AS bytea), CAST($8 AS text), CAST($9 AS text),"
    " CAST($6 AS bigint) FROM sent"
)


def follow(
    connection: sa.Connection, live: Compiled, counted: Mapping[CounterKey, int], *, now: int
) -> None:
    """Tell of the budgets that so much is used of by now, as this unit leaves them."""
    for key, used in counted.items():
        if key.period not in ("ever", "day") or not key.rule.startswith(_PREFIXES):
            continue
        budget, on = known.find(live, key.rule), None
        if budget is not None and key.period == "day":
            # By the time of what happened: an order told late is of a day long past.
            budget, on = budget.of_day(), clock.local_date(key.starts_at, live.zone).isoformat()
        if budget is not None:
            for percent in reached(budget, used):
                _tell(connection, live.program_id, budget, percent, used=used, on=on, now=now)


def reached(budget: Known, used: int) -> list[int]:
    """The thresholds that a budget, or a day's share of it, has reached."""
    found = [NEARLY] if used * 100 >= budget.total * NEARLY else []
    return [*found, GONE] if budget.total - used < budget.least else found


def _tell(
    connection: sa.Connection,
    program_id: bytes,
    budget: Known,
    percent: int,
    *,
    used: int,
    on: str | None,
    now: clock.Instant | int,
) -> None:
    payload = jsontext.text(
        {
            "section": budget.section,
            "key": budget.key,
            "unit": budget.unit,
            "period": "total" if on is None else "day",
            "on": on,
            "percent": percent,
            "total": budget.total,
            "used": used,
            "is_exhausted": GONE in reached(budget, used),
        }
    )
    rule = budget.rule if on is None else f"{budget.rule}@{on}"
    sent = [program_id, rule, budget.total, percent, used, now]
    if connection.dialect.name != "sqlite":
        rawsql.later(connection, _BOTH, [*sent, ids.new_id(), EVENT, payload])
    elif rawsql.run(connection, _SENT.format("?"), sent):
        values = [program_id, ids.new_id(), EVENT, payload, now]
        rawsql.run(connection, f"{_TOLD} VALUES (?, ?, ?, ?, ?)", values)
