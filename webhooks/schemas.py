"""Bodies and answers of the webhooks' addresses."""

import marshmallow as ma

from core.fields import Instant, Integer, Items, Schema, Text, described
from core.paging import PageQuery
from webhooks import types
from webhooks.log import STATES

_URL = "Where to POST: https, a public address, ports 443, 80 or from 1024."
_TYPES = "Types of messages: points.earned, all of a group (points.*), or everything (*)."


def _types(**options: bool) -> Items:
    return Items(
        Text(most=64, metadata={"enum": list(types.PATTERNS)}),
        least=1,
        most=50,
        metadata={"description": _TYPES},
        **options,
    )


class EndpointBody(Schema):
    """An endpoint to make."""

    url = described(Text, _URL, most=2048, required=True)
    types = _types(required=True)
    description = described(Text, "What it is for.", most=500)
    secret = described(
        Text, "Signing secret: whsec_ and 24 to 64 bytes in base64; default: made.", most=128
    )


class EndpointChanges(Schema):
    """What to change of an endpoint; absent fields stay."""

    url = described(Text, _URL, most=2048)
    types = _types()
    description = described(Text, "What it is for.", most=500)
    state = described(
        Text,
        "disabled: told nothing, what waits is cancelled; enabled: earlier failures are forgotten.",
        one_of=("enabled", "disabled"),
    )


class EndpointAnswer(Schema):
    """An endpoint, without its secret."""

    id = described(Text, "Our id.", required=True)
    url = described(Text, "Where messages are sent.", required=True, most=2048)
    types = ma.fields.List(Text(), required=True, metadata={"description": _TYPES})
    description = described(
        Text, "What it is for.", required=True, allow_none=True, most=500, least=0
    )
    state = described(Text, "State.", required=True, one_of=("enabled", "disabled"))
    disabled_reason = described(
        Text, "Why it is disabled.", required=True, allow_none=True, most=500
    )
    failing_since = described(
        Instant, "Since when every attempt failed.", required=True, allow_none=True
    )
    created_at = described(Instant, "When it was made.", required=True)
    updated_at = described(Instant, "When it was last changed.", required=True)


class NewEndpointAnswer(EndpointAnswer):
    """An endpoint with its new secret, shown this once."""

    secret = described(Text, "Signing secret: store it now.", required=True)


class EndpointsAnswer(Schema):
    """Endpoints, newest first."""

    data = ma.fields.List(ma.fields.Nested(EndpointAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class DeliveriesQuery(PageQuery):
    """Query of the log."""

    endpoint = described(Text, "Only those for this endpoint (its id).", most=64)
    state = described(Text, "Only those in this state.", one_of=STATES)
    type = described(Text, "Only messages of this type.", one_of=types.TYPES)


class AttemptAnswer(Schema):
    """One sending."""

    at = described(Instant, "When it began.", required=True)
    status = described(
        Integer, "HTTP status of the answer; null for none.", required=True, allow_none=True
    )
    duration_ms = described(Integer, "How long it took.", required=True)
    error = described(Text, "What went wrong.", required=True, allow_none=True, most=500)
    response = described(
        Text, "The answer's first 1,024 bytes.", required=True, allow_none=True, least=0, most=1024
    )


class DeliveryAnswer(Schema):
    """One message for one endpoint, with its attempts."""

    id = described(Text, "Our id.", required=True)
    endpoint_id = described(Text, "For which endpoint.", required=True)
    message_id = described(Text, "The header webhook-id.", required=True)
    type = described(Text, "Type of the message.", required=True)
    state = described(Text, "State.", required=True, one_of=STATES)
    attempts = ma.fields.List(
        ma.fields.Nested(AttemptAnswer),
        required=True,
        metadata={"description": "Oldest first."},
    )
    next_at = described(Instant, "When it is tried next.", required=True, allow_none=True)
    created_at = described(Instant, "When it was dispatched.", required=True)


class DeliveriesAnswer(Schema):
    """Deliveries, newest first."""

    data = ma.fields.List(ma.fields.Nested(DeliveryAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
