"""Closing epochs: receipts are numbered, one root stands over them, and the seed is revealed.

One epoch after the other: a seed tells all the seeds before it. Whoever draws holds the epoch's
row, so none is missing below the root. Receipts are read and written as they come, never all at
once, and of a day with very many in several units, so that nobody waits for long: the first one
notes that the epoch takes no more, each goes on where the last one ended.
"""

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock, db
from core.writing import Writes
from programs import versions
from rewards.luck import keeping, merkle, receipts
from rewards.luck.models import BLOCKS, EPOCH_RULES, EPOCHS, LEAVES
from rewards.surprises.carried import DRAWS

#: Receipts that are read and written at a time.
_PORTION = 2000
#: Receipts that are numbered in one unit at most: whole blocks.
UNIT = 80 * merkle.BLOCK
_log = logging.getLogger("dangol.luck")
_C = EPOCHS.c
#: What the worker's agenda asks of an epoch.
IS_OPEN = _C.closed_at.is_(None)


def settle_due(program_id: bytes) -> int:
    """Close every epoch of a program whose day is over; how many."""
    count = 0
    while True:
        is_closed = db.in_transaction(lambda connection: _close_next(connection, program_id))
        if is_closed is None:
            return count
        count += is_closed


def _close_next(connection: sa.Connection, program_id: bytes) -> bool | None:
    """Close the oldest open epoch, if its day is over, or go on with that; whether it is closed,
    None where there is nothing to close."""
    _, now = versions.get_live(connection, program_id)
    oldest = connection.execute(
        sa.select(EPOCHS)
        .where(_C.program_id == program_id, IS_OPEN)
        .order_by(_C.number)
        .limit(1)
        # Waits for every unit that draws in it, and for another worker that closes it.
        .with_for_update()
    ).first()
    if oldest is None or oldest.ends_at > now:
        return None
    return close(connection, oldest, now=now)


def close(connection: sa.Connection, epoch: Any, *, now: clock.Instant) -> bool:
    """Number the next receipts of an epoch whose row is locked, and close it behind the last one;
    whether it is closed."""
    program_id, number = bytes(epoch.program_id), epoch.number
    if connection.dialect.name == "postgresql":
        # Thousands of rows are read once, in an order of their own.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    begun = epoch.receipt_count or 0
    day = _taken_up(connection, program_id, number) if begun else _Day(program_id, number)
    for portion in _portions(connection, program_id, number, begun=begun):
        writes = Writes()
        for row in portion:
            if row.surprise_key not in day.rules:
                day.begin(row.surprise_key, _last_number(connection, program_id, row.surprise_key))
            writes.insert(LEAVES, day.add(row))
        writes.run(connection)
    is_last = day.count - begun < UNIT
    writes = Writes()
    for table, made in ((BLOCKS, day.blocks()), (EPOCH_RULES, day.ranges() if is_last else ())):
        for one in made:
            writes.insert(table, one)
    writes.run(connection)
    values: dict[str, Any] = {"receipt_count": day.count}
    if is_last:
        values |= {"closed_at": now, "seed": _seed(connection, epoch), "root": day.root()}
    connection.execute(
        sa.update(EPOCHS).where(_C.program_id == program_id, _C.number == number).values(**values)
    )
    return is_last


def _taken_up(connection: sa.Connection, program_id: bytes, epoch: int) -> "_Day":
    """An epoch as earlier units have left it: they numbered whole blocks."""
    its = sa.and_(LEAVES.c.program_id == program_id, LEAVES.c.epoch == epoch)
    numbers = connection.execute(
        sa.select(
            LEAVES.c.surprise_key,
            sa.func.min(LEAVES.c.number),
            sa.func.max(LEAVES.c.number),
            sa.func.count(),
        )
        .where(its)
        .group_by(LEAVES.c.surprise_key)
        # In the order of the leaves.
        .order_by(sa.func.min(LEAVES.c.place))
    ).all()
    nodes = connection.execute(
        sa.select(BLOCKS.c.hash)
        .where(BLOCKS.c.program_id == program_id, BLOCKS.c.epoch == epoch)
        .order_by(BLOCKS.c.place)
    ).scalars()
    day = _Day(program_id, epoch)
    day.take_up(
        {rule: (first - 1, last) for rule, first, last, _ in numbers},
        [bytes(one) for one in nodes],
        count=sum(one[-1] for one in numbers),
    )
    return day


