"""Activities: a storefront tells what a member did, and what the rules of its kind bring follows.

Converges as orders do: told again the same it changes nothing; changed it is decided again by the
version and the member's facts that were pinned first; withdrawn everything goes back, and done
again it comes back to the same lots. Of two tellings the one that arrives last holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from core.errors import invalid
from loyalty import reading
from loyalty.tiers.contributions import Contribution
from members import activities, members
from members.activities import ACTIVITIES, DONE, StoredActivity
from members.members import Known
from orders import history
from programs import versions
from programs.compiled import Compiled
from programs.triggers import ACTIVITY as TRIGGER
from rules.outcomes import Reason
from storefront import answers, cards, decisions, finishing, firing
from storefront import telling as tellings
from storefront.activities import activity_answers, inactivity
from storefront.firing import Fired, Source
from storefront.granting import showing
from storefront.membership import erasure, member_facts
from storefront.plan import Plan, begin
from storefront.surprising import chances, drawing
from storefront.tiers import levels, tier_entries
from storefront.tiers.contributing import activity_key
from storefront.tiers.tier_entries import Followed

TYPE = "activity"


def put(
    program_id: bytes, activity_ref: str, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Tell one activity; the answer and 201 when it was new, 200 otherwise."""
    owners: set[bytes] = set()
    return db.in_transaction(
        lambda connection: tell(
            connection, program_id, activity_ref, body, actor=actor, owners=owners
        )
    )


@dataclass(slots=True)
class _Told:
    """One activity being told: whose it is from now on, whose it was, and how it is stored."""

    activity_ref: str
    member: Known
    before: Known | None
    stored: StoredActivity | None
    body: Mapping[str, Any]
    facts: str

    @property
    def is_same_member(self) -> bool:
        """Whether it stays with the member it had."""
        return self.before is None

    @property
    def status(self) -> str:
        """As it is told."""
        return str(self.body.get("status") or DONE)

    @property
    def is_told_again(self) -> bool:
        """Whether nothing about it is news."""
        stored = self.stored
        return (
            stored is not None
            and self.is_same_member
            and (stored.kind, stored.said_at, stored.facts, stored.status)
            == (self.body["kind"], self.body["occurred_at"], self.facts, self.status)
        )


def tell(
    connection: sa.Connection,
    program_id: bytes,
    activity_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
    owners: set[bytes],
) -> tuple[dict[str, Any], int]:
    """The unit of `put`; `owners` are kept from one attempt of it to the next."""
    live, now = versions.get_live(connection, program_id)
    check(body, live, now)
    told = _lock(
        connection,
        live,
        activity_answers.resolve(connection, program_id, activity_ref),
        body,
        owners,
    )
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    for known in (told.member, told.before):
        if known is not None:
            plan.book.load(reading.read_holdings(connection, program_id, known.id))
            plan.settle(known.id)
    if told.is_told_again:
        assert told.stored is not None
        return activity_answers.answer_stored(connection, plan, told.stored, told.member), 200
    made = _undo_for_other(connection, plan, told)
    row, fired = _decide(connection, plan, told)
    made += fired.made
    _write(plan, told, row)
    change, followed = _count(connection, plan, told, row)
    made += followed
    made += drawing.follow(connection, plan)
    if told.member.is_erased:
        erasure.forfeit(plan, told.member.id)
    for known in (told.member, told.before):
        if known is not None:
            inactivity.follow(connection, plan, known.id)
    answer = {
        "activity": activity_answers.shown(row, told.member),
        "earned": firing.shown(plan, fired),
        "grants": showing.known_of(plan, row["id"], told.member.id),
        "payables": firing.owed(plan, fired),
        "reversed": answers.reversed_points(live, made),
        "balances": answers.balances(plan, told.member.id),
        "tier": activity_answers.tier(connection, plan, told.member.id, change),
        "cards": cards.show_after(connection, plan, told.member.id),
        "surprises": chances.shown(plan, told.member.id),
        "problems": [
            *answers.misspelt(live, row["kind"]),
            *showing.problems(plan, told.member.id),
        ],
    }
    finishing.write(connection, plan)
    return answer, 201 if told.stored is None else 200


def check(body: Mapping[str, Any], live: Compiled, now: clock.Instant) -> None:
    """422 for an instant ahead of the clock, and for facts that are not as declared."""
    errors = activities.faults(body.get("facts") or {}, live.activities.get(body["kind"]))
    if body["occurred_at"] > now + tellings.FUTURE:
        errors.append(tellings.ahead("/occurred_at", now))
    if errors:
        raise invalid(errors)


def _lock(
    connection: sa.Connection,
    live: Compiled,
    activity_ref: str,
    body: Mapping[str, Any],
    owners: set[bytes],
) -> _Told:
    """Everybody concerned, locked at once, with whoever had it in an attempt before (it may be
    told for several by turns); an activity of somebody erased stays with them, and says of them
    no more than it did."""
    program_id = live.program_id
    seen = activities.find(connection, program_id, activity_ref)
    named = members.find(connection, program_id, body["member_ref"])
    if named is None and not _is_erased(connection, program_id, seen):
        named = tellings.enrol(connection, live, body["member_ref"], body["occurred_at"])
    if seen is not None:
        owners.add(seen.member_id)
    wanted = owners if named is None else owners | {named.id}
    locked = members.lock_ids(connection, program_id, sorted(wanted))
    stored = activities.find(connection, program_id, activity_ref)
    if stored is not None and stored.member_id not in locked:
        owners.add(stored.member_id)
        raise db.Restart
    owner = None if stored is None else locked[stored.member_id]
    if stored is not None and owner is not None and owner.id != stored.member_id:
        # Merged since we looked.
        raise db.Restart
    facts = activities.facts_text(body)
    if owner is not None and stored is not None and owner.is_erased:
        kept = {"kind": stored.kind, "occurred_at": stored.said_at}
        return _Told(activity_ref, owner, None, stored, {**body, **kept}, stored.facts)
    if named is None or named.id not in locked:
        # Whose it was is another than we saw, and not erased.
        raise db.Restart
    member = locked[named.id]
    before = owner if owner is not None and owner.id != member.id else None
    return _Told(activity_ref, member, before, stored, body, facts)


