"""The liability of points: worked out by hand, and by members' own balances."""

from collections.abc import Callable
from typing import Any

from tests.analytics.reports import KINDS, PAY, end, give, hold, liability
from tests.world import World, per_euro

MakeWorld = Callable[..., World]


def _world(make_world: MakeWorld) -> World:
    made = make_world(points=KINDS, pay_with_points=PAY)
    made.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun", "sol"):
        made.member(ref)
    return made


def test_each_bucket_is_told_apart_and_floored_once(make_world: MakeWorld) -> None:
    world = _world(make_world)
    give(world, 1001)
    give(world, 5, ref="jun")
    give(world, -40, ref="sol")
    world.order("A-1", 70_00, member_ref="jun")
    hold(world, pay_with_points={"points": 100})
    report, row = liability(world)
    # Mina 901 + 100 held, Jun 5 + 70 of the order; Sol lacks 40, which nobody else's are less for.
    assert (row["available"], row["held"], row["active"]) == (976, 100, 1076)
    assert (row["pending"], row["deficit"]) == (0, 40)
    # 1,076 × 3 / 10 = 322.8, floored once; by member it would be 300 + 22.
    assert row["value_minor"] == 322
    assert report["currency"] == "EUR"
    stars = report["points"][1]
    assert (stars["points_key"], stars["active"], stars["value_minor"]) == ("stars", 0, 0)
    assert report["totals"]["points_minor"] == 322


def test_pending_points_are_apart(make_world: MakeWorld) -> None:
    world = _world(make_world)
    rules = [
        {
            "key": "stars",
            "trigger": "order",
            "effect": {"do": "points_per_unit", "points": 7, "points_key": "stars"},
        }
    ]
    world.publish(points=KINDS, earning={"rules": rules})
    world.order("A-1", 10_00, placed_at="2026-03-01T09:00:00Z")
    stars = liability(world)[0]["points"][1]
    assert (stars["active"], stars["pending"], stars["pending_value_minor"]) == (0, 7, 7)
    # Due on 11 March, whether a worker has written it or not.
    world.set_clock("2026-03-12T00:00:00Z")
    stars = liability(world)[0]["points"][1]
    assert (stars["active"], stars["pending"], stars["value_minor"]) == (7, 0, 7)


def test_what_is_expected_comes_from_what_has_ended(make_world: MakeWorld) -> None:
    world = _world(make_world)
    give(world, 900)
    spent = hold(world, pay_with_points={"points": 600})
    end(world, spent, "capture")
    _, row = liability(world)
    # 600 ended so far: too few to say anything.
    assert (row["expected_redemption_bp"], row["expected_redemption_from"]) == (
        10_000,
        "little_history",
    )
    assert (row["active"], row["value_minor"], row["expected_minor"]) == (300, 90, 90)
    earned = {"currency": "EUR", "placed_at": "2026-03-01T10:00:00Z"}
    world.order("A-1", 1000_00, member_ref="jun", **earned)
    # A month later Jun's 1,000 expire; points given by hand never do.
    world.set_clock("2026-05-01T00:00:00Z")
    _, row = liability(world)
    assert (row["spent"], row["expired"], row["active"]) == (600, 1000, 300)
    # 600 of 1,600 are 3,750 bp: 300 × 0.3 × 0.375 = 33.75.
    assert (row["expected_redemption_bp"], row["expected_redemption_from"]) == (3750, "history")
    assert row["expected_minor"] == 33
    world.balance("jun")
    _, row = liability(world, "?expected_redemption_bp=5000")
    assert (row["expected_redemption_bp"], row["expected_redemption_from"]) == (5000, "given")
    assert row["expected_minor"] == 45
    for wrong in ("10001", "-1", "x", "1.5"):
        response = world.call("GET", f"/reports/liability?expected_redemption_bp={wrong}")
        assert response.status_code == 422, wrong


def test_a_hold_that_ran_out_gives_back_only_what_has_not_ended(make_world: MakeWorld) -> None:
    world = _world(make_world)
    # 200 that expire at the end of 1 April in Seoul, 50 that never do.
    world.order("A-1", 200_00, placed_at="2026-03-01T09:00:00Z")
    give(world, 50)
    world.set_clock("2026-04-01T14:00:00Z")
    hold(world, pay_with_points={"points": 220}, ttl="P1D")
    _, row = liability(world)
    assert (row["available"], row["held"]) == (30, 220)
    world.set_clock("2026-04-02T12:00:00Z")
    _, row = liability(world)
    # The hold outlives the date of what it holds; only the 30 left are the undated ones.
    assert (row["available"], row["held"], row["expired"]) == (30, 220, 0)
    world.set_clock("2026-04-02T15:00:00Z")
    _, row = liability(world)
    assert (row["available"], row["held"], row["expired"]) == (50, 0, 200)
    assert world.balance() == 50


