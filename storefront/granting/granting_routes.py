"""Addresses of grants and of fulfilments."""

from typing import Any

import sqlalchemy as sa
from flask import Response

from core import auth, db, http, idempotency, jsontext
from members import erasing
from storefront.granting import by_hand, fulfilling
from storefront.granting import granting_schemas as schemas
from storefront.redeeming import stocking
from storefront.vouchers import seeing

routes = http.Routes("granting", __name__, url_prefix="/v1", description="Grants, fulfilments.")

_GRANT = schemas.GrantAnswer()
_KEY = (idempotency.PARAMETER,)


def _program_id() -> bytes:
    return auth.credential().program_id


def _with_code(response: Response) -> Response:
    """The stored answer, which holds no code, sent with the code that its grant has now."""
    body, program_id = jsontext.parse(response.get_data()), _program_id()
    grant = body["grant"]
    if grant["voucher"] is None:
        return response

    def read(connection: sa.Connection) -> dict[str, Any]:
        return by_hand.get(connection, program_id, grant["id"])

    voucher = db.reading(read)["voucher"]
    if voucher is not None:
        grant["voucher"]["code"] = voucher["code"]
        response.set_data(jsontext.write(body))
    return response


@routes.operation(
    "POST",
    "/grants",
    answers={201: _GRANT},
    body=schemas.GrantBody(),
    problems=(409,),
    parameters=_KEY,
)
def post_grant(body: dict[str, Any]) -> Response:
    """Give a member a reward without points, by hand and with a reason."""
    program_id, actor = _program_id(), auth.actor()

    def attempt() -> Response:
        return idempotency.once(
            lambda connection: by_hand.grant(connection, program_id, body, actor=actor),
            subjects=erasing.named(program_id, body["member_ref"]),
        )

    return _with_code(stocking.with_overdue_freed(program_id, body["reward"], attempt))


@routes.operation(
    "POST",
    "/grants/<grant_id>/revoke",
    answers={200: _GRANT},
    body=schemas.RevokeBody(),
    problems=(409,),
    parameters=_KEY,
)
def revoke_grant(grant_id: str, body: dict[str, Any]) -> Response:
    """Take a grant back for good, as long as it is unused; repeating it changes nothing."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: by_hand.revoke(connection, program_id, grant_id, body, actor=actor),
        subjects=by_hand.subjects(program_id, grant_id),
    )


@routes.operation(
    "GET", "/grants", answers={200: schemas.GrantsAnswer()}, query=schemas.GrantsQuery()
)
def list_grants(query: dict[str, Any]) -> dict[str, Any]:
    """Grants, newest first."""
    program_id = _program_id()
    found = db.reading(lambda connection: by_hand.find_all(connection, program_id, query))
    return seeing.as_seen(found)


@routes.operation("GET", "/grants/<grant_id>", answers={200: schemas.OwnedGrantView()})
def get_grant(grant_id: str) -> dict[str, Any]:
    """A grant as it is now, with its code."""
    program_id = _program_id()
    found = db.reading(lambda connection: by_hand.get(connection, program_id, grant_id))
    return seeing.as_seen(found)


@routes.operation(
    "GET",
    "/fulfilments",
    answers={200: schemas.FulfilmentsAnswer()},
    query=schemas.FulfilmentsQuery(),
)
def list_fulfilments(query: dict[str, Any]) -> dict[str, Any]:
    """What staff sends, oldest first."""
    program_id = _program_id()
    return db.reading(lambda connection: fulfilling.find_all(connection, program_id, query))


@routes.operation("GET", "/fulfilments/<fulfilment_id>", answers={200: schemas.FulfilmentAnswer()})
def get_fulfilment(fulfilment_id: str) -> dict[str, Any]:
    """A fulfilment with everything that became of it."""
    program_id = _program_id()
    return db.reading(lambda connection: fulfilling.get(connection, program_id, fulfilment_id))


@routes.operation(
    "PATCH",
    "/fulfilments/<fulfilment_id>",
    answers={200: schemas.FulfilmentAnswer()},
    body=schemas.FulfilmentBody(),
    problems=(409,),
)
def change_fulfilment(fulfilment_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tell what became of a fulfilment. Cancelled, its redemption is reversed: points go back, a
    grant is open again."""
    program_id, actor = _program_id(), auth.actor()
    return db.in_transaction(
        lambda connection: fulfilling.change(
            connection, program_id, fulfilment_id, body, actor=actor
        )
    )
