"""Decisions taken back with all that hung on them; and what was cleared, which is asked once."""

from typing import Any

from tests.contract.checking import problem
from tests.scenarios.attributing import Make, offer
from tests.scenarios.attributing import state as told_state
from tests.scenarios.befriending import fixed, go_to
from tests.scenarios.suspecting import (
    HOME,
    SAME_HOME,
    START,
    befriend,
    buy,
    decide,
    decided,
    find,
    sides,
    state,
)
from tests.world import World

NOON = "2026-01-01T12:00:00Z"
LADDER = {
    "basis": {"metric": "referrals"},
    "levels": [{"key": "helper", "enter_at": 1}, {"key": "champion", "enter_at": 2}],
}


def standing(world: World) -> tuple[str, int, int]:
    """Mina's level, her progress by friends, and her points."""
    [one] = world.get("/members/mina/tier")["progress"]
    return world.tier()["key"], one["value"], world.balance("mina")


def test_undone_rejections_give_milestones_and_levels_back(make_world: Make) -> None:
    promised = offer(milestones=[{"at": 2, "effects": [fixed(1000)]}])
    world = make_world(tiers=LADDER, earning={"rules": []}, referral_offers=[promised])
    world.set_clock(START)
    world.member("mina")
    for ref in ("noa", "nia"):
        befriend(world, ref)
        buy(world, ref, at=START)
    # 500 for each friend, 1,000 for both.
    reached, fallen = ("champion", 2, 2000), ("helper", 1, 500)
    assert standing(world) == reached
    for action in ("reject", "block"):
        more = {"who": "friend"} if action == "block" else {}
        assert decided(world, "nia", action, **more)["counts"] is False
        assert standing(world) == fallen
        back = decided(world, "nia", "undo")
        assert (state(back), back["counts"]) == (("approved", None), True)
        assert standing(world) == reached
    # Refunded meanwhile, it does not stand again, whatever is undone.
    decided(world, "nia", "reject")
    buy(world, "nia", at=START, status="cancelled", cancelled_at=START)
    assert decided(world, "nia", "undo")["counts"] is False
    assert standing(world) == fallen
    buy(world, "nia", at=START)
    assert standing(world) == reached
    assert world.verify()["mismatches"] == []


def test_undone_before_anything_qualified_it_waits_as_it_did(make_world: Make) -> None:
    world = make_world(
        earning={"rules": []}, referral_offers=[offer(friend_at="signup", hold="P14D")]
    )
    world.set_clock(START)
    world.member("mina", visitor=HOME)
    assert told_state(befriend(world, "noa", visitor=SAME_HOME)) == ("in_review", None)
    decided(world, "noa", "approve")
    world.set_clock(NOON)
    # An order comes between, and is held.
    assert told_state(buy(world, "noa", at=NOON)) == ("on_hold", None)
    assert world.balance("noa") == 300
    undone = decided(world, "noa", "undo")
    assert (state(undone), sides(undone)["friend"]) == (("in_review", None), "clawed_back")
    assert [undone[name] for name in ("qualified_at", "hold_until", "order_ref", "due_at")] == (
        [None] * 4
    )
    assert world.balance("noa") == 0
    assert [one["id"] for one in world.get("/referrals?state=in_review")["data"]] == [undone["id"]]
    # The hold would be over: it waits for a reviewer all the same, and is paid at once then.
    go_to(world, "2026-01-16T00:00:00Z")
    assert state(find(world, "noa")) == ("in_review", None)
    assert state(decided(world, "noa", "approve")) == ("approved", None)
    assert (world.balance("mina"), world.balance("noa")) == (500, 300)
    assert world.verify()["mismatches"] == []


def test_what_was_cleared_is_not_asked_again_for_having_bought_soon(make_world: Make) -> None:
    world = make_world(
        earning={"rules": []},
        referral_offers=[
            offer(
                friend_at="signup",
                hold="P14D",
                review={"timeout": "P1D", "timeout_action": "reject"},
            )
        ],
    )
    world.set_clock(START)
    world.member("mina", visitor=HOME)
    for ref in ("noa", "nia", "nel"):
        befriend(world, ref, visitor=SAME_HOME)
        if ref != "nel":
            assert decided(world, ref, "approve")["cleared_bp"] == 5125
    # Each buys within the hour: 1 - 0.75 x 0.65 x 0.85. Nia is seen with Mina's device besides.
    for ref in ("noa", "nia"):
        assert told_state(buy(world, ref, at=START)) == ("on_hold", None)
    # Cleared once is cleared: approving again says so, trusting says more.
    conflict = problem(decide(world, "noa", "approve"), 409, "state_conflict")
    assert conflict["state"] == "on_hold"
    assert "cleared already" in conflict["detail"] and "in_review" in conflict["detail"]
    device: dict[str, Any] = {"visitor": {"device": "D-1"}}
    world.put("/members/mina", device)
    world.put("/members/nia", device)
    go_to(world, "2026-01-15T00:00:00Z")
    noa, nia, nel = (find(world, ref) for ref in ("noa", "nia", "nel"))
    assert (state(noa), noa["score_bp"]) == (("approved", None), 5856)
    assert state(nia) == ("in_review", None)
    # Nobody looked at Nel: time did, and the log says so.
    assert state(nel) == ("rejected", "MANUAL")
    assert [one["cause"] for one in nel["transitions"] if one["action"] == "timeout"] == ["time"]
