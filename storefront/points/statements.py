"""Statements: every entry of a member in a period between its opening and its closing balance.

Streamed: entries are read a few at a time, each time by a short read of its own, up to the last
entry that there was when the statement began; entries are never changed, so what is read later is
what was there. A statement up to now ends with what has fallen due and is not written yet.

The CSV is for spreadsheets (`core.spreadsheet`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import Flask

from core import clock, db, ids, jsontext, spreadsheet
from core.errors import invalid_at
from loyalty import reading, records, showing
from loyalty.ledger.entries import OWN
from loyalty.ledger.rows import ENTRIES
from members import members
from programs import versions
from programs.compiled import Compiled
from storefront import reads
from storefront.explanations import redeemed
from storefront.plan import begin

_ROWS = 500
_EVER, _NEVER = -(2**62), 2**62
COLUMNS = (
    "points_key",
    "seq",
    "kind",
    "points",
    "from",
    "to",
    *(f"{bucket}_change" for bucket in OWN),
    *(f"{bucket}_after" for bucket in OWN),
    "effective_at",
    "recorded_at",
    "source_type",
    "source_ref",
    "summary",
    "reason",
    "actor",
    "entry_id",
)


@dataclass(frozen=True, slots=True)
class Account:
    """One kind of points of a statement: numbers of its entries, first exclusive, last inclusive,
    the balances before and after them, and what is due but not written."""

    points_key: str
    first: int
    last: int
    opening: dict[str, int]
    closing: dict[str, int]
    due: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a statement covers, fixed when it was asked for."""

    live: Compiled
    program_id: bytes
    member_id: bytes
    member_ref: str
    locale: str
    start: int
    end: int
    accounts: list[Account]


