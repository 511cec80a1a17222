"""What becomes of redemptions, codes and grants when members are merged or erased."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from tests.analytics.reports import end, give, hold, liability
from tests.server.tampering import mismatches
from tests.world import World

MakeWorld = Callable[..., World]

REWARDS = [
    {
        "key": "coupon",
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 100,
        "stock": 5,
        "limits": [{"per": "member", "period": "ever", "times": 4}],
        "voucher": {"pattern": "FIVE-########-######"},
    },
    {"key": "pooled", "kind": "custom", "cost_points": 10, "voucher": {"pool": "spring"}},
    {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": 50},
    {"key": "card", "kind": "gift_card", "value": {"minor": 1000}},
    {"key": "tea", "kind": "custom", "claim_within": "P10D"},
]


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    made = make_world(rewards=REWARDS, pay_with_points={"step_points": 1})
    made.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        made.member(ref)
        give(made, 1000, ref=ref)
    made.put("/voucher-pools/spring", {"codes": ["SPRING-AAAA-1", "SPRING-BBBB-2"]})
    yield made
    # Every history leaves the ledger and what hangs on it sound.
    assert mismatches(made) == []


def _grant(world: World, reward: str, ref: str = "jun") -> Any:
    body = {"member_ref": ref, "reward": reward, "reason": "for her grandmother"}
    return world.post("/grants", body, status=201)["grant"]


def _merge(world: World, old: str = "jun", into: str = "mina") -> None:
    world.post(f"/members/{old}/merge", {"into_member_ref": into})


def _erase(world: World, ref: str = "jun") -> Any:
    response = world.call("DELETE", f"/members/{ref}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.json


def _get(world: World, redemption: Any) -> Any:
    return world.get(f"/redemptions/{redemption['id']}")


def _stock(world: World) -> tuple[int, int]:
    found = world.get("/rewards/coupon/stock")
    return found["used"], found["left"]


def test_what_was_redeemed_goes_to_the_member_who_stays(world: World) -> None:
    captured = hold(world, "jun", reward="coupon")
    end(world, captured, "capture")
    mug = hold(world, "jun", reward="mug")
    end(world, mug, "capture")
    for reward in ("card", "tea"):
        _grant(world, reward)
    _merge(world)
    for one in (captured, mug):
        assert _get(world, one)["member_ref"] == "mina"
    listed = world.get("/redemptions?member_ref=mina")["data"]
    assert {one["id"] for one in listed} == {captured["id"], mug["id"]}
    assert {one["reward"] for one in world.get("/grants?member_ref=mina")["data"]} == {
        "card",
        "tea",
    }
    [sent] = world.get("/fulfilments?member_ref=mina")["data"]
    assert sent["redemption_id"] == mug["id"]
    assert world.get(f"/vouchers/{captured['voucher']['code']}")["member_ref"] == "mina"
    # 1,000 and what is left of 1,000: 850.
    assert world.balance() == 1850
    # Jun's grant is hers to use by now.
    end(world, hold(world, reward="tea"), "capture")
    assert world.balance() == 1850


def test_points_of_a_redemption_come_back_to_the_member_who_stays(world: World) -> None:
    captured = hold(world, "jun", reward="coupon")
    end(world, captured, "capture")
    _merge(world)
    answer = end(world, captured, "reverse", reason="broken")
    assert answer["redemption"]["state"] == "reversed"
    assert world.balance() == 2000
    assert _stock(world) == (0, 5)


def test_what_is_held_for_a_cart_stays_held_for_the_time_it_has_left(world: World) -> None:
    held = hold(world, "jun", reward="coupon", cart_ref="c-1")
    of_pool = hold(world, "jun", reward="pooled")
    assert (_stock(world), world.get("/voucher-pools/spring")["free"]) == ((1, 4), 1)
    world.set_clock("2026-03-01T10:20:00Z")
    _merge(world)
    for one in (held, of_pool):
        found = _get(world, one)
        assert found == one | {"member_ref": "mina", "voucher": found["voucher"]}
        assert (found["state"], found["expires_at"]) == ("held", "2026-03-01T10:30:00Z")
        assert found["voucher"]["code"] == one["voucher"]["code"]
    assert (_stock(world), world.get("/voucher-pools/spring")["free"]) == ((1, 4), 1)
    balances = world.get("/members/mina/balances")["data"][0]
    assert (balances["available"], balances["held"]) == (1890, 110)
    assert mismatches(world) == []
    # The survivor's order captures it; what is left runs out when it would have.
    answer = world.order("M-1", 50_00, redemptions=[held["id"]], placed_at="2026-03-01T10:20:00Z")
    assert answer["problems"] == []
    assert _get(world, held)["state"] == "captured"
    world.set_clock("2026-03-01T10:30:00Z")
    assert (_get(world, of_pool)["state"], world.balance()) == ("expired", 1950)


def test_what_a_deficit_takes_of_held_points_is_released_by_a_merge(world: World) -> None:
    # 60 of mina's 1,000 are of an order, and she spends all of them before it is cancelled.
    told = {"placed_at": "2026-03-01T09:00:00Z"}
    world.publish(
        rewards=REWARDS,
        pay_with_points={"step_points": 1},
        points=[{"key": "points", "return_policy": "unlimited"}],
    )
    world.order("M-1", 60_00, **told)
    world.post(
        "/adjustments", {"member_ref": "mina", "points": -1060, "reason": "spent"}, status=201
    )
    world.order("M-1", 60_00, status="cancelled", **told)
    assert world.balance() == -60
    held = hold(world, "jun", pay_with_points={"points": 980}, cart_ref="c-1")
    _merge(world)
    # 1,000 less 60 are not 980.
    assert (_get(world, held)["state"], world.balance()) == ("released", 940)


def test_what_a_pending_order_keeps_stays_kept(world: World) -> None:
    points = hold(world, "jun", pay_with_points={"points": 300})
    coupon = hold(world, "jun", reward="coupon")
    payment = {"kind": "points", "amount_minor": 300, "redemption_id": points["id"]}
    told = {
        "member_ref": "jun",
        "placed_at": "2026-03-01T09:00:00Z",
        "payments": [payment],
        "redemptions": [coupon["id"]],
        "discount_minor": 500,
    }
    world.order("J-1", 50_00, status="pending", **told)
    # Its time would be over by now, were it not kept.
    world.set_clock("2026-03-03T10:00:00Z")
    _merge(world)
    assert [_get(world, one)["state"] for one in (points, coupon)] == ["held", "held"]
    balances = world.get("/members/mina/balances")["data"][0]
    assert (balances["available"], balances["held"]) == (1600, 400)
    assert mismatches(world) == []
    answer = world.order("J-1", 50_00, **told | {"member_ref": "mina"})
    assert answer["problems"] == []
    assert [_get(world, one)["state"] for one in (points, coupon)] == ["captured", "captured"]
    balances = world.get("/members/mina/balances")["data"][0]
    # 50.00 less 5.00 off and 3.00 paid by points earn 42.
    assert (balances["available"], balances["held"]) == (1642, 0)
    assert mismatches(world) == []
    _merge_again(world)


def _merge_again(world: World) -> None:
    """Who is merged on takes it along; a cancelled order gives all of it back there."""
    world.member("sol")
    _merge(world, "mina", "sol")
    assert world.balance("sol") == 1642
    told = {"member_ref": "sol", "placed_at": "2026-03-01T09:00:00Z", "status": "cancelled"}
    world.order("J-1", 50_00, **told)
    assert world.balance("sol") == 2000
    assert _stock(world) == (0, 5)


def test_a_limit_counts_what_both_took(world: World) -> None:
    for ref in ("mina", "mina", "jun"):
        end(world, hold(world, ref, reward="coupon"), "capture")
    _merge(world)
    end(world, hold(world, reward="coupon"), "capture")
    answer = hold(world, reward="coupon", status=409)
    assert answer["code"] == "limit_reached"


def _everything(world: World) -> str:
    """Every value of the program that is kept, as text."""
    owner = ids.read_id("prg", world.program_id)

    def read(connection: sa.Connection) -> str:
        found = []
        for table in db.Base.metadata.tables.values():
            if "program_id" in table.columns:
                statement = sa.select(table).where(table.c.program_id == owner)
                found += [repr(tuple(row)) for row in connection.execute(statement)]
        return "\n".join(found)

    with world.app.app_context():
        return db.reading(read)


def test_erasure_ends_what_is_open_and_forgets_what_was_written(world: World) -> None:
    held = hold(world, "jun", reward="coupon", cart_ref="cart-of-jun")
    captured = hold(world, "jun", reward="coupon")
    end(world, captured, "capture")
    of_pool = hold(world, "jun", reward="pooled")
    mug = hold(world, "jun", reward="mug")
    end(world, mug, "capture")
    [sent] = world.get("/fulfilments")["data"]
    told = {"state": "shipped", "carrier": "Bike", "tracking": "T-77", "note": "blue door"}
    assert world.call("PATCH", f"/fulfilments/{sent['id']}", told).status_code == 200
    card, tea = _grant(world, "card"), _grant(world, "tea")
    assert "grandmother" in _everything(world) and "blue door" in _everything(world)
    answer = _erase(world)
    # 1,000 less 100 and 50 that were spent: what was held came back first.
    assert answer["forfeited"] == [{"points_key": "points", "points": 850}]
    states = [_get(world, one)["state"] for one in (held, captured, of_pool, mug)]
    assert states == ["released", "captured", "released", "captured"]
    assert _stock(world) == (1, 4)
    assert world.get("/voucher-pools/spring")["free"] == 2
    for code in (captured["voucher"]["code"], card["voucher"]["code"], held["voucher"]["code"]):
        assert world.get(f"/vouchers/{code}")["state"] == "void"
    assert world.get(f"/grants/{tea['id']}")["state"] == "revoked"
    report, row = liability(world)
    assert set(report["totals"].values()) == {0, 1000}
    assert (row["active"], report["totals"]["points_minor"]) == (1000, 1000)
    kept = _everything(world)
    for text in ("grandmother", "blue door", "T-77", "Bike", "cart-of-jun"):
        assert text not in kept, text


def test_a_gift_card_that_was_sold_outlives_whom_it_was_sold_to(world: World) -> None:
    body = {"minor": 5000, "member_ref": "jun"}
    sold = world.post("/vouchers", body | {"kind": "gift_card"}, status=201)["voucher"]
    credit = world.post("/vouchers", body | {"kind": "store_credit"}, status=201)["voucher"]
    _erase(world)
    found = world.get(f"/vouchers/{sold['code']}")
    assert (found["state"], found["remaining_minor"]) == ("active", 5000)
    assert found.get("member_ref") is None
    assert world.get(f"/vouchers/{credit['code']}")["state"] == "void"
    report, _ = liability(world)
    assert report["totals"]["stored_value_minor"] == 5000
    told = {"order_ref": "X-1", "order_minor": 1500}
    world.post(f"/vouchers/{sold['code']}/redeem", told, status=201)
    assert liability(world)[0]["totals"]["stored_value_minor"] == 3500


def test_an_erased_members_redemption_can_still_be_reversed(world: World) -> None:
    captured = hold(world, "jun", reward="coupon")
    end(world, captured, "capture")
    named = hold(world, "jun", pay_with_points={"points": 200})
    told = {"member_ref": "jun", "placed_at": "2026-03-01T09:00:00Z"}
    payment = {"kind": "points", "amount_minor": 200, "redemption_id": named["id"]}
    world.order("J-1", 10_00, payments=[payment], **told)
    _erase(world)
    end(world, captured, "reverse", reason="broken")
    assert _stock(world) == (0, 5)
    # What comes back is nobody's: it is forfeited at once.
    refund = {"refunded_at": "2026-03-01T09:30:00Z", "amount_minor": 1000}
    assert world.put("/orders/J-1/refunds/R-1", refund)["points_returned"] == 200
    [sums] = world.get("/ledger/proof")["sums"]
    assert (sums["available"], sums["held"], sums["spent"]) == (1000, 0, 0)


def test_erasing_whoever_took_another_in_ends_both_parts(world: World) -> None:
    held = hold(world, "jun", reward="coupon")
    end(world, held, "capture")
    _grant(world, "tea")
    _merge(world)
    _erase(world, "mina")
    assert world.get(f"/vouchers/{held['voucher']['code']}")["state"] == "void"
    report, _ = liability(world)
    assert set(report["totals"].values()) == {0}
