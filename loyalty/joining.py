"""Holds beside the rows of whatever they were made for, in one statement with these.

Refuses holds that took of several lots: whoever moves one reads which.
"""

from collections.abc import Sequence
from typing import Any

from core import rawsql
from loyalty.ledger.rows import HOLDS, LOTS, HeldHold, HeldLot
from loyalty.reading import held_hold, held_lot

_COUNT = len(HOLDS.columns)
#: Columns of a hold, then of the one lot that it took its points from.
COLUMNS = ", ".join(
    f"{alias}.{column.name}"
    for alias, table in (("h", HOLDS), ("l", LOTS))
    for column in table.columns
)


def joins(dialect: str, *, program: str, hold_id: str) -> str:
    """Joins a statement with holds, and each hold that was made of one lot with this."""
    joined = {
        "holds h": f"h.id = {hold_id}",
        "entries e": "e.id = h.entry_id AND NOT e.is_split",
        "lots l": "l.id = e.lot_id",
    }
    return " ".join(
        rawsql.left_join(dialect, *name.split(), on=f"{name[-1]}.program_id = {program} AND {on}")
        for name, on in joined.items()
    )


def read(row: Sequence[Any]) -> tuple[HeldHold | None, HeldLot | None]:
    """A hold and its lot from the columns of both; none where there is none."""
    if row[0] is None:
        return None, None
    return held_hold(row[:_COUNT]), None if row[_COUNT] is None else held_lot(row[_COUNT:])
