"""What moving in, merging and erasing answer, and the body of a claim."""

import marshmallow as ma

from core.fields import Boolean, Instant, Json, Key, Reference, Schema, Text, described
from loyalty.schemas import BalanceAnswer, TierAnswer, whole
from storefront.schemas import MemberView


class MembersBatchAnswer(Schema):
    """A result for each member, in their order."""

    results = ma.fields.List(
        described(Json, "{member_ref, status, …as PUT, or problem}."), required=True
    )


class MergeAnswer(Schema):
    """The member who stays."""

    member = ma.fields.Nested(MemberView, required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)


class ErasedMemberAnswer(Schema):
    """Who was erased, by an id that says nothing of them."""

    id = described(Text, "Our id; it stays on entries.", required=True)
    is_erased = described(Boolean, "true.", required=True)
    erased_at = described(Instant, "When, by the program's clock.", required=True)


class ForfeitedAnswer(Schema):
    """What was left of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many.")


class ErasureAnswer(Schema):
    """An erasure."""

    member = ma.fields.Nested(ErasedMemberAnswer, required=True)
    forfeited = ma.fields.List(ma.fields.Nested(ForfeitedAnswer), required=True)


class ClaimBody(Schema):
    """Whose a guest's order is."""

    token = described(Text, "The order's `claim_token`.", required=True, most=2000)
    member_ref = described(Reference, "Who gets it.", required=True)


def _check_said(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("must say something, not only spaces")


class ManualTierBody(Schema):
    """A level given by hand, or ended."""

    key = described(
        Key, "Key of the level; null ends what was given.", required=True, allow_none=True
    )
    until = described(
        Instant, "When it ends: required with a level, later than now.", allow_none=True
    )
    reason = described(
        Text,
        "Why; kept in the log and shown with the tier. Not only spaces.",
        required=True,
        most=200,
        validate=_check_said,
    )


class ManualTierAnswer(Schema):
    """Where the member stands now."""

    tier = ma.fields.Nested(TierAnswer, required=True)
    change = described(
        Json, "{from, to, kind, earned} if the level changed.", required=True, allow_none=True
    )


class TierChangeAnswer(Schema):
    """One change of a member's level, or a renewal of it."""

    id = described(Text, "Our id.", required=True)
    # `from` is a word of Python's own.
    to = described(Text, "Level from then on; null for none.", required=True, allow_none=True)
    kind = described(Text, "upgrade, downgrade or renewal.", required=True)
    cause = described(Text, "order, refund, time, manual, ladder, opening or merge.", required=True)
    source = described(Json, "{type, ref} of what caused it.", required=True, allow_none=True)
    note = described(Text, "Why, when given by hand.", required=True, allow_none=True)
    actor = described(Text, "Who acted, as told.", required=True, allow_none=True)
    effective_at = described(Instant, "Since when.", required=True)
    recorded_at = described(Instant, "When it was recorded, by the program's clock.", required=True)


TierChangeAnswer._declared_fields["from"] = described(
    Text, "Level before; null for none.", required=True, allow_none=True
)


class TierChangesAnswer(Schema):
    """Changes of a member's level, the newest first."""

    data = ma.fields.List(ma.fields.Nested(TierChangeAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
