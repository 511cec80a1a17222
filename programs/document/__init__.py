"""The program document's schema, the whole of it.

Sections whose feature does not exist yet take nothing but emptiness: a setting that would be
ignored is refused instead.
"""

import marshmallow as ma

from core.fields import BasisPoints, Boolean, Currency, Duration, Items, Schema, Text, described
from programs.document.activities import DeclaredActivitySchema
from programs.document.cards import CardSchema
from programs.document.earning import EarningSchema
from programs.document.points import PointsSchema
from programs.document.referrals import ReferralOfferSchema
from programs.document.rewards import PayWithPointsSchema, RewardSchema
from programs.document.segments import SegmentSchema
from programs.document.shapes import item_list, nested
from programs.document.surprises import SurpriseSchema
from programs.document.tiers import TiersSchema

__all__ = ["DocumentSchema", "nested"]


class MembersSchema(Schema):
    """Settings of membership."""

    auto_enrol = described(Boolean, "Orders enrol members not seen before (default false).")
    birthday_notice = described(
        Duration, "How early a birthday must be known to be paid; default P30D."
    )
    tombstone_for = described(Duration, "How long an erased contact is remembered as paid.")


class DocumentSchema(Schema):
    """A program's document."""

    name = described(Text, "Name of the program.", required=True, most=200)
    timezone = described(Text, "IANA zone: its days are the program's.", required=True, most=64)
    currency = described(Currency, "ISO 4217 code.", required=True)
    locales = ma.fields.List(
        Text(most=16, pattern=r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?"),
        metadata={"description": "Locales, the default first."},
    )
    prices_include_tax = described(Boolean, "Displayed prices include tax (default true).")
    allowed_origins = ma.fields.List(
        Text(most=256, pattern=r"https?://[^/\s]+"),
        metadata={"description": "Origins a browser may call from."},
    )
    members = nested(MembersSchema, "Settings of membership.")
    holdout_bp = described(
        BasisPoints,
        "Share of the members whom no surprise reaches, to measure what surprises do.",
        most=10_000,
    )
    points = Items(
        ma.fields.Nested(PointsSchema),
        most=20,
        least=1,
        required=True,
        metadata={"description": "Kinds of points, the default kind first."},
    )
    earning = nested(EarningSchema, "How points are earned.")
    tiers = nested(TiersSchema, "The ladder of tiers.", allow_none=True)
    cards = item_list(CardSchema, "Stamp cards.", 50)
    activities = item_list(DeclaredActivitySchema, "Kinds of activities with typed facts.", 100)
    rewards = item_list(RewardSchema, "The catalogue of rewards.", 500)
    pay_with_points = nested(
        PayWithPointsSchema, "Paying a part of an order with points.", allow_none=True
    )
    referral_offers = item_list(ReferralOfferSchema, "Referral offers, the default one first.", 50)
    segments = item_list(SegmentSchema, "Segments: named conditions over members.", 100)
    surprises = item_list(SurpriseSchema, "Surprises.", 100)
