"""Schedules over HTTP: judged when the order was placed, by the program's local time."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, document, per_euro, rule

Make = Callable[..., World]
NIGHT = {"from": "02:00", "until": "03:00"}


def berlin(make_world: Make, **schedule: Any) -> World:
    """One point per 1.00 while a schedule is in force; the clock stands at the end of 2026."""
    world = make_world(
        timezone="Europe/Berlin",
        earning={"rules": [rule("happy", per_euro(), schedule=schedule)]},
    )
    world.set_clock("2026-12-31T00:00:00Z")
    world.member()
    return world


def earned_at(world: World, *instants: str) -> list[int]:
    """What an order of 10.00 earns at each instant."""
    return [
        world.earned(f"O-{instant}".replace(":", "."), 1_000, placed_at=instant)
        for instant in instants
    ]


def test_a_happy_hour_is_half_open_and_of_some_days(make_world: Make) -> None:
    # 16 January 2026 is a Friday; Berlin is at +01:00.
    world = berlin(make_world, weekdays=[5, 6], **{"from": "14:00", "until": "17:00"})
    found = earned_at(
        world,
        "2026-01-16T12:59:59Z",
        "2026-01-16T13:00:00Z",
        "2026-01-16T15:59:59Z",
        "2026-01-16T16:00:00Z",
        "2026-01-17T13:00:00Z",
        "2026-01-18T13:00:00Z",
    )
    assert found == [0, 10, 10, 0, 10, 0]


def test_spring_skips_the_hour_and_autumn_counts_it_twice(make_world: Make) -> None:
    world = berlin(make_world, **NIGHT)
    # 29 March 2026: 02:00 to 03:00 is not there. 25 October 2026: it is there twice.
    assert earned_at(world, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z") == [0, 0]
    found = earned_at(
        world,
        "2026-10-24T23:59:59Z",
        "2026-10-25T00:00:00Z",
        "2026-10-25T00:59:59Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:59:59Z",
        "2026-10-25T02:00:00Z",
    )
    assert found == [0, 10, 10, 10, 10, 0]


def test_the_outcome_says_since_when_it_is_in_force_again(make_world: Make) -> None:
    world = berlin(make_world, weekdays=[6], **{"from": "22:00", "until": "02:00"})
    # Saturday night goes on until Sunday 02:00; Sunday night is none.
    assert earned_at(world, "2026-01-18T00:59:59Z") == [10]
    answer = world.order("A-1", 1_000, placed_at="2026-01-18T01:00:00Z")
    outcome = world.outcomes(answer)["happy"]
    assert (outcome["is_fired"], outcome["reason"]) == (False, "outside_schedule")
    assert outcome["again_at"] == "2026-01-24T21:00:00Z"


def test_a_late_order_is_judged_when_it_was_placed_and_keeps_that(make_world: Make) -> None:
    world = berlin(make_world, ends_at="2026-02-01T00:00:00+01:00")
    at = "2026-01-31T22:59:59Z"
    assert world.earned("A-1", 1_000, placed_at=at) == 10
    assert world.earned("A-2", 1_000, placed_at="2026-01-31T23:00:00Z") == 0
    assert world.earned("A-1", 1_000, placed_at=at, status="fulfilled") == 10
    assert world.verify()["mismatches"] == []


def test_a_quote_is_judged_at_its_own_instant(make_world: Make) -> None:
    world = berlin(make_world, starts_at="2026-02-01T00:00:00+01:00")
    assert world.quote(1_000, at="2026-01-31T22:59:59Z")["earned"] == []
    assert world.quote(1_000, at="2026-01-31T23:00:00Z")["earned"][0]["points"] == 10


@pytest.mark.parametrize(
    ("schedule", "pointer"),
    [
        ({"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"}, "/ends_at"),
        ({"starts_at": "2026-02-01T00:00:00"}, "/starts_at"),
        ({"from": "14:00", "until": "14:00"}, "/until"),
        ({"until": "00:00"}, "/until"),
        ({"from": "24:00"}, "/from"),
        ({"from": "9:00"}, "/from"),
        ({"weekdays": []}, "/weekdays"),
        ({"weekdays": [1, 1]}, "/weekdays"),
        ({"weekdays": [0]}, "/weekdays/0"),
    ],
)
def test_schedules_that_mean_nothing_are_refused(
    world: World, schedule: dict[str, Any], pointer: str
) -> None:
    body = document(earning={"rules": [rule("happy", per_euro(), schedule=schedule)]})
    response = world.call("PUT", "/program/draft", body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json["errors"]] == [
        f"/earning/rules/0/schedule{pointer}"
    ]


def test_a_document_keeps_its_schedule_as_it_was_written(world: World) -> None:
    schedule = {"starts_at": "2026-02-01T00:00:00+09:00", "from": "22:00", "until": "02:00"}
    body = document(earning={"rules": [rule("happy", per_euro(), schedule=schedule)]})
    world.put("/program/draft", body)
    kept = world.get("/program/draft")["earning"]["rules"][0]
    assert kept["schedule"] == schedule
