"""Redemptions over HTTP: held, then captured, released or run out, once; then perhaps reversed."""

from typing import Any

import pytest

from tests.scenarios.ledgers import MakeWorld, expiring, give, go, opened
from tests.scenarios.redeeming import (
    CART,
    FIVE,
    LATER,
    NOON,
    Till,
    messages,
    numbers,
    opened_till,
    reward,
)


@pytest.fixture
def till(make_world: MakeWorld) -> Till:
    """A program whose clock stands at noon, where Mina has 1,000 points and Jun has 100."""
    return opened_till(make_world)


def test_a_reward_is_held_and_captured(till: Till) -> None:
    world = till.world
    headers = {"Idempotency-Key": "first", "Dangol-Actor": "desk 7"}
    response = world.call("POST", "/redemptions", till.body("five"), headers=headers)
    assert response.status_code == 201
    held = response.json["redemption"]
    assert held == {
        "id": held["id"],
        "member_ref": "mina",
        "reward": "five",
        "kind": "discount_amount",
        "state": "held",
        "points_key": "points",
        "points": 100,
        "points_returned": 0,
        "discount": {"kind": "discount_amount", "minor": 500},
        "voucher": None,
        "cart_ref": None,
        "order_ref": None,
        "held_at": NOON,
        "expires_at": LATER,
        "captured_at": None,
        "ended_at": None,
        "cost_minor": 400,
        "discount_minor": None,
        "actor": "desk 7",
        "reason": None,
    }
    [shown] = response.json["balances"]
    assert (shown["available"], shown["held"]) == (900, 100) == numbers(world)
    go(world, "2026-03-01T12:10:00Z")
    captured = till.done("capture", held["id"], {"order_ref": "A-1"})
    changed = {"state": "captured", "order_ref": "A-1", "captured_at": "2026-03-01T12:10:00Z"}
    assert captured == held | changed == world.get(f"/redemptions/{held['id']}")
    assert numbers(world) == (900, 0)
    assert [one["kind"] for one in world.entries()] == ["adjust", "hold", "capture"]
    assert world.verify()["mismatches"] == []


#: What is done one after the other, how the last of it is answered, and the state afterwards.
ENDS: list[tuple[str, int, str]] = [
    ("capture capture", 200, "captured"),
    ("capture release", 409, "captured"),
    ("capture wait capture", 200, "captured"),
    ("release release", 200, "released"),
    ("release capture", 409, "released"),
    ("release reverse", 409, "released"),
    ("release wait release", 200, "released"),
    ("reverse", 409, "held"),
    ("wait capture", 409, "expired"),
    ("wait release", 409, "expired"),
    ("wait reverse", 409, "expired"),
    ("capture reverse reverse", 200, "reversed"),
    ("capture reverse capture", 409, "reversed"),
    ("capture reverse release", 409, "reversed"),
]


@pytest.mark.parametrize("key", ["five", "free"])
@pytest.mark.parametrize(("steps", "status", "state"), ENDS)
def test_of_several_ends_one_is_had(
    till: Till, steps: str, status: int, state: str, key: str
) -> None:
    redemption_id = till.hold(key)["id"]
    response: Any = None
    for step in steps.split():
        if step == "wait":
            # Nobody has written that its time is over.
            till.world.set_clock(LATER)
        else:
            response = till.end(step, redemption_id)
    assert response.status_code == status, response.json
    if status == 409:
        assert (response.json["code"], response.json["state"]) == ("state_conflict", state)
    assert till.state(redemption_id) == state
    cost = 100 if key == "five" else 0
    available = 1000 - cost if state in ("held", "captured") else 1000
    assert numbers(till.world) == (available, cost if state == "held" else 0)
    assert till.world.verify()["mismatches"] == []


