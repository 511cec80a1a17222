"""A history with rows in every table of rewards, in every state that they can have."""

from flask import Flask

from tests.analytics.reports import end, give, hold
from tests.world import World, line

REWARDS = [
    {
        "key": "coupon",
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 100,
        "cost_by_tier": {"gold": 80},
        "stock": 10,
        "limits": [
            {"per": "member", "period": "day", "times": 5},
            {"per": "program", "period": "ever", "times": 9},
        ],
        "voucher": {"pattern": "FIVE-########-######", "valid_for": "P30D"},
    },
    {
        "key": "pooled",
        "kind": "discount_percent",
        "value": {"percent_bp": 1000},
        "cost_points": 70,
        "voucher": {"pool": "spring", "uses": 2},
    },
    {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": 50, "stock": 3},
    {"key": "free", "kind": "custom", "cost_points": 0},
    {"key": "card", "kind": "gift_card", "value": {"minor": 1000}, "claim_within": "P90D"},
    {"key": "tea", "kind": "custom", "claim_within": "P10D"},
    {"key": "lounge", "kind": "access", "value": {"perk": "lounge"}},
]
RULES = [
    {"key": "tea", "trigger": "order", "effect": {"do": "grant_reward", "reward": "tea"}},
    {
        "key": "card",
        "trigger": "order",
        "when": {"fact": "order.net_minor", "op": ">=", "value": 10_000},
        "effect": {"do": "grant_reward", "reward": "card"},
    },
]
LEVELS = {"levels": [{"key": "gold", "enter_at": 10_000_000}]}


def told(app: Flask) -> World:
    """A history in which every table has rows in every state."""
    world = World(
        app,
        rewards=REWARDS,
        tiers=LEVELS,
        earning={"rules": RULES},
        pay_with_points={"step_points": 10},
    )
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        give(world, 5000, ref=ref)
    world.put("/voucher-pools/spring", {"codes": ["SPRING-AAAA-1", "SPRING-BBBB-2", "SPRING-C-3"]})
    world.post("/rewards/coupon/stock", {"change": 5, "reason": "more"})
    world.post("/rewards/coupon/stock", {"change": -1, "reason": "lost"})
    _redeem(world)
    _order(world)
    mug = hold(world, reward="mug")
    end(world, mug, "capture")
    [sent] = world.get("/fulfilments")["data"]
    told = {"state": "shipped", "carrier": "Post", "tracking": "1Z", "note": "fragile"}
    assert world.call("PATCH", f"/fulfilments/{sent['id']}", told).status_code == 200
    gone = hold(world, "jun", reward="mug")
    end(world, gone, "capture")
    end(world, gone, "reverse", reason="changed their mind")
    for reward in ("tea", "lounge", "card"):
        given = world.post(
            "/grants", {"member_ref": "jun", "reward": reward, "reason": "thanks"}, status=201
        )
        if reward == "card":
            world.post(f"/grants/{given['grant']['id']}/revoke", {"reason": "mistaken"})
    world.set_clock("2026-03-20T10:00:00Z")
    hold(world, reward="coupon", cart_ref="c-9")
    assert world.get("/members/mina/rewards")["data"]
    return world


def _redeem(world: World) -> None:
    """Redemptions in every state, of rewards and of points that pay."""
    end(world, hold(world, reward="coupon"), "capture")
    back = hold(world, reward="coupon")
    end(world, back, "capture")
    end(world, back, "reverse", reason="broken")
    end(world, hold(world, reward="coupon"), "release")
    hold(world, reward="coupon", ttl="PT1M")
    hold(world, reward="pooled", ttl="P7D")
    end(world, hold(world, "jun", reward="pooled"), "release")
    end(world, hold(world, "jun", reward="free"), "capture")
    end(world, hold(world, "jun", pay_with_points={"points": 120}), "capture")
    hold(world, "jun", pay_with_points={"points": 70}, cart_ref="c-1")


def _order(world: World) -> None:
    """Orders that use codes, and that rules give for; one of them is cancelled."""
    world.set_clock("2026-03-02T10:00:00Z")
    named = hold(world, reward="coupon")
    answer = world.order(
        "A-1",
        20_000,
        redemptions=[named["id"]],
        discount_minor=500,
        placed_at="2026-03-02T09:00:00Z",
    )
    assert answer["problems"] == []
    sold = world.post("/vouchers", {"kind": "gift_card", "minor": 5000}, status=201)["voucher"]
    path = f"/vouchers/{sold['code']}"
    world.post(f"{path}/redeem", {"order_ref": "X-1", "order_minor": 1800}, status=201)
    world.post(f"{path}/redeem", {"order_ref": "X-2", "order_minor": 700}, status=201)
    world.post(f"{path}/release", {"order_ref": "X-2"})
    world.order("B-1", 12_000, member_ref="jun", placed_at="2026-03-02T09:00:00Z")
    world.order(
        "B-1", 12_000, member_ref="jun", placed_at="2026-03-02T09:00:00Z", status="cancelled"
    )
    fell = {"redemptions": [hold(world, reward="coupon")["id"]], "discount_minor": 500}
    for status in ("paid", "cancelled"):
        world.order("A-3", 800, placed_at="2026-03-02T09:30:00Z", status=status, **fell)
    world.order("A-2", line("1", 700), placed_at="2026-03-02T09:30:00Z")
    end(world, hold(world, reward="tea"), "capture")
    world.set_clock("2026-03-03T10:00:00Z")
