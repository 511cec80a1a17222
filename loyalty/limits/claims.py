"""Claims of one unit of work: as they are stored, and as the unit leaves them.

What a source takes is seen by the sources that the same unit decides after it. Refuses to touch
the database: `storing` reads what is asked here and writes what has changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.limits import Use


class CounterKey(NamedTuple):
    """A counter of the program: of a rule, in the period that starts then, of times or points."""

    rule: str
    period: str
    starts_at: int
    unit: str


#: A member's claims of a rule within a time: member, rule, first instant, first one after it.
Window = tuple[bytes, str, int, int]
NONE_USED = Use()


class ClaimKey(NamedTuple):
    """Where a claim is stored."""

    member_id: bytes
    rule: str
    at: int
    source_id: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What a source takes of a rule's limits, and the counters it is counted in."""

    key: ClaimKey
    times: int
    points: int
    wanted: int
    counters: tuple[CounterKey, ...]

    def in_unit(self, unit: str) -> int:
        """How much of a counter of this unit it takes."""
        return self.times if unit == "times" else self.points

    def is_in(self, window: Window) -> bool:
        """Whether it belongs to a window of its member and rule."""
        return self.key.member_id == window[0] and window[2] <= self.key.at < window[3]


_Own = Mapping[str, Claim]
_NONE: _Own = {}


@dataclass(slots=True)
class Claims:
    """What was read, and what the unit changes."""

    sums: dict[Window, Use] = field(default_factory=dict)
    used: dict[CounterKey, int] = field(default_factory=dict)
    most: dict[CounterKey, int] = field(default_factory=dict)
    stored: dict[bytes, dict[str, Claim]] = field(default_factory=dict)
    taken: dict[bytes, dict[str, Claim]] = field(default_factory=dict)
    #: By member and rule: the sources whose claims the unit decided.
    _decided: dict[tuple[bytes, str], set[bytes]] = field(default_factory=dict)
    #: What the unit adds to counters, or takes away: kept up with every claim taken.
    _moved: dict[CounterKey, int] = field(default_factory=dict)

    def of(self, source_id: bytes | None) -> _Own:
        """What a source claims, by rule, as the unit leaves it so far."""
        if source_id is None:
            return _NONE
        found = self.taken.get(source_id)
        return self.stored.get(source_id, _NONE) if found is None else found

    def take(self, source_id: bytes, claims: dict[str, Claim]) -> None:
        """Let a source claim these from now on, and nothing else."""
        for one, sign in ((self.of(source_id), -1), (claims, 1)):
            for claim in one.values():
                for key in claim.counters:
                    self._moved[key] = self._moved.get(key, 0) + sign * claim.in_unit(key.unit)
        for claim in (*self.stored.get(source_id, _NONE).values(), *claims.values()):
            of_rule = self._decided.setdefault((claim.key.member_id, claim.key.rule), set())
            of_rule.add(source_id)
        self.taken[source_id] = claims

    def use(self, window: Window, *, but: bytes | None) -> Use:
        """What others than a source claim within a window."""
        found = self.sums[window]
        if but is None and not self._decided:
            return found
        times, points = found.times, found.points
        own = self.stored.get(but, _NONE) if but is not None else _NONE
        for source_id in self._decided.get(window[:2], ()):
            if source_id != but:
                for kept, sign in ((self.stored, -1), (self.taken, 1)):
                    claim = kept.get(source_id, _NONE).get(window[1])
                    if claim is not None and claim.is_in(window):
                        times, points = times + sign * claim.times, points + sign * claim.points
        claim = own.get(window[1])
        if claim is not None and claim.is_in(window):
            times, points = times - claim.times, points - claim.points
        return Use(times, points)

    def counted(self, key: CounterKey, *, but: bytes | None) -> int:
        """What others than a source take of a counter."""
        found = self.used.get(key, 0) + self._moved.get(key, 0)
        claim = self.of(but).get(key.rule)
        return found - (claim.in_unit(key.unit) if claim and key in claim.counters else 0)

    def changes(self) -> dict[CounterKey, int]:
        """What the unit adds to counters, or takes away."""
        return self._moved

    def rows(self) -> tuple[list[ClaimKey], list[Claim]]:
        """The claims that are given back, and those that are new or other than stored."""
        gone: list[ClaimKey] = []
        changed: list[Claim] = []
        for source_id, claims in self.taken.items():
            before = self.stored.get(source_id, _NONE)
            known = {claim.key: claim for claim in before.values()}
            kept = {claim.key for claim in claims.values()}
            gone += [key for key in known if key not in kept]
            changed += [one for one in claims.values() if known.get(one.key) != one]
        return gone, changed

    def settled(self) -> None:
        """Take what was decided for stored, once it is written."""
        for key, points in self._moved.items():
            self.used[key] = self.used.get(key, 0) + points
        self._moved.clear()
        self.sums.clear()
        self.stored |= self.taken
        self.taken.clear()
        self._decided.clear()

    def missing(self, windows: Iterable[Window]) -> list[Window]:
        """Windows that were not read yet."""
        return [window for window in dict.fromkeys(windows) if window not in self.sums]
