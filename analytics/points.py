"""What members hold of each kind of points, as of an instant, and what became of what they had.

Set-based: the sums come from accounts as they stand, or from entries where the past is asked for.
What had fallen due by then and is not written yet is applied to the sums, so that a report says
the same whether a worker ran or not (SEMANTICS C18). Writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty import reading
from loyalty.ledger.rows import ACCOUNTS, ALLOCATIONS, ENTRIES, HOLDS, LOTS
from programs.compiled import Compiled
from storefront.plan import begin


@dataclass(slots=True)
class Sums:
    """One kind of points. `deficit` is what accounts below zero lack; `spent` and `expired` are
    what had ended so by then, less what came back."""

    available: int = 0
    held: int = 0
    pending: int = 0
    deficit: int = 0
    spent: int = 0
    expired: int = 0

    @property
    def active(self) -> int:
        """What members can spend, or are about to."""
        return self.available + self.held


def lift_limits(connection: sa.Connection) -> None:
    """Let a report read whole tables: connections are set up for requests that touch few rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def sums(
    connection: sa.Connection, program: Compiled, *, as_of: clock.Instant, now: clock.Instant
) -> dict[str, Sums]:
    """By kind of points what members held as of an instant."""
    program_id = program.program_id
    if as_of < now:
        found = _in_the_past(connection, program_id, as_of)
    else:
        found = _at_present(connection, program_id)
    _apply_lots(connection, program_id, found, as_of)
    _apply_holds(connection, program_id, found, as_of)
    _apply_exactly(connection, program, found, as_of)
    return found


def _signed(to: str) -> sa.ColumnElement[Any]:
    """What entries brought to a bucket, less what they took out of it."""
    return sa.func.sum(
        sa.case(
            (ENTRIES.c.to_bucket == to, ENTRIES.c.points),
            (ENTRIES.c.from_bucket == to, -ENTRIES.c.points),
            else_=0,
        )
    )


def _at_present(connection: sa.Connection, program_id: bytes) -> dict[str, Sums]:
    columns = ACCOUNTS.c
    rows = connection.execute(
        sa.select(
            columns.points_key,
            sa.func.sum(sa.case((columns.available > 0, columns.available), else_=0)),
            sa.func.sum(columns.held),
            sa.func.sum(columns.pending),
            sa.func.sum(sa.case((columns.available < 0, -columns.available), else_=0)),
        )
        .where(columns.program_id == program_id)
        .group_by(columns.points_key)
    )
    found = {row[0]: Sums(*map(int, row[1:])) for row in rows}
    ended = connection.execute(
        sa.select(ENTRIES.c.points_key, _signed("spent"), _signed("expired"))
        .where(ENTRIES.c.program_id == program_id)
        .group_by(ENTRIES.c.points_key)
    )
    for points_key, spent, expired in ended:
        one = found.setdefault(points_key, Sums())
        one.spent, one.expired = int(spent), int(expired)
    return found


def _in_the_past(
    connection: sa.Connection, program_id: bytes, as_of: clock.Instant
) -> dict[str, Sums]:
    names = ("available", "held", "pending", "spent", "expired")
    lead = (ENTRIES.c.member_id, ENTRIES.c.points_key)
    one = (
        sa.select(*lead, *(_signed(name).label(name) for name in names))
        .where(ENTRIES.c.program_id == program_id, ENTRIES.c.effective_at <= as_of)
        .group_by(*lead)
        .subquery()
    )
    rows = connection.execute(
        sa.select(
            one.c.points_key,
            sa.func.sum(sa.case((one.c.available > 0, one.c.available), else_=0)),
            sa.func.sum(one.c.held),
            sa.func.sum(one.c.pending),
            sa.func.sum(sa.case((one.c.available < 0, -one.c.available), else_=0)),
            sa.func.sum(one.c.spent),
            sa.func.sum(one.c.expired),
        ).group_by(one.c.points_key)
    )
    return {row[0]: Sums(*map(int, row[1:])) for row in rows}


def _account_of(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        *(ACCOUNTS.c[name] == table.c[name] for name in ("program_id", "member_id", "points_key"))
    )