def prepare(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> Statement:
    """What a statement covers; 404 when the member is unknown."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    keys = [kind.key for kind in live.points]
    keys += sorted({one.points_key for one in plan.book.holdings(known.id)}.difference(keys))
    start, end = query.get("from", _EVER), query.get("until", _NEVER)
    if start > end:
        raise invalid_at("?from", "is after until")
    wanted = query.get("points_key")
    reads.check_key(connection, live, known.id, wanted)
    if end > now:
        plan.settle(known.id)
    named = redeemed.names(connection, program_id, live.currency, plan.book.entries)
    accounts = []
    for key in keys:
        if wanted not in (None, key):
            continue
        due = [one | {"named": named} for one in plan.book.entries if one["points_key"] == key]
        last = _before(connection, program_id, known.id, key, end)
        first = _before(connection, program_id, known.id, key, start)
        if start > now:
            due = []
        closing = due[-1] if due else last
        accounts.append(
            Account(
                key,
                0 if first is None else first["seq"],
                0 if last is None else last["seq"],
                _balances(first),
                _balances(closing),
                due,
            )
        )
    locale = "ko" if live.locales[0] == "ko" else "en"
    until = min(end, now)
    return Statement(live, program_id, known.id, known.member_ref, locale, start, until, accounts)


def _before(
    connection: sa.Connection, program_id: bytes, member_id: bytes, points_key: str, at: int
) -> Any | None:
    """The last entry of an account that was recorded before an instant."""
    return (
        connection.execute(
            sa.select(ENTRIES)
            .where(
                ENTRIES.c.program_id == program_id,
                ENTRIES.c.member_id == member_id,
                ENTRIES.c.points_key == points_key,
                ENTRIES.c.recorded_at < at,
            )
            .order_by(ENTRIES.c.seq.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )


def _balances(row: Mapping[str, Any] | None) -> dict[str, int]:
    return {bucket: 0 if row is None else row[f"{bucket}_after"] for bucket in OWN}


def _entries(app: Flask, statement: Statement, account: Account) -> Iterator[Mapping[str, Any]]:
    """Entries of an account in their order, then what is due. Whoever sends them on has long left
    the request: each read has the application alone."""
    seq = account.first
    while seq < account.last:
        with app.app_context():
            rows = db.reading(partial(_read, statement, account, seq))
        if not rows:
            break
        yield from rows
        seq = rows[-1]["seq"]
    for row in account.due:
        yield row | {"is_due": True}


def _read(
    statement: Statement, account: Account, after: int, connection: sa.Connection
) -> list[Any]:
    rows = connection.execute(
        sa.select(ENTRIES)
        .where(
            ENTRIES.c.program_id == statement.program_id,
            ENTRIES.c.member_id == statement.member_id,
            ENTRIES.c.points_key == account.points_key,
            ENTRIES.c.seq > after,
            ENTRIES.c.seq <= account.last,
        )
        .order_by(ENTRIES.c.seq)
        .limit(_ROWS)
    )
    found: list[Any] = list(rows.mappings())
    reasons = records.reasons(connection, statement.program_id, found)
    named = redeemed.names(connection, statement.program_id, statement.live.currency, found)
    return [
        dict(row) | {"reason": reasons.get(row["source_ref"], {}).get("reason"), "named": named}
        for row in found
    ]


def _shown(statement: Statement, row: Mapping[str, Any]) -> dict[str, Any]:
    shown = showing.show_entry(
        row, statement.live, member_ref=statement.member_ref, named=row.get("named")
    )
    shown["pending_after"], shown["held_after"] = row["pending_after"], row["held_after"]
    shown["reason"] = row.get("reason")
    if "is_due" in row:
        # Not written yet: it will get an id when it is.
        shown["id"] = None
    return shown


def write_json(app: Flask, statement: Statement) -> Iterator[bytes]:
    """The statement as one JSON object, in parts."""
    head = jsontext.text(
        {
            "member_ref": statement.member_ref,
            "from": None if statement.start == _EVER else clock.format_instant(statement.start),
            "until": clock.format_instant(statement.end),
        }
    )
    yield f'{head[:-1]},"accounts":['.encode()
    for number, account in enumerate(statement.accounts):
        opening = jsontext.text({"points_key": account.points_key, "opening": account.opening})
        yield f'{"," if number else ""}{opening[:-1]},"entries":['.encode()
        separator = b""
        for row in _entries(app, statement, account):
            yield separator + jsontext.write(_shown(statement, row))
            separator = b","
        closing = jsontext.text({"closing": account.closing})
        yield f"],{closing[1:]}".encode()
    yield b"]}"


def write_csv(app: Flask, statement: Statement) -> Iterator[bytes]:
    """The statement as CSV in UTF-8, in parts: of each kind of points a line with the balances
    before, one per entry, and one with the balances after."""
    yield spreadsheet.BOM.encode() + spreadsheet.line(COLUMNS)
    for account in statement.accounts:
        yield _balance_line(account, "opening", account.opening, at=statement.start)
        for row in _entries(app, statement, account):
            shown = _shown(statement, row)
            source = shown["source"]
            cells = shown | {
                "source_type": source["type"],
                "source_ref": source["ref"],
                "summary": shown["summary"][statement.locale],
                "entry_id": shown["id"],
                **{
                    f"{bucket}_change": row["points"]
                    * ((row["to_bucket"] == bucket) - (row["from_bucket"] == bucket))
                    for bucket in OWN
                },
            }
            yield spreadsheet.line([cells[name] for name in COLUMNS])
        yield _balance_line(account, "closing", account.closing, at=statement.end)


def _balance_line(account: Account, kind: str, balances: Mapping[str, int], *, at: int) -> bytes:
    """The balances at one end of the period, as a line among the entries."""
    cells: dict[str, Any] = {"points_key": account.points_key, "kind": kind}
    if at != _EVER:
        cells["recorded_at"] = clock.format_instant(at)
    cells |= {f"{bucket}_after": balances[bucket] for bucket in OWN}
    return spreadsheet.line([cells.get(name) for name in COLUMNS])


def shown_name(statement: Statement) -> str:
    """A name for the file that is safe in any header and on any disk."""
    return f"statement-{ids.show_id('mem', statement.member_id)}.csv"
