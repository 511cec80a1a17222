"""Ways to be paid wrongly for a referral, each tried and each in vain."""

from typing import Any

from tests.scenarios.attributing import code_of, offer, sign_up
from tests.scenarios.befriending import (
    TENTH,
    Make,
    balances,
    buy,
    fixed,
    go_to,
    is_now,
    refund,
    sides,
    sound,
    state,
    stored,
)
from tests.scenarios.suspecting import decided
from tests.world import World

PAID = ("approved", None)
KNOWN = ("rejected", "EXISTING_CUSTOMER")
NO_MINIMUM: dict[str, Any] = {"qualifies": {"min_net_minor": 0}}


def started(make_world: Make, *offers: dict[str, Any], at: str = "2026-01-03T00:00:00Z") -> World:
    """A program whose orders earn nothing, with offers; Mina and Jun joined on 1 January."""
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]
    world = make_world(earning={"rules": []}, points=points, referral_offers=list(offers))
    world.set_clock(at)
    world.member("mina", email="mina@bloom.example")
    world.member("jun", email="jun@bloom.example")
    return world


def brought(world: World, ref: str, by: str = "mina", key: str = "friends") -> Any:
    """Somebody who signs up with an advocate's code for an offer."""
    return sign_up(world, ref, {"code": code_of(world, by, key)})


def bought(
    world: World, ref: str, day: str = "2026-01-03", minor: int = 60_000, **more: Any
) -> Any:
    """An order of a friend, named as they are, placed at noon."""
    return buy(world, f"o-{ref}", minor, by=ref, placed_at=f"{day}T12:00:00Z", **more)


def test_who_had_bought_under_another_name_is_no_new_friend(make_world: Make) -> None:
    # SEMANTICS F42: a person is whoever has the same contact, and whoever they are merged into.
    held = offer("held", hold="P14D", **NO_MINIMUM)
    world = started(make_world, offer(**NO_MINIMUM), held)
    world.member("old", email="old@bloom.example")
    for ref in ("mina", "old"):
        bought(world, ref, "2026-01-02")
    for ref in ("ara", "bo", "cho", "dan"):
        brought(world, ref)
    brought(world, "eve", "jun")
    brought(world, "fay", "jun", "held")
    world.set_clock("2026-01-04T00:00:00Z")
    # The order that qualifies is told with the mailbox of somebody who had bought.
    answer = bought(world, "ara", contact={"email": "old@bloom.example"})
    assert (state(answer), balances(world, "mina", "ara")) == (KNOWN, (0, 0))
    # Of an advocate who has never bought, it says that they are the friend.
    answer = bought(world, "eve", contact={"email": "Jun@bloom.example"})
    assert state(answer) == ("rejected", "SELF_REFERRAL")
    assert balances(world, "jun", "eve") == (0, 0)
    # One's own mailbox, and one that nobody had bought with, are no reason.
    assert state(bought(world, "bo", contact={"email": "bo@bloom.example"})) == PAID
    # Told in the hold: the order's contact, and then the friend's own.
    bought(world, "fay")
    world.put("/members/fay", {"email": "old@bloom.example"})
    go_to(world, "2026-02-01T00:00:00Z")
    assert is_now(world, "fay") == KNOWN
    # Merged after the payment into somebody who had bought, and into somebody who had not yet.
    assert state(bought(world, "cho")) == state(bought(world, "dan")) == PAID
    assert balances(world, "mina", "cho", "dan") == (1_500, 300, 300)
    world.post("/members/cho/merge", {"into_member_ref": "old"})
    assert is_now(world, "old") == KNOWN
    assert sides(world, "old")["advocate"] == ("clawed_back", "EXISTING_CUSTOMER")
    world.member("gil")
    bought(world, "gil", "2026-01-31")
    world.post("/members/dan/merge", {"into_member_ref": "gil"})
    assert is_now(world, "gil") == PAID
    assert balances(world, "mina", "jun", "old", "gil") == (1_000, 0, 0, 300)
    sound(world)


