"""What prizes that stand brought: points at their value, rewards as estimated, cash owed.

Summed by surprise over the prizes won in a period, from the lots, grants and payables whose source
is the receipt: from what was really given, not from what the budget set aside. Writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics import costs
from analytics.funnel import Period
from loyalty.ledger.rows import LOTS
from programs.compiled import Compiled
from rewards import terms
from rewards.carried import GRANTS
from rewards.payables import PAYABLES
from rewards.surprises.carried import DRAWS


@dataclass(slots=True)
class Cost:
    """Points by kind, less what was taken back; money of rewards and of cash owed."""

    points: dict[str, int] = field(default_factory=dict)
    rewards_minor: int = 0
    payables_minor: int = 0


def read(
    connection: sa.Connection, live: Compiled, period: Period, *, only: str | None
) -> dict[str, Cost]:
    """The cost of each surprise."""
    found: dict[str, Cost] = {}
    for key, points_key, total in connection.execute(
        _of(
            LOTS,
            LOTS.c.points_key,
            sa.func.sum(LOTS.c.points - LOTS.c.reversed),
            live=live,
            period=period,
            only=only,
        )
    ):
        found.setdefault(key, Cost()).points[points_key] = int(total)
    grants = _of(GRANTS, GRANTS.c.terms, sa.func.count(), live=live, period=period, only=only)
    stand = GRANTS.c.state.in_(("open", "used", "frozen"))
    for key, text, count in connection.execute(grants.where(stand)):
        estimated = costs.estimated(terms.parse(text))
        found.setdefault(key, Cost()).rewards_minor += int(count) * estimated
    payables = _of(
        PAYABLES,
        PAYABLES.c.currency,
        sa.func.sum(PAYABLES.c.minor),
        live=live,
        period=period,
        only=only,
    )
    for key, _currency, minor in connection.execute(payables):
        found.setdefault(key, Cost()).payables_minor += int(minor)
    return found


def _of(
    table: sa.Table,
    by: sa.ColumnElement[Any],
    total: sa.ColumnElement[Any],
    *,
    live: Compiled,
    period: Period,
    only: str | None,
) -> sa.Select[Any]:
    """What a table of awards has of won prizes, by surprise and another column."""
    its = sa.and_(table.c.program_id == DRAWS.c.program_id, table.c.source_id == DRAWS.c.id)
    return (
        sa.select(DRAWS.c.surprise_key, by, total)
        .select_from(DRAWS.join(table, its))
        .where(
            DRAWS.c.program_id == live.program_id,
            DRAWS.c.won,
            period.has(DRAWS.c.drawn_at),
            *(() if only is None else (DRAWS.c.surprise_key == only,)),
        )
        .group_by(DRAWS.c.surprise_key, by)
    )


def shown(live: Compiled, some: Iterable[Cost]) -> dict[str, Any]:
    """The sum of costs as the contract has it. Points of a kind that is gone have no value."""
    points: dict[str, int] = {}
    rewards = payables = 0
    for one in some:
        for key, count in one.points.items():
            points[key] = points.get(key, 0) + count
        rewards, payables = rewards + one.rewards_minor, payables + one.payables_minor
    told, points_minor = [], 0
    for key, count in sorted(points.items()):
        kind = live.kind(key)
        value = None if kind is None else kind.value_minor(count)
        points_minor += value or 0
        told.append({"points_key": key, "points": count, "value_minor": value})
    return {
        "points": told,
        "points_minor": points_minor,
        "rewards_minor": rewards,
        "payables_minor": payables,
        "total_minor": points_minor + rewards + payables,
    }
