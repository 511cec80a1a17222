"""`flask ledger verify` is clean after real work, and finds and locates whatever was tampered."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from core import ids
from core.db import db
from loyalty.ledger.entries import entry_hash
from server.verify import rows
from tests.server.databases import empty, fill
from tests.world import World, line, per_euro, rule

NOT_NULL = b"\x01" * 16
TIERS = {
    "levels": [
        {"key": "silver", "enter_at": 10_000, "multiplier_bp": 12_500},
        {"key": "gold", "enter_at": 30_000, "multiplier_bp": 20_000},
    ]
}
RULES = [
    rule("base", per_euro()),
    rule(
        "first",
        {"do": "add_points", "points": 500},
        when={"fact": "order.is_first", "op": "=", "value": True},
    ),
    {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}},
    rule("stars", {"do": "points_per_unit", "points": 3, "points_key": "stars"}),
]
#: Mina, worked out by hand: 100 for signing up; A-1 of 120.00 → 120 + 500 first, 80.00 of it
#: refunded → 40 + 500; A-2 of 90.00 → 90 at no tier (120.00 made her silver: × 1.25 = 112.5 → 112);
#: A-3 cancelled.
MINA_POINTS = 100 + 540 + 112


def busy(make_world: Callable[..., World]) -> World:
    """A program with a little history of everything that issue 1 can do."""
    world = make_world(
        points=[{"key": "points"}, {"key": "stars"}], earning={"rules": RULES}, tiers=TIERS
    )
    world.member("mina", email="mina@example.com")
    world.member("jun", email="jun@example.com")
    world.order("A-1", 12_000)
    world.order("A-2", 9_000, placed_at="2026-03-02T10:00:00Z")
    world.order("A-1", line("1", 12_000, refunded_minor=8_000))
    world.order("A-3", 5_000, placed_at="2026-03-03T10:00:00Z", revision=1)
    world.order("A-3", 5_000, placed_at="2026-03-03T10:00:00Z", status="cancelled", revision=2)
    world.order("B-1", 7_000, member_ref="jun", status="pending")
    world.order("B-1", 7_000, member_ref="jun")
    world.order("B-2", 2_000, 3_000, discount_minor=1_000, member_ref="jun")
    world.order("G-1", 4_000, member_ref=None)
    world.order("M-1", 33_000, placed_at="2026-02-01T10:00:00Z")
    world.order("M-1", 33_000, placed_at="2026-02-01T10:00:00Z", member_ref="jun")
    world.order("H-1", 6_000, placed_at="2025-02-01T10:00:00Z", is_history=True)
    return world


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    """One busy program for the tests of this file; they put back what they tamper with."""
    world = busy(lambda **changes: World(app, **changes))
    yield world
    assert world.verify()["mismatches"] == []


def program_id(world: World) -> bytes:
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def stored(world: World, table: str, **where: Any) -> dict[str, Any]:
    """The first row of the world's program that has these values."""
    columns = db.metadata.tables[table].c
    statement = (
        sa.select(*columns)
        .where(
            columns.program_id == program_id(world),
            *(columns[name] == value for name, value in where.items()),
        )
        .order_by(*db.metadata.tables[table].primary_key)
    )
    with world.app.app_context(), db.engine.connect() as connection:
        row = connection.execute(statement).mappings().first()
    assert row is not None, f"no row of {table} with {where}"
    return dict(row)


@contextmanager
def tampered(
    world: World, table: str, row: dict[str, Any], **values: Any
) -> Iterator[dict[str, Any]]:
    """One row with other values, put back at the end."""
    key = {column.name: row[column.name] for column in db.metadata.tables[table].primary_key}
    _update(world, db.metadata.tables[table], key, values)
    try:
        yield row
    finally:
        moved = {name: values.get(name, value) for name, value in key.items()}
        back = {name: row[name] for name in values}
        _update(world, db.metadata.tables[table], moved, back)


