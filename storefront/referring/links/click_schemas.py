"""Bodies and answers of clicks."""

import marshmallow as ma

from core.fields import Boolean, Instant, Schema, Text, described
from members.evidence import VisitorSchema


class ClickBody(Schema):
    """A click on a link that the storefront led somewhere itself."""

    code = described(Text, "The link's code, in any spelling.", required=True, most=64)
    channel = described(Text, "Over which channel.", pattern="[a-z0-9_-]{1,32}")
    visitor = ma.fields.Nested(
        VisitorSchema,
        metadata={
            "description": "Who clicked: by their device, else by network and browser together,"
            " repeats of a day count once and earlier clicks are found. Never stored in clear."
        },
    )
    occurred_at = described(Instant, "When; now when absent.")


class ClickAnswer(Schema):
    """The evidence of a click."""

    token = described(
        Text,
        "Send it with the friend's signup or order; null where a machine clicked.",
        required=True,
        allow_none=True,
        most=2000,
    )
    is_preview = described(
        Boolean,
        "Whether the browser named is a machine's, which attributes nothing.",
        required=True,
    )
