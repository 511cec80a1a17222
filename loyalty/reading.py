"""Reading the ledger: accounts, lots and entries, and how the contract shows them."""

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, rawsql
from loyalty.ledger import ACCOUNTS, ENTRIES, LOTS, HeldLot, Holding

_accounts_of = db.Statement(
    sa.select(*ACCOUNTS.columns).where(
        ACCOUNTS.c.program_id == sa.bindparam("program_id"),
        ACCOUNTS.c.member_id == sa.bindparam("member_id"),
    )
)


def read_holdings(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[Holding]:
    """A member's accounts."""
    rows = _accounts_of.rows(connection, {"program_id": program_id, "member_id": member_id})
    return [_holding(row) for row in rows]


def _holding(row: Sequence[Any]) -> Holding:
    return holding_of(bytes(row[0]), row[1:])


def holding_of(program_id: bytes, row: Sequence[Any]) -> Holding:
    """An account from the columns after its program."""
    member_id, points_key, available, pending, held, lifetime_earned, version, head = row
    return Holding(
        program_id=program_id,
        member_id=bytes(member_id),
        points_key=points_key,
        available=available,
        pending=pending,
        held=held,
        lifetime_earned=lifetime_earned,
        version=version,
        head=bytes(head),
    )


@functools.cache
def _balances_sql(dialect: str) -> str:
    mark = rawsql.mark(dialect)
    accounts = rawsql.left_join(
        dialect, "accounts", "a", on=f"a.program_id = {mark}1 AND a.member_id = m.id"
    )
    columns = ", ".join(f"a.{column.name}" for column in list(ACCOUNTS.columns)[1:])
    return (
        f"SELECT p.live_version, m.id, {columns} FROM members m"
        f" JOIN programs p ON p.program_id = {mark}1 {accounts}"
        f" WHERE m.program_id = {mark}1 AND m.member_ref = {mark}2 ORDER BY a.points_key"
    )


def find_balances(
    connection: sa.Connection, program_id: bytes, member_ref: str
) -> tuple[int, bytes, list[Holding]] | None:
    """The live version, a member's id and accounts in one statement; None when unknown."""
    sql = _balances_sql(connection.dialect.name)
    rows = rawsql.run(connection, sql, [program_id, member_ref])
    if not rows:
        return None
    holdings = [holding_of(program_id, row[2:]) for row in rows if row[2] is not None]
    return rows[0][0], bytes(rows[0][1]), holdings


def read_lots(
    connection: sa.Connection, program_id: bytes, source_ids: Sequence[bytes]
) -> list[HeldLot]:
    """The lots that some causes made, with whichever members."""
    rows = connection.execute(
        sa.select(*LOTS.columns).where(
            LOTS.c.program_id == program_id, LOTS.c.source_id.in_(source_ids)
        )
    )
    return [_held_lot(row) for row in rows]


def _held_lot(row: Sequence[Any]) -> HeldLot:
    values = dict(zip(LOTS.columns.keys(), row, strict=True))
    for name in ("program_id", "id", "member_id", "source_id"):
        values[name] = bytes(values[name])
    return HeldLot(**values)


def show_balance(holding: Holding) -> dict[str, Any]:
    """A balance as the contract shows it."""
    return {
        "points_key": holding.points_key,
        "available": holding.available,
        "pending": holding.pending,
        "held": holding.held,
        "version": holding.version,
        "lifetime_earned": holding.lifetime_earned,
        "expiring": [],
    }


_SUMMARIES = {
    "earn": {"en": "{points} points for {source}", "ko": "{source}(으)로 {points}포인트 적립"},
    "claw_back": {
        "en": "{points} points taken back with {source}",
        "ko": "{source} 변경으로 {points}포인트 회수",
    },
    "restore": {
        "en": "{points} points given back with {source}",
        "ko": "{source} 변경으로 {points}포인트 복원",
    },
}
_SOURCES = {
    "order": {"en": "order {ref}", "ko": "주문 {ref}"},
    "signup": {"en": "signing up", "ko": "가입"},
}


def show_entry(row: Any) -> dict[str, Any]:
    """An entry as the contract shows it; `row` is a mapping of the table's columns."""
    sources = _SOURCES[row["source_type"]]
    return {
        "id": ids.show_id("ent", bytes(row["id"])),
        "seq": row["seq"],
        "kind": row["kind"],
        "points": row["points"],
        "points_key": row["points_key"],
        "from": row["from_bucket"],
        "to": row["to_bucket"],
        "available_after": row["available_after"],
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "summary": {
            locale: text.format(
                points=f"{row['points']:,}",
                source=sources[locale].format(ref=row["source_ref"]),
            )
            for locale, text in _SUMMARIES[row["kind"]].items()
        },
        "decision_id": (
            ids.show_id("dec", bytes(row["decision_id"])) if row["decision_id"] else None
        ),
        "actor": row["actor"],
    }


def get_lot(connection: sa.Connection, program_id: bytes, lot_id: bytes) -> HeldLot:
    """A lot by our id, which an entry named."""
    row = connection.execute(
        sa.select(*LOTS.columns).where(LOTS.c.program_id == program_id, LOTS.c.id == lot_id)
    ).one()
    return _held_lot(row)


def show_lot(lot: HeldLot) -> dict[str, Any]:
    """A lot as the contract shows it."""
    return {
        "id": ids.show_id("lot", lot.id),
        "points_key": lot.points_key,
        "points": lot.points,
        "remaining": lot.remaining,
        "reversed": lot.reversed,
        "written_off": lot.written_off,
        "earned_at": clock.format_instant(lot.earned_at),
        "expires_at": None if lot.expires_at is None else clock.format_instant(lot.expires_at),
    }


def list_entries(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    *,
    points_key: str | None,
    before: tuple[int, bytes] | None,
    limit: int,
) -> list[Any]:
    """A member's entries, newest first by recording, one more than `limit`."""
    statement = (
        sa.select(ENTRIES)
        .where(ENTRIES.c.program_id == program_id, ENTRIES.c.member_id == member_id)
        .order_by(ENTRIES.c.recorded_at.desc(), ENTRIES.c.id.desc())
        .limit(limit + 1)
    )
    if points_key is not None:
        statement = statement.where(ENTRIES.c.points_key == points_key)
    if before is not None:
        at, entry_id = before
        statement = statement.where(
            sa.or_(
                ENTRIES.c.recorded_at < at,
                sa.and_(ENTRIES.c.recorded_at == at, ENTRIES.c.id < entry_id),
            )
        )
    return list(connection.execute(statement).mappings())


def find_entry(connection: sa.Connection, program_id: bytes, entry_id: bytes) -> Any | None:
    """An entry by our id."""
    return (
        connection.execute(
            sa.select(ENTRIES).where(ENTRIES.c.program_id == program_id, ENTRIES.c.id == entry_id)
        )
        .mappings()
        .first()
    )
