"""What is told again is not won again: silences, places of a day, what was paused, groups."""

from typing import Any

import pytest

from tests.surprises.playing import Make, gift, given, go_to, receipts, sound, told, when, won
from tests.world import World

NOTHING: dict[str, Any] = {"earning": {"rules": []}}
LINES = when("order.line_count", ">=", 2)


def test_a_silence_is_paid_once_whatever_is_told_of_it(make_world: Make) -> None:
    surprises = [gift("month", 30, trigger="silence", silent_for="P30D")]
    world: World = make_world(surprises=surprises, **NOTHING)
    if world.is_postgresql:
        pytest.skip("what is told is the same: once is enough")
    world.set_clock("2026-01-01T00:00:00Z")
    for ref in ("mina", "jun", "bo", "ines", "sua"):
        world.member(ref)
    world.set_clock("2026-01-20T00:00:00Z")
    days = {"mina": ("01", "20"), "bo": ("01",), "ines": ("01",), "sua": ("01",)}
    for ref, of_member in days.items():
        for day in of_member:
            world.order(f"{ref}-{day}", 1, member_ref=ref, placed_at=f"2026-01-{day}T00:00:00Z")
    go_to(world, "2026-03-01T00:00:00Z")
    first, month = [("2026-02-19T00:00:00Z", 30)], [("2026-01-31T00:00:00Z", 30)]
    assert [given(world, ref) for ref in ("mina", "bo", "ines", "sua")] == [first] + [month] * 3
    # The last order falls: the silence is not another one, since whichever order it is.
    gone: dict[str, Any] = {
        "status": "cancelled",
        "revision": 2,
        "placed_at": "2026-01-20T00:00:00Z",
    }
    world.order("mina-20", 1, **gone)
    go_to(world, "2026-03-01T00:05:00Z")
    assert given(world) == first
    # Orders of the past are told late, a minute apart: of that silence, or over by now.
    for minute, day in ((6, "01-08"), (7, "01-09"), (8, "02-01"), (9, "02-10")):
        at = {"member_ref": "bo", "placed_at": f"2026-{day}T00:00:00Z"}
        world.order(f"bo-{day}", 1, **at)
        go_to(world, f"2026-03-01T00:{minute:02}:00Z")
    assert given(world, "bo") == month
    # 10 February + 30 days is 12 March: a further silence, begun after the first one was paid.
    go_to(world, "2026-03-12T00:00:00Z")
    assert given(world, "bo") == [*month, ("2026-03-12T00:00:00Z", 30)]
    # Moved from hand to hand, the order brings nobody what it brought before, or would have.
    for number, ref in enumerate(("jun", "sua", "jun"), start=2):
        moved: dict[str, Any] = {"member_ref": ref, "placed_at": "2026-01-01T00:00:00Z"}
        world.order("ines-01", 1, revision=number, **moved)
        go_to(world, f"2026-03-12T0{number}:00:00Z")
    assert [given(world, ref) for ref in ("ines", "jun", "sua")] == [month, [], month]
    # Whoever has an order that is young enough is silent since it all the same.
    world.order("sua-02", 1, member_ref="sua", placed_at="2026-03-11T00:00:00Z")
    world.order("sua-02", 1, member_ref="jun", placed_at="2026-03-11T00:00:00Z", revision=2)
    go_to(world, "2026-04-10T00:00:00Z")
    assert given(world, "jun") == [("2026-04-10T00:00:00Z", 30)]
    # Two who are one had it, whoever of them did.
    world.member("kim")
    world.order("kim-05", 1, member_ref="kim", placed_at="2026-03-05T00:00:00Z")
    world.post("/members/jun/merge", {"into_member_ref": "kim"})
    gone |= {"member_ref": "kim", "placed_at": "2026-03-11T00:00:00Z", "revision": 3}
    world.order("sua-02", 1, **gone)
    go_to(world, "2026-05-30T00:00:00Z")
    assert (world.balance("kim"), given(world, "kim")) == (30, [])
    sound(world)


