"""The ledger once more: one kind of points, in memory, a list of lots for each member.

Owns what every balance and every lot must be after a step, written from the requirements alone
(B9 to B15, C16 to C26) and for reading, not for speed. Refuses to import anything of the
application: what shares its code would share its mistakes.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

ReturnPolicy = Literal["within_balance", "only_pending", "unlimited", "deduct_from_refund"]
Period = Literal["day", "month", "quarter", "year"]
HoldState = Literal["held", "captured", "released", "expired", "reversed"]
SEOUL = ZoneInfo("Asia/Seoul")
_NEVER = datetime.max.replace(tzinfo=UTC)
_MONTHS_OF: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


class RefusedError(Exception):
    """A step that the ledger must refuse: the problem's code, and what was available."""

    def __init__(self, code: str, available: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.available = available


@dataclass(frozen=True, slots=True)
class Terms:
    """When points become available, when they expire, and what a refund may take."""

    zone: ZoneInfo = SEOUL
    pending_days: int = 0
    expiry_months: int | None = None
    expiry_days: int = 0
    round_up_to: Period = "day"
    returns: ReturnPolicy = "within_balance"

    def available_at(self, earned_at: datetime) -> datetime:
        """So many days later at the same local time (C22)."""
        local = earned_at.astimezone(self.zone)
        return (local + timedelta(days=self.pending_days)).astimezone(UTC)

    def expires_at(self, available_at: datetime) -> datetime | None:
        """The midnight that ends the last valid local day (C17); None for never."""
        if self.expiry_months is None:
            return None
        first = available_at.astimezone(self.zone).date()
        last = _months_later(first, self.expiry_months) + timedelta(days=self.expiry_days)
        if self.round_up_to != "day":
            last = _end_of_period(last, _MONTHS_OF[self.round_up_to])
        midnight = datetime.combine(last + timedelta(days=1), time(), tzinfo=self.zone)
        return midnight.astimezone(UTC)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _end_of_period(day: date, months: int) -> date:
    month = (day.month + months - 1) // months * months
    return date(day.year, month, monthrange(day.year, month)[1])


@dataclass(slots=True, eq=False)
class Lot:
    """Points earned together; what of them is pending, free and held now."""

    number: int
    member: str
    points: int
    earned_at: datetime
    available_at: datetime
    expires_at: datetime | None
    pending: int = 0
    free: int = 0
    held: int = 0

    @property
    def remaining(self) -> int:
        """What of the lot is neither spent nor taken nor expired."""
        return self.pending + self.free + self.held

    @property
    def turn(self) -> tuple[datetime, datetime, int]:
        """Soonest expiry first, then oldest, never-expiring last (C16)."""
        return (self.expires_at or _NEVER, self.earned_at, self.number)


@dataclass(slots=True)
class Take:
    """Points out of a lot; out of no lot when the account went below zero for them."""

    lot: Lot | None
    points: int


@dataclass(slots=True)
class Award:
    """What stands for one order, where its claw-backs were taken from, and what they missed."""

    member: str
    lots: list[Lot] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    written_off: int = 0

    @property
    def standing(self) -> int:
        """Awarded − reversed − written off."""
        awarded = sum(lot.points for lot in self.lots)
        return awarded - sum(take.points for take in self.takes) - self.written_off


@dataclass(slots=True)
class Hold:
    """Points reserved from certain lots until an instant."""

    member: str
    takes: list[Take]
    expires_at: datetime
    state: HoldState = "held"


class Ledger:
    """Members' lots under one set of terms, at a clock that is moved by hand."""

    def __init__(self, terms: Terms, now: datetime) -> None:
        self.terms = terms
        self.now = now
        self.lots: list[Lot] = []
        self.deficits: Counter[str] = Counter()
        self.awards: dict[str, Award] = {}
        self.holds: dict[str, Hold] = {}
        #: What ever went into a member's points and out of them again, by cause.
        self.totals: dict[str, Counter[str]] = {}

    def available(self, member: str) -> int:
        """The free parts of the active lots less the deficit."""
        return sum(lot.free for lot in self.of(member)) - self.deficits[member]

    def pending(self, member: str) -> int:
        """Points that wait for their availability."""
        return sum(lot.pending for lot in self.of(member))

    def held(self, member: str) -> int:
        """Points reserved by open holds."""
        return sum(lot.held for lot in self.of(member))

    def of(self, member: str) -> list[Lot]:
        """The member's lots in the order in which they are spent."""
        return sorted((lot for lot in self.lots if lot.member == member), key=lambda lot: lot.turn)

    def tell(self, ref: str, member: str, *, deserved: int, paid_at: datetime) -> None:
        """Bring what stands for an order to what it deserves now (B9, B13)."""
        award = self.awards.setdefault(ref, Award(member))
        if deserved < award.standing:
            self._claw_back(award, award.standing - deserved)
        elif deserved > award.standing:
            self._give_back(award, deserved - award.standing, paid_at)

    def _claw_back(self, award: Award, points: int) -> None:
        """The order's own lots first, pending before free, then other lots (B11, B12)."""
        missing = points
        newest_first = award.lots[::-1]
        for lot in newest_first:
            part = min(missing, lot.pending)
            lot.pending -= part
            missing = self._note_take(award, lot, part, missing)
        if self.terms.returns != "only_pending":
            for lot in newest_first + self.of(award.member):
                part = min(missing, lot.free)
                lot.free -= part
                missing = self._note_take(award, lot, part, missing)
        if self.terms.returns == "unlimited" and missing:
            self.deficits[award.member] += missing
            missing = self._note_take(award, None, missing, missing)
        award.written_off += missing

    def _note_take(self, award: Award, lot: Lot | None, part: int, missing: int) -> int:
        if part:
            award.takes.append(Take(lot, part))
            self._count(award.member, "clawed_back", part)
        return missing - part

    def _give_back(self, award: Award, points: int, paid_at: datetime) -> None:
        """Write-offs are cancelled first, then the last that was taken comes back first, then
        what is more than was ever awarded makes a new lot."""
        cancelled = min(points, award.written_off)
        award.written_off -= cancelled
        points -= cancelled
        restored: list[Take] = []
        while points and award.takes:
            last = award.takes[-1]
            part = min(points, last.points)
            # What made the deficit comes back to the award's own lot.
            restored.append(Take(last.lot or award.lots[-1], part))
            last.points -= part
            points -= part
            if not last.points:
                award.takes.pop()
        self._credit(award.member, restored, "restored")
        if points:
            available_at = self.terms.available_at(paid_at)
            lot = self._new_lot(
                award.member,
                points,
                earned_at=paid_at,
                available_at=available_at,
                expires_at=self.terms.expires_at(available_at),
            )
            award.lots.append(lot)
            self._credit(award.member, [Take(lot, points)], "earned")

    def hold(self, key: str, member: str, points: int, *, seconds: int) -> None:
        """Reserve points for so many seconds."""
        takes = self._take(member, points)
        for take in takes:
            self._lot(take).held += take.points
        self.holds[key] = Hold(member, takes, self.now + timedelta(seconds=seconds))

    def capture(self, key: str) -> None:
        """The held points are spent; again is the same, after another end refused."""
        hold = self.holds[key]
        if self._is_to_end(hold, "captured"):
            self._unhold(hold)
            self._count(hold.member, "spent", sum(take.points for take in hold.takes))

    def release(self, key: str) -> None:
        """The held points go back to their lots; again is the same, after another end refused."""
        hold = self.holds[key]
        if self._is_to_end(hold, "released"):
            self._unhold(hold)
            self._credit(hold.member, hold.takes)

    def reverse(self, key: str) -> None:
        """What was captured goes back to the same lots and dates (C20, policy strict)."""
        hold = self.holds[key]
        if hold.state == "reversed":
            return
        if hold.state != "captured":
            raise RefusedError("state_conflict")
        hold.state = "reversed"
        self._credit(hold.member, hold.takes, "unspent")

    def _is_to_end(self, hold: Hold, end: HoldState) -> bool:
        if hold.state not in ("held", end):
            raise RefusedError("state_conflict")
        was_open = hold.state == "held"
        hold.state = end
        return was_open

    def _unhold(self, hold: Hold) -> None:
        for take in hold.takes:
            self._lot(take).held -= take.points

    def transfer(self, sender: str, receiver: str, points: int) -> None:
        """The receiver gets lots of the same dates (C23)."""
        received = []
        for take in self._take(sender, points):
            lot = self._lot(take)
            copy = self._new_lot(
                receiver,
                take.points,
                earned_at=lot.earned_at,
                available_at=lot.available_at,
                expires_at=lot.expires_at,
            )
            received.append(Take(copy, take.points))
        self._count(sender, "sent", points)
        self._credit(receiver, received, "received")

    def adjust(self, member: str, points: int) -> None:
        """Points given are there at once and expire by the kind's terms from now on; points taken
        leave like any spending."""
        if points < 0:
            self._take(member, -points)
            self._count(member, "adjusted_down", -points)
            return
        expires_at = self.terms.expires_at(self.now)
        lot = self._new_lot(
            member, points, earned_at=self.now, available_at=self.now, expires_at=expires_at
        )
        self._credit(member, [Take(lot, points)], "adjusted_up")

    def move(self, to: datetime) -> None:
        """Everything falls due at its own instant, in the order of C24."""
        while (due := self.next_due(to)) is not None:
            self.now = due
            self._run_due()
        self.now = to

    def next_due(self, until: datetime) -> datetime | None:
        """The first instant up to `until` at which something activates, runs out or expires."""
        dates = [hold.expires_at for hold in self.holds.values() if hold.state == "held"]
        dates += [lot.available_at for lot in self.lots if lot.pending]
        dates += [lot.expires_at for lot in self.lots if lot.free and lot.expires_at]
        return min((one for one in dates if one <= until), default=None)

    def _run_due(self) -> None:
        for lot in self.lots:
            if lot.pending and lot.available_at <= self.now:
                points, lot.pending = lot.pending, 0
                self._credit(lot.member, [Take(lot, points)])
        for hold in self.holds.values():
            if hold.state == "held" and hold.expires_at <= self.now:
                hold.state = "expired"
                self._unhold(hold)
                self._credit(hold.member, hold.takes)
        self._expire(self.lots)

    def _take(self, member: str, points: int) -> list[Take]:
        available = self.available(member)
        if points > available:
            raise RefusedError("insufficient_points", available)
        takes = []
        for lot in self.of(member):
            part = min(points, lot.free)
            if part:
                lot.free -= part
                points -= part
                takes.append(Take(lot, part))
        assert points == 0
        return takes

    def _credit(self, member: str, takes: Iterable[Take], cause: str | None = None) -> None:
        """Points come to their lots: pending until the lot's time, absorbed by a deficit before
        anybody can spend them, expired at once if the lot's date has passed (C19)."""
        for take in takes:
            lot = self._lot(take)
            if lot.available_at <= self.now:
                lot.free += take.points
            else:
                lot.pending += take.points
            if cause is not None:
                self._count(member, cause, take.points)
        lots = self.of(member)
        for lot in lots:
            absorbed = min(lot.free, self.deficits[member])
            lot.free -= absorbed
            self.deficits[member] -= absorbed
        self._expire(lots)

    def _expire(self, lots: Sequence[Lot]) -> None:
        for lot in lots:
            if lot.free and lot.expires_at is not None and lot.expires_at <= self.now:
                self._count(lot.member, "expired", lot.free)
                lot.free = 0

    def _new_lot(
        self,
        member: str,
        points: int,
        *,
        earned_at: datetime,
        available_at: datetime,
        expires_at: datetime | None,
    ) -> Lot:
        number = len(self.lots) + 1
        lot = Lot(number, member, points, earned_at, available_at, expires_at)
        self.lots.append(lot)
        return lot

    def _count(self, member: str, cause: str, points: int) -> None:
        self.totals.setdefault(member, Counter())[cause] += points

    @staticmethod
    def _lot(take: Take) -> Lot:
        assert take.lot is not None
        return take.lot

    def check(self) -> None:
        """What must hold at any time: nothing from nowhere, nothing lost, nothing out of date."""
        for member in {lot.member for lot in self.lots}:
            seen = self.totals[member]
            into = sum(seen[c] for c in ("earned", "restored", "unspent", "received"))
            out = sum(seen[c] for c in ("clawed_back", "spent", "sent", "adjusted_down", "expired"))
            own = self.available(member) + self.pending(member) + self.held(member)
            assert own == into + seen["adjusted_up"] - out
            free = sum(lot.free for lot in self.of(member))
            assert not (free and self.deficits[member])
        for lot in self.lots:
            assert min(lot.pending, lot.free, lot.held) >= 0
            assert not (lot.pending and lot.available_at <= self.now)
            assert not (lot.free and lot.expires_at and lot.expires_at <= self.now)
