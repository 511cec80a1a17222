"""A shop moves in: what its file names is there, once, and nothing that it does not name."""

import random  # noqa: TID251
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from core.outbox import OutboxMessage
from tests.world import BASE_RULE, World, order

Make = Callable[..., World]
HELLO = {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}}
LEVELS = [
    {"key": "silver", "enter_at": 50000},
    {"key": "gold", "enter_at": 100000, "multiplier_bp": 20000, "perks": [{"key": "lounge"}]},
]
JOINED = "2024-05-01T00:00:00Z"


@pytest.fixture
def shop(make_world: Make) -> World:
    """A test program at 1 March 2026 that greets with 100 points and has two levels."""
    world = make_world(
        points=[{"key": "points"}, {"key": "credit"}],
        earning={"rules": [BASE_RULE, HELLO]},
        tiers={"levels": LEVELS},
    )
    world.set_clock("2026-03-01T12:00:00Z")
    return world


def lot(points: int, expires_at: str | None = None, **more: Any) -> dict[str, Any]:
    return {"points": points, "earned_at": "2025-06-01T00:00:00Z", "expires_at": expires_at} | more


def mover(ref: str, **more: Any) -> dict[str, Any]:
    return {"member_ref": ref, "is_history": True, "joined_at": JOINED} | more


