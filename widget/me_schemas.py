"""Bodies and answers of a member's own account: every field that a member may see is here."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Date,
    Instant,
    Integer,
    Items,
    Json,
    Key,
    Minor,
    Reference,
    Schema,
    Text,
    described,
)
from core.paging import PageQuery
from loyalty.schemas import ProgressAnswer, SourceAnswer, whole
from members.schemas import ConsentSchema
from orders.schemas import CartSchema
from storefront.redeeming.schemas import STATES, CodeAnswer, PayWithPointsBody
from storefront.vouchers.voucher_schemas import STATES as VOUCHER_STATES
from widget.schemas import LOCALE, listed, nullable
from widget.surprise_schemas import MeSurpriseView


class EntitlementAnswer(Schema):
    """What a member is entitled to."""

    perk = described(Text, "Its key.", required=True)
    name = nullable(Text, "What it is called.", most=500)
    until = nullable(Instant, "Until when.")
    source = described(Text, "What it comes from.", required=True)


class MeMemberAnswer(Schema):
    """Who the member is."""

    id = described(Text, "Our id.", required=True)
    member_ref = described(Reference, "The storefront's reference.", required=True)
    name = nullable(Text, "Name.")
    email = nullable(Text, "E-mail address.", most=320)
    phone = nullable(Text, "Telephone number.")
    birthday_on = nullable(Text, "Birthday.")
    locale = nullable(Text, "Locale.")
    card_ref = nullable(Text, "Number of a card.")
    is_enrolled = described(Boolean, "Takes part.", required=True)
    joined_at = described(Instant, "When they joined.", required=True)
    consents = listed(ConsentSchema)
    entitlements = listed(EntitlementAnswer)


class DateAnswer(Schema):
    """What expires on a date."""

    expires_at = described(Instant, "When.", required=True)
    points = whole("How many.")


class ExpiringPointsAnswer(DateAnswer):
    """What expires of a kind of points."""

    points_key = described(Text, "Kind of points.", required=True)


class MeBalanceAnswer(Schema):
    """A balance of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    name = described(Text, "What they are called.", required=True, most=500)
    available = whole("Can be spent.")
    pending = whole("Not yet available.")
    held = whole("Reserved for open checkouts.")
    lifetime_earned = whole("Earned in all, less what was reversed.")
    expiring = listed(DateAnswer)


class MeTierAnswer(Schema):
    """The level that a member stands on."""

    key = nullable(Text, "Key of the level.")
    name = nullable(Text, "What it is called.", most=500)
    since = nullable(Instant, "Since when.")
    until = nullable(Instant, "End of the term.")
    grace_until = nullable(Instant, "Kept until then although the term is over.")
    at_risk = described(Boolean, "Less is there than it takes to keep it.", required=True)
    projected = nullable(Text, "Key of the level after `until` when nothing more is bought.")
    progress = listed(ProgressAnswer)


class MeCardAnswer(Schema):
    """A member's stamp card."""

    key = described(Text, "Key of the card.", required=True)
    name = described(Text, "What it is called.", required=True, most=500)
    stamps = whole("Stamps on it.")
    required = whole("How many complete it.")
    completed_count = whole("How often it was completed.")
    first_stamp_at = nullable(Instant, "When it was begun.")
    expires_at = nullable(Instant, "When stamps are lost.")
    state = described(Text, "open or completed.", required=True)


class NextRewardAnswer(Schema):
    """The reward for which the fewest points are missing."""

    key = described(Text, "Key of the reward.", required=True)
    name = described(Text, "What it is called.", required=True, most=500)
    kind = described(Text, "Its kind.", required=True)
    cost_points = whole("What it costs this member.")
    points_key = described(Text, "Kind of points.", required=True)
    missing_points = whole("How many are missing.")
    image_url = nullable(Text, "Picture.", most=2048)


class MeAnswer(Schema):
    """A member's account at a glance."""

    member = ma.fields.Nested(MeMemberAnswer, required=True)
    locale = described(Text, "Locale of the texts.", required=True)
    balances = listed(MeBalanceAnswer)
    expiring = listed(ExpiringPointsAnswer)
    tier = ma.fields.Nested(MeTierAnswer, required=True)
    cards = listed(MeCardAnswer)
    next_reward = ma.fields.Nested(NextRewardAnswer, required=True, allow_none=True)
    surprises = ma.fields.Nested(
        MeSurpriseView,
        many=True,
        required=True,
        metadata={"description": "Those not seen yet, newest first; 20 at most."},
    )


