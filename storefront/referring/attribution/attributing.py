"""Attributing: evidence binds a friend to an advocate, once, or is refused and explained.

`prepare` looks without locks and says whom binding would touch; `attribute` looks again under the
locks of all of them, chooses, and writes the referral. Refuses to pay: what a referral deserves
follows afterwards (`storefront.referring.rewarding.following`). A referral never blocks the member
or the order that it came with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from members import members
from members.members import Known
from referrals import attribution, leads, referrals, rings
from referrals.attribution import Candidate, Choice
from referrals.carried import REFERRALS
from referrals.desk import connection_of
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.attribution import answering, evidence
from storefront.referring.attribution.evidence import Gathered, Occasion
from storefront.referring.attribution.newcomers import Judge
from storefront.referring.review import suspecting
from storefront.telling import Telling

#: What a person decided, no evidence changes.
_DECIDED = ("MANUAL", "BLOCKED", "ERASED")
#: What is said of evidence that led to an advocate and was refused.
REFUSED = {
    "CLICK_WINDOW": "the click is too long ago for its offer",
    "OFFER_CLOSED": "the offer was not open, or not for this advocate",
    "EXISTING_CUSTOMER": "only new members are brought, and this one had bought before",
    "ALREADY_REFERRED": "was brought before; the first one stays",
    "SELF_REFERRAL": "nobody brings themselves",
    "MUTUAL_REFERRAL": "the advocate was brought by this very member",
    "BLOCKED": "referrals of one of the two are blocked",
}


@dataclass(frozen=True, slots=True)
class Attributed:
    """What became of evidence: the friend's referral, bound or rejected, if there is one; the
    answer, None where there was no evidence; what could not be done."""

    referral: Row | None = None
    answer: dict[str, Any] | None = None
    problems: list[dict[str, str]] = field(default_factory=list)


def prepare(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling | None,
    *,
    friend_id: bytes | None,
    body: Mapping[str, Any],
    at: int,
) -> set[bytes]:
    """Whom binding the friend by this evidence would touch, read without locks: the advocates of
    candidates, who brought those where an offer has a second level, and whoever the friend's
    referral is of already. Nobody where there is no evidence."""
    if not plan.live.offers or body.get("is_history"):
        return set()
    before = _stored(connection, plan, friend_id)
    is_bound = before is not None and bool(before.is_bound)
    occasion = _occasion(telling, at)
    known_by = leads.of_contact(plan.program_id, _contact(body))
    found = evidence.gather(
        connection,
        plan,
        body,
        occasion,
        telling=telling,
        known_by=known_by,
        is_bound=is_bound,
    )
    touched = found.advocates
    for one in found.candidates:
        offer = evidence.offer_of(connection, plan, one)
        if offer is not None and offer.second:
            further = _stored(connection, plan, one.advocate_id)
            touched |= set() if further is None else {bytes(further.advocate_id)}
    if touched and before is not None:
        touched.add(bytes(before.advocate_id))
    return touched


def _occasion(telling: Telling | None, at: int) -> Occasion:
    order_ref = None if telling is None else telling.order_ref
    return Occasion(at, "signup" if telling is None else "order", order_ref)


def _contact(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The contacts of a body: an order's are told apart, a member's are their own."""
    told: Mapping[str, Any] = body.get("contact") or body
    return {kind: told.get(kind) for kind in leads.CONTACTS}


def _stored(connection: sa.Connection, plan: Plan, friend_id: bytes | None) -> Any:
    if friend_id is None:
        return None
    return connection.execute(
        sa.select(REFERRALS.c.advocate_id, REFERRALS.c.is_bound).where(
            REFERRALS.c.program_id == plan.program_id, REFERRALS.c.friend_id == friend_id
        )
    ).first()


