"""Caps and budgets of offers: by the time of qualification, and given back to the oldest capped."""

from typing import Any

from tests.scenarios.befriending import (
    TENTH,
    Make,
    buy,
    fixed,
    friend,
    go_to,
    referring,
    refund,
    sides,
    sound,
    told_sides,
)
from tests.world import World

MONTHLY = {"caps": [{"per": "advocate", "period": "month", "times": 5}]}


def qualify(world: World, ref: str, at: str, minor: int = 60_000) -> Any:
    """A friend of Mina's who buys."""
    return buy(world, f"o-{ref}", minor, by=ref, placed_at=at, paid_at=at)


def state_of(world: World, ref: str) -> tuple[str, str | None]:
    """State and reason of the advocate's side."""
    return sides(world, ref)["advocate"]


def test_the_sixth_friend_of_a_month_is_capped_and_the_oldest_moves_up(make_world: Make) -> None:
    # SEMANTICS F47, in the program's zone: 2026-01-31T15:00:00Z is the 1st of February in Seoul.
    world = referring(make_world, **MONTHLY)
    refs = [f"f{number}" for number in range(1, 9)]
    for ref in refs:
        friend(world, ref)
    world.set_clock("2026-02-10T00:00:00Z")
    for number, ref in enumerate(refs[:5], start=1):
        qualify(world, ref, f"2026-01-{20 + number}T00:00:00Z")
    answer = qualify(world, "f6", "2026-01-31T14:59:59Z")
    assert told_sides(answer) == {"advocate": ("capped", 0, 0), "friend": ("rewarded", 300, 0)}
    assert answer["referral"]["state"] == "approved"
    assert state_of(world, "f6") == ("capped", "CAP")
    # Told after it, qualified before it: taken is taken; and the next month has places of its own.
    qualify(world, "f7", "2026-01-10T00:00:00Z")
    qualify(world, "f8", "2026-01-31T15:00:00Z")
    assert (state_of(world, "f7"), state_of(world, "f8")) == (("capped", "CAP"), ("rewarded", None))
    assert world.balance("mina") == 3_000
    assert [world.balance(ref) for ref in refs] == [300] * 8
    # A preview moves nobody up.
    refund(world, "o-f8", 60_000, "2026-02-10T00:00:00Z", dry=True)
    refund(world, "o-f2", 60_000, "2026-02-10T00:00:00Z", dry=True)
    assert state_of(world, "f7") == ("capped", "CAP")
    # A place of February serves nobody of January; one of January the one who qualified first.
    refund(world, "o-f8", 60_000, "2026-02-10T00:00:00Z")
    assert state_of(world, "f7") == ("capped", "CAP")
    refund(world, "o-f2", 60_000, "2026-02-10T00:00:00Z")
    assert (state_of(world, "f7"), state_of(world, "f6")) == (("rewarded", None), ("capped", "CAP"))
    assert world.balance("mina") == 2_500
    # The one that fell finds its place taken when it is paid again; it is next when one falls.
    refund(world, "o-f2", 60_000, "2026-02-10T00:00:00Z", status="withdrawn")
    assert state_of(world, "f2") == ("capped", "CAP")
    assert world.balance("f2") == 300
    refund(world, "o-f1", 60_000, "2026-02-10T00:00:00Z")
    assert (state_of(world, "f2"), state_of(world, "f6")) == (("rewarded", None), ("capped", "CAP"))
    # What was paid, capped and taken back is counted and found by the advocate's side; what stands
    # counts when it is capped too.
    found = world.get("/members/mina/referrals")["counts"]
    names = ("approved", "rewarded", "capped", "clawed_back", "standing", "rejected")
    assert [found[name] for name in names] == [8, 5, 1, 2, 6, 0]
    for state, expected in (
        ("capped", ["f6"]),
        ("clawed_back,identified", ["f1", "f8"]),
        ("rewarded,capped", ["f2", "f3", "f4", "f5", "f6", "f7"]),
        ("approved", refs),
    ):
        rows = world.get(f"/referrals?advocate=mina&order=oldest&state={state}")["data"]
        assert [one["friend_ref"] for one in rows] == expected, state
    clicked = world.call("GET", "/referrals?state=clicked")
    assert clicked.status_code == 422 and "no referral" in clicked.json["detail"]
    # A capped one whose order falls waits for nothing more.
    refund(world, "o-f6", 60_000, "2026-02-10T00:00:00Z")
    refund(world, "o-f3", 60_000, "2026-02-10T00:00:00Z")
    assert state_of(world, "f6") == ("waiting", "REFUND_BELOW_MIN")
    assert world.balance("mina") == 2_000
    sound(world)


def test_releases_take_places_in_the_order_in_which_holds_end(make_world: Make) -> None:
    world = referring(make_world, caps=[{"per": "program", "times": 2}], hold="P7D")
    friend(world, "a")
    friend(world, "b", by="jun")
    friend(world, "c")
    world.set_clock("2026-01-05T00:00:00Z")
    for ref, day in (("c", 4), ("b", 3), ("a", 2)):
        qualify(world, ref, f"2026-01-0{day}T00:00:00Z")
    go_to(world, "2026-02-01T00:00:00Z")
    assert [state_of(world, ref)[0] for ref in "abc"] == ["rewarded", "rewarded", "capped"]
    assert (world.balance("mina"), world.balance("jun")) == (500, 500)
    assert [world.balance(ref) for ref in "abc"] == [300, 300, 300]
    sound(world)


