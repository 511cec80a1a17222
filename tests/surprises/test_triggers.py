"""What may bring a surprise: each trigger as a story, with its numbers worked out by hand."""

from typing import Any

from core import clock
from storefront import due
from tests.scenarios.attributing import offer
from tests.scenarios.befriending import buy, friend
from tests.scenarios.tier_shop import TIERS
from tests.surprises.playing import Make, gift, given, go_to, receipts, sound, told, when, won
from tests.world import BASE_RULE, World, order, rule

STAMP = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})
COFFEE = {"key": "coffee", "stamps": 2, "effects": [], "repeats": True}


def on(day: str) -> dict[str, Any]:
    return {"placed_at": f"2026-{day}T10:00:00Z"}


def test_orders_bring_surprises_by_their_number_and_after_a_long_silence(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("first", 11, **when("order.is_first", "=", True)),
            gift("third", 33, **when("member.order_count", "=", 2)),
            gift("back", 77, **when("member.days_since_last_order", ">=", 60)),
            gift("streak", 99, **when("member.order_streak_weeks", ">=", 2)),
        ]
    )
    world.member()
    assert won(world.order("A-1", 1000, **on("01-10"))) == ["first"]
    assert won(world.order("A-2", 1000, **on("01-20"))) == []
    assert won(world.order("A-3", 1000, **on("01-30"))) == ["third"]
    # 31 January to 31 March are 60 days.
    assert won(world.order("A-4", 1000, **on("03-31"))) == ["back"]
    assert world.balance() == 4 * 10 + 11 + 33 + 77
    # The first purchase is a claim: given back with its order, and whoever comes next has it.
    assert won(world.order("A-1", 1000, **on("01-10"), status="cancelled", revision=2)) == []
    assert won(world.order("A-5", 1000, **on("04-10"))) == ["first"]
    assert world.balance() == 4 * 10 + 11 + 33 + 77
    # Monday 13 April is in the third week in a row, after 31 March and 10 April.
    assert won(world.order("A-6", 1000, **on("04-13"))) == ["streak"]
    # Paid again, the one that was first finds it taken: it stands, and its surprise does not.
    assert won(world.order("A-1", 1000, **on("01-10"), revision=3)) == []
    assert world.balance() == 6 * 10 + 11 + 33 + 77 + 99
    [row] = [one for one in receipts(world, "first") if one["source_ref"] == "A-1"]
    assert (row["stands"], row["why_fallen"]) == (False, "condition_not_met")
    # A third order that was the third is so for ever: what it was judged by is pinned.
    world.order("A-3", 1000, **on("01-30"), status="cancelled", revision=2)
    assert won(world.order("A-3", 1000, **on("01-30"), revision=3)) == ["third"]
    sound(world)


def test_what_is_no_order_brings_surprises(make_world: Make) -> None:
    world: World = make_world(
        activities=[{"key": "review", "facts": {"rating": "integer"}}],
        # Neither the level nor the card brings anything by itself.
        tiers=TIERS | {"levels": [{"key": "silver", "enter_at": 50_000}]},
        cards=[COFFEE],
        earning={"rules": [BASE_RULE, STAMP]},
        surprises=[
            gift("hello", 3, trigger="signup"),
            gift("thanks", 5, trigger="activity:review", **when("activity.facts.rating", "=", 5)),
            gift("cake", 13, trigger="birthday"),
            gift("year", 17, trigger="anniversary"),
            gift("up", 19, trigger="tier_entered", **when("tier.key", "=", "silver")),
            gift("full", 23, trigger="card_completed"),
        ],
    )
    world.set_clock("2026-01-01T00:00:00Z")
    joined = world.member(birthday_on="1990-03-10")
    assert won(joined) == ["hello"]
    assert world.balance() == 3
    review = {"member_ref": "mina", "kind": "review", "occurred_at": "2026-01-01T00:00:00Z"}
    assert won(world.put("/activities/R-1", review | {"facts": {"rating": 4}})) == []
    assert won(world.put("/activities/R-2", review | {"facts": {"rating": 5}})) == ["thanks"]
    assert world.balance() == 3 + 5
    # Withdrawn it goes, told again it comes back, by the same draw.
    gone_review = review | {"facts": {"rating": 5}, "status": "withdrawn"}
    assert won(world.put("/activities/R-2", gone_review)) == []
    assert world.balance() == 3
    assert won(world.put("/activities/R-2", review | {"facts": {"rating": 5}})) == ["thanks"]
    assert len(receipts(world, "thanks")) == 1
    # 10 March and 1 January begin in Seoul at 15:00 UTC of the day before.
    go_to(world, "2026-03-09T15:00:00Z")
    assert given(world)[-1] == ("2026-03-09T15:00:00Z", 13)
    # 500.00 make her silver, the second order fills the card: told by its own answer, and taken
    # back with it.
    assert won(world.order("A-1", 50_000, placed_at="2026-03-09T15:00:00Z")) == ["up"]
    assert world.balance() == 3 + 5 + 13 + 500 + 19
    assert won(world.order("A-2", 1000, placed_at="2026-03-09T15:00:00Z")) == ["full"]
    assert world.balance() == 3 + 5 + 13 + 500 + 19 + 10 + 23
    gone = {"placed_at": "2026-03-09T15:00:00Z", "status": "cancelled", "revision": 2}
    assert won(world.order("A-2", 1000, **gone)) == []
    assert world.balance() == 3 + 5 + 13 + 500 + 19
    # Refunds lower at once: the level goes, with what entering it brought.
    assert won(world.order("A-1", 50_000, **gone)) == []
    assert world.balance() == 3 + 5 + 13
    go_to(world, "2026-12-31T15:00:00Z")
    assert given(world)[-1] == ("2026-12-31T15:00:00Z", 17)
    assert [one[1] for one in told(world)] == [
        "signup",
        "R-2",
        "birthday:2026-03-10",
        "tier:silver:2026-03-09T15:00:00Z",
        "card:coffee:1",
        "anniversary:2027-01-01",
    ]
    sound(world)


