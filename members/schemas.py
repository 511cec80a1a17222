"""Bodies of members."""

import marshmallow as ma

from core.fields import (
    Attributes,
    Boolean,
    Date,
    Instant,
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


class SearchSchema(Schema):
    """Exactly one of these."""

    email = described(Text, "E-mail address, in any spelling.", most=320)
    phone = described(Text, "Telephone number.", most=40)
    card_ref = described(Reference, "Number of a card.")


class MembersQuery(PageQuery):
    """Query of the list of members."""

    tier = described(Text, "Only members of this level; `none` for members of no level.", most=64)