def test_a_refund_reduces_a_reward_whatever_is_left_of_the_budget(make_world: Make) -> None:
    hundredth = {"do": "points_per_amount", "points": 1, "per_minor": 100}

    def sharing(total: int) -> dict[str, Any]:
        return offer(
            advocate=[hundredth],
            friend=[],
            qualifies={"min_net_minor": 50_000},
            budget={"unit": "points", "total": total},
        )

    world = started(make_world, sharing(1_000))
    brought(world, "ara")
    world.set_clock("2026-01-04T00:00:00Z")
    bought(world, "ara", minor=90_000)
    # The same offer with a larger budget, of which 900 + 3,000 are gone.
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]
    world.publish(earning={"rules": []}, points=points, referral_offers=[sharing(5_000)])
    brought(world, "bo", "jun")
    world.set_clock("2026-01-06T00:00:00Z")
    bought(world, "bo", "2026-01-04", 300_000)
    assert balances(world, "mina", "jun") == (900, 3_000)
    # More than what it holds there is no money for.
    bought(world, "ara", minor=95_000)
    assert balances(world, "mina") == (900,)
    bought(world, "ara", minor=90_000)
    refund(world, "o-ara", 20_000, "2026-01-06T00:00:00Z")
    assert balances(world, "mina") == (700,)
    # Below the minimum the share of what is left: 1 % of 300.00.
    refund(world, "o-ara", 40_000, "2026-01-06T00:00:00Z", ref="r2")
    assert (balances(world, "mina"), stored(world, "ara")["stands"]) == ((300,), False)
    sound(world)


def test_a_blocked_member_gets_nothing_new_and_keeps_what_they_have(make_world: Make) -> None:
    capped = offer("capped", caps=[{"per": "advocate", "times": 1}], **NO_MINIMUM)
    twice = offer(milestones=[{"at": 2, "effects": [fixed(1_000)]}], **NO_MINIMUM)
    shared = offer("shared", advocate=[TENTH], friend=[], **NO_MINIMUM)
    world = started(make_world, twice, capped, shared)
    for ref in ("a1", "a2", "a3"):
        brought(world, ref, "mina", "capped")
    for ref in ("b1", "b2"):
        brought(world, ref, "jun")
    brought(world, "b3", "jun", "shared")
    world.set_clock("2026-01-05T00:00:00Z")
    for ref in ("a1", "a2", "b1", "b2"):
        bought(world, ref)
    bought(world, "b3", minor=10_000)
    # 500 of one of two; two of 500, the milestone, and a tenth.
    assert balances(world, "mina", "jun") == (500, 3_000)
    assert sides(world, "a2")["advocate"] == ("capped", "CAP")
    brought(world, "b4", "jun")
    for ref in ("a3", "b4"):
        decided(world, ref, "block", who="advocate")
    assert balances(world, "mina", "jun") == (500, 3_000)
    # The place that is free is nobody's.
    decided(world, "a1", "reject")
    assert (sides(world, "a2")["advocate"][0], balances(world, "mina")) == ("capped", (0,))
    bought(world, "a2", status="cancelled")
    bought(world, "a2")
    assert balances(world, "mina", "a2") == (0, 300)
    # Nor is one that the block itself frees.
    world.member("kim")
    for ref in ("c1", "c2"):
        brought(world, ref, "kim", "capped")
    world.set_clock("2026-01-06T00:00:00Z")
    for ref in ("c1", "c2"):
        bought(world, ref, "2026-01-05")
    assert (balances(world, "kim"), sides(world, "c2")["advocate"][0]) == ((500,), "capped")
    decided(world, "c1", "block", who="advocate")
    assert balances(world, "kim", "c2") == (0, 300)
    # What is taken back does not come again, nor the milestone; the friend is blocked by nobody.
    bought(world, "b1", status="cancelled")
    assert balances(world, "jun", "b1") == (1_500, 0)
    bought(world, "b1")
    assert sides(world, "b1")["advocate"] == ("clawed_back", "BLOCKED")
    assert balances(world, "jun", "b1") == (1_500, 300)
    # A share grows no more, and shrinks.
    bought(world, "b3", minor=20_000)
    assert balances(world, "jun") == (1_500,)
    bought(world, "b3", minor=4_000)
    assert balances(world, "jun") == (900,)
    sound(world)


