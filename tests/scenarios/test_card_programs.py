"""Stamp cards as the document has them: what it may say, changed and paused cards, the proof."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.scenarios.stamping import Make, bonus, coffee, program, shown, sound, stamps, state
from tests.server.tampering import changed, few, flipped, mismatches, rows
from tests.world import World, per_euro, reversed_points, rule


def test_rules_of_a_completed_card_know_which_it_is(make_world: Make) -> None:
    second = {
        "all": [
            {"fact": "card.key", "op": "=", "value": "coffee"},
            {"fact": "card.number", "op": "=", "value": 2},
        ]
    }
    rich = {"fact": "member.balance", "op": ">=", "value": 50}
    rules = [
        rule("stamp", stamps()),
        rule("tea-rule", stamps("tea")),
        rule("second", bonus(1000), trigger="card_completed", when=second),
        rule("rich", bonus(4), trigger="card_completed", when=rich),
    ]
    world = program(make_world, coffee(), coffee(key="tea", stamps=9, effects=[]), rules=rules)
    for number in range(1, 7):
        world.order(f"A-{number}", 1000)
    # The first coffee: 50 on a balance of 0; the second: 50 + 1,000 + 4.
    assert world.balance() == 50 + 50 + 1000 + 4
    entry = world.get(f"/entries/{world.entries()[-1]['id']}")
    assert entry["source"] == {"type": "card", "ref": "coffee"}
    outcomes = {one["rule"]: one["is_fired"] for one in entry["decision"]["outcomes"]}
    assert outcomes == {"coffee": True, "second": True, "rich": True}
    assert entry["decision"]["facts"]["card.number"] == 2
    assert entry["decision"]["facts"]["member.balance"] == 50
    sound(world)


def test_a_card_may_stamp_another(make_world: Make) -> None:
    small = coffee(stamps=2, effects=[stamps("gold"), bonus(1)])
    gold = coffee(key="gold", stamps=2, effects=[bonus(100)])
    world = program(make_world, small, gold)
    for number in range(1, 5):
        world.order(f"A-{number}", 1000)
    assert (state(world, "coffee"), state(world, "gold")) == ((2, 0), (1, 0))
    assert world.balance() == 102
    # One order back: the second coffee falls, its stamp on gold with it, and gold too.
    told = world.order("A-1", 1000, status="cancelled")
    assert (state(world, "coffee"), state(world, "gold")) == ((1, 1), (0, 1))
    assert reversed_points(told) == 101
    world.order("A-1", 1000)
    assert (state(world, "coffee"), state(world, "gold")) == ((2, 0), (1, 0))
    assert world.balance() == 102
    sound(world)


def test_a_changed_card_concerns_the_open_one(make_world: Make) -> None:
    world = program(make_world, coffee())
    for number in range(1, 6):
        world.order(f"A-{number}", 1000)
    assert state(world) == (1, 2)
    rules = {"rules": [rule("stamp", stamps())]}
    bigger = coffee(stamps=5, effects=[bonus(80)])
    world.publish(cards=[bigger], earning=rules)
    assert state(world) == (1, 2)
    assert shown(world)["required"] == 5
    for number in range(6, 9):
        world.order(f"A-{number}", 1000)
    assert state(world) == (2, 0)
    assert world.balance() == 130
    # Lowered to what the open one holds: the next stamp completes it, and one is shown as missing.
    world.order("A-9", 1000)
    world.order("A-10", 1000)
    world.publish(cards=[coffee(stamps=2, effects=[bonus(20)])], earning=rules)
    assert state(world) == (2, 1)
    world.order("A-11", 1000)
    assert state(world) == (3, 1)
    assert world.balance() == 150
    # The newest falls first, as it was paid.
    world.order("A-1", 1000, status="cancelled")
    world.order("A-2", 1000, status="cancelled")
    assert state(world) == (2, 1)
    assert world.balance() == 130
    sound(world)


def test_a_paused_card_gets_no_stamps_and_keeps_its_own(make_world: Make) -> None:
    world = program(make_world, coffee())
    world.order("A-1", 1000)
    rules = {"rules": [rule("stamp", stamps())]}
    world.publish(cards=[coffee(state="paused")], earning=rules)
    told = world.order("A-2", 1000)
    assert [(one["state"], one["stamps"]) for one in told["cards"]] == [("paused", 1)]
    world.publish(cards=[coffee()], earning=rules)
    # Decided while it was paused, so also when told again.
    world.order("A-2", 1500)
    assert state(world) == (0, 1)
    # A card that is gone is not shown; what it was given still goes back.
    world.publish(cards=[], earning={"rules": [rule("base", per_euro())]})
    assert world.get("/members/mina/cards")["data"] == []
    world.order("A-1", 1000, status="cancelled")
    world.publish(cards=[coffee()], earning=rules)
    assert state(world) == (0, 0)
    sound(world)


def test_an_erased_member_keeps_no_stamps(make_world: Make) -> None:
    world = program(make_world, coffee())
    for number in range(1, 5):
        world.order(f"A-{number}", 1000)
    assert world.call("DELETE", "/members/mina").status_code == 200
    world.order("A-1", 1000, status="cancelled")
    sound(world)
    assert _rows(world, "stamps") == 0
    assert _rows(world, "card_completions") == 1


def _rows(world: World, table: str) -> int:
    from core import db, ids

    found = db.Base.metadata.tables[table]
    statement = (
        sa.select(sa.func.count())
        .select_from(found)
        .where(found.c.program_id == ids.read_id("prg", world.program_id))
    )
    with world.app.app_context():
        return db.reading(lambda connection: int(connection.execute(statement).scalar_one()))


def test_completing_is_told_once(make_world: Make) -> None:
    world = program(make_world, coffee())
    hook = {"url": "https://hooks.example.org/", "types": ["card.*"]}
    world.post("/webhook-endpoints", hook, status=201)
    for number in range(1, 4):
        world.order(f"A-{number}", 1000)
    world.order("A-1", 1000, status="cancelled")
    world.order("A-1", 1000)
    assert _told(world) == [{"card": "coffee", "number": 1, "completed_at": "2026-03-01T10:00:00Z"}]


def _told(world: World) -> list[Any]:
    from core import db, ids, jsontext
    from core.outbox import OutboxMessage

    statement = sa.select(OutboxMessage.payload).where(
        OutboxMessage.program_id == ids.read_id("prg", world.program_id),
        OutboxMessage.type == "card.completed",
    )
    with world.app.app_context():
        rows = db.reading(lambda connection: list(connection.execute(statement)))
    return [jsontext.parse(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("cards", "rules", "pointer"),
    [
        ([coffee(stamps=0)], [], "/cards/0/stamps"),
        ([{"key": "coffee"}], [], "/cards/0/stamps"),
        ([coffee(), coffee()], [], "/cards/1/key"),
        ([coffee(expires="stamp")], [], "/cards/0/expires"),
        ([coffee(effects=[per_euro()])], [], "/cards/0/effects/0/do"),
        ([coffee(effects=[stamps("tea")])], [], "/cards/0/effects/0/card"),
        ([coffee(effects=[stamps()])], [], "/cards/0"),
        ([coffee(effects=[stamps("tea")]), coffee(key="tea", effects=[stamps()])], [], "/cards/1"),
        ([coffee()], [rule("r", stamps("tea"))], "/earning/rules/0/effect/card"),
        (
            [coffee()],
            [rule("r", {"do": "add_stamps", "card": "coffee"})],
            "/earning/rules/0/effect/stamps",
        ),
        ([coffee()], [rule("r", stamps() | {"points": 1})], "/earning/rules/0/effect/points"),
        ([coffee()], [rule("r", stamps(), on_refund="prorate")], "/earning/rules/0/on_refund"),
        (
            [coffee()],
            [rule("r", stamps(), stacking={"mode": "exclusive", "group": "g"})],
            "/earning/rules/0/stacking/mode",
        ),
        ([coffee()], [rule("r", stamps(), trigger="card_completed")], "/cards/0"),
        ([coffee()], [rule("coffee", bonus(1), trigger="card_completed")], "/earning/rules/0/key"),
    ],
)
def test_what_a_card_must_not_say(world: World, cards: Any, rules: Any, pointer: str) -> None:
    from tests.world import document

    rules = rules or [rule("stamp", stamps())]
    told = world.call("PUT", "/program/draft", document(cards=cards, earning={"rules": rules}))
    assert told.status_code == 422
    assert pointer in [one["pointer"] for one in told.json["errors"]]


def test_a_rule_of_other_cards_is_no_cycle(make_world: Make) -> None:
    tea = {"not": {"any": [{"fact": "card.key", "op": "in", "value": ["tea", "water"]}]}}
    rules = [rule("stamp", stamps()), rule("r", stamps("tea"), trigger="card_completed", when=tea)]
    world = program(make_world, coffee(stamps=1), coffee(key="tea"), rules=rules)
    world.order("A-1", 1000)
    assert (state(world, "coffee"), state(world, "tea")) == ((1, 0), (0, 1))
    sound(world)


#: What the proof of cards must find when it changes; the rest is only when something was recorded.
PROVED = [
    *(("stamps", name) for name in ("member_id", "card_key", "source_id", "stamps")),
    *(("stamps", name) for name in ("source_type", "source_ref", "at")),
    *(("card_completions", name) for name in ("id", "member_id", "card_key", "number")),
    *(("card_completions", name) for name in ("terms", "stands", "completed_at", "decision_id")),
]


@pytest.fixture(scope="module")
def stamped(app: Flask) -> Iterator[World]:
    """A card that was completed twice, and once fell again."""
    world = program(partial(World, app), coffee(), rules=[rule("stamp", stamps())])
    for number in range(1, 8):
        world.order(f"A-{number}", 1000)
    world.order("A-7", 1000, status="cancelled")
    world.order("A-6", 1000, status="cancelled")
    assert mismatches(world) == []
    yield world
    # Every test has put back what it changed.
    assert mismatches(world) == []


@pytest.mark.parametrize(("name", "column"), PROVED)
def test_a_changed_value_is_found(stamped: World, name: str, column: str) -> None:
    from core import db

    world = stamped
    table = db.Base.metadata.tables[name]
    for row in few(world, rows(world, table)):
        if name == "stamps" and not row["stamps"] and column != "stamps":
            # Nothing hangs on what all went back.
            continue
        with changed(world, table, row, column, flipped(table.c[column], row[column])):
            assert any(f"{name} " in one or "lots " in one for one in mismatches(world)), row
