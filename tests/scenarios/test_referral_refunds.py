"""Refunds and cancellations of friends' orders: before and after a referral is paid."""

import itertools
from typing import Any

from tests.scenarios.attributing import offer
from tests.scenarios.befriending import (
    TENTH,
    Make,
    balances,
    buy,
    fixed,
    friend,
    go_to,
    is_now,
    referring,
    refund,
    sides,
    sound,
    state,
    stored,
    told_sides,
)
from tests.world import World

HELD = {"advocate": [TENTH], "friend": [fixed(300)], "hold": "P14D"}


def test_refunds_in_the_hold_leave_a_share_or_nothing(make_world: Make) -> None:
    # SEMANTICS F46: of 100,000 30,000 go back in the hold: 10 % are 7,000.
    world = referring(make_world, **HELD)
    for ref in ("ines", "noa", "kai"):
        friend(world, ref)
    world.set_clock("2026-01-10T00:00:00Z")
    for ref in ("ines", "noa", "kai"):
        buy(world, f"o-{ref}", 100_000, by=ref)
    answer = refund(world, "o-ines", 30_000, "2026-01-10T00:00:00Z")
    assert state(answer) == ("on_hold", None)
    # 60,000 go back: 40,000 are below the minimum by 10,000.
    answer = refund(world, "o-noa", 60_000, "2026-01-10T00:00:00Z", dry=True)
    assert state(answer) == ("rejected", "REFUND_BELOW_MIN")
    assert (is_now(world, "noa"), stored(world, "noa")["net_minor"]) == (("on_hold", None), 100_000)
    answer = refund(world, "o-noa", 60_000, "2026-01-10T00:00:00Z")
    assert state(answer) == ("rejected", "REFUND_BELOW_MIN")
    assert answer["referral"]["missing_minor"] == 10_000
    go_to(world, "2026-01-20T00:00:00Z")
    assert balances(world, "mina", "ines", "noa", "kai") == (17_000, 300, 0, 300)
    # The refund is withdrawn: it qualifies again, and its hold is over.
    answer = refund(world, "o-noa", 60_000, "2026-01-10T00:00:00Z", status="withdrawn")
    assert state(answer) == ("approved", None)
    assert balances(world, "mina", "noa") == (27_000, 300)
    # That a refund fell into the hold is told after the payment: as if it had been told in time.
    answer = refund(world, "o-kai", 60_000, "2026-01-12T00:00:00Z")
    assert state(answer) == ("rejected", "REFUND_BELOW_MIN")
    assert told_sides(answer) == {
        "advocate": ("clawed_back", 0, 10_000),
        "friend": ("clawed_back", 0, 300),
    }
    assert balances(world, "mina", "kai") == (17_000, 0)
    sound(world)


def test_after_payment_shares_follow_and_fixed_rewards_go(make_world: Make) -> None:
    world = referring(make_world, advocate=[TENTH], friend=[fixed(300)])
    friend(world)
    world.set_clock("2026-01-03T00:00:00Z")
    buy(world, "A", 100_000)
    assert balances(world) == (10_000, 300)
    # At any age, once however often it is told.
    go_to(world, "2031-01-03T00:00:00Z")
    first = refund(world, "A", 30_000, "2031-01-02T00:00:00Z")
    assert told_sides(first) == {"advocate": ("rewarded", 7_000, 3_000)}
    second = refund(world, "A", 30_000, "2031-01-02T00:00:00Z", ref="r2", dry=True)
    assert told_sides(second) == {
        "advocate": ("rewarded", 4_000, 3_000),
        "friend": ("clawed_back", 0, 300),
    }
    assert all(
        award["decision_id"] is None
        for side in second["referral"]["sides"]
        for award in side["earned"]
    )
    assert balances(world) == (7_000, 300)
    again = refund(world, "A", 30_000, "2031-01-02T00:00:00Z", ref="r2")
    assert told_sides(again) == told_sides(second)
    assert state(again) == ("approved", None)
    for _ in range(2):
        repeated = refund(world, "A", 30_000, "2031-01-02T00:00:00Z", ref="r2")
        assert told_sides(repeated) == {}
        assert balances(world) == (4_000, 0)
    assert sides(world) == {
        "advocate": ("rewarded", None),
        "friend": ("clawed_back", "REFUND_BELOW_MIN"),
    }
    assert stored(world)["stands"] is False
    # Nothing is left of it, then all of it.
    refund(world, "A", 40_000, "2031-01-02T00:00:00Z", ref="r3")
    assert sides(world)["advocate"] == ("clawed_back", "REFUND_BELOW_MIN")
    assert balances(world) == (0, 0)
    for ref, minor in (("r1", 30_000), ("r2", 30_000), ("r3", 40_000)):
        refund(world, "A", minor, "2031-01-02T00:00:00Z", ref=ref, status="withdrawn")
    assert balances(world) == (10_000, 300)
    assert stored(world)["stands"] is True
    sound(world)


