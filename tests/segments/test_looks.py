"""Looks: members enter and leave once, whatever is cut off, published, paused, merged or erased."""

from collections.abc import Callable
from typing import Any

import pytest

from core import db
from storefront.segmenting import looking
from tests.segments.watching import counts, is_, look, members_of, segments_of, told
from tests.world import World

NOON = "2027-04-01T03:00:00Z"
BUYERS = {"key": "buyers", "when": is_("member.order_count", ">=", 1)}
RICH = {"key": "rich", "when": is_("member.spend_minor", ">=", 10_000)}


def opened(make_world: Callable[..., World], *refs: str, segments: Any = (BUYERS, RICH)) -> World:
    world = make_world(segments=list(segments))
    world.set_clock(NOON)
    for ref in refs or ("mina", "jun", "ines"):
        world.member(ref)
    return world


def buy(world: World, ref: str, minor: int, number: int = 1) -> None:
    world.order(f"{ref}-{number}", minor, member_ref=ref, placed_at=NOON)


def next_day(world: World) -> None:
    world.post("/test-clock", {"advance": "P1D"})


def test_a_change_is_told_once_and_a_new_definition_to_nobody(
    make_world: Callable[..., World],
) -> None:
    world = opened(make_world)
    assert (look(world), look(world)) == (1, 0)
    buy(world, "mina", 12_000)
    buy(world, "jun", 500)
    # What a rule would see is so at once, what is listed is as of the last look.
    assert segments_of(world, "mina") == ["buyers", "rich"]
    assert (members_of(world, "buyers"), told(world)) == ([], [])
    next_day(world)
    midnight = "2027-04-01T15:00:00Z"
    entered = [
        ("segment.entered", "buyers", "jun", midnight),
        ("segment.entered", "buyers", "mina", midnight),
        ("segment.entered", "rich", "mina", midnight),
    ]
    assert sorted(told(world)) == entered
    next_day(world)
    assert sorted(told(world)) == entered
    # Another definition of one, a new one, and one that is gone: looked at at once, told to nobody.
    poor = {"key": "poor", "when": {"not": RICH["when"]}}
    rich = RICH | {"when": is_("member.spend_minor", ">=", 100)}
    world.publish(segments=[rich, poor])
    assert (look(world), look(world)) == (1, 0)
    assert sorted(told(world)) == entered
    assert counts(world) == {"rich": 2, "poor": 2}
    assert members_of(world, "poor") == ["ines", "jun"]
    # Published again as they are, they go on telling.
    world.publish(segments=[rich, poor], name="Flower")
    buy(world, "ines", 100)
    assert look(world) == 1
    assert told(world)[3:] == [("segment.entered", "rich", "ines", "2027-04-03T03:00:00Z")]
    # An order that is cancelled was never there.
    world.order("ines-1", 100, member_ref="ines", placed_at=NOON, status="cancelled")
    next_day(world)
    assert told(world)[4:] == [("segment.left", "rich", "ines", "2027-04-03T15:00:00Z")]
    shown = world.get("/segments/rich/members")["data"]
    assert {one["member_ref"]: one["since"] for one in shown} == {
        "mina": midnight,
        "jun": "2027-04-03T03:00:00Z",
    }


def test_a_paused_segment_has_nobody(make_world: Callable[..., World]) -> None:
    world = opened(make_world)
    buy(world, "mina", 12_000)
    look(world)
    assert counts(world) == {"buyers": 1, "rich": 1}
    switch = {"section": "segments", "key": "rich", "state": "paused", "reason": "odd"}
    world.post("/switches", switch)
    assert segments_of(world, "mina") == ["buyers"]
    look(world)
    assert counts(world) == {"buyers": 1, "rich": 0}
    assert [one["state"] for one in world.get("/segments")["data"]] == ["live", "paused"]
    world.post("/switches", switch | {"state": "live"})
    look(world)
    assert (counts(world), told(world)) == ({"buyers": 1, "rich": 1}, [])
    assert world.call("GET", "/segments/nobody/members").status_code == 404
    refused = world.call("GET", "/members?segment=nobody")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "?segment")


def test_a_look_that_is_cut_off_goes_on_and_tells_nothing_twice(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [f"m-{number}" for number in range(7)]
    world = opened(make_world, *refs, segments=[BUYERS])
    look(world)
    monkeypatch.setattr(looking, "PORTION", 2)
    for ref in refs:
        buy(world, ref, 100)
    world.set_clock("2027-04-02T03:00:00Z")
    look_at, cut_off = looking._look_at, 0

    def dies(*arguments: Any) -> None:
        """Every second portion is written, and never committed."""
        nonlocal cut_off
        look_at(*arguments)
        cut_off += 1
        if cut_off % 2:
            raise RuntimeError("cut off")

    monkeypatch.setattr(looking, "_look_at", dies)
    units = 0
    with world.app.app_context():
        while cut_off < 8:
            try:
                units += looking.look(program_of(world))
            except RuntimeError:
                # What was told before it stays told.
                assert len(told(world)) == 2 * units
        # Portions of 2, 2, 2 and 1, each at the second try.
        assert (units, looking.look(program_of(world))) == (4, 0)
    assert sorted(told(world)) == [
        ("segment.entered", "buyers", ref, "2027-04-02T03:00:00Z") for ref in refs
    ]
    assert counts(world) == {"buyers": 7}


def program_of(world: World) -> bytes:
    from core import ids

    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def test_who_is_merged_takes_their_place_along_and_who_is_erased_leaves_none(
    make_world: Callable[..., World],
) -> None:
    ranked = {"key": "ranked", "when": is_("member.spend_rank_bp", "<", 5_000)}
    world = opened(make_world, "mina", "jun", "ines", "noa", segments=[BUYERS, ranked])
    buy(world, "mina", 12_000)
    buy(world, "ines", 500)
    look(world)
    assert members_of(world, "ranked") == ["ines", "mina"]
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    assert members_of(world, "buyers") == ["ines", "jun"]
    assert world.call("DELETE", "/members/ines").status_code == 200
    assert members_of(world, "buyers") == ["jun"]
    next_day(world)
    # Neither is told of as somebody who came or went.
    assert told(world) == []
    assert counts(world) == {"buyers": 1, "ranked": 1}
    assert world.verify()["mismatches"] == []
    assert rows_of_others(world) == 0


def rows_of_others(world: World) -> int:
    """How many rows there are of members who are no more."""
    import sqlalchemy as sa

    from core import ids
    from members.members import MEMBERS
    from segments.models import BELONGING, RANKS

    def count(connection: sa.Connection) -> int:
        found = 0
        for table in (BELONGING, RANKS):
            gone = sa.or_(MEMBERS.c.erased_at.is_not(None), MEMBERS.c.merged_into_id.is_not(None))
            is_same = sa.and_(
                MEMBERS.c.program_id == table.c.program_id, MEMBERS.c.id == table.c.member_id
            )
            rows = connection.execute(
                sa.select(table.c.member_id)
                .join(MEMBERS, is_same)
                .where(table.c.program_id == ids.read_id("prg", world.program_id), gone)
            )
            found += len(rows.all())
        return found

    with world.app.app_context():
        return db.reading(count)
