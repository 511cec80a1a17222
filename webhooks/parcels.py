"""Parcels: deliveries that are due, leased to this worker, with all that sending them needs.

Owns what a message says when it is sent. Sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.outbox import OutboxMessage
from webhooks import endpoints
from webhooks.attempts import Lease
from webhooks.models import WebhookDelivery, WebhookEndpoint

#: Beyond any attempt: resolving a name, connecting, sending and marking.
LEASE_SECONDS = 180
#: What payloads name other members by than the one whom a message is about: our ids are stored,
#: references are looked up when it is sent.
PARTIES = ("advocate", "friend")


class ReadMemberRefs(Protocol):
    """Of members by id, their references; those of nobody are left out. With `is_locking` they
    cannot be erased until the transaction ends."""

    def __call__(  # noqa: D102
        self,
        connection: sa.Connection,
        program_id: bytes,
        member_ids: Sequence[bytes],
        *,
        is_locking: bool = False,
    ) -> dict[bytes, str]: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """A leased delivery with all that sending it needs."""

    lease: Lease
    url: str
    secrets: Sequence[str]
    message_id: str
    member_id: bytes | None
    body: bytes


def _is_due(now: clock.Instant) -> sa.ColumnElement[bool]:
    return sa.and_(
        # Written out, so that the planner sees that the index of pending rows serves.
        sa.text("webhook_deliveries.state = 'pending'"),
        WebhookDelivery.next_at <= now,
        sa.or_(WebhookDelivery.leased_until.is_(None), WebhookDelivery.leased_until <= now),
    )


def list_due_endpoints(connection: sa.Connection, now: clock.Instant) -> list[Any]:
    """Endpoints that something is due for."""
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


def lease(
    connection: sa.Connection,
    *,
    endpoint: Any,
    now: clock.Instant,
    limit: int,
    read_member_refs: ReadMemberRefs,
) -> list[Parcel]:
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
    messages = _messages(
        connection,
        program_id,
        [bytes(row.message_id) for row in rows],
        read_member_refs=read_member_refs,
    )
    secrets = endpoints.in_force(endpoint.secrets, now)
    return [
        Parcel(
            Lease(program_id, endpoint_id, bytes(row.id), until, row.attempt_count),
            endpoint.url,
            secrets,
            ids.show_id("msg", bytes(row.message_id)),
            *messages[bytes(row.message_id)],
        )
        for row in rows
    ]


def _messages(
    connection: sa.Connection,
    program_id: bytes,
    message_ids: Sequence[bytes],
    *,
    read_member_refs: ReadMemberRefs,
) -> dict[bytes, tuple[bytes | None, bytes]]:
    """The members of messages, and the messages as they are sent. Built anew at each attempt: no
    copy of a member's reference waits in a delivery for the member to be erased."""
    messages = connection.execute(
        sa.select(OutboxMessage).where(
            OutboxMessage.program_id == program_id, OutboxMessage.id.in_(message_ids)
        )
    ).all()
    of_messages = {
        bytes(one.id): None if one.member_id is None else bytes(one.member_id) for one in messages
    }
    payloads = {bytes(one.id): jsontext.parse(one.payload) for one in messages}
    named = {
        ids.read_id("mem", payload[party])
        for payload in payloads.values()
        for party in PARTIES
        if party in payload
    }
    members = sorted({one for one in (*of_messages.values(), *named) if one is not None})
    refs = read_member_refs(connection, program_id, members) if members else {}
    return {
        bytes(one.id): (of_messages[bytes(one.id)], _body(one, payloads[bytes(one.id)], refs))
        for one in messages
    }


def _body(message: Any, payload: dict[str, Any], refs: dict[bytes, str]) -> bytes:
    data: dict[str, Any] = {"program_id": ids.show_id("prg", bytes(message.program_id))}
    if message.member_id is not None:
        data["member"] = _member(bytes(message.member_id), refs)
    for party in PARTIES:
        member_id = ids.read_id("mem", payload[party]) if party in payload else None
        if member_id is not None:
            payload = payload | {party: _member(member_id, refs)}
    return jsontext.write(
        {
            "type": message.type,
            "timestamp": clock.format_instant(message.created_at),
            "data": data | payload,
        }
    )


def _member(member_id: bytes, refs: dict[bytes, str]) -> dict[str, Any]:
    return {"id": ids.show_id("mem", member_id), "member_ref": refs.get(member_id)}
