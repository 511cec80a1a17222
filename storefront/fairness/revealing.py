"""Revealing seeds late: of epochs that were closed while no key opened their chain.

What was promised is still promised: their numbers and roots stand, and the seed that comes later
must lead to the anchor like any other. Refuses to wait for it: the epochs behind are closed
meanwhile, and other draws go on in a chain of their own.
"""

import logging
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids
from rewards.luck import keeping
from rewards.luck.models import EPOCHS

_log = logging.getLogger("dangol.luck")
_C = EPOCHS.c
_IS_LOST = sa.and_(_C.closed_at.is_not(None), _C.seed.is_(None))


def reveal_some(_now: clock.Instant) -> int:
    """A duty of the worker: reveal what a key opens again; how many epochs."""

    def work(connection: sa.Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
        lost = connection.execute(
            sa.select(_C.program_id, _C.number, _C.chain, _C.place)
            .where(_IS_LOST)
            .order_by(_C.program_id, _C.number)
        ).all()
        return sum(_reveal(connection, epoch) for epoch in lost)

    return db.in_transaction(work)


def _reveal(connection: sa.Connection, epoch: Any) -> bool:
    program_id = bytes(epoch.program_id)
    chain = keeping.find(connection, program_id, epoch.chain)
    assert chain is not None
    try:
        seed = chain.seed_at(epoch.place)
    except keeping.SeedLostError:
        return False
    its = (_C.program_id == program_id, _C.number == epoch.number)
    connection.execute(sa.update(EPOCHS).where(*its, _IS_LOST).values(seed=seed))
    shown = {"program": ids.show_id("prg", program_id), "epoch": epoch.number}
    _log.info("the seed of a closed epoch is revealed after all", extra=shown)
    return True
