"""Facts that only all orders of a member together, or all members together, can give."""

from programs.segments import SEGMENTS
from rules.facts import Catalogue, Fact, Words

SPEND_RANK = "member.spend_rank_bp"
RHYTHM = "member.rhythm"
RHYTHM_BP = "member.rhythm_bp"
TERM_LEFT = "member.days_to_tier_end"
AT_RISK = "member.is_tier_at_risk"
WEEKS = "member.order_streak_weeks"
MONTHS = "member.order_streak_months"

#: Those that take the instants of all the member's orders.
OF_ORDERS = frozenset({RHYTHM, RHYTHM_BP, WEEKS, MONTHS})
#: Those that take more than a member's standing: read only where something asks for them.
FURTHER = OF_ORDERS | {SPEND_RANK}

_ORDERS = "the member's orders that stand, before this one"

PATTERNS = Catalogue(
    [
        Fact(
            SPEND_RANK,
            "integer",
            "Rank by money of the last 12 months among the members who take part, as of the last"
            " midnight: 0 is the top, 2,000 is where the top fifth ends; absent before the first"
            " midnight",
            "all members together",
            words=Words(
                "ten-thousandth of the members ahead",
                "ten-thousandths of the members ahead",
                "구매 금액 순위 만분율 {n}",
            ),
        ),
        Fact(
            RHYTHM,
            "text",
            "steady, due, late or lapsed: the days since the last order beside the member's own"
            " usual gap; absent before orders on three different days",
            _ORDERS,
            words=Words("rhythm of orders", "rhythms of orders", "구매 주기 상태"),
        ),
        Fact(
            RHYTHM_BP,
            "integer",
            "Days since the last order, in basis points of the median of the gaps between the"
            " member's own days of ordering; absent before orders on three different days",
            _ORDERS,
            words=Words(
                "ten-thousandth of their usual gap",
                "ten-thousandths of their usual gap",
                "평소 구매 간격의 만분율 {n}",
            ),
        ),
        Fact(
            TERM_LEFT,
            "integer",
            "Days until the term of the level ends, 0 in its grace; absent where it has no end",
            "tiers",
            words=Words(
                "day until the level's term ends",
                "days until the level's term ends",
                "등급 유지 기간 {n}일",
            ),
        ),
        Fact(
            AT_RISK,
            "boolean",
            "The window holds less than it takes to keep the level; what is assured or given by"
            " hand is not at risk",
            "tiers",
            words=Words(
                "while the level is at risk",
                "while the level is not at risk",
                "등급 유지 기준에 미달",
                "등급 유지 기준을 충족",
            ),
        ),
        Fact(
            WEEKS,
            "integer",
            "Weeks in a row with an order, up to this week or the last one; they begin on Monday",
            _ORDERS,
            words=Words(
                "week in a row with an order", "weeks in a row with an order", "연속 구매 {n}주"
            ),
        ),
        Fact(
            MONTHS,
            "integer",
            "Months in a row with an order, up to this month or the last one",
            _ORDERS,
            words=Words(
                "month in a row with an order",
                "months in a row with an order",
                "연속 구매 {n}개월",
            ),
        ),
    ]
)

BELONGING = Catalogue(
    [
        Fact(
            SEGMENTS,
            "list",
            "Keys of the segments that the member belongs to",
            "segments",
            words=Words("segment", "segments", "세그먼트"),
        )
    ]
)
