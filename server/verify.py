"""Proof of the ledger: everything that is kept is computed again from the entries and compared.

Owns no table and changes nothing. Streams every table once in the order of an index, side by
side, so that memory holds one member at a time; `verify_orders` does the same for orders, claims
and tiers. Every row that disagrees is named with what is stored and what was computed.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from loyalty import ledger
from loyalty.ledger import ACCOUNTS, ENTRIES, LOTS, MOVES
from members.members import MEMBERS
from programs.models import Program
from server import verify_orders
from server.verify_rows import Groups, Place, Report, show, side_by_side, stream

_OWN = ("available", "pending", "held")
_LOT_NAMES = ("points", "reversed", "remaining", "written_off", "earned_at", "expires_at")
_ENTRY_NAMES = tuple(ENTRIES.columns.keys())


def run(connection: sa.Connection, program_id: bytes | None) -> dict[str, Any]:
    """Check one program, or all; needs one consistent read transaction."""
    if connection.dialect.name == "postgresql":
        # Reading a large table takes longer than a request may.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    report = Report(
        programs=_count(connection, Program.program_id, program_id),
        members=_count(connection, MEMBERS.c.program_id, program_id),
    )
    _check_accounts(connection, program_id, report)
    verify_orders.check_orders(connection, program_id, report)
    verify_orders.check_members(connection, program_id, report)
    return report.shown()


def _count(connection: sa.Connection, column: Any, program_id: bytes | None) -> int:
    statement = sa.select(sa.func.count()).select_from(column.table)
    if program_id is not None:
        statement = statement.where(column == program_id)
    return int(connection.execute(statement).scalar_one())


@dataclass(slots=True)
class _LotSums:
    """What the entries of one lot add up to."""

    earned: int = 0
    reversed: int = 0
    earned_at: int | None = None


@dataclass(slots=True)
class _Sums:
    """What the entries of one account add up to."""

    available: int = 0
    pending: int = 0
    held: int = 0
    lifetime_earned: int = 0
    version: int = 0
    head: bytes = ledger.NO_HEAD
    lots: dict[bytes, _LotSums] = field(default_factory=dict)


def _check_accounts(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Accounts, entries and lots of one member after the other."""
    accounts, lots = (
        Groups(stream(connection, _by_member(table), table, program_id))
        for table in (ACCOUNTS, LOTS)
    )
    # Entries in the order of their unique index, the member before the id.
    columns = [ENTRIES.c.program_id, ENTRIES.c.member_id, ENTRIES.c.points_key, *ENTRIES.columns]
    statement = sa.select(*columns).order_by(
        ENTRIES.c.program_id, ENTRIES.c.member_id, ENTRIES.c.points_key, ENTRIES.c.seq
    )
    entries = Groups(stream(connection, statement, ENTRIES, program_id))
    for key in side_by_side(accounts, lots, entries):
        rows = {row[2]: row for row in accounts.take(key)}
        of_kind: dict[str, list[Any]] = {}
        for lot in lots.take(key):
            of_kind.setdefault(lot[2], []).append(lot)
        report.accounts += len(rows)
        sums: dict[str, _Sums] = {}
        for points_key, group in itertools.groupby(entries.take(key), lambda row: row[2]):
            sums[points_key] = _add_up(report, group)
        for points_key in sorted({*rows, *of_kind, *sums}):
            place = ("mem", key[1], f" {points_key}")
            found = sums.get(points_key) or _Sums()
            _check_account(report, place, rows.get(points_key), found)
            _check_lots(report, place, of_kind.get(points_key, []), found)


def _by_member(table: sa.Table) -> sa.Select[Any]:
    """Every column of a table, led by program, member and kind of points, in this order."""
    lead = [table.c.program_id, table.c.member_id, table.c.points_key]
    rest = [column for column in table.columns if column not in set(lead)]
    return sa.select(*lead, *rest).order_by(*lead)


