"""Kinds of points in the document: worth, waiting time, expiry, return policy."""

import marshmallow as ma

from core.fields import Duration, Key, Localised, Minor, Points, Schema, Text, described
from programs.document.shapes import nested


class ValueSchema(Schema):
    """What points are worth."""

    points = described(Points, "So many points …", required=True)
    minor = described(Minor, "… are worth so many minor units.", required=True)


class PendingSchema(Schema):
    """When points become available."""

    policy = described(
        Text, "When points become available.", one_of=("immediate", "after", "on_fulfilled")
    )
    duration = described(Duration, "How long `after` waits.")


class ExpirySchema(Schema):
    """When points expire."""

    policy = described(
        Text, "When points expire.", one_of=("never", "after", "inactivity", "fixed_dates")
    )
    duration = described(Duration, "Term of `after` and `inactivity`.")
    round_up_to = described(
        Text, "End of which period.", one_of=("day", "month", "quarter", "year")
    )
    activities = ma.fields.List(
        Text(most=64), metadata={"description": "Activities that restart inactivity."}
    )
    dates = ma.fields.List(
        Text(pattern=r"\d{2}-\d{2}"), metadata={"description": "Fixed dates, MM-DD."}
    )
    notify = ma.fields.List(Duration(), metadata={"description": "Notices before expiry."})


class PointsSchema(Schema):
    """One kind of points."""

    key = described(Key, "Key of this kind of points.", required=True)
    name = described(Localised, "Name by locale.")
    description = described(Localised, "Description by locale.", most=2000)
    state = described(Text, "live or paused.", one_of=("live", "paused"))
    value = nested(ValueSchema, "What points are worth.", allow_none=True)
    pending = nested(PendingSchema, "When points become available; default at once.")
    expiry = nested(ExpirySchema, "When points expire; default never.")
    return_policy = described(
        Text,
        "What a refund may take when points were spent.",
        one_of=("within_balance", "only_pending", "unlimited", "deduct_from_refund"),
    )
