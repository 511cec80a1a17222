"""Newcomers: whether a friend may be brought by an advocate, and is new at all (SEMANTICS F42).

Asked of each candidate that would win, and again before anything is paid. Needs the locks of both.
Refuses to suspect: what two people share is scored afterwards (`suspecting`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from members import members
from members.members import Known
from programs import versions
from referrals import existing, leads, referrals
from referrals.attribution import Candidate
from referrals.existing import Person
from referrals.models import ReferralBlock
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.attribution import evidence
from storefront.referring.attribution.evidence import Occasion

BLOCKS: sa.Table = ReferralBlock.__table__  # type: ignore[assignment]
_PAID = ("paid", "fulfilled")


@dataclass(slots=True)
class Judge:
    """Says of candidates whether the friend may be brought by them."""

    connection: sa.Connection
    plan: Plan
    friend: Known
    body: Mapping[str, Any]
    occasion: Occasion
    known_by: list[leads.Known]
    person: Person | None = None

    def refusal(self, one: Candidate) -> str | None:
        """Why an advocate may not bring the friend; None when they may."""
        if one.advocate_id == self.friend.id:
            return "SELF_REFERRAL"
        back = referrals.of_friend(self.plan, one.advocate_id)
        if back is not None and back.is_bound and back.advocate_id == self.friend.id:
            return "MUTUAL_REFERRAL"
        if self._is_blocked(one.advocate_id):
            return "BLOCKED"
        if self.person is None:
            self.person = existing.find_person(
                self.connection,
                self.plan.program_id,
                self.friend.id,
                self.known_by,
                now=self.plan.now,
            )
        if self._has_bought(one, self.person):
            return "EXISTING_CUSTOMER"
        is_referred = existing.is_referred(self.connection, self.plan.program_id, self.person)
        return "ALREADY_REFERRED" if is_referred else None

    def _is_blocked(self, advocate_id: bytes) -> bool:
        found = self.connection.execute(
            sa.select(BLOCKS.c.member_id)
            .where(
                BLOCKS.c.program_id == self.plan.program_id,
                BLOCKS.c.member_id.in_([self.friend.id, advocate_id]),
            )
            .limit(1)
        )
        return found.first() is not None

    def _has_bought(self, one: Candidate, person: Person) -> bool:
        occasion = self.occasion
        is_after = occasion.order_ref is not None and one.at > occasion.at
        if is_after and self.body.get("status") in _PAID:
            # A click after the order that tells of it: that order was before.
            return True
        offer = evidence.offer_of(self.connection, self.plan, one)
        return existing.has_bought(
            self.connection,
            self.plan.program_id,
            person,
            before=one.at,
            lookback=None if offer is None else offer.lookback,
            without=occasion.order_ref,
        )


def has_bought_before(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    *,
    without: str | None = None,
    also: Sequence[leads.Known] = (),
) -> bool:
    """Whether, by all that is known now, the friend had bought before they were brought: asked
    again before anything is paid, since orders are told late. `without` is an order being told,
    `also` what they are known by besides their own contacts."""
    program = versions.get_compiled(
        connection, plan.program_id, referral.version, referral.switches
    )
    offer = program.offer(referral.offer_key)
    row = members.get_row(connection, plan.program_id, referral.friend_id)
    known_by = [*leads.of_contact(plan.program_id, row), *also]
    person = existing.find_person(
        connection, plan.program_id, referral.friend_id, known_by, now=plan.now
    )
    # Whoever was erased since then was not yet when the friend was brought.
    person = replace(person, is_remembered=False)
    clicked_at = referral.clicked_at
    return existing.has_bought(
        connection,
        plan.program_id,
        person,
        before=referral.bound_at if clicked_at is None else clicked_at,
        lookback=None if offer is None else offer.lookback,
        without=without,
    )
