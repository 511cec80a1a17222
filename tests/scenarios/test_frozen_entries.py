"""What entering a level paid goes back with the orders that deserved it, though a term's promise
keeps the level; a change of hands keeps nothing."""

from typing import Any

import pytest

from loyalty.tiers.models import ENTRIES
from tests.scenarios.tier_shop import Make, changes, clean, messages, open_shop, rows
from tests.world import BASE_RULE, World

BASE = {"key": "base", "enter_at": 0, "entry_effects": [{"do": "add_points", "points": 30}]}
AT = "2026-03-01T10:00:00Z"


@pytest.fixture
def kept(make_world: Make) -> World:
    """A ladder whose levels stay to the end of their term whatever is refunded."""
    return open_shop(make_world, on_refund="until_term_end")


def test_buying_and_returning_pays_for_no_level(kept: World) -> None:
    for number in range(3):
        kept.order(f"A-{number}", 120_000)
        assert kept.balance() == 1200 + 500
        kept.order(f"A-{number}", 120_000, status="cancelled")
        assert (kept.balance(), kept.tier()["key"]) == (0, "gold")
        clean(kept)
    assert [bool(row.stands) for row in rows(kept, ENTRIES)] == [False]
    # The tier itself did not change.
    assert changes(kept) == [(None, "gold", "upgrade", "order")]
    assert len(messages(kept, "tier.changed")) == 1


def test_the_refund_withdrawn_brings_it_back_to_the_same_lot(kept: World) -> None:
    kept.order("A-1", 120_000)
    lots = {lot["id"] for lot in kept.get("/members/mina/lots")["data"]}
    refund = {"refunded_at": AT, "status": "succeeded", "amount_minor": 60_000}
    for _ in range(2):
        kept.put("/orders/A-1/refunds/R-1", refund)
        assert (kept.balance(), kept.tier()["key"]) == (600, "gold")
        clean(kept)
        kept.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
        assert (kept.balance(), kept.tier()["key"]) == (1700, "gold")
        clean(kept)
    assert {lot["id"] for lot in kept.get("/members/mina/lots")["data"]} == lots


def test_a_correction_takes_back_as_a_refund_does(kept: World) -> None:
    kept.order("A-1", 100_000, revision=1)
    kept.order("A-1", 10_000, revision=2)
    assert (kept.balance(), kept.tier()["key"]) == (100, "gold")
    clean(kept)


def test_deserved_again_by_later_orders_within_the_term(kept: World) -> None:
    kept.order("A-1", 60_000, placed_at=AT)
    kept.order("A-2", 60_000, placed_at=AT)
    kept.order("A-2", 60_000, placed_at=AT, status="cancelled")
    kept.order("A-1", 60_000, placed_at=AT, status="cancelled")
    assert (kept.balance(), kept.tier()["key"]) == (0, "gold")
    kept.post("/test-clock", {"now": "2026-05-01T10:00:00Z"})
    kept.order("B-1", 60_000, placed_at="2026-05-01T10:00:00Z")
    assert kept.balance() == 600 + 100
    kept.order("B-2", 30_000, placed_at="2026-05-01T10:00:00Z")
    assert kept.balance() == 900 + 100
    # Placed before, told after: 600 + 300 + 200 make gold once more.
    kept.order("B-3", 20_000, placed_at="2026-04-20T10:00:00Z")
    assert kept.balance() == 1100 + 600
    assert len(rows(kept, ENTRIES)) == 2
    assert [one[2] for one in changes(kept)] == ["upgrade", "upgrade", "renewal"]
    clean(kept)


def test_when_the_term_is_over_it_stays_gone(kept: World) -> None:
    kept.order("A-1", 60_000, placed_at=AT)
    kept.order("A-1", 60_000, placed_at=AT, status="cancelled")
    kept.post("/test-clock", {"now": "2027-03-05T10:00:00Z"})
    assert (kept.balance(), kept.tier()["key"]) == (0, None)
    kept.order("A-1", 60_000, placed_at=AT)
    assert kept.balance() == 600
    # A term of its own pays by a claim of its own.
    kept.order("B-1", 60_000, placed_at="2027-03-05T10:00:00Z")
    assert (kept.balance(), len(rows(kept, ENTRIES))) == (600 + 600 + 100, 2)
    clean(kept)


