"""What orders use of vouchers: a discount once by an order, stored value in parts.

Owns the uses, by voucher and order, and what they leave of the voucher. Each call brings the use
to what is wanted, so the same again changes nothing. The voucher is locked by the caller
(`vouchers.lock`), so a card never gives more than it holds, whoever asks at once.
"""

from typing import Any

import sqlalchemy as sa

from core import db, ids, outbox
from core.errors import Problem
from rewards import grants, vouchers
from rewards.carried import USES, Row
from rewards.desk import Desk, connection_of

_COLUMNS = tuple(USES.columns.keys())
_BYTES = ("program_id", "voucher_id", "member_id")
_of_voucher = db.Statement(
    sa.select(USES).where(
        USES.c.program_id == sa.bindparam("program_id"),
        USES.c.voucher_id == sa.bindparam("voucher_id"),
        USES.c.order_ref == sa.bindparam("order_ref"),
    )
)
_of_order = db.Statement(
    sa.select(USES).where(
        USES.c.program_id == sa.bindparam("program_id"),
        USES.c.order_ref == sa.bindparam("order_ref"),
    )
)
_others = db.Statement(
    sa.select(USES.c.order_ref).where(
        USES.c.program_id == sa.bindparam("program_id"),
        USES.c.voucher_id == sa.bindparam("voucher_id"),
        USES.c.order_ref != sa.bindparam("order_ref"),
        USES.c.is_released.is_(False),
        # What gave all of its money back uses nothing; no other use has money that went back.
        sa.or_(
            USES.c.returned_minor == sa.literal_column("0"),
            USES.c.amount_minor > USES.c.returned_minor,
        ),
    )
)


def use_of(desk: Desk, voucher: Row, order_ref: str) -> Row | None:
    """What an order used of a voucher, released or not, as this unit leaves it."""
    key = (voucher.id, order_ref)
    found = desk.rewards.uses.get(key)
    if found is None:
        values = {"program_id": desk.program_id, "voucher_id": key[0], "order_ref": order_ref}
        row = _of_voucher.first(connection_of(desk), values)
        if row is None:
            return None
        found = desk.rewards.uses[key] = row_of(row)
    return found


def row_of(row: Any) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        if values[name] is not None:
            values[name] = bytes(values[name])
    for name in ("is_released", "is_by_hand", "is_undone"):
        values[name] = bool(values[name])
    return Row(values)


def used_by(desk: Desk, order_ref: str) -> list[Row]:
    """All that an order used, released or not, in the order of vouchers: read in one statement, and
    what this unit has taken up before as this unit leaves it."""
    known = desk.rewards.uses
    values = {"program_id": desk.program_id, "order_ref": order_ref}
    for read in map(row_of, _of_order.rows(connection_of(desk), values)):
        known.setdefault((read.voucher_id, order_ref), read)
    found = [one for (_, ref), one in known.items() if ref == order_ref]
    return sorted(found, key=lambda one: one.voucher_id)


def voucher_ids_by_hand(desk: Desk, order_ref: str) -> set[bytes]:
    """Vouchers that were redeemed for an order by hand, as they are stored: not locked, so they are
    to be read again behind their locks."""
    values = {"program_id": desk.program_id, "order_ref": order_ref}
    rows = map(row_of, _of_order.rows(connection_of(desk), values))
    return {one.voucher_id for one in rows if is_by_hand(one)}


def is_by_hand(use: Row) -> bool:
    """Whether a use was made by hand, and stands, or comes back with its order."""
    return use.is_by_hand and (use.is_undone or not use.is_released)


def standing(desk: Desk, voucher: Row, order_ref: str) -> Row | None:
    """The use by an order, as long as it is not released."""
    found = use_of(desk, voucher, order_ref)
    return None if found is None or found.is_released else found


def is_used_elsewhere(desk: Desk, voucher: Row, order_ref: str | None) -> bool:
    """Whether another order than this one uses it."""
    known = {
        ref: one.is_released or 0 < one.amount_minor == one.returned_minor
        for (voucher_id, ref), one in desk.rewards.uses.items()
        if voucher_id == voucher.id and ref != order_ref
    }
    if not all(known.values()):
        return True
    values = {
        "program_id": desk.program_id,
        "voucher_id": voucher.id,
        # No order can have the reference "".
        "order_ref": order_ref or "",
    }
    rows = _others.rows(connection_of(desk), values)
    return any(row[0] not in known for row in rows)


def is_usable(voucher: Row, at: int) -> bool:
    """Whether an order of an instant could use some of it."""
    if vouchers.state_of(voucher, at) != "active":
        return False
    if vouchers.is_stored_value(voucher):
        return bool(voucher.remaining_minor)
    return bool(voucher.uses < voucher.uses_max)


def use(
    desk: Desk,
    voucher: Row,
    order_ref: str,
    *,
    member_id: bytes | None,
    minor: int = 0,
    is_by_hand: bool = False,
) -> None:
    """Use it once for an order; `minor` is what that took off. Refuses nothing: the caller has
    asked `is_usable`, unless the order uses it already."""
    known = standing(desk, voucher, order_ref)
    if known is not None:
        known.amount_minor, known.is_by_hand = minor, is_by_hand
        return
    known = _begin(desk, voucher, order_ref, member_id=member_id)
    known.amount_minor, known.is_by_hand = minor, is_by_hand
    voucher.order_ref = order_ref
    _follow(desk, voucher)
    tell(desk, voucher, order_ref, member_id=member_id, minor=minor)