def _add_up(report: Report, rows: Iterable[Sequence[Any]]) -> _Sums:
    """Check each entry against the one before it; what they add up to."""
    sums = _Sums()
    after = dict.fromkeys(_OWN, 0)
    for row in rows:
        entry = dict(zip(_ENTRY_NAMES, row[3:], strict=True))
        report.entries += 1
        _check_entry(report, entry, sums, after)
        _count_entry(sums, entry)
        sums.version, sums.head = entry["seq"], entry["hash"]
        # From what is stored, so that a wrong row does not make all that follow wrong.
        for bucket in _OWN:
            after[bucket] = entry[f"{bucket}_after"]
    return sums


def _check_entry(report: Report, entry: dict[str, Any], sums: _Sums, after: dict[str, int]) -> None:
    moves = MOVES.get(entry["kind"])
    source, target = entry["from_bucket"], entry["to_bucket"]
    points = entry["points"]
    wrong: list[tuple[str, Any, Any]] = []
    if entry["seq"] != sums.version + 1:
        wrong.append(("seq", entry["seq"], sums.version + 1))
    if moves is None:
        wrong.append(("kind", entry["kind"], f"one of {', '.join(MOVES)}"))
    elif (source, target) != moves:
        wrong.append(("from_bucket, to_bucket", f"{source}, {target}", ", ".join(moves)))
    for bucket in _OWN:
        expected = after[bucket] + points * ((target == bucket) - (source == bucket))
        if entry[f"{bucket}_after"] != expected:
            wrong.append((f"{bucket}_after", entry[f"{bucket}_after"], expected))
    computed = ledger.entry_hash(sums.head, entry)
    if entry["hash"] != computed:
        wrong.append(("hash", entry["hash"], computed))
    for column, stored, value in wrong:
        report.note("entries", ("ent", entry["id"], ""), column, stored, value)


def _count_entry(sums: _Sums, entry: dict[str, Any]) -> None:
    points, kind = entry["points"], entry["kind"]
    source, target = MOVES.get(kind, (entry["from_bucket"], entry["to_bucket"]))
    for bucket, sign in ((source, -points), (target, points)):
        if bucket in _OWN:
            setattr(sums, bucket, getattr(sums, bucket) + sign)
    sums.lifetime_earned += -points if kind == "claw_back" else points
    lot = sums.lots.get(entry["lot_id"])
    if lot is None:
        lot = sums.lots[entry["lot_id"]] = _LotSums()
    if kind == "earn":
        lot.earned += points
        lot.earned_at = entry["effective_at"]
    else:
        lot.reversed += points if kind == "claw_back" else -points


def _check_account(report: Report, place: Place, row: Any, sums: _Sums) -> None:
    if row is None:
        report.note("accounts", place, "row", "none", f"version {sums.version}")
        return
    for name in (*_OWN, "lifetime_earned", "version", "head"):
        report.compare("accounts", place, name, getattr(row, name), getattr(sums, name))


def _check_lots(report: Report, place: Place, rows: Sequence[Any], sums: _Sums) -> None:
    """Lots against their entries; together they hold what the account holds."""
    remaining = 0
    for row in rows:
        report.lots += 1
        remaining += row.remaining
        lot = ("lot", row.id, "")
        found = sums.lots.pop(row.id, None)
        if found is None:
            report.note("lots", lot, "row", f"in the account {show(place)}", "no entry of it there")
            continue
        # Nothing can be spent yet: what was not reversed is still there, none is written off.
        left = found.earned - found.reversed
        kept = tuple(getattr(row, name) for name in _LOT_NAMES)
        computed: tuple[Any, ...] = (found.earned, found.reversed, left, 0, found.earned_at, None)
        if kept != computed:
            for name, stored, value in zip(_LOT_NAMES, kept, computed, strict=True):
                report.compare("lots", lot, name, stored, value)
    for lot_id in sums.lots:
        report.note("lots", ("lot", lot_id, ""), "row", "none", f"entries in {show(place)}")
    held = sums.available + sums.pending + sums.held
    if remaining != held:
        report.note("lots", place, "sum of remaining", remaining, held)
