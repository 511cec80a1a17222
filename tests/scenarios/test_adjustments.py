"""Adjustments and transfers over HTTP: what is asked of them, what they do, what they leave."""

from collections.abc import Callable
from typing import Any

import pytest

from core import ids
from tests.concurrency.parallel import assert_sound
from tests.contract.checking import pointers, rows
from tests.world import World

Make = Callable[..., World]
NOW = "2027-03-01T03:00:00Z"
TWO_KINDS = [{"key": "points"}, {"key": "stars"}]


def opened(make_world: Make, **changes: Any) -> World:
    """A program whose clock stands on 1 March 2027 at noon in Seoul, with Mina and Jun."""
    world = make_world(**changes)
    world.set_clock(NOW)
    for ref in ("mina", "jun"):
        world.member(ref)
    return world


@pytest.fixture
def shop(make_world: Make) -> World:
    return opened(make_world, points=TWO_KINDS)


def adjust(world: World, points: int, *, status: int = 201, **more: Any) -> Any:
    key = more.pop("key", None)
    body = {"member_ref": "mina", "points": points, "reason": "goodwill"} | more
    return world.post("/adjustments", body, status=status, key=key)


def transfer(world: World, points: int, *, status: int = 201, **more: Any) -> Any:
    body = {"from_member_ref": "mina", "to_member_ref": "jun", "points": points} | more
    return world.post("/transfers", body, status=status)


def account(world: World, ref: str = "mina", points_key: str = "points") -> dict[str, Any]:
    data = world.get(f"/members/{ref}/balances")["data"]
    found: dict[str, Any] = next(one for one in data if one["points_key"] == points_key)
    return found


def expiring(world: World, ref: str = "mina") -> list[tuple[str, int]]:
    return [(one["expires_at"], one["points"]) for one in account(world, ref)["expiring"]]


def spend(world: World, points: int) -> None:
    from tests import holding as holds

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        holds.capture(program_id, holds.hold(program_id, "mina", points, ttl=None)["id"])


def lot_of(entry: Any, world: World) -> str:
    found: str = world.get(f"/entries/{entry['id']}")["lots"][0]["id"]
    return found


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"reason": None}, "/reason"),
        ({"reason": ""}, "/reason"),
        ({"reason": " \t\u3000"}, "/reason"),
        ({"reason": "x" * 201}, "/reason"),
        ({"points": 0}, "/points"),
        ({"points": 1.5}, "/points"),
        ({"points": "5"}, "/points"),
        ({"points": 10**12 + 1}, "/points"),
        ({"points_key": "miles"}, "/points_key"),
        ({"expires_at": NOW}, "/expires_at"),
        ({"expires_at": "2027-02-28T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2027-12-31"}, "/expires_at"),
        ({"expected_version": -1}, "/expected_version"),
        ({"points": -5, "expires_at": "2027-12-31T00:00:00Z"}, "/points"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=str,
)
def test_an_adjustment_that_says_nothing_sensible_is_refused_and_writes_nothing(
    shop: World, changes: dict[str, Any], pointer: str
) -> None:
    before = rows(shop)
    body = {"member_ref": "mina", "points": 5, "reason": "goodwill"} | changes
    refused = shop.post("/adjustments", body, status=422)
    assert (refused["code"], pointers(refused)) == ("validation_failed", [pointer])
    assert rows(shop) == before


def test_a_reason_is_mandatory_and_the_member_must_exist(shop: World) -> None:
    refused = shop.post("/adjustments", {"member_ref": "mina", "points": 5}, status=422)
    assert pointers(refused) == ["/reason"]
    assert adjust(shop, 5, member_ref="nobody", status=404)["code"] == "not_found"
    body = {"member_ref": "mina", "points": 5, "reason": "goodwill"}
    without_key = shop.call("POST", "/adjustments", body)
    assert (without_key.status_code, without_key.json["code"]) == (400, "idempotency_key_missing")


def test_below_zero_only_when_it_is_said_and_the_next_credit_absorbs_it(shop: World) -> None:
    adjust(shop, 30)
    before = rows(shop)
    refused = adjust(shop, -31, status=409)
    assert (refused["code"], refused["available"]) == ("insufficient_points", 30)
    assert rows(shop) == before
    taken = adjust(shop, -50, allow_negative=True)
    assert taken["balances"][0]["available"] == -20
    # From below zero nothing more is taken, unless that too is said.
    assert adjust(shop, -1, status=409)["available"] == -20
    assert adjust(shop, 15, expires_at="2027-12-31T15:00:00Z")["balances"][0]["available"] == -5
    assert expiring(shop) == []
    # Of 12 more, 5 fill the hole, and 7 are there to be spent and to expire.
    adjust(shop, 12, expires_at="2027-06-30T15:00:00Z")
    assert (account(shop)["available"], expiring(shop)) == (7, [("2027-06-30T15:00:00Z", 7)])
    assert_sound(shop)


