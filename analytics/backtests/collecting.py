"""Collecting: everything told of a program is copied to a file, in one consistent reading.

Owns how each kind of thing becomes facts, one for every time it was told. Reads what was told and
nothing that followed from it. What is not told again is counted by name: `left_out`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from analytics.backtests import moved, omitting
from analytics.backtests.arriving import A_MOMENT, early_id, rows_of, shifted
from analytics.backtests.told import Fact, Told
from core import ids, jsontext
from core.outbox import OutboxMessage
from loyalty.models import Opening
from members.activities import ACTIVITIES
from members.members import DIGESTS, MEMBERS
from orders.history import SUPERSEDED
from orders.models import Order, OrderRefund
from programs.models import Decision, Program, ProgramSwitch, ProgramVersion

_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_REFUNDS: sa.Table = OrderRefund.__table__  # type: ignore[assignment]
_OUTBOX: sa.Table = OutboxMessage.__table__  # type: ignore[assignment]
_OPENINGS: sa.Table = Opening.__table__  # type: ignore[assignment]
#: Facts that are copied between two looks whether they are still wanted.
_LOOKED_EVERY = 500


def collect(
    connection: sa.Connection,
    program_id: bytes,
    told: Told,
    *,
    go_on: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Copy what was told; what there is that will not be told again, by name. `go_on` is called
    now and then, and may raise."""
    _name_members(connection, program_id, told)
    has_history = told.add_superseded(_superseded(connection, program_id))
    told.add(_editions(connection, program_id))
    for facts in (
        _members(connection, program_id),
        _orders(connection, program_id, told, has_history=has_history),
        _refunds(connection, program_id, told, has_history=has_history),
        _activities(connection, program_id, told, has_history=has_history),
    ):
        told.add(_watched(facts, go_on))
    found = moved.collect(connection, program_id, told)
    go_on()
    return found | omitting.count(connection, program_id)


def _watched(facts: Iterator[Fact], go_on: Callable[[], None]) -> Iterator[Fact]:
    for number, fact in enumerate(facts):
        if number % _LOOKED_EVERY == 0:
            go_on()
        yield fact


def _name_members(connection: sa.Connection, program_id: bytes, told: Told) -> None:
    """Who was merged goes by the reference of whom they became."""
    columns = MEMBERS.c
    merged = {
        bytes(row.id): bytes(row.merged_into_id)
        for row in connection.execute(
            sa.select(columns.id, columns.merged_into_id).where(
                columns.program_id == program_id, columns.merged_into_id.is_not(None)
            )
        )
    }

    def named() -> Iterator[tuple[bytes, str]]:
        statement = sa.select(columns.id, columns.member_ref).where(
            columns.program_id == program_id, columns.merged_into_id.is_(None)
        )
        for row in rows_of(connection, statement):
            yield bytes(row.id), row.member_ref

    told.name_members(named())
    for member_id in merged:
        living = member_id
        while living in merged:
            living = merged[living]
        ref = told.ref_of(living)
        if ref is not None:
            told.name_members([(member_id, ref)])


def _superseded(
    connection: sa.Connection, program_id: bytes
) -> Iterator[tuple[str, str, str | None, bytes, int, str]]:
    columns = SUPERSEDED.c
    statement = sa.select(SUPERSEDED).where(columns.program_id == program_id)
    for row in rows_of(connection, statement):
        yield row.kind, row.ref, row.refund_ref, bytes(row.id), row.recorded_at, row.body


def _editions(connection: sa.Connection, program_id: bytes) -> Iterator[Fact]:
    """Versions and switches. A version is told of by its message, whose id says when by the
    machine's clock; where a test program's clock stands still nothing else would."""
    columns = ProgramVersion.__table__.c
    is_set = connection.execute(
        sa.select(Program.clock_at).where(Program.program_id == program_id)
    ).scalar()
    came: dict[int, bytes] = {}
    if is_set is not None:
        messages = sa.select(_OUTBOX.c.id, _OUTBOX.c.payload).where(
            _OUTBOX.c.program_id == program_id, _OUTBOX.c.type == "program.published"
        )
        for row in connection.execute(messages):
            came[jsontext.parse(row.payload)["version"]] = bytes(row.id)
    for row in connection.execute(
        sa.select(ProgramVersion).where(columns.program_id == program_id).order_by(columns.version)
    ):
        at = row.published_at
        # The first is there from the beginning.
        at_id = bytes(16) if row.version == 1 else came.get(row.version, early_id(at))
        yield Fact(at_id, "version", at, at, str(row.version), None, "")
    switches = sa.select(ProgramSwitch).where(ProgramSwitch.program_id == program_id)
    for row in connection.execute(switches.order_by(ProgramSwitch.number)):
        at = row.switched_at
        at_id = early_id(at) if is_set is None else _decided_by(connection, program_id, row.number)
        yield Fact(at_id, "switch", at, at, str(row.number), None, "")


def _decided_by(connection: sa.Connection, program_id: bytes, number: int) -> bytes:
    """An id before the first decision that knew of a switch: by a clock that stands still nobody
    else tells when it was thrown."""
    columns = Decision.__table__.c
    found = connection.execute(
        sa.select(sa.func.min(columns.id)).where(
            columns.program_id == program_id, columns.switches >= number
        )
    ).scalar()
    return b"\xff" * 16 if found is None else shifted(bytes(found), -A_MOMENT)


