"""What tests of reports share: the document of their world, and short words for what they tell."""

from typing import Any

from tests.world import World

#: 10 points are worth 0.03.
KINDS = [
    {
        "key": "points",
        "value": {"points": 10, "minor": 3},
        "expiry": {"policy": "after", "duration": "P1M"},
        "return_policy": "unlimited",
    },
    {"key": "stars", "pending": {"policy": "after", "duration": "P10D"}},
]
REWARDS = [
    {
        "key": "five_off",
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 300,
        "stock": 10,
        "voucher": {"pattern": "FIVE-########-####"},
        "estimated_cost_minor": 400,
    },
    {
        "key": "mug",
        "kind": "free_product",
        "value": {"sku": "MUG"},
        "cost_points": 50,
        "estimated_cost_minor": 250,
    },
    {
        "key": "card",
        "kind": "gift_card",
        "value": {"minor": 1000},
        "estimated_cost_minor": 1000,
        "cost_points": None,
    },
    {
        "key": "tea",
        "kind": "custom",
        "cost_points": None,
        "estimated_cost_minor": 90,
        "claim_within": "P10D",
    },
]
PAY = {"min_points": 10, "step_points": 10, "value": {"points": 10, "minor": 3}}


def give(world: World, points: int, *, ref: str = "mina", **more: Any) -> Any:
    """Points by hand that never expire; below zero allowed."""
    body = {"member_ref": ref, "points": points, "reason": "test", "allow_negative": True}
    dated = {"expires_at": None} if points > 0 else {}
    return world.post("/adjustments", body | dated | more, status=201)


def hold(world: World, ref: str = "mina", *, status: int = 201, **what: Any) -> Any:
    """A redemption that is held; its answer."""
    answer = world.post("/redemptions", {"member_ref": ref} | what, status=status)
    return answer["redemption"] if status == 201 else answer


def end(world: World, redemption: Any, how: str, **body: Any) -> Any:
    """End a redemption: capture, release or reverse."""
    return world.post(f"/redemptions/{redemption['id']}/{how}", body)


def liability(world: World, query: str = "") -> Any:
    """The liability, and its row of the default kind of points."""
    report = world.get(f"/reports/liability{query}")
    return report, next(one for one in report["points"] if one["points_key"] == "points")


def rewards(world: World, query: str = "") -> dict[str, Any]:
    """The report of rewards, by reward."""
    report = world.get(f"/reports/rewards{query}")
    return {one["reward"]: one for one in report["rewards"]} | {
        "report": report,
        "paid": report["pay_with_points"],
        "totals": report["totals"],
    }
