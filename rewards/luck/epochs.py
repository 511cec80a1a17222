"""Epochs: which seed a draw is made with, and that no draw misses the root of its day.

The newest epoch takes every draw of its day. Whoever draws holds its row until the unit ends, and
it is closed only by who has the row alone. Refuses to open an epoch whose seed is lost.
"""

import logging
from dataclasses import dataclass, field

import sqlalchemy as sa

from core import clock, db
from rewards.luck import keeping
from rewards.luck.keeping import Chain, SeedLostError
from rewards.luck.models import CHAINS, EPOCHS

_DAY = 86_400 * clock.SECOND
#: With so many seeds left the anchor of the next chain is published.
_PUBLISHED_BEFORE = 30
#: How often a unit looks again: others open, and close, at the same time.
_TRIES = 8

_log = logging.getLogger("dangol.luck")
_C = EPOCHS.c

_newest = db.Statement(
    sa.select(
        _C.number,
        _C.day,
        _C.closed_at,
        _C.receipt_count,
        _C.chain,
        _C.place,
        CHAINS.c.anchor,
        CHAINS.c.length,
        CHAINS.c.published_at,
        CHAINS.c.sealed,
    )
    .join(CHAINS, sa.and_(CHAINS.c.program_id == _C.program_id, CHAINS.c.number == _C.chain))
    .where(_C.program_id == sa.bindparam("program_id"))
    .order_by(_C.number.desc())
    .limit(sa.literal_column("1"))
    .offset(sa.literal_column("0"))
    # Held until the unit ends: closing waits for it.
    .with_for_update(read=True, key_share=True, of=EPOCHS)
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch to draw in: its number, its seed, and its day (since 1970, in UTC)."""

    number: int
    seed: bytes = field(repr=False)
    day: int


def day_of(now: int) -> int:
    """The day in UTC, since 1970."""
    return now // _DAY


def ensure_chain(connection: sa.Connection, program_id: bytes, now: clock.Instant) -> None:
    """Create a program's first chain where it has none: its anchor is published with that."""
    if keeping.find(connection, program_id, 1) is None:
        keeping.begin(connection, program_id, 1, now=now)


def set_back(connection: sa.Connection, program_id: bytes, now: int) -> None:
    """A program's own clock begins at an instant, before which nothing was published by it."""
    connection.execute(
        sa.update(CHAINS)
        .where(CHAINS.c.program_id == program_id, CHAINS.c.published_at > now)
        .values(published_at=now)
    )


def open_now(connection: sa.Connection, program_id: bytes, now: clock.Instant) -> Epoch:
    """The epoch that takes a draw made now, which stays open until this unit ends.

    It is the newest one while it is open and its day is not over, else a new one. A unit that was
    held up over midnight draws in that of the new day, or in a second one of the old day.
    """
    for _ in range(_TRIES):
        row = _newest.first(connection, {"program_id": program_id})
        if row is None:
            ensure_chain(connection, program_id, now)
            chain = keeping.find(connection, program_id, 1)
            assert chain is not None
            _open(connection, chain, (1, 1), day=day_of(now), now=now)
            continue
        number, day, closed_at, numbered, of_chain, place, *_ = row
        anchor, length, published_at, sealed = row[-4:]
        chain = Chain(program_id, of_chain, bytes(anchor), length, published_at, sealed)
        seed = _seed(chain, place)
        # Some of its receipts are numbered: it is being closed, and takes no further one.
        is_open = closed_at is None and numbered is None
        if seed is not None and is_open and day >= day_of(now):
            return Epoch(number, seed, day)
        if seed is None or place == length:
            chain, place = _following(connection, chain, is_lost=seed is None, now=now), 0
        _open(connection, chain, (number + 1, place + 1), day=max(day, day_of(now)), now=now)
    raise db.Restart


def _seed(chain: Chain, place: int) -> bytes | None:
    """None when it is lost: what is drawn from now on is drawn from another chain."""
    try:
        return chain.seed_at(place)
    except SeedLostError as error:
        _log.error("seeds are lost", extra={"detail": str(error)})
        return None


def _following(connection: sa.Connection, chain: Chain, *, is_lost: bool, now: int) -> Chain:
    """The chain after this one: that whose anchor is published, unless it is lost as well."""
    found = keeping.find(connection, chain.program_id, chain.number + 1)
    if found is not None and not (is_lost and _seed(found, 1) is None):
        return found
    return keeping.begin_after_all(connection, chain.program_id, now=now)


def _open(
    connection: sa.Connection, chain: Chain, at: tuple[int, int], *, day: int, now: int
) -> None:
    """Open an epoch by its number and its place in the chain; whoever does so first opens it for
    all."""
    number, place = at
    program_id = chain.program_id
    keeping.reseal(connection, chain)
    if (
        chain.length - place < _PUBLISHED_BEFORE
        and keeping.find(connection, program_id, chain.number + 1) is None
    ):
        keeping.begin(connection, program_id, chain.number + 1, now=now)
    row = {
        "program_id": program_id,
        "number": number,
        "chain": chain.number,
        "place": place,
        "day": day,
        "opened_at": now,
        "ends_at": (day + 1) * _DAY,
    }
    keeping.insert_missing(connection, EPOCHS, row)
