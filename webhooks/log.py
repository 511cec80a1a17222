"""The log of deliveries: what was sent when and what came of it; and sending again."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids
from core.errors import Problem, not_found
from core.outbox import OutboxMessage
from webhooks import endpoints
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

PREFIX = "whd"
STATES = ("pending", "delivered", "failed", "cancelled")


def list_deliveries(
    connection: sa.Connection,
    program_id: bytes,
    *,
    endpoint_id: bytes | None = None,
    state: str | None = None,
    type: str | None = None,
    before: bytes | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Deliveries, newest first, one more than `limit`; each with its attempts."""
    statement = (
        sa.select(WebhookDelivery)
        .where(WebhookDelivery.program_id == program_id)
        .order_by(WebhookDelivery.id.desc())
        .limit(limit + 1)
    )
    if endpoint_id is not None:
        statement = statement.where(WebhookDelivery.endpoint_id == endpoint_id)
    if state is not None:
        statement = statement.where(WebhookDelivery.state == state)
    if type is not None:
        statement = statement.where(WebhookDelivery.type == type)
    if before is not None:
        statement = statement.where(WebhookDelivery.id < before)
    return _shown(connection, program_id, connection.execute(statement).all())


def get_delivery(
    connection: sa.Connection, program_id: bytes, delivery_id: bytes | None
) -> dict[str, Any]:
    """One delivery with its attempts; 404 when there is none."""
    return _shown(connection, program_id, [_get(connection, program_id, delivery_id)])[0]


def _get(connection: sa.Connection, program_id: bytes, delivery_id: bytes | None) -> Any:
    row = None
    if delivery_id is not None:
        row = connection.execute(
            sa.select(WebhookDelivery).where(
                WebhookDelivery.program_id == program_id, WebhookDelivery.id == delivery_id
            )
        ).first()
    if row is None:
        raise not_found("webhook delivery")
    return row


def replay(
    connection: sa.Connection,
    program_id: bytes,
    delivery_id: bytes | None,
    *,
    now: clock.Instant,
) -> dict[str, Any]:
    """Send a message again, at once and under its own id, with the whole schedule before it."""
    row = _get(connection, program_id, delivery_id)
    endpoint = connection.execute(
        sa.select(WebhookEndpoint.state)
        .where(WebhookEndpoint.program_id == program_id, WebhookEndpoint.id == row.endpoint_id)
        .with_for_update(read=True)
    ).one()
    if endpoint.state != "enabled":
        raise Problem(
            409,
            "state_conflict",
            "The endpoint was deleted: make a new one; it is told of what happens from then on."
            if endpoint.state == "deleted"
            else f"The endpoint is {endpoint.state}: enable it first.",
            state=endpoint.state,
        )
    message = connection.execute(
        sa.select(OutboxMessage.id).where(
            OutboxMessage.program_id == program_id, OutboxMessage.id == row.message_id
        )
    ).first()
    if message is None:
        raise Problem(409, "state_conflict", "The message is kept no longer.", state="gone")
    # A lease stays: who sends it at this moment marks it, and may find it to be done.
    connection.execute(
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.program_id == program_id, WebhookDelivery.id == row.id)
        .values(state="pending", attempt_count=0, next_at=now)
    )
    return get_delivery(connection, program_id, bytes(row.id))


def _shown(
    connection: sa.Connection, program_id: bytes, rows: Sequence[Any]
) -> list[dict[str, Any]]:
    attempts: dict[bytes, list[dict[str, Any]]] = {bytes(row.id): [] for row in rows}
    if rows:
        for one in connection.execute(
            sa.select(WebhookAttempt)
            .where(
                WebhookAttempt.program_id == program_id,
                WebhookAttempt.delivery_id.in_(list(attempts)),
            )
            .order_by(WebhookAttempt.delivery_id, WebhookAttempt.at, WebhookAttempt.id)
        ):
            attempts[bytes(one.delivery_id)].append(
                {
                    "at": clock.format_instant(one.at),
                    "status": one.status,
                    "duration_ms": one.duration_ms,
                    "error": one.error,
                    "response": one.response,
                }
            )
    return [_show(row, attempts[bytes(row.id)]) for row in rows]


def _show(row: Any, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": ids.show_id(PREFIX, bytes(row.id)),
        "endpoint_id": ids.show_id(endpoints.PREFIX, bytes(row.endpoint_id)),
        "message_id": ids.show_id("msg", bytes(row.message_id)),
        "type": row.type,
        "state": row.state,
        "attempts": attempts,
        "next_at": endpoints.shown_instant(row.next_at),
        "created_at": clock.format_instant(row.created_at),
    }
