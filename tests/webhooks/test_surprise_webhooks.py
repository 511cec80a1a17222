"""What the world is told of surprises: each win once, and nothing of chances that came to none."""

from typing import Any

from tests.webhooks.conftest import Hooks, verified
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_types import validator


def test_each_win_is_told_once_and_points_tell_what_is_taken_back(
    hooks: Hooks, receiver: Receiver
) -> None:
    world = hooks.world
    prize = {"effects": [{"do": "add_points", "points": 7}], "note": {"en": "{{member.name}}!"}}
    luck = {"key": "luck", "prizes": [{"note": {"en": "Hello!"}}, prize | {"weight": 1_000_000}]}
    lost = {"key": "lost", "prizes": [prize], "probability_ppm": 0}
    tried = {"key": "tried", "prizes": [prize], "state": "shadow"}
    world.publish(surprises=[luck, lost, tried])
    made = hooks.endpoint(receiver.url, "surprise.*", "points.reversed")

    def told() -> list[Any]:
        receiver.got.clear()
        hooks.run()
        found = [verified(made["secret"], got) for got in receiver.got]
        for one in found:
            validator(one["type"]).validate(one)
            assert "Mina Kim" not in str(one)
        return found

    world.member(name="Mina Kim")
    [won] = world.order("A-1", 1000)["surprises"]
    [message] = told()
    data = message["data"]
    assert message["type"] == "surprise.won"
    assert data["member"]["member_ref"] == "mina"
    assert (data["surprise"], data["prize"], data["draw_id"]) == (
        *("luck", won["prize"]),
        won["draw_id"],
    )
    assert data["source"] == {"type": "order", "ref": "A-1"}
    assert data["won_at"] == "2026-03-01T10:00:00Z"
    world.order("A-1", 1000)
    assert told() == []
    # Taken back, the points say so, and name the draw.
    world.order("A-1", 1000, status="cancelled", revision=2)
    assert {(one["type"], one["data"]["source"]["ref"]) for one in told()} >= {
        ("points.reversed", won["draw_id"])
    }
    # Again by the same draw: nothing was won anew.
    world.order("A-1", 1000, revision=3)
    assert [one["type"] for one in told()] == []
