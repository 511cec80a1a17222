"""What the verbs of rewards need of the unit of work they are called in."""

from typing import Any, Protocol

import sqlalchemy as sa

from core.writing import Writes
from loyalty.ledger.book import Book
from loyalty.limits.claims import Claims
from programs.compiled import Compiled
from rewards.carried import Carried


class Desk(Protocol):
    """A unit of work: the plan of the storefront is one."""

    live: Compiled
    book: Book
    writes: Writes
    rewards: Carried
    claims: Claims
    connection: sa.Connection | None

    @property
    def now(self) -> Any:
        """The program's clock."""

    @property
    def actor(self) -> str | None:
        """Who in the organisation acts."""

    @property
    def program_id(self) -> bytes:
        """Whose unit it is."""


def connection_of(desk: Desk) -> sa.Connection:
    """The connection of a unit that reads what it needs."""
    assert desk.connection is not None
    return desk.connection
