"""Looks: who belongs to which segment now, for all members of a program, and who entered or left.

A program with segments is looked at once a local day, and after a publication or a switch. A look
goes through the members in portions, each a unit of its own that writes what has changed, tells of
it and notes how far it has come: cut off anywhere, it goes on from there and tells nothing twice.
What a changed definition makes of a segment is told to nobody; later changes are.
"""

import threading
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, outbox
from core.writing import Writes
from members.members import MEMBERS
from programs import triggers, versions
from programs.compiled import Compiled
from programs.models import Program
from programs.segments import Segment
from segments import belonging, ranking
from segments.compiling import compile_condition
from segments.facts import SPEND_RANK
from segments.models import BELONGING, LOOKS, STATES
from storefront.segmenting import relation
from storefront.segmenting.relation import Range
from storefront.telling import YEAR

#: Members looked at in one unit.
PORTION = 1000

#: Editions of programs without segments: they are not compiled again and again to see that.
_idle: dict[bytes, tuple[int, int]] = {}
_lock = threading.Lock()
Edition = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Look:
    """A look under way."""

    live: Compiled
    at: int
    cursor: bytes
    #: The segments whose changes are told.
    told: frozenset[str]


def look(program_id: bytes) -> int:
    """Look at some more members of a program, if it is to be looked at; 0 when there is nothing
    left to do."""
    return db.in_transaction(lambda connection: _unit(connection, program_id))


def next_due(connection: sa.Connection, live: Compiled, now: int) -> int | None:
    """When the program is to be looked at next; None when it never is."""
    row = _row(connection, live.program_id)
    if row is None:
        return now if _is_looked_at(live) else None
    return _due_at(row, (row.version, row.switches) != live.edition, now)


def _due_at(row: Any, is_by_another: bool, now: int) -> int | None:
    """When to look next: at once where the document is another one, where a look is under way, or
    where a test clock was set to a time before the last one."""
    if is_by_another or row.cursor is not None or row.at > now:
        return now
    due_at: int | None = row.due_at
    return due_at


def _is_looked_at(live: Compiled) -> bool:
    return bool(live.segments) or SPEND_RANK in live.asked


def programs_due() -> list[tuple[bytes, int]]:
    """Programs that are to be looked at by their own clocks, and for how long they have been."""
    statement = sa.select(
        Program.program_id, Program.live_version, Program.switches, Program.clock_at, LOOKS
    ).outerjoin(LOOKS, LOOKS.c.program_id == Program.program_id)
    now = clock.system_now()

    def read(connection: sa.Connection) -> list[tuple[bytes, int]]:
        found = []
        for row in connection.execute(statement).all():
            program_id, edition = bytes(row[0]), (row[1], row[2])
            at = now if row.clock_at is None else row.clock_at
            if row[4] is not None:
                due_at = _due_at(row, (row.version, row[6]) != edition, at)
                if due_at is not None and due_at <= at:
                    found.append((program_id, at - due_at))
            elif _idle.get(program_id) != edition:
                if _is_looked_at(versions.get_compiled(connection, program_id, *edition)):
                    found.append((program_id, 0))
                else:
                    _note_idle(program_id, edition)
        return found

    return db.reading(read)


def _note_idle(program_id: bytes, edition: Edition) -> None:
    with _lock:
        _idle[program_id] = edition


def _row(connection: sa.Connection, program_id: bytes, *, is_locking: bool = False) -> Any:
    statement = sa.select(LOOKS).where(LOOKS.c.program_id == program_id)
    return connection.execute(statement.with_for_update() if is_locking else statement).first()


def _unit(connection: sa.Connection, program_id: bytes) -> int:
    live, now = versions.get_live(connection, program_id)
    row = _row(connection, program_id, is_locking=True)
    if row is None and not _is_looked_at(live):
        return 0
    if connection.dialect.name == "postgresql":
        # Sets of members are read here, not rows by their keys.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    is_new = row is None or (row.version, row.switches) != live.edition or row.at > now
    if is_new or (row.cursor is None and row.due_at is not None and row.due_at <= now):
        _begin(connection, live, now, row)
        row = _row(connection, program_id)
    elif row.cursor is None:
        return 0
    if row.cursor is not None:
        states = belonging.states(connection, program_id)
        told = frozenset(
            one.key for one in live.segments if one.is_live and not states[one.key].is_silent
        )
        _go_on(connection, _Look(live, row.at, bytes(row.cursor), told))
    return 1


