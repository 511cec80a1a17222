"""A member's vouchers in a list, their states as of now, and codes that staff makes void."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios.test_gift_cards import left, paid, problems, sold
from tests.world import World

Make = Callable[..., World]
NOW = "2026-03-05T12:00:00Z"
LATER = "2026-03-05T12:30:00Z"
TENNER = {"key": "tenner", "kind": "discount_amount", "value": {"minor": 1000}, "cost_points": 100}
TENNER |= {"voucher": {"valid_for": "P10D"}}
POOLED = {"key": "film", "kind": "custom", "cost_points": 10, "voucher": {"pool": "films"}}
TWIN = POOLED | {"key": "twin"}
CREDIT = {"key": "credit", "kind": "store_credit", "value": {"minor": 2000}, "cost_points": 100}


@pytest.fixture
def shop(make_world: Make) -> Iterator[World]:
    """Mina and Jun with 1,000 points each."""
    world = make_world(rewards=[TENNER, POOLED, TWIN, CREDIT])
    world.set_clock(NOW)
    for ref in ("mina", "jun"):
        world.member(ref)
        world.post(
            "/adjustments", {"member_ref": ref, "points": 1000, "reason": "start"}, status=201
        )
    yield world
    assert world.verify()["mismatches"] == []


def held(world: World, reward: str = "tenner", member_ref: str = "mina") -> Any:
    """Hold a reward; the redemption."""
    body = {"member_ref": member_ref, "reward": reward}
    return world.post("/redemptions", body, status=201)["redemption"]


def captured(world: World, reward: str = "tenner") -> str:
    """Redeem a reward; its code."""
    found = held(world, reward)
    world.post(f"/redemptions/{found['id']}/capture", {})
    return str(found["voucher"]["code"])


def listed(world: World, query: str = "", member_ref: str = "mina") -> list[tuple[str, str]]:
    """Codes and states of a member's vouchers, newest first."""
    found = world.get(f"/vouchers?member_ref={member_ref}{query}")
    return [(one["code"], one["state"]) for one in found["data"]]


def void(world: World, text: str, *, status: int = 200, key: str | None = None) -> Any:
    """Make a code void."""
    headers = {"Idempotency-Key": key} if key else None
    if headers is None:
        return world.post(f"/vouchers/{text}/void", {"reason": "lost"}, status=status)
    answer = world.call("POST", f"/vouchers/{text}/void", {"reason": "lost"}, headers=headers)
    assert answer.status_code == status
    return answer.json


def test_a_members_vouchers_are_listed_with_their_codes(shop: World) -> None:
    assert listed(shop) == []
    first, second = captured(shop), captured(shop, "credit")
    card = sold(shop, member_ref="mina")
    sold(shop, member_ref="jun")
    shop.post(f"/vouchers/{first}/redeem", {"order_ref": "A-1"}, status=201)
    assert listed(shop) == [(card, "active"), (second, "active"), (first, "redeemed")]
    assert listed(shop, "&state=redeemed") == [(first, "redeemed")]
    assert listed(shop, "&kind=gift_card") == [(card, "active")]
    assert listed(shop, "&state=active&kind=store_credit") == [(second, "active")]
    page = shop.get("/vouchers?member_ref=mina&limit=2")
    assert [one["code"] for one in page["data"]] == [card, second]
    assert page["data"][1] == shop.get(f"/vouchers/{second}")
    assert page["data"][1]["remaining_minor"] == 2000
    rest = shop.get(f"/vouchers?member_ref=mina&limit=2&cursor={page['next_cursor']}")
    assert [one["code"] for one in rest["data"]] == [first] and rest["next_cursor"] is None
    assert shop.call("GET", "/vouchers?member_ref=nobody").status_code == 404
    assert shop.call("GET", "/vouchers").status_code == 422
    assert shop.call("GET", "/vouchers?member_ref=mina&state=reserved").status_code == 422


def test_states_are_those_of_the_contract_as_of_now(shop: World) -> None:
    shop.put("/voucher-pools/films", {"codes": ["FILM-1111"]})
    assert shop.get("/vouchers/FILM-1111")["state"] == "frozen"
    made = held(shop)
    shop.set_clock("2026-03-05T12:00:01Z")
    pooled = held(shop, "film")
    codes = [one["voucher"]["code"] for one in (pooled, made)]
    seen = [shop.get(f"/vouchers/{code}") for code in codes]
    assert [(one["state"], one["redemption_id"]) for one in seen] == [
        ("frozen", pooled["id"]),
        ("frozen", made["id"]),
    ]
    assert listed(shop, "&state=frozen") == [(code, "frozen") for code in codes]
    shop.set_clock("2026-03-05T12:30:01Z")
    # Both have run out, and nobody has written so.
    assert shop.get(f"/vouchers/{codes[1]}")["state"] == "void"
    free = shop.get(f"/vouchers/{codes[0]}")
    assert (free["state"], free["kind"], free["member_ref"]) == ("frozen", None, None)
    assert free["redemption_id"] is None and free["pool"] == "films"
    assert listed(shop) == [(codes[1], "void")] == listed(shop, "&state=void")
    assert listed(shop, "&state=frozen") == []


