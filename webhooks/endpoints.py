"""Endpoints: making, changing and showing them, and the secrets they sign with.

A secret leaves this module in clear only to sign and to be shown once. Endpoints go by the
machine's clock: whoever moves a test program's clock does not move the world's.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import current_app

from config import Settings
from core import clock, ids, jsontext
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from webhooks import addresses, sending, signing, types
from webhooks.models import WebhookDelivery, WebhookEndpoint

PREFIX = "whe"
ENDPOINTS_MAX = 50
#: How long an old secret still signs beside the new one, and how many do at most.
_OVERLAP = 24 * 3600 * clock.SECOND
_SECRETS_MAX = 5

Sealed = list[dict[str, Any]]


def owner(program_id: bytes, endpoint_id: bytes) -> bytes:
    """What a secret is bound to when it is sealed."""
    return program_id + endpoint_id


def _keys() -> tuple[str, ...]:
    settings: Settings = current_app.extensions["dangol.settings"]
    return settings.secret_keys


def reveal(program_id: bytes, endpoint_id: bytes, sealed: str) -> str:
    """A sealed secret in clear; `sealing.SealError` when SECRET_KEY changed without a fallback."""
    return signing.unseal(sealed, keys=_keys(), owner=owner(program_id, endpoint_id))


def in_force(stored: str, now: int) -> list[str]:
    """The sealed secrets that sign now, the newest first."""
    found: Sealed = jsontext.parse(stored)
    return [one["sealed"] for one in found if one["until"] is None or one["until"] > now]


def check_url(url: str) -> str:
    """The URL, when it could be called; 422 otherwise."""
    outgoing: sending.Outgoing = current_app.extensions["dangol.outgoing"]
    try:
        addresses.parse(url, outgoing.allowed)
    except addresses.AddressError as error:
        hint = ""
        if isinstance(error, addresses.InsideError):
            hint = "; the operator may allow its network with WEBHOOK_ALLOWED_CIDRS"
        raise invalid_at("/url", f"{error}{hint}", code="address_refused") from None
    return url


def check_types(patterns: list[str]) -> list[str]:
    """The types asked for, each once; 422 names those that do not exist."""
    unknown = [
        FieldError(f"/types/{index}", "unknown_type", "is no type; there are: " + _OFFERED)
        for index, pattern in enumerate(patterns)
        if pattern not in types.PATTERNS
    ]
    if unknown:
        raise invalid(unknown)
    return list(dict.fromkeys(patterns))


_OFFERED = ", ".join(types.PATTERNS)


def create(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, now: clock.Instant
) -> dict[str, Any]:
    """Make an endpoint; the answer holds its secret sealed (see `routes`)."""
    url, patterns = check_url(body["url"]), check_types(body["types"])
    secret = body.get("secret") or signing.make_secret()
    fault = signing.secret_fault(secret)
    if fault:
        raise invalid_at("/secret", fault)
    count = connection.execute(
        sa.select(sa.func.count())
        .select_from(WebhookEndpoint)
        .where(WebhookEndpoint.program_id == program_id, WebhookEndpoint.state != "deleted")
    ).scalar_one()
    if count >= ENDPOINTS_MAX:
        raise Problem(
            409,
            "state_conflict",
            f"A program has at most {ENDPOINTS_MAX} endpoints: delete one first.",
            state="full",
        )
    endpoint_id = ids.new_id()
    sealed = signing.seal(secret, keys=_keys(), owner=owner(program_id, endpoint_id))
    connection.execute(
        sa.insert(WebhookEndpoint).values(
            program_id=program_id,
            id=endpoint_id,
            url=url,
            types=jsontext.text(patterns),
            description=body.get("description"),
            secrets=jsontext.text([{"sealed": sealed, "until": None}]),
            state="enabled",
            failure_count=0,
            created_at=now,
            updated_at=now,
        )
    )
    return show(get(connection, program_id, endpoint_id)) | {"secret": sealed}


def find(
    connection: sa.Connection,
    program_id: bytes,
    endpoint_id: bytes | None,
    *,
    is_locking: bool = False,
) -> Any:
    """The endpoint's row, deleted or not, or None."""
    if endpoint_id is None:
        return None
    statement = sa.select(WebhookEndpoint).where(
        WebhookEndpoint.program_id == program_id, WebhookEndpoint.id == endpoint_id
    )
    if is_locking:
        statement = statement.with_for_update()
    return connection.execute(statement).first()


def get(
    connection: sa.Connection,
    program_id: bytes,
    endpoint_id: bytes | None,
    *,
    is_locking: bool = False,
) -> Any:
    """The row of an endpoint that is not deleted; 404 when there is none."""
    row = find(connection, program_id, endpoint_id, is_locking=is_locking)
    if row is None or row.state == "deleted":
        raise not_found("webhook endpoint")
    return row


