"""The answer of what was earned, wherever something earns."""

import marshmallow as ma

from core.fields import Instant, Reference, Schema, Text, described
from loyalty.schemas import whole


class ShareAnswer(Schema):
    """One row of a breakdown."""

    rule = described(Text, "Key of the rule, or tier.", required=True)
    points = whole("Its part of the points.")
    detail = described(Text, "How it came about.", required=True, least=0)


class LineShareAnswer(Schema):
    """A line's part of the points."""

    line_ref = described(Reference, "The line.", required=True)
    points = whole("Its part of the points.")


class AwardAnswer(Schema):
    """What was earned of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many.")
    state = described(
        Text,
        "By the dates: pending, or available since available_at, even if spent or expired by now.",
        required=True,
        one_of=("pending", "available"),
    )
    available_at = described(
        Instant,
        "When they can be spent; null while that depends on fulfilment.",
        required=True,
        allow_none=True,
    )
    expires_at = described(Instant, "When they expire.", required=True, allow_none=True)
    breakdown = ma.fields.List(ma.fields.Nested(ShareAnswer), required=True)
    lines = ma.fields.List(ma.fields.Nested(LineShareAnswer), required=True)
    decision_id = described(Text, "Why.", required=True, allow_none=True)