def test_a_second_level_hangs_on_how_the_advocate_came(make_world: Make) -> None:
    world = started(make_world, offer(second_level=[fixed(100)], **NO_MINIMUM))
    for ref in ("ara", "bo"):
        brought(world, ref)
    brought(world, "cho", "ara")
    brought(world, "dan", "bo")
    world.set_clock("2026-01-04T00:00:00Z")
    for ref in ("ara", "bo"):
        bought(world, ref)
    assert balances(world, "mina", "ara") == (1_000, 300)
    decided(world, "ara", "block", who="advocate")
    assert balances(world, "mina", "ara") == (500, 0)
    # Ara's own friend brings Ara something, and Mina nothing; of Bo she is blocked as well.
    bought(world, "cho")
    assert balances(world, "mina", "ara", "cho") == (500, 500, 300)
    assert sides(world, "cho")["second"][0] == "waiting"
    bought(world, "dan")
    assert balances(world, "mina", "bo", "dan") == (500, 800, 300)
    # Jun brought Eve, and neither is blocked; then it is found to be wrong, by hand.
    brought(world, "eve", "jun")
    for ref in ("fay", "gil"):
        brought(world, ref, "eve")
    world.set_clock("2026-01-05T00:00:00Z")
    for ref in ("eve", "fay"):
        bought(world, ref, "2026-01-04")
    assert balances(world, "jun") == (600,)
    decided(world, "eve", "reject")
    bought(world, "gil", "2026-01-04")
    assert balances(world, "jun", "eve", "gil") == (100, 1_000, 300)
    sound(world)


def test_after_the_window_only_what_is_no_refund_is_taken_back(make_world: Make) -> None:
    window: dict[str, Any] = {"clawback_window": "P30D", **NO_MINIMUM}
    shared = offer("shared", advocate=[TENTH], friend=[], **window)
    world = started(make_world, offer(**window), shared)
    for ref in ("ara", "bo"):
        brought(world, ref)
    brought(world, "cho", "jun", "shared")
    world.set_clock("2026-01-04T00:00:00Z")
    bought(world, "ara")
    bought(world, "cho")
    assert balances(world, "mina", "ara", "jun") == (500, 300, 6_000)
    world.set_clock("2026-03-01T00:00:00Z")
    # The order turns out to be another friend's: one order is paid for once.
    buy(world, "o-ara", 60_000, by="bo", placed_at="2026-01-03T12:00:00Z")
    assert sides(world, "ara")["advocate"] == ("clawed_back", "ORDER_CANCELLED")
    assert is_now(world, "bo") == PAID
    assert balances(world, "mina", "ara", "bo") == (500, 0, 300)
    # What it came to when the window ended is what stays, up and down; each time it is said.
    for number, minor in enumerate((5_000_000, 60_000, 20_000, 70_000), start=1):
        bought(world, "cho", minor=minor)
        bought(world, "cho", minor=minor)
        assert balances(world, "jun") == (6_000,)
        lines = world.get(f"/referrals/{found_id(world, 'cho')}")["transitions"]
        kept = [one for one in lines if one["action"] == "kept_after_window"]
        # At 600.00 it is what it was paid for.
        assert len(kept) == number - (number > 1)
        assert {one["to"] for one in kept} == {"approved"}
    bought(world, "cho", status="cancelled")
    assert (balances(world, "jun"), is_now(world, "cho")) == ((6_000,), PAID)
    sound(world)


def found_id(world: World, ref: str) -> str:
    """The id of a friend's referral."""
    found: str = world.get(f"/referrals?friend={ref}")["data"][0]["id"]
    return found


def test_nothing_happens_to_an_order_before_it_is_placed(make_world: Make) -> None:
    held = offer("held", hold="P14D", **NO_MINIMUM)
    sent = offer("sent", hold="P14D", hold_from="fulfilled", **NO_MINIMUM)
    monthly = offer("monthly", caps=[{"per": "advocate", "period": "month", "times": 1}])
    monthly |= NO_MINIMUM
    world = started(make_world, held, sent, monthly, at="2026-02-10T00:00:00Z")
    brought(world, "ara", key="held")
    brought(world, "bo", key="sent")
    for ref in ("cho", "dan"):
        brought(world, ref, "jun", "monthly")
    world.set_clock("2026-02-11T00:00:00Z")
    day, long_ago = "2026-02-10", "2020-01-01T00:00:00Z"
    answer = bought(world, "ara", day, paid_at=long_ago)
    assert state(answer) == ("on_hold", None)
    told: dict[str, Any] = {"status": "fulfilled", "fulfilled_at": long_ago}
    assert state(bought(world, "bo", day, **told)) == ("on_hold", None)
    bought(world, "cho", day)
    bought(world, "dan", day, paid_at="2025-12-05T00:00:00Z")
    assert (sides(world, "dan")["advocate"], balances(world, "jun")) == (("capped", "CAP"), (500,))
    go_to(world, "2026-02-24T11:59:59Z")
    assert balances(world, "mina", "ara", "bo") == (0, 0, 0)
    go_to(world, "2026-02-24T12:00:00Z")
    assert balances(world, "mina", "ara", "bo") == (1_000, 300, 300)
    sound(world)