def change(
    connection: sa.Connection,
    program_id: bytes,
    endpoint_id: bytes | None,
    body: Mapping[str, Any],
    *,
    now: clock.Instant,
) -> dict[str, Any]:
    """Set the fields given. Enabling forgets earlier failures; disabling cancels what waits."""
    row = get(connection, program_id, endpoint_id, is_locking=True)
    values: dict[str, Any] = {"updated_at": now}
    if "url" in body:
        values["url"] = check_url(body["url"])
    if "types" in body:
        values["types"] = jsontext.text(check_types(body["types"]))
    if "description" in body:
        values["description"] = body["description"]
    if "url" in body or body.get("state") == "enabled":
        values |= HEALTHY
    if body.get("state") == "enabled":
        values |= {"state": "enabled", "disabled_reason": None}
    _set(connection, program_id, row.id, values)
    if body.get("state") == "disabled" and row.state == "enabled":
        disable(connection, program_id, row.id, reason="disabled by a request", now=now)
    return show(get(connection, program_id, row.id))


#: What an endpoint looks like that did not fail lately.
HEALTHY: dict[str, Any] = {"failing_since": None, "failure_count": 0, "paused_until": None}


def _set(
    connection: sa.Connection, program_id: bytes, endpoint_id: bytes, values: Mapping[str, Any]
) -> None:
    connection.execute(
        sa.update(WebhookEndpoint)
        .where(WebhookEndpoint.program_id == program_id, WebhookEndpoint.id == endpoint_id)
        .values(**values)
    )


def disable(
    connection: sa.Connection,
    program_id: bytes,
    endpoint_id: bytes,
    *,
    reason: str,
    now: clock.Instant,
    state: str = "disabled",
) -> None:
    """Tell an endpoint, which the caller has locked, nothing more; what waits is cancelled."""
    values = {"state": state, "disabled_reason": reason[:500], "updated_at": now}
    _set(connection, program_id, endpoint_id, values)
    connection.execute(
        sa.update(WebhookDelivery)
        .where(
            WebhookDelivery.program_id == program_id,
            WebhookDelivery.endpoint_id == endpoint_id,
            WebhookDelivery.state == "pending",
        )
        .values(state="cancelled", next_at=None, leased_until=None)
    )


def delete(
    connection: sa.Connection, program_id: bytes, endpoint_id: bytes | None, *, now: clock.Instant
) -> None:
    """Delete an endpoint and forget its secrets; again changes nothing. 404 for an unknown one."""
    row = find(connection, program_id, endpoint_id, is_locking=True)
    if row is None:
        raise not_found("webhook endpoint")
    if row.state != "deleted":
        disable(connection, program_id, row.id, reason="deleted", now=now, state="deleted")
        _set(connection, program_id, row.id, {"secrets": "[]"})


def rotate(
    connection: sa.Connection, program_id: bytes, endpoint_id: bytes | None, *, now: clock.Instant
) -> dict[str, Any]:
    """Make a new secret; those before it sign as well for 24 hours more."""
    row = get(connection, program_id, endpoint_id, is_locking=True)
    earlier: Sealed = jsontext.parse(row.secrets)
    kept = [
        {"sealed": one["sealed"], "until": one["until"] or now + _OVERLAP}
        for one in earlier
        if one["until"] is None or one["until"] > now
    ]
    bound = owner(program_id, bytes(row.id))
    sealed = signing.seal(signing.make_secret(), keys=_keys(), owner=bound)
    secrets = [{"sealed": sealed, "until": None}, *kept][:_SECRETS_MAX]
    _set(connection, program_id, row.id, {"secrets": jsontext.text(secrets), "updated_at": now})
    return show(get(connection, program_id, row.id)) | {"secret": sealed}


def list_all(
    connection: sa.Connection, program_id: bytes, *, before: bytes | None, limit: int
) -> list[Any]:
    """Endpoints that are not deleted, newest first; one more than `limit`."""
    statement = (
        sa.select(WebhookEndpoint)
        .where(WebhookEndpoint.program_id == program_id, WebhookEndpoint.state != "deleted")
        .order_by(WebhookEndpoint.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(WebhookEndpoint.id < before)
    return list(connection.execute(statement))


def show(row: Any) -> dict[str, Any]:
    """An endpoint as the contract words it, without its secrets."""
    return {
        "id": ids.show_id(PREFIX, bytes(row.id)),
        "url": row.url,
        "types": jsontext.parse(row.types),
        "description": row.description,
        "state": row.state,
        "disabled_reason": row.disabled_reason,
        "failing_since": shown_instant(row.failing_since),
        "created_at": clock.format_instant(row.created_at),
        "updated_at": clock.format_instant(row.updated_at),
    }


def shown_instant(instant: int | None) -> str | None:
    """An instant, or null."""
    return None if instant is None else clock.format_instant(instant)
