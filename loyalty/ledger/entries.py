"""Entries: the movements there are, the cause each is told with, and the hash that chains them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core import jsontext
from loyalty.ledger.rows import HeldLot

Kind = Literal[
    "earn",
    "activate",
    "hold",
    "capture",
    "release",
    "spend",
    "expire",
    "claw_back",
    "restore",
    "adjust",
    "transfer",
]
Move = tuple[str, str]

#: The member's buckets; every other is the program's.
OWN = ("available", "pending", "held")

#: Buckets that each kind of entry may move points between.
MOVES: dict[Kind, frozenset[Move]] = {
    "earn": frozenset({("issued", "available"), ("issued", "pending")}),
    "activate": frozenset({("pending", "available")}),
    "hold": frozenset({("available", "held")}),
    "capture": frozenset({("held", "spent")}),
    "release": frozenset({("held", "available")}),
    "spend": frozenset({("available", "spent")}),
    "expire": frozenset({("available", "expired")}),
    "claw_back": frozenset({("available", "clawed_back"), ("pending", "clawed_back")}),
    "restore": frozenset(
        {("clawed_back", "available"), ("clawed_back", "pending"), ("spent", "available")}
    ),
    "adjust": frozenset(
        {("adjusted", "available"), ("available", "adjusted"), ("pending", "adjusted")}
    ),
    "transfer": frozenset(
        {
            ("available", "transferred"),
            ("transferred", "available"),
            ("pending", "transferred"),
            ("transferred", "pending"),
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why points move: told with every entry. A silent one is told to nobody outside."""

    source_type: str
    source_ref: str
    decision_id: bytes | None
    actor: str | None
    effective_at: int
    recorded_at: int
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What an entry changes of one lot: points that remain in it, and those held of them; and how
    many it gives for the award of another (below zero: gets back)."""

    lot: HeldLot
    remaining: int
    held: int = 0
    for_points: int = 0


#: An allocation as it is hashed: lot, remaining, held, the lot taken for, and how many for it.
Allocated = tuple[bytes, int, int, bytes | None, int | None]


def default_change(move: Move, points: int) -> tuple[int, int]:
    """What an entry that is not split changes of its one lot: remaining and held."""
    source, target = move
    remaining = points * ((target in OWN) - (source in OWN))
    return remaining, points * ((target == "held") - (source == "held"))


def lifetime(kind: str, move: Move, points: int) -> int:
    """What an entry adds to the points earned in all."""
    if kind == "earn" or (kind == "restore" and move[0] == "clawed_back"):
        return points
    return -points if kind == "claw_back" else 0


def entry_hash(
    previous: bytes, row: Any, allocations: Sequence[Sequence[Any]] | None = None
) -> bytes:
    """SHA-256 over the hash before, every other column of the entry and its allocations.

    Allocations are rows of lot id, remaining, held, the lot taken for and how many for it, sorted
    by lot; an entry that is not split has none and is hashed without the word of them.
    """
    values: list[Any] = [
        "entry.v2" if row["is_split"] else "entry.v1",
        row["program_id"].hex(),
        row["id"].hex(),
        row["member_id"].hex(),
        row["points_key"],
        row["seq"],
        row["kind"],
        row["points"],
        row["from_bucket"],
        row["to_bucket"],
        row["available_after"],
        row["pending_after"],
        row["held_after"],
        row["lot_id"].hex() if row["lot_id"] else None,
        row["source_type"],
        row["source_ref"],
        row["decision_id"].hex() if row["decision_id"] else None,
        row["actor"],
        row["effective_at"],
        row["recorded_at"],
    ]
    if row["is_split"]:
        values.append(
            [
                [lot_id.hex(), remaining, held, for_id.hex() if for_id else None, for_points]
                for lot_id, remaining, held, for_id, for_points in allocations or ()
            ]
        )
    return hashlib.sha256(previous + jsontext.write(values)).digest()
