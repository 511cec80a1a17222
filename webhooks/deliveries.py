"""Deliveries: the outbox becomes one row for each endpoint, and each row is sent at least once.

Two duties of a worker, for any number of workers at once: `dispatch_due` and `deliver_due`.
Rows are leased in a transaction, sent outside of any, and marked in another. Each endpoint has
at most two threads of a process, each with a short row of deliveries that it drops at the first
failure, and those that fail share half of the threads: a slow receiver delays nobody else. Order
within an endpoint is best effort.
"""

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from config import Settings
from core import clock, db, failpoints, ids, jsontext, outbox
from core.outbox import OutboxMessage
from webhooks import attempts, endpoints, sending, signing, types
from webhooks.attempts import Lease
from webhooks.models import WebhookDelivery, WebhookEndpoint

DISPATCHED_AT_ONCE = 500
PER_ENDPOINT = 2
#: Deliveries that a thread takes at once, and for how long it goes on with them.
_ROW = 20
_ROW_SECONDS = 2.0
#: Beyond any attempt: resolving a name, connecting, sending and marking.
LEASE_SECONDS = 180
#: How long one call of `deliver_due` goes on with what falls due meanwhile.
_CALL_SECONDS = 1.0
_WAIT_SECONDS = 0.25
_MARKING_AT_ONCE = 2

