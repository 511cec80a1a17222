"""A level given by hand: until an end, with a reason, above what was reached, and logged."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import BASE_RULE, World, reversed_points

SILVER = {
    "key": "silver",
    "enter_at": 50_000,
    "entry_effects": [{"do": "add_points", "points": 100}],
}
GOLD = {
    "key": "gold",
    "enter_at": 100_000,
    "multiplier_bp": 20_000,
    "entry_effects": [{"do": "add_points", "points": 500}],
    "perks": [{"key": "lounge"}],
}
#: Without a threshold: by invitation only.
VIP = {"key": "vip", "multiplier_bp": 30_000}
TIERS: dict[str, Any] = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "downgrade": "full",
    "on_refund": "immediate",
    "levels": [SILVER, GOLD, VIP],
}
UNTIL = "2026-06-01T00:00:00Z"


@pytest.fixture
def shop(make_world: Callable[..., World]) -> World:
    """A ladder with terms and a level by invitation, on 1 March 2026."""
    made = make_world(tiers=TIERS, earning={"rules": [BASE_RULE]})
    made.set_clock("2026-03-01T10:00:00Z")
    made.member("mina")
    return made


def _give(world: World, key: str | None, *, status: int = 200, **more: Any) -> Any:
    body = {"key": key, "reason": "sponsor"} | ({"until": UNTIL} if key else {}) | more
    return world.post("/members/mina/tier", body, status=status)


def _changes(world: World) -> list[tuple[Any, ...]]:
    """From, to, kind, cause and note of Mina's changes, the oldest first."""
    data = world.get("/members/mina/tier/changes")["data"]
    names = ("from", "to", "kind", "cause", "note")
    return [tuple(one[name] for name in names) for one in data][::-1]


def _clean(world: World) -> None:
    assert world.verify()["mismatches"] == []


def test_a_level_by_hand_holds_until_its_end_and_pays_what_entering_pays(shop: World) -> None:
    given = _give(shop, "gold")
    assert (given["change"]["from"], given["change"]["to"]) == (None, "gold")
    assert [one["points"] for one in given["change"]["earned"]] == [500]
    tier = given["tier"]
    assert (tier["key"], tier["until"], tier["is_manual"]) == ("gold", UNTIL, True)
    assert tier["reason"] == "sponsor"
    assert shop.tier() == tier
    member = shop.get("/members/mina")
    assert [one["perk"] for one in member["entitlements"]] == ["lounge"]
    # 100.00 at the doubled rate of gold, beside the 500.
    assert shop.earned("A-1", 10_000) == 200
    assert shop.balance() == 700
    _clean(shop)
    shop.post("/test-clock", {"now": "2026-05-31T23:59:59Z"})
    assert shop.tier()["key"] == "gold"
    shop.post("/test-clock", {"now": UNTIL})
    tier = shop.tier()
    assert (tier["key"], tier["is_manual"]) == (None, False)
    # What entering paid stays: a hand gave it, and no refund took it.
    assert shop.balance() == 700
    assert _changes(shop) == [
        (None, "gold", "upgrade", "manual", "sponsor"),
        ("gold", None, "downgrade", "time", None),
    ]
    _clean(shop)


def test_it_outranks_downwards_too_while_the_reached_level_goes_on_beneath(shop: World) -> None:
    _give(shop, "silver")
    assert shop.balance() == 100
    shop.order("A-1", 120_000, placed_at="2026-03-01T10:00:00Z")
    assert (shop.tier()["key"], shop.balance()) == ("silver", 1300)
    # Gold was reached beneath it, and is entered when the hand is taken off.
    shop.post("/test-clock", {"now": "2026-06-02T00:00:00Z"})
    tier = shop.tier()
    assert (tier["key"], tier["until"]) == ("gold", "2027-03-01T15:00:00Z")
    assert shop.balance() == 1800
    assert _changes(shop)[-1][:4] == ("silver", "gold", "upgrade", "time")
    _clean(shop)


