"""Bodies and answers of what moves points by hand, and of a test program's clock."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Duration,
    Instant,
    Integer,
    Json,
    Key,
    Points,
    Reference,
    Schema,
    Text,
    described,
)
from loyalty.schemas import BalanceAnswer, EntryAnswer, whole
from storefront.explanations.explanation_schemas import AdjustmentView

POINTS_MAX = 10**12


def _check_said(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("must say something, not only spaces")


class AdjustmentBody(Schema):
    """Points given or taken by hand."""

    member_ref = described(Reference, "Whose points.", required=True)
    points_key = described(Key, "Kind of points; the first kind when absent.")
    points = described(
        Integer,
        "How many; negative to take.",
        required=True,
        least=-POINTS_MAX,
        most=POINTS_MAX,
        validate=ma.validate.NoneOf([0], error="must not be 0"),
    )
    reason = described(
        Text,
        "Why; kept with the adjustment. Not only spaces.",
        required=True,
        most=200,
        validate=_check_said,
    )
    note = described(Text, "More for the staff.", most=2000, allow_none=True)
    counts_for_tier = described(
        Boolean, "Counts towards tiers (default false).", load_default=False
    )
    expires_at = described(
        Instant,
        "When points given expire; null never; absent as the kind of points says.",
        allow_none=True,
    )
    lot_id = described(Text, "Give points of this lot the date in expires_at instead.", most=64)
    expected_version = described(Integer, "Only if the account is at this version.", least=0)
    allow_negative = described(
        Boolean, "The balance may go below zero (default false).", load_default=False
    )


class AdjustmentAnswer(Schema):
    """What an adjustment did."""

    adjustment = ma.fields.Nested(AdjustmentView, required=True)
    entry = ma.fields.Nested(EntryAnswer, required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    tier_change = described(Json, "{from, to, kind} or null.", required=True, allow_none=True)


class TransferBody(Schema):
    """Points from one member to another."""

    from_member_ref = described(Reference, "Who gives.", required=True)
    to_member_ref = described(Reference, "Who receives.", required=True)
    points_key = described(Key, "Kind of points; the first kind when absent.")
    points = described(Points, "How many.", required=True, least=1, most=POINTS_MAX)
    reason = described(
        Text, "Why. Not only spaces.", most=200, allow_none=True, validate=_check_said
    )


class TransferView(Schema):
    """A transfer."""

    id = described(Text, "Our id.", required=True)
    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many.")
    reason = described(Text, "Why.", required=True, allow_none=True)


class TransferSide(Schema):
    """One member's side of a transfer."""

    member_ref = described(Reference, "Who.", required=True)
    entry = ma.fields.Nested(EntryAnswer, required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)


class TransferAnswer(Schema):
    """What a transfer did to both."""

    transfer = ma.fields.Nested(TransferView, required=True)
    to = ma.fields.Nested(TransferSide, required=True)


# `from` is a word of Python's own.
TransferAnswer._declared_fields["from"] = ma.fields.Nested(TransferSide, required=True)


class ClockBody(Schema):
    """Where a test program's clock goes: to an instant, or on by a duration."""

    now = described(Instant, "To this instant.")
    advance = described(Duration, "On by so much.")


class ClockAnswer(Schema):
    """A test program's clock."""

    now = described(Instant, "What the program takes as now.", required=True)
    is_set = described(Boolean, "False: it is still real time.", required=True)
