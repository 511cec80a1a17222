"""Measuring: what a program came to in a period, by the same SQL for the real one and the scratch.

Owns the figures. Points are those of the ledger, by the instant that they count from; what each
rule gave is what the decisions say that stand. Writes nothing.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics.backtests.arriving import rows_of
from analytics.backtests.moved import CARRIED
from core import jsontext
from loyalty.ledger.rows import ENTRIES
from loyalty.tiers.models import CHANGES
from members.activities import ACTIVITIES
from members.members import MEMBERS
from orders.models import Order
from programs import versions
from programs.compiled import Compiled
from programs.models import Decision
from rewards.surprises.carried import DRAWS
from segments import belonging
from storefront.surprising import giving

_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]
#: Levels that these moved no document would have moved otherwise.
_BY_HAND = ("manual", "merge", "opening")
_WINNER = re.compile(r"^(\S+) of the group ")


@dataclass(frozen=True, slots=True)
class Period:
    """From one instant on, until before another."""

    from_at: int
    to_at: int


@dataclass(slots=True)
class OfRule:
    """What one rule gave in the period: how often, points by kind, what its limits withheld,
    rewards at their estimated cost and cash owed."""

    awards: int = 0
    points: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    minor: int = 0


@dataclass(slots=True)
class OfSurprise:
    """What one surprise came to: draws, prizes that stand, what these take of its budget, when that
    first had nothing left for somebody; points of its prizes, rewards at their cost and cash."""

    draws: int = 0
    winners: int = 0
    cost: int = 0
    exhausted_at: int | None = None
    points: Counter[str] = field(default_factory=Counter)
    minor: int = 0


@dataclass(slots=True)
class Figures:
    """What a program came to in a period."""

    orders: int = 0
    points: Counter[str] = field(default_factory=Counter)
    expired: Counter[str] = field(default_factory=Counter)
    rules: dict[str, OfRule] = field(default_factory=dict)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    #: How often a rule was excluded by which other of its group.
    conflicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    surprises: dict[str, OfSurprise] = field(default_factory=dict)
    #: Members of each segment, as of when it was looked at last.
    segments: dict[str, int] = field(default_factory=dict)

    def worth(self, program: Compiled) -> int:
        """Points at the value of their kind, with rewards and cash, in minor units."""
        given = sum(one.minor for one in self.rules.values())
        given += sum(one.minor for one in self.surprises.values())
        return given + _worth(program, self.points)

    def prize_worth(self, program: Compiled, key: str) -> int:
        """The same of the prizes of one surprise."""
        one = self.surprises.get(key, OfSurprise())
        return one.minor + _worth(program, one.points)

    def rule_worth(self, program: Compiled, key: str) -> int:
        """The same of what one rule gave."""
        rule = self.rules.get(key, OfRule())
        return rule.minor + _worth(program, rule.points)


def _worth(program: Compiled, points: Counter[str]) -> int:
    found = 0
    for key, count in points.items():
        kind = program.kind(key)
        found += 0 if kind is None else kind.value_minor(count)
    return found


def measure(connection: sa.Connection, program_id: bytes, period: Period) -> Figures:
    """The figures of a period."""
    found = Figures()
    columns = _ORDERS.c
    found.orders = connection.execute(
        sa.select(sa.func.count()).where(
            columns.program_id == program_id, *_within(columns.placed_at, period)
        )
    ).scalar_one()
    for key, issued, expired in connection.execute(_points(program_id, period)):
        found.points[key], found.expired[key] = int(issued), int(expired)
    _count_levels(connection, program_id, period, found)
    for key, *values in connection.execute(_draws(program_id, period)):
        found.surprises[key] = OfSurprise(*values)
    found.segments = belonging.counts(connection, program_id)
    for statement in (
        _standing(program_id, period, _ORDERS, _ORDERS.c.placed_at),
        _standing(program_id, period, ACTIVITIES, ACTIVITIES.c.occurred_at),
        _others(program_id, period),
    ):
        for row in rows_of(connection, statement):
            _add(connection, program_id, found, row)
    return found


def of_members(
    connection: sa.Connection, program_id: bytes, period: Period
) -> Iterator[tuple[bytes, str, int]]:
    """What members were given in the period less what was taken back: id, reference and points."""
    columns = ENTRIES.c
    its = sa.and_(MEMBERS.c.program_id == columns.program_id, MEMBERS.c.id == columns.member_id)
    statement = (
        sa.select(MEMBERS.c.id, MEMBERS.c.member_ref, sa.func.sum(_issued()))
        .select_from(ENTRIES.join(MEMBERS, its))
        .where(columns.program_id == program_id, *_counted(period))
        .group_by(MEMBERS.c.id, MEMBERS.c.member_ref)
    )
    for row in rows_of(connection, statement):
        yield bytes(row[0]), row[1], int(row[2])


def _within(instant: sa.ColumnElement[Any], period: Period) -> tuple[Any, Any]:
    return instant >= period.from_at, instant < period.to_at


def _counted(period: Period) -> tuple[Any, ...]:
    return (*_within(ENTRIES.c.effective_at, period), ENTRIES.c.source_type.not_in(CARRIED))


def _issued() -> sa.ColumnElement[Any]:
    """Points that came to be, less those that were taken back."""
    columns = ENTRIES.c
    return sa.case(
        (columns.from_bucket.in_(("issued", "clawed_back")), columns.points),
        (columns.to_bucket == "clawed_back", -columns.points),
        else_=0,
    )


def _points(program_id: bytes, period: Period) -> sa.Select[Any]:
    columns = ENTRIES.c
    expired = sa.case((columns.to_bucket == "expired", columns.points), else_=0)
    return (
        sa.select(columns.points_key, sa.func.sum(_issued()), sa.func.sum(expired))
        .where(columns.program_id == program_id, *_counted(period))
        .group_by(columns.points_key)
    )


def _count_levels(
    connection: sa.Connection, program_id: bytes, period: Period, found: Figures
) -> None:
    columns = CHANGES.c
    statement = (
        sa.select(columns.from_key, columns.to_key, sa.func.count())
        .where(
            columns.program_id == program_id,
            columns.cause.not_in(_BY_HAND),
            columns.kind != "renewal",
            *_within(columns.effective_at, period),
        )
        .group_by(columns.from_key, columns.to_key)
    )
    for from_key, to_key, count in connection.execute(statement):
        if to_key is not None:
            found.gained[to_key] += count
        if from_key is not None:
            found.lost[from_key] += count


def _draws(program_id: bytes, period: Period) -> sa.Select[Any]:
    columns = DRAWS.c
    stands = sa.and_(columns.stands, sa.not_(columns.is_shadow))

    def total(condition: Any, value: Any) -> sa.ColumnElement[int]:
        return sa.cast(sa.func.sum(sa.case((condition, value), else_=0)), sa.BigInteger)

    return (
        sa.select(
            columns.surprise_key,
            total(columns.guard.is_(None), 1),
            total(stands, 1),
            total(stands, columns.cost),
            sa.func.min(sa.case((columns.guard == "budget", columns.drawn_at))),
        )
        .where(columns.program_id == program_id, *_within(columns.drawn_at, period))
        .group_by(columns.surprise_key)
    )


def _standing(
    program_id: bytes, period: Period, table: sa.Table, at: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """Decisions that stand of what has one of its own."""
    columns = _DECISIONS.c
    its = sa.and_(columns.program_id == table.c.program_id, columns.id == table.c.decision_id)
    return (
        sa.select(columns.outcomes, columns.version, columns.switches, columns.source_type)
        .select_from(table.join(_DECISIONS, its))
        .where(table.c.program_id == program_id, *_within(at, period))
    )


def _others(program_id: bytes, period: Period) -> sa.Select[Any]:
    """The last decision on whatever else was decided: signups, days, cards, levels."""
    columns = _DECISIONS.c
    number = sa.func.row_number().over(
        partition_by=(
            columns.member_id,
            columns.source_type,
            columns.source_ref,
            columns.effective_at,
        ),
        order_by=columns.id.desc(),
    )
    told = ("order", "activity", *CARRIED)
    inner = (
        sa.select(
            columns.outcomes,
            columns.version,
            columns.switches,
            columns.source_type,
            number.label("number"),
        )
        .where(
            columns.program_id == program_id,
            columns.source_type.not_in(told),
            *_within(columns.effective_at, period),
        )
        .subquery()
    )
    named = (inner.c.outcomes, inner.c.version, inner.c.switches, inner.c.source_type)
    return sa.select(*named).where(inner.c.number == 1)


def _add(connection: sa.Connection, program_id: bytes, found: Figures, row: Any) -> None:
    outcomes = jsontext.parse(row.outcomes)
    is_prize = row.source_type == giving.SOURCE_TYPE
    for told in [] if is_prize else outcomes["rules"]:
        key = told["rule"]
        rule = found.rules.get(key)
        if rule is None:
            rule = found.rules[key] = OfRule()
        rule.awards += told["is_fired"]
        rule.withheld += told.get("withheld") or 0
        if told.get("reason") == "excluded":
            winner = _WINNER.match(told.get("detail") or "")
            found.conflicts[key, winner.group(1) if winner else ""] += 1
    for one in outcomes["arithmetic"]:
        for key, points, _ in one["breakdown"]:
            _giver(found, key, is_prize).points[one["points_key"]] += points
    for key, minor in (outcomes.get("payables") or {}).items():
        _giver(found, key, is_prize).minor += minor
    grants = outcomes.get("grants")
    if grants:
        program = versions.get_compiled(connection, program_id, row.version, row.switches)
        for key, reward_key in grants.items():
            reward = program.catalogue.find(reward_key)
            cost = 0 if reward is None else reward.estimated_cost_minor
            _giver(found, key, is_prize).minor += cost


def _giver(found: Figures, key: str, is_prize: bool) -> OfRule | OfSurprise:
    """What gave something: a rule, or the surprise whose effects are named `key`, `key.2` …: a rule
    may have the same key."""
    if is_prize:
        return found.surprises.setdefault(key.partition(".")[0], OfSurprise())
    return found.rules.setdefault(key, OfRule())
