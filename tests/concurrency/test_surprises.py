"""Surprises of orders that come at once: no guard lets one more through than it says."""

import json
from collections import Counter

from tests.concurrency.parallel import at_once, put
from tests.surprises.playing import Make, gift, receipts, sound
from tests.world import World, order


def test_guards_hold_when_orders_come_at_once(make_world: Make) -> None:
    world: World = make_world(
        surprises=[
            gift("cool", 2, cooldown="P1D"),
            gift("twice", 3, limits=[{"per": "member", "period": "day", "times": 2}]),
            gift("fourth", 5, every=4),
            gift("pity", 1, probability_ppm=0, pity_after=3),
        ]
    )
    refs = [f"m-{number}" for number in range(12)]
    for ref in ("mina", *refs):
        world.member(ref)
    # Eight of one member: she is the first of the day, and every fourth of hers is owed.
    at_once([put(world, f"/orders/A-{number}", order(1000)) for number in range(8)])
    won = Counter(row["surprise_key"] for row in receipts(world) if row["won"])
    assert won == {"cool": 1, "twice": 2, "pity": 2}
    assert world.balance() == 8 * 10 + 2 + 2 * 3 + 2 * 1
    # Twelve others at once, and each once more: the fourth, the eighth and the twelfth of the day.
    for name in ("B", "C"):
        at_once([put(world, f"/orders/{name}-{ref}", order(1000, member_ref=ref)) for ref in refs])
    fourth = [row["member_ref"] for row in receipts(world, "fourth")]
    assert (len(fourth), len(set(fourth))) == (3, 3)
    assert all(row["won"] and row["stands"] for row in receipts(world, "fourth"))
    got = sum(world.balance(ref) for ref in refs)
    assert got == 24 * 10 + 12 * 2 + 24 * 3 + 3 * 5
    sound(world)


def test_one_order_told_many_times_at_once_is_drawn_once(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("luck", 7, probability_ppm=500_000)])
    world.member()
    body = order(1000)
    answers = at_once([put(world, "/orders/A-1", body) for _ in range(8)])
    assert len({json.dumps(one.json["surprises"], sort_keys=True) for one in answers}) == 1
    [row] = receipts(world)
    assert world.balance() == 10 + (7 if row["won"] else 0)
    sound(world)
