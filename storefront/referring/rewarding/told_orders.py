"""An order that is told, and the referral of whoever placed it.

Says which orders concern a referral at all, has everybody locked whom that touches, binds the
friend by the evidence that came with the order, and lets the referral follow. Other orders cost no
statement and lock nobody. Refuses to attribute and to judge: `attributing` and `following` do.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from orders import figures
from orders.refunds import Folded
from programs import versions
from referrals import qualification, referrals
from referrals.carried import REFERRALS
from storefront import awarding
from storefront.decide import Decided
from storefront.plan import Plan
from storefront.referring import locking
from storefront.referring.attribution import answering, attributing, evidence, guests
from storefront.referring.rewarding import following, told_sides
from storefront.referring.rewarding.deserving import REFUSED
from storefront.referring.rewarding.judged_orders import Told
from storefront.standing import FriendOf, Read
from storefront.telling import Telling, is_same_member

_WAITING = ("qualified", "on_hold", "in_review")


def needs_care(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> bool:
    """Whether an order concerns more members than its own: it is told alone."""
    if telling.body.get("referral"):
        return True
    if _concerns(connection, plan, read.referral, telling):
        return True
    return bool(_advocates(connection, plan, telling, read))


def has_news(telling: Telling) -> bool:
    """Whether an order that is told as it is stored says something of a referral."""
    return bool(telling.body.get("referral"))


def lock(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> None:
    """Have everybody locked whom the order's referral touches, or start the unit again."""
    member, stored = telling.member, read.stored
    own_id = None if member is None else member.id
    locking.note(plan, [own_id, telling.owner_id, *telling.others])
    if member is not None:
        plan.referrals.people[member.id] = member
        plan.referrals.loaded.add(member.id)
    _get(connection, plan, telling, read, _advocates(connection, plan, telling, read))
    friends = []
    if own_id is not None and _concerns(connection, plan, read.referral, telling):
        friends.append((own_id, read.referral))
    if stored is not None and stored.member_id and not is_same_member(stored, telling):
        before = locking.peek(connection, plan, stored.member_id)
        if _concerns(connection, plan, before, telling):
            friends.append((stored.member_id, before))
    for friend_id, found in friends:
        assert found is not None
        _get(connection, plan, telling, read, {found.advocate_id})
        referral = referrals.of_friend(plan, friend_id)
        if referral is not None:
            _get(connection, plan, telling, read, locking.parties(connection, plan, referral))


def _get(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    member_ids: Iterable[bytes],
) -> None:
    wanted = set(member_ids)
    if not locking.try_lock(connection, plan, wanted):
        telling.others |= wanted
        raise telling.be_careful(None if read.stored is None else read.stored.member_id)


