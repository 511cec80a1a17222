"""The clock of a test program: it stands still between moves and goes forward only.

A move first notes where to, then goes from one due instant to the next and settles everything
that falls due there before it goes on. Killed half way, the next request for the clock goes on.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db
from core.errors import FieldError, Problem, invalid, invalid_at
from loyalty.models import Entry
from members.models import Member
from orders.models import Order
from programs import versions
from programs.models import Program
from rewards.luck import epochs
from storefront import due
from storefront.tiers import assessing

#: How far one move goes at most.
_MOST = clock.Duration(months=1200)
_UTC = ZoneInfo("UTC")
#: No instant from here on can be told, so no program lives to see it.
_END = clock.parse_instant("3000-01-01T00:00:00Z")


def show(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    """The program's clock, and whether it was ever set."""
    row = _row(connection, program_id)
    return _shown(versions.program_now(row.clock_at), is_set=row.clock_at is not None)


def _shown(now: int, *, is_set: bool) -> dict[str, Any]:
    return {"now": clock.format_instant(now), "is_set": is_set}


def _row(connection: sa.Connection, program_id: bytes, *, is_locking: bool = False) -> Any:
    statement = sa.select(
        Program.clock_at,
        Program.clock_target,
        Program.mode,
        Program.live_version,
        Program.switches,
    ).where(Program.program_id == program_id)
    if is_locking:
        statement = statement.with_for_update(key_share=True)
    row = connection.execute(statement).one()
    if row.mode != "test":
        raise Problem(
            403, "forbidden", "A live program runs by real time; make a test program to move time."
        )
    return row


def aim(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """Note where the clock is to go; the answer that the finished move will have."""
    if len(body) != 1:
        raise invalid([FieldError("", "invalid", "needs exactly one of now and advance")])
    row = _row(connection, program_id, is_locking=True)
    start = versions.program_now(row.clock_at)
    if row.clock_target is not None and row.clock_at is not None:
        start = clock.Instant(max(row.clock_target, row.clock_at))
    if "advance" in body:
        live = versions.get_compiled(connection, program_id, row.live_version, row.switches)
        target = int(clock.after(start, clock.parse_duration(body["advance"]), live.zone))
    else:
        target = body["now"]
        newest = start if row.clock_at is not None else _newest(connection, program_id)
        if target < newest:
            raise invalid_at(
                "/now",
                f"the clock goes forward only: it is at {clock.format_instant(newest)}"
                if row.clock_at is not None
                else f"the newest record is of {clock.format_instant(newest)}",
            )
    _check_span(start, target, at=f"/{next(iter(body))}")
    if target >= _END:
        raise invalid_at(f"/{next(iter(body))}", "the clock ends with the year 2999")
    connection.execute(
        sa.update(Program).where(Program.program_id == program_id).values(clock_target=target)
    )
    return _shown(target, is_set=True), 200


def _check_span(start: int, target: int, *, at: str) -> None:
    """422 for a move of more than a hundred years: everything due on the way would be run."""
    furthest = clock.after(start, _MOST, _UTC)
    if target > furthest:
        raise invalid_at(
            at,
            f"moves on by more than {_MOST.months // 12} years at once; the clock is at "
            f"{clock.format_instant(start)}",
        )


def _newest(connection: sa.Connection, program_id: bytes) -> int:
    """The instant of the program's newest record."""
    dates = [
        connection.execute(
            sa.select(sa.func.max(column)).where(column.table.c.program_id == program_id)
        ).scalar()
        for column in (
            Entry.__table__.c.recorded_at,
            Order.__table__.c.updated_at,
            Member.__table__.c.created_at,
        )
    ]
    return max((one for one in dates if one is not None), default=-(2**62))


def run(program_id: bytes) -> None:
    """Move the clock to where it was aimed at, through everything that falls due on the way."""
    assessing.perform_waiting(program_id)
    while True:
        if db.in_transaction(lambda connection: _step(connection, program_id)):
            return
        due.settle_all(program_id)


def _step(connection: sa.Connection, program_id: bytes) -> bool:
    """Go to the next due instant, or to the end; whether the move is done."""
    row = _row(connection, program_id, is_locking=True)
    if row.clock_target is None:
        return True
    following = due.next_due(connection, program_id)
    is_last = following is None or following > row.clock_target
    at = row.clock_target if following is None else min(following, row.clock_target)
    if row.clock_at is not None:
        at = max(at, row.clock_at)
    elif not is_last:
        # What was due before the clock was first set is settled at the newest record.
        at = max(at, min(_newest(connection, program_id), row.clock_target))
    if row.clock_at is None:
        epochs.set_back(connection, program_id, at)
    connection.execute(
        sa.update(Program)
        .where(Program.program_id == program_id)
        .values(clock_at=at, clock_target=None if is_last else row.clock_target)
    )
    return is_last
