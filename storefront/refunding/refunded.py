"""How the contract shows refunds: what was told of them, what they took, and what found no more."""

from typing import Any

from core import clock
from orders.refunds import Applied, Folded, Refund


def show(refund: Refund, folded: Folded) -> dict[str, Any]:
    """A refund as told, and what it took of the order."""
    applied = folded.applied.get(refund.refund_ref) or Applied()
    return dict(refund.body) | {
        "refund_ref": refund.refund_ref,
        "status": refund.status,
        "refunded_at": clock.format_instant(refund.refunded_at),
        "refunded_minor": applied.goods_minor,
        "shipping_refunded_minor": applied.shipping_minor,
        "is_parked": not refund.is_applied,
    }


def parked(refund: Refund) -> dict[str, Any]:
    """The answer to a refund whose order is not known yet."""
    return {
        "order": None,
        "earned": [],
        "reversed": [],
        "balances": [],
        "tier": None,
        "cards": [],
        "referral": None,
        "redemptions": [],
        "codes": [],
        "grants": [],
        "payables": [],
        "surprises": [],
        "problems": [],
        "decision_id": None,
        "refund": show(refund, Folded({})),
        "points_returned": 0,
        "grants_revoked": [],
        "surprises_revoked": [],
        "suggested_refund_deduction_minor": 0,
    }


def problems(folded: Folded) -> list[dict[str, str]]:
    """Refunds of which the order had no more to give: applied up to the order."""
    found = []
    for refund_ref, applied in folded.applied.items():
        if applied.missing:
            detail = f"refund {refund_ref} is more than was left of the order"
            if applied.unknown_lines:
                detail += f"; the order has no line {', '.join(applied.unknown_lines)}"
            pointer = "/refunds/" + refund_ref.replace("~", "~0").replace("/", "~1")
            found.append({"code": "state_conflict", "pointer": pointer, "detail": detail})
    return found
