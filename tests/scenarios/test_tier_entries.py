"""What entering a level pays: once per term, taken back by a refund, once more by no way."""

import pytest

from loyalty.tiers.models import ENTRIES
from tests.scenarios.tier_shop import (
    GOLD,
    SILVER,
    TIERS,
    Make,
    changes,
    clean,
    messages,
    open_shop,
    rows,
)
from tests.world import BASE_RULE, World, order, points, reversed_points


@pytest.fixture
def shop(make_world: Make) -> World:
    """A ladder with terms, whose refunds lower at once."""
    return open_shop(make_world)


def test_entering_a_level_pays_beside_what_the_order_earns(shop: World) -> None:
    first = shop.order("A-1", 60_000)
    assert points(first) == 600
    assert first["tier"]["key"] == "silver"
    assert first["tier"]["change"]["to"] == "silver"
    [award] = first["tier"]["change"]["earned"]
    assert (award["points"], award["state"]) == (100, "available")
    assert first["balances"][0]["available"] == 700
    second = shop.order("A-2", 50_000)
    assert (points(second), second["tier"]["change"]["earned"][0]["points"]) == (500, 500)
    # 600 + 500 for the orders, 100 for silver, 500 for gold.
    assert shop.balance() == 1700
    assert "change" not in shop.order("A-2", 50_000)["tier"]
    assert shop.balance() == 1700
    assert [(one["source"]["type"], one["source"]["ref"]) for one in shop.entries()] == [
        ("order", "A-1"),
        ("tier", "silver"),
        ("order", "A-2"),
        ("tier", "gold"),
    ]
    clean(shop)


def test_a_level_passed_over_pays_nothing(shop: World) -> None:
    shop.order("A-1", 120_000)
    assert shop.balance() == 1200 + 500
    assert changes(shop) == [(None, "gold", "upgrade", "order")]
    clean(shop)


def test_a_refund_takes_back_what_the_level_paid_and_withdrawn_gives_it_back(shop: World) -> None:
    shop.order("A-1", 60_000)
    shop.order("A-2", 50_000)
    refund = {"refunded_at": "2026-03-01T10:00:00Z", "status": "succeeded", "amount_minor": 50_000}
    for _ in range(3):
        refunded = shop.put("/orders/A-2/refunds/R-1", refund)
        assert refunded["tier"]["key"] == "silver"
        # 500 of the order and 500 of gold, which it no longer deserves.
        assert reversed_points(refunded) == 1000
        assert shop.balance() == 700
        clean(shop)
        shop.put("/orders/A-2/refunds/R-1", refund | {"status": "withdrawn"})
        assert shop.balance() == 1700
        clean(shop)
    lots = [lot for lot in shop.get("/members/mina/lots")["data"] if lot["points"] == 500]
    # One of the order and one of gold, each of them once.
    assert len(lots) == 2
    claims = {row.level_key: row for row in rows(shop, ENTRIES)}
    assert (len(rows(shop, ENTRIES)), bool(claims["gold"].stands)) == (2, True)


def test_a_refund_to_nothing_takes_back_every_level(shop: World) -> None:
    shop.order("A-1", 60_000)
    shop.order("A-2", 50_000)
    shop.order("A-2", 50_000, status="cancelled")
    shop.order("A-1", 60_000, status="cancelled")
    assert (shop.balance(), shop.tier()["key"]) == (0, None)
    assert [bool(row.stands) for row in rows(shop, ENTRIES)] == [False, False]
    # Another order enters silver within the same term: the same claim, not another 100.
    assert shop.order("A-3", 70_000)["tier"]["change"]["earned"][0]["points"] == 100
    assert shop.balance() == 700 + 100
    assert len(rows(shop, ENTRIES)) == 2
    clean(shop)


