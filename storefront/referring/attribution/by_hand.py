"""By hand: staff says who brought a friend, which is the strongest evidence there is.

It takes the place of whatever the friend is bound by, as long as nothing was paid for that. Whether
the advocate may bring the friend is judged as for any evidence, but refused at once, with nothing
changed. Staff may confirm that a friend who bought before, or whom something speaks against, is
meant all the same: the log says so. Nobody confirms that somebody brings themselves, that two
bring each other, or a member who is blocked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext
from core.errors import Problem, invalid_at, not_found
from loyalty import reading
from members import members
from members.members import Known
from programs import versions
from referrals import attribution, existing, links, referrals, rings, scoring
from referrals.attribution import Candidate, Choice
from referrals.carried import REFERRALS
from rewards.carried import Row
from storefront import finishing
from storefront.plan import Plan, begin
from storefront.referring import locking
from storefront.referring.attribution import attributing, evidence, newcomers
from storefront.referring.attribution.evidence import Occasion
from storefront.referring.review import four_eyes, reviewing, showing, suspecting
from storefront.referring.rewarding import following
from storefront.tiers import tier_entries

METHOD = "manual"
ACTION = "bring"
#: What staff may know better about.
_CONFIRMABLE = ("EXISTING_CUSTOMER", scoring.REFUSED)
#: What nothing is known of any more, once another advocate is named.
_UNJUDGED = ("order_ref", "net_minor", "qualified_at", "hold_until", "approved_at", "due_at")


def bring(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Bring a friend to an advocate; the referral as it is then, and 201. 404 for unknown members
    and codes, 409 where they may not be brought, or somebody was paid for another advocate."""
    case = _take_up(connection, program_id, body, actor=actor)
    referral = case.bring()
    following.follow(connection, case.plan, referral, cause=reviewing.CAUSE)
    tier_entries.follow(connection, case.plan)
    finishing.write(connection, case.plan)
    return {"referral": showing.show(connection, program_id, referral.id)}, 201


def subjects(program_id: bytes, body: Mapping[str, Any]) -> Callable[[sa.Connection], list[bytes]]:
    """Whom the answer is about: for what is kept and must go when they are erased."""

    def find(connection: sa.Connection) -> list[bytes]:
        friend = members.get(connection, program_id, body["friend"])
        referral_id = connection.execute(
            sa.select(REFERRALS.c.id).where(
                REFERRALS.c.program_id == program_id, REFERRALS.c.friend_id == friend.id
            )
        ).scalar_one()
        shown = ids.show_id(referrals.PREFIX, bytes(referral_id))
        return reviewing.subjects(program_id, shown)(connection)

    return find


def _take_up(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> "_Case":
    """What staff says, with everybody locked whom it concerns."""
    live, now = versions.get_live(connection, program_id)
    looking = begin(connection, live, now=now, is_quote=True)
    friend_id = _living(connection, program_id, body["friend"])
    advocate_id, link = _advocate(connection, program_id, body)
    wanted = _touched(connection, looking, friend_id, advocate_id)
    locked = members.lock_ids(connection, program_id, sorted(wanted))
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    locking.note(plan, wanted)
    is_same = all(locked.get(one) is not None and locked[one].id == one for one in wanted)
    if not is_same or _touched(connection, plan, friend_id, advocate_id) - wanted:
        # Merged, or brought by somebody, since we looked.
        raise db.Restart
    for member_id in sorted(wanted):
        plan.book.load(reading.read_holdings(connection, program_id, member_id))
        plan.settle(member_id)
    return _Case(
        connection, plan, body, locked[friend_id], _candidate(plan, body, advocate_id, link)
    )


def _living(connection: sa.Connection, program_id: bytes, member_ref: str) -> bytes:
    known = members.get(connection, program_id, member_ref)
    if known.is_erased:
        raise not_found("member")
    return known.id


def _advocate(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]
) -> tuple[bytes, links.Found | None]:
    """The advocate who is named, or whose code is."""
    if ("advocate" in body) is ("code" in body):
        raise invalid_at("/advocate", "name the advocate, or give their code: one of both")
    if "advocate" in body:
        return _living(connection, program_id, body["advocate"]), None
    link = links.find(connection, program_id, body["code"])
    if link is None or link.is_closed:
        raise not_found("code")
    return link.member_id, link


def _touched(
    connection: sa.Connection, plan: Plan, friend_id: bytes, advocate_id: bytes
) -> set[bytes]:
    """Whom it concerns: both, whoever brought the advocate, and whom the friend is bound to."""
    found = {friend_id, advocate_id}
    second = rings.brought_by(plan, advocate_id)
    before = referrals.of_friend(plan, friend_id)
    if before is not None:
        found |= locking.parties(connection, plan, before)
    return found if second is None else found | {second}


def _candidate(
    plan: Plan, body: Mapping[str, Any], advocate_id: bytes, link: links.Found | None
) -> Candidate:
    """What staff says as evidence. The offer is the one that is named, that of the code, or the
    only one there is."""
    at = body.get("at", plan.now)
    if at > plan.now:
        raise invalid_at("/at", "has not come yet: say since when the friend is the advocate's")
    keys = [offer.key for offer in plan.live.offers]
    if link is not None and body.get("offer", link.offer_key) != link.offer_key:
        raise invalid_at("/offer", f"the code is of the offer {link.offer_key}")
    key = body.get("offer") if link is None else link.offer_key
    if key is None and len(keys) > 1:
        raise invalid_at("/offer", f"there are several offers, name one: {', '.join(keys)}")
    if key is None and keys:
        [key] = keys
    if key is None or plan.live.offer(key) is None:
        raise invalid_at("/offer", "there is no such offer in this program")
    return Candidate(
        METHOD,
        advocate_id,
        key,
        *plan.live.edition,
        at=at,
        link_id=None if link is None else link.link_id,
    )


