"""What prizes that stand brought: points at their value, rewards as estimated, cash owed.

Summed by surprise over the prizes won in a period, from the lots, grants and payables whose source
is the receipt: from what was really given. What prizes with an `estimated_cost_minor` of their own
are thought to cost instead is told beside it and is in the total, so that the total is what budgets
of money count. Writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics import costs
from analytics.funnel import Period
from loyalty.ledger.rows import LOTS
from programs import versions
from programs.compiled import Compiled
from programs.surprises import Prize
from rewards import terms
from rewards.carried import GRANTS
from rewards.payables import PAYABLES
from rewards.surprises.carried import DRAWS

_BY = (DRAWS.c.surprise_key, DRAWS.c.version, DRAWS.c.prize)


@dataclass(slots=True)
class Given:
    """Points by kind, less what was taken back; money of rewards and of cash owed."""

    points: dict[str, int] = field(default_factory=dict)
    rewards_minor: int = 0
    payables_minor: int = 0

    def add(self, other: "Given") -> None:
        """What another gave, too."""
        for key, count in other.points.items():
            self.points[key] = self.points.get(key, 0) + count
        self.rewards_minor += other.rewards_minor
        self.payables_minor += other.payables_minor

    def worth(self, live: Compiled) -> int:
        """All of it in money."""
        return self.points_minor(live) + self.rewards_minor + self.payables_minor

    def points_minor(self, live: Compiled) -> int:
        """Its points at their value; those of a kind that is gone have none."""
        kinds = [(live.kind(key), count) for key, count in self.points.items()]
        return sum(kind.value_minor(count) for kind, count in kinds if kind is not None)


@dataclass(slots=True)
class Cost:
    """What prizes gave that cost what they give; and, of those with an estimate of their own, what
    they gave and what they are thought to cost."""

    plain: Given = field(default_factory=Given)
    guessed: Given = field(default_factory=Given)
    estimated_minor: int = 0


class _Prizes:
    """The prizes of receipts, as they were drawn."""

    def __init__(self, connection: sa.Connection, live: Compiled) -> None:
        self._connection, self._live = connection, live
        self.costs: dict[str, Cost] = {}

    def find(self, key: str, version: int, number: int) -> tuple[Prize, str]:
        """A prize, and the unit in which receipts tell what it costs."""
        program = versions.get_compiled(self._connection, self._live.program_id, version)
        surprise = program.surprises.find(key)
        assert surprise is not None, f"{key} was drawn by version {version}"
        unit = "minor" if surprise.budget is None else surprise.budget.unit
        return surprise.prizes[number], unit

    def given(self, key: str, version: int, number: int) -> Given:
        """Where what a prize gave is summed up."""
        cost = self.costs.setdefault(key, Cost())
        prize, _unit = self.find(key, version, number)
        return cost.plain if prize.estimated_cost_minor is None else cost.guessed

    def guess(self, key: str, version: int, number: int, *, count: int, claimed: int) -> None:
        """What so many receipts of a prize with an estimate of its own cost."""
        prize, unit = self.find(key, version, number)
        if prize.estimated_cost_minor is None:
            return
        each = prize.estimated_cost_minor if prize.fixed_minor is None else prize.fixed_minor
        cost = self.costs.setdefault(key, Cost())
        cost.estimated_minor += claimed if unit == "minor" else count * each


def read(
    connection: sa.Connection, live: Compiled, period: Period, *, only: str | None
) -> dict[str, Cost]:
    """The cost of each surprise."""
    prizes = _Prizes(connection, live)
    own: dict[str, Any] = {"live": live, "period": period, "only": only}
    points = sa.func.sum(LOTS.c.points - LOTS.c.reversed)
    for *of, points_key, total in connection.execute(_of(LOTS, LOTS.c.points_key, points, **own)):
        prizes.given(*of).add(Given({points_key: int(total)}))
    grants = _of(GRANTS, GRANTS.c.terms, sa.func.count(), **own)
    stand = GRANTS.c.state.in_(("open", "used", "frozen"))
    for *of, text, count in connection.execute(grants.where(stand)):
        estimated = costs.estimated(terms.parse(text))
        prizes.given(*of).add(Given(rewards_minor=int(count) * estimated))
    owed = _of(PAYABLES, PAYABLES.c.currency, sa.func.sum(PAYABLES.c.minor), **own)
    for *of, _currency, minor in connection.execute(owed):
        prizes.given(*of).add(Given(payables_minor=int(minor)))
    stood = (
        sa.select(*_BY, sa.func.count(), sa.func.sum(DRAWS.c.cost))
        .where(*_won(**own), sa.or_(DRAWS.c.stands, DRAWS.c.cost > 0))
        .group_by(*_BY)
    )
    for *of, count, claimed in connection.execute(stood):
        prizes.guess(*of, count=int(count), claimed=int(claimed))
    return prizes.costs


def _won(*, live: Compiled, period: Period, only: str | None) -> list[sa.ColumnElement[bool]]:
    found = [DRAWS.c.program_id == live.program_id, DRAWS.c.won, period.has(DRAWS.c.drawn_at)]
    return found if only is None else [*found, DRAWS.c.surprise_key == only]


def _of(
    table: sa.Table, by: sa.ColumnElement[Any], total: sa.ColumnElement[Any], **own: Any
) -> sa.Select[Any]:
    """What a table of awards has of won prizes, by prize and another column."""
    its = sa.and_(table.c.program_id == DRAWS.c.program_id, table.c.source_id == DRAWS.c.id)
    return (
        sa.select(*_BY, by, total)
        .select_from(DRAWS.join(table, its))
        .where(*_won(**own))
        .group_by(*_BY, by)
    )


def shown(live: Compiled, some: Iterable[Cost]) -> dict[str, Any]:
    """The sum of costs as the contract has it. Points of a kind that is gone have no value."""
    given, plain, estimated = Given(), Given(), 0
    for one in some:
        plain.add(one.plain)
        given.add(one.plain)
        given.add(one.guessed)
        estimated += one.estimated_minor
    told = []
    for key, count in sorted(given.points.items()):
        kind = live.kind(key)
        value = None if kind is None else kind.value_minor(count)
        told.append({"points_key": key, "points": count, "value_minor": value})
    total = plain.worth(live) + estimated
    return {
        "points": told,
        "points_minor": given.points_minor(live),
        "rewards_minor": given.rewards_minor,
        "payables_minor": given.payables_minor,
        "estimates_minor": total - given.worth(live),
        "total_minor": total,
    }
