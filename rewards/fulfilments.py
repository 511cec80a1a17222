"""Fulfilments: what staff sends a member for a redemption that was captured.

Owns the row, its log and what the world is told of it: requested, shipped, delivered, or cancelled
with its redemption. Refuses to reverse redemptions, and what an order's own lines bring.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from core import db, ids, outbox
from core.errors import Problem
from rewards.carried import FULFILMENTS, Row
from rewards.desk import Desk, connection_of
from rewards.models import FulfilmentChange
from rewards.terms import Terms

PREFIX = "ful"
REDEMPTION_PREFIX = "rdm"
State = Literal["requested", "shipped", "delivered", "cancelled"]
STATES: tuple[State, ...] = ("requested", "shipped", "delivered", "cancelled")
CHANGES: sa.Table = FulfilmentChange.__table__  # type: ignore[assignment]

#: From which states each is reached.
_FROM: dict[str, tuple[str, ...]] = {
    "shipped": ("requested",),
    "delivered": ("shipped",),
    "cancelled": ("requested", "shipped"),
    "requested": ("cancelled",),
}
_COLUMNS = tuple(FULFILMENTS.columns.keys())
_BYTES = ("program_id", "id", "member_id", "redemption_id")
_of_redemption = db.Statement(
    sa.select(FULFILMENTS).where(
        FULFILMENTS.c.program_id == sa.bindparam("program_id"),
        FULFILMENTS.c.redemption_id == sa.bindparam("redemption_id"),
    )
)


def row_of(row: Sequence[Any]) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        values[name] = bytes(values[name])
    return Row(values)


def is_needed(terms: Terms) -> bool:
    """Whether staff sends what a redemption of these terms brings: as the reward says, else a free
    product that no code is used for."""
    if terms.needs_fulfilment is not None:
        return terms.needs_fulfilment
    return terms.kind == "free_product" and terms.voucher is None


def find_of(desk: Desk, redemption: Row) -> Row | None:
    """The fulfilment of a redemption, as this unit leaves it."""
    found = desk.rewards.fulfilments.get(redemption.id)
    if found is None:
        values = {"program_id": desk.program_id, "redemption_id": redemption.id}
        row = _of_redemption.first(connection_of(desk), values)
        if row is None:
            return None
        found = desk.rewards.fulfilments[redemption.id] = row_of(row)
    return found


def captured(desk: Desk, redemption: Row) -> None:
    """Request what a captured redemption brings, unless the order that captured it holds it."""
    terms = redemption.frozen
    if not is_needed(terms):
        return
    held = desk.rewards.skus.get(redemption.kept_by or "", frozenset[str]())
    if terms.sku is not None and terms.sku in held:
        return
    known = find_of(desk, redemption)
    if known is not None:
        # Captured again, after it was reversed: what was sent is not sent again.
        if known.state == "cancelled":
            _move(desk, known, "requested")
        return
    row = Row(
        {
            "program_id": desk.program_id,
            "id": ids.new_id(),
            "member_id": redemption.member_id,
            "redemption_id": redemption.id,
            "reward_key": redemption.reward_key,
            "state": "requested",
            "carrier": None,
            "tracking": None,
            "note": None,
            "requested_at": desk.now,
            "shipped_at": None,
            "delivered_at": None,
            "cancelled_at": None,
            "updated_at": desk.now,
        },
        is_new=True,
    )
    desk.rewards.fulfilments[redemption.id] = row
    _tell(desk, row, None)


def reversed_(desk: Desk, redemption: Row) -> None:
    """What was to be sent for a redemption that is reversed is cancelled; delivered goods as well,
    since whoever reverses it has them back."""
    if is_needed(redemption.frozen):
        known = find_of(desk, redemption)
        if known is not None and known.state != "cancelled":
            _move(desk, known, "cancelled")


def unreversible(desk: Desk, redemption: Row) -> Problem | None:
    """409 `state_conflict` where a redemption is not reversed with its order: its goods are on
    their way or delivered, and nobody has said that they came back."""
    known = find_of(desk, redemption) if is_needed(redemption.frozen) else None
    if known is None or known.state not in ("shipped", "delivered"):
        return None
    how = "cancel its fulfilment" if known.state == "shipped" else "reverse the redemption"
    return Problem(
        409,
        "state_conflict",
        f"What it brought is {known.state}, so it stays captured: once the goods are back, {how}.",
        state=known.state,
    )


def change(desk: Desk, row: Row, told: Mapping[str, Any]) -> bool:
    """Set what staff tells: the state, the carrier, the tracking number, a note; False where
    nothing of it is news. 409 `state_conflict` for a state that does not follow."""
    state = told.get("state", row.state)
    if state != row.state and (state == "requested" or row.state not in _FROM[state]):
        raise Problem(
            409,
            "state_conflict",
            f"The fulfilment cannot be {state}: it is {row.state}. It is requested, then shipped,"
            " then delivered, and can be cancelled until then.",
            state=row.state,
        )
    wanted = {name: told[name] for name in ("carrier", "tracking", "note") if name in told}
    if state == row.state and all(row.values[name] == value for name, value in wanted.items()):
        return False
    for name, value in wanted.items():
        setattr(row, name, value)
    _move(desk, row, state, note=told.get("note"))
    return True


def _move(desk: Desk, row: Row, state: State, *, note: str | None = None) -> None:
    if state != row.state:
        setattr(row, f"{state}_at", desk.now)
        if state == "requested":
            row.shipped_at = row.delivered_at = row.cancelled_at = None
    row.state, row.updated_at = state, desk.now
    _tell(desk, row, note)


def _tell(desk: Desk, row: Row, note: str | None) -> None:
    """Log a change and tell the world of it."""
    # Named first: its log refers to it.
    desk.writes.replace(FULFILMENTS, row.values)
    desk.writes.insert(
        CHANGES,
        {
            "program_id": desk.program_id,
            "id": ids.new_id(),
            "fulfilment_id": row.id,
            "state": row.state,
            "note": note,
            "actor": desk.actor,
            "recorded_at": desk.now,
        },
    )
    outbox.add(
        desk.writes,
        desk.program_id,
        type="fulfilment.changed",
        payload={
            "fulfilment_id": ids.show_id(PREFIX, row.id),
            "redemption_id": ids.show_id(REDEMPTION_PREFIX, row.redemption_id),
            "reward": row.reward_key,
            "state": row.state,
            "carrier": row.carrier,
            "tracking": row.tracking,
        },
        now=desk.now,
        member_id=row.member_id,
    )