def _update(world: World, table: sa.Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    statement = (
        sa.update(table)
        .where(sa.and_(*(table.c[name] == value for name, value in key.items())))
        .values(**values)
    )
    with world.app.app_context():
        engine = db.engine
        is_sqlite = engine.dialect.name == "sqlite"
        with (
            engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            if table.name == "entries":
                with _unprotected(connection, is_sqlite=is_sqlite):
                    connection.execute(statement)
            else:
                connection.execute(statement)


@contextmanager
def _unprotected(connection: sa.Connection, *, is_sqlite: bool) -> Iterator[None]:
    """What only the owner of the database can do: triggers aside, within one transaction."""
    if not is_sqlite:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield
        connection.exec_driver_sql("SET LOCAL session_replication_role = origin")
        return
    sql = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'"
    ).fetchall()
    assert len(sql) == 2
    for name, _ in sql:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, text in sql:
        connection.exec_driver_sql(text)


def named(report: dict[str, Any], *words: str) -> bool:
    """Whether one mismatch names all of these."""
    return any(all(word in one for word in words) for one in report["mismatches"])


def test_a_busy_history_is_clean_and_counted(told: World) -> None:
    report = told.verify()
    assert report["mismatches"] == []
    assert told.balance("mina") == MINA_POINTS
    # Mina and Jun hold points and stars; orders A-1…3, B-1, B-2, G-1, M-1, H-1.
    assert (report["programs"], report["accounts"], report["orders"]) == (1, 4, 8)
    assert report["members"] == 2
    # Mina: signup, M-1 of both kinds. Jun: signup; B-1, B-2, M-1 of both kinds.
    assert report["lots"] == 16


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_report_of_all_programs_covers_each(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from core import db as store
    from server.verify import whole

    server_url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else None
    # Of its own: in the session's database there is all that any test did before.
    with empty(kind, tmp_path, server_url) as app:
        worlds = fill(app)
        own = [world.verify() for world in worlds]
        with app.app_context():
            report = store.reading(lambda connection: whole.run(connection, None))
    assert report["mismatches"] == []
    assert (report["programs"], report["members"]) == (2, 4)
    for name in ("accounts", "entries", "lots", "orders"):
        assert report[name] == sum(one[name] for one in own) > own[0][name] > 0, name


POINTS = {"points_key": "points"}


@pytest.mark.parametrize(
    "column", ["available", "pending", "held", "lifetime_earned", "version", "head"]
)
def test_a_tampered_account_is_found(told: World, column: str) -> None:
    value: Any = b"\x07" * 32 if column == "head" else 77_777
    with tampered(told, "accounts", stored(told, "accounts", **POINTS), **{column: value}) as row:
        report = told.verify()
        account = f"accounts {ids.show_id('mem', row['member_id'])} points {column}: stored "
        assert named(report, account, "computed ")
        assert len(report["mismatches"]) == 1


@pytest.mark.parametrize(
    "column", ["points", "remaining", "reversed", "written_off", "earned_at", "expires_at"]
)
def test_a_tampered_lot_is_found(told: World, column: str) -> None:
    with tampered(told, "lots", stored(told, "lots", points=620), **{column: 4_321}) as row:
        report = told.verify()
        assert named(report, f"lots {ids.show_id('lot', row['id'])} {column}: stored 4321")


@pytest.mark.parametrize("column", ["id", "member_id", "source_id", "points_key"])
def test_a_lot_that_was_moved_is_found(told: World, column: str) -> None:
    jun = ids.read_id("mem", told.get("/members/jun")["id"])
    value = {"id": NOT_NULL, "member_id": jun, "source_id": NOT_NULL, "points_key": "stars"}
    with tampered(told, "lots", stored(told, "lots", points=620), **{column: value[column]}) as row:
        report = told.verify()
        assert named(report, "lots ", ids.show_id("lot", row["id"])) or column == "source_id"
        # Whose lot it was lacks it.
        assert named(report, "lots ", ids.show_id("ord", row["source_id"])) or column == "id"


ORDER_VALUES: dict[str, Any] = {
    "order_ref": "Z-9",
    "member_id": None,
    "status": "pending",
    "revision": 99,
    "placed_at": 1,
    "snapshot": None,
    "net_minor": 1,
    "refunded_minor": 1,
    "spend_minor": 1,
    "qualifying_points": 1,
    "stands": False,
    "is_first": False,
    "is_history": True,
    "decision_id": NOT_NULL,
    "created_at": 2**60,
    "updated_at": 1,
}


@pytest.mark.parametrize("column", ORDER_VALUES)
def test_a_tampered_order_is_found(told: World, column: str) -> None:
    value = ORDER_VALUES[column]
    ref = "A-1"
    if column == "revision":
        ref = "A-3"
    if column == "snapshot":
        value = stored(told, "orders", order_ref=ref)["snapshot"].replace("12000", "12100")
    before = stored(told, "orders", order_ref=ref)
    with tampered(told, "orders", before, **{column: value}) as row:
        report = told.verify()
        assert named(report, ids.show_id("ord", row["id"]))
        if column in ("status", "revision", "placed_at", "net_minor", "spend_minor", "stands"):
            assert named(report, f"orders {ids.show_id('ord', row['id'])} {column}: stored {value}")


def test_an_order_pointing_to_another_orders_decision_is_found(told: World) -> None:
    other = stored(told, "orders", order_ref="A-2")["decision_id"]
    own = stored(told, "orders", order_ref="A-1")
    with tampered(told, "orders", own, decision_id=other) as row:
        assert named(told.verify(), ids.show_id("ord", row["id"]), "decision_id", "order A-2")


def mina_tier(world: World) -> dict[str, Any]:
    member_id = ids.read_id("mem", world.get("/members/mina")["id"])
    return stored(world, "member_tiers", member_id=member_id)


@pytest.mark.parametrize(("column", "value"), [("level_key", "gold"), ("since", 5)])
def test_a_tampered_tier_is_found(told: World, column: str, value: Any) -> None:
    with tampered(told, "member_tiers", mina_tier(told), **{column: value}) as row:
        report = told.verify()
        member = ids.show_id("mem", row["member_id"])
        assert report["mismatches"] == [
            f"member_tiers {member} {column}: stored {value}, computed {row[column]}"
        ]


def test_a_tier_that_was_given_to_another_member_is_found_at_both(told: World) -> None:
    nobody = told.member("nobody")["member"]["id"]
    other = ids.read_id("mem", nobody)
    with tampered(told, "member_tiers", mina_tier(told), member_id=other) as row:
        report = told.verify()
        assert named(report, f"member_tiers {nobody} level_key: stored silver, computed None")
        mina = ids.show_id("mem", row["member_id"])
        assert named(report, f"member_tiers {mina} level_key: stored None, computed silver")


ENTRY_VALUES: dict[str, Any] = {
    "id": NOT_NULL,
    "points_key": "stars",
    "seq": 4_000,
    "kind": "restore",
    "points": 4_321,
    "from_bucket": "expired",
    "to_bucket": "held",
    "available_after": 4_321,
    "pending_after": 4_321,
    "held_after": 4_321,
    "lot_id": NOT_NULL,
    "source_type": "signup",
    "source_ref": "Z-9",
    "decision_id": NOT_NULL,
    "actor": "mallory",
    "effective_at": 4_321,
    "recorded_at": 4_321,
    "hash": b"\x07" * 32,
}


@pytest.mark.parametrize("column", ENTRY_VALUES)
def test_a_tampered_entry_is_found_and_located(told: World, column: str) -> None:
    value = ENTRY_VALUES[column]
    # Another kind of points has an entry of this number already.
    more = {"seq": 4_000} if column == "points_key" else {}
    before = stored(told, "entries", points=620)
    with tampered(told, "entries", before, **{column: value}, **more) as row:
        report = told.verify()
        entry = ids.show_id("ent", value if column == "id" else row["id"])
        assert named(report, f"entries {entry} ", "stored ", "computed ")


def test_an_entry_of_another_member_is_found(told: World) -> None:
    jun = ids.read_id("mem", told.get("/members/jun")["id"])
    row = stored(told, "entries", points=620)
    with tampered(told, "entries", row, member_id=jun, seq=4_000):
        report = told.verify()
        assert named(report, f"entries {ids.show_id('ent', row['id'])} seq: stored 4000")
        assert named(report, f"accounts {ids.show_id('mem', row['member_id'])} points available")


def test_an_entry_whose_hash_was_forged_too_breaks_the_chain_at_the_next(told: World) -> None:
    row = stored(told, "entries", points=620)
    previous = stored(told, "entries", member_id=row["member_id"], points_key="points", seq=1)
    following = stored(told, "entries", member_id=row["member_id"], points_key="points", seq=3)
    forged = entry_hash(previous["hash"], row | {"actor": "mallory"})
    with tampered(told, "entries", row, actor="mallory", hash=forged):
        report = told.verify()
        assert len(report["mismatches"]) == 1
        assert named(report, f"entries {ids.show_id('ent', following['id'])} hash: ")


def test_a_change_of_the_ladder_is_no_mismatch(make_world: Any) -> None:
    world = busy(make_world)
    document = world.get("/program/draft")
    levels = [{"key": "silver", "enter_at": 50_000}, {"key": "gold", "enter_at": 90_000}]
    body = document.get("document", document) | {"tiers": {"levels": levels}}
    world.put("/program/draft", body)
    world.post("/program/draft/publish", {"note": "a steeper ladder"})
    assert world.verify()["mismatches"] == []
    # Who has orders from before keeps a level of that time; but only one that there ever was.
    with tampered(world, "member_tiers", mina_tier(world), level_key="platinum"):
        assert named(world.verify(), "level_key: stored platinum")


def test_the_list_is_capped_and_says_how_many_more(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MISMATCHES_MAX", 2)
    account = stored(told, "accounts", **POINTS)
    with tampered(told, "accounts", account, available=1, pending=2, held=3, version=4):
        report = told.verify()
        assert len(report["mismatches"]) == 3
        assert report["mismatches"][-1] == "and 2 more"


def test_the_command_names_the_row_and_exits_1(told: World) -> None:
    runner = told.app.test_cli_runner()
    arguments = ["ledger", "verify", "--program", told.program_id]
    clean = runner.invoke(args=arguments)
    assert (clean.exit_code, clean.output.splitlines()[-1]) == (0, "clean")
    with tampered(told, "lots", stored(told, "lots", points=620), points=621) as row:
        shown = ids.show_id("lot", row["id"])
        dirty = runner.invoke(args=arguments)
        assert dirty.exit_code == 1
        assert f"MISMATCH lots {shown} points: stored 621, computed 620" in dirty.output
        as_json = runner.invoke(args=[*arguments, "--json"])
        assert as_json.exit_code == 1
        assert json.loads(as_json.output)["mismatches"][0].startswith(f"lots {shown} points")


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_the_database_refuses_to_change_entries(told: World, verb: str) -> None:
    sql = {
        "UPDATE": "UPDATE entries SET actor = 'mallory'",
        "DELETE": "DELETE FROM entries",
        "TRUNCATE": "TRUNCATE entries, allocations",
    }[verb]
    with told.app.app_context():
        engine = db.engine
        if engine.dialect.name == "sqlite" and verb == "TRUNCATE":
            pytest.skip("SQLite has no TRUNCATE")
        with (
            pytest.raises(
                DBAPIError, match=f"(entries|allocations) is append-only: {verb} is refused"
            ),
            engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            connection.exec_driver_sql(sql)
    assert told.verify()["mismatches"] == []
