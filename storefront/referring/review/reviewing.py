"""Reviewing: what staff decides about a referral, and how it is taken back.

Each decision is a line of the referral's log that names who acted, why, and how it was before; the
last one can be undone by that, once. What follows (who is paid, what goes back) is brought about
by `following`. Refuses what the state does not allow: 409 with the state as it is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import sqlalchemy as sa

from core import db, ids, jsontext
from core.errors import Problem, not_found
from loyalty import reading
from members import aliases, members
from programs import versions
from referrals import referrals, scoring
from referrals.carried import REFERRALS, SIDES
from referrals.models import HouseholdTrust, ReferralBlock
from rewards.carried import Row
from storefront import finishing
from storefront.plan import Plan, begin
from storefront.referring import locking
from storefront.referring.review import four_eyes, showing, suspecting
from storefront.referring.rewarding import following
from storefront.tiers import tier_entries

Action = Literal["approve", "reject", "block", "trust", "undo"]
BLOCKS: sa.Table = ReferralBlock.__table__  # type: ignore[assignment]
TRUSTS: sa.Table = HouseholdTrust.__table__  # type: ignore[assignment]
CAUSE = "review"
#: What can be undone: neither that itself, nor who was named the advocate by hand.
_UNDONE = ("approve", "reject", "block", "trust")
#: Why a referral was rejected that may be approved nevertheless: for what spoke against it, for
#: somebody who is blocked no more, or when the time of its review was over.
_SUSPECTED = (scoring.REFUSED, scoring.BLOCKED, "MANUAL")
#: What came after a decision that cannot be undone any more, since people are others by now.
_SINCE = {"merge": "a merge of members", "erasure": "an erasure"}
_WAITING = ("in_review", "on_hold")
_APPROVABLE = (
    "Only a referral that is on_hold and not cleared yet, in_review, or rejected for what speaks "
    f"against it ({', '.join(_SUSPECTED)}) can be approved or trusted."
)
#: What a decision changes, and undoing it restores. When it was first approved stays; whether it
#: stands follows of the rest, with all that hangs on it.
_RESTORED = (
    *("state", "reason", "is_bound", "cleared_bp", "approvals", "due_at", "score_bp", "signals"),
)


def decide(
    connection: sa.Connection,
    program_id: bytes,
    referral_ref: str,
    action: Action,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Do what a reviewer decided; the referral as it is then, and 200."""
    plan, referral = _take_up(connection, program_id, referral_ref, actor=actor)
    _Decision(connection, plan, referral, action, body).make()
    tier_entries.follow(connection, plan)
    finishing.write(connection, plan)
    return {"referral": showing.show(connection, program_id, referral.id)}, 200


def subjects(program_id: bytes, referral_ref: str) -> Callable[[sa.Connection], list[bytes]]:
    """Whom a referral is about: for what is kept and must go when they are erased."""

    def find(connection: sa.Connection) -> list[bytes]:
        referral_id = ids.read_id(referrals.PREFIX, referral_ref)
        row = connection.execute(
            sa.select(REFERRALS.c.advocate_id, REFERRALS.c.friend_id).where(
                REFERRALS.c.program_id == program_id, REFERRALS.c.id == referral_id
            )
        ).first()
        sides = connection.execute(
            sa.select(SIDES.c.member_id).where(
                SIDES.c.program_id == program_id, SIDES.c.referral_id == referral_id
            )
        ).scalars()
        return [bytes(one) for one in (*(row or ()), *sides)]

    return find


def _take_up(
    connection: sa.Connection, program_id: bytes, referral_ref: str, *, actor: str | None
) -> tuple[Plan, Row]:
    """A referral to be changed, with everybody locked whom it concerns; 404 when it is unknown."""
    live, now = versions.get_live(connection, program_id)
    looking = begin(connection, live, now=now, is_quote=True)
    referral_id = ids.read_id(referrals.PREFIX, referral_ref)
    seen = None if referral_id is None else referrals.find(looking, referral_id)
    if seen is None:
        raise not_found("referral")
    wanted = locking.parties(connection, looking, seen)
    locked = members.lock_ids(connection, program_id, sorted(wanted))
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    locking.note(plan, wanted)
    referral = referrals.find(plan, seen.id)
    assert referral is not None
    if not wanted <= locked.keys() or locking.parties(connection, plan, referral) - wanted:
        # Merged, or brought by somebody, since we looked.
        raise db.Restart
    for member_id in sorted(wanted):
        plan.book.load(reading.read_holdings(connection, program_id, member_id))
        plan.settle(member_id)
    return plan, referral


