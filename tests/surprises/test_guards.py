"""The guards of surprises, each recorded as the first that fails (SEMANTICS 54, 56, 58, 59)."""

import hashlib
from typing import Any

from tests.surprises.playing import Make, gift, receipts, sound, told, when, won
from tests.world import World, order


def bucket(salt: str, member_ref: str) -> int:
    """SEMANTICS 56, by the book."""
    digest = hashlib.sha256(f"{salt}:{member_ref}".encode()).digest()
    return int.from_bytes(digest, "big") * 10_000 >> 256


def switch(world: World, key: str, state: str) -> None:
    body = {"section": "surprises", "key": key, "state": state, "reason": "test"}
    world.post("/switches", body)


def reasons(world: World, answer: Any) -> dict[str, Any]:
    """By surprise, why an order's decision says that nothing came; None where something did."""
    import sqlalchemy as sa

    from core import db, ids, jsontext
    from programs.models import Decision

    wanted = ids.read_id("dec", answer["decision_id"])
    with world.app.app_context():
        text = db.reading(
            lambda connection: connection.execute(
                sa.select(Decision.outcomes).where(Decision.id == wanted)
            ).scalar_one()
        )
    return {one["rule"]: one.get("reason") for one in jsontext.parse(text)["surprises"]}


def test_the_first_guard_that_fails_is_the_reason(make_world: Make) -> None:
    """Whatever else would stand against it: everything behind the named guard fails as well."""
    never: dict[str, Any] = {"probability_ppm": 0}
    poor = never | {"budget": {"unit": "points", "total": 1}}
    cooling = poor | {"cooldown": "P30D"}
    limited = cooling | {"limits": [{"per": "member", "period": "ever", "times": 1}]}
    grouped = limited | {"group": "luck"}
    held = grouped | {"holdout_bp": 10_000}
    unmet = held | when("order.net_minor", ">", 10**6)
    late = unmet | {"schedule": {"starts_at": "2026-06-01T00:00:00Z"}}
    paused = late | {"state": "paused"}
    chain = {
        "a-not-live": (paused, "not_live"),
        "b-schedule": (late, "outside_schedule"),
        "c-condition": (unmet, "condition_not_met"),
        "d-holdout": (held, "holdout"),
        "e-excluded": (grouped, "excluded"),
        "f-limit": (limited, "limit_reached"),
        "g-cooldown": (cooling, "cooldown"),
        "h-budget": (poor, "budget"),
        "i-lost": (never, "lost"),
    }
    # Those that must have been won before are won before, without what stands against them now.
    world: World = make_world(
        surprises=[
            gift("f-limit", limits=limited["limits"]),
            gift("g-cooldown", cooldown="P30D"),
        ]
    )
    world.member()
    assert won(world.order("A-1", 1000)) == ["f-limit", "g-cooldown"]
    winner = gift("group-winner", 1, group="luck", priority=-1)
    world.publish(surprises=[winner, *(gift(key, **more) for key, (more, _) in chain.items())])
    answer = world.order("A-2", 1000)
    assert won(answer) == ["group-winner"]
    assert reasons(world, answer) == {
        "group-winner": None,
        **{key: reason for key, (_, reason) in chain.items()},
    }
    # Of what stood behind the condition there is a receipt, of what stood before it none.
    of_second = {r["surprise_key"]: r for r in receipts(world) if r["source_ref"] == "A-2"}
    assert {key: row["guard"] for key, row in of_second.items()} == {
        "group-winner": None,
        "d-holdout": "holdout",
        "e-excluded": "excluded",
        "f-limit": "limit_reached",
        "g-cooldown": "cooldown",
        "h-budget": "budget",
        "i-lost": None,
    }
    drawn = {key for key, row in of_second.items() if row["roll"] is not None}
    assert drawn == {"group-winner", "i-lost"}
    # What a guard stopped is final for that order, and what was paused then wins nothing later.
    world.publish(surprises=[gift("d-holdout"), gift("a-not-live")])
    assert won(world.order("A-2", 2000, revision=2)) == ["group-winner"]
    sound(world)


