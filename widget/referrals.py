"""Members' links and whom they brought, as they see it themselves.

Friends are told apart by a number and nothing else. Why somebody was refused is nobody's business
but staff's: what is reviewed looks like what is held back, what was refused before it came to
anything like what has not come to anything yet.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, paging
from core.language import Text
from members import members
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from referrals import referrals
from storefront.referring.links import brought, linking
from widget import me
from widget.texts import Reader

Shown = dict[str, Any]

#: States that members see, and those of their reward.
STATES = ("identified", "on_hold", "approved", "rejected", "expired")
SIDES = ("waiting", "rewarded", "capped", "clawed_back", "lost", "none")
#: What says something of a friend that is not the advocate's to know.
_UNTOLD = frozenset({"SELF_REFERRAL", "MUTUAL_REFERRAL", "BLOCKED", "MANUAL", "EXISTING_CUSTOMER"})
_FRIEND: Text = {"en": "Friend {number}", "ko": "친구 {number}"}
_DETAILS: dict[str, Text] = {
    "identified": {
        "en": "Your friend came through your link. The reward follows what the offer asks for.",
        "ko": "친구가 내 링크로 방문했습니다. 조건을 충족하면 리워드가 지급됩니다.",
    },
    "on_hold": {
        "en": "Your friend did what the offer asks for. The reward is being confirmed.",
        "ko": "친구가 조건을 충족했습니다. 리워드 지급을 확인하고 있습니다.",
    },
    "approved": {"en": "It is confirmed.", "ko": "확정되었습니다."},
    "rejected": {
        "en": "It did not come to a reward.",
        "ko": "리워드 지급 대상이 되지 않았습니다.",
    },
    "expired": {
        "en": "Your friend did not do in time what the offer asks for.",
        "ko": "기간 안에 조건이 충족되지 않았습니다.",
    },
}
_SIDES: dict[str, Text] = {
    "rewarded": {"en": "It is confirmed and you have your reward.", "ko": "리워드를 받았습니다."},
    "capped": {
        "en": "It is confirmed, but you had as many rewards as the offer gives.",
        "ko": "확정되었지만 받을 수 있는 리워드를 모두 받았습니다.",
    },
    "clawed_back": {
        "en": "The reward was taken back: the order it was for no longer stands.",
        "ko": "주문이 취소되거나 환불되어 리워드가 회수되었습니다.",
    },
}


def issue(
    connection: sa.Connection, program_id: bytes, member_id: bytes, body: Mapping[str, Any]
) -> tuple[Shown, int]:
    """The member's link for an offer; 201 when it is new, else 200."""
    known = me.known_by(connection, program_id, member_id, is_locking=True)
    return linking.issue(connection, program_id, _ref(known), body)


def links(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Shown:
    """The member's links with what was counted of them."""
    known = me.known_by(connection, program_id, member_id)
    found = linking.list_links(connection, program_id, _ref(known))
    return {"data": found, "next_cursor": None}


def _ref(known: Known) -> str:
    return ids.show_id(members.PREFIX, known.id)


def find_all(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Shown:
    """Whom the member brought and what that earned them, with a page of friends, newest first."""
    known = me.known_by(connection, program_id, member_id)
    live, _ = versions.get_live(connection, program_id)
    reader = Reader(live, known.locale)
    counts = dict.fromkeys(STATES, 0)
    for one in brought.counts(connection, program_id, known.id):
        counts[_seen(one.state, one.reason, has_qualified=one.has_qualified)] += one.count
    page = brought.page(connection, program_id, known.id, query)
    numbers = {row["id"]: page.first - place for place, row in enumerate(page.rows)}
    came = brought.came_of(connection, live, known.id)
    return {
        "counts": counts,
        **came,
        "rewards": [_named(live, one, reader) for one in came["rewards"]],
        **paging.page(
            page.rows,
            query["limit"],
            key=brought.cursor_of,
            show=lambda row: _shown(row, reader, number=numbers[row["id"]]),
        ),
    }


def _seen(state: str, reason: str | None, *, has_qualified: bool) -> str:
    """The state that a member sees."""
    if state in ("qualified", "in_review"):
        return "on_hold" if has_qualified else "identified"
    # What had come to something may have failed by a refund as well: `rejected` says nothing.
    if state == "rejected" and reason in _UNTOLD and not has_qualified:
        return "identified"
    return state


def _shown(row: sa.RowMapping, reader: Reader, *, number: int) -> Shown:
    has_qualified = row["qualified_at"] is not None
    state = _seen(row["state"], row["reason"], has_qualified=has_qualified)
    # By the state that is seen: what looks like it may still come waits.
    side = brought.side_in(state, row["side_state"] or "waiting")
    is_told = state != "identified"
    name = reader.text(_FRIEND) or ""
    return {
        "id": ids.show_id(referrals.PREFIX, bytes(row["id"])),
        "name": name.format(number=number),
        "state": state,
        "reward": side,
        "detail": reader.text(_SIDES.get(side) or _DETAILS[state]),
        "offer": row["offer_key"],
        "bound_at": brought.instant(row["bound_at"]),
        "qualified_at": brought.instant(row["qualified_at"]) if is_told else None,
        # Of what is reviewed nobody can say until when.
        "hold_until": brought.instant(row["hold_until"]) if row["state"] == "on_hold" else None,
        "approved_at": brought.instant(row["approved_at"]) if state == "approved" else None,
    }


def _named(live: Compiled, one: Mapping[str, Any], reader: Reader) -> Shown:
    """What stands of a reward, with what it is called."""
    names: Mapping[str, str] | None = None
    key = one.get("points_key") or one.get("card") or one.get("reward") or one["kind"]
    if one["kind"] == "points":
        kind = live.kind(one["points_key"])
        names = None if kind is None else kind.name
    elif one["kind"] == "stamps":
        card = live.card(one["card"])
        names = None if card is None else card.name
    elif one["kind"] == "grant":
        reward = live.catalogue.find(one["reward"])
        names = None if reward is None else reward.name
    else:
        names = {"en": "Cash", "ko": "현금"}
    return {**one, "name": reader.name(names, key)}
