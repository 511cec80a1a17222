"""Paying: one side of a referral is brought to what it deserves, given or taken back.

What a side brings is decided by the pinned offer, by its member's facts as of the first payment
and by the friend's order as it stands; given again, it is the same lots and vouchers with the same
dates. A side that was capped waits for a place of its own (`following` looks for the oldest).
Refuses to judge orders, and to know why a referral stands or does not: `following` says it.
"""

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from core import ids
from loyalty import reading
from loyalty.earning import Earning
from members.members import Known
from orders.figures import OrderFigures
from programs.compiled import Compiled
from programs.referrals import Offer, Side, trigger_of
from programs.rules import Rule
from referrals import referrals
from rewards.carried import Row
from rules.effects import MultiplyPoints, Payable, PointsPerAmount, PointsPerUnit
from storefront import answers, costing, firing, limiting
from storefront.activities import inactivity
from storefront.firing import Fired, Ordered, Source
from storefront.plan import Plan
from storefront.referring import locking
from storefront.referring.rewarding import blocking, capping, milestones, pinning, second_level
from storefront.referring.rewarding.pinning import Pinned

#: What is left of a referral: all of it, the shares of what is left of its order, or nothing.
Left = Literal["whole", "share", "nothing"]


@dataclass(frozen=True, slots=True)
class Deserved:
    """What a referral deserves now: why if not all of it, the order it is reckoned by, since when
    it is given (and the qualification counts), and since when what is taken back is gone."""

    left: Left
    reason: str | None
    figures: OrderFigures | None
    given_at: int
    qualified_at: int
    cause: str
    changed_at: int
    #: What a side has it keeps as it is, neither more nor less.
    is_final: bool = False


def bring(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    side: Row,
    deserved: Deserved,
    *,
    is_freed: bool = False,
) -> None:
    """Bring a side to what it deserves. One that is capped is judged again only when a place was
    freed (`is_freed`). Needs its member's lock."""
    if side.state == "lost":
        return
    payment = _Payment(connection, plan, referral, side, deserved)
    if not payment.has_rest():
        payment.take_back()
        return
    if side.state == "capped" and not is_freed:
        return
    known = payment.known
    if known is None or known.is_erased:
        if side.decision_id is None:
            payment.move("lost", "ERASED")
        return
    payment.give(known)


