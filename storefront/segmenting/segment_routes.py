"""Addresses of segments."""

from typing import Any

from core import auth, db, http, paging
from core.paging import PageQuery
from storefront.segmenting import segment_schemas as schemas
from storefront.segmenting import showing

routes = http.Routes("segments", __name__, url_prefix="/v1", description="Segments.")


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation("GET", "/segments", answers={200: schemas.SegmentsAnswer()}, query=PageQuery())
def list_segments(query: dict[str, Any]) -> dict[str, Any]:
    """The segments, in the order of the document, with how many belonged to each at the last
    look."""
    found = db.reading(lambda connection: showing.list_segments(connection, _program_id()))
    return paging.of_list(found, query)


@routes.operation(
    "GET",
    "/segments/<key>/members",
    answers={200: schemas.SegmentMembersAnswer()},
    query=PageQuery(),
)
def list_segment_members(key: str, query: dict[str, Any]) -> dict[str, Any]:
    """Who belonged to a segment at its last look, oldest members first."""
    program_id = _program_id()
    return db.reading(lambda connection: showing.list_members(connection, program_id, key, query))


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/segments",
    answers={200: schemas.MemberSegmentsAnswer()},
    query=PageQuery(),
)
def list_member_segments(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """The segments to which a member belongs now, as a rule would see it."""
    program_id = _program_id()
    found = db.reading(lambda connection: showing.of_member(connection, program_id, member_ref))
    return paging.of_list(found, query)
