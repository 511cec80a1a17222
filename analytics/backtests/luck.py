"""Luck in a scratch program: the real seeds of each day, or others.

With its own seeds the program draws as it drew, day by day, wherever a surprise is as it was; days
on which nothing was drawn, and further lives, draw by a chain that the back-test's id leads to.
Refuses to tell any seed: all that leaves the scratch is sums.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock
from rewards.luck import epochs, keeping
from rewards.luck.keeping import Chain, SeedLostError
from rewards.luck.models import CHAINS, EPOCHS

#: The number of the chain that is the back-test's own: no program has so many.
_OWN = 1_000_000
_DAY = 86_400 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the program drew with: its chains, and the first epoch of each day by its chain and
    place."""

    chains: tuple[Chain, ...] = ()
    days: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    #: Days on which it drew with seeds that no key opens any more.
    lost: int = 0


def read(connection: sa.Connection, program_id: bytes) -> Drawn:
    """What a program has drawn with so far."""
    statement = (
        sa.select(EPOCHS.c.day, EPOCHS.c.chain, EPOCHS.c.place)
        .where(EPOCHS.c.program_id == program_id)
        .order_by(EPOCHS.c.number.desc())
    )
    days = {day: (chain, place) for day, chain, place in connection.execute(statement)}
    chains = {chain.number: chain for chain in keeping.list_all(connection, program_id)}
    known = {number: chain for number, chain in chains.items() if _is_known(chain)}
    kept = {day: at for day, at in days.items() if at[0] in known}
    return Drawn(tuple(known.values()), kept, len(days) - len(kept))


def _is_known(chain: Chain) -> bool:
    try:
        chain.seed_at(chain.length)
    except SeedLostError:
        return False
    return True


@dataclass(slots=True)
class Luck:
    """The seeds of one life; epochs are numbered by their day."""

    drawn: Drawn
    #: What the chain of its own is derived from, and which life it is: the first is the real one.
    secret: bytes
    number: int = 0
    opened: int = 0

    def begin(self, connection: sa.Connection, program_id: bytes) -> None:
        """Keep the chains in the scratch."""
        for chain in self.drawn.chains:
            row = keeping.row_for(chain, program_id)
            connection.execute(sa.insert(CHAINS).values(row))
        self.begin_own(connection, program_id)

    def begin_own(self, connection: sa.Connection, program_id: bytes) -> None:
        """Keep the chain of this life."""
        last = hashlib.sha256(b"back-test" + self.secret + self.number.to_bytes(4, "big")).digest()
        row = keeping.row_of(last, program_id, _OWN + self.number, now=0)
        connection.execute(sa.insert(CHAINS).values(row))

    def open_day(self, connection: sa.Connection, program_id: bytes, at: int) -> None:
        """Open the epoch of the day on which an instant falls."""
        day = epochs.day_of(at)
        found = self.drawn.days.get(day) if self.number == 0 else None
        if found is None:
            self.opened += 1
            found = _OWN + self.number, self.opened
        row: dict[str, Any] = {
            "program_id": program_id,
            "number": day,
            "chain": found[0],
            "place": found[1],
            "day": day,
            "opened_at": at,
            # Nobody is shown a root: none of these is ever closed.
            "ends_at": 2**62,
        }
        keeping.insert_missing(connection, EPOCHS, row)

    def another(self, number: int) -> "Luck":
        """That of a further life, from the same day on."""
        return Luck(self.drawn, self.secret, number)


def end_of_day(at: int) -> int:
    """The instant at which the epoch's day is over."""
    return (epochs.day_of(at) + 1) * _DAY
