"""Redemptions: a reward, or points that pay, held for a member; then captured, released or run out,
once. What was captured can be reversed.

Owns the row, the points behind it (by the ledger's hold with the same id), its stock, what it
takes of its reward's limits (`rewards.claiming`), and what the world is told. Its voucher and its
grant follow it by `rewards.following`. Refuses to know orders
but by the reference that keeps one, and to judge who may have what.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from core import clock, db, ids, outbox
from core.errors import Problem
from loyalty import reading
from loyalty.ledger import holds
from loyalty.ledger.rows import HOLD_PREFIX, HeldHold
from rewards import claiming, following, fulfilments, stock
from rewards.carried import REDEMPTIONS, Row
from rewards.desk import Desk, connection_of
from rewards.terms import Terms

PREFIX = HOLD_PREFIX
End = Literal["captured", "released", "expired"]

_by_id = db.Statement(
    sa.select(REDEMPTIONS).where(
        REDEMPTIONS.c.program_id == sa.bindparam("program_id"),
        REDEMPTIONS.c.id == sa.bindparam("id"),
    )
)
_open_of = db.Statement(
    sa.select(REDEMPTIONS)
    .where(
        REDEMPTIONS.c.program_id == sa.bindparam("program_id"),
        REDEMPTIONS.c.member_id == sa.bindparam("member_id"),
        REDEMPTIONS.c.state == sa.literal_column("'held'"),
    )
    .order_by(REDEMPTIONS.c.id)
)
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
        row = _by_id.first(connection_of(desk), values)
        if row is None:
            return None
        found = desk.rewards.redemptions[redemption_id] = row_of(row)
    return found


def open_of(desk: Desk, member_id: bytes) -> list[Row]:
    """A member's redemptions that are held, as this unit leaves them; those whose time is over
    have run out."""
    values = {"program_id": desk.program_id, "member_id": member_id}
    take_up(desk, _open_of.rows(connection_of(desk), values))
    known = desk.rewards.redemptions
    for row in list(known.values()):
        if row.member_id == member_id:
            settle(desk, row)
    return [row for row in known.values() if row.member_id == member_id and row.state == "held"]


def settle_due(desk: Desk, member_ids: Sequence[bytes]) -> None:
    """Let the holds of members whose time is over run out; their accounts are settled, so what is
    still to be written of a hold of points has been taken up."""
    rows = connection_of(desk).execute(
        sa.select(REDEMPTIONS)
        .where(
            REDEMPTIONS.c.program_id == desk.program_id,
            REDEMPTIONS.c.member_id.in_(member_ids),
            REDEMPTIONS.c.state == sa.literal_column("'held'"),
            REDEMPTIONS.c.expires_at <= desk.now,
        )
        .order_by(REDEMPTIONS.c.id)
    )
    overdue = take_up(desk, rows)
    claiming.load(desk, overdue)
    for row in overdue:
        if row.state == "held":
            _end(desk, row, "expired", at=row.expires_at, held=desk.book.hold(row.id))


def take_up(desk: Desk, rows: Iterable[Any]) -> list[Row]:
    """Rows of the table as this unit leaves them; their members are locked by the caller."""
    known = desk.rewards.redemptions
    return [known.setdefault(row.values["id"], row) for row in map(row_of, rows)]


def row_of(row: Any) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        if values[name] is not None:
            values[name] = bytes(values[name])
    values["has_stock"] = bool(values["has_stock"])
    values["is_undone"] = bool(values["is_undone"])
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

    409 `insufficient_points` where there are fewer; `limit_reached` where its limits are used up;
    `out_of_stock` where a pool has no code left. Whoever calls has judged all else. `stock_first`
    is the stock that a document says at first.
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
            "is_undone": False,
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
    # It is new, so nothing of it is claimed yet.
    desk.claims.stored[redemption_id] = {}
    if not claiming.take(desk, row):
        raise claiming.limit_reached(row.reward_key)
    if has_stock and terms.reward_key is not None:
        desk.rewards.take(terms.reward_key, 1, first=stock_first)
    following.held(desk, row)
    tell(desk, row, "held")
    return row


def keep(desk: Desk, row: Row, order_ref: str) -> None:
    """Let an order keep what is held: from now on its time does not run."""
    row.kept_by, row.expires_at = order_ref, None
    held = hold_of(desk, row)
    if held is not None and held.expires_at is not None:
        held.expires_at = None
        desk.book.touch_hold(held)


def hold_again(desk: Desk, row: Row, *, expires_at: int | None) -> None:
    """Hold anew, on its old terms, what had run out, was released or reversed: its points, one of
    its stock, its claims of limits and its voucher.

    A problem of what is missing (409 `insufficient_points`, `out_of_stock`, `limit_reached`) is
    raised before anything has changed.
    """
    assert row.state in ("expired", "released", "reversed")
    before = row.state, row.ended_at, row.expires_at
    held = hold_of(desk, row)
    if held is not None:
        holding = desk.book.holding(held.member_id, held.points_key)
        if holding.available < row.points:
            raise holds.insufficient(holding, row.points)
    has_stock, first = _stock_left(desk, row)
    if not claiming.take(desk, row):
        raise claiming.limit_reached(row.reward_key)
    row.state, row.ended_at, row.expires_at = "held", None, expires_at
    try:
        following.held(desk, row)
    except Problem:
        row.state, row.ended_at, row.expires_at = before
        claiming.give_back(desk, row)
        raise
    if held is not None:
        holds.hold_again(
            desk.book, held, expires_at=expires_at, at=desk.now, now=desk.now, actor=desk.actor
        )
    if has_stock:
        row.has_stock = True
        desk.rewards.take(row.reward_key, 1, first=first)
    row.captured_at = None
    tell(desk, row, "held")


def _stock_left(desk: Desk, row: Row) -> tuple[bool, int | None]:
    """Whether a reward has stock, and what its document says at first where nothing else is known;
    409 `out_of_stock` where none is left. What is had by a grant has its stock by that."""
    if row.reward_key is None or row.grant_id is not None:
        return False, None
    first = stock.first_of(desk, row)
    if first is None:
        return False, None
    found = stock.read(connection_of(desk), desk.program_id, [row.reward_key]).get(row.reward_key)
    total, used = found or (first, 0)
    if used + desk.rewards.stock.get(row.reward_key, 0) >= total:
        raise stock.out_of_stock(row.reward_key)
    return True, first if found is None else None


def settle(desk: Desk, row: Row) -> None:
    """Let a hold whose time is over run out, at its own instant."""
    if row.state == "held" and state_of(row, desk.now) == "expired":
        _end(desk, row, "expired", at=row.expires_at, held=hold_of(desk, row))


def end(desk: Desk, row: Row, state: End, *, at: int | None = None) -> bool:
    """End a redemption; False when that end was had already, 409 `state_conflict` when another
    was. `at` is when it happened, now if not given."""
    settle(desk, row)
    if row.state == state:
        return False
    if row.state != "held":
        raise conflict(row, state, desk.now)
    at = desk.now if at is None else max(at, row.held_at)
    _end(desk, row, state, at=at, held=hold_of(desk, row))
    return True


def _end(desk: Desk, row: Row, state: End, *, at: int, held: HeldHold | None) -> None:
    if held is not None:
        holds.end(desk.book, held, state, at=at, now=desk.now, actor=desk.actor)
    row.state = state
    if state == "captured":
        row.captured_at = at
        following.captured(desk, row)
    else:
        row.ended_at = at
        _free(desk, row)
        following.given_up(desk, row)
    tell(desk, row, state)


def reverse(
    desk: Desk,
    row: Row,
    *,
    policy: Literal["strict", "grace"] = "strict",
    reason: str | None = None,
    at: int | None = None,
    is_with_order: bool = False,
) -> bool:
    """Undo what was captured: its points go back to their lots (SEMANTICS C20), its stock is free
    again, its voucher void. False when it was reversed already; 409 `state_conflict` when it was
    not captured, or when its voucher was used; with its order also when its goods are away."""
    if row.state == "reversed":
        return False
    if row.state != "captured":
        raise conflict(row, "reversed", desk.now)
    problem = fulfilments.unreversible(desk, row) if is_with_order else None
    if problem is not None:
        raise problem
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
    _free(desk, row)
    tell(desk, row, "reversed")
    return True


def _free(desk: Desk, row: Row) -> None:
    """What it took of stock and of limits is there for others."""
    claiming.give_back(desk, row)
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


def points_returned(desk: Desk, row: Row) -> int:
    """How many of its points went back after it was captured."""
    held = hold_of(desk, row)
    return 0 if held is None else held.returned


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
