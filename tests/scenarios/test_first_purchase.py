"""The first purchase is a claim: one order holds it, while it stands."""

from collections.abc import Callable

import pytest

from tests.world import World, line, per_euro, points, reversed_points, rule

Make = Callable[..., World]
FIRST = {"fact": "order.is_first", "op": "=", "value": True}


@pytest.fixture
def shop(make_world: Make) -> World:
    """One point per 1.00 and 500 for the first purchase."""
    world = make_world(
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("first", {"do": "add_points", "points": 500}, when=FIRST),
            ]
        }
    )
    world.member()
    world.member("jun")
    return world


def test_the_first_purchase_is_paid_once(shop: World) -> None:
    assert shop.earned("A-1", 1000) == 510
    assert shop.earned("A-2", 1000) == 10
    assert shop.earned("A-1", 1000) == 510
    assert shop.earned("B-1", 1000, member_ref="jun") == 510


def test_a_quote_promises_the_first_purchase_only_while_it_is_free(shop: World) -> None:
    assert points(shop.quote(1000)) == 510
    shop.order("A-1", 1000)
    assert points(shop.quote(1000)) == 10
    shop.order("A-1", 1000, status="cancelled")
    assert points(shop.quote(1000)) == 510


def test_a_partly_refunded_first_purchase_keeps_its_claim(shop: World) -> None:
    shop.order("A-1", 1000)
    assert shop.earned("A-1", line("1", 1000, refunded_minor=999)) == 500
    assert shop.earned("A-2", 1000) == 10


@pytest.mark.parametrize("how", ["cancelled", "refunded"])
def test_a_first_purchase_undone_gives_the_claim_to_the_next(shop: World, how: str) -> None:
    shop.order("A-1", 1000)
    if how == "cancelled":
        gone = shop.order("A-1", 1000, status="cancelled")
    else:
        gone = shop.order("A-1", line("1", 1000, refunded_quantity=1))
    assert reversed_points(gone) == 510
    assert shop.earned("A-2", 1000) == 510
    # Standing again, the first one finds the claim taken.
    assert shop.earned("A-1", 1000) == 10
    assert shop.balance() == 520


def test_a_purchase_beside_the_first_is_never_decided_again(shop: World) -> None:
    shop.order("A-1", 1000)
    shop.order("A-2", 1000)
    shop.order("A-1", 1000, status="cancelled")
    # Told again while it stands, the second keeps what was decided on arrival…
    assert shop.earned("A-2", 2000) == 20
    # …and the claim goes to who comes next.
    assert shop.earned("A-3", 1000) == 510
    assert shop.earned("A-1", 1000) == 10
    assert shop.balance() == 20 + 510 + 10


def test_a_loop_of_buying_and_refunding_pays_at_most_once_at_a_time(shop: World) -> None:
    for number in range(6):
        assert shop.earned(f"A-{number}", 1000) == 510
        assert shop.balance() == 510
        shop.order(f"A-{number}", line("1", 1000, refunded_quantity=1))
        assert shop.balance() == 0
    assert shop.earned("A-0", 1000) == 510
    assert [shop.earned(f"A-{number}", 1000) for number in range(1, 6)] == [10] * 5
    assert not shop.verify()["mismatches"]


def test_a_pending_order_takes_no_claim(shop: World) -> None:
    shop.order("A-1", 1000, status="pending")
    assert shop.earned("A-2", 1000) == 510
    assert shop.earned("A-1", 1000, status="paid") == 10


def test_an_order_told_late_decides_no_other_again(shop: World) -> None:
    assert shop.earned("A-2", 1000, placed_at="2026-02-02T10:00:00Z") == 510
    assert shop.earned("A-1", 1000, placed_at="2026-02-01T10:00:00Z") == 10
    assert shop.earned("A-2", 1000, placed_at="2026-02-02T10:00:00Z") == 510


def test_the_claim_moves_with_an_order_to_another_member(shop: World) -> None:
    shop.order("A-1", 1000)
    assert shop.earned("A-1", 1000, member_ref="jun") == 510
    assert (shop.balance("mina"), shop.balance("jun")) == (0, 510)
    assert shop.earned("A-2", 1000) == 510
    assert shop.earned("B-1", 1000, member_ref="jun") == 10


def test_counts_and_sums_are_those_before_the_order(make_world: Make) -> None:
    third = {"fact": "member.order_count", "op": "=", "value": 2}
    rich = {"fact": "member.spend_minor", "op": ">=", "value": 3000}
    world = make_world(
        earning={
            "rules": [
                rule("third", {"do": "add_points", "points": 100}, when=third),
                rule("rich", {"do": "add_points", "points": 1000}, when=rich),
            ]
        }
    )
    world.member()
    earned = [
        world.earned(f"A-{day}", 1500, placed_at=f"2026-02-0{day}T10:00:00Z")
        for day in (1, 2, 3, 4)
    ]
    # Before them: 0 orders; 1 and 15.00; 2 and 30.00; 3 and 45.00.
    assert earned == [0, 0, 1100, 1000]
    world.order("A-1", 1500, status="cancelled", placed_at="2026-02-01T10:00:00Z")
    world.order("A-2", 1500, status="cancelled", placed_at="2026-02-02T10:00:00Z")
    # Two stand before: 30.00.
    assert world.earned("A-5", 1500, placed_at="2026-02-05T10:00:00Z") == 1100
