"""Two members turn out to be one person: everything is the one's who stays, once."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, ids
from core.outbox import OutboxMessage
from tests.scenarios.ledgers import Holds
from tests.scenarios.soundness import assert_sound
from tests.world import World, order, per_euro, points, rule

Make = Callable[..., World]
FIRST = {"fact": "order.is_first", "op": "=", "value": True}
HELLO = {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}}
LEVELS = [
    {"key": "silver", "enter_at": 50000},
    {"key": "gold", "enter_at": 100000, "multiplier_bp": 20000},
]


def merge(world: World, old: str, into: str, *, status: int = 200, key: str | None = None) -> Any:
    return world.post(f"/members/{old}/merge", {"into_member_ref": into}, status=status, key=key)


def give(world: World, ref: str, points: int, **more: Any) -> None:
    body = {"member_ref": ref, "points": points, "reason": "test"} | more
    world.post("/adjustments", body, status=201)


def told(world: World) -> list[tuple[str, Any]]:
    from core import jsontext

    statement = (
        sa.select(OutboxMessage.type, OutboxMessage.payload)
        .where(OutboxMessage.program_id == ids.read_id("prg", world.program_id))
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        rows = db.reading(lambda connection: connection.execute(statement).all())
    return [(row.type, jsontext.parse(row.payload)) for row in rows]


def dates(world: World, ref: str) -> list[tuple[str, int]]:
    balance = world.get(f"/members/{ref}/balances")["data"][0]
    return [(one["expires_at"], one["points"]) for one in balance["expiring"]]


@pytest.fixture
def pair(make_world: Make) -> World:
    """Mina and Jun at 1 March 2026, with two levels by spending."""
    world = make_world(tiers={"levels": LEVELS})
    world.set_clock("2026-03-01T12:00:00Z")
    world.member("mina")
    world.member("jun")
    return world


def test_points_keep_their_dates_and_the_sums_are_one(pair: World) -> None:
    jun, mina = (pair.get(f"/members/{ref}")["id"] for ref in ("jun", "mina"))
    give(pair, "jun", 100, expires_at="2026-03-31T15:00:00Z")
    give(pair, "jun", 30, expires_at=None)
    give(pair, "mina", 200, expires_at="2026-12-31T15:00:00Z")
    pair.order("A-1", 4000, member_ref="jun")
    answer = merge(pair, "jun", "mina")
    assert answer["member"]["member_ref"] == "mina"
    [balance] = answer["balances"]
    assert (balance["available"], balance["lifetime_earned"]) == (370, 40)
    assert dates(pair, "mina") == [("2026-03-31T15:00:00Z", 100), ("2026-12-31T15:00:00Z", 200)]
    give(pair, "mina", -150)
    assert dates(pair, "mina") == [("2026-12-31T15:00:00Z", 150)]
    for ref in (jun, mina):
        assert_sound(pair, ref)
    merged = [payload for type_, payload in told(pair) if type_ == "member.merged"]
    assert merged == [{"member_ref": "jun", "into_member_ref": "mina"}]


def test_the_old_reference_reaches_the_one_who_stays_everywhere(pair: World) -> None:
    jun = pair.get("/members/jun")["id"]
    mina = pair.get("/members/mina")["id"]
    give(pair, "jun", 10)
    merge(pair, "jun", "mina")
    for ref in ("jun", jun):
        assert pair.get(f"/members/{ref}")["id"] == mina
        assert pair.balance(ref) == 10
        assert len(pair.get(f"/members/{ref}/entries")["data"]) == 1
        assert pair.get(f"/members/{ref}/tier")["key"] is None
    assert pair.put("/members/jun", {"name": "Mina Kim"}, status=200)["member"]["id"] == mina
    assert pair.get("/members/mina")["name"] == "Mina Kim"
    ordered = pair.order("A-1", 1000, member_ref="jun")
    assert ordered["order"]["member_ref"] == "mina"
    batch = {"orders": [order(2000, order_ref="A-2", member_ref=jun)]}
    assert pair.post("/orders/batch", batch)["results"][0]["order"]["member_ref"] == "mina"
    assert pair.balance() == 40
    assert (
        pair.post(
            "/quotes",
            {"member_ref": "jun", "cart": {"currency": "EUR", "lines": order(100)["lines"]}},
        )["tier"]
        is not None
    )
    assert [one["member_ref"] for one in pair.get("/members")["data"]] == ["mina"]


def test_chains_lead_to_the_end_and_circles_are_refused(pair: World) -> None:
    pair.member("sua")
    merge(pair, "jun", "mina")
    assert merge(pair, "mina", "jun", status=409)["code"] == "state_conflict"
    assert merge(pair, "mina", "mina", status=422)["errors"][0]["pointer"] == "/into_member_ref"
    merge(pair, "mina", "sua")
    assert pair.get("/members/jun")["member_ref"] == "sua"
    assert merge(pair, "sua", "jun", status=409)["code"] == "state_conflict"
    assert merge(pair, "jun", "sua")["member"]["member_ref"] == "sua"
    assert merge(pair, "jun", "mina")["member"]["member_ref"] == "sua"
    pair.member("ara")
    assert merge(pair, "jun", "ara", status=409)["code"] == "state_conflict"
    assert merge(pair, "ara", "jun")["member"]["member_ref"] == "sua"
    for old, into in (("nobody", "sua"), ("sua", "nobody"), ("nobody", "none")):
        assert merge(pair, old, into, status=404)["code"] == "not_found"


def test_again_answers_the_same_and_moves_nothing(pair: World) -> None:
    give(pair, "jun", 10)
    first = merge(pair, "jun", "mina", key="once")
    assert merge(pair, "jun", "mina", key="once") == first
    count = len(told(pair))
    assert merge(pair, "jun", "mina") == first
    assert len(told(pair)) == count


def test_orders_count_once_and_are_refunded_from_what_moved(pair: World) -> None:
    pair.order("A-1", 60000, member_ref="jun")
    pair.order("A-2", 50000)
    assert (pair.tier("jun")["key"], pair.tier()["key"]) == ("silver", "silver")
    answer = merge(pair, "jun", "mina")
    assert answer["member"]["tier"]["key"] == "gold"
    assert pair.balance() == 1100
    assert [payload["to"] for type_, payload in told(pair) if type_ == "tier.changed"] == [
        "silver",
        "silver",
        "gold",
    ]
    # Told again as it was: nothing. Told with the reference of the one who stays: nothing.
    assert points(pair.order("A-1", 60000, member_ref="jun")) == 600
    assert points(pair.order("A-1", 60000)) == 600
    assert pair.balance() == 1100
    back = pair.order("A-1", 60000, member_ref="jun", status="cancelled")
    assert sum(one["points"] for one in back["reversed"]) == 600
    assert (pair.balance(), back["tier"]["key"]) == (500, "silver")
    pair.order("A-1", 60000)
    assert pair.balance() == 1100
    refund = {"refunded_at": "2026-03-01T12:00:00Z", "amount_minor": 10000}
    pair.put("/orders/A-1/refunds/R-1", refund)
    assert pair.balance() == 1000
    assert pair.verify()["mismatches"] == []


def test_what_was_spent_and_written_off_goes_along(make_world: Make) -> None:
    for policy, after in (("within_balance", 0), ("unlimited", -400)):
        world = make_world(points=[{"key": "points", "return_policy": policy}])
        world.member("mina")
        world.member("jun")
        world.order("A-1", 50000, member_ref="jun")
        give(world, "jun", -400)
        world.order("A-1", 50000, member_ref="jun", status="cancelled")
        assert world.balance("jun") == after
        jun = world.get("/members/jun")["id"]
        merge(world, "jun", "mina")
        assert world.balance() == after
        # Stood again, the order gives back what was taken and nothing more.
        world.order("A-1", 50000)
        assert world.balance() == 100
        for ref in (jun, world.get("/members/mina")["id"]):
            assert_sound(world, ref)


def test_a_deficit_meets_the_points_of_the_other(make_world: Make) -> None:
    world = make_world(points=[{"key": "points", "return_policy": "unlimited"}])
    world.member("mina")
    world.member("jun")
    world.order("A-1", 50000, member_ref="jun")
    give(world, "jun", -400)
    world.order("A-1", 50000, member_ref="jun", status="cancelled")
    give(world, "mina", 150)
    jun, mina = (world.get(f"/members/{ref}")["id"] for ref in ("jun", "mina"))
    assert merge(world, "jun", "mina")["balances"][0]["available"] == -250
    assert_sound(world, jun)
    assert_sound(world, mina)


def test_pending_points_stay_pending_until_their_time(make_world: Make) -> None:
    pending = {"policy": "after", "duration": "P10D"}
    world = make_world(points=[{"key": "points", "pending": pending}])
    world.set_clock("2026-03-01T12:00:00Z")
    world.member("mina")
    world.member("jun")
    world.order("A-1", 5000, member_ref="jun")
    [balance] = merge(world, "jun", "mina")["balances"]
    assert (balance["pending"], balance["available"]) == (50, 0)
    world.set_clock("2026-03-11T10:00:00Z")
    assert world.balance() == 50
    assert world.verify()["mismatches"] == []


def test_open_holds_go_on(pair: World) -> None:
    from tests import holding as holds

    give(pair, "jun", 100)
    program_id = ids.read_id("prg", pair.program_id)
    assert program_id is not None
    with pair.app.app_context():
        held = holds.hold(program_id, "jun", 60, ttl=clock.parse_duration("P1D"))
        [balance] = merge(pair, "jun", "mina")["balances"]
        assert (balance["available"], balance["held"]) == (40, 60)
        holds.capture(program_id, held["id"])
    assert (pair.balance("mina"), pair.balance("jun")) == (40, 40)
    assert pair.verify()["mismatches"] == []


def test_a_redemption_from_before_comes_back_to_the_one_who_stays(pair: World) -> None:
    from tests import holding as holds

    jun, mina = (pair.get(f"/members/{ref}")["id"] for ref in ("jun", "mina"))
    give(pair, "jun", 100, expires_at="2026-03-31T15:00:00Z")
    give(pair, "jun", 50, expires_at="2026-12-31T15:00:00Z")
    program_id = ids.read_id("prg", pair.program_id)
    assert program_id is not None
    with pair.app.app_context():
        held = holds.hold(program_id, "jun", 120, ttl=None)
        holds.capture(program_id, held["id"])
        merge(pair, "jun", "mina")
        assert (pair.balance(), holds.capture(program_id, held["id"])["state"]) == (30, "captured")
        for _ in range(2):
            assert holds.reverse(program_id, held["id"])["state"] == "reversed"
    assert dates(pair, "mina") == [("2026-03-31T15:00:00Z", 100), ("2026-12-31T15:00:00Z", 50)]
    for ref in (jun, mina):
        assert_sound(pair, ref)


def test_one_time_effects_are_not_paid_again(make_world: Make) -> None:
    bonus = rule("first", {"do": "add_points", "points": 500}, when=FIRST)
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus, HELLO]})
    world.member("mina", email="mina@example.com")
    world.member("jun", email="jun@example.com")
    world.order("A-1", 1000, placed_at="2026-02-02T00:00:00Z")
    world.order("A-2", 1000, member_ref="jun", placed_at="2026-02-01T00:00:00Z")
    assert (world.balance(), world.balance("jun")) == (610, 610)
    merge(world, "jun", "mina")
    assert world.balance() == 1220
    assert world.earned("A-3", 1000, placed_at="2026-02-03T00:00:00Z") == 10
    # What was paid for both stays while both orders do, however often they are told.
    assert world.earned("A-1", 900, placed_at="2026-02-02T00:00:00Z") == 509
    assert points(world.get("/orders/A-1")) == 509
    assert world.earned("A-2", 800, member_ref="jun", placed_at="2026-02-01T00:00:00Z") == 508
    # Once fallen, the claim is the other's.
    cancelled = {"status": "cancelled", "placed_at": "2026-02-02T00:00:00Z"}
    world.order("A-1", 900, **cancelled)
    assert world.earned("A-1", 900, placed_at="2026-02-02T00:00:00Z") == 9
    world.member("again", email="jun@example.com")
    assert world.balance("again") == 0
    assert world.put("/members/jun", {"email": "jun@example.com"}, status=200)["earned"] == []
    assert world.verify()["mismatches"] == []


def test_the_person_is_one_and_the_old_row_is_empty(pair: World) -> None:
    consent = {
        "purpose": "marketing",
        "channel": "email",
        "is_granted": True,
        "at": "2026-01-05T00:00:00Z",
        "source": "shop",
    }
    pair.member(
        "jun",
        email="jun@example.com",
        phone="+821012345678",
        card_ref="C-1",
        name="Jun",
        joined_at="2025-05-05T00:00:00Z",
        contact_verified=["phone"],
        attributes={"size": "M", "color": "red"},
        consents=[consent],
    )
    pair.member("mina", email="mina@example.com", name="Mina", attributes={"color": "blue"})
    member = merge(pair, "jun", "mina")["member"]
    assert {name: member[name] for name in ("email", "phone", "card_ref", "name")} == {
        "email": "mina@example.com",
        "phone": "+821012345678",
        "card_ref": "C-1",
        "name": "Mina",
    }
    assert member["contact_verified"] == ["phone"]
    assert member["attributes"] == {"size": "M", "color": "blue"}
    assert member["joined_at"] == "2025-05-05T00:00:00Z"
    assert [one["purpose"] for one in member["consents"]] == ["marketing"]
    for query in ({"email": "jun@example.com"}, {"phone": "+82 10-1234-5678"}, {"card_ref": "C-1"}):
        found = pair.post("/members/search", query)["data"]
        assert [one["member_ref"] for one in found] == ["mina"]
    from members.members import MEMBERS

    with pair.app.app_context():
        row = db.reading(
            lambda connection: connection.execute(
                sa.select(MEMBERS).where(
                    MEMBERS.c.program_id == ids.read_id("prg", pair.program_id),
                    MEMBERS.c.merged_into_id.is_not(None),
                )
            ).one()
        )
    assert (row.member_ref, row.email, row.phone, row.name) == ("jun", None, None, None)
    assert (row.card_ref, row.attributes, row.contact_verified) == (None, "{}", "[]")


def test_the_better_level_runs_to_its_end(pair: World) -> None:
    def opening(key: str, until: str | None) -> dict[str, Any]:
        return {"tier": {"key": key, "since": "2026-01-01T00:00:00Z", "until": until}}

    for old, into in (("jun", "mina"), ("sua", "ara")):
        gold, silver = (old, into) if old == "jun" else (into, old)
        members = [
            {
                "member_ref": gold,
                "is_history": True,
                "opening": opening("gold", "2026-06-01T00:00:00Z"),
            },
            {"member_ref": silver, "is_history": True, "opening": opening("silver", None)},
        ]
        results = pair.post("/members/batch", {"members": members})["results"]
        assert {one["status"] for one in results} <= {200, 201}
        tier = merge(pair, old, into)["member"]["tier"]
        assert (tier["key"], tier["until"]) == ("gold", "2026-06-01T00:00:00Z")


def test_moved_in_and_merged_then_moved_in_again(pair: World) -> None:
    lots = [{"points": 70, "earned_at": "2025-06-01T00:00:00Z", "expires_at": None}]
    members = [
        {"member_ref": ref, "is_history": True, "opening": {"lots": lots, "lifetime_earned": n}}
        for ref, n in (("jun", 100), ("mina", 200))
    ]
    pair.post("/members/batch", {"members": members})
    [balance] = merge(pair, "jun", "mina")["balances"]
    assert (balance["available"], balance["lifetime_earned"]) == (140, 300)
    again = pair.post("/members/batch", {"members": members})["results"]
    assert [one["status"] for one in again] == [200, 200]
    assert pair.balance() == 140
    assert pair.verify()["mismatches"] == []


def test_adjustments_that_count_go_along(make_world: Make) -> None:
    levels = [{"key": "silver", "enter_at": 100}]
    world = make_world(tiers={"basis": {"metric": "points"}, "levels": levels})
    world.member("mina")
    world.member("jun")
    for ref in ("mina", "jun"):
        give(world, ref, 60, counts_for_tier=True)
        assert world.tier(ref)["key"] is None
    assert merge(world, "jun", "mina")["member"]["tier"]["key"] == "silver"
    assert world.verify()["mismatches"] == []


def test_points_live_on_by_what_both_did(make_world: Make) -> None:
    expiry = {"policy": "inactivity", "duration": "P6M", "activities": ["order"]}
    world = make_world(points=[{"key": "points", "expiry": expiry}])
    world.set_clock("2026-03-01T12:00:00Z")
    world.member("mina")
    world.member("jun")
    world.order("A-1", 5000, member_ref="jun", placed_at="2025-10-10T03:00:00Z")
    world.order("A-2", 3000, placed_at="2026-02-10T03:00:00Z")
    merge(world, "jun", "mina")
    # Six months after the last order of either: valid through 10 August in Seoul.
    assert dates(world, "mina") == [("2026-08-10T15:00:00Z", 80)]
    assert world.verify()["mismatches"] == []


def test_points_live_on_by_what_the_merged_member_spent(make_world: Make) -> None:
    expiry = {"policy": "inactivity", "duration": "P12M", "activities": ["redemption"]}
    world = make_world(points=[{"key": "points", "expiry": expiry}])
    world.set_clock("2024-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref, joined_at="2023-01-01T00:00:00Z")
    world.order("A-1", 10000, placed_at="2024-03-01T10:00:00Z")
    world.post("/test-clock", {"now": "2025-02-01T00:00:00Z"})
    spending = Holds(world)
    spending.end(spending.hold(10), "capture")
    world.post("/test-clock", {"now": "2025-06-01T00:00:00Z"})
    # Twelve months after what was spent on 1 February 2025.
    expected = [("2026-02-01T15:00:00Z", 90)]
    assert dates(world, "mina") == expected
    merge(world, "mina", "jun")
    assert dates(world, "jun") == expected
    world.post("/test-clock", {"now": "2025-07-01T00:00:00Z"})
    world.order("A-2", 100, member_ref="jun", placed_at="2025-07-01T00:00:00Z", status="pending")
    past = world.get("/members/jun/balances?as_of=2025-07-01T00:00:00Z")["data"][0]
    assert (past["available"], dates(world, "jun")) == (90, expected)
    later = world.get("/members/jun/balances?as_of=2026-01-31T00:00:00Z")["data"][0]
    assert later["available"] == 90
    assert world.verify()["mismatches"] == []