def _members(connection: sa.Connection, program_id: bytes) -> Iterator[Fact]:
    """Members as they were created, with what is known of them now. Of contacts only that they
    are the same as another's."""
    columns = MEMBERS.c
    openings = {
        bytes(member_id)
        for (member_id,) in connection.execute(
            sa.select(_OPENINGS.c.member_id).where(
                _OPENINGS.c.program_id == program_id, _OPENINGS.c.digest.is_not(None)
            )
        )
    }
    statement = sa.select(
        MEMBERS,
        _digest("email").label("email_digest"),
        _digest("phone").label("phone_digest"),
        sa.or_(columns.is_enrolled, omitting.has_earned()).label("was_enrolled"),
    ).where(columns.program_id == program_id, columns.merged_into_id.is_(None))
    for row in rows_of(connection, statement):
        member_id, at = bytes(row.id), row.created_at
        kind = "signup" if row.told_at == at else "enrolled"
        if member_id in openings:
            kind = "moved_in"
        body = {
            "joined_at": row.joined_at,
            "locale": row.locale,
            # Who is erased is enrolled no longer, and was; so was who left and had earned.
            "is_enrolled": bool(row.was_enrolled) or row.erased_at is not None,
            "attributes": jsontext.parse(row.attributes),
            "birthday_on": row.birthday_on,
        }
        if row.email_digest is not None:
            body["email"] = f"{bytes(row.email_digest).hex()}@example.invalid"
        if row.phone_digest is not None:
            body["phone"] = f"+9{int.from_bytes(bytes(row.phone_digest)[:6], 'big'):015d}"[:17]
        ref = ids.show_id("mem", member_id)
        yield Fact(member_id, kind, at, at, ref, row.member_ref, jsontext.text(body))


def _digest(kind: str) -> sa.ScalarSelect[Any]:
    return (
        sa.select(sa.func.min(DIGESTS.c.digest))
        .where(
            DIGESTS.c.program_id == MEMBERS.c.program_id,
            DIGESTS.c.member_id == MEMBERS.c.id,
            DIGESTS.c.kind == kind,
        )
        .correlate(MEMBERS)
        .scalar_subquery()
    )


def _orders(
    connection: sa.Connection, program_id: bytes, told: Told, *, has_history: bool
) -> Iterator[Fact]:
    columns = _ORDERS.c
    statement = sa.select(
        columns.id,
        columns.order_ref,
        columns.member_id,
        columns.placed_at,
        columns.created_at,
        columns.is_history,
        columns.snapshot,
    ).where(columns.program_id == program_id)
    for row in rows_of(connection, statement):
        before = told.before("order", row.order_ref) if has_history else []
        kind = "history" if row.is_history else "order"
        owner = told.ref_of(None if row.member_id is None else bytes(row.member_id))
        came_id, came_at = bytes(row.id), row.created_at
        for one in before:
            ref = _named(told, jsontext.parse(one.body)["member_ref"])
            yield Fact(came_id, kind, came_at, row.placed_at, row.order_ref, ref, one.body)
            came_id, came_at = one.id, one.recorded_at
        yield Fact(came_id, kind, came_at, row.placed_at, row.order_ref, owner, row.snapshot)


def _named(told: Told, member_ref: str | None) -> str | None:
    """The reference behind an id of ours in what was told before."""
    return None if member_ref is None else told.ref_of(ids.read_id("mem", member_ref))


def _refunds(
    connection: sa.Connection, program_id: bytes, told: Told, *, has_history: bool
) -> Iterator[Fact]:
    columns = _REFUNDS.c
    for row in rows_of(connection, sa.select(_REFUNDS).where(columns.program_id == program_id)):
        before = told.before("refund", row.order_ref, row.refund_ref) if has_history else []
        came_id = early_id(row.created_at) if row.told_id is None else bytes(row.told_id)
        came_at = row.created_at
        ref = jsontext.text([row.order_ref, row.refund_ref])
        for one in before:
            at = min(jsontext.parse(one.body)["refunded_at"], came_at)
            yield Fact(came_id, "refund", came_at, at, ref, None, one.body)
            came_id, came_at = one.id, one.recorded_at
        yield Fact(came_id, "refund", came_at, row.refunded_at, ref, None, row.body)


def _activities(
    connection: sa.Connection, program_id: bytes, told: Told, *, has_history: bool
) -> Iterator[Fact]:
    columns = ACTIVITIES.c
    for row in rows_of(connection, sa.select(ACTIVITIES).where(columns.program_id == program_id)):
        before = told.before("activity", row.activity_ref) if has_history else []
        owner = told.ref_of(bytes(row.member_id))
        came_id, came_at = bytes(row.id), row.created_at
        for one in before:
            body = jsontext.parse(one.body)
            ref, at = _named(told, body["member_ref"]), min(body["occurred_at"], came_at)
            yield Fact(came_id, "activity", came_at, at, row.activity_ref, ref, one.body)
            came_id, came_at = one.id, one.recorded_at
        body = {
            "kind": row.kind,
            "occurred_at": row.said_at,
            "facts": jsontext.parse(row.facts),
            "status": row.status,
        }
        at, text = row.occurred_at, jsontext.text(body)
        yield Fact(came_id, "activity", came_at, at, row.activity_ref, owner, text)


def published(connection: sa.Connection, program_id: bytes) -> dict[int, dict[str, Any]]:
    """The rows of every version."""
    table = ProgramVersion.__table__
    rows = connection.execute(sa.select(table).where(table.c.program_id == program_id)).mappings()
    return {row["version"]: dict(row) for row in rows}


def thrown(connection: sa.Connection, program_id: bytes) -> dict[int, dict[str, Any]]:
    """The rows of every switch."""
    table = ProgramSwitch.__table__
    rows = connection.execute(sa.select(table).where(table.c.program_id == program_id)).mappings()
    return {row["number"]: dict(row) for row in rows}


def program_row(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    """The program's own row."""
    table = Program.__table__
    row = connection.execute(sa.select(table).where(table.c.program_id == program_id)).mappings()
    return dict(row.one())
