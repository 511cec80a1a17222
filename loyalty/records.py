"""Reading what was recorded: entries with their allocations, lots that ever held points.

Everything streams: memory holds a few rows, whatever an account's history is. Refuses to know
what is due; `loyalty.history` does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty.ledger.entries import Allocated
from loyalty.ledger.rows import ALLOCATIONS, ENTRIES, HOLDS, LOTS, HeldHold, HeldLot
from loyalty.models import Adjustment, Opening, Transfer

OPENINGS: sa.Table = Opening.__table__  # type: ignore[assignment]
#: What is made by hand with a reason, by the type of an entry's source.
BY_HAND: dict[str, tuple[str, sa.Table]] = {
    "adjustment": ("adj", Adjustment.__table__),  # type: ignore[dict-item]
    "transfer": ("trf", Transfer.__table__),  # type: ignore[dict-item]
}
ENTRY_NAMES = tuple(ENTRIES.columns.keys())
_WIDTH = len(ENTRY_NAMES)
_ROWS = 500

Recorded = tuple[dict[str, Any], list[Allocated]]


def joined(*lead: Any) -> sa.Select[Any]:
    """Entries in the order of their unique index, each once for every allocation that it has."""
    on = sa.and_(
        ALLOCATIONS.c.program_id == ENTRIES.c.program_id, ALLOCATIONS.c.entry_id == ENTRIES.c.id
    )
    return (
        sa.select(
            *lead,
            *ENTRIES.columns,
            ALLOCATIONS.c.lot_id.label("allocated_lot_id"),
            ALLOCATIONS.c.remaining,
            ALLOCATIONS.c.held,
            ALLOCATIONS.c.for_lot_id,
            ALLOCATIONS.c.for_points,
        )
        .select_from(ENTRIES.outerjoin(ALLOCATIONS, on))
        .order_by(ENTRIES.c.program_id, ENTRIES.c.member_id, ENTRIES.c.points_key, ENTRIES.c.seq)
    )


def entries_of(rows: Iterable[Sequence[Any]]) -> Iterator[Recorded]:
    """Entries with their allocations, from rows of `joined` without a lead."""
    entry: dict[str, Any] | None = None
    allocated: list[Allocated] = []
    for row in rows:
        if entry is None or row[1] != entry["id"]:
            if entry is not None:
                yield entry, sorted(allocated)
            entry, allocated = dict(zip(ENTRY_NAMES, row[:_WIDTH], strict=True)), []
        if row[_WIDTH] is not None:
            allocated.append(tuple(row[_WIDTH:]))
    if entry is not None:
        yield entry, sorted(allocated)


def of_member(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Iterator[Recorded]:
    """Every entry of a member, one kind of points after the other, each as it was recorded."""
    statement = joined().where(ENTRIES.c.program_id == program_id, ENTRIES.c.member_id == member_id)
    return entries_of(connection.execute(statement, execution_options={"yield_per": _ROWS}))


def _touched(program_id: bytes, member_id: bytes) -> sa.CompoundSelect[Any]:
    """Ids of the lots that entries of a member name: no index leads from members to lots."""
    own = sa.and_(ENTRIES.c.program_id == program_id, ENTRIES.c.member_id == member_id)
    on = sa.and_(
        ALLOCATIONS.c.program_id == ENTRIES.c.program_id, ALLOCATIONS.c.entry_id == ENTRIES.c.id
    )
    return sa.union(
        sa.select(ENTRIES.c.lot_id).where(own, ENTRIES.c.lot_id.is_not(None)),
        sa.select(ALLOCATIONS.c.lot_id).select_from(ENTRIES.join(ALLOCATIONS, on)).where(own),
    )


def lots_of_member(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> dict[bytes, HeldLot]:
    """Every lot that ever held points of a member."""
    rows = connection.execute(
        sa.select(*LOTS.columns).where(
            LOTS.c.program_id == program_id, LOTS.c.id.in_(_touched(program_id, member_id))
        )
    ).mappings()
    return {row["id"]: HeldLot(**row) for row in rows}


def page_lots(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    *,
    points_key: str | None,
    is_open: bool,
    before: bytes | None,
    limit: int,
) -> list[HeldLot]:
    """Lots of a member, the newest first, one more than `limit`."""
    statement = (
        sa.select(*LOTS.columns)
        .where(LOTS.c.program_id == program_id, LOTS.c.member_id == member_id)
        .order_by(LOTS.c.id.desc())
        .limit(limit + 1)
    )
    if is_open:
        statement = statement.where(LOTS.c.remaining > sa.literal_column("0"))
    else:
        statement = statement.where(LOTS.c.id.in_(_touched(program_id, member_id)))
    if points_key is not None:
        statement = statement.where(LOTS.c.points_key == points_key)
    if before is not None:
        statement = statement.where(LOTS.c.id < before)
    return [HeldLot(**row) for row in connection.execute(statement).mappings()]


def expired_lots(connection: sa.Connection, program_id: bytes, member_id: bytes) -> set[bytes]:
    """Lots of which something expired."""
    own = sa.and_(
        ENTRIES.c.program_id == program_id,
        ENTRIES.c.member_id == member_id,
        ENTRIES.c.kind == "expire",
    )
    on = sa.and_(
        ALLOCATIONS.c.program_id == ENTRIES.c.program_id, ALLOCATIONS.c.entry_id == ENTRIES.c.id
    )
    found = connection.execute(
        sa.union(
            sa.select(ENTRIES.c.lot_id).where(own, ENTRIES.c.lot_id.is_not(None)),
            sa.select(ALLOCATIONS.c.lot_id).select_from(ENTRIES.join(ALLOCATIONS, on)).where(own),
        )
    )
    return {bytes(lot_id) for (lot_id,) in found}


def holds_of_member(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> dict[bytes, HeldHold]:
    """Every hold of a member by id, ended ones too."""
    rows = connection.execute(
        sa.select(*HOLDS.columns).where(
            HOLDS.c.program_id == program_id, HOLDS.c.member_id == member_id
        )
    ).mappings()
    return {row["id"]: HeldHold(**row) for row in rows}


def brought(
    connection: sa.Connection, program_id: bytes, member_id: bytes, *, known_at: int
) -> dict[str, int]:
    """Points earned elsewhere, by kind, as known at an instant."""
    rows = connection.execute(
        sa.select(OPENINGS.c.points_key, sa.func.sum(OPENINGS.c.lifetime_earned))
        .where(
            OPENINGS.c.program_id == program_id,
            OPENINGS.c.member_id == member_id,
            OPENINGS.c.recorded_at <= known_at,
        )
        .group_by(OPENINGS.c.points_key)
    )
    return {points_key: int(total) for points_key, total in rows}


def list_known(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    *,
    as_of: int,
    known_at: int,
    points_key: str | None,
    before: tuple[int, bytes] | None,
    limit: int,
) -> list[Any]:
    """Entries that had happened by one instant and were known by another, newest recorded first,
    one more than `limit`."""
    statement = (
        sa.select(ENTRIES)
        .where(
            ENTRIES.c.program_id == program_id,
            ENTRIES.c.member_id == member_id,
            ENTRIES.c.effective_at <= as_of,
            ENTRIES.c.recorded_at <= known_at,
        )
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


def reasons(
    connection: sa.Connection, program_id: bytes, entries: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Why adjustments and transfers were made that entries come from: `reason`, and `note` of an
    adjustment, by the id in their source."""
    wanted: dict[str, set[bytes]] = {}
    for entry in entries:
        if entry["source_type"] in BY_HAND:
            found_id = ids.read_id(BY_HAND[entry["source_type"]][0], entry["source_ref"])
            if found_id is not None:
                wanted.setdefault(entry["source_type"], set()).add(found_id)
    found: dict[str, dict[str, Any]] = {}
    for source_type, source_ids in wanted.items():
        prefix, table = BY_HAND[source_type]
        columns = [table.c.id, table.c.reason, table.c.note if "note" in table.c else sa.null()]
        rows = connection.execute(
            sa.select(*columns).where(
                table.c.program_id == program_id, table.c.id.in_(sorted(source_ids))
            )
        )
        for source_id, reason, note in rows:
            ref = ids.show_id(prefix, bytes(source_id))
            found[ref] = {"id": ref, "reason": reason, "note": note}
    return found
