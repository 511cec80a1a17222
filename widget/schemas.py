"""The body of a token, and the program as browsers see it: every field of it is here."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Json, Minor, Schema, Text, described
from loyalty.schemas import whole
from widget.tokens import LONGEST

LOCALE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?"


def listed(schema: type[Schema]) -> Any:
    """A required list of an answer."""
    return ma.fields.List(ma.fields.Nested(schema), required=True)


def nullable(field: Callable[..., Any], description: str, **options: Any) -> Any:
    """A field of an answer that is there always, and null where there is nothing."""
    return described(field, description, required=True, allow_none=True, **options)


class TokenBody(Schema):
    """How long a token is good for."""

    expires_in = described(
        Integer, "Seconds, 3,600 at most.", least=1, most=LONGEST, load_default=900
    )


class TokenAnswer(Schema):
    """A member's token."""

    token = described(Text, "To be sent as Authorization: Bearer.", required=True, most=1000)
    expires_at = described(Instant, "When it is over, by the program's clock.", required=True)


class PublicQuery(Schema):
    """In which language."""

    locale = described(
        Text, "Texts in this locale; the program's first when absent.", most=16, pattern=LOCALE
    )


class NamedAnswer(Schema):
    """Something by key and name."""

    key = described(Text, "Its key.", required=True)
    name = described(Text, "What it is called.", required=True, most=500)


class WayAnswer(Schema):
    """A way to earn."""

    key = described(Text, "Key of the rule.", required=True)
    trigger = described(Text, "What it listens to.", required=True)
    name = nullable(Text, "What it is called.", most=500)
    description = nullable(Text, "More about it.", most=4000)
    summary = described(Text, "What it gives, and for what.", required=True, most=2000)
    hours = nullable(Text, "On which days and hours, where not always.")
    ends_at = nullable(Instant, "Until when.")
    has_conditions = described(Boolean, "It takes more than that.", required=True)


class LevelAnswer(NamedAnswer):
    """A level of the ladder, the lowest first."""

    description = nullable(Text, "More about it.", most=4000)
    enter_at = nullable(Json, "What enters it by metric, spend in minor units; null: invited.")
    multiplier_bp = whole("What orders earn is multiplied by, in basis points.")
    perks = ma.fields.List(ma.fields.Nested(NamedAnswer), required=True)
    brings = ma.fields.List(described(Text, "What entering it brings."), required=True)


class PublicCardAnswer(NamedAnswer):
    """A stamp card."""

    description = nullable(Text, "More about it.", most=4000)
    stamps = whole("How many complete it.")
    brings = ma.fields.List(described(Text, "What completing it brings."), required=True)
    repeats = described(Boolean, "A new one follows.", required=True)
    valid_for = nullable(Text, "How long stamps count, in words.")


class PublicRewardAnswer(NamedAnswer):
    """A reward."""

    description = nullable(Text, "More about it.", most=4000)
    kind = described(Text, "Its kind.", required=True)
    cost_points = nullable(Integer, "What it costs; null: only on some levels.")
    cost_by_tier = described(Json, "What it costs by level, where that differs.", required=True)
    points_key = described(Text, "Kind of points.", required=True)
    discount = described(Json, "What it is worth: {kind, …}.", required=True)
    min_order_minor = described(Minor, "Only for orders of at least so much.", required=True)
    tiers = nullable(Json, "Keys of the levels it is for; null: for all.")
    starts_at = nullable(Instant, "From when on.")
    ends_at = nullable(Instant, "Until when.")
    hours = nullable(Text, "On which days and hours, where not always.")
    image_url = nullable(Text, "Picture.", most=2048)
    terms = nullable(Text, "Terms.", most=4000)
    category = nullable(Text, "Where it is shown.")
    position = whole("Smaller is shown first.")
    combines = described(Boolean, "Can be used beside others.", required=True)


class PublicMilestoneAnswer(Schema):
    """What so many friends bring besides."""

    at = whole("At so many friends.")
    repeats = described(Boolean, "Again at each further so many.", required=True)
    brings = ma.fields.List(described(Text, "What it brings."), required=True)


class PublicOfferAnswer(NamedAnswer):
    """A referral offer."""

    description = nullable(Text, "More about it.", most=4000)
    advocate = ma.fields.List(described(Text, "What members get for a friend."), required=True)
    friend = ma.fields.List(described(Text, "What friends get."), required=True)
    qualifies = described(Text, "By what: order or signup.", required=True)
    min_net_minor = described(Minor, "The least that the friend's order comes to.", required=True)
    milestones = listed(PublicMilestoneAnswer)
    tiers = nullable(Json, "Keys of the levels whose members can share it; null: all.")
    landing_url = nullable(Text, "Where its links lead.", most=2048)


class PublicProgramAnswer(Schema):
    """A program as everybody may see it."""

    name = described(Text, "Its name.", required=True)
    locale = described(Text, "Locale of the texts.", required=True)
    locales = ma.fields.List(described(Text, "A locale."), required=True)
    timezone = described(Text, "Its days are the program's.", required=True)
    currency = described(Text, "Currency of amounts.", required=True)
    points = listed(NamedAnswer)
    ways_to_earn = listed(WayAnswer)
    levels = listed(LevelAnswer)
    level_metrics = ma.fields.List(described(Text, "What levels measure."), required=True)
    cards = listed(PublicCardAnswer)
    rewards = listed(PublicRewardAnswer)
    offers = listed(PublicOfferAnswer)
    pay_with_points = nullable(
        Json, "{points_key, min_points, step_points, max_order_bp, value, exclude_gift_cards}."
    )
