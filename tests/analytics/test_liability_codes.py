"""The liability of what points became: gift cards, codes and grants that can still be used."""

from collections.abc import Callable
from typing import Any

from tests.analytics.reports import KINDS, PAY, REWARDS, end, give, hold, liability
from tests.world import World

MakeWorld = Callable[..., World]


def _world(make_world: MakeWorld) -> World:
    made = make_world(points=KINDS, pay_with_points=PAY, rewards=REWARDS)
    made.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        made.member(ref)
    give(made, 10_000)
    return made


def _grant(world: World, reward: str, ref: str = "mina") -> Any:
    body = {"member_ref": ref, "reward": reward, "reason": "thanks"}
    return world.post("/grants", body, status=201)["grant"]


def test_codes_count_from_their_capture_until_they_are_used(make_world: MakeWorld) -> None:
    world = _world(make_world)
    first, second = (hold(world, reward="five_off", cart_ref=ref) for ref in ("c-1", "c-2"))
    report, row = liability(world)
    # What is only held is owed as points.
    assert (report["vouchers"], row["held"], row["active"]) == ([], 600, 10_000)
    end(world, first, "capture")
    end(world, second, "capture")
    report, row = liability(world)
    expected = {
        "reward": "five_off",
        "state": "active",
        "count": 2,
        "uses_left": 2,
        "estimated_cost_minor": 800,
    }
    assert report["vouchers"] == [expected]
    assert (row["active"], report["totals"]["vouchers_minor"]) == (9_400, 800)
    code = second["voucher"]["code"]
    world.order("A-1", 50_00, codes=[code], placed_at="2026-03-01T09:00:00Z")
    report, _ = liability(world)
    assert [one["uses_left"] for one in report["vouchers"]] == [1]


def test_stored_value_by_origin_with_what_is_left(make_world: MakeWorld) -> None:
    world = _world(make_world)
    _grant(world, "card")
    sold = world.post("/vouchers", {"kind": "gift_card", "minor": 5000}, status=201)
    code = sold["code"] if "code" in sold else sold["voucher"]["code"]
    world.post(f"/vouchers/{code}/redeem", {"order_ref": "X-1", "order_minor": 1800}, status=201)
    report, _ = liability(world)
    assert report["stored_value"] == [
        {
            "kind": "gift_card",
            "origin": "granted",
            "state": "active",
            "count": 1,
            "remaining_minor": 1000,
        },
        {
            "kind": "gift_card",
            "origin": "sold",
            "state": "active",
            "count": 1,
            "remaining_minor": 3200,
        },
    ]
    assert report["totals"]["stored_value_minor"] == 4200
    # Grants with a code are counted by it alone.
    assert report["grants"] == [] and report["vouchers"] == []
    world.set_clock("2026-03-05T10:00:00Z")
    world.post(f"/vouchers/{code}/redeem", {"order_ref": "X-2", "order_minor": 9000}, status=201)
    report, _ = liability(world)
    assert [one["origin"] for one in report["stored_value"]] == ["granted"]
    # What was left then is left then.
    report, _ = liability(world, "?as_of=2026-03-05T09:59:59Z")
    assert [one["remaining_minor"] for one in report["stored_value"]] == [1000, 3200]
    report, _ = liability(world, "?as_of=2026-03-01T09:59:59Z")
    assert report["stored_value"] == []


def test_open_grants_until_they_are_used_or_over(make_world: MakeWorld) -> None:
    world = _world(make_world)
    _grant(world, "tea")
    _grant(world, "tea", "jun")
    _grant(world, "mug", "jun")
    report, _ = liability(world)
    shown = [(one["reward"], one["count"], one["estimated_cost_minor"]) for one in report["grants"]]
    assert shown == [("mug", 1, 250), ("tea", 2, 180)]
    assert report["totals"]["grants_minor"] == 430
    end(world, hold(world, "jun", reward="mug"), "capture")
    report, _ = liability(world)
    assert [one["reward"] for one in report["grants"]] == ["tea"]
    # Ten days on, through 11 March in Seoul; nobody has written it.
    world.set_clock("2026-03-11T14:59:59Z")
    assert liability(world)[0]["totals"]["grants_minor"] == 180
    world.set_clock("2026-03-11T15:00:00Z")
    assert liability(world)[0]["totals"]["grants_minor"] == 0
    assert liability(world, "?as_of=2026-03-11T00:00:00Z")[0]["totals"]["grants_minor"] == 180


def test_a_grant_that_is_held_is_owed_until_it_is_captured(make_world: MakeWorld) -> None:
    world = _world(make_world)
    _grant(world, "tea")
    held = hold(world, reward="tea", ttl="P1D")
    assert liability(world)[0]["totals"]["grants_minor"] == 90
    # Nobody has written that it ran out: it is open again.
    world.set_clock("2026-03-02T10:00:00Z")
    assert liability(world)[0]["totals"]["grants_minor"] == 90
    assert world.get(f"/redemptions/{held['id']}")["state"] == "expired"
    world.set_clock("2026-03-11T14:00:00Z")
    held = hold(world, reward="tea", ttl="PT2H")
    # Its date is over with 11 March; what holds it is not.
    world.set_clock("2026-03-11T15:30:00Z")
    assert liability(world)[0]["totals"]["grants_minor"] == 90
    end(world, held, "capture")
    assert liability(world)[0]["totals"]["grants_minor"] == 0
    assert liability(world, "?as_of=2026-03-11T15:29:00Z")[0]["totals"]["grants_minor"] == 90
    assert world.verify()["mismatches"] == []


def test_what_is_to_be_sent_until_it_has_left(make_world: MakeWorld) -> None:
    world = _world(make_world)
    for _ in range(3):
        end(world, hold(world, reward="mug"), "capture")
    report, _ = liability(world)
    assert report["fulfilments"] == [{"reward": "mug", "count": 3, "estimated_cost_minor": 750}]
    first, second, _ = (one["id"] for one in world.get("/fulfilments")["data"])
    world.set_clock("2026-03-02T10:00:00Z")
    assert world.call("PATCH", f"/fulfilments/{first}", {"state": "shipped"}).status_code == 200
    assert world.call("PATCH", f"/fulfilments/{second}", {"cost_minor": 199}).status_code == 200
    report, _ = liability(world)
    assert report["fulfilments"] == [{"reward": "mug", "count": 2, "estimated_cost_minor": 449}]
    assert report["totals"]["fulfilments_minor"] == 449
    report, _ = liability(world, "?as_of=2026-03-01T12:00:00Z")
    assert [one["count"] for one in report["fulfilments"]] == [3]


def test_a_fixed_discount_without_an_estimate_costs_what_it_takes_off(
    make_world: MakeWorld,
) -> None:
    five: dict[str, Any] = REWARDS[0]  # type: ignore[assignment]
    bare = {key: value for key, value in five.items() if key != "estimated_cost_minor"}
    world = make_world(points=KINDS, pay_with_points=PAY, rewards=[bare])
    world.set_clock("2026-03-01T10:00:00Z")
    world.member()
    give(world, 1_000)
    end(world, hold(world, reward="five_off"), "capture")
    report, _ = liability(world)
    assert report["totals"]["vouchers_minor"] == 500
