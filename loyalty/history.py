"""An account as of one instant, as it was known at another (SEMANTICS C18, C25).

Pure. Takes the entries that had happened by then and were known by then, rebuilds lots and holds
from them, and lets what fell due of these happen in memory, whether it was written or not. So an
expiry that was recorded late is there as of its date, and one that a later order prevented is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core import ids
from loyalty.ledger import due
from loyalty.ledger.book import Book
from loyalty.ledger.entries import OWN, Allocated, default_change, lifetime
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold, HeldLot, Holding
from loyalty.records import Recorded
from programs import terms
from programs.compiled import Compiled


@dataclass(frozen=True, slots=True)
class Moment:
    """What had happened by `as_of`, as far as it was known at `known_at`."""

    as_of: int
    known_at: int

    def sees(self, effective_at: int, recorded_at: int) -> bool:
        """Whether something had happened and was known."""
        return effective_at <= self.as_of and recorded_at <= self.known_at


@dataclass(slots=True)
class _Lot:
    """What the entries seen say of a lot."""

    remaining: int = 0
    held: int = 0
    is_pending: bool = False
    activated_at: int | None = None
    credited_at: int | None = None


@dataclass(slots=True)
class _Account:
    """What the entries seen say of an account."""

    holding: Holding
    lots: dict[bytes, _Lot] = field(default_factory=dict)
    holds: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=dict)


def book_at(
    program: Compiled,
    moment: Moment,
    *,
    member_id: bytes,
    recorded: Iterable[Recorded],
    lots: Mapping[bytes, HeldLot],
    holds: Mapping[bytes, HeldHold],
    active_at: Mapping[str, Sequence[int]],
) -> Book:
    """A book of the member's accounts as of a moment, with what was due by then in its entries.

    `lots` and `holds` are all that the entries name, as they are stored now; `active_at`
    is what restarts inactivity, as of the moment.
    """
    accounts: dict[str, _Account] = {}
    activated: set[bytes | None] = set()
    for entry, allocated in recorded:
        if entry["kind"] == "activate":
            activated.add(entry["lot_id"])
        if moment.sees(entry["effective_at"], entry["recorded_at"]):
            account = accounts.get(entry["points_key"])
            if account is None:
                holding = Holding(program.program_id, member_id, entry["points_key"])
                account = accounts[entry["points_key"]] = _Account(holding)
            _add(account, entry, allocated)
    book = Book(program)
    for points_key, account in accounts.items():
        rebuilt = {
            lot_id: _lot(program, lots[lot_id], found, activated, active_at)
            for lot_id, found in account.lots.items()
            if found.remaining > 0
        }
        book.load([account.holding])
        book.load_open(member_id, points_key, rebuilt.values())
        book.load_holds(member_id, points_key, _holds(account, holds, rebuilt))
        account.holding.due_at = due.next_due(book, account.holding)
    due.settle(book, member_id, moment.as_of)
    return book


def _add(account: _Account, entry: Mapping[str, object], allocated: list[Allocated]) -> None:
    holding, points = account.holding, entry["points"]
    source, target, kind = entry["from_bucket"], entry["to_bucket"], entry["kind"]
    assert isinstance(points, int) and isinstance(source, str) and isinstance(target, str)
    for bucket, sign in ((source, -1), (target, 1)):
        if bucket in OWN:
            setattr(holding, bucket, getattr(holding, bucket) + sign * points)
    holding.lifetime_earned += lifetime(str(kind), (source, target), points)
    holding.version = max(holding.version, int(str(entry["seq"])))
    changes = [(lot_id, remaining, held) for lot_id, remaining, held, *_ in allocated]
    lot_id, effective_at = entry["lot_id"], entry["effective_at"]
    assert isinstance(effective_at, int)
    if not entry["is_split"] and isinstance(lot_id, bytes):
        changes = [(lot_id, *default_change((source, target), points))]
    for changed_id, remaining, held in changes:
        lot = account.lots.setdefault(changed_id, _Lot())
        lot.remaining += remaining
        lot.held += held
        if target == "pending":
            lot.is_pending = True
        if remaining > 0 or held < 0:
            lot.credited_at = effective_at
    if kind == "activate" and isinstance(lot_id, bytes):
        lot = account.lots.setdefault(lot_id, _Lot())
        lot.is_pending, lot.activated_at = False, effective_at
    if kind in ("hold", "capture", "release"):
        hold_id = ids.read_id(HOLD_PREFIX, str(entry["source_ref"]))
        if hold_id is not None:
            account.holds.pop(hold_id, None)
            if kind == "hold":
                account.holds[hold_id] = [(lot_id, held) for lot_id, _, held in changes]


def _lot(
    program: Compiled,
    stored: HeldLot,
    found: _Lot,
    activated: set[bytes | None],
    active_at: Mapping[str, Sequence[int]],
) -> HeldLot:
    """A lot as it was: what it held, and the dates that it had."""
    own, zone = terms.parse(stored.terms), program.zone
    available_at = stored.available_at
    if found.is_pending:
        # An activation that is not seen is due by the lot's terms, or not known to come. One that
        # no entry tells happened while the lot was empty.
        is_told = stored.id in activated or stored.is_pending
        available_at = own.available_at(stored.earned_at, zone) if is_told else available_at
    elif found.activated_at is not None:
        available_at = found.activated_at
    expires_at = stored.expires_at
    if available_at is None:
        expires_at = None
    elif own.inactivity:
        expires_at = own.expires_at(own.kept_since(available_at, active_at, zone), zone)
    return replace(
        stored,
        remaining=found.remaining,
        held=min(found.held, found.remaining),
        available_at=available_at,
        is_pending=found.is_pending,
        expires_at=expires_at,
        notice_at=None,
        is_moved=False,
        credited_at=found.credited_at,
    )


def _holds(
    account: _Account, stored: Mapping[bytes, HeldHold], lots: Mapping[bytes, HeldLot]
) -> list[HeldHold]:
    """Holds that had not ended, as they were."""
    return [
        replace(
            stored[hold_id],
            state="held",
            returned=0,
            ended_at=None,
            parts=[(lots[lot_id], held) for lot_id, held in parts if lot_id in lots],
        )
        for hold_id, parts in account.holds.items()
        if hold_id in stored
    ]