def test_limits_of_members_and_of_the_program_by_their_periods(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("mine", 3, limits=[{"per": "member", "period": "day", "times": 1}]),
            gift("ours", 5, limits=[{"per": "program", "period": "week", "times": 3}]),
        ]
    )
    world.member("mina")
    world.member("jun")
    # 1 March 2026 is a Sunday; in Seoul Monday begins at 15:00 UTC.
    sunday, monday = "2026-03-01T14:59:59Z", "2026-03-01T15:00:00Z"
    assert won(world.order("A-1", 1000, placed_at=sunday)) == ["mine", "ours"]
    assert won(world.order("A-2", 1000, placed_at=sunday)) == ["ours"]
    assert won(world.order("A-3", 1000, placed_at=sunday, member_ref="jun")) == ["mine", "ours"]
    assert won(world.order("A-4", 1000, placed_at=sunday, member_ref="jun")) == []
    assert won(world.order("A-5", 1000, placed_at=monday)) == ["mine", "ours"]
    # What falls gives its place to whoever comes next, and finds it taken when it stands again.
    gone: dict[str, Any] = {"placed_at": sunday, "status": "cancelled", "revision": 2}
    world.order("A-1", 1000, **gone)
    assert won(world.order("A-6", 1000, placed_at=sunday)) == ["mine", "ours"]
    assert won(world.order("A-1", 1000, placed_at=sunday, revision=3)) == []
    assert {r["why_fallen"] for r in receipts(world) if r["source_ref"] == "A-1"} == {
        "limit_reached"
    }
    # Mina: of 10 points each and A-1; mine twice, ours three times.
    assert world.balance("mina") == 4 * 10 + 2 * 3 + 3 * 5
    assert world.balance("jun") == 2 * 10 + 3 + 5
    sound(world)


def test_the_kill_switch_acts_at_once_and_shadows_give_nothing(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("luck", 7, when={"fact": "order.net_minor", "op": ">=", "value": 2000}),
            gift(
                "shade",
                9,
                state="shadow",
                group="g",
                priority=-1,
                cooldown="P30D",
                limits=[{"per": "member", "period": "ever", "times": 1}],
                budget={"unit": "points", "total": 9},
            ),
            gift("sun", 2, group="g"),
        ]
    )
    world.member()
    # The shadow draws, and takes neither group nor limit, cool-down nor budget.
    assert won(world.order("A-1", 1000)) == ["sun"]
    assert won(world.order("A-2", 1000)) == ["sun"]
    assert [(r["won"], r["stands"], r["guard"]) for r in receipts(world, "shade")] == [
        (True, False, None)
    ] * 2
    assert world.balance() == 2 * 10 + 2 * 2
    # A-1 did not meet the condition of luck; told anew it does, but luck has been stopped: an
    # order pinned before the switch is judged by it.
    switch(world, "luck", "paused")
    assert won(world.order("A-1", 3000, revision=2)) == ["sun"]
    switch(world, "luck", "live")
    assert won(world.order("A-1", 3500, revision=3)) == ["sun", "luck"]
    # What was won keeps standing when it is stopped afterwards.
    switch(world, "luck", "paused")
    assert won(world.order("A-1", 3600, revision=4)) == ["sun", "luck"]
    # Live it draws for what comes, never again for what its shadow drew; the switch is no version.
    world.publish(surprises=[gift("shade", 9, group="g", priority=-1, cooldown="P30D")])
    assert won(world.order("A-2", 1100, revision=2)) == ["sun"]
    assert won(world.order("A-3", 1000)) == ["shade"]
    assert world.balance() == 36 + 11 + 10 + 7 + 2 + 2 + 9
    sound(world)


def test_after_losses_in_a_row_pity_wins(make_world: Make) -> None:
    world: World = make_world(
        surprises=[gift("luck", 7, probability_ppm=0, pity_after=3, limits=[])]
    )
    world.member()
    world.member("jun")
    got = [won(world.order(f"A-{number}", 1000)) for number in range(1, 9)]
    # Lost, lost, lost, won; and the row begins anew.
    assert got == [[], [], [], ["luck"], [], [], [], ["luck"]]
    # Somebody else's losses are their own.
    assert won(world.order("J-1", 1000, member_ref="jun")) == []
    rows = receipts(world)
    assert [(r["losses"], bool(r["is_pity"])) for r in rows] == [
        *[(0, False), (1, False), (2, False), (3, True)] * 2,
        (0, False),
    ]
    assert all(r["roll"] >= r["threshold_ppm"] == 0 for r in rows)
    sound(world)