def _begin(connection: sa.Connection, live: Compiled, now: clock.Instant, row: Any) -> None:
    """Begin a look as of now: rank the members, and see which segments mean something new."""
    program_id, zone = live.program_id, live.zone
    ranked_at = None if row is None else row.ranked_at
    asked = live.asked.union(*(one.when.facts for one in live.segments if one.is_live))
    if SPEND_RANK in asked:
        today = clock.local_date(now, zone)
        if ranked_at is None or clock.local_date(ranked_at, zone) != today:
            year_from = clock.before(now, YEAR, zone)
            ranking.rank_all(connection, program_id, at=now, year_from=year_from)
            ranked_at = now
    states = belonging.states(connection, program_id)
    gone = states.keys() - {one.key for one in live.segments}
    if gone:
        connection.execute(
            sa.delete(STATES).where(STATES.c.program_id == program_id, STATES.c.segment.in_(gone))
        )
    writes = Writes()
    for segment in live.segments:
        known = states.get(segment.key)
        if known is None or known.digest != segment.digest:
            writes.replace(STATES, _state(program_id, segment))
    values = {
        "program_id": program_id,
        "version": live.version,
        "switches": live.switches,
        "at": now,
        # Whoever is in a segment that is gone is still to be taken out of it.
        "cursor": b"" if live.segments or states else None,
        "due_at": _next_midnight(now, live) if _is_looked_at(live) else None,
        "ranked_at": ranked_at,
    }
    writes.replace(LOOKS, values)
    writes.run(connection)


def _next_midnight(at: int, live: Compiled) -> int:
    return clock.end_of_day(clock.local_date(at, live.zone), live.zone)


def _state(program_id: bytes, segment: Segment) -> dict[str, Any]:
    """A segment that is to be looked at for the first time, by this definition."""
    return {
        "program_id": program_id,
        "segment": segment.key,
        "digest": segment.digest,
        "is_silent": True,
        "members_count": None,
        "counted_at": None,
    }


def _go_on(connection: sa.Connection, one: _Look) -> None:
    """Look at a portion of the members, and end the look with the last of them."""
    program_id = one.live.program_id
    ids = [
        bytes(row[0])
        for row in connection.execute(
            sa.select(MEMBERS.c.id)
            .where(MEMBERS.c.program_id == program_id, MEMBERS.c.id > one.cursor)
            .order_by(MEMBERS.c.id)
            .limit(PORTION)
        )
    ]
    if ids:
        _look_at(connection, one, Range(one.cursor, ids[-1]))
    is_last = len(ids) < PORTION
    if is_last:
        _end(connection, one)
    connection.execute(
        sa.update(LOOKS)
        .where(LOOKS.c.program_id == program_id)
        .values(cursor=None if is_last else ids[-1])
    )


def _look_at(connection: sa.Connection, one: _Look, within: Range) -> None:
    """Bring these members' rows to what is so now, and tell of it."""
    entered, left = _changes(connection, one, within)
    program_id = one.live.program_id
    refs = _lock_living(connection, program_id, {member_id for _, member_id in entered})
    gone = _refs(connection, program_id, {member_id for _, member_id in left})
    writes = Writes()
    for segment, member_id in entered:
        if member_id in refs:
            row = {"segment": segment, "member_id": member_id, "since": one.at}
            writes.insert(BELONGING, {"program_id": program_id} | row)
            _tell(writes, one, "segment.entered", segment, (member_id, refs[member_id]))
    for segment, member_id in left:
        _tell(writes, one, "segment.left", segment, (member_id, gone.get(member_id)))
    for segment in {segment for segment, _ in left}:
        connection.execute(
            sa.delete(BELONGING).where(
                BELONGING.c.program_id == program_id,
                BELONGING.c.segment == segment,
                BELONGING.c.member_id.in_([who for key, who in left if key == segment]),
            )
        )
    writes.run(connection)


