"""Back-tests over HTTP: asked for, done by the worker, read, scored, deleted, refused."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from analytics.backtests import laboratory, running
from analytics.backtests.replaying import Life
from core import clock, db, ids, jobs
from tests.contract import checking
from tests.world import World, document, per_euro, rule

MARCH = {"from": "2027-03-01T00:00:00Z", "to": "2027-04-01T00:00:00Z"}
_SHARES = ("", "_mean", "_p5", "_p50", "_p95", "_first")
SILVER = {
    "basis": {"metric": "spend", "window": "lifetime"},
    "levels": [{"key": "silver", "enter_at": 2500}],
}


def work(world: World) -> None:
    """What the worker does about back-tests, those of other programs too."""
    with world.app.app_context():
        while running.run_due(clock.system_now()):
            pass


def asked(world: World, **body: Any) -> str:
    """The id of a back-test that was asked for."""
    found: str = world.post("/backtests", MARCH | body, status=202)["id"]
    return found


def done(world: World, **body: Any) -> Any:
    """A back-test's answer once the worker has done it."""
    backtest_id = asked(world, **body)
    work(world)
    answer = world.get(f"/backtests/{backtest_id}")
    assert (answer["state"], answer["error"], answer["progress"]) == ("done", None, 100)
    return answer


@pytest.fixture
def shop(sqlite_app: Flask) -> World:
    """One order before March and three in it: 40.00, 10.00, 20.00 of which 5.00 go back, and
    30.00 of Jun's."""
    world = World(sqlite_app)
    world.post("/test-clock", {"now": "2027-02-01T00:00:00Z"})
    world.member("mina")
    world.member("jun")
    world.order("before", 4000, placed_at="2027-01-31T10:00:00Z")
    for ref, day, minor, member_ref in (
        ("a", 2, 1000, "mina"),
        ("b", 3, 2000, "mina"),
        ("c", 4, 3000, "jun"),
    ):
        world.post("/test-clock", {"now": f"2027-03-{day:02d}T10:00:00Z"})
        at = f"2027-03-{day:02d}T09:00:00Z"
        world.order(ref, minor, placed_at=at, member_ref=member_ref)
    world.put("/orders/b/refunds/r", {"refunded_at": "2027-03-04T09:00:00Z", "amount_minor": 500})
    world.post("/test-clock", {"now": "2027-04-02T00:00:00Z"})
    return world


def test_a_draft_with_doubled_points_comes_to_what_it_must(shop: World) -> None:
    before = checking.rows(shop)
    tested = document(
        earning={
            "rules": [
                rule("base", per_euro(2)),
                rule(
                    "big",
                    {"do": "add_points", "points": 5},
                    when={"fact": "order.net_minor", "op": ">=", "value": 2000},
                    on_refund="keep",
                ),
            ]
        },
        tiers=SILVER,
    )
    answer = done(shop, document=tested)

    # Really 10 + 20 - 5 + 30 = 55. Tested: 20 + (40 + 5 - 10) + (60 + 5) = 120, worth 1 each.
    shares = {f"forecast{name}": 120 for name in _SHARES}
    assert answer["points"].pop("kinds") == [
        {
            "points_key": "points",
            "forecast": 120,
            "actual": 55,
            "expired": {"forecast": 0, "actual": 0},
        }
    ]
    assert answer["points"] == answer["minor"] == shares | {"actual": 55}
    assert answer["orders"] == 3
    rules = {one["rule"]: (one["points"], one["awards"]) for one in answer["rules"]}
    assert rules == {
        "base": ({"forecast": 110, "actual": 55}, {"forecast": 3, "actual": 3}),
        "big": ({"forecast": 10, "actual": 0}, {"forecast": 2, "actual": 0}),
    }
    # Mina has had 40.00 before March: she is silver as soon as the ladder is there, Jun by `c`.
    assert answer["tiers"] == [
        {
            "key": "silver",
            "gained": {"forecast": 2, "actual": 0},
            "lost": {"forecast": 0, "actual": 0},
        }
    ]
    members = [(one["member_ref"], one["points"], one["change"]) for one in answer["members"]]
    assert members == [
        ("jun", {"forecast": 65, "actual": 30}, 35),
        ("mina", {"forecast": 55, "actual": 25}, 30),
    ]
    assert (answer["conflicts"], answer["left_out"], answer["score"]) == ([], {}, None)

    # Nothing of the program was written but the back-test itself and what asks for it.
    after = checking.rows(shop)
    changed = {name for name, rows in after.items() if rows != before[name]}
    assert changed == {"backtests", "jobs", "idempotency_keys"}
    assert [one["id"] for one in shop.get("/backtests")["data"]] == [answer["id"]]

    # Whom nobody knows any more nobody is told of.
    assert shop.call("DELETE", "/members/jun").status_code == 200
    again = shop.get(f"/backtests/{answer['id']}")
    assert [one["member_ref"] for one in again["members"]] == [None, "mina"]


