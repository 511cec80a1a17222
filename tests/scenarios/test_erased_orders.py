"""Orders of who was erased: they can be refunded, stay theirs, and bring nobody anything."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.parallel import assert_sound, at_once, statuses
from tests.scenarios.erasing import WELCOMING, account, erase, places_of
from tests.world import BASE_RULE, World, line, order, points, rule

Make = Callable[..., World]


@pytest.fixture
def shop(make_world: Make) -> World:
    """A program that welcomes with 100 points, on 2 March 2026."""
    world = make_world(**WELCOMING)
    world.set_clock("2026-03-02T00:00:00Z")
    world.member("jun")
    return world


def told_after(world: World, ref: str, *lines: Any, **more: Any) -> Any:
    """Tell an order of somebody who was erased; nothing may come of it for anybody."""
    told = world.order(ref, *lines, **more)
    assert told["order"]["member_ref"] is None
    assert "claim_token" not in told
    for balance in told["balances"]:
        assert (balance["available"], balance["pending"], balance["held"]) == (0, 0, 0)
    assert_sound(world)
    return told


@pytest.mark.parametrize(
    "policy", ["within_balance", "only_pending", "unlimited", "deduct_from_refund"]
)
def test_an_erased_members_order_can_be_refunded_and_changes_nothing(
    make_world: Make, policy: str
) -> None:
    world = make_world(points=[{"key": "points", "return_policy": policy}])
    world.set_clock("2026-03-02T00:00:00Z")
    world.member()
    world.member("jun")
    world.order("A-1", 5000)
    erase(world)
    # The storefront still sends the reference; nobody is enrolled, nothing refused.
    told = told_after(world, "A-1", line("1", 5000, refunded_minor=2000))
    assert (points(told), told["reversed"]) == (30, [])
    assert told["order"]["refunded_minor"] == 2000
    told = told_after(world, "A-1", line("1", 5000, refunded_minor=5000), member_ref=None)
    assert (points(told), told["reversed"]) == (0, [])
    assert world.call("GET", "/members/mina").status_code == 404
    assert world.balance("jun") == 0
    assert world.get("/orders/A-1")["order"]["member_ref"] is None


def test_an_erased_members_order_stays_theirs_whoever_it_is_told_of(shop: World) -> None:
    shop.member(email="mina@example.com")
    shop.order("A-1", 5000)
    erase(shop)
    new = shop.member(email="new@example.com")
    assert points(new) == 0
    for ref in ("mina", "jun"):
        told_after(shop, "A-1", line("1", 5000, refunded_minor=1000), member_ref=ref)
    assert (shop.balance(), shop.balance("jun")) == (0, 100)
    [result] = shop.post("/orders/batch", {"orders": [order(6000) | {"order_ref": "A-1"}]})[
        "results"
    ]
    assert (result["status"], result["order"]["member_ref"]) == (200, None)
    assert (shop.balance(), shop.balance("jun")) == (0, 100)
    assert_sound(shop)


def test_what_a_late_order_still_brings_goes_at_once(shop: World) -> None:
    shop.member()
    shop.order("A-1", 5000, status="pending")
    member_id = erase(shop)["member"]["id"]
    assert points(told_after(shop, "A-1", 5000)) == 50
    assert points(told_after(shop, "A-1", 9000)) == 90
    told_after(shop, "A-1", 9000, status="cancelled")
    assert points(told_after(shop, "A-1", 9000)) == 90
    rows = account(shop, member_id)
    assert [row for row in rows if row[2] == "erasure"] == [
        ("adjust", 100, "erasure", 0),
        ("adjust", 50, "erasure", 0),
        ("adjust", 40, "erasure", 0),
    ]
    assert erase(shop, member_id)["forfeited"] == [{"points_key": "points", "points": 100}]


@pytest.mark.parametrize("policy", ["within_balance", "unlimited", "deduct_from_refund"])
def test_refunds_of_their_own_change_nothing_either(make_world: Make, policy: str) -> None:
    world = make_world(points=[{"key": "points", "return_policy": policy}])
    world.set_clock("2026-03-02T00:00:00Z")
    world.member()
    world.order("A-1", 5000, attributes={"door": "door-code-personal"})
    member_id = erase(world)["member"]["id"]
    refund: dict[str, Any] = {"refunded_at": "2026-03-02T00:00:00Z"}
    refund |= {"lines": [{"line_ref": "1", "amount_minor": 2000}]}
    told = world.put("/orders/A-1/refunds/R-1", refund)
    assert (points(told), told["reversed"], told["order"]["member_ref"]) == (30, [], None)
    assert told["suggested_refund_deduction_minor"] == 0
    assert points(told_after(world, "A-1", 5000, attributes={"door": "door-code-personal"})) == 30
    world.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert points(told_after(world, "A-1", 5000)) == 50
    assert account(world, member_id)[-1] == ("adjust", 50, "erasure", 0)
    assert places_of(world, "door-code-personal") == {}


def test_a_claimed_order_of_theirs_is_not_claimed_again(shop: World) -> None:
    shop.member()
    token = shop.order("G-1", 1999, member_ref=None)["claim_token"]
    shop.post("/claims", {"token": token, "member_ref": "mina"})
    erase(shop)
    for ref in ("jun", "mina"):
        body = {"token": token, "member_ref": ref}
        shop.member(ref)
        assert shop.post("/claims", body, status=409)["code"] == "state_conflict"
    assert (shop.balance(), shop.balance("jun")) == (0, 100)


def is_(name: str, value: Any, op: str = "=") -> dict[str, Any]:
    return {"fact": f"member.{name}", "op": op, "value": value}


def test_what_rules_ask_for_is_answered_as_before(make_world: Make) -> None:
    rules = [
        BASE_RULE,
        rule("locals", {"do": "multiply_points", "factor_bp": 20000}, when=is_("locale", "cy-GB")),
        rule("adults", {"do": "add_points", "points": 11}, when=is_("attributes.age", 18, ">=")),
        rule(
            "staff",
            {"do": "add_points", "points": 300},
            when=is_("attributes.mail", "@example.org", "contains"),
            on_refund="keep",
        ),
        rule(
            "strangers",
            {"do": "add_points", "points": 5},
            when={"not": is_("attributes.mail", "x@example.org")},
        ),
        rule(
            "engraved",
            {
                "do": "points_per_unit",
                "points": 7,
                "lines": {"when": {"fact": "line.attributes.text", "op": "!=", "value": "no"}},
            },
        ),
        rule(
            "codes",
            {"do": "add_points", "points": 13},
            when={"fact": "order.codes", "op": "contains", "value": "SPRING"},
        ),
    ]
    world = make_world(earning={"rules": rules})
    world.set_clock("2026-03-02T00:00:00Z")
    world.member(locale="cy-GB", attributes={"age": 777123777, "mail": "mina.personal@example.org"})
    lines = [line("1", 5000, attributes={"text": "engraved-personal"}), line("2", 1000)]
    codes = ["SPRING", "code-personal"]
    body = {"codes": codes, "attributes": {"door": "door-code-personal"}}
    # 60 + 7 for the piece that says anything but no, doubled; then 11 + 300 + 5 + 13.
    assert world.earned("A-1", *lines, **body) == 134 + 329
    erase(world)
    secrets = ("mina.personal", "engraved-personal", "code-personal", "777123777", "door-code")
    assert places_of(world, *secrets) == {}
    assert_sound(world)
    assert points(world.get("/orders/A-1")) == 134 + 329
    told = told_after(world, "A-1", *lines, **body)
    assert points(told) == 134 + 329
    lines[1]["refunded_minor"] = 1000
    told = told_after(world, "A-1", *lines, **body)
    assert points(told) == 114 + 329
    assert places_of(world, *secrets, "cy-GB").keys() <= {"cy-GB"}
    decision = world.get(f"/decisions/{told['decision_id']}")
    # What remains of them stands in the rules themselves.
    assert decision["facts"]["member.attributes.age"] == 18
    assert decision["facts"]["member.attributes.mail"] == "@example.org"
    assert decision["facts"]["order.codes"] == ["SPRING"]


def test_orders_and_erasures_at_once_leave_nothing_behind(shop: World) -> None:
    shop.member()
    shop.order("A-0", 1000)

    def delete() -> Any:
        return shop.call("DELETE", "/members/mina")

    def buy(number: int) -> Callable[[], Any]:
        return lambda: shop.call("PUT", f"/orders/A-{number}", order(1000))

    responses = at_once([delete, *(buy(number) for number in range(6)), delete])
    found = statuses(responses)
    # What came too late names somebody who is not known any more.
    assert set(found) <= {200, 201, 422}, found
    assert responses[0].json == responses[-1].json
    member_id = responses[0].json["member"]["id"]
    assert account(shop, member_id)[-1][3] == 0
    assert_sound(shop)
