"""What an order does to the redemptions that it names (SEMANTICS E36, B14)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound
from tests.scenarios.ledgers import give
from tests.scenarios.redeeming import FIVE, Till, reward
from tests.world import World, order, points

Make = Callable[..., World]
REWARDS = [
    FIVE,
    reward("tenth", kind="discount_percent", value={"percent_bp": 1000}, max_discount_minor=900),
    reward("mug", stock=1, estimated_cost_minor=300),
    reward("free", cost_points=0, limits=[{"per": "member", "period": "ever", "times": 1}]),
    reward("coded", voucher={"pattern": "SAVE-########"}),
]
TEN = "2026-03-01T10:00:00Z"


class Shop(Till):
    """Mina has 1,000 points at ten o'clock on 1 March; one more per 1.00 spent."""

    def __init__(self, make_world: Make, **changes: Any) -> None:
        rewards = changes.pop("rewards", REWARDS)
        super().__init__(make_world(rewards=rewards, **changes))
        self.world.set_clock(TEN)
        for ref in ("mina", "jun"):
            self.world.member(ref)
            give(self.world, 1000, None, ref)

    def at(self, instant: str) -> None:
        """Move the clock."""
        self.world.post("/test-clock", {"now": instant})

    def told(self, *named: str, ref: str = "A-1", net: int = 5000, **more: Any) -> Any:
        """Tell a paid order that names redemptions."""
        if named:
            more["redemptions"] = list(named)
        return self.world.order(ref, net, **more)

    def counts(self, ref: str = "mina") -> tuple[int, int]:
        """Available and held points."""
        found = self.world.get(f"/members/{ref}/balances")["data"][0]
        return found["available"], found["held"]

    def lapsed(self, what: str | int = "five") -> str:
        """Hold at ten for half an hour; it is 10:31 now, and no worker was there."""
        held: str = self.hold(what)["id"]
        self.world.set_clock("2026-03-01T10:31:00Z")
        return held


@pytest.fixture
def shop(make_world: Make) -> Shop:
    """A shop."""
    return Shop(make_world)


def states(answer: Any) -> list[str]:
    """The states of the redemptions in an answer."""
    return [one["state"] for one in answer["redemptions"]]


def problems(answer: Any) -> list[tuple[str, str]]:
    """Codes and pointers of an answer's problems."""
    return [(one["code"], one["pointer"]) for one in answer["problems"]]


@pytest.mark.parametrize("status", ["paid", "fulfilled"])
def test_a_paid_order_captures_what_it_names(shop: Shop, status: str) -> None:
    held = shop.hold("five")["id"]
    answer = shop.told(held, status=status)
    assert answer["redemptions"] == [
        {
            "id": held,
            "state": "captured",
            "points": 100,
            "points_returned": 0,
            "discount_minor": 500,
        }
    ]
    # 1,000 − 100, and 50 for 50.00.
    assert (problems(answer), answer["balances"][0]["available"]) == ([], 950)
    seen = shop.world.get(f"/redemptions/{held}")
    assert (seen["order_ref"], seen["discount_minor"]) == ("A-1", 500)
    # Told again, and read, it says the same.
    assert shop.told(held, status=status)["redemptions"] == answer["redemptions"]
    assert shop.world.get("/orders/A-1")["redemptions"] == answer["redemptions"]
    assert shop.counts() == (950, 0)
    assert_sound(shop.world)


def test_an_order_that_names_none_says_so(shop: Shop) -> None:
    assert shop.told()["redemptions"] == []


def test_a_lapsed_one_is_held_and_captured_again(shop: Shop) -> None:
    held = shop.lapsed()
    answer = shop.told(held)
    assert (states(answer), problems(answer)) == (["captured"], [])
    assert shop.counts() == (950, 0)
    kinds = [one["kind"] for one in shop.world.entries()]
    assert kinds == ["adjust", "hold", "release", "hold", "capture", "earn"]
    assert_sound(shop.world)


def test_on_its_old_terms_though_its_reward_costs_more_and_is_paused(shop: Shop) -> None:
    held = shop.lapsed()
    dear = reward("five", cost_points=700, value={"minor": 1}, state="paused")
    shop.world.publish(rewards=[dear])
    answer = shop.told(held)
    assert answer["redemptions"][0]["discount_minor"] == 500
    assert shop.counts() == (950, 0)


