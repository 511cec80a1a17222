"""The ledger: points move between buckets by entries that are only ever appended.

The single writer of accounts, entries and lots. An entry takes from one bucket what it puts into
another, so an account balances by construction; it carries the balances after it and a hash over
the entry before it, so that a chain per account can be proved.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from core import ids, jsontext
from core.writing import Writes
from loyalty.models import Account, Entry, Lot

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[assignment]
ENTRIES: sa.Table = Entry.__table__  # type: ignore[assignment]
LOTS: sa.Table = Lot.__table__  # type: ignore[assignment]

Kind = Literal["earn", "claw_back", "restore"]

#: Buckets that each kind of entry moves points between. Only the first three are the member's.
MOVES: dict[Kind, tuple[str, str]] = {
    "earn": ("issued", "available"),
    "claw_back": ("available", "clawed_back"),
    "restore": ("clawed_back", "available"),
}
NO_HEAD = bytes(32)


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
    is_changed: bool = False


@dataclass(slots=True)
class HeldLot:
    """A lot as a unit of work holds it."""

    program_id: bytes
    id: bytes
    member_id: bytes
    points_key: str
    source_id: bytes
    points: int
    remaining: int
    reversed: int
    written_off: int
    earned_at: int
    expires_at: int | None
    is_new: bool = False

    @property
    def standing(self) -> int:
        """What of the award stands."""
        return self.points - self.reversed - self.written_off


#: What made points for whom: the id of the cause, the member's, and the kind of points.
Award = tuple[bytes, bytes, str]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why points move: told with every entry."""

    source_type: str
    source_ref: str
    decision_id: bytes | None
    actor: str | None
    effective_at: int
    recorded_at: int


def _sha(previous: bytes, values: Sequence[Any]) -> bytes:
    return hashlib.sha256(previous + jsontext.write(values)).digest()


def entry_hash(previous: bytes, row: Any) -> bytes:
    """SHA-256 over the hash before and every other column of the entry, in a fixed order."""
    return _sha(
        previous,
        [
            "entry.v1",
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
            row["lot_id"].hex(),
            row["source_type"],
            row["source_ref"],
            row["decision_id"].hex() if row["decision_id"] else None,
            row["actor"],
            row["effective_at"],
            row["recorded_at"],
        ],
    )


