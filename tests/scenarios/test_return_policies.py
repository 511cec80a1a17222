"""What a refund does to points that are spent already: SEMANTICS B11, by each return policy."""

from collections.abc import Callable
from typing import Any

import pytest

from core import ids
from tests import holding as holds
from tests.concurrency.parallel import assert_sound
from tests.world import World, points, reversed_points

Make = Callable[..., World]
AT = "2026-03-05T10:00:00Z"


def _spend(world: World, count: int) -> str:
    """Spend points of Mina's by a hold; the hold's id."""
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        held: str = holds.hold(program_id, "mina", count, ttl=None)["id"]
        holds.capture(program_id, held)
    return held


def _world(make_world: Make, policy: str | None, **kind: Any) -> World:
    chosen = {} if policy is None else {"return_policy": policy}
    world = make_world(points=[{"key": "points"} | chosen | kind])
    world.member()
    return world


def _refund(world: World, ref: str = "R-1", *, order_ref: str = "A-1", **told: Any) -> Any:
    return world.put(f"/orders/{order_ref}/refunds/{ref}", {"refunded_at": AT} | told)


def _written_off(world: World) -> int:
    """What of the points of A-1 was written off, as their first entry shows it."""
    shown = world.get(f"/entries/{world.entries()[0]['id']}")
    found: int = shown["lots"][0]["written_off"]
    return found


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # Reversed, available, written off, suggested to be deducted.
        ("within_balance", (100, 0, 400, 0)),
        (None, (100, 0, 400, 0)),
        ("only_pending", (0, 100, 500, 0)),
        ("unlimited", (500, -400, 0, 0)),
        ("deduct_from_refund", (100, 0, 400, 400)),
    ],
)
def test_earn_500_spend_400_refund_all(
    make_world: Make,
    policy: str | None,
    expected: tuple[int, int, int, int],
) -> None:
    world = _world(make_world, policy)
    assert world.earned("A-1", 50000) == 500
    _spend(world, 400)
    told = _refund(world, amount_minor=50000)
    assert points(told) == 0
    deduction = told["suggested_refund_deduction_minor"]
    found = (reversed_points(told), world.balance(), _written_off(world), deduction)
    assert found == expected
    # Tier progress falls by all of it whatever could be taken.
    assert told["order"]["qualifying_points"] == 0
    # The same again answers what stands for it, and takes nothing twice.
    again = _refund(world, amount_minor=50000)
    assert (again["suggested_refund_deduction_minor"], again["reversed"]) == (deduction, [])
    assert_sound(world)


def test_a_deficit_is_absorbed_by_the_next_earning(make_world: Make) -> None:
    world = _world(make_world, "unlimited")
    world.order("A-1", 50000)
    _spend(world, 400)
    _refund(world, amount_minor=50000)
    world.order("A-2", 15000, placed_at="2026-03-06T10:00:00Z")
    assert world.balance() == -250
    world.order("A-3", 30000, placed_at="2026-03-07T10:00:00Z")
    assert world.balance() == 50
    assert_sound(world)


def test_a_withdrawn_refund_gives_a_deficit_back(make_world: Make) -> None:
    world = _world(make_world, "unlimited")
    world.order("A-1", 50000)
    _spend(world, 400)
    _refund(world, amount_minor=50000)
    back = _refund(world, amount_minor=50000, status="withdrawn")
    assert (points(back), world.balance()) == (500, 100)
    assert_sound(world)


@pytest.mark.parametrize("policy", ["within_balance", "only_pending", "deduct_from_refund"])
def test_a_withdrawn_refund_cancels_what_was_written_off(make_world: Make, policy: str) -> None:
    world = _world(make_world, policy)
    world.order("A-1", 50000)
    _spend(world, 400)
    _refund(world, amount_minor=50000)
    back = _refund(world, amount_minor=50000, status="withdrawn")
    assert (points(back), world.balance(), _written_off(world)) == (500, 100, 0)
    assert back["suggested_refund_deduction_minor"] == 0
    assert_sound(world)


def test_only_pending_takes_what_cannot_be_spent_yet(make_world: Make) -> None:
    pending = {"policy": "after", "duration": "P14D"}
    world = _world(make_world, "only_pending", pending=pending)
    world.set_clock("2026-03-06T00:00:00Z")
    world.order("A-1", 50000)
    told = _refund(world, amount_minor=20000)
    assert (reversed_points(told), told["balances"][0]["pending"]) == (200, 300)
    world.set_clock("2026-03-20T00:00:00Z")
    late = _refund(world, "R-2", amount_minor=10000, refunded_at="2026-03-19T00:00:00Z")
    assert (late["reversed"], world.balance()) == ([], 300)
    assert_sound(world)


def test_what_the_deduction_is_worth_is_the_value_of_the_points(make_world: Make) -> None:
    # 100 points are worth 1.50; of 400 points 6.00 cannot be taken: 250 of them are 3.75.
    value = {"points": 100, "minor": 150}
    world = _world(make_world, "deduct_from_refund", value=value)
    world.order("A-1", 50000)
    _spend(world, 400)
    first = _refund(world, "R-1", amount_minor=35000)  # 350 less: 100 taken, 250 written off
    assert (reversed_points(first), first["suggested_refund_deduction_minor"]) == (100, 375)
    # 150 more are written off and worth 2.25.
    rest = _refund(world, "R-2", amount_minor=15000)
    assert (rest["reversed"], rest["suggested_refund_deduction_minor"]) == ([], 225)
    assert _refund(world, "R-1", amount_minor=35000)["suggested_refund_deduction_minor"] == 375
    # 100 less of the first: of its 250 points 150 are still missing, which are worth 2.25.
    less = _refund(world, "R-1", amount_minor=25000)
    assert less["suggested_refund_deduction_minor"] == 225
    # Withdrawn, its 250 points cancel write-offs first: 50 of those of R-2 are left, 0.75.
    back = _refund(world, "R-1", amount_minor=25000, status="withdrawn")
    assert back["suggested_refund_deduction_minor"] == 0
    assert _refund(world, "R-2", amount_minor=15000)["suggested_refund_deduction_minor"] == 75
    assert_sound(world)


def test_a_preview_suggests_the_deduction_and_a_snapshot_does_not(make_world: Make) -> None:
    world = _world(make_world, "deduct_from_refund")
    world.order("A-1", 50000)
    _spend(world, 400)
    path = "/orders/A-1/refunds/R-1?dry_run=true"
    seen = world.put(path, {"refunded_at": AT, "amount_minor": 50000}, status=200)
    assert seen["suggested_refund_deduction_minor"] == 400
    assert (world.balance(), _written_off(world)) == (100, 0)