@dataclass(slots=True)
class _Payment:
    """One side on its way to what it deserves."""

    connection: sa.Connection
    plan: Plan
    referral: Row
    side: Row
    deserved: Deserved

    @property
    def program(self) -> Compiled:
        """The program that the offer is pinned of."""
        return pinning.program_of(self.connection, self.plan, self.referral)

    @property
    def offer(self) -> Offer:
        """The offer."""
        found = self.program.offer(self.referral.offer_key)
        assert found is not None
        return found

    @property
    def trigger(self) -> str:
        """What the side's rules listen to."""
        name: Side = self.side.side
        return trigger_of(name, self.referral.offer_key)

    @property
    def known(self) -> Known | None:
        """Who the side is for; their lock is held."""
        return locking.person(self.connection, self.plan, self.side.member_id)

    def has_rest(self) -> bool:
        """Whether anything is deserved; a share of a fallen order only where one was given."""
        if self.deserved.left != "share":
            return self.deserved.left == "whole"
        was_given = self.side.decision_id is not None and self.side.state != "capped"
        return was_given and any(is_share(rule) for rule in self.program.rules_of(self.trigger))

    def move(self, state: str, reason: str | None = None, at: int | None = None) -> None:
        """Log what became of the side."""
        referrals.move_side(
            self.plan,
            self.referral,
            self.side,
            state,
            cause=self.deserved.cause,
            reason=reason,
            at=self.deserved.changed_at if at is None else at,
        )

    def take_back(self) -> None:
        """Take everything back that stands; a side that was capped may have a place again, should
        the referral stand again."""
        side, reason = self.side, self.deserved.reason
        if side.state == "capped":
            self.move("waiting", reason)
        if side.state != "rewarded":
            return
        pinned = self._pinned()
        self._load(pinned.at)
        fired = self._fire(pinned)
        capping.give_back(self.plan, side)
        side.decision_id, side.cost_minor = fired.decision_id, 0
        side.number += 1
        self._remember(pinned, fired)
        self.move("clawed_back", reason)

    def give(self, known: Known) -> None:
        """Give what is deserved, as far as there is a place and money for it."""
        side = self.side
        is_new = side.decision_id is None
        refusal = self._refusal()
        if refusal is not None and side.state != "rewarded":
            if side.state != "capped":
                self.move(side.state, refusal)
            return
        load_member(self.connection, self.plan, known.id)
        pinned = self._pinned(known if is_new else None)
        self._load(pinned.at)
        if side.side == "advocate" and side.state != "rewarded" and not self._has_place():
            self._cap("CAP")
            return
        earning = self._weigh(pinned, known)
        if side.state == "rewarded":
            if self.deserved.is_final or pinning.is_same(earning, pinned.outcomes):
                return
            held = costing.cost_held(pinned.program, pinned.outcomes)
            is_more = costing.cost_of(pinned.program, earning).exceeds(held)
            # Less is always possible: for more there must be money, and nobody against it.
            if is_more and (refusal is not None or not self._has_budget(earning)):
                return
        elif not self._has_budget(earning):
            self._cap("BUDGET")
            return
        fired = self._fire(pinned, earning)
        capping.take(
            self.plan,
            pinned.program,
            self.offer,
            side=side,
            trigger=self.trigger,
            earning=fired.earning,
            given_at=pinned.at,
            qualified_at=self.deserved.qualified_at,
        )
        side.decision_id = fired.decision_id
        side.number += 1
        side.cost_minor = costing.cost_of(pinned.program, fired.earning).minor
        if side.first_rewarded_at is None:
            side.first_rewarded_at = pinned.at
        self._remember(pinned, fired)
        if self.deserved.left == "share" and not _brings(fired.earning):
            capping.give_back(self.plan, side)
            self.move("clawed_back", self.deserved.reason)
        else:
            given_at = pinned.at if is_new else self.deserved.changed_at
            self.move("rewarded", at=given_at)

    def _refusal(self) -> str | None:
        """Why the side gets nothing new: its member is blocked, or brought nobody any more who
        brought the friend."""
        if blocking.is_blocked(self.connection, self.plan, self.side.member_id):
            return "BLOCKED"
        if self.side.side == second_level.SIDE:
            return second_level.refusal(self.connection, self.plan, self.referral, self.side)
        return None

    def _cap(self, reason: str) -> None:
        capping.give_back(self.plan, self.side)
        self.move("capped", reason, at=self.deserved.given_at)

    def _has_place(self) -> bool:
        return capping.has_place(
            self.connection,
            self.plan,
            self.program,
            self.offer,
            side=self.side,
            at=self.deserved.qualified_at,
        )

    def _has_budget(self, earning: Earning) -> bool:
        return capping.has_budget(
            self.connection,
            self.plan,
            self.program,
            self.offer,
            side=self.side,
            at=self.deserved.qualified_at,
            cost=costing.cost_of(self.program, earning),
        )

    def _load(self, given_at: int) -> None:
        """Read what the side claims of limits as it is stored."""
        load_member(self.connection, self.plan, self.side.member_id)
        rules = self.program.rules_of(self.trigger)
        keys = {rule.key: given_at for rule in rules if limiting.counted(rule)}
        at = self.deserved.qualified_at
        keys |= capping.claim_keys(self.offer, side=self.side.side, at=at)
        if keys and self.side.decision_id is not None:
            capping.load(self.connection, self.plan, self.side, keys=keys)

    def _pinned(self, known: Known | None = None) -> Pinned:
        """What the side was paid by first; what it is now, where the member is given."""
        if known is None:
            return pinning.read(self.connection, self.plan, self.side)
        at = self.deserved.given_at
        if self.side.state == "capped":
            # The place is free since now.
            at = max(at, self.deserved.changed_at)
        return pinning.first(
            self.connection, self.plan, self.referral, self.side, known=known, at=at
        )

    def _remember(self, pinned: Pinned, fired: Fired) -> None:
        """Keep what later steps of this unit cannot read, and what the answer shows."""
        carried = self.plan.referrals
        outcomes = answers.decision_outcomes(fired.earning)
        carried.pinned[self.side.id] = Pinned(
            pinned.program, pinned.facts, pinned.own, pinned.at, outcomes
        )
        carried.made.setdefault(self.side.id, []).extend(fired.made)
        carried.fired[self.side.id] = fired

    def _own(self, pinned: Pinned) -> dict[str, Any]:
        own = dict(pinned.own)
        if self.deserved.figures is not None:
            own["referral.net_minor"] = self.deserved.figures.net_minor
        return own

    def _source(self, pinned: Pinned) -> Source:
        ref = ids.show_id(referrals.PREFIX, self.referral.id)
        return Source(referrals.SOURCE_TYPE, ref, self.side.id, pinned.at)

    def _ordered(self) -> Ordered | None:
        figures = self.deserved.figures
        return None if figures is None else Ordered(figures)

    def _withheld(self, known: Known) -> frozenset[str]:
        """The rules that bring nothing: fixed ones where only shares are left, points and stamps
        for whoever does not take part."""
        rules = self.program.rules_of(self.trigger)
        found: set[str] = set()
        if self.deserved.left == "share":
            found |= {rule.key for rule in rules if not is_share(rule)}
        if not known.is_enrolled:
            found |= set(milestones.enrolled_only(rules))
        return frozenset(found)

    def _why(self, known: Known) -> Literal["no_member", "not_paid"]:
        return "not_paid" if known.is_enrolled else "no_member"

    def _weigh(self, pinned: Pinned, known: Known) -> Earning:
        """What a payment would come to."""
        source, before = self._source(pinned), None
        if self.side.decision_id is not None:
            before = limiting.before_fired(
                self.connection,
                self.plan,
                self.side.member_id,
                source,
                decision_id=self.side.decision_id,
            )
        return firing.weigh(
            self.connection,
            self.plan,
            self.side.member_id,
            source,
            program=pinned.program,
            rules=pinned.program.rules_of(self.trigger),
            facts={**pinned.facts, **self._own(pinned)},
            before=before,
            order=self._ordered(),
            withheld=self._withheld(known),
            why_withheld=self._why(known),
        )

    def _fire(self, pinned: Pinned, weighed: Earning | None = None) -> Fired:
        """Give what was weighed, or take everything back."""
        fired = firing.fire(
            self.connection,
            self.plan,
            self.side.member_id,
            self._source(pinned),
            trigger=self.trigger,
            program=pinned.program,
            member_facts=pinned.facts,
            own_facts=self._own(pinned),
            reason="not_paid" if weighed is None else None,
            is_new=self.side.decision_id is None,
            decided_id=self.side.decision_id,
            reversal_at=self.deserved.changed_at,
            order=self._ordered(),
            weighed=weighed,
        )
        if fired.made:
            inactivity.follow(self.connection, self.plan, self.side.member_id)
        return fired


def load_member(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Take up the accounts of a member, settled."""
    if member_id not in plan.referrals.loaded and not plan.book.holdings(member_id):
        plan.referrals.loaded.add(member_id)
        plan.book.load(reading.read_holdings(connection, plan.program_id, member_id))
        plan.settle(member_id)


def is_share(rule: Rule) -> bool:
    """Whether what a rule brings is a share of the order."""
    effect = rule.effect
    if isinstance(effect, Payable):
        return effect.percent_bp is not None
    return isinstance(effect, PointsPerAmount | PointsPerUnit | MultiplyPoints)


def _brings(earning: Earning) -> bool:
    return bool(
        any(one.points for one in earning.earned)
        or earning.stamps
        or earning.grants
        or any(earning.payables.values())
    )
