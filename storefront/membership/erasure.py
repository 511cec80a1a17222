"""Erasure: a person goes from every table; points and sums stay, under an id that names nobody.

In one unit: what is left of their points is forfeited by entries, their row is emptied, and all
that tells of them elsewhere is reduced (`storefront.refunding.reducing`) or removed. Their orders
stay with them for ever, can still be refunded, and bring nobody anything. docs/privacy.md says
what is kept and why.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, db, idempotency, ids, jsontext, outbox
from core.errors import not_found
from core.outbox import OutboxMessage
from loyalty import reading
from loyalty.ledger import moves
from loyalty.ledger.entries import Cause
from loyalty.models import Adjustment, Transfer
from loyalty.tiers.models import CHANGES
from members import activities, erasing, members
from members.activities import ACTIVITIES
from members.members import Known
from orders import history
from orders.models import Order
from programs import triggers, versions
from programs.models import Program
from rewards.surprises import silences
from segments import belonging
from storefront import cards, finishing
from storefront.decisions import DECISIONS
from storefront.fairness import erasing as fairness
from storefront.membership import erased_rewards
from storefront.plan import Plan, begin
from storefront.referring import erasing as referring
from storefront.refunding import reducing
from storefront.standing import Read
from webhooks.models import WebhookAttempt, WebhookDelivery

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
ADJUSTMENTS: sa.Table = Adjustment.__table__  # type: ignore[assignment]
TRANSFERS: sa.Table = Transfer.__table__  # type: ignore[assignment]

#: What a message of the past keeps: numbers and ids of things.
_TOLD = frozenset(
    {
        *("entry_id", "kind", "points_key", "points", "available_after", "source"),
        *("effective_at", "recorded_at", "expires_at", "from", "to"),
        *("card", "number", "completed_at"),
        *("key", "until", "cause"),
        *("redemption_id", "voucher_id", "grant_id", "fulfilment_id", "reward", "state"),
        *("amount_minor", "remaining_minor"),
        *("referral_id", "offer", "advocate", "friend", "side"),
        *("segment", "at"),
        *("surprise", "prize", "draw_id"),
    }
)
_PURGED_AT_ONCE = 1000


def erase(program_id: bytes, member_ref: str, *, actor: str | None) -> dict[str, Any]:
    """Erase a member; erasing them again answers the same. 404 when there never was one."""
    answer = db.in_transaction(lambda connection: _unit(connection, program_id, member_ref, actor))
    _scrub()
    return answer


def _unit(
    connection: sa.Connection, program_id: bytes, member_ref: str, actor: str | None
) -> dict[str, Any]:
    known = _lock(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    if known is None:
        before = erasing.find_answer(connection, program_id, member_ref, now=now)
        if before is None:
            raise not_found("member")
        return before
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    everyone = erasing.everyone(connection, program_id, known.id)
    referring.give_up(connection, plan, everyone)
    erased_rewards.give_up(connection, plan, known.id)
    forfeit(plan, known.id)
    outbox.add(
        plan.writes, program_id, type="member.erased", payload={}, now=now, member_id=known.id
    )
    answer = _answer(plan, known.id)
    finishing.write(connection, plan)
    idempotency.forget(connection, program_id, everyone)
    _reduce_orders(connection, program_id, everyone)
    _reduce_activities(connection, program_id, everyone)
    _forget_history(connection, program_id, everyone)
    _reduce_decisions(connection, program_id, everyone)
    _reduce_messages(connection, program_id, everyone)
    _forget_notes(connection, program_id, everyone)
    cards.forget(connection, program_id, everyone)
    erased_rewards.forget(connection, program_id, everyone)
    referring.forget(connection, program_id, everyone)
    fairness.forget(connection, program_id, everyone)
    belonging.forget(connection, program_id, everyone)
    silences.forget(connection, program_id, everyone)
    erasing.erase(
        connection,
        program_id,
        everyone,
        answer=answer,
        now=now,
        ends_at=clock.after(now, live.tombstone_for, live.zone),
    )
    _forget_responses(connection, program_id, everyone)
    return answer


def _lock(connection: sa.Connection, program_id: bytes, member_ref: str) -> Known | None:
    """The member, locked together with everybody whose referrals change."""
    known = members.find(connection, program_id, member_ref)
    if known is None:
        return None
    people = erasing.everyone(connection, program_id, known.id)
    everyone = {known.id} | referring.parties(connection, program_id, people)
    locked = members.lock_ids(connection, program_id, sorted(everyone)).get(known.id)
    if locked is None or locked.id != known.id:
        # Merged by somebody else since we looked.
        raise db.Restart
    if locked.is_erased:
        return None
    people = erasing.everyone(connection, program_id, known.id)
    if not everyone >= referring.parties(connection, program_id, people):
        raise db.Restart
    return locked


def forfeit(plan: Plan, member_id: bytes) -> None:
    """Take what is left of every account of a member who is erased, or was: what a late order
    still brings them goes at once."""
    shown = ids.show_id(members.PREFIX, member_id)
    cause = Cause("erasure", shown, None, plan.actor, plan.now, plan.now)
    for holding in plan.book.holdings(member_id):
        if holding.pending or holding.held or holding.available > 0:
            moves.forfeit(plan.book, holding, cause=cause)


def _answer(plan: Plan, member_id: bytes) -> dict[str, Any]:
    forfeited: dict[str, int] = {}
    for entry in plan.book.entries:
        if entry["source_type"] == "erasure":
            key = entry["points_key"]
            forfeited[key] = forfeited.get(key, 0) + entry["points"]
    return {
        "member": {
            "id": ids.show_id(members.PREFIX, member_id),
            "is_erased": True,
            "erased_at": clock.format_instant(plan.now),
        },
        "forfeited": [
            {"points_key": key, "points": points} for key, points in sorted(forfeited.items())
        ],
    }


def _of_transfers(program_id: bytes, everyone: Sequence[bytes]) -> sa.ColumnElement[bool]:
    return sa.and_(
        TRANSFERS.c.program_id == program_id,
        sa.or_(TRANSFERS.c.from_member_id.in_(everyone), TRANSFERS.c.to_member_id.in_(everyone)),
    )


def _reduce_orders(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    rows = connection.execute(
        sa.select(ORDERS.c.id, ORDERS.c.snapshot, DECISIONS.c.version, DECISIONS.c.switches)
        .join(
            DECISIONS,
            sa.and_(
                DECISIONS.c.program_id == ORDERS.c.program_id,
                DECISIONS.c.id == ORDERS.c.decision_id,
            ),
        )
        .where(ORDERS.c.program_id == program_id, ORDERS.c.member_id.in_(everyone))
    ).all()
    for row in rows:
        program = versions.get_compiled(connection, program_id, row.version, row.switches)
        body = reducing.reduce_order(jsontext.parse(row.snapshot), program)
        connection.execute(
            sa.update(ORDERS)
            .where(ORDERS.c.program_id == program_id, ORDERS.c.id == row.id)
            .values(snapshot=jsontext.sorted_text(body))
        )


def _reduce_decisions(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    rows = connection.execute(
        sa.select(
            DECISIONS.c.id,
            DECISIONS.c.source_type,
            DECISIONS.c.version,
            DECISIONS.c.switches,
            DECISIONS.c.facts,
        ).where(DECISIONS.c.program_id == program_id, DECISIONS.c.member_id.in_(everyone))
    ).all()
    for row in rows:
        program = versions.get_compiled(connection, program_id, row.version, row.switches)
        facts = reducing.reduce_decision(jsontext.parse(row.facts), program, row.source_type)
        connection.execute(
            sa.update(DECISIONS)
            .where(DECISIONS.c.program_id == program_id, DECISIONS.c.id == row.id)
            .values(facts=jsontext.text(facts))
        )


def _reduce_activities(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    """Facts of what they did go, but for what rules ask: that is reduced to what answers alike, so
    that an activity withdrawn still takes back what it brought."""
    joined = sa.and_(
        DECISIONS.c.program_id == ACTIVITIES.c.program_id,
        DECISIONS.c.id == ACTIVITIES.c.decision_id,
    )
    rows = connection.execute(
        sa.select(
            ACTIVITIES.c.id,
            ACTIVITIES.c.kind,
            ACTIVITIES.c.facts,
            DECISIONS.c.version,
            DECISIONS.c.switches,
        )
        .join(DECISIONS, joined)
        .where(ACTIVITIES.c.program_id == program_id, ACTIVITIES.c.member_id.in_(everyone))
    ).all()
    for row in rows:
        program = versions.get_compiled(connection, program_id, row.version, row.switches)
        declared = program.activities.get(row.kind)
        asked, _ = reducing.conditions(program, triggers.ACTIVITY + row.kind)
        own = activities.own_facts(row.kind, jsontext.parse(row.facts), declared)
        facts = activities.told_again(reducing.reduce_facts(own, asked), declared)
        connection.execute(
            sa.update(ACTIVITIES)
            .where(ACTIVITIES.c.program_id == program_id, ACTIVITIES.c.id == row.id)
            .values(facts=jsontext.sorted_text(facts))
        )


def _forget_history(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    """What was told of their orders and activities before they were told anew."""

    def refs(table: sa.Table, name: str) -> sa.ScalarSelect[str]:
        of_member = (table.c.program_id == program_id, table.c.member_id.in_(everyone))
        return sa.select(table.c[name]).where(*of_member).scalar_subquery()

    history.forget(
        connection,
        program_id,
        order_refs=refs(ORDERS, "order_ref"),
        activity_refs=refs(ACTIVITIES, "activity_ref"),
    )


def _reduce_messages(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    """Messages keep what moved; references in them become null. One not sent yet is still sent,
    and names our id alone."""
    of_member = _of_messages(program_id, everyone)
    rows = connection.execute(
        sa.select(OutboxMessage.id, OutboxMessage.payload).where(of_member)
    ).all()
    for row in rows:
        payload = jsontext.parse(row.payload)
        reduced = {name: value if name in _TOLD else None for name, value in payload.items()}
        if reduced != payload:
            connection.execute(
                sa.update(OutboxMessage)
                .where(OutboxMessage.program_id == program_id, OutboxMessage.id == row.id)
                .values(payload=jsontext.text(reduced))
            )


def _of_messages(program_id: bytes, everyone: Sequence[bytes]) -> sa.ColumnElement[bool]:
    return sa.and_(OutboxMessage.program_id == program_id, OutboxMessage.member_id.in_(everyone))


def _forget_responses(
    connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]
) -> None:
    """What receivers answered to messages about the person. Last of all: an answer that was being
    recorded holds a lock on them, which their erasure has waited for by now."""
    deliveries = sa.select(WebhookDelivery.id).where(
        WebhookDelivery.program_id == program_id,
        WebhookDelivery.message_id.in_(
            sa.select(OutboxMessage.id).where(_of_messages(program_id, everyone))
        ),
    )
    connection.execute(
        sa.update(WebhookAttempt)
        .where(
            WebhookAttempt.program_id == program_id,
            WebhookAttempt.delivery_id.in_(deliveries),
            WebhookAttempt.response.is_not(None),
        )
        .values(response=None)
    )


def _forget_notes(connection: sa.Connection, program_id: bytes, everyone: Sequence[bytes]) -> None:
    """Free text beside movements of points and changes of level; an adjustment keeps the reason
    that it must have."""
    connection.execute(
        sa.update(ADJUSTMENTS)
        .where(ADJUSTMENTS.c.program_id == program_id, ADJUSTMENTS.c.member_id.in_(everyone))
        .values(note=None)
    )
    connection.execute(
        sa.update(TRANSFERS).where(_of_transfers(program_id, everyone)).values(reason=None)
    )
    connection.execute(
        sa.update(CHANGES)
        .where(CHANGES.c.program_id == program_id, CHANGES.c.member_id.in_(everyone))
        .values(note=None)
    )


def reduced_body(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], read: Read
) -> dict[str, Any]:
    """What an order of an erased member may be told to say."""
    assert read.stored is not None and read.stored.version is not None
    program = versions.get_compiled(
        connection, program_id, read.stored.version, read.stored.switches or 0
    )
    return reducing.reduce_order(body, program)


def _scrub() -> None:
    """Leave nothing behind in the embedded database's log: what was erased is overwritten in its
    file (`secure_delete`), and the log is cut off as soon as no reader needs it."""
    if db.db.engine.dialect.name != "sqlite":
        return
    with db.db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        timeout = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute("PRAGMA busy_timeout=200")
        try:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            driver.execute(f"PRAGMA busy_timeout={timeout}")


def purge_due(now: clock.Instant) -> int:
    """Forget tombstones whose term has ended, some of each program, by its own clock; how many."""
    programs = db.reading(lambda connection: _ending(connection, now))
    count = 0
    for program_id, at in programs:
        count += db.in_transaction(
            lambda connection, program_id=program_id, at=at: erasing.purge(  # type: ignore[misc]
                connection, program_id, now=at, limit=_PURGED_AT_ONCE
            )
        )
    return count


def _ending(connection: sa.Connection, now: clock.Instant) -> list[tuple[bytes, clock.Instant]]:
    at = sa.func.coalesce(Program.clock_at, now)
    have_ended = (
        sa.exists().where(table.c.program_id == Program.program_id, table.c.ends_at <= at)
        for table in (members.CLAIMS, erasing.REFERENCES)
    )
    rows = connection.execute(
        sa.select(Program.program_id, at).where(sa.or_(*have_ended)).order_by(Program.program_id)
    )
    return [(bytes(program_id), clock.Instant(ended_at)) for program_id, ended_at in rows]
