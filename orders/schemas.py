"""Bodies of orders, refunds and carts."""

from typing import Any

import marshmallow as ma

from core.fields import (
    Attributes,
    Boolean,
    Currency,
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
from members.evidence import ContactSchema, ReferralSchema, VisitorSchema

STATUSES = ("pending", "paid", "fulfilled", "cancelled")
#: Which vouchers a stored order names, kept beside its codes: no field that callers may send.
VOUCHER_IDS = "voucher_ids"
LINES_MAX = 1000
QUANTITY_MAX = 10**7


def _texts(description: str, *, most: int, length: int = 128) -> Any:
    return Items(Text(most=length), most=most, metadata={"description": description})


class LineSchema(Schema):
    """A line of an order. Discount and tax are for the whole line."""

    line_ref = described(Reference, "The storefront's id of the line.", required=True)
    sku = described(Text, "Stock keeping unit.", most=128)
    categories = _texts("Categories of the product.", most=50)
    name = described(Text, "Name of the product.", most=500)
    quantity = described(Integer, "How many.", required=True, most=QUANTITY_MAX)
    unit_price_minor = described(Minor, "Price of one, as displayed.", required=True)
    discount_minor = described(Minor, "Discount on the whole line.", load_default=0)
    tax_minor = described(Minor, "Tax on the whole line.", load_default=0)
    is_gift_card = described(Boolean, "The line sells a gift card.", load_default=False)
    fulfilled_quantity = described(Integer, "How many were handed over.", most=QUANTITY_MAX)
    refunded_quantity = described(
        Integer, "How many were refunded, in total.", most=QUANTITY_MAX, load_default=0
    )
    refunded_minor = described(
        Minor, "How much of the line's net was refunded, in total; else by quantity."
    )
    attributes = described(Attributes, "Facts of your own.")


class PaymentSchema(Schema):
    """A payment."""

    kind = described(
        Text, "How.", required=True, one_of=("card", "points", "gift_card", "store_credit", "other")
    )
    amount_minor = described(Minor, "How much.", required=True)
    redemption_id = described(Text, "Redemption behind it.", most=64)


class OrderPaymentSchema(PaymentSchema):
    """A payment of an order or a cart."""

    code = described(
        Text,
        "Of gift_card and store_credit: the code that paid; in answers its voucher's id.",
        most=128,
    )


class BasketSchema(Schema):
    """What an order and a cart have in common."""

    currency = described(Currency, "The program's currency.", required=True)
    prices_include_tax = described(Boolean, "Overrides the program's setting.")
    lines = Items(
        ma.fields.Nested(LineSchema),
        most=LINES_MAX,
        least=1,
        required=True,
        metadata={"description": "The lines."},
    )
    discount_minor = described(
        Minor, "Discount on the order that is not yet in the lines.", load_default=0
    )
    shipping_minor = described(Minor, "Shipping.", load_default=0)
    tax_minor = described(Minor, "All tax of the order.", load_default=0)
    payments = Items(
        ma.fields.Nested(OrderPaymentSchema), most=50, metadata={"description": "Payments."}
    )
    redemptions = _texts("Redemptions to be captured with the order.", most=20)
    codes = _texts(
        "Codes entered: yours, and ours, which are used with the order; in answers ours are shown"
        " by the ids of their vouchers.",
        most=50,
    )
    channel = described(Text, "Where it was sold.", most=64)
    location_ref = described(Reference, "Which place.")
    subscription_ref = described(Reference, "Which subscription.")
    is_renewal = described(Boolean, "A renewal of a subscription.", load_default=False)
    attributes = described(Attributes, "Facts of your own.")


class OrderSchema(BasketSchema):
    """How the order looks now."""

    member_ref = described(Reference, "Whose order; null for a guest's.", allow_none=True)
    status = described(Text, "Where the order stands.", required=True, one_of=STATUSES)
    placed_at = described(Instant, "When it was placed.", required=True)
    paid_at = described(Instant, "When it was paid.", allow_none=True)
    fulfilled_at = described(Instant, "When it was fulfilled.", allow_none=True)
    cancelled_at = described(Instant, "When it was cancelled.", allow_none=True)
    revision = described(
        Integer, "Any growing integer; an older one changes nothing.", allow_none=True
    )
    refunded_minor = described(
        Minor, "Refunded of the goods, in total: the lines' refunds included.", load_default=0
    )
    shipping_refunded_minor = described(Minor, "Refunded of the shipping.", load_default=0)
    referral = ma.fields.Nested(
        ReferralSchema, metadata={"description": "Evidence of a referral."}, allow_none=True
    )
    is_history = described(
        Boolean,
        "Counts, but earns nothing (scope import; fixed at first sight).",
        load_default=False,
    )
    contact = ma.fields.Nested(ContactSchema, metadata={"description": "Contact given."})
    visitor = ma.fields.Nested(VisitorSchema, metadata={"description": "Traces of the visitor."})


class Ignored(Json):
    """What an order may say and a cart need not: taken whatever it is, as if it said `instead`."""

    instead: Any = None

    def _deserialize(self, *_: Any, **__: Any) -> Any:
        return self.instead


class IgnoredAmount(Ignored):
    """The same of an amount."""

    instead = 0


class CartSchema(BasketSchema):
    """A cart: like an order, before it is placed. An order may be sent as it is."""


#: What means nothing in a cart.
IGNORED = (
    *("member_ref", "status", "placed_at", "paid_at", "fulfilled_at", "cancelled_at", "revision"),
    *("contact", "visitor", "referral", "is_history", "refunded_minor", "shipping_refunded_minor"),
)
for _name in IGNORED:
    _kind = IgnoredAmount if _name.endswith("_minor") else Ignored
    CartSchema._declared_fields[_name] = described(
        _kind, "Ignored: it means nothing in a cart.", allow_none=_kind is Ignored
    )


class BatchOrderSchema(OrderSchema):
    """An order of a batch."""

    order_ref = described(Reference, "The storefront's id of the order.", required=True)


class RefundLineSchema(Schema):
    """What was refunded of a line: money, pieces or both; money alone leaves the pieces."""

    line_ref = described(Reference, "The line of the order.", required=True)
    quantity = described(Integer, "How many pieces.", most=QUANTITY_MAX)
    amount_minor = described(
        Minor, "How much, in terms of the line's net; by quantity when absent."
    )


class RefundSchema(Schema):
    """One refund of an order: of lines, or of an amount spread over what is left of them by
    value; of shipping besides or alone."""

    refunded_at = described(Instant, "When it was refunded.", required=True)
    status = described(
        Text,
        "Whether it stands.",
        one_of=("succeeded", "withdrawn"),
        load_default="succeeded",
    )
    lines = Items(
        ma.fields.Nested(RefundLineSchema),
        most=LINES_MAX,
        least=1,
        metadata={"description": "Of which lines; not together with amount_minor."},
    )
    amount_minor = described(Minor, "How much of the goods, when no lines are told.")
    shipping_minor = described(Minor, "How much of the shipping.")
    payments = Items(
        ma.fields.Nested(PaymentSchema),
        most=50,
        least=1,
        metadata={
            "description": "How it was paid back; when absent, as the order was paid, in shares."
        },
    )


class RefundQuery(Schema):
    """Whether to change anything."""

    dry_run = described(Boolean, "Only preview; nothing is stored.", load_default=False)


#: Never stored with an order: contact data and evidence that is not the order's own.
NOT_STORED = ("contact", "visitor", "referral", "order_ref")
