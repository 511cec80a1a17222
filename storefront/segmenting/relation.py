"""The relation of facts: a row for each member as of now, in SQL, with what segments ask for.

Says of all members what `storefront.decide.facts_of` says of one before an order placed now. It
trusts rows that time has settled, so whoever asks settles what is due first. Days are counted by
numbers (`segments.days`), since neither database is asked about time zones.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.ledger.rows import ACCOUNTS
from loyalty.tiers import moving
from loyalty.tiers.models import TIERS
from loyalty.tiers.standing import NOWHERE, Standing
from members.members import MEMBERS
from orders.models import Order
from programs.compiled import APPROVED_REFERRALS, Compiled
from referrals.carried import REFERRALS
from segments import days, facts, rhythm
from segments.compiling import Columns
from segments.models import RANKS
from storefront.segmenting import rhythms
from storefront.segmenting.rhythms import sum_of, text_of
from storefront.telling import YEAR

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
ATTRIBUTES = "member.attributes."
#: A term that has no end is later than any.
_FOR_GOOD = 2**62

Expression = sa.ColumnElement[Any]
_OF_ORDERS = {
    "member.order_count": "count",
    "member.spend_minor": "spend",
    "member.spend_12m_minor": "year_spend",
    "member.days_since_last_order": "last_at",
}


@dataclass(frozen=True, slots=True)
class Range:
    """Members whose ids are more than `after`, up to `upto`."""

    after: bytes
    upto: bytes

    def holds(self, column: Expression) -> Expression:
        """Whether a member is one of them."""
        return sa.and_(column > self.after, column <= self.upto)


@dataclass(frozen=True, slots=True)
class Relation:
    """A row for each member: `rows` is the table, `member_id` its key."""

    rows: sa.CTE
    member_id: Expression
    columns: Columns


def build(
    connection: sa.Connection,
    live: Compiled,
    *,
    at: int,
    within: Range,
    asked: Collection[str],
) -> Relation:
    """The facts asked for of the living members of a range, as of `at`."""
    ladder = live.ladder
    nothing = (0,) * len(ladder.metrics)
    base = moving.bought(ladder, NOWHERE, nothing, at=at, zone=live.zone)
    known = [at] if base.until is None else [at, base.until]
    made = _Builder(live, at, within, _offsets(connection, live, within, known), base)
    return made.relation(asked, connection.dialect.name)


def _offsets(
    connection: sa.Connection, live: Compiled, within: Range, known: list[int]
) -> tuple[tuple[int, int], ...]:
    """The zone's offsets over all the instants of these members whose days are asked for."""
    program_id, found = live.program_id, list(known)
    for column, member_id in (
        (MEMBERS.c.joined_at, MEMBERS.c.id),
        (ORDERS.c.placed_at, ORDERS.c.member_id),
        (TIERS.c.until, TIERS.c.member_id),
        (TIERS.c.manual_until, TIERS.c.member_id),
        (TIERS.c.assured_until, TIERS.c.member_id),
    ):
        ends = connection.execute(
            sa.select(sa.func.min(column), sa.func.max(column)).where(
                column.table.c.program_id == program_id, within.holds(member_id)
            )
        ).one()
        found += [one for one in ends if one is not None]
    return days.offsets(live.zone, min(found), max(found))


