"""Redemptions by members themselves: what they hold, and give up again.

Judged and held as for a storefront, for as long as holds last when nothing is said: a member
cannot keep the last one for days; what needs no order they may have at once. Refuses other members'
redemptions as if there were none.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids
from core.errors import not_found
from members import members
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from storefront.redeeming import ending, holding, listing
from storefront.vouchers import listing as wallet
from widget import me
from widget.texts import Reader

Shown = dict[str, Any]

_TTL = "PT30M"

_REDEMPTION = (
    *("id", "reward", "kind", "state", "points_key", "points", "discount", "discount_minor"),
    *("voucher", "cart_ref", "order_ref", "held_at", "expires_at", "captured_at", "ended_at"),
)


def hold(
    connection: sa.Connection, program_id: bytes, member_id: bytes, body: Mapping[str, Any]
) -> tuple[Shown, int]:
    """Hold a reward, or points that pay; the answer and 201."""
    told = {**body, "member_ref": _ref(member_id), "ttl": _TTL}
    answer, status = holding.hold(connection, program_id, told, actor=None)
    return _answer(connection, program_id, member_id, answer), status


def release(
    connection: sa.Connection, program_id: bytes, member_id: bytes, redemption_ref: str
) -> tuple[Shown, int]:
    """Give up what is held; the answer and 200. 404 for a redemption that is another's."""
    if ending.subjects(program_id, redemption_ref)(connection) != [member_id]:
        raise not_found("redemption")
    answer, status = ending.release(connection, program_id, redemption_ref, actor=None)
    return _answer(connection, program_id, member_id, answer), status


def find_all(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Shown:
    """A page of the member's redemptions, newest first."""
    known = me.known_by(connection, program_id, member_id)
    live, _ = versions.get_live(connection, program_id)
    reader = Reader(live, known.locale)
    page = listing.find_all(connection, program_id, {**query, "member_ref": _ref(member_id)})
    return page | {"data": [_shown(live, one, reader) for one in page["data"]]}


def vouchers(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Shown:
    """A page of the member's codes, newest first."""
    known = me.known_by(connection, program_id, member_id)
    live, _ = versions.get_live(connection, program_id)
    reader = Reader(live, known.locale)
    page = wallet.wallet(connection, program_id, member_id, query)
    return page | {"data": [_named(live, one, reader) | one for one in page["data"]]}


def _answer(
    connection: sa.Connection, program_id: bytes, member_id: bytes, answer: Mapping[str, Any]
) -> Shown:
    known: Known = me.known_by(connection, program_id, member_id)
    live, _ = versions.get_live(connection, program_id)
    reader = Reader(live, known.locale)
    return {
        "redemption": _shown(live, answer["redemption"], reader),
        "balances": me.balances(live, answer["balances"], reader),
    }


def _shown(live: Compiled, one: Mapping[str, Any], reader: Reader) -> Shown:
    return _named(live, one, reader) | reader.only(one, _REDEMPTION)


def _named(live: Compiled, one: Mapping[str, Any], reader: Reader) -> Shown:
    reward = None if one["reward"] is None else live.catalogue.find(one["reward"])
    name = None if reward is None else reward.name
    return {"name": reader.text(name, one["reward"])}


def _ref(member_id: bytes) -> str:
    return ids.show_id(members.PREFIX, member_id)
