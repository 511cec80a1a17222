"""Friends who were approved as a measure of levels, and as a fact that rules ask for."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import db
from tests.world import BASE_RULE, World, rule

Make = Callable[..., World]
OFFER: dict[str, Any] = {"key": "friends", "landing_url": "https://bloom.example/hello"}
GIFT = [{"do": "add_points", "points": 500}]
LADDER = {
    "basis": {"metric": "referrals"},
    "levels": [
        {"key": "helper", "enter_at": 1},
        {"key": "champion", "enter_at": 2, "entry_effects": GIFT},
    ],
}


def play(make_world: Make, **changes: Any) -> tuple[World, str]:
    """A program with an offer, Mina in it, and the code of her link."""
    world = make_world(**({"referral_offers": [OFFER]} | changes))
    world.set_clock("2026-03-01T12:00:00Z")
    world.member()
    return world, world.post("/members/mina/links", {}, status=201)["code"]


def bring(world: World, code: str, friend: str, **more: Any) -> Any:
    """A friend signs up with the code and buys for 60.00."""
    told = {"referral": {"code": code}, "joined_at": "2026-03-01T12:00:00Z"}
    world.put(f"/members/{friend}", told)
    return buy(world, friend, **more)


def buy(world: World, friend: str, **more: Any) -> Any:
    at = {"placed_at": "2026-03-01T12:00:00Z", "member_ref": friend}
    return world.order(f"O-{friend}", 6_000, **(at | more))


def progress(world: World, ref: str = "mina") -> list[tuple[str, int, int | None]]:
    return [
        (one["metric"], one["value"], None if one["next"] is None else one["next"]["missing"])
        for one in world.get(f"/members/{ref}/tier")["progress"]
    ]


def test_friends_lead_up_the_ladder_and_down_with_their_orders(make_world: Make) -> None:
    world, code = play(make_world, tiers=LADDER)
    assert progress(world) == [("referrals", 0, 1)]
    bring(world, code, "one")
    assert (world.tier()["key"], progress(world)) == ("helper", [("referrals", 1, 1)])
    assert world.balance() == 0
    bring(world, code, "two")
    assert (world.tier()["key"], progress(world)) == ("champion", [("referrals", 2, None)])
    assert world.balance() == 500
    log = world.get("/members/mina/tier/changes")["data"]
    assert [(one["from"], one["to"], one["source"]["type"]) for one in log] == [
        ("helper", "champion", "referral"),
        (None, "helper", "referral"),
    ]
    assert world.verify()["mismatches"] == []
    buy(world, "two", status="cancelled")
    assert (world.tier()["key"], progress(world)) == ("helper", [("referrals", 1, 1)])
    assert world.balance() == 0
    buy(world, "two", revision=9)
    assert (world.tier()["key"], world.balance()) == ("champion", 500)
    # Mina's own orders look at the same ladder, and so does a quote.
    assert world.order("M-1", 1_000)["tier"]["key"] == "champion"
    assert world.verify()["mismatches"] == []


def test_friends_and_orders_together_and_the_year_that_counts(make_world: Make) -> None:
    ladder = {
        "basis": {"metric": ["orders", "referrals"], "require": "all", "window": "rolling"},
        "downgrade": "full",
        "levels": [{"key": "host", "enter_at": {"orders": 1, "referrals": 1}}],
    }
    world, code = play(make_world, tiers=ladder)
    bring(world, code, "one")
    assert (world.tier()["key"], progress(world)) == (
        None,
        [("orders", 0, 1), ("referrals", 1, 0)],
    )
    at = "2026-03-01T12:00:00Z"
    assert world.order("M-1", 1_000, placed_at=at)["tier"]["key"] == "host"
    world.member("twin")
    link = world.post("/members/twin/links", {}, status=201)["code"]
    bring(world, link, "two")
    world.post("/members/twin/merge", {"into_member_ref": "mina"})
    assert progress(world) == [("orders", 1, None), ("referrals", 2, None)]
    assert world.verify()["mismatches"] == []
    world.post("/test-clock", {"now": "2027-02-28T00:00:00Z"})
    assert world.tier()["key"] == "host"
    world.post("/test-clock", {"now": "2027-03-02T00:00:00Z"})
    assert (world.tier()["key"], progress(world)) == (
        None,
        [("orders", 0, 1), ("referrals", 0, 1)],
    )
    assert world.verify()["mismatches"] == []


def test_rules_ask_for_approved_friends_and_listen_to_them(make_world: Make) -> None:
    asks = {"fact": "member.approved_referrals", "op": ">=", "value": 1}
    rules = [
        BASE_RULE,
        rule("social", {"do": "add_points", "points": 50}, when=asks),
        rule("thanks", {"do": "add_points", "points": 7}) | {"trigger": "referral_qualified"},
        rule("cash", {"do": "payable", "percent_bp": 1000}) | {"trigger": "referral_qualified"},
        rule("stay", {"do": "add_points", "points": 3}, when=asks) | {"trigger": "activity:visit"},
    ]
    world, code = play(make_world, earning={"rules": rules})
    at = {"placed_at": "2026-03-01T12:00:00Z"}
    assert world.earned("M-1", 1_000, **at) == 10
    bring(world, code, "one")
    # 7 points, and 10 % of 60.00, for the friend's order.
    assert world.balance() == 10 + 7
    assert world.get("/members/mina/payables")["owed_minor"] == 600
    assert world.earned("M-2", 1_000, **at) == 10 + 50
    told = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T12:00:00Z"}
    assert world.put("/activities/V-1", told)["earned"][0]["points"] == 3
    answer = world.order("M-2", 1_000, **at)
    facts = world.get(f"/decisions/{answer['decision_id']}")["facts"]
    assert facts["member.approved_referrals"] == 1
    # What was decided stays decided by what it pinned; what comes next is asked anew.
    refund = {"refunded_at": "2026-03-01T12:00:00Z", "amount_minor": 3_000}
    world.put("/orders/O-one/refunds/R-1", refund)
    assert world.get("/members/mina/payables")["owed_minor"] == 300
    buy(world, "one", status="cancelled")
    assert world.get("/members/mina/payables")["owed_minor"] == 0
    assert world.earned("M-2", 1_000, **at, revision=4) == 10 + 50
    assert world.earned("M-3", 1_000, **at) == 10
    assert world.verify()["mismatches"] == []


def test_whoever_asks_for_no_friends_pays_no_statement(make_world: Make) -> None:
    world, code = play(make_world)
    seen: list[str] = []

    def note(*args: Any) -> None:
        seen.append(args[2])

    with world.app.app_context():
        engine = db.db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        world.order("M-1", 1_000)
        told = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T12:00:00Z"}
        world.put("/activities/V-1", told)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert code and not any("advocate_id IN" in one or "payables" in one for one in seen)
