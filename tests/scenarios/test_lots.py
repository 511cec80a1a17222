"""Lots: terms, pending, expiry and new dates as members see them (SEMANTICS C)."""

import itertools

import pytest

from tests.scenarios.ledgers import Holds, MakeWorld, balance, expiring, give, go, kind, opened
from tests.world import line, per_euro, rule


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


def test_a_redemption_keeps_points_alive_where_the_program_says_so(make_world: MakeWorld) -> None:
    expiry = {"policy": "inactivity", "duration": "P6M", "activities": ["order", "redemption"]}
    world = opened(make_world, "2027-01-10T03:00:00Z", points=kind(expiry=expiry))
    holds = Holds(world)
    world.order("A-1", 10_000, placed_at="2027-01-10T03:00:00Z")
    go(world, "2027-05-01T03:00:00Z")
    spent = holds.hold(10)
    holds.end(spent, "capture")
    assert expiring(world) == [("2027-11-01T15:00:00Z", 90)]
    # Given back, it is no activity any more.
    holds.end(spent, "reverse")
    assert expiring(world) == [("2027-07-10T15:00:00Z", 100)]
    assert world.verify()["mismatches"] == []


def test_an_order_that_changes_hands_no_longer_keeps_the_first_members_points(
    make_world: MakeWorld,
) -> None:
    expiry = {"policy": "inactivity", "duration": "P6M", "activities": ["order"]}
    world = opened(make_world, "2027-01-10T03:00:00Z", points=kind(expiry=expiry))
    world.order("A-1", 10_000, placed_at="2027-01-10T03:00:00Z")
    go(world, "2027-03-01T03:00:00Z")
    world.order("A-2", 20_000, placed_at="2027-03-01T03:00:00Z")
    assert expiring(world) == [("2027-09-01T15:00:00Z", 300)]
    world.order("A-2", 20_000, placed_at="2027-03-01T03:00:00Z", member_ref="jun")
    assert expiring(world) == [("2027-07-10T15:00:00Z", 100)]
    assert expiring(world, "jun") == [("2027-09-01T15:00:00Z", 200)]
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize("policy", ["strict", "grace"])
def test_what_a_refund_could_not_take_is_taken_when_it_comes_back_too_late(
    make_world: MakeWorld, policy: str
) -> None:
    world = opened(
        make_world,
        "2027-01-01T00:00:00Z",
        points=kind(expiry={"policy": "after", "duration": "P1M"}),
    )
    placed = {"placed_at": "2027-01-01T00:00:00Z"}
    holds = Holds(world)
    world.order("A-1", 10_000, **placed)
    spent = holds.hold(100)
    holds.end(spent, "capture")
    # 70 of the 100 spent are refunded: owed. The lot ends with 1 February.
    world.order("A-1", 10_000, **placed, refunded_minor=7_000)
    go(world, "2027-03-01T00:00:00Z")
    holds.end(spent, "reverse", policy=policy)
    # 70 are taken at once; the other 30 are over, or live through 15 March by grace.
    by_grace = [("2027-03-15T15:00:00Z", 30)] if policy == "grace" else []
    assert expiring(world) == by_grace
    assert balance(world)["available"] == sum(points for _, points in by_grace)
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize("end", ["release", "reverse"])
def test_a_deficit_takes_what_expires_soonest_of_points_that_come_back(
    make_world: MakeWorld, end: str
) -> None:
    world = opened(make_world, "2027-01-01T00:00:00Z", points=kind(return_policy="unlimited"))
    placed = {"placed_at": "2027-01-01T00:00:00Z"}
    holds = Holds(world)
    give(world, 100, "2027-03-31T15:00:00Z")
    give(world, 100, "2027-12-31T15:00:00Z")
    held = holds.hold(200)
    if end == "reverse":
        holds.end(held, "capture")
    world.order("A-1", 5_000, **placed)
    holds.end(holds.hold(50), "capture")
    world.order("A-1", 5_000, **placed, status="cancelled")
    assert balance(world)["available"] == -50
    # 50 of the 200 that come back are gone: of March, as with any spending.
    holds.end(held, end)
    assert balance(world)["available"] == 150
    assert expiring(world) == [("2027-03-31T15:00:00Z", 50), ("2027-12-31T15:00:00Z", 100)]
    assert world.verify()["mismatches"] == []


def test_points_that_had_ended_are_not_revived_by_what_came_after(make_world: MakeWorld) -> None:
    expiry = {"policy": "inactivity", "duration": "P3M", "activities": ["order"]}
    world = opened(make_world, "2027-01-01T03:00:00Z", points=kind(expiry=expiry))
    holds = Holds(world)
    world.order("A", 10_000, placed_at="2027-01-01T03:00:00Z")
    held = holds.hold(100, minutes=60 * 24 * 365)
    # Their term ended with 1 April while they were held; the order of May does not prolong it.
    go(world, "2027-05-01T03:00:00Z")
    world.order("B", 100, placed_at="2027-05-01T03:00:00Z")
    holds.end(held, "release")
    assert expiring(world) == [("2027-08-01T15:00:00Z", 1)]
    assert world.verify()["mismatches"] == []


