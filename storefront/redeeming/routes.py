"""Addresses of redemptions and of the stock of rewards."""

from typing import Any

import sqlalchemy as sa
from flask import Response

from core import auth, db, http, idempotency
from core.paging import PageQuery
from storefront.redeeming import answering, ending, holding, listing, schemas, stocking
from storefront.vouchers import seeing

routes = http.Routes("redemptions", __name__, url_prefix="/v1", description="Redemptions.")

_ANSWER = schemas.RedemptionAnswer()
_KEY = (idempotency.PARAMETER,)


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "POST",
    "/redemptions",
    answers={201: _ANSWER},
    body=schemas.RedemptionBody(),
    problems=(409,),
    parameters=_KEY,
)
def post_redemption(body: dict[str, Any]) -> Response:
    """Hold a reward, or points that pay, for an open checkout."""
    program_id, actor, told = _program_id(), auth.actor(), set[bytes]()

    def work(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        answer, member_id = holding.hold_for(connection, program_id, body, actor=actor)
        told.add(member_id)
        return answer, 201

    def attempt() -> Response:
        return answering.once(work, subjects=lambda _: told)

    return stocking.with_overdue_freed(program_id, body.get("reward"), attempt)


@routes.operation(
    "POST",
    "/redemptions/<redemption_id>/capture",
    answers={200: _ANSWER},
    body=schemas.CaptureBody(),
    problems=(409,),
    parameters=_KEY,
)
def capture_redemption(redemption_id: str, body: dict[str, Any]) -> Response:
    """Spend what is held; repeating it changes nothing. An order that names the redemption does
    so by itself."""
    program_id, actor, order_ref = _program_id(), auth.actor(), body.get("order_ref")
    return answering.once(
        lambda connection: ending.capture(
            connection, program_id, redemption_id, order_ref=order_ref, actor=actor
        ),
        subjects=ending.subjects(program_id, redemption_id),
    )


@routes.operation(
    "POST",
    "/redemptions/<redemption_id>/release",
    answers={200: _ANSWER},
    problems=(409,),
    parameters=_KEY,
)
def release_redemption(redemption_id: str) -> Response:
    """Give up what is held: points go back to their lots; repeating it changes nothing."""
    program_id, actor = _program_id(), auth.actor()
    return answering.once(
        lambda connection: ending.release(connection, program_id, redemption_id, actor=actor),
        subjects=ending.subjects(program_id, redemption_id),
    )


@routes.operation(
    "POST",
    "/redemptions/<redemption_id>/reverse",
    answers={200: _ANSWER},
    body=schemas.ReverseBody(),
    problems=(409,),
    parameters=_KEY,
)
def reverse_redemption(redemption_id: str, body: dict[str, Any]) -> Response:
    """Undo what was captured: points go back to their lots and dates; repeating it changes
    nothing."""
    program_id, actor = _program_id(), auth.actor()
    return answering.once(
        lambda connection: ending.reverse(connection, program_id, redemption_id, body, actor=actor),
        subjects=ending.subjects(program_id, redemption_id),
    )


@routes.operation(
    "GET",
    "/redemptions",
    answers={200: schemas.RedemptionsAnswer()},
    query=schemas.RedemptionsQuery(),
)
def list_redemptions(query: dict[str, Any]) -> dict[str, Any]:
    """Redemptions, newest first."""
    program_id = _program_id()
    found = db.reading(lambda connection: listing.find_all(connection, program_id, query))
    return seeing.as_seen(found)


@routes.operation("GET", "/redemptions/<redemption_id>", answers={200: schemas.RedemptionView()})
def get_redemption(redemption_id: str) -> dict[str, Any]:
    """A redemption as it is now."""
    program_id = _program_id()
    found = db.reading(lambda connection: listing.get(connection, program_id, redemption_id))
    return seeing.as_seen(found)


@routes.operation(
    "POST",
    "/rewards/<key>/stock",
    answers={200: schemas.StockAnswer()},
    body=schemas.StockBody(),
    problems=(409,),
    parameters=_KEY,
)
def move_stock(key: str, body: dict[str, Any]) -> Response:
    """Stock of a reward that came or went; the document's number is only the first."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: stocking.move(connection, program_id, key, body, actor=actor)
    )


@routes.operation(
    "GET", "/rewards/<key>/stock", answers={200: schemas.StockMovesAnswer()}, query=PageQuery()
)
def get_stock(key: str, query: dict[str, Any]) -> dict[str, Any]:
    """The stock of a reward, and what came and went by hand, newest first."""
    program_id = _program_id()
    return db.reading(lambda connection: stocking.show(connection, program_id, key, query))