def test_dates_end_codes_when_they_are_read(shop: World) -> None:
    code = captured(shop)
    assert listed(shop, "&state=active") == [(code, "active")]
    shop.set_clock("2026-03-16T12:00:00Z")
    assert listed(shop, "&state=active") == []
    assert listed(shop, "&state=expired") == [(code, "expired")]


def test_a_lost_card_is_void_from_then_on(shop: World) -> None:
    code = sold(shop, member_ref="mina")
    told = shop.order("A-1", 2000, payments=[paid(2000, code)])
    assert told["problems"] == []
    first = void(shop, code, key="void-1")["voucher"]
    assert (first["state"], first["void_reason"]) == ("void", "lost") and "code" not in first
    assert void(shop, code, key="void-1")["voucher"] == first == void(shop, first["id"])["voucher"]
    shop.post(f"/vouchers/{code}/redeem", {"order_ref": "A-2", "order_minor": 5}, status=404)
    told = shop.order("A-2", 2000, payments=[paid(2000, code)])
    assert problems(told) == [("not_found", "/payments/0/code")]
    # What goes back to it is lost: staff is told to pay it back otherwise.
    refund = {"refunded_at": "2026-03-02T00:00:00Z", "amount_minor": 2000}
    told = shop.put("/orders/A-1/refunds/R-1", refund)
    assert problems(told) == [("state_conflict", "/payments")]
    assert left(shop, code) == 0 and shop.get(f"/vouchers/{code}")["state"] == "void"
    assert listed(shop, "&state=void") == [(code, "void")]


def test_what_was_used_or_is_only_held_is_not_made_void(shop: World) -> None:
    shop.put("/voucher-pools/films", {"codes": ["FILM-1111"]})
    assert void(shop, "FILM-1111", status=409)["state"] == "frozen"
    used, unused, kept = captured(shop), captured(shop), held(shop)
    shop.post(f"/vouchers/{used}/redeem", {"order_ref": "A-1"}, status=201)
    assert void(shop, used, status=409)["state"] == "redeemed"
    told = void(shop, kept["voucher"]["code"], status=409)
    assert told["state"] == "frozen" and kept["id"] in told["detail"]
    assert shop.get(f"/vouchers/{used}")["state"] == "redeemed"
    assert void(shop, unused)["voucher"]["state"] == "void"
    void(shop, "NONE-0000-00000", status=404)
    # Its points stay spent until the redemption is reversed.
    assert shop.balance() == 700
    voucher = shop.get(f"/vouchers/{unused}")
    shop.post(f"/redemptions/{voucher['redemption_id']}/reverse", {"reason": "lost"})
    assert shop.balance() == 800


def test_the_code_of_a_grant_takes_the_grant_with_it(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "tenner", "reason": "sorry"}
    grant = shop.post("/grants", body, status=201)["grant"]
    void(shop, grant["voucher"]["code"])
    found = shop.get(f"/grants/{grant['id']}")
    assert (found["state"], found["reason"]) == ("revoked", "lost")


def test_a_reward_whose_pool_is_empty_or_missing_is_out_of_stock(shop: World) -> None:
    def reasons(member_ref: str = "mina") -> list[list[str]]:
        found = shop.get(f"/members/{member_ref}/rewards")["data"]
        by_key = {one["key"]: one for one in found}
        return [
            [one["code"] for one in by_key[key]["unavailable_reasons"]] for key in ("film", "twin")
        ]

    assert reasons() == [["out_of_stock"]] * 2
    told = shop.post("/redemptions", {"member_ref": "mina", "reward": "film"}, status=409)
    assert told["code"] == "out_of_stock"
    assert "pool" not in told["detail"] and "import" not in told["detail"]
    shop.put("/voucher-pools/films", {"codes": ["FILM-1111"]})
    assert reasons() == [[], []]
    held(shop, "film")
    assert reasons() == reasons("jun") == [["out_of_stock"]] * 2
    cart = {"currency": "EUR", "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 500}]}
    quote = shop.post("/quotes", {"member_ref": "jun", "cart": cart})
    by_key = {one["key"]: one["is_available"] for one in quote["rewards"]}
    assert (by_key["film"], by_key["tenner"]) == (False, True)
    told = shop.post("/redemptions", {"member_ref": "jun", "reward": "twin"}, status=409)
    assert told["code"] == "out_of_stock" and "pool" not in told["detail"]
    shop.set_clock(LATER)
    # The hold has run out: its code is there for whoever wants it, through either reward.
    assert reasons() == reasons("jun") == [[], []]
    assert held(shop, "twin", "jun")["voucher"]["code"] == "FILM-1111"
    assert reasons() == [["out_of_stock"]] * 2
