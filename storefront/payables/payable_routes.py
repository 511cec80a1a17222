"""Addresses of cash that is owed, and of its exports."""

from typing import Any

from flask import Response

from core import auth, db, http, idempotency, jsontext
from core.paging import PageQuery
from storefront.payables import exporting, listing
from storefront.payables import payable_schemas as schemas

routes = http.Routes("payables", __name__, url_prefix="/v1", description="Cash that is owed.")


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "GET", "/payables", answers={200: schemas.PayablesAnswer()}, query=schemas.PayablesQuery()
)
def list_payables(query: dict[str, Any]) -> dict[str, Any]:
    """What came to be owed, and what is owed no longer (below zero), newest first."""
    program_id = _program_id()
    return db.reading(lambda connection: listing.find_all(connection, program_id, query))


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/payables",
    answers={200: schemas.MemberPayablesAnswer()},
    query=schemas.MemberPayablesQuery(),
)
def list_member_payables(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """The same of one member, with what they are owed in all."""
    program_id = _program_id()
    return db.reading(
        lambda connection: listing.of_member(connection, program_id, member_ref, query)
    )


@routes.operation(
    "POST",
    "/payables/exports",
    answers={201: schemas.PayableExportAnswer()},
    body=schemas.PayableExportBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def post_export(body: dict[str, Any]) -> Response:
    """Export what is owed, to be paid elsewhere: each member the sum of theirs, and each payable
    once. Whose sum is not above zero stays for the next export."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: exporting.export(connection, program_id, body, actor=actor)
    )


@routes.operation(
    "GET", "/payables/exports", answers={200: schemas.PayableExportsAnswer()}, query=PageQuery()
)
def list_exports(query: dict[str, Any]) -> dict[str, Any]:
    """Exports, newest first."""
    program_id = _program_id()
    return db.reading(lambda connection: exporting.find_all(connection, program_id, query))


@routes.operation(
    "GET",
    "/payables/exports/<export_id>",
    answers={
        200: {
            "description": "The export with a line for each member.",
            "content": {
                "application/json": {"schema": schemas.PayableExportWithLinesAnswer()},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
    query=schemas.PayableExportQuery(),
)
def get_export(export_id: str, query: dict[str, Any]) -> Response:
    """An export with what each member is to be paid, as JSON or CSV.

    In CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    program_id = _program_id()
    found = db.reading(lambda connection: exporting.get(connection, program_id, export_id))
    if query["format"] == "json":
        return Response(jsontext.write(found), mimetype="application/json")
    return Response(
        exporting.write_csv(found),
        mimetype="text/csv",
        headers={
            "Content-Disposition": f"attachment; filename=payables-{found['id']}.csv",
            "Cache-Control": "no-store",
        },
    )
