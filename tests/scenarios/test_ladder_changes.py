"""A changed ladder: who is lifted at once, who is kept, and the job that does it (D31)."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, ids, jobs
from core.jobs import JobRow
from loyalty.tiers.models import CHANGES
from members.members import MEMBERS
from programs.versions import LADDER_JOB
from server.worker import HANDLERS
from storefront.tiers import assessing
from tests.contract.checking import rows
from tests.world import World, document

Make = Callable[..., World]
NOW = "2026-06-01T03:00:00Z"
#: Gold takes 1,000.00 and pays 500 points; terms of a year.
TIERS: dict[str, Any] = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "downgrade": "full",
}
EFFECTS = [{"do": "add_points", "points": 500}]


def tiers(gold: int, **more: Any) -> dict[str, Any]:
    level = {"key": "gold", "enter_at": gold, "entry_effects": EFFECTS}
    return TIERS | {"levels": [level]} | more


def shop(make_world: Make, ladder: dict[str, Any], **spent: int) -> World:
    """Members who spent so much each on 1 March 2026; it is June."""
    world = make_world(tiers=ladder)
    world.set_clock(NOW)
    for ref, minor in spent.items():
        world.member(ref)
        world.order(f"A-{ref}", minor, member_ref=ref)
    return world


def program_of(world: World) -> bytes:
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    return program_id


def reassess(world: World) -> None:
    """What the worker does with the jobs of this program."""
    with world.app.app_context():
        assessing.perform_waiting(program_of(world))


def open_jobs(world: World) -> list[str]:
    statement = sa.select(JobRow.key).where(
        JobRow.program_id == program_of(world), JobRow.kind == LADDER_JOB, JobRow.done_at.is_(None)
    )
    with world.app.app_context():
        found = db.reading(lambda connection: connection.execute(statement).all())
    return [key for (key,) in found]


def changes(world: World) -> list[tuple[Any, ...]]:
    columns = CHANGES.c
    statement = (
        sa.select(columns.from_key, columns.to_key, columns.kind, columns.cause)
        .where(columns.program_id == program_of(world))
        .order_by(columns.recorded_at, columns.id)
    )
    with world.app.app_context():
        found = db.reading(lambda connection: connection.execute(statement).all())
    return [tuple(row) for row in found]


def test_a_lowered_threshold_lifts_at_once_and_pays_once(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=90_000, jun=79_999, ara=120_000)
    assert [world.balance(ref) for ref in ("mina", "jun", "ara")] == [900, 799, 1_700]
    world.publish(tiers=tiers(80_000))
    assert open_jobs(world) == ["2"]
    with world.app.app_context():
        while jobs.perform_due(HANDLERS, clock.system_now()):
            pass
    assert open_jobs(world) == []
    tier = world.tier("mina")
    # 1 June 2026 in Seoul and a year: the last day is 1 June 2027.
    assert (tier["key"], tier["since"]) == ("gold", NOW)
    assert tier["until"] == "2027-06-01T15:00:00Z"
    assert [world.balance(ref) for ref in ("mina", "jun", "ara")] == [1_400, 799, 1_700]
    assert changes(world) == [
        (None, "gold", "upgrade", "order"),
        (None, "gold", "upgrade", "ladder"),
    ]
    assert world.verify()["mismatches"] == []
    before = rows(world)
    with world.app.app_context():
        # The same ladder again moves nobody, and looks at nobody.
        assert assessing.reassess(program_of(world)) == 0
    assert rows(world) == before


def test_a_raised_threshold_keeps_members_to_the_end_of_their_term(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=100_000, jun=200_000)
    world.publish(tiers=tiers(150_000))
    reassess(world)
    tier = world.tier("mina")
    # Gold on 1 March 2026, until the end of 1 March 2027 in Seoul; 500.00 are missing by then.
    assert (tier["key"], tier["until"], tier["at_risk"]) == ("gold", "2027-03-01T15:00:00Z", True)
    assert world.tier("jun")["at_risk"] is False
    # What jun bought has left the window by the end too.
    world.post("/test-clock", {"now": "2027-03-01T14:59:59Z"})
    assert [world.tier(ref)["key"] for ref in ("mina", "jun")] == ["gold", "gold"]
    world.post("/test-clock", {"now": "2027-03-01T15:00:00Z"})
    assert [world.tier(ref)["key"] for ref in ("mina", "jun")] == [None, None]
    assert world.verify()["mismatches"] == []


def test_without_terms_a_raised_threshold_lowers_whom_time_may_lower(make_world: Make) -> None:
    free = {"basis": TIERS["basis"], "downgrade": "full", "term": {"policy": "none"}}
    world = shop(make_world, tiers(100_000) | free, mina=100_000, jun=200_000)
    world.publish(tiers=tiers(150_000) | free)
    reassess(world)
    assert [world.tier(ref)["key"] for ref in ("mina", "jun")] == [None, "gold"]
    world.publish(tiers=tiers(250_000) | free | {"downgrade": "none"})
    reassess(world)
    assert world.tier("jun")["key"] == "gold"
    assert world.verify()["mismatches"] == []


def test_terms_that_a_ladder_gets_begin_when_it_is_published(make_world: Make) -> None:
    free = {"basis": TIERS["basis"], "downgrade": "full", "term": {"policy": "none"}}
    world = shop(make_world, tiers(100_000) | free, mina=100_000)
    assert world.tier()["until"] is None
    world.publish(tiers=tiers(100_000))
    reassess(world)
    assert world.tier()["until"] == "2027-06-01T15:00:00Z"


def test_a_level_that_is_taken_out_of_the_ladder_is_lost(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=100_000)
    silver = {"key": "silver", "enter_at": 50_000}
    world.publish(tiers=TIERS | {"levels": [silver]})
    reassess(world)
    assert world.tier()["key"] == "silver"
    assert world.verify()["mismatches"] == []


def test_moving_the_clock_does_what_waits_first(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=90_000)
    world.publish(tiers=tiers(80_000))
    world.post("/test-clock", {"advance": "P1D"})
    assert open_jobs(world) == []
    assert (world.tier()["key"], world.tier()["since"]) == ("gold", NOW)


def test_only_a_changed_ladder_asks_for_the_job(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=90_000)
    world.publish(tiers=tiers(100_000), name="Blossom")
    assert open_jobs(world) == []
    world.publish(tiers=tiers(80_000))
    assert open_jobs(world) == ["3"]
    world.post("/program/versions/1/restore")
    assert open_jobs(world) == ["3", "4"]
    world.put("/program/draft", document(tiers=tiers(80_000)))
    assert open_jobs(world) == ["3", "4"]


def test_an_erased_member_is_not_lifted(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=90_000, jun=90_000)
    assert world.call("DELETE", "/members/jun").status_code < 300
    world.publish(tiers=tiers(80_000))
    reassess(world)
    assert [change[1] for change in changes(world)] == ["gold"]


def test_a_job_that_was_killed_half_way_goes_on_and_pays_nobody_twice(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [f"m{number}" for number in range(5)]
    world = shop(make_world, tiers(100_000), **dict.fromkeys(refs, 90_000))
    world.publish(tiers=tiers(80_000))
    monkeypatch.setattr(assessing, "PORTION", 2)

    class KilledError(Exception):
        pass

    def dies() -> bool:
        raise KilledError

    with world.app.app_context(), pytest.raises(KilledError):
        assessing.reassess(program_of(world), go_on=dies)
    assert sorted(world.balance(ref) for ref in refs) == [900, 900, 900, 1_400, 1_400]
    with world.app.app_context():
        assert assessing.reassess(program_of(world)) == 3
    assert [world.balance(ref) for ref in refs] == [1_400] * 5
    assert world.verify()["mismatches"] == []


def test_a_member_who_is_being_served_comes_last(make_world: Make) -> None:
    world = shop(make_world, tiers(100_000), mina=90_000, jun=90_000)
    if not world.app.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql"):
        pytest.skip("SQLite has one writer at a time")
    world.publish(tiers=tiers(80_000))
    is_locked, seen = threading.Event(), threading.Event()

    def serve() -> None:
        def work(connection: sa.Connection) -> None:
            statement = sa.select(MEMBERS.c.id).where(
                MEMBERS.c.program_id == program_of(world), MEMBERS.c.member_ref == "mina"
            )
            connection.execute(statement.with_for_update(key_share=True))
            is_locked.set()
            assert seen.wait(20)

        with world.app.app_context():
            db.in_transaction(work)

    serving = threading.Thread(target=serve)
    serving.start()
    assert is_locked.wait(20)
    portions = 0

    def go_on() -> bool:
        nonlocal portions
        portions += 1
        if portions == 2:
            # The others are lifted while she waits.
            assert [world.balance(ref) for ref in ("mina", "jun")] == [900, 1_400]
            seen.set()
        return True

    with world.app.app_context():
        assert assessing.reassess(program_of(world), go_on=go_on) == 2
    serving.join()
    assert [world.balance(ref) for ref in ("mina", "jun")] == [1_400, 1_400]