def test_an_adjustment_is_made_only_of_the_version_that_was_read(shop: World) -> None:
    assert adjust(shop, 10, expected_version=0)["balances"][0]["version"] == 1
    before = rows(shop)
    refused = adjust(shop, 10, expected_version=0, status=409)
    assert (refused["code"], refused["version"]) == ("version_mismatch", 1)
    assert rows(shop) == before
    # Each kind of points is an account with a version of its own.
    assert adjust(shop, 10, points_key="stars", expected_version=0)["entry"]["seq"] == 1
    assert adjust(shop, 10, expected_version=1)["entry"]["seq"] == 2
    assert_sound(shop)


def test_the_version_of_points_that_lapsed_is_the_one_a_reader_saw(shop: World) -> None:
    adjust(shop, 10, expires_at="2027-03-10T15:00:00Z")
    adjust(shop, 5)
    # Nobody settled: the reader counts the entry of the expiry that will be written.
    shop.set_clock("2027-03-11T00:00:00Z")
    seen = account(shop)
    assert (seen["available"], seen["version"]) == (5, 3)
    assert adjust(shop, 1, expected_version=2, status=409)["version"] == 3
    assert adjust(shop, 1, expected_version=3)["entry"]["seq"] == 4
    told = [(one["seq"], one["kind"], one["points"]) for one in shop.entries()]
    assert told == [(1, "adjust", 10), (2, "adjust", 5), (3, "expire", 10), (4, "adjust", 1)]
    assert_sound(shop)


def test_only_a_key_with_the_scope_adjust_may_adjust(shop: World) -> None:
    scopes = ["members", "orders", "rewards", "referrals", "program", "keys", "read", "import"]
    body = {"member_ref": "mina", "points": 5, "reason": "goodwill"}

    def send(*allowed: str, path: str = "/adjustments", told: Any = body) -> Any:
        made = shop.post("/keys", {"name": "till", "scopes": list(allowed)}, status=201)
        headers = {"Authorization": f"Bearer {made['key']}", "Idempotency-Key": "till-1"}
        return shop.call("POST", path, told, headers=headers)

    refused = send(*scopes)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert shop.entries() == []
    assert send("adjust").status_code == 201
    gift = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 1}
    assert send("adjust", path="/transfers", told=gift).status_code == 403


def test_a_repeated_adjustment_is_made_once_and_answered_alike(shop: World) -> None:
    first = adjust(shop, 25, key="once")
    again = shop.call(
        "POST",
        "/adjustments",
        {"reason": "goodwill", "points": 25, "member_ref": "mina"},
        headers={"Idempotency-Key": "once"},
    )
    assert (again.status_code, again.json) == (201, first)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert adjust(shop, 26, key="once", status=422)["code"] == "idempotency_key_reused"
    assert (shop.balance(), len(shop.entries())) == (25, 1)


@pytest.mark.parametrize(
    ("given", "expires_at"),
    [
        # As the kind says: earned on 1 March, good through 1 June in Seoul.
        ({}, "2027-06-01T15:00:00Z"),
        ({"expires_at": None}, None),
        # An instant of its own is kept as it is, not moved to a midnight.
        ({"expires_at": "2027-04-05T06:07:08.5+09:00"}, "2027-04-04T21:07:08.5Z"),
    ],
    ids=str,
)
def test_points_given_expire_as_told_or_as_their_kind_does(
    make_world: Make, given: dict[str, Any], expires_at: str | None
) -> None:
    # What is given by hand is there at once, though what is earned waits.
    kind = {
        "key": "points",
        "pending": {"policy": "after", "duration": "P14D"},
        "expiry": {"policy": "after", "duration": "P3M"},
    }
    shop = opened(make_world, points=[kind])
    made = adjust(shop, 40, **given)
    [balance] = made["balances"]
    assert (balance["available"], balance["pending"]) == (40, 0)
    [lot] = shop.get(f"/entries/{made['entry']['id']}")["lots"]
    assert (lot["expires_at"], lot["state"]) == (expires_at, "available")
    assert expiring(shop) == ([] if expires_at is None else [(expires_at, 40)])
    if expires_at is None:
        shop.set_clock("2099-01-01T00:00:00Z")
        assert shop.balance() == 40


GOLD_AT_1000 = {
    "basis": {"metric": "points"},
    "downgrade": "full",
    "levels": [{"key": "gold", "enter_at": 1000, "multiplier_bp": 20_000}],
}