def test_a_refund_of_a_level_renewed_since_takes_back_nothing_more_than_it_lost(
    kept: World,
) -> None:
    kept.order("A-1", 120_000, placed_at=AT)
    kept.post("/test-clock", {"now": "2026-04-01T10:00:00Z"})
    kept.order("A-2", 110_000, placed_at="2026-04-01T10:00:00Z")
    kept.order("A-1", 120_000, placed_at=AT, status="cancelled")
    # 1,100.00 that stand deserve gold still.
    assert (kept.balance(), kept.tier()["key"]) == (1100 + 500, "gold")
    clean(kept)


@pytest.mark.parametrize("policy", ["until_term_end", "immediate"])
def test_an_order_that_goes_from_hand_to_hand_leaves_gold_with_the_last(
    make_world: Make, policy: str
) -> None:
    shop = open_shop(make_world, on_refund=policy)
    hands = ("mina", "jun", "bo", "ida")
    for ref in hands:
        shop.member(ref)
        shop.order("A-1", 100_000, member_ref=ref)
    assert [shop.tier(ref)["key"] for ref in hands] == [None, None, None, "gold"]
    assert [shop.balance(ref) for ref in hands] == [0, 0, 0, 1500]
    clean(shop)


def test_a_level_given_by_hand_is_not_extended_over_one_reached(make_world: Make) -> None:
    shop = open_shop(
        make_world,
        basis={"metric": "spend", "window": "lifetime"},
        term={"policy": "none"},
        downgrade="none",
    )
    shop.order("A-1", 60_000, placed_at=AT)
    given = {"key": "gold", "until": "2026-03-20T00:00:00Z", "reason": "sponsor"}
    shop.post("/members/mina/tier", given)
    shop.set_clock("2026-03-10T10:00:00Z")
    shop.post("/members/mina/tier", {"key": None, "reason": "left"})
    shop.order("B-1", 30_000, placed_at="2026-03-10T10:00:00Z")
    shop.post("/test-clock", {"now": "2026-03-25T10:00:00Z"})
    shop.order("C-1", 20_000, placed_at="2026-03-25T10:00:00Z")
    # 600 + 300 + 200, silver's 100, gold's 500 by hand and 500 reached.
    assert shop.balance() == 1100 + 100 + 500 + 500
    shop.order("B-1", 50_000, placed_at="2026-03-10T10:00:00Z")
    assert (shop.balance(), shop.tier()["since"]) == (2400, "2026-03-10T10:00:00Z")
    clean(shop)
    shop.order("B-1", 10_000, placed_at="2026-03-10T10:00:00Z")
    assert (shop.balance(), shop.tier()["key"]) == (900 + 100 + 500, "silver")
    clean(shop)


def test_a_partial_refund_withdrawn_gains_nothing(make_world: Make) -> None:
    shop = open_shop(make_world)
    shop.order("A-1", 120_000)
    refund: dict[str, Any] = {"refunded_at": AT, "status": "succeeded", "amount_minor": 60_000}
    for _ in range(2):
        shop.put("/orders/A-1/refunds/R-1", refund)
        assert (shop.balance(), shop.tier()["key"]) == (600 + 100, "silver")
        shop.put("/orders/A-1/refunds/R-1", refund | {"status": "withdrawn"})
        assert (shop.balance(), shop.tier()["key"]) == (1200 + 500, "gold")
        clean(shop)


def test_climbing_step_by_step_after_a_lowering_keeps_both(make_world: Make) -> None:
    shop = open_shop(make_world)
    shop.order("A-1", 120_000, placed_at=AT)
    refund = {"refunded_at": AT, "status": "succeeded", "amount_minor": 60_000}
    shop.put("/orders/A-1/refunds/R-1", refund)
    shop.set_clock("2026-03-02T10:00:00Z")
    shop.order("A-2", 60_000, placed_at="2026-03-02T10:00:00Z")
    assert (shop.balance(), shop.tier()["key"]) == (1200 + 100 + 500, "gold")
    clean(shop)


