"""Addresses for browsers: the program by a publishable key, a member's own account by their token;
and where a server makes such a token."""

from typing import Any

import sqlalchemy as sa
from flask import Response, current_app

from core import auth, db, http, idempotency, paging
from core.paging import PageQuery
from storefront.redeeming import answering, stocking
from storefront.referring.links.link_schemas import LinkBody
from widget import (
    export,
    me,
    me_schemas,
    public,
    redeeming,
    referral_schemas,
    referrals,
    schemas,
    surprise_schemas,
    surprises,
    tokens,
)

routes = http.Routes("widget", __name__, url_prefix="/v1", description="For browsers.")

_KEY = (idempotency.PARAMETER,)
_REDEMPTION = me_schemas.MeRedemptionAnswer()
_ME = me_schemas.MeAnswer()
_LINK = referral_schemas.MeLinkAnswer()


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "POST",
    "/members/<ref:member_ref>/tokens",
    answers={201: schemas.TokenAnswer()},
    body=schemas.TokenBody(),
    is_reading=True,
)
def issue_token(member_ref: str, body: dict[str, Any]) -> tuple[dict[str, str], int]:
    """A token by which a browser may ask for this one member's account, for an hour at most.
    It is stored nowhere, so each call makes another; no Idempotency-Key is needed."""
    program_id, expires_in = _program_id(), body["expires_in"]
    token = db.reading(
        lambda connection: tokens.issue(connection, program_id, member_ref, expires_in=expires_in)
    )
    return token, 201


@routes.operation(
    "GET",
    "/public/program",
    answers={200: schemas.PublicProgramAnswer()},
    query=schemas.PublicQuery(),
)
def get_public_program(query: dict[str, Any]) -> dict[str, Any]:
    """The program as everybody may see it, by a publishable key."""
    program_id, locale = _program_id(), query.get("locale")
    return db.reading(lambda connection: public.show(connection, program_id, locale))


@routes.operation("GET", "/me", answers={200: _ME})
def get_me() -> dict[str, Any]:
    """The account of the token's member at a glance, in their locale."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.reading(lambda connection: me.account(connection, program_id, member_id))


@routes.operation("PATCH", "/me", answers={200: _ME}, body=me_schemas.MeBody(), is_of_member=True)
def change_me(body: dict[str, Any]) -> dict[str, Any]:
    """Set one's own locale, birthday and consents; the account as it is then."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.in_transaction(lambda connection: me.change(connection, program_id, member_id, body))


@routes.operation(
    "GET",
    "/me/entries",
    answers={200: me_schemas.MeEntriesAnswer()},
    query=me_schemas.MeEntriesQuery(),
)
def list_my_entries(query: dict[str, Any]) -> dict[str, Any]:
    """One's own entries, newest first."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.reading(lambda connection: me.entries(connection, program_id, member_id, query))


@routes.operation(
    "GET", "/me/rewards", answers={200: me_schemas.MeRewardsAnswer()}, query=PageQuery()
)
def list_my_rewards(query: dict[str, Any]) -> dict[str, Any]:
    """The rewards, what they cost this member, and why one cannot be had now."""
    program_id, member_id = _program_id(), auth.member_id()
    found = db.reading(lambda connection: me.rewards(connection, program_id, member_id))
    return paging.of_list(found, query)


@routes.operation(
    "GET",
    "/me/redemptions",
    answers={200: me_schemas.MeRedemptionsAnswer()},
    query=me_schemas.MeRedemptionsQuery(),
)
def list_my_redemptions(query: dict[str, Any]) -> dict[str, Any]:
    """One's own redemptions, newest first."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.reading(
        lambda connection: redeeming.find_all(connection, program_id, member_id, query)
    )