def test_what_counts_lifts_a_tier_and_taking_it_back_lowers_it(make_world: Make) -> None:
    shop = opened(make_world, points=TWO_KINDS, tiers=GOLD_AT_1000)
    shop.order("A-1", 95_000, placed_at="2027-02-01T10:00:00Z")
    # 950 qualify; a gift that does not count changes nothing, however large.
    assert adjust(shop, 500)["tier_change"] is None
    assert shop.tier()["key"] is None
    assert adjust(shop, 49, counts_for_tier=True)["tier_change"] is None
    assert shop.tier()["progress"][0]["value"] == 999
    lifted = adjust(shop, 1, counts_for_tier=True)
    assert lifted["tier_change"].items() >= {"from": None, "to": "gold"}.items()
    assert (shop.tier()["key"], shop.tier()["progress"][0]["value"]) == ("gold", 1000)
    # No order was placed: the next one is the second, and gold doubles it.
    placed = {"placed_at": NOW}
    assert shop.earned("A-2", 1000, **placed) == 20
    shop.order("A-2", 1000, **placed, status="cancelled")
    # Taken by hand without counting, gold stays; counted, it falls.
    assert adjust(shop, -50)["tier_change"] is None
    assert shop.tier()["key"] == "gold"
    fallen = adjust(shop, -1, counts_for_tier=True)
    assert fallen["tier_change"].items() >= {"from": "gold", "to": None}.items()
    assert (shop.tier()["key"], shop.tier()["progress"][0]["value"]) == (None, 999)
    # 950 + 500 + 49 + 1 - 50 - 1 points.
    assert shop.balance() == 1449
    assert_sound(shop)


def test_points_taken_that_count_lower_a_tier_as_a_refund_does(make_world: Make) -> None:
    """Also where time lowers none: they were never there."""
    levels = [{"key": "gold", "enter_at": 1000}]
    shop = make_world(tiers={"basis": {"metric": "points"}, "levels": levels})
    shop.member()
    assert adjust(shop, 1000, counts_for_tier=True)["tier_change"]["to"] == "gold"
    fallen = adjust(shop, -1, counts_for_tier=True)["tier_change"]
    assert (fallen["from"], fallen["to"]) == ("gold", None)
    assert shop.tier()["progress"][0]["value"] == 999
    assert adjust(shop, 1, counts_for_tier=True)["tier_change"]["to"] == "gold"
    assert shop.verify()["mismatches"] == []


def test_only_the_first_kind_counts_for_tiers(make_world: Make) -> None:
    shop = opened(make_world, points=TWO_KINDS, tiers=GOLD_AT_1000)
    before = rows(shop)
    refused = adjust(shop, 1000, points_key="stars", counts_for_tier=True, status=422)
    assert pointers(refused) == ["/counts_for_tier"]
    assert rows(shop) == before
    assert adjust(shop, 1000, points_key="stars")["balances"][-1]["points_key"] == "stars"
    assert (shop.balance(points_key="stars"), shop.tier()["key"]) == (1000, None)


def test_a_lot_of_somebody_else_or_of_another_kind_is_given_no_new_date(shop: World) -> None:
    foreign = lot_of(adjust(shop, 10, member_ref="jun")["entry"], shop)
    other = lot_of(adjust(shop, 10, points_key="stars")["entry"], shop)
    own = lot_of(adjust(shop, 10, expires_at="2027-03-31T15:00:00Z")["entry"], shop)
    before = rows(shop)
    later: dict[str, Any] = {"expires_at": "2027-06-30T15:00:00Z"}
    for lot_id in (foreign, other, "lot_00000000000000000000000000", "nonsense", ""):
        refused = adjust(shop, 5, lot_id=lot_id, **later, status=422)
        assert pointers(refused) == ["/lot_id"], lot_id
    assert pointers(adjust(shop, 5, lot_id=own, status=422)) == ["/expires_at"]
    assert pointers(adjust(shop, -5, lot_id=own, status=422)) == ["/points"]
    refused = adjust(shop, 11, lot_id=own, **later, status=409)
    assert (refused["code"], refused["available"]) == ("insufficient_points", 10)
    assert rows(shop) == before
    adjust(shop, 4, lot_id=own, **later)
    # The other 6 still end in March; spent, none of them can be given a date.
    assert expiring(shop) == [("2027-03-31T15:00:00Z", 6), ("2027-06-30T15:00:00Z", 4)]
    spend(shop, 6)
    assert adjust(shop, 1, lot_id=own, **later, status=409)["available"] == 0
    assert (shop.balance(), expiring(shop)) == (4, [("2027-06-30T15:00:00Z", 4)])
    assert_sound(shop)


