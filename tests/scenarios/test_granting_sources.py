"""Rewards given by what is no order: signup, activities, days, cards and levels."""

from typing import Any

import pytest

from tests.scenarios.granting import (
    COUPON,
    GIFT,
    MakeWorld,
    all_of,
    granting,
    grants_rule,
    states,
    used,
)
from tests.world import BASE_RULE, document, rule


def test_signup_gives_a_reward_with_the_member(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("hello", "coupon", trigger="signup"))
    new = world.member("new", email="new@example.org")
    assert states(new) == [("coupon", "open")]
    assert new["grants"][0]["voucher"]["code"].startswith("HELLO-")
    assert all_of(world, "new") == [("coupon", "open")]
    # Told again it is not given again, nor to the same person under another reference.
    assert world.member("new")["grants"] == []
    assert world.member("twin", email="new@example.org")["grants"] == []
    assert all_of(world, "new") == [("coupon", "open")]


def test_an_activity_gives_takes_and_gives_back(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("review", trigger="activity:review"))
    body = {"member_ref": "mina", "kind": "review", "occurred_at": "2026-03-01T10:00:00Z"}
    first = world.put("/activities/R-1", body)
    assert states(first) == [("gift", "open")]
    assert world.put("/activities/R-1", body)["grants"] == first["grants"]
    assert world.get("/activities/R-1")["grants"] == first["grants"]
    assert world.put("/activities/R-1", body | {"status": "withdrawn"})["grants"] == []
    assert all_of(world) == [("gift", "revoked")]
    assert world.put("/activities/R-1", body)["grants"] == first["grants"]
    # Another kind: what the first one gave goes.
    assert world.put("/activities/R-1", body | {"kind": "visit"})["grants"] == []
    assert all_of(world) == [("gift", "revoked")]
    moved = world.put("/activities/R-1", body | {"member_ref": "jun"})
    assert states(moved) == [("gift", "open")]
    assert all_of(world, "jun") == [("gift", "open")]


def test_a_birthday_gives_once_a_year(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("cake", trigger="birthday"))
    world.member("mina", birthday_on="1990-05-04")
    for now in ("2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z"):
        world.post("/test-clock", {"now": now})
        assert all_of(world) == [("gift", "open")]
    [grant] = world.get("/grants?member_ref=mina")["data"]
    # Midnight of the day in Seoul.
    assert grant["granted_at"] == "2026-05-03T15:00:00Z"
    world.post("/test-clock", {"now": "2027-05-05T00:00:00Z"})
    assert all_of(world) == [("gift", "open")] * 2


def test_a_completed_card_gives_and_takes_its_reward(make_world: MakeWorld) -> None:
    card = {"key": "coffee", "stamps": 2, "effects": [{"do": "grant_reward", "reward": "gift"}]}
    stamp = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})
    world = granting(make_world, stamp, cards=[card])
    world.order("A-1", 100)
    second = world.order("A-2", 100)
    [completed] = second["cards"][0]["completed"]
    assert states(completed) == [("gift", "open")]
    assert second["grants"] == []
    assert completed["grants"][0]["source"]["type"] == "card"
    world.order("A-1", 100, status="cancelled")
    assert all_of(world) == [("gift", "revoked")]
    world.order("A-1", 100)
    assert all_of(world) == [("gift", "open")]


TIERS = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "levels": [
        {
            "key": "gold",
            "enter_at": 10000,
            "entry_effects": [{"do": "grant_reward", "reward": "coupon"}],
        }
    ],
}


@pytest.mark.parametrize("policy", ["until_term_end", "immediate"])
def test_entering_a_level_gives_and_a_refund_freezes_or_revokes(
    make_world: MakeWorld, policy: str
) -> None:
    coupon = COUPON | {"voucher": {"pattern": "GOLD-#############"}, "stock": 5}
    tiers = TIERS | {"term": {"policy": "from_entry", "duration": "P12M"}, "on_refund": policy}
    world = granting(make_world, tiers=tiers, rewards=[coupon])
    told = world.order("A-1", 10000)
    change = told["tier"]["change"]
    assert (change["to"], states(change)) == ("gold", [("coupon", "open")])
    code = change["grants"][0]["voucher"]["code"]
    cancelled = world.order("A-1", 10000, status="cancelled")
    is_kept = policy == "until_term_end"
    assert cancelled["tier"]["key"] == ("gold" if is_kept else None)
    assert all_of(world) == [("coupon", "frozen" if is_kept else "revoked")]
    assert used(world, "coupon") == (1 if is_kept else 0)
    voucher = world.get(f"/vouchers/{code}")
    assert voucher["state"] == ("frozen" if is_kept else "void")
    world.order("A-1", 10000)
    assert all_of(world) == [("coupon", "open")]
    assert world.get(f"/vouchers/{code}")["state"] == "active"
    assert used(world, "coupon") == 1


