"""Does one piece of work over the tiers of a whole program, in a process of its own: reassessing
everybody after a ladder was published, looking at some members, settling who is due, or previewing
a ladder. Prints seconds, what was found and the most memory that the process ever held, as JSON.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import clock, db, jobs
from loyalty.tiers.models import TIERS
from programs import drafts, versions
from programs.models import Program
from server.app import create_app
from server.worker import HANDLERS
from storefront import due, impact
from storefront.tiers import assessing


def _program_id() -> bytes:
    statement = sa.select(Program.program_id)
    return bytes(db.reading(lambda connection: connection.execute(statement).scalar_one()))


def _draft(program_id: bytes, gold: int) -> None:
    """Write a draft whose highest level is entered at another threshold."""

    def change(document: dict[str, Any]) -> dict[str, Any]:
        document["tiers"]["levels"][-1]["enter_at"] = gold
        return document

    db.in_transaction(
        lambda connection: drafts.write(connection, program_id, change, if_match=None, actor=None)
    )


def _publish(program_id: bytes, gold: int) -> None:
    _draft(program_id, gold)
    db.in_transaction(
        lambda connection: versions.publish(connection, program_id, note=None, actor=None)
    )


def _some(program_id: bytes, limit: int) -> list[bytes]:
    statement = sa.select(TIERS.c.member_id).where(TIERS.c.program_id == program_id).limit(limit)
    rows = db.reading(lambda connection: connection.execute(statement).all())
    return [bytes(row[0]) for row in rows]


def _prepared(what: str, program_id: bytes, number: int) -> Callable[[], int]:
    """The work to be measured, with everything before it done."""
    if what == "full":
        _publish(program_id, number)
        return lambda: jobs.perform_due(HANDLERS, clock.system_now())
    if what == "some":
        some = _some(program_id, number)
        return lambda: len(assessing.find(program_id, some)) // 16
    if what == "due":
        return lambda: due.settle_all(program_id)
    _draft(program_id, number)
    return lambda: len(
        db.reading(lambda connection: impact.preview(connection, program_id, orders=0))
    )


def main(what: str, number: int) -> None:
    """Measure one piece of work."""
    with create_app().app_context():
        work = _prepared(what, _program_id(), number)
        started = time.monotonic()
        found = work()
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "found": found, "peak_bytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
