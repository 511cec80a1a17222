"""Proof of one account's entries: the chain, the balances after each, and what each lot got.

Replays entries with their allocations, one after the other, into what the account, its lots and
its holds must be. Reads nothing and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.ledger.entries import MOVES, OWN, Allocated, default_change, entry_hash, lifetime
from loyalty.ledger.rows import NO_HEAD
from loyalty.records import entries_of
from server.verify.rows import Place, Report, show


@dataclass(slots=True)
class LotSums:
    """What the entries of one account say of one of its lots."""

    remaining: int = 0
    held: int = 0
    reversed: int = 0
    borrowed: int = 0
    overdrawn: int = 0
    expired: int = 0
    #: Given back beyond what entries of this account had taken out of nothing.
    restored: int = 0
    #: The entry that put the first points into it, and how many when that is sure.
    born: dict[str, Any] | None = None
    given: int | None = None
    is_pending: bool | None = None
    activated_at: int | None = None
    expired_at: int | None = None
    was_empty: bool = False


@dataclass(slots=True)
class HoldSums:
    """What the entries say of one hold."""

    held: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    returned: int = 0


@dataclass(slots=True)
class Sums:
    """What the entries of one account add up to."""

    available: int = 0
    pending: int = 0
    held: int = 0
    lifetime_earned: int = 0
    version: int = 0
    head: bytes = NO_HEAD
    lots: dict[bytes, LotSums] = field(default_factory=dict)
    holds: dict[str, HoldSums] = field(default_factory=dict)
    #: By source: entries of adjustments and transfers, few as they are.
    by_hand: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    #: When something of a captured hold was given back.
    given_back_at: set[int] = field(default_factory=set)
    after: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWN, 0))

    def lot(self, lot_id: bytes) -> LotSums:
        """What is known of a lot so far."""
        found = self.lots.get(lot_id)
        if found is None:
            found = self.lots[lot_id] = LotSums()
        return found


def add_up(report: Report, rows: Iterable[Sequence[Any]]) -> Sums:
    """Check each entry against those before it; what they add up to."""
    sums = Sums()
    for entry, allocated in entries_of(rows):
        report.entries += 1
        report.allocations += len(allocated)
        _check_entry(report, entry, sums, allocated)
        _count_entry(sums, entry)
        changes = _changes(entry, allocated)
        for lot_id, remaining, held, for_lot_id, for_points in changes:
            _count_lot(sums, entry, lot_id, remaining=remaining, held=held)
            if for_lot_id is not None:
                sums.lot(for_lot_id).borrowed += for_points or 0
        _count_award(sums, entry, changes)
        _check_lots(report, entry, sums, changes)
        sums.version, sums.head = entry["seq"], entry["hash"]
    return sums


def place_of(entry: dict[str, Any]) -> Place:
    """Where an entry stands in a report."""
    return ("ent", entry["id"], "")


def _check_entry(
    report: Report, entry: dict[str, Any], sums: Sums, allocated: list[Allocated]
) -> None:
    source, target, kind = entry["from_bucket"], entry["to_bucket"], entry["kind"]
    points, place = entry["points"], place_of(entry)
    report.compare("entries", place, "seq", entry["seq"], sums.version + 1)
    moves = MOVES.get(kind)
    if moves is None:
        report.note("entries", place, "kind", kind, f"one of {', '.join(MOVES)}")
    elif (source, target) not in moves:
        allowed = " or ".join(sorted(f"{one}, {other}" for one, other in moves))
        report.note("entries", place, "from_bucket, to_bucket", f"{source}, {target}", allowed)
    for bucket in OWN:
        expected = sums.after[bucket] + points * ((target == bucket) - (source == bucket))
        report.compare("entries", place, f"{bucket}_after", entry[f"{bucket}_after"], expected)
    if entry["hash"] != (computed := entry_hash(sums.head, entry, allocated)):
        report.note("entries", place, "hash", entry["hash"], computed)
        if entry["is_split"]:
            stored = f"{len(allocated)} whose hash is another"
            report.note("allocations", place, "rows", stored, "those that were hashed")
    if not entry["is_split"]:
        if entry["lot_id"] is None:
            report.note("entries", place, "lot_id", None, "the one lot that it changes")
        for lot_id, *_ in allocated:
            shown = show(("lot", lot_id, ""))
            report.note("allocations", place, f"of {shown}", "a row", "none: it is not split")
    _check_allocated(report, entry, allocated)


def _check_allocated(report: Report, entry: dict[str, Any], allocated: list[Allocated]) -> None:
    """Together they change as many held points as the entry moves, each for the right lot."""
    if not entry["is_split"]:
        return
    place, own = place_of(entry), entry["lot_id"]
    is_award = entry["kind"] in ("claw_back", "restore") and own is not None
    for lot_id, remaining, _, for_lot_id, for_points in allocated:
        expected = own if is_award and lot_id != own else None
        name = f"of {show(('lot', lot_id, ''))}"
        report.compare("allocations", place, f"{name} for_lot_id", for_lot_id, expected)
        if expected is None:
            report.compare("allocations", place, f"{name} for_points", for_points, None)
        elif entry["kind"] == "claw_back":
            report.compare("allocations", place, f"{name} for_points", for_points, -remaining)
        elif not (for_points or 0) <= -remaining <= 0:
            # A deficit may have taken of what was given back.
            least = f"at most {-remaining}"
            report.note("allocations", place, f"{name} for_points", for_points, least)
    held = default_change((entry["from_bucket"], entry["to_bucket"]), entry["points"])[1]
    report.compare("allocations", place, "sum of held", sum(one[2] for one in allocated), held)


def _changes(entry: dict[str, Any], allocated: list[Allocated]) -> list[Allocated]:
    if entry["is_split"] or entry["lot_id"] is None:
        return allocated
    remaining, held = default_change((entry["from_bucket"], entry["to_bucket"]), entry["points"])
    return [(entry["lot_id"], remaining, held, None, None)]


def _count_entry(sums: Sums, entry: dict[str, Any]) -> None:
    points, kind, ref = entry["points"], entry["kind"], entry["source_ref"]
    source, target = entry["from_bucket"], entry["to_bucket"]
    for bucket, sign in ((source, -points), (target, points)):
        if bucket in OWN:
            setattr(sums, bucket, getattr(sums, bucket) + sign)
    sums.lifetime_earned += lifetime(kind, (source, target), points)
    if kind in ("adjust", "transfer"):
        sums.by_hand.setdefault((entry["source_type"], ref), []).append(entry)
    elif kind == "spend":
        # Points that had gone back are spent anew when their refund no longer stands.
        sums.holds.setdefault(ref, HoldSums()).returned -= points
    elif kind in ("hold", "capture", "release") or source == "spent":
        hold = sums.holds.setdefault(ref, HoldSums())
        if kind == "hold":
            # What ran out or was given back is held again under its id: only that counts now.
            hold.held, hold.ended, hold.returned = entry, None, 0
        elif kind == "restore":
            hold.returned += points
            sums.given_back_at.add(entry["effective_at"])
        else:
            hold.ended = entry


def _count_lot(
    sums: Sums, entry: dict[str, Any], lot_id: bytes, *, remaining: int, held: int
) -> None:
    lot = sums.lot(lot_id)
    if remaining > 0 and lot.born is None:
        lot.born, lot.given = entry, remaining
        lot.is_pending = entry["to_bucket"] == "pending"
    lot.remaining += remaining
    lot.held += held
    lot.was_empty = lot.was_empty or lot.remaining == 0
    if entry["kind"] == "expire":
        lot.expired_at = entry["effective_at"]
        lot.expired -= remaining


def _count_award(sums: Sums, entry: dict[str, Any], changes: Sequence[Allocated]) -> None:
    """What the entry says of the lot that it concerns; that is all when a deficit took it."""
    kind, points = entry["kind"], entry["points"]
    is_credit = entry["to_bucket"] in ("available", "pending")
    found = sum(remaining for _, remaining, *_ in changes)
    if is_credit and found < points:
        for lot_id, *_ in changes:
            if sums.lot(lot_id).born is entry:
                # A deficit took of it first.
                sums.lot(lot_id).given = None
    if entry["lot_id"] is None:
        return
    lot = sums.lot(entry["lot_id"])
    if kind == "activate":
        lot.is_pending, lot.activated_at = False, entry["effective_at"]
    elif kind == "claw_back":
        lot.reversed += points
        lot.overdrawn += points + found
    elif kind == "restore" and entry["from_bucket"] == "clawed_back":
        lot.reversed -= points
        from_nothing = min(points, lot.overdrawn)
        lot.overdrawn -= from_nothing
        lot.restored += points - from_nothing
    if is_credit and kind in ("earn", "adjust"):
        lot.born, lot.given = entry, points
    if is_credit and (lot.born is None or lot.born is entry):
        lot.born = entry
        lot.is_pending = entry["to_bucket"] == "pending"
    elif entry["to_bucket"] == "pending":
        lot.is_pending, lot.activated_at = True, None


def in_lots(after: Mapping[str, int]) -> int:
    """What the lots of an account hold together by its balances: a deficit has none."""
    return after["pending"] + after["held"] + max(0, after["available"])


def _check_lots(
    report: Report, entry: dict[str, Any], sums: Sums, changes: Sequence[Allocated]
) -> None:
    """Each entry changes the lots by as much as it changes what the account holds."""
    after = {bucket: entry[f"{bucket}_after"] for bucket in OWN}
    changed = sum(remaining for _, remaining, *_ in changes)
    expected = in_lots(after) - in_lots(sums.after)
    if changed != expected:
        table = "allocations" if entry["is_split"] else "entries"
        report.note(table, place_of(entry), "sum of remaining", changed, expected)
    # From what is stored, so that a wrong row does not make all that follow wrong.
    sums.after = after
