"""Random histories of two members, each step done twice: by the product and by a model of it.

After every step each balance and each lot must be the model's; at the end the ledger verifies.
In a closed program, when no hold keeps any points, the members have what their orders deserve: at
last all orders are cancelled and all holds undone, which leaves nothing, and then all are paid.
`LEDGER_RUNS` says how many histories on SQLite, two fifths of which run on PostgreSQL (50 and 20
without it). The same `LEDGER_SEED` repeats the same histories; `LEDGER_SHRINK` seeks the shortest
history that fails, which takes minutes.
"""

import itertools
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
)

from core import clock, db, ids
from core.errors import Problem
from tests.independent.ledger_model import Ledger, RefusedError
from tests.independent.ledger_views import (
    balances_modelled,
    balances_shown,
    lots_modelled,
    lots_shown,
    shown,
)
from tests.properties.ledger_worlds import CLOSED, WORLDS, Order
from tests.world import World
from tests.world import points as points_of

RUNS = int(os.environ.get("LEDGER_RUNS", "35"))
IS_SOAK = "LEDGER_RUNS" in os.environ
SEED = int(os.environ.get("LEDGER_SEED", "1"))
PHASES = list(Phase) if "LEDGER_SHRINK" in os.environ else [Phase.generate]
STEPS = 60
MEMBERS = ("mina", "jun")
# A quarter of an hour before a day, a month and a leap day end in Seoul, and a plain noon.
STARTS = (
    "2028-01-31T14:45:00+00:00",
    "2028-02-29T14:45:00+00:00",
    "2027-11-30T03:00:00+00:00",
)
SECONDS = (60, 1800, 86_400, 5 * 86_400, 40 * 86_400, None)
MINORS = st.integers(1, 300).map(lambda points: points * 100) | st.sampled_from([99, 3333, 19_99])

line_minors = st.lists(MINORS, min_size=1, max_size=3)
picks = st.integers(0, 1_000_000)
members = st.sampled_from(MEMBERS)


#: How a step ended: None when it was done, else the problem's code and what was available.
Outcome = tuple[str, int | None] | None


