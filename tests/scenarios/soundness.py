"""Whether an account is what its entries say, added up here once more.

Beside `World.verify`, which reads the same tables by code of its own: this knows only the rules
of the book.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids
from loyalty.ledger.entries import entry_hash
from loyalty.ledger.rows import ACCOUNTS, ALLOCATIONS, ENTRIES, LOTS, NO_HEAD
from tests.world import World

_OWN = ("available", "pending", "held")


def assert_sound(world: World, member_id: str) -> None:
    """Balances, lots and chain of every account of a member, by our id; then the whole proof."""
    owner = ids.read_id("mem", member_id)
    assert owner is not None

    def read(connection: sa.Connection) -> None:
        found = connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.member_id == owner)).all()
        for account in found:
            where = [
                sa.and_(table.c.member_id == owner, table.c.points_key == account.points_key)
                for table in (LOTS, ENTRIES)
            ]
            lots = connection.execute(sa.select(LOTS).where(where[0])).all()
            chosen = sa.select(ENTRIES).where(where[1]).order_by(ENTRIES.c.seq)
            entries = connection.execute(chosen).mappings().all()
            _check(connection, account, lots, entries)

    with world.app.app_context():
        db.reading(read)
    assert world.verify()["mismatches"] == []


def _check(
    connection: sa.Connection, account: Any, lots: Sequence[Any], entries: Sequence[Any]
) -> None:
    assert sum(lot.remaining for lot in lots) == (
        account.pending + account.held + max(0, account.available)
    )
    assert sum(lot.held for lot in lots) == account.held
    sums = dict.fromkeys(_OWN, 0)
    remaining = {bytes(lot.id): 0 for lot in lots}
    head = NO_HEAD
    for entry in entries:
        source, target = entry["from_bucket"], entry["to_bucket"]
        for bucket, sign in ((source, -1), (target, 1)):
            if bucket in sums:
                sums[bucket] += sign * entry["points"]
        allocations = _allocations(connection, entry["id"])
        for lot_id, change, *_ in allocations:
            remaining[lot_id] += change
        if not entry["is_split"]:
            change = entry["points"] * ((target in _OWN) - (source in _OWN))
            remaining[bytes(entry["lot_id"])] += change
        head = entry_hash(head, entry, allocations)
        assert head == entry["hash"]
    assert sums == {name: getattr(account, name) for name in _OWN}
    assert remaining == {bytes(lot.id): lot.remaining for lot in lots}
    assert (account.version, account.head) == (len(entries), head)


def _allocations(connection: sa.Connection, entry_id: bytes) -> list[tuple[Any, ...]]:
    columns = ALLOCATIONS.c
    rows = connection.execute(
        sa.select(
            columns.lot_id,
            columns.remaining,
            columns.held,
            columns.for_lot_id,
            columns.for_points,
        )
        .where(columns.entry_id == entry_id)
        .order_by(columns.lot_id)
    )
    return [tuple(row) for row in rows]
