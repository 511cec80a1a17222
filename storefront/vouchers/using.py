"""Using codes: who may use one, and what it takes before an order can.

A gift card is its bearer's; store credit its member's alone; any other code that came with a
redemption or a grant is its member's, or of a guest who knows it. The code of a redemption that is
only held captures it. Refuses to tell unknown codes from foreign, used and ended ones.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from core import ids
from core.errors import Problem
from loyalty import reading
from members import members
from rewards import redemptions, spending
from rewards.carried import Row
from storefront.activities import inactivity
from storefront.plan import Plan
from storefront.refunding import tender

#: Whoever has the code, has it; and whose alone it is.
_BEARER, _OWN = "gift_card", "store_credit"


def wrong_code() -> Problem:
    """404 `not_found`, whatever is wrong with a code."""
    return Problem(
        404,
        "not_found",
        "No such code can be used here: it is unknown, another member's, used up or over.",
    )


def is_theirs(voucher: Row, member_id: bytes | None) -> bool:
    """Whether a member, or a guest (None), may use it."""
    if voucher.kind == _BEARER:
        return True
    if voucher.kind == _OWN:
        return member_id is not None and voucher.member_id == member_id
    return voucher.member_id is None or member_id is None or voucher.member_id == member_id


def owner_of(voucher: Row) -> bytes | None:
    """Who must be locked before it is used: whose redemption or grant it came with."""
    if voucher.redemption_id is None and voucher.grant_id is None:
        return None
    owner_id: bytes | None = voucher.member_id
    return owner_id


def begin(connection: sa.Connection, plan: Plan, voucher: Row, order_ref: str, *, at: int) -> bool:
    """Whether an order of an instant can use a code that is theirs, or does already; the redemption
    behind it, where that is only held, is captured for it. The voucher is locked, and its owner."""
    if voucher.state == "reserved" and not _capture(connection, plan, voucher, order_ref):
        return False
    if spending.standing(plan, voucher, order_ref) is not None:
        return True
    return spending.is_usable(voucher, at)


def settle(connection: sa.Connection, plan: Plan, voucher: Row) -> None:
    """Let the redemption behind a code that is reserved run out, where its time is over."""
    row = None
    if voucher.state == "reserved":
        row = redemptions.find_by_id(plan, voucher.redemption_id)
    if row is not None:
        _load(connection, plan, row)
        redemptions.settle(plan, row)


def _capture(connection: sa.Connection, plan: Plan, voucher: Row, order_ref: str) -> bool:
    row = redemptions.find_by_id(plan, voucher.redemption_id)
    if row is None:
        return False
    _load(connection, plan, row)
    redemptions.settle(plan, row)
    if row.state != "held" or row.kept_by not in (None, order_ref):
        return False
    redemptions.end(plan, row, "captured")
    held = redemptions.hold_of(plan, row)
    if held is not None:
        inactivity.follow(connection, plan, held.member_id)
        if held.member_id != row.member_id:
            tender.hand_on(plan, held, row.member_id)
            plan.settle(row.member_id)
    return True


def _load(connection: sa.Connection, plan: Plan, row: Row) -> None:
    """The accounts behind a redemption, as of now: its member's, and those of the one they were
    when it was held."""
    ids_ = {row.member_id}
    if row.points:
        shown = ids.show_id(redemptions.PREFIX, row.id)
        held = reading.find_hold(connection, plan.program_id, shown)
        if held is not None:
            ids_.add(held.member_id)
    for member_id in sorted(ids_):
        plan.book.load(reading.read_holdings(connection, plan.program_id, member_id))
        plan.settle(member_id)


def lock_owners(
    connection: sa.Connection, program_id: bytes, member_ids: Iterable[bytes]
) -> dict[bytes, members.Known]:
    """Lock members, who they are by now."""
    return members.lock_ids(connection, program_id, sorted(set(member_ids)))
