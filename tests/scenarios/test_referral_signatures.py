"""Decisions that come too late: after a merge, and after what was signed has grown."""

from typing import Any

from tests.contract.checking import problem
from tests.scenarios.attributing import Make, offer, shop
from tests.scenarios.suspecting import befriend, buy, decide, decided, find, state, weights
from tests.scenarios.test_referral_review import NOON, balances, suspected
from tests.world import World


def test_what_was_merged_since_is_not_undone(make_world: Make) -> None:
    world = shop(make_world, offer())
    for friend, by in (("noa", "mina"), ("nia", "jun"), ("ned", "mina")):
        befriend(world, friend, by=by)
        world.set_clock(NOON)
        buy(world, friend, at=NOON)
        assert state(decided(world, friend, "reject")) == ("rejected", "MANUAL")
    ids = {ref: find(world, ref)["id"] for ref in ("noa", "nia", "ned")}
    # Noa is Mina, by now; Nia is Ned, who keeps the older referral.
    world.post("/members/noa/merge", {"into_member_ref": "mina"})
    world.post("/members/ned/merge", {"into_member_ref": "nia"})
    before = balances(world, "nia")
    for ref, referral_id in ids.items():
        path = f"/referrals/{referral_id}"
        for action in ("undo", "approve", "trust"):
            headers = {"Idempotency-Key": f"{ref}-{action}", "Dangol-Actor": "Ada"}
            answer = world.call("POST", f"{path}/{action}", {"reason": "x"}, headers=headers)
            if ref == "nia":
                # Nothing was done to it: what was decided of Nia may be taken back.
                assert answer.status_code == (200 if action == "undo" else 409)
                continue
            problem(answer, 409, "state_conflict")
        assert world.get(path)["state"] == ("approved" if ref == "nia" else "rejected")
    assert balances(world, "nia") == (before[0], before[1] + 300)
    assert world.balance("jun") == 500
    assert world.verify()["mismatches"] == []


def test_signatures_are_of_people_and_of_what_they_saw(make_world: Make) -> None:
    # A tenth of the order for Mina, a point each 0.01: one may approve 20.00 of it.
    tenth = {"do": "points_per_amount", "points": 1, "per_minor": 10}
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]
    review = {"four_eyes_above_minor": 2_000, "timeout": "P1D"}

    def dear(**changes: Any) -> World:
        return make_world(points=points, earning={"rules": []}, **changes)

    more: dict[str, Any] = {"advocate": [tenth], "friend": [], "hold": "P14D", "review": review}
    world = suspected(dear, "noa", "nia", "nel", "ned", **more)
    # Alone she clears 10.00 of Noa's order and of Nia's, and trusts Nel.
    for friend in ("noa", "nia"):
        assert decided(world, friend, "approve")["cleared_bp"] == 5125
    assert decided(world, "nel", "trust")["cleared_bp"] == 1
    # Of 50.00 each, Noa's and Nel's, and Ned's that nobody has looked at; 20.00 of Nia's.
    for friend, minor in (("noa", 50_000), ("nia", 20_000), ("nel", 50_000), ("ned", 50_000)):
        buy(world, friend, minor, at=NOON)
    # Trusting without the second signature trusts nobody.
    first = decided(world, "ned", "trust", by="Ada")
    assert (first["cleared_bp"], weights(first)) == (0, {"ip_prefix": 2500, "user_agent": 3500})
    assert [one["cost_minor"] for one in first["approvals"]] == [5_000]
    world.post("/test-clock", {"now": "2026-01-15T12:00:00Z"})
    waiting = ("in_review", None)
    found = {ref: find(world, ref) for ref in ("noa", "nia", "nel", "ned")}
    assert {ref: state(one) for ref, one in found.items()} == {
        "noa": waiting,
        "nia": ("approved", None),
        "nel": waiting,
        "ned": waiting,
    }
    assert world.balance("mina") == 2_000
    # Time alone does not sign: what one may not approve, nobody does.
    world.post("/test-clock", {"now": "2026-01-20T12:00:00Z"})
    for ref in ("noa", "nel", "ned"):
        one = find(world, ref)
        assert (state(one), one["due_at"]) == (waiting, None)
    # A name is one, however it is written.
    for name in ("ada", "ADA"):
        problem(decide(world, "ned", "approve", by=name), 409, "state_conflict")
    assert state(decided(world, "ned", "trust", by="Bo")) == ("approved", None)
    assert weights(find(world, "ned")) == {"ip_prefix": 0, "user_agent": 0}
    # It costs more than the first of two saw: she must see it again.
    assert state(decided(world, "noa", "approve", by="Ada")) == waiting
    buy(world, "noa", 60_000, at=NOON)
    assert state(decided(world, "noa", "approve", by="Bo")) == waiting
    assert state(decided(world, "noa", "approve", by="ada")) == ("approved", None)
    assert world.balance("mina") == 2_000 + 5_000 + 6_000
    assert world.verify()["mismatches"] == []