def _seed(connection: sa.Connection, epoch: Any) -> bytes | None:
    chain = keeping.find(connection, bytes(epoch.program_id), epoch.chain)
    assert chain is not None
    try:
        return chain.seed_at(epoch.place)
    except keeping.SeedLostError as error:
        # What was drawn stands, and nobody can check it: that is said, and no epoch waits for it.
        # It is revealed as soon as a key opens the chain again (`revealing`).
        _log.error("an epoch is closed without its seed", extra={"detail": str(error)})
        return None


def _portions(
    connection: sa.Connection, program_id: bytes, epoch: int, *, begun: int
) -> Iterator[tuple[sa.Row[Any], ...]]:
    """The next receipts of an epoch: rules by code points, then as they were recorded."""
    key: sa.ColumnElement[Any] = DRAWS.c.surprise_key
    if connection.dialect.name == "postgresql":
        key = sa.collate(key, "C")
    statement = (
        sa.select(DRAWS.c.id, DRAWS.c.surprise_key, DRAWS.c.body_hash)
        .where(DRAWS.c.program_id == program_id, DRAWS.c.epoch == epoch)
        .order_by(key, DRAWS.c.recorded_at, DRAWS.c.id)
        .offset(begun)
        .limit(UNIT)
    )
    rows = iter(connection.execute(statement, execution_options={"yield_per": _PORTION}))
    while portion := tuple(itertools.islice(rows, _PORTION)):
        yield portion


def _last_number(connection: sa.Connection, program_id: bytes, rule: str) -> int:
    statement = sa.select(sa.func.max(EPOCH_RULES.c.last_number)).where(
        EPOCH_RULES.c.program_id == program_id, EPOCH_RULES.c.surprise_key == rule
    )
    return connection.execute(statement).scalar() or 0


@dataclass(slots=True)
class _Day:
    """What becomes of an epoch while its receipts pass by."""

    program_id: bytes
    epoch: int
    #: By rule: the last number before, and the last one given.
    rules: dict[str, tuple[int, int]] = field(default_factory=dict)
    count: int = 0
    _block: merkle.Tree = field(default_factory=merkle.Tree)
    _nodes: list[bytes] = field(default_factory=list)
    #: How many of the nodes are written.
    _written: int = 0

    def take_up(self, rules: dict[str, tuple[int, int]], nodes: list[bytes], *, count: int) -> None:
        """Go on where earlier units ended, with these numbers and nodes."""
        self.rules, self._nodes, self.count = rules, nodes, count
        self._written = len(nodes)

    def begin(self, rule: str, last: int) -> None:
        """A rule's receipts come next."""
        self.rules[rule] = last, last

    def add(self, row: Any) -> dict[str, Any]:
        """Number a receipt; the row of its leaf."""
        rule = row.surprise_key
        before, last = self.rules[rule]
        self.rules[rule] = before, last + 1
        leaf = receipts.leaf(rule, last + 1, bytes(row.body_hash))
        place, self.count = self.count, self.count + 1
        self._block.add(leaf)
        if self._block.count == merkle.BLOCK:
            self._nodes.append(self._block.root())
            self._block = merkle.Tree()
        return {
            "program_id": self.program_id,
            "epoch": self.epoch,
            "place": place,
            "draw_id": bytes(row.id),
            "surprise_key": rule,
            "number": last + 1,
            "leaf": leaf,
        }

    def _blocks(self) -> list[bytes]:
        """The nodes over whole blocks, and over what is left."""
        return [*self._nodes, *([self._block.root()] if self._block.count else [])]

    def root(self) -> bytes:
        """The root over all leaves: blocks are of one size, so it is that over their nodes."""
        return merkle.root(self._blocks())

    def blocks(self) -> Iterator[dict[str, Any]]:
        """The rows of the nodes that are not written."""
        for place, node in enumerate(self._blocks()[self._written :], start=self._written):
            yield {
                "program_id": self.program_id,
                "epoch": self.epoch,
                "place": place,
                "hash": node,
            }

    def ranges(self) -> Iterator[dict[str, Any]]:
        """The numbers of each rule."""
        for rule, (before, last) in self.rules.items():
            yield {
                "program_id": self.program_id,
                "epoch": self.epoch,
                "surprise_key": rule,
                "first_number": before + 1,
                "last_number": last,
            }
