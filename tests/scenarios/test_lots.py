"""Lots: terms, expiry, pending, deficits, holds and transfers as members see them (SEMANTICS C)."""

from collections.abc import Callable
from typing import Any

import pytest

from core import clock, ids
from core.errors import Problem
from tests.world import World, per_euro, rule

MakeWorld = Callable[..., World]


def kind(**terms: Any) -> list[dict[str, Any]]:
    return [{"key": "points"} | terms]


def opened(make_world: MakeWorld, at: str, **changes: Any) -> World:
    """A program whose clock stands at an instant, with Mina and Jun."""
    world = make_world(**changes)
    world.set_clock(at)
    world.member("mina", joined_at="2020-01-01T00:00:00Z")
    world.member("jun", joined_at="2020-01-01T00:00:00Z")
    return world


def go(world: World, instant: str) -> None:
    world.post("/test-clock", {"now": instant})


def balance(world: World, ref: str = "mina") -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"/members/{ref}/balances")["data"][0]
    return found


def expiring(world: World, ref: str = "mina") -> list[tuple[str, int]]:
    return [(one["expires_at"], one["points"]) for one in balance(world, ref)["expiring"]]


def give(world: World, points: int, expires_at: str | None, ref: str = "mina") -> Any:
    return world.post(
        "/adjustments",
        {"member_ref": ref, "points": points, "reason": "gift", "expires_at": expires_at},
        status=201,
    )


class Holds:
    """Holds of a world's members."""

    def __init__(self, world: World) -> None:
        self.world = world
        found = ids.read_id("prg", world.program_id)
        assert found is not None
        self.program_id = found

    def hold(self, points: int, *, minutes: int = 30, ref: str = "mina") -> str:
        from storefront import holds

        with self.world.app.app_context():
            made = holds.hold(
                self.program_id, ref, points, ttl=clock.Duration(seconds=60 * minutes)
            )
        return str(made["id"])

    def end(self, hold_id: str, how: str, **more: Any) -> dict[str, Any]:
        from storefront import holds

        with self.world.app.app_context():
            done: dict[str, Any] = getattr(holds, how)(self.program_id, hold_id, **more)
            return done


@pytest.mark.parametrize(
    ("timezone", "earned", "duration", "expires"),
    [
        ("Asia/Seoul", "2027-01-31T03:00:00Z", "P1M", "2027-02-28T15:00:00Z"),
        ("Asia/Seoul", "2028-02-29T03:00:00Z", "P12M", "2029-02-28T15:00:00Z"),
        ("Europe/Berlin", "2027-02-28T11:00:00Z", "P1M", "2027-03-28T22:00:00Z"),
    ],
)
def test_points_expire_at_the_midnight_that_ends_the_last_valid_local_day(
    make_world: MakeWorld, timezone: str, earned: str, duration: str, expires: str
) -> None:
    world = opened(
        make_world,
        earned,
        timezone=timezone,
        points=kind(expiry={"policy": "after", "duration": duration}),
    )
    answer = world.order("A-1", 10_000, placed_at=earned)
    assert answer["earned"][0]["expires_at"] == expires
    assert expiring(world) == [(expires, 100)]


@pytest.mark.parametrize(
    ("period", "expires"),
    [
        ("month", "2027-06-30T15:00:00Z"),
        ("quarter", "2027-06-30T15:00:00Z"),
        ("year", "2027-12-31T15:00:00Z"),
    ],
)
def test_terms_are_rounded_up_to_the_end_of_a_period(
    make_world: MakeWorld, period: str, expires: str
) -> None:
    expiry = {"policy": "after", "duration": "P3M", "round_up_to": period}
    world = opened(make_world, "2027-03-10T03:00:00Z", points=kind(expiry=expiry))
    world.order("A-1", 10_000, placed_at="2027-03-10T03:00:00Z")
    assert expiring(world) == [(expires, 100)]


