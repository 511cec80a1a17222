"""Where a member stands: the level with its term, what is assured, what was given by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from programs.ladder import Ladder, Level

Cause = Literal["order", "refund", "time", "manual", "ladder", "opening", "merge"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The level a member stands on, and since when.

    `until` is the end of its term (or of what is assured or given by hand), `grace_until` the end
    of the grace that follows a term not renewed. `is_at_risk` says that the window holds less
    than the level takes to be kept. `lost_key` is of a level that the ladder has lost since it was
    entered: until that is noticed, whoever stood on it stands on none.
    """

    level: Level | None
    since: int
    until: int | None = None
    grace_until: int | None = None
    is_at_risk: bool = False
    is_assured: bool = False
    is_manual: bool = False
    lost_key: str | None = None

    @property
    def key(self) -> str | None:
        """The level's key."""
        return None if self.level is None else self.level.key

    @property
    def rank(self) -> int:
        """The level's rank, 0 for members of none."""
        return 0 if self.level is None else self.level.rank

    @property
    def ends_at(self) -> int | None:
        """When the promise of the level is over; None without one."""
        return self.until if self.grace_until is None else self.grace_until


NOWHERE = Standing(None, 0)


@dataclass(frozen=True, slots=True)
class Assured:
    """At least this level, from one instant until another (None: for good)."""

    level: Level
    since: int
    until: int | None

    def holds(self, at: int) -> bool:
        """Whether it is assured at an instant."""
        return self.since <= at and (self.until is None or at < self.until)


#: From when until when a level, or one above it, was held.
Stay = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Past:
    """When the orders that stood led to a level, and when those do that stand now; what goes on
    ends at `end`."""

    before: Sequence[Stay]
    after: Sequence[Stay]
    end: int

    def is_lost(self, since: int, until: int | None) -> bool:
        """Whether what was entered and held so is deserved no longer, and is over."""
        return self._led(self.before, since, until) and not self._holds(self.after, since, until)

    def is_back(self, since: int, until: int | None) -> bool:
        """Whether it is deserved again, and is over."""
        return self._led(self.after, since, until) and not self._holds(self.before, since, until)

    def _led(self, stays: Sequence[Stay], since: int, until: int | None) -> bool:
        goes_on = until is None or until >= self.end
        return any(a <= since < b and not (goes_on and b == self.end) for a, b in stays)

    @staticmethod
    def _holds(stays: Sequence[Stay], since: int, until: int | None) -> bool:
        return any(b > since and (until is None or a < until) for a, b in stays)


@dataclass(frozen=True, slots=True)
class LevelMove:
    """A change of where a member stands as they see it, by one unit of work; or, where `hidden_by`
    names the level that they see all along, a change beneath what is assured or given by hand."""

    member_id: bytes
    before: Standing
    after: Standing
    at: int
    cause: Cause
    source_type: str | None = None
    source_ref: str | None = None
    #: Nobody is told of what is moved in, and nothing is paid for it.
    is_history: bool = False
    hidden_by: str | None = None
    #: The level is kept to the end of its term: only what the orders that stand deserve has
    #: changed, from `before` to `after`.
    is_kept: bool = False
    #: Nobody moves by it: the past of a level has changed.
    past: Past | None = None
    #: Brought along by another member who had it: it was entered then.
    is_brought: bool = False
    #: The rank of what stands in the place of the level before, where the ladder has lost it.
    lost_rank: int = 0

    @property
    def rank_before(self) -> int:
        """The rank of the level before, lost or not."""
        return self.before.rank if self.before.lost_key is None else self.lost_rank

    @property
    def rise(self) -> int:
        """By how many levels it leads up; below zero when it leads down."""
        return self.after.rank - self.rank_before


@dataclass(frozen=True, slots=True)
class Place:
    """A member's row of tiers: the standing that follows from what they did, the floor that they
    are assured, the level given by hand; and when time may change any of it."""

    derived: Standing = NOWHERE
    assured: Assured | None = None
    manual: Assured | None = None
    due_at: int | None = None

    def shown(self, at: int) -> Standing:
        """Where the member stands as of an instant, all things taken together."""
        if self.manual is not None and self.manual.holds(at):
            given = self.manual
            return Standing(given.level, given.since, given.until, is_manual=True)
        return at_least(self.derived, self.assured, at=at)

    def with_derived(self, derived: Standing) -> "Place":
        """The same with another standing beneath."""
        return replace(self, derived=derived)

    @property
    def ends(self) -> list[int]:
        """When what is assured or given by hand is over."""
        promised = (self.assured, self.manual)
        return [one.until for one in promised if one is not None and one.until is not None]


def place_of(ladder: Ladder, row: Any) -> Place:
    """The place from the columns of a row (None: there is none). A level that the ladder has lost
    is none."""
    if row is None:
        return Place()
    level = ladder.find(row.level_key)
    derived = Standing(None, row.since if row.level_key is None else 0, lost_key=row.level_key)
    if level is not None:
        derived = Standing(level, row.since, row.until, row.grace_until, bool(row.is_at_risk))
    return Place(
        derived,
        _promise(ladder, row.assured_key, row.assured_since, row.assured_until),
        _promise(ladder, row.manual_key, row.manual_since, row.manual_until),
        row.due_at,
    )


def _promise(
    ladder: Ladder, key: str | None, since: int | None, until: int | None
) -> Assured | None:
    level = None if key is None else ladder.find(key)
    return None if level is None else Assured(level, since or 0, until)


def at_least(standing: Standing, floor: Assured | None, *, at: int) -> Standing:
    """Where a member stands who reached `standing` and is assured `floor`."""
    if floor is None or not floor.holds(at) or standing.rank > floor.level.rank:
        return standing
    ends_at = standing.ends_at
    if standing.rank == floor.level.rank and ends_at is not None and ends_at > _lasts(floor.until):
        return standing
    return Standing(floor.level, floor.since, floor.until, is_assured=True)


def better(one: Assured | None, other: Assured | None, *, at: int) -> Assured | None:
    """Of what is assured twice: the higher level, of equal ones the one that lasts longer."""
    found = [each for each in (one, other) if each is not None and each.holds(at)]
    if not found:
        return one or other
    return max(found, key=lambda each: (each.level.rank, _lasts(each.until)))


def higher(one: Standing, other: Standing) -> Standing:
    """Of two standings: the higher level, of equal ones the one that lasts longer, of these the
    one that is not in grace; the first of two alike."""
    keys = [(each.rank, _lasts(each.ends_at), each.grace_until is None) for each in (one, other)]
    return other if keys[1] > keys[0] else one


def _lasts(until: int | None) -> int:
    return 2**62 if until is None else until
