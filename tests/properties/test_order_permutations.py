"""Messages of one order in any order and any number end in the same balances and lots (B13).

What they must end in is said by the model, which is told the outcome once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.independent.ledger_model import Ledger
from tests.independent.ledger_views import balances_modelled, balances_shown, lots_shown, shown
from tests.properties.ledger_worlds import PROGRAMS
from tests.properties.test_ledger_machine import PHASES, RUNS, SEED
from tests.world import World, points

PAID_AT = datetime.fromisoformat("2028-01-28T05:00:00+00:00")
MINORS = {"1": 6000, "2": 2550, "3": 1450}
#: The story of B13; the last one is the newest.
STATUSES = ("paid", "fulfilled", "cancelled", "paid")


@dataclass(frozen=True, slots=True)
class Message:
    """Something told of the order: a snapshot, or a refund of its own."""

    path: str
    body: dict[str, Any]


def snapshot(revision: int, status: str, refunded: dict[str, int]) -> Message:
    lines = [
        {
            "line_ref": ref,
            "quantity": 1,
            "unit_price_minor": minor,
            "refunded_minor": refunded.get(ref, 0),
        }
        for ref, minor in MINORS.items()
    ]
    body = {
        "member_ref": "mina",
        "status": status,
        "currency": "EUR",
        "placed_at": shown(PAID_AT),
        "paid_at": shown(PAID_AT),
        "revision": revision,
        "lines": lines,
    }
    return Message("/orders/A-1", body)


def refund(number: int, **body: Any) -> Message:
    told = {"refunded_at": shown(PAID_AT + timedelta(hours=1))} | body
    return Message(f"/orders/A-1/refunds/R-{number}", told)


def tell(world: World, messages: list[Message]) -> None:
    for message in messages:
        world.put(message.path, message.body, status=(200, 201, 202))


def dated(lots: list[tuple[str, int]]) -> dict[str, int]:
    """Remaining points by date: how many lots they lie in depends on the way, and may."""
    found: dict[str, int] = {}
    for date, remaining in lots:
        found[date] = found.get(date, 0) + remaining
    return found


def assert_told_once(world: World, kind: str, *, now: datetime, deserved: int) -> None:
    """All that is shown is as if the outcome alone had been told."""
    model = Ledger(PROGRAMS[kind][1], now)
    model.tell("A-1", "mina", deserved=deserved, paid_at=PAID_AT)
    assert points(world.get("/orders/A-1")) == deserved
    assert balances_shown(world.get, "mina") == balances_modelled(model, "mina")
    expected = [(str(shown(lot.expires_at)), lot.remaining) for lot in model.of("mina")]
    assert dated(lots_shown(world.get, "mina")) == dated([one for one in expected if one[1]])
    assert world.verify()["mismatches"] == []


def begin(app: Flask, kind: str) -> tuple[World, datetime]:
    """A program of the kind one day after the order was paid."""
    world = World(app, points=[{"key": "points"} | PROGRAMS[kind][0]])
    now = PAID_AT + timedelta(days=1)
    world.set_clock(str(shown(now)))
    world.member("mina")
    return world, now


refunds_of_lines = st.fixed_dictionaries(
    {}, optional={ref: st.integers(0, minor) for ref, minor in MINORS.items()}
)
kinds = st.sampled_from(sorted(PROGRAMS))
MANY, FEW = (
    settings(
        max_examples=max(1, RUNS * share // 100),
        database=None,
        deadline=None,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )
    for share in (30, 6)
)


@seed(SEED)
@MANY
@given(
    data=st.data(),
    kind=kinds,
    looks=st.lists(st.tuples(st.sampled_from(STATUSES), refunds_of_lines), min_size=4, max_size=4),
    # What only pending points pay for depends on when it was told: no time passes there.
    days=st.sampled_from([0, 0, 3, 40, 200]),
)
def test_snapshots_in_any_order_end_in_the_newest(
    app: Flask,
    data: Any,
    kind: str,
    looks: list[tuple[str, dict[str, int]]],
    days: int,
) -> None:
    world, now = begin(app, kind)
    told = [snapshot(number, *look) for number, look in enumerate(looks)]
    sent = data.draw(st.permutations(told * 2))
    middle = data.draw(st.integers(0, len(sent)))
    tell(world, sent[:middle])
    if days and kind != "only pending":
        now += timedelta(days=days)
        world.post("/test-clock", {"now": shown(now)})
    tell(world, sent[middle:])
    status, refunded = looks[-1]
    left = sum(minor - refunded.get(ref, 0) for ref, minor in MINORS.items())
    deserved = 0 if status == "cancelled" else left // 100
    assert_told_once(world, kind, now=now, deserved=deserved)


@seed(SEED)
@MANY
@given(
    data=st.data(),
    kind=kinds,
    in_snapshot=refunds_of_lines,
    in_refunds=refunds_of_lines,
)
def test_snapshots_and_refunds_in_any_order_take_the_greater_of_each_line(
    app: Flask,
    data: Any,
    kind: str,
    in_snapshot: dict[str, int],
    in_refunds: dict[str, int],
) -> None:
    world, now = begin(app, kind)
    told = [snapshot(number, status, {}) for number, status in enumerate(STATUSES[:3])]
    told.append(snapshot(3, STATUSES[3], in_snapshot))
    for number, (ref, minor) in enumerate(in_refunds.items()):
        # Each line's refund in two parts that add up.
        for part, amount in enumerate((minor // 3, minor - minor // 3)):
            if amount:
                line = {"line_ref": ref, "amount_minor": amount}
                told.append(refund(10 * number + part, lines=[line]))
    tell(world, data.draw(st.permutations(told * 2)))
    left = sum(
        minor - max(in_snapshot.get(ref, 0), in_refunds.get(ref, 0))
        for ref, minor in MINORS.items()
    )
    assert_told_once(world, kind, now=now, deserved=left // 100)


@pytest.mark.parametrize("kind", sorted(PROGRAMS))
@seed(SEED)
@FEW
@given(data=st.data())
def test_the_story_of_paid_refund_fulfilled_cancelled_and_paid_again(
    app: Flask, kind: str, data: Any
) -> None:
    world, now = begin(app, kind)
    told = [snapshot(number, status, {}) for number, status in enumerate(STATUSES)]
    # 20.00 of the 100.00, of no line in particular.
    told.append(refund(1, amount_minor=2000))
    tell(world, data.draw(st.permutations(told * 2)))
    assert_told_once(world, kind, now=now, deserved=80)
