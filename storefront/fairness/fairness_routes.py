"""Addresses of what anybody may check of draws."""

import re
from typing import Any

from core import auth, db, http
from core.errors import not_found
from core.paging import PageQuery
from storefront.fairness import fairness_schemas as schemas
from storefront.fairness import showing

routes = http.Routes("fairness", __name__, url_prefix="/v1", description="Draws to be checked.")
#: No epoch has a larger number: it is an integer of 32 bits.
_NUMBER_MAX = 2**31 - 1
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "GET", "/fairness/epochs", answers={200: schemas.EpochsAnswer()}, query=PageQuery()
)
def list_epochs(query: dict[str, Any]) -> dict[str, Any]:
    """Epochs, newest first, with seed and root of those that are closed, and the anchors that were
    published before anything was drawn."""
    program_id = _program_id()
    return db.reading(lambda connection: showing.list_epochs(connection, program_id, query))


@routes.operation(
    "GET",
    "/fairness/epochs/<number>/receipts",
    answers={200: schemas.ReceiptsAnswer()},
    query=PageQuery(),
    problems=(409,),
)
def list_receipts(number: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every receipt of a closed epoch, in the order of their leaves below its root."""
    known = int(number) if _NUMBER.fullmatch(number) else 0
    if not 0 < known <= _NUMBER_MAX:
        raise not_found("epoch")
    program_id = _program_id()
    return db.reading(
        lambda connection: showing.list_receipts(connection, program_id, known, query)
    )


@routes.operation("GET", "/draws/<draw_id>", answers={200: schemas.DrawAnswer()})
def get_draw(draw_id: str) -> dict[str, Any]:
    """One draw: roll and threshold, or the guard that failed, and once its epoch is closed the
    proof that it stands below the root."""
    program_id = _program_id()
    return db.reading(lambda connection: showing.get_draw(connection, program_id, draw_id))
