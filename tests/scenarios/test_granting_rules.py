"""Rewards given by orders: they follow what gave them, and are given once."""

import pytest

from tests.scenarios.granting import (
    COUPON,
    GIFT,
    LOUNGE,
    MakeWorld,
    all_of,
    at_least,
    granting,
    grants_rule,
    states,
    used,
)
from tests.world import BASE_RULE, order


def test_an_order_gives_a_reward_once(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("big", when=at_least(10000)))
    small = world.order("A-1", 9999)
    assert small["grants"] == []
    big = world.order("A-2", 10000)
    assert states(big) == [("gift", "open")]
    assert big["grants"][0]["source"] == {"type": "order", "ref": "A-2"}
    assert big["grants"][0]["rule"] == "big"
    again = world.order("A-2", 10000)
    assert again["grants"] == big["grants"]
    more = world.order("A-2", 20000)
    assert [one["id"] for one in more["grants"]] == [big["grants"][0]["id"]]
    assert all_of(world) == [("gift", "open")]


def test_a_decision_names_what_was_granted_and_explains_it(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("big", when=at_least(10000)))
    told = world.order("A-1", 10000)
    outcome = world.outcomes(told)["big"]
    assert outcome["is_fired"] is True
    assert world.outcomes(world.order("A-2", 100))["big"]["reason"] == "condition_not_met"


def test_a_refund_takes_an_unused_grant_and_it_comes_back_the_same(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("big", "coupon", when=at_least(10000)))
    first = world.order("A-1", 10000)["grants"][0]
    assert first["voucher"]["code"].startswith("HELLO-")
    # 30 days from 1 March, 21:00 in Seoul: valid through 31 March there.
    assert first["expires_at"] == first["voucher"]["expires_at"] == "2026-03-31T15:00:00Z"
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 1}
    refunded = world.put("/orders/A-1/refunds/R-1", refund)
    assert refunded["grants"] == []
    [gone] = world.get("/grants?member_ref=mina")["data"]
    assert (gone["state"], gone["voucher"]) == ("revoked", None)
    withdrawn = world.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert withdrawn["grants"] == [first]


def test_on_refund_keep_leaves_the_grant_until_nothing_stands(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("big", when=at_least(10000), on_refund="keep"))
    world.order("A-1", 10000)
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 6000}
    assert states(world.put("/orders/A-1/refunds/R-1", refund)) == [("gift", "open")]
    refund |= {"amount_minor": 10000}
    assert states(world.put("/orders/A-1/refunds/R-1", refund)) == []


