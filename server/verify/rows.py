"""What a proof is made of: tables streamed in order, side by side, and a report of mismatches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import ids

#: Which row: prefix and bytes of an id, shown only when something is wrong, and what follows it.
Place = tuple[str, bytes, str]

MISMATCHES_MAX = 1000
_ROWS = 2000


@dataclass(slots=True)
class Report:
    """What was checked and what disagrees; the list is capped, the count is not."""

    programs: int = 0
    accounts: int = 0
    entries: int = 0
    allocations: int = 0
    lots: int = 0
    holds: int = 0
    orders: int = 0
    members: int = 0
    mismatches: list[str] = field(default_factory=list)
    found: int = 0

    def compare(self, table: str, place: Place, column: str, stored: Any, computed: Any) -> None:
        """Note a column whose stored value is not the computed one."""
        if stored != computed:
            self.note(table, place, column, stored, computed)

    def note(self, table: str, place: Place, column: str, stored: Any, computed: Any) -> None:
        """Note a mismatch."""
        self.found += 1
        if self.found <= MISMATCHES_MAX:
            self.mismatches.append(
                f"{table} {show(place)} {column}: "
                f"stored {_text(stored)}, computed {_text(computed)}"
            )

    def shown(self) -> dict[str, Any]:
        """The report of the command."""
        more = self.found - len(self.mismatches)
        return {
            "programs": self.programs,
            "accounts": self.accounts,
            "entries": self.entries,
            "allocations": self.allocations,
            "lots": self.lots,
            "holds": self.holds,
            "orders": self.orders,
            "members": self.members,
            "mismatches": [*self.mismatches, f"and {more} more"] if more else self.mismatches,
        }


def show(place: Place) -> str:
    """A place as people read it: `mem_01… points`."""
    prefix, row_id, rest = place
    return f"{ids.show_id(prefix, row_id)}{rest}"


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def stream(
    connection: sa.Connection,
    statement: sa.Select[Any],
    table: sa.Table,
    program_id: bytes | None,
) -> Iterator[Sequence[Any]]:
    """Rows as they come, a few at a time, of one program or of all."""
    if program_id is not None:
        statement = statement.where(table.c.program_id == program_id)
    return iter(connection.execute(statement, execution_options={"yield_per": _ROWS}))


class Groups:
    """Rows sorted by their first two columns (program and an id), taken group by group."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = iter(rows)
        self._head = next(self._rows, None)

    @property
    def key(self) -> tuple[bytes, bytes] | None:
        """What the next row belongs to."""
        return None if self._head is None else (self._head[0], self._head[1])

    def take(self, key: tuple[bytes, bytes]) -> Iterator[Any]:
        """The rows of one group, if it comes next."""
        program_id, own_id = key
        while self._head is not None:
            row = self._head
            if row[1] != own_id or row[0] != program_id:
                return
            self._head = next(self._rows, None)
            yield row


def side_by_side(*streams: Groups) -> Iterator[tuple[bytes, bytes]]:
    """The keys of all streams in order. What the caller leaves of a group is passed over."""
    while True:
        keys = [one.key for one in streams]
        known = [key for key in keys if key is not None]
        if not known:
            return
        key = min(known)
        yield key
        for one in streams:
            for _ in one.take(key):
                pass
