"""What a unit of work carries of surprises from one step to the next, and writes at its end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from core.writing import Writes
from rewards.carried import Row
from rewards.luck.epochs import Epoch
from rewards.surprises.models import Draw

DRAWS: sa.Table = Draw.__table__  # type: ignore[assignment]


@dataclass(slots=True)
class Chance:
    """Something that happened to a member, which surprises may take up. `decision` is the row of
    the decision about it, where one is being written: it says why none did. Of one that no longer
    stands everything won goes back, since `reversal_at`."""

    member_id: bytes
    trigger: str
    source_type: str
    source_ref: str
    source_id: bytes
    activity_ref: str
    at: int
    member_facts: Mapping[str, Any]
    own_facts: Mapping[str, Any]
    stands: bool = True
    is_new: bool = True
    #: The document that what happened was decided by: a later one brings no further surprise.
    pinned: Any = None
    #: The order that shares are reckoned by.
    order: Any = None
    decision: dict[str, Any] | None = None
    reversal_at: int | None = None
    #: The surprises that are concerned, where not all that listen are.
    keys: frozenset[str] | None = None


@dataclass(slots=True)
class Carried:
    """Chances not yet taken up, and receipts as this unit leaves them."""

    chances: list[Chance] = field(default_factory=list)
    #: Whether a prize is being paid: what follows of it is no chance.
    is_paying: bool = False
    #: By id; and which of them belong to a source.
    draws: dict[bytes, Row] = field(default_factory=dict)
    #: Those that concern what is being answered.
    concerned: dict[bytes, Row] = field(default_factory=dict)
    of_source: dict[bytes, list[Row]] = field(default_factory=dict)
    #: Those that are not written yet.
    new: dict[bytes, Row] = field(default_factory=dict)
    #: Paces that the unit computed, by program, surprise, version and day.
    paces: dict[tuple[bytes, str, int, date], int] = field(default_factory=dict)
    #: What prizes brought, by receipt, as the contract shows it.
    brought: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    epoch: Epoch | None = None
    #: Receipts whose prizes were taken back, once that was answered.
    revoked: set[bytes] = field(default_factory=set)
    #: References that members were created with, by member; None of who was erased.
    people: dict[bytes, tuple[str | None]] = field(default_factory=dict)
    #: When silences of members are to be looked at again, at the latest.
    silent: dict[bytes, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Carry a receipt."""
        self.draws[row.id] = self.concerned[row.id] = row
        self.of_source.setdefault(row.source_id, []).append(row)

    def draw(self, row: Row) -> None:
        """Carry a receipt that was made just now."""
        self.new[row.id] = row
        self.add(row)

    def answered(self, member_id: bytes) -> list[Row]:
        """The receipts of a member that an answer concerns, which no later one does."""
        found = [row for row in self.concerned.values() if row.member_id == member_id]
        for row in found:
            del self.concerned[row.id]
        return found

    def of_member(self, member_id: bytes, key: str) -> Iterator[Row]:
        """Receipts of a member and surprise that the unit has, in their order."""
        return (
            row
            for row in self.draws.values()
            if row.member_id == member_id and row.surprise_key == key
        )

    def take_new(self) -> list[dict[str, Any]]:
        """The receipts that are to be written, which are written then."""
        for row in self.new.values():
            row.written()
        found = [row.values for row in self.new.values()]
        self.new.clear()
        return found

    def write(self, writes: Writes) -> None:
        """Plan the rows that changed; the new ones are written by themselves (`storing`)."""
        for row in self.draws.values():
            if row.is_changed and row.id not in self.new:
                writes.replace(DRAWS, row.values)
                row.written()