@routes.operation(
    "GET",
    "/me/vouchers",
    answers={200: me_schemas.MeVouchersAnswer()},
    query=me_schemas.MeVouchersQuery(),
)
def list_my_vouchers(query: dict[str, Any]) -> dict[str, Any]:
    """One's own codes, newest first."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.reading(
        lambda connection: redeeming.vouchers(connection, program_id, member_id, query)
    )


@routes.operation(
    "POST",
    "/me/redemptions",
    answers={201: _REDEMPTION},
    body=me_schemas.MeRedemptionBody(),
    problems=(409,),
    parameters=_KEY,
    is_of_member=True,
)
def hold_mine(body: dict[str, Any]) -> Response:
    """Hold a reward for oneself, or points that pay, for half an hour; or have at once what needs
    no order."""
    program_id, member_id = _program_id(), auth.member_id()

    def attempt() -> Response:
        return answering.once(
            lambda connection: redeeming.hold(connection, program_id, member_id, body),
            subjects=lambda _: [member_id],
        )

    return stocking.with_overdue_freed(program_id, body.get("reward"), attempt)


@routes.operation(
    "POST",
    "/me/redemptions/<redemption_id>/release",
    answers={200: _REDEMPTION},
    problems=(409,),
    parameters=_KEY,
    is_of_member=True,
)
def release_mine(redemption_id: str) -> Response:
    """Give up what one holds; repeating it changes nothing."""
    program_id, member_id = _program_id(), auth.member_id()
    return answering.once(
        lambda connection: redeeming.release(connection, program_id, member_id, redemption_id),
        subjects=lambda _: [member_id],
    )


@routes.operation(
    "POST",
    "/me/links",
    answers={200: _LINK, 201: _LINK},
    body=LinkBody(),
    problems=(409,),
    parameters=_KEY,
    is_of_member=True,
)
def share_mine(body: dict[str, Any]) -> Response:
    """One's own link for an offer, with everything to share it in one's locale: 201 when it is new,
    and the same link with 200 from then on. Counts as shared over `channel` each time. With
    `vanity` it is shown by that code, 409 where that is taken; earlier codes stay good."""
    program_id, member_id = _program_id(), auth.member_id()
    return idempotency.once(
        lambda connection: referrals.issue(connection, program_id, member_id, body),
        subjects=lambda _: [member_id],
    )


@routes.operation(
    "GET",
    "/me/links",
    answers={200: referral_schemas.MeLinksAnswer()},
    query=PageQuery(),
)
def list_my_links(query: dict[str, Any]) -> dict[str, Any]:
    """One's own links with everything to share them, whether they are open, and how often they were
    shared and clicked by channel; oldest first."""
    program_id, member_id = _program_id(), auth.member_id()
    found = db.reading(lambda connection: referrals.links(connection, program_id, member_id))
    return paging.of_list(found, query, key="id")


@routes.operation(
    "GET",
    "/me/referrals",
    answers={200: referral_schemas.MeReferralsAnswer()},
    query=PageQuery(),
)
def list_my_referrals(query: dict[str, Any]) -> dict[str, Any]:
    """Whom one brought, and what that earned, newest first."""
    program_id, member_id = _program_id(), auth.member_id()
    return db.reading(
        lambda connection: referrals.find_all(connection, program_id, member_id, query)
    )


@routes.operation(
    "GET",
    "/me/surprises",
    answers={200: surprise_schemas.MeSurprisesAnswer()},
    query=PageQuery(),
)
def list_my_surprises(query: dict[str, Any]) -> dict[str, Any]:
    """One's own surprises that stand, seen and unseen, newest first."""
    program_id, member_id = _program_id(), auth.member_id()

    def read(connection: sa.Connection) -> dict[str, Any]:
        known = me.known_by(connection, program_id, member_id)
        return surprises.find_all(connection, program_id, known=known, query=query)

    return db.reading(read)


@routes.operation(
    "POST",
    "/me/surprises/<surprise_id>/seen",
    answers={200: surprise_schemas.SeenSurpriseAnswer()},
    problems=(409,),
    parameters=_KEY,
    is_of_member=True,
)
def see_mine(surprise_id: str) -> Response:
    """Note that one has seen a surprise of one's own; when it was first seen stays."""
    program_id, member_id = _program_id(), auth.member_id()

    def see(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        known = me.known_by(connection, program_id, member_id, is_locking=True)
        return surprises.see(connection, program_id, known=known, surprise_id=surprise_id)

    return idempotency.once(see, subjects=lambda _: [member_id])


@routes.operation(
    "GET",
    "/me/export",
    answers={
        200: {
            "description": "Everything that is held on the member, streamed.",
            "content": {"application/json": {"schema": me_schemas.ExportAnswer()}},
        }
    },
)
def export_me() -> Response:
    """Everything that is held on the member, for themselves."""
    program_id, member_id = _program_id(), auth.member_id()
    prepared = db.reading(lambda connection: export.prepare(connection, program_id, member_id))
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return Response(
        export.write(app, prepared),
        mimetype="application/json",
        headers={"Content-Disposition": "attachment; filename=member-data.json"},
    )
