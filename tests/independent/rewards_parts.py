"""What the independent rewards are made of: offers, redemptions, orders.

Owns what is derived of one of them: the state of a code, what is left of a card, what an order
deserves. Refuses to move points, and to import anything of the application.
"""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Literal

from tests.independent.ledger_terms import Hold, HoldState

#: Every order is of 100.00, so that shares of it are whole.
WHOLE = 10_000
#: The kind of points that pay.
PAY = "pay_with_points"


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward of the catalogue; or points that pay, whose cost and worth are asked for."""

    key: str
    kind: str
    cost: int
    minor: int = 0
    percent: int = 0
    most: int | None = None
    per_member: int | None = None
    per_program: int | None = None
    code: Literal["none", "generated", "pool"] = "none"

    @property
    def is_card(self) -> bool:
        """Whether its code holds money that is spent in parts."""
        return self.kind == "gift_card"

    @property
    def worth(self) -> int:
        """What it takes off an order of 100.00; percentages floor and have a maximum (E36)."""
        if not self.percent:
            return self.minor
        share = WHOLE * self.percent // 100
        return share if self.most is None else min(share, self.most)


@dataclass(slots=True, eq=False)
class Redemption:
    """A hold with what hangs on it. `order` keeps it or captured it, by its id where it
    `is_unnamed`; `undone_by` is the order with which it fell, and with which it may stand again."""

    number: int
    offer: Offer
    points: int
    hold: Hold
    cart: str | None
    order: str | None = None
    undone_by: str | None = None
    is_unnamed: bool = False
    #: Points of it that went back with refunds.
    returned: int = 0
    code: str | None = None
    #: What orders have of its code: money of a card, 1 of any other.
    uses: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> HoldState:
        """The state that is shown."""
        return self.hold.state

    @property
    def stands(self) -> bool:
        """Whether it takes of stock and limits (E34: captured + held)."""
        return self.state in ("held", "captured")

    @property
    def remaining(self) -> int:
        """What is left of a card."""
        return self.offer.minor - sum(self.uses.values())

    @property
    def is_used_up(self) -> bool:
        """Whether nobody can use the code any more."""
        return not self.remaining if self.offer.is_card else bool(self.uses)

    @property
    def code_state(self) -> str:
        """The state of its code."""
        if self.state == "held":
            return "frozen"
        if self.state == "captured":
            return "redeemed" if self.is_used_up else "active"
        return "void"


@dataclass(slots=True, eq=False)
class Sale:
    """An order as the storefront tells it. `card` is the code that pays `card_minor` of it."""

    ref: str
    member: str
    paid_at: datetime
    status: str
    named: list[Redemption] = field(default_factory=list)
    codes: list[Redemption] = field(default_factory=list)
    card: Redemption | None = None
    card_minor: int = 0
    refunded: Fraction = Fraction(0)
    #: The card had less than it was told to pay.
    is_short: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it keeps or has what it names."""
        return self.status == "pending" or self.stands

    @property
    def stands(self) -> bool:
        """Whether anything of it is bought."""
        return self.status in ("paid", "fulfilled") and self.refunded < 1

    @property
    def points_minor(self) -> int:
        """What points are told to pay of it."""
        return sum(one.offer.minor for one in self.named if one.offer.kind == PAY)

    @property
    def deserved(self) -> int:
        """One point for each 1.00 that was not paid with points (A2, B15)."""
        if not self.stands:
            return 0
        return int((WHOLE - self.points_minor) * (1 - self.refunded) // 100)
