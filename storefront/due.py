"""What falls due by time, for every member of a program: written by the worker in batches.

Balances are true when read without any of this; here the entries are written that say so, each
effective at its own instant and recorded when it is written. Members who are being served at this
moment are passed over: whoever holds their lock settles them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db
from loyalty import reading
from loyalty.ledger.rows import HOLDS, LOTS
from loyalty.tiers.models import TIERS
from members.members import MEMBERS
from members.occasions import KINDS, OCCASIONS
from programs import triggers, versions
from programs.compiled import Compiled
from programs.models import Program
from referrals.carried import REFERRALS
from rewards import redemptions
from rewards.carried import GRANTS, REDEMPTIONS, VOUCHERS
from rewards.luck.models import EPOCHS
from rewards.surprises import silences
from rewards.surprises.silences import SILENCES
from storefront import finishing
from storefront.activities import occasions
from storefront.fairness import closing
from storefront.granting import lapsing
from storefront.plan import Plan, begin
from storefront.referring.rewarding import releasing
from storefront.segmenting import looking
from storefront.surprising import silence
from storefront.tiers import places, tier_entries
from storefront.vouchers import expiring

#: Members settled in one unit of work when nobody is waiting; and beside a checkout, where what
#: a unit locks and writes must be over soon.
BATCH = 400
PORTION = 50
#: So many times as long as a portion took, checkout has the database to itself.
_REST = 2
#: For so long segments wait for what is due of members.
_PATIENCE = 3600 * clock.SECOND


def settle_due(program_id: bytes, *, limit: int = BATCH) -> int:
    """Settle some of the members of a program of whom something is due; how many there were."""
    put_off = db.in_transaction(lambda connection: occasions.put_off(connection, program_id))
    put_off += db.in_transaction(
        lambda connection: expiring.expire_due(connection, program_id, limit)
    )
    settled = db.in_transaction(lambda connection: _unit(connection, program_id, limit))
    # Last of an instant: whatever else falls due of the members they concern came before.
    settled += releasing.settle_due(program_id, limit)
    return put_off + settled + silence.fill(program_id) + closing.settle_due(program_id)


def settle_all(program_id: bytes, *, is_looking: bool = True) -> int:
    """Settle every member of whom something is due by the program's clock, and look at segments."""
    total = 0
    # Segments come last of an instant: they see what all else has made of the members.
    while done := settle_due(program_id) or (is_looking and looking.look(program_id)):
        total += done
    return total


def settle_some(_now: clock.Instant) -> int:
    """A duty of the worker: a portion of each program of which something is due, and a rest after
    each."""
    total = 0
    failed: Exception | None = None
    for program_id in dict.fromkeys([*programs_due(), *silence.programs_due()]):
        started = time.monotonic()
        try:
            total += settle_due(program_id, limit=PORTION)
        except Exception as error:
            # The other programs' turn comes all the same.
            failed = error
        time.sleep(_REST * (time.monotonic() - started))
    if failed is not None:
        raise failed
    return total


def look_some(_now: clock.Instant) -> int:
    """A duty of the worker: a portion of each program whose segments are to be looked at, once
    what is due of its members is settled, or has not been for long."""
    total = 0
    failed: Exception | None = None
    for program_id, waited in looking.programs_due():
        try:
            if waited >= _PATIENCE or not _is_unsettled(program_id):
                total += looking.look(program_id)
        except Exception as error:
            # The other programs' turn comes all the same.
            failed = error
    if failed is not None:
        raise failed
    return total


def _is_unsettled(program_id: bytes) -> bool:
    def read(connection: sa.Connection) -> bool:
        live, now = versions.get_live(connection, program_id)
        following = _next_of_members(connection, live)
        return following is not None and following <= now

    return db.reading(read)


@dataclass(frozen=True, slots=True)
class Agenda:
    """A table in which things fall due of members: when, and which rows count."""

    due_at: sa.ColumnElement[Any]
    member_id: sa.ColumnElement[Any]
    program_id: sa.ColumnElement[Any]
    condition: sa.ColumnElement[bool]
    #: Only programs whose rules listen to it look at this one.
    trigger: str | None = None
    #: Written by itself, not with the members whose it is: some is nobody's.
    is_apart: bool = False

    def concerns(self, live: Compiled) -> bool:
        """Whether a program looks at it."""
        return self.trigger is None or live.hears(self.trigger)


#: Everything that falls due by time; a further agenda is one line here, and what becomes of it is
#: one in `_settle`.
AGENDAS = (
    Agenda(LOTS.c.due_at, LOTS.c.member_id, LOTS.c.program_id, sa.true()),
    Agenda(
        HOLDS.c.expires_at,
        HOLDS.c.member_id,
        HOLDS.c.program_id,
        HOLDS.c.state == sa.literal_column("'held'"),
    ),
    # With those that cost no points.
    Agenda(
        REDEMPTIONS.c.expires_at,
        REDEMPTIONS.c.member_id,
        REDEMPTIONS.c.program_id,
        sa.and_(
            REDEMPTIONS.c.state == sa.literal_column("'held'"),
            REDEMPTIONS.c.expires_at.is_not(None),
        ),
    ),
    Agenda(GRANTS.c.due_at, GRANTS.c.member_id, GRANTS.c.program_id, GRANTS.c.due_at.is_not(None)),
    Agenda(
        VOUCHERS.c.expires_at,
        VOUCHERS.c.member_id,
        VOUCHERS.c.program_id,
        expiring.IS_DUE,
        is_apart=True,
    ),
    Agenda(
        REFERRALS.c.due_at,
        REFERRALS.c.friend_id,
        REFERRALS.c.program_id,
        releasing.IS_DUE,
        is_apart=True,
    ),
    # A day of draws ends: nobody's, so no member is looked for.
    Agenda(EPOCHS.c.ends_at, sa.null(), EPOCHS.c.program_id, closing.IS_OPEN, is_apart=True),
    Agenda(TIERS.c.due_at, TIERS.c.member_id, TIERS.c.program_id, TIERS.c.due_at.is_not(None)),
    *(
        Agenda(
            OCCASIONS.c.due_at,
            OCCASIONS.c.member_id,
            OCCASIONS.c.program_id,
            sa.and_(
                OCCASIONS.c.due_at.is_not(None),
                OCCASIONS.c.kind == sa.literal_column(f"'{kind}'"),
            ),
            trigger=kind,
        )
        for kind in KINDS
    ),
    Agenda(
        SILENCES.c.due_at,
        SILENCES.c.member_id,
        SILENCES.c.program_id,
        silences.IS_DUE,
        trigger=triggers.SILENCE,
    ),
)


