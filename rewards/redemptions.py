"""Redemptions: a reward, or points that pay, held for a member; then captured, released or run out,
once. What was captured can be reversed.

Owns the row, the points behind it (by the ledger's hold with the same id), its stock, and what the
world is told. Its voucher and its grant follow it by `rewards.following`. Refuses to know orders
but by the reference that keeps one, and to judge who may have what.
"""

from typing import Any, Literal

import sqlalchemy as sa

from core import clock, db, ids, outbox
from core.errors import Problem
from loyalty import reading
from loyalty.ledger import holds
from loyalty.ledger.rows import HOLD_PREFIX as PREFIX
from loyalty.ledger.rows import HeldHold
from rewards import following
from rewards.carried import REDEMPTIONS, Row
from rewards.desk import Desk, connection_of
from rewards.terms import Terms

End = Literal["captured", "released", "expired"]

_by_id = {
    is_locking: db.Statement(statement.with_for_update(key_share=True) if is_locking else statement)
    for is_locking, statement in (
        (
            is_locking,
            sa.select(REDEMPTIONS).where(
                REDEMPTIONS.c.program_id == sa.bindparam("program_id"),
                REDEMPTIONS.c.id == sa.bindparam("id"),
            ),
        )
        for is_locking in (False, True)
    )
}
_COLUMNS = tuple(REDEMPTIONS.columns.keys())
_BYTES = ("program_id", "id", "member_id", "grant_id", "voucher_id")


def find(desk: Desk, redemption_ref: str) -> Row | None:
    """A redemption by its shown id, as this unit leaves it; its member is locked by the caller."""
    redemption_id = ids.read_id(PREFIX, redemption_ref)
    return None if redemption_id is None else find_by_id(desk, redemption_id)


def find_by_id(desk: Desk, redemption_id: bytes) -> Row | None:
    """The same by its id."""
    found = desk.rewards.redemptions.get(redemption_id)
    if found is None:
        values = {"program_id": desk.program_id, "id": redemption_id}
        row = _by_id[False].first(connection_of(desk), values)
        if row is None:
            return None
        found = desk.rewards.redemptions[redemption_id] = row_of(row)
    return found


def row_of(row: Any) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        if values[name] is not None:
            values[name] = bytes(values[name])
    values["has_stock"] = bool(values["has_stock"])
    return Row(values)


def state_of(row: Row, now: int) -> str:
    """The state as of an instant: a hold whose time is over has run out, written or not."""
    is_over = row.expires_at is not None and row.expires_at <= now
    state: str = "expired" if row.state == "held" and is_over else row.state
    return state


def conflict(row: Row, wanted: str, now: int) -> Problem:
    """409 `state_conflict`: another end than the one it had."""
    state = state_of(row, now)
    return Problem(
        409,
        "state_conflict",
        f"The redemption cannot be {wanted}: it is {state}. Redeem anew if needed.",
        state=state,
    )


def hold(
    desk: Desk,
    member_id: bytes,
    terms: Terms,
    *,
    expires_at: int | None,
    stock_first: int | None = None,
    has_stock: bool = False,
    cart_ref: str | None = None,
    kept_by: str | None = None,
    grant_id: bytes | None = None,
    reason: str | None = None,
) -> Row:
    """Hold a reward: its points, one of its stock, and the voucher that it comes with.

    409 `insufficient_points` where there are fewer; `out_of_stock` where a pool has no code left.
    Whoever calls has judged all else. `stock_first` is the stock that a document says at first.
    """
    redemption_id = ids.new_id()
    if terms.points:
        assert terms.points_key is not None
        holds.hold(
            desk.book,
            desk.book.holding(member_id, terms.points_key),
            terms.points,
            expires_at=expires_at,
            now=desk.now,
            actor=desk.actor,
            hold_id=redemption_id,
        )
    row = Row(
        {
            "program_id": desk.program_id,
            "id": redemption_id,
            "member_id": member_id,
            "kind": terms.kind,
            "reward_key": terms.reward_key,
            "points_key": terms.points_key,
            "points": terms.points,
            "terms": terms.text,
            "version": desk.live.version,
            "switches": desk.live.switches,
            "state": "held",
            "has_stock": has_stock,
            "grant_id": grant_id,
            "voucher_id": None,
            "cart_ref": cart_ref,
            "kept_by": kept_by,
            "discount_minor": None,
            "cost_minor": None,
            "actor": desk.actor,
            "reason": reason,
            "held_at": desk.now,
            "expires_at": expires_at,
            "captured_at": None,
            "ended_at": None,
        },
        is_new=True,
    )
    desk.rewards.redemptions[redemption_id] = row
    if has_stock and terms.reward_key is not None:
        desk.rewards.take(terms.reward_key, 1, first=stock_first)
    following.held(desk, row)
    tell(desk, row, "held")
    return row


