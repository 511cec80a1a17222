"""Activities and orders by our own ids: they name what they are ids of, and nothing new."""

from collections.abc import Callable
from typing import Any

from core import ids
from tests.scenarios.activities import MARCH, document, sound, told
from tests.world import World

Make = Callable[..., World]
VISIT = {"member_ref": "mina", "kind": "visit", "occurred_at": MARCH}


def _world(make_world: Make) -> World:
    world = make_world(**document())
    world.set_clock("2026-03-05T10:00:00Z")
    world.member("mina")
    return world


def test_an_activity_told_by_our_id_is_that_activity(make_world: Make) -> None:
    world = _world(make_world)
    own_id = told(world)["activity"]["id"]
    again = world.put(f"/activities/{own_id}", VISIT, status=200)
    assert again["activity"]["activity_ref"] == "V-1"
    assert world.balance() == 20
    gone = world.put(f"/activities/{own_id}", VISIT | {"status": "withdrawn"}, status=200)
    assert gone["activity"]["status"] == "withdrawn"
    assert world.balance() == 0
    assert world.get(f"/activities/{own_id}") == world.get("/activities/V-1")
    sound(world)


def test_an_id_of_ours_that_is_not_known_is_not_found(make_world: Make) -> None:
    world = _world(make_world)
    unknown = ids.show_id("act", ids.new_id())
    other = told(_world(make_world))["activity"]["id"]
    for ref in (unknown, other):
        for answer in (
            world.call("PUT", f"/activities/{ref}", VISIT),
            world.call("GET", f"/activities/{ref}"),
            world.call("GET", f"/members/mina/why?source=activity:{ref}"),
        ):
            assert (answer.status_code, answer.json["code"]) == (404, "not_found"), ref
    assert world.balance() == 0


def test_why_takes_our_ids(make_world: Make) -> None:
    world = _world(make_world)
    activity_id = told(world)["activity"]["id"]
    order_id = world.order("A-1", 1_000)["order"]["id"]

    def why(source: str) -> Any:
        return world.get(f"/members/mina/why?source={source}")

    assert why(f"activity:{activity_id}") == why("activity:V-1")
    assert why(f"order:{order_id}") == why("order:A-1")
    unknown = ids.show_id("ord", ids.new_id())
    answer = world.call("GET", f"/members/mina/why?source=order:{unknown}")
    assert answer.status_code == 404
