"""What the list of rewards says of holds, limits, stock and grants, all of it read at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.contract.checking import problem
from tests.scenarios.reward_lists import TIERS, codes, listed, opened, reward
from tests.world import World

Make = Callable[..., World]


@pytest.fixture
def shop(make_world: Make) -> Make:
    """Opens a program with the rewards it is given."""
    return partial(opened, make_world)


def held(world: World, key: str, **more: Any) -> Any:
    body = {"member_ref": "mina", "reward": key} | more
    return world.post("/redemptions", body, status=201)["redemption"]


def test_what_is_held_takes_of_stock_and_limits_until_its_time_is_over(
    shop: Callable[..., World],
) -> None:
    limits = [{"per": "member", "period": "ever", "times": 1}]
    world = shop(
        reward("last", stock=1),
        reward("once", limits=limits),
        reward("few", limits=[{"per": "program", "period": "ever", "times": 1}]),
    )
    assert listed(world)["last"]["stock_left"] == 1
    for key in ("last", "once"):
        held(world, key, ttl="PT10M")
    # 400 of 500 points are held.
    found = listed(world)
    assert codes(found["last"]) == ["out_of_stock", "insufficient_points"]
    assert (found["last"]["stock_left"], found["last"]["missing_points"]) == (0, 100)
    assert codes(found["once"]) == ["limit_reached", "insufficient_points"]
    # True when read: nobody has written that they ran out.
    world.set_clock("2026-04-01T03:10:00Z")
    found = listed(world)
    assert {key: codes(one) for key, one in found.items()} == {"last": [], "once": [], "few": []}
    assert found["last"]["stock_left"] == 1
    held(world, "few")
    assert codes(listed(world)["few"]) == ["limit_reached"]


def test_what_others_hold_is_gone_and_free_again_when_their_time_is_over(
    shop: Callable[..., World],
) -> None:
    world = shop(reward("last", stock=1))
    world.member("jun")
    held(world, "last", member_ref="jun", ttl="PT10M")
    assert (listed(world)["last"]["stock_left"], codes(listed(world)["last"])) == (
        0,
        ["out_of_stock"],
    )
    world.set_clock("2026-04-01T03:09:59Z")
    assert listed(world)["last"]["stock_left"] == 0
    world.set_clock("2026-04-01T03:10:00Z")
    assert (listed(world)["last"]["stock_left"], codes(listed(world)["last"])) == (1, [])
    # And it can be had, as the list says.
    held(world, "last")


def test_limits_of_a_period_say_from_when_there_is_room_again(shop: Callable[..., World]) -> None:
    world = shop(reward("daily", limits=[{"per": "member", "period": "day", "times": 1}]))
    held(world, "daily", ttl="P7D")
    [reason] = listed(world)["daily"]["unavailable_reasons"]
    assert (reason["code"], reason["from"]) == ("limit_reached", "2026-04-01T15:00:00Z")
    world.set_clock("2026-04-01T15:00:00Z")
    assert codes(listed(world)["daily"]) == []


def test_a_grant_is_shown_and_makes_the_reward_available(shop: Callable[..., World]) -> None:
    world = shop(
        reward("gift", cost_points=None, tiers=["gold"]),
        reward("coded", cost_points=None, voucher={"valid_for": "P30D"}),
    )
    grant = world.post(
        "/grants", {"member_ref": "mina", "reward": "gift", "reason": "sorry"}, status=201
    )["grant"]
    found = listed(world)["gift"]
    assert (found["is_available"], found["unavailable_reasons"]) == (True, [])
    assert found["grants"] == [{"id": grant["id"], "expires_at": None, "voucher": None}]
    coded = world.post(
        "/grants", {"member_ref": "mina", "reward": "coded", "reason": "sorry"}, status=201
    )["grant"]
    found = listed(world)["coded"]
    # The code alone uses it.
    assert found["grants"] == [
        {"id": coded["id"], "expires_at": coded["expires_at"], "voucher": coded["voucher"]}
    ]
    assert found["grants"][0]["voucher"]["code"]
    used = held(world, "gift")
    found = listed(world)["gift"]
    assert (found["grants"], codes(found)) == ([], ["tier_required", "condition_not_met"])
    world.post(f"/redemptions/{used['id']}/release", {})
    assert [one["id"] for one in listed(world)["gift"]["grants"]] == [grant["id"]]


def test_a_grant_that_a_hold_used_is_open_again_when_that_runs_out(
    shop: Callable[..., World],
) -> None:
    world = shop(reward("gift", cost_points=None))
    body = {"member_ref": "mina", "reward": "gift", "reason": "sorry"}
    grant = world.post("/grants", body, status=201)["grant"]
    held(world, "gift", ttl="PT10M")
    assert listed(world)["gift"]["grants"] == []
    world.set_clock("2026-04-01T03:10:00Z")
    found = listed(world)["gift"]
    assert [one["id"] for one in found["grants"]] == [grant["id"]]
    assert found["is_available"]


def test_a_grant_is_gone_with_its_date(shop: Callable[..., World]) -> None:
    world = shop(reward("gift", cost_points=None, claim_within="PT1H", stock=1))
    body = {"member_ref": "mina", "reward": "gift", "reason": "sorry"}
    world.post("/grants", body, status=201)
    found = listed(world)["gift"]
    assert (found["grants"][0]["expires_at"], found["stock_left"]) == ("2026-04-01T04:00:00Z", 0)
    world.set_clock("2026-04-01T04:00:00Z")
    found = listed(world)["gift"]
    assert (found["grants"], found["stock_left"]) == ([], 1)


def test_an_empty_pool_is_out_of_stock(shop: Callable[..., World]) -> None:
    world = shop(reward("coded", voucher={"pool": "summer"}))
    world.put("/voucher-pools/summer", {"codes": ["AAAA-1111"]})
    assert codes(listed(world)["coded"]) == []
    held(world, "coded")
    assert codes(listed(world)["coded"]) == ["out_of_stock"]


def test_one_statement_says_what_asking_step_by_step_does(shop: Callable[..., World]) -> None:
    """By the storefront's reference all is read at once; by our own id, one after another."""
    rewards = [
        reward("level", tiers=["silver", "gold"]),
        reward("cost", cost_points=600, cost_by_tier={"gold": 1}),
        reward("orders", when={"fact": "member.order_count", "op": ">=", "value": 2}),
        reward("spend", when={"fact": "member.spend_12m_minor", "op": ">=", "value": 30_000}),
        reward("stock", cost_points=10, stock=3),
        reward("mine", cost_points=10, limits=[{"per": "member", "period": "day", "times": 1}]),
        reward("all", cost_points=10, limits=[{"per": "program", "period": "month", "times": 2}]),
        reward("free", cost_points=0, limits=[{"per": "member", "period": "ever", "times": 1}]),
        reward("coded", cost_points=10, voucher={"pool": "summer"}),
        reward("gift", cost_points=None),
    ]
    world = shop(*rewards)
    world.put("/voucher-pools/summer", {"codes": ["AAAA-1111"]})
    own = world.get("/members/mina")["id"]
    seen = []

    def agree() -> None:
        by_ref = world.get("/members/mina/rewards")
        assert by_ref == world.get(f"/members/{own}/rewards")
        # Also the second time, when what was learnt is used.
        assert by_ref == world.get("/members/mina/rewards")
        seen.append({one["key"]: codes(one) for one in by_ref["data"]})

    agree()
    for number, minor in enumerate((9_000, 25_000, 30_000), start=1):
        world.order(f"A-{number}", minor, placed_at=f"2026-03-0{number}T10:00:00Z")
        agree()
    for key in ("stock", "mine", "all", "coded"):
        one = held(world, key)
        agree()
        world.post(f"/redemptions/{one['id']}/capture", {})
        agree()
    held(world, "free", ttl="PT10M")
    agree()
    world.post("/grants", {"member_ref": "mina", "reward": "gift", "reason": "x"}, status=201)
    agree()
    world.set_clock("2026-04-01T03:10:00Z")
    agree()
    world.set_clock("2026-04-01T15:00:00Z")
    agree()
    world.publish(rewards=[*rewards[:-1], reward("gift", cost_points=0)], tiers=TIERS)
    agree()
    world.post("/switches", {"section": "rewards", "key": "gift", "state": "paused", "reason": "x"})
    agree()
    assert seen[0]["level"] == ["tier_required"] and seen[3]["level"] == []
    assert [one["mine"] for one in seen[6:8]] == [["limit_reached"]] * 2
    assert seen[-3]["mine"] == []
    # The grant is used whatever becomes of the reward.
    assert seen[-1]["gift"] == []


def test_an_erased_member_has_no_list(shop: Callable[..., World]) -> None:
    world = shop(reward("five"))
    world.get("/members/mina/rewards")
    world.call("DELETE", "/members/mina")
    problem(world.call("GET", "/members/mina/rewards"), 404, "not_found")
