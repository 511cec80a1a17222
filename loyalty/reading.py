"""Reading the ledger: accounts, lots, holds and entries as they are stored."""

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids, rawsql
from loyalty import returning
from loyalty.ledger.rows import (
    ACCOUNTS,
    ALLOCATIONS,
    ENTRIES,
    HOLD_PREFIX,
    HOLDS,
    LOTS,
    HeldHold,
    HeldLot,
    Holding,
)

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
    member_id, points_key, available, pending, held, lifetime_earned, version, head = row[:8]
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
        due_at=row[8],
        has_inactivity=bool(row[9]),
        has_counted=bool(row[10]),
    )


@functools.cache
def _balances_sql(dialect: str) -> str:
    mark = rawsql.mark(dialect)
    accounts = rawsql.left_join(
        dialect, "accounts", "a", on=f"a.program_id = {mark}1 AND a.member_id = m.id"
    )
    columns = ", ".join(f"a.{column.name}" for column in list(ACCOUNTS.columns)[1:])
    return (
        f"SELECT p.live_version, p.switches, p.clock_at, m.id, {columns} FROM members m"
        f" JOIN programs p ON p.program_id = {mark}1 {accounts}"
        f" WHERE m.program_id = {mark}1 AND m.member_ref = {mark}2 AND m.merged_into_id IS NULL"
        " ORDER BY a.points_key"
    )


def find_balances(
    connection: sa.Connection, program_id: bytes, member_ref: str
) -> tuple[tuple[int, int], int | None, bytes, list[Holding]] | None:
    """The live version and switches, the program's own clock, a member's id and accounts in one
    statement; None when unknown."""
    sql = _balances_sql(connection.dialect.name)
    rows = rawsql.run(connection, sql, [program_id, member_ref])
    if not rows:
        return None
    holdings = [holding_of(program_id, row[4:]) for row in rows if row[4] is not None]
    live_version, switches, clock_at, member_id = rows[0][:4]
    return (live_version, switches), clock_at, bytes(member_id), holdings


def read_lots(
    connection: sa.Connection, program_id: bytes, source_ids: Sequence[bytes]
) -> list[HeldLot]:
    """The lots that some causes made, with whichever members."""
    rows = connection.execute(
        sa.select(*LOTS.columns).where(
            LOTS.c.program_id == program_id, LOTS.c.source_id.in_(source_ids)
        )
    )
    return [held_lot(row) for row in rows]


def held_lot(row: Sequence[Any]) -> HeldLot:
    """A lot from its columns."""
    values = dict(zip(_LOT_NAMES, row, strict=True))
    for name in ("program_id", "id", "member_id", "source_id", "origin_lot_id"):
        if values[name] is not None:
            values[name] = bytes(values[name])
    values["is_pending"], values["is_moved"] = bool(values["is_pending"]), bool(values["is_moved"])
    return HeldLot(**values)


def held_hold(row: Sequence[Any]) -> HeldHold:
    """A hold from its columns."""
    values = dict(zip(HOLDS.columns.keys(), row, strict=True))
    for name in ("program_id", "id", "member_id", "entry_id"):
        values[name] = bytes(values[name])
    return HeldHold(**values)


_LOT_NAMES = tuple(LOTS.columns.keys())

_open_lots_of = db.Statement(
    sa.select(*LOTS.columns).where(
        LOTS.c.program_id == sa.bindparam("program_id"),
        LOTS.c.member_id == sa.bindparam("member_id"),
        LOTS.c.points_key == sa.bindparam("points_key"),
        LOTS.c.remaining > sa.literal_column("0"),
    )
)
_open_holds_of = db.Statement(
    sa.select(*HOLDS.columns).where(
        HOLDS.c.program_id == sa.bindparam("program_id"),
        HOLDS.c.member_id == sa.bindparam("member_id"),
        HOLDS.c.points_key == sa.bindparam("points_key"),
        HOLDS.c.state == sa.literal_column("'held'"),
    )
)


