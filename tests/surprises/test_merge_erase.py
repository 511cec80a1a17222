"""Surprises of two who are one person, and of somebody who is erased."""

from typing import Any

from tests.scenarios.erasing import erase
from tests.surprises.playing import Make, gift, given, go_to, receipts, sound, told, won
from tests.world import World


def test_what_both_won_is_one_persons(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("luck", 7, cooldown="P30D"),
            gift("pity", 5, probability_ppm=0, pity_after=2),
            gift("once", 3, limits=[{"per": "member", "period": "ever", "times": 1}]),
            gift("hello", 2, trigger="signup"),
            gift("month", 30, trigger="silence", silent_for="P30D"),
        ]
    )
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    assert won(world.order("A-1", 1000)) == ["luck", "once"]
    assert won(world.order("J-1", 1000, member_ref="jun")) == ["luck", "once"]
    # Moved from Jun to Mina: each has a receipt of it, before they turn out to be one.
    world.order("J-2", 1000, member_ref="jun", placed_at="2026-03-01T09:00:00Z")
    moved = world.order("J-2", 1000, placed_at="2026-03-01T09:00:00Z", revision=2)
    assert won(moved) == []
    before = (world.balance("mina"), world.balance("jun"))
    assert before == (20 + 7 + 3 + 2, 10 + 7 + 3 + 2)
    world.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert world.balance() == sum(before)
    # The receipts name whom they were drawn for, whoever has them; only the one that both have of
    # the moved order stays with who drew it.
    [mina] = {r["member_id"] for r in receipts(world, "hello")}
    rows = [(r["source_ref"], r["member_ref"], r["member_id"] == mina) for r in receipts(world)]
    of_luck = [
        row for row, one in zip(rows, receipts(world), strict=True) if one["surprise_key"] == "luck"
    ]
    assert of_luck == [
        ("A-1", "mina", True),
        ("J-1", "jun", True),
        ("J-2", "jun", False),
        ("J-2", "mina", True),
    ]
    # One cool-down, one limit, one row of losses: A-1, J-1 and J-2 were lost, the next one wins.
    go_to(world, "2026-03-10T10:00:00Z")
    assert won(world.order("A-2", 1000, placed_at="2026-03-10T10:00:00Z")) == ["pity"]
    # What was won by the other goes back with its order, from the one who has it now.
    gone: dict[str, Any] = {"member_ref": "jun", "status": "cancelled", "revision": 2}
    assert won(world.order("J-1", 1000, **gone)) == []
    assert world.balance() == sum(before) + 10 + 5 - 10 - 7 - 3
    # Paid again it finds the limit taken by A-1: one ever is one for both.
    assert won(world.order("J-1", 1000, member_ref="jun", revision=3)) == ["luck"]
    # Their silence is one, since the last order of either.
    go_to(world, "2026-05-01T00:00:00Z")
    assert given(world)[-1] == ("2026-04-09T10:00:00Z", 30)
    assert [one[1] for one in told(world, "month")] == ["silence:A-2"]
    sound(world)


def test_what_was_drawn_for_somebody_erased_is_sealed(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("luck", 7, budget={"unit": "points", "total": 14}),
            gift("month", 30, trigger="silence", silent_for="P30D"),
        ]
    )
    world.set_clock("2026-03-01T10:00:00Z")
    world.member("mina")
    world.member("jun")
    world.order("A-1", 1000)
    world.order("A-2", 1000, status="pending")
    hashes = [row["body_hash"] for row in receipts(world)]
    erase(world)
    [row] = receipts(world)
    assert (row["member_ref"], row["activity_ref"], row["source_ref"]) == (None, None, None)
    assert bool(row["is_erased"]) is True
    assert [row["body_hash"]] == hashes

    # What she had of the budget is spent; cancelled it comes back, and paid again it is taken.
    def tell(ref: str, **more: Any) -> Any:
        return world.order(ref, 1000, member_ref=None, **more)

    tell("A-1", status="cancelled", revision=2)
    assert won(world.order("J-1", 1000, member_ref="jun")) == ["luck"]
    assert won(world.order("J-2", 1000, member_ref="jun")) == ["luck"]
    tell("A-1", revision=3)
    # Nothing is drawn for nobody, and nobody's silence falls due.
    tell("A-2", revision=2)
    go_to(world, "2026-05-01T00:00:00Z")
    assert [one["member_ref"] for one in receipts(world)] == [None, "jun", "jun", "jun"]
    assert world.balance("jun") == 2 * 10 + 2 * 7 + 30
    sound(world)
