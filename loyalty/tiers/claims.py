"""Claims of entry effects: who entered which level, for which term, and whether it still stands.

A claim is held from entering a level until the term that began then is over (without terms for
ever), and is carried on by renewals. Owns the rows and what covers what; refuses to know what a
claim pays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core.writing import Writes
from loyalty.tiers.models import ENTRIES
from programs.compiled import Compiled


@dataclass(frozen=True, slots=True)
class Pinned:
    """By what an entering was decided first, and is decided ever after."""

    program: Compiled
    member_facts: Mapping[str, Any]
    own_facts: Mapping[str, Any]


@dataclass(slots=True)
class Claim:
    """One entering of a level; `decision_id` is of what it pays, if it ever paid."""

    id: bytes
    member_id: bytes
    level_key: str
    since: int
    until: int | None
    stands: bool = True
    decision_id: bytes | None = None
    #: What the decision pinned, as far as this unit knows it.
    pinned: Pinned | None = field(default=None, compare=False, repr=False)

    def covers(self, at: int) -> bool:
        """Whether entering the level again at an instant is still this entering."""
        return self.until is None or at < self.until

    def is_of_stay(self, since: int, until: int | None) -> bool:
        """Whether a stay on the level, from one instant until another, is still this entering:
        one that was over before is a stay of its own."""
        return self.covers(since) and (until is None or self.since < until)

    def extend(self, until: int | None) -> bool:
        """Hold it until a later end; whether that changed it."""
        if self.until is None or (until is not None and until <= self.until):
            return False
        self.until = until
        return True


def read(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> dict[bytes, list[Claim]]:
    """The claims of members, oldest first; an empty list for those without."""
    found: dict[bytes, list[Claim]] = {member_id: [] for member_id in member_ids}
    if not found:
        return found
    columns = ENTRIES.c
    rows = connection.execute(
        sa.select(
            columns.id,
            columns.member_id,
            columns.level_key,
            columns.since,
            columns.until,
            columns.stands,
            columns.decision_id,
        )
        .where(columns.program_id == program_id, columns.member_id.in_(list(found)))
        .order_by(columns.since, columns.id)
    )
    for claim_id, member_id, level_key, since, until, stands, decision_id in rows:
        found[bytes(member_id)].append(
            Claim(
                bytes(claim_id),
                bytes(member_id),
                level_key,
                since,
                until,
                bool(stands),
                None if decision_id is None else bytes(decision_id),
            )
        )
    return found


def keep(writes: Writes, program_id: bytes, claim: Claim) -> None:
    """Write a claim as it is now; the last time it is told within a unit wins."""
    writes.replace(
        ENTRIES,
        {
            "program_id": program_id,
            "id": claim.id,
            "member_id": claim.member_id,
            "level_key": claim.level_key,
            "since": claim.since,
            "until": claim.until,
            "stands": claim.stands,
            "decision_id": claim.decision_id,
        },
    )
