"""`flask db-copy`: a database moves to the other kind, and its proof stays the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core.db import db, in_transaction, reading
from server import copying
from server.copying import Digest, Lines, RefusedError
from tests.server.databases import answers, empty, empty_url, fill, rows, run
from tests.world import World

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="module", params=KINDS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgresql_url: str
) -> Iterator[tuple[Flask, list[World]]]:
    with empty(request.param, tmp_path_factory.mktemp("source"), postgresql_url) as app:
        yield app, fill(app)


def url_of(app: Flask) -> str:
    return str(app.config["SQLALCHEMY_DATABASE_URI"])


def heads(app: Flask) -> set[Any]:
    """The last hash of every chain, found from the entries."""
    statement = sa.text(
        "SELECT program_id, member_id, points_key, seq, hash FROM entries one WHERE seq = "
        "(SELECT max(seq) FROM entries all_ WHERE all_.program_id = one.program_id "
        "AND all_.member_id = one.member_id AND all_.points_key = one.points_key)"
    )
    with app.app_context(), db.engine.connect() as connection:
        return {tuple(row) for row in connection.execute(statement)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_answers_and_proves_the_same(
    source: tuple[Flask, list[World]], kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    app, worlds = source
    with empty(kind, tmp_path, postgresql_url) as target:
        done = run(app, "db-copy", "--to", url_of(target))
        assert done.exit_code == 0, done.output
        assert "source equals target" in done.output and done.output.endswith("\nclean\n")
        assert rows(target) == rows(app)
        # Two programs, Mina and Jun in each, points and stars of each.
        assert heads(target) == heads(app) and len(heads(app)) == 8
        for world in worlds:
            assert world.program_id in done.output
            assert answers(target, world) == answers(app, world)
        # A second time it is not empty any more.
        again = run(app, "db-copy", "--to", url_of(target))
        assert again.exit_code == 1 and "not empty" in again.output
        assert rows(target) == rows(app)


def test_the_proof_counts_every_program(source: tuple[Flask, list[World]]) -> None:
    app, worlds = source
    with app.app_context():
        found = reading(copying.proofs)
    assert set(found) == {world.program_id for world in worlds}
    for world in worlds:
        told = found[world.program_id]
        # Mina and Jun, points and stars of each.
        assert told.accounts == 4
        assert told.entries == len(world.entries("mina")) + len(world.entries("jun"))
    assert len({one.heads for one in found.values()}) == 2


def test_a_copy_that_differs_is_not_kept(
    source: tuple[Flask, list[World]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = source
    written = copying.write_rows

    def write_wrong(connection: Any, lines: Lines, found: Any) -> None:
        if lines.name == "members":
            place = lines.names.index("locale")
            found = ((*row[:place], "xx", *row[place + 1 :]) for row in found)
        written(connection, lines, found)

    with empty("sqlite", tmp_path, None) as target:
        monkeypatch.setattr(copying, "write_rows", write_wrong)
        done = run(app, "db-copy", "--to", url_of(target))
        assert done.exit_code == 1 and "members did not arrive as it was sent" in done.output
        assert not any(rows(target).values())


def test_a_ledger_that_is_not_clean_is_copied_as_it_is_and_said_so(
    tmp_path: Path,
) -> None:
    with empty("sqlite", tmp_path, None) as app, empty("sqlite", tmp_path, None) as target:
        fill(app)
        wrong = sa.text("UPDATE accounts SET available = available + 1 WHERE points_key = 'stars'")
        with app.app_context():
            in_transaction(lambda one: one.execute(wrong))
        done = run(app, "db-copy", "--to", url_of(target))
        assert done.exit_code == 1 and "NOT CLEAN" in done.output and "MISMATCH" in done.output
        assert rows(target) == rows(app)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "--to is empty"),
        ("mysql://host/database", "--to must start with sqlite:/// or postgresql+psycopg://"),
    ],
)
def test_an_address_that_is_none_is_refused(
    source: tuple[Flask, list[World]], url: str, told: str
) -> None:
    app, _ = source
    done = run(app, "db-copy", "--to", url)
    assert done.exit_code == 1 and told in done.output


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_is_not_migrated_or_is_the_source_is_refused(
    source: tuple[Flask, list[World]], kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    app, _ = source
    with empty_url(kind, tmp_path, postgresql_url) as url:
        done = run(app, "db-copy", "--to", url)
        assert done.exit_code == 1 and "run flask db upgrade" in done.output
    done = run(app, "db-copy", "--to", url_of(app))
    assert done.exit_code == 1 and "not empty" in done.output


def test_what_a_postgresql_text_cannot_hold_is_said_and_nothing_written(
    tmp_path: Path, postgresql_url: str
) -> None:
    with (
        empty("sqlite", tmp_path, None) as app,
        empty("postgresql", tmp_path, postgresql_url) as target,
    ):
        fill(app)
        wrong = sa.text("UPDATE members SET name = 'a' || char(0) || 'b'")
        with app.app_context():
            in_transaction(lambda one: one.execute(wrong))
        done = run(app, "db-copy", "--to", url_of(target))
        assert done.exit_code == 1 and "does not take a row of members" in done.output
        assert not any(rows(target).values())


def test_a_value_of_another_type_is_named(tmp_path: Path) -> None:
    with empty("sqlite", tmp_path, None) as app:
        fill(app)
        wrong = sa.text("UPDATE accounts SET lifetime_earned = 1.5")
        with app.app_context():
            in_transaction(lambda one: one.execute(wrong))
        done = run(app, "backup", str(tmp_path / "file.gz"))
        assert done.exit_code == 1
        assert "a row of accounts holds float in lifetime_earned, which takes int" in done.output
        assert not (tmp_path / "file.gz").exists()


ODD = sa.Table(
    "odd",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("parent", sa.Text, sa.ForeignKey("odd.key")),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("number", sa.BigInteger),
    sa.Column("flag", sa.Boolean),
    sa.Column("twice", sa.BigInteger, sa.Computed("number / 2")),
)
ODD_ROWS = [
    # By bytes of UTF-8: capitals first, then small letters, é, 한, the flower. Each leads to the
    # one behind it.
    ("", "A", b"", 0, False),
    ("A", "Z", bytes(range(256)), 2**63 - 1, True),
    ("Z", "a\\N\t\n", None, -(2**63), None),
    ("a\\N\t\n", "é", b"\x00", None, True),
    ("é", "한", b"\\x00", 1, False),
    ("한", "\U0001f33a", b"\r\n", -1, None),
    ("\U0001f33a", None, b"\xff", 2, True),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_at_its_limits_comes_back_in_the_order_of_bytes(
    kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    lines = Lines(ODD)
    assert lines.names == ["key", "parent", "raw", "number", "flag"]
    with empty(kind, tmp_path, postgresql_url) as app, app.app_context():

        def there_and_back(connection: sa.Connection) -> tuple[list[Any], list[bytes]]:
            ODD.create(connection)
            if kind == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            copying.write_rows(connection, lines, ODD_ROWS)
            found = [tuple(row) for row in copying.read_rows(connection, lines)]
            return found, list(copying.read_lines(connection, lines, Digest()))

        found, written = in_transaction(there_and_back)
    assert found == ODD_ROWS
    assert [lines.read(one) for one in written] == ODD_ROWS
    assert [one.count(b"\n") for one in written] == [1] * len(ODD_ROWS)


def test_a_column_of_a_type_without_a_rule_is_refused() -> None:
    table = sa.Table("odd", sa.MetaData(), sa.Column("ratio", sa.Float, primary_key=True))
    with pytest.raises(RefusedError, match=r"odd\.ratio"):
        Lines(table)
    assert len(copying.tables()) == len(db.metadata.tables) >= 15
