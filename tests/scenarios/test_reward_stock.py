"""Stock of rewards: taken by holds, free again with them, moved by hand (SEMANTICS E34)."""

from typing import Any

import pytest

from tests.scenarios.ledgers import MakeWorld, give, go, opened
from tests.scenarios.redeeming import Till, reward

NOON = "2026-03-01T12:00:00Z"


def till_of(make_world: MakeWorld, **changes: Any) -> Till:
    """A program with one mug in stock, for 100 points, and two members with 1,000."""
    mug = reward("mug", kind="custom", value={}, stock=1) | changes
    world = opened(make_world, NOON, rewards=[mug, reward("endless")])
    for ref in ("mina", "jun"):
        give(world, 1000, None, ref)
    return Till(world)


def test_of_one_left_the_second_is_refused(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    assert till.stock("mug") == (1, 0, 1)
    till.hold("mug")
    refused = till.refused("mug", "jun")
    assert (refused["status"], refused["code"]) == (409, "out_of_stock")
    assert till.stock("mug") == (1, 1, 0)
    till.hold("endless", "jun")
    assert till.world.verify()["mismatches"] == []


@pytest.mark.parametrize("cost", [100, 0])
def test_it_is_free_again_with_what_took_it(make_world: MakeWorld, cost: int) -> None:
    till = till_of(make_world, cost_points=cost)
    held = till.hold("mug")["id"]
    till.done("release", held)
    assert till.stock("mug") == (1, 0, 1)
    captured = till.hold("mug", "jun")["id"]
    till.done("capture", captured)
    assert till.refused("mug")["code"] == "out_of_stock"
    till.done("reverse", captured)
    till.hold("mug")
    assert till.stock("mug") == (1, 1, 0)
    # Repeating an end gives nothing back twice.
    till.done("release", held)
    till.done("reverse", captured)
    assert till.stock("mug") == (1, 1, 0)
    assert till.world.verify()["mismatches"] == []


@pytest.mark.parametrize("cost", [100, 0])
def test_a_hold_that_times_out_frees_it_though_no_worker_ran(
    make_world: MakeWorld, cost: int
) -> None:
    till = till_of(make_world, cost_points=cost)
    ran_out = till.hold("mug", ttl="PT10M")["id"]
    till.world.set_clock("2026-03-01T12:09:59Z")
    assert till.refused("mug", "jun")["code"] == "out_of_stock"
    till.world.set_clock("2026-03-01T12:10:00Z")
    held = till.hold("mug", "jun")["id"]
    assert (till.state(ran_out), till.state(held)) == ("expired", "held")
    assert till.end("capture", ran_out).json["state"] == "expired"
    assert till.stock("mug") == (1, 1, 0)
    assert till.world.verify()["mismatches"] == []


def test_the_clock_frees_it(make_world: MakeWorld) -> None:
    till = till_of(make_world, stock=3)
    for ref in ("mina", "jun"):
        till.hold("mug", ref, ttl="PT10M")
    till.hold("mug", ttl="PT20M")
    go(till.world, "2026-03-01T12:15:00Z")
    assert till.stock("mug") == (3, 1, 2)


def test_the_last_one_can_be_held_anew_for_its_cart(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    first = till.hold("mug", cart_ref="C-1")["id"]
    second = till.hold("mug", cart_ref="C-1")["id"]
    assert (till.state(first), till.state(second)) == ("released", "held")
    assert till.stock("mug") == (1, 1, 0)
    assert till.refused("mug", cart_ref="C-2")["code"] == "out_of_stock"


def test_stock_is_moved_by_hand(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    till.hold("mug")
    assert till.move("mug", 2).json == {"reward": "mug", "total": 3, "used": 1, "left": 2}
    till.hold("mug")
    # Fewer than are taken: none is left, and nobody's is taken back.
    assert till.move("mug", -2).json == {"reward": "mug", "total": 1, "used": 2, "left": 0}
    assert till.refused("mug")["code"] == "out_of_stock"
    refused = till.move("mug", -2)
    assert (refused.status_code, refused.json["code"]) == (409, "state_conflict")
    assert till.stock("mug") == (1, 2, 0)
    assert till.world.verify()["mismatches"] == []


def test_the_number_in_the_document_is_only_the_first(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    till.hold("mug")
    mug = reward("mug", kind="custom", value={}, stock=500)
    till.world.publish(rewards=[mug])
    assert till.stock("mug") == (1, 1, 0)
    till.world.publish(rewards=[mug | {"stock": None}])
    assert till.stock("mug") == (None, 1, None)
    till.hold("mug")
    assert till.move("mug", 1).json["state"] == "unlimited"


def test_a_reward_that_never_moved_has_what_the_document_says_now(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    till.world.publish(rewards=[reward("mug", kind="custom", value={}, stock=7)])
    assert till.stock("mug") == (7, 0, 7)
    assert till.move("mug", -2).json["total"] == 5


def test_moves_are_kept_and_listed(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    headers = {"Idempotency-Key": "m", "Dangol-Actor": "store room"}
    body = {"change": 3, "reason": "delivered"}
    for _ in range(2):
        till.world.call("POST", "/rewards/mug/stock", body, headers=headers)
    till.move("mug", -1)
    page = till.world.get("/rewards/mug/stock?limit=1")
    assert [(one["change"], one["total_after"], one["actor"]) for one in page["data"]] == [
        (-1, 3, None)
    ]
    last = till.world.get(f"/rewards/mug/stock?limit=1&cursor={page['next_cursor']}")
    [first] = last["data"]
    assert first == {
        "id": first["id"],
        "change": 3,
        "total_after": 4,
        "reason": "delivered",
        "actor": "store room",
        "recorded_at": NOON,
    }
    assert last["next_cursor"] is None


def test_what_has_no_stock_has_none_to_move(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    assert till.stock("endless") == (None, 0, None)
    assert till.move("endless", 5).json["state"] == "unlimited"
    assert till.move("unknown", 5).status_code == 404
    assert till.world.call("GET", "/rewards/unknown/stock").status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"change": 0}, "/change"),
        ({"change": 1.5}, "/change"),
        ({"change": 10**9 + 1}, "/change"),
        ({"reason": " "}, "/reason"),
        ({"total": 5}, "/total"),
    ],
)
def test_a_wrong_move_is_refused(
    make_world: MakeWorld, change: dict[str, Any], pointer: str
) -> None:
    till = till_of(make_world)
    response = till.ask("/rewards/mug/stock", {"change": 1, "reason": "counted"} | change)
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == pointer
    assert till.stock("mug") == (1, 0, 1)


def test_a_reward_taken_out_of_the_document_is_no_more_for_that(make_world: MakeWorld) -> None:
    till = till_of(make_world)
    lapsed = till.hold("mug", ttl="PT10M")["id"]
    till.world.set_clock("2026-03-01T13:00:00Z")
    till.done("capture", till.hold("mug", "jun")["id"])
    till.world.publish(rewards=[reward("endless")])
    told = till.world.order("A-1", 4000, redemptions=[lapsed])
    assert [one["code"] for one in told["problems"]] == ["out_of_stock"]
    assert till.state(lapsed) == "expired"
    assert till.stock("mug") == (1, 1, 0)
    # One more comes, and it is had on its old terms.
    mug = reward("mug", kind="custom", value={}, stock=1)
    till.world.publish(rewards=[mug, reward("endless")])
    assert till.move("mug", 1).status_code == 200
    till.world.publish(rewards=[reward("endless")])
    told = till.world.order("A-2", 4000, redemptions=[lapsed])
    assert (told["problems"], till.state(lapsed)) == ([], "captured")
    assert till.stock("mug") == (2, 2, 0)
    assert till.world.verify()["mismatches"] == []
