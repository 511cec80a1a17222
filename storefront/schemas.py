"""Bodies of quotes and batches, and what the use cases answer (for the API reference)."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Instant,
    Integer,
    Items,
    Json,
    Reference,
    Schema,
    Text,
    described,
)
from loyalty.schemas import BalanceAnswer, EntryAnswer, MomentQuery, TierAnswer, whole
from members.evidence import AskingVisitorSchema
from members.schemas import ConsentSchema
from orders.schemas import BatchOrderSchema, CartSchema, OrderSchema, RefundSchema
from storefront.award_schemas import AwardAnswer
from storefront.granting.granting_schemas import GrantView
from storefront.payables.payable_schemas import cash
from storefront.redeeming.reward_schemas import RewardAnswer
from storefront.surprising.schemas import RevokedSurpriseAnswer, surprises
from storefront.vouchers.voucher_schemas import STATES as VOUCHER_STATES

BATCH_MAX = 500


class QuoteBody(Schema):
    """A cart to be quoted."""

    member_ref = described(Reference, "For whom; null for a guest.", allow_none=True)
    cart = ma.fields.Nested(
        CartSchema, required=True, metadata={"description": "Like an order, before it is placed."}
    )
    at = described(Instant, "As if ordered at; the clock when absent.")
    visitor = ma.fields.Nested(
        AskingVisitorSchema,
        metadata={"description": "Who asks: wrong codes are counted by address as well."},
    )


class BalancesQuery(MomentQuery):
    """As of when, and which page; all kinds of points fit one where nobody asks for less."""

    limit = described(Integer, "How many kinds at most, 1 to 100.", least=1, most=100)
    cursor = described(Text, "`next_cursor` of the page before.", most=512)


class BatchBody(Schema):
    """Orders, each as in PUT with its reference."""

    orders = Items(
        ma.fields.Nested(BatchOrderSchema),
        most=BATCH_MAX,
        least=1,
        required=True,
        metadata={"description": "The orders."},
    )


class ReversedAnswer(Schema):
    """What this request took back of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many.")
    entries = ma.fields.List(ma.fields.Nested(EntryAnswer), required=True)


class ProblemItemAnswer(Schema):
    """What hangs on the fact and could not be honoured."""

    code = described(Text, "Code.", required=True)
    pointer = described(Text, "Where.", required=True, least=0)
    detail = described(Text, "What and why.", required=True)


class MemberView(Schema):
    """A member."""

    id = described(Text, "Our id.", required=True)
    member_ref = described(Reference, "The storefront's reference.", required=True)
    email = described(Text, "E-mail address.", required=True, allow_none=True, most=320)
    phone = described(Text, "Telephone number.", required=True, allow_none=True)
    contact_verified = ma.fields.List(Text(), required=True)
    name = described(Text, "Name.", required=True, allow_none=True)
    birthday_on = described(Text, "Birthday.", required=True, allow_none=True)
    locale = described(Text, "Locale.", required=True, allow_none=True)
    card_ref = described(Text, "Card.", required=True, allow_none=True)
    is_enrolled = described(Boolean, "Takes part.", required=True)
    attributes = described(Json, "Facts of your own.", required=True)
    joined_at = described(Instant, "When they joined.", required=True)
    consents = ma.fields.List(ma.fields.Nested(ConsentSchema), required=True)
    tier = ma.fields.Nested(TierAnswer, required=True)
    entitlements = ma.fields.List(described(Json, "{perk, name, until, source}."), required=True)


class MembersAnswer(Schema):
    """Members, oldest first."""

    data = ma.fields.List(ma.fields.Nested(MemberView), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class SignupAnswer(Schema):
    """A member and what telling them brought."""

    member = ma.fields.Nested(MemberView, required=True)
    earned = ma.fields.List(ma.fields.Nested(AwardAnswer), required=True)
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards that signing up brought."},
    )
    payables = cash("The cash that is owed for signing up.")
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    referral = described(Json, "{id?, state, reason?}.", required=True, allow_none=True)
    surprises = surprises("What signing up won.")
    problems = ma.fields.List(ma.fields.Nested(ProblemItemAnswer), required=True)