def _is_erased(connection: sa.Connection, program_id: bytes, seen: StoredActivity | None) -> bool:
    if seen is None:
        return False
    owner = members.lock_ids(connection, program_id, [seen.member_id]).get(seen.member_id)
    return owner is not None and owner.is_erased


def _undo_for_other(connection: sa.Connection, plan: Plan, told: _Told) -> list[dict[str, Any]]:
    """Take everything back from whoever it belonged to before."""
    stored = told.stored
    if stored is None or told.before is None:
        return []
    program, pinned = decisions.find_pinned(connection, plan.program_id, stored.decision_id)
    return firing.fire(
        connection,
        plan,
        told.before.id,
        Source(TYPE, told.activity_ref, stored.id, stored.occurred_at),
        trigger=TRIGGER + stored.kind,
        program=program,
        member_facts=pinned,
        own_facts=_own_facts(program, stored.kind, stored.facts),
        reason="not_paid",
        is_new=False,
        decided_id=stored.decision_id,
    ).made


def _own_facts(program: Compiled, kind: str, facts: str) -> dict[str, Any]:
    return activities.own_facts(kind, jsontext.parse(facts), program.activities.get(kind))


def _decide(connection: sa.Connection, plan: Plan, told: _Told) -> tuple[dict[str, Any], Fired]:
    """What it brings its member, and its row."""
    stored, body, member = told.stored, told.body, told.member
    decided_id = stored.decision_id if stored is not None and told.is_same_member else None
    at = min(body["occurred_at"], plan.now)
    if stored is not None and stored.said_at == body["occurred_at"]:
        at = stored.occurred_at
    if decided_id is not None:
        program, pinned = decisions.find_pinned(connection, plan.program_id, decided_id)
    else:
        program = plan.live
        [pinned] = member_facts.before(connection, plan, [(member, at)])
    reason: Reason | None = None if told.status == DONE else "not_paid"
    if member.is_erased or not pinned["member.is_enrolled"]:
        # Told as done again, what an erased member did takes nothing of what all share.
        reason = "no_member"
    source = Source(TYPE, told.activity_ref, stored.id if stored else ids.new_id(), at)
    fired = firing.fire(
        connection,
        plan,
        member.id,
        source,
        trigger=TRIGGER + body["kind"],
        program=program,
        member_facts=pinned,
        own_facts=_own_facts(program, body["kind"], told.facts),
        reason=reason,
        is_new=stored is None,
        decided_id=decided_id,
    )
    row = {
        "program_id": plan.program_id,
        "id": source.id,
        "activity_ref": told.activity_ref,
        "member_id": member.id,
        "kind": body["kind"],
        "said_at": body["occurred_at"],
        "occurred_at": at,
        "facts": told.facts,
        "status": told.status,
        "qualifying_points": fired.earning.qualifying_points,
        "decision_id": fired.decision_id,
        "created_at": stored.created_at if stored else plan.now,
        "updated_at": plan.now,
    }
    return row, fired


def _write(plan: Plan, told: _Told, row: dict[str, Any]) -> None:
    if told.stored is None:
        plan.writes.insert(ACTIVITIES, row)
    else:
        plan.writes.replace(ACTIVITIES, row)
        if not told.member.is_erased:
            of: history.Told = ("activity", told.activity_ref, None)
            before = activities.told_text(told.stored)
            history.note(plan.writes, plan.program_id, of, body=before, now=plan.now)
    plan.activities[row["id"]] = row


def _contribution(status: str, occurred_at: int, qualifying_points: int) -> Contribution | None:
    """What an activity that stands adds to the metrics: points alone."""
    if status != DONE or not qualifying_points:
        return None
    return Contribution(occurred_at, 0, qualifying_points, count=0)


def _count(
    connection: sa.Connection, plan: Plan, told: _Told, row: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Let what counts for tiers move levels, for the member it belonged to as well; the change of
    the member's own level, and the entries that followed for both."""
    stored = told.stored
    old = None
    if stored is not None:
        old = _contribution(stored.status, stored.occurred_at, stored.qualifying_points)
    new = _contribution(row["status"], row["occurred_at"], row["qualifying_points"])
    changes = [(told.member.id, old, new)]
    if told.before is not None:
        changes = [(told.before.id, old, None), (told.member.id, None, new)]
    change = None
    for member_id, before, after in changes:
        if before == after:
            continue
        holding = plan.book.holding(member_id, plan.live.points[0].key)
        holding.has_counted = holding.is_changed = True
        found = levels.recount(
            connection,
            plan,
            member_id,
            named=(TYPE, told.activity_ref),
            key=activity_key(told.activity_ref),
            old=before,
            new=after,
        )
        if member_id == told.member.id:
            change = found
    entered = tier_entries.follow(connection, plan)
    if change is not None:
        change |= entered.get(told.member.id, Followed()).shown
    return change, [entry for one in entered.values() for entry in one.made]