class Stored:
    """What a book reads when it needs it: lots and holds as stored, under the member's lock."""

    def __init__(self, connection: sa.Connection, program_id: bytes) -> None:
        self._connection = connection
        self._program_id = program_id

    def open_lots(self, member_id: bytes, points_key: str) -> list[HeldLot]:
        """Lots of an account with points remaining."""
        rows = _open_lots_of.rows(
            self._connection,
            {"program_id": self._program_id, "member_id": member_id, "points_key": points_key},
        )
        return [held_lot(row) for row in rows]

    def lots_by_id(self, lot_ids: Sequence[bytes]) -> list[HeldLot]:
        """Lots by id."""
        return _lots_where(self._connection, self._program_id, LOTS.c.id.in_(lot_ids))

    def open_holds(self, member_id: bytes, points_key: str) -> list[HeldHold]:
        """Holds of an account that have not ended."""
        rows = _open_holds_of.rows(
            self._connection,
            {"program_id": self._program_id, "member_id": member_id, "points_key": points_key},
        )
        return [held_hold(row) for row in rows]

    def hold_parts(self, entry_id: bytes) -> list[tuple[bytes, int]]:
        """What the entry of a hold took of which lot."""
        return [(lot_id, held) for lot_id, _, held in self._parts(entry_id)]

    def _parts(self, entry_id: bytes) -> list[tuple[bytes, int, int]]:
        row = self._connection.execute(
            sa.select(ENTRIES.c.lot_id, ENTRIES.c.points, ENTRIES.c.is_split).where(
                ENTRIES.c.program_id == self._program_id, ENTRIES.c.id == entry_id
            )
        ).one()
        if not row.is_split:
            return [(bytes(row.lot_id), 0, row.points)]
        return [
            (lot_id, remaining, held)
            for lot_id, remaining, held, *_ in read_allocations(
                self._connection, self._program_id, entry_id
            )
        ]

    def spent_again(self, held: HeldHold) -> list[tuple[int, list[tuple[bytes, int]]]]:
        """What went back of a hold since it was made and what of that was spent anew, in order:
        how many points, with the lots of what was spent; nothing where none was."""
        rows = returning.moved(self._connection, held)
        if all(kind != "spend" for _, kind, _ in rows):
            return []
        return [
            (points, self._spent(bytes(entry_id)) if kind == "spend" else [])
            for entry_id, kind, points in rows
        ]

    def _spent(self, entry_id: bytes) -> list[tuple[bytes, int]]:
        # One that is not split has its points in the last column.
        return [(lot_id, -remaining or held) for lot_id, remaining, held in self._parts(entry_id)]

    def taken_for(self, lot_id: bytes) -> dict[bytes, int]:
        """What other lots gave for this one's award, less what they got back, by lot."""
        rows = self._connection.execute(
            sa.select(ALLOCATIONS.c.lot_id, sa.func.sum(ALLOCATIONS.c.for_points))
            .where(ALLOCATIONS.c.program_id == self._program_id, ALLOCATIONS.c.for_lot_id == lot_id)
            .group_by(ALLOCATIONS.c.lot_id)
        )
        return {bytes(other): int(total) for other, total in rows}

    def made_by(self, source_id: bytes) -> list[HeldLot]:
        """The lots that a cause made."""
        return read_lots(self._connection, self._program_id, [source_id])

    def twin_of(self, lot: HeldLot) -> HeldLot | None:
        """The lot that another became when its account was merged into another."""
        found = _lots_where(
            self._connection,
            self._program_id,
            LOTS.c.source_id == lot.source_id,
            LOTS.c.origin_lot_id == lot.id,
        )
        return found[0] if found else None


def read_allocations(
    connection: sa.Connection, program_id: bytes, entry_id: bytes
) -> list[tuple[bytes, int, int, bytes | None, int | None]]:
    """Lot, remaining, held, the lot taken for and how many for it, of a split entry, by lot."""
    rows = connection.execute(
        sa.select(
            ALLOCATIONS.c.lot_id,
            ALLOCATIONS.c.remaining,
            ALLOCATIONS.c.held,
            ALLOCATIONS.c.for_lot_id,
            ALLOCATIONS.c.for_points,
        )
        .where(ALLOCATIONS.c.program_id == program_id, ALLOCATIONS.c.entry_id == entry_id)
        .order_by(ALLOCATIONS.c.lot_id)
    )
    return [
        (bytes(lot_id), remaining, held, None if other is None else bytes(other), for_points)
        for lot_id, remaining, held, other, for_points in rows
    ]