def _tell(
    writes: Writes, one: _Look, type_: str, segment: str, member: tuple[bytes, str | None]
) -> None:
    member_id, ref = member
    if segment not in one.told or ref is None:
        return
    outbox.add(
        writes,
        one.live.program_id,
        type=type_,
        payload={"segment": segment, "member_ref": ref, "at": clock.format_instant(one.at)},
        now=clock.Instant(one.at),
        member_id=member_id,
    )


Pairs = list[tuple[str, bytes]]


def _changes(connection: sa.Connection, one: _Look, within: Range) -> tuple[Pairs, Pairs]:
    """Who entered which segment, and who left which."""
    is_in = belonging_now(connection, one.live, at=one.at, within=within)
    was_in = (
        sa.select(BELONGING.c.segment.label("segment"), BELONGING.c.member_id.label("member_id"))
        .where(
            BELONGING.c.program_id == one.live.program_id,
            within.holds(BELONGING.c.member_id),
        )
        .cte("was_in")
    )
    if is_in is None:
        rows = connection.execute(sa.select(was_in.c.segment, was_in.c.member_id))
        return [], [(segment, bytes(member_id)) for segment, member_id in rows]
    now_in = is_in.cte("now_in")
    parts = []
    for what, first, second in ((1, now_in, was_in), (0, was_in, now_in)):
        apart = sa.except_(
            sa.select(first.c.segment, first.c.member_id),
            sa.select(second.c.segment, second.c.member_id),
        ).subquery()
        parts.append(sa.select(sa.literal_column(str(what)), apart.c.segment, apart.c.member_id))
    entered: Pairs = []
    left: Pairs = []
    for is_entering, segment, member_id in connection.execute(sa.union_all(*parts)):
        (entered if is_entering else left).append((segment, bytes(member_id)))
    return sorted(entered), sorted(left)


def belonging_now(connection: sa.Connection, live: Compiled, *, at: int, within: Range) -> Any:
    """The statement of who of a range belongs to which segment as of `at`: segment and member_id;
    None where no segment has anybody."""
    segments = [segment for segment in live.segments if segment.is_live]
    if not segments:
        return None
    catalogue = triggers.segment_facts()
    asked = frozenset[str]().union(*(segment.when.facts for segment in segments))
    found = relation.build(connection, live, at=at, within=within, asked=asked)
    return sa.union_all(
        *(
            sa.select(
                sa.cast(sa.literal(segment.key), sa.Text).label("segment"),
                found.member_id.label("member_id"),
            ).where(compile_condition(segment.definition, found.columns, catalogue=catalogue))
            for segment in segments
        )
    )


def _lock_living(
    connection: sa.Connection, program_id: bytes, member_ids: set[bytes]
) -> dict[bytes, str]:
    """The references of those who are still there, and stay until this unit ends: whoever erases
    or merges them waits."""
    return _found(
        connection,
        sa.select(MEMBERS.c.id, MEMBERS.c.member_ref)
        .where(
            MEMBERS.c.program_id == program_id,
            MEMBERS.c.id.in_(member_ids),
            MEMBERS.c.erased_at.is_(None),
            MEMBERS.c.merged_into_id.is_(None),
        )
        .order_by(MEMBERS.c.id)
        .with_for_update(read=True),
    )


def _refs(connection: sa.Connection, program_id: bytes, member_ids: set[bytes]) -> dict[bytes, str]:
    return _found(
        connection,
        sa.select(MEMBERS.c.id, MEMBERS.c.member_ref).where(
            MEMBERS.c.program_id == program_id,
            MEMBERS.c.id.in_(member_ids),
            MEMBERS.c.erased_at.is_(None),
            MEMBERS.c.merged_into_id.is_(None),
        ),
    )


def _found(connection: sa.Connection, statement: sa.Select[Any]) -> dict[bytes, str]:
    return {bytes(member_id): ref for member_id, ref in connection.execute(statement)}


def _end(connection: sa.Connection, one: _Look) -> None:
    """Count, and say that from now on changes are told."""
    counts = belonging.counts(connection, one.live.program_id)
    writes = Writes()
    for segment in one.live.segments:
        count = counts.get(segment.key, 0)
        ended = {"is_silent": False, "members_count": count, "counted_at": one.at}
        writes.replace(STATES, _state(one.live.program_id, segment) | ended)
    writes.run(connection)
