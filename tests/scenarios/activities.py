"""A program with visits and reviews, and how a storefront tells them."""

from typing import Any

from tests.world import BASE_RULE, World

VISIT = {
    "key": "visit",
    "trigger": "activity:visit",
    "effect": {"do": "add_points", "points": 20},
}
REVIEW = {
    "key": "review",
    "trigger": "activity:review",
    "when": {"fact": "activity.facts.rating", "op": ">=", "value": 4},
    "effect": {"do": "add_points", "points": 50},
}
GOOD = {
    "key": "long-review",
    "trigger": "activity:review",
    "when": {"fact": "activity.facts.words", "op": ">=", "value": 100},
    "effect": {"do": "add_points", "points": 7},
}
DECLARED = [
    {
        "key": "review",
        "facts": {
            "rating": "integer",
            "words": "integer",
            "text": "text",
            "is_public": "boolean",
            "on": "date",
            "at": "instant",
            "tags": "list",
        },
    },
    {"key": "visit"},
]
MARCH = "2026-03-01T10:00:00Z"


def document(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "earning": {"rules": [BASE_RULE, VISIT, REVIEW, GOOD, *rules]},
        "activities": DECLARED,
    } | more


def told(world: World, ref: str = "V-1", **fields: Any) -> Any:
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": MARCH} | fields
    return world.put(f"/activities/{ref}", body)


def review(world: World, ref: str = "R-1", **facts: Any) -> Any:
    return told(world, ref, kind="review", facts=facts)


def sound(world: World) -> None:
    assert world.verify()["mismatches"] == []
