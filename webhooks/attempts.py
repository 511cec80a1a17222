"""What follows from an attempt: delivered, tried again later, given up, the endpoint disabled.

Owns the schedule. Units lock the endpoint before its deliveries, so that two never wait for
each other.
"""

import hashlib
import logging
from dataclasses import dataclass

import sqlalchemy as sa

from core import clock, ids
from webhooks import endpoints
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from webhooks.sending import Outcome

#: Seconds before each attempt, after the one before it.
DELAYS = (
    0,
    5,
    5 * 60,
    30 * 60,
    2 * 3600,
    5 * 3600,
    10 * 3600,
    14 * 3600,
    20 * 3600,
    24 * 3600,
)
#: An endpoint is disabled when nothing but failures came of so many attempts over so long.
FAILURES_MAX = 10
FAILING_MAX = 5 * 24 * 3600 * clock.SECOND
#: After a time-out the whole endpoint rests, longer each time: it would only hold threads.
_REST_SECONDS, _REST_MAX = 5, 60

_log = logging.getLogger("dangol.webhooks")


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery that this worker may send until then; `attempt_count` are those before."""

    program_id: bytes
    endpoint_id: bytes
    delivery_id: bytes
    leased_until: int
    attempt_count: int


def next_at(lease: Lease, outcome: Outcome, ended_at: int) -> int | None:
    """When to try again after a failure; None when that was the last attempt.

    Jitter adds up to a tenth, by a hash: repeatable, yet different for each delivery. What the
    receiver asks for (Retry-After, at most a day) is waited for at least.
    """
    number = lease.attempt_count + 1
    if number >= len(DELAYS):
        return None
    delay = DELAYS[number] * clock.SECOND
    digest = hashlib.sha256(lease.delivery_id + number.to_bytes(2, "big")).digest()
    delay += delay * int.from_bytes(digest[:2], "big") // (10 * 65536)
    return ended_at + max(delay, (outcome.retry_after or 0) * clock.SECOND)


def record(connection: sa.Connection, lease: Lease, outcome: Outcome, *, at: clock.Instant) -> None:
    """Write what came of an attempt that began at `at`."""
    ended_at = clock.Instant(at + outcome.duration_ms * 1000)
    if outcome.is_success:
        _record_success(connection, lease)
    else:
        _record_failure(connection, lease, outcome, ended_at=ended_at)
    connection.execute(
        sa.insert(WebhookAttempt).values(
            program_id=lease.program_id,
            delivery_id=lease.delivery_id,
            id=ids.new_id(),
            at=at,
            duration_ms=outcome.duration_ms,
            status=outcome.status,
            error=outcome.error,
            response=outcome.response,
        )
    )


def _record_success(connection: sa.Connection, lease: Lease) -> None:
    connection.execute(
        sa.update(WebhookEndpoint)
        .where(
            WebhookEndpoint.program_id == lease.program_id,
            WebhookEndpoint.id == lease.endpoint_id,
            WebhookEndpoint.failure_count > 0,
        )
        .values(**endpoints.HEALTHY)
    )
    # Whatever became of the row meanwhile (lease run out, endpoint disabled): it was delivered.
    connection.execute(
        _delivery(lease).values(
            state="delivered",
            attempt_count=lease.attempt_count + 1,
            next_at=None,
            leased_until=None,
        )
    )


def _delivery(lease: Lease) -> sa.Update:
    return sa.update(WebhookDelivery).where(
        WebhookDelivery.program_id == lease.program_id, WebhookDelivery.id == lease.delivery_id
    )


def _record_failure(
    connection: sa.Connection, lease: Lease, outcome: Outcome, *, ended_at: clock.Instant
) -> None:
    row = endpoints.find(connection, lease.program_id, lease.endpoint_id, is_locking=True)
    again_at = None if outcome.status == 410 else next_at(lease, outcome, ended_at)
    # Only while the lease is ours: another worker may have taken the row after it ran out.
    connection.execute(
        _delivery(lease)
        .where(
            WebhookDelivery.state == "pending", WebhookDelivery.leased_until == lease.leased_until
        )
        .values(
            state="failed" if again_at is None else "pending",
            attempt_count=lease.attempt_count + 1,
            next_at=again_at,
            leased_until=None,
        )
    )
    if row.state != "enabled":
        return
    count = row.failure_count + 1
    since = ended_at if row.failing_since is None else row.failing_since
    connection.execute(
        sa.update(WebhookEndpoint)
        .where(
            WebhookEndpoint.program_id == lease.program_id,
            WebhookEndpoint.id == lease.endpoint_id,
        )
        .values(
            failure_count=count,
            failing_since=since,
            paused_until=_paused_until(outcome, count, ended_at),
        )
    )
    reason = _reason_to_disable(outcome, count, ended_at - since)
    if reason is not None:
        endpoints.disable(
            connection, lease.program_id, lease.endpoint_id, reason=reason, now=ended_at
        )
        _log.warning(
            "webhook endpoint disabled",
            extra={"endpoint": ids.show_id(endpoints.PREFIX, lease.endpoint_id)},
        )


def _paused_until(outcome: Outcome, count: int, ended_at: int) -> int | None:
    """Until when the endpoint is told nothing at all."""
    seconds = outcome.retry_after or 0
    if outcome.is_timeout:
        seconds = max(seconds, min(_REST_SECONDS * count, _REST_MAX))
    return ended_at + seconds * clock.SECOND if seconds else None


def _reason_to_disable(outcome: Outcome, count: int, failing_for: int) -> str | None:
    if outcome.status == 410:
        return "the endpoint answered 410 Gone"
    if count >= FAILURES_MAX and failing_for >= FAILING_MAX:
        days = failing_for // (24 * 3600 * clock.SECOND)
        return f"every attempt failed for {days} days, {count} of them"
    return None
