"""The friend's orders as referrals are judged by them: as stored, and as this unit leaves them.

An order that is being told is not stored yet: it is taken as told, whoever it belonged to before.
Refuses to judge: `referrals.qualification` does.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import db, jsontext
from orders import figures
from orders.figures import OrderFigures
from orders.models import Order
from orders.refunds import Refund, fold
from programs.compiled import Compiled
from referrals.qualification import Candidate, Span
from storefront import decide
from storefront import telling as tellings
from storefront.decisions import DECISIONS
from storefront.plan import Plan

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
#: After every order.
_END = 2**62


@dataclass(frozen=True, slots=True)
class Told:
    """The order of this telling, as the unit leaves it: whose it is now, what was said of it and
    its refunds, and what follows from that."""

    order_ref: str
    member_id: bytes | None
    snapshot: Mapping[str, Any]
    refunds: Sequence[Refund]
    placed_at: int
    told_at: int
    stands: bool
    is_history: bool
    net_minor: int
    whole_minor: int
    facts: Mapping[str, Any] | None
    #: Whether its member has no other order that stands.
    is_alone: bool = False

    @property
    def candidate(self) -> Candidate:
        """The order as it is judged."""
        return Candidate(
            order_ref=self.order_ref,
            placed_at=self.placed_at,
            told_at=self.told_at,
            status=self.snapshot["status"],
            stands=self.stands,
            net_minor=self.net_minor if self.stands else 0,
            whole_minor=self.whole_minor,
            is_history=self.is_history,
            facts=self.facts,
        )


@dataclass(frozen=True, slots=True)
class Body:
    """What was said of an order, with its refunds."""

    snapshot: Mapping[str, Any]
    refunds: Sequence[Refund]

    @property
    def paid_at(self) -> int:
        """When it was paid; when it was placed, where nobody said or it was not placed yet."""
        placed_at: int = self.snapshot["placed_at"]
        return max(self.snapshot.get("paid_at") or placed_at, placed_at)

    def figures(self, program: Compiled) -> OrderFigures:
        """Its figures as it stands, under a program's basis."""
        return decide.figure(program, fold(self.snapshot, self.refunds).body)

    def as_of(self, at: int, candidate: Candidate) -> Candidate:
        """The order as it was at an instant, as far as what was told of it is dated: refunds by
        their own instants, and the cancellation. What a snapshot says was refunded is not."""
        lines = [
            {name: one for name, one in line.items() if name != "refunded_minor"}
            | {"refunded_quantity": 0}
            for line in self.snapshot["lines"]
        ]
        plain = {name: one for name, one in self.snapshot.items() if name != "refunded_minor"}
        cancelled_at = plain.get("cancelled_at")
        is_cancelled = plain["status"] == "cancelled"
        was_cancelled = is_cancelled and cancelled_at is not None and cancelled_at < at
        plain |= {"lines": lines, "status": "cancelled" if was_cancelled else "paid"}
        before = [one for one in self.refunds if one.refunded_at < at]
        body = fold(plain, before).body
        net = sum(figures.nets(body))
        left = net - sum(one.get("refunded_minor", 0) for one in body["lines"])
        is_back = any(one.stands for one in before) and left == 0
        return Candidate(
            order_ref=candidate.order_ref,
            placed_at=candidate.placed_at,
            told_at=candidate.told_at,
            status=plain["status"],
            stands=not was_cancelled and not is_back,
            net_minor=left,
            whole_minor=net,
            facts=candidate.facts,
            is_met=candidate.is_met,
        )


def candidates(
    connection: sa.Connection,
    plan: Plan,
    friend_id: bytes,
    span: Span,
    *,
    has_facts: bool,
    told: Told | None,
    only: str | None = None,
) -> list[Candidate]:
    """The friend's orders in a span of time, or one of them; with the facts of their decisions
    where a condition asks for these."""
    values = {
        "program_id": plan.program_id,
        "friend_id": friend_id,
        "since": span.since,
        "until": _END if span.until is None else span.until,
        "only": only,
        # No order has an empty reference.
        "told": "" if told is None else told.order_ref,
    }
    statement = _statement(has_facts=has_facts, is_one=only is not None)
    rows = statement.rows(connection, values)
    found = [_candidate(row) for row in rows]
    if told is not None and told.member_id == friend_id and only in (None, told.order_ref):
        found.append(told.candidate)
    return found


@functools.cache
def _statement(*, has_facts: bool, is_one: bool) -> db.Statement:
    facts: sa.ColumnElement[Any] = sa.null()
    source: sa.FromClause = ORDERS
    if has_facts:
        facts = DECISIONS.c.facts
        is_its = sa.and_(
            DECISIONS.c.program_id == ORDERS.c.program_id, DECISIONS.c.id == ORDERS.c.decision_id
        )
        source = ORDERS.outerjoin(DECISIONS, is_its)
    where = [
        ORDERS.c.program_id == sa.bindparam("program_id"),
        ORDERS.c.member_id == sa.bindparam("friend_id"),
        ORDERS.c.placed_at >= sa.bindparam("since"),
        ORDERS.c.placed_at < sa.bindparam("until"),
        ORDERS.c.order_ref != sa.bindparam("told"),
        sa.not_(ORDERS.c.is_history),
    ]
    if is_one:
        where.append(ORDERS.c.order_ref == sa.bindparam("only"))
    return db.Statement(
        sa.select(
            ORDERS.c.order_ref,
            ORDERS.c.placed_at,
            ORDERS.c.created_at,
            ORDERS.c.status,
            ORDERS.c.stands,
            ORDERS.c.net_minor,
            ORDERS.c.refunded_minor,
            # Of a cancelled order nothing is left, and what it came to stands nowhere else.
            sa.case(
                (ORDERS.c.status == sa.literal_column("'cancelled'"), ORDERS.c.snapshot),
                else_=sa.null(),
            ),
            facts,
        )
        .select_from(source)
        .where(*where)
    )


def _candidate(row: Sequence[Any]) -> Candidate:
    order_ref, placed_at, told_at, status, stands, net, refunded, snapshot, facts = row
    whole = net + refunded
    if snapshot is not None:
        whole = sum(figures.nets(jsontext.parse(snapshot)))
    seen = None
    if facts is not None:
        stored = jsontext.parse(facts)
        seen = {**stored["member"], **stored["order"]}
    return Candidate(
        order_ref=order_ref,
        placed_at=placed_at,
        told_at=told_at,
        status=status,
        stands=bool(stands),
        net_minor=net if stands else 0,
        whole_minor=whole,
        facts=seen,
    )


def body_of(
    connection: sa.Connection, plan: Plan, order_ref: str, told: Told | None
) -> Body | None:
    """What was said of an order of the friend; None when there is none of this reference."""
    if told is not None and told.order_ref == order_ref:
        return Body(told.snapshot, told.refunds)
    snapshot = connection.execute(
        sa.select(ORDERS.c.snapshot).where(
            ORDERS.c.program_id == plan.program_id, ORDERS.c.order_ref == order_ref
        )
    ).scalar()
    if snapshot is None:
        return None
    known = tellings.read_refunds(connection, plan.program_id, order_ref)
    return Body(jsontext.parse(snapshot), [one for one in known if one.is_applied])
