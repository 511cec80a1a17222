"""Activities and birthdays told or kept by many at once."""

from collections.abc import Callable
from typing import Any

import pytest

from core import clock, db, ids
from storefront import due
from tests.concurrency.parallel import assert_sound, at_once, chain, put, statuses
from tests.world import BASE_RULE, World

VISIT = {"key": "visit", "trigger": "activity:visit", "effect": {"do": "add_points", "points": 20}}
BIRTHDAY = {"key": "birthday", "trigger": "birthday", "effect": {"do": "add_points", "points": 100}}
MEMBERS = 12


def body(ref: str, **more: Any) -> dict[str, Any]:
    told = {"member_ref": ref, "kind": "visit", "occurred_at": "2026-03-01T10:00:00Z"}
    return told | more


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world(earning={"rules": [BASE_RULE, VISIT, BIRTHDAY]})
    for ref in ("mina", "jun"):
        made.member(ref)
    return made


def test_one_activity_told_by_sixteen_pays_once(world: World) -> None:
    responses = at_once([put(world, "/activities/V-1", body("mina"))] * 16)
    assert statuses(responses) == {201: 1, 200: 15}
    assert world.balance() == 20
    assert chain(world, "mina") == [(1, 20)]
    assert_sound(world)


def test_one_activity_told_for_two_members_is_one_members_in_the_end(world: World) -> None:
    works = [put(world, "/activities/V-1", body(ref)) for ref in ("mina", "jun") * 8]
    at_once(works)
    owner = world.get("/activities/V-1")["activity"]["member_ref"]
    assert {ref: world.balance(ref) for ref in ("mina", "jun")} == {
        ref: 20 if ref == owner else 0 for ref in ("mina", "jun")
    }
    assert_sound(world)


def test_done_and_withdrawn_at_once_end_as_the_one_told_last(world: World) -> None:
    works = [
        put(world, "/activities/V-1", body("mina", status=status))
        for status in ("done", "withdrawn") * 8
    ]
    at_once(works)
    status = world.get("/activities/V-1")["activity"]["status"]
    assert world.balance() == (20 if status == "done" else 0)
    chain(world, "mina")
    assert_sound(world)


def test_workers_at_once_pay_a_birthday_once(world: World) -> None:
    world.set_clock("2026-01-01T00:00:00Z")
    refs = [f"m-{number}" for number in range(MEMBERS)]
    for ref in refs:
        world.member(ref, birthday_on="1990-03-10")
    world.set_clock("2026-03-10T00:00:00Z")
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None

    def work() -> int:
        with world.app.app_context():
            return due.settle_all(program_id)

    at_once([work] * 4)
    assert [world.balance(ref) for ref in refs] == [100] * MEMBERS
    with world.app.app_context():
        waiting = db.reading(lambda connection: due.next_due(connection, program_id))
    # 10 March 2027 begins in Seoul at 15:00 of the 9th in UTC.
    assert waiting == clock.parse_instant("2027-03-09T15:00:00Z")
    assert_sound(world)


def test_a_birthday_changed_while_workers_run_pays_once(world: World) -> None:
    world.set_clock("2026-01-01T00:00:00Z")
    world.member(birthday_on="1990-03-10")
    world.set_clock("2026-03-10T00:00:00Z")
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None

    def work() -> Any:
        with world.app.app_context():
            return due.settle_all(program_id)

    changes: list[Callable[[], Any]] = [
        put(world, "/members/mina", {"birthday_on": f"1990-{month:02}-10"}) for month in (3, 6, 9)
    ]
    at_once([work, *changes, work])
    with world.app.app_context():
        due.settle_all(program_id)
    assert world.balance() == 100
    assert_sound(world)
