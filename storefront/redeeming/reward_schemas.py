"""Answers that tell what a member can have: the catalogue, judged for them."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Instant,
    Integer,
    Json,
    Localised,
    Schema,
    Text,
    described,
)
from loyalty.schemas import whole
from programs.rewards import KINDS


class ReasonAnswer(Schema):
    """Why a member cannot have a reward."""

    code = described(
        Text,
        "Which reason.",
        required=True,
        one_of=(
            "paused",
            "not_started",
            "ended",
            "tier_required",
            "condition_not_met",
            "limit_reached",
            "out_of_stock",
            "negative_balance",
            "insufficient_points",
        ),
    )
    detail = described(
        Localised, "The same in a sentence, in English and Korean.", required=True, most=4000
    )
    missing_points = described(Integer, "How many points are missing.", least=1)
    missing_minor = described(Integer, "How much the order is below the least.", least=1)
    missing = ma.fields.List(
        described(Json, "{detail, fact, op, needed, actual, minor?}."),
        metadata={"description": "What the easiest way of meeting its condition takes."},
    )
    alternatives = ma.fields.List(
        ma.fields.List(described(Json, "The same.")),
        metadata={"description": "Other ways of meeting it."},
    )


# `from` is a word of Python's own.
ReasonAnswer._declared_fields["from"] = described(Instant, "From when on it is none any more.")


class OpenGrantAnswer(Schema):
    """A grant of the reward that the member can use."""

    id = described(Text, "Our id.", required=True)
    expires_at = described(Instant, "Until when; null for ever.", required=True, allow_none=True)
    voucher = described(
        Json,
        "{code, expires_at} of the code that uses it; null where a redemption does.",
        required=True,
        allow_none=True,
    )


class RewardAnswer(Schema):
    """A reward of the catalogue, for one member."""

    key = described(Text, "Key of the reward.", required=True)
    name = described(Localised, "Name by locale.", required=True)
    description = described(Localised, "Description by locale.", required=True, most=2000)
    kind = described(Text, "What it is.", required=True, one_of=KINDS)
    cost_points = described(
        Integer,
        "What it costs this member; 0 is free, null is only granted.",
        required=True,
        allow_none=True,
    )
    points_key = described(Text, "In which kind of points.", required=True)
    discount = described(
        Json,
        "What it is worth: {kind, minor?, percent_bp?, max_minor?, sku?, perk?, valid_for?}; in a"
        " quote `minor` is what it takes off the cart.",
        required=True,
    )
    is_available = described(Boolean, "Whether the member can have it now.", required=True)
    unavailable_reasons = ma.fields.List(
        ma.fields.Nested(ReasonAnswer),
        required=True,
        metadata={"description": "Every reason why not; none when it is available."},
    )
    missing_points = described(Integer, "How many points the member lacks, if they do.", least=1)
    needs_cart = described(
        Boolean,
        "Part of what it takes can only be judged with a cart; never in a quote.",
        required=True,
    )
    min_order_minor = whole("The least that an order must come to.")
    stock_left = described(
        Integer, "How many are left; null without limit.", required=True, allow_none=True
    )
    has_voucher = described(Boolean, "It comes with a code.", required=True)
    combines = described(Boolean, "Can be used beside others in one order.", required=True)
    image_url = described(Text, "Picture.", required=True, allow_none=True, most=2048)
    terms = described(Localised, "Terms by locale.", required=True, most=4000)
    category = described(Text, "Where it is shown.", required=True, allow_none=True)
    position = described(Integer, "Smaller is shown first.", required=True, least=-(10**6))
    grants = ma.fields.List(
        ma.fields.Nested(OpenGrantAnswer),
        required=True,
        metadata={"description": "What the member was granted of it and has not used."},
    )


class CatalogueAnswer(Schema):
    """The catalogue for a member, in the order in which it is shown."""

    data = ma.fields.List(ma.fields.Nested(RewardAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