def attribute(
    connection: sa.Connection,
    plan: Plan,
    friend: Known,
    body: Mapping[str, Any],
    *,
    at: int,
    cause: str,
    order_ref: str | None,
    telling: Telling | None = None,
    is_new: bool = False,
) -> Attributed:
    """Bind a friend whose lock is held by the evidence of a body, or say why not. `at` is the
    event's instant; of a signup `is_new` says that the member was not known before. Starts the
    unit again where it would touch a member that is not locked."""
    if friend.is_erased or body.get("is_history"):
        return Attributed()
    if not plan.live.offers:
        return _nowhere(body)
    before = referrals.of_friend(plan, friend.id)
    is_bound = before is not None and (before.is_bound or before.reason in _DECIDED)
    contact = _contact(body)
    known_by = leads.of_contact(plan.program_id, contact)
    joined_at = None if is_new or cause != "signup" else friend.joined_at
    occasion = Occasion(at, cause, order_ref, joined_at)
    found = evidence.gather(
        connection, plan, body, occasion, telling=telling, known_by=known_by, is_bound=is_bound
    )
    if before is not None and is_bound:
        return _stays(plan, before, found)
    if not found.candidates:
        if before is None:
            return Attributed(None, _rejected(found), found.problems)
        return Attributed(before, _rejected(found) or answering.shown(plan, before), found.problems)
    _check_locks(plan, friend, found, before)
    row = members.get_row(connection, plan.program_id, friend.id)
    known_by = all_contacts(plan, row, contact)
    judge = Judge(connection, plan, friend, body, occasion, known_by)
    choice = attribution.choose(found.candidates, judge.refusal)
    referral = _write(connection, plan, friend, before, choice=choice, occasion=occasion)
    problems = [*found.problems, *_refusals(referral, choice)]
    return Attributed(referral, answering.shown(plan, referral), problems)


def _nowhere(body: Mapping[str, Any]) -> Attributed:
    """Evidence told to a program that has no offer: no code can be known."""
    told = body.get("referral") or {}
    if not told:
        return Attributed()
    found = Gathered()
    for name, reason in (("code", "NOT_FOUND"), ("token", "UNKNOWN_TOKEN")):
        if told.get(name) is not None:
            found.lead_nowhere(reason, f"/referral/{name}")
    return Attributed(None, _rejected(found), found.problems)


def _rejected(found: Gathered) -> dict[str, Any] | None:
    if not found.problems:
        return None
    return answering.nobody(found.problems[0]["code"])


def _stays(plan: Plan, referral: Row, found: Gathered) -> Attributed:
    """Bound once: evidence of another advocate changes nothing, that of the same says nothing."""
    problems = list(found.problems)
    if found.candidates:
        winner = attribution.choose(found.candidates).winner
        if winner.refusal is None and winner.advocate_id != referral.advocate_id:
            problems.append(_problem("ALREADY_REFERRED", winner.pointer))
    return Attributed(referral, answering.shown(plan, referral), problems)


def answered(plan: Plan, found: Attributed) -> Attributed:
    """The same, with the referral as what followed has left it."""
    if found.referral is None:
        return found
    return replace(found, answer=answering.shown(plan, found.referral))


def _problem(reason: str, pointer: str | None) -> dict[str, str]:
    detail = REFUSED.get(reason, "was refused")
    return {"code": reason, "pointer": pointer or "/referral", "detail": detail}


def _refusals(referral: Row, choice: Choice) -> list[dict[str, str]]:
    """A problem where what the storefront told now was refused; what a guest left once is not."""
    told = [choice.winner, *(one for one, _ in choice.losing)]
    pointer = next((one.pointer for one in told if one.pointer is not None), None)
    if referral.state != "rejected" or pointer is None:
        return []
    return [_problem(referral.reason, choice.winner.pointer or pointer)]


def _check_locks(plan: Plan, friend: Known, found: Gathered, before: Row | None) -> None:
    needed = set(found.advocates) - {friend.id}
    if before is not None:
        needed.add(before.advocate_id)
    if not needed - {friend.id} <= plan.referrals.locked:
        # Somebody has come between the look without locks and this one.
        raise db.Restart


def all_contacts(plan: Plan, row: Mapping[str, Any], told: Mapping[str, Any]) -> list[leads.Known]:
    """What the friend is known by: their own contacts, and those of the order."""
    found = leads.of_contact(plan.program_id, row)
    return found + [one for one in leads.of_contact(plan.program_id, told) if one not in found]