def test_cancelled_and_paid_again_gives_the_same_grant(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"))
    first = world.order("A-1", 100)["grants"]
    assert world.order("A-1", 100, status="cancelled")["grants"] == []
    assert all_of(world) == [("gift", "revoked")]
    assert world.order("A-1", 100)["grants"] == first


def test_what_was_used_stays_and_is_not_given_twice(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"))
    world.order("A-1", 100)
    told = world.post("/redemptions", {"member_ref": "mina", "reward": "gift"}, status=201)
    held = told["redemption"]
    assert held["points"] == 0
    world.order("A-1", 100, status="cancelled")
    assert all_of(world) == [("gift", "used")]
    world.order("A-1", 100)
    assert all_of(world) == [("gift", "used")]
    world.order("A-1", 100, status="cancelled")
    # Its use is given up, and its cause fell meanwhile.
    world.post(f"/redemptions/{held['id']}/release")
    assert all_of(world) == [("gift", "revoked")]
    world.order("A-1", 100)
    assert all_of(world) == [("gift", "open")]


def test_an_order_that_changes_hands_takes_its_grant_along(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"))
    world.order("A-1", 100)
    told = world.order("A-1", 100, member_ref="jun")
    assert states(told) == [("gift", "open")]
    assert all_of(world, "mina") == [("gift", "revoked")]
    assert all_of(world, "jun") == [("gift", "open")]
    world.order("A-1", 100)
    assert all_of(world, "mina") == [("gift", "open")]
    assert all_of(world, "jun") == [("gift", "revoked")]


def test_stock_is_taken_by_grants_and_none_left_refuses_no_order(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"), rewards=[GIFT | {"stock": 1}])
    assert states(world.order("A-1", 100)) == [("gift", "open")]
    assert used(world, "gift") == 1
    second = world.order("A-2", 200, member_ref="jun")
    assert second["grants"] == []
    assert [one["code"] for one in second["problems"]] == ["out_of_stock"]
    assert sum(one["points"] for one in second["earned"]) == 2
    outcome = world.outcomes(second)["any"]
    assert (outcome["is_fired"], outcome["reason"]) == (False, "limit_reached")
    assert "stock" in outcome["detail"]
    world.order("A-1", 100, status="cancelled")
    assert used(world, "gift") == 0
    # Free again, it goes to whoever comes next; what could not be given is not given by itself.
    assert all_of(world, "jun") == []
    assert states(world.order("A-3", 100, member_ref="jun")) == [("gift", "open")]
    back = world.order("A-1", 100)
    assert (back["grants"], used(world, "gift")) == ([], 1)
    assert [one["code"] for one in back["problems"]] == ["out_of_stock"]
    assert world.verify()["mismatches"] == []


def test_an_empty_pool_refuses_no_order_and_takes_no_limit(make_world: MakeWorld) -> None:
    pooled = COUPON | {"voucher": {"pool": "spring"}}
    limits = [{"per": "program", "period": "ever", "times": 5}]
    world = granting(make_world, grants_rule("any", "coupon", limits=limits), rewards=[pooled])
    world.put("/voucher-pools/spring", {"codes": ["S-ONE-11111111"]})
    first = world.order("A-1", 100)
    assert first["grants"][0]["voucher"]["code"] == "S-ONE-11111111"
    second = world.order("A-2", 100)
    assert (second["grants"], second["problems"][0]["code"]) == ([], "out_of_stock")
    world.put("/voucher-pools/spring", {"codes": ["S-TWO-22222222"]})
    assert len(world.order("A-3", 100)["grants"]) == 1
    assert world.verify()["mismatches"] == []


def test_a_paused_reward_is_not_granted(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"), rewards=[GIFT | {"state": "paused"}])
    told = world.order("A-1", 100)
    assert told["grants"] == []
    assert world.outcomes(told)["any"]["reason"] == "not_live"


def test_limits_of_the_rule_bound_it(make_world: MakeWorld) -> None:
    limits = [{"per": "member", "period": "ever", "times": 1}]
    world = granting(make_world, grants_rule("any", limits=limits))
    assert len(world.order("A-1", 100)["grants"]) == 1
    assert world.order("A-2", 100)["grants"] == []
    world.order("A-1", 100, status="cancelled")
    assert len(world.order("A-3", 100)["grants"]) == 1


def test_a_history_order_and_a_guest_get_nothing_until_claimed(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any", "coupon"))
    assert world.order("A-1", 100, is_history=True)["grants"] == []
    guest = world.order("A-2", 100, member_ref=None)
    assert guest["grants"] == []
    body = {"token": guest["claim_token"], "member_ref": "mina"}
    claimed = world.post("/claims", body)
    assert states(claimed) == [("coupon", "open")]
    # That answer is stored, so it shows no code; the grant does.
    assert claimed["grants"][0]["voucher"]["code"] is None
    shown = world.get(f"/grants/{claimed['grants'][0]['id']}")
    assert shown["voucher"]["code"].startswith("HELLO-")


def test_orders_of_a_batch_each_get_theirs(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("any"), rewards=[GIFT | {"stock": 2}])
    orders = [order(100) | {"order_ref": f"B-{number}"} for number in range(3)]
    results = world.post("/orders/batch", {"orders": orders})["results"]
    assert [len(one["grants"]) for one in results] == [1, 1, 0]
    assert [one["code"] for one in results[2]["problems"]] == ["out_of_stock"]
    assert used(world, "gift") == 2


def test_terms_are_the_live_catalogues_when_it_is_given(make_world: MakeWorld) -> None:
    world = granting(make_world, grants_rule("big", "coupon", when=at_least(10000)))
    first = world.order("A-1", 100)
    assert first["grants"] == []
    richer = COUPON | {"value": {"minor": 900}}
    world.publish(
        earning={"rules": [BASE_RULE, grants_rule("big", "coupon", when=at_least(10000))]},
        rewards=[GIFT, richer, LOUNGE],
    )
    assert world.order("A-1", 10000)["grants"][0]["discount"]["minor"] == 900
    poorer = COUPON | {"value": {"minor": 100}}
    world.publish(
        earning={"rules": [BASE_RULE, grants_rule("big", "coupon", when=at_least(10000))]},
        rewards=[GIFT, poorer, LOUNGE],
    )
    assert world.order("A-1", 11000)["grants"][0]["discount"]["minor"] == 900


def test_a_code_whose_cause_fell_while_it_was_used_is_void_when_it_is_given_back(
    make_world: MakeWorld,
) -> None:
    world = granting(make_world, grants_rule("big", "coupon", when=at_least(10000)))
    [grant] = world.order("A-1", 10000)["grants"]
    code = grant["voucher"]["code"]
    world.order("A-2", 5000, codes=[code])
    assert all_of(world) == [("coupon", "used")]
    world.order("A-1", 10000, status="cancelled")
    assert all_of(world) == [("coupon", "used")]
    assert world.get(f"/vouchers/{code}")["state"] == "redeemed"
    world.order("A-2", 5000, status="cancelled", codes=[code])
    assert all_of(world) == [("coupon", "revoked")]
    assert world.get(f"/vouchers/{code}")["state"] == "void"
    world.order("A-1", 10000)
    assert all_of(world) == [("coupon", "open")]
    assert world.get(f"/vouchers/{code}")["state"] == "active"
    assert world.verify()["mismatches"] == []


def test_what_was_spent_of_a_gift_card_stays_and_its_rest_goes(make_world: MakeWorld) -> None:
    card = {"key": "card", "kind": "gift_card", "value": {"minor": 1000}}
    world = granting(make_world, grants_rule("big", "card", when=at_least(10000)), rewards=[card])
    [grant] = world.order("A-1", 10000)["grants"]
    code = grant["voucher"]["code"]
    path = f"/vouchers/{code}"
    world.post(f"{path}/redeem", {"order_ref": "X-1", "order_minor": 300}, status=201)
    world.order("A-1", 10000, status="cancelled")
    assert all_of(world) == [("card", "used")]
    found = world.get(path)
    assert (found["state"], found["remaining_minor"]) == ("void", 0)
    world.post(f"{path}/release", {"order_ref": "X-1"})
    assert all_of(world) == [("card", "revoked")]
    refused = world.post(f"{path}/redeem", {"order_ref": "X-2", "order_minor": 300}, status=404)
    assert refused["code"] == "not_found"


def test_a_refund_that_comes_after_stock_gives_nothing_that_was_refused(
    make_world: MakeWorld,
) -> None:
    world = granting(make_world, grants_rule("any"), rewards=[GIFT | {"stock": 0}])
    assert world.order("A-1", 100, 100)["grants"] == []
    world.post("/rewards/gift/stock", {"change": 5, "reason": "delivered"})
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 100}
    assert world.put("/orders/A-1/refunds/R-1", refund)["grants"] == []
    assert states(world.order("A-2", 100)) == [("gift", "open")]
    # Cancelled and paid again it is a claim taken anew.
    world.order("A-1", 100, 100, status="cancelled")
    world.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
    assert states(world.order("A-1", 100, 100)) == [("gift", "open")]
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize(
    ("paid", "ends"),
    [
        # Nobody says when it was paid: as it is told so, on 20 March.
        ({}, "2026-03-27T15:00:00Z"),
        ({"paid_at": "2026-03-18T10:00:00Z"}, "2026-03-25T15:00:00Z"),
    ],
)
def test_a_date_counts_from_when_a_pending_order_was_paid(
    make_world: MakeWorld, paid: dict[str, str], ends: str
) -> None:
    rewards = [GIFT | {"claim_within": "P7D"}]
    world = granting(make_world, grants_rule("gift"), rewards=rewards)
    told = world.order("A-1", 3000, status="pending")
    assert told["grants"] == []
    world.set_clock("2026-03-20T12:00:00Z")
    told = world.order("A-1", 3000, **paid)
    assert [(one["state"], one["expires_at"]) for one in told["grants"]] == [("open", ends)]
    # As it was given it stays, whatever is told later.
    world.set_clock("2026-03-21T12:00:00Z")
    again = world.order("A-1", 3000, status="fulfilled", **paid)
    assert again["grants"] == told["grants"]
    # What is told at once as paid counts from when it was placed.
    assert [one["state"] for one in world.order("A-2", 3000)["grants"]] == ["lapsed"]


def test_a_refund_says_which_rewards_it_takes_back_and_so_does_its_preview(
    make_world: MakeWorld,
) -> None:
    world = granting(make_world, grants_rule("big", when=at_least(10000)))
    [grant] = world.order("A-1", 10000)["grants"]
    body = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 1}
    path = "/orders/A-1/refunds/R-1"
    for address, status in ((f"{path}?dry_run=true", 200), (path, 201)):
        assert all_of(world) == [("gift", "open")]
        told = world.put(address, body, status=status)
        assert [one["id"] for one in told["grants_revoked"]] == [grant["id"]]
        assert (told["grants"], told["grants_revoked"][0]["state"]) == ([], "revoked")
    assert all_of(world) == [("gift", "revoked")]
    # Told again it takes nothing more.
    assert world.put(path, body)["grants_revoked"] == []
    assert world.get("/orders/A-1")["grants"] == []