def test_fixed_dates_end_all_points_earned_before_them(make_world: MakeWorld) -> None:
    expiry = {"policy": "fixed_dates", "dates": ["06-30", "12-31"]}
    world = opened(make_world, "2027-07-01T03:00:00Z", points=kind(expiry=expiry))
    world.order("A-1", 10_000, placed_at="2027-06-30T03:00:00Z")
    world.order("A-2", 20_000, placed_at="2027-07-01T03:00:00Z")
    # The first ended with 30 June in Seoul: it was over before it was told.
    assert expiring(world) == [("2027-12-31T15:00:00Z", 200)]
    assert balance(world)["available"] == 200
    assert [(one["kind"], one["effective_at"]) for one in world.entries()] == [
        ("earn", "2027-06-30T03:00:00Z"),
        ("expire", "2027-06-30T15:00:00Z"),
        ("earn", "2027-07-01T03:00:00Z"),
    ]


def test_expiry_is_true_when_read_and_written_later_with_both_times(
    make_world: MakeWorld,
) -> None:
    world = opened(
        make_world,
        "2027-01-31T03:00:00Z",
        points=kind(expiry={"policy": "after", "duration": "P1M"}),
    )
    world.order("A-1", 10_000, placed_at="2027-01-31T03:00:00Z")
    # Nobody settles: the clock is set behind the program's back, as if the worker were down.
    world.set_clock("2027-02-28T18:00:00Z")
    assert balance(world)["available"] == 0
    assert expiring(world) == []
    world.set_clock("2027-02-28T23:00:00Z")
    world.order("A-2", 5_000, placed_at="2027-02-28T22:00:00Z")
    told = [
        (one["kind"], one["points"], one["effective_at"], one["recorded_at"])
        for one in world.entries()
    ]
    assert told[1] == ("expire", 100, "2027-02-28T15:00:00Z", "2027-02-28T23:00:00Z")
    assert balance(world)["available"] == 50
    assert world.verify()["mismatches"] == []


def test_pending_points_become_available_at_the_same_local_time(make_world: MakeWorld) -> None:
    terms = {
        "pending": {"policy": "after", "duration": "P10D"},
        "expiry": {"policy": "after", "duration": "P1M"},
    }
    world = opened(make_world, "2027-03-01T03:30:00Z", points=kind(**terms))
    answer = world.order("A-1", 10_000, placed_at="2027-03-01T03:30:00Z")
    award = answer["earned"][0]
    assert (award["state"], award["available_at"]) == ("pending", "2027-03-11T03:30:00Z")
    # The term runs from availability: through 11 April, Seoul.
    assert award["expires_at"] == "2027-04-11T15:00:00Z"
    assert (balance(world)["available"], balance(world)["pending"]) == (0, 100)
    world.set_clock("2027-03-11T03:29:59Z")
    assert balance(world)["pending"] == 100
    go(world, "2027-03-11T03:30:00Z")
    assert (balance(world)["available"], balance(world)["pending"]) == (100, 0)
    assert [one["kind"] for one in world.entries()] == ["earn", "activate"]
    assert world.get("/orders/A-1")["earned"][0]["state"] == "available"
    assert world.verify()["mismatches"] == []


def test_points_on_fulfilment_wait_for_it(make_world: MakeWorld) -> None:
    terms = {
        "pending": {"policy": "on_fulfilled"},
        "expiry": {"policy": "after", "duration": "P1M"},
    }
    world = opened(make_world, "2027-03-01T03:00:00Z", points=kind(**terms))
    placed = {"placed_at": "2027-03-01T03:00:00Z"}
    award = world.order("A-1", 10_000, **placed)["earned"][0]
    assert (award["state"], award["available_at"], award["expires_at"]) == ("pending", None, None)
    world.set_clock("2027-03-05T03:00:00Z")
    done = world.order(
        "A-1", 10_000, **placed, status="fulfilled", fulfilled_at="2027-03-04T03:00:00Z"
    )
    award = done["earned"][0]
    assert (award["state"], award["available_at"]) == ("available", "2027-03-04T03:00:00Z")
    assert award["expires_at"] == "2027-04-04T15:00:00Z"
    assert balance(world)["available"] == 100
    assert world.verify()["mismatches"] == []


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