def test_what_was_spent_of_it_meanwhile_is_written_off_once(shop: World) -> None:
    shop.order("A-1", 60_000)
    body = {"member_ref": "mina", "points": -650, "reason": "spent at the till"}
    shop.post("/adjustments", body, status=201)
    for _ in range(3):
        shop.order("A-1", 60_000, status="cancelled")
        assert shop.balance() == 0
        clean(shop)
        shop.order("A-1", 60_000)
        assert shop.balance() == 50
        clean(shop)


def test_until_term_end_keeps_the_level_and_not_what_it_paid(make_world: Make) -> None:
    shop = open_shop(make_world, on_refund="until_term_end")
    shop.order("A-1", 60_000)
    shop.order("A-1", 60_000, status="cancelled")
    assert (shop.balance(), shop.tier()["key"]) == (0, "silver")
    shop.order("A-2", 60_000)
    assert shop.balance() == 700
    clean(shop)


def test_a_renewal_pays_nothing_and_a_new_term_pays_again(shop: World) -> None:
    at = "2026-03-01T10:00:00Z"
    shop.order("A-1", 60_000, placed_at=at)
    shop.post("/test-clock", {"now": "2027-02-01T10:00:00Z"})
    shop.order("A-2", 30_000, placed_at="2027-02-01T10:00:00Z")
    # The term ends with 1 March 2027 in Seoul; 300.00 of the last 12 months renew it.
    shop.post("/test-clock", {"now": "2027-06-01T10:00:00Z"})
    assert (shop.balance(), shop.tier()["until"]) == (1000, "2028-03-01T15:00:00Z")
    # Lowered and lifted again within the renewed term: the entering of 2026 goes on.
    shop.order("A-2", 30_000, placed_at="2027-02-01T10:00:00Z", status="cancelled")
    shop.order("A-2", 30_000, placed_at="2027-02-01T10:00:00Z")
    assert shop.balance() == 1000
    shop.post("/test-clock", {"now": "2028-04-01T10:00:00Z"})
    assert shop.tier()["key"] is None
    again = shop.order("A-3", 60_000, placed_at="2028-04-01T10:00:00Z")
    assert again["tier"]["change"]["earned"][0]["points"] == 100
    assert shop.balance() == 1000 + 600 + 100
    assert changes(shop)[:2] == [
        (None, "silver", "upgrade", "order"),
        ("silver", "silver", "renewal", "time"),
    ]
    assert changes(shop)[-2:] == [
        ("silver", None, "downgrade", "time"),
        (None, "silver", "upgrade", "order"),
    ]
    assert len(rows(shop, ENTRIES)) == 2
    clean(shop)


def test_without_terms_a_level_pays_once_for_ever(make_world: Make) -> None:
    shop = open_shop(make_world, term={"policy": "none"})
    shop.order("A-1", 60_000)
    shop.post("/test-clock", {"now": "2027-06-01T10:00:00Z"})
    assert (shop.tier()["key"], shop.balance()) == (None, 700)
    shop.order("A-2", 60_000, placed_at="2027-06-01T10:00:00Z")
    assert (shop.tier()["key"], shop.balance()) == ("silver", 1300)
    clean(shop)


def test_rules_of_the_trigger_know_which_level_from_which(make_world: Make) -> None:
    rules = [
        {
            "key": "golden",
            "trigger": "tier_entered",
            "when": {
                "all": [
                    {"fact": "tier.key", "op": "=", "value": "gold"},
                    {"fact": "tier.from_key", "op": "=", "value": "silver"},
                    {"fact": "member.tier", "op": "=", "value": "gold"},
                    {"fact": "member.balance", "op": ">=", "value": 1000},
                ]
            },
            "effect": {"do": "add_points", "points": 7},
        }
    ]
    shop = open_shop(make_world, *rules)
    silver = shop.order("A-1", 60_000)["tier"]["change"]["earned"]
    decision = shop.get(f"/decisions/{silver[0]['decision_id']}")
    assert decision["source"] == {"type": "tier", "ref": "silver"}
    outcomes = {one["rule"]: one for one in decision["outcomes"]}
    assert outcomes["golden"]["reason"] == "condition_not_met"
    gold = shop.order("A-2", 50_000)["tier"]["change"]["earned"]
    # 500 by the level itself, 7 by the rule.
    assert sum(one["points"] for one in gold) == 507
    assert shop.balance() == 700 + 500 + 507
    clean(shop)


