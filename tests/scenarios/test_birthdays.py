"""Birthdays and anniversaries (SEMANTICS A7), day by day with the test clock, in Seoul."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import BASE_RULE, World

BIRTHDAY = {
    "key": "birthday",
    "trigger": "birthday",
    "effect": {"do": "add_points", "points": 100},
}
ANNIVERSARY = {
    "key": "anniversary",
    "trigger": "anniversary",
    "effect": {"do": "add_points", "points": 10},
}
Make = Callable[..., World]


def rules(*items: dict[str, Any]) -> dict[str, Any]:
    return {"earning": {"rules": [BASE_RULE, *items]}}


def move(world: World, instant: str) -> None:
    world.post("/test-clock", {"now": instant})


def entries(world: World, ref: str = "mina", kind: str = "birthday") -> list[tuple[str, int, str]]:
    """What a member got for occasions of a kind: the day, the points and when it is effective."""
    return [
        (entry["source"]["ref"], entry["points"], entry["effective_at"])
        for entry in world.entries(ref)
        if entry["source"]["type"] == kind
    ]


def sound(world: World) -> None:
    assert world.verify()["mismatches"] == []


@pytest.fixture
def world(make_world: Make) -> World:
    made = make_world(**rules(BIRTHDAY))
    move(made, "2026-01-01T00:00:00Z")
    return made


def test_it_is_paid_at_the_programs_midnight(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    # 10 March begins in Seoul when it is 15:00 of the 9th in UTC.
    move(world, "2026-03-09T14:59:59Z")
    assert entries(world) == []
    move(world, "2026-03-09T15:00:00Z")
    assert entries(world) == [("2026-03-10", 100, "2026-03-09T15:00:00Z")]
    assert world.balance() == 100
    sound(world)


def test_it_comes_every_year(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    move(world, "2028-12-31T00:00:00Z")
    assert entries(world) == [
        ("2026-03-10", 100, "2026-03-09T15:00:00Z"),
        ("2027-03-10", 100, "2027-03-09T15:00:00Z"),
        ("2028-03-10", 100, "2028-03-09T15:00:00Z"),
    ]
    sound(world)


def test_29_february_is_kept_on_28_february(world: World) -> None:
    world.member(birthday_on="1988-02-29")
    move(world, "2029-03-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == [
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
        "2029-02-28",
    ]


def test_29_february_with_365_days_between_the_payments(world: World) -> None:
    # 29 February 2028 to 28 February 2029 is 366 − 1 = 365 days: both are paid.
    move(world, "2028-01-01T00:00:00Z")
    world.member(birthday_on="1988-02-29")
    move(world, "2029-03-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2028-02-29", "2029-02-28"]


@pytest.mark.parametrize(
    ("told_at", "paid"),
    [
        # 30 days before the midnight of 10 March in Seoul is that of 8 February.
        ("2026-02-07T15:00:00Z", ["2026-03-10"]),
        ("2026-02-07T15:00:01Z", []),
        ("2026-03-09T14:00:00Z", []),
        ("2026-03-09T20:00:00Z", []),
    ],
)
def test_a_birthday_told_too_late_pays_nothing_this_time(
    world: World, told_at: str, paid: list[str]
) -> None:
    world.member()
    move(world, told_at)
    world.member(birthday_on="1990-03-10")
    move(world, "2026-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == paid
    move(world, "2027-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == [*paid, "2027-03-10"]


def test_who_signs_up_shortly_before_waits_for_the_next(world: World) -> None:
    move(world, "2026-03-01T00:00:00Z")
    world.put("/members/mina", {"birthday_on": "1990-03-10"})
    move(world, "2027-03-10T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2027-03-10"]


def test_the_notice_is_the_programs(make_world: Make) -> None:
    world = make_world(**rules(BIRTHDAY), members={"birthday_notice": "P2D"})
    move(world, "2026-03-01T00:00:00Z")
    world.member("mina", birthday_on="1990-03-10")
    move(world, "2026-03-08T00:00:00Z")
    world.member("jun", birthday_on="1990-03-10")
    move(world, "2026-03-11T00:00:00Z")
    assert [day for day, _, _ in entries(world, "mina")] == ["2026-03-10"]
    assert entries(world, "jun") == []


def test_a_change_never_brings_a_second_payment_within_365_days(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    move(world, "2026-03-20T00:00:00Z")
    world.member(birthday_on="1990-06-01")
    move(world, "2026-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2026-03-10"]
    # 10 March 2026 to 1 June 2027 is more than a year.
    move(world, "2027-06-02T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2026-03-10", "2027-06-01"]
    # Back to March: 1 June 2027 to 10 March 2028 is 283 days.
    world.member(birthday_on="1990-03-10")
    move(world, "2028-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2026-03-10", "2027-06-01"]
    move(world, "2029-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2026-03-10", "2027-06-01", "2029-03-10"]
    sound(world)


def test_once_a_calendar_year_though_365_days_have_passed(world: World) -> None:
    move(world, "2027-10-01T00:00:00Z")
    world.member(birthday_on="1990-01-01")
    move(world, "2028-02-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2028-01-01"]
    # 2028 has 366 days: 31 December is 365 after 1 January, and of the same year.
    world.member(birthday_on="1990-12-31")
    move(world, "2029-02-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2028-01-01"]
    move(world, "2030-02-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2028-01-01", "2029-12-31"]


def test_the_same_day_told_again_is_no_change(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    move(world, "2026-03-01T00:00:00Z")
    world.member(birthday_on="1990-03-10")
    world.member(birthday_on="1991-03-10", name="Mina")
    move(world, "2026-03-11T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2026-03-10"]


def test_a_birthday_taken_away_is_not_kept(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    world.member(birthday_on=None)
    move(world, "2027-04-01T00:00:00Z")
    assert entries(world) == []
    world.member(birthday_on="1990-03-10")
    move(world, "2028-04-01T00:00:00Z")
    assert [day for day, _, _ in entries(world)] == ["2028-03-10"]


def test_a_day_changed_when_it_has_come_is_paid_by_the_date_told_before(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    # The clock went on and no worker was there.
    world.set_clock("2026-03-10T00:00:00Z")
    world.member(birthday_on="1990-08-10")
    assert entries(world) == [("2026-03-10", 100, "2026-03-09T15:00:00Z")]
    move(world, "2026-12-01T00:00:00Z")
    assert len(entries(world)) == 1


def test_conditions_and_facts_of_the_day(make_world: Make) -> None:
    loyal = BIRTHDAY | {"when": {"fact": "member.order_count", "op": ">=", "value": 1}}
    world = make_world(**rules(loyal))
    move(world, "2026-01-01T00:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref, birthday_on="1990-03-10")
    world.order("A-1", 1000, placed_at="2026-01-01T00:00:00Z")
    move(world, "2026-03-10T00:00:00Z")
    [entry] = [one for one in world.entries() if one["source"]["type"] == "birthday"]
    decision = world.get(f"/decisions/{entry['decision_id']}")
    assert decision["facts"]["member.order_count"] == 1
    assert decision["source"] == {"type": "birthday", "ref": "2026-03-10"}
    assert entries(world, "jun") == []
    assert entry["summary"]["ko"].startswith("생일")
    # What was not paid leaves the next year free, and the year after that.
    world.order("J-1", 1000, member_ref="jun", placed_at="2026-03-10T00:00:00Z")
    move(world, "2027-03-10T00:00:00Z")
    assert [day for day, _, _ in entries(world, "jun")] == ["2027-03-10"]


def test_who_does_not_take_part_gets_nothing(world: World) -> None:
    world.member(birthday_on="1990-03-10", is_enrolled=False)
    move(world, "2026-03-10T00:00:00Z")
    assert world.entries() == []


def test_a_rule_published_later_pays_nothing_for_days_before_it(make_world: Make) -> None:
    world = make_world()
    move(world, "2027-01-01T00:00:00Z")
    world.member("mina", birthday_on="1990-03-10")
    world.member("jun", birthday_on="1990-05-10")
    move(world, "2027-03-20T00:00:00Z")
    world.publish(**rules(BIRTHDAY))
    move(world, "2027-06-01T00:00:00Z")
    assert entries(world, "mina") == []
    assert [day for day, _, _ in entries(world, "jun")] == ["2027-05-10"]
    # Taken away and published again: the days between belong to nobody.
    world.publish()
    move(world, "2028-04-01T00:00:00Z")
    world.publish(**rules(BIRTHDAY))
    move(world, "2028-06-01T00:00:00Z")
    assert entries(world, "mina") == []
    assert [day for day, _, _ in entries(world, "jun")] == ["2027-05-10", "2028-05-10"]
    move(world, "2029-04-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, "mina")] == ["2029-03-10"]


def test_a_day_is_decided_by_the_version_that_was_live_then(world: World) -> None:
    move(world, "2027-01-01T00:00:00Z")
    world.member(birthday_on="1990-03-10")
    # No worker was there on the day, and a more generous rule was published after it.
    world.set_clock("2027-03-12T00:00:00Z")
    world.publish(**rules(BIRTHDAY | {"effect": {"do": "add_points", "points": 900}}))
    move(world, "2027-03-13T00:00:00Z")
    assert entries(world) == [("2027-03-10", 100, "2027-03-09T15:00:00Z")]


def test_the_clock_stops_at_no_birthday_of_a_program_that_does_not_listen(
    make_world: Make,
) -> None:
    from core import db, ids
    from storefront import due

    world = make_world()
    move(world, "2026-01-01T00:00:00Z")
    world.member(birthday_on="1990-03-10")
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        assert db.reading(lambda connection: due.next_due(connection, program_id)) is None
        assert due.settle_due(program_id) == 0


def test_members_of_a_batch_have_birthdays_as_everybody(world: World) -> None:
    moving = [
        {"member_ref": f"m-{n}", "birthday_on": "1990-03-10", "is_history": True} for n in range(12)
    ]
    world.post("/members/batch", {"members": moving})
    moved = {"member_ref": "m-1", "birthday_on": "1990-05-10", "is_history": True}
    world.post("/members/batch", {"members": [moved]})
    move(world, "2026-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, "m-0")] == ["2026-03-10"]
    assert [day for day, _, _ in entries(world, "m-1")] == ["2026-05-10"]
    sound(world)


def test_who_came_by_an_order_has_anniversaries(make_world: Make) -> None:
    world = make_world(**rules(ANNIVERSARY), members={"auto_enrol": True})
    move(world, "2026-03-01T10:00:00Z")
    world.order("A-1", 1000, member_ref="walk-in")
    move(world, "2027-03-02T00:00:00Z")
    assert entries(world, "walk-in", "anniversary") == [("2027-03-01", 10, "2027-02-28T15:00:00Z")]


def test_anniversaries_are_counted_from_the_first_year_on(make_world: Make) -> None:
    second = {
        "key": "second",
        "trigger": "anniversary",
        "when": {"fact": "anniversary.years", "op": ">=", "value": 2},
        "effect": {"do": "add_points", "points": 5},
    }
    world = make_world(**rules(ANNIVERSARY, second))
    move(world, "2024-02-28T16:00:00Z")
    # 29 February 2024 in Seoul.
    world.put("/members/mina", {})
    move(world, "2028-03-01T00:00:00Z")
    assert entries(world, kind="anniversary") == [
        ("2025-02-28", 10, "2025-02-27T15:00:00Z"),
        ("2026-02-28", 15, "2026-02-27T15:00:00Z"),
        ("2027-02-28", 15, "2027-02-27T15:00:00Z"),
        ("2028-02-29", 15, "2028-02-28T15:00:00Z"),
    ]
    sound(world)


def test_years_before_a_member_was_told_of_pay_nothing(make_world: Make) -> None:
    world = make_world(**rules(ANNIVERSARY))
    move(world, "2026-07-01T00:00:00Z")
    world.put("/members/mina", {"joined_at": "2020-03-10T03:00:00Z"})
    assert world.entries() == []
    move(world, "2027-04-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, kind="anniversary")] == ["2027-03-10"]
    # A day of joining corrected later brings no second payment within a year.
    world.put("/members/mina", {"joined_at": "2020-05-10T03:00:00Z"})
    move(world, "2028-04-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, kind="anniversary")] == ["2027-03-10"]
    move(world, "2028-06-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, kind="anniversary")] == ["2027-03-10", "2028-05-10"]


def test_at_midnight_points_expire_before_the_birthday_is_paid(make_world: Make) -> None:
    kinds = [{"key": "points", "expiry": {"policy": "after", "duration": "P1M"}}]
    rich = BIRTHDAY | {"when": {"fact": "member.balance", "op": ">=", "value": 1}}
    world = make_world(**rules(rich), points=kinds)
    move(world, "2026-01-01T00:00:00Z")
    world.member("mina", birthday_on="1990-03-10")
    world.member("jun", birthday_on="1990-03-09")
    # Both live through 9 March in Seoul: until Mina's day begins, and beyond Jun's.
    world.order("A-1", 1000, placed_at="2026-01-01T00:00:00Z")
    move(world, "2026-02-09T03:00:00Z")
    for ref in ("mina", "jun"):
        world.order(f"B-{ref}", 1000, member_ref=ref, placed_at="2026-02-09T03:00:00Z")
    move(world, "2026-03-11T03:00:00Z")
    assert entries(world, "mina") == []
    assert entries(world, "jun") == [("2026-03-09", 100, "2026-03-08T15:00:00Z")]


def test_merged_members_are_paid_once(world: World) -> None:
    world.member("mina", birthday_on="1990-03-10")
    world.member("jun", birthday_on="1990-06-01")
    move(world, "2026-03-20T00:00:00Z")
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    assert world.balance("jun") == 100
    move(world, "2026-12-01T00:00:00Z")
    # Jun's day came 83 days after Mina's: they are one person.
    assert [day for day, _, _ in entries(world, "jun")] == []
    move(world, "2027-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, "jun")] == ["2027-06-01"]
    sound(world)


def test_a_merge_brings_the_birthday_along(world: World) -> None:
    world.member("mina", birthday_on="1990-03-10")
    world.member("jun")
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    move(world, "2026-12-01T00:00:00Z")
    assert [day for day, _, _ in entries(world, "jun")] == ["2026-03-10"]
    sound(world)


def test_an_erased_member_has_no_birthday(world: World) -> None:
    world.member(birthday_on="1990-03-10")
    assert world.call("DELETE", "/members/mina").status_code == 200
    move(world, "2027-12-01T00:00:00Z")
    sound(world)
    from core import db, ids
    from members.occasions import OCCASIONS

    with world.app.app_context():
        rows = db.reading(
            lambda connection: connection.execute(
                OCCASIONS.select().where(
                    OCCASIONS.c.program_id == ids.read_id("prg", world.program_id)
                )
            ).all()
        )
    assert rows == []