def test_a_budget_pays_whole_sides_or_nothing(make_world: Make) -> None:
    # 10 % of 700.00 in points are 7,000; with 300 for the friend 7,300 of 15,000.
    budget = {"unit": "points", "total": 15_000}
    world = referring(make_world, advocate=[TENTH], friend=[fixed(300)], budget=budget)
    for ref in "abc":
        friend(world, ref)
    world.set_clock("2026-01-05T00:00:00Z")
    qualify(world, "a", "2026-01-02T00:00:00Z", 70_000)
    qualify(world, "b", "2026-01-02T00:00:00Z", 70_000)
    # 400 are left: not enough for the advocate, enough for the friend.
    answer = qualify(world, "c", "2026-01-02T00:00:00Z", 70_000)
    assert sides(world, "c") == {"advocate": ("capped", "BUDGET"), "friend": ("rewarded", None)}
    assert told_sides(answer)["advocate"] == ("capped", 0, 0)
    assert (world.balance("mina"), world.balance("c")) == (14_000, 300)
    # What a refund gives back nobody is judged again for; whoever comes next may have it.
    refund(world, "o-a", 70_000, "2026-01-05T00:00:00Z")
    assert sides(world, "c")["advocate"] == ("capped", "BUDGET")
    friend(world, "d")
    qualify(world, "d", "2026-01-05T00:00:00Z", 70_000)
    assert sides(world, "d") == {"advocate": ("rewarded", None), "friend": ("rewarded", None)}
    sound(world)


def test_a_budget_in_money_counts_points_cash_and_rewards(make_world: Make) -> None:
    # 500 points at 2 minor units are 1,000, cash 700: 1,700 for each advocate of 2,000.
    points = [{"key": "points", "value": {"points": 1, "minor": 2}}]
    from tests.scenarios.attributing import offer

    made = offer(
        advocate=[fixed(500), {"do": "payable", "minor": 700}],
        friend=[],
        budget={"unit": "minor", "total": 2_000},
    )
    world = make_world(earning={"rules": []}, points=points, referral_offers=[made])
    world.set_clock("2026-01-01T00:00:00Z")
    world.member("mina")
    for ref in "ab":
        friend(world, ref)
    world.set_clock("2026-01-03T00:00:00Z")
    answer = qualify(world, "a", "2026-01-02T00:00:00Z")
    [side] = answer["referral"]["sides"]
    assert side["payables"] == [{"rule": "friends.2", "minor": 700}]
    qualify(world, "b", "2026-01-02T00:00:00Z")
    assert sides(world, "b") == {"advocate": ("capped", "BUDGET")}
    assert world.balance("mina") == 500
    sound(world)


def test_a_place_is_free_again_when_it_turns_out_that_an_order_fell_in_the_hold(
    make_world: Make,
) -> None:
    world = referring(make_world, caps=[{"per": "advocate", "times": 1}], hold="P14D")
    for ref in "ab":
        friend(world, ref)
    world.set_clock("2026-01-05T00:00:00Z")
    qualify(world, "a", "2026-01-02T00:00:00Z")
    qualify(world, "b", "2026-01-03T00:00:00Z")
    go_to(world, "2026-02-01T00:00:00Z")
    assert (state_of(world, "a")[0], state_of(world, "b")[0]) == ("rewarded", "capped")
    refund(world, "o-a", 20_000, "2026-01-10T00:00:00Z")
    assert state_of(world, "a") == ("clawed_back", "REFUND_BELOW_MIN")
    assert state_of(world, "b") == ("rewarded", None)
    assert (world.balance("mina"), world.balance("a")) == (500, 0)
    sound(world)


def test_erased_friends_still_count_for_who_brought_them(make_world: Make) -> None:
    tiers = {"basis": {"metric": "referrals"}, "levels": [{"key": "helper", "enter_at": 1}]}
    from tests.scenarios.attributing import offer

    made = offer(qualifies={"min_net_minor": 50_000}, hold="P7D")
    world = make_world(earning={"rules": []}, tiers=tiers, referral_offers=[made])
    world.set_clock("2026-01-01T00:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    for ref in "ab":
        friend(world, ref)
    friend(world, "c", by="jun")
    world.set_clock("2026-01-02T00:00:00Z")
    for ref in "abc":
        qualify(world, ref, "2026-01-02T00:00:00Z")
    for ref in ("a", "jun"):
        assert world.call("DELETE", f"/members/{ref}").status_code in (200, 204)
    go_to(world, "2026-01-09T00:00:00Z")
    assert world.balance("mina") == 1_000
    assert (world.balance("c"), world.tier("mina")["key"]) == (300, "helper")
    assert world.call("DELETE", "/members/b").status_code in (200, 204)
    # Their orders fall: what the advocate has of them goes, and nothing else breaks.
    for ref in "abc":
        refund(world, f"o-{ref}", 60_000, "2026-01-09T00:00:00Z")
    assert (world.balance("mina"), world.balance("c"), world.tier("mina")["key"]) == (0, 0, None)
    sound(world)
