"""Following: one referral is brought to what it deserves now, and all that hangs on it with it.

Everything that changes a referral ends here: a signup, an order, time, a reviewer, a merge. Called
again nothing happens; in whichever order orders, refunds and time come, it ends the same. Needs the
locks of everybody concerned (`locking.parties`). Refuses to say what a referral deserves and how it
is paid: `deserving` and `paying` do.
"""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from referrals import referrals
from referrals.carried import REFERRALS, SIDES
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.rewarding import milestones, paying, pinning
from storefront.referring.rewarding.deserving import Case
from storefront.referring.rewarding.judged_orders import Told
from storefront.tiers import advocates


def follow(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    *,
    cause: str,
    at: int | None = None,
    told: Told | None = None,
) -> None:
    """Bring a referral to what it deserves now; `at` is when what changed it happened, if not now;
    `told` is the order that this unit tells, if it does."""
    program = pinning.program_of(connection, plan, referral)
    offer = program.offer(referral.offer_key)
    if offer is None or not (referral.is_bound or _has_sides(plan, referral)):
        return
    stood = bool(referral.stands)
    changed_at = plan.now if at is None else min(at, plan.now)
    due_at = referral.due_at
    if told is not None and due_at is not None and due_at <= plan.now:
        # What time alone does comes first: the telling came after it.
        overdue = Case(connection, plan, referral, offer, program, "time", due_at)
        overdue.bring()
    case = Case(connection, plan, referral, offer, program, cause, changed_at, told)
    case.bring()
    if case.has_freed:
        free(connection, plan, referral, cause=cause, at=changed_at)
    if bool(referral.stands) is not stood:
        _follow_advocate(connection, plan, referral, cause=cause, at=changed_at)


def take_back(
    connection: sa.Connection, plan: Plan, referral: Row, *, names: Iterable[str], cause: str
) -> None:
    """Take back what some sides have of a referral, whatever it is now: it stands no longer."""
    program = pinning.program_of(connection, plan, referral)
    offer = program.offer(referral.offer_key)
    if offer is None:
        return
    stood = bool(referral.stands)
    case = Case(connection, plan, referral, offer, program, cause, plan.now)
    case.take_back(names)
    if case.has_freed:
        free(connection, plan, referral, cause=cause, at=plan.now)
    if stood:
        _follow_advocate(connection, plan, referral, cause=cause, at=plan.now)


def _has_sides(plan: Plan, referral: Row) -> bool:
    return any(True for _ in plan.referrals.sides_of(referral.id))


def _follow_advocate(
    connection: sa.Connection, plan: Plan, referral: Row, *, cause: str, at: int
) -> None:
    """What hangs on how many friends an advocate brought: milestones, the level."""
    advocate_id = referral.advocate_id
    paying.load_member(connection, plan, advocate_id)
    milestones.follow(connection, plan, advocate_id, cause=cause, at=at)
    advocates.reassess(connection, plan, advocate_id, cause)


def free(connection: sa.Connection, plan: Plan, referral: Row, *, cause: str, at: int) -> None:
    """A place of the advocate is free: the oldest of their referrals that is capped gets it, if it
    lies in a period that has one."""
    for one in _capped(connection, plan, referral):
        program = pinning.program_of(connection, plan, one)
        offer = program.offer(one.offer_key)
        side = plan.referrals.sides[one.id, "advocate"]
        if offer is not None:
            Case(connection, plan, one, offer, program, cause, at).bring_capped(side)


def _capped(connection: sa.Connection, plan: Plan, referral: Row) -> Iterator[Row]:
    """The advocate's referrals of the same offer that stand and are capped, the oldest first."""
    rows = connection.execute(
        sa.select(REFERRALS.c.id)
        .join(
            SIDES,
            sa.and_(
                SIDES.c.program_id == REFERRALS.c.program_id,
                SIDES.c.referral_id == REFERRALS.c.id,
            ),
        )
        .where(
            SIDES.c.program_id == plan.program_id,
            SIDES.c.member_id == referral.advocate_id,
            SIDES.c.state == "capped",
            SIDES.c.side == "advocate",
            SIDES.c.reason == "CAP",
            REFERRALS.c.offer_key == referral.offer_key,
        )
    )
    for referral_id in rows.scalars().all():
        referrals.find(plan, bytes(referral_id))
    found = [
        one
        for one in plan.referrals.referrals.values()
        if one.advocate_id == referral.advocate_id
        and one.offer_key == referral.offer_key
        and one.stands
        and (one.id, "advocate") in plan.referrals.sides
        and plan.referrals.sides[one.id, "advocate"].state == "capped"
        and plan.referrals.sides[one.id, "advocate"].reason == "CAP"
    ]
    yield from sorted(found, key=lambda one: (one.qualified_at, bytes(one.id)))
