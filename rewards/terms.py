"""Terms of a redemption or a grant: what was promised, frozen when it was held or given.

A reward that is changed, paused or priced anew afterwards changes nothing of them (SEMANTICS E36).
Pure; kept as one line of JSON text.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from core import jsontext
from programs.rewards import PayWithPoints, Reward, VoucherTerms

PAY_WITH_POINTS = "pay_with_points"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was promised. `kind` is a reward's, or `pay_with_points`, whose `minor` is what the
    points pay. `points` is the cost, 0 for what is free."""

    kind: str
    reward_key: str | None
    points_key: str | None
    points: int
    name: dict[str, str] = field(default_factory=dict)
    minor: int = 0
    percent_bp: int = 0
    sku: str | None = None
    perk: str | None = None
    access_for: str | None = None
    max_discount_minor: int | None = None
    min_order_minor: int = 0
    applies_to: Any = None
    when: Any = None
    exclude_gift_cards: bool = False
    max_order_bp: int = 10_000
    voucher: VoucherTerms | None = None
    needs_fulfilment: bool | None = None
    estimated_cost_minor: int = 0
    combines: bool = True

    @property
    def text(self) -> str:
        """How rows keep them: without what is as usual."""
        values = asdict(self)
        return jsontext.sorted_text(
            {name: value for name, value in values.items() if value != _USUAL.get(name, ...)}
        )


_USUAL: dict[str, Any] = {
    "points_key": None,
    "points": 0,
    "reward_key": None,
    "name": {},
    "minor": 0,
    "percent_bp": 0,
    "sku": None,
    "perk": None,
    "access_for": None,
    "max_discount_minor": None,
    "min_order_minor": 0,
    "applies_to": None,
    "when": None,
    "exclude_gift_cards": False,
    "max_order_bp": 10_000,
    "voucher": None,
    "needs_fulfilment": None,
    "estimated_cost_minor": 0,
    "combines": True,
}


def of_reward(reward: Reward, cost: int) -> Terms:
    """The terms of a reward as it is now, for so many points."""
    return Terms(
        kind=reward.kind,
        reward_key=reward.key,
        points_key=reward.points_key if cost else None,
        points=cost,
        name=reward.name,
        minor=reward.minor,
        percent_bp=reward.percent_bp,
        sku=reward.sku,
        perk=reward.perk,
        access_for=reward.access_for,
        max_discount_minor=reward.max_discount_minor,
        min_order_minor=reward.min_order_minor,
        applies_to=reward.applies_to,
        when=reward.when,
        voucher=reward.voucher,
        needs_fulfilment=reward.needs_fulfilment,
        estimated_cost_minor=reward.estimated_cost_minor,
        combines=reward.combines,
    )


def of_points(pay: PayWithPoints, points: int) -> Terms:
    """The terms of paying with so many points."""
    return Terms(
        kind=PAY_WITH_POINTS,
        reward_key=None,
        points_key=pay.points_key,
        points=points,
        minor=pay.value_minor(points),
        exclude_gift_cards=pay.exclude_gift_cards,
        max_order_bp=pay.max_order_bp,
        estimated_cost_minor=pay.value_minor(points),
    )


def parse(text: str) -> Terms:
    """Terms as rows keep them."""
    values = {"reward_key": None, "points_key": None, "points": 0, **jsontext.parse(text)}
    if values.get("voucher") is not None:
        values["voucher"] = VoucherTerms(**values["voucher"])
    return Terms(**values)
