"""Programs for histories of the ledger to live under, and an order as a storefront sees it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.independent.ledger_terms import Terms
from tests.independent.ledger_views import shown

_AFTER_3_MONTHS = {"policy": "after", "duration": "P3M", "round_up_to": "month"}
_PENDING_7_DAYS = {"policy": "after", "duration": "P7D"}

#: Programs to live under: the kind of points as a document has it, and the same for the model.
PROGRAMS: dict[str, tuple[dict[str, Any], Terms]] = {
    "plain": ({"return_policy": "within_balance"}, Terms()),
    "dated": (
        {"pending": _PENDING_7_DAYS, "expiry": _AFTER_3_MONTHS},
        Terms(pending_days=7, expiry_months=3, round_up_to="month"),
    ),
    "unlimited": ({"return_policy": "unlimited"}, Terms(returns="unlimited")),
    "unlimited, dated": (
        {
            "return_policy": "unlimited",
            "pending": _PENDING_7_DAYS,
            "expiry": {"policy": "after", "duration": "P1M"},
        },
        Terms(returns="unlimited", pending_days=7, expiry_months=1),
    ),
    "only pending": (
        {
            "return_policy": "only_pending",
            "pending": _PENDING_7_DAYS,
            "expiry": _AFTER_3_MONTHS,
        },
        Terms(returns="only_pending", pending_days=7, expiry_months=3, round_up_to="month"),
    ),
    "deducting": (
        {
            "return_policy": "deduct_from_refund",
            "expiry": {"policy": "after", "duration": "P1M10D"},
        },
        Terms(returns="deduct_from_refund", expiry_months=1, expiry_days=10),
    ),
}

#: A program in which points come of orders and go to holds alone, and never expire. While no hold
#: keeps any, the members have exactly what their orders deserve.
CLOSED = "closed"
WORLDS = PROGRAMS | {CLOSED: PROGRAMS["plain"]}


@dataclass(slots=True)
class Order:
    """An order as the storefront sees it."""

    ref: str
    member: str
    minors: list[int]
    paid_at: datetime
    refunded: list[int] = field(default_factory=list)
    refunded_total: int = 0
    status: str = "paid"

    @property
    def left(self) -> int:
        """What of the lines is not refunded."""
        return sum(self.minors) - max(self.refunded_total, sum(self.refunded))

    @property
    def deserved(self) -> int:
        """One point for each whole 1.00 of what stands."""
        return 0 if self.status == "cancelled" else self.left // 100

    def body(self) -> dict[str, Any]:
        """The snapshot to be told."""
        lines = [
            {
                "line_ref": str(number),
                "quantity": 1,
                "unit_price_minor": minor,
                "refunded_minor": refunded,
            }
            for number, (minor, refunded) in enumerate(
                zip(self.minors, self.refunded, strict=True), start=1
            )
        ]
        return {
            "member_ref": self.member,
            "status": self.status,
            "currency": "EUR",
            "placed_at": shown(self.paid_at),
            "paid_at": shown(self.paid_at),
            "refunded_minor": self.refunded_total,
            "lines": lines,
        }
