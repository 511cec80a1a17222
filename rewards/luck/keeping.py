"""Keeping chains: where their seeds come from, and that nobody reads them before their time.

Of a chain only its last seed is stored, sealed under SECRET_KEY and bound to its program and
number; the others are derived from it and remembered in memory, a few at a time. Refuses to hand
out a seed that does not lead to the anchor that was published.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import sealing
from rewards.luck import chains
from rewards.luck.models import CHAINS

_PURPOSE = "draw seeds"
_REMEMBERED = 128
_seeds: OrderedDict[tuple[str, int], bytes] = OrderedDict()
_lock = threading.Lock()
_C = CHAINS.c


class SeedLostError(Exception):
    """A chain that no key of this instance opens, or that does not lead to its anchor."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as it is stored."""

    program_id: bytes
    number: int
    anchor: bytes
    length: int
    published_at: int
    sealed: str = field(repr=False)

    def seed_at(self, place: int) -> bytes:
        """The seed of a place, 1 to `length`; SeedLostError when there is no telling."""
        key = (self.sealed, place)
        with _lock:
            found = _seeds.get(key)
        if found is None:
            found = self._derive(place)
            with _lock:
                _seeds[key] = found
                while len(_seeds) > _REMEMBERED:
                    _seeds.popitem(last=False)
        return found

    def _derive(self, place: int) -> bytes:
        try:
            last = self._last(sealing.keys())
            return chains.seed_at(last, place, length=self.length, anchor=self.anchor)
        except (sealing.SealError, chains.BrokenChainError) as error:
            raise SeedLostError(f"chain {self.number}: {error}") from None

    def _last(self, keys: Sequence[str]) -> bytes:
        owner = _owner(self.program_id, self.number)
        return bytes.fromhex(sealing.unseal(self.sealed, purpose=_PURPOSE, keys=keys, owner=owner))

    def sealed_anew(self) -> str | None:
        """The last seed under the current key, where only an earlier one opens it."""
        keys = sealing.keys()
        try:
            self._last(keys[:1])
        except sealing.SealError:
            return _seal(self._last(keys), self.program_id, self.number)
        return None


def _owner(program_id: bytes, number: int) -> bytes:
    return program_id + number.to_bytes(4, "big")


def _seal(last: bytes, program_id: bytes, number: int) -> str:
    owner = _owner(program_id, number)
    return sealing.seal(last.hex(), purpose=_PURPOSE, keys=sealing.keys(), owner=owner)


def chain_of(row: Any) -> Chain:
    """A chain from its row."""
    return Chain(
        program_id=bytes(row.program_id),
        number=row.number,
        anchor=bytes(row.anchor),
        length=row.length,
        published_at=row.published_at,
        sealed=row.sealed,
    )


def find(connection: sa.Connection, program_id: bytes, number: int) -> Chain | None:
    """A chain by its number."""
    statement = sa.select(CHAINS).where(_C.program_id == program_id, _C.number == number)
    row = connection.execute(statement).first()
    return None if row is None else chain_of(row)


def list_all(connection: sa.Connection, program_id: bytes) -> list[Chain]:
    """Every chain of a program, the first one first."""
    statement = sa.select(CHAINS).where(_C.program_id == program_id).order_by(_C.number)
    return [chain_of(row) for row in connection.execute(statement)]


def begin(connection: sa.Connection, program_id: bytes, number: int, *, now: int) -> Chain:
    """Begin a chain, and publish its anchor with that; that of whoever did so first."""
    last = chains.new_last()
    insert_missing(
        connection,
        CHAINS,
        {
            "program_id": program_id,
            "number": number,
            "anchor": chains.back(last, chains.LENGTH),
            "length": chains.LENGTH,
            "sealed": _seal(last, program_id, number),
            "published_at": now,
        },
    )
    made = find(connection, program_id, number)
    assert made is not None
    return made


def begin_after_all(connection: sa.Connection, program_id: bytes, *, now: int) -> Chain:
    """Begin a chain behind every other one."""
    newest = sa.select(sa.func.max(_C.number)).where(_C.program_id == program_id)
    return begin(connection, program_id, connection.execute(newest).scalar_one() + 1, now=now)


def reseal(connection: sa.Connection, chain: Chain) -> None:
    """Seal a chain under the current key, so that the key before it can be given up."""
    sealed = chain.sealed_anew()
    if sealed is not None:
        connection.execute(
            sa.update(CHAINS)
            .where(_C.program_id == chain.program_id, _C.number == chain.number)
            .values(sealed=sealed)
        )


def insert_missing(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> None:
    """Insert a row whose key may have been taken by another unit meanwhile."""
    build = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(build(table).values(**row).on_conflict_do_nothing())


def row_for(chain: Chain, program_id: bytes) -> dict[str, Any]:
    """The row of a copy of a chain, sealed for another program of this instance; SeedLostError
    when no key opens it."""
    try:
        last = chain._last(sealing.keys())
    except sealing.SealError as error:
        raise SeedLostError(f"chain {chain.number}: {error}") from None
    return row_of(last, program_id, chain.number, now=chain.published_at)


def row_of(last: bytes, program_id: bytes, number: int, *, now: int) -> dict[str, Any]:
    """The row of a chain that ends with this seed."""
    return {
        "program_id": program_id,
        "number": number,
        "anchor": chains.back(last, chains.LENGTH),
        "length": chains.LENGTH,
        "sealed": _seal(last, program_id, number),
        "published_at": now,
    }
