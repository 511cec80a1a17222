"""Levels that the live ladder has lost: what stands in their place.

A level deleted, or given another key, leaves members and claims of its entry effects behind. They
are judged by the last version that had it. Refuses to guess which level an unknown key meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from programs import versions
from programs.compiled import Compiled
from programs.ladder import Ladder, Level
from programs.models import ProgramVersion


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a level is on the live ladder: its rank there, or of a lost one that of the highest
    level that takes no more. `key` is the level's own, or of a lost one that of the level which
    came in its place, if one did."""

    rank: int
    key: str | None


@dataclass(slots=True)
class Slots:
    """The places of levels on a program's live ladder, by key, as far as they were asked for."""

    connection: sa.Connection
    live: Compiled
    known: dict[str, Slot] = field(default_factory=dict)
    _earlier: Sequence[int] | None = None

    def of(self, key: str) -> Slot:
        """The place of a level that the ladder has, or had."""
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._find(key)
        return found

    def _find(self, key: str) -> Slot:
        level = self.live.ladder.find(key)
        if level is not None:
            return Slot(level.rank, key)
        if self._earlier is None:
            self._earlier = _earlier(self.connection, self.live)
        for number in self._earlier:
            before = versions.get_compiled(self.connection, self.live.program_id, number).ladder
            lost = before.find(key)
            if lost is not None:
                return place(lost, before, self.live.ladder)
        return Slot(0, None)


def _earlier(connection: sa.Connection, live: Compiled) -> list[int]:
    statement = (
        sa.select(ProgramVersion.version)
        .where(ProgramVersion.program_id == live.program_id, ProgramVersion.version < live.version)
        .order_by(ProgramVersion.version.desc())
    )
    return list(connection.execute(statement).scalars())


def place(lost: Level, before: Ladder, ladder: Ladder) -> Slot:
    """What stands on a ladder in the place of a level that the one before it had."""
    if lost.enter_at is None or before.metrics != ladder.metrics:
        # No threshold says it: it was beneath what it stood beneath, and nothing came in its place.
        above = {level.key for level in before.levels[lost.rank :]}
        ranks = [level.rank for level in ladder.levels if level.key in above]
        return Slot(min(ranks, default=len(ladder.levels) + 1) - 1, None)
    lower = [one for one in ladder.levels if one.enter_at and one.enter_at <= lost.enter_at]
    if not lower:
        return Slot(0, None)
    is_new = before.find(lower[-1].key) is None
    return Slot(lower[-1].rank, lower[-1].key if is_new else None)
