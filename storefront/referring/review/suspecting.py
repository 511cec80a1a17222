"""Suspecting: what speaks against a referral is gathered and scored, under the locks of both.

Asked when a friend is bound and again before anything is paid. Reads what is needed in one
statement; only where the advocate was brought by somebody, rings are followed upwards. Thresholds
and weights are those of the live program: a shop that tightens them is not held to its old ones.
Refuses to act: whoever asks moves the referral.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock, db, jsontext
from members import contacts
from members.members import DIGESTS
from members.models import Member
from orders.models import Order
from programs import versions
from programs.referrals import Review
from referrals import disposable, leads, names, rings, scoring
from referrals.existing import ORDER_CONTACTS
from referrals.models import HouseholdTrust, OrderContact, Referral, ReferralBlock, Trace
from referrals.scoring import Assessment, Signal
from rewards.carried import Row
from storefront.plan import Plan

__all__ = ["Assessment", "Known", "Signal", "assess", "cleared", "read", "review_of"]

_TRACES: sa.Table = Trace.__table__  # type: ignore[assignment]
_HOUR = 3600 * clock.SECOND
_DAY = 24 * _HOUR
_MAILBOXES = ("email", "phone")


@dataclass(slots=True)
class Known:
    """What was read of an advocate and a friend."""

    members: dict[bytes, tuple[int, str | None, str | None, str | None]] = field(
        default_factory=dict
    )
    #: By kind of trace: when the advocate and the friend were last seen with the same one.
    shared: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_trusted: bool = False
    is_blocked: bool = False
    is_brought: bool = False
    hour: int = 0
    day: int = 0
    placed_at: int | None = None
    #: By which contacts the order that qualifies was told.
    ordered: list[leads.Known] = field(default_factory=list)
    #: Whether orders of the friend are stored that were placed before the referral.
    has_older: bool = False
    #: What the friend and their orders were told with: kind, digest, and whether an order of the
    #: advocate was told with the same.
    told_with: list[tuple[str, bytes, bool]] = field(default_factory=list)

    def contact(self, member_id: bytes) -> dict[str, str | None]:
        """The contacts of one of them."""
        _, email, phone, _ = self.members.get(member_id, (0, None, None, None))
        return {"email": email, "phone": phone}


def _part(
    what: str, *, of: Any = None, numbers: Sequence[Any] = (), texts: Sequence[Any] = ()
) -> sa.Select[Any]:
    """Rows of one shape: what it is, whom it is of, two numbers, three texts."""
    columns = [of, *(*numbers, None, None)[:2], *(*texts, None, None, None)[:3]]
    types: tuple[Any, ...] = (db.Id, sa.BigInteger, sa.BigInteger, sa.Text, sa.Text, sa.Text)
    return sa.select(
        sa.cast(sa.literal_column(f"'{what}'"), sa.Text),
        *(
            sa.cast(sa.null() if column is None else column, kind)
            for column, kind in zip(columns, types, strict=True)
        ),
    )


def _statement() -> db.Statement:
    """Everything that is asked of two members."""
    program: sa.BindParameter[bytes] = sa.bindparam("program_id")
    advocate: sa.BindParameter[bytes] = sa.bindparam("advocate")
    friend: sa.BindParameter[bytes] = sa.bindparam("friend")
    theirs, its = _TRACES.alias(), _TRACES.alias()
    one: sa.ColumnElement[int] = sa.literal_column("1")
    zero: sa.ColumnElement[int] = sa.literal_column("0")
    is_of_hour = sa.case((Referral.bound_at > sa.bindparam("hour_ago"), one), else_=zero)
    recent = (sa.func.coalesce(sa.func.sum(is_of_hour), zero), sa.func.count())
    contact = (Member.email, Member.phone, Member.name)
    last_seen = (sa.func.max(theirs.c.seen_at), sa.func.max(its.c.seen_at))
    return db.Statement(
        sa.union_all(
            _part("member", of=Member.id, numbers=[Member.joined_at], texts=contact).where(
                Member.program_id == program, Member.id.in_([advocate, friend])
            ),
            _part("trace", numbers=last_seen, texts=[theirs.c.kind])
            .where(
                theirs.c.program_id == program,
                theirs.c.member_id == advocate,
                theirs.c.expires_at > sa.bindparam("now"),
                its.c.program_id == program,
                its.c.kind == theirs.c.kind,
                its.c.digest == theirs.c.digest,
                its.c.member_id == friend,
                its.c.expires_at > sa.bindparam("now"),
            )
            .group_by(theirs.c.kind),
            _part("pair").where(
                HouseholdTrust.program_id == program,
                HouseholdTrust.first_id == sa.bindparam("first"),
                HouseholdTrust.second_id == sa.bindparam("second"),
            ),
            _part("block").where(
                ReferralBlock.program_id == program,
                ReferralBlock.member_id.in_([advocate, friend]),
            ),
            _part("bound", numbers=recent).where(
                Referral.program_id == program,
                Referral.advocate_id == advocate,
                Referral.id != sa.bindparam("referral_id"),
                Referral.is_bound,
                Referral.bound_at <= sa.bindparam("bound_at"),
                Referral.bound_at > sa.bindparam("day_ago"),
            ),
            _part("brought").where(Referral.program_id == program, Referral.friend_id == advocate),
            _part("older").where(
                sa.exists(one).where(
                    Order.program_id == program,
                    Order.member_id == friend,
                    Order.placed_at < sa.bindparam("since"),
                    Order.order_ref != sa.bindparam("told"),
                )
            ),
            _part("contact", of=OrderContact.digest, texts=[OrderContact.kind]).where(
                OrderContact.program_id == program,
                OrderContact.order_ref == sa.bindparam("order_ref"),
            ),
            _part("order", numbers=[Order.placed_at]).where(
                Order.program_id == program, Order.order_ref == sa.bindparam("order_ref")
            ),
            _told_with(program, advocate=advocate, friend=friend),
        )
    )


def _told_with(
    program: sa.BindParameter[bytes],
    *,
    advocate: sa.BindParameter[bytes],
    friend: sa.BindParameter[bytes],
) -> sa.Select[Any]:
    """The contacts of the friend and of their orders, among them the order that is told if it is
    theirs, and whether orders of the advocate were told with the same."""
    told, its = ORDER_CONTACTS, ORDER_CONTACTS.alias()
    is_stored = sa.and_(
        Order.program_id == told.c.program_id,
        Order.order_ref == told.c.order_ref,
        Order.order_ref != sa.bindparam("told"),
    )
    found = sa.union(
        sa.select(told.c.kind, told.c.digest)
        .join(Order, is_stored)
        .where(told.c.program_id == program, Order.member_id == friend),
        sa.select(told.c.kind, told.c.digest).where(
            told.c.program_id == program, told.c.order_ref == sa.bindparam("own")
        ),
        sa.select(DIGESTS.c.kind, DIGESTS.c.digest).where(
            DIGESTS.c.program_id == program, DIGESTS.c.member_id == friend
        ),
    ).subquery("found")
    one: sa.ColumnElement[int] = sa.literal_column("1")
    # Counted, so that each order is looked up by its whole key: as a join, a plan that was made
    # while the tables were small reads every order of a contact.
    with_it = (
        sa.select(sa.func.count())
        .select_from(its)
        .where(
            its.c.program_id == program,
            its.c.kind == found.c.kind,
            its.c.digest == found.c.digest,
            its.c.order_ref == Order.order_ref,
        )
        .correlate(found, Order)
        .scalar_subquery()
    )
    of_advocate = (
        sa.exists(one)
        .where(
            Order.program_id == program,
            Order.member_id == advocate,
            Order.order_ref != sa.bindparam("told"),
            with_it > sa.literal_column("0"),
        )
        .correlate(found)
    )
    is_same = sa.case((of_advocate, one), else_=sa.literal_column("0"))
    return _part("told", of=found.c.digest, numbers=[is_same], texts=[found.c.kind])


_known = _statement()


def assess(
    connection: sa.Connection, plan: Plan, referral: Row, *, at: int, known: Known | None = None
) -> Assessment:
    """Score a referral as of an instant, and keep score and signals in its row. A reason refuses
    it; as far as a reviewer has cleared it, it neither is refused nor needs a review. `known` is
    what was read of both, if it was."""
    review = review_of(connection, plan, referral)
    known = known or read(connection, plan, referral)
    found = _judge(plan, referral, known, review=review, at=at)
    referral.score_bp = found.score_bp
    referral.signals = jsontext.text([one.shown() for one in found.signals])
    return found


def review_of(connection: sa.Connection, plan: Plan, referral: Row) -> Review:
    """How a referral is reviewed: as the live offer says, else as the one that was pinned."""
    offer = plan.live.offer(referral.offer_key)
    if offer is None:
        pinned = versions.get_compiled(
            connection, plan.program_id, referral.version, referral.switches
        )
        offer = pinned.offer(referral.offer_key)
    return Review() if offer is None else offer.review


def cleared(referral: Row, review: Review) -> int:
    """Up to which score a referral is cleared that is approved as it was scored last."""
    signals = [
        Signal(one["signal"], one["weight_bp"], one["detail"])
        for one in jsontext.parse(referral.signals)
    ]
    return scoring.clearance(signals, review)


def read(
    connection: sa.Connection,
    plan: Plan,
    referral: Row,
    *,
    told: str | None = None,
    is_own: bool = False,
) -> Known:
    """What is known of both; `told` is the order that this unit tells, `is_own` whether it is the
    friend's by that."""
    known = Known()
    clicked_at = referral.clicked_at
    pair = sorted([referral.advocate_id, referral.friend_id])
    rows = _known.rows(
        connection,
        {
            "program_id": plan.program_id,
            "advocate": referral.advocate_id,
            "friend": referral.friend_id,
            "first": pair[0],
            "second": pair[1],
            "referral_id": referral.id,
            "bound_at": referral.bound_at,
            "hour_ago": referral.bound_at - _HOUR,
            "day_ago": referral.bound_at - _DAY,
            "order_ref": referral.order_ref or "",
            "now": plan.now,
            "since": referral.bound_at if clicked_at is None else clicked_at,
            "told": told or "",
            "own": told if told and is_own else "",
        },
    )
    for what, of, first, second, one, two, three in rows:
        if what == "member":
            known.members[bytes(of)] = (first, one, two, three)
        elif what == "trace":
            known.shared[one] = (first, second)
        elif what == "bound":
            # The friend in question counts in.
            known.hour, known.day = first + 1, second + 1
        elif what == "contact":
            known.ordered.append((one, [bytes(of)]))
        elif what == "order":
            known.placed_at = first
        elif what == "told":
            known.told_with.append((one, bytes(of), bool(first)))
        known.is_trusted |= what == "pair"
        known.is_blocked |= what == "block"
        known.is_brought |= what == "brought"
        known.has_older |= what == "older"
    if not known.is_blocked:
        plan.referrals.unblocked |= {referral.advocate_id, referral.friend_id}
    return known