def test_cash_and_rewards_taken_back_are_told_of_each_side(make_world: Make) -> None:
    gift = {"key": "gift", "kind": "custom"}
    gives = {"do": "grant_reward", "reward": "gift"}
    world = make_world(
        earning={"rules": []},
        rewards=[gift],
        referral_offers=[offer(advocate=[{"do": "payable", "minor": 700}, gives], friend=[gives])],
    )
    world.set_clock("2026-01-01T00:00:00Z")
    world.member("mina")
    friend(world)
    world.set_clock("2026-01-03T00:00:00Z")
    first, second = buy(world, "A", 1_000)["referral"]["sides"]
    [owed], [given], [taken] = first["payables"], first["grants"], second["grants"]
    assert (first["payables_reversed"], first["grants_revoked"]) == ([], [])
    for is_dry in (True, False):
        answer = refund(world, "A", 1_000, "2026-01-03T00:00:00Z", dry=is_dry)
        [mina, ines] = answer["referral"]["sides"]
        assert mina["payables_reversed"] == [{"rule": owed["rule"], "minor": 700}]
        assert mina["grants_revoked"] == [{"id": given["id"], "reward": "gift"}]
        assert (ines["payables_reversed"], ines["grants_revoked"]) == (
            [],
            [{"id": taken["id"], "reward": "gift"}],
        )
        assert (mina["payables"], mina["grants"], ines["grants"]) == ([], [], [])
    # Deserved again, the same comes back: nothing is taken.
    again = refund(world, "A", 1_000, "2026-01-03T00:00:00Z", status="withdrawn")
    [mina, _] = again["referral"]["sides"]
    assert (mina["payables"], mina["payables_reversed"]) == ([owed], [])
    assert ([one["id"] for one in mina["grants"]], mina["grants_revoked"]) == ([given["id"]], [])


def test_what_was_spent_is_taken_as_the_kind_says(make_world: Make) -> None:
    # B11 for what a referral brought: 500 earned, 400 spent; 100 go back, 400 are written off.
    world = referring(make_world)
    friend(world)
    world.set_clock("2026-01-03T00:00:00Z")
    buy(world, "A", 60_000)
    gone = {"member_ref": "mina", "points": -400, "reason": "correction"}
    world.post("/adjustments", gone, status=201)
    answer = buy(world, "A", 60_000, status="cancelled")
    assert told_sides(answer)["advocate"] == ("clawed_back", 0, 100)
    assert balances(world) == (0, 0)
    buy(world, "A", 60_000)
    assert balances(world) == (100, 300)
    sound(world)


def test_a_clawback_window_ends_what_is_taken_back(make_world: Make) -> None:
    world = referring(make_world, clawback_window="P30D")
    friend(world)
    friend(world, "noa")
    world.set_clock("2026-01-02T00:00:00Z")
    for ref in ("ines", "noa"):
        buy(world, ref, 60_000, by=ref)
    assert balances(world, "mina", "ines", "noa") == (1_000, 300, 300)
    world.set_clock("2026-03-01T00:00:00Z")
    # Paid on the 2nd of January: the window ended on the 1st of February.
    answer = refund(world, "ines", 60_000, "2026-02-01T00:00:00Z")
    assert told_sides(answer) == {}
    answer = refund(world, "noa", 60_000, "2026-01-31T23:59:59Z")
    assert {name: one[0] for name, one in told_sides(answer).items()} == {
        "advocate": "clawed_back",
        "friend": "clawed_back",
    }
    assert balances(world, "mina", "ines", "noa") == (500, 300, 0)
    sound(world)


