"""Two kinds of points side by side: stars for the tier, credit that is money, each on its terms."""

from collections.abc import Callable
from typing import Any

import pytest

from core import ids
from tests.concurrency.parallel import assert_sound
from tests.world import World, line, per_euro, points, reversed_points, rule

Make = Callable[..., World]
NOW = "2027-03-01T03:00:00Z"
STARS: dict[str, Any] = {
    "key": "stars",
    "value": {"points": 100, "minor": 150},
    "expiry": {"policy": "after", "duration": "P3M"},
}
#: Store credit: a point is a cent.
CREDIT: dict[str, Any] = {
    "key": "credit",
    "value": {"points": 1, "minor": 1},
    "pending": {"policy": "after", "duration": "P14D"},
    "expiry": {"policy": "fixed_dates", "dates": ["12-31"]},
    "return_policy": "only_pending",
}
#: One star for 1.00, and 5 % of it back as credit: 5 cents.
RULES = [rule("base", per_euro()), rule("back", per_euro(5) | {"points_key": "credit"})]


def opened(make_world: Make, *kinds: dict[str, Any], rules: Any = None, **changes: Any) -> World:
    world = make_world(
        points=list(kinds or (STARS, CREDIT)), earning={"rules": rules or RULES}, **changes
    )
    world.set_clock(NOW)
    world.member("mina")
    return world


def buy(world: World, ref: str, *lines: Any, **more: Any) -> Any:
    return world.order(ref, *lines, **({"placed_at": NOW} | more))


def refund(world: World, ref: str, minor: int, *, order_ref: str = "A-1") -> Any:
    path = f"/orders/{order_ref}/refunds/{ref}"
    return world.put(path, {"refunded_at": NOW, "amount_minor": minor})


def balances(world: World) -> dict[str, tuple[int, int, int]]:
    """Available, pending and held of each kind."""
    return {
        one["points_key"]: (one["available"], one["pending"], one["held"])
        for one in world.get("/members/mina/balances")["data"]
    }


def spend(world: World, count: int, points_key: str) -> None:
    from tests import holding as holds

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        made = holds.hold(program_id, "mina", count, points_key=points_key, ttl=None)
        holds.capture(program_id, made["id"])


def dated(told: Any) -> list[tuple[str, int, str, str | None, str | None]]:
    return [
        (one["points_key"], one["points"], one["state"], one["available_at"], one["expires_at"])
        for one in told["earned"]
    ]


def test_one_order_earns_each_kind_on_its_own_terms(make_world: Make) -> None:
    world = opened(make_world)
    told = buy(world, "A-1", 4_000, 6_000)
    # Stars at once and through 1 June, Seoul; credit in 14 days and to the end of the year.
    assert sorted(dated(told)) == [
        ("credit", 500, "pending", "2027-03-15T03:00:00Z", "2027-12-31T15:00:00Z"),
        ("stars", 100, "available", NOW, "2027-06-01T15:00:00Z"),
    ]
    assert balances(world) == {"stars": (100, 0, 0), "credit": (0, 500, 0)}
    entries = [(one["points_key"], one["seq"], one["kind"], one["to"]) for one in world.entries()]
    assert sorted(entries) == [("credit", 1, "earn", "pending"), ("stars", 1, "earn", "available")]
    assert {one["summary"]["en"] for one in world.entries()} == {
        "100 stars for order A-1",
        "500 credit for order A-1",
    }
    # Each comes and goes by its own dates; a chain of entries for each.
    world.post("/test-clock", {"now": "2027-07-01T00:00:00Z"})
    assert balances(world) == {"stars": (0, 0, 0), "credit": (500, 0, 0)}
    world.post("/test-clock", {"now": "2027-12-31T15:00:00Z"})
    assert balances(world) == {"stars": (0, 0, 0), "credit": (0, 0, 0)}
    told_later = [
        (one["points_key"], one["seq"], one["kind"], one["effective_at"])
        for one in world.entries()[2:]
    ]
    assert told_later == [
        ("credit", 2, "activate", "2027-03-15T03:00:00Z"),
        ("stars", 2, "expire", "2027-06-01T15:00:00Z"),
        ("credit", 3, "expire", "2027-12-31T15:00:00Z"),
    ]
    assert_sound(world)