@dataclass(slots=True)
class _Case:
    """A friend on the way to the advocate whom staff names."""

    connection: sa.Connection
    plan: Plan
    body: Mapping[str, Any]
    friend: Known
    named: Candidate
    #: How the friend's referral is before.
    state: str = "none"
    #: Reasons against it that staff has overridden.
    overridden: list[str] = field(default_factory=list)

    @property
    def _occasion(self) -> Occasion:
        return Occasion(self.named.at, reviewing.CAUSE)

    @property
    def _is_confirmed(self) -> bool:
        return bool(self.body["is_confirmed"])

    def bring(self) -> Row:
        """The friend's referral, bound to the advocate."""
        plan, before = self.plan, referrals.of_friend(self.plan, self.friend.id)
        if before is not None:
            self.state = before.state
            self._check_unpaid(before)
        self._check_may()
        values = attributing.values_of(plan, Choice(self.named, ()), self._occasion)
        values["evidence"] = self._evidence(before)
        was = None if before is None else bytes(before.advocate_id)
        if before is None:
            referral = referrals.add(plan, attributing.new_row(plan, self.friend) | values)
        else:
            referral = before
            self._start_anew(referral)
            for name, value in values.items():
                setattr(referral, name, value)
        referral.is_bound = True
        state = self._look_into(referral)
        self._log(referral, state, was=was)
        return referral

    def _check_unpaid(self, before: Row) -> None:
        sides = list(self.plan.referrals.sides_of(before.id))
        is_paid = any(one.number or one.state in ("rewarded", "capped") for one in sides)
        if is_paid or before.stands or before.approved_at is not None:
            raise Problem(
                409,
                "state_conflict",
                "Somebody was paid for this friend already: they stay with whom they are bound to.",
                state=before.state,
                reason="ALREADY_REFERRED",
            )

    def _check_may(self) -> None:
        """Whether the advocate may bring the friend, as evidence would be judged."""
        plan, connection = self.plan, self.connection
        named = evidence.judged(connection, plan, self.named, self._occasion)
        row = members.get_row(connection, plan.program_id, self.friend.id)
        known_by = attributing.all_contacts(plan, row, {})
        judge = newcomers.Judge(connection, plan, self.friend, {}, self._occasion, known_by)
        reason = named.refusal or judge.refusal(named)
        if reason == "EXISTING_CUSTOMER" and self._is_confirmed:
            assert judge.person is not None
            self.overridden.append(reason)
            is_referred = existing.is_referred(connection, plan.program_id, judge.person)
            reason = "ALREADY_REFERRED" if is_referred else None
        if reason is not None:
            raise self._refuse(reason)

    def _refuse(self, reason: str, **more: Any) -> Problem:
        detail = f"Not brought: {attributing.REFUSED[reason]}."
        if reason in _CONFIRMABLE and self.friend.id != self.named.advocate_id:
            detail += " Send is_confirmed: true if they are meant all the same."
        return Problem(409, "state_conflict", detail, state=self.state, reason=reason, **more)

    def _start_anew(self, referral: Row) -> None:
        """Forget what was judged of the referral: it is another advocate's, or of another time."""
        if referral.advocate_id != self.named.advocate_id:
            attributing.pass_on(self.plan, referral, self.named)
        for name in _UNJUDGED:
            setattr(referral, name, None)
        referral.cleared_bp, referral.approvals = 0, "[]"

    def _look_into(self, referral: Row) -> str:
        """The state that the referral starts from, by what speaks against it: staff may clear it
        of that, as a reviewer would; where two people must, it waits for the second one."""
        found = suspecting.assess(self.connection, self.plan, referral, at=self.named.at)
        if found.reason is None and not found.needs_review:
            return "identified"
        if not self._is_confirmed:
            if found.reason is not None:
                raise self._refuse(found.reason, score_bp=found.score_bp)
            return "identified"
        self.overridden.append("score")
        if not four_eyes.sign(self.connection, self.plan, referral):
            return "in_review"
        review = suspecting.review_of(self.connection, self.plan, referral)
        referral.cleared_bp = scoring.clearance(found.signals, review)
        return "identified"

    def _evidence(self, before: Row | None) -> str:
        """What the referral keeps: what staff says, and all that was known until now."""
        values = attributing.values_of(self.plan, Choice(self.named, ()), self._occasion)
        kept = jsontext.parse(values["evidence"])
        if before is not None:
            known = jsontext.parse(before.evidence)["candidates"]
            outranked = f"outranked by {METHOD}"
            kept["candidates"] += [one | {"why_not": one["why_not"] or outranked} for one in known]
        return jsontext.text(kept | {attribution.CONFIRMED: self._is_confirmed})

    def _log(self, referral: Row, state: str, *, was: bytes | None) -> None:
        plan, cause = self.plan, reviewing.CAUSE
        detail = {
            "action": ACTION,
            "note": self.body["reason"],
            "method": METHOD,
            "advocate_id": ids.show_id(members.PREFIX, referral.advocate_id),
            "was": None if was is None else ids.show_id(members.PREFIX, was),
            "overridden": self.overridden,
        }
        if was is None or (referral.state, referral.reason) != (state, None):
            referrals.move(plan, referral, state, cause=cause, detail=detail)
            return
        # The same state, of another advocate.
        referral.updated_at = plan.now
        referrals.log(plan, referral, state, state, cause=cause, detail=detail)
        referrals.tell(plan, referral, state, at=None)