def capacity(desk: Desk, voucher: Row, order_ref: str) -> int:
    """What an order can have had of stored value in all: what it had, or what is there for it."""
    known = standing(desk, voucher, order_ref)
    remaining = left_of(voucher)
    if known is None:
        return remaining
    had: int = known.amount_minor
    returned: int = known.returned_minor
    return max(had, remaining + had - returned)


def take(
    desk: Desk,
    voucher: Row,
    order_ref: str,
    *,
    member_id: bytes | None,
    gross_minor: int,
    back_minor: int = 0,
    is_by_hand: bool = False,
) -> int:
    """Bring what an order has of stored value to `gross_minor`, of which `back_minor` went back;
    what of it the voucher does not hold. Never less than nothing remains.

    What an order once had is never cut by what others took since; what it would need again of
    what went back is.
    """
    known = standing(desk, voucher, order_ref)
    had, returned = (0, 0) if known is None else (known.amount_minor, known.returned_minor)
    free = left_of(voucher) + had - returned
    gross = min(gross_minor, max(had, free))
    net = min(gross - min(back_minor, gross), free)
    missing = gross_minor - min(back_minor, gross) - net
    if known is None:
        if not net:
            return missing
        known = _begin(desk, voucher, order_ref, member_id=member_id)
    known.amount_minor, known.returned_minor = gross, gross - net
    known.is_by_hand = is_by_hand
    voucher.remaining_minor += had - returned - net
    _follow(desk, voucher)
    if net > had - returned:
        more = net - (had - returned)
        tell(desk, voucher, order_ref, member_id=member_id, minor=more)
    return missing


def left_of(voucher: Row) -> int:
    """What orders can take of stored value: nothing of what is void, though money that went back
    to it is counted."""
    remaining: int = voucher.remaining_minor
    return 0 if voucher.state == "void" else remaining


def release(desk: Desk, voucher: Row, order_ref: str, *, is_undone: bool = False) -> bool:
    """Give back all that an order used; False where it uses nothing (any more). What is undone with
    its order comes back with it."""
    known = use_of(desk, voucher, order_ref)
    if known is None:
        return False
    if known.is_released:
        known.is_undone = known.is_undone and is_undone
        return False
    known.is_undone = is_undone
    if vouchers.is_stored_value(voucher):
        voucher.remaining_minor += known.amount_minor - known.returned_minor
        known.returned_minor = known.amount_minor
    known.is_released, known.released_at = True, desk.now
    voucher.uses -= 1
    _follow(desk, voucher)
    if voucher.grant_id is not None and not voucher.uses:
        grants.unused_by_voucher(desk, voucher.grant_id)
    return True


def _begin(desk: Desk, voucher: Row, order_ref: str, *, member_id: bytes | None) -> Row:
    """A use that stands from now on, of nothing yet."""
    known = use_of(desk, voucher, order_ref)
    voucher.uses += 1
    if voucher.grant_id is not None:
        grants.used_by_voucher(desk, voucher.grant_id)
    if known is None:
        known = desk.rewards.uses[voucher.id, order_ref] = Row(
            {
                "program_id": desk.program_id,
                "voucher_id": voucher.id,
                "order_ref": order_ref,
                "member_id": member_id,
                "amount_minor": 0,
                "returned_minor": 0,
                "is_released": False,
                "used_at": desk.now,
                "released_at": None,
                "is_by_hand": False,
                "is_undone": False,
                "actor": desk.actor,
            },
            is_new=True,
        )
        return known
    known.amount_minor = known.returned_minor = 0
    known.is_released, known.released_at, known.is_undone = False, None, False
    known.used_at, known.member_id, known.actor = desk.now, member_id, desk.actor
    return known


def _follow(desk: Desk, voucher: Row) -> None:
    """Used up, or not any more."""
    if voucher.state not in ("active", "redeemed", "expired"):
        return
    if vouchers.is_stored_value(voucher):
        is_over = voucher.remaining_minor == 0
    else:
        is_over = voucher.uses >= voucher.uses_max
    state = "redeemed" if is_over else "active"
    if voucher.state == "expired" and state == "active":
        return
    if voucher.state != state:
        voucher.state, voucher.ended_at = state, desk.now if is_over else None


def tell(desk: Desk, voucher: Row, order_ref: str, *, member_id: bytes | None, minor: int) -> None:
    """Tell the world that a code was used, without the code."""
    outbox.add(
        desk.writes,
        desk.program_id,
        type="voucher.redeemed",
        payload={
            "voucher_id": ids.show_id(vouchers.PREFIX, voucher.id),
            "kind": voucher.kind,
            "reward": voucher.reward_key,
            "order_ref": order_ref,
            "amount_minor": minor,
            "remaining_minor": voucher.remaining_minor,
        },
        now=desk.now,
        member_id=member_id or voucher.member_id,
    )


def unreversible(desk: Desk, voucher: Row, order_ref: str | None) -> Problem | None:
    """409 `state_conflict` where its redemption cannot be reversed: another order uses it."""
    if not is_used_elsewhere(desk, voucher, order_ref):
        return None
    return Problem(
        409,
        "state_conflict",
        "The code of this redemption is used by another order: release it there first.",
        state="used",
    )
