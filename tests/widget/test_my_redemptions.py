"""Members redeem for themselves: what they hold is theirs alone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import problem, rows
from tests.widget.browsing import ask, mine, token, told
from tests.world import World, line

MakeWorld = Callable[..., World]

REWARDS: list[dict[str, Any]] = [
    {
        "key": "five",
        "name": {"en": "Five off", "ko": "5유로 할인"},
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 100,
        "voucher": {},
        "estimated_cost_minor": 444,
    },
    {"key": "ship", "kind": "free_shipping", "cost_points": 0, "stock": 1},
    {"key": "dear", "kind": "custom", "cost_points": 5000},
    {"key": "given", "name": {"en": "Given"}, "kind": "custom"},
    {"key": "off", "kind": "custom", "cost_points": 1, "state": "paused"},
    {
        "key": "noted",
        "kind": "custom",
        "cost_points": 1,
        "when": {"fact": "member.attributes.churn", "op": ">=", "value": 80},
    },
    {
        "key": "seasoned",
        "kind": "custom",
        "cost_points": 1,
        "when": {"fact": "member.order_count", "op": ">=", "value": 3},
    },
]


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """Mina and Jun with 300 points each."""
    world = make_world(
        rewards=REWARDS,
        pay_with_points={"min_points": 50, "step_points": 10, "max_order_bp": 5000},
    )
    world.set_clock("2026-03-02T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.order(f"A-{ref}", 30000, member_ref=ref)
    return world


def redeem(world: World, body: Any, *, credential: str, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return ask(world, "POST", "/me/redemptions", body, credential=credential, headers=headers)


def test_a_member_holds_a_reward_and_gives_it_up_again(shop: World) -> None:
    held = token(shop)
    answer = told(redeem(shop, {"reward": "five", "cart_ref": "C-1"}, credential=held), 201)
    redemption = answer["redemption"]
    assert redemption | {"id": None, "voucher": None} == {
        "id": None,
        "reward": "five",
        "name": "Five off",
        "kind": "discount_amount",
        "state": "held",
        "points_key": "points",
        "points": 100,
        "discount": {"kind": "discount_amount", "minor": 500},
        "discount_minor": None,
        "voucher": None,
        "cart_ref": "C-1",
        "order_ref": None,
        "held_at": "2026-03-02T10:00:00Z",
        "expires_at": "2026-03-02T10:30:00Z",
        "captured_at": None,
        "ended_at": None,
    }
    assert len(redemption["voucher"]["code"]) >= 13
    [balance] = answer["balances"]
    assert (balance["available"], balance["held"]) == (200, 100)
    assert mine(shop, "/redemptions")["data"] == [redemption]
    path = f"/me/redemptions/{redemption['id']}/release"
    released = told(ask(shop, "POST", path, credential=held))
    assert (released["redemption"]["state"], released["redemption"]["voucher"]) == (
        "released",
        None,
    )
    assert released["balances"][0]["available"] == 300
    assert told(ask(shop, "POST", path, credential=held)) == released


def test_points_pay_for_members_themselves(shop: World) -> None:
    held = token(shop)
    cart = {"currency": "EUR", "lines": [line("1", 300)]}
    answer = told(
        redeem(shop, {"pay_with_points": {"points": 150}, "cart": cart}, credential=held), 201
    )
    assert answer["redemption"]["discount"] == {"kind": "pay_with_points", "minor": 150}
    assert answer["redemption"]["reward"] is None and answer["redemption"]["name"] is None
    body = {"pay_with_points": {"points": 160}, "cart": cart}
    problem(redeem(shop, body, credential=held), 422, "validation_failed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reward": "dear"}, 409, "insufficient_points"),
        ({"reward": "none"}, 404, "not_found"),
        ({"reward": "off"}, 409, "state_conflict"),
        ({"reward": "given"}, 409, "state_conflict"),
        ({}, 422, "validation_failed"),
        ({"reward": "five", "ttl": "P7D"}, 422, "validation_failed"),
        ({"reward": "five", "member_ref": "jun"}, 422, "validation_failed"),
    ],
)
def test_what_a_member_cannot_hold(shop: World, body: Any, status: int, code: str) -> None:
    before = rows(shop)
    problem(redeem(shop, body, credential=token(shop)), status, code)
    assert rows(shop) == before


def test_a_key_is_needed_and_replays_the_members_own_answer(shop: World) -> None:
    mina, jun = token(shop), token(shop, "jun")
    headers = {"Idempotency-Key": ""}
    response = ask(
        shop, "POST", "/me/redemptions", {"reward": "five"}, credential=mina, headers=headers
    )
    problem(response, 400, "idempotency_key_missing")
    first = redeem(shop, {"reward": "five"}, credential=mina, key="same")
    again = redeem(shop, {"reward": "five"}, credential=mina, key="same")
    assert told(again, 201) == told(first, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    # The same key of another member, or of the server, is another key.
    other = redeem(shop, {"reward": "five"}, credential=jun, key="same")
    assert "Idempotent-Replayed" not in other.headers
    assert told(other, 201)["redemption"]["id"] != first.json["redemption"]["id"]
    assert other.json["redemption"]["voucher"] != first.json["redemption"]["voucher"]
    body = {"member_ref": "jun", "reward": "five"}
    assert (
        shop.post("/redemptions", body, status=201, key="same")["redemption"]["member_ref"] == "jun"
    )
    problem(
        redeem(shop, {"reward": "ship"}, credential=mina, key="same"), 422, "idempotency_key_reused"
    )
    assert (shop.balance("mina"), shop.balance("jun")) == (200, 100)


def test_no_code_is_stored_that_can_be_read(shop: World) -> None:
    answer = told(redeem(shop, {"reward": "five"}, credential=token(shop)), 201)
    code = answer["redemption"]["voucher"]["code"]
    stored = repr(rows(shop))
    assert code not in stored and code.replace("-", "") not in stored


def test_an_erased_members_answers_are_forgotten(shop: World) -> None:
    told(redeem(shop, {"reward": "five"}, credential=token(shop), key="mine"), 201)
    told(redeem(shop, {"reward": "five"}, credential=token(shop, "jun"), key="mine"), 201)
    shop.call("DELETE", "/members/mina")
    kept = [row for row in rows(shop)["idempotency_keys"] if b'"redemption"' in repr(row).encode()]
    assert len(kept) == 1


def test_another_members_redemption_is_unknown(shop: World) -> None:
    answer = told(redeem(shop, {"reward": "five"}, credential=token(shop, "jun")), 201)
    redemption_id = answer["redemption"]["id"]
    before = rows(shop)
    for ref in (redemption_id, "rdm_00000000000000000000000000", "nothing"):
        response = ask(shop, "POST", f"/me/redemptions/{ref}/release", credential=token(shop))
        told_ = problem(response, 404, "not_found")
        assert told_["detail"].startswith("There is no redemption")
    assert rows(shop) == before
    assert mine(shop, "/redemptions")["data"] == []
    assert [one["id"] for one in mine(shop, "/redemptions", "jun")["data"]] == [redemption_id]


def test_a_redemption_that_an_order_captured_is_not_given_up(shop: World) -> None:
    held = token(shop)
    answer = told(redeem(shop, {"reward": "five"}, credential=held), 201)
    redemption_id = answer["redemption"]["id"]
    shop.post(f"/redemptions/{redemption_id}/capture", {"order_ref": "B-1"})
    path = f"/me/redemptions/{redemption_id}/release"
    problem(ask(shop, "POST", path, credential=held), 409, "state_conflict")
    [shown] = mine(shop, "/redemptions?state=captured")["data"]
    assert (shown["order_ref"], shown["state"]) == ("B-1", "captured")
    assert mine(shop, "/redemptions?state=held")["data"] == []


def test_a_merged_members_redemptions_are_theirs_still(shop: World) -> None:
    old = token(shop)
    redemption = told(redeem(shop, {"reward": "five"}, credential=old), 201)["redemption"]
    shop.post("/members/mina/merge", {"into_member_ref": "jun"})
    for held in (old, token(shop, "jun")):
        seen = told(ask(shop, "GET", "/me/redemptions", credential=held))["data"]
        assert [one["id"] for one in seen] == [redemption["id"]]
    path = f"/me/redemptions/{redemption['id']}/release"
    assert told(ask(shop, "POST", path, credential=old))["redemption"]["state"] == "released"


def test_rewards_say_what_they_cost_and_why_not(shop: World) -> None:
    found = {one["key"]: one for one in mine(shop, "/rewards")["data"]}
    # Neither paused nor only given to others.
    assert list(found) == ["five", "ship", "dear", "noted", "seasoned"]
    assert (found["five"]["is_available"], found["five"]["cost_points"]) == (True, 100)
    assert found["five"]["name"] == "Five off"
    assert found["ship"]["is_in_stock"] is True
    assert "stock_left" not in found["ship"]
    assert found["dear"]["missing_points"] == 4700
    [reason] = found["dear"]["unavailable_reasons"]
    assert (reason["code"], reason["missing_points"]) == ("insufficient_points", 4700)
    [reason] = found["seasoned"]["unavailable_reasons"]
    assert reason["code"] == "condition_not_met" and "2 more" in reason["detail"]
    assert set(reason) == {"code", "detail"}
    # What the organisation notes of its members is not theirs to read.
    [reason] = found["noted"]["unavailable_reasons"]
    assert reason["detail"] == "Its conditions are not met."
    told(redeem(shop, {"reward": "ship"}, credential=token(shop, "jun")), 201)
    found = {one["key"]: one for one in mine(shop, "/rewards")["data"]}
    assert found["ship"]["is_in_stock"] is False
    shop.put("/members/mina", {"locale": "ko"})
    assert mine(shop, "/rewards")["data"][0]["name"] == "5유로 할인"


def test_what_was_given_is_shown_to_whom_it_was_given_and_used_by_them(shop: World) -> None:
    body = {"member_ref": "mina", "reward": "given", "reason": "sorry"}
    grant = shop.post("/grants", body, status=201)["grant"]
    [given] = [one for one in mine(shop, "/rewards")["data"] if one["key"] == "given"]
    assert [one["id"] for one in given["grants"]] == [grant["id"]]
    assert "given" not in [one["key"] for one in mine(shop, "/rewards", "jun")["data"]]
    body = {"reward": "given", "grant_id": grant["id"]}
    problem(redeem(shop, body, credential=token(shop, "jun")), 404, "not_found")
    answer = told(redeem(shop, body, credential=token(shop)), 201)
    assert answer["redemption"]["points"] == 0


def test_a_member_sees_what_rewards_entitle_them_to(make_world: MakeWorld) -> None:
    value = {"perk": "lounge", "valid_for": "P30D"}
    lounge = {"key": "lounge", "kind": "access", "value": value, "name": {"en": "The lounge"}}
    world = make_world(rewards=[lounge | {"cost_points": 0}])
    world.set_clock("2026-03-02T10:00:00Z")
    world.member()
    assert mine(world)["member"]["entitlements"] == []
    body = {"member_ref": "mina", "reward": "lounge"}
    held = world.post("/redemptions", body, status=201)["redemption"]
    world.post(f"/redemptions/{held['id']}/capture", {})
    [perk] = mine(world)["member"]["entitlements"]
    assert perk["name"] == "The lounge"
    [shown] = world.get("/members/mina")["entitlements"]
    assert perk == shown | {"name": "The lounge"}
    assert (perk["perk"], perk["source"]) == ("lounge", "reward:lounge")
    world.set_clock("2026-05-02T10:00:00Z")
    assert mine(world)["member"]["entitlements"] == []


def test_my_rewards_come_in_pages(shop: World) -> None:
    every = mine(shop, "/rewards")
    first = mine(shop, "/rewards?limit=2")
    assert first["data"] == every["data"][:2] and every["next_cursor"] is None
    rest = mine(shop, f"/rewards?cursor={first['next_cursor']}")
    assert first["data"] + rest["data"] == every["data"]
    problem(ask(shop, "GET", "/me/rewards?cursor=x", credential=token(shop)), 400, "invalid_cursor")