def test_what_is_published_is_scored_by_what_came_since(shop: World) -> None:
    tested = document(earning={"rules": [rule("base", per_euro(2))]})
    answer = done(shop, document=tested)
    assert answer["points"]["forecast"] == 110
    shop.put("/program/draft", tested)
    version = shop.post("/program/draft/publish", {"note": "as tried"})["version"]
    assert shop.get(f"/program/versions/{version}")["backtest_id"] == answer["id"]
    assert shop.get("/program/versions/1")["backtest_id"] is None
    shop.post("/test-clock", {"now": "2027-04-08T23:00:00Z"})
    shop.order("d", 2000, placed_at="2027-04-08T12:00:00Z")
    assert shop.get(f"/backtests/{answer['id']}")["score"] is None
    shop.post("/test-clock", {"now": "2027-04-12T12:00:00Z"})
    # 10 whole days since 2 April; 110 in March's 31 days are 35 in 10.
    assert shop.get(f"/backtests/{answer['id']}")["score"] == {
        "version": version,
        "since": "2027-04-02T00:00:00Z",
        "until": "2027-04-12T00:00:00Z",
        "days": 10,
        "points": {"forecast": 35, "actual": 40},
        "minor": {"forecast": 35, "actual": 40},
        "error_bp": 1250,
        "rules": [{"rule": "base", "points": {"forecast": 35, "actual": 40}}],
    }


def test_a_killed_job_runs_again_and_a_deleted_one_does_not(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backtest_id = asked(shop, version=1)

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> Life:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(laboratory, "live", die)
        with pytest.raises(Killed):
            work(shop)
    assert shop.get(f"/backtests/{backtest_id}")["state"] == "running"
    work(shop)
    assert shop.get(f"/backtests/{backtest_id}")["state"] == "running", "its lease runs on"
    program_id = ids.read_id("prg", shop.program_id)
    assert program_id is not None
    with shop.app.app_context():
        later = clock.system_now() + (jobs.LEASE_SECONDS + 1) * clock.SECOND
        [job] = db.in_transaction(
            lambda one: jobs.claim(
                one, program_id, limit=1, now=clock.Instant(later), only=jobs.APART
            )
        )
        running.perform(job)
        running.perform(job)
    answer = shop.get(f"/backtests/{backtest_id}")
    assert (answer["state"], answer["points"]["forecast"], answer["points"]["actual"]) == (
        "done",
        55,
        55,
    )
    unwanted = asked(shop, draft=True)
    assert shop.call("DELETE", f"/backtests/{unwanted}").status_code == 204
    assert shop.call("DELETE", f"/backtests/{unwanted}").status_code == 404
    work(shop)
    checking.problem(shop.call("GET", f"/backtests/{unwanted}"), 404, "not_found")


def test_one_that_is_deleted_while_it_runs_stops(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backtest_id = asked(shop, version=1)
    told: list[Path] = []
    live = laboratory.live

    def deleted(lab: laboratory.Laboratory, go_on: Any, **more: Any) -> Life:
        told.append(lab.directory)
        assert lab.directory.is_dir()
        assert shop.call("DELETE", f"/backtests/{backtest_id}").status_code == 204
        life = live(lab, go_on, **more)
        raise AssertionError(f"it went on to {life.done}")

    monkeypatch.setattr(laboratory, "live", deleted)
    monkeypatch.setattr(running, "_LOOKED_EVERY_SECONDS", -1)
    work(shop)
    assert [one.exists() for one in told] == [False]
    assert shop.get("/backtests")["data"] == []


def test_what_cannot_be_tried_is_refused_with_the_place(shop: World) -> None:
    broken = document(earning={"rules": [rule("base", {"do": "add_points", "points": -1})]})
    for body, pointer in (
        ({"document": broken}, "/document/earning/rules/0/effect/points"),
        ({"document": document(currency="USD")}, "/document/currency"),
        ({"version": 7}, "/version"),
        ({"draft": False}, "/draft"),
        ({"draft": True, "version": 1}, ""),
        ({}, ""),
        ({"version": 1, "to": "2027-03-01T00:00:00Z"}, "/to"),
        ({"version": 1, "to": "2027-04-03T00:00:00Z"}, "/to"),
        ({"version": 1, "seeds": 101}, "/seeds"),
    ):
        response = checking.send(shop, "POST", "/backtests", MARCH | body)
        found = checking.problem(response, 422, "validation_failed")
        assert pointer in checking.pointers(found), (body, found)
    several = [asked(shop, version=1) for _ in range(5)]
    response = checking.send(shop, "POST", "/backtests", MARCH | {"version": 1})
    assert checking.problem(response, 409, "state_conflict")["state"] == "busy"
    for one in several:
        assert shop.call("DELETE", f"/backtests/{one}").status_code == 204
