"""Stock of rewards: counted, since it is shared by all members (DESIGN 4).

Read without a lock; claimed by a conditional UPDATE as nearly the last thing of a unit, in the
order of keys. Where too little is left the unit starts again and sees it. Refuses to go over the
total; stock moves by hand may lower the total below what is taken, and then none is left.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from core import db, rawsql
from core.errors import Problem
from programs import versions
from rewards.carried import Carried, Row
from rewards.desk import Desk, connection_of
from rewards.models import RewardStock

STOCK: sa.Table = RewardStock.__table__  # type: ignore[assignment]


def read(
    connection: sa.Connection, program_id: bytes, keys: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Total and taken of those rewards that have a row."""
    if not keys:
        return {}
    rows = connection.execute(
        sa.select(STOCK.c.reward_key, STOCK.c.total, STOCK.c.used).where(
            STOCK.c.program_id == program_id, STOCK.c.reward_key.in_(keys)
        )
    )
    return {key: (total, used) for key, total, used in rows}


def first_of(desk: Desk, row: Row) -> int | None:
    """The stock that a document says at first of the reward of a redemption or a grant; None where
    it has none. As it is by now; of a reward that is gone, as it was when it was promised: taking
    it out of the document makes no more of it."""
    reward = desk.live.catalogue.find(row.reward_key)
    if reward is None:
        program = versions.get_compiled(
            connection_of(desk), desk.program_id, row.version, row.switches
        )
        reward = program.catalogue.find(row.reward_key)
    return None if reward is None else reward.stock


def out_of_stock(reward_key: str) -> Problem:
    """409 `out_of_stock`."""
    return Problem(
        409, "out_of_stock", f"No {reward_key} is left; offer another reward. Nothing changed."
    )


def write(connection: sa.Connection, program_id: bytes, carried: Carried) -> None:
    """Claim what the unit takes of stock and give back what it gives up; Restart when too little
    is left by now."""
    if not carried.stock:
        return
    changes, carried.stock = carried.stock, {}
    mark = rawsql.mark(connection.dialect.name)
    for key, count in sorted(changes.items()):
        if not count:
            continue
        first = carried.stock_first.get(key)
        if first is not None:
            rawsql.run(connection, _first_sql(mark), [program_id, key, first, 0])
        done = rawsql.run(connection, _claim_sql(mark), [program_id, key, count])
        if not done:
            raise db.Restart


def move(
    connection: sa.Connection, program_id: bytes, reward_key: str, *, change: int, first: int
) -> tuple[int, int]:
    """Stock comes or goes by hand: how many there are in all after it, and how many are taken. 409
    `state_conflict` where there would be fewer than none."""
    mark = rawsql.mark(connection.dialect.name)
    rawsql.run(connection, _first_sql(mark), [program_id, reward_key, first, 0])
    rows = rawsql.run(connection, _move_sql(mark), [program_id, reward_key, change])
    if not rows:
        raise Problem(
            409,
            "state_conflict",
            f"There are not so many of {reward_key}; nothing changed.",
            state="in_stock",
        )
    [(total, used)] = rows
    return total, used


def _first_sql(mark: str) -> str:
    return (
        "INSERT INTO reward_stock (program_id, reward_key, total, used)"
        f" VALUES ({mark}1, {mark}2, {mark}3, {mark}4)"
        " ON CONFLICT (program_id, reward_key) DO NOTHING"
    )


def _claim_sql(mark: str) -> str:
    return (
        f"UPDATE reward_stock SET used = used + {mark}3"
        f" WHERE program_id = {mark}1 AND reward_key = {mark}2"
        f" AND ({mark}3 < 0 OR used + {mark}3 <= total) RETURNING used"
    )


def _move_sql(mark: str) -> str:
    return (
        f"UPDATE reward_stock SET total = total + {mark}3"
        f" WHERE program_id = {mark}1 AND reward_key = {mark}2 AND total + {mark}3 >= 0"
        " RETURNING total, used"
    )
