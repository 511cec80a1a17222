"""Bodies and answers of links, and of what members brought with them."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Key, Schema, Text, described
from referrals.sharing import CHANNEL
from storefront.referring.links.brought import STATES


def _whole(description: str) -> Integer:
    field: Integer = described(Integer, description, required=True)
    return field


class LinkBody(Schema):
    """For which offer a link is, and how it is shown."""

    offer = described(Key, "Key of the offer; the first one that the member can share.")
    channel = described(
        Text,
        "Over which channel it is shared; counted, and named in `url`.",
        most=32,
        pattern=CHANNEL,
    )
    vanity = described(
        Text,
        "A code of the member's own choice: 3 to 20 letters from A to Z or Hangul syllables, and"
        " digits; ten for a link. The codes before it stay good. As a code of an order alone it is"
        " no evidence: a storefront's own coupon may be the same word.",
        most=64,
    )


class LinkKakaoAnswer(Schema):
    """What KakaoTalk's JavaScript SDK takes (Kakao.Share.sendDefault): it has no address."""

    title = described(Text, "Its headline.", required=True, most=500)
    description = described(Text, "Its text.", required=True, most=2000)
    link = described(Text, "Where it leads: mobileWebUrl and webUrl.", required=True, most=2048)
    button = described(Text, "What its button says.", required=True)


class LinkShareAnswer(Schema):
    """Everything to share a link with; each address is ready to open and names its channel."""

    text = described(
        Text, "A text with the link, in the member's locale.", required=True, most=4000
    )
    copy = described(Text, "The link, to be copied.", required=True, most=2048)
    email = described(Text, "mailto:…", required=True, most=16_000)
    sms = described(Text, "sms:…", required=True, most=16_000)
    kakao = ma.fields.Nested(
        LinkKakaoAnswer, required=True, metadata={"description": "For KakaoTalk's JavaScript SDK."}
    )
    line = described(Text, "Opens LINE.", required=True, most=16_000)
    whatsapp = described(Text, "Opens WhatsApp.", required=True, most=16_000)
    x = described(Text, "Opens X.", required=True, most=16_000)
    qr_svg_url = described(Text, "The link as a QR code, an SVG.", required=True, most=2048)


class LinkAnswer(Schema):
    """A member's link."""

    id = described(Text, "Our id.", required=True)
    code = described(Text, "The code that is shown now.", required=True)
    url = described(Text, "The link.", required=True, most=2048)
    aliases = ma.fields.List(
        described(Text, "A code."),
        required=True,
        metadata={"description": "Earlier codes, which lead there for ever."},
    )
    offer = described(Text, "Key of the offer.", required=True)
    share = ma.fields.Nested(
        LinkShareAnswer, required=True, metadata={"description": "How to share it."}
    )


class LinkChannelAnswer(Schema):
    """What was counted over a channel."""

    channel = described(
        Text, "The channel; null where none was named.", required=True, allow_none=True
    )
    shared = _whole("How often the link was asked for to be shared.")
    clicked = _whole("How often people followed it, each visitor once a day.")


class CountedLinkAnswer(LinkAnswer):
    """A member's link with what was counted of it."""

    is_open = described(
        Boolean, "Whoever follows it now is attributed to the member.", required=True
    )
    counts = ma.fields.List(
        ma.fields.Nested(LinkChannelAnswer),
        required=True,
        metadata={"description": "By channel, of all days."},
    )


class LinksAnswer(Schema):
    """A member's links, oldest first."""

    data = ma.fields.List(ma.fields.Nested(CountedLinkAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class BroughtCountsAnswer(Schema):
    """How many referrals there are in each state, and what became of the advocate's side."""

    rewarded = _whole("For how many the advocate has what they brought.")
    capped = _whole("For how many a cap or budget left nothing.")
    clawed_back = _whole("For how many it was taken back.")
    standing = _whole("How many count as approved friends, capped ones too.")


BroughtCountsAnswer._declared_fields |= {
    state: _whole(f"How many are {state}.") for state in STATES
}


class BroughtRewardAnswer(Schema):
    """What stands of what referrals and milestones brought."""

    kind = described(
        Text, "What it is.", required=True, one_of=("points", "stamps", "grant", "payable")
    )
    points_key = described(Text, "Kind of points.")
    points = described(Integer, "How many.")
    card = described(Text, "Key of the stamp card.")
    stamps = described(Integer, "How many stamps on it.")
    reward = described(Text, "Key of the reward that was granted.")
    count = described(Integer, "How often.")
    currency = described(Text, "Currency of what is owed in cash.")
    minor = described(Integer, "How much.", least=-(2**63))


class BroughtMilestoneAnswer(Schema):
    """A milestone."""

    offer = described(Text, "Key of the offer.", required=True)
    at = _whole("At so many approved friends.")
    reached = described(Boolean, "It is reached.", required=True)
    times = _whole("How often: more than once where it repeats.")
    missing = _whole("Friends missing for it, or for it once more; 0 when nothing follows.")


class BroughtNextAnswer(Schema):
    """The milestone for which the fewest friends are missing."""

    offer = described(Text, "Key of the offer.", required=True)
    at = _whole("At so many approved friends.")
    missing = _whole("How many are missing.")


class BroughtSideAnswer(Schema):
    """What became of the advocate's side."""

    state = described(
        Text,
        "waiting, rewarded, capped, clawed_back or lost; none where the referral came to nothing.",
        required=True,
    )
    reason = described(Text, "Why.", required=True, allow_none=True)


class BroughtView(Schema):
    """A referral of the member's."""

    id = described(Text, "Our id.", required=True)
    state = described(Text, "Its state.", required=True, one_of=STATES)
    reason = described(Text, "Why it is in that state.", required=True, allow_none=True)
    friend = described(
        Text,
        "The ends of the friend's reference; null when they were erased.",
        required=True,
        allow_none=True,
    )
    offer = described(Text, "Key of the offer.", required=True)
    channel = described(Text, "Over which channel they came.", required=True, allow_none=True)
    bound_at = described(Instant, "Since when the friend is theirs.", required=True)
    qualified_at = described(Instant, "When it qualified.", required=True, allow_none=True)
    hold_until = described(Instant, "Until when it is held back.", required=True, allow_none=True)
    approved_at = described(Instant, "When it was approved.", required=True, allow_none=True)
    side = ma.fields.Nested(
        BroughtSideAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "The member's own side of it; null before it came to one."},
    )


class BroughtByAnswer(Schema):
    """Who brought the member."""

    id = described(Text, "Our id of the referral.", required=True)
    state = described(Text, "Its state.", required=True, one_of=STATES)
    offer = described(Text, "Key of the offer.", required=True)
    advocate = described(
        Text,
        "The ends of the advocate's reference; null when they were erased.",
        required=True,
        allow_none=True,
    )


class BroughtAnswer(Schema):
    """What a member brought; referrals newest first."""

    brought_by = ma.fields.Nested(
        BroughtByAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "Who brought the member themselves; null when nobody did."},
    )
    counts = ma.fields.Nested(BroughtCountsAnswer, required=True)
    rewarded = _whole("Of how many the member's own side is paid.")
    rewards = ma.fields.List(
        ma.fields.Nested(BroughtRewardAnswer),
        required=True,
        metadata={"description": "What stands of what they brought the member."},
    )
    milestones = ma.fields.List(ma.fields.Nested(BroughtMilestoneAnswer), required=True)
    next_milestone = ma.fields.Nested(BroughtNextAnswer, required=True, allow_none=True)
    data = ma.fields.List(ma.fields.Nested(BroughtView), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
