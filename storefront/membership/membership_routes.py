"""Addresses of membership as a whole: moving in, merging, erasing, claiming."""

from typing import Any

from flask import Response

from core import auth, db, http, idempotency, paging
from core.paging import PageQuery
from members import erasing
from members.schemas import MembersBatchSchema, MergeSchema
from storefront import cards, schemas
from storefront.membership import claims, erasure, membership_schemas, merging, moving_in
from storefront.tiers import manual_tiers, tier_log

routes = http.Routes("membership", __name__, url_prefix="/v1", description="Membership.")


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "POST",
    "/members/batch",
    answers={200: membership_schemas.MembersBatchAnswer()},
    body=MembersBatchSchema(),
)
def put_members(body: dict[str, Any]) -> dict[str, Any]:
    """Tell up to 500 members, with what they bring along; each converges by itself, so no
    Idempotency-Key is needed."""
    return {"results": moving_in.put(_program_id(), body["members"], actor=auth.actor())}


@routes.operation(
    "POST",
    "/members/<ref:member_ref>/merge",
    answers={200: membership_schemas.MergeAnswer()},
    body=MergeSchema(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def merge_members(member_ref: str, body: dict[str, Any]) -> Response:
    """Merge a member into another; the old reference stays an alias for ever."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: merging.merge(
            connection, program_id, member_ref, body["into_member_ref"], actor=actor
        ),
        subjects=erasing.named(program_id, member_ref, body["into_member_ref"]),
    )


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/cards",
    answers={200: schemas.CardsAnswer()},
    query=PageQuery(),
)
def list_cards(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """A member's stamp cards by the program's clock, in the order of the document."""
    found = db.reading(lambda connection: cards.list_cards(connection, _program_id(), member_ref))
    return paging.of_list(found, query)


@routes.operation(
    "POST",
    "/members/<ref:member_ref>/tier",
    answers={200: membership_schemas.ManualTierAnswer()},
    body=membership_schemas.ManualTierBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def set_tier(member_ref: str, body: dict[str, Any]) -> Response:
    """Give a member a level by hand until an end, with a reason; null ends it. Entering it pays its
    entry effects like any other entry, once per term."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: manual_tiers.put(connection, program_id, member_ref, body, actor=actor),
        subjects=erasing.named(program_id, member_ref),
    )


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/tier/changes",
    answers={200: membership_schemas.TierChangesAnswer()},
    query=PageQuery(),
)
def list_tier_changes(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every change of a member's level, the newest first."""
    program_id = _program_id()
    return db.reading(
        lambda connection: tier_log.list_changes(connection, program_id, member_ref, query)
    )


@routes.operation(
    "DELETE", "/members/<ref:member_ref>", answers={200: membership_schemas.ErasureAnswer()}
)
def erase_member(member_ref: str) -> dict[str, Any]:
    """Erase a member: personal data goes everywhere, what is left of their points is forfeited by
    entries, and sums stay. Erasing again answers the same."""
    return erasure.erase(_program_id(), member_ref, actor=auth.actor())


@routes.operation(
    "POST",
    "/claims",
    answers={200: schemas.OrderAnswer()},
    body=membership_schemas.ClaimBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def claim_order(body: dict[str, Any]) -> Response:
    """Give a guest's order to a member, once, by its token."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        claims.claim(program_id, body, actor=actor),
        subjects=erasing.named(program_id, body["member_ref"]),
    )