def test_a_term_of_inactivity_goes_along_with_a_transfer(make_world: MakeWorld) -> None:
    expiry = {"policy": "inactivity", "duration": "P3M", "activities": ["order"]}
    world = opened(make_world, "2027-01-01T03:00:00Z", points=kind(expiry=expiry))
    world.order("A", 10_000, placed_at="2027-01-01T03:00:00Z")
    go(world, "2027-03-01T03:00:00Z")
    world.order("B", 10_000, placed_at="2027-03-01T03:00:00Z")
    body = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 100}
    world.post("/transfers", body, status=201)
    assert expiring(world, "jun") == [("2027-06-01T15:00:00Z", 100)]
    # An order of Jun's that does not count changes nothing, one that stands prolongs.
    go(world, "2027-05-01T03:00:00Z")
    more = {"member_ref": "jun", "placed_at": "2027-05-01T03:00:00Z"}
    world.order("C", 100, **more, status="pending")
    assert expiring(world, "jun") == [("2027-06-01T15:00:00Z", 100)]
    world.order("C", 100, **more)
    assert expiring(world, "jun") == [("2027-08-01T15:00:00Z", 101)]
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize("arrival", list(itertools.permutations((1, 2, 3, 4))))
def test_what_waits_for_fulfilment_is_as_the_newest_snapshot_says(
    make_world: MakeWorld, arrival: tuple[int, ...]
) -> None:
    status = {1: "paid", 2: "fulfilled", 3: "cancelled", 4: "paid"}
    world = opened(
        make_world,
        "2027-03-01T03:00:00Z",
        points=kind(
            pending={"policy": "on_fulfilled"},
            expiry={"policy": "after", "duration": "P1M", "notify": ["P3D"]},
        ),
    )
    placed = {"placed_at": "2027-03-01T03:00:00Z"}
    for revision in arrival:
        told = world.order("A-1", 10_000, **placed, status=status[revision], revision=revision)
    assert world.verify()["mismatches"] == []
    place = {revision: arrival.index(revision) for revision in arrival}
    if place[2] < place[4] < place[3]:
        # It was seen fulfilled, and nobody saw it cancelled: it stays fulfilled.
        assert (balance(world)["available"], balance(world)["pending"]) == (100, 0)
        return
    assert (balance(world)["available"], balance(world)["pending"]) == (0, 100)
    award = told["earned"][0]
    assert (award["state"], award["available_at"], award["expires_at"]) == ("pending", None, None)
    # Fulfilled later, they become available then, whichever way they came.
    go(world, "2027-03-05T03:00:00Z")
    world.order("A-1", 10_000, **placed, status="fulfilled", revision=5)
    assert balance(world)["available"] == 100
    assert expiring(world) == [("2027-04-05T15:00:00Z", 100)]
    assert world.verify()["mismatches"] == []


def test_what_was_fulfilled_stays_available_while_nothing_was_taken(
    make_world: MakeWorld,
) -> None:
    world = opened(
        make_world, "2027-03-01T03:00:00Z", points=kind(pending={"policy": "on_fulfilled"})
    )
    placed = {"placed_at": "2027-03-01T03:00:00Z"}
    for status in ("paid", "fulfilled", "paid"):
        world.order("A-1", 10_000, **placed, status=status)
    assert (balance(world)["available"], balance(world)["pending"]) == (100, 0)
    # Taken back in part, it is no other: what is left stays available.
    world.order("A-1", line("1", 10_000, refunded_minor=4_000), **placed)
    world.order("A-1", 10_000, **placed)
    assert (balance(world)["available"], balance(world)["pending"]) == (100, 0)
    assert world.verify()["mismatches"] == []


def test_what_was_spent_of_a_fulfilled_order_is_not_pending_again(make_world: MakeWorld) -> None:
    world = opened(
        make_world, "2027-03-01T03:00:00Z", points=kind(pending={"policy": "on_fulfilled"})
    )
    placed = {"placed_at": "2027-03-01T03:00:00Z"}
    world.order("A-1", 10_000, **placed, status="fulfilled")
    spending = Holds(world)
    spending.end(spending.hold(30), "capture")
    world.order("A-1", 10_000, **placed, status="cancelled")
    world.order("A-1", 10_000, **placed)
    # 30 are spent and were never taken back: the lot stays what it is.
    assert (balance(world)["available"], balance(world)["pending"]) == (70, 0)
    assert world.verify()["mismatches"] == []
