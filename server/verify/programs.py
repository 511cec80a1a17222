"""What a proof must know of programs: versions by number, and every zone, notice and term of them.

Dates of lots were computed under the version that was live then, so each is tried.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock
from core.errors import Problem
from programs import versions
from programs.compiled import Compiled
from programs.models import ProgramVersion
from programs.terms import Terms


@dataclass(frozen=True, slots=True)
class Calendar:
    """By what any version of a program dated its lots."""

    zones: tuple[ZoneInfo, ...]
    notices: dict[str, frozenset[clock.Duration]]
    #: Terms of points given by hand on the terms of their kind, by kind of points.
    by_hand: dict[str, frozenset[str]]


class Programs:
    """Compiled versions, the live one and calendars, each read once."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._live: dict[bytes, Compiled] = {}
        self._calendars: dict[bytes, Calendar] = {}

    def live(self, program_id: bytes) -> Compiled:
        """The live version."""
        if program_id not in self._live:
            self._live[program_id] = versions.get_live(self.connection, program_id)[0]
        return self._live[program_id]

    def find_live(self, program_id: bytes) -> Compiled | None:
        """The live version, None when there is no such program."""
        try:
            return self.live(program_id)
        except Problem:
            return None

    def version(self, program_id: bytes, number: int, switches: int = 0) -> Compiled | None:
        """A version by number as so many switches left it, None when there is none."""
        try:
            return versions.get_compiled(self.connection, program_id, number, switches)
        except Problem:
            return None

    def default_key(self, program_id: bytes) -> str | None:
        """The default kind of points of the live version."""
        live = self.find_live(program_id)
        return None if live is None else live.points[0].key

    def calendar(self, program_id: bytes) -> Calendar:
        """What dated the lots of a program."""
        if program_id not in self._calendars:
            self._calendars[program_id] = self._read_calendar(program_id)
        return self._calendars[program_id]

    def _read_calendar(self, program_id: bytes) -> Calendar:
        numbers = self.connection.execute(
            sa.select(ProgramVersion.version).where(ProgramVersion.program_id == program_id)
        ).scalars()
        zones: set[ZoneInfo] = set()
        notices: dict[str, set[clock.Duration]] = {}
        by_hand: dict[str, set[str]] = {}
        for number in list(numbers):
            compiled = versions.get_compiled(self.connection, program_id, number)
            zones.add(compiled.zone)
            for kind in compiled.points:
                notices.setdefault(kind.key, set()).update(kind.notices)
                own = Terms("immediate", kind.terms.expiry).text
                by_hand.setdefault(kind.key, set()).add(own)
        return Calendar(
            tuple(zones),
            {key: frozenset(found) for key, found in notices.items()},
            {key: frozenset(found) for key, found in by_hand.items()},
        )