def test_points_of_a_level_come_under_terms_of_their_own(make_world: Make) -> None:
    effect = {
        "do": "add_points",
        "points": 100,
        "pending": {"policy": "after", "duration": "P10D"},
        "expiry": {"policy": "after", "duration": "P1M"},
    }
    shop = open_shop(make_world, levels=[SILVER | {"entry_effects": [effect]}, GOLD])
    [award] = shop.order("A-1", 60_000)["tier"]["change"]["earned"]
    assert (award["state"], award["available_at"]) == ("pending", "2026-03-11T10:00:00Z")
    assert shop.balance() == 600
    shop.post("/test-clock", {"now": "2026-03-12T00:00:00Z"})
    assert shop.balance() == 700
    # Available from 11 March in Seoul, valid through 11 April.
    shop.post("/test-clock", {"now": "2026-04-11T15:00:00Z"})
    assert shop.balance() == 600
    clean(shop)


def test_members_who_are_not_enrolled_and_history_are_paid_nothing(shop: World) -> None:
    shop.member("guest", is_enrolled=False)
    shop.order("G-1", 60_000, member_ref="guest")
    assert (shop.tier("guest")["key"], shop.balance("guest")) == ("silver", 0)
    before = len(messages(shop, "tier.changed"))
    shop.order("H-1", 60_000, is_history=True)
    assert (shop.tier()["key"], shop.balance()) == ("silver", 0)
    assert len(messages(shop, "tier.changed")) == before
    assert changes(shop) == [(None, "silver", "upgrade", "order")]
    # The level was entered with the history: lost and deserved again, it pays nothing either.
    shop.order("H-1", 60_000, is_history=True, status="cancelled")
    shop.order("A-1", 60_000)
    assert (shop.tier()["key"], shop.balance()) == ("silver", 600)
    clean(shop)


def test_two_orders_of_one_batch_pay_each_level_once(shop: World) -> None:
    bodies = [order(60_000, order_ref="A-1"), order(50_000, order_ref="A-2")]
    results = shop.post("/orders/batch", {"orders": bodies})["results"]
    assert [one["tier"]["change"]["earned"][0]["points"] for one in results] == [100, 500]
    assert shop.balance() == 1700
    # Cancelled in one batch: gold goes, and silver with it.
    bodies = [one | {"status": "cancelled"} for one in bodies]
    shop.post("/orders/batch", {"orders": bodies})
    assert shop.balance() == 0
    # Up and down again in one unit of work.
    again = [order(60_000, order_ref="A-3"), order(60_000, order_ref="A-1", status="cancelled")]
    shop.post("/orders/batch", {"orders": again})
    assert shop.balance() == 700
    clean(shop)


def test_a_late_order_pays_as_of_its_own_time(shop: World) -> None:
    shop.order("A-1", 30_000, placed_at="2026-03-01T09:00:00Z")
    late = shop.order("A-0", 30_000, placed_at="2026-01-10T09:00:00Z")
    [award] = late["tier"]["change"]["earned"]
    assert award["points"] == 100
    [entry] = [one for one in shop.entries() if one["source"]["type"] == "tier"]
    # Silver was reached by what was bought on 1 March, as it is known now.
    assert entry["effective_at"] == "2026-03-01T09:00:00Z"
    assert shop.balance() == 700
    clean(shop)


