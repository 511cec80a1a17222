"""What referrals and their milestones are called in sentences, and why one brought nothing, or
brings it no more, in English and Korean.

Owns the words of every reason of referrals. What a member reads never hints at fraud: those
reasons say only that a referral could not be confirmed. Refuses to decide anything.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from core.language import LANGUAGES, Text, with_particle
from members.members import Known
from programs.models import Decision
from referrals.carried import MILESTONES, REFERRALS, SIDES
from referrals.referrals import PREFIX, SOURCE_TYPE

DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]
MILESTONE = "referral_milestone"
MILESTONE_PREFIX = "rms"
TYPES = (SOURCE_TYPE, MILESTONE)

#: What a side is called by whoever gets it.
_SIDES: dict[str, Text] = {
    "referral_advocate": {"en": "a friend you referred", "ko": "친구 추천"},
    "referral_friend": {"en": "being referred by a friend", "ko": "친구의 추천"},
    "referral_second": {
        "en": "a friend whom your friend referred",
        "ko": "추천한 친구의 추천",
    },
}
_MILESTONE: Text = {"en": "referring {friends}", "ko": "친구 {n}명 추천 달성"}

_UNCONFIRMED: Text = {"en": "it could not be confirmed", "ko": "확인되지 않았습니다"}
#: Why a referral, or a side of it, brings nothing: after a colon.
REASONS: dict[str, Text] = {
    "CLICK_WINDOW": {
        "en": "the link was opened too long before",
        "ko": "링크를 연 뒤 유효 기간이 지났습니다",
    },
    "CREDIT_WINDOW": {
        "en": "no order qualified in time",
        "ko": "기한 안에 조건을 채운 주문이 없었습니다",
    },
    "EXISTING_CUSTOMER": {
        "en": "the friend had bought here before",
        "ko": "친구가 이미 구매한 적이 있습니다",
    },
    "ALREADY_REFERRED": {
        "en": "the friend was referred by somebody else before",
        "ko": "친구가 이미 다른 사람의 추천을 받았습니다",
    },
    "SELF_REFERRAL": _UNCONFIRMED,
    "MUTUAL_REFERRAL": _UNCONFIRMED,
    "BELOW_MIN": {
        "en": "the order was below the minimum",
        "ko": "주문 금액이 최소 금액보다 적었습니다",
    },
    "CONDITION_NOT_MET": {
        "en": "the order did not meet the conditions",
        "ko": "주문이 조건에 맞지 않았습니다",
    },
    "REFUND_BELOW_MIN": {
        "en": "after a refund the order was below the minimum",
        "ko": "환불 후 주문 금액이 최소 금액보다 적습니다",
    },
    "ORDER_CANCELLED": {"en": "the order was cancelled", "ko": "주문이 취소되었습니다"},
    "CAP": {
        "en": "the limit of rewarded friends is used up",
        "ko": "보상받을 수 있는 친구 수를 모두 채웠습니다",
    },
    "BUDGET": {"en": "the offer is used up", "ko": "혜택이 모두 소진되었습니다"},
    "BLOCKED": _UNCONFIRMED,
    "MANUAL": _UNCONFIRMED,
    "ERASED": {"en": "the membership was deleted", "ko": "회원 정보가 삭제되었습니다"},
    "OFFER_CLOSED": {
        "en": "the offer was not running",
        "ko": "진행 중인 혜택이 아니었습니다",
    },
    "NOT_FOUND": {"en": "the code is not known", "ko": "알 수 없는 코드입니다"},
    "UNKNOWN_TOKEN": {"en": "the link is not known", "ko": "알 수 없는 링크입니다"},
    "EXPIRED_TOKEN": {"en": "the link is too old", "ko": "링크가 만료되었습니다"},
}
#: What a referral waits for while nothing is against it.
_STATES: dict[str, Text] = {
    "identified": {
        "en": "no order has qualified yet",
        "ko": "아직 조건을 채운 주문이 없습니다",
    },
    "qualified": {"en": "it is being checked", "ko": "확인 중입니다"},
    "on_hold": {"en": "its waiting time is not over", "ko": "대기 기간이 끝나지 않았습니다"},
    "in_review": {"en": "it is being checked", "ko": "확인 중입니다"},
    "approved": {"en": "there is nothing more to it", "ko": "더 제공되는 혜택이 없습니다"},
    "rejected": _UNCONFIRMED,
    "expired": REASONS["CREDIT_WINDOW"],
}
_NOTHING: Text = {"en": "Nothing for {source}: {why}.", "ko": "{topic} 지급되지 않았습니다: {why}."}
_NOTHING_YET: Text = {
    "en": "Nothing for {source} yet: {why}.",
    "ko": "{topic} 아직 지급되지 않았습니다: {why}.",
}
_TAKEN: Text = {
    "en": "What {source} brought was taken back: {why}.",
    "ko": "{topic} 회수되었습니다: {why}.",
}


def of_decision(trigger: str, facts: Mapping[str, Any]) -> Text | None:
    """What the source of a decision is called by whoever it is about; None for other sources."""
    kind = trigger.partition(":")[0]
    if kind == MILESTONE:
        friends = (facts.get("own") or {}).get("referral.number") or 0
        said = f"{friends:,} friend{'' if friends == 1 else 's'}"
        return {one: _MILESTONE[one].format(friends=said, n=f"{friends:,}") for one in LANGUAGES}
    return _SIDES.get(kind)


def names(
    connection: sa.Connection, program_id: bytes, rows: Iterable[Mapping[str, Any]]
) -> dict[str, Text]:
    """By reference, what the referrals and milestones are called that these entries of one member
    are of; reads nothing where no entry is of one."""
    wanted = {
        bytes(row["decision_id"])
        for row in rows
        if row["source_type"] in TYPES and row["decision_id"]
    }
    if not wanted:
        return {}
    found = connection.execute(
        sa.select(DECISIONS.c.source_ref, DECISIONS.c.facts).where(
            DECISIONS.c.program_id == program_id, DECISIONS.c.id.in_(sorted(wanted))
        )
    )
    named = {}
    for row in found:
        facts = jsontext.parse(row.facts)
        words = of_decision(facts.get("trigger", ""), facts)
        if words is not None:
            named[row.source_ref] = words
    return named


def is_known(connection: sa.Connection, program_id: bytes, known: Known, ref: str) -> bool:
    """Whether a referral is one that the member has a part in."""
    return _find(connection, program_id, known, ref) is not None


def summary(
    connection: sa.Connection, program_id: bytes, known: Known, source: tuple[str, str]
) -> Text | None:
    """Why a referral brought the member nothing, or does so no more; None where it did, and for
    other sources."""
    found = None
    if source[0] == SOURCE_TYPE:
        found = _find(connection, program_id, known, source[1])
    if source[0] == MILESTONE:
        return _of_milestone(connection, program_id, source[1])
    if found is None or found.side_state == "rewarded":
        return None
    words = _SIDES[f"referral_{found.side}"]
    reason = found.side_reason or found.reason
    why = REASONS.get(reason) or _STATES[found.state]
    if found.side_state == "clawed_back":
        return _said(_TAKEN, words, why)
    is_open = found.side_state == "waiting" and found.state not in ("rejected", "expired")
    return _said(_NOTHING_YET if is_open else _NOTHING, words, why)


def _of_milestone(connection: sa.Connection, program_id: bytes, ref: str) -> Text | None:
    milestone_id = ids.read_id(MILESTONE_PREFIX, ref)
    row = connection.execute(
        sa.select(MILESTONES.c.at_count, MILESTONES.c.number, MILESTONES.c.stands).where(
            MILESTONES.c.program_id == program_id, MILESTONES.c.id == milestone_id
        )
    ).first()
    if row is None or row.stands:
        return None
    words = of_decision(MILESTONE, {"own": {"referral.number": row.at_count * max(row.number, 1)}})
    assert words is not None
    return _said(_TAKEN, words, {"en": "they are fewer by now", "ko": "추천한 친구가 줄었습니다"})


def _said(text: Text, words: Text, why: Text) -> Text:
    topic = with_particle(f"{words['ko']} 혜택", "은")
    return {
        one: text[one].format(source=words[one], topic=topic, why=why[one]) for one in LANGUAGES
    }


def _find(connection: sa.Connection, program_id: bytes, known: Known, ref: str) -> Any:
    """A referral with the side that is the member's: the advocate's or friend's before it has a
    row, too."""
    referral_id = ids.read_id(PREFIX, ref)
    if referral_id is None:
        return None
    joined = sa.and_(
        SIDES.c.program_id == REFERRALS.c.program_id,
        SIDES.c.referral_id == REFERRALS.c.id,
        SIDES.c.member_id == known.id,
    )
    by_place = sa.case((REFERRALS.c.friend_id == known.id, "friend"), else_="advocate")
    return connection.execute(
        sa.select(
            REFERRALS.c.state,
            REFERRALS.c.reason,
            sa.func.coalesce(SIDES.c.side, by_place).label("side"),
            sa.func.coalesce(SIDES.c.state, "waiting").label("side_state"),
            SIDES.c.reason.label("side_reason"),
        )
        .select_from(REFERRALS.outerjoin(SIDES, joined))
        .where(
            REFERRALS.c.program_id == program_id,
            REFERRALS.c.id == referral_id,
            sa.or_(
                SIDES.c.member_id.is_not(None),
                REFERRALS.c.friend_id == known.id,
                REFERRALS.c.advocate_id == known.id,
            ),
        )
        .order_by(SIDES.c.side)
        .limit(1)
    ).first()
