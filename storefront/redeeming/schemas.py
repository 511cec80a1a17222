"""Bodies and answers of redemptions and of stock."""

import marshmallow as ma

from core import clock
from core.fields import (
    Boolean,
    Duration,
    Instant,
    Integer,
    Json,
    Key,
    Points,
    Reference,
    Schema,
    Text,
    described,
)
from core.paging import PageQuery
from loyalty.schemas import BalanceAnswer, whole
from orders.schemas import CartSchema

STATES = ("held", "captured", "released", "expired", "reversed")
POLICIES = ("strict", "grace")
POINTS_MAX = 10**12
STOCK_MAX = 10**9
_TTL = "PT30M"
_TTL_LEAST, _TTL_MOST = 60, 7 * 86_400


def _check_ttl(text: str) -> None:
    given = clock.parse_duration(text)
    seconds = given.days * 86_400 + given.seconds
    if given.months or not _TTL_LEAST <= seconds <= _TTL_MOST:
        raise ma.ValidationError("must be from PT1M to P7D")


def _check_said(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("must say something, not only spaces")


class PayWithPointsBody(Schema):
    """How many points are to pay."""

    points = described(Points, "How many.", required=True, least=1, most=POINTS_MAX)


class RedemptionBody(Schema):
    """What is to be held for a member: a reward, or points that pay."""

    member_ref = described(Reference, "Whose.", required=True)
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
    ttl = described(
        Duration,
        "How long it is held, from PT1M to P7D.",
        load_default=_TTL,
        validate=_check_ttl,
    )
    grant_id = described(
        Text, "Which of the member's grants of the reward to use; the one that ends first.", most=64
    )
    capture = described(
        Boolean,
        "Have it at once: gift cards, store credit, access, free products, what is custom, and"
        " whatever comes with a code; for the rest an order is needed.",
        load_default=False,
    )


class CaptureBody(Schema):
    """By which order it is captured."""

    order_ref = described(Reference, "The order; it need not be known.", allow_none=True)


class ReverseBody(Schema):
    """Why what was captured is undone."""

    reason = described(Text, "Why. Not only spaces.", required=True, most=200, validate=_check_said)
    policy = described(
        Text,
        "strict: points whose date is over are gone; grace: they live for 14 days more.",
        one_of=POLICIES,
        load_default="strict",
    )


class RedemptionsQuery(PageQuery):
    """Which redemptions."""

    member_ref = described(Reference, "Of this member.")
    state = described(Text, "In this state.", one_of=STATES)
    reward = described(Key, "Of this reward.")
    order_ref = described(Reference, "That this order keeps or captured.")


class CodeAnswer(Schema):
    """A code that the storefront accepts."""

    code = described(
        Text,
        "The code; null when it cannot be shown since SECRET_KEY has changed.",
        required=True,
        allow_none=True,
    )
    expires_at = described(Instant, "Until when; null for ever.", required=True, allow_none=True)


class RedemptionView(Schema):
    """A redemption."""

    id = described(Text, "Our id.", required=True)
    member_ref = described(
        Reference, "Whose; null when they were erased.", required=True, allow_none=True
    )
    reward = described(
        Text, "Key of the reward; null for points that pay.", required=True, allow_none=True
    )
    kind = described(Text, "The reward's kind, or pay_with_points.", required=True)
    state = described(Text, "Its state.", required=True, one_of=STATES)
    points_key = described(
        Text, "Kind of points; null when it is free.", required=True, allow_none=True
    )
    points = whole("What it costs.")
    points_returned = whole("How many of these went back since it was captured.")
    discount = described(Json, "What it is worth: {kind, …}.", required=True)
    voucher = ma.fields.Nested(
        CodeAnswer, required=True, allow_none=True, metadata={"description": "Its code, if any."}
    )
    cart_ref = described(Reference, "The cart.", required=True, allow_none=True)
    order_ref = described(
        Reference, "The order that keeps or captured it.", required=True, allow_none=True
    )
    held_at = described(Instant, "Since when it is held.", required=True)
    expires_at = described(
        Instant,
        "When it runs out, or would have; null while an order keeps it.",
        required=True,
        allow_none=True,
    )
    captured_at = described(Instant, "When it was captured.", required=True, allow_none=True)
    ended_at = described(
        Instant, "When it was released, ran out or was reversed.", required=True, allow_none=True
    )
    cost_minor = whole("What it cost, as estimated until that is known.")
    discount_minor = described(
        Integer,
        "What it took off the order that captured it, once known.",
        required=True,
        allow_none=True,
    )
    actor = described(Text, "Who held it.", required=True, allow_none=True)
    reason = described(Text, "Why it was reversed.", required=True, allow_none=True)


class RedemptionAnswer(Schema):
    """A redemption, and what its member has now."""

    redemption = ma.fields.Nested(RedemptionView, required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)


class RedemptionsAnswer(Schema):
    """Redemptions, newest first."""

    data = ma.fields.List(ma.fields.Nested(RedemptionView), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class StockBody(Schema):
    """Stock that came or went."""

    change = described(
        Integer,
        "How many more; negative for fewer.",
        required=True,
        least=-STOCK_MAX,
        most=STOCK_MAX,
        validate=ma.validate.NoneOf([0], error="must not be 0"),
    )
    reason = described(Text, "Why. Not only spaces.", required=True, most=200, validate=_check_said)


class StockAnswer(Schema):
    """The stock of a reward."""

    reward = described(Text, "Key of the reward.", required=True)
    total = described(
        Integer, "How many there are in all; null without limit.", required=True, allow_none=True
    )
    used = whole("How many are taken: held, captured or granted.")
    left = described(
        Integer, "How many are left; null without limit.", required=True, allow_none=True
    )


class StockMoveView(Schema):
    """Stock that came or went by hand."""

    id = described(Text, "Our id.", required=True)
    change = described(Integer, "How many more.", required=True, least=-STOCK_MAX)
    total_after = whole("How many there were in all afterwards.")
    reason = described(Text, "Why.", required=True)
    actor = described(Text, "Who.", required=True, allow_none=True)
    recorded_at = described(Instant, "When.", required=True)


class StockMovesAnswer(StockAnswer):
    """The stock of a reward, and what came and went by hand, newest first."""

    data = ma.fields.List(ma.fields.Nested(StockMoveView), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
