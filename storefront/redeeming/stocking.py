"""Stock of rewards: moved by hand, shown, and freed of holds whose time is over.

Refuses to count what is taken: `rewards.stock` claims it, redemption by redemption.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from core import clock, db, ids, paging
from core.errors import Problem
from loyalty import reading
from members import members
from programs import versions
from programs.compiled import Compiled
from programs.rewards import Reward
from rewards import redemptions, stock
from rewards.carried import REDEMPTIONS
from rewards.models import StockMove
from storefront import finishing
from storefront.granting import lapsing
from storefront.plan import begin

MOVES: sa.Table = StockMove.__table__  # type: ignore[assignment]
PREFIX = "stm"
#: So many overdue holds of a reward are ended before it is tried again.
_FREED_AT_ONCE = 20
_FREED_BY_TIME = ("out_of_stock", "limit_reached")

T = TypeVar("T")


def move(
    connection: sa.Connection,
    program_id: bytes,
    reward_key: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Stock comes or goes by hand; the stock after it, and 200. 409 for a reward without stock, or
    for more than there are in all."""
    live, now = versions.get_live(connection, program_id)
    reward = _find(live.catalogue.find(reward_key), reward_key)
    if reward.stock is None:
        raise Problem(
            409,
            "state_conflict",
            f"{reward_key} has no stock that could move: give it a stock in the program's document"
            " first.",
            state="unlimited",
        )
    total, used = stock.move(
        connection, program_id, reward_key, change=body["change"], first=reward.stock
    )
    connection.execute(
        sa.insert(MOVES).values(
            program_id=program_id,
            id=ids.new_id(),
            reward_key=reward_key,
            change=body["change"],
            total_after=total,
            reason=body["reason"],
            actor=actor,
            recorded_at=now,
        )
    )
    return _shown(reward_key, total, used), 200


def show(
    connection: sa.Connection, program_id: bytes, reward_key: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The stock of a reward, and a page of what came and went by hand, newest first; 404 for a
    reward that the program never had in stock and has not now."""
    live, _ = versions.get_live(connection, program_id)
    reward = live.catalogue.find(reward_key)
    found = stock.read(connection, program_id, [reward_key]).get(reward_key)
    if found is None:
        first = _find(reward, reward_key).stock
        found = None if first is None else (first, 0)
    total, used = found or (None, 0)
    if reward is not None and reward.stock is None:
        # Its stock does not count for now.
        total = None
    cursor = paging.read_cursor(query.get("cursor"), [str])
    statement = (
        sa.select(MOVES)
        .where(MOVES.c.program_id == program_id, MOVES.c.reward_key == reward_key)
        .order_by(MOVES.c.id.desc())
        .limit(query["limit"] + 1)
    )
    if cursor:
        statement = statement.where(MOVES.c.id < paging.read_id(PREFIX, cursor[0]))
    rows = connection.execute(statement).all()
    return _shown(reward_key, total, used) | paging.page(
        rows, query["limit"], key=lambda row: [_id(row)], show=_shown_move
    )


def _find(reward: Reward | None, reward_key: str) -> Reward:
    if reward is None:
        raise Problem(404, "not_found", f"There is no reward {reward_key} in this program.")
    return reward


def _shown(reward_key: str, total: int | None, used: int) -> dict[str, Any]:
    left = None if total is None else max(0, total - used)
    return {"reward": reward_key, "total": total, "used": used, "left": left}


def _id(row: Any) -> str:
    return ids.show_id(PREFIX, bytes(row.id))


def _shown_move(row: Any) -> dict[str, Any]:
    return {
        "id": _id(row),
        "change": row.change,
        "total_after": row.total_after,
        "reason": row.reason,
        "actor": row.actor,
        "recorded_at": clock.format_instant(row.recorded_at),
    }


def with_overdue_freed(program_id: bytes, reward_key: str | None, attempt: Callable[[], T]) -> T:
    """Try to hold a reward; where none is left, what holds that have run out still take is given
    back first, and it is tried once more. What has run out is free, whoever wrote it so."""
    try:
        return attempt()
    except Problem as problem:
        if reward_key is None or problem.code not in _FREED_BY_TIME:
            raise
        if not free_overdue(program_id, reward_key):
            raise
    return attempt()


def free_overdue(program_id: bytes, reward_key: str) -> int:
    """End holds and grants of a reward whose time is over, each member's in a unit of its own; of
    how many members there were."""
    found = db.reading(lambda connection: _overdue(connection, program_id, reward_key))
    for member_id in found:
        db.in_transaction(
            lambda connection, member_id=member_id: _settle(  # type: ignore[misc]
                connection, program_id, member_id
            )
        )
    return len(found)


def _overdue(connection: sa.Connection, program_id: bytes, reward_key: str) -> list[bytes]:
    """Members with such holds, those waiting longest first; of others as well that take their codes
    from the same pool."""
    live, now = versions.get_live(connection, program_id)
    rows = connection.execute(
        sa.select(REDEMPTIONS.c.member_id)
        .where(
            REDEMPTIONS.c.program_id == program_id,
            REDEMPTIONS.c.reward_key.in_(_sharing(live, reward_key)),
            REDEMPTIONS.c.state == sa.literal_column("'held'"),
            REDEMPTIONS.c.expires_at <= now,
        )
        .order_by(REDEMPTIONS.c.expires_at)
        .limit(_FREED_AT_ONCE)
    )
    held = [bytes(row[0]) for row in rows]
    granted = lapsing.overdue(connection, program_id, reward_key, now=now, limit=_FREED_AT_ONCE)
    return list(dict.fromkeys(held + granted))


def _sharing(live: Compiled, reward_key: str) -> list[str]:
    """A reward, and those that give out codes of the same pool."""
    found = live.catalogue.find(reward_key)
    if found is None or found.voucher is None or found.voucher.pool is None:
        return [reward_key]
    pool = found.voucher.pool
    rewards = live.catalogue.rewards
    sharing = {one.key for one in rewards if one.voucher is not None and one.voucher.pool == pool}
    return sorted({reward_key, *sharing})


def _settle(connection: sa.Connection, program_id: bytes, member_id: bytes) -> None:
    members.lock_ids(connection, program_id, [member_id])
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now)
    plan.book.load(reading.read_holdings(connection, program_id, member_id))
    plan.settle(member_id)
    redemptions.settle_due(plan, [member_id])
    lapsing.settle(connection, plan, [member_id])
    finishing.write(connection, plan)
