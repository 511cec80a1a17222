"""Facts that only the use cases can give: how a member stood before an order; and the triggers."""

from members import activities
from members.facts import MEMBER
from orders.facts import LINE, ORDER
from programs import triggers
from programs.compiled import APPROVED_REFERRALS
from rules.facts import Catalogue, Fact, Words
from segments.facts import BELONGING, PATTERNS

_ORDERS = "the member's orders that stand, before this one"

_STANDING = Catalogue(
    [
        Fact(
            "member.tier",
            "text",
            "Key of the level, absent for members of none",
            "tiers",
            words=Words("level", "levels", "등급"),
        ),
        Fact(
            "member.order_count",
            "integer",
            "Number of orders that stand",
            _ORDERS,
            words=Words("earlier order", "earlier orders", "이전 주문 {n}건"),
        ),
        Fact(
            "member.spend_minor",
            "integer",
            "Money that earned, ever (minor units)",
            _ORDERS,
            words=Words("", "spent before", "누적 구매 금액 {n}", is_money=True),
        ),
        Fact(
            "member.spend_12m_minor",
            "integer",
            "Money that earned in the 12 months before (minor units)",
            _ORDERS,
            words=Words(
                "", "spent in the 12 months before", "최근 12개월 구매 금액 {n}", is_money=True
            ),
        ),
        Fact(
            "member.days_since_last_order",
            "integer",
            "Days since the last order, absent without one",
            _ORDERS,
            words=Words(
                "day since the last order", "days since the last order", "마지막 주문 후 {n}일"
            ),
        ),
        Fact(
            APPROVED_REFERRALS,
            "integer",
            "Friends whom the member referred who are approved, and whose orders stand",
            "referrals",
            words=Words("approved friend", "approved friends", "승인된 친구 {n}명"),
        ),
        Fact(
            "member.balance",
            "integer",
            "Available points of the default kind",
            "the ledger",
            words=Words("point on the account", "points on the account", "보유 포인트 {n}점"),
        ),
    ]
)

#: What segments may ask for, beside the member's person; and what all others may.
SEGMENT = _STANDING + PATTERNS
STANDING = SEGMENT + BELONGING

TIER = Catalogue(
    [
        Fact(
            "tier.key",
            "text",
            "Key of the level entered",
            "tiers",
            words=Words("level entered", "levels entered", "새 등급"),
        ),
        Fact(
            "tier.from_key",
            "text",
            "Key of the level before, absent for members of none",
            "tiers",
            words=Words("level before", "levels before", "이전 등급"),
        ),
    ]
)

CARD = Catalogue(
    [
        Fact(
            "card.key",
            "text",
            "Key of the card that is complete",
            "stamp cards",
            words=Words("card", "cards", "스탬프 카드"),
        ),
        Fact(
            "card.number",
            "integer",
            "Which completion of the card it is, from 1",
            "stamp cards",
            words=Words("completed card", "completed cards", "완성한 카드 {n}장"),
        ),
    ]
)

REFERRAL = Catalogue(
    [
        Fact(
            "referral.offer",
            "text",
            "Key of the offer",
            "referrals",
            words=Words("offer", "offers", "추천 혜택"),
        ),
        Fact(
            "referral.channel",
            "text",
            "Channel of the click, absent where none was named",
            "referrals",
            words=Words("channel", "channels", "추천 경로"),
        ),
        Fact(
            "referral.net_minor",
            "integer",
            "What stands of the friend's order (minor units), absent for a signup",
            "referrals",
            words=Words("", "spent by the friend", "친구의 구매 금액 {n}", is_money=True),
        ),
        Fact(
            "referral.number",
            "integer",
            "Which approved friend of the advocate it is, from 1",
            "referrals",
            words=Words("approved friend", "approved friends", "승인된 친구 {n}명"),
        ),
    ]
)

ANNIVERSARY = Catalogue(
    [
        Fact(
            "anniversary.years",
            "integer",
            "How many years ago the member joined, from 1",
            "the member as the storefront told it",
            words=Words("year of membership", "years of membership", "가입 {n}주년"),
        )
    ]
)


def install() -> None:
    """Make the triggers of this version available to program documents."""
    triggers.declare("order", ORDER + MEMBER + STANDING, lines=LINE)
    # Whoever signs up has no past: it is told as that, so that one condition serves everywhere.
    triggers.declare("signup", MEMBER + STANDING)
    triggers.declare_activities(lambda declared: MEMBER + STANDING + activities.catalogue(declared))
    triggers.declare("birthday", MEMBER + STANDING)
    triggers.declare("anniversary", MEMBER + STANDING + ANNIVERSARY)
    triggers.declare("card_completed", MEMBER + STANDING + CARD)
    triggers.declare("referral_qualified", MEMBER + STANDING + REFERRAL, lines=LINE)
    triggers.declare("tier_entered", MEMBER + STANDING + TIER)
    triggers.declare(triggers.SILENCE, MEMBER + STANDING)
    triggers.declare_segments(MEMBER + SEGMENT)
