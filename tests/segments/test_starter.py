"""The starter set: a hand-made member for each of the ten, as every surface shows them."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from programs import starter
from tests.scenarios.attributing import code_of, offer, sign_up
from tests.segments.watching import counts, look, members_of, segments_of, told
from tests.world import World

#: Noon of 1 April in Seoul.
NOON = "2027-04-01T03:00:00Z"
TIERS: dict[str, Any] = {
    # What is bought leaves the window after three months; a level stays for six.
    "basis": {"metric": "spend", "window": "rolling", "duration": "P3M"},
    "term": {"policy": "from_entry", "duration": "P6M"},
    "downgrade": "full",
    "levels": [{"key": "silver", "enter_at": 20_000}],
}
#: Of each member when they joined, and day and amount of each order.
PEOPLE: dict[str, tuple[str, list[tuple[str, int]]]] = {
    "browses": ("2027-03-20", []),
    "begins": ("2027-03-20", [("2027-03-25", 100)]),
    "tried": ("2026-06-01", [("2027-02-20", 100)]),
    "comes": ("2026-06-01", [("2027-03-01", 100), ("2027-03-20", 100)]),
    "spends": ("2026-06-01", [("2027-03-20", 50_000)]),
    "tarries": (
        "2026-06-01",
        [("2027-02-23", 200), ("2027-03-05", 200), ("2027-03-15", 200)],
    ),
    "fades": ("2026-06-01", [("2026-12-20", 100)]),
    "left": ("2026-06-01", [("2026-08-01", 100)]),
    "brings": ("2026-06-01", []),
    "slips": ("2026-06-01", [("2026-10-20", 30_000)]),
}
EXPECTED = {
    "new-without-purchase": ["browses"],
    # Ines, whom an advocate brought, has bought for the first time as well.
    "new-with-purchase": ["begins", "ines"],
    # 40 days ago: 8 in February, 31 in March, 1 in April.
    "one-timer-due": ["tried"],
    "active-repeat": ["comes", "tarries"],
    # Of eleven members nobody is before the first (0), one before the second (909), two before
    # the third (1,818) and three before the next ones (2,727).
    "top-fifth": ["slips", "spends", "tarries"],
    # Every 10 days, and 17 days ago: 17,000.
    "late": ["tarries"],
    # 102 and 163 days ago.
    "lapsing": ["fades", "slips"],
    "lost": ["left"],
    "advocate": ["brings"],
    # Silver since 20 October is kept until 20 April has ended, for nothing bought since January.
    "tier-at-risk": ["slips"],
}


def shop(make_world: Callable[..., World]) -> World:
    world = make_world(
        segments=starter.segments(), tiers=TIERS, referral_offers=[offer()], earning={"rules": []}
    )
    world.set_clock(NOON)
    for ref, (joined, orders) in PEOPLE.items():
        world.member(ref, joined_at=f"{joined}T03:00:00Z")
        for number, (day, minor) in enumerate(orders):
            at = f"{day}T03:00:00Z"
            world.order(f"{ref}-{number}", minor, member_ref=ref, placed_at=at)
    sign_up(world, "ines", {"code": code_of(world, "brings")})
    world.order("ines-1", 150, member_ref="ines", placed_at=NOON)
    return world


def test_every_segment_of_the_starter_set_has_who_belongs_there(
    make_world: Callable[..., World],
) -> None:
    world = shop(make_world)
    assert set(counts(world).values()) == {None}
    assert look(world) == 1
    assert counts(world) == {key: len(refs) for key, refs in EXPECTED.items()}
    assert {key: members_of(world, key) for key in EXPECTED} == EXPECTED
    for ref in (*PEOPLE, "ines"):
        assert segments_of(world, ref) == [key for key in EXPECTED if ref in EXPECTED[key]]
    shown = world.get("/segments")["data"][5]
    assert shown["name"] == {
        "en": "Late on their own rhythm",
        "ko": "평소 구매 주기를 넘긴 회원",
    }
    assert (shown["counted_at"], shown["state"]) == (NOON, "live")
    # Who was there from the beginning entered nothing.
    assert told(world) == []
    assert look(world) == 0


def test_time_alone_moves_members_from_one_segment_to_the_next(sqlite_app: Flask) -> None:
    world = shop(lambda **changes: World(sqlite_app, **changes))
    # The look of the publication, at noon, is silent; then there is one at each midnight.
    world.post("/test-clock", {"now": "2027-04-25T03:00:00Z"})
    moved = [(kind.removeprefix("segment."), *rest) for kind, *rest in told(world)]
    assert sorted(moved, key=lambda one: (one[3], one)) == [
        # 25 days since 15 March are two and a half times the usual ten.
        ("left", "late", "tarries", "2027-04-08T15:00:00Z"),
        # 181 days since 20 October, 30 since 20 March.
        ("entered", "lost", "slips", "2027-04-18T15:00:00Z"),
        ("entered", "one-timer-due", "spends", "2027-04-18T15:00:00Z"),
        ("left", "lapsing", "slips", "2027-04-18T15:00:00Z"),
        # 31 days since they joined on 20 March.
        ("left", "new-with-purchase", "begins", "2027-04-19T15:00:00Z"),
        ("left", "new-without-purchase", "browses", "2027-04-19T15:00:00Z"),
        # The level went with the end of 20 April.
        ("left", "tier-at-risk", "slips", "2027-04-20T15:00:00Z"),
        # 30 days since 25 March.
        ("entered", "one-timer-due", "begins", "2027-04-23T15:00:00Z"),
    ]
