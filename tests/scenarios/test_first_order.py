"""Signup, quote, order, refund, balance: the tour of the README."""

from tests.world import World, order, points, reversed_points


def test_a_quote_equals_the_award_and_a_cancelled_order_leaves_nothing(world: World) -> None:
    cart = order(1999)
    quote = world.post(
        "/quotes",
        {"member_ref": "mina", "cart": {"currency": "EUR", "lines": cart["lines"]}},
    )
    told = world.order("A-1", 1999)
    assert points(quote) == points(told) == 19
    assert world.balance() == 19
    back = world.order("A-1", 1999, status="cancelled")
    assert reversed_points(back) == 19
    assert world.balance() == 0
