"""What rewards came to in a period, worked out by hand; and that it is what the ledger says."""

from collections.abc import Callable
from typing import Any

from tests.analytics.reports import KINDS, PAY, REWARDS, end, give, hold, rewards
from tests.world import World

MakeWorld = Callable[..., World]


def _world(make_world: MakeWorld) -> World:
    """March: two coupons captured, one of them with an order, one released, one run out; a mug
    captured; 1,000 points that pay. April: the mug goes back, a grant is used, one is open."""
    world = make_world(points=KINDS, pay_with_points=PAY, rewards=REWARDS)
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    give(world, 10_000)
    give(world, 2_000, ref="jun")
    end(world, hold(world, reward="five_off"), "capture")
    world.set_clock("2026-03-02T10:00:00Z")
    named = hold(world, reward="five_off")
    world.order("A-1", 50_00, redemptions=[named["id"]], discount_minor=500, placed_at=_at("03-02"))
    end(world, hold(world, reward="five_off"), "release")
    hold(world, "jun", reward="five_off", ttl="P1D")
    world.set_clock("2026-03-10T10:00:00Z")
    mug = hold(world, reward="mug")
    end(world, mug, "capture")
    paid = hold(world, "jun", pay_with_points={"points": 1000})
    payment = {"kind": "points", "amount_minor": 300, "redemption_id": paid["id"]}
    card = {"kind": "card", "amount_minor": 700}
    world.order("B-1", 10_00, member_ref="jun", payments=[card, payment], placed_at=_at("03-10"))
    world.set_clock("2026-04-05T10:00:00Z")
    end(world, mug, "reverse", reason="broken")
    # Half of it is refunded: half of the points come back.
    refund = {"refunded_at": _at("04-05"), "lines": [{"line_ref": "1", "amount_minor": 500}]}
    world.put("/orders/B-1/refunds/R-1", refund)
    for ref in ("mina", "jun"):
        body = {"member_ref": ref, "reward": "mug", "reason": "sorry"}
        world.post("/grants", body, status=201)
    end(world, hold(world, reward="mug"), "capture")
    hold(world, reward="five_off")
    return world


def _at(day: str) -> str:
    return f"2026-{day}T09:00:00Z"


def _counts(one: Any) -> tuple[int, ...]:
    names = ("held", "captured", "reversed", "released", "expired", "open")
    return tuple(one[name] for name in names)


def _points(one: Any) -> list[tuple[int, int, int]]:
    assert {row["points_key"] for row in one["points"]} <= {"points"}
    return [(row["captured"], row["returned"], row["net"]) for row in one["points"]]


def test_by_reward_over_all_time(make_world: MakeWorld) -> None:
    world = _world(make_world)
    world.set_clock("2026-04-05T10:10:00Z")
    found = rewards(world)
    five, mug, paid, totals = (found[key] for key in ("five_off", "mug", "paid", "totals"))
    assert _counts(five) == (5, 2, 0, 1, 1, 1)
    assert _counts(mug) == (2, 2, 1, 0, 0, 0)
    assert _counts(paid) == (1, 1, 0, 0, 0, 0)
    assert _counts(totals) == (8, 5, 1, 1, 1, 1)
    assert _points(five) == [(600, 0, 600)]
    # The one that was granted cost nothing.
    assert _points(mug) == [(50, 50, 0)]
    assert _points(paid) == [(1000, 500, 500)]
    assert _points(totals) == [(1650, 550, 1100)]
    # Two coupons at 4.00; the mug that stands, 2.50; 1,000 points that paid 3.00.
    assert [one["estimated_cost_minor"] for one in (five, mug, paid)] == [800, 250, 300]
    # One coupon took off 5.00, of the other there is the estimate; half of the points went back.
    assert [one["cost_minor"] for one in (five, mug, paid)] == [900, 250, 150]
    assert (totals["estimated_cost_minor"], totals["cost_minor"]) == (1350, 1300)
    assert totals["estimated_count"] == 2
    assert five["discount_minor"] == 500
    assert five["stock"] == {"total": 10, "used": 3, "left": 7}
    assert mug["stock"] is None
    # One code was used with its order, one can be used; the open one's is not out yet.
    codes = {name: five["vouchers"][name] for name in ("used", "remaining")}
    assert codes == {"used": 1, "remaining": 1}
    assert mug["grants"] == {"given": 2, "used": 1, "lapsed": 0, "revoked": 0, "open": 1}
    assert found["report"]["currency"] == "EUR" and found["report"]["from"] is None