def test_what_is_frozen_is_revoked_when_the_term_ends(make_world: MakeWorld) -> None:
    coupon = COUPON | {"voucher": {"pattern": "GOLD-#############"}, "stock": 5}
    tiers = TIERS | {"term": {"policy": "from_entry", "duration": "P12M"}}
    world = granting(make_world, tiers=tiers, rewards=[coupon])
    world.order("A-1", 10000)
    world.order("A-1", 10000, status="cancelled")
    assert all_of(world) == [("coupon", "frozen")]
    # The term: from 1 March 2026, valid through 1 March 2027 in Seoul.
    world.set_clock("2027-03-01T14:59:59Z")
    assert all_of(world) == [("coupon", "frozen")]
    world.set_clock("2027-03-01T15:00:00Z")
    assert all_of(world) == [("coupon", "revoked")]
    assert world.get("/grants?member_ref=mina&state=frozen")["data"] == []
    assert len(world.get("/grants?member_ref=mina&state=revoked")["data"]) == 1
    with world.app.app_context():
        from core import ids
        from storefront import due

        program_id = ids.read_id("prg", world.program_id)
        assert program_id is not None
        due.settle_all(program_id)
    assert used(world, "coupon") == 0
    [grant] = world.get("/grants?member_ref=mina")["data"]
    assert (grant["state"], grant["ended_at"]) == ("revoked", "2027-03-01T15:00:00Z")


def test_access_that_is_granted_is_had_at_once_and_goes_with_its_cause(
    make_world: MakeWorld,
) -> None:
    world = granting(make_world, grants_rule("any", "lounge"))
    told = world.order("A-1", 100)
    assert states(told) == [("lounge", "used")]
    [perk] = world.get("/members/mina")["entitlements"]
    assert (perk["perk"], perk["source"]) == ("lounge", "reward:lounge")
    # 30 days from 1 March in Seoul.
    assert perk["until"] == "2026-03-31T15:00:00Z"
    world.order("A-1", 100, status="cancelled")
    assert world.get("/members/mina")["entitlements"] == []
    assert all_of(world) == [("lounge", "revoked")]
    world.order("A-1", 100)
    assert len(world.get("/members/mina")["entitlements"]) == 1
    world.set_clock("2026-03-31T15:00:00Z")
    assert world.get("/members/mina")["entitlements"] == []


def test_a_grant_lapses_by_its_term_and_frees_its_stock(make_world: MakeWorld) -> None:
    gift = GIFT | {"claim_within": "P7D", "stock": 1}
    world = granting(make_world, grants_rule("any"), rewards=[gift])
    told = world.order("A-1", 100)
    # Seven days from 1 March (Seoul): through 8 March there.
    assert told["grants"][0]["expires_at"] == "2026-03-08T15:00:00Z"
    world.set_clock("2026-03-08T15:00:00Z")
    assert all_of(world) == [("gift", "lapsed")]
    refused = world.call(
        "POST",
        "/redemptions",
        {"member_ref": "mina", "reward": "gift"},
        headers={"Idempotency-Key": "k"},
    )
    assert refused.status_code == 409
    world.set_clock("2026-03-08T15:00:00Z")
    world.post("/test-clock", {"advance": "PT1S"})
    assert used(world, "gift") == 0
    [grant] = world.get("/grants?member_ref=mina")["data"]
    assert (grant["state"], grant["ended_at"]) == ("lapsed", "2026-03-08T15:00:00Z")
    # Its cause falls and stands again: its date is over all the same.
    world.order("A-1", 100, status="cancelled")
    world.order("A-1", 100)
    assert all_of(world) == [("gift", "lapsed")]


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ([grants_rule("r", "nothing")], "/earning/rules/1/effect/reward"),
        ([grants_rule("r", on_refund="prorate")], "/earning/rules/1/on_refund"),
        (
            [grants_rule("r", stacking={"mode": "exclusive", "group": "g"})],
            "/earning/rules/1/stacking/mode",
        ),
        (
            [rule("r", {"do": "grant_reward", "reward": "gift", "points": 5})],
            "/earning/rules/1/effect/points",
        ),
        ([rule("r", {"do": "grant_reward"})], "/earning/rules/1/effect/reward"),
    ],
)
def test_the_document_says_what_is_wrong(
    make_world: MakeWorld, rules: list[dict[str, Any]], pointer: str
) -> None:
    world = granting(make_world)
    body = document(earning={"rules": [BASE_RULE, *rules]}, rewards=[GIFT])
    response = world.call("PUT", "/program/draft", body)
    assert response.status_code == 422
    assert pointer in [one["pointer"] for one in response.json["errors"]]


def test_unknown_rewards_are_refused_of_levels_and_cards(make_world: MakeWorld) -> None:
    world = granting(make_world)
    unknown = [{"do": "grant_reward", "reward": "nothing"}]
    body = document(
        tiers={"levels": [{"key": "gold", "enter_at": 1, "entry_effects": unknown}]},
        cards=[{"key": "coffee", "stamps": 2, "effects": unknown}],
        rewards=[GIFT],
    )
    response = world.call("PUT", "/program/draft", body)
    pointers = [one["pointer"] for one in response.json["errors"]]
    assert "/tiers/levels/0/entry_effects/0/reward" in pointers
    assert "/cards/0/effects/0/reward" in pointers
