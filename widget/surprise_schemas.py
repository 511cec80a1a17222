"""Answers of a member's own surprises: every field that a member may see is here."""

import marshmallow as ma

from core.fields import Boolean, Instant, Minor, Schema, Text, described
from loyalty.schemas import SourceAnswer, whole
from storefront.granting.granting_schemas import STATES as GRANT_STATES
from storefront.redeeming.schemas import CodeAnswer
from widget.schemas import listed, nullable


class MeSurprisePointsAnswer(Schema):
    """Points that a surprise brought."""

    name = described(Text, "What they are called.", required=True, most=500)
    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many.")
    state = described(
        Text, "Whether they can be spent.", required=True, one_of=("pending", "available")
    )
    available_at = nullable(Instant, "When they can be spent.")
    expires_at = nullable(Instant, "When they expire.")


class MeSurpriseRewardAnswer(Schema):
    """A reward that a surprise brought."""

    id = described(Text, "Our id of the grant.", required=True)
    reward = described(Text, "Key of the reward.", required=True)
    name = described(Text, "What it is called.", required=True, most=500)
    state = described(Text, "What became of it.", required=True, one_of=GRANT_STATES)
    voucher = ma.fields.Nested(CodeAnswer, required=True, allow_none=True)
    expires_at = nullable(Instant, "Until when it can be used.")


class MeSurpriseCashAnswer(Schema):
    """Cash that is owed for a surprise."""

    minor = described(Minor, "How much (minor units).", required=True)
    currency = described(Text, "Currency.", required=True)


class MeSurpriseView(Schema):
    """A surprise of the member's that stands."""

    id = described(Text, "Our id: the source of its entries.", required=True)
    name = nullable(Text, "What it is called.", most=500)
    note = nullable(Text, "What is said with it.", most=10_000)
    points = listed(MeSurprisePointsAnswer)
    rewards = listed(MeSurpriseRewardAnswer)
    cash = listed(MeSurpriseCashAnswer)
    source = ma.fields.Nested(
        SourceAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "What brought it."},
    )
    won_at = described(Instant, "When what brought it happened.", required=True)
    is_seen = described(Boolean, "The member has seen it.", required=True)


class MeSurprisesAnswer(Schema):
    """A member's surprises, newest first."""

    data = listed(MeSurpriseView)
    next_cursor = nullable(Text, "Next page.", most=512)


class SeenSurpriseView(Schema):
    """A surprise that was seen."""

    id = described(Text, "Our id.", required=True)
    is_seen = described(Boolean, "Always true.", required=True)
    seen_at = described(Instant, "When it was first seen.", required=True)


class SeenSurpriseAnswer(Schema):
    """That a surprise was seen."""

    surprise = ma.fields.Nested(SeenSurpriseView, required=True)