class RefundView(RefundSchema):
    """A refund as last told, and what it took of its order."""

    refund_ref = described(Reference, "The storefront's reference.", required=True)
    refunded_minor = whole("What it took of the goods; 0 when it does not stand.")
    shipping_refunded_minor = whole("What it took of the shipping.")
    is_parked = described(Boolean, "Its order is not known yet.", required=True)


class OrderView(OrderSchema):
    """An order as last told, with what stands of it."""

    class Meta:
        """Contact data and evidence are not stored, so never shown."""

        exclude = ("contact", "visitor", "referral")

    id = described(Text, "Our id.", required=True)
    order_ref = described(Reference, "The storefront's reference.", required=True)
    net_minor = whole("Value of what stands.")
    refunded_minor = whole("Refunded of the goods.")
    spend_minor = whole("Money that earns, less refunds.")
    qualifying_points = whole("Points that count for tiers.")
    refunds = ma.fields.List(
        ma.fields.Nested(RefundView),
        required=True,
        metadata={"description": "The refunds told of it, by reference."},
    )
    updated_at = described(Instant, "When it last changed.", required=True)


class CompletedAnswer(Schema):
    """A card that this request completed."""

    number = whole("Which one it is: 1 for the first.")
    earned = ma.fields.List(
        ma.fields.Nested(AwardAnswer),
        required=True,
        metadata={"description": "What completing it brought."},
    )
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards that completing it brought."},
    )
    payables = cash("The cash that is owed for completing it.")


class CardAnswer(Schema):
    """A stamp card of the program, and how full the member's is by the program's clock."""

    key = described(Text, "Key of the card.", required=True)
    name = described(Json, "Name by locale.", required=True)
    stamps = whole("Stamps on the open card; as many as required once it is full.")
    required = whole("How many complete it.")
    completed_count = whole("How many times it was completed, as it stands.")
    first_stamp_at = described(
        Instant, "When the oldest stamp was given.", required=True, allow_none=True
    )
    expires_at = described(
        Instant,
        "When the open card expires, or its oldest stamp; null for never.",
        required=True,
        allow_none=True,
    )
    state = described(
        Text,
        "open; completed: there is no further one; paused: it gets no stamps.",
        required=True,
        one_of=("open", "completed", "paused"),
    )
    completed = ma.fields.List(
        ma.fields.Nested(CompletedAnswer),
        metadata={"description": "Cards that this request completed, if any, by number."},
    )


