"""What documents say of activities: typed facts, what keeps points alive, what counts for tiers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import pointers, problem
from tests.scenarios.activities import MARCH, REVIEW, VISIT, document, review, sound, told
from tests.world import BASE_RULE, World, points


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world(**document())
    made.set_clock("2026-03-10T10:00:00Z")
    made.member("mina")
    made.member("jun")
    return made


def test_a_kind_that_is_not_declared_may_say_anything(make_world: Callable[..., World]) -> None:
    rule = {
        "key": "share",
        "trigger": "activity:share",
        "when": {"fact": "activity.facts.where", "op": "=", "value": "instagram"},
        "effect": {"do": "add_points", "points": 5},
    }
    world = make_world(earning={"rules": [rule]})
    world.member()
    facts = {"where": "instagram", "n": 3, "is_new": True, "tags": ["a", "b"], "none": None}
    answer = told(world, kind="share", facts=facts)
    assert points(answer) == 5
    facts.pop("none")
    assert answer["activity"]["facts"] == facts


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"rating": "5"}, "/facts/rating"),
        ({"rating": True}, "/facts/rating"),
        ({"is_public": 1}, "/facts/is_public"),
        ({"text": 5}, "/facts/text"),
        ({"on": "2026-02-30"}, "/facts/on"),
        ({"at": "2026-02-03"}, "/facts/at"),
        ({"tags": "a"}, "/facts/tags"),
        ({"unknown": 1}, "/facts/unknown"),
        ({"rating": 5.5}, "/facts/rating"),
    ],
)
def test_declared_facts_are_typed(world: World, facts: Any, pointer: str) -> None:
    body = {"member_ref": "mina", "kind": "review", "occurred_at": MARCH, "facts": facts}
    found = problem(world.call("PUT", "/activities/R-1", body), 422, "validation_failed")
    assert pointers(found) == [pointer]
    assert world.call("GET", "/activities/R-1").status_code == 404


def test_every_type_can_be_asked_for(make_world: Callable[..., World]) -> None:
    asked = [
        ("rating", ">=", 4),
        ("text", "=", "fine"),
        ("is_public", "=", True),
        ("on", "<", "2026-02-03"),
        ("at", ">=", "2026-02-01T09:00:00+09:00"),
        ("tags", "contains", "warm"),
    ]
    conditions = [
        {"fact": f"activity.facts.{name}", "op": op, "value": value} for name, op, value in asked
    ]
    rule = REVIEW | {"when": {"all": conditions}}
    world = make_world(**document() | {"earning": {"rules": [rule]}})
    world.member()
    facts: dict[str, Any] = {
        "rating": 4,
        "text": "fine",
        "is_public": True,
        "on": "2026-02-02",
        "at": "2026-02-01T00:00:00Z",
        "tags": ["soft", "warm"],
    }
    assert points(review(world, **facts)) == 50
    assert points(review(world, **facts | {"at": "2026-01-31T23:59:59Z"})) == 0
    assert points(review(world, **facts)) == 50
    sound(world)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"activities": [{"key": "review", "facts": {"a": "number"}}]}, "/activities/0/facts/a"),
        ({"activities": [{"key": "re-view"}]}, "/activities/0/key"),
        ({"activities": [{"key": "order"}]}, "/activities/0/key"),
        ({"activities": [{"key": "visit"}, {"key": "visit"}]}, "/activities/1/key"),
        (
            {"earning": {"rules": [VISIT | {"trigger": "activity:Visit"}]}},
            "/earning/rules/0/trigger",
        ),
        ({"earning": {"rules": [VISIT | {"trigger": "activity:"}]}}, "/earning/rules/0/trigger"),
        (
            {
                "activities": [{"key": "review", "facts": {"stars": "integer"}}],
                "earning": {"rules": [REVIEW]},
            },
            "/earning/rules/0/when/fact",
        ),
        (
            {"earning": {"rules": [VISIT | {"effect": {"do": "points_per_unit", "points": 1}}]}},
            "/earning/rules/0/effect/do",
        ),
        (
            {
                "points": [
                    {
                        "key": "points",
                        "expiry": {
                            "policy": "inactivity",
                            "duration": "P6M",
                            "activities": ["order", "nap"],
                        },
                    }
                ]
            },
            "/points/0/expiry/activities/1",
        ),
        (
            {
                "earning": {
                    "rules": [
                        {
                            "key": "hi",
                            "trigger": "birthday",
                            "effect": {"do": "add_points", "points": 1, "counts_for_tier": True},
                        }
                    ]
                }
            },
            "/earning/rules/0/effect/counts_for_tier",
        ),
    ],
)
def test_what_a_document_may_not_say(world: World, change: Any, pointer: str) -> None:
    body = world.get("/program")["document"] | change
    found = problem(world.call("PUT", "/program/draft", body), 422, "validation_failed")
    assert pointer in pointers(found)


INACTIVE = [
    {
        "key": "points",
        "expiry": {
            "policy": "inactivity",
            "duration": "P6M",
            "activities": ["order", "visit"],
        },
    }
]


def test_a_visit_keeps_points_alive_and_a_withdrawn_one_does_not(
    make_world: Callable[..., World],
) -> None:
    world = make_world(**document(points=INACTIVE))
    world.set_clock("2026-01-10T03:00:00Z")
    world.member()
    world.order("A-1", 10_000, placed_at="2026-01-10T03:00:00Z")
    # 10 January 2026, noon in Seoul, and six months: through 10 July.
    [dated] = world.get("/members/mina/balances")["data"][0]["expiring"]
    assert dated == {"expires_at": "2026-07-10T15:00:00Z", "points": 100}
    world.set_clock("2026-05-02T03:00:00Z")
    told(world, occurred_at="2026-05-02T03:00:00Z")
    expiring = world.get("/members/mina/balances")["data"][0]["expiring"]
    assert expiring == [{"expires_at": "2026-11-02T15:00:00Z", "points": 120}]
    told(world, "R-1", kind="review", occurred_at="2026-05-02T03:00:00Z")
    told(world, occurred_at="2026-05-02T03:00:00Z", status="withdrawn")
    expiring = world.get("/members/mina/balances")["data"][0]["expiring"]
    assert expiring == [{"expires_at": "2026-07-10T15:00:00Z", "points": 100}]
    sound(world)


def test_as_of_knows_what_a_visit_kept_alive(make_world: Callable[..., World]) -> None:
    world = make_world(**document(points=INACTIVE))
    world.set_clock("2026-01-10T03:00:00Z")
    world.member()
    world.order("A-1", 10_000, placed_at="2026-01-10T03:00:00Z")
    world.set_clock("2026-05-02T03:00:00Z")
    told(world, occurred_at="2026-05-02T03:00:00Z")
    world.set_clock("2026-08-01T03:00:00Z")
    past = world.get("/members/mina/balances?as_of=2026-07-20T00:00:00Z")["data"][0]
    assert past["available"] == 120
    before = world.get("/members/mina/balances?known_at=2026-05-02T02:00:00Z")["data"][0]
    assert before["available"] == 100


TIERS = {"basis": {"metric": "points"}, "levels": [{"key": "silver", "enter_at": 60}]}
COUNTING = VISIT | {"effect": {"do": "add_points", "points": 20, "counts_for_tier": True}}


def test_points_of_an_activity_count_for_tiers_when_the_rule_says_so(
    make_world: Callable[..., World],
) -> None:
    rules = [BASE_RULE, COUNTING, REVIEW]
    world = make_world(**document(tiers=TIERS) | {"earning": {"rules": rules}})
    world.set_clock("2026-03-10T10:00:00Z")
    world.member()
    world.member("jun")
    world.order("A-1", 3_000)
    review(world, rating=5)
    told(world, "V-1")
    assert world.tier()["key"] is None
    assert world.tier()["progress"][0]["value"] == 50
    # The reference of an order is another thing than that of an activity.
    told(world, "A-1", occurred_at="2026-03-02T10:00:00Z")
    assert world.tier()["key"] == "silver"
    assert world.tier()["progress"][0]["value"] == 70
    assert world.get("/members/mina/tier?as_of=2026-03-01T12:00:00Z")["key"] is None
    assert world.get("/members/mina/tier?as_of=2026-03-03T00:00:00Z")["key"] == "silver"
    sound(world)
    told(world, "A-1", occurred_at="2026-03-02T10:00:00Z", status="withdrawn")
    assert world.tier()["progress"][0]["value"] == 50
    sound(world)


def test_an_activity_that_counts_moves_with_its_member(make_world: Callable[..., World]) -> None:
    rules = [BASE_RULE, COUNTING]
    world = make_world(**document(tiers=TIERS) | {"earning": {"rules": rules}})
    world.set_clock("2026-03-10T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.order(f"O-{ref}", 4_500, member_ref=ref)
    told(world)
    assert (world.tier("mina")["key"], world.tier("jun")["key"]) == ("silver", None)
    told(world, member_ref="jun")
    assert world.tier("jun")["key"] == "silver"
    assert world.tier("mina")["progress"][0]["value"] == 45
    sound(world)