@dataclass(slots=True)
class _Builder:
    live: Compiled
    at: int
    within: Range
    offsets: tuple[tuple[int, int], ...]
    #: Where everybody stands from the start.
    base: Standing

    @property
    def today(self) -> int:
        return days.number_of(clock.local_date(self.at, self.live.zone))

    def day(self, column: Expression) -> Expression:
        return days.day(column, self.offsets)

    def relation(self, asked: Collection[str], dialect: str) -> Relation:
        """The table, with joins only to what is asked for."""
        source: Any = MEMBERS
        columns = self._of_row()
        for part in (self._orders, self._balance, self._friends, self._rank, self._tier):
            source, more = part(source, asked)
            columns |= more
        for part in (self._rhythm, self._streaks):
            source, more = part(source, asked)
            columns |= more
        columns = {name: column for name, column in columns.items() if name in asked}
        labels = {name: f"f{number}" for number, name in enumerate(columns)}
        rows = (
            sa.select(
                MEMBERS.c.id.label("member_id"),
                MEMBERS.c.attributes.label("attributes"),
                *(column.label(labels[name]) for name, column in columns.items()),
            )
            .select_from(source)
            .where(
                MEMBERS.c.program_id == self.live.program_id,
                self.within.holds(MEMBERS.c.id),
                MEMBERS.c.erased_at.is_(None),
                MEMBERS.c.merged_into_id.is_(None),
            )
            .cte("facts")
        )
        found = {name: rows.c[label] for name, label in labels.items()}
        return Relation(
            rows, rows.c.member_id, Columns(found, rows.c.attributes, ATTRIBUTES, dialect)
        )

    def _of_row(self) -> dict[str, Expression]:
        joined = self.day(MEMBERS.c.joined_at)
        age = sa.literal(self.today, sa.BigInteger) - joined
        return {
            "member.joined_on": joined,
            "member.days_since_joined": sa.case((age > 0, age), else_=0),
            "member.is_enrolled": MEMBERS.c.is_enrolled,
            "member.locale": MEMBERS.c.locale,
        }

    def _join(self, source: Any, part: sa.Subquery) -> Any:
        return source.outerjoin(part, part.c.member_id == MEMBERS.c.id)

    def _standing_orders(self) -> Any:
        return sa.and_(
            ORDERS.c.program_id == self.live.program_id,
            self.within.holds(ORDERS.c.member_id),
            ORDERS.c.stands == sa.true(),
            ORDERS.c.placed_at <= self.at,
        )

    def _orders(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        if _OF_ORDERS.keys().isdisjoint(asked):
            return source, {}
        year_from = clock.before(self.at, YEAR, self.live.zone)
        recent = sa.case((ORDERS.c.placed_at > year_from, ORDERS.c.spend_minor), else_=0)
        bought = (
            sa.select(
                ORDERS.c.member_id,
                sa.func.count().label("count"),
                sum_of(ORDERS.c.spend_minor).label("spend"),
                sum_of(recent).label("year_spend"),
                sa.func.max(ORDERS.c.placed_at).label("last_at"),
            )
            .where(self._standing_orders())
            .group_by(ORDERS.c.member_id)
            .subquery("bought")
        )
        found: dict[str, Expression] = {
            name: sa.func.coalesce(bought.c[column], 0) for name, column in _OF_ORDERS.items()
        }
        found["member.days_since_last_order"] = self.today - self.day(bought.c.last_at)
        return self._join(source, bought), found

    def _balance(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        if "member.balance" not in asked:
            return source, {}
        held = (
            sa.select(ACCOUNTS.c.member_id, ACCOUNTS.c.available)
            .where(
                ACCOUNTS.c.program_id == self.live.program_id,
                self.within.holds(ACCOUNTS.c.member_id),
                ACCOUNTS.c.points_key == self.live.points[0].key,
            )
            .subquery("held")
        )
        found: dict[str, Expression] = {"member.balance": sa.func.coalesce(held.c.available, 0)}
        return self._join(source, held), found

    def _friends(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        if APPROVED_REFERRALS not in asked:
            return source, {}
        columns = REFERRALS.c
        known_at = sa.func.coalesce(columns.approved_at, columns.qualified_at)
        friends = (
            sa.select(columns.advocate_id.label("member_id"), sa.func.count().label("count"))
            .where(
                columns.program_id == self.live.program_id,
                self.within.holds(columns.advocate_id),
                columns.stands == sa.true(),
                columns.qualified_at.is_not(None),
                known_at <= self.at,
            )
            .group_by(columns.advocate_id)
            .subquery("friends")
        )
        found: dict[str, Expression] = {APPROVED_REFERRALS: sa.func.coalesce(friends.c.count, 0)}
        return self._join(source, friends), found

    def _rank(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        if facts.SPEND_RANK not in asked:
            return source, {}
        ranked = (
            sa.select(RANKS.c.member_id, RANKS.c.rank_bp)
            .where(RANKS.c.program_id == self.live.program_id, self.within.holds(RANKS.c.member_id))
            .subquery("ranked")
        )
        return self._join(source, ranked), {facts.SPEND_RANK: ranked.c.rank_bp}

    def _tier(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        wanted = {"member.tier", facts.TERM_LEFT, facts.AT_RISK}
        if wanted.isdisjoint(asked):
            return source, {}
        if not self.live.ladder.levels:
            return source, {
                "member.tier": sa.cast(sa.null(), sa.Text),
                facts.TERM_LEFT: sa.cast(sa.null(), sa.BigInteger),
                facts.AT_RISK: sa.false(),
            }
        placed = (
            sa.select(TIERS)
            .where(TIERS.c.program_id == self.live.program_id, self.within.holds(TIERS.c.member_id))
            .subquery("placed")
        )
        key, until, is_at_risk = self._level(placed.c)
        left = self.day(until) - self.today
        return self._join(source, placed), {
            "member.tier": key,
            facts.AT_RISK: is_at_risk,
            facts.TERM_LEFT: sa.case(
                (sa.or_(key.is_(None), until.is_(None)), sa.null()), (left > 0, left), else_=0
            ),
        }

    def _level(self, row: Any) -> tuple[Expression, Expression, Expression]:
        """The level's key, the end of its term and whether it is at risk, all promises taken
        together (`loyalty.tiers.standing`)."""
        base, ranks = self.base, {level.key: level.rank for level in self.live.ladder.levels}

        def rank(column: Expression) -> Expression:
            whens = [(column == key, sa.literal(rank)) for key, rank in ranks.items()]
            return sa.case(*whens, else_=0)

        own, assured = rank(row.level_key), rank(row.assured_key)
        is_own = own >= max(base.rank, 1)
        derived_rank = sa.case((is_own, own), else_=base.rank)
        derived_key = sa.case((is_own, row.level_key), else_=text_of(base.key))
        derived_until = sa.case((is_own, row.until), else_=_number(base.until))
        ends_at = sa.case(
            (is_own, sa.func.coalesce(row.grace_until, row.until)), else_=_number(base.until)
        )
        lasts = sa.func.coalesce(row.assured_until, _FOR_GOOD)
        outlasts = sa.and_(derived_rank == assured, ends_at.is_not(None), ends_at > lasts)
        is_assured = sa.and_(
            assured > 0,
            self._holds(row.assured_since, row.assured_until),
            derived_rank <= assured,
            sa.not_(sa.func.coalesce(outlasts, sa.false(), type_=sa.Boolean())),
        )
        is_manual = sa.and_(
            rank(row.manual_key) > 0, self._holds(row.manual_since, row.manual_until)
        )
        key = sa.case((is_manual, row.manual_key), (is_assured, row.assured_key), else_=derived_key)
        until = sa.case(
            (is_manual, row.manual_until), (is_assured, row.assured_until), else_=derived_until
        )
        is_at_risk = sa.case(
            (sa.or_(is_manual, is_assured), sa.false()),
            (is_own, row.is_at_risk),
            else_=sa.false(),
        )
        return key, until, is_at_risk

    def _holds(self, since: Expression, until: Expression) -> Expression:
        return sa.and_(
            sa.func.coalesce(since, 0) <= self.at, sa.or_(until.is_(None), until > self.at)
        )

    def _days(self) -> sa.Subquery:
        """The different local days on which members ordered."""
        return (
            sa.select(ORDERS.c.member_id, self.day(ORDERS.c.placed_at).label("day"))
            .where(self._standing_orders())
            .distinct()
            .subquery()
        )

    def _rhythm(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        if {facts.RHYTHM, facts.RHYTHM_BP}.isdisjoint(asked):
            return source, {}
        usual, found, word = rhythms.rhythm(self._days(), self.today)
        return self._join(source, usual), {facts.RHYTHM_BP: found, facts.RHYTHM: word}

    def _streaks(self, source: Any, asked: Collection[str]) -> tuple[Any, dict[str, Expression]]:
        today = clock.local_date(self.at, self.live.zone)
        found: dict[str, Expression] = {}
        for name, period, now in (
            (facts.WEEKS, days.week, rhythm.week(today)),
            (facts.MONTHS, days.month, rhythm.month(today)),
        ):
            if name in asked:
                streak = rhythms.streak(self._days(), period, now)
                source = self._join(source, streak)
                found[name] = sa.func.coalesce(streak.c.count, 0)
        return source, found


def _number(value: int | None) -> Expression:
    return sa.cast(sa.null() if value is None else sa.literal(value), sa.BigInteger)