class MeEntryAnswer(Schema):
    """A movement of points."""

    id = described(Text, "Our id.", required=True)
    seq = whole("Number within the account.")
    kind = described(Text, "Kind of movement.", required=True)
    points = whole("How many.")
    points_key = described(Text, "Kind of points.", required=True)
    to = described(Text, "Bucket it went to.", required=True)
    available_after = whole("Available afterwards.")
    effective_at = described(Instant, "When it happened.", required=True)
    recorded_at = described(Instant, "When we were told.", required=True)
    source = ma.fields.Nested(SourceAnswer, required=True)
    summary = described(Text, "In a sentence.", required=True, most=2000)


# `from` is a word of Python's own.
MeEntryAnswer._declared_fields["from"] = described(Text, "Bucket it came from.", required=True)


class MeEntriesAnswer(Schema):
    """Entries, newest first."""

    data = listed(MeEntryAnswer)
    next_cursor = nullable(Text, "Next page.", most=512)


class MeEntriesQuery(PageQuery):
    """Which entries."""

    points_key = described(Text, "Only this kind of points.", most=64)


class MeReasonAnswer(Schema):
    """Why a reward cannot be had now."""

    code = described(Text, "Code of the reason.", required=True)
    detail = described(Text, "In a sentence.", required=True, most=2000)
    missing_points = whole("How many points are missing.")
    missing_minor = whole("How much more an order takes.")


MeReasonAnswer._declared_fields["from"] = described(Instant, "From when on it is none any more.")
for _name in ("missing_points", "missing_minor"):
    MeReasonAnswer._declared_fields[_name].required = False


class MeGrantAnswer(Schema):
    """A reward that was given to the member."""

    id = described(Text, "Our id.", required=True)
    expires_at = nullable(Instant, "Until when it can be used.")
    voucher = ma.fields.Nested(CodeAnswer, required=True, allow_none=True)


class MeRewardAnswer(Schema):
    """A reward, for this member."""

    key = described(Text, "Key of the reward.", required=True)
    name = described(Text, "What it is called.", required=True, most=500)
    description = nullable(Text, "More about it.", most=4000)
    kind = described(Text, "Its kind.", required=True)
    cost_points = nullable(Integer, "What it costs this member; null: it is only given.")
    points_key = described(Text, "Kind of points.", required=True)
    discount = described(Json, "What it is worth: {kind, …}.", required=True)
    min_order_minor = described(Minor, "Only for orders of at least so much.", required=True)
    needs_cart = described(Boolean, "Only a cart can say whether it applies.", required=True)
    has_voucher = described(Boolean, "It comes with a code.", required=True)
    combines = described(Boolean, "Can be used beside others.", required=True)
    is_available = described(Boolean, "The member can have it now.", required=True)
    is_in_stock = described(Boolean, "There is one left.", required=True)
    unavailable_reasons = listed(MeReasonAnswer)
    missing_points = described(Integer, "How many points are missing.")
    image_url = nullable(Text, "Picture.", most=2048)
    terms = nullable(Text, "Terms.", most=4000)
    category = nullable(Text, "Where it is shown.")
    position = whole("Smaller is shown first.")
    grants = listed(MeGrantAnswer)


class MeRewardsAnswer(Schema):
    """Rewards, in the order in which they are shown."""

    data = listed(MeRewardAnswer)
    next_cursor = nullable(Text, "Next page.", most=512)


class MeRedemptionBody(Schema):
    """What a member holds for themselves: a reward, or points that pay."""

    reward = described(Key, "Key of a reward; either this or pay_with_points.")
    pay_with_points = ma.fields.Nested(
        PayWithPointsBody,
        metadata={"description": "Points that pay a part of an order; either this or reward."},
    )
    cart = ma.fields.Nested(
        CartSchema,
        metadata={"description": "The cart it is for: what asks for an order is judged by it."},
    )
    cart_ref = described(
        Reference,
        "The storefront's cart; a new hold of the same kind for it replaces the open one.",
    )
    grant_id = described(
        Text, "Which of their grants of the reward to use; the one that ends first.", most=64
    )
    capture = described(
        Boolean,
        "Have it at once: gift cards, store credit, access, free products, what is custom, and"
        " whatever comes with a code; for the rest an order is needed.",
        load_default=False,
    )


