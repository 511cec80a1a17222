"""Pools of imported codes: what of an import is new, and how many are left.

Owns the pools' rows and how codes come into them. A code is of one pool, and of no other voucher of
its program, in whatever spelling. Refuses to bind a code: `rewards.vouchers` does.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from core import clock, ids, rawsql
from core.writing import Writes
from rewards import codes, vouchers
from rewards.carried import VOUCHERS
from rewards.models import VoucherPool

POOLS: sa.Table = VoucherPool.__table__  # type: ignore[assignment]
#: How many digests are looked up at once.
_ASKED = 500
T = TypeVar("T")
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
    added the pool that has it, None where it is a voucher's of no pool. Of two imports at once
    one waits for the other, and what that added is refused as if it had been there."""
    wanted = {text: codes.digests(program_id, text) for text in texts}
    refused = _known(connection, program_id, wanted)
    # In one order for whoever imports the same codes, so that nobody waits in a circle.
    new = sorted((many[0], text) for text, many in wanted.items() if text not in refused)
    rows = [_New(digest, ids.new_id(), text) for digest, text in new]
    added: set[bytes] = set()
    for part in _parts(rows):
        added |= _insert(connection, program_id, key, part, now=now)
    lost = {text: wanted[text] for digest, text in new if digest not in added}
    return refused | _known(connection, program_id, lost)


@dataclass(frozen=True, slots=True)
class _New:
    """A code that nobody has yet."""

    digest: bytes
    id: bytes
    text: str


def _insert(
    connection: sa.Connection,
    program_id: bytes,
    key: str,
    rows: Sequence[_New],
    *,
    now: clock.Instant,
) -> set[bytes]:
    """Insert codes unless somebody has them; the digests of those that were."""
    fixed = {"program_id": program_id, "pool_key": key, "issued_at": now, **vouchers.unbound()}
    sealed = [codes.seal(program_id, one.id, one.text) for one in rows]
    if connection.dialect.name == "sqlite":
        sql = _insert_sql(tuple(fixed), "?")
        return {
            bytes(digest)
            for one, text in zip(rows, sealed, strict=True)
            for (digest,) in rawsql.run(
                connection, sql, [one.id, one.digest, text, *fixed.values()]
            )
        }
    values = [[one.id for one in rows], [one.digest for one in rows], sealed, *fixed.values()]
    found = rawsql.run(connection, _insert_sql(tuple(fixed), "$"), values)
    return {bytes(digest) for (digest,) in found}


@functools.cache
def _insert_sql(fixed: tuple[str, ...], mark: str) -> str:
    """One code on SQLite, arrays of them on PostgreSQL; what is the same for all comes last."""
    is_array = mark == "$"
    names = ", ".join(("id", "digest", "sealed", *fixed))
    rest = ", ".join(_cast(name, f"{mark}{place}", is_array) for place, name in enumerate(fixed, 4))
    several = (
        f"SELECT a.id, a.digest, a.sealed, {rest}"
        " FROM unnest($1::bytea[], $2::bytea[], $3::text[]) a(id, digest, sealed)"
    )
    rows = several if is_array else f"VALUES (?1, ?2, ?3, {rest})"
    return (
        f"INSERT INTO vouchers ({names}) {rows}"
        " ON CONFLICT (program_id, digest) DO NOTHING RETURNING digest"
    )


def _cast(name: str, value: str, is_array: bool) -> str:
    """A value whose type PostgreSQL cannot know from a SELECT."""
    if not is_array:
        return value
    kinds = {sa.Text: "text", sa.BigInteger: "bigint", sa.Integer: "integer"}
    kind = kinds.get(type(VOUCHERS.c[name].type), "bytea")
    return f"{value}::{kind}"


def _known(
    connection: sa.Connection, program_id: bytes, wanted: Mapping[str, Sequence[bytes]]
) -> dict[str, str | None]:
    """Of codes that somebody has, the pool."""
    digests = [one for many in wanted.values() for one in many]
    owners = _owners(connection, program_id, digests)
    found: dict[str, str | None] = {}
    for text, accepted in wanted.items():
        for digest in accepted:
            if digest in owners:
                [found[text]] = owners[digest]
                break
    return found


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


def _parts(many: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(many), _ASKED):
        yield many[start : start + _ASKED]
