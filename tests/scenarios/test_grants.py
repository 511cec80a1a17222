"""Grants: given by hand, used by a redemption or by their code, lapsed and taken back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.concurrency.parallel import at_once, put
from tests.world import World, order

GIFT = {"key": "gift", "kind": "free_product", "value": {"sku": "MUG"}, "stock": 3}
COUPON = {
    "key": "coupon",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "voucher": {"pattern": "SORRY-#############", "valid_for": "P30D"},
}
LOUNGE = {"key": "lounge", "kind": "access", "value": {"perk": "lounge"}}
SOLD_OUT = {"key": "last", "kind": "custom", "stock": 0}
MakeWorld = Callable[..., World]


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """A program with rewards that nobody can buy, on 1 March 2026."""
    world = make_world(rewards=[GIFT, COUPON, LOUNGE, SOLD_OUT])
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    return world


def give(world: World, reward: str = "gift", *, status: int = 201, **more: Any) -> Any:
    body = {"member_ref": "mina", "reward": reward, "reason": "late parcel"} | more
    answer = world.post("/grants", body, status=status)
    return answer["grant"] if status == 201 else answer


def left(world: World, reward: str = "gift") -> int:
    found: int = world.get(f"/rewards/{reward}/stock")["left"]
    return found


def test_a_grant_by_hand_says_who_and_why(shop: World) -> None:
    headers = {"Dangol-Actor": "support:kim", "Idempotency-Key": "g-1"}
    body = {"member_ref": "mina", "reward": "gift", "reason": "late parcel"}
    response = shop.call("POST", "/grants", body, headers=headers)
    assert response.status_code == 201
    grant = response.json["grant"]
    assert grant["member_ref"] == "mina"
    assert (grant["state"], grant["reason"], grant["actor"]) == (
        "open",
        "late parcel",
        "support:kim",
    )
    assert grant["source"] == {"type": "manual", "ref": grant["id"]}
    assert (grant["voucher"], grant["expires_at"]) == (None, None)
    assert grant["granted_at"] == "2026-03-01T12:00:00Z"
    assert shop.get(f"/grants/{grant['id']}") == grant
    assert shop.get("/grants?member_ref=mina")["data"] == [grant]
    assert shop.get("/grants?member_ref=jun")["data"] == []
    assert left(shop) == 2
    again = shop.call("POST", "/grants", body, headers=headers)
    assert again.json == response.json
    assert left(shop) == 2


def test_a_code_is_shown_and_stored_nowhere_in_the_clear(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "coupon", "reason": "late parcel"}
    grant = shop.post("/grants", body, status=201, key="g-1")["grant"]
    code = grant["voucher"]["code"]
    assert code.startswith("SORRY-")
    # 30 days from 1 March in Seoul.
    assert grant["expires_at"] == grant["voucher"]["expires_at"] == "2026-03-31T15:00:00Z"
    assert shop.post("/grants", body, status=201, key="g-1")["grant"] == grant
    assert shop.get(f"/grants/{grant['id']}")["voucher"]["code"] == code
    from core import db

    def dump(connection: sa.Connection) -> str:
        return "".join(
            repr(tuple(row))
            for table in db.Base.metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        )

    with shop.app.app_context():
        assert code not in db.reading(dump)


def test_what_cannot_be_granted(shop: World) -> None:
    assert give(shop, "nothing", status=404)["code"] == "not_found"
    assert give(shop, member_ref="nobody", status=404)["code"] == "not_found"
    assert give(shop, "last", status=409)["code"] == "out_of_stock"
    assert give(shop, reason="  ", status=422)["code"] == "validation_failed"
    past = give(shop, expires_at="2026-03-01T12:00:00Z", status=422)
    assert past["errors"][0]["pointer"] == "/expires_at"
    shop.post(
        "/switches", {"section": "rewards", "key": "gift", "state": "paused", "reason": "recall"}
    )
    paused = give(shop, status=409)
    assert (paused["code"], paused["state"]) == ("state_conflict", "paused")
    assert left(shop) == 3


def test_a_grant_is_used_by_a_redemption_and_open_again_when_that_is_released(shop: World) -> None:
    first = give(shop, expires_at="2026-05-01T00:00:00Z")
    soonest = give(shop, expires_at="2026-04-01T00:00:00Z")
    never = give(shop)
    assert left(shop) == 0
    held = shop.post("/redemptions", {"member_ref": "mina", "reward": "gift"}, status=201)
    redemption = held["redemption"]
    shown = shop.get(f"/grants/{soonest['id']}")
    assert (shown["state"], shown["redemption_id"]) == ("used", redemption["id"])
    assert shop.get("/grants?state=open")["data"] == [never, first]
    shop.post(f"/redemptions/{redemption['id']}/release")
    assert shop.get(f"/grants/{soonest['id']}") == soonest
    named = shop.post(
        "/redemptions",
        {"member_ref": "mina", "reward": "gift", "grant_id": never["id"]},
        status=201,
    )["redemption"]
    shop.post(f"/redemptions/{named['id']}/capture", {})
    assert shop.get(f"/grants/{never['id']}")["state"] == "used"
    assert left(shop) == 0
    shop.post(f"/redemptions/{named['id']}/reverse", {"reason": "wrong one"})
    assert shop.get(f"/grants/{never['id']}")["state"] == "open"
    assert left(shop) == 0
    other = {"member_ref": "jun", "reward": "gift", "grant_id": never["id"]}
    assert shop.post("/redemptions", other, status=404)["code"] == "not_found"
    assert shop.verify()["mismatches"] == []


def test_a_grant_with_a_code_is_used_by_the_code_alone(shop: World) -> None:
    grant = give(shop, "coupon")
    code = grant["voucher"]["code"]
    body = {"member_ref": "mina", "reward": "coupon"}
    assert shop.post("/redemptions", body, status=409)["code"] == "state_conflict"
    shop.post(f"/vouchers/{code}/redeem", {"order_ref": "A-1"}, status=201)
    assert shop.get(f"/grants/{grant['id']}")["state"] == "used"
    refused = shop.post(f"/grants/{grant['id']}/revoke", {"reason": "no"}, status=409)
    assert refused["state"] == "used"
    shop.post(f"/vouchers/{code}/release", {"order_ref": "A-1"})
    assert shop.get(f"/grants/{grant['id']}")["state"] == "open"
    told = shop.order("A-2", 5000, codes=[code])
    assert told["problems"] == []
    assert shop.get(f"/grants/{grant['id']}")["state"] == "used"
    assert shop.verify()["mismatches"] == []


def test_revoked_by_hand_is_gone_for_good(shop: World) -> None:
    grant = give(shop, "coupon")
    code = grant["voucher"]["code"]
    body = {"reason": "sent twice"}
    revoked = shop.post(f"/grants/{grant['id']}/revoke", body)["grant"]
    assert (revoked["state"], revoked["reason"], revoked["voucher"]) == (
        "revoked",
        "sent twice",
        None,
    )
    assert revoked["ended_at"] == "2026-03-01T12:00:00Z"
    assert shop.post(f"/grants/{grant['id']}/revoke", body)["grant"] == revoked
    assert shop.get(f"/vouchers/{code}")["state"] == "void"
    unknown = "grt_" + "0" * 26
    assert shop.post(f"/grants/{unknown}/revoke", body, status=404)["code"] == "not_found"
    assert shop.call("GET", f"/grants/{unknown}").status_code == 404
    gift = give(shop)
    shop.post(f"/grants/{gift['id']}/revoke", body)
    assert left(shop) == 3


def test_a_rules_grant_that_a_hand_revoked_does_not_come_back(make_world: MakeWorld) -> None:
    rules = [{"key": "any", "trigger": "order", "effect": {"do": "grant_reward", "reward": "gift"}}]
    world = make_world(earning={"rules": rules}, rewards=[GIFT])
    world.set_clock("2026-03-01T12:00:00Z")
    world.member()
    [grant] = world.order("A-1", 100)["grants"]
    world.post(f"/grants/{grant['id']}/revoke", {"reason": "fraud"})
    world.order("A-1", 100, status="cancelled")
    assert world.order("A-1", 100)["grants"] == []
    assert left(world) == 3


def test_a_date_is_true_when_it_is_read(shop: World) -> None:
    grant = give(shop, "coupon", expires_at="2026-03-02T00:00:00Z")
    assert grant["voucher"]["expires_at"] == "2026-03-02T00:00:00Z"
    shop.set_clock("2026-03-02T00:00:00Z")
    lapsed = shop.get(f"/grants/{grant['id']}")
    assert (lapsed["state"], lapsed["ended_at"]) == ("lapsed", "2026-03-02T00:00:00Z")
    assert shop.get("/grants?state=open")["data"] == []
    assert [one["id"] for one in shop.get("/grants?state=lapsed")["data"]] == [grant["id"]]
    assert shop.get(f"/vouchers/{grant['voucher']['code']}")["state"] == "expired"
    refused = shop.post(f"/grants/{grant['id']}/revoke", {"reason": "late"}, status=409)
    assert refused["state"] == "lapsed"


def test_lists_are_paged_newest_first(shop: World) -> None:
    made = [give(shop, "coupon")["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = shop.get(f"/grants?limit=2&reward=coupon{cursor}")
        seen += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    assert shop.get("/grants?reward=gift")["data"] == []
    assert shop.call("GET", "/grants?member_ref=nobody").status_code == 404


def test_access_by_hand_shows_until_it_is_revoked(shop: World) -> None:
    grant = give(shop, "lounge")
    assert grant["state"] == "used"
    assert shop.get("/members/mina")["entitlements"] == [
        {"perk": "lounge", "name": {"en": "lounge"}, "until": None, "source": "reward:lounge"}
    ]
    shop.post(f"/grants/{grant['id']}/revoke", {"reason": "moved away"})
    assert shop.get("/members/mina")["entitlements"] == []


def test_access_that_was_bought_shows_until_it_is_reversed(make_world: MakeWorld) -> None:
    bought = LOUNGE | {"cost_points": 10, "value": {"perk": "lounge", "valid_for": "P1M"}}
    world = make_world(rewards=[bought])
    world.set_clock("2026-03-01T12:00:00Z")
    world.member()
    world.order("A-1", 5000)
    held = world.post("/redemptions", {"member_ref": "mina", "reward": "lounge"}, status=201)
    redemption = held["redemption"]["id"]
    assert world.get("/members/mina")["entitlements"] == []
    world.post(f"/redemptions/{redemption}/capture", {})
    [perk] = world.get("/members/mina")["entitlements"]
    # One month from 1 March: valid through 1 April in Seoul.
    assert perk["until"] == "2026-04-01T15:00:00Z"
    world.post(f"/redemptions/{redemption}/reverse", {"reason": "asked"})
    assert world.get("/members/mina")["entitlements"] == []


def test_another_program_knows_nothing_of_it(shop: World, make_world: MakeWorld) -> None:
    grant = give(shop)
    other = make_world(rewards=[GIFT])
    assert other.call("GET", f"/grants/{grant['id']}").status_code == 404
    assert json.dumps(other.get("/grants")) == '{"data": [], "next_cursor": null}'


def test_what_a_lapsed_grant_took_of_stock_is_free_before_anybody_wrote_so(
    make_world: MakeWorld,
) -> None:
    world = make_world(rewards=[GIFT | {"stock": 1, "cost_points": 0}])
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    give(world, expires_at="2026-03-02T00:00:00Z")
    body = {"member_ref": "jun", "reward": "gift"}
    assert world.post("/redemptions", body, status=409)["code"] == "out_of_stock"
    assert give(world, member_ref="jun", status=409)["code"] == "out_of_stock"
    world.set_clock("2026-03-02T00:00:00Z")
    world.post("/redemptions", body, status=201)
    assert left(world) == 0
    assert world.verify()["mismatches"] == []


def test_a_level_entered_by_hand_or_by_an_adjustment_stores_no_code(
    make_world: MakeWorld,
) -> None:
    effects = [{"do": "grant_reward", "reward": "coupon"}]
    tiers = {
        "basis": {"metric": "points"},
        "levels": [
            {"key": "silver", "enter_at": 100, "entry_effects": effects},
            {"key": "gold", "enter_at": 1000, "entry_effects": effects},
        ],
    }
    world = make_world(rewards=[COUPON], tiers=tiers)
    world.set_clock("2026-03-01T12:00:00Z")
    world.member()
    body = {"member_ref": "mina", "points": 100, "reason": "sorry", "counts_for_tier": True}
    change = world.post("/adjustments", body, status=201)["tier_change"]
    by_hand = {"key": "gold", "until": "2027-01-01T00:00:00Z", "reason": "friend"}
    changed = world.post("/members/mina/tier", by_hand)["change"]
    for one in (change, changed):
        [grant] = one["grants"]
        assert grant["voucher"]["code"] is None
        assert world.get(f"/grants/{grant['id']}")["voucher"]["code"].startswith("SORRY-")


def test_a_last_one_goes_to_one_of_many_orders(make_world: MakeWorld) -> None:
    rules = [{"key": "any", "trigger": "order", "effect": {"do": "grant_reward", "reward": "gift"}}]
    world = make_world(earning={"rules": rules}, rewards=[GIFT])
    refs = [f"m-{number}" for number in range(8)]
    for ref in refs:
        world.member(ref)
    told = [put(world, f"/orders/A-{ref}", order(100, member_ref=ref)) for ref in refs]
    answers = [response.json for response in at_once(told)]
    given = [one for one in answers if one["grants"]]
    refused = [one for one in answers if not one["grants"]]
    assert (len(given), left(world)) == (3, 0)
    assert all([p["code"] for p in one["problems"]] == ["out_of_stock"] for one in refused)
    assert world.verify()["mismatches"] == []


def test_whoever_has_a_code_is_told_so_by_the_list(shop: World) -> None:
    def reasons(ref: str) -> Any:
        data = shop.get(f"/members/{ref}/rewards")["data"]
        [found] = [one["unavailable_reasons"] for one in data if one["key"] == "coupon"]
        return found

    give(shop, "coupon")
    assert reasons("mina") == [
        {
            "code": "condition_not_met",
            "detail": {
                "en": "The member has it already: its code uses it.",
                "ko": "이미 지급받은 리워드입니다. 코드로 사용할 수 있습니다.",
            },
        }
    ]
    [only_given] = reasons("jun")
    assert only_given["detail"]["en"] == "It cannot be bought with points, only be given."
    body = {"member_ref": "mina", "reward": "coupon"}
    assert "its code uses it" in shop.post("/redemptions", body, status=409)["detail"]


def test_a_grant_that_a_replaced_hold_used_is_used_again_and_once(shop: World) -> None:
    grant = give(shop, "gift")
    body = {"member_ref": "mina", "reward": "gift", "cart_ref": "c-1"}
    first, second, third = (
        shop.post("/redemptions", body | more, status=201)["redemption"]["id"]
        for more in ({}, {}, {"grant_id": grant["id"]})
    )
    assert shop.get(f"/grants/{grant['id']}")["redemption_id"] == third
    assert [shop.get(f"/redemptions/{one}")["state"] for one in (first, second)] == [
        "released",
        "released",
    ]
    shop.post(f"/redemptions/{third}/capture", {})
    # It was given once.
    assert shop.post("/redemptions", body, status=409)["state"] == "condition_not_met"
    assert shop.post("/redemptions", body | {"grant_id": grant["id"]}, status=404)
    assert shop.verify()["mismatches"] == []


def test_a_grant_whose_hold_ran_out_is_used_again_and_once(shop: World) -> None:
    grant = give(shop, "gift")
    body = {"member_ref": "mina", "reward": "gift"}
    shop.post("/redemptions", body, status=201)
    shop.set_clock("2026-03-01T12:30:00Z")
    again = shop.post("/redemptions", body, status=201)["redemption"]["id"]
    assert shop.get(f"/grants/{grant['id']}")["redemption_id"] == again
    assert shop.post("/redemptions", body, status=409)["state"] == "condition_not_met"
    assert shop.verify()["mismatches"] == []