def test_null_ends_it_and_nothing_is_paid_twice_in_its_term(shop: World) -> None:
    _give(shop, "gold")
    ended = _give(shop, None, reason="left the team")
    assert (ended["change"]["from"], ended["change"]["to"]) == ("gold", None)
    assert ended["change"]["earned"] == []
    assert ended["tier"]["key"] is None
    assert shop.balance() == 500
    # Ending it again changes nothing, and is not logged.
    assert _give(shop, None)["change"] is None
    _give(shop, "gold")
    assert shop.balance() == 500
    shop.order("A-1", 120_000)
    # At gold's doubled rate; gold itself was paid for already.
    assert shop.balance() == 500 + 2400
    assert (
        _changes(shop)
        == [
            (None, "gold", "upgrade", "manual", "sponsor"),
            ("gold", None, "downgrade", "manual", "left the team"),
            (None, "gold", "upgrade", "manual", "sponsor"),
            ("gold", "gold", "renewal", "order", None),
        ][: len(_changes(shop))]
    )
    _clean(shop)


def test_given_again_it_has_another_end_and_reason(shop: World) -> None:
    _give(shop, "gold")
    again = _give(shop, "gold", until="2026-09-01T00:00:00Z", reason="another season")
    assert again["change"] is None
    assert (again["tier"]["until"], again["tier"]["reason"]) == (
        "2026-09-01T00:00:00Z",
        "another season",
    )
    assert _changes(shop)[-1] == ("gold", "gold", "renewal", "manual", "another season")
    shop.post("/test-clock", {"now": UNTIL})
    assert shop.tier()["key"] == "gold"
    shop.post("/test-clock", {"now": "2026-09-01T00:00:00Z"})
    assert (shop.tier()["key"], shop.balance()) == (None, 500)
    _clean(shop)


def test_a_level_by_invitation_is_reached_by_hand_alone(shop: World) -> None:
    shop.order("A-1", 9_000_000)
    assert shop.tier()["key"] == "gold"
    invited = _give(shop, "vip")
    assert (invited["change"]["from"], invited["change"]["to"]) == ("gold", "vip")
    # 10.00 at three times.
    assert shop.earned("A-2", 1_000) == 30
    shop.post("/test-clock", {"now": UNTIL})
    assert shop.tier()["key"] == "gold"
    _clean(shop)


def test_a_refund_takes_nothing_of_what_a_hand_gave(shop: World) -> None:
    _give(shop, "gold")
    shop.order("A-1", 10_000)
    shop.order("A-1", 10_000, status="cancelled")
    assert (shop.tier()["key"], shop.balance()) == ("gold", 500)
    _clean(shop)


