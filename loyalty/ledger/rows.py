"""Accounts, lots and holds as a unit of work holds them in memory, and their tables."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from loyalty.models import Account, Allocation, Entry, Hold, Lot
from programs.terms import Terms

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[assignment]
ENTRIES: sa.Table = Entry.__table__  # type: ignore[assignment]
ALLOCATIONS: sa.Table = Allocation.__table__  # type: ignore[assignment]
LOTS: sa.Table = Lot.__table__  # type: ignore[assignment]
HOLDS: sa.Table = Hold.__table__  # type: ignore[assignment]

NO_HEAD = bytes(32)
HOLD_PREFIX = "rdm"


@dataclass(slots=True)
class Holding:
    """An account as a unit of work holds it: its row's values, and whether they changed."""

    program_id: bytes
    member_id: bytes
    points_key: str
    available: int = 0
    pending: int = 0
    held: int = 0
    lifetime_earned: int = 0
    version: int = 0
    head: bytes = NO_HEAD
    due_at: int | None = None
    has_inactivity: bool = False
    has_counted: bool = False
    is_changed: bool = False

    def row(self) -> dict[str, Any]:
        """The account's row."""
        return {column: getattr(self, column) for column in _ACCOUNT_COLUMNS}


@dataclass(slots=True)
class HeldLot:
    """A lot as a unit of work holds it."""

    program_id: bytes
    id: bytes
    member_id: bytes
    points_key: str
    source_id: bytes
    terms: str
    points: int
    remaining: int
    held: int
    reversed: int
    borrowed: int
    overdrawn: int
    written_off: int
    expired: int
    earned_at: int
    available_at: int | None
    is_pending: bool
    expires_at: int | None
    notice_at: int | None
    due_at: int | None = None
    origin_lot_id: bytes | None = None
    is_moved: bool = False
    is_new: bool = False
    #: When points last came back to it in this unit: what comes too late expires then.
    credited_at: int | None = None

    @property
    def standing(self) -> int:
        """What of the award stands."""
        return 0 if self.is_moved else self.points - self.reversed - self.written_off

    @property
    def lapsed(self) -> int:
        """What of the write-offs had expired and needed not be taken: it counts first."""
        return min(self.written_off, self.expired)

    @property
    def owed(self) -> int:
        """What of the award was spent and could not be taken back."""
        return self.written_off - self.lapsed

    @property
    def free(self) -> int:
        """What can be taken out of it now."""
        return 0 if self.is_pending else self.remaining - self.held

    def next_due(self) -> int | None:
        """When something of it falls due next: it becomes available, is told of, or expires."""
        if self.remaining == 0:
            return None
        if self.is_pending:
            return self.available_at
        if self.expires_at is None or self.remaining == self.held:
            return None
        if self.notice_at is not None:
            return min(self.notice_at, self.expires_at)
        return self.expires_at

    def row(self) -> dict[str, Any]:
        """The lot's row."""
        self.due_at = self.next_due()
        return {column: getattr(self, column) for column in _LOT_COLUMNS}


def new_lot(
    holding: Holding,
    *,
    source_id: bytes,
    terms: Terms,
    points: int,
    earned_at: int,
) -> HeldLot:
    """A lot without points in it yet; it is dated by whoever awards it."""
    return HeldLot(
        program_id=holding.program_id,
        id=ids.new_id(),
        member_id=holding.member_id,
        points_key=holding.points_key,
        source_id=source_id,
        terms=terms.text,
        points=points,
        remaining=0,
        held=0,
        reversed=0,
        borrowed=0,
        overdrawn=0,
        written_off=0,
        expired=0,
        earned_at=earned_at,
        available_at=earned_at,
        is_pending=False,
        expires_at=None,
        notice_at=None,
        is_new=True,
    )


@dataclass(slots=True)
class HeldHold:
    """A hold as a unit of work holds it."""

    program_id: bytes
    id: bytes
    member_id: bytes
    points_key: str
    points: int
    returned: int
    state: str
    entry_id: bytes
    held_at: int
    expires_at: int | None
    ended_at: int | None
    digest: bytes = b""
    is_new: bool = False
    #: What it holds of which lot; read when needed. And whether they are those that stand since
    #: some of what it gave went back and was spent anew.
    parts: list[tuple[HeldLot, int]] = field(default_factory=list)
    is_followed: bool = False

    def row(self) -> dict[str, Any]:
        """The hold's row, sealed by a digest over its values."""
        values = {column: getattr(self, column) for column in _HOLD_COLUMNS}
        self.digest = values["digest"] = hold_digest(values)
        return values

    def shown(self) -> dict[str, Any]:
        """The hold for whoever asked for it."""
        return {
            "id": ids.show_id(HOLD_PREFIX, self.id),
            "state": self.state,
            "points_key": self.points_key,
            "points": self.points,
            "expires_at": None
            if self.expires_at is None
            else clock.format_instant(self.expires_at),
        }


def hold_digest(values: Mapping[str, Any]) -> bytes:
    """SHA-256 over every value of a hold's row but the digest itself."""
    found = [values[name] for name in _HOLD_COLUMNS if name != "digest"]
    shown = [one.hex() if isinstance(one, bytes) else one for one in found]
    return hashlib.sha256(jsontext.write(["hold.v1", *shown])).digest()


_ACCOUNT_COLUMNS = tuple(ACCOUNTS.columns.keys())
_LOT_COLUMNS = tuple(LOTS.columns.keys())
_HOLD_COLUMNS = tuple(HOLDS.columns.keys())
