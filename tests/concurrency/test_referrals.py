"""Referrals at the same moment: one friend is brought once, and what is scarce goes to one.

`REFERRAL_RACE_ROUNDS` says how often each race is run (3 by default)."""

import os
from collections.abc import Callable
from typing import Any

from tests.concurrency.parallel import assert_sound, at_once, put, statuses
from tests.scenarios.attributing import code_of
from tests.scenarios.befriending import Make, fixed, friend, is_now, referring, sides
from tests.scenarios.suspecting import HOME
from tests.world import World, line

ROUNDS = int(os.environ.get("REFERRAL_RACE_ROUNDS", "3"))


def order(by: str, minor: int = 60_000, **more: Any) -> dict[str, Any]:
    """An order of a friend's."""
    return {
        "member_ref": by,
        "status": "paid",
        "currency": "EUR",
        "placed_at": "2026-01-03T00:00:00Z",
        "lines": [line("1", minor)],
    } | more


def brought(world: World, *refs: str) -> int:
    """What advocates have of their friends."""
    return sum(world.balance(ref) for ref in refs)


def test_one_friend_comes_through_two_links_at_once_and_is_brought_by_one(
    make_world: Make,
) -> None:
    world = referring(make_world)
    codes = [code_of(world, ref) for ref in ("mina", "jun")]
    world.set_clock("2026-01-03T00:00:00Z")
    for number in range(ROUNDS):
        ref = f"s{number}"
        works = [put(world, f"/members/{ref}", {"referral": {"code": code}}) for code in codes]
        told = [answer.json["referral"]["id"] for answer in at_once(works)]
        assert len(set(told)) == 1
        put(world, f"/orders/{ref}", order(ref))()
        assert is_now(world, ref) == ("approved", None)
    assert brought(world, "mina", "jun") == 500 * ROUNDS
    # The same with the first order of somebody who is known: two orders, two codes.
    for number in range(ROUNDS):
        ref = f"o{number}"
        world.put(f"/members/{ref}", {})
        works = [
            put(world, f"/orders/{ref}-{index}", order(ref, referral={"code": code}))
            for index, code in enumerate(codes)
        ]
        at_once(works)
        assert is_now(world, ref) == ("approved", None)
        assert world.balance(ref) == 300
    assert brought(world, "mina", "jun") == 500 * 2 * ROUNDS
    assert_sound(world)


def test_two_first_orders_at_once_bring_one_pair_of_rewards(make_world: Make) -> None:
    # SEMANTICS F50. An advocate who buys at the same moment is locked by their own order.
    world = referring(make_world)
    for number in range(ROUNDS):
        friend(world, f"f{number}")
    world.set_clock("2026-01-03T00:00:00Z")
    for number in range(ROUNDS):
        ref = f"f{number}"
        works = [put(world, f"/orders/{ref}-{index}", order(ref)) for index in range(2)]
        works.append(put(world, f"/orders/m-{number}", order("mina")))
        at_once(works)
        assert sides(world, ref) == {"advocate": ("rewarded", None), "friend": ("rewarded", None)}
        assert world.balance(ref) == 300
    assert world.balance("mina") == 500 * ROUNDS
    assert_sound(world)


def _scarce(make_world: Make, number: int, **more: Any) -> World:
    """One thing is left, and a friend of each of four advocates buys at the same moment."""
    world = referring(make_world, friend=[], **more)
    refs = [f"a{index}" for index in range(4)]
    for ref in refs:
        world.member(ref)
        friend(world, f"f-{ref}", by=ref)
    world.set_clock("2026-01-03T00:00:00Z")
    at_once([put(world, f"/orders/{number}-{ref}", order(f"f-{ref}")) for ref in refs])
    assert brought(world, *refs) == 500
    states = sorted(sides(world, f"f-{ref}")["advocate"][0] for ref in refs)
    assert states == ["capped", "capped", "capped", "rewarded"]
    return world