def test_a_late_order_within_a_silence_that_was_paid_is_no_further_one(make_world: Make) -> None:
    surprises = [gift("month", 30, trigger="silence", silent_for="P30D")]
    world: World = make_world(surprises=surprises, **NOTHING)
    world.set_clock("2026-01-01T00:00:00Z")
    world.member()
    world.order("A-1", 1, placed_at="2026-01-01T00:00:00Z")
    go_to(world, "2026-02-10T00:00:00Z")
    # 20 January + 30 days is still to come, but it began before the gift of 31 January.
    world.order("A-2", 1, placed_at="2026-01-20T00:00:00Z")
    go_to(world, "2026-03-20T00:00:00Z")
    assert given(world) == [("2026-01-31T00:00:00Z", 30)]
    # Jun's own fell due, and was not looked at yet: an order that is moved to her takes it not.
    world.member("jun")
    world.order("J-1", 1, member_ref="jun", placed_at="2026-03-20T00:00:00Z")
    world.set_clock("2026-04-25T00:00:00Z")
    at = {"placed_at": "2026-03-24T00:00:00Z"}
    world.order("A-3", 1, **at)
    world.order("A-3", 1, member_ref="jun", revision=2, **at)
    assert given(world, "jun") == [("2026-04-19T00:00:00Z", 30)]
    go_to(world, "2026-05-20T00:00:00Z")
    assert given(world, "jun") == [("2026-04-19T00:00:00Z", 30)]
    # A-2 is Mina's last one again, and had been looked past.
    assert given(world) == [("2026-01-31T00:00:00Z", 30)]
    sound(world)


def test_an_activity_is_asked_once_whoever_has_it(make_world: Make) -> None:
    kind: dict[str, Any] = {"activities": [{"key": "visit"}]} | NOTHING
    of = {"trigger": "activity:visit"}
    world: World = make_world(
        surprises=[gift("second", 7, every=2, **of), gift("idle", 5, state="paused", **of)], **kind
    )
    for ref in ("mina", "jun", "bo"):
        world.member(ref)

    def visits(name: str, ref: str, day: int, **more: Any) -> list[str]:
        body = {"member_ref": ref, "kind": "visit", "occurred_at": f"2026-03-0{day}T10:00:00Z"}
        return won(world.put(f"/activities/{name}", body | more))

    assert visits("V-1", "mina", 1) == []
    world.publish(surprises=[gift("second", 7, every=2, **of), gift("idle", 5, **of)], **kind)
    assert visits("V-2", "jun", 2) == ["idle"]
    # Whatever day and whoever it is told of later, it was the first of its day, and looked past.
    assert visits("V-1", "mina", 2) == []
    assert visits("V-1", "bo", 2) == []
    assert visits("V-3", "bo", 2) == ["idle", "second"]
    # One that was withdrawn at first stands for the first time.
    assert visits("V-4", "mina", 3, status="withdrawn") == []
    assert visits("V-4", "mina", 3) == ["idle"]
    assert [world.balance(ref) for ref in ("mina", "jun", "bo")] == [5, 5, 5 + 7]
    sound(world)


def test_a_place_of_a_day_is_taken_once_for_an_order(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("third", 7, every=3)], **NOTHING)
    for ref in ("mina", "jun", "bo", "u1", "u2"):
        world.member(ref)
    at = "2026-03-01T01:00:00Z"
    assert won(world.order("A", 1, placed_at=at)) == []
    # Two others on each of these days: whoever comes third wins.
    for day in (2, 3):
        for ref in ("u1", "u2"):
            placed = {"placed_at": f"2026-03-0{day}T05:00:00Z", "member_ref": ref}
            assert won(world.order(f"{ref}-{day}", 1, **placed)) == []
    # Paid on another day it is the same order; it is so for whom it is moved to, and back.
    paid = {"placed_at": at, "paid_at": "2026-03-02T10:00:00Z"}
    assert won(world.order("A", 1, revision=2, **paid)) == []
    paid["paid_at"] = "2026-03-03T10:00:00Z"
    for revision, ref in enumerate(("mina", "jun", "bo", "mina"), start=3):
        assert won(world.order("A", 1, revision=revision, member_ref=ref, **paid)) == []
    # The places that it did not take are others'.
    assert won(world.order("J", 1, member_ref="jun", placed_at="2026-03-02T11:00:00Z")) == ["third"]
    assert told(world) == [("third", "J", None, True)]
    # What had its turn has it no second time, whoever has the order by then.
    at = "2026-03-02T11:00:00Z"
    assert won(world.order("J", 1, member_ref="bo", placed_at=at, revision=2)) == []
    assert [world.balance(ref) for ref in ("mina", "jun", "bo")] == [0, 0, 0]
    assert won(world.order("J", 1, member_ref="jun", placed_at=at, revision=3)) == ["third"]
    sound(world)


