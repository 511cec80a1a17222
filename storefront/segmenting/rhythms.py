"""Rhythms in SQL: what `segments.rhythm` says of one member, of all at once.

Given a table of the different local days on which members ordered, by number. Windows do what
Python does with a list: neighbours are gaps, the middle of the gaps is the usual one, and periods
that follow each other have the same distance from their places.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from segments import rhythm as bands

Expression = sa.ColumnElement[Any]
_ONE: Expression = sa.literal_column("1")
_TWO: Expression = sa.literal_column("2")
_WHOLE_TWICE: Expression = sa.literal_column("20000")


def rhythm(days: Any, today: int) -> tuple[sa.Subquery, Expression, Expression]:
    """A table of members with a rhythm, the days since their last order in basis points of their
    usual gap, and the word for it."""
    before = sa.func.lag(days.c.day).over(partition_by=days.c.member_id, order_by=days.c.day)
    gap = (days.c.day - before).label("gap")
    gaps = sa.select(days.c.member_id, days.c.day, gap).subquery()
    place = sa.func.row_number().over(partition_by=gaps.c.member_id, order_by=gaps.c.gap)
    count = sa.func.count().over(partition_by=gaps.c.member_id)
    last = sa.func.max(gaps.c.day).over(partition_by=gaps.c.member_id)
    placed = (
        sa.select(
            gaps.c.member_id,
            gaps.c.gap,
            place.label("place"),
            count.label("count"),
            last.label("last"),
        )
        .where(gaps.c.gap.is_not(None))
        .subquery()
    )
    # Of an even number of gaps the two in the middle, of an odd one the middle one twice.
    lower = sa.case((placed.c.place == (placed.c.count + _ONE) // _TWO, placed.c.gap), else_=0)
    upper = sa.case((placed.c.place == (placed.c.count + _TWO) // _TWO, placed.c.gap), else_=0)
    usual = (
        sa.select(
            placed.c.member_id,
            (sum_of(lower) + sum_of(upper)).label("twice"),
            sa.func.max(placed.c.last).label("last"),
        )
        .where(placed.c.count >= bands.DAYS_LEAST - 1)
        .group_by(placed.c.member_id)
        .subquery("usual")
    )
    found = (today - usual.c.last) * _WHOLE_TWICE // usual.c.twice
    words = [(found >= least, text_of(name)) for least, name in bands.BANDS]
    word = sa.case((usual.c.twice.is_(None), sa.null()), *words, else_=text_of(bands.STEADY))
    return usual, found, word


def streak(days: Any, period: Callable[[Expression], Expression], now: int) -> sa.Subquery:
    """Of each member how many periods in a row lead up to the last one with an order, where that
    is the present one or the one before it."""
    periods = sa.select(days.c.member_id, period(days.c.day).label("period")).distinct().subquery()
    place = sa.func.row_number().over(
        partition_by=periods.c.member_id, order_by=periods.c.period.desc()
    )
    last = sa.func.max(periods.c.period).over(partition_by=periods.c.member_id)
    placed = sa.select(
        periods.c.member_id, periods.c.period, place.label("place"), last.label("last")
    ).subquery()
    return (
        sa.select(placed.c.member_id, sa.func.count().label("count"))
        .where(
            placed.c.last >= now - 1,
            placed.c.last - placed.c.period == placed.c.place - _ONE,
        )
        .group_by(placed.c.member_id)
        .subquery()
    )


def sum_of(column: Expression) -> Expression:
    """A sum, 0 of nothing: PostgreSQL sums BIGINT as NUMERIC, which divides otherwise."""
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)


def text_of(value: str | None) -> Expression:
    """A text of our own, typed also where it is none."""
    return sa.cast(sa.null() if value is None else sa.literal(value), sa.Text)