def settle(desk: Desk, row: Row) -> None:
    """Let a hold whose time is over run out, at its own instant."""
    if row.state == "held" and state_of(row, desk.now) == "expired":
        _end(desk, row, "expired", at=row.expires_at)


def end(desk: Desk, row: Row, state: End, *, at: int | None = None) -> bool:
    """End a redemption; False when that end was had already, 409 `state_conflict` when another
    was. `at` is when it happened, now if not given."""
    settle(desk, row)
    if row.state == state:
        return False
    if row.state != "held":
        raise conflict(row, state, desk.now)
    _end(desk, row, state, at=desk.now if at is None else max(at, row.held_at))
    return True


def _end(desk: Desk, row: Row, state: End, *, at: int) -> None:
    held = hold_of(desk, row)
    if held is not None:
        holds.end(desk.book, held, state, at=at, now=desk.now, actor=desk.actor)
    row.state = state
    if state == "captured":
        row.captured_at = at
        following.captured(desk, row)
    else:
        row.ended_at = at
        give_stock_back(desk, row)
        following.given_up(desk, row)
    tell(desk, row, state)


def reverse(
    desk: Desk,
    row: Row,
    *,
    policy: Literal["strict", "grace"] = "strict",
    reason: str | None = None,
    at: int | None = None,
) -> bool:
    """Undo what was captured: its points go back to their lots (SEMANTICS C20), its stock is free
    again, its voucher void. False when it was reversed already; 409 `state_conflict` when it was
    not captured, or when its voucher was used."""
    if row.state == "reversed":
        return False
    if row.state != "captured":
        raise conflict(row, "reversed", desk.now)
    at = max(desk.now if at is None else at, row.captured_at or row.held_at)
    following.reversed_(desk, row)
    held = hold_of(desk, row)
    if held is not None:
        holds.give_back(
            desk.book, held, held.points, policy=policy, at=at, now=desk.now, actor=desk.actor
        )
    row.state, row.ended_at = "reversed", at
    if reason is not None:
        row.reason = reason
    give_stock_back(desk, row)
    tell(desk, row, "reversed")
    return True


def give_stock_back(desk: Desk, row: Row) -> None:
    """What a redemption took of stock is free again."""
    if row.has_stock:
        row.has_stock = False
        desk.rewards.take(row.reward_key, -1)


def hold_of(desk: Desk, row: Row) -> HeldHold | None:
    """The ledger's hold behind a redemption; None where it costs nothing."""
    if not row.points:
        return None
    known = desk.book.hold(row.id)
    if known is not None:
        return known
    found = reading.find_hold(connection_of(desk), desk.program_id, ids.show_id(PREFIX, row.id))
    assert found is not None
    return desk.book.take_up(found)


def tell(desk: Desk, row: Row, word: str) -> None:
    """Tell the world what became of a redemption."""
    outbox.add(
        desk.writes,
        desk.program_id,
        type=f"redemption.{word}",
        payload={
            "redemption_id": ids.show_id(PREFIX, row.id),
            "reward": row.reward_key,
            "kind": row.kind,
            "points_key": row.points_key,
            "points": row.points,
            "order_ref": row.kept_by,
            "expires_at": None
            if row.expires_at is None or row.state != "held"
            else clock.format_instant(row.expires_at),
        },
        now=desk.now,
        member_id=row.member_id,
    )