def test_who_did_it_and_why_is_kept_and_told_in_both_languages(shop: World) -> None:
    made = shop.call(
        "POST",
        "/adjustments",
        {"member_ref": "mina", "points": 1250, "reason": "parcel lost", "note": "ticket 77"},
        headers={"Idempotency-Key": "who", "Dangol-Actor": "soo@bloom"},
    ).json
    assert made["adjustment"]["reason"] == "parcel lost"
    taken = adjust(shop, -50)["entry"]
    assert (made["entry"]["actor"], taken["actor"]) == ("soo@bloom", None)
    [given] = [one for one in shop.entries() if one["kind"] == "adjust" and one["to"] != "adjusted"]
    assert given == made["entry"]
    assert given["source"] == {"type": "adjustment", "ref": made["adjustment"]["id"]}
    assert (given["from"], given["to"], given["available_after"]) == ("adjusted", "available", 1250)
    assert (given["effective_at"], given["recorded_at"]) == (NOW, NOW)
    assert given["summary"] == {
        "en": "1,250 points added by an adjustment",
        "ko": "조정으로 1,250포인트 추가",
    }
    assert taken["summary"] == {
        "en": "50 points taken by an adjustment",
        "ko": "조정으로 50포인트 차감",
    }


@pytest.mark.parametrize(
    ("changes", "status", "where"),
    [
        ({"to_member_ref": "mina"}, 422, ["/to_member_ref"]),
        ({"to_member_ref": "guest"}, 422, ["/to_member_ref"]),
        ({"to_member_ref": "nobody"}, 404, []),
        ({"from_member_ref": "nobody"}, 404, []),
        ({"points": 0}, 422, ["/points"]),
        ({"points": -5}, 422, ["/points"]),
        ({"points_key": "miles"}, 422, ["/points_key"]),
        ({"points_key": "stars"}, 409, []),
        ({"points": 101}, 409, []),
    ],
    ids=str,
)
def test_a_transfer_that_cannot_be_made_moves_nothing(
    shop: World, changes: dict[str, Any], status: int, where: list[str]
) -> None:
    shop.member("guest", is_enrolled=False)
    adjust(shop, 100)
    before = rows(shop)
    body = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 5} | changes
    refused = shop.post("/transfers", body, status=status)
    assert pointers(refused) == where
    if status == 409:
        assert refused["available"] == (0 if "points_key" in changes else 100)
    assert rows(shop) == before


def test_nothing_is_given_from_below_zero_and_a_hole_takes_of_a_gift_first(shop: World) -> None:
    adjust(shop, -30, allow_negative=True)
    assert transfer(shop, 1, status=409)["available"] == -30
    adjust(shop, 100, member_ref="jun", expires_at="2027-12-31T15:00:00Z")
    back = transfer(shop, 50, from_member_ref="jun", to_member_ref="mina", reason="lunch")
    assert (back["from"]["balances"][0]["available"], shop.balance("jun")) == (50, 50)
    assert (shop.balance(), expiring(shop)) == (20, [("2027-12-31T15:00:00Z", 20)])
    assert back["transfer"] == {
        "id": back["from"]["entry"]["source"]["ref"],
        "points_key": "points",
        "points": 50,
        "reason": "lunch",
    }
    told = [back[side]["entry"]["summary"]["en"] for side in ("from", "to")]
    assert told == ["50 points taken by a transfer", "50 points added by a transfer"]
    assert_sound(shop)


def test_a_transfer_keeps_dates_and_leaves_tiers_where_they_were(make_world: Make) -> None:
    """C23: lots of 100 (March) and 200 (December); of 150 sent, 100 end in March."""
    shop = opened(make_world, tiers=GOLD_AT_1000)
    shop.order("A-1", 100_000, placed_at="2027-02-01T10:00:00Z")
    spend(shop, 1000)
    adjust(shop, 200, expires_at="2027-12-31T15:00:00Z")
    adjust(shop, 100, expires_at="2027-03-31T15:00:00Z")
    made = transfer(shop, 150)
    assert expiring(shop, "jun") == [("2027-03-31T15:00:00Z", 100), ("2027-12-31T15:00:00Z", 50)]
    assert expiring(shop) == [("2027-12-31T15:00:00Z", 150)]
    assert [(one["from"], one["to"]) for one in (made["from"]["entry"], made["to"]["entry"])] == [
        ("available", "transferred"),
        ("transferred", "available"),
    ]
    shown = {ref: shop.tier(ref) for ref in ("mina", "jun")}
    assert [(one["key"], one["progress"][0]["value"]) for one in shown.values()] == [
        ("gold", 1000),
        (None, 0),
    ]
    assert account(shop, "jun")["lifetime_earned"] == 0
    # They end for Jun as they would have ended for Mina.
    shop.set_clock("2027-04-01T00:00:00Z")
    assert (shop.balance("jun"), shop.balance()) == (50, 150)
    assert_sound(shop)