def test_inactivity_restarts_only_with_what_still_stands(make_world: MakeWorld) -> None:
    expiry = {"policy": "inactivity", "duration": "P6M", "activities": ["order"]}
    world = opened(make_world, "2027-01-10T03:00:00Z", points=kind(expiry=expiry))
    world.order("A-1", 10_000, placed_at="2027-01-10T03:00:00Z")
    assert expiring(world) == [("2027-07-10T15:00:00Z", 100)]
    go(world, "2027-05-01T03:00:00Z")
    world.order("A-2", 20_000, placed_at="2027-05-01T03:00:00Z")
    assert expiring(world) == [("2027-11-01T15:00:00Z", 300)]
    # A gift lives as long as the rest and prolongs nothing.
    go(world, "2027-06-01T03:00:00Z")
    world.post("/adjustments", {"member_ref": "mina", "points": 5, "reason": "gift"}, status=201)
    assert expiring(world)[0] == ("2027-11-01T15:00:00Z", 300)
    go(world, "2027-08-01T03:00:00Z")
    world.order("A-2", 20_000, placed_at="2027-05-01T03:00:00Z", status="cancelled")
    # Without it the points of January had ended in July; they end now.
    assert balance(world)["available"] == 5
    last = world.entries()[-1]
    assert (last["kind"], last["points"], last["effective_at"]) == (
        "expire",
        100,
        "2027-08-01T03:00:00Z",
    )
    assert world.verify()["mismatches"] == []


def test_a_rule_may_bring_terms_of_its_own(make_world: MakeWorld) -> None:
    bonus = {
        "do": "add_points",
        "points": 30,
        "expiry": {"policy": "after", "duration": "P10D"},
        "pending": {"policy": "after", "duration": "P1D"},
    }
    world = opened(
        make_world,
        "2027-01-10T03:00:00Z",
        earning={"rules": [rule("base", per_euro()), rule("bonus", bonus)]},
        points=kind(expiry={"policy": "after", "duration": "P12M"}),
    )
    answer = world.order("A-1", 10_000, placed_at="2027-01-10T03:00:00Z")
    assert [(one["points"], one["state"], one["expires_at"]) for one in answer["earned"]] == [
        (100, "available", "2028-01-10T15:00:00Z"),
        (30, "pending", "2027-01-21T15:00:00Z"),
    ]
    again = world.order("A-1", 10_000, placed_at="2027-01-10T03:00:00Z", status="cancelled")
    assert sum(one["points"] for one in again["reversed"]) == 130
    assert (balance(world)["available"], balance(world)["pending"]) == (0, 0)
    assert world.verify()["mismatches"] == []


def test_points_are_given_a_new_date_and_reinstated_by_adjustment(make_world: MakeWorld) -> None:
    world = opened(make_world, "2027-01-10T03:00:00Z")
    lot = {"member_ref": "mina", "reason": "parcel was late"}
    give(world, 100, "2027-02-01T15:00:00Z")
    lot_id = world.get(f"/entries/{world.entries()[0]['id']}")["lots"][0]["id"]
    world.post(
        "/adjustments",
        lot | {"points": 60, "lot_id": lot_id, "expires_at": "2027-06-01T15:00:00Z"},
        status=201,
    )
    assert expiring(world) == [("2027-02-01T15:00:00Z", 40), ("2027-06-01T15:00:00Z", 60)]
    go(world, "2027-03-01T03:00:00Z")
    assert balance(world)["available"] == 60
    world.post(
        "/adjustments",
        lot | {"points": 40, "lot_id": lot_id, "expires_at": "2027-04-01T15:00:00Z"},
        status=201,
    )
    assert expiring(world) == [("2027-04-01T15:00:00Z", 40), ("2027-06-01T15:00:00Z", 60)]
    assert world.verify()["mismatches"] == []
