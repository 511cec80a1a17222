"""Activities: told, told again, changed, withdrawn and done again; whom they belong to."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import pointers, problem
from tests.scenarios.activities import MARCH, REVIEW, document, review, sound, told
from tests.world import BASE_RULE, World, points, reversed_points


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world(**document())
    made.set_clock("2026-03-10T10:00:00Z")
    made.member("mina")
    made.member("jun")
    return made


def test_an_activity_brings_what_the_rules_of_its_kind_say(world: World) -> None:
    answer = told(world)
    assert points(answer) == 20
    assert answer["activity"]["status"] == "done"
    assert answer["activity"]["member_ref"] == "mina"
    assert answer["activity"]["occurred_at"] == MARCH
    assert (answer["reversed"], answer["surprises"]) == ([], [])
    assert world.balance() == 20
    [entry] = world.entries()
    assert entry["source"] == {"type": "activity", "ref": "V-1"}
    assert entry["effective_at"] == MARCH
    assert "V-1" in entry["summary"]["en"]
    assert "V-1" in entry["summary"]["ko"]
    sound(world)


def test_the_first_telling_answers_201_and_the_same_again_changes_nothing(world: World) -> None:
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": MARCH}
    first = world.put("/activities/V-1", body, status=201)
    again = world.put("/activities/V-1", body | {"status": "done", "facts": {}}, status=200)
    assert again == first
    assert len(world.entries()) == 1
    assert world.get("/activities/V-1") == first
    assert world.get(f"/activities/{first['activity']['id']}") == first


def test_an_unknown_activity_is_404(world: World) -> None:
    problem(world.call("GET", "/activities/none"), 404, "not_found")


def test_changed_facts_are_decided_again(world: World) -> None:
    assert points(review(world, rating=5, words=10)) == 50
    more = review(world, rating=5, words=100)
    assert points(more) == 57
    less = review(world, rating=3, words=100)
    assert (points(less), reversed_points(less)) == (7, 50)
    assert world.balance() == 7
    sound(world)


def test_a_changed_activity_follows_the_version_and_the_facts_pinned_first(world: World) -> None:
    only_new = REVIEW | {
        "when": {"fact": "member.order_count", "op": "=", "value": 0},
    }
    world.publish(**document() | {"earning": {"rules": [BASE_RULE, only_new]}})
    assert points(review(world, rating=1)) == 50
    world.order("A-1", 1000)
    doubled = only_new | {"effect": {"do": "add_points", "points": 100}}
    world.publish(**document() | {"earning": {"rules": [BASE_RULE, doubled]}})
    # An order since, and a new version: neither is looked at.
    assert points(review(world, rating=2)) == 50
    # A new activity is decided by both.
    assert points(review(world, "R-2", rating=2)) == 0


def test_withdrawn_takes_back_and_done_again_gives_back(world: World) -> None:
    told(world)
    gone = told(world, status="withdrawn")
    assert (points(gone), reversed_points(gone)) == (0, 20)
    assert gone["activity"]["status"] == "withdrawn"
    assert world.balance() == 0
    again = told(world)
    assert (points(again), reversed_points(again)) == (20, 0)
    assert world.balance() == 20
    assert [entry["kind"] for entry in world.entries()] == ["earn", "claw_back", "restore"]
    sound(world)


def test_told_as_withdrawn_first_it_brings_nothing(world: World) -> None:
    assert points(told(world, status="withdrawn")) == 0
    assert world.entries() == []
    assert points(told(world)) == 20
    sound(world)


def test_another_member_gets_it_and_the_old_one_loses_it(world: World) -> None:
    told(world)
    moved = told(world, member_ref="jun")
    assert points(moved) == 20
    assert reversed_points(moved) == 20
    assert moved["activity"]["member_ref"] == "jun"
    assert (world.balance("mina"), world.balance("jun")) == (0, 20)
    told(world)
    assert (world.balance("mina"), world.balance("jun")) == (20, 0)
    sound(world)


def test_an_unknown_member_is_refused_or_enrolled(
    world: World, make_world: Callable[..., World]
) -> None:
    body = {"member_ref": "nobody", "kind": "visit", "occurred_at": MARCH}
    found = problem(world.call("PUT", "/activities/V-1", body), 422, "validation_failed")
    assert pointers(found) == ["/member_ref"]
    enrolling = make_world(**document(members={"auto_enrol": True}))
    assert points(told(enrolling, member_ref="nobody")) == 20
    assert enrolling.get("/members/nobody")["joined_at"] == MARCH


def test_an_instant_ahead_of_the_clock_is_taken_as_the_clock_or_refused(world: World) -> None:
    answer = told(world, occurred_at="2026-03-10T10:04:00Z")
    assert answer["activity"]["occurred_at"] == "2026-03-10T10:00:00Z"
    world.set_clock("2026-03-10T11:00:00Z")
    # Told again it stays when it was taken to be.
    again = told(world, occurred_at="2026-03-10T10:04:00Z")
    assert again["activity"] == answer["activity"]
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-10T11:06:00Z"}
    found = problem(world.call("PUT", "/activities/V-2", body), 422, "validation_failed")
    assert pointers(found) == ["/occurred_at"]


def test_who_does_not_take_part_earns_nothing(world: World) -> None:
    world.member("guest", is_enrolled=False)
    answer = told(world, member_ref="guest")
    assert points(answer) == 0
    decision = world.get(f"/decisions/{answer['activity']['decision_id']}")
    assert {one["reason"] for one in decision["outcomes"]} == {"no_member"}


def test_a_decision_tells_the_facts_and_why_not(world: World) -> None:
    answer = review(world, rating=2, words=100)
    decision = world.get(f"/decisions/{answer['activity']['decision_id']}")
    assert decision["source"] == {"type": "activity", "ref": "R-1"}
    assert decision["facts"]["activity.kind"] == "review"
    assert decision["facts"]["activity.facts.rating"] == 2
    assert decision["facts"]["member.order_count"] == 0
    by_rule = {one["rule"]: one for one in decision["outcomes"]}
    assert by_rule["review"]["reason"] == "condition_not_met"
    assert by_rule["long-review"]["is_fired"]


STATES: dict[str, dict[str, Any]] = {
    "done": {"facts": {"rating": 5}},
    "changed": {"facts": {"rating": 5, "words": 100}},
    "withdrawn": {"facts": {"rating": 5}, "status": "withdrawn"},
}
DESERVED = {"done": 50, "changed": 57, "withdrawn": 0}


@pytest.mark.parametrize(
    "order", sorted(set(itertools.permutations(["done", "changed", "withdrawn", "done"])))
)
def test_whatever_came_before_the_newest_holds(world: World, order: tuple[str, ...]) -> None:
    for state in order:
        answer = told(world, "R-1", kind="review", **STATES[state])
        told(world, "R-1", kind="review", **STATES[state])
        assert points(answer) == DESERVED[state]
        assert world.balance() == DESERVED[state]
    assert world.get("/activities/R-1")["earned"] == answer["earned"]
    sound(world)


def test_a_merged_member_takes_activities_along(world: World) -> None:
    told(world)
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    assert world.balance("jun") == 20
    gone = told(world, status="withdrawn")
    assert gone["activity"]["member_ref"] == "jun"
    assert world.balance("jun") == 0
    told(world, member_ref="jun")
    assert world.balance("jun") == 20
    sound(world)


def test_an_erased_members_activities_say_nothing_and_can_be_withdrawn(world: World) -> None:
    review(world, rating=5, words=100, text="I live in Elm Street", tags=["secret"])
    world.member("jun")
    assert world.call("DELETE", "/members/mina").status_code == 200
    sound(world)
    left = world.get("/activities/R-1")
    assert left["activity"]["member_ref"] is None
    assert {"text", "tags"}.isdisjoint(left["activity"]["facts"])
    assert points(left) == 57
    decision = world.get(f"/decisions/{left['activity']['decision_id']}")
    assert "Elm Street" not in str(decision)
    # Whoever tells it now neither gets it nor says more of it.
    again = told(world, "R-1", kind="review", member_ref="jun", facts={"text": "Elm Street"})
    assert again["activity"]["member_ref"] is None
    assert "text" not in again["activity"]["facts"]
    assert world.balance("jun") == 0
    gone = told(world, "R-1", kind="review", member_ref="jun", status="withdrawn")
    assert gone["activity"]["status"] == "withdrawn"
    assert points(gone) == 0
    sound(world)