def test_a_birthday_that_moves_brings_its_surprise_once_a_year(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("cake", 13, trigger="birthday")])
    world.set_clock("2026-01-01T00:00:00Z")
    world.member(birthday_on="1990-03-10")
    go_to(world, "2026-03-20T00:00:00Z")
    assert given(world) == [("2026-03-09T15:00:00Z", 13)]
    # Told in good time, but she has had it this year (SEMANTICS 7).
    world.member(birthday_on="1990-06-10")
    go_to(world, "2026-07-01T00:00:00Z")
    assert given(world) == [("2026-03-09T15:00:00Z", 13)]
    go_to(world, "2027-07-01T00:00:00Z")
    assert given(world)[1:] == [("2027-06-09T15:00:00Z", 13)]
    sound(world)


def test_an_advocate_is_surprised_when_the_friend_is_approved(make_world: Make) -> None:
    world: World = make_world(
        earning={"rules": []},
        referral_offers=[offer(hold="P14D")],
        surprises=[gift("bravo", 29, trigger="referral_qualified")],
    )
    world.set_clock("2026-01-01T00:00:00Z")
    world.member("mina")
    friend(world, "ines")
    go_to(world, "2026-01-02T00:00:00Z")
    buy(world, "A-1", 60_000)
    assert receipts(world) == []
    go_to(world, "2026-01-16T00:00:00Z")
    assert world.balance("mina") == 500 + 29
    assert world.balance("ines") == 300
    [row] = receipts(world)
    assert row["activity_ref"].startswith("referral:")
    # Refunded in whole the advocate's side is clawed back, and the surprise with it.
    buy(world, "A-1", 60_000, status="cancelled", revision=2)
    assert world.balance("mina") == 0
    # An advocate who takes no part is surprised by nothing.
    world.member("jun")
    friend(world, "sua", by="jun")
    world.member("jun", is_enrolled=False)
    buy(world, "B-1", 60_000, by="sua", placed_at="2026-01-16T00:00:00Z")
    go_to(world, "2026-01-31T00:00:00Z")
    assert world.balance("sua") == 300
    assert len(receipts(world)) == 1
    sound(world)


def test_every_third_member_of_a_day_has_a_chance(make_world: Make) -> None:
    world: World = make_world(
        surprises=[gift("third", 31, every=3, **when("order.net_minor", ">=", 1000))]
    )
    for ref in ("m1", "m2", "m3", "m4"):
        world.member(ref)

    def buys(ref: str, name: str, minor: int = 1000, **more: Any) -> list[str]:
        return won(world.order(name, minor, member_ref=ref, **more))

    # One who does not meet the condition is not counted, one who comes twice is counted once.
    assert [buys("m1", "A-1"), buys("m1", "A-2"), buys("m2", "A-3", 500)] == [[], [], []]
    assert buys("m2", "A-4") == []
    assert buys("m3", "A-5") == ["third"]
    # She has had her place; and the fourth is the first of the next three.
    assert [buys("m3", "A-6"), buys("m4", "A-7")] == [[], []]
    # A place is kept: the cancelled second is still the second.
    assert buys("m2", "A-4", status="cancelled", revision=2) == []
    assert buys("m2", "A-4", revision=3) == []
    assert buys("m3", "A-5", status="cancelled", revision=2) == []
    assert buys("m3", "A-5", revision=3) == ["third"]
    assert world.balance("m3") == 2 * 10 + 31
    assert told(world) == [("third", "A-5", None, True)]
    # In Seoul 2 March begins at 15:00 UTC: everybody is counted anew, several in one unit too.
    batch = [
        order(1000, member_ref=ref, placed_at="2026-03-01T15:00:00Z", order_ref=f"B-{ref}")
        for ref in ("m4", "m2", "m1")
    ]
    results = world.post("/orders/batch", {"orders": batch})["results"]
    assert [won(one) for one in results] == [[], [], ["third"]]
    sound(world)


