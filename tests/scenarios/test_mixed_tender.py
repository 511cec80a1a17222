"""Orders paid with points in part: what of them goes back with a refund (SEMANTICS B15)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound
from tests.scenarios import redeeming
from tests.world import World, line, points, reversed_points

Make = Callable[..., World]
EXPIRY = {"policy": "after", "duration": "P12M"}
PAY = {"min_points": 1}


class Till(redeeming.Till):
    """Mina has 1,000 points until March and 4,000 until June of next year; 3,000 of them pay."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.held: str = ""
        world.set_clock("2026-07-01T00:00:00Z")
        world.member()
        world.order("A-1", 100000, placed_at="2026-03-10T10:00:00Z")
        world.order("A-2", 400000, placed_at="2026-06-10T10:00:00Z")

    def hold_points(self, count: int, *, member_ref: str = "mina") -> str:
        """Hold points."""
        found: str = self.hold(count, member_ref)["id"]
        return found

    def capture(self, held: str) -> None:
        """Spend what is held."""
        self.done("capture", held)

    def reverse(self, held: str) -> Any:
        """Give back by hand what was spent."""
        return self.done("reverse", held)

    def buy(self, **more: Any) -> Any:
        """100.00 in two lines, 70.00 by card and 3,000 points."""
        self.held = self.held or self.hold_points(3000)
        if more.pop("is_captured", True):
            self.capture(self.held)
        payments = [
            {"kind": "card", "amount_minor": 7000},
            {"kind": "points", "amount_minor": 3000, "redemption_id": self.held},
        ]
        told = {"payments": payments, "placed_at": "2026-07-01T00:00:00Z"} | more
        return self.world.order("B-1", line("1", 4000), line("2", 6000), **told)

    def refund(self, ref: str, *, status: str = "succeeded", **told: Any) -> Any:
        """Tell a refund of that order."""
        body = {"refunded_at": "2026-07-01T00:00:00Z", "status": status} | told
        return self.world.put(f"/orders/B-1/refunds/{ref}", body)

    def expiring(self) -> dict[str, int]:
        """What is left until when."""
        found = self.world.get("/members/mina/balances")["data"][0]["expiring"]
        return {one["expires_at"][:7]: one["points"] for one in found}


@pytest.fixture
def till(make_world: Make) -> Till:
    """Points are worth 0.01 and live for twelve months."""
    return Till(make_world(points=[{"key": "points", "expiry": EXPIRY}], pay_with_points=PAY))


LINE_1: dict[str, Any] = {"lines": [{"line_ref": "1", "quantity": 1, "amount_minor": 4000}]}
LINE_2: dict[str, Any] = {"lines": [{"line_ref": "2", "quantity": 1, "amount_minor": 6000}]}


def test_a_refund_gives_its_share_back_to_the_lots_and_reverses_the_rest(till: Till) -> None:
    assert points(till.buy()) == 70
    # 1,000 of March and 2,000 of June were spent; 70 of this order live until 2027-07.
    assert till.expiring() == {"2027-06": 2000, "2027-07": 70}
    told = till.refund("R-1", **LINE_1)
    assert (told["points_returned"], reversed_points(told), points(told)) == (1200, 28, 42)
    # The last taken goes back first: to the lot of June.
    assert till.expiring() == {"2027-06": 3200, "2027-07": 42}
    assert told["balances"][0]["available"] == 3242
    rest = till.refund("R-2", **LINE_2)
    assert (rest["points_returned"], reversed_points(rest), points(rest)) == (1800, 42, 0)
    assert till.expiring() == {"2027-03": 1000, "2027-06": 4000}
    assert_sound(till.world)