def _write(
    connection: sa.Connection,
    plan: Plan,
    friend: Known,
    before: Row | None,
    *,
    choice: Choice,
    occasion: Occasion,
) -> Row:
    """The friend's referral as it is by this choice: new, or the rejected one mended."""
    winner = choice.winner
    values = values_of(plan, choice, occasion)
    if before is None:
        referral = referrals.add(plan, new_row(plan, friend) | values)
    else:
        referral = before
        same = ("advocate_id", "method", "link_id", "clicked_at")
        if (winner.refusal == referral.reason is not None) and all(
            getattr(referral, name) == values[name] for name in same
        ):
            # The same evidence again, refused as before.
            return referral
        is_other = referral.advocate_id != winner.advocate_id
        if is_other and not pass_on(plan, referral, winner, cause=occasion.cause):
            return referral
        for name, value in values.items():
            setattr(referral, name, value)
    reason = winner.refusal
    if reason is None:
        # The order that came with the evidence is the friend's.
        known = suspecting.read(connection, plan, referral, told=occasion.order_ref, is_own=True)
        reason = suspecting.assess(connection, plan, referral, at=occasion.at, known=known).reason
    referral.is_bound = reason is None
    detail = {
        "method": winner.method,
        "advocate_id": ids.show_id(members.PREFIX, winner.advocate_id),
    }
    state = "identified" if reason is None else "rejected"
    # The instant of the click lies before anybody said anything: the log is in order of telling.
    referrals.move(
        plan, referral, state, cause=occasion.cause, reason=reason, at=occasion.at, detail=detail
    )
    return referral


def pass_on(plan: Plan, referral: Row, winner: Candidate, *, cause: str = "signup") -> bool:
    """Let a refused referral be another advocate's: what was decided of the first one is not said
    of them, and whom it would have paid is not paid. False where it was approved or paid once:
    then it stays the first one's, as their books say."""
    sides = {one.side: one for one in plan.referrals.sides_of(referral.id)}
    if referral.approved_at is not None or any(one.number for one in sides.values()):
        return False
    referral.approvals, referral.cleared_bp = "[]", 0
    referral.order_ref = referral.net_minor = None
    referral.qualified_at = referral.hold_until = referral.due_at = None
    receivers = {"advocate": winner.advocate_id, "second": _second(plan, referral, winner)}
    for side in sides.values():
        receiver = receivers.get(side.side, side.member_id)
        if receiver is None:
            referrals.move_side(plan, referral, side, "lost", cause=cause)
        else:
            if side.member_id != receiver:
                referrals.move_side(plan, referral, side, "waiting", cause=cause)
            side.member_id = receiver
    return True


def _second(plan: Plan, referral: Row, winner: Candidate) -> bytes | None:
    """Who would get the second level of a referral of this advocate."""
    offer = evidence.offer_of(connection_of(plan), plan, winner)
    if offer is None or not offer.second:
        return None
    second = rings.brought_by(plan, winner.advocate_id)
    return None if second in (referral.friend_id, winner.advocate_id) else second


def values_of(plan: Plan, choice: Choice, occasion: Occasion) -> dict[str, Any]:
    """What a referral has of the evidence that won."""
    winner = choice.winner
    # What was typed, now or by the guest they were, counts since then.
    bound_at = max(occasion.event_at(winner.at), winner.at) if winner.is_click else winner.at
    return {
        "advocate_id": winner.advocate_id,
        "link_id": winner.link_id,
        "offer_key": winner.offer_key,
        "version": winner.version,
        "switches": winner.switches,
        "channel": winner.channel,
        "method": winner.method,
        "evidence": _evidence(choice, occasion),
        "clicked_at": winner.clicked_at,
        "bound_at": min(bound_at, plan.now),
    }


def _evidence(choice: Choice, occasion: Occasion) -> str:
    won = replace(choice.winner, refusal=None)
    return jsontext.text(
        {
            "cause": occasion.cause,
            "at": clock.format_instant(occasion.at),
            "candidates": [
                evidence.shown(won, choice.winner.refusal),
                *(evidence.shown(one, why) for one, why in choice.losing),
            ],
        }
    )


def new_row(plan: Plan, friend: Known) -> dict[str, Any]:
    """What the referral of a friend has who was never brought before."""
    return {
        "program_id": plan.program_id,
        "id": ids.new_id(),
        "friend_id": friend.id,
        "state": "identified",
        "reason": None,
        "is_bound": False,
        "stands": False,
        "order_ref": None,
        "net_minor": None,
        "score_bp": 0,
        "cleared_bp": 0,
        "signals": "[]",
        "approvals": "[]",
        "qualified_at": None,
        "hold_until": None,
        "approved_at": None,
        "due_at": None,
        "created_at": plan.now,
        "updated_at": plan.now,
    }