def test_each_thing_counts_when_it_happened(make_world: MakeWorld) -> None:
    world = _world(make_world)
    march = rewards(world, "?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z")
    april = rewards(world, "?from=2026-04-01T00:00:00Z")
    # By now the open one has not run out: its half hour is not over.
    assert _counts(march["five_off"])[:5] == (4, 2, 0, 1, 1)
    assert _counts(april["five_off"]) == (1, 0, 0, 0, 0, 1)
    assert _counts(march["mug"])[:5] == (1, 1, 0, 0, 0)
    assert _counts(april["mug"])[:5] == (1, 1, 1, 0, 0)
    assert _points(march["totals"]) == [(1650, 0, 1650)]
    assert _points(april["totals"]) == [(0, 550, -550)]
    # The coupon that ran out did so on 3 March at 10:00.
    day = rewards(world, "?from=2026-03-03T10:00:00Z&to=2026-03-03T10:00:01Z")
    assert _counts(day["five_off"])[:5] == (0, 0, 0, 0, 1)
    response = world.call(
        "GET", "/reports/rewards?from=2026-04-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    )
    assert response.status_code == 422


def _spent_by_entries(world: World, *, since: str = "", until: str = "9") -> tuple[int, int]:
    captured = returned = 0
    for ref in ("mina", "jun"):
        for entry in world.entries(ref):
            if not since <= entry["effective_at"] < until:
                continue
            captured += entry["points"] if entry["to"] == "spent" else 0
            returned += entry["points"] if entry["from"] == "spent" else 0
    return captured, returned


def test_it_is_what_the_ledger_says(make_world: MakeWorld) -> None:
    world = _world(make_world)
    whole = rewards(world)["totals"]
    [sums] = world.get("/ledger/proof")["sums"]
    [(captured, returned, net)] = _points(whole)
    assert net == sums["spent"]
    assert (captured, returned) == _spent_by_entries(world)
    edge = "2026-04-01T00:00:00Z"
    [(captured, returned, _)] = _points(rewards(world, f"?to={edge}")["totals"])
    assert (captured, returned) == _spent_by_entries(world, until=edge)
    [(captured, returned, _)] = _points(rewards(world, f"?from={edge}")["totals"])
    assert (captured, returned) == _spent_by_entries(world, since=edge)
    assert world.verify()["mismatches"] == []


def test_another_program_is_not_in_it(make_world: MakeWorld) -> None:
    _world(make_world)
    other = make_world(points=KINDS, pay_with_points=PAY, rewards=REWARDS)
    found = rewards(other)
    assert _counts(found["totals"]) == (0, 0, 0, 0, 0, 0)
    assert found["totals"]["points"] == []
    assert found["five_off"]["stock"] == {"total": 10, "used": 0, "left": 10}
    report = other.get("/reports/liability")
    assert set(report["totals"].values()) == {0}


def test_codes_cost_what_they_took_off_and_cards_what_was_drawn(make_world: MakeWorld) -> None:
    world = make_world(points=KINDS, pay_with_points=PAY, rewards=REWARDS)
    world.set_clock("2026-03-01T10:00:00Z")
    world.member()
    give(world, 1_000)
    code = hold(world, reward="five_off")
    end(world, code, "capture")
    assert rewards(world)["five_off"]["cost_minor"] == 400
    # Its code is used later, for a cart of less than it takes off.
    world.order("A-1", 3_00, codes=[code["voucher"]["code"]], placed_at=_at("03-01"))
    found = rewards(world)["five_off"]
    assert (found["cost_minor"], found["estimated_count"]) == (300, 0)
    # Given away, its code costs what it takes off as well.
    body = {"member_ref": "mina", "reward": "five_off", "reason": "sorry"}
    given = world.post("/grants", body, status=201)["grant"]["voucher"]["code"]
    world.order("A-2", 50_00, codes=[given], placed_at=_at("03-01"))
    found = rewards(world)["five_off"]
    assert (found["cost_minor"], found["estimated_cost_minor"]) == (800, 800)
    assert (found["vouchers"]["used_minor"], found["vouchers"]["drawn_minor"]) == (800, 0)
    body = {"member_ref": "mina", "reward": "card", "reason": "sorry"}
    card = world.post("/grants", body, status=201)["grant"]["voucher"]["code"]
    world.post(f"/vouchers/{card}/redeem", {"order_ref": "X", "order_minor": 250}, status=201)
    found = rewards(world)
    assert found["card"]["vouchers"]["drawn_minor"] == 250
    assert found["totals"]["vouchers"]["drawn_minor"] == 250
    # Told by staff, it is what counts.
    end(world, hold(world, reward="mug"), "capture")
    [mug] = world.get("/fulfilments")["data"]
    world.call("PATCH", f"/fulfilments/{mug['id']}", {"cost_minor": 199})
    found = rewards(world)["mug"]
    assert (found["cost_minor"], found["estimated_cost_minor"]) == (199, 250)
