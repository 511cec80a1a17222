"""The starter set: ten segments that a small shop asks for first, in every new program.

No rule asks for them, so they cost an order nothing; the worker looks at them once a day.
"""

from typing import Any

#: How long a member is new, and how long they have for a first purchase.
_NEW, _WEEK = 30, 7
#: A second purchase is due from here on; who bought often lapses, and is lost, after these.
_DUE, _LAPSES, _LOST = 30, 90, 180


def segments() -> list[dict[str, Any]]:
    """The segments, as a document has them."""
    since_order, orders = "member.days_since_last_order", "member.order_count"
    since_joined = "member.days_since_joined"
    return [
        _segment(
            "new-without-purchase",
            "New, no purchase in the first week",
            "첫 주에 구매하지 않은 신규 회원",
            _is(orders, "=", 0),
            _is(since_joined, ">=", _WEEK),
            _is(since_joined, "<=", _NEW),
        ),
        _segment(
            "new-with-purchase",
            "New, with a first purchase",
            "첫 구매를 한 신규 회원",
            _is(orders, "=", 1),
            _is(since_joined, "<=", _NEW),
        ),
        _segment(
            "one-timer-due",
            "Bought once, a second purchase is due",
            "재구매할 때가 된 1회 구매 회원",
            _is(orders, "=", 1),
            _is(since_order, ">=", _DUE),
            _is(since_order, "<=", _LAPSES),
        ),
        _segment(
            "active-repeat",
            "Buys again and again",
            "꾸준히 구매하는 회원",
            _is(orders, ">=", 2),
            _is(since_order, "<=", _LAPSES),
        ),
        _segment(
            "top-fifth",
            "Top fifth by spend",
            "구매 금액 상위 20% 회원",
            _is("member.spend_rank_bp", "<", 2_000),
            _is("member.spend_12m_minor", ">", 0),
        ),
        _segment(
            "late",
            "Late on their own rhythm",
            "평소 구매 주기를 넘긴 회원",
            _is("member.rhythm", "=", "late"),
        ),
        _segment(
            "lapsing",
            "Lapsing",
            "이탈 우려 회원",
            _is(since_order, ">", _LAPSES),
            _is(since_order, "<=", _LOST),
        ),
        _segment("lost", "Lost", "이탈 회원", _is(since_order, ">", _LOST)),
        _segment(
            "advocate",
            "Brought a friend",
            "친구를 추천한 회원",
            _is("member.approved_referrals", ">=", 1),
        ),
        _segment(
            "tier-at-risk",
            "About to lose a level",
            "등급 하락 예정 회원",
            _is("member.is_tier_at_risk", "=", True),
            _is("member.days_to_tier_end", "<=", _NEW),
        ),
    ]


def _is(fact: str, op: str, value: Any) -> dict[str, Any]:
    return {"fact": fact, "op": op, "value": value}


def _segment(key: str, english: str, korean: str, *parts: dict[str, Any]) -> dict[str, Any]:
    when = parts[0] if len(parts) == 1 else {"all": list(parts)}
    return {"key": key, "name": {"en": english, "ko": korean}, "when": when}
