"""Bodies of balances, entries and tiers."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Json, Localised, Schema, Text, described
from core.paging import PageQuery


def whole(description: str, **options: object) -> ma.fields.Field[int]:
    """A required integer of an answer."""
    field: ma.fields.Field[int] = described(
        Integer, description, least=-(2**63), required=True, **options
    )
    return field


class BalanceAnswer(Schema):
    """A balance of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    available = whole("Can be spent.")
    pending = whole("Not yet available.")
    held = whole("Reserved for open checkouts.")
    version = whole("Number of the last entry.")
    lifetime_earned = whole("Earned in all, less what was reversed.")
    expiring = ma.fields.List(
        ma.fields.Nested(
            Schema.from_dict(
                {
                    "expires_at": described(Instant, "When.", required=True),
                    "points": whole("How many."),
                },
                name="ExpiringAnswer",
            )
        ),
        required=True,
    )


class SourceAnswer(Schema):
    """What caused an entry."""

    type = described(Text, "Kind of cause.", required=True)
    ref = described(Text, "Its reference.", required=True)


class EntryAnswer(Schema):
    """One immutable movement between two buckets."""

    id = described(Text, "Our id.", required=True)
    seq = whole("Number within the account.")
    kind = described(Text, "Kind of movement.", required=True)
    points = whole("How many.")
    points_key = described(Text, "Kind of points.", required=True)
    available_after = whole("Available afterwards.")
    effective_at = described(Instant, "When it happened.", required=True)
    recorded_at = described(Instant, "When we were told.", required=True)
    source = ma.fields.Nested(SourceAnswer, required=True)
    summary = described(Localised, "In a sentence, by locale.", required=True)
    decision_id = described(Text, "Why.", required=True, allow_none=True)
    actor = described(Text, "Who acted.", required=True, allow_none=True)
    to = described(Text, "Bucket it went to.", required=True)


# `from` is a word of Python's own.
EntryAnswer._declared_fields["from"] = described(Text, "Bucket it came from.", required=True)


class EntriesAnswer(Schema):
    """Entries, newest first."""

    data = ma.fields.List(ma.fields.Nested(EntryAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class BalancesAnswer(Schema):
    """Balances of every kind of points."""

    data = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    next_cursor = described(Text, "Always null.", required=True, allow_none=True)


class ProgressAnswer(Schema):
    """Progress in one metric."""

    metric = described(Text, "What is measured.", required=True)
    value = whole("How much there is.")
    next = described(Json, "{key, missing} of the next level.", required=True, allow_none=True)
    retain = described(Json, "{missing, by} to keep the level.", required=True, allow_none=True)


class TierAnswer(Schema):
    """A member's tier."""

    key = described(Text, "Key of the level.", required=True, allow_none=True)
    name = described(Localised, "Name by locale.", required=True, allow_none=True)
    since = described(Instant, "Since when.", required=True, allow_none=True)
    until = described(Instant, "Assured until.", required=True, allow_none=True)
    grace_until = described(Instant, "Grace until.", required=True, allow_none=True)
    at_risk = described(Boolean, "Would not be kept as things are.", required=True)
    progress = ma.fields.List(ma.fields.Nested(ProgressAnswer), required=True)
    change = described(Json, "{from, to, kind} when this request changed it.")


class EntriesQuery(PageQuery):
    """Query of a member's entries."""

    points_key = described(Text, "Only this kind of points.", most=64)