def test_what_runs_out_is_free_when_read_and_written_by_the_clock(till: Till) -> None:
    world = till.world
    held = [till.hold("five", ttl="PT10M")["id"], till.hold("free", ttl="PT20M")["id"]]
    world.set_clock("2026-03-01T12:25:00Z")
    assert [till.state(one) for one in held] == ["expired", "expired"]
    assert numbers(world) == (1000, 0)
    assert [name for name, _ in messages(world)] == ["redemption.held"] * 2
    go(world, LATER)
    assert [name for name, _ in messages(world)] == ["redemption.held"] * 2 + [
        "redemption.expired"
    ] * 2
    ends = [world.get(f"/redemptions/{one}")["ended_at"] for one in held]
    assert ends == ["2026-03-01T12:10:00Z", "2026-03-01T12:20:00Z"]
    assert [one["kind"] for one in world.entries()] == ["adjust", "hold", "release"]
    assert world.entries()[-1]["effective_at"] == "2026-03-01T12:10:00Z"
    assert world.verify()["mismatches"] == []


def test_a_clock_that_passes_them_ends_each_hold_at_its_time(till: Till) -> None:
    held = [till.hold(key, ttl="PT45M")["id"] for key in ("free", "five")]
    go(till.world, "2026-03-08T00:00:00Z")
    for redemption_id in held:
        found = till.world.get(f"/redemptions/{redemption_id}")
        assert (found["state"], found["ended_at"]) == ("expired", "2026-03-01T12:45:00Z")


@pytest.mark.parametrize(
    ("ttl", "ends_at"),
    [
        ("PT1M", "2026-03-01T12:01:00Z"),
        ("PT90M", "2026-03-01T13:30:00Z"),
        ("P1D", "2026-03-02T12:00:00Z"),
        ("P7D", "2026-03-08T12:00:00Z"),
    ],
)
def test_it_is_held_as_long_as_asked(till: Till, ttl: str, ends_at: str) -> None:
    assert till.hold("five", ttl=ttl)["expires_at"] == ends_at


@pytest.mark.parametrize("ttl", ["PT59S", "P7DT1S", "P8D", "P1M", "PT30", 1800])
def test_other_times_are_refused(till: Till, ttl: Any) -> None:
    refused = till.refused("five", ttl=ttl)
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("validation_failed", "/ttl")


def test_a_repeated_request_is_answered_as_it_was(till: Till) -> None:
    first, again = (till.ask("/redemptions", till.body("five"), key="same") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_data() == again.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert numbers(till.world) == (900, 100)
    missing = till.world.call("POST", "/redemptions", till.body("five"))
    assert missing.json["code"] == "idempotency_key_missing"
    redemption_id = first.json["redemption"]["id"]
    once, twice = (till.ask(f"/redemptions/{redemption_id}/release", key="r") for _ in range(2))
    assert once.get_data() == twice.get_data()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"pay_with_points": {"points": 100}}, ""),
        ({"reward": None}, "/reward"),
        ({"points": 100}, "/points"),
        ({"cart": {"currency": "EUR", "lines": []}}, "/cart/lines"),
        ({"cart": CART | {"discount_minor": 4001}}, "/cart/discount_minor"),
        ({"grant_id": 5}, "/grant_id"),
        ({"cart_ref": ""}, "/cart_ref"),
    ],
)
def test_a_wrong_body_is_refused(till: Till, change: dict[str, Any], pointer: str) -> None:
    refused = till.refused("five", **change)
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("validation_failed", pointer)


def test_a_hold_is_of_something(till: Till) -> None:
    for body in ({"member_ref": "mina"}, till.body(100, grant_id="grt_1")):
        assert till.ask("/redemptions", body).json["code"] == "validation_failed"


def test_what_does_not_exist_is_not_found(till: Till) -> None:
    assert till.ask("/redemptions", till.body("five", "nobody")).json["code"] == "not_found"
    unknown = till.refused("ten")
    assert (unknown["code"], "reward ten" in unknown["detail"]) == ("not_found", True)
    assert till.refused("five", grant_id="grt_1")["code"] == "not_found"
    for redemption_id in ("rdm_01h455vb4pex5vsknk084sn02q", "rdm_1", "five"):
        assert till.world.call("GET", f"/redemptions/{redemption_id}").status_code == 404
        for how in ("capture", "release", "reverse"):
            assert till.end(how, redemption_id).status_code == 404


def test_a_reversal_says_why(till: Till) -> None:
    redemption_id = till.hold("five")["id"]
    till.done("capture", redemption_id)
    for body in ({}, {"reason": "  "}, {"reason": "x", "policy": "kind"}):
        assert till.end("reverse", redemption_id, body).status_code == 422
    assert till.done("reverse", redemption_id, {"reason": "arrived broken"})["reason"] == (
        "arrived broken"
    )
    assert till.done("reverse", redemption_id, {"reason": "again"})["reason"] == "arrived broken"


