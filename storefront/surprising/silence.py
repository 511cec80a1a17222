"""Silences: members who have not ordered for long, found by the worker when it falls due.

A silence begins with a member's last order that stands, and is one happening however many
surprises it brings, each after its own time and once. What fell due before the surprise was
published (or given another length) brings nothing: nobody publishes a gift to all who were ever
lost. A silence that ended, or began otherwise, before it was looked at brings nothing either: what
fell due by then is over, whichever order turns out to be the last, and one that began before a
surprise was brought is no further silence to it. An order that is told late takes nothing back; one
that is moved begins the silence of who has it by then. Refuses to draw: what falls due is a chance
like any other.
"""

import hashlib
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, jsontext
from core.writing import Writes
from members import members
from members.members import MEMBERS
from orders.models import Order
from programs import triggers, versions
from programs.compiled import Compiled
from programs.models import Program, ProgramVersion
from programs.surprises import Surprise
from rewards.surprises import silences
from rewards.surprises.carried import DRAWS, Chance
from rewards.surprises.silences import LOOKS, SILENCES
from storefront.membership import member_facts
from storefront.plan import Plan

#: Members whose rows are made in one unit, when a program begins to listen.
PORTION = 2000
_EVER = -(2**62)
_REMEMBERED = 1024
_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_FIRST = bytes(16)

