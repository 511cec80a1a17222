"""Bodies and answers of vouchers and pools."""

import marshmallow as ma

from core.fields import (
    Boolean,
    Instant,
    Integer,
    Items,
    Json,
    Minor,
    Reference,
    Schema,
    Text,
    described,
)
from core.paging import PageQuery
from loyalty.schemas import whole
from members.evidence import AskingVisitorSchema
from programs.rewards import KINDS, STORED_VALUE

CODES_MAX = 200_000
STATES = ("active", "redeemed", "expired", "void", "frozen")


class RedeemBody(Schema):
    """By which order a code is used."""

    order_ref = described(Reference, "The order; it need not be known.", required=True)
    member_ref = described(Reference, "Whose order; null for a guest's.", allow_none=True)
    order_minor = described(
        Minor, "What the order comes to: of stored value so much is taken, if there is so much."
    )
    visitor = ma.fields.Nested(
        AskingVisitorSchema,
        metadata={"description": "Who typed the code: wrong ones are counted by address as well."},
    )


class ReleaseBody(Schema):
    """Which order gives back what it used."""

    order_ref = described(Reference, "The order.", required=True)


class SellBody(Schema):
    """A gift card or store credit that somebody paid for."""

    kind = described(Text, "Which.", required=True, one_of=STORED_VALUE)
    minor = described(
        Minor,
        "What it is worth.",
        required=True,
        validate=ma.validate.Range(min=1, error="must be at least 1"),
    )
    member_ref = described(
        Reference, "Whose it is; needed for store credit, which nobody else can use."
    )
    order_ref = described(Reference, "The order that bought it.")
    expires_at = described(Instant, "Until when; for ever when absent.", allow_none=True)


class UsedVoucherView(Schema):
    """A voucher, without its code."""

    id = described(Text, "Our id.", required=True)
    state = described(
        Text,
        "redeemed: used up; frozen: cannot be used yet, or not for now: its redemption is held, its"
        " grant is frozen, or it waits in its pool (kind null).",
        required=True,
        one_of=STATES,
    )
    kind = described(Text, "Kind of the reward; null in a pool.", required=True, allow_none=True)
    reward = described(Text, "Key of the reward, if any.", required=True, allow_none=True)
    discount = described(Json, "What it is worth: {kind, …}.", required=True, allow_none=True)
    value_minor = described(
        Integer,
        "What it held at first; null unless it is money.",
        required=True,
        allow_none=True,
    )
    remaining_minor = described(
        Integer, "What is left of it; null unless it holds money.", required=True, allow_none=True
    )
    origin = described(Text, "Whether it was paid for.", required=True, one_of=("sold", "granted"))
    pool = described(Text, "The pool it came from.", required=True, allow_none=True)
    uses = whole("How many orders use it.")
    uses_left = described(
        Integer, "How many more can; null where it holds money.", required=True, allow_none=True
    )
    member_ref = described(Reference, "Whose it is.", required=True, allow_none=True)
    redemption_id = described(Text, "The redemption it came with.", required=True, allow_none=True)
    grant_id = described(Text, "The grant it came with.", required=True, allow_none=True)
    order_ref = described(
        Reference, "The order that bought it, or used it last.", required=True, allow_none=True
    )
    issued_at = described(Instant, "Since when.", required=True, allow_none=True)
    expires_at = described(Instant, "Until when; null for ever.", required=True, allow_none=True)
    void_reason = described(Text, "Why staff made it void.", required=True, allow_none=True)
    void_actor = described(Text, "Who did.", required=True, allow_none=True)


class VoucherView(UsedVoucherView):
    """A voucher with its code."""

    code = described(
        Text,
        "The code; null when it cannot be shown since SECRET_KEY has changed.",
        required=True,
        allow_none=True,
    )


class SoldAnswer(Schema):
    """A voucher that was made."""

    voucher = ma.fields.Nested(VoucherView, required=True)


class UseAnswer(Schema):
    """What an order uses of a voucher."""

    order_ref = described(Reference, "The order.", required=True)
    amount_minor = whole("What was taken, or the discount where that is known.")
    returned_minor = whole("What of it went back.")
    is_released = described(Boolean, "Nothing of it stands any more.", required=True)
    used_at = described(Instant, "When it was used.", required=True)
    released_at = described(Instant, "When it was given back.", required=True, allow_none=True)


class VouchersQuery(PageQuery):
    """Which vouchers."""

    member_ref = described(Reference, "Of this member.", required=True)
    state = described(Text, "In this state.", one_of=STATES)
    kind = described(Text, "Of this kind.", one_of=KINDS)


class VouchersAnswer(Schema):
    """Vouchers, newest first."""

    data = ma.fields.List(ma.fields.Nested(VoucherView), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class VoidBody(Schema):
    """Why a code is made void."""

    reason = described(Text, "Why; it is kept with the voucher.", required=True, most=500)


class VoidAnswer(Schema):
    """A voucher that is void."""

    voucher = ma.fields.Nested(UsedVoucherView, required=True)


class RedeemAnswer(Schema):
    """A voucher as an order leaves it, and what that uses."""

    voucher = ma.fields.Nested(UsedVoucherView, required=True)
    use = ma.fields.Nested(UseAnswer, required=True)


class PoolBody(Schema):
    """Codes to import."""

    codes = Items(
        Text(least=0, most=128),
        most=CODES_MAX,
        required=True,
        metadata={"description": "The codes; those that the pool has are left as they are."},
    )


class DuplicateAnswer(Schema):
    """A code that was not added, since it is another one's."""

    line = described(Integer, "Which of those sent, from 1 on.", required=True, least=1)
    code = described(Text, "The code as it was sent.", required=True)
    reason = described(
        Text,
        "repeated: a code before it reads the same; taken: it is of another pool, or another"
        " voucher's.",
        required=True,
        one_of=("repeated", "taken"),
    )


class PoolView(Schema):
    """A pool of imported codes."""

    pool = described(Text, "Key of the pool.", required=True)
    total = whole("How many codes were imported.")
    free = whole("How many of them nobody has.")


class PoolAnswer(PoolView):
    """What came of an import."""

    added = whole("How many codes are new.")
    already_there = whole("How many the pool had.")
    duplicates = ma.fields.List(
        ma.fields.Nested(DuplicateAnswer),
        required=True,
        metadata={"description": "Codes that were passed over, the first 1,000."},
    )
