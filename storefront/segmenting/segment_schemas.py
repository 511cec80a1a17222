"""Answers about segments."""

import marshmallow as ma

from core.fields import Instant, Integer, Key, Localised, Reference, Schema, Text
from core.fields import described as told


class SegmentView(Schema):
    """A segment of the published document."""

    key = told(Key, "Its key.", required=True)
    name = told(Localised, "Name by locale.", required=True)
    description = told(Localised, "Description by locale.", required=True, most=2000)
    state = told(Text, "A paused segment has nobody.", required=True, one_of=("live", "paused"))
    members_count = told(
        Integer,
        "How many belonged to it at the last look; null before the first one.",
        required=True,
        allow_none=True,
    )
    counted_at = told(
        Instant,
        "When the last look was; null before the first one.",
        required=True,
        allow_none=True,
    )


class SegmentsAnswer(Schema):
    """The segments, in the order of the document."""

    data = ma.fields.List(ma.fields.Nested(SegmentView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class SegmentMemberView(Schema):
    """A member who belongs to a segment."""

    id = told(Text, "Our id of the member.", required=True)
    member_ref = told(Reference, "The storefront's reference.", required=True)
    since = told(Instant, "Since the look that found them there.", required=True)


class SegmentMembersAnswer(Schema):
    """Members of a segment as of its last look, oldest members first."""

    data = ma.fields.List(ma.fields.Nested(SegmentMemberView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class MemberSegmentView(Schema):
    """A segment to which a member belongs now."""

    key = told(Key, "Its key.", required=True)
    name = told(Localised, "Name by locale.", required=True)
    since = told(
        Instant,
        "Since the look that found them there; null when the last one did not.",
        required=True,
        allow_none=True,
    )


class MemberSegmentsAnswer(Schema):
    """A member's segments now, in the order of the document."""

    data = ma.fields.List(ma.fields.Nested(MemberSegmentView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)