def test_points_that_are_gone_are_a_problem_and_the_order_earns(shop: Shop) -> None:
    held = shop.lapsed()
    give(shop.world, -901, None)
    answer = shop.told(held, net=20000)
    # 99 were left; the 200 that the order itself earns do not pay for it.
    assert problems(answer) == [("insufficient_points", "/redemptions/0")]
    assert (states(answer), points(answer)) == (["expired"], 200)
    assert shop.counts() == (299, 0)
    again = shop.told(held, net=20000)
    assert (states(again), points(again)) == (["expired"], 200)
    assert [code for code, _ in problems(again)] in (["insufficient_points"], ["state_conflict"])
    # Once told with a change, it is tried again: there are points now.
    assert states(shop.told(held, net=20000, channel="web")) == ["captured"]
    assert shop.counts() == (199, 0)
    assert_sound(shop.world)


def test_stock_that_is_gone_is_a_problem(shop: Shop) -> None:
    held = shop.lapsed("mug")
    taken = shop.hold("mug", "jun")["id"]
    answer = shop.told(held)
    assert problems(answer) == [("out_of_stock", "/redemptions/0")]
    assert (states(answer), shop.counts()) == (["expired"], (1050, 0))
    assert shop.stock("mug") == (1, 1, 0)
    shop.done("release", taken)
    # Another telling of the order takes what is free by now.
    assert states(shop.told(held, channel="web")) == ["captured"]
    assert shop.stock("mug") == (1, 1, 0)
    assert_sound(shop.world)


def test_a_pending_order_keeps_its_points_for_three_days_and_gives_them_back(shop: Shop) -> None:
    held = shop.hold("mug")["id"]
    waiting = shop.told(held, status="pending")
    assert (states(waiting), shop.counts()) == (["held"], (900, 100))
    shop.at("2026-03-04T10:00:00Z")
    assert (shop.state(held), shop.counts()) == ("held", (900, 100))
    assert shop.world.verify()["mismatches"] == []
    gone = shop.told(held, status="cancelled")
    assert (states(gone), shop.counts()) == (["released"], (1000, 0))
    assert shop.stock("mug") == (1, 0, 1)
    assert_sound(shop.world)


def test_a_pending_order_holds_again_what_had_run_out_and_captures_it_when_paid(
    shop: Shop,
) -> None:
    held = shop.lapsed()
    assert states(shop.told(held, status="pending")) == ["held"]
    assert shop.counts() == (900, 100)
    shop.at("2026-03-09T10:00:00Z")
    assert states(shop.told(held, status="paid")) == ["captured"]
    assert shop.counts() == (950, 0)
    assert_sound(shop.world)


def test_a_cancelled_order_reverses_and_paid_again_takes_again(shop: Shop) -> None:
    held = shop.hold("mug")["id"]
    for _ in range(2):
        paid = shop.told(held)
        assert (states(paid), problems(paid), shop.counts()) == (["captured"], [], (950, 0))
        assert shop.stock("mug") == (1, 1, 0)
        gone = shop.told(held, status="cancelled")
        assert (states(gone), problems(gone), shop.counts()) == (["reversed"], [], (1000, 0))
        assert shop.stock("mug") == (1, 0, 1)
        assert_sound(shop.world)


