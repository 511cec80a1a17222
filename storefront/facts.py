"""Facts that only the use cases can give: how a member stood before an order; and the triggers."""

from members.facts import MEMBER
from orders.facts import LINE, ORDER
from programs import triggers
from rules.facts import Catalogue, Fact

_ORDERS = "the member's orders that stand, before this one"

STANDING = Catalogue(
    [
        Fact("member.tier", "text", "Key of the level, absent for members of none", "tiers"),
        Fact("member.order_count", "integer", "Number of orders that stand", _ORDERS),
        Fact("member.spend_minor", "integer", "Money that earned, ever (minor units)", _ORDERS),
        Fact(
            "member.spend_12m_minor",
            "integer",
            "Money that earned in the 12 months before (minor units)",
            _ORDERS,
        ),
        Fact(
            "member.days_since_last_order",
            "integer",
            "Days since the last order, absent without one",
            _ORDERS,
        ),
        Fact("member.balance", "integer", "Available points of the default kind", "the ledger"),
    ]
)


def install() -> None:
    """Make the triggers of this version available to program documents."""
    triggers.declare("order", ORDER + MEMBER + STANDING, lines=LINE)
    triggers.declare("signup", MEMBER)