def test_an_adjustment_that_counts_enters_a_level(make_world: Make) -> None:
    basis = {"metric": "points", "window": "rolling", "duration": "P12M"}
    levels = [SILVER | {"enter_at": 500, "retain_at": 300}]
    shop = open_shop(make_world, basis=basis, levels=levels)
    shop.order("A-1", 40_000)
    body = {"member_ref": "mina", "points": 100, "reason": "sorry", "counts_for_tier": True}
    change = shop.post("/adjustments", body, status=201)["tier_change"]
    assert (change["to"], change["earned"][0]["points"]) == ("silver", 100)
    assert shop.balance() == 400 + 100 + 100
    taken = shop.post("/adjustments", body | {"points": -1}, status=201)
    assert taken["tier_change"]["to"] is None
    assert taken["balances"][0]["available"] == 400 + 99
    clean(shop)


def test_merged_members_are_not_paid_again(shop: World) -> None:
    shop.member("jun")
    shop.order("A-1", 60_000)
    shop.order("B-1", 50_000, member_ref="jun")
    # 600 + 100 and 500 + 100; together 1,100.00 make gold, which neither had.
    shop.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1300 + 500)
    clean(shop)
    shop.order("B-1", 50_000, status="cancelled")
    assert (shop.tier()["key"], shop.balance()) == ("silver", 800)
    # Gold was entered with the merge: deserved again within its term, it is that entering.
    shop.order("B-1", 50_000)
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1300 + 500)
    clean(shop)


def test_what_a_refund_leaves_pays_the_level_that_it_would_have_entered(shop: World) -> None:
    shop.order("A-1", 60_000)
    shop.order("A-1", 60_000, status="cancelled")
    shop.order("A-2", 120_000)
    # Straight to gold; silver was taken back with A-1.
    assert shop.balance() == 1200 + 500
    refund = {"refunded_at": "2026-03-01T10:00:00Z", "status": "succeeded", "amount_minor": 60_000}
    left = shop.put("/orders/A-2/refunds/R-1", refund)
    assert (left["tier"]["key"], shop.balance()) == ("silver", 600 + 100)
    assert [one["points"] for one in left["tier"]["change"]["earned"]] == [100]
    assert reversed_points(left) == 600 + 500
    clean(shop)
    shop.put("/orders/A-2/refunds/R-1", refund | {"status": "withdrawn"})
    # Straight to gold once more: what silver paid in between was for the refund.
    assert shop.balance() == 1200 + 500
    shop.put("/orders/A-2/refunds/R-1", refund)
    assert shop.balance() == 700
    assert sorted(row.level_key for row in rows(shop, ENTRIES)) == ["gold", "silver"]
    clean(shop)


def test_a_level_that_went_on_beneath_a_higher_one_is_not_paid_again(shop: World) -> None:
    shop.order("A-1", 60_000, placed_at="2026-03-01T10:00:00Z")
    shop.post("/test-clock", {"now": "2027-02-01T10:00:00Z"})
    shop.order("A-2", 100_000, placed_at="2027-02-01T10:00:00Z")
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1600 + 600)
    # Silver's first term is over, gold's is not.
    shop.post("/test-clock", {"now": "2027-06-01T10:00:00Z"})
    assert shop.tier()["key"] == "gold"
    left = shop.order("A-2", 30_000, placed_at="2027-02-01T10:00:00Z")
    # 300.00 would have kept silver in March 2027: the stay of 2026, paid for then.
    assert (left["tier"]["key"], shop.balance()) == ("silver", 900 + 100)
    clean(shop)


def test_renewed_in_grace_pays_nothing_and_after_grace_pays_again(make_world: Make) -> None:
    shop = open_shop(make_world, grace="P30D")
    shop.order("A-1", 60_000, placed_at="2026-03-01T10:00:00Z")
    shop.post("/test-clock", {"now": "2027-03-10T10:00:00Z"})
    assert shop.tier()["grace_until"] == "2027-03-31T15:00:00Z"
    shop.order("A-2", 30_000, placed_at="2027-03-10T10:00:00Z")
    assert (shop.tier()["until"], shop.balance()) == ("2028-03-10T15:00:00Z", 1000)
    shop.post("/test-clock", {"now": "2028-04-10T10:00:00Z"})
    assert shop.tier()["key"] is None
    shop.order("A-3", 60_000, placed_at="2028-04-10T10:00:00Z")
    assert shop.balance() == 1000 + 700
    clean(shop)


