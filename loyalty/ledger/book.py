"""The book of one unit of work: accounts and lots under lock, and the entries it adds to them.

Everything is decided in memory and written once, with the rest of the plan. What is rarely needed
(all open lots of an account, open holds) is read when it is asked for.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from core import clock, ids, outbox
from core.writing import Writes
from loyalty.ledger.entries import (
    MOVES,
    OWN,
    Allocated,
    Cause,
    Change,
    Kind,
    Move,
    default_change,
    entry_hash,
    lifetime,
)
from loyalty.ledger.rows import (
    ACCOUNTS,
    ALLOCATIONS,
    ENTRIES,
    HOLDS,
    LOTS,
    HeldHold,
    HeldLot,
    Holding,
)
from loyalty.ledger.source import Nothing, Source
from programs.compiled import Compiled

#: What the world is told of a kind of entry; holds are told of with what they are for.
_TOLD = {
    "earn": "points.earned",
    "activate": "points.activated",
    "capture": "points.spent",
    "spend": "points.spent",
    "expire": "points.expired",
    "claw_back": "points.reversed",
    "restore": "points.earned",
    "adjust": "points.adjusted",
    "transfer": "points.transferred",
}


class Book:
    """The accounts, lots and holds that one unit of work has locked, and the entries it adds."""

    def __init__(self, program: Compiled, source: Source | None = None) -> None:
        self.program = program
        self.program_id = program.program_id
        self.source: Source = source or Nothing()
        self._holdings: dict[tuple[bytes, str], Holding] = {}
        self._by_member: dict[bytes, list[Holding]] = {}
        self._lots: dict[bytes, HeldLot] = {}
        self._by_account: dict[tuple[bytes, str], list[HeldLot]] = {}
        self._by_source: dict[tuple[bytes, bytes], list[HeldLot]] = {}
        self._holds: dict[bytes, HeldHold] = {}
        self._are_open_loaded: set[tuple[bytes, str]] = set()
        self._are_holds_loaded: set[tuple[bytes, str]] = set()
        self._touched: dict[bytes, HeldLot] = {}
        self._ended: dict[bytes, HeldHold] = {}
        self.entries: list[dict[str, Any]] = []
        self.allocations: list[dict[str, Any]] = []
        self._told: list[tuple[bytes, str, dict[str, Any]]] = []
        #: Set where nobody is to be told of anything.
        self.is_mute = False

    def load(self, holdings: Iterable[Holding], lots: Iterable[HeldLot] = ()) -> None:
        """Take up accounts and lots as read under the member's lock."""
        for holding in holdings:
            if (holding.member_id, holding.points_key) not in self._holdings:
                self._take_up_holding(holding)
        for lot in lots:
            if lot.id not in self._lots:
                self._take_up_lot(lot)

    def _take_up_holding(self, holding: Holding) -> None:
        self._holdings[holding.member_id, holding.points_key] = holding
        self._by_member.setdefault(holding.member_id, []).append(holding)

    def _take_up_lot(self, lot: HeldLot) -> None:
        self._lots[lot.id] = lot
        self._by_account.setdefault((lot.member_id, lot.points_key), []).append(lot)
        self._by_source.setdefault((lot.source_id, lot.member_id), []).append(lot)

    def load_open(self, member_id: bytes, points_key: str, lots: Iterable[HeldLot]) -> None:
        """Take up all the open lots of an account."""
        self.load((), lots)
        self._are_open_loaded.add((member_id, points_key))

    def load_holds(self, member_id: bytes, points_key: str, holds: Iterable[HeldHold]) -> None:
        """Take up all the open holds of an account."""
        for hold in holds:
            self._holds.setdefault(hold.id, hold)
        self._are_holds_loaded.add((member_id, points_key))

    def holding(self, member_id: bytes, points_key: str) -> Holding:
        """The account of a member; an empty one when it does not exist yet."""
        key = (member_id, points_key)
        found = self._holdings.get(key)
        if found is None:
            found = Holding(self.program_id, member_id, points_key)
            self._take_up_holding(found)
        return found

    def holdings(self, member_id: bytes) -> list[Holding]:
        """The member's accounts."""
        return list(self._by_member.get(member_id, ()))

    def lots_of(self, source_id: bytes, member_id: bytes) -> list[HeldLot]:
        """Lots that one cause made for a member, oldest first."""
        found = [lot for lot in self._by_source.get((source_id, member_id), ()) if not lot.is_moved]
        return sorted(found, key=lambda lot: lot.id)

    def open_lots(self, member_id: bytes, points_key: str) -> list[HeldLot]:
        """Every lot of an account with points remaining, what is taken first first (C16)."""
        key = (member_id, points_key)
        if key not in self._are_open_loaded:
            self.load_open(member_id, points_key, self.source.open_lots(member_id, points_key))
        found = [lot for lot in self._by_account.get(key, ()) if lot.remaining]
        return sorted(found, key=spending_order)

    def open_holds(self, member_id: bytes, points_key: str) -> list[HeldHold]:
        """Every hold of an account that has not ended."""
        key = (member_id, points_key)
        if key not in self._are_holds_loaded:
            self.load_holds(member_id, points_key, self.source.open_holds(member_id, points_key))
        return [
            hold
            for hold in self._holds.values()
            if hold.state == "held"
            and hold.member_id == member_id
            and hold.points_key == points_key
        ]

    def hold(self, hold_id: bytes) -> HeldHold | None:
        """A hold that this unit has taken up, by id."""
        return self._holds.get(hold_id)

    def captured(self, member_id: bytes, stored: Iterable[HeldHold]) -> list[HeldHold]:
        """A member's captured holds that stand, as this unit leaves them, given those stored."""
        known = {hold.id: hold for hold in stored} | self._holds
        return [
            hold
            for hold in known.values()
            if hold.member_id == member_id and hold.state == "captured"
        ]

    def lot(self, lot_id: bytes) -> HeldLot:
        """A lot by id."""
        if lot_id not in self._lots:
            self.load((), self.source.lots_by_id([lot_id]))
        return self._lots[lot_id]

    def lenders(self, lot: HeldLot) -> list[tuple[HeldLot, int]]:
        """Other lots that gave for a lot's award and did not get it back, in the order of taking;
        what this unit has moved is in it."""
        if not lot.borrowed:
            return []
        net = dict(self.source.taken_for(lot.id))
        for row in self.allocations:
            if row["for_lot_id"] == lot.id:
                net[row["lot_id"]] = net.get(row["lot_id"], 0) + row["for_points"]
        found = [self.lot(lot_id) for lot_id, points in net.items() if points > 0]
        return [(one, net[one.id]) for one in sorted(found, key=spending_order)]

    def award_lots(self, lot: HeldLot) -> list[HeldLot]:
        """A lot and the others of its award with the same member, of whatever terms."""
        self.load((), self.source.made_by(lot.source_id))
        return [lot] + [
            one
            for one in self.lots_of(lot.source_id, lot.member_id)
            if one is not lot and one.points_key == lot.points_key
        ]

    def twin_of(self, lot: HeldLot) -> HeldLot | None:
        """The lot that a moved one became in the end."""
        while lot.is_moved:
            known = next(
                (
                    one
                    for one in self._lots.values()
                    if one.origin_lot_id == lot.id and one.source_id == lot.source_id
                ),
                None,
            )
            twin = known or self.source.twin_of(lot)
            if twin is None:
                return None
            self.load((), [twin])
            lot = self._lots[twin.id]
        return lot

    def add_lot(self, lot: HeldLot) -> None:
        """Take up a lot that this unit makes, also when a deficit leaves nothing of it."""
        self._take_up_lot(lot)
        self._touched[lot.id] = lot

    def touch(self, lot: HeldLot) -> None:
        """A lot changed without an entry."""
        self._touched[lot.id] = lot
        holding = self.holding(lot.member_id, lot.points_key)
        due_at = lot.next_due()
        if due_at is not None and (holding.due_at is None or due_at < holding.due_at):
            holding.due_at, holding.is_changed = due_at, True

    def touch_hold(self, hold: HeldHold) -> None:
        """A hold was made or changed."""
        self._holds[hold.id] = self._ended[hold.id] = hold
        holding = self.holding(hold.member_id, hold.points_key)
        if (
            hold.state == "held"
            and hold.expires_at is not None
            and (holding.due_at is None or hold.expires_at < holding.due_at)
        ):
            holding.due_at, holding.is_changed = hold.expires_at, True

    def take_up(self, hold: HeldHold) -> HeldHold:
        """A hold as this unit knows it: as it was read, or as the unit has left it since."""
        return self._holds.setdefault(hold.id, hold)

    def take(self, holding: Holding, points: int) -> list[tuple[HeldLot, int]]:
        """Which lots so many free points come from; less than asked when there are not enough."""
        found = []
        for lot in self.open_lots(holding.member_id, holding.points_key):
            part = min(points, lot.free)
            if part:
                found.append((lot, part))
                points -= part
        return found

    def absorbed(self, holding: Holding, points: int) -> int:
        """How much of points that become available a deficit takes at once (B11)."""
        return min(points, max(0, -holding.available))

    def post(
        self,
        kind: Kind,
        move: Move,
        points: int,
        *,
        holding: Holding,
        changes: Sequence[Change],
        cause: Cause,
        lot: HeldLot | None = None,
    ) -> dict[str, Any]:
        """Append an entry and change its lots; returns the entry's row.

        `lot` is the one it concerns; by default the only one it changes.
        """
        assert points > 0 and move in MOVES[kind]
        if lot is None and len(changes) == 1:
            lot = changes[0].lot
        self._move(holding, kind, move, points)
        is_plain = (
            lot is not None
            and len(changes) == 1
            and changes[0].lot is lot
            and (changes[0].remaining, changes[0].held) == default_change(move, points)
        )
        source, target = move
        row: dict[str, Any] = {
            "program_id": self.program_id,
            "id": ids.new_id(),
            "member_id": holding.member_id,
            "points_key": holding.points_key,
            "seq": holding.version,
            "kind": kind,
            "points": points,
            "from_bucket": source,
            "to_bucket": target,
            "available_after": holding.available,
            "pending_after": holding.pending,
            "held_after": holding.held,
            "lot_id": None if lot is None else lot.id,
            "is_split": not is_plain,
            "source_type": cause.source_type,
            "source_ref": cause.source_ref,
            "decision_id": cause.decision_id,
            "actor": cause.actor,
            "effective_at": cause.effective_at,
            "recorded_at": cause.recorded_at,
        }
        allocations = [] if is_plain else self._allocate(row["id"], lot, changes)
        row["hash"] = holding.head = entry_hash(holding.head, row, allocations)
        self.entries.append(row)
        for change in changes:
            self._change(change, cause)
        if kind in _TOLD and not (cause.is_silent or self.is_mute):
            self._told.append((holding.member_id, _TOLD[kind], _payload(row)))
        return row

    def _move(self, holding: Holding, kind: Kind, move: Move, points: int) -> None:
        for bucket, sign in ((move[0], -1), (move[1], 1)):
            if bucket in OWN:
                setattr(holding, bucket, getattr(holding, bucket) + sign * points)
        holding.lifetime_earned += lifetime(kind, move, points)
        holding.version += 1
        holding.is_changed = True

    def _allocate(
        self, entry_id: bytes, lot: HeldLot | None, changes: Sequence[Change]
    ) -> list[Allocated]:
        """Note what a split entry changed; rows as they are hashed."""
        rows: list[Allocated] = []
        for change in sorted(changes, key=lambda change: change.lot.id):
            is_for = bool(change.for_points) and lot is not None
            rows.append(
                (
                    change.lot.id,
                    change.remaining,
                    change.held,
                    lot.id if is_for and lot is not None else None,
                    change.for_points if is_for else None,
                )
            )
        self.allocations += [
            {
                "program_id": self.program_id,
                "entry_id": entry_id,
                "lot_id": lot_id,
                "remaining": remaining,
                "held": held,
                "for_lot_id": for_lot_id,
                "for_points": for_points,
            }
            for lot_id, remaining, held, for_lot_id, for_points in rows
        ]
        return rows

    def _change(self, change: Change, cause: Cause) -> None:
        lot = change.lot
        lot.remaining += change.remaining
        lot.held += change.held
        assert 0 <= lot.held <= lot.remaining
        if change.remaining > 0 or change.held < 0:
            lot.credited_at = cause.effective_at
        self.touch(lot)

    def notify(self, holding: Holding, *, points: int, expires_at: int) -> None:
        """Tell the world that points are about to expire."""
        payload = {
            "points_key": holding.points_key,
            "points": points,
            "expires_at": clock.format_instant(expires_at),
        }
        self._told.append((holding.member_id, "points.expiring", payload))

    def write(self, writes: Writes, *, now: clock.Instant) -> None:
        """Add everything that changed to the plan's writes."""
        for holding in self._holdings.values():
            if holding.is_changed:
                writes.replace(ACCOUNTS, holding.row())
        for lot in self._touched.values():
            (writes.insert if lot.is_new else writes.replace)(LOTS, lot.row())
        for row in self.entries:
            writes.insert(ENTRIES, row)
        for row in self.allocations:
            writes.insert(ALLOCATIONS, row)
        for hold in self._ended.values():
            (writes.insert if hold.is_new else writes.replace)(HOLDS, hold.row())
        for member_id, type_, payload in self._told:
            outbox.add(
                writes, self.program_id, type=type_, payload=payload, now=now, member_id=member_id
            )


def spending_order(lot: HeldLot) -> tuple[bool, int, int, bytes]:
    """Soonest expiry first, then oldest, never-expiring last (C16)."""
    return (lot.expires_at is None, lot.expires_at or 0, lot.earned_at, lot.id)


def _payload(row: dict[str, Any]) -> dict[str, Any]:
    """What the world is told of an entry."""
    return {
        "entry_id": ids.show_id("ent", row["id"]),
        "kind": row["kind"],
        "points_key": row["points_key"],
        "points": row["points"],
        "available_after": row["available_after"],
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
    }
