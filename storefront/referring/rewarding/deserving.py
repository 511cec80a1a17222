"""What one referral deserves, and bringing it there: open, held, reviewed, paid, refused.

Judged by the friend's orders as they are stored and as this unit leaves them, and by the instants
of what happened, not of when it was told (SEMANTICS B13, F45, F46): brought again nothing happens.
Refuses to look beyond the one referral: `following` does.
"""

from dataclasses import dataclass

from core import clock, db
from members.facts import member_facts
from referrals import qualification, referrals
from referrals.qualification import Candidate, Span, Verdict
from storefront.referring import locking
from storefront.referring.review import four_eyes, suspecting
from storefront.referring.rewarding import bought, judged_orders, second_level
from storefront.referring.rewarding.judged_orders import Body
from storefront.referring.rewarding.keeping import Kept

#: Why a referral brings nobody anything, whatever orders say: what was paid goes back too.
REFUSED = referrals.FINAL | {"ALREADY_REFERRED", "ERASED"}


@dataclass(slots=True)
class Case(Kept):
    """One referral on its way to what it deserves."""

    def bring(self) -> None:
        """The whole of it."""
        referral = self.referral
        if referral.state == "rejected" and (referral.reason in REFUSED or not referral.is_bound):
            self._refuse()
        elif referral.state == "approved" and referral.order_ref is None and self._is_by_order:
            # Cleared before any order qualified: it waits for one again.
            self._move("identified")
            self._look()
        elif referral.state == "approved":
            if self._had_bought():
                return
            self._keep()
            if referral.state != "approved":
                # Another order may qualify at once.
                self._look()
        else:
            self._look()

    # What was refused.

    def _refuse(self) -> None:
        """Take back whatever was paid, at whichever time."""
        self.referral.due_at, self.referral.stands = None, False
        for side in self._sides():
            self._bring_side(side, "nothing", self.referral.reason)

    # What is open.

    @property
    def _span(self) -> Span:
        return qualification.span_of(
            self.offer,
            self.program,
            clicked_at=self.referral.clicked_at,
            bound_at=self.referral.bound_at,
        )

    def _look(self) -> None:
        """A referral that is not paid yet: whether it qualifies, and what follows of that."""
        self._open_sides()
        self.referral.stands = False
        if self._stands_paid():
            # A reviewer took the approval back.
            self._bring_sides("nothing", self.referral.reason, None)
        if self.referral.state == "in_review" and self.referral.qualified_at is None:
            if not self._is_through_review():
                return
            self._move("identified")
        if not self._pay_at_binding():
            return
        verdict, body = self._judge()
        if verdict.order is None and (self._is_by_order or verdict.reason is not None):
            self._not_qualified(verdict)
        else:
            self._qualified(verdict.order, body)

    def _judge(self) -> tuple[Verdict, Body | None]:
        """The order that qualifies, with what was said of it."""
        if not self._is_by_order:
            return self._judge_signup(), None
        told = self.told
        if told is not None and told.is_alone and told.member_id == self.referral.friend_id:
            # Only what stands qualifies: if this one does, there is no other to look for.
            verdict = qualification.judge(self.offer, self._as_judged([told.candidate]), self._span)
            if verdict.order is not None:
                self.found = verdict.order, Body(told.snapshot, told.refunds)
                return verdict, self.found[1]
        found = judged_orders.candidates(
            self.connection,
            self.plan,
            self.referral.friend_id,
            self._span,
            has_facts=bool(self.offer.when.facts),
            told=self.told,
        )
        found = [one for one in found if not self._was_over(one)]
        verdict = qualification.judge(self.offer, self._as_judged(found), self._span)
        if verdict.order is None:
            return verdict, None
        body = self._body_of(verdict.order.order_ref)
        self.found = None if body is None else (verdict.order, body)
        return verdict, body

    def _was_over(self, order: Candidate) -> bool:
        """Whether an order was placed in the very instant of the referral, and fell in it before it
        was anything to go by."""
        referral = self.referral
        if order.stands or order.order_ref == referral.order_ref:
            return False
        if order.placed_at != bought.since(referral):
            return False
        body = self._body_of(order.order_ref)
        return body is not None and not body.as_of(order.placed_at + 1, order).stands

    def _judge_signup(self) -> Verdict:
        """Whether the friend's signup qualifies: it came of the invitation, and meets the
        condition. Once it did it is not asked again."""
        if self.referral.qualified_at is not None:
            return Verdict(None)
        known = self._known(self.referral.friend_id)
        if known is None or known.joined_at < self._span.since:
            return Verdict(None, "CONDITION_NOT_MET")
        facts = member_facts(
            joined_at=known.joined_at,
            is_enrolled=known.is_enrolled,
            locale=known.locale,
            attributes=known.attributes,
            at=known.joined_at,
            zone=self.program.zone,
        )
        if not self.offer.when.matches(facts):
            return Verdict(None, "CONDITION_NOT_MET")
        return Verdict(None)

    def _not_qualified(self, verdict: Verdict) -> None:
        """No order qualifies: it fell, falls short, or did not come in time."""
        referral, until = self.referral, self._span.until
        referral.qualified_at = referral.hold_until = referral.due_at = None
        self._note_order(verdict.about)
        if verdict.reason in qualification.FELL:
            self._move("rejected", verdict.reason)
        elif until is not None and until <= self.plan.now:
            self._move("expired", "CREDIT_WINDOW", at=until)
        else:
            referral.due_at = until
            self._move("identified", verdict.reason)

    def _note_order(self, order: Candidate | None) -> None:
        """Keep which order the referral was judged by, and what stands of it."""
        self.referral.order_ref = None if order is None else order.order_ref
        self.referral.net_minor = None if order is None else order.net_minor

    def _qualified(self, order: Candidate | None, body: Body | None) -> None:
        """It qualifies: it is held, or released, or still looked into."""
        referral, now = self.referral, self.plan.now
        known = self._known(referral.friend_id) if order is None else None
        if body is not None:
            qualified_at = min(body.paid_at, now)
        else:
            qualified_at = referral.qualified_at or (now if known is None else known.joined_at)
        was_waiting = referral.state in ("on_hold", "in_review")
        hold_until = self._hold_until(qualified_at, order, body)
        self._note_order(order)
        referral.qualified_at, referral.hold_until = qualified_at, hold_until
        if not was_waiting:
            self._move("qualified", at=qualified_at)
        if hold_until is None or hold_until > now:
            referral.due_at = hold_until
            if referral.state != "on_hold":
                self._move("on_hold", at=qualified_at)
            return
        if referral.state == "in_review":
            if self._is_through_review():
                self._approve(self.at)
            return
        self._release(hold_until)

    def _hold_until(
        self, qualified_at: int, order: Candidate | None, body: Body | None
    ) -> int | None:
        """Until when it is held; None while the order that it waits for is not fulfilled."""
        since = qualified_at
        if self.offer.hold_from == "fulfilled" and order is not None and body is not None:
            if order.status != "fulfilled":
                return None
            told_at = body.snapshot.get("fulfilled_at")
            is_known = self.referral.order_ref == order.order_ref and self.referral.hold_until
            if told_at is None and is_known:
                # Nobody said when: since it was told so.
                known: int = self.referral.hold_until
                return known
            # Nothing is fulfilled before it is placed.
            told_at = None if told_at is None else max(told_at, body.snapshot["placed_at"])
            since = min(told_at or self.plan.now, self.plan.now)
        if self.offer.hold is None:
            return since
        return clock.after(since, self.offer.hold, self.program.zone)

    # Review and release.

    def _release(self, at: int) -> None:
        """The hold is over: looked into once more, then paid, refused or reviewed."""
        told, known = self.told, self._read_suspicions()
        if bought.is_told(self.offer, self.referral, told) or bought.before(
            self.connection, self.plan, self.referral, told, known
        ):
            self._move("rejected", "EXISTING_CUSTOMER", at=at)
            self._refuse()
            return
        found = suspecting.assess(self.connection, self.plan, self.referral, at=at, known=known)
        if found.reason is not None:
            self._move("rejected", found.reason, at=at)
            self._refuse()
        elif found.needs_review or four_eyes.is_missing(
            self.connection, self.plan, self.referral, found, told
        ):
            self._review(at)
        else:
            self._approve(at)

    def _is_signed(self) -> bool:
        """Whether enough people have approved what it costs now."""
        return four_eyes.is_signed(self.connection, self.plan, self.referral, self.told)

    def _read_suspicions(self) -> suspecting.Known:
        """What is known of both, with the order that this unit tells."""
        told = self.told
        return suspecting.read(
            self.connection,
            self.plan,
            self.referral,
            told=None if told is None else told.order_ref,
            is_own=told is not None and told.member_id == self.referral.friend_id,
        )

    def _review(self, at: int) -> None:
        review = suspecting.review_of(self.connection, self.plan, self.referral)
        self.referral.due_at = None
        if review.timeout is not None:
            # Since now: whoever looks into it has that long, however late it was told.
            until = clock.after(self.plan.now, review.timeout, self.program.zone)
            self.referral.due_at = int(until)
        self._move("in_review", at=at)

    def _is_through_review(self) -> bool:
        """Whether a review is over: a reviewer cleared it, or its time ran out; then it says so of
        the referral, or refuses it. Time alone approves nothing that one person may not."""
        referral = self.referral
        review = suspecting.review_of(self.connection, self.plan, referral)
        if self.cause == "review" and referral.cleared_bp >= suspecting.cleared(referral, review):
            if not self._is_signed():
                return False
            referral.due_at = None
            return True
        if referral.due_at is None or referral.due_at > self.plan.now:
            return False
        if review.timeout_action == "approve" and not self._is_signed():
            referral.due_at = None
            return False
        self.cause, self.at, referral.due_at = "time", referral.due_at, None
        if review.timeout_action == "approve":
            cleared_bp = suspecting.cleared(referral, review)
            referral.cleared_bp = max(referral.cleared_bp, cleared_bp)
            return True
        referrals.move(
            self.plan,
            referral,
            "rejected",
            cause=self.cause,
            reason="MANUAL",
            at=self.at,
            detail={"action": "timeout"},
        )
        self._refuse()
        return False

    def _approve(self, at: int) -> None:
        if self.referral.approved_at is None:
            self.referral.approved_at = min(at, self.plan.now)
        self.referral.due_at = None
        self._move("approved", at=at)
        self._keep()

    def _pay_at_binding(self) -> bool:
        """Pay the friend where they are paid at once; False where that is looked into first."""
        side = self.plan.referrals.sides.get((self.referral.id, "friend"))
        if self.offer.friend_at != "signup" or side is None:
            return True
        if side.state == "waiting" and side.number == 0:
            found = suspecting.assess(
                self.connection,
                self.plan,
                self.referral,
                at=self.referral.bound_at,
                known=self._read_suspicions(),
            )
            if found.reason is not None:
                self._move("rejected", found.reason)
                self._refuse()
                return False
            if found.needs_review:
                self._review(self.referral.bound_at)
                return False
        self._bring_side(side, "whole", None)
        return True

    def _open_sides(self) -> None:
        """Let everybody wait whom the offer has something for."""
        referral = self.referral
        referrals.side(self.plan, referral, "advocate", referral.advocate_id)
        if self.offer.friend:
            referrals.side(self.plan, referral, "friend", referral.friend_id)
        second = second_level.member_of(self.connection, self.plan, referral)
        if second is not None:
            if not locking.try_lock(self.connection, self.plan, [second]):
                raise db.Restart
            referrals.side(self.plan, referral, "second", second)
