"""What was true as of one instant, as known at another (SEMANTICS C18, C24, C25)."""

from collections.abc import Callable
from typing import Any

import pytest

from core import clock
from tests.world import World

Make = Callable[..., World]
#: One month, from the midnight that ends the last valid day in Seoul.
MONTH = {"policy": "after", "duration": "P1M"}
TEN_DAYS = {"policy": "after", "duration": "P10D"}


def shop(make_world: Make, *, start: str, **kind: Any) -> World:
    world = make_world(points=[{"key": "points", **kind}])
    world.set_clock(start)
    world.member("mina")
    return world


def balance(world: World, **query: str) -> tuple[int, int, int]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    [found] = world.get(f"/members/mina/balances?{asked}")["data"]
    return found["available"], found["pending"], found["held"]


def kinds(world: World, **query: str) -> list[tuple[str, int, str]]:
    """Kind, points and instant of what happened, oldest first."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    found = world.get(f"/members/mina/entries?limit=100&{asked}")["data"]
    return [(one["kind"], one["points"], one["effective_at"]) for one in found[::-1]]


@pytest.fixture
def late(make_world: Make) -> World:
    """100 points of 1 March told on 5 March, 50 of 2 March told at once."""
    world = shop(make_world, start="2026-03-02T10:00:00Z", expiry=MONTH)
    world.order("A-2", 5_000, placed_at="2026-03-02T10:00:00Z")
    world.set_clock("2026-03-05T10:00:00Z")
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z")
    world.set_clock("2026-03-06T10:00:00Z")
    return world


def test_what_support_saw_is_seen_again(late: World) -> None:
    assert balance(late) == (150, 0, 0)
    # As of 3 March both had been earned; on 3 March one of them was known.
    assert balance(late, as_of="2026-03-03T00:00:00Z") == (150, 0, 0)
    assert balance(late, known_at="2026-03-03T00:00:00Z") == (50, 0, 0)
    assert balance(late, as_of="2026-03-01T12:00:00Z") == (100, 0, 0)
    both = {"as_of": "2026-03-01T12:00:00Z", "known_at": "2026-03-04T00:00:00Z"}
    assert balance(late, **both) == (0, 0, 0)
    assert balance(late, as_of="2026-02-01T00:00:00Z") == (0, 0, 0)


def test_an_instant_counts_itself_and_offsets_are_read(late: World) -> None:
    assert balance(late, as_of="2026-03-01T09:59:59.999999Z") == (0, 0, 0)
    assert balance(late, as_of="2026-03-01T10:00:00Z") == (100, 0, 0)
    assert balance(late, as_of="2026-03-01T19:00:00%2B09:00") == (100, 0, 0)


def test_entries_are_filtered_by_both_times(late: World) -> None:
    assert kinds(late, as_of="2026-03-01T12:00:00Z") == [("earn", 100, "2026-03-01T10:00:00Z")]
    assert kinds(late, known_at="2026-03-03T00:00:00Z") == [("earn", 50, "2026-03-02T10:00:00Z")]


def test_an_expiry_is_there_as_of_its_date_written_or_not(late: World) -> None:
    # 1 March + 1 month: valid through 1 April in Seoul, gone at 2 April 00:00 there.
    first, second = "2026-04-01T15:00:00Z", "2026-04-02T15:00:00Z"
    assert balance(late, as_of="2026-04-01T14:59:59Z") == (150, 0, 0)
    assert balance(late, as_of=first) == (50, 0, 0)
    assert balance(late, as_of=second) == (0, 0, 0)
    seen = kinds(late, as_of=second)
    assert seen[2:] == [("expire", 100, first), ("expire", 50, second)]
    # Written by the next order, ten days late: asked again, the same.
    late.set_clock("2026-04-12T10:00:00Z")
    late.order("A-3", 700, placed_at="2026-04-12T10:00:00Z")
    assert [one["kind"] for one in late.entries()] == ["earn", "earn", "expire", "expire", "earn"]
    assert kinds(late, as_of=second) == seen
    assert balance(late, as_of=first) == (50, 0, 0)
    # Before the worker came it was known just as well.
    known = {"as_of": first, "known_at": "2026-04-10T00:00:00Z"}
    assert balance(late, **known) == (50, 0, 0)
    assert kinds(late, **known)[-1] == ("expire", 100, first)
    assert balance(late) == (7, 0, 0)


def test_due_entries_have_no_id_and_page_with_the_others(late: World) -> None:
    path = "/members/mina/entries?as_of=2026-05-01T00:00:00Z&known_at=2026-03-06T00:00:00Z&limit=1"
    seen, cursor = [], ""
    while True:
        page = late.get(path + cursor)
        assert len(page["data"]) == 1
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [one["kind"] for one in seen] == ["expire", "expire", "earn", "earn"]
    assert [one["id"] is None for one in seen] == [True, True, False, False]
    assert [one["available_after"] for one in seen] == [0, 50, 150, 50]


def test_pending_points_become_available_as_of_their_instant(make_world: Make) -> None:
    world = shop(make_world, start="2026-03-01T10:00:00Z", pending=TEN_DAYS)
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z")
    assert balance(world) == (0, 100, 0)
    for _ in range(2):
        assert balance(world, as_of="2026-03-11T09:59:59Z") == (0, 100, 0)
        assert balance(world, as_of="2026-03-11T10:00:00Z") == (100, 0, 0)
        known = {"as_of": "2026-03-12T00:00:00Z", "known_at": "2026-03-02T00:00:00Z"}
        assert balance(world, **known) == (100, 0, 0)
        # Written a week late by an order; nothing that was asked before is another now.
        world.set_clock("2026-03-18T10:00:00Z")
        world.order("A-2", 100, placed_at="2026-03-18T10:00:00Z")


def test_a_refund_told_late_is_known_late(make_world: Make) -> None:
    world = shop(make_world, start="2026-03-01T10:00:00Z")
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z")
    world.set_clock("2026-03-20T10:00:00Z")
    cancelled = {"status": "cancelled", "cancelled_at": "2026-03-10T10:00:00Z"}
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z", **cancelled)
    assert balance(world, as_of="2026-03-12T00:00:00Z") == (0, 0, 0)
    assert balance(world, known_at="2026-03-12T00:00:00Z") == (100, 0, 0)
    assert balance(world, as_of="2026-03-09T00:00:00Z") == (100, 0, 0)


def test_a_hold_runs_out_as_of_its_instant(make_world: Make) -> None:
    from core import ids
    from tests import holding as holds

    world = shop(make_world, start="2026-03-01T10:00:00Z", expiry=MONTH)
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z")
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    world.set_clock("2026-04-01T14:50:00Z")
    with world.app.app_context():
        holds.hold(program_id, "mina", 60, ttl=clock.parse_duration("PT30M"))
    assert balance(world, as_of="2026-04-01T14:55:00Z") == (40, 0, 60)
    # At 15:00 the lot ends; what is held of it lives until the hold runs out at 15:20.
    assert balance(world, as_of="2026-04-01T15:10:00Z") == (0, 0, 60)
    assert balance(world, as_of="2026-04-01T15:20:00Z") == (0, 0, 0)
    happened = [one[:2] for one in kinds(world, as_of="2026-04-01T15:20:00Z")]
    assert happened == [
        ("earn", 100),
        ("hold", 60),
        ("expire", 40),
        ("release", 60),
        ("expire", 60),
    ]


def test_inactivity_is_judged_by_what_was_known(make_world: Make) -> None:
    world = shop(
        make_world,
        start="2026-01-10T10:00:00Z",
        expiry={"policy": "inactivity", "duration": "P1M", "activities": ["order"]},
    )
    world.order("A-1", 10_000, placed_at="2026-01-10T10:00:00Z")
    world.set_clock("2026-02-05T10:00:00Z")
    world.order("A-2", 1_000, placed_at="2026-02-05T10:00:00Z")
    # With A-2 the term ends behind 5 March, without it behind 10 February.
    assert balance(world, as_of="2026-02-20T00:00:00Z") == (110, 0, 0)
    without = {"as_of": "2026-02-20T00:00:00Z", "known_at": "2026-02-01T00:00:00Z"}
    assert balance(world, **without) == (0, 0, 0)
    assert balance(world, as_of="2026-03-05T15:00:00Z") == (0, 0, 0)


def test_a_tier_as_of_then(make_world: Make) -> None:
    levels = [{"key": "silver", "enter_at": 10_000}, {"key": "gold", "enter_at": 20_000}]
    world = make_world(tiers={"levels": levels})
    world.set_clock("2026-03-01T10:00:00Z")
    world.member("mina")
    world.order("A-1", 12_000, placed_at="2026-03-01T10:00:00Z")
    world.set_clock("2026-03-10T10:00:00Z")
    world.order("A-2", 12_000, placed_at="2026-03-05T10:00:00Z")

    def tier(**query: str) -> tuple[str | None, int]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        found = world.get(f"/members/mina/tier?{asked}")
        return found["key"], found["progress"][0]["value"]

    assert tier() == ("gold", 24_000)
    assert tier(as_of="2026-03-04T00:00:00Z") == ("silver", 12_000)
    assert tier(as_of="2026-02-04T00:00:00Z") == (None, 0)
    assert tier(known_at="2026-03-08T00:00:00Z") == ("silver", 12_000)
    assert tier(as_of="2026-03-06T00:00:00Z") == ("gold", 24_000)


@pytest.mark.parametrize("query", ["as_of=yesterday", "known_at=2026-03-01", "as_of=", "at=1"])
def test_other_instants_are_refused(world: World, query: str) -> None:
    for what in ("balances", "entries", "tier"):
        response = world.call("GET", f"/members/mina/{what}?{query}")
        assert response.status_code == 422, what
        assert response.json["errors"][0]["pointer"].startswith("?")
