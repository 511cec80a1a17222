"""What is taken of lots and comes back to them: holds, transfers, claw-backs, deficits."""

import pytest

from core.errors import Problem
from tests.scenarios.ledgers import Holds, MakeWorld, balance, expiring, give, go, kind, opened


def test_what_expires_soonest_is_taken_first_and_comes_back_with_its_dates(
    make_world: MakeWorld,
) -> None:
    world = opened(make_world, "2027-03-01T00:00:00Z")
    give(world, 100, "2027-03-10T15:00:00Z")
    give(world, 200, "2027-12-31T15:00:00Z")
    holds = Holds(world)
    spent = holds.hold(150)
    holds.end(spent, "capture")
    assert expiring(world) == [("2027-12-31T15:00:00Z", 150)]
    # Strict, on 20 March: 200 come back to stay, 100 are over.
    go(world, "2027-03-20T00:00:00Z")
    assert holds.end(spent, "reverse")["state"] == "reversed"
    assert expiring(world) == [("2027-12-31T15:00:00Z", 200)]
    assert balance(world)["available"] == 200
    assert [(one["kind"], one["points"]) for one in world.entries()[-2:]] == [
        ("restore", 150),
        ("expire", 100),
    ]
    assert world.verify()["mismatches"] == []


def test_by_grace_late_points_live_for_fourteen_more_days(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-03-01T00:00:00Z")
    give(world, 100, "2027-03-10T15:00:00Z")
    give(world, 200, "2027-12-31T15:00:00Z")
    holds = Holds(world)
    spent = holds.hold(150)
    holds.end(spent, "capture")
    go(world, "2027-03-20T00:00:00Z")
    holds.end(spent, "reverse", policy="grace")
    # Through 3 April, Seoul.
    assert expiring(world) == [("2027-04-03T15:00:00Z", 100), ("2027-12-31T15:00:00Z", 200)]
    assert balance(world)["available"] == 300
    assert world.verify()["mismatches"] == []


def test_a_hold_outlives_the_expiry_of_what_it_holds(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-03-10T14:50:00Z")
    holds = Holds(world)
    give(world, 100, "2027-03-10T15:00:00Z")
    captured = holds.hold(40)
    released = holds.hold(30)
    # 30 stay free and end at midnight; what is held lives on.
    world.set_clock("2027-03-10T15:10:00Z")
    assert (balance(world)["available"], balance(world)["held"]) == (0, 70)
    holds.end(captured, "capture")
    world.set_clock("2027-03-10T15:15:00Z")
    holds.end(released, "release")
    assert (balance(world)["available"], balance(world)["held"]) == (0, 0)
    told = [(one["kind"], one["points"], one["effective_at"]) for one in world.entries()[3:]]
    assert told == [
        ("expire", 30, "2027-03-10T15:00:00Z"),
        ("capture", 40, "2027-03-10T15:10:00Z"),
        ("release", 30, "2027-03-10T15:15:00Z"),
        ("expire", 30, "2027-03-10T15:15:00Z"),
    ]
    assert world.verify()["mismatches"] == []


def test_a_hold_runs_out_at_its_own_instant_and_cannot_be_ended_otherwise(
    make_world: MakeWorld,
) -> None:
    world = opened(make_world, "2027-03-10T10:00:00Z")
    holds = Holds(world)
    give(world, 100, None)
    made = holds.hold(60)
    world.set_clock("2027-03-10T10:31:00Z")
    assert (balance(world)["available"], balance(world)["held"]) == (100, 0)
    with pytest.raises(Problem) as refused:
        holds.end(made, "capture")
    assert (refused.value.status, refused.value.code) == (409, "state_conflict")
    go(world, "2027-03-10T11:00:00Z")
    last = world.entries()[-1]
    assert (last["kind"], last["effective_at"]) == ("release", "2027-03-10T10:30:00Z")
    assert world.verify()["mismatches"] == []


def test_transfers_keep_dates_and_are_refused_beyond_the_balance(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-01-01T00:00:00Z")
    give(world, 100, "2027-03-31T15:00:00Z")
    give(world, 200, "2027-12-31T15:00:00Z")
    body = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 150}
    answer = world.post("/transfers", body, status=201)
    assert answer["to"]["balances"][0]["available"] == 150
    assert expiring(world, "jun") == [("2027-03-31T15:00:00Z", 100), ("2027-12-31T15:00:00Z", 50)]
    assert expiring(world) == [("2027-12-31T15:00:00Z", 150)]
    refused = world.post("/transfers", body | {"points": 151}, status=409)
    assert (refused["code"], refused["available"]) == ("insufficient_points", 150)
    assert world.verify()["mismatches"] == []


def test_a_deficit_absorbs_what_comes_next_and_never_expires(make_world: MakeWorld) -> None:
    world = opened(
        make_world,
        "2027-01-01T00:00:00Z",
        points=kind(expiry={"policy": "after", "duration": "P1M"}, return_policy="unlimited"),
    )
    placed = {"placed_at": "2027-01-01T00:00:00Z"}
    holds = Holds(world)
    world.order("A-1", 50_000, **placed)
    holds.end(holds.hold(400), "capture")
    world.order("A-1", 50_000, **placed, status="cancelled")
    assert balance(world)["available"] == -400
    world.order("A-2", 15_000, **placed)
    assert balance(world)["available"] == -250
    with pytest.raises(Problem) as refused:
        holds.hold(1)
    assert refused.value.code == "insufficient_points"
    go(world, "2027-06-01T00:00:00Z")
    assert balance(world)["available"] == -250
    # Paid again: everything that was taken comes back, over what was spent.
    world.order("A-3", 30_000, placed_at="2027-06-01T00:00:00Z")
    assert balance(world)["available"] == 50
    assert expiring(world) == [("2027-07-01T15:00:00Z", 50)]
    assert world.verify()["mismatches"] == []


def test_a_claw_back_takes_its_own_lot_then_what_expires_soonest(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-01-01T00:00:00Z")
    placed = {"placed_at": "2027-01-01T00:00:00Z"}
    holds = Holds(world)
    give(world, 100, "2027-02-01T15:00:00Z")
    holds.end(holds.hold(100), "capture")
    world.order("A-1", 50_000, **placed)
    holds.end(holds.hold(300), "capture")
    give(world, 150, "2027-05-01T15:00:00Z")
    give(world, 150, "2027-04-01T15:00:00Z")
    # 200 are left of the order; 300 more come from the other lots: April first, then May.
    world.order("A-1", 50_000, **placed, status="cancelled")
    assert balance(world)["available"] == 0
    # Paid again, each gets back what it gave.
    world.order("A-1", 50_000, **placed, status="paid")
    assert expiring(world) == [("2027-04-01T15:00:00Z", 150), ("2027-05-01T15:00:00Z", 150)]
    assert balance(world)["available"] == 500
    # Half of it refunded and given back again ends where it began.
    world.order("A-1", 50_000, **placed, refunded_minor=35_000)
    assert balance(world)["available"] == 150
    assert expiring(world) == [("2027-05-01T15:00:00Z", 150)]
    world.order("A-1", 50_000, **placed, refunded_minor=0)
    assert balance(world)["available"] == 500
    assert world.verify()["mismatches"] == []


def test_points_held_across_a_refund_are_taken_when_they_come_back(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-01-10T03:00:00Z")
    holds, placed = Holds(world), {"placed_at": "2027-01-10T03:00:00Z"}
    world.order("A-1", 10_000, **placed)
    held = holds.hold(80)
    world.order("A-1", 10_000, **placed, status="cancelled")
    assert (balance(world)["available"], balance(world)["held"]) == (0, 80)
    holds.end(held, "release")
    assert (balance(world)["available"], balance(world)["held"]) == (0, 0)
    # Paid again, all 100 are back: nothing was lost by it either.
    world.order("A-1", 10_000, **placed)
    assert balance(world)["available"] == 100
    assert world.verify()["mismatches"] == []


def test_what_expired_is_not_asked_of_other_points(make_world: MakeWorld) -> None:
    terms = {"expiry": {"policy": "after", "duration": "P1M"}, "return_policy": "unlimited"}
    world = opened(make_world, "2027-01-10T03:00:00Z", points=kind(**terms))
    placed = {"placed_at": "2027-01-10T03:00:00Z"}
    holds = Holds(world)
    world.order("A-1", 10_000, **placed)
    holds.end(holds.hold(30), "capture")
    go(world, "2027-03-01T03:00:00Z")
    world.order("A-2", 5_000, placed_at="2027-03-01T03:00:00Z")
    # 70 of A-1 expired and 30 were spent. Half refunded: its 50 had expired, nothing is taken.
    world.order("A-1", 10_000, **placed, refunded_minor=5_000)
    assert balance(world)["available"] == 50
    # All refunded: 20 more had expired; the 30 that were spent come out of A-2.
    world.order("A-1", 10_000, **placed, status="cancelled")
    assert balance(world)["available"] == 20
    assert world.verify()["mismatches"] == []
