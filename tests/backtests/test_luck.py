"""Luck in back-tests: as it fell where nothing has changed, and other luck beside it."""

from typing import Any

from flask import Flask

from analytics.backtests import running
from core import clock
from tests.world import World, per_euro, rule


def surprise(key: str, points: int, **more: Any) -> dict[str, Any]:
    return {"key": key, "prizes": [{"effects": [{"do": "add_points", "points": points}]}]} | more


def test_unchanged_surprises_draw_as_they_drew(sqlite_app: Flask) -> None:
    coin = surprise("coin", 10, probability_ppm=500_000)
    pot = surprise("pot", 7, budget={"unit": "points", "total": 50})
    sections: dict[str, Any] = {
        "earning": {"rules": [rule("base", per_euro())]},
        "surprises": [coin, pot],
        "segments": [
            {"key": "many", "when": {"fact": "member.order_count", "op": ">=", "value": 8}}
        ],
    }
    # A scratch is SQLite whatever it is a copy of; that is read alike is what equality tests say.
    world = World(sqlite_app, **sections)
    world.post("/test-clock", {"now": "2027-01-01T00:00:00Z"})
    for ref in ("mina", "jun"):
        world.member(ref)
    for day in range(2, 12):
        world.post("/test-clock", {"now": f"2027-01-{day:02d}T10:00:00Z"})
        for ref in ("mina", "jun"):
            at = f"2027-01-{day:02d}T09:00:00Z"
            world.order(f"{ref}-{day}", 100, member_ref=ref, placed_at=at)
    world.post("/test-clock", {"now": "2027-01-12T20:00:00Z"})

    def tried(**body: Any) -> Any:
        period = {"from": "2027-01-01T00:00:00Z", "to": "2027-01-12T00:00:00Z"}
        made = world.post("/backtests", period | body, status=202)
        with world.app.app_context():
            while running.run_due(clock.system_now()):
                pass
        answer = world.get(f"/backtests/{made['id']}")
        assert answer["state"] == "done", answer["error"]
        return answer

    same = tried(version=1, seeds=1)
    found = {one["key"]: one for one in same["surprises"]}
    wins = found["coin"]["winners"]["actual"]
    assert 0 < wins < 20, "luck that fell one way only proves nothing"
    assert found["coin"]["winners"]["forecast"] == wins
    # 7 of 50 points for each: seven prizes, and the eighth order finds nothing left.
    assert (found["pot"]["winners"]["forecast"], found["pot"]["cost"]["forecast"]) == (7, 49)
    ends = found["pot"]["budget_exhausted_at"]
    assert ends == {"forecast": "2027-01-05T09:00:00Z", "actual": "2027-01-05T09:00:00Z"}
    assert same["points"]["forecast"] == same["points"]["actual"] == 20 + 49 + 10 * wins
    assert same["segments"] == [{"key": "many", "forecast": 2, "actual": 2}]

    # What is live falls as it fell; where something new hangs on chance there are twenty lives,
    # unless it is said how many.
    other = sections | {"surprises": [coin, surprise("pot", 9, budget=pot["budget"])]}
    world.put("/program/draft", world.get("/program")["document"] | other)
    period = {"from": "2027-01-01T00:00:00Z", "to": "2027-01-12T00:00:00Z"}
    for body, seeds in (({"version": 1}, 1), ({"draft": True}, 20)):
        unwanted = world.post("/backtests", period | body, status=202)
        assert unwanted["seeds"] == seeds
        assert world.call("DELETE", f"/backtests/{unwanted['id']}").status_code == 204
    many = tried(draft=True, seeds=3)
    # The first life draws the coin as it fell, and the others do not change that.
    assert many["points"]["forecast_first"] == 20 + 45 + 10 * wins
    coins = {one["key"]: one["winners"] for one in many["surprises"]}["coin"]
    assert coins["actual"] == wins
    assert coins["forecast_p5"] < coins["forecast_p95"]
    assert 3 <= coins["forecast_p5"] <= coins["forecast"] <= coins["forecast_p95"] <= 17
    assert many["points"]["forecast_p95"] > many["points"]["forecast_p5"]
    # Nine a prize: five of them are 45, and the sixth does not fit.
    assert {one["key"]: one["cost"] for one in many["surprises"]}["pot"]["forecast_p95"] == 45
