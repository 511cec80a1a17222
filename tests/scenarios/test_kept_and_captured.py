"""Redemptions that an order keeps or was given by their ids (SEMANTICS B14, B15, C20, E36)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound
from tests.scenarios.ledgers import expiring, give
from tests.scenarios.redeeming import FIVE, Till, reward
from tests.world import World, line

Make = Callable[..., World]
ACCESS = reward("early", kind="access", value={"perk": "early", "valid_for": "P10D"})
REWARDS = [
    FIVE,
    reward("coded", voucher={"pattern": "SAVE-########"}),
    ACCESS,
    {"key": "mug", "kind": "custom", "cost_points": 100, "stock": 1},
]
TEN = "2026-03-01T10:00:00Z"
WHEN: dict[str, Any] = {"placed_at": "2026-03-01T09:00:00Z"}


class Shop(Till):
    """Mina has 1,000 points at ten o'clock; one more per 1.00 spent."""

    def __init__(self, make_world: Make) -> None:
        super().__init__(make_world(rewards=REWARDS, pay_with_points={"min_points": 1}))
        self.world.set_clock(TEN)
        self.world.member("mina")
        self.world.member("jun")
        give(self.world, 1000, None)

    def capture(self, what: str | int, order_ref: str = "A-1") -> str:
        """Hold, and capture for an order by the id."""
        held: str = self.hold(what)["id"]
        self.done("capture", held, {"order_ref": order_ref})
        return held

    def told(self, **more: Any) -> Any:
        """An order of 40.00 and 60.00 that names nothing."""
        return self.world.order("A-1", line("1", 4000), line("2", 6000), **WHEN | more)

    def refund(self, ref: str, line_ref: str, minor: int, **more: Any) -> Any:
        """A refund of one line."""
        back = {"line_ref": line_ref, "quantity": 1, "amount_minor": minor}
        body = {"refunded_at": TEN, "lines": [back]} | more
        return self.world.put(f"/orders/A-1/refunds/{ref}", body)


@pytest.fixture
def shop(make_world: Make) -> Shop:
    """A shop."""
    return Shop(make_world)


