"""Loading: redemptions with the holds of points behind them, many in one statement.

For whoever is told of several at once. Refuses to lock and to change: members are locked by whoever
asks, and what a unit has taken up before stays as the unit has left it.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from core import rawsql
from loyalty import joining
from rewards import redemptions
from rewards.carried import REDEMPTIONS, Row
from rewards.desk import Desk, connection_of

_COLUMNS = tuple(REDEMPTIONS.columns.keys())
#: Few shapes of the statement, so that each is prepared once and kept.
_SIZES = (1, 2, 4, 16, 64, 256)
_NOBODY = bytes(16)


def load(desk: Desk, redemption_ids: Iterable[bytes]) -> None:
    """Take up redemptions that are not known yet; what is unknown stays so."""
    known = desk.rewards.redemptions
    wanted = [one for one in dict.fromkeys(redemption_ids) if one not in known]
    for start in range(0, len(wanted), _SIZES[-1]):
        _load(desk, wanted[start : start + _SIZES[-1]])


def load_of_order(desk: Desk, order_ref: str) -> list[Row]:
    """Take up all that an order keeps, has captured or has undone, oldest first."""
    connection = connection_of(desk)
    sql = _sql(0, connection.dialect.name)
    rows = list(rawsql.run(connection, sql, [desk.program_id, order_ref]))
    return sorted(_take_up(desk, rows), key=lambda row: row.values["id"])


def _load(desk: Desk, wanted: list[bytes]) -> None:
    connection = connection_of(desk)
    size = next(size for size in _SIZES if size >= len(wanted))
    padding = [_NOBODY] * (size - len(wanted))
    sql = _sql(size, connection.dialect.name)
    _take_up(desk, rawsql.run(connection, sql, [desk.program_id, *wanted, *padding]))


def _take_up(desk: Desk, rows: Iterable[Sequence[Any]]) -> list[Row]:
    count = len(_COLUMNS)
    found = []
    for row in rows:
        found += redemptions.take_up(desk, [row[:count]])
        held, lot = joining.read(row[count:])
        if held is None:
            continue
        taken_up = desk.book.take_up(held)
        if lot is not None:
            desk.book.load((), [lot])
            if taken_up is held:
                held.parts = [(desk.book.lot(lot.id), held.points)]
    return found


@functools.cache
def _sql(size: int, dialect: str) -> str:
    """By so many ids; by the order that has them where there are none."""
    mark = rawsql.mark(dialect)
    columns = ", ".join(f"r.{name}" for name in _COLUMNS)
    marks = ", ".join(f"{mark}{2 + place}" for place in range(size))
    which = f"r.id IN ({marks})" if size else f"r.kept_by = {mark}2"
    joins = joining.joins(dialect, program=f"{mark}1", hold_id="r.id")
    return (
        f"SELECT {columns}, {joining.COLUMNS} FROM redemptions r {joins}"
        f" WHERE r.program_id = {mark}1 AND {which}"
    )