def move(world: World, *members: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of one batch."""
    response = world.call("POST", "/members/batch", {"members": list(members)})
    assert response.status_code == 200, response.get_data(as_text=True)
    results: list[dict[str, Any]] = response.json["results"]
    assert [one["member_ref"] for one in results] == [one["member_ref"] for one in members]
    return results


def messages(world: World) -> list[str]:
    statement = (
        sa.select(OutboxMessage.type)
        .where(OutboxMessage.program_id == ids.read_id("prg", world.program_id))
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        return db.reading(lambda connection: list(connection.execute(statement).scalars()))


def pointers(result: dict[str, Any]) -> list[str]:
    assert result["status"] == 422, result
    return [one["pointer"] for one in result["problem"]["errors"]]


def test_what_a_member_brings_along_is_there_with_its_dates(shop: World) -> None:
    opening = {
        "lots": [
            lot(300, "2026-12-31T15:00:00Z"),
            lot(120),
            lot(7, points_key="credit"),
        ],
        "lifetime_earned": 1000,
    }
    [result] = move(shop, mover("mina", email="mina@example.com", opening=opening))
    assert result["status"] == 201
    assert result["member"]["email"] == "mina@example.com"
    assert result["member"]["joined_at"] == JOINED
    [points, credit] = shop.get("/members/mina/balances")["data"]
    assert result["balances"] == [points, credit]
    assert (points["available"], points["lifetime_earned"], credit["available"]) == (420, 1000, 7)
    assert points["expiring"] == [{"expires_at": "2026-12-31T15:00:00Z", "points": 300}]
    entries = shop.entries()
    assert [(one["kind"], one["source"]["type"]) for one in entries] == [("adjust", "opening")] * 3
    assert messages(shop) == []
    shop.set_clock("2026-12-31T15:00:00Z")
    assert shop.balance() == 120
    assert shop.verify()["mismatches"] == []


def test_the_same_again_posts_nothing_and_another_is_refused(shop: World) -> None:
    opening = {"lots": [lot(300, "2026-12-31T15:00:00Z"), lot(20)], "lifetime_earned": 500}
    [first] = move(shop, mover("mina", opening=opening))
    respelled = {
        "lots": [lot(20), lot(300, "2027-01-01T00:00:00+09:00")],
        "lifetime_earned": 500,
        "tier": None,
    }
    [again] = move(shop, mover("mina", opening=respelled))
    assert (again["status"], again["balances"]) == (200, first["balances"])
    [other] = move(shop, mover("mina", opening={"lots": [lot(321)]}))
    assert (other["status"], other["problem"]["code"]) == (409, "state_conflict")
    assert shop.balance() == 320
    # The file names a lot that is over by the time of the second run: it was posted, so it is no
    # fault now; and what it told expired as it should.
    shop.set_clock("2027-02-01T00:00:00Z")
    [late] = move(shop, mover("mina", opening=opening))
    assert (late["status"], shop.balance()) == (200, 20)


def test_two_references_in_one_batch_and_one_member_twice(shop: World) -> None:
    opening = {"lots": [lot(50)]}
    results = move(
        shop,
        mover("mina", opening=opening),
        mover("jun", opening=opening),
        mover("mina", opening=opening, name="Mina"),
    )
    assert [one["status"] for one in results] == [201, 201, 200]
    assert (shop.balance(), shop.balance("jun")) == (50, 50)
    assert shop.get("/members/mina")["name"] == "Mina"


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        ({"lots": [lot(10), lot(10, points_key="stars")]}, ["/opening/lots/1/points_key"]),
        ({"lots": [lot(0)]}, ["/opening/lots/0/points"]),
        ({"lots": [lot(-5)]}, ["/opening/lots/0/points"]),
        ({"lots": [lot(10**9 + 1)]}, ["/opening/lots/0/points"]),
        ({"lots": [lot(10, "2026-03-01T12:00:00Z")]}, ["/opening/lots/0/expires_at"]),
        (
            {"lots": [lot(10, earned_at="2026-03-01T13:00:00Z")]},
            ["/opening/lots/0/earned_at"],
        ),
        ({"lifetime_earned": -1}, ["/opening/lifetime_earned"]),
        (
            {"tier": {"key": "tin", "since": JOINED, "until": "2026-02-01T00:00:00Z"}},
            ["/opening/tier/key", "/opening/tier/until"],
        ),
    ],
)
def test_an_opening_that_cannot_count_is_refused_alone(
    shop: World, opening: dict[str, Any], expected: list[str]
) -> None:
    for is_history in (True, False):
        results = move(
            shop,
            mover("jun"),
            mover("mina", opening=opening, is_history=is_history),
        )
        assert results[0]["status"] in (200, 201)
        assert pointers(results[1]) == expected
        assert shop.call("GET", "/members/mina").status_code == 404


def test_who_moves_in_had_their_welcome_elsewhere(shop: World) -> None:
    move(shop, mover("mina", email="Mina.Kim@gmail.com", phone="+82 10 1234 5678"))
    assert (shop.balance(), messages(shop)) == (0, [])
    # The same person under another reference, by either contact.
    shop.member("m-2", email="minakim@googlemail.com")
    shop.member("m-3", phone="+821012345678")
    assert (shop.balance("m-2"), shop.balance("m-3")) == (0, 0)
    shop.member("jun", email="jun@example.com")
    assert shop.balance("jun") == 100
    # Told again by PUT, they stay who they are.
    shop.member("mina", name="Mina")
    assert shop.balance() == 0


def test_without_the_word_a_member_signs_up_as_usual(shop: World) -> None:
    results = move(
        shop,
        mover("mina", is_history=False, opening={"lots": [lot(50)]}),
        mover("jun", is_history=False),
        mover("sua"),
    )
    assert [one["status"] for one in results] == [201] * 3
    assert [sum(each["points"] for each in one["earned"]) for one in results] == [100, 100, 0]
    assert (shop.balance(), shop.balance("jun"), shop.balance("sua")) == (150, 100, 0)
    assert results[0]["balances"][0]["available"] == 150
    # An opening of somebody who is no history is told of: it may have been forgotten.
    [warning] = results[0]["problems"]
    assert (warning["code"], warning["pointer"]) == ("opening_without_history", "/opening")
    assert results[1]["problems"] == results[2]["problems"] == []
    assert sorted(messages(shop)) == ["member.created"] * 2 + ["points.earned"] * 2
    again = move(shop, mover("mina", is_history=False, opening={"lots": [lot(50)]}))
    assert (again[0]["status"], shop.balance()) == (200, 150)
    assert shop.verify()["mismatches"] == []


def test_a_level_brought_along_holds_until_its_end(shop: World) -> None:
    tier = {"key": "gold", "since": "2025-09-01T00:00:00Z", "until": "2026-06-01T00:00:00Z"}
    [result] = move(shop, mover("mina", opening={"tier": tier}))
    shown = shop.tier()
    assert result["member"]["tier"] == shown
    assert (shown["key"], shown["since"], shown["until"]) == (
        "gold",
        tier["since"],
        tier["until"],
    )
    assert shown["at_risk"] is True
    gold = next(one["enter_at"] for one in LEVELS if one["key"] == "gold")
    assert shown["progress"][0]["retain"] == {"missing": gold, "by": tier["until"]}
    [perk] = shop.get("/members/mina")["entitlements"]
    assert (perk["perk"], perk["until"]) == ("lounge", tier["until"])
    # Gold earns double: 600.00 are 1,200 points, and of the orders alone they are silver.
    told = shop.order("A-1", 60000, placed_at="2026-03-01T11:00:00Z")
    assert shop.balance() == 1200
    assert (told["tier"]["key"], "change" in told["tier"]) == ("gold", False)
    assert "tier.changed" not in messages(shop)
    shop.set_clock("2026-06-01T00:00:00Z")
    after = shop.tier()
    assert (after["key"], after["since"], after["until"]) == (
        "silver",
        "2026-03-01T11:00:00Z",
        None,
    )
    told = shop.order("A-2", 1000, placed_at="2026-06-01T00:00:00Z")
    assert (told["tier"]["key"], shop.balance()) == ("silver", 1210)
    assert shop.verify()["mismatches"] == []


def test_a_level_for_good_stays_and_a_higher_one_is_told(shop: World) -> None:
    tier = {"key": "silver", "since": "2025-09-01T00:00:00Z", "until": None}
    move(shop, mover("mina", opening={"tier": tier}))
    shop.set_clock("2031-01-01T00:00:00Z")
    assert (shop.tier()["key"], shop.tier()["at_risk"]) == ("silver", False)
    told = shop.order("A-1", 100000, placed_at="2031-01-01T00:00:00Z")
    assert told["tier"]["change"].items() >= {"from": "silver", "to": "gold"}.items()
    told = shop.order("A-1", 100000, placed_at="2031-01-01T00:00:00Z", status="cancelled")
    assert told["tier"]["change"].items() >= {"from": "gold", "to": "silver"}.items()
    assert shop.tier()["until"] is None
    assert shop.verify()["mismatches"] == []


def test_an_order_before_the_level_began_is_judged_without_it(shop: World) -> None:
    tier = {"key": "gold", "since": "2026-02-01T00:00:00Z", "until": None}
    move(shop, mover("mina", opening={"tier": tier}))
    assert shop.earned("A-1", 1000, placed_at="2026-01-31T23:00:00Z") == 10
    assert shop.earned("A-2", 1000, placed_at="2026-02-01T00:00:00Z") == 20
    # Decided again, they stay what they were.
    assert shop.earned("A-2", 900, placed_at="2026-02-01T00:00:00Z") == 18


def test_a_deficit_takes_of_what_is_brought_along(make_world: Make) -> None:
    world = make_world(points=[{"key": "points", "return_policy": "unlimited"}])
    world.member()
    world.order("A-1", 50000)
    adjust = {"member_ref": "mina", "points": -450, "reason": "spent elsewhere"}
    world.post("/adjustments", adjust, status=201)
    world.order("A-1", 50000, status="cancelled")
    assert world.balance() == -450
    others = [mover(f"m-{number}", opening={"lots": [lot(5)]}) for number in range(12)]
    results = move(world, mover("mina", opening={"lots": [lot(400), lot(100)]}), *others)
    assert [one["status"] for one in results] == [200] + [201] * 12
    assert world.balance() == 50
    assert world.verify()["mismatches"] == []


def test_a_batch_needs_the_scope_and_a_list_that_can_be_read(shop: World) -> None:
    made = shop.post("/keys", {"name": "shop", "scopes": ["members", "orders"]}, status=201)
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = {"members": [mover("mina")]}
    assert shop.call("POST", "/members/batch", body, headers=headers).status_code == 403
    many = {"members": [mover(f"m-{number}") for number in range(501)]}
    assert shop.call("POST", "/members/batch", many).status_code == 422
    [id_like] = move(shop, mover(ids.show_id("mem", ids.new_id())))
    assert pointers(id_like) == ["/member_ref"]


def _file(rng: random.Random, members: int, orders: int) -> tuple[list[Any], list[Any]]:
    """A shop's file: members with what they have, and their old orders in time order."""
    movers = []
    for number in range(members):
        lots = [
            lot(rng.randint(1, 500), rng.choice([None, "2026-12-31T15:00:00Z"]))
            for _ in range(rng.randint(0, 3))
        ]
        movers.append(
            mover(
                f"m-{number}",
                email=f"m{number}@example.com",
                opening={"lots": lots, "lifetime_earned": rng.randint(500, 5000)},
            )
        )
    history = [
        order(
            rng.randint(1000, 90000),
            order_ref=f"H-{number}",
            member_ref=f"m-{rng.randrange(members)}",
            is_history=True,
            placed_at=f"2025-{1 + number * 11 // orders:02}-10T00:00:00Z",
        )
        for number in range(orders)
    ]
    return movers, history


def test_a_shop_that_moves_in_twice_has_what_its_file_names(shop: World) -> None:
    movers, history = _file(random.Random(7), members=200, orders=1000)
    for expected in (201, 200):
        for start in range(0, len(movers), 100):
            results = move(shop, *movers[start : start + 100])
            assert {one["status"] for one in results} == {expected}
        for start in range(0, len(history), 500):
            part = {"orders": history[start : start + 500]}
            told = shop.call("POST", "/orders/batch", part).json["results"]
            assert {one["status"] for one in told} == {expected}
    for one in movers:
        opening = one["opening"]
        balance = shop.get(f"/members/{one['member_ref']}/balances")["data"][0]
        assert balance["available"] == sum(each["points"] for each in opening["lots"])
        assert balance["lifetime_earned"] == opening["lifetime_earned"]
        assert balance["version"] == len(opening["lots"])
    assert messages(shop) == []
    # Their history counts: the next order is nobody's first purchase, and levels are reached.
    spent = sum(
        one["lines"][0]["unit_price_minor"] for one in history if one["member_ref"] == "m-0"
    )
    key = "gold" if spent >= 100000 else "silver" if spent >= 50000 else None
    assert shop.tier("m-0")["key"] == key
    shop.member("again", email="m0@example.com")
    assert shop.balance("again") == 0
    assert shop.verify()["mismatches"] == []


@pytest.mark.parametrize(
    "opening",
    [
        {},
        {"lots": []},
        {"lifetime_earned": 0},
        {"tier": {"key": "silver", "since": JOINED, "until": None}},
        {"lots": [lot(7, points_key="credit")]},
    ],
)
def test_an_opening_without_points_needs_no_account(shop: World, opening: dict[str, Any]) -> None:
    [result] = move(shop, mover("mina", opening=opening))
    assert result["status"] == 201
    assert shop.verify()["mismatches"] == []
