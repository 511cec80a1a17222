"""Proof of stock: what is taken of each reward is what redemptions and grants took, and how many
there are is what a document first said and what came and went by hand since.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from programs import versions
from programs.models import ProgramVersion
from rewards.carried import GRANTS, REDEMPTIONS
from rewards.models import StockMove
from rewards.stock import STOCK
from server.verify.grants import WITH_STOCK
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream

MOVES: sa.Table = StockMove.__table__  # type: ignore[assignment]

_Key = tuple[bytes, str]


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """The stock of every reward."""
    taken = _taken(connection, program_id, REDEMPTIONS, ("held", "captured"))
    for key, count in _taken(connection, program_id, GRANTS, WITH_STOCK).items():
        taken[key] = taken.get(key, 0) + count
    totals = _moved(connection, program_id, report)
    firsts: dict[bytes, dict[str, set[int]]] = {}
    rows: Iterator[Any] = stream(connection, sa.select(STOCK), STOCK, program_id)
    for row in rows:
        owner, key = bytes(row.program_id), row.reward_key
        place = _place(owner, key)
        report.compare("reward_stock", place, "used", row.used, taken.pop((owner, key), 0))
        if programs.find_live(owner) is None:
            report.note("reward_stock", place, "program_id", owner, "a program that exists")
            continue
        if owner not in firsts:
            firsts[owner] = _firsts(connection, owner)
        moved, total = totals.pop((owner, key), (None, None))
        known = firsts[owner].get(key, set())
        allowed = known if moved is None else known | {0}
        first = row.total if moved is None else moved
        if first not in allowed:
            computed = " or ".join(map(str, sorted(allowed))) or "none"
            report.note("reward_stock", place, "first total", first, computed)
        if total is not None:
            report.compare("reward_stock", place, "total", row.total, total)
    for of, count in taken.items():
        report.note("reward_stock", _place(*of), "used", "none", count)
    for of, (_, total) in totals.items():
        report.note("reward_stock", _place(*of), "total", "none", total)


def _place(owner: bytes, key: str) -> Place:
    return ("prg", owner, f" {key}")


def _taken(
    connection: sa.Connection, program_id: bytes | None, table: sa.Table, states: tuple[str, ...]
) -> dict[_Key, int]:
    statement = (
        sa.select(table.c.program_id, table.c.reward_key, sa.func.count())
        .where(table.c.has_stock, table.c.state.in_(states))
        .group_by(table.c.program_id, table.c.reward_key)
    )
    rows = stream(connection, statement, table, program_id)
    return {(bytes(row[0]), str(row[1])): int(row[2]) for row in rows}


def _moved(
    connection: sa.Connection, program_id: bytes | None, report: Report
) -> dict[_Key, tuple[int | None, int | None]]:
    """By reward: how many there were before the first move, and after the last. Each move goes on
    where the one before it ended."""
    statement = sa.select(MOVES).order_by(MOVES.c.program_id, MOVES.c.reward_key, MOVES.c.id)
    found: dict[_Key, tuple[int | None, int | None]] = {}
    rows: Iterator[Any] = stream(connection, statement, MOVES, program_id)
    for of, moves in itertools.groupby(rows, _key_of):
        first: int | None = None
        total: int | None = None
        since = None
        for row in moves:
            place = ("stm", row.id, f" {row.reward_key}")
            if total is None:
                first = total = row.total_after - row.change
            report.compare("stock_moves", place, "total_after", row.total_after, total + row.change)
            if since is not None and row.recorded_at < since:
                report.note("stock_moves", place, "recorded_at", row.recorded_at, f"from {since}")
            total, since = row.total_after, row.recorded_at
        found[of] = (first, total)
    return found


def _key_of(row: Any) -> _Key:
    return (bytes(row.program_id), row.reward_key)


def _firsts(connection: sa.Connection, program_id: bytes) -> dict[str, set[int]]:
    """By reward: the stock that any version said at first."""
    numbers = connection.execute(
        sa.select(ProgramVersion.version).where(ProgramVersion.program_id == program_id)
    ).scalars()
    found: dict[str, set[int]] = {}
    for number in list(numbers):
        program = versions.get_compiled(connection, program_id, number)
        for reward in program.catalogue.rewards:
            if reward.stock is not None:
                found.setdefault(reward.key, set()).add(reward.stock)
    return found
