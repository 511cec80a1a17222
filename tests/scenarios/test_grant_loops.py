"""What orders give is given once: bought, used and refunded in loops, told for others, refunded."""

from typing import Any

import pytest

from tests.scenarios.granting import MakeWorld, all_of, granting, grants_rule
from tests.world import World

CARD = {"key": "card", "kind": "gift_card", "value": {"minor": 1000}, "voucher": {}}
TWICE = {"key": "twice", "kind": "discount_amount", "value": {"minor": 100}, "voucher": {"uses": 2}}
FIRST = {"when": {"fact": "order.is_first", "op": "=", "value": True}}


def once(per: str, times: int = 1) -> dict[str, Any]:
    return {"limits": [{"per": per, "period": "ever", "times": times}]}


def shop(make_world: MakeWorld, **rule: Any) -> World:
    """A program whose orders bring a gift card of 10.00."""
    return granting(make_world, grants_rule("any", "card", **rule), rewards=[CARD, TWICE])


def code_of(told: Any) -> str:
    [grant] = told["grants"]
    code: str = grant["voucher"]["code"]
    return code


def spend(world: World, ref: str, code: str, minor: int = 1000, **more: Any) -> Any:
    """A guest's order that is paid with a card."""
    payments = [{"kind": "gift_card", "amount_minor": minor, "code": code}]
    return world.order(ref, minor, **{"member_ref": None, "payments": payments} | more)


def voucher(world: World, code: str) -> tuple[str, int]:
    found = world.get(f"/vouchers/{code}")
    return found["state"], found["remaining_minor"]


def sound(world: World) -> None:
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (FIRST, "already_paid"),
        (once("member"), "limit_reached"),
        (once("program"), "limit_reached"),
    ],
)
def test_a_loop_of_buying_using_and_cancelling_pays_once(
    make_world: MakeWorld, rule: dict[str, Any], reason: str
) -> None:
    world = shop(make_world, **rule)
    assert spend(world, "U-0", code_of(world.order("A-0", 10000)))["problems"] == []
    world.order("A-0", 10000, status="cancelled")
    for number in (1, 2):
        told = world.order(f"A-{number}", 10000)
        assert (told["grants"], told["problems"]) == ([], [])
        outcome = world.outcomes(told)["any"]
        assert (outcome["is_fired"], outcome["reason"]) == (False, reason)
        assert "was used" in outcome["detail"]
        # Told again, it says the same and gives no more.
        assert world.order(f"A-{number}", 10000, revision=2)["grants"] == []
        world.order(f"A-{number}", 10000, status="cancelled", revision=3)
    assert all_of(world) == [("card", "used")]
    sound(world)
    # The first order stands again, with what it gave; then nothing is owed.
    assert [one["state"] for one in world.order("A-0", 10000)["grants"]] == ["used"]
    sound(world)


@pytest.mark.parametrize("rule", [FIRST, once("member"), once("program")])
def test_what_is_given_back_frees_its_place(make_world: MakeWorld, rule: dict[str, Any]) -> None:
    world = shop(make_world, **rule)
    code = code_of(world.order("A-0", 10000))
    spend(world, "U-0", code)
    world.order("A-0", 10000, status="cancelled")
    spend(world, "U-0", code, status="cancelled")
    assert all_of(world) == [("card", "revoked")]
    assert len(world.order("A-1", 10000)["grants"]) == 1
    sound(world)


def test_limits_leave_what_was_not_used(make_world: MakeWorld) -> None:
    world = shop(make_world, **once("program", 3))
    spend(world, "U-0", code_of(world.order("A-0", 10000)))
    world.order("A-0", 10000, status="cancelled")
    # One of three was used of an order that fell: two are left, one of them Jun's.
    given = [
        len(world.order(f"A-{number}", 10000, member_ref=ref)["grants"])
        for number, ref in enumerate(("jun", "mina", "jun", "mina"), start=1)
    ]
    assert given == [1, 1, 0, 0]
    sound(world)


def test_a_used_grant_counts_for_whoever_has_the_order_next(make_world: MakeWorld) -> None:
    world = shop(make_world)
    spend(world, "U-0", code_of(world.order("A-1", 10000)))
    for ref in ("jun", "mina", "jun"):
        told = world.order("A-1", 10000, member_ref=ref)
        assert [one["state"] for one in told["grants"]] == (["used"] if ref == "mina" else [])
        if ref == "jun":
            assert world.outcomes(told)["any"]["reason"] == "already_paid"
    assert (all_of(world), all_of(world, "jun")) == ([("card", "used")], [])
    sound(world)
    # Unused it moves on; used by Jun, it does not come back to Mina.
    other = world.order("A-2", 10000)
    assert len(other["grants"]) == 1
    spend(world, "U-1", code_of(world.order("A-2", 10000, member_ref="jun")))
    assert world.order("A-2", 10000)["grants"] == []
    sound(world)