def test_a_deficit_takes_of_what_becomes_available_first(make_world: MakeWorld) -> None:
    world = _world(make_world)
    rules = [
        {
            "key": "later",
            "trigger": "order",
            "effect": per_euro() | {"pending": {"policy": "after", "duration": "P10D"}},
        }
    ]
    world.publish(points=KINDS, earning={"rules": rules})
    give(world, -40, ref="sol")
    world.order("A-1", 100_00, member_ref="sol", placed_at="2026-03-01T09:00:00Z")
    _, row = liability(world)
    assert (row["active"], row["pending"], row["deficit"]) == (0, 100, 40)
    world.set_clock("2026-03-20T00:00:00Z")
    _, row = liability(world)
    assert (row["active"], row["pending"], row["deficit"]) == (60, 0, 0)
    # From 11 March on they live a month; the 40 that were absorbed never expired.
    world.set_clock("2026-06-01T00:00:00Z")
    _, row = liability(world)
    assert (row["active"], row["deficit"], row["expired"]) == (0, 0, 60)
    assert world.balance("sol") == 0
    assert world.verify()["mismatches"] == []


def _by_balances(world: World, query: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for ref in ("mina", "jun", "sol"):
        for one in world.get(f"/members/{ref}/balances{query}")["data"]:
            sums = found.setdefault(
                one["points_key"], dict.fromkeys(("available", "held", "pending", "deficit"), 0)
            )
            sums["available"] += max(0, one["available"])
            sums["deficit"] += max(0, -one["available"])
            sums["held"] += one["held"]
            sums["pending"] += one["pending"]
    return found


def test_as_of_any_instant_it_is_what_members_had(make_world: MakeWorld) -> None:
    world = _world(make_world)
    told: list[Any] = ["2026-03-01T10:00:00Z"]
    steps: list[Callable[[], Any]] = [
        lambda: world.order("A-1", 90_00, placed_at="2026-03-01T09:00:00Z"),
        lambda: give(world, 33, ref="jun"),
        lambda: hold(world, pay_with_points={"points": 50}, ttl="P4D"),
        lambda: world.order("B-1", 40_00, member_ref="jun", placed_at="2026-03-08T00:00:00Z"),
        lambda: end(world, hold(world, "jun", pay_with_points={"points": 60}), "capture"),
        lambda: world.order(
            "B-1",
            40_00,
            member_ref="jun",
            placed_at="2026-03-08T00:00:00Z",
            status="cancelled",
            cancelled_at="2026-03-14T00:00:00Z",
        ),
        lambda: give(world, -5, ref="sol"),
        lambda: world.order("C-1", 20_00, member_ref="sol", placed_at="2026-03-23T00:00:00Z"),
    ]
    for day, step in enumerate(steps):
        step()
        told.append(f"2026-03-{day * 3 + 5:02}T12:00:00Z")
        world.set_clock(told[-1])
    world.set_clock("2026-06-01T00:00:00Z")
    told += ["2026-04-01T14:59:59Z", "2026-04-01T15:00:00Z", "2026-05-01T00:00:00Z"]
    seen = set()
    for instant in (*told, "2026-06-01T00:00:00Z", "2026-09-01T00:00:00Z"):
        query = f"?as_of={instant}"
        report = world.get(f"/reports/liability{query}")
        assert report["as_of"] == instant
        found = {
            one["points_key"]: {
                name: one[name] for name in ("available", "held", "pending", "deficit")
            }
            for one in report["points"]
        }
        for key, sums in _by_balances(world, query).items():
            assert found[key] == sums, instant
            seen.add((key, *sums.values()))
    # Held, short and nothing at all were among them, or little was compared.
    assert len(seen) >= 8
    assert any(one[2] for one in seen) and any(one[4] for one in seen)


def test_now_it_agrees_with_the_proof_of_the_ledger(make_world: MakeWorld) -> None:
    world = _world(make_world)
    world.order("A-1", 700_00, placed_at="2026-03-01T09:00:00Z")
    give(world, 800, ref="jun")
    back = hold(world, pay_with_points={"points": 400})
    end(world, back, "capture")
    end(world, back, "reverse", reason="sorry")
    end(world, hold(world, "jun", pay_with_points={"points": 300}), "capture")
    hold(world, "jun", pay_with_points={"points": 100})
    [sums] = world.get("/ledger/proof")["sums"]
    _, row = liability(world)
    for name in ("available", "held", "pending", "spent", "expired"):
        assert row[name] == sums[name], name
    assert (row["available"], row["held"], row["spent"]) == (700 + 400, 100, 300)
