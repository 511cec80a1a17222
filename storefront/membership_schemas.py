"""What moving in, merging and erasing answer, and the body of a claim."""

import marshmallow as ma

from core.fields import Boolean, Instant, Json, Reference, Schema, Text, described
from loyalty.schemas import BalanceAnswer, whole
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