def test_a_silence_is_found_when_it_falls_due(make_world: Make) -> None:
    world: World = make_world(
        earning={"rules": []},
        surprises=[
            gift("month", 30, trigger="silence", silent_for="P30D"),
            gift(
                "longer",
                60,
                trigger="silence",
                silent_for="P60D",
                **when("member.days_since_last_order", "=", 60),
            ),
        ],
    )
    world.set_clock("2026-01-01T00:00:00Z")
    world.member()
    world.member("jun")
    go_to(world, "2026-01-10T10:00:00Z")
    world.order("A-1", 1000, placed_at="2026-01-10T10:00:00Z")
    go_to(world, "2026-02-09T09:59:59Z")
    assert given(world) == []
    # Due on the way, each at its own instant, and once.
    go_to(world, "2026-04-30T10:00:00Z")
    first = [("2026-02-09T10:00:00Z", 30), ("2026-03-11T10:00:00Z", 60)]
    assert given(world) == first
    assert given(world, "jun") == []
    # Late orders that ended it take nothing back; the last of them begins a silence of its own.
    world.order("A-2", 1000, placed_at="2026-01-20T10:00:00Z")
    world.order("A-3", 1000, placed_at="2026-04-20T10:00:00Z")
    world.order("A-4", 1000, placed_at="2026-04-30T10:00:00Z")
    go_to(world, "2026-05-02T10:00:00Z")
    # The last one falls: it is the one before that she has been silent since.
    world.order("A-4", 1000, placed_at="2026-04-30T10:00:00Z", status="cancelled", revision=2)
    go_to(world, "2026-05-20T10:00:00Z")
    assert given(world) == [*first, ("2026-05-20T10:00:00Z", 30)]
    world.order("A-5", 1000, placed_at="2026-05-20T10:00:00Z")
    go_to(world, "2026-06-19T09:59:59Z")
    # What is silent for shorter than it takes brings nothing.
    assert world.balance() == 30 + 60 + 30
    assert [one[:2] for one in told(world)] == [
        ("month", "silence:A-1"),
        ("longer", "silence:A-1"),
        ("month", "silence:A-3"),
    ]
    sound(world)


def test_a_silence_that_was_over_when_it_was_published_brings_nothing(make_world: Make) -> None:
    world: World = make_world()
    world.set_clock("2026-01-01T00:00:00Z")
    for ref, day in (("mina", "2025-12-20"), ("jun", "2026-01-01"), ("ines", "2025-12-20")):
        world.member(ref, joined_at="2025-12-01T00:00:00Z")
        world.order(f"A-{ref}", 1000, member_ref=ref, placed_at=f"{day}T00:00:00Z")
    go_to(world, "2026-01-25T00:00:00Z")
    world.publish(surprises=[gift("month", 30, trigger="silence", silent_for="P30D")])
    go_to(world, "2026-01-30T00:00:00Z")
    # Mina's fell due on 19 January, before anybody listened; Jun's is still to come.
    assert [given(world, ref) for ref in ("mina", "jun")] == [[], []]
    # The worker finds it: what a move of the clock settles, it settles as well.
    world.set_clock("2026-01-31T00:00:00Z")
    with world.app.app_context():
        while due.settle_some(clock.system_now()):
            pass
    assert given(world, "mina") == []
    assert given(world, "jun") == [("2026-01-31T00:00:00Z", 30)]
    # Another length is another surprise: 20 December + 60 days is 18 February.
    world.publish(surprises=[gift("month", 30, trigger="silence", silent_for="P60D")])
    go_to(world, "2026-03-31T00:00:00Z")
    assert given(world, "mina") == [("2026-02-18T00:00:00Z", 30)]
    # Jun had hers, since one silence brings each surprise once.
    assert given(world, "jun") == [("2026-01-31T00:00:00Z", 30)]
    sound(world)
