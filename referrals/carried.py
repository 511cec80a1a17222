"""What a unit of work carries of referrals from one step to the next, and writes at its end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core.writing import Writes
from referrals.models import (
    Referral,
    ReferralMilestone,
    ReferralSide,
    ReferralTransition,
)
from rewards.carried import Row

REFERRALS: sa.Table = Referral.__table__  # type: ignore[assignment]
SIDES: sa.Table = ReferralSide.__table__  # type: ignore[assignment]
TRANSITIONS: sa.Table = ReferralTransition.__table__  # type: ignore[assignment]
MILESTONES: sa.Table = ReferralMilestone.__table__  # type: ignore[assignment]


@dataclass(slots=True)
class Carried:
    """Rows as this unit leaves them; whatever is here was read under the locks of its members."""

    #: Members whose locks the unit holds for the sake of referrals.
    locked: set[bytes] = field(default_factory=set)
    referrals: dict[bytes, Row] = field(default_factory=dict)
    #: By friend: which referral is theirs, None where it was looked for and there is none.
    of_friend: dict[bytes, bytes | None] = field(default_factory=dict)
    #: By referral and side.
    sides: dict[tuple[bytes, str], Row] = field(default_factory=dict)
    #: By advocate, offer, count and number.
    milestones: dict[tuple[bytes, str, int, int], Row] = field(default_factory=dict)
    #: Lines of the logs written in this unit, and the number of the last one of each referral.
    transitions: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)
    #: Entries that were made for advocates and friends by this unit, by side's id or milestone's.
    made: dict[bytes, list[dict[str, Any]]] = field(default_factory=dict)
    #: What was pinned by first payments of this unit, by side's id or milestone's: the decision
    #: itself is written at the end.
    pinned: dict[bytes, Any] = field(default_factory=dict)
    #: Who was locked for the sake of referrals, as read behind the lock.
    people: dict[bytes, Any] = field(default_factory=dict)
    #: Whose accounts are loaded, also those who have none.
    loaded: set[bytes] = field(default_factory=set)
    #: Members who are known not to be blocked.
    unblocked: set[bytes] = field(default_factory=set)
    #: Advocates who never reached a milestone.
    without_milestones: set[bytes] = field(default_factory=set)
    #: Facts of members as of an instant that several sides of a referral were read with at once.
    facts: dict[tuple[bytes, int], Any] = field(default_factory=dict)
    #: What this unit's last payment of a side came to, by the side's id.
    fired: dict[bytes, Any] = field(default_factory=dict)

    def sides_of(self, referral_id: bytes) -> Iterator[Row]:
        """The sides of a referral that are known to the unit."""
        return (row for (of, _), row in self.sides.items() if of == referral_id)

    def write(self, writes: Writes) -> None:
        """Plan the rows that changed."""
        for table, rows in (
            (REFERRALS, self.referrals.values()),
            (SIDES, self.sides.values()),
            (MILESTONES, self.milestones.values()),
        ):
            for row in rows:
                if row.is_changed:
                    writes.replace(table, row.values)
                    row.written()
        for line in self.transitions:
            writes.insert(TRANSITIONS, line)
        self.transitions.clear()
