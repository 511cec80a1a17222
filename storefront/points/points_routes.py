"""Addresses of points themselves: adjustments, transfers, and a test program's clock."""

from typing import Any

from flask import Response, current_app

from core import auth, db, http, idempotency
from core.paging import PageQuery
from loyalty.schemas import (
    HeadsAnswer,
    LotsAnswer,
    LotsQuery,
    ProofAnswer,
    ProofQuery,
    StatementAnswer,
    StatementQuery,
)
from members import erasing
from storefront.points import (
    adjustments,
    moving_clock,
    past,
    points_schemas,
    proving,
    statements,
    transfers,
)

routes = http.Routes("points", __name__, url_prefix="/v1", description="Points.")


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "POST",
    "/adjustments",
    answers={201: points_schemas.AdjustmentAnswer()},
    body=points_schemas.AdjustmentBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def post_adjustment(body: dict[str, Any]) -> Response:
    """Give or take points by hand, with a reason."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: adjustments.adjust(connection, program_id, body, actor=actor),
        subjects=erasing.named(program_id, body["member_ref"]),
    )


@routes.operation(
    "POST",
    "/transfers",
    answers={201: points_schemas.TransferAnswer()},
    body=points_schemas.TransferBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def post_transfer(body: dict[str, Any]) -> Response:
    """Move points from one member to another; they keep their dates."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: transfers.transfer(connection, program_id, body, actor=actor),
        subjects=erasing.named(program_id, body["from_member_ref"], body["to_member_ref"]),
    )


@routes.operation("GET", "/test-clock", answers={200: points_schemas.ClockAnswer()})
def get_test_clock() -> dict[str, Any]:
    """What a test program takes as now."""
    return db.reading(lambda connection: moving_clock.show(connection, _program_id()))


@routes.operation(
    "POST",
    "/test-clock",
    answers={200: points_schemas.ClockAnswer()},
    body=points_schemas.ClockBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def move_test_clock(body: dict[str, Any]) -> Response:
    """Move a test program's clock through everything that falls due on the way."""
    program_id = _program_id()
    answer = idempotency.once(lambda connection: moving_clock.aim(connection, program_id, body))
    moving_clock.run(program_id)
    return answer


@routes.operation(
    "GET", "/members/<ref:member_ref>/lots", answers={200: LotsAnswer()}, query=LotsQuery()
)
def list_lots(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """A member's lots, newest first: points that came together, with their dates."""
    return db.reading(lambda connection: past.lots(connection, _program_id(), member_ref, query))


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/statement",
    answers={
        200: {
            "description": "Every entry of the period, streamed.",
            "content": {
                "application/json": {"schema": StatementAnswer()},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
    query=StatementQuery(),
)
def get_statement(member_ref: str, query: dict[str, Any]) -> Response:
    """A member's entries of a period between opening and closing balances, as JSON or CSV.

    In CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    program_id = _program_id()
    statement = db.reading(
        lambda connection: statements.prepare(connection, program_id, member_ref, query)
    )
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if query["format"] == "csv":
        return Response(
            statements.write_csv(app, statement),
            mimetype="text/csv",
            headers={
                "Content-Disposition": f"attachment; filename={statements.shown_name(statement)}",
                "Cache-Control": "no-store",
            },
        )
    return Response(statements.write_json(app, statement), mimetype="application/json")


@routes.operation("GET", "/ledger/proof", answers={200: ProofAnswer()}, query=ProofQuery())
def get_proof(query: dict[str, Any]) -> dict[str, Any]:
    """What the ledger comes to, and the Merkle roots that pin every entry of it."""
    return db.reading(lambda connection: proving.prove(connection, _program_id(), query))


@routes.operation("GET", "/ledger/proof/heads", answers={200: HeadsAnswer()}, query=PageQuery())
def list_heads(query: dict[str, Any]) -> dict[str, Any]:
    """The last hash of every account's chain: the leaves of `chain_heads`."""
    return db.reading(lambda connection: proving.heads(connection, _program_id(), query))
