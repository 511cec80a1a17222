"""A test program's clock: through everything that falls due, in order, forward only (API 8)."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World

MakeWorld = Callable[..., World]
TERMS = {
    "key": "points",
    "pending": {"policy": "after", "duration": "P7D"},
    "expiry": {"policy": "after", "duration": "P3M", "notify": ["P30D", "P7D"]},
}


def standing_at(make_world: MakeWorld, instant: str, **changes: Any) -> World:
    world = make_world(**changes)
    world.set_clock(instant)
    world.member("mina", joined_at="2020-01-01T00:00:00Z")
    return world


def told(world: World) -> list[tuple[str, str, str]]:
    """What the outbox says of points, as type, program's instant, and date told of."""
    import sqlalchemy as sa

    from core import clock, db, ids, jsontext
    from core.outbox import OutboxMessage

    statement = (
        sa.select(OutboxMessage.type, OutboxMessage.created_at, OutboxMessage.payload)
        .where(OutboxMessage.program_id == ids.read_id("prg", world.program_id))
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        rows = db.reading(lambda connection: list(connection.execute(statement)))
    return [
        (
            row.type,
            clock.format_instant(row.created_at),
            jsontext.parse(row.payload).get("expires_at", ""),
        )
        for row in rows
        if row.type.startswith("points.")
    ]


def test_a_move_over_thirteen_months_runs_everything_due_in_order(make_world: MakeWorld) -> None:
    world = standing_at(make_world, "2027-01-01T03:00:00Z", points=[TERMS])
    world.order("A-1", 10_000, placed_at="2027-01-01T03:00:00Z")
    answer = world.post("/test-clock", {"advance": "P13M"})
    assert answer == {"now": "2028-02-01T03:00:00Z", "is_set": True}
    # Available on 8 January; three months on it lasts through 8 April; told of 30 and 7 days
    # before the midnight that ends it. Every entry is recorded when it happened.
    assert told(world) == [
        ("points.earned", "2027-01-01T03:00:00Z", ""),
        ("points.activated", "2027-01-08T03:00:00Z", ""),
        ("points.expiring", "2027-03-09T15:00:00Z", "2027-04-08T15:00:00Z"),
        ("points.expiring", "2027-04-01T15:00:00Z", "2027-04-08T15:00:00Z"),
        ("points.expired", "2027-04-08T15:00:00Z", ""),
    ]
    assert [(one["kind"], one["recorded_at"]) for one in world.entries()] == [
        ("earn", "2027-01-01T03:00:00Z"),
        ("activate", "2027-01-08T03:00:00Z"),
        ("expire", "2027-04-08T15:00:00Z"),
    ]
    assert world.verify()["mismatches"] == []


def test_the_clock_goes_forward_only(make_world: MakeWorld) -> None:
    world = standing_at(make_world, "2027-01-01T03:00:00Z")
    refused = world.post("/test-clock", {"now": "2027-01-01T02:59:59Z"}, status=422)
    assert refused["errors"][0]["pointer"] == "/now"
    assert world.get("/test-clock") == {"now": "2027-01-01T03:00:00Z", "is_set": True}
    assert world.post("/test-clock", {"now": "2027-01-01T03:00:00Z"})["is_set"] is True


def test_the_first_instant_is_not_before_the_newest_record(make_world: MakeWorld) -> None:
    world = make_world()
    assert world.get("/test-clock")["is_set"] is False
    world.member("mina")
    world.post("/test-clock", {"now": "2020-01-01T00:00:00Z"}, status=422)
    assert world.post("/test-clock", {"now": "2100-01-01T00:00:00Z"})["is_set"] is True
    # It stands still between moves.
    assert world.get("/test-clock") == world.get("/test-clock")


def test_a_live_program_runs_by_real_time(make_world: MakeWorld) -> None:
    world = make_world(mode="live")
    response = world.call("GET", "/test-clock")
    assert (response.status_code, response.json["code"]) == (403, "forbidden")
    assert world.post("/test-clock", {"advance": "P1D"}, status=403)["code"] == "forbidden"


def test_a_repeated_advance_moves_once(make_world: MakeWorld) -> None:
    world = standing_at(make_world, "2027-01-01T03:00:00Z")
    for _ in range(2):
        answer = world.post("/test-clock", {"advance": "P1D"}, key="to-morrow")
        assert answer["now"] == "2027-01-02T03:00:00Z"
    assert world.get("/test-clock")["now"] == "2027-01-02T03:00:00Z"


def test_a_move_that_was_cut_off_goes_on_when_asked_again(
    make_world: MakeWorld, monkeypatch: Any
) -> None:
    from storefront import due

    world = standing_at(make_world, "2027-01-01T03:00:00Z", points=[TERMS])
    world.order("A-1", 10_000, placed_at="2027-01-01T03:00:00Z")
    with monkeypatch.context() as patched:

        def dies(_program_id: bytes) -> int:
            raise KeyboardInterrupt

        patched.setattr(due, "settle_all", dies)
        with contextlib.suppress(KeyboardInterrupt):
            world.call(
                "POST", "/test-clock", {"advance": "P1M"}, headers={"Idempotency-Key": "cut"}
            )
    assert world.get("/test-clock")["now"] == "2027-01-08T03:00:00Z"
    assert world.post("/test-clock", {"advance": "P1M"}, key="cut")["now"] == "2027-02-01T03:00:00Z"
    assert world.get("/test-clock")["now"] == "2027-02-01T03:00:00Z"
    assert world.get("/members/mina/balances")["data"][0]["available"] == 100
    assert world.verify()["mismatches"] == []


def test_two_years_of_fifty_members_add_up(make_world: MakeWorld) -> None:
    """Each member buys for 100.00 every second month; points wait 7 days and live three months
    more. On 1 January 2029 only what became available after 30 September 2028 is left."""
    world = standing_at(make_world, "2026-12-31T15:00:00Z", points=[TERMS])
    refs = [f"m-{number}" for number in range(50)]
    for ref in refs:
        world.member(ref, joined_at="2020-01-01T00:00:00Z")
    for month in range(24):
        start = f"{2027 + month // 12}-{month % 12 + 1:02d}-10T03:00:00Z"
        world.post("/test-clock", {"now": start})
        orders = [
            {
                "order_ref": f"{ref}-{month}",
                "member_ref": ref,
                "status": "paid",
                "currency": "EUR",
                "placed_at": start,
                "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 10_000}],
            }
            for number, ref in enumerate(refs)
            if (number + month) % 2 == 0
        ]
        results = world.post("/orders/batch", {"orders": orders})["results"]
        assert {one["status"] for one in results} == {201}
    world.post("/test-clock", {"now": "2029-01-01T00:00:00Z"})
    for number, ref in enumerate(refs):
        # Months are counted from 0: even members bought in even months, the last on 10 November
        # 2028 (month 22), the one before on 10 September, which ended on 17 December.
        shown = world.get(f"/members/{ref}/balances")["data"][0]
        last = "2028-11-17" if number % 2 == 0 else "2028-12-17"
        ends = {"2028-11-17": ["2029-02-17"], "2028-12-17": ["2029-01-17", "2029-03-17"]}[last]
        assert [one["expires_at"][:10] for one in shown["expiring"]] == ends
        assert shown["available"] == 100 * len(ends)
        assert shown["lifetime_earned"] == 1200
    assert world.verify()["mismatches"] == []


def test_one_move_goes_on_for_a_hundred_years_at_most(make_world: MakeWorld) -> None:
    world = standing_at(make_world, "2027-01-01T03:00:00Z")
    for body in ({"now": "2127-01-01T03:00:01Z"}, {"advance": "P1201M"}, {"advance": "P999Y"}):
        refused = world.post("/test-clock", body, status=422)
        assert refused["errors"][0]["pointer"] == f"/{next(iter(body))}"
        assert "more than 100 years at once" in refused["detail"]
    assert world.post("/test-clock", {"advance": "P100Y"})["now"] == "2127-01-01T03:00:00Z"


def test_the_first_move_may_go_back_as_far_as_the_newest_record(make_world: MakeWorld) -> None:
    world = make_world()
    # Nothing is recorded yet: the clock may start in any year that there is.
    assert world.post("/test-clock", {"now": "2020-01-01T00:00:00Z"})["is_set"] is True
    world.member("mina", joined_at="2019-01-01T00:00:00Z")
    refused = world.post("/test-clock", {"now": "2019-06-01T00:00:00Z"}, status=422)
    assert "the clock goes forward only: it is at 2020-01-01T00:00:00Z" in refused["detail"]


def test_what_is_ahead_is_refused_with_what_the_clock_says(make_world: MakeWorld) -> None:
    world = standing_at(make_world, "2027-01-01T03:00:00Z")
    later = "2027-01-01T03:05:01Z"
    said = "is more than 5 minutes in the future; the program's clock is at 2027-01-01T03:00:00Z"
    consent = {"purpose": "terms", "is_granted": True, "at": later, "source": "till"}
    lot = {"points": 5, "earned_at": later}
    opening = {"lots": [lot], "tier": None}
    batch = {"members": [{"member_ref": "new", "is_history": True, "opening": opening}]}
    [moved] = world.post("/members/batch", batch)["results"]
    world.order("A-1", 100)
    refund = {"refunded_at": later, "amount_minor": 1}
    order_at = {"placed_at": later, "member_ref": "mina", "status": "paid", "currency": "EUR"}
    for answer in (
        moved["problem"],
        world.call("PUT", "/members/mina", {"joined_at": later}).json,
        world.call("PUT", "/members/mina", {"consents": [consent]}).json,
        world.call("PUT", "/orders/A-1/refunds/R-1", refund).json,
        world.call(
            "PUT",
            "/orders/A-2",
            order_at | {"lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 100}]},
        ).json,
    ):
        assert [one["detail"] for one in answer["errors"]] == [said]


@pytest.mark.parametrize("body", [{"advance": "PT2S"}, {"advance": "P1Y"}])
def test_the_clock_ends_with_the_year_2999(make_world: MakeWorld, body: dict[str, str]) -> None:
    world = standing_at(make_world, "2999-12-31T23:59:58Z")
    refused = world.post("/test-clock", body, status=422)
    assert refused["errors"][0]["pointer"] == "/advance"
    assert "the clock ends with the year 2999" in refused["detail"]
    assert world.post("/test-clock", {"advance": "PT1S"})["now"] == "2999-12-31T23:59:59Z"
