"""Addresses of links: made and listed for members, and as pictures for everybody."""

from typing import Any

from flask import Response

from core import auth, db, http, idempotency, paging
from core.errors import Problem
from core.paging import PageQuery
from members import erasing
from referrals import links, sharing
from storefront.referring.links import brought, linking
from storefront.referring.links import link_schemas as schemas

routes = http.Routes("links", __name__, url_prefix="/v1", description="Referral links.")
public_routes = http.Routes("link_pictures", __name__, description="Referral links.")

_LINK = schemas.LinkAnswer()
#: A picture is the same for ever, but its code may be closed one day.
_PICTURE_SECONDS = 86_400


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "POST",
    "/members/<ref:member_ref>/links",
    answers={200: _LINK, 201: _LINK},
    body=schemas.LinkBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def post_link(member_ref: str, body: dict[str, Any]) -> Response:
    """A member's link for an offer, with everything to share it in their locale: 201 when it is
    new, and the same link with 200 from then on. Counts as shared over `channel` each time. With
    `vanity` it is shown by that code, 409 where that is taken; earlier codes stay good."""
    program_id = _program_id()
    return idempotency.once(
        lambda connection: linking.issue(connection, program_id, member_ref, body),
        subjects=erasing.named(program_id, member_ref),
    )


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/links",
    answers={200: schemas.LinksAnswer()},
    query=PageQuery(),
)
def list_links(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """A member's links with everything to share them, whether they are open, and how often they
    were shared and clicked by channel; oldest first."""
    program_id = _program_id()
    found = db.reading(lambda connection: linking.list_links(connection, program_id, member_ref))
    return paging.of_list({"data": found}, query, key="id")


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/referrals",
    answers={200: schemas.BroughtAnswer()},
    query=PageQuery(),
)
def list_brought(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """Whom a member brought, how far each came, what that earned the member, and who brought the
    member themselves."""
    program_id = _program_id()
    return db.reading(
        lambda connection: brought.list_brought(connection, program_id, member_ref, query)
    )


def get_picture(link_code: str) -> Response:
    """A link as a QR code, for everybody; its channel is `qr`. Whatever else is asked is not
    looked at."""
    shown = db.reading(lambda connection: links.find_shown(connection, link_code))
    if shown is None:
        raise Problem(404, "not_found", "No link has this code.")
    response = Response(sharing.picture(linking.url_of(shown, "qr")), mimetype="image/svg+xml")
    response.cache_control.public = True
    response.cache_control.max_age = _PICTURE_SECONDS
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


_PROBLEM = {
    "description": "Problem details.",
    "content": {"application/problem+json": {"schema": http.ProblemAnswer()}},
}
_PICTURE = {
    "description": "The link as a QR code.",
    "content": {"image/svg+xml": {"schema": {"type": "string"}}},
}
# Not by `operation`, which would say of what else is asked that it is unknown, and repeat it.
public_routes.add_url_rule(
    "/r/<link_code>/qr.svg",
    "get_picture",
    public_routes.doc(
        responses={"200": _PICTURE, **dict.fromkeys(("400", "404", "500", "503"), _PROBLEM)},
    )(get_picture),
    methods=["GET"],
)
