"""What the independent ledger is made of: terms, lots, awards, holds.

Owns the arithmetic of local days (C17, C22) and of what stands and is owed (B9, B11). Refuses to
move points, and to import anything of the application.
"""

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

ReturnPolicy = Literal["within_balance", "only_pending", "unlimited", "deduct_from_refund"]
HoldState = Literal["held", "captured", "released", "expired", "reversed"]
Period = Literal["day", "month", "quarter", "year"]
SEOUL = ZoneInfo("Asia/Seoul")
_MONTHS_OF: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}
_NEVER = datetime.max.replace(tzinfo=UTC)


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
    expired: int = 0
    #: Whose lot it is, when an order made it.
    award: "Award | None" = None

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
    """Points out of a lot."""

    lot: Lot
    points: int


@dataclass(slots=True, eq=False)
class Award:
    """What stands for one order, and what became of the rest."""

    member: str
    lots: list[Lot] = field(default_factory=list)
    #: Taken back from its own lots, and from others for what was spent of it.
    own: list[Take] = field(default_factory=list)
    others: list[Take] = field(default_factory=list)
    #: Taken out of nothing: the account went below zero for it.
    overdrawn: int = 0
    #: Not taken, for it was spent; and for it had expired.
    owed: int = 0
    lapsed: int = 0

    @property
    def written_off(self) -> int:
        """What counts as reversed and was not taken."""
        return self.owed + self.lapsed

    @property
    def standing(self) -> int:
        """Awarded − reversed − written off."""
        awarded = sum(lot.points for lot in self.lots)
        taken = sum(take.points for take in self.own + self.others)
        return awarded - taken - self.overdrawn - self.written_off

    @property
    def lenders(self) -> "Counter[Award]":
        """Awards whose lots gave for this one what they did not get back, and how much; the lot
        that would be spent first first."""
        lent: Counter[Award] = Counter()
        for take in sorted(self.others, key=lambda take: take.lot.turn):
            if take.lot.award is not None:
                lent[take.lot.award] += take.points
        return lent

    def nearest_debt(self, passed: "Counter[tuple[Award, Award]]") -> "list[Award]":
        """This award if it owes; else one that lent to it and owes; else one that lent to that
        one, and so on: the way there, over what was lent and is not `passed` yet. Empty: none."""
        ways = [[self]]
        for way in ways:
            last = way[-1]
            if last.owed:
                return way
            for lender, lent in last.lenders.items():
                if lent > passed[last, lender] and all(lender not in one for one in ways):
                    ways.append([*way, lender])
        return []


@dataclass(slots=True)
class Hold:
    """Points reserved from certain lots, until an instant or until somebody ends it."""

    member: str
    takes: list[Take]
    expires_at: datetime | None
    state: HoldState = "held"
