"""Pools of imported codes: what of an import is new, and how many are left.

Owns the pools' rows and how codes come into them. A code is of one pool, and of no other voucher of
its program, in whatever spelling. Refuses to bind a code: `rewards.vouchers` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, ids, rawsql
from core.writing import Writes
from rewards import codes, vouchers
from rewards.carried import VOUCHERS
from rewards.models import VoucherPool

POOLS: sa.Table = VoucherPool.__table__  # type: ignore[assignment]
#: How many digests are looked up at once.
_ASKED = 500
_POOLED: sa.ColumnElement[str] = sa.literal_column("'pooled'")


@dataclass(frozen=True, slots=True)
class Count:
    """How many codes a pool has, and how many nobody has."""

    total: int
    free: int


def count(connection: sa.Connection, program_id: bytes, key: str) -> Count | None:
    """What a pool holds; None when there is no such pool."""
    known = connection.execute(
        sa.select(POOLS.c.key).where(POOLS.c.program_id == program_id, POOLS.c.key == key)
    ).first()
    if known is None:
        return None
    of_pool = sa.and_(VOUCHERS.c.program_id == program_id, VOUCHERS.c.pool_key == key)
    total, free = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((VOUCHERS.c.state == _POOLED, 1))),
        ).where(of_pool)
    ).one()
    return Count(total, free)


def open_pool(connection: sa.Connection, program_id: bytes, key: str, now: clock.Instant) -> None:
    """Make sure that there is a pool."""
    writes = Writes()
    created = connection.execute(
        sa.select(POOLS.c.created_at).where(POOLS.c.program_id == program_id, POOLS.c.key == key)
    ).scalar()
    row = {"program_id": program_id, "key": key, "updated_at": now}
    writes.replace(POOLS, row | {"created_at": now if created is None else created})
    writes.run(connection)


def add(
    connection: sa.Connection,
    program_id: bytes,
    key: str,
    texts: Sequence[str],
    *,
    now: clock.Instant,
) -> dict[str, str | None]:
    """Add codes to a pool that there is, each different from the others; by each that was not
    added the pool that has it, None where it is a voucher's of no pool."""
    wanted = {text: codes.digests(program_id, text) for text in texts}
    known = _owners(connection, program_id, [one for many in wanted.values() for one in many])
    refused: dict[str, str | None] = {}
    writes = Writes()
    for text, accepted in wanted.items():
        owner = next((known[one] for one in accepted if one in known), _NEW)
        if owner is not _NEW:
            refused[text] = owner[0]
            continue
        voucher_id = ids.new_id()
        writes.insert(
            VOUCHERS,
            {
                "program_id": program_id,
                "id": voucher_id,
                "digest": accepted[0],
                "sealed": codes.seal(program_id, voucher_id, text),
                "pool_key": key,
                "issued_at": now,
                **vouchers.unbound(),
            },
        )
    writes.run(connection)
    return refused


#: No pool's: a tuple, so that it cannot be mistaken for a key.
_NEW: tuple[str | None] = ("",)


def _owners(
    connection: sa.Connection, program_id: bytes, digests: Sequence[bytes]
) -> Mapping[bytes, tuple[str | None]]:
    """Of digests that are known, the pool."""
    found: dict[bytes, tuple[str | None]] = {}
    for part in _parts(digests):
        if connection.dialect.name == "sqlite":
            rows: Any = connection.execute(
                sa.select(VOUCHERS.c.digest, VOUCHERS.c.pool_key).where(
                    VOUCHERS.c.program_id == program_id, VOUCHERS.c.digest.in_(part)
                )
            )
        else:
            rows = rawsql.run(connection, _LOOK_UP, [program_id, list(part)])
        found |= {bytes(digest): (pool_key,) for digest, pool_key in rows}
    return found


#: A look-up in the index for each digest: planned as one scan of the program's vouchers, an import
#: would take longer with each code that there is.
_LOOK_UP = (
    "SELECT v.digest, v.pool_key FROM unnest($2::bytea[]) d(digest) CROSS JOIN LATERAL"
    " (SELECT w.digest, w.pool_key FROM vouchers w"
    " WHERE w.program_id = $1 AND w.digest = d.digest OFFSET 0) v"
)


def _parts(digests: Sequence[bytes]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(digests), _ASKED):
        yield digests[start : start + _ASKED]
