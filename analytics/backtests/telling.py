"""Telling again: each fact goes to the use case that served it, at the instant it was recorded.

Orders that follow one another are told together in one unit, as a batch is, but each by its own
clock. Whatever needs more care is told by itself. What the use case refuses under the tested
document is counted, not told.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from analytics.backtests import moved, scratch
from analytics.backtests.told import Fact
from core import clock, db, jsontext
from core.errors import Problem
from core.outbox import OutboxMessage
from core.writing import Writes
from loyalty import reading
from members import members
from members.members import Known
from orders.schemas import VOUCHER_IDS
from programs import versions
from storefront import finishing, limiting, orders, standing
from storefront.activities import activities
from storefront.membership import signup
from storefront.plan import Plan, begin
from storefront.redeeming import named
from storefront.referring.rewarding import told_orders
from storefront.refunding import refunds
from storefront.standing import Read
from storefront.telling import Telling, item_of
from storefront.vouchers import named as named_codes

_OUTBOX = OutboxMessage.__tablename__
#: Told in the same breath by a guest, or by somebody whose history begins elsewhere.
_ORDERS = ("order", "history")


class _Untold(Writes):
    """Writes of a program that has nobody to tell anything."""

    __slots__ = ()

    def insert(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """As `Writes` does, but for messages."""
        if table.name != _OUTBOX:
            super().insert(table, row)


class Teller:
    """Tells facts to one scratch program, whose context is entered."""

    def __init__(self, program_id: bytes, *, has_rewards: Callable[[], bool]) -> None:
        self._program_id = program_id
        self._has_rewards = has_rewards
        #: What was refused, by kind.
        self.refused: Counter[str] = Counter()

    def can_join(self, fact: Fact) -> bool:
        """Whether a fact may be told together with others."""
        return fact.kind in _ORDERS and fact.member_ref is not None

    def tell_together(self, facts: Sequence[Fact]) -> None:
        """Tell orders that follow one another, each order once."""
        done: set[int] = set()
        bodies = [_order_body(fact) for fact in facts]
        together = self._split(facts, bodies)
        if len(together) > 1:
            try:
                done = db.in_transaction(
                    lambda connection: self._unit(connection, facts, bodies, together)
                )
            except Exception as error:
                # Told one by one it will show which of them it was.
                if not (isinstance(error, Problem) or db.is_refused(error)):
                    raise
        for index, fact in enumerate(facts):
            if index not in done:
                self.tell(fact)

    def tell(self, fact: Fact) -> None:
        """Tell one fact by itself."""
        at = fact.recorded_at
        db.in_transaction(lambda connection: scratch.set_clock(connection, self._program_id, at))
        try:
            self._tellers[fact.kind](self, fact)
        except Problem:
            self.refused[fact.kind] += 1

    def _order(self, fact: Fact) -> None:
        orders.put(self._program_id, fact.ref, _order_body(fact), actor=None)

    def _refund(self, fact: Fact) -> None:
        order_ref, refund_ref = jsontext.parse(fact.ref)
        body = jsontext.parse(fact.body)
        refunds.put(self._program_id, order_ref, refund_ref, body, actor=None)

    def _activity(self, fact: Fact) -> None:
        body = jsontext.parse(fact.body) | {"member_ref": fact.member_ref}
        activities.put(self._program_id, fact.ref, body, actor=None)

    def _signup(self, fact: Fact) -> None:
        assert fact.member_ref is not None
        signup.put(self._program_id, fact.member_ref, _member_body(fact), actor=None)

    def _enrol(self, fact: Fact) -> None:
        """A member whom an order brought, or who had a history elsewhere: nothing was paid."""
        ref = fact.member_ref
        assert ref is not None

        def work(connection: sa.Connection) -> None:
            writes, body = Writes(), _member_body(fact)
            joined_at = body.pop("joined_at")
            members.insert(
                writes,
                self._program_id,
                ref,
                body,
                joined_at=joined_at,
                now=clock.Instant(fact.recorded_at),
                is_told=fact.kind == "moved_in",
            )
            writes.run(connection)

        db.in_transaction(work)

    def _move(self, fact: Fact) -> None:
        db.in_transaction(lambda connection: moved.tell(connection, self._program_id, fact))

    _tellers: Mapping[str, Callable[["Teller", Fact], None]] = {
        "order": _order,
        "history": _order,
        "refund": _refund,
        "activity": _activity,
        "signup": _signup,
        "enrolled": _enrol,
        "moved_in": _enrol,
        "adjustment": _move,
        "transfer": _move,
        "movement": _move,
    }

    def _split(self, facts: Sequence[Fact], bodies: Sequence[Mapping[str, Any]]) -> list[int]:
        """Which can be told together: behind one that waits, its member's others wait too."""
        waiting: set[str | None] = set()
        together = []
        has_rewards = self._has_rewards()
        for index, (fact, body) in enumerate(zip(facts, bodies, strict=True)):
            needs_care = named_codes.needs_care(body, has_rewards=has_rewards)
            if needs_care or fact.member_ref in waiting:
                waiting.add(fact.member_ref)
            else:
                together.append(index)
        return together

    def _unit(
        self,
        connection: sa.Connection,
        facts: Sequence[Fact],
        bodies: Sequence[Mapping[str, Any]],
        together: Sequence[int],
    ) -> set[int]:
        """Decide and write them; those told."""
        live = versions.expected(connection, self._program_id)
        tellings = self._tellings(connection, facts, bodies, together)
        for index, telling in tellings.items():
            telling.item = item_of(telling, live, clock.Instant(facts[index].recorded_at))
        items = [one.item for one in tellings.values() if one.item is not None]
        if not items:
            return set()
        reads = standing.read(connection, self._program_id, items)
        if reads[0].edition != live.edition:
            versions.expect(connection, self._program_id, reads[0].edition)
            raise db.Restart
        plan = begin(connection, live, now=clock.Instant(facts[together[0]].recorded_at))
        plan.writes = _Untold()
        plan.is_mute = plan.book.is_mute = True
        self._load(connection, plan, list(tellings.values()), reads)
        done: set[int] = set()
        waiting: set[bytes] = set()
        for (index, telling), read in zip(tellings.items(), reads, strict=True):
            assert telling.member is not None
            member_id = telling.member.id
            plan.now = clock.Instant(facts[index].recorded_at)
            is_moved = read.stored is not None and read.stored.member_id != member_id
            is_moved = is_moved or told_orders.needs_care(connection, plan, telling, read)
            if is_moved or member_id in waiting:
                waiting.add(member_id)
                continue
            plan.settle(member_id)
            orders.decide_and_plan(connection, plan, telling, read)
            done.add(index)
        finishing.write(connection, plan)
        return done

    def _load(
        self,
        connection: sa.Connection,
        plan: Plan,
        tellings: Sequence[Telling],
        reads: Sequence[Read],
    ) -> None:
        """Take up what deciding all of them needs, in few statements."""
        for read in reads:
            plan.book.load(read.holdings)
        stored_ids = [one.stored.id for one in reads if one.stored and one.stored.decision_id]
        if stored_ids:
            plan.book.load((), reading.read_lots(connection, self._program_id, stored_ids))
        asked: list[limiting.Asked] = []
        for telling, read in zip(tellings, reads, strict=True):
            assert telling.member is not None and telling.item is not None
            before = limiting.before_order(connection, plan, read.stored, telling.member.id)
            rules = plan.live.rules_of("order") if before is None else before.rules
            asked.append((rules, plan.live, telling.member.id, telling.item.at, before))
        limiting.read(connection, plan, asked)
        named.load(plan, tellings, reads)

    def _tellings(
        self,
        connection: sa.Connection,
        facts: Sequence[Fact],
        bodies: Sequence[Mapping[str, Any]],
        together: Sequence[int],
    ) -> dict[int, Telling]:
        """Tellings of members who are known."""
        refs = sorted({facts[index].member_ref or "" for index in together})
        known_ids = members.find_all(connection, self._program_id, refs)
        locked = members.lock_ids(connection, self._program_id, sorted(set(known_ids.values())))
        tellings = {}
        for index in together:
            member: Known | None = locked.get(known_ids.get(facts[index].member_ref or "", b""))
            if member is not None:
                tellings[index] = Telling(facts[index].ref, bodies[index], member=member)
        return tellings


def _order_body(fact: Fact) -> dict[str, Any]:
    """An order as it was told. Redemptions and codes of ours are told again as what they moved."""
    body: dict[str, Any] = jsontext.parse(fact.body)
    body["member_ref"] = fact.member_ref
    body["is_history"] = fact.kind == "history"
    body.pop(VOUCHER_IDS, None)
    if body.get("redemptions"):
        body["redemptions"] = []
    if any(payment.get("redemption_id") for payment in body.get("payments") or ()):
        body["payments"] = [
            {name: value for name, value in payment.items() if name != "redemption_id"}
            for payment in body["payments"]
        ]
    return body


def _member_body(fact: Fact) -> dict[str, Any]:
    body: dict[str, Any] = jsontext.parse(fact.body)
    day = body.pop("birthday_on", None)
    if day is not None:
        body["birthday_on"] = date.fromisoformat(day)
    return body