def test_a_holdout_is_by_its_hash_and_only_grows(make_world: Make) -> None:
    refs = [f"m-{number}" for number in range(12)]
    world: World = make_world(surprises=[gift("luck", holdout_bp=3000), gift("joy", 2)])
    for ref in refs:
        world.member(ref)
    salt = world.program_id
    own = {ref for ref in refs if bucket(f"{salt}:surprise:luck", ref) < 3000}
    got = {ref: won(world.order(f"A-{ref}", 1000, member_ref=ref)) for ref in refs}
    assert got == {ref: ["joy"] if ref in own else ["joy", "luck"] for ref in refs}
    # The program's own goes before the rule's; what is contractual is earned all the same.
    world.publish(surprises=[gift("luck", holdout_bp=5000), gift("joy", 2)], holdout_bp=4000)
    everybodys = {ref for ref in refs if bucket(f"{salt}:program", ref) < 4000}
    more = {ref for ref in refs if bucket(f"{salt}:surprise:luck", ref) < 5000}
    assert own <= more
    for ref in refs:
        answer = world.order(f"B-{ref}", 1000, member_ref=ref)
        left = [] if ref in everybodys else ["joy"] if ref in more else ["joy", "luck"]
        assert won(answer) == left
        assert answer["earned"][0]["points"] == 10
    scopes = {
        (r["member_ref"], r["surprise_key"]): r["holdout_scope"]
        for r in receipts(world)
        if r["source_ref"].startswith("B-") and r["guard"] == "holdout"
    }
    assert scopes == {
        **{(ref, "luck"): "rule" for ref in more},
        **{(ref, key): "program" for ref in everybodys for key in ("joy", "luck")},
    }
    sound(world)


def test_who_has_no_chance(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("luck", cooldown="P1D")])
    world.member()
    world.member("jun")
    world.member("away", is_enrolled=False)
    # History, guests, who takes no part, and what is not paid yet.
    assert world.order("H-1", 1000, is_history=True)["surprises"] == []
    assert world.order("G-1", 1000, member_ref=None)["surprises"] == []
    assert world.order("N-1", 1000, member_ref="away")["surprises"] == []
    assert world.order("A-1", 1000, status="pending")["surprises"] == []
    assert receipts(world) == []
    # Paid it has; a guest's order that is claimed has; a late one within the cool-down has not.
    assert won(world.order("A-1", 1000)) == ["luck"]
    later = "2026-03-05T10:00:00Z"
    world.order("G-2", 1000, member_ref=None, placed_at=later)
    assert won(world.order("G-2", 1000, placed_at=later)) == ["luck"]
    assert won(world.order("A-2", 1000, placed_at="2026-03-04T20:00:00Z")) == []
    # Moved to somebody else it is another chance, and gone from who had it; and back again.
    assert won(world.order("A-1", 1000, member_ref="jun", revision=2)) == ["luck"]
    assert (world.balance("mina"), world.balance("jun")) == (10 + 7 + 10, 10 + 7)
    assert won(world.order("A-1", 1000, revision=3)) == ["luck"]
    assert (world.balance("mina"), world.balance("jun")) == (10 + 7 + 10 + 10 + 7, 0)
    assert len(receipts(world)) == 4
    # Several of one member in one batch are as one by one.
    batch = [
        order(1000, order_ref=f"B-{number}", placed_at=f"2026-04-0{number}T{hour}:00:00Z")
        for number, hour in ((1, 10), (2, "09"), (3, 10))
    ]
    results = world.post("/orders/batch", {"orders": batch})["results"]
    assert [won(one) for one in results] == [["luck"], [], ["luck"]]
    assert [one[1] for one in told(world) if one[2] == "cooldown"] == ["A-2", "B-2"]
    sound(world)


def test_what_is_published_between_changes_nothing_that_was_drawn(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("luck", 7)])
    world.member()
    assert won(world.order("A-1", 1000, status="pending")) == []
    world.publish(surprises=[gift("luck", 9), gift("new", 4)])
    # It was told under the first version: judged by what is live, and by nothing that came since.
    assert won(world.order("A-1", 1000)) == ["luck"]
    assert world.balance() == 10 + 9
    world.publish(surprises=[gift("luck", 11, cooldown="P30D"), gift("new", 4)])
    world.order("A-1", 1000, status="cancelled")
    # Paid again it gives what it gave, by the same draw: no new prize, and no guard is asked.
    assert won(world.order("A-1", 1000)) == ["luck"]
    assert world.balance() == 10 + 9
    assert won(world.order("A-2", 1000)) == ["new"]
    world.publish(surprises=[])
    world.order("A-1", 1000, status="cancelled")
    assert won(world.order("A-1", 1000)) == ["luck"]
    assert world.balance() == 2 * 10 + 9 + 4
    # The version of a receipt is that in which the surprise last changed.
    assert [(r["surprise_key"], r["version"], r["guard"]) for r in receipts(world)] == [
        ("luck", 2, None),
        ("luck", 3, "cooldown"),
        ("new", 2, None),
    ]
    sound(world)