#: Since when a version's surprises, which never change, have been what they are.
_since: dict[tuple[bytes, int], dict[str, int]] = {}
#: Editions of programs in which nobody's row is missing.
_complete: dict[bytes, tuple[int, int]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Last:
    """The last order that stands of a member."""

    order_ref: str
    id: bytes
    at: int


def note_order(plan: Plan, member_id: bytes, *, at: int | None) -> None:
    """An order of a member stands since then (None: no longer): their silence is another one."""
    listening = plan.live.surprises.of(triggers.SILENCE)
    if listening:
        due_at: int = plan.now
        if at is not None:
            due_at = min(_due_at(one, at, plan.live) for one in listening)
        known = plan.surprises.silent.get(member_id)
        plan.surprises.silent[member_id] = due_at if known is None else min(known, due_at)


def note_move(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """An order was moved to a member, who is locked: their silence begins now, so of the order's
    nothing is due that would have been by now."""
    if not plan.live.surprises.of(triggers.SILENCE):
        return
    row = connection.execute(
        sa.select(SILENCES).where(
            SILENCES.c.program_id == plan.program_id, SILENCES.c.member_id == member_id
        )
    ).first()
    if row is not None and row.due_at is not None and row.due_at <= plan.now:
        # By what was theirs before.
        settle(connection, plan, [member_id])
        return
    plan.writes.replace(
        SILENCES,
        {
            "program_id": plan.program_id,
            "member_id": member_id,
            "due_at": None if row is None else row.due_at,
            "order_id": None if row is None else row.order_id,
            "settled_at": plan.now,
        },
    )


def settle(connection: sa.Connection, plan: Plan, member_ids: Collection[bytes]) -> None:
    """What the silence of these members brings by now; they are locked, their accounts loaded and
    settled."""
    live, now = plan.live, plan.now
    if not live.surprises.of(triggers.SILENCE) or not member_ids:
        return
    due = connection.execute(
        sa.select(SILENCES)
        .where(
            SILENCES.c.program_id == plan.program_id,
            SILENCES.c.member_id.in_(member_ids),
            SILENCES.c.due_at <= now,
        )
        .order_by(SILENCES.c.member_id)
    ).all()
    if not due:
        return
    lasts = _last_orders(connection, plan.program_id, [bytes(row.member_id) for row in due])
    fallen: list[tuple[bytes, _Last, int, list[str]]] = []
    for row in due:
        member_id = bytes(row.member_id)
        last = lasts.get(member_id)
        following: list[int] = []
        if last is not None:
            over = _EVER if row.settled_at is None else row.settled_at
            by_instant = _instants(connection, live, last.at, now=now)
            fallen += [
                (member_id, last, at, by_instant[at])
                for at in sorted(by_instant)
                if over < at <= now
            ]
            following = [at for at in by_instant if at > now]
        plan.writes.replace(
            SILENCES,
            {
                "program_id": plan.program_id,
                "member_id": member_id,
                "due_at": min(following, default=None),
                "order_id": None if last is None else last.id,
                "settled_at": now,
            },
        )
    _bring(connection, plan, fallen)


def _bring(
    connection: sa.Connection, plan: Plan, fallen: list[tuple[bytes, _Last, int, list[str]]]
) -> None:
    if not fallen:
        return
    known = members.lock_ids(connection, plan.program_id, sorted({one[0] for one in fallen}))
    had = _had(connection, plan, fallen)
    told = [
        (member_id, last, at, further)
        for member_id, last, at, keys in fallen
        if known[member_id].is_enrolled
        and (further := [key for key in keys if had.is_further(member_id, last, key)])
    ]
    if not told:
        return
    facts = member_facts.before(connection, plan, [(known[one[0]], one[2]) for one in told])
    for (member_id, last, at, keys), of_member in zip(told, facts, strict=True):
        plan.surprises.chances.append(
            Chance(
                member_id,
                triggers.SILENCE,
                triggers.SILENCE,
                last.order_ref,
                _source_id(last.id),
                f"{triggers.SILENCE}:{last.order_ref}",
                at,
                of_member,
                {},
                # A longer silence is the same one: what has a receipt is not drawn again.
                is_new=False,
                keys=frozenset(keys),
            )
        )


@dataclass(frozen=True, slots=True)
class _Had:
    """What silences brought before: when each surprise was last brought to a member, and which
    were brought to anybody since an order."""

    last_at: Mapping[tuple[bytes, str], int]
    since: Collection[tuple[bytes, str]]

    def is_further(self, member_id: bytes, last: _Last, key: str) -> bool:
        """Whether a silence is another one than that which brought a surprise before."""
        if (_source_id(last.id), key) in self.since:
            return False
        return last.at >= self.last_at.get((member_id, key), last.at)


def _had(
    connection: sa.Connection, plan: Plan, fallen: list[tuple[bytes, _Last, int, list[str]]]
) -> _Had:
    mine = DRAWS.c
    of_members = connection.execute(
        sa.select(mine.member_id, mine.surprise_key, sa.func.max(mine.drawn_at))
        .where(
            mine.program_id == plan.program_id,
            mine.member_id.in_({one[0] for one in fallen}),
            mine.surprise_key.in_({key for one in fallen for key in one[3]}),
            mine.trigger == triggers.SILENCE,
        )
        .group_by(mine.member_id, mine.surprise_key)
    )
    of_orders = sa.select(mine.source_id, mine.surprise_key).where(
        mine.program_id == plan.program_id,
        mine.source_id.in_({_source_id(one[1].id) for one in fallen}),
    )
    return _Had(
        {(bytes(member_id), key): at for member_id, key, at in of_members},
        {(bytes(source_id), key) for source_id, key in connection.execute(of_orders)},
    )


def _source_id(order_id: bytes) -> bytes:
    """The silence since an order: what it brings is nothing that the order brought."""
    return hashlib.sha256(b"silence:" + order_id).digest()[:16]


def _instants(
    connection: sa.Connection, live: Compiled, last_at: int, *, now: int
) -> dict[int, list[str]]:
    """When the silence since an order brings which surprises."""
    since = _listened_since(connection, live, now=now)
    found: dict[int, list[str]] = {}
    for one in live.surprises.of(triggers.SILENCE):
        at = _due_at(one, last_at, live)
        if at > since[one.key]:
            found.setdefault(at, []).append(one.key)
    return found


def _due_at(surprise: Surprise, last_at: int, live: Compiled) -> int:
    assert surprise.silent_for is not None
    return clock.after(clock.Instant(last_at), surprise.silent_for, live.zone)


def _last_orders(
    connection: sa.Connection, program_id: bytes, member_ids: Collection[bytes]
) -> dict[bytes, _Last]:
    """The last order that stands of each of these members: of several of one instant the one told
    last."""
    place = sa.func.row_number().over(
        partition_by=_ORDERS.c.member_id,
        order_by=(_ORDERS.c.placed_at.desc(), _ORDERS.c.created_at.desc(), _ORDERS.c.id.desc()),
    )
    columns = (_ORDERS.c.member_id, _ORDERS.c.order_ref, _ORDERS.c.id, _ORDERS.c.placed_at)
    ranked = (
        sa.select(*columns, place.label("place"))
        .where(
            _ORDERS.c.program_id == program_id,
            _ORDERS.c.member_id.in_(member_ids),
            _ORDERS.c.stands,
        )
        .subquery()
    )
    rows = connection.execute(sa.select(ranked).where(ranked.c.place == 1))
    return {
        bytes(row.member_id): _Last(row.order_ref, bytes(row.id), row.placed_at) for row in rows
    }


def _listened_since(connection: sa.Connection, live: Compiled, *, now: int) -> dict[str, int]:
    """Since when each surprise of silence has listened for its length without a gap. What was
    published before the program's clock was first set, to an earlier time, was there from the
    beginning."""
    key = (live.program_id, live.version)
    found = _since.get(key)
    if found is None:
        found = _walk_back(connection, live)
        with _lock:
            if len(_since) >= _REMEMBERED:
                _since.clear()
            _since[key] = found
    return {one: _EVER if at > now else at for one, at in found.items()}


def _walk_back(connection: sa.Connection, live: Compiled) -> dict[str, int]:
    rows = connection.execute(
        sa.select(ProgramVersion.version, ProgramVersion.published_at)
        .where(ProgramVersion.program_id == live.program_id, ProgramVersion.version <= live.version)
        .order_by(ProgramVersion.version.desc())
    )
    open_keys = {one.key: one.silent_for for one in live.surprises.of(triggers.SILENCE)}
    found: dict[str, int] = dict.fromkeys(open_keys, 0)
    for number, published_at in rows:
        program = live
        if number != live.version:
            program = versions.get_compiled(connection, live.program_id, number)
        lengths = {one.key: one.silent_for for one in program.surprises.of(triggers.SILENCE)}
        open_keys = {key: of for key, of in open_keys.items() if lengths.get(key) == of}
        if not open_keys:
            break
        for key in open_keys:
            found[key] = _EVER if number == 1 else published_at
    return found


def programs_due() -> list[bytes]:
    """Programs in which members who ordered before have no row yet."""
    statement = sa.select(
        Program.program_id, Program.live_version, Program.switches, LOOKS.c.lengths, LOOKS.c.cursor
    ).outerjoin(LOOKS, LOOKS.c.program_id == Program.program_id)

    def read(connection: sa.Connection) -> list[bytes]:
        found = []
        for program_id, version, switches, lengths, cursor in connection.execute(statement).all():
            edition = (version, switches)
            if _complete.get(bytes(program_id)) == edition:
                continue
            live = versions.get_compiled(connection, bytes(program_id), *edition)
            if cursor is not None or (lengths or "[]") != _lengths(live):
                found.append(bytes(program_id))
            else:
                _note_complete(bytes(program_id), edition)
        return found

    return db.reading(read)


def _note_complete(program_id: bytes, edition: tuple[int, int]) -> None:
    with _lock:
        _complete[program_id] = edition


def next_due(connection: sa.Connection, live: Compiled, now: int) -> int | None:
    """Now, where members have no row yet; None where all have."""
    if _complete.get(live.program_id) == live.edition:
        return None
    row = _look(connection, live.program_id)
    lengths, cursor = ("[]", None) if row is None else (row.lengths, row.cursor)
    return now if cursor is not None or lengths != _lengths(live) else None


def fill(program_id: bytes) -> int:
    """Make the rows of some more members; 0 when nobody's is missing."""
    return db.in_transaction(lambda connection: _fill(connection, program_id))


def _fill(connection: sa.Connection, program_id: bytes) -> int:
    live, now = versions.get_live(connection, program_id)
    if _complete.get(program_id) == live.edition:
        return 0
    row, lengths = _look(connection, program_id, is_locking=True), _lengths(live)
    if row is None and lengths == "[]":
        return 0
    if row is None or row.lengths != lengths:
        # Others than before: everybody is looked at anew.
        _note(connection, program_id, lengths, _FIRST if lengths != "[]" else None)
        return 1
    if row.cursor is None:
        return 0
    found = _ordered(connection, program_id, bytes(row.cursor))
    due: dict[bytes, int] = {}
    for member_id, last_at in found:
        instants = () if last_at is None else _instants(connection, live, last_at, now=now)
        if instants:
            due[bytes(member_id)] = min(instants)
    silences.touch(connection, program_id, due)
    cursor = bytes(found[-1][0]) if len(found) == PORTION else None
    _note(connection, program_id, lengths, cursor)
    return len(found) or 1


def _ordered(connection: sa.Connection, program_id: bytes, cursor: bytes) -> list[Any]:
    """The next members, and when they last ordered."""
    last_at = (
        sa.select(sa.func.max(_ORDERS.c.placed_at))
        .where(
            _ORDERS.c.program_id == MEMBERS.c.program_id,
            _ORDERS.c.member_id == MEMBERS.c.id,
            _ORDERS.c.stands,
        )
        .correlate(MEMBERS)
        .scalar_subquery()
    )
    statement = sa.select(MEMBERS.c.id, last_at).where(
        MEMBERS.c.program_id == program_id, MEMBERS.c.id > cursor
    )
    return list(connection.execute(statement.order_by(MEMBERS.c.id).limit(PORTION)).all())


def _look(connection: sa.Connection, program_id: bytes, *, is_locking: bool = False) -> Any:
    statement = sa.select(LOOKS).where(LOOKS.c.program_id == program_id)
    return connection.execute(statement.with_for_update() if is_locking else statement).first()


def _note(connection: sa.Connection, program_id: bytes, lengths: str, cursor: bytes | None) -> None:
    writes = Writes()
    row: Mapping[str, Any] = {"program_id": program_id, "lengths": lengths, "cursor": cursor}
    writes.replace(LOOKS, row)
    writes.run(connection)


def _lengths(live: Compiled) -> str:
    """For how long who must be silent: what rows depend on."""
    return jsontext.text(
        sorted(f"{one.key} {one.silent_for}" for one in live.surprises.of(triggers.SILENCE))
    )