class MeRedemptionView(Schema):
    """A redemption of the member's own."""

    id = described(Text, "Our id.", required=True)
    reward = nullable(Text, "Key of the reward; null for points that pay.")
    name = nullable(Text, "What the reward is called.", most=500)
    kind = described(Text, "The reward's kind, or pay_with_points.", required=True)
    state = described(Text, "Its state.", required=True, one_of=STATES)
    points_key = nullable(Text, "Kind of points; null when it is free.")
    points = whole("What it costs.")
    discount = described(Json, "What it is worth: {kind, …}.", required=True)
    discount_minor = nullable(Integer, "What it took off the order, once known.")
    voucher = ma.fields.Nested(CodeAnswer, required=True, allow_none=True)
    cart_ref = nullable(Text, "The cart.")
    order_ref = nullable(Text, "The order that keeps or captured it.")
    held_at = described(Instant, "Since when it is held.", required=True)
    expires_at = nullable(Instant, "When it runs out; null while an order keeps it.")
    captured_at = nullable(Instant, "When it was captured.")
    ended_at = nullable(Instant, "When it was released, ran out or was reversed.")


class MeRedemptionAnswer(Schema):
    """A redemption, and what the member has now."""

    redemption = ma.fields.Nested(MeRedemptionView, required=True)
    balances = listed(MeBalanceAnswer)


class MeRedemptionsAnswer(Schema):
    """Redemptions, newest first."""

    data = listed(MeRedemptionView)
    next_cursor = nullable(Text, "Next page.", most=512)


class MeRedemptionsQuery(PageQuery):
    """Which redemptions."""

    state = described(Text, "In this state.", one_of=STATES)


class MeVoucherView(Schema):
    """A code that the member has."""

    id = described(Text, "Our id.", required=True)
    state = described(Text, "Its state.", required=True, one_of=VOUCHER_STATES)
    kind = described(Text, "Kind of the reward.", required=True)
    reward = nullable(Text, "Key of the reward; null for what was sold.")
    name = nullable(Text, "What the reward is called.", most=500)
    discount = described(Json, "What it is worth: {kind, …}.", required=True)
    value_minor = nullable(Integer, "What it held at first; null unless it is money.")
    remaining_minor = nullable(Integer, "What is left of it; null unless it holds money.")
    uses_left = nullable(Integer, "How often it can be used; null where money is.")
    redemption_id = nullable(Text, "The redemption that it came with.")
    grant_id = nullable(Text, "The grant that it came with.")
    issued_at = nullable(Instant, "Since when they have it.")
    expires_at = nullable(Instant, "Until when; null for ever.")
    code = nullable(Text, "The code; null when it cannot be shown.")


class MeVouchersAnswer(Schema):
    """Codes, newest first."""

    data = listed(MeVoucherView)
    next_cursor = nullable(Text, "Next page.", most=512)


class MeVouchersQuery(PageQuery):
    """Which codes."""

    state = described(Text, "In this state.", one_of=VOUCHER_STATES)


class OwnConsentSchema(ConsentSchema):
    """A statement of consent that a member makes."""

    at = described(Instant, "When it was said; the clock when absent.")
    source = described(Text, "Where it was said; `widget` when absent.", most=200)


class MeBody(Schema):
    """What members may set of themselves. Fields given are set, absent ones stay."""

    locale = described(Text, "Preferred locale.", most=16, pattern=LOCALE, allow_none=True)
    birthday_on = described(Date, "Birthday.", allow_none=True)
    consents = Items(
        ma.fields.Nested(OwnConsentSchema),
        most=50,
        metadata={"description": "Statements to append; what was said last is not said again."},
    )


class ExportAnswer(Schema):
    """Everything that is held on a member; each list says more of it than this reference."""

    exported_at = described(Instant, "When, by the program's clock.", required=True)
    program = described(Text, "Name of the program.", required=True)
    member = described(Json, "Who they are, as told.", required=True)


for _name in (
    *("balances", "entries", "lots", "orders", "activities", "tier_changes", "cards"),
    *("redemptions", "grants", "vouchers", "fulfilments", "payables", "links", "referrals"),
    *("surprises", "decisions"),
):
    ExportAnswer._declared_fields[_name] = ma.fields.List(
        described(Json, "What is held."), required=True
    )
