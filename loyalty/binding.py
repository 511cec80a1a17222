"""Ids that are bound to what they name, so that an id that is proved proves its row.

Entries name the adjustment or the transfer that they come from, and the chain pins the name. The
74 bits of such an id that would be random are those of a SHA-256 over the row's values: a value
that was changed later no longer fits its id. Refuses nothing; `flask ledger verify` compares.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from core import ids, jsontext

_HIGH, _LOW = 0x0FFF << 64, (1 << 62) - 1


def bound_id(values: Sequence[Any]) -> bytes:
    """A new UUIDv7 whose tail is a digest of these values."""
    kept = int.from_bytes(ids.new_id(), "big") & ~(_HIGH | _LOW)
    return (kept | _tail(values)).to_bytes(16, "big")


def is_bound(row_id: bytes, values: Sequence[Any]) -> bool:
    """Whether an id was made for these values."""
    return int.from_bytes(row_id, "big") & (_HIGH | _LOW) == _tail(values)


def _tail(values: Sequence[Any]) -> int:
    digest = hashlib.sha256(jsontext.write(list(values))).digest()
    number = int.from_bytes(digest[:16], "big")
    return (number & _HIGH) | (number & _LOW)


def of_adjustment(row: Mapping[str, Any], *, expires_at: int | None) -> list[Any]:
    """What an adjustment's id is bound to; `expires_at` is the date of its own that it gave."""
    names = ("points_key", "points", "reason", "note", "counts_for_tier", "actor", "effective_at")
    return ["adjustment.v1", *(row[name] for name in names), expires_at]


def of_transfer(row: Mapping[str, Any]) -> list[Any]:
    """What a transfer's id is bound to."""
    names = ("points_key", "points", "reason", "actor", "effective_at")
    members = (row["from_member_id"].hex(), row["to_member_id"].hex())
    return ["transfer.v1", *members, *(row[name] for name in names)]