def test_a_kind_is_spent_and_adjusted_apart_from_the_other(make_world: Make) -> None:
    world = opened(make_world)
    buy(world, "A-1", 10_000)
    world.post("/test-clock", {"now": "2027-03-15T03:00:00Z"})
    assert balances(world) == {"stars": (100, 0, 0), "credit": (500, 0, 0)}
    spend(world, 450, "credit")
    refused = world.post(
        "/adjustments",
        {"member_ref": "mina", "points": -51, "points_key": "credit", "reason": "typo"},
        status=409,
    )
    assert refused["available"] == 50
    assert balances(world) == {"stars": (100, 0, 0), "credit": (50, 0, 0)}
    taken = [one for one in world.entries() if one["points_key"] == "stars"]
    assert [one["kind"] for one in taken] == ["earn"]
    assert_sound(world)


def test_only_the_first_kind_moves_the_tier(make_world: Make) -> None:
    tiers = {"basis": {"metric": "points"}, "levels": [{"key": "gold", "enter_at": 150}]}
    world = opened(make_world, tiers=tiers)
    told = buy(world, "A-1", 14_900)
    # 149 stars and 745 of credit.
    assert (points(told, "stars"), points(told, "credit")) == (149, 745)
    assert (told["tier"]["key"], told["order"]["qualifying_points"]) == (None, 149)
    assert buy(world, "A-2", 100)["tier"]["key"] == "gold"


def test_the_first_kind_is_meant_where_none_is_named(make_world: Make) -> None:
    world = opened(make_world, CREDIT, STARS)
    told = buy(world, "A-1", 10_000)
    # The base rule names no kind: it now gives credit, as does the other, which says so.
    assert (points(told, "credit"), points(told, "stars")) == (600, 0)
    [award] = told["earned"]
    assert [(one["rule"], one["points"]) for one in award["breakdown"]] == [
        ("back", 500),
        ("base", 100),
    ]


def test_rules_of_one_kind_with_terms_of_their_own_split_its_award(make_world: Make) -> None:
    """Credit in three lots: the kind's terms, one at once, one at once for ten days only."""
    at_once = {"points_key": "credit", "pending": {"policy": "immediate"}}
    short = at_once | {"expiry": {"policy": "after", "duration": "P10D"}}
    world = opened(
        make_world,
        rules=[
            *RULES,
            rule("extra", per_euro(2) | at_once),
            rule("bonus", {"do": "add_points", "points": 30} | short),
        ],
    )
    told = buy(world, "A-1", 4_000, 6_000)
    assert sorted(dated(told), key=lambda one: one[1]) == [
        ("credit", 30, "available", NOW, "2027-03-11T15:00:00Z"),
        ("stars", 100, "available", NOW, "2027-06-01T15:00:00Z"),
        ("credit", 200, "available", NOW, "2027-12-31T15:00:00Z"),
        ("credit", 500, "pending", "2027-03-15T03:00:00Z", "2027-12-31T15:00:00Z"),
    ]
    rules = {one["points"]: [part["rule"] for part in one["breakdown"]] for one in told["earned"]}
    assert rules == {30: ["bonus"], 100: ["base"], 200: ["extra"], 500: ["back"]}
    assert balances(world) == {"stars": (100, 0, 0), "credit": (230, 500, 0)}
    # Of 40.00 that come back, each part falls by its share; the bonus stands, as it asks for
    # nothing that is gone. The credit of the kind is pending: `only_pending` takes 200 of it,
    # and leaves the 200 that can be spent already, of which 80 are written off.
    back = refund(world, "R-1", 4_000)
    assert (reversed_points(back, "stars"), reversed_points(back, "credit")) == (40, 200)
    assert balances(world) == {"stars": (60, 0, 0), "credit": (230, 300, 0)}
    assert {(one["points_key"], one["points"]) for one in back["earned"]} == {
        ("stars", 60),
        ("credit", 300),
        ("credit", 120),
        ("credit", 30),
    }
    # Given back, nothing more than was ever awarded is made.
    path = "/orders/A-1/refunds/R-1"
    withdrawn = {"refunded_at": NOW, "amount_minor": 4_000, "status": "withdrawn"}
    world.put(path, withdrawn)
    assert balances(world) == {"stars": (100, 0, 0), "credit": (230, 500, 0)}
    assert_sound(world)


