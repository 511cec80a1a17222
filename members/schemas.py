"""Bodies of members."""

import marshmallow as ma

from core.fields import (
    BIGINT_MAX,
    Attributes,
    Boolean,
    Date,
    Instant,
    Integer,
    Items,
    Reference,
    Schema,
    Text,
    described,
)
from core.paging import PageQuery
from members.evidence import ReferralSchema, VisitorSchema


class ConsentSchema(Schema):
    """A statement of consent, or of its withdrawal."""

    purpose = described(
        Text, "For what.", required=True, one_of=("terms", "marketing", "night", "profiling")
    )
    channel = described(
        Text,
        "Over which channel; null for all.",
        one_of=("email", "sms", "push", "kakao"),
        allow_none=True,
        load_default=None,
    )
    is_granted = described(Boolean, "Granted or withdrawn.", required=True)
    at = described(Instant, "When it was said.", required=True)
    source = described(Text, "Where it was said.", required=True, most=200)
    text_version = described(
        Text, "Which text was shown.", most=100, allow_none=True, load_default=None
    )


class MemberSchema(Schema):
    """What is known of a member. Fields given are set, absent ones stay."""

    email = described(Text, "E-mail address.", most=320, allow_none=True)
    phone = described(Text, "Telephone number.", most=40, allow_none=True)
    contact_verified = ma.fields.List(
        Text(one_of=("email", "phone")),
        metadata={"description": "Which contacts were verified."},
    )
    name = described(Text, "Name.", most=200, allow_none=True)
    birthday_on = described(Date, "Birthday.", allow_none=True)
    locale = described(
        Text,
        "Preferred locale.",
        most=16,
        pattern=r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?",
        allow_none=True,
    )
    joined_at = described(Instant, "When they joined; the clock when absent.")
    card_ref = described(Reference, "Number of a card.", allow_none=True)
    is_enrolled = described(Boolean, "false: known, but earns nothing. Default true.")
    attributes = described(Attributes, "Facts of your own; they replace the earlier ones.")
    consents = Items(
        ma.fields.Nested(ConsentSchema), most=50, metadata={"description": "Statements to append."}
    )
    visitor = ma.fields.Nested(
        VisitorSchema, metadata={"description": "Traces of the visitor; never stored in clear."}
    )
    referral = ma.fields.Nested(
        ReferralSchema, metadata={"description": "Evidence of a referral."}, allow_none=True
    )


class OpeningLotSchema(Schema):
    """Points that a member brings along."""

    points_key = described(Text, "Kind of points; the program's first when absent.", most=64)
    # The bounds are looked at where openings are posted: one faulty member spoils no batch.
    points = described(
        Integer,
        "How many.",
        required=True,
        least=-BIGINT_MAX,
        metadata={"minimum": 1, "maximum": 10**9},
    )
    earned_at = described(Instant, "When they were earned.", required=True)
    expires_at = described(
        Instant, "When they expire; null for never.", allow_none=True, load_default=None
    )


class OpeningTierSchema(Schema):
    """A level that a member brings along."""

    key = described(Text, "Key of the level.", required=True, most=64)
    since = described(Instant, "Since when.", required=True)
    until = described(Instant, "Assured until; null for good.", allow_none=True, load_default=None)


class OpeningSchema(Schema):
    """What a member brings along, once."""

    lots = Items(
        ma.fields.Nested(OpeningLotSchema), most=200, metadata={"description": "The points left."}
    )
    lifetime_earned = described(
        Integer,
        "Points earned in all, of the program's first kind.",
        least=-BIGINT_MAX,
        metadata={"minimum": 0, "maximum": 10**12},
    )
    tier = ma.fields.Nested(
        OpeningTierSchema, metadata={"description": "The level assured."}, allow_none=True
    )


class MovingMemberSchema(MemberSchema):
    """A member of a batch: as in PUT, and what they bring along."""

    member_ref = described(Reference, "The storefront's id of the member.", required=True)
    is_history = described(
        Boolean,
        "Moved in from elsewhere: no signup effects and no messages.",
        load_default=False,
    )
    opening = ma.fields.Nested(
        OpeningSchema,
        metadata={"description": "Posted once per member; the same again posts nothing."},
        allow_none=True,
    )


class MembersBatchSchema(Schema):
    """Members, each as in PUT with its reference."""

    members = Items(
        ma.fields.Nested(MovingMemberSchema),
        most=500,
        least=1,
        required=True,
        metadata={"description": "The members."},
    )


class MergeSchema(Schema):
    """Into whom a member is merged."""

    into_member_ref = described(Reference, "The member who stays.", required=True)


class SearchSchema(Schema):
    """Exactly one of these."""

    email = described(Text, "E-mail address, in any spelling.", most=320)
    phone = described(Text, "Telephone number.", most=40)
    card_ref = described(Reference, "Number of a card.")


class MembersQuery(PageQuery):
    """Query of the list of members."""

    tier = described(Text, "Only members of this level; `none` for members of no level.", most=64)
    segment = described(Text, "Only members of this segment, as of its last look.", most=64)
