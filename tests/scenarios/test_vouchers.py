"""Codes of redemptions, at the addresses of vouchers and in orders (API 5, SEMANTICS E34, E38)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.contract import checking
from tests.world import World, rule

Make = Callable[..., World]
TENNER = {
    "key": "tenner",
    "kind": "discount_amount",
    "value": {"minor": 1000},
    "cost_points": 100,
    "voucher": {"valid_for": "P30D"},
}


def held(world: World, reward: str = "tenner", *, member_ref: str = "mina", **more: Any) -> Any:
    """Hold a reward; the redemption."""
    body = {"member_ref": member_ref, "reward": reward} | more
    return world.post("/redemptions", body, status=201)["redemption"]


def captured(world: World, reward: str = "tenner", *, member_ref: str = "mina") -> Any:
    """Redeem a reward for no order; the redemption."""
    found = held(world, reward, member_ref=member_ref)
    return world.post(f"/redemptions/{found['id']}/capture", {})["redemption"]


def redeem(
    world: World, code: str, order_ref: str = "A-1", *, status: int = 201, **more: Any
) -> Any:
    """Use a code with an order."""
    body = {"order_ref": order_ref} | more
    return world.post(f"/vouchers/{code}/redeem", body, status=status)


@pytest.fixture
def shop(make_world: Make) -> World:
    """Mina and Jun with 1,000 points each."""
    rewards = [
        TENNER,
        TENNER | {"key": "twice", "voucher": {"uses": 2}},
        TENNER | {"key": "dear", "min_order_minor": 9000},
        TENNER
        | {"key": "tenth", "kind": "discount_percent", "value": {"percent_bp": 1000}}
        | {"max_discount_minor": 500},
        TENNER | {"key": "vip", "kind": "access", "value": {"perk": "lounge"}},
    ]
    world = make_world(rewards=rewards)
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.post(
            "/adjustments", {"member_ref": ref, "points": 1000, "reason": "start"}, status=201
        )
    return world


def test_a_code_is_shown_with_its_redemption_and_ends_with_its_last_day(shop: World) -> None:
    found = held(shop)
    code = found["voucher"]["code"]
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}", code)
    # Held at nine in the evening on 1 March in Seoul: valid through 31 March.
    assert found["voucher"]["expires_at"] == "2026-03-31T15:00:00Z"
    assert shop.get(f"/redemptions/{found['id']}")["voucher"] == found["voucher"]
    seen = shop.get(f"/vouchers/{code.lower().replace('-', ' ')}")
    assert seen["code"] == code
    assert (seen["state"], seen["kind"], seen["uses_left"]) == ("frozen", "discount_amount", 1)
    assert (seen["member_ref"], seen["origin"]) == ("mina", "granted")
    assert seen["discount"] == {"kind": "discount_amount", "minor": 1000}
    assert shop.get(f"/vouchers/{seen['id']}")["code"] == code


def test_the_code_follows_its_redemption(shop: World) -> None:
    found = held(shop)
    path = f"/vouchers/{found['voucher']['code']}"
    shop.post(f"/redemptions/{found['id']}/capture", {})
    assert shop.get(path)["state"] == "active"
    answer = shop.post(f"/redemptions/{found['id']}/reverse", {"reason": "mistake"})
    assert answer["redemption"]["voucher"] is None
    assert shop.get(path)["state"] == "void"
    redeem(shop, found["voucher"]["code"], status=404)
    other = held(shop)
    shop.post(f"/redemptions/{other['id']}/release")
    assert shop.get(f"/vouchers/{other['voucher']['code']}")["state"] == "void"


def test_the_code_of_what_is_only_held_captures_it(shop: World) -> None:
    found = held(shop)
    answer = redeem(shop, found["voucher"]["code"], member_ref="mina", order_minor=700)
    assert answer["use"]["amount_minor"] == 700
    assert answer["voucher"]["state"] == "redeemed"
    assert shop.get(f"/redemptions/{found['id']}")["state"] == "captured"
    assert shop.balance() == 900
    shop.post(f"/redemptions/{found['id']}/release", status=409)
    problem = shop.post(f"/redemptions/{found['id']}/reverse", {"reason": "x"}, status=409)
    assert problem["state"] == "used"
    shop.post(f"/vouchers/{found['voucher']['code']}/release", {"order_ref": "A-1"})
    shop.post(f"/redemptions/{found['id']}/reverse", {"reason": "x"})
    assert shop.balance() == 1000


def test_a_lapsed_hold_takes_its_code_along(shop: World) -> None:
    found = held(shop, ttl="PT30M")
    shop.set_clock("2026-03-01T12:30:00Z")
    redeem(shop, found["voucher"]["code"], status=404)
    assert shop.balance() == 1000


def test_redeem_and_release_converge_for_each_order(shop: World) -> None:
    code = captured(shop)["voucher"]["code"]
    assert redeem(shop, code)["use"]["is_released"] is False
    assert redeem(shop, code, status=200)["voucher"]["uses"] == 1
    redeem(shop, code, "A-2", status=404)
    path = f"/vouchers/{code}/release"
    shop.post(path, {"order_ref": "A-2"}, status=404)
    for _ in range(2):
        answer = shop.post(path, {"order_ref": "A-1"})
        assert answer["use"]["is_released"] is True
        assert (answer["voucher"]["state"], answer["voucher"]["uses_left"]) == ("active", 1)
    redeem(shop, code, "A-2")
    redeem(shop, code, "A-1", status=404)


def test_a_code_of_two_uses_serves_two_orders(shop: World) -> None:
    code = captured(shop, "twice")["voucher"]["code"]
    assert redeem(shop, code, "A-1")["voucher"]["uses_left"] == 1
    assert redeem(shop, code, "A-1", status=200)["voucher"]["uses_left"] == 1
    assert redeem(shop, code, "A-2")["voucher"]["state"] == "redeemed"
    redeem(shop, code, "A-3", status=404)


def test_unknown_foreign_used_and_ended_codes_are_answered_alike(shop: World) -> None:
    theirs, used, late = (captured(shop)["voucher"]["code"] for _ in range(3))
    redeem(shop, used, "A-1")
    told = []
    for code in ("NONE-0000-00000", used, theirs, captured(shop, "vip")["voucher"]["code"]):
        member = "jun" if code not in ("NONE-0000-00000", used) else "mina"
        body = redeem(shop, code, "A-2", member_ref=member, status=404)
        told.append({name: body[name] for name in body if name != "request_id"})
    shop.set_clock("2026-03-31T15:00:00Z")
    body = redeem(shop, late, "A-2", status=404)
    told.append({name: body[name] for name in body if name != "request_id"})
    assert all(one == told[0] for one in told) and told[0]["code"] == "not_found"


def test_a_code_is_valid_until_the_last_instant_of_its_day(shop: World) -> None:
    first, second = captured(shop)["voucher"]["code"], captured(shop)["voucher"]["code"]
    shop.set_clock("2026-03-31T14:59:59Z")
    redeem(shop, first)
    shop.set_clock("2026-03-31T15:00:00Z")
    assert shop.get(f"/vouchers/{second}")["state"] == "expired"
    assert shop.get(f"/vouchers/{first}")["state"] == "redeemed"


def test_an_order_uses_the_codes_it_names_and_gives_them_back(shop: World) -> None:
    code = captured(shop)["voucher"]["code"]
    told = shop.order("A-1", 5000, codes=["SPRING", code.lower()])
    assert told["problems"] == []
    voucher = shop.get(f"/vouchers/{code}")
    assert (voucher["state"], voucher["order_ref"]) == ("redeemed", "A-1")
    # Our code is shown by its voucher's id; told so again, it means the same.
    assert told["order"]["codes"] == ["SPRING", voucher["id"]]
    for again in ([code], ["SPRING", code], told["order"]["codes"]):
        assert shop.order("A-1", 5000, codes=again)["problems"] == []
        assert shop.get(f"/vouchers/{code}")["uses"] == 1
    other = shop.order("A-2", 5000, codes=[code])
    assert [(one["code"], one["pointer"]) for one in other["problems"]] == [
        ("not_found", "/codes/0")
    ]
    again = shop.order("A-2", 5000, codes=[code])
    assert again["problems"] == other["problems"]
    shop.order("A-1", 5000, codes=[code], status="cancelled")
    assert shop.get(f"/vouchers/{code}")["state"] == "active"
    shop.order("A-1", 5000, codes=[code])
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    shop.order("A-1", 5000, codes=[])
    assert shop.get(f"/vouchers/{code}")["state"] == "active"


def test_only_orders_that_are_paid_use_codes(shop: World) -> None:
    code = captured(shop)["voucher"]["code"]
    shop.order("A-1", 5000, codes=[code], status="pending")
    assert shop.get(f"/vouchers/{code}")["state"] == "active"
    shop.order("A-1", 5000, codes=[code])
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"


def test_a_whole_refund_gives_a_code_back_and_a_part_does_not(shop: World) -> None:
    code = captured(shop)["voucher"]["code"]
    shop.order("A-1", 5000, codes=[code])
    refund = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 1000}
    shop.set_clock("2026-03-03T03:00:00Z")
    shop.put("/orders/A-1/refunds/R-1", refund)
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    shop.put("/orders/A-1/refunds/R-2", refund | {"amount_minor": 4000})
    assert shop.get(f"/vouchers/{code}")["state"] == "active"
    shop.put("/orders/A-1/refunds/R-2", refund | {"amount_minor": 4000, "status": "withdrawn"})
    assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"


def test_an_order_captures_what_its_code_only_holds(shop: World) -> None:
    found = held(shop)
    told = shop.order("A-1", 5000, codes=[found["voucher"]["code"]], discount_minor=1000)
    assert told["problems"] == []
    assert shop.get(f"/redemptions/{found['id']}")["state"] == "captured"
    assert told["balances"][0]["available"] == 900 + 40


def test_a_guest_may_use_a_members_code_and_another_member_may_not(shop: World) -> None:
    found, free = held(shop), captured(shop)
    told = shop.order("A-1", 5000, codes=[found["voucher"]["code"]], member_ref="jun")
    assert [one["pointer"] for one in told["problems"]] == ["/codes/0"]
    assert shop.get(f"/redemptions/{found['id']}")["state"] == "held"
    for ref, code in (("G-1", found["voucher"]["code"]), ("G-2", free["voucher"]["code"])):
        assert shop.order(ref, 5000, codes=[code], member_ref=None)["problems"] == []
        assert shop.get(f"/vouchers/{code}")["state"] == "redeemed"
    assert shop.get(f"/redemptions/{found['id']}")["state"] == "captured"
    # The order changes hands: it is no guest's any more, and not Mina's either.
    told = shop.order("G-2", 5000, codes=[free["voucher"]["code"]], member_ref="jun")
    assert [one["pointer"] for one in told["problems"]] == ["/codes/0"]
    assert shop.get(f"/vouchers/{free['voucher']['code']}")["state"] == "active"
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 5000}
    shop.put("/orders/G-1/refunds/R-1", refund)
    assert shop.get(f"/vouchers/{found['voucher']['code']}")["state"] == "active"


def test_a_code_counts_once_through_two_doors(shop: World) -> None:
    found = held(shop)
    code = found["voucher"]["code"]
    redeem(shop, code, "A-1")
    told = shop.order("A-2", 5000, redemptions=[found["id"]])
    assert [one["code"] for one in told["problems"]] == ["state_conflict"]
    both = held(shop)
    told = shop.order("A-3", 5000, redemptions=[both["id"]], codes=[both["voucher"]["code"]])
    assert told["problems"] == []
    assert shop.get(f"/vouchers/{both['voucher']['code']}")["uses"] == 1
    told = shop.order("A-4", 5000, codes=[both["voucher"]["code"]])
    assert [one["code"] for one in told["problems"]] == ["not_found"]
    shop.order(
        "A-3", 5000, redemptions=[both["id"]], codes=[both["voucher"]["code"]], status="cancelled"
    )
    assert shop.get(f"/redemptions/{both['id']}")["state"] == "reversed"
    assert shop.get(f"/vouchers/{both['voucher']['code']}")["state"] == "void"


def test_a_batch_uses_codes_as_single_orders_do(shop: World) -> None:
    code = captured(shop)["voucher"]["code"]
    orders = [
        {"order_ref": ref, "codes": [code], "member_ref": "mina", "status": "paid"}
        | {"currency": "EUR", "placed_at": "2026-03-01T02:00:00Z"}
        | {"lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 5000}]}
        for ref in ("B-1", "B-2")
    ]
    results = shop.post("/orders/batch", {"orders": orders})["results"]
    assert [len(one["problems"]) for one in results] == [0, 1]


def test_a_quote_says_which_codes_count(shop: World) -> None:
    tenner, tenth, dear = (
        captured(shop, key)["voucher"]["code"] for key in ("tenner", "tenth", "dear")
    )
    reserved = held(shop)["voucher"]["code"]
    used = captured(shop)["voucher"]["code"]
    redeem(shop, used)
    asked = [tenner.lower(), tenth, dear, reserved, used, "SPRING"]
    shown = shop.quote(8000, codes=asked)["codes"]
    assert [one["code"] for one in shown] == asked
    assert [one["is_valid"] for one in shown] == [True, True, False, True, False, False]
    assert shown[0]["discount"] == {"kind": "discount_amount", "minor": 1000}
    # 10 % of 80.00 is 8.00; at most 5.00.
    assert shown[1]["discount"]["minor"] == 500
    assert (shown[2]["reason"], shown[2]["missing_minor"]) == ("BELOW_MIN", 1000)
    assert {name: shown[4][name] for name in ("is_valid", "reason")} == {
        name: shown[5][name] for name in ("is_valid", "reason")
    }
    theirs = shop.quote(8000, codes=[tenner], member_ref="jun")["codes"]
    assert theirs == [{"code": tenner, "is_valid": False, "reason": "NOT_FOUND"}]
    assert shop.get(f"/vouchers/{tenner}")["state"] == "active"


def test_the_world_is_told_without_the_code(shop: World) -> None:
    shop.post(
        "/webhook-endpoints",
        {"url": "https://hooks.example.org/", "types": ["voucher.*"]},
        status=201,
    )
    code = captured(shop)["voucher"]["code"]
    shop.order("A-1", 5000, codes=[code], discount_minor=1000)
    told = [one for one in checking.rows(shop)["outbox"] if "voucher.redeemed" in one]
    assert len(told) == 1
    text = str(told)
    assert '"order_ref":"A-1"' in text and '"amount_minor":1000' in text and code not in text


def test_a_leaked_database_gives_no_live_code_away(shop: World) -> None:
    first, second, third = captured(shop), captured(shop, "twice"), held(shop)
    redeem(shop, second["voucher"]["code"], "A-2", member_ref="mina")
    shop.order("A-1", 5000, codes=[first["voucher"]["code"]])
    card = shop.post("/vouchers", {"kind": "gift_card", "minor": 500}, status=201)["voucher"]
    pay = {"kind": "gift_card", "amount_minor": 300, "code": card["code"]}
    shop.order("A-3", 5000, payments=[pay, {"kind": "card", "amount_minor": 4700}])
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 1000}
    shop.put("/orders/A-3/refunds/R-1", refund)
    everything = repr(checking.rows(shop)).upper()
    for code in (*(one["voucher"]["code"] for one in (first, second, third)), card["code"]):
        bare = code.replace("-", "")
        assert code not in everything and bare not in everything


def test_a_repeated_answer_shows_the_code_again(shop: World) -> None:
    body = {"kind": "gift_card", "minor": 500}
    first = shop.post("/vouchers", body, status=201, key="sold-1")
    assert shop.post("/vouchers", body, status=201, key="sold-1") == first
    assert first["voucher"]["code"]


def test_rules_may_ask_for_codes_of_the_storefront(make_world: Make) -> None:
    bonus = rule(
        "spring",
        {"do": "add_points", "points": 50},
        when={"fact": "order.codes", "op": "contains", "value": "SPRING"},
    )
    world = make_world(earning={"rules": [bonus]})
    world.member("mina")
    assert world.earned("A-1", 1000, codes=["SPRING"]) == 50


def test_expired_vouchers_are_written_by_the_worker(shop: World) -> None:
    from core import db, ids
    from rewards.carried import VOUCHERS
    from storefront import due

    code = captured(shop)["voucher"]["code"]
    shop.set_clock("2026-04-10T03:00:00Z")
    program_id = ids.read_id("prg", shop.program_id)
    assert program_id is not None
    with shop.app.app_context():
        assert program_id in due.programs_due()
        due.settle_all(program_id)
        assert program_id not in due.programs_due()
        rows = db.reading(
            lambda connection: connection.execute(
                sa.select(VOUCHERS.c.state, VOUCHERS.c.ended_at, VOUCHERS.c.expires_at).where(
                    VOUCHERS.c.program_id == program_id
                )
            ).all()
        )
    assert len(rows) == 1 and rows[0].state == "expired"
    assert rows[0][1] == rows[0][2]
    assert shop.get(f"/vouchers/{code}")["state"] == "expired"
    # An order that was placed before its end may be told after it.
    told = shop.order("A-1", 5000, codes=[code], placed_at="2026-03-31T14:00:00Z")
    assert told["problems"] == []