def test_moving_orders_away_frees_no_place_that_was_used(make_world: MakeWorld) -> None:
    world = shop(make_world, **once("member"))
    spend(world, "U-0", code_of(world.order("A-0", 10000)))
    # Used by Mina, the first brings Jun nothing; the second brings him his one.
    moved = [len(world.order("A-0", 10000, member_ref="jun")["grants"])]
    for ref in ("A-1", "A-2"):
        assert world.order(ref, 10000)["grants"] == []
        moved.append(len(world.order(ref, 10000, member_ref="jun")["grants"]))
    assert moved == [0, 1, 0]
    sound(world)


def test_a_use_that_was_wholly_refunded_is_none(make_world: MakeWorld) -> None:
    world = shop(make_world)
    code = code_of(world.order("A-1", 10000))
    spend(world, "U-1", code)
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 1000}
    world.put("/orders/U-1/refunds/R-1", refund)
    assert voucher(world, code) == ("active", 1000)
    world.order("A-1", 10000, status="cancelled")
    assert all_of(world) == [("card", "revoked")]
    assert voucher(world, code)[0] == "void"
    assert [one["code"] for one in spend(world, "U-2", code)["problems"]] == ["not_found"]
    # The refund is withdrawn: the money is not there for it any more.
    told = world.put("/orders/U-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert [one["code"] for one in told["problems"]] == ["insufficient_value"]
    sound(world)
    back = world.order("A-1", 10000)
    assert voucher(world, code) == ("active", 1000)
    assert [one["state"] for one in back["grants"]] == ["used"]
    assert spend(world, "U-3", code)["problems"] == []
    assert voucher(world, code) == ("redeemed", 0)
    sound(world)


def test_the_rest_of_a_card_goes_and_comes_with_its_cause(make_world: MakeWorld) -> None:
    world = shop(make_world)
    code = code_of(world.order("A-1", 10000))
    spend(world, "U-1", code, 400)
    assert voucher(world, code) == ("active", 600)
    world.order("A-1", 10000, status="cancelled")
    assert voucher(world, code) == ("void", 0)
    assert all_of(world) == [("card", "used")]
    assert [one["code"] for one in spend(world, "U-2", code, 1)["problems"]] == ["not_found"]
    # What was spent stays; spending more of it by the same order does not.
    assert spend(world, "U-1", code, 400, revision=2)["problems"] == []
    assert [one["code"] for one in spend(world, "U-1", code, 500, revision=3)["problems"]] == [
        "insufficient_value"
    ]
    sound(world)
    world.order("A-1", 10000)
    assert voucher(world, code) == ("active", 600)
    world.order("A-1", 10000, status="cancelled")
    # Given back after its cause fell, it is nobody's.
    spend(world, "U-1", code, 400, status="cancelled", revision=4)
    assert (voucher(world, code), all_of(world)) == (("void", 0), [("card", "revoked")])
    sound(world)
    world.order("A-1", 10000)
    assert voucher(world, code) == ("active", 1000)
    sound(world)


def test_a_wholly_spent_card_stays_spent(make_world: MakeWorld) -> None:
    world = shop(make_world)
    code = code_of(world.order("A-1", 10000))
    spend(world, "U-1", code)
    world.order("A-1", 10000, status="cancelled")
    world.order("A-1", 10000)
    assert voucher(world, code) == ("redeemed", 0)
    sound(world)


def test_uses_that_are_left_of_a_code_go_with_its_cause(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any", "twice"), rewards=[TWICE])
    code = code_of(world.order("A-1", 10000))
    quiet = {"member_ref": None, "codes": [code]}
    assert world.order("U-1", 500, **quiet)["problems"] == []
    world.order("A-1", 10000, status="cancelled")
    assert [one["code"] for one in world.order("U-2", 500, **quiet)["problems"]] == ["not_found"]
    world.order("A-1", 10000)
    assert world.order("U-2", 500, **quiet, revision=2)["problems"] == []
    assert world.get(f"/vouchers/{code}")["state"] == "redeemed"
    sound(world)


def test_a_bought_card_that_has_all_its_money_again_can_be_reversed(
    make_world: MakeWorld,
) -> None:
    world = granting(make_world, rewards=[CARD | {"cost_points": 10}])
    world.order("A-1", 10000)
    body = {"member_ref": "mina", "reward": "card"}
    held = world.post("/redemptions", body, status=201)["redemption"]
    code, path = held["voucher"]["code"], f"/redemptions/{held['id']}"
    world.post(f"{path}/capture", {})
    spend(world, "U-1", code, 400)
    assert world.post(f"{path}/reverse", {"reason": "x"}, status=409)["code"] == "state_conflict"
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 400}
    world.put("/orders/U-1/refunds/R-1", refund)
    reversed_ = world.post(f"{path}/reverse", {"reason": "x"})["redemption"]
    assert (reversed_["state"], voucher(world, code)) == ("reversed", ("void", 0))
    assert world.balance() == 100
    told = world.put("/orders/U-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert [one["code"] for one in told["problems"]] == ["insufficient_value"]
    sound(world)