def _lots_where(connection: sa.Connection, program_id: bytes, *where: Any) -> list[HeldLot]:
    rows = connection.execute(
        sa.select(*LOTS.columns).where(LOTS.c.program_id == program_id, *where)
    )
    return [held_lot(row) for row in rows]


def given_again(connection: sa.Connection, program_id: bytes, lot: HeldLot) -> int:
    """How many points that expired of a lot were given again by hand, also before the lot moved
    here by a merge: the entries name the lot without changing it."""
    own = [lot]
    while own[-1].origin_lot_id is not None:
        origin = get_lot(connection, program_id, own[-1].origin_lot_id)
        if origin.source_id != lot.source_id:
            break
        own.append(origin)
    on = sa.and_(
        ALLOCATIONS.c.program_id == ENTRIES.c.program_id, ALLOCATIONS.c.entry_id == ENTRIES.c.id
    )
    found = connection.execute(
        sa.select(sa.func.sum(ENTRIES.c.points))
        .select_from(ENTRIES.join(ALLOCATIONS, on))
        .where(
            ENTRIES.c.program_id == program_id,
            ENTRIES.c.member_id.in_([one.member_id for one in own]),
            ENTRIES.c.points_key == lot.points_key,
            ENTRIES.c.kind == "adjust",
            ENTRIES.c.to_bucket == "available",
            ENTRIES.c.is_split,
            ALLOCATIONS.c.lot_id.in_([one.id for one in own]),
            ALLOCATIONS.c.remaining == 0,
        )
    ).scalar()
    return int(found or 0)


def member_lots(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[HeldLot]:
    """Every lot of a member, spent ones too."""
    return _lots_where(connection, program_id, LOTS.c.member_id == member_id)


def find_hold(connection: sa.Connection, program_id: bytes, hold_ref: str) -> HeldHold | None:
    """A hold by its id as shown."""
    hold_id = ids.read_id(HOLD_PREFIX, hold_ref)
    row = (
        connection.execute(
            sa.select(*HOLDS.columns).where(HOLDS.c.program_id == program_id, HOLDS.c.id == hold_id)
        ).first()
        if hold_id
        else None
    )
    return None if row is None else held_hold(row)


def get_lot(connection: sa.Connection, program_id: bytes, lot_id: bytes) -> HeldLot:
    """A lot by our id, which an entry named."""
    row = connection.execute(
        sa.select(*LOTS.columns).where(LOTS.c.program_id == program_id, LOTS.c.id == lot_id)
    ).one()
    return held_lot(row)


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


def captured_holds(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> list[HeldHold]:
    """A member's captured holds, reversed ones left out."""
    rows = connection.execute(
        sa.select(*HOLDS.columns).where(
            HOLDS.c.program_id == program_id,
            HOLDS.c.member_id == member_id,
            HOLDS.c.state == "captured",
        )
    )
    return [held_hold(row) for row in rows]


def list_holdings(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> list[Holding]:
    """The accounts of many members."""
    rows = connection.execute(
        sa.select(*ACCOUNTS.columns).where(
            ACCOUNTS.c.program_id == program_id, ACCOUNTS.c.member_id.in_(member_ids)
        )
    )
    return [_holding(row) for row in rows]


def list_open_lots(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> list[HeldLot]:
    """The lots of many members with points remaining."""
    return _lots_where(
        connection,
        program_id,
        LOTS.c.member_id.in_(member_ids),
        LOTS.c.remaining > sa.literal_column("0"),
    )


def list_open_holds(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> list[HeldHold]:
    """The holds of many members that have not ended."""
    rows = connection.execute(
        sa.select(*HOLDS.columns).where(
            HOLDS.c.program_id == program_id,
            HOLDS.c.member_id.in_(member_ids),
            HOLDS.c.state == sa.literal_column("'held'"),
        )
    )
    return [held_hold(row) for row in rows]
