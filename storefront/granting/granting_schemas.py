"""Bodies and answers of grants and of fulfilments."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Json, Key, Minor, Reference, Schema, Text
from core.fields import described as told
from core.paging import PageQuery
from loyalty.schemas import SourceAnswer
from rewards.fulfilments import STATES as FULFILMENT_STATES

STATES = ("open", "used", "lapsed", "revoked", "frozen")
POLICIES = ("strict", "grace")


def _check_said(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("must say something, not only spaces")


class GrantBody(Schema):
    """A reward given by hand."""

    member_ref = told(Reference, "To whom.", required=True)
    reward = told(Key, "Key of the reward.", required=True)
    reason = told(Text, "Why. Not only spaces.", required=True, most=200, validate=_check_said)
    expires_at = told(Instant, "Until when it can be used; as the reward says when absent.")
    is_sent = told(
        Boolean,
        "It is redeemed at once and staff sends it: a thank-you gift (default false). Only for"
        " rewards that need fulfilment and come without a code.",
        load_default=False,
    )


class RevokeBody(Schema):
    """Why a grant is taken back."""

    reason = told(Text, "Why. Not only spaces.", required=True, most=200, validate=_check_said)


class GrantsQuery(PageQuery):
    """Which grants."""

    member_ref = told(Reference, "Of this member.")
    state = told(Text, "In this state.", one_of=STATES)
    reward = told(Key, "Of this reward.")


class GrantCodeAnswer(Schema):
    """The code that a reward comes with."""

    code = told(
        Text,
        "The code; null where it cannot be shown, or where the answer is one that is kept: GET"
        " /v1/grants/{id} shows it.",
        required=True,
        allow_none=True,
    )
    expires_at = told(Instant, "Until when; null for ever.", required=True, allow_none=True)


class GrantView(Schema):
    """A reward given without points."""

    id = told(Text, "Our id.", required=True)
    reward = told(Text, "Key of the reward.", required=True)
    state = told(
        Text,
        "open: it can be used; used; lapsed: its date is over; revoked: what gave it fell; frozen:"
        " it is not deserved for now.",
        required=True,
        one_of=STATES,
    )
    discount = told(Json, "What it is worth: {kind, …}.", required=True)
    voucher = ma.fields.Nested(
        GrantCodeAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "Its code, which alone uses it; null where it has none."},
    )
    expires_at = told(
        Instant, "Until when it can be used; null for ever.", required=True, allow_none=True
    )
    source = ma.fields.Nested(
        SourceAnswer, required=True, metadata={"description": "What gave it."}
    )
    rule = told(Text, "Which rule gave it; manual by hand.", required=True)
    granted_at = told(Instant, "Since when it is theirs.", required=True)
    ended_at = told(
        Instant, "When it was used or ended; null before.", required=True, allow_none=True
    )
    redemption_id = told(Text, "The redemption that used it.", required=True, allow_none=True)
    reason = told(Text, "Why it was given or taken by hand.", required=True, allow_none=True)
    actor = told(Text, "Who gave it.", required=True, allow_none=True)


class OwnedGrantView(GrantView):
    """A grant and whose it is."""

    member_ref = told(
        Reference, "Whose; null when they were erased.", required=True, allow_none=True
    )


class GrantAnswer(Schema):
    """A grant."""

    grant = ma.fields.Nested(OwnedGrantView, required=True)


class GrantsAnswer(Schema):
    """Grants, newest first."""

    data = ma.fields.List(ma.fields.Nested(OwnedGrantView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class FulfilmentsQuery(PageQuery):
    """Which fulfilments."""

    member_ref = told(Reference, "For this member.")
    state = told(Text, "In this state.", one_of=FULFILMENT_STATES)


class FulfilmentBody(Schema):
    """What is news of a fulfilment; what is absent stays."""

    state = told(
        Text,
        "shipped after requested, delivered after shipped; cancelled until it is delivered.",
        one_of=FULFILMENT_STATES,
    )
    carrier = told(Text, "Who carries it.", most=64, allow_none=True)
    tracking = told(Text, "Number or address to follow it by.", most=256, allow_none=True)
    note = told(Text, "More for the staff.", most=2000, allow_none=True)
    policy = told(
        Text,
        "With cancelled: strict, points and grants whose date is over are gone; grace, they live"
        " for 14 days more (default strict).",
        one_of=POLICIES,
    )
    cost_minor = told(Minor, "What it really cost.")


class FulfilmentChangeView(Schema):
    """One change of a fulfilment."""

    state = told(Text, "Its state from then on.", required=True, one_of=FULFILMENT_STATES)
    note = told(Text, "What was noted with it.", required=True, allow_none=True, most=2000)
    actor = told(Text, "Who.", required=True, allow_none=True)
    recorded_at = told(Instant, "When.", required=True)


class FulfilmentView(Schema):
    """What staff sends a member."""

    id = told(Text, "Our id.", required=True)
    member_ref = told(
        Reference, "To whom; null when they were erased.", required=True, allow_none=True
    )
    redemption_id = told(Text, "For which redemption.", required=True)
    reward = told(Text, "Key of the reward.", required=True, allow_none=True)
    discount = told(Json, "What it is: {kind, sku?, …}.", required=True)
    state = told(Text, "Its state.", required=True, one_of=FULFILMENT_STATES)
    carrier = told(Text, "Who carries it.", required=True, allow_none=True)
    tracking = told(Text, "Number or address to follow it by.", required=True, allow_none=True)
    note = told(Text, "More for the staff.", required=True, allow_none=True, most=2000)
    cost_minor = told(
        Integer, "What it cost, as estimated until that is known.", required=True, least=0
    )
    requested_at = told(Instant, "When it was requested.", required=True)
    shipped_at = told(Instant, "When it was shipped.", required=True, allow_none=True)
    delivered_at = told(Instant, "When it was delivered.", required=True, allow_none=True)
    cancelled_at = told(Instant, "When it was cancelled.", required=True, allow_none=True)
    updated_at = told(Instant, "When it last changed.", required=True)


class FulfilmentAnswer(FulfilmentView):
    """A fulfilment with its log."""

    changes = ma.fields.List(
        ma.fields.Nested(FulfilmentChangeView),
        required=True,
        metadata={"description": "Every change, oldest first."},
    )


class FulfilmentsAnswer(Schema):
    """Fulfilments, oldest first."""

    data = ma.fields.List(ma.fields.Nested(FulfilmentView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)