def test_the_same_refund_again_gives_nothing_back_twice(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    again = till.refund("R-1", **LINE_1)
    # It answers what stands for it.
    assert (again["points_returned"], again["reversed"]) == (1200, [])
    # Nor does the order, told with and without what was refunded.
    till.buy()
    till.buy(shipping_minor=1)
    assert till.world.balance() == 3242


@pytest.mark.parametrize(
    ("amount", "returned"), [(1, 0), (33, 9), (3333, 999), (9999, 2999), (10000, 3000)]
)
def test_shares_are_rounded_down_until_all_goes_back(
    till: Till, amount: int, returned: int
) -> None:
    # 3,000 × 0.0001 = 0.3; × 0.0033 = 9.9; × 0.3333 = 999.9; × 0.9999 = 2,999.7.
    till.buy()
    assert till.refund("R-1", amount_minor=amount)["points_returned"] == returned


def test_a_cancelled_order_gives_all_of_them_back(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    gone = till.buy(status="cancelled")
    assert reversed_points(gone) == 42
    assert till.expiring() == {"2027-03": 1000, "2027-06": 4000}
    # Paid again, they are spent again but for what the refund gave back.
    assert points(till.buy(is_captured=False, shipping_minor=1)) == 42
    assert till.world.balance() == 5000 - 1800 + 42
    assert_sound(till.world)


def test_a_withdrawn_refund_takes_the_points_again(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    back = till.refund("R-1", status="withdrawn", **LINE_1)
    assert (back["points_returned"], back["problems"], points(back)) == (0, [], 70)
    assert till.expiring() == {"2027-06": 2000, "2027-07": 70}
    anew = till.refund("R-1", **LINE_1)
    assert (anew["points_returned"], reversed_points(anew)) == (1200, 28)
    assert till.expiring() == {"2027-06": 3200, "2027-07": 42}
    assert_sound(till.world)


def test_points_that_are_gone_again_are_named_and_no_deficit_is_made(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    till.capture(till.hold_points(3000))  # 242 are left
    back = till.refund("R-1", status="withdrawn", **LINE_1)
    # 28 come back to the order's own lot before: 270 of 1,200 can be taken.
    assert till.world.balance() == 0
    [problem] = back["problems"]
    assert (problem["code"], problem["pointer"]) == (
        "insufficient_points",
        "/payments/1/redemption_id",
    )
    assert problem["detail"].startswith("930 of 1200 points")
    assert back["points_returned"] == 930
    # The refund stands again: those 930 were never taken, so 270 go back.
    assert till.refund("R-1", **LINE_1)["points_returned"] == 1200
    # Nothing was there when the 28 that the order earned were to be taken. 70 of the 270 had come
    # of the order's own points and go back to these, so the 28 are taken of them now.
    assert till.world.balance() == 242
    assert_sound(till.world)


def test_a_preview_of_both(till: Till) -> None:
    till.buy()
    seen = till.refund("R-1?dry_run=true", **LINE_1)
    assert (seen["points_returned"], reversed_points(seen)) == (1200, 28)
    assert till.expiring() == {"2027-06": 2000, "2027-07": 70}


def test_what_the_snapshot_refunds_gives_points_back_too_and_once(till: Till) -> None:
    till.buy()
    told = till.world.get("/orders/B-1")["order"]["payments"]
    lines = (line("1", 4000, refunded_quantity=1), line("2", 6000))
    till.world.order("B-1", *lines, payments=told, placed_at="2026-07-01T00:00:00Z")
    assert till.world.balance() == 3242
    assert till.refund("R-1", **LINE_1)["points_returned"] == 0
    assert till.world.balance() == 3242


def test_points_that_the_storefront_gave_back_itself_are_not_given_twice(till: Till) -> None:
    till.buy()
    till.reverse(till.held)
    told = till.refund("R-1", **LINE_1)
    assert (told["points_returned"], reversed_points(told)) == (0, 28)
    # Nor are they taken when the refund is withdrawn, or the order told again.
    till.refund("R-1", status="withdrawn", **LINE_1)
    till.buy(is_captured=False, shipping_minor=1)
    assert till.world.balance() == 5070
    assert_sound(till.world)


@pytest.mark.parametrize(
    ("payments", "returned"),
    [
        ([{"kind": "card", "amount_minor": 4000}], 0),
        ([{"kind": "points", "amount_minor": 3000}, {"kind": "card", "amount_minor": 1000}], 3000),
        ([{"kind": "card", "amount_minor": 2800}], 1200),
    ],
)
def test_a_refund_may_say_how_it_was_paid_back(
    till: Till, payments: list[dict[str, Any]], returned: int
) -> None:
    till.buy()
    told = till.refund("R-1", **LINE_1, payments=payments)
    assert told["points_returned"] == returned
    assert reversed_points(told) == 28
    assert told["refund"]["payments"] == payments


def test_a_redemption_that_is_none_of_ours_gives_nothing_back(till: Till) -> None:
    till.held = "gift-77"
    payments = [{"kind": "points", "amount_minor": 3000, "redemption_id": "gift-77"}]
    told = {"payments": payments, "placed_at": "2026-07-01T00:00:00Z"}
    assert points(till.world.order("B-1", line("1", 4000), line("2", 6000), **told)) == 70
    back = till.refund("R-1", **LINE_1)
    assert (back["points_returned"], reversed_points(back)) == (0, 28)
    assert [one["code"] for one in back["problems"]] == ["not_found"]


def test_a_redemption_of_another_member_is_left_alone(till: Till) -> None:
    till.world.member("jun")
    till.world.order("C-1", 300000, member_ref="jun")
    till.held = till.hold_points(3000, member_ref="jun")
    till.buy()
    back = till.refund("R-1", **LINE_1)
    assert back["points_returned"] == 0
    assert [one["code"] for one in back["problems"]] == ["not_found"]
    assert till.world.balance("jun") == 0


def test_what_is_only_held_is_captured_by_the_order_and_let_go_with_it(till: Till) -> None:
    told = till.buy(is_captured=False)
    assert [one["state"] for one in told["redemptions"]] == ["captured"]
    back = till.refund("R-1", **LINE_1)
    assert (back["points_returned"], back["problems"]) == (1200, [])
    till.buy(is_captured=False, status="cancelled")
    assert till.world.balance() == 5000
    assert till.world.get("/members/mina/balances")["data"][0]["held"] == 0
    assert_sound(till.world)


def test_points_that_come_back_after_their_date_expire_at_once(till: Till) -> None:
    till.buy()
    till.world.set_clock("2027-04-01T00:00:00Z")
    told = till.refund("R-1", amount_minor=10000, refunded_at="2027-04-01T00:00:00Z")
    # 2,000 of June come back; the 1,000 of March are over.
    assert told["points_returned"] == 3000
    assert told["balances"][0]["available"] == 4000
    assert [one["kind"] for one in till.world.entries()][-2:] == ["restore", "expire"]
    assert_sound(till.world)


def test_after_a_merge_points_go_back_to_the_one_who_stays(make_world: Make) -> None:
    till = Till(make_world(points=[{"key": "points", "expiry": EXPIRY}], pay_with_points=PAY))
    world = till.world
    till.buy()
    world.member("jun")
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    before = world.balance("jun")
    # 40.00 of 100.00: 1,200 points go back with their dates, 28 earned ones go.
    answer = till.refund("R-1", lines=[{"line_ref": "1", "amount_minor": 4000}])
    assert answer["points_returned"] == 1200
    assert answer["problems"] == []
    assert world.balance("jun") == before + 1200 - 28
    assert world.verify()["mismatches"] == []


def test_what_comes_back_to_somebody_erased_is_forfeited(make_world: Make) -> None:
    till = Till(make_world(pay_with_points=PAY))
    till.buy()
    member_id = till.world.get("/members/mina")["id"]
    assert till.world.call("DELETE", "/members/mina").status_code == 200
    till.reverse(till.held)
    report = till.world.verify()
    assert report["mismatches"] == []
    data = till.world.call("GET", f"/members/{member_id}/balances")
    assert data.status_code == 404


def test_what_stands_for_a_refund_follows_it_and_no_other(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    assert till.refund("R-2", **LINE_2)["points_returned"] == 1800
    # 20.00 of 100.00 instead of 40.00: 600 of 3,000 points; the other refund keeps its own.
    less: dict[str, Any] = {"lines": [{"line_ref": "1", "amount_minor": 2000}]}
    assert till.refund("R-1", **less)["points_returned"] == 600
    assert till.refund("R-2", **LINE_2)["points_returned"] == 1800
    # Cancelled, everything goes back, by no refund.
    till.buy(is_captured=False, status="cancelled")
    assert till.world.balance() == 5000
    assert till.refund("R-1", **less)["points_returned"] == 600
    assert_sound(till.world)


def test_a_refund_told_before_its_order_answers_the_same_afterwards(till: Till) -> None:
    path = "/orders/B-1/refunds/R-1"
    body = {"refunded_at": "2026-07-01T00:00:00Z"} | LINE_1
    assert till.world.put(path, body, status=202)["points_returned"] == 0
    till.buy()
    assert till.world.balance() == 2000 + 1200 + 42
    assert till.refund("R-1", **LINE_1)["points_returned"] == 1200


@pytest.mark.parametrize(
    "told",
    [
        {"amount_minor": 100},
        {"lines": [{"line_ref": "1", "amount_minor": 60}], "shipping_minor": 40},
        {"lines": [{"line_ref": "3", "quantity": 1}]},
    ],
)
def test_no_more_is_paid_back_than_was_refunded(till: Till, told: dict[str, Any]) -> None:
    lines = (line("1", 4000), line("2", 5900), line("3", 100, quantity=2))
    till.buy()
    payments = till.world.get("/orders/B-1")["order"]["payments"]
    placed = {"placed_at": "2026-07-01T00:00:00Z", "payments": payments, "shipping_minor": 40}
    till.world.order("B-1", *lines, **placed)
    before = till.world.balance()
    body = {"refunded_at": "2026-07-01T00:00:00Z"} | told
    over = body | {"payments": [{"kind": "points", "amount_minor": 101}]}
    refused = till.world.call("PUT", "/orders/B-1/refunds/R-1", over)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/payments")
    assert till.world.balance() == before
    till.refund("R-1", **told, payments=[{"kind": "points", "amount_minor": 100}])


def test_a_parked_refund_pays_back_no_more_than_it_takes(till: Till) -> None:
    # It claims 300.00 in points; the order has 100.00, so it is taken for the whole of that.
    told = {"payments": [{"kind": "points", "amount_minor": 30000}]}
    lines = {"lines": [{"line_ref": "1", "quantity": 1}]}
    body = {"refunded_at": "2026-07-01T00:00:00Z"} | lines | told
    till.world.put("/orders/B-1/refunds/R-1", body, status=202)
    till.buy()
    # 40.00 of line 1 at most: more than the 30.00 paid in points, so all of these go back.
    assert till.world.balance() == 5000 + 42
    over = {"amount_minor": 100} | told | {"refunded_at": "2026-07-01T00:00:00Z"}
    assert till.world.call("PUT", "/orders/B-2/refunds/R-1", over).status_code == 422


def test_after_a_merge_a_withdrawn_refund_takes_its_points_again(make_world: Make) -> None:
    till = Till(make_world(points=[{"key": "points", "expiry": EXPIRY}], pay_with_points=PAY))
    world = till.world
    till.buy()
    world.member("jun")
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    before = world.balance("jun")
    for _ in range(2):
        assert till.refund("R-1", **LINE_1)["points_returned"] == 1200
        assert world.balance("jun") == before + 1200 - 28
        back = till.refund("R-1", status="withdrawn", **LINE_1)
        assert (back["points_returned"], back["problems"]) == (0, [])
        assert world.balance("jun") == before
        assert_sound(world)
    # Only what is there is taken: of 1,200 that came back 200 are left.
    till.refund("R-1", **LINE_1)
    till.capture(till.hold_points(before - 28 + 1000, member_ref="jun"))
    back = till.refund("R-1", status="withdrawn", **LINE_1)
    assert [one["code"] for one in back["problems"]] == ["insufficient_points"]
    assert (back["points_returned"], world.balance("jun")) == (1200 - 228, 0)
    assert_sound(world)


def test_a_redemption_that_was_reversed_by_hand_is_left_alone(till: Till) -> None:
    till.buy()
    till.refund("R-1", **LINE_1)
    till.reverse(till.held)
    assert till.world.balance() == 5042
    back = till.refund("R-1", status="withdrawn", **LINE_1)
    assert [(one["code"], one["pointer"]) for one in back["problems"]] == [
        ("state_conflict", "/payments/1/redemption_id")
    ]
    assert (back["points_returned"], till.world.balance()) == (1200, 5070)
    # It is still reversed: again changes nothing.
    assert till.reverse(till.held)["state"] == "reversed"
    # Wholly refunded and withdrawn, nothing more comes of it either.
    till.refund("R-2", amount_minor=10000)
    till.refund("R-2", amount_minor=10000, status="withdrawn")
    assert till.world.balance() == 5070
    assert_sound(till.world)