def test_paid_again_the_same_comes_back(make_world: Make) -> None:
    # SEMANTICS B13 and B14: the same lots with the same dates, the same voucher; bound once.
    reward = {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": None}
    given = {"friend": [fixed(300), {"do": "grant_reward", "reward": "mug"}]}
    points = [{"key": "points", "expiry": {"policy": "after", "duration": "P1Y"}}]
    world = _with_rewards(make_world, [reward], points, given)
    friend(world)
    world.set_clock("2026-01-03T00:00:00Z")
    buy(world, "A", 60_000)
    before = _holdings(world)
    assert before["vouchers"] and before["lots"]
    go_to(world, "2026-05-01T00:00:00Z")
    preview = refund(world, "A", 60_000, "2026-05-01T00:00:00Z", dry=True)
    assert {one["side"] for one in preview["referral"]["sides"]} == {"advocate", "friend"}
    assert _holdings(world) == before
    answer = buy(world, "A", 60_000, status="cancelled")
    assert {one["side"]: one["grants"] for one in answer["referral"]["sides"]} == {
        "advocate": [],
        "friend": [],
    }
    assert balances(world) == (0, 0)
    answer = buy(world, "A", 60_000)
    assert told_sides(answer) == {"advocate": ("rewarded", 500, 0), "friend": ("rewarded", 300, 0)}
    assert _holdings(world) == before
    assert state(answer) == ("approved", None)
    sound(world)


def _with_rewards(
    make_world: Make, rewards: list[Any], points: list[Any], given: dict[str, Any]
) -> World:
    from tests.scenarios.attributing import offer

    qualifies = {"qualifies": {"min_net_minor": 50_000}}
    world = make_world(
        earning={"rules": []},
        points=points,
        rewards=rewards,
        referral_offers=[offer(**(qualifies | given))],
    )
    world.set_clock("2026-01-01T00:00:00Z")
    world.member("mina")
    return world


def _holdings(world: World) -> dict[str, Any]:
    """Lots with their dates, and codes, of both."""
    lots: list[Any] = []
    codes: list[Any] = []
    for ref in ("mina", "ines"):
        lots += [
            (lot["id"], lot["remaining"], lot["expires_at"])
            for lot in world.get(f"/members/{ref}/lots")["data"]
            if lot["remaining"]
        ]
        codes += [
            (one["id"], (one["voucher"] or {}).get("code"), one["expires_at"])
            for one in world.get(f"/grants?member_ref={ref}")["data"]
            if one["state"] == "open"
        ]
    return {"lots": sorted(lots), "vouchers": sorted(codes)}


def test_any_order_of_arrival_ends_the_same(make_world: Make) -> None:
    # SEMANTICS B13 for both sides. Of A 40,000 are left within the hold: B is what qualifies, and
    # brings a tenth of 70,000; told in time or after the hold would have ended.
    world = referring(make_world, **HELD)
    orders = list(itertools.permutations(range(4)))[::3]
    for number in range(2 * len(orders)):
        friend(world, f"f{number}")
    for number, order in enumerate(orders):
        world.set_clock("2026-01-10T00:00:00Z")
        _tell(world, f"f{number}", order)
    go_to(world, "2026-01-31T00:00:00Z")
    for number, order in enumerate(orders, start=len(orders)):
        _tell(world, f"f{number}", order)
    for number in range(2 * len(orders)):
        ref = f"f{number}"
        found = stored(world, ref)
        assert (is_now(world, ref), found["order_ref"]) == (("approved", None), f"{ref}-B")
        assert world.balance(ref) == 300
    assert world.balance("mina") == 7_000 * 2 * len(orders)
    sound(world)


def _tell(world: World, ref: str, order: tuple[int, ...]) -> None:
    tellings = [
        lambda: buy(world, f"{ref}-A", 100_000, by=ref, paid_at="2026-01-02T00:00:00Z"),
        lambda: refund(world, f"{ref}-A", 20_000, "2026-01-05T00:00:00Z"),
        lambda: refund(world, f"{ref}-A", 40_000, "2026-01-06T00:00:00Z", ref="r2"),
        lambda: buy(world, f"{ref}-B", 70_000, by=ref, placed_at="2026-01-03T00:00:00Z"),
    ]
    for index in order:
        tellings[index]()
