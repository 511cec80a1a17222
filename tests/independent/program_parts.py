"""What the independent program is made of: sources, what they were judged by, periods.

Owns the periods of limits (A4). Refuses to decide, and to import anything of the application.
"""

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

Exact = int | Fraction


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule wanted to give a source, what was left for it (None: all), what it gave."""

    wanted: Exact
    left: int | None
    given: Exact


@dataclass(slots=True)
class Source:
    """An order or an activity as a storefront tells it, and what stands of it."""

    ref: str
    kind: Literal["order", "visit", "review"]
    member: str
    at: datetime
    status: str
    #: Orders: lines before and after refunds. Activities: the rating.
    gross: int = 0
    net: int = 0
    rating: int = 0

    number: int = 0
    pinned_rank: int = 0
    stands: bool = False
    is_first: bool = False
    judged: dict[str, Judged] = field(default_factory=dict)
    outcomes: dict[str, tuple[bool, str | None, int | None]] = field(default_factory=dict)
    points: int = 0
    qualifying: int = 0
    stamps: Counter[str] = field(default_factory=Counter)

    @property
    def trigger(self) -> str:
        """By what its rules are found."""
        return "order" if self.kind == "order" else f"activity:{self.kind}"

    @property
    def is_told_to_stand(self) -> bool:
        """Paid and not wholly refunded, or done and not withdrawn."""
        if self.kind == "order":
            return self.status in ("paid", "fulfilled") and self.net > 0
        return self.status == "done"

    def copy(self) -> "Source":
        """The same as told, of which nothing stands yet."""
        return replace(self, judged={}, outcomes={}, stamps=Counter())

    def take_over(self, told: "Source") -> None:
        """How it looks now."""
        for one in fields(told)[:8]:
            setattr(self, one.name, getattr(told, one.name))


def period_of(period: str, at: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """Which day, week (from Monday), month or year of the program an instant lies in."""
    day: date = at.astimezone(zone).date()
    if period == "week":
        day -= timedelta(days=day.weekday())
    return {
        "day": (day.year, day.month, day.day),
        "week": (day.year, day.month, day.day),
        "month": (day.year, day.month),
        "year": (day.year,),
        "ever": (),
    }[period]
