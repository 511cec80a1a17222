"""A population of members of every kind, told over HTTP, and what Python says of each."""

import random  # noqa: TID251
from collections.abc import Mapping
from typing import Any

from flask import Flask

from tests.world import World, order

NOW = "2027-03-31T15:30:00Z"
MEMBERS = 60
TIERS = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P6M"},
    "grace": "P30D",
    "downgrade": "one_down",
    "levels": [
        {"key": "bronze", "enter_at": 0},
        {"key": "silver", "enter_at": 20_000},
        {"key": "gold", "enter_at": 60_000},
        {"key": "friends", "enter_at": None},
    ],
}
#: Seen from Seoul some of these are of another day than in UTC, and New York moves its clocks.
ZONES = ("Asia/Seoul", "America/New_York")
TEXTS = ("red", "Red", "re", "", "빨강", "🎁 gift", "a%_b", "o'clock \\ \"", "é", "e\u0301")
NUMBERS = (-1, 0, 1, 7, 2**63 - 1, -(2**63) + 1)


def _attributes(dice: random.Random) -> dict[str, Any]:
    kinds: list[Any] = [
        None,
        True,
        False,
        dice.choice(NUMBERS),
        dice.choice(TEXTS),
        [],
        dice.sample(TEXTS, 2),
    ]
    names = ("colour", "a.b-c", "n", "Colour")
    return {name: dice.choice(kinds) for name in names if dice.random() < 0.7}


def _instants(dice: random.Random) -> list[str]:
    """Dates of orders: none, once, rarely, often; at the ends of days as well as within them."""
    count = dice.choice((0, 0, 1, 2, 3, 4, 6, 9))
    start, step = dice.randrange(1, dice.choice((12, 400))), dice.choice((0, 1, 5, 9, 31))
    found = []
    for number in range(count):
        day = max(0, start - number * (step + dice.choice((0, 0, 1, 8))))
        hour = dice.choice(("00:00:00", "03:59:59.999999", "14:59:59", "15:00:00", "05:30:00"))
        month, of_month = divmod(420 - day, 28)
        found.append(f"{2026 + month // 12}-{month % 12 + 1:02d}-{of_month + 1:02d}T{hour}Z")
    return [one for one in found if one <= NOW]


def populate(app: Flask, zone: str) -> World:
    """A program with members, its clock standing at `NOW`, everything due settled and ranked."""
    dice = random.Random(zone)
    world = World(app, timezone=zone, tiers=TIERS)
    world.publish(timezone=zone, tiers=TIERS, segments=[{"key": "ranked", "when": RANKED}])
    world.set_clock(NOW)
    orders = []
    for number in range(MEMBERS):
        ref = f"m-{number}"
        told = {
            "joined_at": f"2026-0{dice.randrange(1, 10)}-{dice.randrange(1, 29):02d}T15:00:00Z",
            "attributes": _attributes(dice),
            "is_enrolled": dice.random() < 0.85,
        }
        locale = dice.choice((None, "ko", "en", "en-GB"))
        world.put(f"/members/{ref}", told if locale is None else told | {"locale": locale})
        for place, at in enumerate(_instants(dice)):
            minor = dice.choice((100, 5_000, 12_000, 30_000, 70_000))
            one = order(minor, order_ref=f"{ref}-{place}", member_ref=ref, placed_at=at)
            if dice.random() < 0.1:
                one["status"] = "cancelled"
            orders.append(one)
    orders.sort(key=lambda one: str(one["placed_at"]))
    for start in range(0, len(orders), 400):
        answer = world.post("/orders/batch", {"orders": orders[start : start + 400]})
        assert {one["status"] for one in answer["results"]} == {201}
    for number, until in ((1, "2027-04-20T12:00:00Z"), (2, "2027-03-31T16:00:00Z")):
        given = {"key": "friends", "until": until, "reason": "a guest of ours"}
        world.post(f"/members/m-{number}/tier", given)
    world.post("/members/m-5/merge", {"into_member_ref": "m-6"})
    assert world.call("DELETE", "/members/m-7").status_code == 200
    settle(world)
    return world


RANKED = {"fact": "member.spend_rank_bp", "op": "<", "value": 2_000}


def settle(world: World) -> None:
    """Let everything happen that is due, the looks at segments among it."""
    from core import ids
    from storefront import due

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        due.settle_all(program_id)


def told_by_python(world: World) -> dict[str, Mapping[str, Any]]:
    """Every fact of each living member, as a rule would see it now, by reference."""
    import sqlalchemy as sa

    from core import db, ids
    from loyalty import reading
    from members import members
    from members.members import MEMBERS as ROWS
    from programs import triggers, versions
    from storefront.membership import member_facts
    from storefront.plan import begin

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    asked = frozenset(fact.name for fact in triggers.segment_facts())

    def read(connection: sa.Connection) -> dict[str, Mapping[str, Any]]:
        live, now = versions.get_live(connection, program_id)
        rows = connection.execute(
            sa.select(ROWS.c.member_ref).where(
                ROWS.c.program_id == program_id,
                ROWS.c.erased_at.is_(None),
                ROWS.c.merged_into_id.is_(None),
            )
        )
        known = [members.get(connection, program_id, row[0]) for row in rows.all()]
        plan = begin(connection, live, now=now, is_quote=True)
        for one in known:
            plan.book.load(reading.read_holdings(connection, program_id, one.id))
        moments = [(one, now) for one in known]
        found = member_facts.before(connection, plan, moments, asked=asked)
        return {one.member_ref: facts for one, facts in zip(known, found, strict=True)}

    with world.app.app_context():
        return db.reading(read)


def told_by_sql(world: World, conditions: list[Any]) -> list[set[str]]:
    """Who meets each condition, as the database says of all members at once."""
    from programs import triggers
    from programs.segments import compile_segments
    from segments.compiling import compile_condition

    made = compile_segments([{"key": str(n), "when": one} for n, one in enumerate(conditions)])
    asked = frozenset[str]().union(*(one.when.facts for one in made))
    catalogue = triggers.segment_facts()
    rows = _rows(
        world,
        asked,
        lambda columns: [
            compile_condition(one, columns, catalogue=catalogue) for one in conditions
        ],
    )
    return [{row[0] for row in rows if row[n]} for n in range(1, len(conditions) + 1)]


def facts_by_sql(world: World, names: list[str]) -> dict[str, dict[str, Any]]:
    """The facts themselves of each living member, as the database reckons them; days are numbers
    and what is missing is left out."""
    rows = _rows(world, frozenset(names), lambda columns: [columns.facts[name] for name in names])
    return {
        ref: {name: one for name, one in zip(names, values, strict=True) if one is not None}
        for ref, *values in rows
    }


def _rows(world: World, asked: frozenset[str], columns_of: Any) -> Any:
    import sqlalchemy as sa

    from core import db, ids
    from members.members import MEMBERS as ROWS
    from programs import versions
    from storefront.segmenting import relation
    from storefront.segmenting.relation import Range

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None

    def read(connection: sa.Connection) -> Any:
        live, now = versions.get_live(connection, program_id)
        everybody = Range(b"", b"\xff" * 16)
        found = relation.build(connection, live, at=now, within=everybody, asked=asked)
        columns = [one.label(f"c{n}") for n, one in enumerate(columns_of(found.columns))]
        is_same = sa.and_(ROWS.c.program_id == program_id, ROWS.c.id == found.member_id)
        statement = sa.select(ROWS.c.member_ref, *columns).select_from(
            ROWS.join(found.rows, is_same)
        )
        return connection.execute(statement).all()

    with world.app.app_context():
        return db.reading(read)