def test_a_refund_long_after_takes_back_what_an_ended_term_paid(make_world: Make) -> None:
    month = {"metric": "spend", "window": "rolling", "duration": "P1M"}
    term = {"policy": "from_entry", "duration": "P1M"}
    shop = open_shop(make_world, basis=month, term=term)
    june = "2026-06-05T10:00:00Z"
    shop.order("A-1", 60_000, placed_at=AT)
    shop.post("/test-clock", {"now": june})
    shop.order("B-1", 60_000, placed_at=june)
    assert shop.balance() == 700 + 700
    shop.order("A-1", 60_000, placed_at=AT, status="cancelled")
    assert (shop.balance(), shop.tier()["key"]) == (700, "silver")
    clean(shop)
    shop.order("A-1", 60_000, placed_at=AT)
    assert shop.balance() == 1400
    clean(shop)


def test_a_merge_pays_a_level_that_neither_had(make_world: Make) -> None:
    shop = open_shop(make_world)
    shop.member("jun")
    shop.order("A-1", 60_000)
    shop.order("B-1", 50_000, member_ref="jun")
    shop.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1100 + 200 + 500)
    clean(shop)


@pytest.mark.parametrize("policy", ["until_term_end", "immediate"])
def test_a_merge_pays_nothing_that_either_had(make_world: Make, policy: str) -> None:
    shop = open_shop(make_world, on_refund=policy)
    shop.member("jun")
    shop.order("B-1", 120_000, member_ref="jun")
    shop.order("B-1", 110_000 if policy == "immediate" else 60_000, member_ref="jun")
    before = shop.balance("jun")
    assert before == (1600 if policy == "immediate" else 600)
    shop.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert (shop.tier()["key"], shop.balance()) == ("gold", before)
    clean(shop)


def test_a_level_from_the_start_pays_at_the_start(make_world: Make) -> None:
    shop = make_world(
        tiers={"levels": [BASE, {"key": "top", "enter_at": 50_000}]},
        earning={"rules": [BASE_RULE]},
        members={"auto_enrol": True},
    )
    shop.set_clock(AT)
    told = shop.put("/members/mina", {}, status=201)
    assert (told["member"]["tier"]["key"], told["balances"][0]["available"]) == ("base", 30)
    assert changes(shop) == [(None, "base", "upgrade", "ladder")]
    shop.put("/members/mina", {})
    assert shop.balance() == 30
    shop.order("N-1", 1_000, member_ref="nobody")
    assert shop.balance("nobody") == 10 + 30
    shop.order("N-2", 60_000, member_ref="somebody")
    assert (shop.tier("somebody")["key"], shop.balance("somebody")) == ("top", 600 + 30)
    clean(shop)


def test_what_a_refund_takes_is_effective_when_it_was_refunded(make_world: Make) -> None:
    shop = open_shop(make_world)
    shop.order("A-1", 120_000, placed_at=AT)
    shop.set_clock("2026-03-09T10:00:00Z")
    refund = {
        "refunded_at": "2026-03-04T10:00:00Z",
        "status": "succeeded",
        "amount_minor": 60_000,
    }
    shop.put("/orders/A-1/refunds/R-1", refund)
    assert shop.balance() == 700
    [_, change] = shop.get("/members/mina/tier/changes")["data"][::-1]
    assert change["effective_at"] == "2026-03-04T10:00:00Z"
    gone = [one for one in shop.entries() if one["from"] == "available"]
    assert {one["effective_at"] for one in gone} == {"2026-03-04T10:00:00Z"}
    assert {one["source"]["type"] for one in gone} == {"order", "tier"}
    clean(shop)


def test_a_refund_leaves_the_level_that_everybody_stands_on(make_world: Make) -> None:
    shop = make_world(
        tiers={"levels": [BASE, {"key": "top", "enter_at": 50_000}]},
        earning={"rules": [BASE_RULE]},
    )
    shop.set_clock(AT)
    shop.member("mina")
    for _ in range(2):
        shop.order("A-1", 60_000)
        assert (shop.tier()["key"], shop.balance()) == ("top", 630)
        shop.order("A-1", 60_000, status="cancelled")
        assert (shop.tier()["key"], shop.balance()) == ("base", 30)
        clean(shop)
