"""Deliveries: the outbox becomes one row for each endpoint, and each row is sent at least once.

Two duties of a worker, for any number of workers at once: `dispatch_due` and `deliver_due`.
Rows are leased in a transaction, sent outside of any, and marked in another. Each endpoint has
at most two threads of a process, each with a short row of deliveries that it drops at the first
failure; those that fail or answer late share half of the threads, one each; and a program has at
most a quarter of them while others wait: a slow receiver delays nobody else. Order within an
endpoint is best effort.
"""

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from config import Settings
from core import clock, db, failpoints, ids, jsontext, outbox, sealing
from webhooks import attempts, endpoints, parcels, sending, signing, types
from webhooks.models import WebhookDelivery, WebhookEndpoint
from webhooks.parcels import Parcel, ReadMemberRefs

DISPATCHED_AT_ONCE = 500
PER_ENDPOINT = 2
#: Deliveries that a thread takes at once, and for how long it goes on with them.
_ROW = 20
_ROW_SECONDS = 2.0
#: How long one call of `deliver_due` goes on with what falls due meanwhile.
_CALL_SECONDS = 1.0
_WAIT_SECONDS = 0.25
_MARKING_AT_ONCE = 2

#: An endpoint whose last attempt took longer is treated like one that fails.
_SLOW_MS = 1000


_Key = tuple[bytes, bytes]
_log = logging.getLogger("dangol.webhooks")


class _Sender:
    """The threads of one process and what they have under way."""

    def __init__(self, app: Flask, read_member_refs: ReadMemberRefs) -> None:
        self.app = app
        self.read_member_refs = read_member_refs
        self.marking = threading.BoundedSemaphore(_MARKING_AT_ONCE)
        self.turn = threading.Lock()
        self.under_way: dict[Future[int], tuple[_Key, bool]] = {}
        #: Endpoints that answered late, the last time that this process asked.
        self.slow: set[_Key] = set()
        self.last: _Key = (b"", b"")
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, row: Sequence[Parcel], *, is_failing: bool) -> None:
        """Send parcels on a thread. Threads are made late: a server forks before it serves."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_outgoing().threads, thread_name_prefix="webhooks")
        key = (row[0].lease.program_id, row[0].lease.endpoint_id)
        self.under_way[self._pool.submit(_send_row, self, row)] = (key, is_failing)

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

    def room(self, key: _Key, *, is_failing: bool, most: int) -> int:
        """How many more threads the endpoint may have now, its program having at most `most`."""
        threads = _outgoing().threads
        counts = Counter(one for one, _ in self.under_way.values())
        of_program = sum(count for one, count in counts.items() if one[0] == key[0])
        left = min(threads - len(self.under_way), most - of_program)
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
    due = db.reading(lambda connection: parcels.list_due_endpoints(connection, now))
    # Whoever was served last comes last, or the first programs would take every thread.
    due.sort(key=lambda row: (bytes(row.program_id), bytes(row.id)) <= sender.last)
    threads = _outgoing().threads
    # Once everybody has had their part, what is left over is for whoever has more.
    for most in (max(1, threads // 4), threads):
        due = [row for row in due if _start_endpoint(sender, row, now, most=most)]


def _start_endpoint(sender: _Sender, row: Any, now: clock.Instant, *, most: int) -> bool:
    """Start what the endpoint has room for; whether it may have more."""
    key = (bytes(row.program_id), bytes(row.id))
    is_failing = row.failing_since is not None or key in sender.slow
    for _ in range(sender.room(key, is_failing=is_failing, most=most)):
        limit = 1 if is_failing else _ROW
        leased = db.in_transaction(
            functools.partial(
                parcels.lease,
                endpoint=row,
                now=now,
                limit=limit,
                read_member_refs=sender.read_member_refs,
            )
        )
        if not leased:
            return False
        sender.last = key
        sender.submit(leased, is_failing=is_failing)
    return True


def _send_row(sender: _Sender, row: Sequence[Parcel]) -> int:
    """Send parcels for one endpoint, one after the other; how many. At the first failure, or
    when it takes long, the rest is given back: it is due at once, or when the endpoint is."""
    ends_at = time.monotonic() + _ROW_SECONDS
    with sender.app.app_context():
        for count, parcel in enumerate(row, start=1):
            is_success = _send_and_mark(sender, parcel)
            if not is_success or time.monotonic() > ends_at:
                with sender.marking:
                    _give_back(row[count:])
                return count
    return len(row)


def _send_and_mark(sender: _Sender, parcel: Parcel) -> bool:
    at = clock.system_now()
    failpoints.reach("webhooks.before_send")
    outcome = _send(parcel, at)
    failpoints.reach("webhooks.after_send")
    key = (parcel.lease.program_id, parcel.lease.endpoint_id)
    if outcome.duration_ms > _SLOW_MS:
        sender.slow.add(key)
    else:
        sender.slow.discard(key)
    # Few at once: a worker has few database connections.
    with sender.marking:
        db.in_transaction(lambda connection: _mark(connection, sender, parcel, outcome, at))
    return outcome.is_success


def _mark(
    connection: sa.Connection,
    sender: _Sender,
    parcel: Parcel,
    outcome: sending.Outcome,
    at: clock.Instant,
) -> None:
    """Record an attempt; without the answer when its member was erased meanwhile: it may repeat
    what the receiver holds of them."""
    if outcome.response and parcel.member_id is not None:
        known = sender.read_member_refs(
            connection, parcel.lease.program_id, [parcel.member_id], is_locking=True
        )
        if parcel.member_id not in known:
            outcome = replace(outcome, response=None)
    attempts.record(connection, parcel.lease, outcome, at=at)


def _give_back(row: Sequence[Parcel]) -> None:
    if not row:
        return
    lease = row[0].lease
    statement = (
        sa.update(WebhookDelivery)
        .where(
            WebhookDelivery.program_id == lease.program_id,
            WebhookDelivery.id.in_([one.lease.delivery_id for one in row]),
            WebhookDelivery.leased_until == lease.leased_until,
        )
        .values(leased_until=None)
    )
    db.in_transaction(lambda connection: connection.execute(statement))


def _send(parcel: Parcel, at: clock.Instant) -> sending.Outcome:
    lease, timestamp = parcel.lease, at // clock.SECOND
    try:
        secrets = [
            endpoints.reveal(lease.program_id, lease.endpoint_id, one) for one in parcel.secrets
        ]
    except sealing.SealError as error:
        return sending.Outcome(0, error=str(error))
    headers = {
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(
            parcel.message_id, timestamp, parcel.body, secrets=secrets
        ),
    }
    return sending.post(parcel.url, parcel.body, headers=headers, outgoing=_outgoing())
