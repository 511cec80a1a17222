"""What falls due by time: in one order at one instant (SEMANTICS C24), by itself when read, by a
worker however late it comes, and once, whoever else is writing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, ids, jsontext
from core.outbox import OutboxMessage
from members.models import Member
from storefront import due
from tests import holding as holds
from tests.concurrency.parallel import assert_sound, at_once, put
from tests.contract.checking import rows
from tests.world import World, order

Make = Callable[..., World]
NOW = "2027-03-01T03:00:00Z"
#: Half an hour later: everything of the first tests falls due at this instant.
THEN = "2027-03-01T03:30:00Z"
WAITS = {"policy": "after", "duration": "PT30M"}


def opened(make_world: Make, *refs: str, at: str = NOW, **kind: Any) -> World:
    world = make_world(points=[{"key": "points"} | kind])
    world.set_clock(at)
    for ref in refs or ("mina",):
        world.member(ref, joined_at="2020-01-01T00:00:00Z")
    return world


def program_of(world: World) -> bytes:
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def hold(world: World, points: int, *, minutes: int = 30) -> None:
    with world.app.app_context():
        ttl = clock.Duration(seconds=60 * minutes)
        holds.hold(program_of(world), "mina", points, ttl=ttl)


def settle(world: World, limit: int = due.BATCH) -> int:
    with world.app.app_context():
        return due.settle_due(program_of(world), limit=limit)


def give(world: World, points: int, expires_at: str | None, ref: str = "mina", **more: Any) -> None:
    body = {"member_ref": ref, "points": points, "reason": "gift"} | more
    if points > 0:
        body["expires_at"] = expires_at
    world.post("/adjustments", body, status=201)


def entries(world: World, ref: str = "mina") -> list[tuple[Any, ...]]:
    """Kind, points, available after it, and both its times."""
    names = ("kind", "points", "available_after", "effective_at", "recorded_at")
    return [tuple(one[name] for name in names) for one in world.entries(ref)]


def account(world: World, ref: str = "mina") -> tuple[int, int, int, int]:
    [one] = world.get(f"/members/{ref}/balances")["data"]
    return one["available"], one["pending"], one["held"], one["version"]


def told(world: World, type_: str) -> list[tuple[int, str]]:
    """What the outbox says of points about to expire, or expired: how many, and when told."""
    statement = (
        sa.select(OutboxMessage.payload, OutboxMessage.created_at)
        .where(OutboxMessage.program_id == program_of(world), OutboxMessage.type == type_)
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        found = db.reading(lambda connection: list(connection.execute(statement)))
    return [
        (jsontext.parse(one.payload)["points"], clock.format_instant(one.created_at))
        for one in found
    ]


def test_at_one_instant_points_become_available_then_holds_end_then_points_expire(
    make_world: Make,
) -> None:
    """120 points end at 12:30, 100 of them are held until then; 70 were taken, so that 50 are
    owed; 80 become available then.

    The 80 pay the 50: 30 stay. The 100 come back and end: 30. Had the hold ended first, 50 of the
    100 would have paid and been saved from ending, and all of the 80 would be left.
    """
    world = opened(make_world, pending=WAITS)
    give(world, 120, THEN)
    hold(world, 100)
    give(world, -70, None, allow_negative=True)
    world.order("A-1", 8_000, placed_at=NOW)
    world.set_clock("2027-03-01T03:29:59.999999Z")
    assert (settle(world), account(world)) == (0, (-50, 80, 100, 4))
    world.set_clock(THEN)
    # Read before anybody wrote it, and the same once it is written.
    assert account(world) == (30, 0, 0, 7)
    assert len(world.entries()) == 4 and settle(world) == 1
    assert account(world) == (30, 0, 0, 7)
    assert entries(world)[4:] == [
        ("activate", 80, 30, THEN, THEN),
        ("release", 100, 130, THEN, THEN),
        ("expire", 100, 30, THEN, THEN),
    ]
    before = rows(world)
    assert settle(world) == 0
    assert rows(world) == before
    assert_sound(world)


def test_what_a_hold_gives_back_ends_with_the_rest_of_its_lot(make_world: Make) -> None:
    """Had points expired before the hold ended, there would be two entries, of 60 and of 100."""
    world = opened(make_world)
    give(world, 120, THEN)
    give(world, 40, THEN)
    give(world, 7, "2027-03-01T03:30:00.000001Z")
    hold(world, 100)
    world.set_clock(THEN)
    assert settle(world) == 1
    # One entry for all that ends together, and the next microsecond is another instant.
    assert entries(world)[4:] == [
        ("release", 100, 167, THEN, THEN),
        ("expire", 160, 7, THEN, THEN),
    ]
    world.set_clock("2027-03-01T03:30:00.000001Z")
    assert settle(world) == 1
    assert entries(world)[-1][:4] == ("expire", 7, 0, "2027-03-01T03:30:00.000001Z")
    assert_sound(world)


def test_instants_that_were_missed_are_gone_through_one_after_the_other(make_world: Make) -> None:
    """Whatever is written late is written as if it had been on time: the points that wait half an
    hour were there before the hold ended, an hour in, and paid what was owed."""
    world = opened(make_world, pending=WAITS)
    give(world, 100, "2027-03-01T04:30:00Z")
    hold(world, 100, minutes=60)
    give(world, -50, None, allow_negative=True)
    world.order("A-1", 8_000, placed_at=NOW)
    late = "2027-03-11T00:00:00Z"
    world.set_clock(late)
    assert settle(world) == 1
    assert entries(world)[4:] == [
        ("activate", 80, 30, THEN, late),
        ("release", 100, 130, "2027-03-01T04:00:00Z", late),
        ("expire", 100, 30, "2027-03-01T04:30:00Z", late),
    ]
    assert_sound(world)


def test_a_worker_that_was_down_for_ten_days_catches_up_in_batches(make_world: Make) -> None:
    refs = [f"m{number}" for number in range(5)]
    world = opened(make_world, *refs)
    for number, ref in enumerate(refs):
        give(world, 100 + number, f"2027-03-0{5 - number}T15:00:00Z", ref)
        give(world, 9, None, ref)
    back = "2027-03-11T08:00:00Z"
    world.set_clock(back)
    # True when read, before anybody writes.
    assert [account(world, ref)[0] for ref in refs] == [9] * 5
    # Who waits longest comes first: the last of them expired first.
    assert settle(world, limit=2) == 2
    with world.app.app_context():
        written = [due.next_due(connection, program_of(world)) for connection in _connection()]
    assert written == [clock.parse_instant("2027-03-03T15:00:00Z")]
    assert [settle(world, limit=2) for _ in range(3)] == [2, 1, 0]
    for number, ref in enumerate(refs):
        expired = ("expire", 100 + number, 9, f"2027-03-0{5 - number}T15:00:00Z", back)
        assert entries(world, ref)[2:] == [expired]
    before = rows(world)
    with world.app.app_context():
        assert due.settle_all(program_of(world)) == 0
        assert program_of(world) not in due.programs_due()
    assert rows(world) == before
    assert_sound(world)


def _connection() -> Iterator[sa.Connection]:
    with db.db.engine.connect() as connection:
        yield connection


def test_the_workers_duty_settles_every_program_by_its_own_clock(make_world: Make) -> None:
    late, early = (opened(make_world) for _ in range(2))
    for world in (late, early):
        give(world, 100, "2027-03-05T15:00:00Z")
    late.set_clock("2027-03-11T00:00:00Z")
    early.set_clock("2027-03-05T14:59:59Z")
    with late.app.app_context():
        found = due.programs_due()
        assert program_of(late) in found and program_of(early) not in found
        # Whatever other tests left is settled on the way; one round does one batch of each.
        assert due.settle_some(clock.system_now()) >= 1
        assert program_of(late) not in due.programs_due()
    assert [one[0] for one in entries(late)] == ["adjust", "expire"]
    assert [one[0] for one in entries(early)] == ["adjust"]


def test_in_real_time_it_is_the_machines_clock_that_counts(make_world: Make) -> None:
    kind = {"key": "points", "pending": {"policy": "after", "duration": "PT1S"}}
    world = make_world(mode="live", points=[kind])
    world.member("mina")
    placed = clock.system_now()
    world.order("A-1", 8_000, placed_at=clock.format_instant(placed))
    assert account(world) == (0, 80, 0, 1)
    time.sleep(max(0, (placed - clock.system_now()) / clock.SECOND + 1.2))
    assert account(world) == (80, 0, 0, 2)
    with world.app.app_context():
        assert program_of(world) in due.programs_due()
    assert settle(world) == 1
    [_, (kind_, points, _, effective, recorded)] = entries(world)
    assert (kind_, points) == ("activate", 80)
    assert clock.parse_instant(effective) == placed + clock.SECOND
    assert clock.parse_instant(recorded) > clock.parse_instant(effective)
    assert_sound(world)


def test_two_workers_at_once_settle_every_member_once(make_world: Make) -> None:
    refs = [f"m{number}" for number in range(20)]
    world = opened(make_world, *refs)
    for ref in refs:
        give(world, 100, "2027-03-05T15:00:00Z", ref)
    world.set_clock("2027-03-11T00:00:00Z")
    counts = at_once([lambda: settle(world, limit=7)] * 4)
    while settle(world):
        pass
    assert sum(counts) >= 7
    for ref in refs:
        assert [one[0] for one in entries(world, ref)] == ["adjust", "expire"]
    assert told(world, "points.expired") == [(100, "2027-03-11T00:00:00Z")] * 20
    assert_sound(world)


@contextmanager
def served(world: World, ref: str) -> Iterator[None]:
    """While a checkout has the member locked."""
    with world.app.app_context(), db.db.engine.connect() as connection:
        statement = (
            sa.select(Member.id)
            .where(Member.program_id == program_of(world), Member.member_ref == ref)
            .with_for_update(key_share=True)
        )
        assert connection.execute(statement).one()
        yield
        connection.rollback()


def test_a_member_who_is_being_served_is_passed_over_and_settled_later(make_world: Make) -> None:
    world = opened(make_world, "mina", "jun")
    for ref in ("mina", "jun"):
        give(world, 100, "2027-03-05T15:00:00Z", ref)
    world.set_clock("2027-03-11T00:00:00Z")
    with world.app.app_context():
        if db.db.engine.dialect.name != "postgresql":
            pytest.skip("SQLite has one writer at a time")
    with served(world, "mina"):
        started = time.monotonic()
        assert [settle(world), settle(world)] == [1, 0]
        assert time.monotonic() - started < 5
        assert [one[0] for one in entries(world, "jun")] == ["adjust", "expire"]
    before = world.entries("jun")
    assert settle(world) == 1
    assert entries(world)[-1][:2] == ("expire", 100)
    assert world.entries("jun") == before
    assert_sound(world)


NOTICES = {"policy": "after", "duration": "P3M", "notify": ["P1D", "P30D", "P7D"]}


def test_a_notice_comes_once_and_of_those_that_are_late_only_the_latest(make_world: Make) -> None:
    """Through 1 June, Seoul: told of at midnight of 3 May, 26 May and 1 June."""
    world = opened(make_world, expiry=NOTICES)
    world.order("A-1", 10_000, placed_at=NOW)
    world.order("A-2", 2_000, placed_at="2027-03-01T02:00:00Z")
    world.set_clock("2027-05-02T14:59:59Z")
    assert (settle(world), told(world, "points.expiring")) == (0, [])
    # Two of three are late: it is said once, of both lots together.
    world.set_clock("2027-05-28T00:00:00Z")
    assert [settle(world), settle(world)] == [1, 0]
    first = (120, "2027-05-28T00:00:00Z")
    assert told(world, "points.expiring") == [first]
    hold(world, 50, minutes=60)
    world.set_clock("2027-05-28T02:00:00Z")
    assert (settle(world), told(world, "points.expiring")) == (1, [first])
    world.set_clock("2027-05-31T14:59:59.999999Z")
    assert settle(world) == 0
    world.set_clock("2027-05-31T15:00:00Z")
    assert [settle(world), settle(world)] == [1, 0]
    last = (120, "2027-05-31T15:00:00Z")
    assert told(world, "points.expiring") == [first, last]
    # To be told of makes no entry.
    assert [one[0] for one in entries(world)] == ["earn", "earn", "hold", "release"]
    world.set_clock("2027-06-01T15:00:00Z")
    assert settle(world) == 1
    assert told(world, "points.expiring") == [first, last]
    assert told(world, "points.expired") == [(120, "2027-06-01T15:00:00Z")]
    assert_sound(world)


def test_of_points_that_are_gone_already_no_notice_comes(make_world: Make) -> None:
    world = opened(make_world, expiry=NOTICES)
    world.order("A-1", 10_000, placed_at=NOW)
    world.set_clock("2027-06-01T15:00:00Z")
    assert settle(world) == 1
    assert told(world, "points.expiring") == []
    assert told(world, "points.expired") == [(100, "2027-06-01T15:00:00Z")]
    # Nor of points that are all held: they outlive their date.
    world.order("A-2", 10_000, placed_at="2027-06-01T15:00:00Z")
    hold(world, 100, minutes=60 * 24 * 100)
    world.set_clock("2027-08-31T00:00:00Z")
    assert (settle(world), told(world, "points.expiring")) == (0, [])
    assert account(world)[:3] == (0, 0, 100)


STEPS, CLIENTS, EACH = 12, 8, 8


def test_settling_while_orders_come_loses_and_doubles_nothing(make_world: Make) -> None:
    """Eight clients order for four members and give what ends in three hours, while the clock goes
    on by twenty minutes at a time and two workers settle."""
    refs = [f"m{number}" for number in range(4)]
    world = opened(make_world, *refs, pending=WAITS)

    def shop(number: int) -> int:
        ref = refs[number % 4]
        for count in range(EACH):
            now = world.get("/test-clock")["now"]
            ends = clock.parse_instant(now) + 3 * 3600 * clock.SECOND
            body = order(1_000, member_ref=ref, placed_at=now)
            put(world, f"/orders/{number}-{count}", body)()
            give(world, 3, clock.format_instant(ends), ref)
        return 0

    def move() -> int:
        for _ in range(STEPS):
            world.post("/test-clock", {"advance": "PT20M"})
        return 0

    def work() -> int:
        return sum(settle(world, limit=2) for _ in range(STEPS))

    works: list[Callable[[], int]] = [move, work, work]
    works += [partial(shop, number) for number in range(CLIENTS)]
    at_once(works)
    assert world.get("/test-clock")["now"] == "2027-03-01T07:00:00Z"
    world.post("/test-clock", {"advance": "PT3H"})
    for ref in refs:
        # Two clients each: 16 orders of 10 points, 16 gifts of 3 that ended.
        assert account(world, ref)[:3] == (160, 0, 0)
        kinds: dict[str, int] = {}
        for kind, points, *_ in entries(world, ref):
            kinds[kind] = kinds.get(kind, 0) + points
        assert kinds == {"earn": 160, "activate": 160, "adjust": 48, "expire": 48}
    assert settle(world) == 0
    assert_sound(world)
