"""Redemptions held again on their old terms: all of it, or nothing and the reason why not."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from core.errors import Problem
from tests.scenarios.ledgers import MakeWorld, balance, give, opened
from tests.scenarios.redeeming import Till, reward

NOON = "2026-03-01T12:00:00Z"
LIMITS = [{"per": "program", "period": "ever", "times": 2}]


@pytest.fixture
def till(make_world: MakeWorld) -> Till:
    """Two mugs for 100 points each, of which two can be had; Mina and Jun have 200 points."""
    mug = reward("mug", kind="custom", value={}, stock=2, limits=LIMITS)
    world = opened(make_world, NOON, rewards=[mug])
    for ref in ("mina", "jun"):
        give(world, 200, None, ref)
    return Till(world)


def hold_again(till: Till, redemption_id: str) -> str:
    """Hold it again in a unit of its own; ok, or the code of the problem that came of it when
    nothing has changed."""

    def unit(connection: sa.Connection) -> str:
        from loyalty import reading
        from programs import versions
        from rewards import redemptions
        from storefront.plan import begin

        program_id = ids.read_id("prg", till.world.program_id)
        assert program_id is not None
        live, now = versions.get_live(connection, program_id)
        plan = begin(connection, live, now=now)
        row = redemptions.find(plan, redemption_id)
        assert row is not None
        plan.book.load(reading.read_holdings(connection, program_id, row.member_id))
        plan.settle(row.member_id)
        redemptions.settle(plan, row)
        try:
            redemptions.hold_again(plan, row, expires_at=None)
        except Problem as problem:
            plan.write(connection)
            return problem.code
        redemptions.keep(plan, row, "A-1")
        plan.write(connection)
        return "ok"

    with till.world.app.app_context():
        return db.in_transaction(unit)


def lapsed(till: Till, ref: str = "mina") -> str:
    redemption_id = str(till.hold("mug", ref, ttl="PT1M")["id"])
    till.world.set_clock("2026-03-01T12:01:00Z")
    return redemption_id


def released(till: Till) -> str:
    redemption_id = str(till.hold("mug")["id"])
    till.done("release", redemption_id)
    return redemption_id


def reversed_(till: Till) -> str:
    redemption_id = str(till.hold("mug")["id"])
    till.done("capture", redemption_id)
    till.done("reverse", redemption_id)
    return redemption_id


@pytest.mark.parametrize("make", [lapsed, released, reversed_])
def test_what_was_given_up_is_held_again(till: Till, make: Callable[[Till], str]) -> None:
    redemption_id = make(till)
    assert hold_again(till, redemption_id) == "ok"
    found = till.world.get(f"/redemptions/{redemption_id}")
    assert (found["state"], found["order_ref"], found["expires_at"]) == ("held", "A-1", None)
    assert (found["ended_at"], found["captured_at"], found["points"]) == (None, None, 100)
    assert (balance(till.world)["available"], balance(till.world)["held"]) == (100, 100)
    assert till.stock("mug") == (2, 1, 1)
    # It counts for the limit of two.
    till.hold("mug", "jun")
    assert till.refused("mug", "jun")["code"] == "limit_reached"
    # An order keeps it, so its time does not run.
    till.world.set_clock("2026-03-20T12:00:00Z")
    assert till.state(redemption_id) == "held"
    till.done("capture", redemption_id)


def spend(till: Till) -> Any:
    taken = {"member_ref": "mina", "points": -101, "reason": "spent elsewhere"}
    return till.world.post("/adjustments", taken, status=201)


def sell_out(till: Till) -> Any:
    return till.move("mug", -2)


def use_up(till: Till) -> Any:
    till.move("mug", 5)
    return [till.hold("mug", "jun") for _ in range(2)]


@pytest.mark.parametrize(
    ("change", "code"),
    [(spend, "insufficient_points"), (sell_out, "out_of_stock"), (use_up, "limit_reached")],
)
def test_what_is_missing_is_said_and_nothing_changes(
    till: Till, change: Callable[[Till], Any], code: str
) -> None:
    redemption_id = lapsed(till)
    change(till)
    before = balance(till.world), till.stock("mug")[0]
    assert hold_again(till, redemption_id) == code
    assert till.state(redemption_id) == "expired"
    assert (balance(till.world), till.stock("mug")[0]) == before
    assert balance(till.world)["held"] == 0
    assert hold_again(till, redemption_id) == code
