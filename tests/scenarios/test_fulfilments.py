"""Fulfilments: requested with a captured redemption, sent by staff, cancelled with points back."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.world import World, line

MUG = {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": 100}
CARD = {"key": "thanks", "kind": "custom", "needs_fulfilment": True, "stock": 2}
COUPON = {"key": "off", "kind": "discount_amount", "value": {"minor": 100}, "cost_points": 10}
CODED = MUG | {"key": "coded", "voucher": {"pattern": "MUG-#############"}}
MakeWorld = Callable[..., World]


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """Mina has 300 points on 1 March 2026."""
    rewards = [MUG | {"estimated_cost_minor": 400}, CARD, COUPON, CODED]
    world = make_world(rewards=rewards)
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    assert world.earned("A-0", 30000) == 300
    return world


def redeem(world: World, reward: str = "mug") -> str:
    body = {"member_ref": "mina", "reward": reward}
    found: str = world.post("/redemptions", body, status=201)["redemption"]["id"]
    return found


def capture(world: World, reward: str = "mug") -> str:
    redemption = redeem(world, reward)
    world.post(f"/redemptions/{redemption}/capture", {})
    return redemption


def waiting(world: World, **query: str) -> list[Any]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    found: list[Any] = world.get(f"/fulfilments?{text}" if text else "/fulfilments")["data"]
    return found


def patch(world: World, fulfilment: str, *, status: int = 200, **body: Any) -> Any:
    response = world.call(
        "PATCH", f"/fulfilments/{fulfilment}", body, headers={"Dangol-Actor": "depot"}
    )
    assert response.status_code == status, response.get_data(as_text=True)
    return response.json


def test_a_captured_product_is_requested_shipped_and_delivered(shop: World) -> None:
    redemption = redeem(shop)
    assert waiting(shop) == []
    shop.post(f"/redemptions/{redemption}/capture", {})
    [one] = waiting(shop)
    assert (one["member_ref"], one["redemption_id"], one["reward"]) == ("mina", redemption, "mug")
    assert (one["state"], one["cost_minor"]) == ("requested", 400)
    assert one["discount"] == {"kind": "free_product", "sku": "MUG"}
    shop.set_clock("2026-03-02T12:00:00Z")
    shipped = patch(shop, one["id"], state="shipped", carrier="CJ", tracking="123", cost_minor=450)
    assert (shipped["state"], shipped["shipped_at"]) == ("shipped", "2026-03-02T12:00:00Z")
    assert (shipped["carrier"], shipped["tracking"], shipped["cost_minor"]) == ("CJ", "123", 450)
    assert patch(shop, one["id"], state="shipped", carrier="CJ") == shipped
    noted = patch(shop, one["id"], note="at the neighbour's")
    assert (noted["state"], noted["note"]) == ("shipped", "at the neighbour's")
    delivered = patch(shop, one["id"], state="delivered")
    assert delivered["delivered_at"] == "2026-03-02T12:00:00Z"
    assert [(each["state"], each["actor"]) for each in delivered["changes"]] == [
        ("requested", None),
        ("shipped", "depot"),
        ("shipped", "depot"),
        ("delivered", "depot"),
    ]
    assert shop.get(f"/fulfilments/{one['id']}") == delivered
    assert shop.get(f"/redemptions/{redemption}")["cost_minor"] == 450
    assert waiting(shop, state="requested") == []
    assert [each["id"] for each in waiting(shop, state="delivered")] == [one["id"]]


def test_states_that_do_not_follow_are_refused(shop: World) -> None:
    capture(shop)
    [one] = waiting(shop)
    refused = patch(shop, one["id"], state="delivered", status=409)
    assert (refused["code"], refused["state"]) == ("state_conflict", "requested")
    patch(shop, one["id"], state="shipped")
    assert patch(shop, one["id"], state="requested", status=409)["state"] == "shipped"
    patch(shop, one["id"], state="delivered")
    assert patch(shop, one["id"], state="cancelled", status=409)["state"] == "delivered"
    assert shop.balance() == 200
    wrong = patch(shop, one["id"], policy="grace", status=422)
    assert wrong["errors"][0]["pointer"] == "/policy"
    assert patch(shop, "ful_" + "0" * 26, state="shipped", status=404)["code"] == "not_found"


@pytest.mark.parametrize("first", ["requested", "shipped"])
def test_cancelling_gives_the_points_back_once(shop: World, first: str) -> None:
    redemption = capture(shop)
    [one] = waiting(shop)
    if first == "shipped":
        patch(shop, one["id"], state="shipped")
    assert shop.balance() == 200
    cancelled = patch(shop, one["id"], state="cancelled", note="out of mugs")
    assert (cancelled["state"], cancelled["cancelled_at"]) == ("cancelled", "2026-03-01T12:00:00Z")
    assert shop.balance() == 300
    assert shop.get(f"/redemptions/{redemption}")["state"] == "reversed"
    assert patch(shop, one["id"], state="cancelled") == cancelled
    assert shop.balance() == 300
    assert patch(shop, one["id"], state="shipped", status=409)["state"] == "cancelled"
    assert shop.verify()["mismatches"] == []


def test_reversing_a_redemption_cancels_what_was_not_delivered(shop: World) -> None:
    redemption = capture(shop)
    shop.post(f"/redemptions/{redemption}/reverse", {"reason": "asked"})
    [one] = waiting(shop)
    assert one["state"] == "cancelled"
    delivered = capture(shop)
    two = waiting(shop)[1]
    patch(shop, two["id"], state="shipped")
    patch(shop, two["id"], state="delivered")
    # Whoever reverses it has the goods back.
    shop.post(f"/redemptions/{delivered}/reverse", {"reason": "broken"})
    assert waiting(shop)[1]["state"] == "cancelled"
    log = shop.get(f"/fulfilments/{two['id']}")["changes"]
    assert [one["state"] for one in log] == ["requested", "shipped", "delivered", "cancelled"]
    assert shop.verify()["mismatches"] == []


def test_cancelling_opens_the_grant_again(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "thanks", "reason": "ten years"}
    grant = shop.post("/grants", body, status=201)["grant"]
    capture(shop, "thanks")
    assert shop.get(f"/grants/{grant['id']}")["state"] == "used"
    [one] = waiting(shop)
    patch(shop, one["id"], state="cancelled")
    assert shop.get(f"/grants/{grant['id']}") == grant
    assert shop.get("/rewards/thanks/stock")["used"] == 1
    assert shop.verify()["mismatches"] == []


def test_grace_lets_a_grant_whose_date_is_over_live_for_14_days(shop: World) -> None:
    body = {
        "member_ref": "mina",
        "reward": "thanks",
        "reason": "ten years",
        "expires_at": "2026-03-05T00:00:00Z",
    }
    first, second = (shop.post("/grants", body, status=201)["grant"]["id"] for _ in range(2))
    for _ in range(2):
        capture(shop, "thanks")
    shop.set_clock("2026-03-10T12:00:00Z")
    one, two = waiting(shop)
    patch(shop, one["id"], state="cancelled")
    assert shop.get(f"/grants/{first}")["state"] == "lapsed"
    patch(shop, two["id"], state="cancelled", policy="grace")
    kept = shop.get(f"/grants/{second}")
    # 14 days from 10 March: through 24 March in Seoul.
    assert (kept["state"], kept["expires_at"]) == ("open", "2026-03-24T15:00:00Z")


def test_a_thank_you_gift_is_sent_at_once(shop: World) -> None:
    body = {"member_ref": "jun", "reward": "thanks", "reason": "first fan", "is_sent": True}
    grant = shop.post("/grants", body, status=201)["grant"]
    assert grant["state"] == "used"
    [one] = waiting(shop, member_ref="jun")
    assert (one["state"], one["redemption_id"]) == ("requested", grant["redemption_id"])
    assert shop.get(f"/redemptions/{grant['redemption_id']}")["state"] == "captured"
    assert waiting(shop, member_ref="mina") == []
    assert shop.get("/rewards/thanks/stock")["used"] == 1
    for reward in ("off", "coded"):
        refused = shop.post("/grants", body | {"reward": reward}, status=422)
        assert refused["errors"][0]["pointer"] == "/is_sent"
    assert shop.verify()["mismatches"] == []


def test_an_order_that_holds_the_product_brings_it(shop: World) -> None:
    with_it, without = redeem(shop), redeem(shop)
    shop.order("A-1", line("1", 0, sku="MUG"), line("2", 900), redemptions=[with_it])
    assert shop.get(f"/redemptions/{with_it}")["state"] == "captured"
    assert waiting(shop) == []
    shop.order("A-2", line("1", 900, sku="TEA"), redemptions=[without])
    [one] = waiting(shop)
    assert one["redemption_id"] == without
    # Undone with its order, and back with it.
    body = {"redemptions": [without]}
    shop.order("A-2", line("1", 900, sku="TEA"), status="cancelled", **body)
    assert waiting(shop)[0]["state"] == "cancelled"
    shop.order("A-2", line("1", 900, sku="TEA"), **body)
    [again] = waiting(shop)
    assert (again["id"], again["state"], again["cancelled_at"]) == (one["id"], "requested", None)


@pytest.mark.parametrize("last", ["shipped", "delivered"])
@pytest.mark.parametrize("how", ["cancelled", "refunded", "named no more"])
def test_goods_that_are_away_keep_their_redemption_captured(
    shop: World, last: str, how: str
) -> None:
    redemption = redeem(shop)
    tea = line("1", 900, sku="TEA")
    shop.order("A-1", tea, redemptions=[redemption])
    [one] = waiting(shop)
    for state in ("shipped", "delivered")[: 1 + (last == "delivered")]:
        patch(shop, one["id"], state=state)
    assert shop.balance() == 209
    if how == "cancelled":
        told = shop.order("A-1", tea, redemptions=[redemption], status="cancelled")
    elif how == "refunded":
        refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 900}
        told = shop.put("/orders/A-1/refunds/R-1", refund)
    else:
        told = shop.order("A-1", tea)
    [problem] = told["problems"]
    assert problem["code"] == "state_conflict"
    assert f"is {last}" in problem["detail"] and "once the goods are back" in problem["detail"]
    if how != "named no more":
        assert problem["pointer"] == "/redemptions/0"
        assert [each["state"] for each in told["redemptions"]] == ["captured"]
    assert shop.get(f"/redemptions/{redemption}")["state"] == "captured"
    assert shop.balance() == (209 if how == "named no more" else 200)
    assert waiting(shop)[0]["state"] == last
    assert shop.verify()["mismatches"] == []
    # The goods are back.
    if last == "shipped":
        patch(shop, one["id"], state="cancelled")
    else:
        shop.post(f"/redemptions/{redemption}/reverse", {"reason": "came back"})
    assert shop.get(f"/redemptions/{redemption}")["state"] == "reversed"
    assert waiting(shop)[0]["state"] == "cancelled"
    assert shop.balance() == (309 if how == "named no more" else 300)
    assert shop.verify()["mismatches"] == []


def test_what_needs_no_sending_is_not_listed(shop: World) -> None:
    capture(shop, "off")
    # Its code brings the product, in the order that uses it.
    capture(shop, "coded")
    assert waiting(shop) == []


def test_every_change_is_told(shop: World) -> None:
    from core import db, ids, jsontext
    from core.outbox import OutboxMessage

    capture(shop)
    [one] = waiting(shop)
    patch(shop, one["id"], state="shipped", carrier="CJ")
    patch(shop, one["id"], state="cancelled")

    def read(connection: sa.Connection) -> list[Any]:
        statement = (
            sa.select(OutboxMessage.payload)
            .where(
                OutboxMessage.program_id == ids.read_id("prg", shop.program_id),
                OutboxMessage.type == "fulfilment.changed",
            )
            .order_by(OutboxMessage.id)
        )
        return [jsontext.parse(row.payload) for row in connection.execute(statement)]

    with shop.app.app_context():
        told = db.reading(read)
    assert [each["state"] for each in told] == ["requested", "shipped", "cancelled"]
    assert {each["fulfilment_id"] for each in told} == {one["id"]}
    assert (told[1]["carrier"], told[1]["redemption_id"]) == ("CJ", one["redemption_id"])


def test_lists_are_paged_oldest_first(shop: World) -> None:
    made = [capture(shop) for _ in range(3)]
    first = shop.get("/fulfilments?limit=2")
    rest = shop.get(f"/fulfilments?limit=2&cursor={first['next_cursor']}")
    seen = [one["redemption_id"] for one in first["data"] + rest["data"]]
    assert (seen, rest["next_cursor"]) == (made, None)
