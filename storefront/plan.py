"""The plan of one unit of work: what was decided for which orders, before anything is written.

Orders of one unit that concern the same member build on each other here, in memory: sums over
orders, the first-purchase claim, the level and the accounts are carried from one to the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock
from core.writing import Writes
from loyalty.cards.held import HeldCard
from loyalty.ledger import due
from loyalty.ledger.book import Book
from loyalty.limits import storing
from loyalty.limits.claims import Claims
from loyalty.reading import Stored
from loyalty.tiers.claims import Claim
from loyalty.tiers.contributions import Contribution
from loyalty.tiers.standing import LevelMove, Place
from programs.compiled import Compiled
from referrals.carried import Carried as CarriedReferrals
from rewards import stock
from rewards.carried import Carried
from rewards.surprises import silences
from rewards.surprises import storing as receipts
from rewards.surprises.carried import Carried as CarriedSurprises
from storefront.budgets import alerting
from storefront.standing import Item, Sums
from storefront.tiers import contributing


@dataclass(slots=True)
class Plan:
    """Everything one unit will write, and what later orders of the unit must know of it."""

    live: Compiled
    now: clock.Instant
    actor: str | None
    book: Book
    #: A plan that is thrown away takes no lock.
    is_quote: bool = False
    #: Nobody waits for an answer, and nobody is told of anything.
    is_mute: bool = False
    writes: Writes = field(default_factory=Writes)
    #: What sources take of limits.
    claims: Claims = field(default_factory=Claims)
    #: By member and order: what the order added as stored, and what it adds now.
    changes: dict[bytes, dict[str, tuple[Contribution | None, Contribution | None]]] = field(
        default_factory=dict
    )
    first_refs: dict[bytes, str | None] = field(default_factory=dict)
    #: Where members stand as this unit leaves them, and every change of it, in order.
    levels: dict[bytes, Place] = field(default_factory=dict)
    level_moves: list[LevelMove] = field(default_factory=list)
    #: Claims of entry effects by member, as this unit leaves them.
    tier_claims: dict[bytes, list[Claim]] = field(default_factory=dict)
    #: Stamp cards by member and key, once they were needed.
    cards: dict[bytes, dict[str, HeldCard]] = field(default_factory=dict)
    #: By member: what the completions of cards brought, by card and number, until it is answered.
    completed: dict[bytes, dict[tuple[str, int], list[dict[str, Any]]]] = field(
        default_factory=dict
    )
    #: Redemptions, vouchers, grants and stock.
    rewards: Carried = field(default_factory=Carried)
    #: Referrals, their sides and logs, milestones.
    referrals: CarriedReferrals = field(default_factory=CarriedReferrals)
    #: Chances of surprises, and their receipts.
    surprises: CarriedSurprises = field(default_factory=CarriedSurprises)
    #: Activities by id, as this unit leaves their rows.
    activities: dict[bytes, Mapping[str, Any]] = field(default_factory=dict)
    #: Contributions as stored, read once a member: the unit writes nothing before its end.
    _stored: dict[bytes, list[tuple[str, Contribution]]] = field(default_factory=dict)
    #: What it was begun on: readers ask there for what only some answers take.
    connection: sa.Connection | None = None

    @property
    def program_id(self) -> bytes:
        """Whose plan it is."""
        return self.live.program_id

    def settle(self, member_id: bytes) -> None:
        """Let what fell due of a member's accounts happen, at its own instants."""
        due.settle(self.book, member_id, self.now)

    def write(self, connection: sa.Connection) -> None:
        """Write everything that was planned."""
        assert not self.level_moves, "levels have moved, and tier_entries.follow was not called"
        assert not self.surprises.chances, "chances are left: finishing.write takes them up"
        self.book.write(self.writes, now=self.now)
        self.rewards.write(self.writes)
        self.referrals.write(self.writes)
        self.surprises.write(self.writes)
        self.writes.run(connection)
        receipts.insert(connection, self.surprises.take_new())
        if self.surprises.silent:
            silences.touch(connection, self.program_id, self.surprises.silent)
        # Last of all: what everybody shares is locked no longer than the commit takes. Counters go
        # first, since a unit that lost one locks it early the next time.
        counted = storing.write(connection, self.program_id, self.claims)
        if counted:
            alerting.follow(connection, self.live, counted, now=self.now)
        stock.write(connection, self.program_id, self.rewards)

    def record(
        self,
        member_id: bytes,
        order_ref: str,
        old: Contribution | None,
        new: Contribution | None,
    ) -> None:
        """Note how an order's contribution changed."""
        of_member = self.changes.setdefault(member_id, {})
        known = of_member.get(order_ref)
        of_member[order_ref] = (known[0] if known else old, new)

    def adjust(self, sums: Sums, item: Item) -> None:
        """Bring sums read from the database up to what this unit has decided since."""
        if item.member_id is None:
            return
        for order_ref, (old, new) in self.changes.get(item.member_id, {}).items():
            if order_ref == item.order_ref:
                continue
            for one, sign in ((old, -1), (new, 1)):
                if one is not None:
                    sums.add(one, sign, item)

    def first_ref(self, member_id: bytes, read: str | None) -> str | None:
        """Which order of the member holds the first-purchase claim."""
        return self.first_refs.get(member_id, read)

    def contributions(
        self, connection: sa.Connection, member_id: bytes, *, without: str | None = None
    ) -> list[Contribution]:
        """Every standing order of the member as this unit leaves it, in order of time."""
        changed = self.changes.get(member_id, {})
        stored = self._stored.get(member_id)
        if stored is None:
            stored = self._stored[member_id] = contributing.read(
                connection,
                self.program_id,
                member_id,
                counts_referrals=self.live.ladder.counts_referrals,
            )
        found = [one for ref, one in stored if ref not in changed and ref != without]
        found += _new(changed.items(), without)
        return sorted(found, key=lambda one: one.at)

    def load_contributions(self, connection: sa.Connection, member_ids: Sequence[bytes]) -> None:
        """Read what many members' orders contribute at once, for `contributions`."""
        unread = [one for one in member_ids if one not in self._stored]
        self._stored |= contributing.read_many(
            connection,
            self.program_id,
            unread,
            counts_referrals=self.live.ladder.counts_referrals,
        )


def _new(
    changed: Iterable[tuple[str, tuple[Contribution | None, Contribution | None]]],
    without: str | None,
) -> list[Contribution]:
    return [new for ref, (_, new) in changed if new is not None and ref != without]


def begin(
    connection: sa.Connection,
    live: Compiled,
    *,
    now: clock.Instant,
    actor: str | None = None,
    is_quote: bool = False,
) -> Plan:
    """An empty plan, whose book reads what it needs on this connection."""
    book = Book(live, Stored(connection, live.program_id))
    return Plan(live, now, actor, book, connection=connection, is_quote=is_quote)
