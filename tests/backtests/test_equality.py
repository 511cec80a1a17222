"""A program lives again under the document that was live: the same entries, to the point."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from analytics.backtests import laboratory
from analytics.backtests.laboratory import Asked
from core import clock, db, ids, jsontext
from loyalty.ledger.rows import ENTRIES
from members.members import MEMBERS
from tests.contract import checking
from tests.world import World, line, per_euro, rule

#: These name rows by ids of ours, which a copy makes anew.
_OWN = ("signup", "adjustment", "transfer", "lot", "erasure")

DOCUMENT: dict[str, Any] = {
    "points": [
        {
            "key": "points",
            "pending": {"policy": "after", "duration": "P3D"},
            "expiry": {"policy": "after", "duration": "P2M"},
        }
    ],
    "members": {"auto_enrol": True},
    "earning": {
        "rules": [
            rule("base", per_euro()),
            rule(
                "visit",
                {"do": "add_points", "points": 25},
                limits=[{"per": "member", "period": "day", "points": 40}],
            ),
            rule(
                "race",
                {"do": "add_points", "points": 7},
                limits=[{"per": "program", "period": "month", "times": 3}],
            ),
            rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1}),
            {
                "key": "hello",
                "trigger": "signup",
                "effect": {"do": "add_points", "points": 50},
            },
            {
                "key": "review",
                "trigger": "activity:review",
                "when": {"fact": "activity.facts.rating", "op": ">=", "value": 3},
                "effect": {"do": "add_points", "points": 11},
            },
            {
                "key": "birthday",
                "trigger": "birthday",
                "effect": {"do": "add_points", "points": 99},
            },
        ]
    },
    "cards": [
        {
            "key": "coffee",
            "stamps": 3,
            "effects": [{"do": "add_points", "points": 30}],
            "repeats": True,
        }
    ],
    "activities": [{"key": "review", "facts": {"rating": "integer"}}],
    "tiers": {
        "basis": {"metric": "spend", "window": "rolling", "duration": "P2M"},
        "levels": [
            {
                "key": "silver",
                "enter_at": 10_000,
                "multiplier_bp": 15_000,
                "entry_effects": [{"do": "add_points", "points": 20}],
            },
            {"key": "gold", "enter_at": 30_000, "multiplier_bp": 20_000},
        ],
    },
}


def entries(program_id: bytes) -> list[tuple[Any, ...]]:
    """Every entry of a program, by member and number, without the ids that a copy makes anew."""
    its = sa.and_(MEMBERS.c.program_id == ENTRIES.c.program_id, MEMBERS.c.id == ENTRIES.c.member_id)
    names = (
        *("points_key", "seq", "kind", "points", "from_bucket", "to_bucket", "available_after"),
        *("pending_after", "held_after", "source_type", "source_ref", "effective_at"),
    )
    statement = (
        sa.select(MEMBERS.c.member_ref, *(ENTRIES.c[name] for name in names))
        .select_from(ENTRIES.join(MEMBERS, its))
        .where(ENTRIES.c.program_id == program_id)
        .order_by(MEMBERS.c.member_ref, ENTRIES.c.points_key, ENTRIES.c.seq)
    )
    found = []
    for row in db.reading(lambda connection: connection.execute(statement).all()):
        one = dict(row._mapping)
        if one["source_type"] in _OWN:
            one["source_ref"] = ""
        found.append(tuple(one.values()))
    return found


def told_a_story(world: World) -> None:
    """Two months of three members, with everything that makes order of arrival matter."""

    def to(instant: str) -> None:
        world.post("/test-clock", {"now": instant})

    to("2027-01-01T00:00:00Z")
    world.member("mina", birthday_on="1990-02-10", email="mina@example.com")
    world.member("jun", email="jun@example.com")
    # The same person once more: no second welcome.
    world.member("mina-2", email="Mina@example.com")
    for day, (ref, minor) in enumerate(
        [("A", 6000), ("B", 5000), ("C", 20_000), ("D", 999)], start=2
    ):
        to(f"2027-01-{day:02d}T10:00:00Z")
        at = f"2027-01-{day:02d}T09:59:00Z"
        world.order(ref, minor, line("9", 500), placed_at=at)
        world.order(f"J-{ref}", minor // 2, placed_at=at, member_ref="jun")
        # Nobody had told of Sora: her first order enrols her.
        world.order(f"S-{ref}", 1000, placed_at=at, member_ref="sora")
    refund = {"refunded_at": "2027-01-06T09:00:00Z", "amount_minor": 3000}
    to("2027-01-06T10:00:00Z")
    world.put("/orders/B/refunds/r1", refund)
    world.put("/orders/Z/refunds/early", refund | {"amount_minor": 100}, status=202)
    world.put(
        "/activities/r-1",
        {
            "member_ref": "mina",
            "kind": "review",
            "occurred_at": "2027-01-06T09:30:00Z",
            "facts": {"rating": 5},
        },
    )
    # Told anew on a clock that stands still: larger, smaller, to somebody else, cancelled.
    world.order("A", 9000, placed_at="2027-01-02T09:59:00Z")
    world.order("G", 2500, placed_at="2027-01-06T08:00:00Z", member_ref=None)
    world.order("A", 7000, placed_at="2027-01-02T09:59:00Z")
    world.order("J-C", 10_000, placed_at="2027-01-04T09:59:00Z")
    world.order("G", 2500, placed_at="2027-01-06T08:00:00Z", member_ref="jun")
    to("2027-01-20T10:00:00Z")
    world.order("Z", 4000, placed_at="2027-01-03T12:00:00Z")
    world.order("C", 20_000, placed_at="2027-01-04T09:59:00Z", status="cancelled")
    world.put("/orders/B/refunds/r1", refund | {"amount_minor": 1000})
    world.post("/adjustments", {"member_ref": "mina", "points": 40, "reason": "sorry"}, status=201)
    world.post("/adjustments", {"member_ref": "jun", "points": -10, "reason": "oops"}, status=201)
    world.post(
        "/transfers", {"from_member_ref": "mina", "to_member_ref": "jun", "points": 15}, status=201
    )
    world.put(
        "/activities/r-1",
        {
            "member_ref": "mina",
            "kind": "review",
            "occurred_at": "2027-01-06T09:30:00Z",
            "facts": {"rating": 2},
        },
    )
    to("2027-02-15T10:00:00Z")
    world.order("E", 30_000, placed_at="2027-02-15T09:00:00Z")
    world.order("C", 20_000, placed_at="2027-01-04T09:59:00Z", status="paid")
    to("2027-04-01T00:00:00Z")


def lived_again(world: World, *, until: str) -> tuple[list[Any], list[Any], dict[str, int]]:
    """Entries as they are and as a copy has them under the live document; what was left out."""
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        real = entries(program_id)
        document = jsontext.text(world.get("/program")["document"])
        at = clock.parse_instant
        asked = Asked(program_id, document, at("2027-01-01T00:00:00Z"), at(until))
        with laboratory.opened(asked) as lab:
            life = laboratory.live(lab)
            with life.copy.entered():
                copied = entries(life.copy.program_id)
            life.copy.close()
            assert entries(program_id) == real
            return real, copied, lab.left_out


def test_the_live_document_gives_the_same_entries(make_world: Callable[..., World]) -> None:
    world = make_world(**DOCUMENT)
    told_a_story(world)
    real, copied, left_out = lived_again(world, until="2027-04-01T00:00:00Z")
    kinds = {one[3] for one in real}
    assert kinds >= {"earn", "activate", "expire", "claw_back", "restore", "adjust", "transfer"}
    assert left_out == {}
    assert copied == real


def test_points_that_were_spent_and_sections_that_were_switched_come_out_alike(
    make_world: Callable[..., World],
) -> None:
    five = {
        "key": "five",
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 50,
        "stock": 100,
    }
    rules = [rule("base", per_euro()), rule("visit", {"do": "add_points", "points": 3})]
    world = make_world(earning={"rules": rules}, rewards=[five])

    def to(instant: str) -> None:
        world.post("/test-clock", {"now": instant})

    to("2027-01-01T00:00:00Z")
    opening = {"lots": [{"points": 80, "earned_at": "2026-06-01T00:00:00Z", "expires_at": None}]}
    moving = {"member_ref": "olga", "is_history": True, "opening": opening}
    world.post("/members/batch", {"members": [moving]})
    world.member("mina")
    world.member("gone")
    world.order("A", 20_000, placed_at="2026-12-31T10:00:00Z")
    world.order("X", 3000, placed_at="2026-12-31T10:00:00Z", member_ref="gone")
    # On a clock that stands still: a switch, and a version, between orders.
    world.post(
        "/switches", {"section": "rules", "key": "visit", "state": "paused", "reason": "test"}
    )
    world.order("B", 1000, placed_at="2026-12-31T11:00:00Z")
    doubled = [rule("base", per_euro(2)), rules[1]]
    world.publish(earning={"rules": doubled}, rewards=[five])
    world.order("C", 1000, placed_at="2026-12-31T12:00:00Z")
    to("2027-01-10T00:00:00Z")

    def held(ref: str) -> str:
        body = {"member_ref": ref, "reward": "five"}
        return str(world.post("/redemptions", body, status=201)["redemption"]["id"])

    first, second, third = held("mina"), held("mina"), held("olga")
    world.post(f"/redemptions/{second}/release")
    world.post(f"/redemptions/{third}/capture")
    line_off = line("1", 3000, discount_minor=500)
    world.order("D", line_off, placed_at="2027-01-09T10:00:00Z", redemptions=[first])
    world.post(f"/redemptions/{third}/reverse", {"reason": "damaged"})
    world.order(
        "D", line_off, placed_at="2027-01-09T10:00:00Z", redemptions=[first], status="cancelled"
    )
    assert world.call("DELETE", "/members/gone").status_code == 200
    to("2027-02-01T00:00:00Z")
    real, copied, left_out = lived_again(world, until="2027-02-01T00:00:00Z")
    kinds = {one[3] for one in real}
    assert kinds >= {"hold", "capture", "release", "restore", "adjust"}
    assert left_out == {"erased_members": 1}
    assert copied == real


def test_what_was_told_before_is_forgotten_with_the_member(
    make_world: Callable[..., World],
) -> None:
    world = make_world(members={"auto_enrol": True})
    for minor in (1000, 2000, 3000):
        world.order("A", minor, attributes={"gift": f"for {minor}"})
        world.order("J", minor, member_ref="jun")
    refund = {"refunded_at": "2026-03-02T10:00:00Z", "amount_minor": 100}
    for minor in (100, 200):
        world.put("/orders/A/refunds/r", refund | {"amount_minor": minor})
    visit = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-02T10:00:00Z"}
    for place in ("Seoul", "Busan"):
        world.put("/activities/v", visit | {"facts": {"place": place}})
    told = [row[2:5] for row in checking.rows(world)["superseded_tellings"]]
    assert sorted(told, key=repr) == [
        ("activity", "v", None),
        ("order", "A", None),
        ("order", "A", None),
        ("order", "J", None),
        ("order", "J", None),
        ("refund", "A", "r"),
    ]
    assert world.call("DELETE", "/members/mina").status_code == 200
    left = checking.rows(world)["superseded_tellings"]
    assert [row[3] for row in left] == ["J", "J"]
