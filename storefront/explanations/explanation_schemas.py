"""Answers that explain: decisions, what became of each rule, entries with what they come from."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Instant,
    Json,
    Localised,
    Reference,
    Schema,
    Text,
    described,
)
from loyalty.schemas import EntryAnswer, SourceAnswer, TouchedLotAnswer, whole


class AdjustmentView(Schema):
    """An adjustment."""

    id = described(Text, "Our id.", required=True)
    reason = described(Text, "Why.", required=True)
    note = described(
        Text,
        "More for the staff; gone when the member was erased.",
        required=True,
        allow_none=True,
        most=2000,
    )


_ARITHMETIC = "How each kind of points came about: {points_key, points, exact, rounding, breakdown}"


#: Of each surprise that listened.
_SURPRISES = (
    "{rule, name, is_fired, is_shadow, draw_id, reason?, detail?, conditions?, missing,"
    " alternatives?, summary} of each surprise that listened; GET /v1/draws/{id} shows a draw."
)


class DecisionAnswer(Schema):
    """A program version applied to facts: why points were given, and why not."""

    id = described(Text, "Our id.", required=True)
    source = ma.fields.Nested(SourceAnswer, required=True)
    summary = described(Localised, "In a sentence, in English and Korean.", required=True)
    member_id = described(Text, "Whose.", required=True, allow_none=True)
    version = whole("Program version that was pinned.")
    trigger = described(Text, "Whose rules were decided.", required=True)
    facts = described(Json, "Facts by name.", required=True)
    outcomes = ma.fields.List(
        described(
            Json,
            "{rule, name, is_fired, reason?, detail?, withheld?, again_at?, conditions, missing,"
            " alternatives?, summary, points}.",
        ),
        required=True,
    )
    surprises = ma.fields.List(described(Json, _SURPRISES), required=True)
    lines = ma.fields.List(
        described(Json, "{line_ref, quantity, net_minor, earning_minor} of what is left."),
        required=True,
    )
    tier = described(
        Json,
        "{key, name, metric_before, factor} before the order.",
        required=True,
        allow_none=True,
    )
    stamps = described(Json, "Stamps by card.", required=True)
    grants = described(Json, "Rewards by the rule that gave them.", required=True)
    payables = described(Json, "Cash owed, by the rule that owes it.", required=True)
    arithmetic = ma.fields.List(described(Json, _ARITHMETIC), required=True)
    qualifying_points = whole("What counts for tiers.")
    effective_at = described(Instant, "As of when it was decided.", required=True)
    recorded_at = described(Instant, "When it was decided.", required=True)


class WhyQuery(Schema):
    """What is asked about."""

    source = described(
        Text,
        "order:A-1, activity:R-1, signup, birthday:2027-05-04, anniversary:2027-05-04, tier:gold,"
        " card:coffee, referral:ref_…, referral_milestone:rms_… or surprise:drw_….",
        required=True,
        most=160,
    )


class WhyAnswer(Schema):
    """What became of each rule when something happened to a member."""

    source = ma.fields.Nested(SourceAnswer, required=True)
    member_ref = described(Reference, "Whose.", required=True)
    summary = described(Localised, "In a sentence, in English and Korean.", required=True)
    is_hypothetical = described(
        Boolean, "Of an order without a member: what it would be for this one.", required=True
    )
    decision_id = described(Text, "The decision that stands.", required=True, allow_none=True)
    version = whole("Program version that was pinned.")
    trigger = described(Text, "Whose rules were decided.", required=True)
    tier = described(
        Json,
        "{key, name, metric_before, factor} before the order.",
        required=True,
        allow_none=True,
    )
    rules = ma.fields.List(
        described(
            Json,
            "{rule, name, is_fired, reason?, detail?, withheld?, again_at?, conditions, missing,"
            " alternatives?, summary, points}; missing is what would have changed it, all of it.",
        ),
        required=True,
    )
    surprises = ma.fields.List(described(Json, _SURPRISES), required=True)
    arithmetic = ma.fields.List(described(Json, _ARITHMETIC), required=True)
    entries = ma.fields.List(ma.fields.Nested(EntryAnswer), required=True)
    earned = ma.fields.List(described(Json, "{points_key, points} that came."), required=True)
    reversed = ma.fields.List(
        described(Json, "{points_key, points} that were taken back since."), required=True
    )


class EntryDetailAnswer(EntryAnswer):
    """An entry with its decision, or why it was made by hand, and the lots it touched."""

    decision = ma.fields.Nested(DecisionAnswer, required=True, allow_none=True)
    adjustment = ma.fields.Nested(
        AdjustmentView,
        required=True,
        allow_none=True,
        metadata={"description": "The adjustment that it comes from."},
    )
    lots = ma.fields.List(ma.fields.Nested(TouchedLotAnswer), required=True)
