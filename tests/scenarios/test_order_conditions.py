"""What an order is told that captured redemptions without being what they were promised for: it is
never refused, and its problems say what was not met (SEMANTICS E35, E36)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.ledgers import give
from tests.scenarios.redeeming import FIVE, Till, reward
from tests.world import World, line

Make = Callable[..., World]
REWARDS = [
    FIVE,
    reward("big", min_order_minor=5000),
    reward("tea", applies_to={"fact": "line.sku", "op": "=", "value": "TEA"}),
    reward("alone", combines=False),
    reward("app", when={"fact": "order.channel", "op": "=", "value": "app"}),
    reward("rich", when={"fact": "order.net_minor", "op": ">=", "value": 5000}),
    reward("tenth", kind="discount_percent", value={"percent_bp": 1000}),
    {"key": "given", "kind": "discount_amount", "value": {"minor": 500}, "min_order_minor": 9000},
]
PAY = {"min_points": 1, "max_order_bp": 5000}
WHEN: dict[str, Any] = {"placed_at": "2026-03-01T09:00:00Z"}


@pytest.fixture
def till(make_world: Make) -> Till:
    """Mina has 10,000 points; half of an order can be paid with them."""
    world = make_world(rewards=REWARDS, pay_with_points=PAY)
    world.set_clock("2026-03-01T10:00:00Z")
    world.member()
    give(world, 10_000, None)
    return Till(world)


def told(till: Till, *items: Any, named: Any = (), **more: Any) -> Any:
    """Tell an order; told again, and read, it says the same problems."""
    body = WHEN | {"redemptions": list(named)} | more
    answer = till.world.order("A-1", *items, **body)
    assert till.world.order("A-1", *items, **body)["problems"] == answer["problems"]
    assert till.world.get("/orders/A-1")["problems"] == answer["problems"]
    return answer


def found(answer: Any) -> list[tuple[str, str]]:
    """Codes and pointers of the problems."""
    return [(one["code"], one["pointer"]) for one in answer["problems"]]


UNMET = [("condition_not_met", "/redemptions/0")]


def test_an_order_below_the_least_value(till: Till) -> None:
    held = till.hold("big")["id"]
    answer = told(till, 4900, named=[held], discount_minor=500)
    assert found(answer) == UNMET
    detail = answer["problems"][0]["detail"]
    # 49.00 before the 5.00 that it took off.
    assert "5000" in detail and "4900" in detail
    # It took its discount all the same.
    assert answer["redemptions"][0]["state"] == "captured"
    assert till.state(held) == "captured"


@pytest.mark.parametrize("more", [{}, {"discount_minor": 500}])
def test_an_order_of_just_the_least_value(till: Till, more: Any) -> None:
    # 50.00 as a cart, with or without the discount told.
    assert told(till, 5000, named=[till.hold("big")["id"]], **more)["problems"] == []


def test_what_is_refunded_afterwards_is_not_held_against_it(till: Till) -> None:
    told(till, 4000, 1000, named=[till.hold("big")["id"]])
    back = {"line_ref": "1", "quantity": 1, "amount_minor": 4000}
    body = {"refunded_at": "2026-03-01T10:00:00Z", "lines": [back]}
    assert till.world.put("/orders/A-1/refunds/R-1", body)["problems"] == []


def test_a_discount_of_others_is(till: Till) -> None:
    # 60.00 less 5.00 of the redemption and 15.00 of a sale come to 45.00 without it.
    held = till.hold("big")["id"]
    answer = told(till, line("1", 6000, discount_minor=1500), named=[held], discount_minor=500)
    assert found(answer) == UNMET


def test_lines_that_it_does_not_apply_to(till: Till) -> None:
    held = till.hold("tea")["id"]
    cup = line("1", 4000, sku="CUP")
    assert found(told(till, cup, named=[held])) == UNMET
    answer = told(till, cup, line("2", 500, sku="TEA"), named=[held])
    assert answer["problems"] == []


def test_an_order_of_gift_cards_alone(till: Till) -> None:
    held = till.hold("tenth")["id"]
    answer = told(till, line("1", 4000, is_gift_card=True), named=[held])
    assert found(answer) == UNMET


@pytest.mark.parametrize("as_payment", [True, False])
def test_more_paid_with_points_than_is_allowed(till: Till, *, as_payment: bool) -> None:
    def buy(points: int) -> list[tuple[str, str]]:
        held = till.hold(points)["id"]
        if not as_payment:
            return found(told(till, 4000, named=[held], discount_minor=points))
        paid = {"kind": "points", "amount_minor": points, "redemption_id": held}
        rest = {"kind": "card", "amount_minor": 4000 - points}
        return found(told(till, 4000, payments=[rest, paid]))

    pointer = "/payments/1/redemption_id" if as_payment else "/redemptions/0"
    assert buy(2000) == []
    assert buy(2001) == [("condition_not_met", pointer)]


def test_several_that_pay_are_judged_together(till: Till) -> None:
    paid = [
        {"kind": "points", "amount_minor": 1500, "redemption_id": till.hold(1500)["id"]}
        for _ in range(2)
    ]
    answer = told(till, 4000, payments=paid)
    assert found(answer) == [("condition_not_met", "/payments/1/redemption_id")]
    assert "3000" in answer["problems"][0]["detail"] and "2000" in answer["problems"][0]["detail"]


def test_gift_cards_cannot_be_paid_with_points(till: Till) -> None:
    # Half of the 10.00 that are no gift card.
    paid = {"kind": "points", "amount_minor": 600, "redemption_id": till.hold(600)["id"]}
    lines = (line("1", 3000, is_gift_card=True), line("2", 1000))
    assert found(told(till, *lines, payments=[paid])) == [
        ("condition_not_met", "/payments/0/redemption_id")
    ]


def test_the_share_is_that_of_the_hold(till: Till) -> None:
    held = till.hold(2000)["id"]
    till.world.publish(rewards=REWARDS, pay_with_points=PAY | {"max_order_bp": 1000})
    assert told(till, 4000, named=[held], discount_minor=2000)["problems"] == []


def test_what_does_not_combine_beside_another(till: Till) -> None:
    alone, five = till.hold("alone")["id"], till.hold("five")["id"]
    answer = told(till, 4000, named=[five, alone])
    assert found(answer) == [("condition_not_met", "/redemptions/1")]
    assert told(till, 4000, named=[alone])["problems"] == []


def test_what_was_granted_is_not_judged(till: Till) -> None:
    body = {"member_ref": "mina", "reward": "given", "reason": "thanks"}
    till.world.post("/grants", body, status=201)
    assert told(till, 1000, named=[till.hold("given")["id"]])["problems"] == []


def test_nothing_is_judged_before_it_is_paid(till: Till) -> None:
    held = till.hold("big")["id"]
    assert told(till, 4000, named=[held], status="pending")["problems"] == []
    assert found(told(till, 4000, named=[held])) == UNMET
    assert told(till, 4000, named=[held], status="cancelled")["problems"] == []


def test_a_payment_of_more_than_its_redemption_is_worth(till: Till) -> None:
    held = till.hold(1000)["id"]
    paid = {"kind": "points", "amount_minor": 1001, "redemption_id": held}
    for status in ("pending", "paid"):
        answer = told(till, 8000, payments=[paid], status=status)
        assert found(answer) == [("insufficient_value", "/payments/0/amount_minor")]
        assert "1001" in answer["problems"][0]["detail"]
        assert "1000" in answer["problems"][0]["detail"]
    assert told(till, 8000, payments=[paid | {"amount_minor": 1000}])["problems"] == []
    # It is worth that once.
    parts = [paid | {"amount_minor": 600}, paid | {"amount_minor": 600}]
    assert found(told(till, 8000, payments=parts)) == [
        ("insufficient_value", "/payments/1/amount_minor")
    ]


def test_a_reward_that_pays_is_worth_what_it_takes_off(till: Till) -> None:
    held = till.hold("tenth")["id"]
    paid = {"kind": "other", "amount_minor": 801, "redemption_id": held}
    assert found(told(till, 8000, payments=[paid])) == [
        ("insufficient_value", "/payments/0/amount_minor")
    ]
    assert told(till, 8000, payments=[paid | {"amount_minor": 800}])["problems"] == []


def test_what_a_reward_asks_of_orders_by_its_condition(till: Till) -> None:
    held = till.hold("app")["id"]
    assert found(told(till, 6000, named=[held], discount_minor=500, channel="web")) == UNMET
    assert found(told(till, 6000, named=[held], discount_minor=500, channel="app")) == []
    # 50.00 before the 5.00 that it took off are enough.
    till.world.order("A-1", 6000, **WHEN)
    rich = till.hold("rich")["id"]
    assert found(told(till, 5000, named=[rich], discount_minor=500)) == []
    assert found(told(till, 4900, named=[rich], discount_minor=500)) == UNMET
