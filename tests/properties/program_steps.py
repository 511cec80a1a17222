"""What histories are made of: steps drawn from a seed, and orders as the storefront sees them.

A step is a few numbers that mean something whatever came before, so any step may be left out.
"""

import random  # noqa: TID251
from dataclasses import dataclass
from datetime import timedelta

from tests.independent.program_parts import Source

_WEIGHTS = {
    "order": 26,
    "late order": 6,
    "refund": 10,
    "resource": 5,
    "correct": 3,
    "enlarge": 4,
    "cancel": 5,
    "pay": 6,
    "hand over": 3,
    "visit": 6,
    "review": 5,
    "rate": 3,
    "withdraw": 4,
    "do again": 3,
    "by hand": 2,
    "end by hand": 1,
    "adjust": 2,
    "batch": 4,
    "wait": 14,
    "wait for an end": 8,
}
WAITS = (
    timedelta(minutes=20),
    timedelta(hours=9),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=20),
    timedelta(days=45),
    timedelta(days=130),
)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do; each kind reads the three numbers in its own way."""

    name: str
    one: int
    two: int
    three: int


def draw(chance: random.Random, count: int) -> list[Step]:
    """So many steps."""
    names = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    return [Step(name, *(chance.randrange(10**6) for _ in range(3))) for name in names]


@dataclass(slots=True)
class Told:
    """An order or an activity as the storefront sees it."""

    source: Source
    lines: list[int]
    #: Refunded of the first line by snapshots, of the last line by refunds of their own.
    refunded: int = 0
    resources: dict[str, int] | None = None

    @property
    def left(self) -> int:
        """What stands of the lines."""
        return sum(self.lines) - self.refunded - sum((self.resources or {}).values())

    def most(self, line: int) -> int:
        """What is left of a line."""
        left = self.lines[line]
        if line == 0:
            left -= self.refunded
        if line == len(self.lines) - 1:
            left -= sum((self.resources or {}).values())
        return left