def test_what_looked_away_when_it_happened_wins_nothing_afterwards(make_world: Make) -> None:
    before = [
        gift("paused", 1, state="paused"),
        gift("other", 2, trigger="signup"),
        gift("later", 3, schedule={"starts_at": "2026-03-05T00:00:00Z"}),
        gift("app", 4, **when("order.channel", "=", "app")),
        gift("lines", 5, **LINES),
        gift("never", 6, **LINES),
    ]
    world: World = make_world(surprises=before, **NOTHING)
    for ref in ("mina", "jun"):
        world.member(ref)
    assert world.balance() == 2
    at = {"placed_at": "2026-03-01T10:00:00Z"}
    for name in ("A", "B"):
        assert won(world.order(name, 1, **at)) == []
    assert won(world.order("P", 1, 1, status="pending", **at)) == []
    after = [
        gift("paused", 1),
        gift("other", 2),
        gift("later", 3, schedule={"starts_at": "2026-03-05T00:00:00Z"}),
        gift("app", 4),
        gift("lines", 5, **LINES),
        gift("new", 9),
    ]
    world.publish(surprises=after, **NOTHING)
    # The condition of `lines` was not met, and is now: nothing else may be asked, of an order that
    # stood before; nor when it is paid at a time that suits, or belongs to somebody else.
    late = at | {"paid_at": "2026-03-06T10:00:00Z"}
    assert won(world.order("A", 1, revision=2, **late)) == []
    assert won(world.order("A", 1, 1, revision=3, **late)) == ["lines"]
    moved = {"member_ref": "jun"}
    assert won(world.order("B", 1, revision=2, **late, **moved)) == []
    assert won(world.order("B", 1, revision=3, **late)) == []
    assert won(world.order("B", 1, 1, revision=4, **late, **moved)) == ["lines"]
    # One that first stands now is looked at now, by those that its document has.
    assert won(world.order("P", 1, 1, revision=2, **at)) == ["app", "lines", "paused"]
    assert [world.balance(ref) for ref in ("mina", "jun")] == [2 + 5 + 4 + 5 + 1, 2 + 5]
    sound(world)


def test_a_group_is_taken_by_what_won_in_it_whatever_it_is_called_by_now(make_world: Make) -> None:
    one, other = gift("a", 5, priority=1), gift("b", 6, group="g", priority=2, **LINES)
    for changed in ([], [one], [one | {"group": "h"}]):
        world: World = make_world(surprises=[one | {"group": "g"}, other], **NOTHING)
        world.member()
        assert won(world.order("A", 1)) == ["a"]
        world.publish(surprises=[*changed, other], **NOTHING)
        assert won(world.order("A", 1, 1, revision=2)) == ["a"]
        assert receipts(world, "b")[0]["guard"] == "excluded"
        sound(world)


def test_a_prize_of_which_none_is_left_is_not_drawn_for(make_world: Make) -> None:
    mug = {"key": "mug", "cost_points": None, "kind": "free_product", "value": {"sku": "MUG"}}
    prize = [{"effects": [{"do": "grant_reward", "reward": "mug"}]}]
    once = [{"per": "member", "period": "ever", "times": 1}]
    world: World = make_world(
        rewards=[mug | {"stock": 1}],
        surprises=[
            {"key": "cup", "prizes": prize, "limits": once},
            {"key": "second", "prizes": prize, "priority": 1},
        ],
        **NOTHING,
    )
    for ref in ("mina", "jun"):
        world.member(ref)
    # The last one is given by the first of two, and is not there for the other.
    assert won(world.order("A", 1)) == ["cup"]
    assert won(world.order("B", 1, member_ref="jun")) == []
    assert [one[2] for one in told(world)] == [None, "budget", "budget", "budget"]
    # Nothing of the limit was used: when there is one again she has it.
    world.order("A", 1, status="cancelled", revision=2)
    assert won(world.order("C", 1, member_ref="jun")) == ["cup"]
    sound(world)
