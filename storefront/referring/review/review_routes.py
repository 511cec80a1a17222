"""Addresses of referrals as staff sees them, and of their review."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from core import auth, db, http, idempotency
from storefront.referring.attribution import by_hand
from storefront.referring.review import review_schemas as schemas
from storefront.referring.review import reviewing, showing

routes = http.Routes("referrals", __name__, url_prefix="/v1", description="Referrals.")

_DECIDED = schemas.DecidedAnswer()
_KEY = (idempotency.PARAMETER,)


def _program_id() -> bytes:
    return auth.credential().program_id


def _decide(action: reviewing.Action, referral_id: str, body: Mapping[str, Any]) -> Response:
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: reviewing.decide(
            connection, program_id, referral_id, action, body, actor=actor
        ),
        subjects=reviewing.subjects(program_id, referral_id),
    )


@routes.operation(
    "GET", "/referrals", answers={200: schemas.ReferralsAnswer()}, query=schemas.ReferralsQuery()
)
def list_referrals(query: dict[str, Any]) -> dict[str, Any]:
    """Referrals, newest first; state=in_review is the queue of reviews, oldest first."""
    program_id = _program_id()
    return db.reading(lambda connection: showing.find_all(connection, program_id, query))


@routes.operation(
    "POST",
    "/referrals",
    answers={201: _DECIDED},
    body=schemas.BringBody(),
    problems=(404, 409),
    parameters=_KEY,
)
def bring_by_hand(body: dict[str, Any]) -> Response:
    """Say who brought a friend: stronger than any evidence, as long as nothing was paid for who
    they are bound to."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: by_hand.bring(connection, program_id, body, actor=actor),
        subjects=by_hand.subjects(program_id, body),
    )


@routes.operation("GET", "/referrals/<referral_id>", answers={200: schemas.ReferralAnswer()})
def get_referral(referral_id: str) -> dict[str, Any]:
    """A referral with its evidence, what speaks against it, what it brings whom, and its log."""
    program_id = _program_id()
    return db.reading(lambda connection: showing.get(connection, program_id, referral_id))


@routes.operation(
    "POST",
    "/referrals/<referral_id>/approve",
    answers={200: _DECIDED},
    body=schemas.ReviewBody(),
    problems=(409,),
    parameters=_KEY,
)
def approve_referral(referral_id: str, body: dict[str, Any]) -> Response:
    """Clear a referral of what speaks against it: it goes on to where it would be without. One
    that costs more than the offer allows one person needs a second one's approval."""
    return _decide("approve", referral_id, body)


@routes.operation(
    "POST",
    "/referrals/<referral_id>/reject",
    answers={200: _DECIDED},
    body=schemas.ReviewBody(),
    problems=(409,),
    parameters=_KEY,
)
def reject_referral(referral_id: str, body: dict[str, Any]) -> Response:
    """Reject a referral for good; what it has paid is taken back from both."""
    return _decide("reject", referral_id, body)


@routes.operation(
    "POST",
    "/referrals/<referral_id>/block",
    answers={200: _DECIDED},
    body=schemas.BlockBody(),
    problems=(409,),
    parameters=_KEY,
)
def block_referral(referral_id: str, body: dict[str, Any]) -> Response:
    """Reject it, and let who is blocked neither refer nor be referred any more."""
    return _decide("block", referral_id, body)


@routes.operation(
    "POST",
    "/referrals/<referral_id>/trust",
    answers={200: _DECIDED},
    body=schemas.ReviewBody(),
    problems=(409,),
    parameters=_KEY,
)
def trust_household(referral_id: str, body: dict[str, Any]) -> Response:
    """Approve it since both are two people of one household: what they share is held against
    neither from now on."""
    return _decide("trust", referral_id, body)


@routes.operation(
    "POST",
    "/referrals/<referral_id>/undo",
    answers={200: _DECIDED},
    body=schemas.ReviewBody(),
    problems=(409,),
    parameters=_KEY,
)
def undo_review(referral_id: str, body: dict[str, Any]) -> Response:
    """Take the last decision of a review back, once: as it was before it."""
    return _decide("undo", referral_id, body)