def test_who_gave_it_is_in_the_log_and_the_same_key_gives_it_once(shop: World) -> None:
    headers = {"Idempotency-Key": "once", "Dangol-Actor": "ann"}
    body = {"key": "gold", "until": UNTIL, "reason": "sponsor"}
    first = shop.call("POST", "/members/mina/tier", body, headers=headers)
    again = shop.call("POST", "/members/mina/tier", body, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_data() == first.get_data()
    [change] = shop.get("/members/mina/tier/changes")["data"]
    assert (change["actor"], change["note"], change["source"]) == ("ann", "sponsor", None)
    missing = shop.call("POST", "/members/mina/tier", body)
    assert (missing.status_code, missing.json["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"key": "platinum"}, "/key"),
        ({"until": None}, "/until"),
        ({"until": "2026-03-01T10:00:00Z"}, "/until"),
        ({"key": None}, "/until"),
        ({"reason": "  "}, "/reason"),
    ],
)
def test_what_cannot_be_is_refused(shop: World, changes: dict[str, Any], pointer: str) -> None:
    body = {"key": "gold", "until": UNTIL, "reason": "sponsor"} | changes
    refused = shop.post("/members/mina/tier", body, status=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert (shop.tier()["key"], _changes(shop)) == (None, [])


def test_nobody_unknown_or_erased_is_given_a_level(shop: World) -> None:
    body = {"key": "gold", "until": UNTIL, "reason": "sponsor"}
    shop.post("/members/nobody/tier", body, status=404)
    shop.post("/members/mina/tier", body)
    assert shop.call("DELETE", "/members/mina").status_code == 200
    shop.post("/members/mina/tier", body, status=404)
    _clean(shop)
    # The worker goes on: the end of what was given to them brings nothing.
    shop.post("/test-clock", {"now": "2026-06-02T00:00:00Z"})
    _clean(shop)


def test_it_follows_into_a_merge(shop: World) -> None:
    shop.member("jun")
    _give(shop, "gold")
    shop.post("/members/mina/merge", {"into_member_ref": "jun"})
    tier = shop.tier("jun")
    assert (tier["key"], tier["until"], tier["is_manual"]) == ("gold", UNTIL, True)
    assert (shop.balance("jun"), shop.tier("mina")["key"]) == (500, "gold")
    _clean(shop)
    shop.post("/test-clock", {"now": UNTIL})
    assert (shop.tier("jun")["key"], shop.balance("jun")) == (None, 500)
    _clean(shop)


def test_a_refund_beneath_it_takes_back_what_the_order_was_paid_for(shop: World) -> None:
    shop.order("A-1", 120_000)
    _give(shop, "vip")
    assert shop.balance() == 1200 + 500
    for _ in range(2):
        cancelled = shop.order("A-1", 120_000, status="cancelled")
        # Beneath the invitation gold is gone, and with it the 500 for it.
        assert (shop.tier()["key"], shop.balance()) == ("vip", 0)
        assert (reversed_points(cancelled), "change" in cancelled["tier"]) == (1700, False)
        _clean(shop)
        shop.order("A-1", 120_000)
        assert (shop.tier()["key"], shop.balance()) == ("vip", 1700)
        _clean(shop)
    shop.post("/test-clock", {"now": UNTIL})
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1700)
    assert [one[:4] for one in _changes(shop)] == [
        (None, "gold", "upgrade", "order"),
        ("gold", "vip", "upgrade", "manual"),
        ("vip", "gold", "downgrade", "time"),
    ]
    _clean(shop)


def test_what_was_taken_back_beneath_it_is_no_more_than_restored_after_it(shop: World) -> None:
    shop.order("A-1", 120_000)
    _give(shop, "vip")
    shop.order("A-1", 120_000, status="cancelled")
    shop.post("/test-clock", {"now": UNTIL})
    assert (shop.tier()["key"], shop.balance()) == (None, 0)
    shop.order("A-2", 120_000, placed_at=UNTIL)
    assert (shop.tier()["key"], shop.balance()) == ("gold", 1700)
    _clean(shop)


def test_what_a_hand_gives_again_is_deserved_without_the_order(shop: World) -> None:
    shop.order("A-1", 60_000)
    shop.order("A-2", 60_000)
    _give(shop, "silver")
    assert shop.balance() == 600 + 100 + 600 + 500
    shop.order("A-1", 60_000, status="cancelled")
    shop.order("A-2", 60_000, status="cancelled")
    # Gold was the orders'; silver is the hand's as well, which would have paid its 100.
    assert (shop.tier()["key"], shop.balance()) == ("silver", 100)
    _clean(shop)
    shop.post("/test-clock", {"now": UNTIL})
    assert (shop.tier()["key"], shop.balance()) == (None, 100)
    _clean(shop)


def test_a_level_renewed_beneath_it_is_no_new_entering_at_its_end(shop: World) -> None:
    shop.order("A-1", 120_000)
    _give(shop, "silver", until="2027-06-01T00:00:00Z")
    at = "2027-02-01T10:00:00Z"
    shop.post("/test-clock", {"now": at})
    shop.order("A-2", 120_000, placed_at=at)
    # Gold's term of 2026 ends on 1 March 2027 and is renewed, unseen.
    shop.post("/test-clock", {"now": "2027-06-01T00:00:00Z"})
    assert (shop.tier()["key"], shop.tier()["until"]) == ("gold", "2028-03-01T15:00:00Z")
    assert shop.balance() == 1200 + 500 + 1200
    _clean(shop)


def test_progress_is_that_of_the_level_beneath_it(shop: World) -> None:
    shop.order("A-1", 60_000, placed_at="2026-03-01T10:00:00Z")
    _give(shop, "vip")
    tier = shop.tier()
    assert (tier["key"], tier["is_manual"], tier["projected"]) == ("vip", True, "silver")
    [progress] = tier["progress"]
    assert progress["value"] == 60_000
    assert progress["next"] == {"key": "gold", "missing": 40_000}
    # The order of 1 March 2026 has left the window when the term ends with 1 March 2027.
    assert progress["retain"] == {"missing": 50_000, "by": "2027-03-01T15:00:00Z"}
    shop.member("jun")
    body = {"key": "silver", "until": UNTIL, "reason": "sponsor"}
    [progress] = shop.post("/members/jun/tier", body)["tier"]["progress"]
    assert progress["next"] == {"key": "silver", "missing": 50_000}
    assert progress["retain"] is None