def test_an_order_that_changes_hands_takes_the_level_along(make_world: Make) -> None:
    shop = open_shop(make_world, term={"policy": "none"})
    shop.member("jun")
    shop.order("A-1", 60_000)
    shop.order("A-1", 60_000, member_ref="jun")
    assert (shop.balance(), shop.tier()["key"]) == (0, None)
    assert (shop.balance("jun"), shop.tier("jun")["key"]) == (700, "silver")
    clean(shop)


def test_an_order_that_changes_hands_leaves_no_term_behind(shop: World) -> None:
    shop.member("jun")
    shop.order("A-1", 60_000)
    assert shop.balance("mina") == 600 + 100
    shop.order("A-1", 60_000, member_ref="jun")
    assert (shop.balance("mina"), shop.balance("jun")) == (0, 600 + 100)
    assert (shop.tier("mina")["key"], shop.tier("jun")["key"]) == (None, "silver")
    clean(shop)


def test_a_lowered_ladder_lifts_and_pays_and_a_level_taken_out_is_gone(shop: World) -> None:
    shop.order("A-1", 40_000)
    levels = [SILVER | {"enter_at": 40_000}, GOLD]
    shop.publish(tiers=TIERS | {"levels": levels}, earning={"rules": [BASE_RULE]})
    shop.post("/test-clock", {"now": "2026-03-02T00:00:00Z"})
    assert (shop.tier()["key"], shop.balance()) == ("silver", 500)
    assert changes(shop) == [(None, "silver", "upgrade", "ladder")]
    clean(shop)
    shop.publish(tiers=TIERS | {"levels": [GOLD]}, earning={"rules": [BASE_RULE]})
    shop.order("A-2", 60_000)
    assert (shop.tier()["key"], shop.balance()) == ("gold", 500 + 600 + 500)
    clean(shop)


@pytest.mark.parametrize(
    "walk",
    [
        "A600 B600 A0 C300 C1200 B0 C0 A300 B300 C600",
        "A1200 A600 A1200 A0 B600 C600 B0 B600 C0 B0",
        "A300 B300 C300 C600 A0 B0 C1200 A1200 C0 A0 B600",
        "C1200 B1200 C0 B600 B0 A600 A300 C300 A0 C0",
    ],
)
def test_whatever_is_told_ends_as_counting_by_hand_does(shop: World, walk: str) -> None:
    told, claims, rank = dict.fromkeys("ABC", 0), dict[int, bool](), 0
    changed = dict[int, int]()
    for number, step in enumerate(walk.split()):
        ref, euros = step[0], int(step[1:])
        told[ref] = euros
        shop.order(ref, (euros or 1) * 100, status="paid" if euros else "cancelled")
        total = sum(told.values())
        now = (total >= 500) + (total >= 1000)
        if now < rank:
            claims |= {one: False for one in claims if now < one <= rank}
        changed |= {one: number for one in claims if now < one <= rank}
        if now == 2 > rank and claims.get(2) is False and changed.get(1, -1) >= changed[2]:
            # Silver was paid since gold was taken back, and all is of one instant.
            claims[1] = False
        if now and now != rank and not claims.get(now):
            claims[now], changed[now] = True, number
        rank = now
        paid = sum({1: 100, 2: 500}[one] for one, stands in claims.items() if stands)
        assert shop.balance() == total + paid, step
    clean(shop)


def test_a_quote_tells_what_entering_the_level_would_pay(shop: World) -> None:
    quoted = shop.quote(60_000)["tier"]["change"]
    assert [one["points"] for one in quoted["earned"]] == [100]
    assert shop.balance() == 0
    told = shop.order("A-1", 60_000)["tier"]["change"]
    assert [one["points"] for one in told["earned"]] == [100]
    assert {**quoted, "earned": []} == {**told, "earned": []}
    clean(shop)
