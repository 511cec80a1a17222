"""Everybody's tier under a ladder that has changed: a job that follows its publication.

One statement finds the members whom the ladder moves; only those are locked, decided by
`storefront.tiers.places` and written, a portion at a time. What was written is not found again, so
a job that was killed half way goes on where it was. Members who are being served at this moment
are passed over and come last. Refuses to decide by what it found: that is decided anew under the
lock.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from core import clock, db, jobs
from loyalty.tiers import keeping, moving, sums
from loyalty.tiers.standing import place_of
from members.members import MEMBERS
from programs import versions
from programs.versions import LADDER_JOB
from storefront import due, finishing
from storefront.plan import Plan, begin
from storefront.tiers import places, tier_entries

#: Members decided in one unit of work.
PORTION = 200
#: So many times as long as a portion took, checkout has the database to itself.
_REST = 1
#: Whoever was passed over so often is waited for.
_PASSES = 3
_ID_BYTES = 16
_RENEWED_EVERY_SECONDS = 60

Ids = bytearray


def perform(job: jobs.Job) -> None:
    """Do the job: look at everybody under the ladder that is live by now."""
    renewed_at = time.monotonic()

    def go_on() -> bool:
        nonlocal renewed_at
        if time.monotonic() - renewed_at < _RENEWED_EVERY_SECONDS:
            return True
        renewed_at = time.monotonic()
        now = clock.system_now()
        return db.in_transaction(lambda connection: jobs.renew(connection, job, now=now))

    reassess(job.program_id, go_on=go_on, rest=_REST)


def perform_waiting(program_id: bytes) -> None:
    """Do a program's waiting jobs of this kind at once: its clock is about to be moved."""
    row = jobs.JobRow
    waiting = (
        row.program_id == program_id,
        row.kind == LADDER_JOB,
        row.done_at.is_(None),
        row.dead_at.is_(None),
    )
    found = db.reading(lambda connection: connection.execute(sa.select(row.id).where(*waiting)))
    job_ids = [job_id for (job_id,) in found.all()]
    if not job_ids:
        return
    reassess(program_id)
    done = sa.update(row).where(*waiting, row.id.in_(job_ids)).values(done_at=clock.system_now())
    db.in_transaction(lambda connection: connection.execute(done))


def reassess(
    program_id: bytes, *, go_on: Callable[[], bool] = lambda: True, rest: float = 0
) -> int:
    """Bring everybody to where the live ladder puts them; how many were looked at one by one.

    Stops half way when it may not go on. It rests for so many times as long as each portion took.
    """
    waiting = find(program_id)
    looked_at = 0
    for number in range(_PASSES + 1):
        passed_over = Ids()
        for portion in _portions(waiting):
            started = time.monotonic()
            locked = _decide(program_id, portion, is_patient=number == _PASSES)
            looked_at += len(locked)
            for member_id in portion:
                if member_id not in locked:
                    passed_over += member_id
            if not go_on():
                return looked_at
            time.sleep(rest * (time.monotonic() - started))
        if not passed_over:
            break
        # Whoever was served meanwhile may have been moved by that.
        waiting = find(program_id, list(_ids(passed_over)))
    return looked_at


def find(program_id: bytes, member_ids: Sequence[bytes] | None = None) -> Ids:
    """Members whom the live ladder moves, of all or of some: their ids, one behind the other, so
    that a million of them are 16 megabytes."""

    def read(connection: sa.Connection) -> Ids:
        found = Ids()
        if member_ids is None:
            sums.widen(connection, timeout_ms=0)
        _find(connection, program_id, found, member_ids)
        return found

    return db.reading(read)


def _find(
    connection: sa.Connection, program_id: bytes, found: Ids, member_ids: Sequence[bytes] | None
) -> None:
    live, now = versions.get_live(connection, program_id)
    scope = sums.Scope(live.ladder, live.zone, now)
    values = {"program_id": program_id, **sums.keys(live.ladder, prefix="k")}
    if member_ids is not None:
        values["ids"] = list(member_ids)
    some = None if member_ids is None else connection.dialect.name
    statement = sums.moved(scope, some=some)
    options = {"yield_per": 5000}
    for (member_id,) in connection.execute(statement, values, execution_options=options):
        found += bytes(member_id)


def _ids(packed: Ids) -> Iterator[bytes]:
    for at in range(0, len(packed), _ID_BYTES):
        yield bytes(packed[at : at + _ID_BYTES])


def _portions(packed: Ids) -> Iterator[list[bytes]]:
    found = _ids(packed)
    while portion := list(itertools.islice(found, PORTION)):
        yield portion


def _decide(program_id: bytes, member_ids: Sequence[bytes], *, is_patient: bool) -> set[bytes]:
    """Decide a portion; whom it had not to pass over, or who is gone."""

    def work(connection: sa.Connection) -> set[bytes]:
        live, now = versions.get_live(connection, program_id)
        locked, gone = _lock(connection, program_id, member_ids, is_patient=is_patient)
        if locked:
            plan = begin(connection, live, now=now)
            due.load(connection, plan, locked)
            for member_id in locked:
                plan.settle(member_id)
            _begin_terms(connection, plan, locked)
            places.reassess(connection, plan, locked)
            tier_entries.follow(connection, plan)
            finishing.write(connection, plan)
        return {*locked, *gone}

    return db.in_transaction(work)


def _lock(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes], *, is_patient: bool
) -> tuple[list[bytes], list[bytes]]:
    """Lock those whom nobody else has locked just now, or with patience all; and who is gone."""
    statement = (
        sa.select(MEMBERS.c.id, MEMBERS.c.erased_at, MEMBERS.c.merged_into_id)
        .where(MEMBERS.c.program_id == program_id, MEMBERS.c.id.in_(member_ids))
        .order_by(MEMBERS.c.id)
        .with_for_update(key_share=True, skip_locked=not is_patient)
    )
    locked: list[bytes] = []
    gone: list[bytes] = []
    for member_id, erased_at, merged_into_id in connection.execute(statement):
        is_gone = erased_at is not None or merged_into_id is not None
        (gone if is_gone else locked).append(bytes(member_id))
    return locked, gone


def _begin_terms(connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes]) -> None:
    """Where the ladder has terms that it had not before, let those of members begin now: nobody
    loses by a rule that was not there."""
    ladder, zone = plan.live.ladder, plan.live.zone
    if not ladder.has_term:
        return
    rows = keeping.read_rows(connection, plan.program_id, member_ids)
    for member_id, row in rows.items():
        spot = plan.levels.get(member_id) or place_of(ladder, row)
        if spot.derived.level is not None and spot.derived.until is None:
            until = moving.term_end(ladder, plan.now, zone)
            spot = spot.with_derived(replace(spot.derived, until=until))
            plan.levels[member_id] = spot
            keeping.keep(plan.writes, plan.program_id, member_id, spot)