def test_cancelling_takes_each_kind_by_its_own_policy(make_world: Make) -> None:
    world = opened(make_world, STARS | {"return_policy": "unlimited"}, CREDIT)
    buy(world, "A-1", 10_000)
    world.post("/test-clock", {"now": "2027-03-15T03:00:00Z"})
    spend(world, 70, "stars")
    spend(world, 100, "credit")
    told = buy(world, "A-1", 10_000, status="cancelled", cancelled_at="2027-03-15T03:00:00Z")
    # Stars go below zero; credit can be spent already and stays.
    assert (reversed_points(told, "stars"), reversed_points(told, "credit")) == (100, 0)
    assert balances(world) == {"stars": (-70, 0, 0), "credit": (400, 0, 0)}
    again = buy(world, "A-1", 10_000, status="paid")
    assert points(again, "stars") == 100
    assert balances(world) == {"stars": (30, 0, 0), "credit": (400, 0, 0)}
    assert_sound(world)


@pytest.mark.parametrize(
    ("policies", "suggested"),
    [
        # 70 stars are lost, at 1.50 for a hundred: 1.05. 100 of credit are lost: 1.00.
        ({"stars": "deduct_from_refund", "credit": "within_balance"}, 105),
        ({"stars": "within_balance", "credit": "deduct_from_refund"}, 100),
        ({"stars": "deduct_from_refund", "credit": "deduct_from_refund"}, 205),
        # What may not be taken at all is not asked for either.
        ({"stars": "only_pending", "credit": "deduct_from_refund"}, 100),
    ],
    ids=str,
)
def test_what_is_deducted_from_a_refund_is_each_kind_at_its_own_value(
    make_world: Make, policies: dict[str, str], suggested: int
) -> None:
    kinds = [
        one | {"return_policy": policies[one["key"]], "pending": {"policy": "immediate"}}
        for one in (STARS, CREDIT)
    ]
    world = opened(make_world, *kinds)
    buy(world, "A-1", 10_000)
    spend(world, 70, "stars")
    spend(world, 100, "credit")
    told = refund(world, "R-1", 10_000)
    kept = 30 if policies["stars"] == "only_pending" else 0
    assert told["suggested_refund_deduction_minor"] == suggested
    assert (reversed_points(told, "stars"), reversed_points(told, "credit")) == (30 - kept, 400)
    assert balances(world) == {"stars": (kept, 0, 0), "credit": (0, 0, 0)}
    assert_sound(world)


def test_a_line_may_earn_one_kind_and_the_order_the_other(make_world: Make) -> None:
    on_gifts = {
        "do": "points_per_unit",
        "points": 25,
        "points_key": "credit",
        "lines": {"when": {"fact": "line.sku", "op": "=", "value": "MUG"}},
    }
    world = opened(make_world, rules=[rule("base", per_euro()), rule("mugs", on_gifts)])
    mugs = line("1", 800, sku="MUG", quantity=3)
    told = buy(world, "A-1", mugs, line("2", 1_600, sku="TEA"))
    # 24.00 + 16.00 in stars; three mugs at 25.
    assert (points(told, "stars"), points(told, "credit")) == (40, 75)
    path = "/orders/A-1/refunds/R-1"
    one_mug = {"line_ref": "1", "quantity": 1, "amount_minor": 800}
    back = world.put(path, {"refunded_at": NOW, "lines": [one_mug]})
    assert (reversed_points(back, "stars"), reversed_points(back, "credit")) == (8, 25)
    assert balances(world) == {"stars": (32, 0, 0), "credit": (0, 50, 0)}
    assert_sound(world)


def test_a_kind_that_is_no_longer_in_the_document_keeps_its_points(make_world: Make) -> None:
    world = opened(make_world)
    buy(world, "A-1", 10_000)
    world.publish(points=[STARS], earning={"rules": RULES[:1]})
    world.post("/test-clock", {"now": "2027-03-15T03:00:00Z"})
    assert balances(world) == {"stars": (100, 0, 0), "credit": (500, 0, 0)}
    # The order is decided by the version that it was decided by at first.
    told = refund(world, "R-1", 10_000)
    assert reversed_points(told, "stars") == 100
    refused = world.post(
        "/adjustments",
        {"member_ref": "mina", "points": 1, "points_key": "credit", "reason": "late"},
        status=422,
    )
    assert refused["errors"][0]["pointer"] == "/points_key"
    world.post("/test-clock", {"now": "2028-01-01T00:00:00Z"})
    assert balances(world)["credit"] == (0, 0, 0)
    assert_sound(world)