class Book:
    """The accounts and lots that one unit of work has locked, and the entries it adds.

    Everything is decided in memory and written once, with the rest of the plan.
    """

    def __init__(self, program_id: bytes) -> None:
        self.program_id = program_id
        self._holdings: dict[tuple[bytes, str], Holding] = {}
        self._lots: dict[bytes, HeldLot] = {}
        self._touched: dict[bytes, HeldLot] = {}
        self.entries: list[dict[str, Any]] = []

    def load(self, holdings: Iterable[Holding], lots: Iterable[HeldLot] = ()) -> None:
        """Take up accounts and lots as read under the member's lock."""
        for holding in holdings:
            self._holdings.setdefault((holding.member_id, holding.points_key), holding)
        for lot in lots:
            self._lots.setdefault(lot.id, lot)

    def holding(self, member_id: bytes, points_key: str) -> Holding:
        """The account of a member; an empty one when it does not exist yet."""
        key = (member_id, points_key)
        found = self._holdings.get(key)
        if found is None:
            found = self._holdings[key] = Holding(self.program_id, member_id, points_key)
        return found

    def holdings(self, member_id: bytes) -> list[Holding]:
        """The member's accounts."""
        return [one for (owner, _), one in self._holdings.items() if owner == member_id]

    def lots(self, source_id: bytes, member_id: bytes, points_key: str) -> list[HeldLot]:
        """Lots of one cause in one account, oldest first."""
        found = [
            lot
            for lot in self._lots.values()
            if lot.source_id == source_id
            and lot.member_id == member_id
            and lot.points_key == points_key
        ]
        return sorted(found, key=lambda lot: lot.id)

    def awarded_keys(self, source_id: bytes, member_id: bytes) -> list[str]:
        """Kinds of points of which a cause has lots with this member."""
        keys = {
            lot.points_key
            for lot in self._lots.values()
            if lot.source_id == source_id and lot.member_id == member_id
        }
        return sorted(keys)

    def bring_to(
        self, deserved: int, award: Award, *, cause: Cause, reversal_at: int
    ) -> list[dict[str, Any]]:
        """Bring what stands of an award to what is deserved; returns the entries made.

        More than stands: write-offs are cancelled first, then reversed lots restored, then a new
        lot is made. Less: taken from the lots of the cause; what was spent of them is written
        off (policy `within_balance`). `reversal_at` is when the cause changed.
        """
        lots = self.lots(*award)
        delta = deserved - sum(lot.standing for lot in lots)
        before = len(self.entries)
        change = replace(cause, effective_at=reversal_at)
        if delta > 0:
            rest = self._give_back(delta, lots, change)
            if rest:
                self._award(rest, award, cause)
        elif delta < 0:
            self._take(-delta, lots, change)
        return self.entries[before:]

    def _give_back(self, points: int, lots: Sequence[HeldLot], cause: Cause) -> int:
        """Undo write-offs, then reversals; returns what is more than was ever awarded."""
        for lot in lots:
            cancelled = min(points, lot.written_off)
            if cancelled:
                lot.written_off -= cancelled
                points -= cancelled
                self._touched[lot.id] = lot
        for lot in lots:
            restored = min(points, lot.reversed)
            if restored:
                lot.reversed -= restored
                lot.remaining += restored
                points -= restored
                self._post("restore", restored, lot, cause)
        return points

    def _award(self, points: int, award: Award, cause: Cause) -> None:
        source_id, member_id, points_key = award
        lot = HeldLot(
            program_id=self.program_id,
            id=ids.new_id(),
            member_id=member_id,
            points_key=points_key,
            source_id=source_id,
            points=points,
            remaining=points,
            reversed=0,
            written_off=0,
            earned_at=cause.effective_at,
            expires_at=None,
            is_new=True,
        )
        self._lots[lot.id] = lot
        self._post("earn", points, lot, cause)

    def _take(self, points: int, lots: Sequence[HeldLot], cause: Cause) -> None:
        for lot in reversed(lots):
            taken = min(points, lot.remaining, lot.standing)
            if taken:
                lot.remaining -= taken
                lot.reversed += taken
                points -= taken
                self._post("claw_back", taken, lot, cause)
        for lot in reversed(lots):
            lost = min(points, lot.standing)
            if lost:
                lot.written_off += lost
                points -= lost
                self._touched[lot.id] = lot

    def _post(self, kind: Kind, points: int, lot: HeldLot, cause: Cause) -> None:
        holding = self.holding(lot.member_id, lot.points_key)
        source, target = MOVES[kind]
        for bucket, sign in ((source, -1), (target, 1)):
            if bucket in ("available", "pending", "held"):
                setattr(holding, bucket, getattr(holding, bucket) + sign * points)
        holding.lifetime_earned += -points if kind == "claw_back" else points
        holding.version += 1
        holding.is_changed = True
        row: dict[str, Any] = {
            "program_id": self.program_id,
            "id": ids.new_id(),
            "member_id": lot.member_id,
            "points_key": lot.points_key,
            "seq": holding.version,
            "kind": kind,
            "points": points,
            "from_bucket": source,
            "to_bucket": target,
            "available_after": holding.available,
            "pending_after": holding.pending,
            "held_after": holding.held,
            "lot_id": lot.id,
            "source_type": cause.source_type,
            "source_ref": cause.source_ref,
            "decision_id": cause.decision_id,
            "actor": cause.actor,
            "effective_at": cause.effective_at,
            "recorded_at": cause.recorded_at,
        }
        row["hash"] = holding.head = entry_hash(holding.head, row)
        self.entries.append(row)
        self._touched[lot.id] = lot

    def write(self, writes: Writes) -> None:
        """Add everything that changed to the plan's writes."""
        for holding in self._holdings.values():
            if holding.is_changed:
                writes.replace(ACCOUNTS, _account_row(holding))
        for lot in self._touched.values():
            (writes.insert if lot.is_new else writes.replace)(LOTS, _lot_row(lot))
        for row in self.entries:
            writes.insert(ENTRIES, row)


def _account_row(holding: Holding) -> dict[str, Any]:
    return {name: getattr(holding, name) for name in ACCOUNTS.columns.keys()}  # noqa: SIM118


def _lot_row(lot: HeldLot) -> dict[str, Any]:
    return {name: getattr(lot, name) for name in LOTS.columns.keys()}  # noqa: SIM118