class _Decision:
    """One decision on its way to what it brings about."""

    def __init__(
        self,
        connection: sa.Connection,
        plan: Plan,
        referral: Row,
        action: Action,
        body: Mapping[str, Any],
    ) -> None:
        self.connection, self.plan, self.referral = connection, plan, referral
        self.action, self.body = action, body
        self.before = {name: referral.values[name] for name in _RESTORED}
        self.paid = self._paid()
        #: Whether it is looked into before anything qualified.
        self.is_of_binding = referral.qualified_at is None

    def make(self) -> None:
        """Make the decision, and let follow what follows."""
        if self.body.get("if_state", self.referral.state) != self.referral.state:
            raise self._refuse(f"It is {self.referral.state} by now: look at it again.")
        {
            "approve": self._approve,
            "reject": self._reject,
            "block": self._block,
            "trust": self._trust,
            "undo": self._undo,
        }[self.action]()

    def _refuse(self, detail: str) -> Problem:
        return Problem(409, "state_conflict", detail, state=self.referral.state)

    def _bring(self) -> None:
        following.follow(self.connection, self.plan, self.referral, cause=CAUSE)

    def _log(self, state: str, reason: str | None, **more: Any) -> None:
        """The line of the log that is the decision, with what it takes to undo it."""
        referral = self.referral
        detail = {
            "action": self.action,
            "note": self.body["reason"],
            "before": self.before,
            "paid": self.paid,
            "is_of_binding": self.is_of_binding,
            **more,
        }
        if (referral.state, referral.reason) != (state, reason):
            referrals.move(self.plan, referral, state, cause=CAUSE, reason=reason, detail=detail)
            return
        referral.updated_at = self.plan.now
        referrals.log(self.plan, referral, state, state, cause=CAUSE, reason=reason, detail=detail)

    # Approved.

    def _check_suspected(self) -> None:
        referral = self.referral
        is_refused = referral.state == "rejected" and referral.reason in _SUSPECTED
        self._check_people()
        if referral.state not in _WAITING and not is_refused:
            raise self._refuse(_APPROVABLE)

    def _check_people(self) -> None:
        """409 where nobody can be paid any more, since they are not two people by now, or each of
        the two was brought by the other."""
        referral = self.referral
        if referral.advocate_id == referral.friend_id:
            raise self._refuse("Nobody refers themselves: there is nothing to approve.")
        if aliases.follow(self.connection, self.plan.program_id, referral.friend_id) != (
            referral.friend_id
        ):
            raise self._refuse("The friend was merged into another member since.")
        back = referrals.of_friend(self.plan, referral.advocate_id)
        is_mutual = back is not None and back.is_bound and back.advocate_id == referral.friend_id
        if back is not None and is_mutual and back.reason not in referrals.FINAL:
            raise self._refuse("The advocate was brought by this friend since.")

    def _approve(self) -> None:
        self._check_suspected()
        self._clear()

    def _clear(self, trusted: tuple[bytes, bytes] | None = None) -> None:
        """Clear the referral of what speaks against it, as it is seen now; once enough people say
        so, a household is `trusted`, if it is a new one. What waits for its hold alone is not
        cleared again."""
        referral, found = self.referral, self._assess()
        if found.reason == scoring.BLOCKED:
            raise self._refuse("One of both is blocked: undo that first.")
        clearance = self._clearance(found)
        if referral.state == "on_hold" and clearance <= referral.cleared_bp and trusted is None:
            raise self._refuse(f"It is cleared already and waits for its hold. {_APPROVABLE}")
        if not four_eyes.sign(self.connection, self.plan, referral):
            # So far nobody is trusted: what the first one asked for is not done.
            self._log(referral.state, referral.reason, is_first=True, is_new=False)
            return
        if trusted is not None:
            self._add(TRUSTS, first_id=trusted[0], second_id=trusted[1])
            clearance = self._clearance(self._assess())
        referral.cleared_bp = max(referral.cleared_bp, clearance)
        state, reason = referral.state, referral.reason
        if state == "rejected":
            referral.is_bound = True
            state = "identified" if referral.qualified_at is None else "in_review"
            reason = None
        self._log(state, reason, is_new=trusted is not None)
        self._bring()

    def _assess(self) -> scoring.Assessment:
        return suspecting.assess(self.connection, self.plan, self.referral, at=self.plan.now)

    def _clearance(self, found: scoring.Assessment) -> int:
        """Up to which score whoever sees this clears it."""
        review = suspecting.review_of(self.connection, self.plan, self.referral)
        return scoring.clearance(found.signals, review)

    def _trust(self) -> None:
        self._check_suspected()
        referral = self.referral
        first, second = sorted([referral.advocate_id, referral.friend_id])
        is_old = self._has(TRUSTS, TRUSTS.c.first_id == first, TRUSTS.c.second_id == second)
        self._clear(None if is_old else (first, second))

    # Rejected.

    def _reject(self) -> None:
        referral = self.referral
        if referral.state == "rejected" and referral.reason in referrals.FINAL:
            raise self._refuse(f"It is rejected already: {referral.reason}.")
        self._end("MANUAL")

    def _end(self, reason: str, **more: Any) -> None:
        self.referral.approvals = "[]"
        self._log("rejected", reason, **more)
        self._bring()

    def _block(self) -> None:
        referral, who = self.referral, self.body["who"]
        named = ["advocate", "friend"] if who == "both" else [who]
        blocked = []
        for name in named:
            member_id = referral.values[f"{name}_id"]
            if not self._has(BLOCKS, BLOCKS.c.member_id == member_id):
                self._add(BLOCKS, member_id=member_id)
                self.plan.referrals.unblocked.discard(member_id)
                blocked.append(name)
        if not blocked and referral.reason == scoring.BLOCKED:
            raise self._refuse("They are blocked already.")
        self._end(scoring.BLOCKED, blocked=blocked)

    # Undone.

    def _undo(self) -> None:
        line = self._last_decision()
        detail = jsontext.parse(line["detail"])
        before = detail["before"]
        if before["state"] != "rejected":
            self._check_people()
        self._forget(detail)
        referral = self.referral
        paid_by_it = set(self._paid()) - set(detail["paid"])
        if before["state"] != "approved" and paid_by_it:
            # What was paid before the decision stays.
            following.take_back(self.connection, self.plan, referral, names=paid_by_it, cause=CAUSE)
        if before["state"] == "in_review" and detail.get("is_of_binding"):
            # It was not asked yet whether it qualifies.
            referral.qualified_at = referral.hold_until = None
            referral.order_ref = referral.net_minor = None
        for name, value in before.items():
            if name not in ("state", "reason"):
                setattr(referral, name, value)
        self._log(before["state"], before["reason"], number=line["number"], of=detail["action"])
        self._bring()

    def _last_decision(self) -> Mapping[str, Any]:
        lines = referrals.list_transitions(self.connection, self.plan.program_id, self.referral.id)
        for line in reversed(lines):
            if line["cause"] in _SINCE and line["side"] is None:
                raise self._refuse(f"It was changed by {_SINCE[line['cause']]} since.")
            action = jsontext.parse(line["detail"]).get("action")
            if line["cause"] == CAUSE and action is not None:
                if action not in _UNDONE:
                    break
                return dict(line)
        raise self._refuse("There is no decision of a reviewer that could be undone.")

    def _paid(self) -> list[str]:
        """The sides that were given something, or would be if there were a place for it."""
        sides = self.plan.referrals.sides_of(self.referral.id)
        return sorted(side.side for side in sides if side.state in ("rewarded", "capped"))

    def _forget(self, detail: Mapping[str, Any]) -> None:
        """Take the block or the trust back that came with the decision."""
        referral = self.referral
        if detail["action"] == "block":
            gone = [referral.values[f"{name}_id"] for name in detail["blocked"]]
            self._drop(BLOCKS, BLOCKS.c.member_id.in_(gone))
        if detail["action"] == "trust" and detail["is_new"]:
            first, second = sorted([referral.advocate_id, referral.friend_id])
            self._drop(TRUSTS, TRUSTS.c.first_id == first, TRUSTS.c.second_id == second)

    # Rows that are written at once, since what is judged next asks for them.

    def _has(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> bool:
        found = self.connection.execute(
            sa.select(sa.literal(1)).where(table.c.program_id == self.plan.program_id, *where)
        )
        return found.first() is not None

    def _add(self, table: sa.Table, **values: Any) -> None:
        self.connection.execute(
            sa.insert(table).values(
                program_id=self.plan.program_id,
                referral_id=self.referral.id,
                created_at=self.plan.now,
                **values,
            )
        )

    def _drop(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
        self.connection.execute(
            sa.delete(table).where(table.c.program_id == self.plan.program_id, *where)
        )
