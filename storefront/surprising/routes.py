"""Addresses of members' surprises."""

from typing import Any

from core import auth, db, http
from storefront.surprising import listing, schemas

routes = http.Routes("surprises", __name__, url_prefix="/v1", description="Surprises.")


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/surprises",
    answers={200: schemas.MemberSurprisesAnswer()},
    query=schemas.SurprisesQuery(),
)
def list_surprises(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """What a member won, newest first, also what was taken back since; with `include=all` every
    chance they had, with what stood against it."""
    program_id = auth.credential().program_id
    return db.reading(
        lambda connection: listing.of_member(connection, program_id, member_ref, query)
    )
