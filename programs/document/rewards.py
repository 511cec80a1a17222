"""Rewards and paying with points in the document."""

import marshmallow as ma

from core.fields import (
    BasisPoints,
    Boolean,
    Duration,
    Integer,
    Items,
    Json,
    Key,
    Localised,
    Minor,
    Points,
    Schema,
    Text,
    described,
)
from programs.document.limits import LimitSchema, ScheduleSchema
from programs.document.points import ValueSchema
from programs.document.shapes import Item, item_list, nested
from programs.rewards import KINDS

POINTS_MAX = 10**9


class CostByTier(ma.fields.Dict):
    """Costs by key of a level."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            keys=Key(),
            values=Points(least=0, most=POINTS_MAX),
            **options,  # type: ignore[arg-type]
        )


class RewardValueSchema(Schema):
    """What a reward is worth; which field is needed depends on its kind."""

    minor = described(Minor, "Money: of an amount off, a gift card, store credit.")
    percent_bp = described(
        BasisPoints, "Share of the order off, in basis points: 1,000 is 10 %.", least=1, most=10_000
    )
    sku = described(Text, "What is given: the shop's stock keeping unit.", most=128)
    perk = described(Key, "Which perk access gives.")
    valid_for = described(Duration, "How long access lasts; for ever when absent.")


class VoucherSchema(Schema):
    """The code that a reward comes with."""

    pattern = described(
        Text,
        "Pattern of a generated code, # being a random symbol; thirteen of them when absent.",
        most=64,
        pattern=r"[A-Za-z0-9#._-]+",
    )
    pool = described(Key, "Pool of imported codes to take one of.")
    valid_for = described(Duration, "How long the code is valid; for ever when absent.")
    uses = described(Integer, "How often it can be used; once when absent.", least=1, most=10**6)


class RewardSchema(Item):
    """A reward of the catalogue."""

    kind = described(Text, "What it is.", required=True, one_of=KINDS)
    value = nested(RewardValueSchema, "What it is worth.")
    cost_points = described(
        Points,
        "What it costs; 0 is free for everybody, null or absent is only granted.",
        least=0,
        most=POINTS_MAX,
        allow_none=True,
    )
    cost_by_tier = CostByTier(
        metadata={"description": "Another cost for members on these levels, by key."}
    )
    points_key = described(Key, "In which kind of points; the first kind when absent.")
    max_discount_minor = described(Minor, "The most that a percentage takes off.", allow_none=True)
    min_order_minor = described(
        Minor, "Only for orders of at least so much (net, without shipping).", allow_none=True
    )
    applies_to = described(Json, "Condition over line facts: only these lines.", allow_none=True)
    when = described(Json, "Condition over member and order facts.", allow_none=True)
    tiers = Items(
        Key(),
        most=50,
        allow_none=True,
        metadata={"description": "Only for members on one of these levels; for all when absent."},
    )
    schedule = nested(ScheduleSchema, "When it can be redeemed; always.", allow_none=True)
    stock = described(
        Integer,
        "How many there are at first; afterwards stock moves by its own address. Without limit when"
        " absent.",
        most=10**9,
        allow_none=True,
    )
    limits = item_list(LimitSchema, "How often it is redeemed.", 20)
    voucher = nested(VoucherSchema, "The code that it comes with.", allow_none=True)
    claim_within = described(Duration, "How long a grant of it can be used; for ever when absent.")
    needs_fulfilment = described(
        Boolean, "Staff sends it; by default a free product that is no line of the order."
    )
    estimated_cost_minor = described(Minor, "What one costs, for budgets and liability.")
    image_url = described(Text, "Picture.", most=2048, pattern=r"https?://\S+")
    terms = described(Localised, "Terms by locale.", most=4000)
    category = described(Text, "Where it is shown.", most=64)
    position = described(Integer, "Smaller is shown first.", least=-(10**6), most=10**6)
    combines = described(Boolean, "Can be used beside others in one order (default true).")


class PayWithPointsSchema(Schema):
    """Paying a part of an order with points."""

    points_key = described(Key, "Which kind of points; the first kind when absent.")
    min_points = described(Points, "The least for one order; default 1.", most=POINTS_MAX)
    step_points = described(Points, "Only multiples of so many; default 1.", most=POINTS_MAX)
    max_order_bp = described(
        BasisPoints, "The most, as a share of the order; default 10,000, all of it.", most=10_000
    )
    value = nested(ValueSchema, "What they pay; the kind's own value when absent.")
    exclude_gift_cards = described(
        Boolean, "Lines that sell gift cards cannot be paid so (default true)."
    )
    state = described(Text, "Paused, nobody pays with points.", one_of=("live", "paused"))
