"""What needs no order is had at once, by members themselves and by their storefront; and the codes
that they have."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import pointers, problem, rows
from tests.widget.browsing import ask, mine, token, told
from tests.world import World

MakeWorld = Callable[..., World]
FIVE = {"kind": "discount_amount", "value": {"minor": 500}, "cost_points": 100}
REWARDS: list[dict[str, Any]] = [
    {"key": "coupon", "name": {"en": "Five off"}, "voucher": {}, **FIVE},
    {"key": "plain", **FIVE},
    {"key": "ship", "kind": "free_shipping", "cost_points": 0},
    {"key": "card", "kind": "gift_card", "value": {"minor": 1000}, "cost_points": 100},
    {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": 100},
    {
        "key": "big",
        "kind": "free_product",
        "value": {"sku": "MUG"},
        "cost_points": 100,
        "min_order_minor": 5000,
    },
    {"key": "lounge", "kind": "access", "value": {"perk": "lounge"}, "cost_points": 0},
    {"key": "tea", "kind": "custom", "cost_points": 0},
]


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """Mina and Jun with 300 points each."""
    world = make_world(rewards=REWARDS, pay_with_points={"min_points": 50, "step_points": 10})
    world.set_clock("2026-03-02T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.order(f"A-{ref}", 30000, member_ref=ref)
    return world


def redeem(world: World, **body: Any) -> Any:
    return ask(world, "POST", "/me/redemptions", {"capture": True} | body, credential=token(world))


@pytest.mark.parametrize(
    ("reward", "points", "has_code"),
    [
        ("coupon", 100, True),
        ("card", 100, True),
        ("mug", 100, False),
        ("lounge", 0, False),
        ("tea", 0, False),
    ],
)
def test_what_needs_no_order_is_captured_at_once(
    shop: World, reward: str, points: int, has_code: bool
) -> None:
    answer = told(redeem(shop, reward=reward), 201)
    redemption = answer["redemption"]
    assert (redemption["state"], redemption["points"]) == ("captured", points)
    assert redemption["captured_at"] == "2026-03-02T10:00:00Z"
    assert (answer["balances"][0]["available"], answer["balances"][0]["held"]) == (300 - points, 0)
    assert (redemption["voucher"] is not None) == has_code
    assert shop.get(f"/redemptions/{redemption['id']}")["state"] == "captured"
    if has_code:
        code = redemption["voucher"]["code"]
        assert shop.get(f"/vouchers/{code}")["state"] == "active"
    assert len(shop.get("/fulfilments")["data"]) == (reward == "mug")
    assert shop.verify()["mismatches"] == []


@pytest.mark.parametrize(
    "what",
    [
        {"reward": "plain"},
        {"reward": "ship"},
        # Only an order can say whether it is for 50.00.
        {"reward": "big"},
        {"pay_with_points": {"points": 50}},
    ],
)
def test_what_an_order_must_say_is_not(shop: World, what: dict[str, Any]) -> None:
    before = rows(shop)
    found = problem(redeem(shop, **what), 422, "validation_failed")
    assert pointers(found) == ["/capture"]
    body = {"member_ref": "mina", "capture": True} | what
    assert shop.post("/redemptions", body, status=422)["errors"][0]["pointer"] == "/capture"
    assert rows(shop) == before


def test_a_server_has_it_at_once_as_well_and_once(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "card", "capture": True}
    first = shop.post("/redemptions", body, status=201, key="same")
    assert shop.post("/redemptions", body, status=201, key="same") == first
    assert (first["redemption"]["state"], shop.balance()) == ("captured", 200)
    held = shop.post("/redemptions", body | {"capture": False}, status=201)["redemption"]
    assert held["state"] == "held"
    shop.post(f"/redemptions/{held['id']}/capture")
    body = {"member_ref": "mina", "reward": "mug", "capture": True}
    shop.post("/redemptions", body, status=201)
    assert shop.post("/redemptions", body, status=409)["code"] == "insufficient_points"


def test_a_member_sees_the_codes_that_they_have(shop: World) -> None:
    assert mine(shop, "/vouchers") == {"data": [], "next_cursor": None}
    card = told(redeem(shop, reward="card"), 201)["redemption"]
    coupon = told(redeem(shop, reward="coupon"), 201)["redemption"]
    code = card["voucher"]["code"]
    shop.post(f"/vouchers/{code}/redeem", {"order_ref": "X", "order_minor": 300}, status=201)
    newest, oldest = mine(shop, "/vouchers")["data"]
    assert (newest["code"], newest["name"]) == (coupon["voucher"]["code"], "Five off")
    assert (oldest["code"], oldest["value_minor"], oldest["remaining_minor"]) == (code, 1000, 700)
    assert (oldest["state"], oldest["reward"], oldest["name"]) == ("active", "card", "card")
    assert (oldest["redemption_id"], oldest["uses_left"]) == (card["id"], None)
    page = mine(shop, "/vouchers?limit=1")
    assert page["data"] == [newest]
    assert mine(shop, f"/vouchers?cursor={page['next_cursor']}")["data"] == [oldest]
    assert mine(shop, "/vouchers?state=redeemed")["data"] == []
    assert mine(shop, "/vouchers", "jun")["data"] == []
