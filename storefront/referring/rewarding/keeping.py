"""What an approved referral keeps: its sides follow what stands of the order it was paid for.

The order is what it is now; only what fell before the referral was paid, and was told since, ends
as if it had been told in time (SEMANTICS F46). Refuses to approve: `deserving` does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from core import clock
from members.members import Known
from orders.figures import OrderFigures
from programs.compiled import Compiled
from programs.referrals import Offer, trigger_of
from referrals import qualification, referrals
from referrals.qualification import Candidate, Span, Verdict
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring import locking
from storefront.referring.review import suspecting
from storefront.referring.rewarding import bought, judged_orders, paying, pinning
from storefront.referring.rewarding.judged_orders import Body, Told
from storefront.referring.rewarding.paying import Deserved, Left

#: Whenever an order was placed.
_EVER = Span(-(2**62))


@dataclass(slots=True)
class Kept:
    """One referral with the offer it is pinned to; what it is brought for, and when that was."""

    connection: sa.Connection
    plan: Plan
    referral: Row
    offer: Offer
    program: Compiled
    cause: str
    at: int
    told: Told | None = None
    #: Whether what was paid stays as it is, whatever became of the order.
    is_final: bool = False
    #: Whether the advocate's side gave its place back.
    has_freed: bool = False
    #: The order that qualifies, once it was looked for.
    found: tuple[Candidate, Body] | None = None
    #: The figures of what was said of an order, once they were asked for.
    figures: tuple[Body, OrderFigures] | None = None

    @property
    def _is_by_order(self) -> bool:
        return self.offer.trigger == "order"

    def _keep(self) -> None:
        """An approved referral: its sides follow what stands of its order."""
        referral = self.referral
        if referral.approved_at is None:
            referral.approved_at = self.plan.now
        referral.due_at = None
        if not self._is_by_order:
            referral.stands = True
            self._bring_sides("whole", None, None)
            return
        order, body = self._paid_order()
        found = Verdict(None, "ORDER_CANCELLED")
        if order is not None:
            found = qualification.judge_one(self.offer, order)
        if order is not None and body is not None and self._fell_in_hold(order, body):
            return
        net = 0 if order is None else order.net_minor
        if order is not None and self._is_kept(net, falls=found.order is None):
            return
        referral.stands = found.order is not None
        if not self.is_final:
            referral.net_minor = net
        left: Left = "whole"
        if found.order is None:
            left = "share" if net else "nothing"
        reason = None if found.order is not None else found.reason or "ORDER_CANCELLED"
        self._bring_sides(left, reason, body)

    def _paid_order(self) -> tuple[Candidate | None, Body | None]:
        """The order that it was paid for, wherever its date was moved since, while it is the
        friend's."""
        if self.found is not None and self.found[0].order_ref == self.referral.order_ref:
            return self.found
        found = judged_orders.candidates(
            self.connection,
            self.plan,
            self.referral.friend_id,
            _EVER,
            has_facts=bool(self.offer.when.facts),
            told=self.told,
            only=self.referral.order_ref,
        )
        order = self._as_judged(found)[0] if found else None
        body = None if order is None else self._body_of(order.order_ref)
        return order, body

    def _as_judged(self, orders: Iterable[Candidate]) -> list[Candidate]:
        """Orders with what is known of the offer's condition: once a friend is erased, what it
        asks may be gone, and the order that they were judged by keeps its verdict."""
        found, referral = list(orders), self.referral
        if not self.offer.when.facts or referral.order_ref is None:
            return found
        known = self._known(referral.friend_id)
        if known is None or not known.is_erased:
            return found
        is_met = referral.reason != "CONDITION_NOT_MET"
        return [
            replace(one, is_met=is_met) if one.order_ref == referral.order_ref else one
            for one in found
        ]

    def _had_bought(self) -> bool:
        """Whether an order that is told, or a merge, shows after the payment that the friend had
        bought before they were brought: then it ends as if that had been known in time."""
        is_shown = bought.is_told(self.offer, self.referral, self.told)
        if not is_shown and self.cause == "merge":
            known = suspecting.read(self.connection, self.plan, self.referral)
            is_shown = bought.before(self.connection, self.plan, self.referral, None, known)
        if not is_shown:
            return False
        if self._is_window_over():
            return False
        self.referral.stands, self.referral.due_at = False, None
        self._move("rejected", "EXISTING_CUSTOMER")
        for side in self._sides():
            self._bring_side(side, "nothing", "EXISTING_CUSTOMER")
        return True

    def take_back(self, names: Iterable[str]) -> None:
        """Take back what a decision let some sides have, as if it had been rejected."""
        self.referral.stands = False
        for side in self._sides():
            if side.side in names:
                self._bring_side(side, "nothing", "MANUAL")

    def _fell_in_hold(self, order: Candidate, body: Body) -> bool:
        """Whether the order fell before the referral was paid, and that was told since: then it
        ends as if it had been told in time."""
        approved_at = self.referral.approved_at
        if approved_at <= (self.referral.qualified_at or approved_at):
            return False
        then = qualification.judge_one(self.offer, body.as_of(approved_at, order))
        if then.reason not in qualification.FELL:
            return False
        now = qualification.judge_one(self.offer, order)
        if now.order is not None:
            return False
        self.referral.stands = False
        self.referral.net_minor = order.net_minor
        self._move("rejected", then.reason)
        # What they claim was claimed as of the qualification.
        self._bring_sides("nothing", then.reason, None)
        self.referral.qualified_at = self.referral.hold_until = None
        return True

    def _is_kept(self, net_minor: int, *, falls: bool) -> bool:
        """Whether all that was paid stays as it is, since the time is over in which refunds take
        something back. Then the order's growth brings nothing more either: `is_final`."""
        if not self._is_window_over():
            return False
        before = self.referral.net_minor or 0
        if not falls and (net_minor == before or not self._has_shares()):
            return False
        self.is_final = True
        told = self.told
        if told is not None and told.order_ref == self.referral.order_ref:
            state, self.referral.updated_at = self.referral.state, self.plan.now
            detail = {"action": "kept_after_window", "net_minor": net_minor}
            referrals.log(
                self.plan, self.referral, state, state, cause=self.cause, at=self.at, detail=detail
            )
        return falls or net_minor < before

    def _is_window_over(self) -> bool:
        """Whether something was paid too long ago to be taken back; what is paid at the binding
        does not count, unless nothing else was."""
        window = self.offer.clawback_window
        paid = [one for one in self._sides() if one.state == "rewarded"]
        if window is None or not paid:
            return False
        counting = [one for one in paid if not self._is_of_binding(one)] or paid
        paid_at = min(one.first_rewarded_at for one in counting)
        return bool(self.at >= clock.after(paid_at, window, self.program.zone))

    def _has_shares(self) -> bool:
        """Whether a side that was paid got a share of the order."""
        return any(
            paying.is_share(rule)
            for side in self._sides()
            if side.state == "rewarded"
            for rule in self.program.rules_of(trigger_of(side.side, self.referral.offer_key))
        )

    # Sides.

    def _sides(self) -> list[Row]:
        """The sides that there are: who is paid first where money is short comes first."""
        found = {one.side: one for one in self.plan.referrals.sides_of(self.referral.id)}
        return [found[name] for name in ("advocate", "friend", "second") if name in found]

    def _stands_paid(self) -> bool:
        return any(
            one.state in ("rewarded", "capped") and not self._is_of_binding(one)
            for one in self._sides()
        )

    def _is_of_binding(self, side: Row) -> bool:
        return side.side == "friend" and self.offer.friend_at == "signup"

    def _bring_sides(self, left: Left, reason: str | None, body: Body | None) -> None:
        """Every side that hangs on the qualification; the friend's too that was paid at binding,
        which stands."""
        if left == "whole":
            self._read_ahead()
        for side in self._sides():
            if self._is_of_binding(side):
                self._bring_side(side, "whole", None)
            else:
                self._bring_side(side, left, reason, body)

    def _read_ahead(self) -> None:
        """Read at once what several sides will be paid by for the first time."""
        at = self.plan.now if self.referral.approved_at is None else self.referral.approved_at
        moments = []
        for side in self._sides():
            if side.state == "waiting" and side.decision_id is None:
                known = None if self._is_of_binding(side) else self._known(side.member_id)
                if known is not None and not known.is_erased:
                    moments.append((known, min(at, self.plan.now)))
        if len(moments) > 1:
            pinning.read_ahead(self.connection, self.plan, moments)

    def _bring_side(
        self, side: Row, left: Left, reason: str | None, body: Body | None = None
    ) -> None:
        referral = self.referral
        is_own = side.member_id in (referral.friend_id, referral.advocate_id)
        if side.side == "second" and is_own and left != "nothing":
            # They were merged since: nobody has two sides of one referral.
            left, reason, body = "nothing", "SELF_REFERRAL", None
        if self._is_of_binding(side):
            given_at = qualified_at = min(referral.bound_at, self.plan.now)
        else:
            given_at = self.plan.now if referral.approved_at is None else referral.approved_at
            qualified_at = given_at if referral.qualified_at is None else referral.qualified_at
        before = side.state
        deserved = Deserved(
            left=left,
            reason=reason,
            figures=None if body is None or left == "nothing" else self._figures(body),
            given_at=given_at,
            qualified_at=qualified_at,
            cause=self.cause,
            changed_at=self.at,
            is_final=self.is_final,
        )
        paying.bring(self.connection, self.plan, referral, side, deserved)
        if side.side == "advocate" and before == "rewarded" and side.state == "clawed_back":
            self.has_freed = True

    def bring_capped(self, side: Row) -> None:
        """Judge a capped side again, since a place was freed."""
        order, body = self._paid_order() if self._is_by_order else (None, None)
        if self._is_by_order and (order is None or body is None):
            return
        referral = self.referral
        paying.bring(
            self.connection,
            self.plan,
            referral,
            side,
            Deserved(
                left="whole",
                reason=None,
                figures=None if body is None else self._figures(body),
                given_at=referral.approved_at,
                qualified_at=referral.qualified_at,
                cause=self.cause,
                changed_at=self.at,
            ),
            is_freed=True,
        )

    # What it needs.

    def _body_of(self, order_ref: str) -> Body | None:
        return judged_orders.body_of(self.connection, self.plan, order_ref, self.told)

    def _figures(self, body: Body) -> OrderFigures:
        """Figures of an order by the pinned program: the sides are reckoned by the same ones."""
        if self.figures is None or self.figures[0] is not body:
            self.figures = body, body.figures(self.program)
        return self.figures[1]

    def _known(self, member_id: bytes) -> Known | None:
        return locking.person(self.connection, self.plan, member_id)

    def _move(self, state: str, reason: str | None = None, at: int | None = None) -> None:
        referrals.move(
            self.plan,
            self.referral,
            state,
            cause=self.cause,
            reason=reason,
            at=self.at if at is None else at,
        )