def _advocates(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> set[bytes]:
    """Whom the evidence of the order leads to."""
    if telling.member is None or not _may_bind(plan, telling, read):
        return set()
    assert telling.item is not None
    return attributing.prepare(
        connection,
        plan,
        telling,
        friend_id=telling.member.id,
        body=telling.body,
        at=telling.item.at,
    )


def _may_bind(plan: Plan, telling: Telling, read: Read) -> bool:
    """Whether there is anything to attribute: of a friend who is bound only what is told to be
    of a referral."""
    member, body = telling.member, telling.body
    if member is None or member.is_erased or _is_history(telling, read):
        return False
    if body.get("referral"):
        return True
    is_bound = read.referral is not None and read.referral.is_bound
    return bool(plan.live.offers) and not is_bound and evidence.is_told(body, telling)


def _is_history(telling: Telling, read: Read) -> bool:
    if read.stored is not None:
        return read.stored.is_history
    return bool(telling.body["is_history"])


def _concerns(
    connection: sa.Connection, plan: Plan, found: FriendOf | None, telling: Telling
) -> bool:
    """Whether an order can change the referral of who placed it."""
    if found is None or not found.is_bound:
        return False
    if found.order_ref == telling.order_ref:
        return found.reason not in REFUSED
    if telling.body["status"] == "pending":
        return False
    if found.state == "approved":
        # Paid: only what was bought before they were brought says something of it.
        return telling.item is not None and telling.item.at < found.since
    if found.state == "rejected":
        return found.reason not in REFUSED
    assert telling.item is not None
    if found.state in _WAITING:
        # Only one that was placed before can take the place of the order that it waits with.
        return found.order_ref is not None and telling.item.at <= (found.qualified_at or 0)
    return found.state != "expired" or _is_in_time(connection, plan, found, telling.item.at)


def _is_in_time(connection: sa.Connection, plan: Plan, found: FriendOf, at: int) -> bool:
    """Whether an order that is told late was placed while an expired referral could qualify."""
    columns = (REFERRALS.c.version, REFERRALS.c.switches, REFERRALS.c.offer_key)
    row = connection.execute(
        sa.select(*columns, REFERRALS.c.clicked_at, REFERRALS.c.bound_at).where(
            REFERRALS.c.program_id == plan.program_id, REFERRALS.c.id == found.id
        )
    ).one()
    program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
    offer = program.offer(row.offer_key)
    if offer is None:
        return False
    return qualification.span_of(
        offer, program, clicked_at=row.clicked_at, bound_at=row.bound_at
    ).holds(at)


def follow(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    *,
    folded: Folded,
    decided: Decided | None,
    row: Mapping[str, Any],
) -> None:
    """Bind the friend, and let follow what the order brings about; what is answered of it is noted
    in the telling. Everybody is locked (`lock`)."""
    told = _told(telling, read, folded=folded, decided=decided, row=row)
    stored, member = read.stored, telling.member
    guests.note_contact(connection, plan, telling.order_ref, telling.body)
    if stored is not None and stored.member_id and not is_same_member(stored, telling):
        _bring(connection, plan, telling, stored.member_id, told)
    if member is None:
        left = guests.leave(connection, plan, telling, at=row["placed_at"])
        telling.referral = left["referral"]
        telling.problems += left["problems"]
        return
    if _may_bind(plan, telling, read):
        found = attributing.attribute(
            connection,
            plan,
            member,
            telling.body,
            at=row["placed_at"],
            cause="order",
            order_ref=telling.order_ref,
            telling=telling,
        )
        telling.referral = found.answer
        telling.problems += found.problems
        is_bound = found.referral is not None and found.referral.is_bound
        is_over = found.referral is not None and found.referral.state == "approved"
        if is_bound and (not is_over or _concerns(connection, plan, read.referral, telling)):
            _bring(connection, plan, telling, member.id, told)
    elif _concerns(connection, plan, read.referral, telling):
        _bring(connection, plan, telling, member.id, told)
    elif read.referral is not None:
        telling.referral = answering.waiting(plan, read.referral)


def _bring(
    connection: sa.Connection, plan: Plan, telling: Telling, friend_id: bytes, told: Told
) -> None:
    """Let a friend's referral follow the order that is told."""
    referral = referrals.of_friend(plan, friend_id)
    if referral is None:
        return
    cause = "order" if telling.reversal_at is None else "refund"
    at = awarding.reversal_at(plan, telling)
    following.follow(connection, plan, referral, cause=cause, at=at, told=told)
    if told.member_id == friend_id:
        sides = told_sides.show(connection, plan, referral)
        telling.referral = answering.shown(plan, referral) | ({"sides": sides} if sides else {})


def _told(
    telling: Telling,
    read: Read,
    *,
    folded: Folded,
    decided: Decided | None,
    row: Mapping[str, Any],
) -> Told:
    facts = None if decided is None else {**decided.pinned.facts, **decided.order_facts}
    return Told(
        order_ref=telling.order_ref,
        member_id=row["member_id"],
        snapshot=telling.body,
        refunds=telling.refunds,
        placed_at=row["placed_at"],
        told_at=row["created_at"],
        stands=row["stands"],
        is_history=row["is_history"],
        net_minor=row["net_minor"],
        # Of a cancelled order nothing is left.
        whole_minor=sum(figures.nets(folded.body)),
        facts=facts,
        is_alone=read.sums.count == read.sums.later_count == 0,
    )
