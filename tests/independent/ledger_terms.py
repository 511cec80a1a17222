"""When points become available and when they expire: the dates of the independent ledger.

Owns the arithmetic of local days (C17, C22). Refuses to import anything of the application.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

ReturnPolicy = Literal["within_balance", "only_pending", "unlimited", "deduct_from_refund"]
Period = Literal["day", "month", "quarter", "year"]
SEOUL = ZoneInfo("Asia/Seoul")
_MONTHS_OF: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


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