def _judge(plan: Plan, referral: Row, known: Known, *, review: Review, at: int) -> Assessment:
    """The assessment of what was read."""
    signals = []
    for name, detail in _details(plan, referral, known):
        weight = review.weights[name]
        if known.is_trusted and name in scoring.OF_HOUSEHOLD:
            weight, detail["is_trusted"] = 0, True
        detail["judged_at"] = clock.format_instant(at)
        signals.append(Signal(name, weight, detail))
    return scoring.assess(
        signals, review, cleared_bp=referral.cleared_bp, is_blocked=known.is_blocked
    )


def _details(plan: Plan, referral: Row, known: Known) -> Iterator[tuple[str, dict[str, Any]]]:
    """What speaks against a referral, with where and when it was seen."""
    for kind, (advocate_at, friend_at) in known.shared.items():
        yield (
            kind,
            {
                "from": "visitor",
                "advocate_seen_at": clock.format_instant(advocate_at),
                "friend_seen_at": clock.format_instant(friend_at),
            },
        )
    advocate = known.members.get(referral.advocate_id)
    friend = known.members.get(referral.friend_id)
    if friend is not None:
        yield from _of_contacts(plan, known, advocate, friend)
        yield from _of_age(referral, known, joined_at=friend[0])
    if scoring.are_many(hour=known.hour, day=known.day):
        yield "velocity", {"from": "referrals", "hour": known.hour, "day": known.day}
    if known.is_brought:
        people = rings.length(plan, advocate_id=referral.advocate_id, friend_id=referral.friend_id)
        if people is not None:
            yield "ring", {"from": "referrals", "people": people}


