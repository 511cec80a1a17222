"""Rows arrive whole, by whichever path the database takes: one by one, in one statement, COPY."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core import db
from core.writing import Writes

AWKWARD = [
    "plain",
    "",
    "tab\there",
    "line\nfeed",
    "back\\slash",
    "\\N",
    "\\.",
    "'quoted' \"twice\"",
    "단골 🍵",
    "%s ? :name",
    "\r\n",
    "NULL",
]


class EndError(Exception):
    """Ends the unit, so that the scratch table is never kept."""


def scratch(name: str) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("program_id", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("words", sa.Text),
        sa.Column("value", sa.BigInteger),
        prefixes=["TEMPORARY"],
    )


def row(number: int, words: str | None = "x", value: int | None = None) -> dict[str, Any]:
    return {"program_id": b"\x00\xff\\", "number": number, "words": words, "value": value}


def written(app: Flask, *batches: Writes, tables: list[sa.Table]) -> list[list[Any]]:
    """What stands in the tables after the batches were written in one unit."""
    found: list[list[Any]] = []

    def work(connection: sa.Connection) -> None:
        for table in tables:
            table.create(connection)
        for batch in batches:
            batch.run(connection)
        for table in tables:
            statement = sa.select(table).order_by(table.c.program_id, table.c.number)
            found.append([dict(one) for one in connection.execute(statement).mappings()])
        raise EndError

    with app.app_context(), pytest.raises(EndError):
        db.in_transaction(work)
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 250])
def test_new_rows_arrive_however_many_they_are(app: Flask, count: int) -> None:
    table, writes = scratch("some"), Writes()
    rows = [row(n, AWKWARD[n % len(AWKWARD)], None if n % 3 == 0 else -n) for n in range(count)]
    for one in reversed(rows):
        writes.insert(table, one)
    assert written(app, writes, tables=[table]) == [rows]


def test_the_awkward_and_the_extreme_arrive_as_they_are_by_every_path(app: Flask) -> None:
    few, many, writes = scratch("few"), scratch("many"), Writes()
    rows = [row(n, text, 2**63 - 1 if n % 2 else -(2**63)) for n, text in enumerate(AWKWARD)]
    rows.append(row(-(2**63), None, None))
    writes.insert(few, rows[-1])
    for one in rows:
        writes.insert(many, one)
    expected = sorted(rows, key=lambda one: int(one["number"]))
    assert written(app, writes, tables=[few, many]) == [[rows[-1]], expected]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_replacing_makes_what_is_new_and_sets_what_exists(app: Flask, count: int) -> None:
    table, first, second = scratch("replaced"), Writes(), Writes()
    for n in range(count):
        first.replace(table, row(n, "old", n))
    for n in range(count // 2, count + 2):
        second.replace(table, row(n, "new", None))
    expected = [row(n, "old", n) for n in range(count // 2)]
    expected += [row(n, "new", None) for n in range(count // 2, count + 2)]
    assert written(app, first, second, tables=[table]) == [expected]


def test_of_two_told_for_one_row_the_last_wins(app: Flask) -> None:
    table, writes = scratch("told"), Writes()
    for value in (1, 2, 3):
        writes.replace(table, row(7, "x", value))
        writes.replace(table, row(8, "y", -value))
    assert written(app, writes, tables=[table]) == [[row(7, "x", 3), row(8, "y", -3)]]


def test_several_tables_are_written_together(app: Flask) -> None:
    tables = [scratch("one"), scratch("two"), scratch("three")]
    writes = Writes()
    for n in range(10):
        writes.insert(tables[0], row(n))
        writes.replace(tables[1], row(n, "r"))
    writes.insert(tables[2], row(1, "i"))
    found = written(app, writes, tables=tables)
    assert [len(one) for one in found] == [10, 10, 1]


def test_more_than_a_connection_takes_at_once_is_sent_all_the_same(app: Flask) -> None:
    """Statements that wait for each other are sent together: 16 MiB do not fit into a socket."""
    table, words = scratch("large"), "w" * 20_000
    batches = [Writes(), Writes()]
    for n in range(800):
        batches[n % 2].replace(table, row(n, words))
    done: list[list[Any]] = []
    # A thread that can be left behind: both sides would wait for each other for ever.
    alone = threading.Thread(
        target=lambda: done.extend(written(app, *batches, tables=[table])), daemon=True
    )
    alone.start()
    alone.join(60)
    assert done, "the statements were never sent"
    [found] = done
    assert [one["number"] for one in found] == list(range(800))
    assert {one["words"] for one in found} == {words}


@pytest.mark.parametrize("count", [1, 20])
def test_a_row_that_exists_ends_the_unit_as_a_lost_race(app: Flask, count: int) -> None:
    table = scratch("taken")
    attempts = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        table.create(connection)
        for numbers in (range(count), range(count)):
            writes = Writes()
            for n in numbers:
                writes.insert(table, row(n))
            writes.run(connection)

    with app.app_context(), pytest.raises(Exception, match=r"(?i)unique"):
        db.in_transaction(work)
    assert len(attempts) == 8


def test_more_rows_than_a_statement_has_parameters_for_are_replaced(app: Flask) -> None:
    table, writes = scratch("wide"), Writes()
    for n in range(20_000):
        writes.replace(table, row(n, "w", n))
    [found] = written(app, writes, tables=[table])
    assert [one["value"] for one in found] == list(range(20_000))