@pytest.mark.parametrize("door", ["server", "widget"])
def test_what_an_order_keeps_is_released_by_nobody_else(shop: Shop, door: str) -> None:
    world = shop.world
    held = shop.hold("five")["id"]
    world.order("A-1", 5000, status="pending", redemptions=[held], **WHEN)
    if door == "server":
        response = shop.end("release", held)
    else:
        token = world.post("/members/mina/tokens", status=201)["token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "mine"}
        response = world.app.test_client().post(
            f"/v1/me/redemptions/{held}/release", headers=headers, json={}
        )
    problem = response.json
    assert (response.status_code, problem["code"]) == (409, "state_conflict"), problem
    assert problem["state"] == "held"
    assert "A-1" in problem["detail"] and "cancelled" in problem["detail"]
    assert shop.state(held) == "held"
    # Captured for another order it is not either; for its own it is.
    assert shop.end("capture", held, {"order_ref": "A-2"}).status_code == 409
    paid = world.order("A-1", 5000, redemptions=[held], **WHEN)
    assert (paid["problems"], shop.state(held)) == ([], "captured")
    assert world.balance() == 950
    assert_sound(world)


def test_once_the_order_lets_go_of_it_it_is_released(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.world.order("A-1", 5000, status="pending", redemptions=[held], **WHEN)
    shop.world.order("A-1", 5000, status="pending", **WHEN)
    assert (shop.state(held), shop.world.balance()) == ("released", 1000)
    # Again changes nothing.
    assert shop.done("release", held)["state"] == "released"


@pytest.mark.parametrize("what", ["five", "coded", "mug", 300])
def test_what_was_captured_for_an_order_falls_and_comes_back_with_it(
    shop: Shop, what: str | int
) -> None:
    held = shop.capture(what)
    cost = 300 if what == 300 else 100
    # A standing order that does not name it says nothing of it, told however often.
    assert shop.told()["redemptions"] == []
    assert shop.told(channel="web")["redemptions"] == []
    assert (shop.state(held), shop.world.balance()) == ("captured", 1100 - cost)
    for _ in range(2):
        fallen = shop.told(status="cancelled")
        assert fallen["redemptions"] == [
            {
                "id": held,
                "state": "reversed",
                "points": cost,
                "points_returned": cost,
                "discount_minor": None,
            }
        ]
        assert (shop.state(held), shop.world.balance()) == ("reversed", 1000)
        assert shop.told(status="cancelled")["redemptions"] == fallen["redemptions"]
        assert shop.world.get("/orders/A-1")["redemptions"] == fallen["redemptions"]
        assert_sound(shop.world)
        again = shop.told()
        assert [one["state"] for one in again["redemptions"]] == ["captured"]
        assert (again["problems"], shop.world.balance()) == ([], 1100 - cost)
    assert_sound(shop.world)


def test_it_falls_with_an_order_first_told_cancelled(shop: Shop) -> None:
    held = shop.capture("five")
    shop.told(status="cancelled")
    assert (shop.state(held), shop.world.balance()) == ("reversed", 1000)


def test_it_falls_with_an_order_that_is_wholly_refunded(shop: Shop) -> None:
    held = shop.capture("five")
    shop.told()
    shop.refund("R-1", "1", 4000)
    assert (shop.state(held), shop.world.balance()) == ("captured", 960)
    shop.refund("R-2", "2", 6000)
    assert (shop.state(held), shop.world.balance()) == ("reversed", 1000)
    # One of the refunds did not happen after all.
    shop.refund("R-2", "2", 6000, status="withdrawn")
    assert (shop.state(held), shop.world.balance()) == ("captured", 960)
    assert_sound(shop.world)


def test_points_captured_for_an_order_go_back_by_share(shop: Shop) -> None:
    held = shop.capture(500)
    shop.told()
    back = shop.refund("R-1", "1", 4000)
    # 40 % of the goods: 200 of 500; and 40 of the 100 that it earned are taken back.
    assert (back["points_returned"], shop.world.balance()) == (200, 500 + 200 + 60)
    [seen] = back["redemptions"]
    assert (seen["state"], seen["points_returned"]) == ("captured", 200)
    assert shop.world.get(f"/redemptions/{held}")["points_returned"] == 200
    [listed] = shop.world.get("/redemptions?member_ref=mina")["data"]
    assert listed["points_returned"] == 200
    back = shop.refund("R-2", "2", 6000)
    assert (back["points_returned"], shop.world.balance()) == (300, 1000)
    assert shop.state(held) == "reversed"
    assert_sound(shop.world)


def test_one_reversed_by_hand_stays_so(shop: Shop) -> None:
    held = shop.capture("five")
    shop.told()
    shop.done("reverse", held)
    shop.told(status="cancelled")
    shop.told()
    assert (shop.state(held), shop.world.balance()) == ("reversed", 1100)


def test_one_that_the_order_named_and_names_no_more_does_not_come_back(shop: Shop) -> None:
    held = shop.capture("five")
    shop.told(redemptions=[held])
    shop.told()
    assert shop.state(held) == "reversed"
    for status in ("cancelled", "paid"):
        shop.told(status=status)
        assert shop.state(held) == "reversed"
    # Named again it does.
    shop.told(redemptions=[held])
    assert (shop.state(held), shop.world.balance()) == ("captured", 1000)


def test_one_captured_for_the_order_that_kept_it_and_dropped_does_not_come_back(
    shop: Shop,
) -> None:
    held = shop.hold("five")["id"]
    shop.told(status="pending", redemptions=[held])
    shop.done("capture", held)
    shop.told(status="pending")
    assert shop.state(held) == "reversed"
    for status in ("cancelled", "paid"):
        shop.told(status=status)
        assert shop.state(held) == "reversed"
    [named] = shop.told(redemptions=[held])["redemptions"]
    assert (named["state"], named["discount_minor"]) == ("captured", 500)


def test_told_pending_after_it_was_paid_it_stays_captured(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(redemptions=[held])
    shop.told(redemptions=[held], status="pending")
    assert (shop.state(held), shop.world.balance()) == ("captured", 900)
    shop.told(redemptions=[held], status="cancelled")
    assert (shop.state(held), shop.world.balance()) == ("reversed", 1000)


def test_it_goes_with_the_member_whose_order_it_was(shop: Shop) -> None:
    held = shop.capture("five")
    shop.told()
    shop.told(member_ref="jun")
    # The order is hers no more: nothing of it is.
    assert (shop.state(held), shop.world.balance()) == ("reversed", 1000)
    shop.told()
    assert (shop.state(held), shop.world.balance()) == ("captured", 1000)
    assert_sound(shop.world)


def test_points_spent_anew_go_back_to_the_lots_they_were_spent_of(make_world: Make) -> None:
    world = make_world(pay_with_points={"min_points": 1}, earning={"rules": []})
    world.set_clock("2026-02-20T00:00:00Z")
    world.member("mina")
    give(world, 300, "2026-02-27T15:00:00Z")
    give(world, 900, None)
    till = Till(world)
    held = till.hold(300)["id"]
    told: dict[str, Any] = {
        "placed_at": "2026-02-20T00:00:00Z",
        "payments": [{"kind": "points", "amount_minor": 300, "redemption_id": held}],
    }
    world.order("A-1", 5000, **told)
    assert world.balance() == 900
    world.post("/test-clock", {"now": "2026-02-28T10:00:00Z"})
    # The first time they go back to the lot that is over.
    assert world.order("A-1", 5000, status="cancelled", **told)["balances"][0]["available"] == 900
    for _ in range(3):
        world.order("A-1", 5000, **told)
        assert world.balance() == 600
        world.order("A-1", 5000, status="cancelled", **told)
        assert (world.balance(), expiring(world)) == (900, [])
    assert_sound(world)


def test_points_spent_anew_in_parts_go_back_in_parts(make_world: Make) -> None:
    world = make_world(pay_with_points={"min_points": 1}, earning={"rules": []})
    world.set_clock("2026-02-20T00:00:00Z")
    world.member("mina")
    give(world, 300, "2026-02-27T15:00:00Z")
    give(world, 900, None)
    till = Till(world)
    held = till.hold(400)["id"]
    told: dict[str, Any] = {
        "placed_at": "2026-02-20T00:00:00Z",
        "payments": [
            {"kind": "card", "amount_minor": 4600},
            {"kind": "points", "amount_minor": 400, "redemption_id": held},
        ],
    }

    def refund(ref: str, minor: int, status: str = "succeeded") -> int:
        back = {"refunded_at": "2026-02-20T00:00:00Z", "status": status, "amount_minor": minor}
        world.put(f"/orders/A-1/refunds/{ref}", back)
        return world.balance()

    world.order("A-1", 5000, **told)
    # 300 of the dated and 100 of the undated lot were spent: 800 are left.
    assert world.balance() == 800
    world.post("/test-clock", {"now": "2026-02-28T10:00:00Z"})
    # Half of 400 goes back: the 100 last taken, and 100 that are over.
    assert refund("R-1", 2500) == 900
    # It did not happen: 200 are spent anew, of what is there.
    assert refund("R-1", 2500, "withdrawn") == 700
    # What stands is 200 that are over and 200 that are not. A quarter is the last of these.
    assert refund("R-2", 1250) == 800
    assert refund("R-2", 1250, "withdrawn") == 700
    # And all of it: 200 are over.
    world.order("A-1", 5000, status="cancelled", **told)
    assert world.balance() == 900
    assert_sound(world)


def test_access_says_until_when_once_it_is_captured(shop: Shop) -> None:
    held = shop.hold("early")
    assert held["discount"]["until"] is None
    captured = shop.done("capture", held["id"])
    # Ten days after 1 March in Seoul, to the end of that day.
    assert captured["discount"]["until"] == "2026-03-11T15:00:00Z"
    assert shop.world.get(f"/redemptions/{held['id']}")["discount"] == captured["discount"]
    [perk] = shop.world.get("/members/mina")["entitlements"]
    assert perk["until"] == captured["discount"]["until"]
    assert shop.done("reverse", held["id"])["discount"]["until"] is None


def test_captured_without_a_body(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    headers = {"Idempotency-Key": "no-body"}
    response = shop.world.call("POST", f"/redemptions/{held}/capture", headers=headers)
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.json["redemption"]["state"] == "captured"


def test_a_plain_order_does_not_ask_for_what_it_never_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards import loading

    asked: list[str] = []
    find = loading.load_of_order

    def ask(desk: Any, order_ref: str) -> Any:
        asked.append(order_ref)
        return find(desk, order_ref)

    monkeypatch.setattr(loading, "load_of_order", ask)
    shop.told(status="pending")
    for more in ({}, {}, {"channel": "web"}, {"status": "fulfilled"}):
        shop.told(**more)
    shop.world.get("/orders/A-1")
    shop.world.order("G-1", 5000, member_ref=None, **WHEN)
    assert asked == []
    shop.refund("R-1", "1", 4000)
    shop.told(status="cancelled")
    assert asked == ["A-1", "A-1"]
