"""Addresses of webhooks: endpoints and the log of deliveries."""

from typing import Any

import sqlalchemy as sa
from flask import Response

from core import auth, clock, db, http, idempotency, ids, jsontext, paging, sealing
from core.errors import Problem
from webhooks import endpoints, log, schemas

routes = http.Routes("webhooks", __name__, url_prefix="/v1", description="Webhooks.")

_ENDPOINT = schemas.EndpointAnswer()
_NEW_ENDPOINT = schemas.NewEndpointAnswer()


def _program_id() -> bytes:
    return auth.credential().program_id


def _endpoint_id(shown: str) -> bytes | None:
    return ids.read_id(endpoints.PREFIX, shown)


def _once_with_secret(work: idempotency.Work) -> Response:
    """Run `work` once per key. Its answer is stored with the secret sealed, and sent, the first
    time and each time it is repeated, with the secret in clear."""
    response, program_id = idempotency.once(work), _program_id()
    body = jsontext.parse(response.get_data())
    endpoint_id = ids.read_id(endpoints.PREFIX, body["id"])
    assert endpoint_id is not None
    # Deleting an endpoint forgets its secrets: a repeat does not bring one back.
    db.reading(lambda connection: endpoints.get(connection, program_id, endpoint_id))
    try:
        body["secret"] = endpoints.reveal(program_id, endpoint_id, body["secret"])
    except sealing.SealError:
        raise Problem(
            409,
            "state_conflict",
            "This secret cannot be shown any more, since SECRET_KEY has changed: rotate it.",
            state="sealed",
        ) from None
    response.set_data(jsontext.write(body))
    return response


@routes.operation(
    "POST",
    "/webhook-endpoints",
    answers={201: _NEW_ENDPOINT},
    body=schemas.EndpointBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def create_endpoint(body: dict[str, Any]) -> Response:
    """Make an endpoint; its signing secret is shown this once."""
    program_id = _program_id()
    return _once_with_secret(
        lambda connection: (
            endpoints.create(connection, program_id, body, now=clock.system_now()),
            201,
        )
    )


@routes.operation(
    "GET",
    "/webhook-endpoints",
    answers={200: schemas.EndpointsAnswer()},
    query=paging.PageQuery(),
)
def list_endpoints(query: dict[str, Any]) -> dict[str, Any]:
    """Endpoints, newest first, without their secrets."""
    cursor = paging.read_cursor(query.get("cursor"), [str])
    before = paging.read_id(endpoints.PREFIX, cursor[0]) if cursor else None
    program_id, limit = _program_id(), query["limit"]
    rows = db.reading(
        lambda connection: endpoints.list_all(connection, program_id, before=before, limit=limit)
    )
    return paging.page(
        rows,
        limit,
        key=lambda row: [ids.show_id(endpoints.PREFIX, bytes(row.id))],
        show=endpoints.show,
    )


@routes.operation("GET", "/webhook-endpoints/<endpoint_id>", answers={200: _ENDPOINT})
def get_endpoint(endpoint_id: str) -> dict[str, Any]:
    """One endpoint."""
    program_id, known = _program_id(), _endpoint_id(endpoint_id)
    return db.reading(
        lambda connection: endpoints.show(endpoints.get(connection, program_id, known))
    )


@routes.operation(
    "PATCH",
    "/webhook-endpoints/<endpoint_id>",
    answers={200: _ENDPOINT},
    body=schemas.EndpointChanges(),
)
def change_endpoint(endpoint_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change an endpoint, disable it, or enable it again."""
    program_id, known = _program_id(), _endpoint_id(endpoint_id)
    return db.in_transaction(
        lambda connection: endpoints.change(
            connection, program_id, known, body, now=clock.system_now()
        )
    )


@routes.operation(
    "DELETE", "/webhook-endpoints/<endpoint_id>", answers={204: "The endpoint is deleted."}
)
def delete_endpoint(endpoint_id: str) -> tuple[str, int]:
    """Delete an endpoint; what it was sent stays in the log."""
    program_id, known = _program_id(), _endpoint_id(endpoint_id)
    db.in_transaction(
        lambda connection: endpoints.delete(connection, program_id, known, now=clock.system_now())
    )
    return "", 204


@routes.operation(
    "POST",
    "/webhook-endpoints/<endpoint_id>/rotate-secret",
    answers={200: _NEW_ENDPOINT},
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def rotate_secret(endpoint_id: str) -> Response:
    """Make a new signing secret; for 24 hours messages carry the old one's signature as well."""
    program_id, known = _program_id(), _endpoint_id(endpoint_id)
    return _once_with_secret(
        lambda connection: (
            endpoints.rotate(connection, program_id, known, now=clock.system_now()),
            200,
        )
    )


@routes.operation(
    "GET",
    "/webhook-deliveries",
    answers={200: schemas.DeliveriesAnswer()},
    query=schemas.DeliveriesQuery(),
)
def list_deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """What was sent to whom and what came of it, newest first."""
    cursor = paging.read_cursor(query.get("cursor"), [str])
    before = paging.read_id(log.PREFIX, cursor[0]) if cursor else None
    program_id, limit = _program_id(), query["limit"]

    def read(connection: sa.Connection) -> list[dict[str, Any]]:
        endpoint_id = None
        if "endpoint" in query:
            # Also of one that is deleted: its log stays. Of an unknown one: 404.
            endpoint_id = _endpoint_id(query["endpoint"])
            if endpoints.find(connection, program_id, endpoint_id) is None:
                endpoints.get(connection, program_id, None)
        return log.list_deliveries(
            connection,
            program_id,
            endpoint_id=endpoint_id,
            state=query.get("state"),
            type=query.get("type"),
            before=before,
            limit=limit,
        )

    rows = db.reading(read)
    return paging.page(rows, limit, key=lambda one: [one["id"]], show=lambda one: one)


@routes.operation(
    "POST",
    "/webhook-deliveries/<delivery_id>/replay",
    answers={202: schemas.DeliveryAnswer()},
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def replay_delivery(delivery_id: str) -> Response:
    """Send a message again under its own id; the receiver recognises it by webhook-id."""
    program_id, known = _program_id(), ids.read_id(log.PREFIX, delivery_id)

    def work(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        answer = log.replay(connection, program_id, known, now=clock.system_now())
        # This answer is stored: what a receiver said, which may be personal, is in the log alone.
        for attempt in answer["attempts"]:
            attempt["response"] = None
        return answer, 202

    return idempotency.once(work)