class CardsAnswer(Schema):
    """The program's stamp cards, in the order of its document."""

    data = ma.fields.List(ma.fields.Nested(CardAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class OrderRedemptionAnswer(Schema):
    """A redemption that an order names."""

    id = described(Text, "The redemption.", required=True)
    state = described(
        Text,
        "captured with the order, held while it is pending; what fell with it is released or"
        " reversed; expired: it had run out and could not be held again (see problems).",
        required=True,
        one_of=("held", "captured", "released", "expired", "reversed"),
    )
    points = whole("What it costs.")
    points_returned = whole("How many of these went back since it was captured.")
    discount_minor = described(
        Integer,
        "What it took off the order as that was captured; null before.",
        required=True,
        allow_none=True,
    )


class OrderCodeAnswer(Schema):
    """A code of ours that an order names, or that was redeemed for it."""

    voucher_id = described(Text, "The voucher.", required=True)
    kind = described(Text, "Kind of its reward.", required=True, allow_none=True)
    state = described(Text, "What the order leaves it in.", required=True, one_of=VOUCHER_STATES)
    discount_minor = described(
        Integer,
        "What it took off the order; null where it is not used, or holds money.",
        required=True,
        allow_none=True,
    )
    amount_minor = described(
        Integer,
        "What the order took of a card or credit; null where it holds no money.",
        required=True,
        allow_none=True,
    )
    returned_minor = described(
        Integer, "What of that went back, in all.", required=True, allow_none=True
    )
    remaining_minor = described(Integer, "What is left.", required=True, allow_none=True)


class OrderAnswer(Schema):
    """An order, what it earned and how its member stands now."""

    order = ma.fields.Nested(OrderView, required=True)
    earned = ma.fields.List(ma.fields.Nested(AwardAnswer), required=True)
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards given for it that stand."},
    )
    payables = cash("The cash owed for it that stands.")
    reversed = ma.fields.List(ma.fields.Nested(ReversedAnswer), required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    tier = ma.fields.Nested(TierAnswer, required=True, allow_none=True)
    cards = ma.fields.List(ma.fields.Nested(CardAnswer), required=True)
    referral = described(
        Json,
        "{id?, state, reason?, message, missing_minor?, sides?}; a side is {side, member_ref?,"
        " state, reason?, earned, grants, payables, reversed, payables_reversed, grants_revoked}.",
        required=True,
        allow_none=True,
    )
    redemptions = ma.fields.List(
        ma.fields.Nested(OrderRedemptionAnswer),
        required=True,
        metadata={"description": "Those that the order names and that are its member's."},
    )
    codes = ma.fields.List(
        ma.fields.Nested(OrderCodeAnswer),
        required=True,
        metadata={"description": "What it did with codes of ours, without the codes."},
    )
    surprises = surprises("What it won that stands.")
    surprises_revoked = ma.fields.List(
        ma.fields.Nested(RevokedSurpriseAnswer),
        required=True,
        metadata={"description": "Surprises that this request took back."},
    )
    problems = ma.fields.List(ma.fields.Nested(ProblemItemAnswer), required=True)
    decision_id = described(Text, "Why.", required=True, allow_none=True)
    stale = described(Boolean, "The revision was older than the stored one: nothing changed.")
    claim_token = described(
        Text,
        "Of an order without a member: with it, POST /v1/claims gives the order to one. For 90"
        " days from when it was placed; null afterwards.",
        allow_none=True,
        most=2000,
    )


class RefundAnswer(OrderAnswer):
    """The order as the refund leaves it, and what came of the refund."""

    order = ma.fields.Nested(
        OrderView,
        required=True,
        allow_none=True,
        metadata={"description": "The order; null while it is not known."},
    )
    refund = ma.fields.Nested(RefundView, required=True)
    points_returned = whole(
        "Points given back for this refund of those that the order was paid with; the same when it"
        " is told again."
    )
    suggested_refund_deduction_minor = whole(
        "What points that could not be taken back for this refund are worth: deduct it from the"
        " money paid back, once; it is the same when the refund is told again."
    )
    grants_revoked = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "Unused rewards that this request took back."},
    )


class BatchAnswer(Schema):
    """A result for each order, in their order."""

    results = ma.fields.List(
        described(Json, "{order_ref, status, …as PUT, or problem}."), required=True
    )


class QuoteAnswer(Schema):
    """What the cart would bring."""

    earned = ma.fields.List(ma.fields.Nested(AwardAnswer), required=True)
    tier = ma.fields.Nested(TierAnswer, required=True, allow_none=True)
    cards = ma.fields.List(ma.fields.Nested(CardAnswer), required=True)
    pay_with_points = described(
        Json,
        "How many points can pay: {min, max, step, value_minor, value: {points, minor},"
        " points_key}; null where none can.",
        required=True,
        allow_none=True,
    )
    pay_with_points_unavailable = ma.fields.List(
        described(Json, "{code, detail: {en, ko}, missing_points?}."),
        metadata={"description": "Why no points can pay here; guests have none."},
    )
    rewards = ma.fields.List(
        ma.fields.Nested(RewardAnswer),
        required=True,
        metadata={"description": "The catalogue, judged with the cart; none for a guest."},
    )
    codes = ma.fields.List(
        described(
            Json,
            "{code, is_valid, reason?: NOT_FOUND|BELOW_MIN|CONDITION_NOT_MET|RATE_LIMITED,"
            " missing_minor?, discount?, remaining_minor?, expires_at?}; a code that is none of"
            " ours is NOT_FOUND.",
        ),
        required=True,
    )
    missing = ma.fields.List(
        described(Json, "{detail, minor, rule or reward}: how much more the order would take."),
        required=True,
    )
