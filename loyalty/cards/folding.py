"""Folding: how full a card is, and when it was completed, from the stamps that stand.

Pure. An unfinished card expires as points do, at the midnight that ends its last valid day
(SEMANTICS C17): whole, counted from its first stamp, or stamp by stamp, which makes a window that
slides. Stamps beyond a full card open the next one.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from programs.cards import Card
from programs.terms import Terms as PointsTerms


@dataclass(frozen=True, slots=True)
class Terms:
    """How many stamps complete a card, and how they expire before that."""

    stamps: int
    expires_after: str | None = None
    is_each: bool = False

    @property
    def text(self) -> str:
        """How a completion keeps them."""
        unit = "stamp" if self.is_each else "card"
        return f"{self.stamps}|{self.expires_after or ''}|{unit}"

    def expires_at(self, since: int, zone: ZoneInfo) -> int | None:
        """When a stamp of that instant expires, or the card that it opened; None is never."""
        if self.expires_after is None:
            return None
        terms = PointsTerms("immediate", f"after {self.expires_after} day")
        return terms.expires_at(since, zone)


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Terms:
    """The terms that a completion keeps."""
    stamps, expires_after, unit = text.split("|")
    return Terms(int(stamps), expires_after or None, unit == "stamp")


def of_card(card: Card) -> Terms:
    """The terms of a card of the document."""
    return Terms(card.stamps, card.expires_after, card.expires == "stamp")


@dataclass(frozen=True, slots=True)
class Mark:
    """The stamps of one source that stand."""

    source_id: bytes
    stamps: int
    at: int
    recorded_at: int

    @property
    def place(self) -> tuple[int, int, bytes]:
        """Its place among the others: by instant, then in the order of arrival."""
        return (self.at, self.recorded_at, self.source_id)


@dataclass(slots=True)
class Folded:
    """When each completion was reached; of the card that is open then, its stamps and dates.
    Without `terms` no further card opens."""

    completed_at: list[int] = field(default_factory=list)
    terms: Terms | None = None
    stamps: int = 0
    first_at: int | None = None
    expires_at: int | None = None


def fold(
    marks: Iterable[Mark], terms_of: Callable[[int], Terms | None], *, zone: ZoneInfo, at: int
) -> Folded:
    """The card as of `at`. `terms_of` gives the terms of the first, second … card, and None where
    there is no further one."""
    found = Folded(terms=terms_of(1))
    open_stamps: deque[list[int]] = deque()
    for mark in sorted(marks, key=lambda one: one.place):
        if found.terms is None:
            break
        if not mark.stamps:
            continue
        _expire(found, open_stamps, mark.at, zone)
        open_stamps.append([mark.at, mark.stamps])
        found.stamps += mark.stamps
        while found.terms is not None and found.stamps >= found.terms.stamps:
            _consume(open_stamps, found.terms.stamps)
            found.stamps -= found.terms.stamps
            found.completed_at.append(mark.at)
            found.terms = terms_of(len(found.completed_at) + 1)
    if found.terms is None:
        found.stamps = 0
        return found
    _expire(found, open_stamps, at, zone)
    if open_stamps:
        found.first_at = open_stamps[0][0]
        found.expires_at = found.terms.expires_at(found.first_at, zone)
    return found


def _expire(found: Folded, open_stamps: deque[list[int]], at: int, zone: ZoneInfo) -> None:
    """Drop what had expired by an instant."""
    terms = found.terms
    if terms is None or terms.expires_after is None:
        return
    while open_stamps:
        expires_at = terms.expires_at(open_stamps[0][0], zone)
        if expires_at is None or expires_at > at:
            return
        if terms.is_each:
            found.stamps -= open_stamps.popleft()[1]
        else:
            found.stamps = 0
            open_stamps.clear()


def _consume(open_stamps: deque[list[int]], stamps: int) -> None:
    """Use up the oldest stamps."""
    while stamps:
        used = min(stamps, open_stamps[0][1])
        open_stamps[0][1] -= used
        stamps -= used
        if not open_stamps[0][1]:
            open_stamps.popleft()