def _of_contacts(
    plan: Plan, known: Known, advocate: Sequence[Any] | None, friend: Sequence[Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    _, *told_friend = friend
    canonical = _canonical(told_friend)
    if canonical["email"] is not None and disposable.is_disposable(canonical["email"]):
        yield "disposable_domain", {"from": "contact"}
    if advocate is None:
        return
    _, *told = advocate
    for kind, value in _canonical(told).items():
        if value is not None and value == canonical[kind]:
            yield kind, {"from": "contact"}
        elif _is_of_orders(plan, known, kind, value):
            yield kind, {"from": "order"}
    if told[2] and told_friend[2] and names.are_alike(told[2], told_friend[2]):
        yield "name", {"from": "name"}


def _is_of_orders(plan: Plan, known: Known, kind: str, value: str | None) -> bool:
    """Whether an order of one of both was told with a contact of the other, or of their orders;
    `value` is the advocate's own."""
    told = [(digest, is_same) for name, digest, is_same in known.told_with if name == kind]
    if any(is_same for _, is_same in told):
        return True
    if value is None or not told:
        return False
    accepted = contacts.digests(plan.program_id, kind, value)
    return any(digest in accepted for digest, _ in told)


def _canonical(told: Sequence[str | None]) -> Mapping[str, str | None]:
    return {
        kind: contacts.canonical(kind, text) if text else None
        for kind, text in zip(_MAILBOXES, told, strict=False)
    }


def _of_age(referral: Row, known: Known, *, joined_at: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """An account made for the order that qualifies. Of offers that a signup qualifies for, every
    account is new, which says nothing."""
    if referral.order_ref is None or referral.qualified_at is None:
        return
    placed_at = referral.qualified_at if known.placed_at is None else known.placed_at
    if placed_at - joined_at < _HOUR:
        age = max(placed_at - joined_at, 0) // clock.SECOND
        yield "new_account", {"from": "order", "seconds": age}
