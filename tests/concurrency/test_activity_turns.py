"""One activity told for two members by turns: nobody is told that its rows keep changing."""

from collections.abc import Callable

from tests.concurrency.parallel import assert_sound, at_once, put
from tests.concurrency.test_activities import body
from tests.world import World


def test_sixteen_that_tell_one_activity_for_two_members_are_all_answered(
    make_world: Callable[..., World],
) -> None:
    visit = {"do": "add_points", "points": 20}
    rules = [{"key": "visit", "trigger": "activity:visit", "effect": visit}]
    world = make_world(earning={"rules": rules})
    world.member("mina")
    world.member("jun")
    for turn in range(6):
        works = [
            put(world, f"/activities/V-{turn}", body(ref, status=status))
            for ref in ("mina", "jun")
            for status in ("done", "withdrawn") * 4
        ]
        at_once(works)
    told = [world.get(f"/activities/V-{turn}")["activity"] for turn in range(6)]
    for ref in ("mina", "jun"):
        stands = [one for one in told if (one["member_ref"], one["status"]) == (ref, "done")]
        assert world.balance(ref) == 20 * len(stands)
    assert_sound(world)
