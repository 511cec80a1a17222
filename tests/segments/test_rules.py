"""Rules that ask for segments, rhythms and ranks: decided before the order, and pinned with it."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, rawsql
from tests.contract.checking import pointers, problem
from tests.segments.watching import is_, look, segments_of
from tests.world import World, document, order, points, reversed_points, rule

BONUS = {"do": "add_points", "points": 100}
LOYAL = {
    "key": "loyal",
    "name": {"en": "Loyal ones", "ko": "단골"},
    "when": is_("member.order_streak_weeks", ">=", 2),
}
IN_LOYAL = is_("member.segments", "contains", "loyal")
#: Mondays, at noon in Seoul.
WEEKS = [f"2026-03-{day:02d}T03:00:00Z" for day in (2, 9, 16)]


def asking(when: Any, **more: Any) -> dict[str, Any]:
    """A document whose only rule gives 100 points to whom a condition is true of."""
    return {"earning": {"rules": [rule("bonus", BONUS, when=when)]}} | more


def test_segments_are_checked_with_whoever_names_them(world: World) -> None:
    def refused(**changes: Any) -> list[tuple[str, str]]:
        found = problem(
            world.call("PUT", "/program/draft", document(**changes)), 422, "validation_failed"
        )
        return [(one["pointer"], one["code"]) for one in found["errors"]]

    vip = is_("member.segments", "in", ["loyal", "vip"])
    assert refused(**asking({"not": vip}, segments=[LOYAL])) == [
        ("/earning/rules/0/when/not/value/1", "unknown_segment")
    ]
    surprise = {"key": "luck", "when": IN_LOYAL, "prizes": [{"effects": [BONUS]}]}
    assert refused(surprises=[surprise]) == [("/surprises/0/when/value", "unknown_segment")]
    nested = {"key": "nested", "when": {"all": [IN_LOYAL]}}
    assert refused(segments=[LOYAL, nested]) == [("/segments/1/when/all/0/fact", "unknown_fact")]
    assert refused(segments=[LOYAL, LOYAL]) == [("/segments/1/key", "duplicate")]
    of_order = {"key": "big", "when": is_("order.net_minor", ">", 1)}
    assert refused(segments=[of_order]) == [("/segments/0/when/fact", "unknown_fact")]
    body = problem(
        world.call("PUT", "/program/draft", document(segments=[nested])), 422, "validation_failed"
    )
    assert "/segments/0/when/all/0/fact" in pointers(body)
    everybody = document(segments=[{"key": "all"}])
    assert world.put("/program/draft", everybody) == everybody


@pytest.mark.parametrize("is_batch", [False, True])
def test_a_segment_is_asked_as_it_stood_before_the_order(
    make_world: Callable[..., World], is_batch: bool
) -> None:
    world = make_world(**asking(IN_LOYAL, segments=[LOYAL]))
    world.set_clock("2026-03-20T03:00:00Z")
    world.member("mina")
    bodies = [
        order(1_000, order_ref=f"w-{number}", placed_at=at) for number, at in enumerate(WEEKS)
    ]
    if is_batch:
        results = world.post("/orders/batch", {"orders": bodies})["results"]
    else:
        results = [world.put(f"/orders/{body.pop('order_ref')}", body) for body in bodies]
    # Before the third there were orders in two weeks in a row.
    assert [points(one) for one in results] == [0, 0, 100]
    assert segments_of(world, "mina") == ["loyal"]
    decision = world.get(f"/decisions/{results[2]['decision_id']}")
    assert decision["facts"]["member.segments"] == ["loyal"]
    assert decision["facts"]["member.order_streak_weeks"] == 2
    # What the first week says later changes nothing about the third, whose facts are pinned.
    world.order("w-0", 1_000, placed_at=WEEKS[0], status="cancelled")
    again = world.order("w-2", 2_000, placed_at=WEEKS[2])
    assert (points(again), reversed_points(again)) == (100, 0)
    late = world.order("w-3", 1_000, placed_at="2026-03-20T03:00:00Z")
    # Of the weeks up to the present one two are left.
    assert points(late) == 100
    why = world.get("/members/mina/why?source=order:w-1")
    [missed] = why["rules"]
    assert missed["missing"][0]["detail"] == {
        "en": "in the segment Loyal ones",
        "ko": "단골 세그먼트에 속한 경우",
    }


def test_a_rank_is_of_the_last_midnight(make_world: Callable[..., World]) -> None:
    top = is_("member.spend_rank_bp", "<", 5_000)
    world = make_world(**asking(top))
    world.set_clock("2026-03-01T03:00:00Z")
    for ref, minor in (("mina", 9_000), ("jun", 5_000), ("ines", 5_000), ("noa", 0)):
        world.member(ref)
        if minor:
            world.order(f"{ref}-1", minor, member_ref=ref, placed_at="2026-02-01T03:00:00Z")
    world.member("guest", is_enrolled=False)
    assert world.earned("m-2", 100, placed_at="2026-03-01T03:00:00Z") == 0
    assert look(world) == 1
    # Of four members nobody is before Mina, one before Jun and Ines: 0 and 2,500; three: 7,500.
    earned = [
        world.earned(f"{ref}-3", 50_000, member_ref=ref, placed_at="2026-03-01T03:00:00Z")
        for ref in ("mina", "jun", "ines", "noa", "guest")
    ]
    assert earned == [100, 100, 100, 0, 0]
    world.post("/test-clock", {"advance": "P1D"})
    # By then Mina comes first, Jun and Ines (55,000) follow; the three before Noa are as many.
    assert world.earned("noa-4", 100, member_ref="noa", placed_at="2026-03-02T03:00:00Z") == 0
    world.order("noa-5", 99_000, member_ref="noa", placed_at="2026-03-02T03:00:00Z")
    world.post("/test-clock", {"advance": "P1D"})
    assert world.earned("noa-6", 100, member_ref="noa", placed_at="2026-03-03T03:00:00Z") == 100


def test_what_nobody_asks_for_costs_an_order_nothing(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    rhythmic = [LOYAL, {"key": "late", "when": is_("member.rhythm", "=", "late")}]
    worlds = {
        "plain": make_world(),
        "idle": make_world(segments=rhythmic),
        "asked": make_world(**asking(IN_LOYAL, segments=rhythmic)),
    }
    asked: list[str] = []
    run, later = rawsql.run, rawsql.later

    def counted(connection: sa.Connection, sql: str, *values: Any, **more: Any) -> Any:
        asked.append(sql)
        return run(connection, sql, *values, **more)

    def counted_later(connection: sa.Connection, sql: str, *values: Any, **more: Any) -> Any:
        asked.append(sql)
        return later(connection, sql, *values, **more)

    def seen(_: Any, __: Any, sql: str, *___: Any) -> None:
        asked.append(sql)

    for world in worlds.values():
        world.member("mina")
        world.order("first", 1_000)
    with worlds["plain"].app.app_context():
        engine = db.db.engine
    monkeypatch.setattr(rawsql, "run", counted)
    monkeypatch.setattr(rawsql, "later", counted_later)
    sa.event.listen(engine, "before_cursor_execute", seen)
    cost: dict[str, list[str]] = {}
    try:
        for name, world in worlds.items():
            asked.clear()
            world.order("second", 1_000)
            cost[name] = [one for one in asked if one.lstrip().startswith("SELECT")]
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)
    assert len(cost["idle"]) == len(cost["plain"])
    assert len(cost["asked"]) == len(cost["plain"]) + 1