#: Of members by id, their references; those of nobody are left out.
ReadMemberRefs = Callable[[sa.Connection, bytes, Sequence[bytes]], dict[bytes, str]]
_Key = tuple[bytes, bytes]
_log = logging.getLogger("dangol.webhooks")


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A leased delivery with all that sending it needs."""

    lease: Lease
    url: str
    secrets: Sequence[str]
    message_id: str
    body: bytes


class _Sender:
    """The threads of one process and what they have under way."""

    def __init__(self, app: Flask, read_member_refs: ReadMemberRefs) -> None:
        self.app = app
        self.read_member_refs = read_member_refs
        self.marking = threading.BoundedSemaphore(_MARKING_AT_ONCE)
        self.turn = threading.Lock()
        self.under_way: dict[Future[int], tuple[_Key, bool]] = {}
        self.last: _Key = (b"", b"")
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, parcels: Sequence[_Parcel], *, is_failing: bool) -> None:
        """Send parcels on a thread. Threads are made late: a server forks before it serves."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_outgoing().threads, thread_name_prefix="webhooks")
        key = (parcels[0].lease.program_id, parcels[0].lease.endpoint_id)
        self.under_way[self._pool.submit(_send_row, self, parcels)] = (key, is_failing)

    def harvest(self) -> int:
        """Forget the threads that are done; how many attempts they made."""
        count = 0
        done = [future for future in self.under_way if future.done()]
        for future in done:
            del self.under_way[future]
            error = future.exception()
            if error is not None:
                # The row is still leased: it is sent again when the lease has run out.
                _log.error("a delivery was not marked", exc_info=error)
            else:
                count += future.result()
        return count

    def room(self, key: _Key, *, is_failing: bool) -> int:
        """How many more threads the endpoint may have now."""
        threads = _outgoing().threads
        counts = Counter(one for one, _ in self.under_way.values())
        left = threads - len(self.under_way)
        if not is_failing:
            return max(0, min(left, PER_ENDPOINT - counts[key]))
        failing = sum(is_failing for _, is_failing in self.under_way.values())
        return max(0, min(left, threads // 2 - failing, 1 - counts[key]))


def init(app: Flask, settings: Settings, *, read_member_refs: ReadMemberRefs) -> None:
    """Make delivery available to the application; nothing runs until a worker calls."""
    app.extensions["dangol.outgoing"] = sending.Outgoing.of(settings)
    app.extensions["dangol.sender"] = _Sender(app, read_member_refs)


def _outgoing() -> sending.Outgoing:
    found: sending.Outgoing = current_app.extensions["dangol.outgoing"]
    return found


def _sender() -> _Sender:
    found: _Sender = current_app.extensions["dangol.sender"]
    return found


def dispatch_due(now: clock.Instant) -> int:
    """Turn waiting outbox rows into deliveries, some of each program; how many rows."""
    waiting = db.reading(outbox.list_waiting)
    return sum(
        db.in_transaction(functools.partial(_dispatch, program_id=program_id, now=now))
        for program_id, _ in waiting
    )


def _dispatch(connection: sa.Connection, *, program_id: bytes, now: clock.Instant) -> int:
    messages = outbox.lock_waiting(connection, program_id, limit=DISPATCHED_AT_ONCE)
    if not messages:
        return 0
    # Shared locks: an endpoint that is disabled at this moment cancels what is written here.
    listening = [
        (bytes(row.id), jsontext.parse(row.types))
        for row in connection.execute(
            sa.select(WebhookEndpoint.id, WebhookEndpoint.types)
            .where(WebhookEndpoint.program_id == program_id, WebhookEndpoint.state == "enabled")
            .order_by(WebhookEndpoint.id)
            .with_for_update(read=True)
        )
    ]
    rows = [
        {
            "program_id": program_id,
            "id": ids.new_id(),
            "message_id": bytes(message.id),
            "endpoint_id": endpoint_id,
            "type": message.type,
            "state": "pending",
            "attempt_count": 0,
            "next_at": now,
            "created_at": now,
        }
        for message in messages
        for endpoint_id, patterns in listening
        # Ids carry the time: an endpoint is not told of what was before it.
        if types.matches(patterns, message.type) and bytes(message.id) > endpoint_id
    ]
    if rows:
        connection.execute(sa.insert(WebhookDelivery), rows)
    outbox.mark_dispatched(connection, program_id, [bytes(one.id) for one in messages], now)
    return len(messages)


def deliver_due(now: clock.Instant) -> int:
    """Send what is due, for about a second; more than 0 while anything ended or is under way.

    Returns 0 once nothing is due and nothing under way; what a slow receiver still holds then is
    left to a later call, so that the worker's other duties go on.
    """
    sender = _sender()
    with sender.turn:
        return _deliver(sender, now)


def _deliver(sender: _Sender, now: clock.Instant) -> int:
    began, ended = time.monotonic(), sender.harvest()
    while True:
        elapsed = time.monotonic() - began
        _start(sender, clock.Instant(now + int(elapsed * clock.SECOND)))
        if not sender.under_way or elapsed >= _CALL_SECONDS:
            return ended + len(sender.under_way)
        wait(list(sender.under_way), timeout=_WAIT_SECONDS, return_when=FIRST_COMPLETED)
        ended += sender.harvest()


def _start(sender: _Sender, now: clock.Instant) -> None:
    due = db.reading(lambda connection: _list_due_endpoints(connection, now))
    # Whoever was served last comes last, or the first programs would take every thread.
    due.sort(key=lambda row: (bytes(row.program_id), bytes(row.id)) <= sender.last)
    for row in due:
        key, is_failing = (bytes(row.program_id), bytes(row.id)), row.failing_since is not None
        for _ in range(sender.room(key, is_failing=is_failing)):
            limit = 1 if is_failing else _ROW
            parcels = db.in_transaction(
                functools.partial(_lease, endpoint=row, now=now, limit=limit)
            )
            if not parcels:
                break
            sender.last = key
            sender.submit(parcels, is_failing=is_failing)


def _is_due(now: clock.Instant) -> sa.ColumnElement[bool]:
    return sa.and_(
        # Written out, so that the planner sees that the index of pending rows serves.
        sa.text("webhook_deliveries.state = 'pending'"),
        WebhookDelivery.next_at <= now,
        sa.or_(WebhookDelivery.leased_until.is_(None), WebhookDelivery.leased_until <= now),
    )


def _list_due_endpoints(connection: sa.Connection, now: clock.Instant) -> list[Any]:
    return list(
        connection.execute(
            sa.select(
                WebhookEndpoint.program_id,
                WebhookEndpoint.id,
                WebhookEndpoint.url,
                WebhookEndpoint.secrets,
                WebhookEndpoint.failing_since,
            )
            .where(
                WebhookEndpoint.state == "enabled",
                sa.or_(WebhookEndpoint.paused_until.is_(None), WebhookEndpoint.paused_until <= now),
                sa.exists().where(
                    WebhookDelivery.program_id == WebhookEndpoint.program_id,
                    WebhookDelivery.endpoint_id == WebhookEndpoint.id,
                    _is_due(now),
                ),
            )
            .order_by(WebhookEndpoint.program_id, WebhookEndpoint.id)
        )
    )


def _lease(
    connection: sa.Connection, *, endpoint: Any, now: clock.Instant, limit: int
) -> list[_Parcel]:
    """Lease the endpoint's oldest due deliveries and read what they say."""
    program_id, endpoint_id = bytes(endpoint.program_id), bytes(endpoint.id)
    rows = connection.execute(
        sa.select(WebhookDelivery.id, WebhookDelivery.message_id, WebhookDelivery.attempt_count)
        .where(
            WebhookDelivery.program_id == program_id,
            WebhookDelivery.endpoint_id == endpoint_id,
            _is_due(now),
        )
        .order_by(WebhookDelivery.next_at, WebhookDelivery.message_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    until = now + LEASE_SECONDS * clock.SECOND
    connection.execute(
        sa.update(WebhookDelivery)
        .where(
            WebhookDelivery.program_id == program_id,
            WebhookDelivery.id.in_([row.id for row in rows]),
        )
        .values(leased_until=until)
    )
    bodies = _bodies(connection, program_id, [bytes(row.message_id) for row in rows])
    secrets = endpoints.in_force(endpoint.secrets, now)
    return [
        _Parcel(
            Lease(program_id, endpoint_id, bytes(row.id), until, row.attempt_count),
            endpoint.url,
            secrets,
            ids.show_id("msg", bytes(row.message_id)),
            bodies[bytes(row.message_id)],
        )
        for row in rows
    ]


def _bodies(
    connection: sa.Connection, program_id: bytes, message_ids: Sequence[bytes]
) -> dict[bytes, bytes]:
    """The messages as they are sent. Built anew at each attempt: no copy of a member's reference
    waits in a delivery for the member to be erased."""
    messages = connection.execute(
        sa.select(OutboxMessage).where(
            OutboxMessage.program_id == program_id, OutboxMessage.id.in_(message_ids)
        )
    ).all()
    members = sorted({bytes(one.member_id) for one in messages if one.member_id is not None})
    refs = _sender().read_member_refs(connection, program_id, members) if members else {}
    return {bytes(one.id): _body(one, refs) for one in messages}


def _body(message: Any, refs: dict[bytes, str]) -> bytes:
    data: dict[str, Any] = {"program_id": ids.show_id("prg", bytes(message.program_id))}
    if message.member_id is not None:
        member_id = bytes(message.member_id)
        data["member"] = {"id": ids.show_id("mem", member_id), "member_ref": refs.get(member_id)}
    return jsontext.write(
        {
            "type": message.type,
            "timestamp": clock.format_instant(message.created_at),
            "data": data | jsontext.parse(message.payload),
        }
    )


def _send_row(sender: _Sender, parcels: Sequence[_Parcel]) -> int:
    """Send parcels for one endpoint, one after the other; how many. At the first failure, or
    when it takes long, the rest is given back: it is due at once, or when the endpoint is."""
    ends_at = time.monotonic() + _ROW_SECONDS
    with sender.app.app_context():
        for count, parcel in enumerate(parcels, start=1):
            is_success = _send_and_mark(sender, parcel)
            if not is_success or time.monotonic() > ends_at:
                with sender.marking:
                    _give_back(parcels[count:])
                return count
    return len(parcels)


def _send_and_mark(sender: _Sender, parcel: _Parcel) -> bool:
    at = clock.system_now()
    failpoints.reach("webhooks.before_send")
    outcome = _send(parcel, at)
    failpoints.reach("webhooks.after_send")
    # Few at once: a worker has few database connections.
    with sender.marking:
        db.in_transaction(
            lambda connection: attempts.record(connection, parcel.lease, outcome, at=at)
        )
    return outcome.is_success


def _give_back(parcels: Sequence[_Parcel]) -> None:
    if not parcels:
        return
    lease = parcels[0].lease
    statement = (
        sa.update(WebhookDelivery)
        .where(
            WebhookDelivery.program_id == lease.program_id,
            WebhookDelivery.id.in_([one.lease.delivery_id for one in parcels]),
            WebhookDelivery.leased_until == lease.leased_until,
        )
        .values(leased_until=None)
    )
    db.in_transaction(lambda connection: connection.execute(statement))


def _send(parcel: _Parcel, at: clock.Instant) -> sending.Outcome:
    lease, timestamp = parcel.lease, at // clock.SECOND
    try:
        secrets = [
            endpoints.reveal(lease.program_id, lease.endpoint_id, one) for one in parcel.secrets
        ]
    except signing.SealError as error:
        return sending.Outcome(0, error=str(error))
    headers = {
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(
            parcel.message_id, timestamp, parcel.body, secrets=secrets
        ),
    }
    return sending.post(parcel.url, parcel.body, headers=headers, outgoing=_outgoing())