def programs_due() -> list[bytes]:
    """Programs in which something is due by their own clock."""
    now = clock.system_now()
    waiting: list[sa.ColumnElement[bool]] = [
        sa.exists(
            sa.select(sa.literal(1))
            .where(
                agenda.program_id == Program.program_id,
                agenda.due_at <= sa.func.coalesce(Program.clock_at, now),
                agenda.condition,
            )
            .correlate(Program.__table__)
        )
        for agenda in AGENDAS
    ]
    statement = sa.select(Program.program_id, *waiting).where(sa.or_(*waiting))

    def read(connection: sa.Connection) -> list[bytes]:
        found = []
        for program_id, *flags in connection.execute(statement).all():
            live, _ = versions.get_live(connection, bytes(program_id))
            due = (agenda for agenda, flag in zip(AGENDAS, flags, strict=True) if flag)
            if any(agenda.concerns(live) for agenda in due):
                found.append(bytes(program_id))
        return found

    return db.reading(read)


def next_due(
    connection: sa.Connection, program_id: bytes, *, is_looking: bool = True
) -> int | None:
    """The next instant at which something of any member falls due, or all are looked at."""
    live, now = versions.get_live(connection, program_id)
    dates = [_next_of_members(connection, live), silence.next_due(connection, live, now)]
    if is_looking:
        dates.append(looking.next_due(connection, live, now))
    return min((one for one in dates if one is not None), default=None)


def _next_of_members(connection: sa.Connection, live: Compiled) -> int | None:
    dates = [
        connection.execute(
            sa.select(sa.func.min(agenda.due_at)).where(
                agenda.program_id == live.program_id, agenda.condition
            )
        ).scalar()
        for agenda in AGENDAS
        if agenda.concerns(live)
    ]
    return min((one for one in dates if one is not None), default=None)


def _unit(connection: sa.Connection, program_id: bytes, limit: int) -> int:
    live, now = versions.get_live(connection, program_id)
    # More than are taken, so that workers at once find others than those already locked.
    found = _due_members(connection, live, now, 4 * limit)
    if not found:
        return 0
    locked = _lock_free(connection, program_id, found[:limit], limit)
    if not locked:
        locked = _lock_free(connection, program_id, found[limit:], limit)
    plan = begin(connection, live, now=now)
    _settle(connection, plan, locked)
    finishing.write(connection, plan)
    return len(locked)


def _settle(connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes]) -> None:
    """What is due of these members, in the order of SEMANTICS C24."""
    load(connection, plan, member_ids)
    for member_id in member_ids:
        plan.settle(member_id)
    redemptions.settle_due(plan, member_ids)
    lapsing.settle(connection, plan, member_ids)
    places.settle_due(connection, plan, member_ids)
    tier_entries.follow(connection, plan)
    occasions.settle(connection, plan, member_ids)
    silence.settle(connection, plan, member_ids)


def _due_members(connection: sa.Connection, live: Compiled, now: int, limit: int) -> list[bytes]:
    """Members of whom something is due, those waiting longest first."""
    found: list[bytes] = []
    program_id = live.program_id
    for agenda in (one for one in AGENDAS if one.concerns(live) and not one.is_apart):
        rows = connection.execute(
            sa.select(agenda.member_id)
            .where(agenda.program_id == program_id, agenda.due_at <= now, agenda.condition)
            .order_by(agenda.due_at)
            .limit(limit)
        )
        found += [bytes(row[0]) for row in rows]
    return list(dict.fromkeys(found))


def _lock_free(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes], limit: int
) -> list[bytes]:
    """Lock some of those members whom nobody else has locked just now."""
    statement = (
        sa.select(MEMBERS.c.id)
        .where(MEMBERS.c.program_id == program_id, MEMBERS.c.id.in_(member_ids))
        .order_by(MEMBERS.c.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return [bytes(row[0]) for row in connection.execute(statement)]


def load(connection: sa.Connection, plan: Plan, member_ids: Sequence[bytes]) -> None:
    """Take up accounts, open lots and open holds of many members in three statements."""
    program_id = plan.program_id
    holdings = reading.list_holdings(connection, program_id, member_ids)
    plan.book.load(holdings)
    lots = _by_account(reading.list_open_lots(connection, program_id, member_ids))
    holds = _by_account(reading.list_open_holds(connection, program_id, member_ids))
    for holding in holdings:
        key = (holding.member_id, holding.points_key)
        plan.book.load_open(*key, lots.get(key, ()))
        plan.book.load_holds(*key, holds.get(key, ()))


def _by_account(rows: Sequence[Any]) -> dict[tuple[bytes, str], list[Any]]:
    found: dict[tuple[bytes, str], list[Any]] = {}
    for row in rows:
        found.setdefault((row.member_id, row.points_key), []).append(row)
    return found
