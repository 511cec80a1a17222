"""What is answered of a referral: to the storefront's key as it is, to the friend in neutral words.

Owns the texts for the friend. They never hint at a suspicion: what is looked into reads like what
waits, and what was refused for it like anything that could not be applied.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids
from core.language import Text
from programs import versions
from referrals import referrals
from referrals.carried import REFERRALS
from rewards.carried import Row
from storefront.plan import Plan
from storefront.standing import FriendOf

_APPLIED: Text = {
    "en": "Your invitation is noted.",
    "ko": "초대가 확인되었습니다.",
}
_REFUSED: Text = {
    "en": "This invitation could not be applied.",
    "ko": "이 초대는 적용되지 않았습니다.",
}
#: By state, for the friend.
_BY_STATE: dict[str, Text] = {
    "identified": _APPLIED,
    "qualified": _APPLIED,
    "in_review": _APPLIED,
    "on_hold": {
        "en": "Your order counts for the invitation; what it brings follows.",
        "ko": "주문이 초대에 반영되었습니다. 혜택은 곧 지급됩니다.",
    },
    "approved": {
        "en": "Your invitation is complete.",
        "ko": "초대가 완료되었습니다.",
    },
    "rejected": _REFUSED,
    "expired": {
        "en": "The time of this invitation is over.",
        "ko": "초대 기간이 끝났습니다.",
    },
}
#: By reason, where the friend can do something, or see why without being suspected.
_BY_REASON: dict[str, Text] = {
    "BELOW_MIN": {
        "en": "The order is below the invitation's minimum.",
        "ko": "주문 금액이 초대 혜택의 최소 금액보다 적습니다.",
    },
    "CONDITION_NOT_MET": {
        "en": "The order does not meet the invitation's terms.",
        "ko": "주문이 초대 조건을 충족하지 않습니다.",
    },
    "EXISTING_CUSTOMER": {
        "en": "Invitations are for new members.",
        "ko": "초대는 신규 회원만 이용할 수 있습니다.",
    },
    "ALREADY_REFERRED": {
        "en": "An invitation was used before.",
        "ko": "이미 초대를 이용하셨습니다.",
    },
    "CLICK_WINDOW": {
        "en": "The time of this invitation is over.",
        "ko": "초대 기간이 끝났습니다.",
    },
    "CREDIT_WINDOW": {
        "en": "The time of this invitation is over.",
        "ko": "초대 기간이 끝났습니다.",
    },
    "EXPIRED_TOKEN": {
        "en": "The time of this invitation is over.",
        "ko": "초대 기간이 끝났습니다.",
    },
    "OFFER_CLOSED": {
        "en": "This invitation is not open now.",
        "ko": "지금은 이용할 수 없는 초대입니다.",
    },
    "NOT_FOUND": {
        "en": "This invitation is not known; check the code.",
        "ko": "확인되지 않는 초대입니다. 코드를 확인해 주세요.",
    },
    "REFUND_BELOW_MIN": {
        "en": "After the refund the order is below the invitation's minimum.",
        "ko": "환불 후 주문 금액이 초대 혜택의 최소 금액보다 적습니다.",
    },
    "ORDER_CANCELLED": {
        "en": "The order was cancelled.",
        "ko": "주문이 취소되었습니다.",
    },
}


def message(state: str, reason: str | None, *, has_qualified: bool = False) -> Text:
    """What the storefront may show the friend."""
    if state == "in_review" and has_qualified:
        state = "on_hold"
    return _BY_REASON.get(reason or "") or _BY_STATE.get(state) or _REFUSED


def shown(plan: Plan, referral: Mapping[str, Any] | Row) -> dict[str, Any]:
    """A referral as the storefront is answered."""
    row = referral.values if isinstance(referral, Row) else referral
    state, reason = row["state"], row["reason"]
    found: dict[str, Any] = {"id": ids.show_id(referrals.PREFIX, bytes(row["id"])), "state": state}
    if reason is not None:
        found["reason"] = reason
    has_qualified = row["qualified_at"] is not None
    found["message"] = dict(message(state, reason, has_qualified=has_qualified))
    missing = _missing_minor(plan, row)
    if missing is not None:
        found["missing_minor"] = missing
    return found


def _missing_minor(plan: Plan, row: Mapping[str, Any]) -> int | None:
    """What an order lacks to the offer's minimum (SEMANTICS F45)."""
    if row["reason"] not in ("BELOW_MIN", "REFUND_BELOW_MIN") or row["net_minor"] is None:
        return None
    assert plan.connection is not None
    program = versions.get_compiled(
        plan.connection, plan.program_id, row["version"], row["switches"]
    )
    offer = program.offer(row["offer_key"])
    return None if offer is None else max(0, offer.min_net_minor - row["net_minor"])


def waiting(plan: Plan, found: FriendOf) -> dict[str, Any] | None:
    """The answer to orders of a friend who is looked into before any order counts; else None."""
    if found.state != "in_review" or found.order_ref is not None:
        return None
    row = {"id": found.id, "state": found.state, "reason": found.reason}
    return shown(plan, row | {"net_minor": None, "order_ref": None, "qualified_at": None})


def nobody(reason: str) -> dict[str, Any]:
    """The answer to evidence that leads to no advocate."""
    return {"state": "rejected", "reason": reason, "message": dict(message("rejected", reason))}


def stored(connection: sa.Connection, plan: Plan, friend_id: bytes) -> dict[str, Any] | None:
    """The referral of a friend as it is stored, None where there is none."""
    row = (
        connection.execute(
            sa.select(REFERRALS).where(
                REFERRALS.c.program_id == plan.program_id, REFERRALS.c.friend_id == friend_id
            )
        )
        .mappings()
        .first()
    )
    return None if row is None else shown(plan, dict(row))