@pytest.mark.parametrize(
    ("policy", "dated"),
    [
        ("strict", [("2026-12-30T15:00:00Z", 200)]),
        # The midnight in Seoul that ends 3 April, 14 days after 20 March.
        ("grace", [("2026-04-03T15:00:00Z", 100), ("2026-12-30T15:00:00Z", 200)]),
    ],
)
def test_points_go_back_to_their_lots(
    make_world: MakeWorld, policy: str, dated: list[tuple[str, int]]
) -> None:
    # SEMANTICS C20.
    world = opened(make_world, NOON, rewards=[reward("gift", cost_points=150)])
    till = Till(world)
    give(world, 100, "2026-03-10T15:00:00Z")
    give(world, 200, "2026-12-30T15:00:00Z")
    redemption_id = till.hold("gift")["id"]
    till.done("capture", redemption_id)
    assert expiring(world) == [("2026-12-30T15:00:00Z", 150)]
    go(world, "2026-03-20T12:00:00Z")
    till.done("reverse", redemption_id, {"reason": "broken", "policy": policy})
    assert expiring(world) == dated
    assert world.verify()["mismatches"] == []


def test_a_hold_outlives_the_date_of_its_points(make_world: MakeWorld) -> None:
    # SEMANTICS C19, at the midnight of Seoul that ends 1 March.
    for how, after in (("capture", (0, 0)), ("release", (0, 0))):
        world = opened(make_world, "2026-03-01T14:50:00Z", rewards=[FIVE])
        till = Till(world)
        give(world, 100, "2026-03-01T15:00:00Z")
        redemption_id = till.hold("five")["id"]
        go(world, "2026-03-01T15:10:00Z")
        assert numbers(world) == (0, 100)
        till.done(how, redemption_id)
        assert numbers(world) == after
        kinds = [one["kind"] for one in world.entries()]
        assert kinds[2:] == (["capture"] if how == "capture" else ["release", "expire"])
        assert world.verify()["mismatches"] == []


def test_terms_are_those_of_the_hold(till: Till) -> None:
    world = till.world
    redemption_id = till.hold("five", ttl="P1D")["id"]
    world.publish(rewards=[reward("five", cost_points=900, value={"minor": 1}, state="paused")])
    held = world.get(f"/redemptions/{redemption_id}")
    assert (held["points"], held["discount"]["minor"], held["cost_minor"]) == (100, 500, 400)
    world.publish(rewards=[])
    till.done("capture", redemption_id)
    assert numbers(world) == (900, 0)
    assert till.done("reverse", redemption_id)["discount"]["minor"] == 500
    assert numbers(world) == (1000, 0)


def test_an_order_that_captured_it_is_the_only_one(till: Till) -> None:
    redemption_id = till.hold("five")["id"]
    till.done("capture", redemption_id)
    # Told afterwards by which order it was.
    assert till.done("capture", redemption_id, {"order_ref": "A-1"})["order_ref"] == "A-1"
    assert till.done("capture", redemption_id)["order_ref"] == "A-1"
    refused = till.end("capture", redemption_id, {"order_ref": "A-2"})
    assert (refused.status_code, refused.json["state"]) == (409, "captured")


def test_a_capture_is_an_activity_that_keeps_points_alive(make_world: MakeWorld) -> None:
    terms = {"policy": "inactivity", "duration": "P12M", "activities": ["redemption"]}
    world = opened(make_world, NOON, rewards=[FIVE], points=[{"key": "points", "expiry": terms}])
    till = Till(world)
    world.order("A-1", 30_000)
    assert expiring(world) == [("2027-03-01T15:00:00Z", 300)]
    go(world, "2026-06-01T12:00:00Z")
    redemption_id = till.hold("five")["id"]
    assert expiring(world)[0][0] == "2027-03-01T15:00:00Z"
    till.done("capture", redemption_id)
    assert expiring(world) == [("2027-06-01T15:00:00Z", 200)]
    till.done("reverse", redemption_id)
    assert expiring(world) == [("2027-03-01T15:00:00Z", 300)]
    assert world.verify()["mismatches"] == []