class LedgerMachine(RuleBasedStateMachine):
    """The steps. What a test draws it draws small, so that lots run dry and dates meet."""

    served: ClassVar[Flask]
    kind: ClassVar[str]
    world: World
    model: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[Order] = []
        self.hold_ids: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.touched: set[str] = set()

    @initialize(start=st.sampled_from(STARTS), minors=line_minors)
    def begin(self, start: str, minors: list[int]) -> None:
        document, terms = WORLDS[self.kind]
        self.model = Ledger(terms, datetime.fromisoformat(start))
        self.world = World(self.served, points=[{"key": "points"} | document])
        self.world.set_clock(start)
        for member in MEMBERS:
            self.world.member(member)
            # Hypothesis leaves out some rules of each history: two orders there are in any.
            self.earn(member, minors, 0)
            self.earn(member, [5000, 9999], 3)

    # Orders

    @rule(member=members, minors=line_minors, days_ago=st.sampled_from([0, 0, 0, 0, 2, 7, 100]))
    def earn(self, member: str, minors: list[int], days_ago: int) -> None:
        paid_at = self.model.now - timedelta(days=days_ago)
        ref = f"A-{len(self.orders)}"
        order = Order(ref, member, list(minors), paid_at, refunded=[0] * len(minors))
        self.orders.append(order)
        self.tell(order)

    @rule(pick=picks, line=picks, share=st.sampled_from([1, 2, 3]))
    def refund_a_line(self, pick: int, line: int, share: int) -> None:
        order = self.recent(pick)
        line %= len(order.minors)
        most = min(order.minors[line] - order.refunded[line], order.left)
        part = -(-most // share)
        order.refunded[line] += part
        if order.refunded_total:
            order.refunded_total += part
        self.tell(order)

    @rule(
        pick=picks,
        how=st.sampled_from(["refund", "refund", "cancel", "pay again", "correct", "enlarge"]),
        share=st.sampled_from([1, 2, 5]),
    )
    def change_an_order(self, pick: int, how: str, share: int) -> None:
        order = self.recent(pick)
        if how == "refund":
            order.refunded_total = sum(order.minors) - order.left + order.left // share
        elif how == "cancel":
            order.status = "cancelled"
        elif how == "pay again":
            order.status = "paid" if share == 1 else "fulfilled"
        elif how == "correct":
            # The shop entered too much: nothing was refunded, or only a half or four fifths of it.
            order.refunded = [one * (share - 1) // share for one in order.refunded]
            order.refunded_total = order.refunded_total * (share - 1) // share
        else:
            order.minors[-1] += share * 1000
        self.tell(order)

    def recent(self, pick: int) -> Order:
        """One of the last few orders, so that several things happen to the same."""
        return self.orders[-1 - pick % min(5, len(self.orders))]

    def tell(self, order: Order) -> None:
        self.touched.add(order.member)
        self.model.tell(order.ref, order.member, deserved=order.deserved, paid_at=order.paid_at)
        answer = self.world.put(f"/orders/{order.ref}", order.body())
        assert answer["problems"] == []
        assert points_of(answer) == order.deserved

    # Holds

    @rule(
        member=members,
        percent=st.sampled_from([1, 30, 50, 80, 100, 101]),
        seconds=st.sampled_from(SECONDS),
    )
    def hold(self, member: str, percent: int, seconds: int | None) -> None:
        self.begin_to_spend(member, percent, seconds)

    @rule(member=members, percent=st.sampled_from([1, 30, 50, 80, 100]))
    def spend(self, member: str, percent: int) -> None:
        key = self.begin_to_spend(member, percent, 60)
        if key in self.hold_ids:
            self.end(key, "capture")

    def begin_to_spend(self, member: str, percent: int, seconds: int | None) -> str:
        member = self.rich(member)
        self.touched.add(member)
        points = max(1, -(-self.model.available(member) * percent // 100))
        key = f"hold {next(self.numbers)}"

        def product() -> None:
            from tests import holding as holds

            ttl = None if seconds is None else clock.Duration(seconds=seconds)
            made = holds.hold(self.program_id, member, points, ttl=ttl)
            assert (made["state"], made["points"]) == ("held", points)
            self.hold_ids[key] = made["id"]

        self.do(
            lambda: self.model.hold(key, member, points, seconds=seconds),
            lambda: self.in_context(product),
        )
        return key

    @precondition(lambda self: self.hold_ids)
    @rule(pick=picks, end=st.sampled_from(["capture", "capture", "release"]))
    def end_a_hold(self, pick: int, end: str) -> None:
        # Whether a reversed one may be captured again is left to the redemptions.
        keys = [key for key in self.hold_ids if self.model.holds[key].state != "reversed"]
        if keys:
            self.end(keys[-1 - pick % min(3, len(keys))], end)

    @precondition(lambda self: self.hold_ids)
    @rule(pick=picks)
    def reverse_a_hold(self, pick: int) -> None:
        keys = [key for key in self.hold_ids if self.model.holds[key].state == "captured"]
        keys = keys or list(self.hold_ids)
        self.end(keys[-1 - pick % len(keys)], "reverse")

    def end(self, key: str, end: str) -> None:
        self.touched.add(self.model.holds[key].member)

        def product() -> None:
            from tests import holding as holds

            getattr(holds, end)(self.program_id, self.hold_ids[key])

        self.do(lambda: getattr(self.model, end)(key), lambda: self.in_context(product))

    # Transfers, adjustments, time

    @precondition(lambda self: self.kind != CLOSED)
    @rule(
        sender=members,
        percent=st.sampled_from([1, 30, 50, 100, 101]),
    )
    def transfer(self, sender: str, percent: int) -> None:
        sender = self.rich(sender)
        self.touched.update(MEMBERS)
        receiver = MEMBERS[1 - MEMBERS.index(sender)]
        points = max(1, -(-self.model.available(sender) * percent // 100))
        body = {"from_member_ref": sender, "to_member_ref": receiver, "points": points}
        self.do(
            lambda: self.model.transfer(sender, receiver, points),
            lambda: self.post("/transfers", body),
        )

    @precondition(lambda self: self.kind != CLOSED)
    @rule(member=members, points=st.integers(-150, 150).filter(bool))
    def adjust(self, member: str, points: int) -> None:
        self.touched.add(member)
        body = {"member_ref": member, "points": points, "reason": "goodwill"}
        self.do(lambda: self.model.adjust(member, points), lambda: self.post("/adjustments", body))

    @rule(
        passed=st.sampled_from(
            [
                timedelta(minutes=20),
                timedelta(minutes=20),
                timedelta(hours=9),
                timedelta(hours=9),
                timedelta(days=3),
                timedelta(days=7),
                timedelta(days=31),
                timedelta(days=150),
            ]
        )
    )
    def wait(self, passed: timedelta) -> None:
        self.move(self.model.now + passed)

    @rule(before=st.sampled_from([timedelta(0), timedelta(seconds=1)]))
    def wait_for_what_is_due_next(self, before: timedelta) -> None:
        due = self.model.next_due(self.model.now + timedelta(days=400))
        if due is not None and due - before > self.model.now:
            self.move(due - before)

    def move(self, to: datetime) -> None:
        self.touched.update(MEMBERS)
        self.do(
            lambda: self.model.move(to),
            lambda: self.post("/test-clock", {"now": shown(to)}),
        )

    def rich(self, member: str) -> str:
        """The member, or the other one if only that one has points to give."""
        other = MEMBERS[1 - MEMBERS.index(member)]
        is_poor = self.model.available(member) <= 0 < self.model.available(other)
        return other if is_poor else member

    # Both sides of a step

    def do(self, model: Callable[[], object], product: Callable[[], Outcome]) -> None:
        expected: Outcome = None
        try:
            model()
        except RefusedError as refused:
            expected = (refused.code, refused.available)
        assert product() == expected

    def post(self, path: str, body: dict[str, Any]) -> Outcome:
        key = {"Idempotency-Key": f"step-{next(self.numbers)}"}
        response = self.world.call("POST", path, body, headers=key)
        if response.status_code in (200, 201):
            return None
        assert response.status_code == 409, response.get_data(as_text=True)
        return (response.json["code"], response.json.get("available"))

    def in_context(self, work: Callable[[], None]) -> Outcome:
        with self.served.app_context():
            try:
                work()
            except Problem as problem:
                assert problem.status == 409
                return (problem.code, problem.extra.get("available"))
        return None

    @property
    def program_id(self) -> bytes:
        found = ids.read_id("prg", self.world.program_id)
        assert found is not None
        return found

    @invariant()
    def everything_shown_is_what_the_model_has(self) -> None:
        self.model.check()
        # In a soak nobody is trusted to be untouched; elsewhere they are looked at when time moves.
        members_seen = MEMBERS if IS_SOAK else sorted(self.touched)
        self.touched.clear()
        for member in members_seen:
            assert balances_shown(self.world.get, member) == balances_modelled(self.model, member)
            assert lots_shown(self.world.get, member) == lots_modelled(self.model, member)

    @invariant()
    def nobody_keeps_or_loses_points_of_orders(self) -> None:
        if self.kind == CLOSED and not self.holds_in("held", "captured"):
            for member in MEMBERS:
                deserved = sum(one.deserved for one in self.orders if one.member == member)
                assert self.model.available(member) == deserved

    def holds_in(self, *states: str) -> list[str]:
        return [key for key in self.hold_ids if self.model.holds[key].state in states]

    def close(self) -> None:
        """Cancel everything while holds keep points, undo these, and have everything paid again."""
        orders = self.orders[:: 1 if len(self.orders) % 2 else -1]
        for order in orders:
            order.status = "cancelled"
            self.tell(order)
        for key in self.holds_in("captured"):
            self.end(key, "reverse")
        for key in self.holds_in("held"):
            self.end(key, "release")
        self.look_at_all()
        assert [self.model.available(member) for member in MEMBERS] == [0, 0]
        for order in orders:
            order.status, order.refunded_total = "paid", 0
            order.refunded = [0] * len(order.minors)
            self.tell(order)
        self.look_at_all()

    def look_at_all(self) -> None:
        self.touched.update(MEMBERS)
        self.everything_shown_is_what_the_model_has()
        self.nobody_keeps_or_loses_points_of_orders()

    def teardown(self) -> None:
        # A history that could not begin has nothing to verify.
        if hasattr(self, "world"):
            self.look_at_all()
            if self.kind == CLOSED:
                self.close()
            assert self.world.verify()["mismatches"] == []


@pytest.mark.parametrize("index", range(len(WORLDS)), ids=list(WORLDS))
def test_any_history_is_the_models(app: Flask, index: int) -> None:
    class Machine(LedgerMachine):
        served = app
        kind = list(WORLDS)[index]

    with app.app_context():
        is_sqlite = db.db.engine.dialect.name == "sqlite"
    runs = RUNS if is_sqlite else RUNS * 2 // 5
    test = get_state_machine_test(
        Machine,
        settings=settings(
            max_examples=-(-runs // len(WORLDS)),
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"LEDGER_SEED={SEED}")
    seed(100 * SEED + 2 * index + is_sqlite)(test)()
