"""Milestones of advocates: what so many approved friends bring besides, given and taken back.

Follows the number of an advocate's referrals that stand for an offer, as this unit leaves them.
What was reached is paid by the version that was live then, is taken back when the number falls
below it, and comes back as it was. Refuses to decide which referrals stand: `following` does.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from core import ids
from members import members
from members.members import Known
from programs.compiled import Compiled
from programs.referrals import milestone_trigger
from programs.rules import Rule
from referrals import milestones
from referrals.carried import MILESTONES, REFERRALS
from rewards.carried import Row
from rules.effects import AddPoints, AddStamps, MultiplyPoints, PointsPerAmount, PointsPerUnit
from rules.outcomes import Reason
from storefront import firing
from storefront.activities import inactivity
from storefront.decisions import find_pinned
from storefront.firing import Fired, Source
from storefront.membership import member_facts
from storefront.plan import Plan
from storefront.referring.rewarding import blocking

#: The type that entries and decisions name a milestone by, and the prefix of its id.
SOURCE_TYPE = "referral_milestone"
PREFIX = "rms"
#: What only those get who take part in the program.
_ENROLLED_ONLY = (AddPoints, AddStamps, MultiplyPoints, PointsPerAmount, PointsPerUnit)


def follow(
    connection: sa.Connection, plan: Plan, advocate_id: bytes, *, cause: str, at: int
) -> list[Fired]:
    """Bring an advocate's milestones to what their referrals reach now; what changed. `at` is when
    it came to be so. Needs the advocate's lock; called again, nothing happens."""
    held = _held(connection, plan, advocate_id, is_moved=cause == "merge")
    if not held and not any(offer.milestones for offer in plan.live.offers):
        return []
    known = members.find(connection, plan.program_id, ids.show_id(members.PREFIX, advocate_id))
    if known is None or known.is_erased:
        return []
    friends = _standing(connection, plan, advocate_id)
    fired: list[Fired] = []
    for row in sorted(held, key=lambda one: (one.offer_key, one.at_count, one.number)):
        is_reached = milestones.stands(friends[row.offer_key], (row.at_count, row.number))
        if bool(row.stands) is not is_reached:
            fired += _bring(connection, plan, known, row, stands=is_reached, at=at)
    there = {(row.offer_key, row.at_count, row.number) for row in held}
    for offer in plan.live.offers:
        promised = [(one.at, one.repeats) for one in offer.milestones]
        for count, number in milestones.reached(friends[offer.key], promised):
            if (offer.key, count, number) not in there:
                row = _reach(plan, advocate_id, offer.key, count, number=number, at=at)
                fired += _bring(connection, plan, known, row, stands=True, at=at)
    return fired


def _held(
    connection: sa.Connection, plan: Plan, advocate_id: bytes, *, is_moved: bool
) -> list[Row]:
    """Every milestone that the advocate ever reached, as this unit leaves it; read where they may
    have one."""
    carried = plan.referrals.milestones
    found: Sequence[sa.RowMapping] = ()
    if is_moved or advocate_id not in plan.referrals.without_milestones:
        found = (
            connection.execute(
                sa.select(MILESTONES).where(
                    MILESTONES.c.program_id == plan.program_id,
                    MILESTONES.c.member_id == advocate_id,
                )
            )
            .mappings()
            .all()
        )
    for one in found:
        key = (bytes(one["member_id"]), one["offer_key"], one["at_count"], one["number"])
        if key not in carried:
            values = {
                name: bytes(value) if isinstance(value, memoryview) else value
                for name, value in one.items()
            }
            carried[key] = Row(values)
    return [row for row in carried.values() if row.member_id == advocate_id]


def _standing(connection: sa.Connection, plan: Plan, advocate_id: bytes) -> Counter[str]:
    """By offer, how many referrals of the advocate stand: stored ones, and those of this unit."""
    carried = plan.referrals.referrals
    statement = (
        sa.select(REFERRALS.c.offer_key, sa.func.count())
        .where(
            REFERRALS.c.program_id == plan.program_id,
            REFERRALS.c.advocate_id == advocate_id,
            REFERRALS.c.stands,
            REFERRALS.c.id.not_in(list(carried)),
        )
        .group_by(REFERRALS.c.offer_key)
    )
    found = Counter[str](dict(connection.execute(statement).tuples().all()))
    for row in carried.values():
        if row.stands and row.advocate_id == advocate_id:
            found[row.offer_key] += 1
    return found


def _reach(
    plan: Plan, advocate_id: bytes, offer_key: str, count: int, *, number: int, at: int
) -> Row:
    """A milestone that is reached for the first time, by what is live now."""
    row = Row(
        {
            "program_id": plan.program_id,
            "id": ids.new_id(),
            "member_id": advocate_id,
            "offer_key": offer_key,
            "at_count": count,
            "number": number,
            "version": plan.live.version,
            "switches": plan.live.switches,
            "stands": False,
            "reached_at": min(at, plan.now),
            "decision_id": None,
            "updated_at": plan.now,
        },
        is_new=True,
    )
    plan.referrals.milestones[advocate_id, offer_key, count, number] = row
    return row


def _bring(
    connection: sa.Connection, plan: Plan, known: Known, row: Row, *, stands: bool, at: int
) -> list[Fired]:
    """Pay a milestone, take it back, or give back what was taken."""
    is_new = row.decision_id is None
    row.stands, row.updated_at = stands, plan.now
    program, facts = _pinned(connection, plan, known, row)
    trigger = milestone_trigger(row.offer_key, row.at_count)
    withheld: Iterable[str] = ()
    why: Literal["no_member", "not_paid"] = "no_member"
    if not known.is_enrolled:
        withheld = enrolled_only(program.rules_of(trigger))
    if stands and blocking.is_blocked(connection, plan, known.id):
        # It stands, and brings nothing: nothing new is given to them.
        withheld, why = [rule.key for rule in program.rules_of(trigger)], "not_paid"
    reason: Reason | None = None if stands else "not_paid"
    fired = firing.fire(
        connection,
        plan,
        known.id,
        Source(SOURCE_TYPE, ids.show_id(PREFIX, row.id), row.id, row.reached_at),
        trigger=trigger,
        program=program,
        member_facts=facts,
        own_facts={
            "referral.offer": row.offer_key,
            "referral.number": row.at_count * max(row.number, 1),
        },
        reason=reason,
        is_new=is_new,
        decided_id=row.decision_id,
        reversal_at=None if stands else at,
        withheld=frozenset(withheld),
        why_withheld=why,
    )
    row.decision_id = fired.decision_id
    plan.referrals.made.setdefault(row.id, []).extend(fired.made)
    if fired.made:
        inactivity.follow(connection, plan, known.id)
    return [fired]


def enrolled_only(rules: Iterable[Rule]) -> list[str]:
    """The rules that bring nothing to whoever does not take part: points and stamps."""
    return [rule.key for rule in rules if isinstance(rule.effect, _ENROLLED_ONLY)]


def _pinned(
    connection: sa.Connection, plan: Plan, known: Known, row: Row
) -> tuple[Compiled, dict[str, Any]]:
    """The program and the member's facts that it was first paid by; of a new one, those of now."""
    known_here: tuple[Compiled, dict[str, Any]] | None = plan.referrals.pinned.get(row.id)
    if known_here is not None:
        return known_here
    if row.decision_id is not None:
        program, facts = find_pinned(connection, plan.program_id, row.decision_id)
        return program, dict(facts)
    [facts] = member_facts.before(connection, plan, [(known, row.reached_at)])
    plan.referrals.pinned[row.id] = plan.live, facts
    return plan.live, facts