def _apply_lots(
    connection: sa.Connection, program_id: bytes, found: dict[str, Sums], as_of: clock.Instant
) -> None:
    """Lots that had become available or had expired by then, though nobody wrote it. An account
    that has something unwritten was not touched since, so it stands as its rows say."""
    is_over = LOTS.c.expires_at <= as_of
    activated = sa.case((LOTS.c.is_pending, LOTS.c.remaining), else_=0)
    expired = sa.case((is_over, LOTS.c.remaining - LOTS.c.held), else_=0)
    rows = connection.execute(
        sa.select(LOTS.c.points_key, sa.func.sum(activated), sa.func.sum(expired))
        .select_from(LOTS.join(ACCOUNTS, _account_of(LOTS)))
        .where(LOTS.c.program_id == program_id, LOTS.c.due_at <= as_of, ACCOUNTS.c.available >= 0)
        .group_by(LOTS.c.points_key)
    )
    for points_key, became_available, ended in rows:
        one = found.setdefault(points_key, Sums())
        one.pending -= int(became_available)
        one.available += int(became_available) - int(ended)
        one.expired += int(ended)


def _apply_holds(
    connection: sa.Connection, program_id: bytes, found: dict[str, Sums], as_of: clock.Instant
) -> None:
    """Holds that had run out by then: back to available, but what of their lots had ended."""
    open_holds = HOLDS.join(ACCOUNTS, _account_of(HOLDS))
    has_run_out = sa.and_(
        HOLDS.c.program_id == program_id,
        HOLDS.c.state == sa.literal_column("'held'"),
        HOLDS.c.expires_at <= as_of,
        ACCOUNTS.c.available >= 0,
    )
    released = connection.execute(
        sa.select(HOLDS.c.points_key, sa.func.sum(HOLDS.c.points))
        .select_from(open_holds)
        .where(has_run_out)
        .group_by(HOLDS.c.points_key)
    ).all()
    if not released:
        return
    for points_key, points in released:
        one = found.setdefault(points_key, Sums())
        one.held -= int(points)
        one.available += int(points)
    entry = sa.and_(ENTRIES.c.program_id == HOLDS.c.program_id, ENTRIES.c.id == HOLDS.c.entry_id)
    part = sa.and_(
        ALLOCATIONS.c.program_id == HOLDS.c.program_id, ALLOCATIONS.c.entry_id == HOLDS.c.entry_id
    )
    whole = open_holds.join(ENTRIES, entry)
    split = whole.join(ALLOCATIONS, part)
    for tables, lot_id, points in (
        (whole, ENTRIES.c.lot_id, ENTRIES.c.points),
        (split, ALLOCATIONS.c.lot_id, ALLOCATIONS.c.held),
    ):
        its = sa.and_(LOTS.c.program_id == HOLDS.c.program_id, LOTS.c.id == lot_id)
        rows = connection.execute(
            sa.select(HOLDS.c.points_key, sa.func.sum(points))
            .select_from(tables.join(LOTS, its))
            .where(has_run_out, ENTRIES.c.is_split == (tables is split), LOTS.c.expires_at <= as_of)
            .group_by(HOLDS.c.points_key)
        )
        for points_key, ended in rows:
            found[points_key].available -= int(ended)
            found[points_key].expired += int(ended)


def _apply_exactly(
    connection: sa.Connection, program: Compiled, found: dict[str, Sums], as_of: clock.Instant
) -> None:
    """Accounts below zero with something unwritten, few as they are: what becomes available there
    is absorbed in the order in which it does, so each is settled in memory."""
    plan = begin(connection, program, now=as_of, is_quote=True)
    for member_id in _owing(connection, program.program_id, as_of):
        holdings = [
            one
            for one in reading.read_holdings(connection, program.program_id, member_id)
            if one.available < 0
        ]
        for one in holdings:
            _add(found, one.points_key, one, sign=-1)
        plan.book.load(holdings)
        plan.settle(member_id)
        for one in holdings:
            _add(found, one.points_key, one, sign=1)
    for entry in plan.book.entries:
        if entry["to_bucket"] == "expired":
            found[entry["points_key"]].expired += entry["points"]


def _owing(connection: sa.Connection, program_id: bytes, as_of: clock.Instant) -> Iterable[bytes]:
    statements = [
        sa.select(table.c.member_id)
        .select_from(table.join(ACCOUNTS, _account_of(table)))
        .where(table.c.program_id == program_id, ACCOUNTS.c.available < 0, is_due)
        for table, is_due in (
            (LOTS, LOTS.c.due_at <= as_of),
            (
                HOLDS,
                sa.and_(HOLDS.c.state == sa.literal_column("'held'"), HOLDS.c.expires_at <= as_of),
            ),
        )
    ]
    rows = connection.execute(sa.union(*statements)).scalars()
    return sorted(bytes(one) for one in rows)


def _add(found: dict[str, Sums], points_key: str, holding: Any, *, sign: int) -> None:
    one = found.setdefault(points_key, Sums())
    one.available += sign * max(0, holding.available)
    one.deficit += sign * max(0, -holding.available)
    one.held += sign * holding.held
    one.pending += sign * holding.pending