def test_the_last_place_and_the_last_budget_go_to_exactly_one(make_world: Make) -> None:
    for number in range(ROUNDS):
        _scarce(make_world, number, caps=[{"per": "program", "times": 1}])
        budget = {"unit": "points", "total": 999}
        world = _scarce(make_world, number, advocate=[fixed(500)], budget=budget)
        assert_sound(world)


def _in_waves(calls: list[Any]) -> None:
    """As many at once as a server has threads: more would only wait for the one writer."""
    for start in range(0, len(calls), 32):
        at_once(calls[start : start + 32])


def test_the_last_place_of_one_advocate_goes_to_one_friend(make_world: Make) -> None:
    world = referring(make_world, caps=[{"per": "advocate", "times": ROUNDS}])
    refs = [f"f{number}" for number in range(ROUNDS + 2)]
    for ref in refs:
        friend(world, ref)
    world.set_clock("2026-01-03T00:00:00Z")
    _in_waves([put(world, f"/orders/{ref}", order(ref)) for ref in refs])
    assert world.balance("mina") == 500 * ROUNDS
    assert [world.balance(ref) for ref in refs] == [300] * len(refs)
    # All fall at once: as many places are freed as there are capped ones, and nothing is left.
    _in_waves([put(world, f"/orders/{ref}", order(ref, status="cancelled")) for ref in refs])
    assert world.balance("mina") == 0
    assert_sound(world)


def _decision(world: World, ref: str, action: str, by: str, **body: Any) -> Callable[[], Any]:
    """A reviewer's decision to be sent later."""
    [found] = world.get(f"/referrals?friend={ref}")["data"]
    headers = {"Idempotency-Key": f"{ref}-{action}-{by}", "Dangol-Actor": by}
    path, told = f"/referrals/{found['id']}/{action}", {"reason": "looked into"} | body
    return lambda: world.call("POST", path, told, headers=headers)


def _lines(world: World, ref: str, action: str) -> int:
    """How often something was decided."""
    [found] = world.get(f"/referrals?friend={ref}")["data"]
    lines = world.get(f"/referrals/{found['id']}")["transitions"]
    return sum(one["action"] == action for one in lines)


def test_of_two_reviewers_one_decides(make_world: Make) -> None:
    world = referring(make_world)
    refs = [f"{kind}{number}" for number in range(ROUNDS) for kind in ("same", "both", "undo")]
    world.member("mina", visitor=HOME)
    for ref in refs:
        friend(world, ref, visitor=HOME)
    world.set_clock("2026-01-03T00:00:00Z")
    for ref in refs:
        put(world, f"/orders/{ref}", order(ref))()
        assert is_now(world, ref) == ("in_review", None)
    paid = 0
    for number in range(ROUNDS):
        # The same decision twice is made once.
        ref = f"same{number}"
        answers = at_once([_decision(world, ref, "approve", by) for by in ("Ada", "Bo")])
        assert statuses(answers) == {200: 1, 409: 1}
        assert (is_now(world, ref), _lines(world, ref, "approve")) == (("approved", None), 1)
        # Whoever says in which state they saw it overrules nobody unseen.
        ref, seen = f"both{number}", {"if_state": "in_review"}
        works = [_decision(world, ref, one, one, **seen) for one in ("approve", "reject")]
        approved, rejected = at_once(works)
        assert sorted([approved.status_code, rejected.status_code]) == [200, 409]
        expected = ("approved", None) if approved.status_code == 200 else ("rejected", "MANUAL")
        assert is_now(world, ref) == expected
        # Approved again while the approval is undone: after it, or not at all.
        again = f"undo{number}"
        assert _decision(world, again, "approve", "Ada")().status_code == 200
        approved, undone = at_once(
            [_decision(world, again, "approve", "Bo"), _decision(world, again, "undo", "Ada")]
        )
        assert (approved.status_code, undone.status_code) in ((200, 200), (409, 200))
        is_approved = approved.status_code == 200
        assert is_now(world, again)[0] == ("approved" if is_approved else "in_review")
        for one in (f"same{number}", ref, again):
            stands = is_now(world, one)[0] == "approved"
            assert world.balance(one) == 300 * stands
            paid += stands
    assert world.balance("mina") == 500 * paid
    assert_sound(world)
