"""Addresses of the program that look at members and orders: the impact of a draft."""

from typing import Any

import marshmallow as ma

from core import auth, db, http
from core.fields import Instant, Integer, Schema, Text, described
from storefront import impact

routes = http.Routes("program_impact", __name__, url_prefix="/v1", description="Impact of drafts.")


class ImpactBody(Schema):
    """How much to look at."""

    orders = described(
        Integer,
        f"How many of the newest orders to decide again; default {impact.ORDERS_DEFAULT:,}.",
        least=0,
        most=impact.ORDERS_MAX,
    )


class TierMoveAnswer(Schema):
    """Members who stand on one level under the live version and on another under the draft."""

    to = described(Text, "Level under the draft.", required=True, allow_none=True)
    members = described(Integer, "How many.", required=True)


TierMoveAnswer._declared_fields["from"] = described(
    Text, "Level under the live version.", required=True, allow_none=True
)


class LevelImpactAnswer(Schema):
    """How many members stand on a level under the live version and under the draft."""

    key = described(Text, "Key of the level.", required=True)
    members_before = described(Integer, "Now, live version.", required=True)
    members_after = described(Integer, "At once, draft.", required=True)
    members_at_term_end_before = described(
        Integer,
        "When their terms are over and nothing more is bought, live version.",
        required=True,
    )
    members_at_term_end_after = described(Integer, "The same, draft.", required=True)


class TiersImpactAnswer(Schema):
    """Tiers of all members, counted."""

    now = ma.fields.List(
        ma.fields.Nested(TierMoveAnswer),
        required=True,
        metadata={"description": "Who changes at once when the draft is published."},
    )
    at_term_end = ma.fields.List(
        ma.fields.Nested(TierMoveAnswer),
        required=True,
        metadata={
            "description": "Where members end up when their terms (and grace) are over and they"
            " bought nothing more: live version against draft."
        },
    )
    levels = ma.fields.List(ma.fields.Nested(LevelImpactAnswer), required=True)


class RuleImpactAnswer(Schema):
    """One rule over the orders that were decided again."""

    key = described(Text, "Key of the rule.", required=True)
    fired_before = described(Integer, "Orders in which it fires, live version.", required=True)
    fired_after = described(Integer, "The same, draft.", required=True)
    points_before = described(Integer, "Points it gives, live version.", required=True)
    points_after = described(Integer, "The same, draft.", required=True)
    won = described(Integer, "Orders in which it fires under the draft alone.", required=True)
    lost = described(Integer, "Orders in which it no longer fires.", required=True)


class PointsImpactAnswer(Schema):
    """One kind of points over the orders that were decided again."""

    points_key = described(Text, "Kind of points.", required=True)
    per_day_before = described(Integer, "Points a day, rounded down, live version.", required=True)
    per_day_after = described(Integer, "The same, draft.", required=True)
    total_before = described(Integer, "All points, live version.", required=True)
    total_after = described(Integer, "The same, draft.", required=True)


class ImpactAnswer(Schema):
    """What publishing the draft would change."""

    version = described(Integer, "Live version that it is compared with.", required=True)
    tiers = ma.fields.Nested(TiersImpactAnswer, required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleImpactAnswer), required=True)
    points = ma.fields.List(ma.fields.Nested(PointsImpactAnswer), required=True)
    orders = described(Integer, "How many orders were decided again.", required=True)
    to = described(Instant, "When the last was placed.", required=True, allow_none=True)
    notes = ma.fields.List(Text(), required=True, metadata={"description": "How it was counted."})


ImpactAnswer._declared_fields["from"] = described(
    Instant, "When the first of them was placed.", required=True, allow_none=True
)


@routes.operation(
    "POST",
    "/program/draft/impact",
    answers={200: ImpactAnswer()},
    body=ImpactBody(),
    is_reading=True,
)
def preview_impact(body: dict[str, Any]) -> dict[str, Any]:
    """What publishing the draft would change: tiers of all members, and the newest orders decided
    under both versions. Writes nothing and needs no Idempotency-Key."""
    program_id = auth.credential().program_id
    orders = body.get("orders", impact.ORDERS_DEFAULT)
    return db.reading(lambda connection: impact.preview(connection, program_id, orders=orders))
