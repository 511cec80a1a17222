"""Patterns: what the facts of `segments.facts` are made of, read for many members at once.

One statement, and only where something asks: when members ordered, and how they rank by spend.
Reads only; what a unit has decided since, its plan knows.
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from core import rawsql
from segments.facts import FURTHER, OF_ORDERS, SPEND_RANK

#: Statements for more members than these are not kept prepared.
_KEPT = 4


@dataclass(slots=True)
class Pattern:
    """When a member's orders that stand were placed, by their references; and their rank."""

    placed: dict[str, int] = field(default_factory=dict)
    rank_bp: int | None = None


def are_asked(asked: Collection[str]) -> bool:
    """Whether anything here is asked for."""
    return not FURTHER.isdisjoint(asked)


@functools.cache
def _sql(count: int, dialect: str, *, has_orders: bool, has_ranks: bool) -> str:
    mark = rawsql.mark(dialect)
    of_members = (
        f"program_id = {mark}1 AND member_id IN"
        f" ({', '.join(f'{mark}{number}' for number in range(2, 2 + count))})"
    )
    parts = []
    if has_orders:
        parts.append(
            f"SELECT member_id, order_ref, placed_at FROM orders WHERE {of_members} AND stands"
        )
    if has_ranks:
        parts.append(f"SELECT member_id, NULL, rank_bp FROM spend_ranks WHERE {of_members}")
    return " UNION ALL ".join(parts)


def read_many(
    connection: sa.Connection,
    program_id: bytes,
    member_ids: Sequence[bytes],
    *,
    asked: Collection[str],
) -> dict[bytes, Pattern]:
    """What is asked for of each of these members."""
    found = {one: Pattern() for one in member_ids}
    if not found or not are_asked(asked):
        return found
    sql = _sql(
        len(found),
        connection.dialect.name,
        has_orders=not OF_ORDERS.isdisjoint(asked),
        has_ranks=SPEND_RANK in asked,
    )
    is_rare = len(found) > _KEPT
    for member_id, ref, number in rawsql.run(
        connection, sql, [program_id, *found], is_rare=is_rare
    ):
        pattern = found[bytes(member_id)]
        if ref is None:
            pattern.rank_bp = number
        else:
            pattern.placed[ref] = number
    return found