def test_cancelled_before_it_was_ever_paid_then_paid(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    assert states(shop.told(held, status="cancelled")) == ["released"]
    assert states(shop.told(held)) == ["captured"]
    assert shop.counts() == (950, 0)
    assert_sound(shop.world)


def test_paid_again_without_the_points_is_a_problem_and_nothing_negative(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(held)
    shop.told(held, status="cancelled")
    give(shop.world, -951, None)
    again = shop.told(held)
    # 49 were left, and the order earns its 50 again.
    assert problems(again) == [("insufficient_points", "/redemptions/0")]
    assert (states(again), shop.counts()) == (["reversed"], (99, 0))
    give(shop.world, 1, None)
    assert states(shop.told(held, channel="web")) == ["captured"]
    assert shop.counts() == (0, 0)
    assert_sound(shop.world)


def test_what_it_names_no_longer_is_undone(shop: Shop) -> None:
    one, other = shop.hold("five")["id"], shop.hold("tenth")["id"]
    shop.told(one, other)
    assert shop.counts() == (850, 0)
    left = shop.told(other)
    assert [each["id"] for each in left["redemptions"]] == [other]
    assert (shop.state(one), shop.counts()) == ("reversed", (950, 0))
    none = shop.told()
    assert (none["redemptions"], shop.counts()) == ([], (1050, 0))
    # Named anew, both come back with the order.
    assert states(shop.told(one, other)) == ["captured", "captured"]
    assert shop.counts() == (850, 0)
    assert_sound(shop.world)


def test_a_refund_of_all_reverses_and_one_of_a_part_does_not(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(held)
    path = "/orders/A-1/refunds/"
    part = {"refunded_at": TEN, "amount_minor": 4999}
    seen = shop.world.put(path + "R-1", part)
    assert (states(seen), seen["points_returned"]) == (["captured"], 0)
    rest = {"refunded_at": TEN, "amount_minor": 1}
    preview = shop.world.put(path + "R-2?dry_run=true", rest)
    assert (states(preview), preview["points_returned"]) == (["reversed"], 100)
    assert shop.state(held) == "captured"
    done = shop.world.put(path + "R-2", rest)
    assert (states(done), done["points_returned"]) == (["reversed"], 100)
    assert shop.counts() == (1000, 0)
    back = shop.world.put(path + "R-2", rest | {"status": "withdrawn"})
    assert (states(back), back["points_returned"], problems(back)) == (["captured"], 0, [])
    assert_sound(shop.world)


def test_a_redemption_of_two_orders_counts_once(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(held)
    second = shop.told(held, ref="A-2")
    assert (problems(second), second["redemptions"]) == ([("state_conflict", "/redemptions/0")], [])
    # Cancelling the second one takes nothing of the first.
    shop.told(held, ref="A-2", status="cancelled")
    assert shop.state(held) == "captured"
    assert_sound(shop.world)


@pytest.mark.parametrize("named", ["rdm_00000000000000000000000000", "gift-77"])
def test_an_unknown_one_is_not_found(shop: Shop, named: str) -> None:
    answer = shop.told(named)
    assert (problems(answer), answer["redemptions"]) == ([("not_found", "/redemptions/0")], [])
    assert problems(shop.told(named)) == [("not_found", "/redemptions/0")]


def test_one_of_another_member_and_of_a_guest_is_not_found(shop: Shop) -> None:
    held = shop.hold("five", "jun")["id"]
    assert problems(shop.told(held)) == [("not_found", "/redemptions/0")]
    assert problems(shop.told(held, ref="A-2", member_ref=None)) == [
        ("not_found", "/redemptions/0")
    ]
    assert shop.state(held) == "held"


def test_one_that_the_storefront_released_or_reversed_is_left_alone(shop: Shop) -> None:
    released, reversed_ = shop.hold("five")["id"], shop.hold("tenth")["id"]
    shop.done("release", released)
    shop.done("capture", reversed_)
    shop.done("reverse", reversed_)
    answer = shop.told(released, reversed_)
    assert problems(answer) == [
        ("state_conflict", "/redemptions/0"),
        ("state_conflict", "/redemptions/1"),
    ]
    assert shop.counts() == (1050, 0)


def test_what_support_reversed_does_not_come_back_with_the_order(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(held)
    shop.done("reverse", held)
    shop.told(held, status="cancelled")
    assert problems(shop.told(held)) == [("state_conflict", "/redemptions/0")]
    assert shop.counts() == (1050, 0)


def test_one_captured_by_hand_becomes_the_orders(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.done("capture", held)
    assert states(shop.told(held)) == ["captured"]
    assert shop.world.get(f"/redemptions/{held}")["order_ref"] == "A-1"
    shop.told(held, status="cancelled")
    assert (shop.state(held), shop.counts()) == ("reversed", (1000, 0))


def test_an_order_that_changes_hands_undoes_it_for_the_old_member(shop: Shop) -> None:
    held = shop.hold("five")["id"]
    shop.told(held)
    moved = shop.told(held, member_ref="jun")
    assert problems(moved) == [("not_found", "/redemptions/0")]
    assert (shop.state(held), shop.counts(), shop.counts("jun")) == (
        "reversed",
        (1000, 0),
        (1050, 0),
    )
    assert states(shop.told(held)) == ["captured"]
    assert (shop.counts(), shop.counts("jun")) == ((950, 0), (1000, 0))
    assert_sound(shop.world)


@pytest.mark.parametrize(
    ("net", "discount", "expected"),
    [
        # 10 % of 50.00; of 50.00 before the 5.00 that the order tells; at most 9.00; floor.
        (5000, 0, 500),
        (5000, 500, 500),
        (100000, 0, 900),
        (99, 0, 9),
    ],
)
def test_a_percentage_is_noted_once(shop: Shop, net: int, discount: int, expected: int) -> None:
    held = shop.hold("tenth")["id"]
    told = shop.told(held, net=net, discount_minor=discount)
    assert told["redemptions"][0]["discount_minor"] == expected
    # A larger order, or a refunded one, changes nothing of it.
    again = shop.told(held, net=net * 2, discount_minor=discount, refunded_minor=1)
    assert again["redemptions"][0]["discount_minor"] == expected


def test_a_free_one_has_its_limit_back_with_a_cancelled_order(shop: Shop) -> None:
    held = shop.hold("free")["id"]
    shop.told(held)
    assert shop.refused("free")["code"] == "limit_reached"
    shop.told(held, status="cancelled")
    other = shop.hold("free")["id"]
    # Paid again, it is as often as the limit allows already.
    again = shop.told(held)
    assert problems(again) == [("limit_reached", "/redemptions/0")]
    shop.done("release", other)
    assert states(shop.told(held, channel="web")) == ["captured"]
    assert_sound(shop.world)


def test_a_code_is_used_with_the_order_and_void_with_it(shop: Shop) -> None:
    held = shop.hold("coded")
    code = held["voucher"]["code"]
    shop.told(held["id"])
    assert shop.world.get(f"/vouchers/{code}")["state"] == "redeemed"
    shop.told(held["id"], status="cancelled")
    assert shop.world.get(f"/vouchers/{code}")["state"] == "void"
    shop.told(held["id"])
    assert shop.world.get(f"/vouchers/{code}")["state"] == "redeemed"
    assert_sound(shop.world)


def test_a_batch_goes_the_same_way(shop: Shop) -> None:
    one, other = shop.hold("five")["id"], shop.hold("tenth")["id"]
    bodies = [
        order(5000, order_ref="A-1", redemptions=[one]),
        order(5000, order_ref="A-2", redemptions=[one, other]),
        order(5000, order_ref="A-3", status="cancelled", redemptions=[other]),
        order(5000, order_ref="A-4"),
    ]
    results = shop.world.post("/orders/batch", {"orders": bodies})["results"]
    assert [states(one) for one in results] == [["captured"], ["captured"], [], []]
    assert [problems(one) for one in results] == [
        [],
        [("state_conflict", "/redemptions/0")],
        [("state_conflict", "/redemptions/0")],
        [],
    ]
    # 1,000 − 200 + 3 × 50.
    assert shop.counts() == (950, 0)
    assert_sound(shop.world)


def test_in_whatever_order_it_is_told_it_ends_as_the_newest_says(make_world: Make) -> None:
    import itertools

    told = [("paid", 1), ("pending", 0), ("cancelled", 2), ("paid", 3)]
    for arrival in itertools.permutations(told):
        shop = Shop(make_world)
        held = shop.hold("five")["id"]
        for status, revision in arrival:
            answer = shop.told(held, status=status, revision=revision)
        assert states(answer) == ["captured"], arrival
        assert (problems(answer), shop.counts()) == ([], (950, 0)), arrival


def test_points_come_back_to_their_lots_and_are_taken_from_them_again(make_world: Make) -> None:
    shop = Shop(make_world, rewards=[reward("big", cost_points=1150)])
    give(shop.world, 200, "2026-06-01T00:00:00Z")
    held = shop.hold("big")["id"]
    shop.told(held, net=99)
    give(shop.world, 300, "2026-04-01T00:00:00Z")
    shop.told(held, net=99, status="cancelled")
    expiring = shop.world.get("/members/mina/balances")["data"][0]["expiring"]
    assert [one["points"] for one in expiring] == [300, 200]
    shop.told(held, net=99)
    # The 300 of April go first otherwise; but it is taken from where it was.
    expiring = shop.world.get("/members/mina/balances")["data"][0]["expiring"]
    assert [one["points"] for one in expiring] == [300]
    assert shop.counts() == (350, 0)
    assert_sound(shop.world)


def test_a_redemption_that_is_reversed_late_gives_expired_points_up(make_world: Make) -> None:
    shop = Shop(make_world, rewards=[reward("big", cost_points=150)])
    give(shop.world, 100, "2026-03-02T00:00:00Z")
    held = shop.hold("big")["id"]
    shop.told(held, net=99)
    shop.at("2026-03-10T00:00:00Z")
    shop.told(held, net=99, status="cancelled")
    # 100 of them had expired by then; strict gives them up at once.
    assert shop.counts() == (1000, 0)
    assert_sound(shop.world)
