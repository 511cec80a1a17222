"""Receipts of members who turn out to be one person.

The roll stays what it was made with: a receipt keeps the reference that it was drawn with, whoever
has it by now. Where both drew for one thing (an order that was moved from one to the other) one
receipt goes on and the other is left with who is merged, as what fell: a person has one draw for
each happening. Refuses to undo a prize.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from core import ids
from orders.models import Order
from programs.models import Decision
from rewards.surprises.carried import DRAWS

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]
#: How decisions name a receipt.
_TYPE, _PREFIX = "surprise", "drw"


def unite(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> list[bytes]:
    """Hand the receipts of one member to another, while orders are still those of both. Where both
    drew for the same thing, that of whose order it is goes on; of anything else the one that
    stands, or that of the one who stays. Those that are left with the one who goes."""
    left: list[bytes] = []
    for old, own, goes_on in _of_both(connection, program_id, old_id, into_id):
        left.append(own if goes_on else old)
        if goes_on:
            # Who has a receipt of something is unique: on the way it is nobody's.
            for id_, member_id in ((own, own), (old, into_id), (own, old_id)):
                _give(connection, program_id, DRAWS.c.id == id_, member_id)
    rest = sa.and_(DRAWS.c.member_id == old_id, DRAWS.c.id.not_in(left))
    _give(connection, program_id, rest, into_id)
    return left


def _of_both(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> list[tuple[bytes, bytes, bool]]:
    """The receipts of what both drew for, and whether that of the one who goes is what counts."""
    old, own = DRAWS.alias(), DRAWS.alias()
    same = sa.and_(
        own.c.program_id == old.c.program_id,
        own.c.source_id == old.c.source_id,
        own.c.surprise_key == old.c.surprise_key,
        own.c.member_id == into_id,
    )
    its_order = sa.and_(
        old.c.source_type == "order",
        ORDERS.c.program_id == old.c.program_id,
        ORDERS.c.id == old.c.source_id,
    )
    statement = (
        sa.select(old.c.id, own.c.id, old.c.stands, own.c.stands, ORDERS.c.member_id)
        .select_from(old.join(own, same).outerjoin(ORDERS, its_order))
        .where(old.c.program_id == program_id, old.c.member_id == old_id)
        .order_by(old.c.id)
    )
    found = []
    for old_draw, own_draw, old_stands, own_stands, owner_id in connection.execute(statement):
        goes_on = bool(old_stands) and not own_stands
        if owner_id in (old_id, into_id):
            goes_on = owner_id == old_id
        found.append((bytes(old_draw), bytes(own_draw), goes_on))
    return found


def _give(
    connection: sa.Connection,
    program_id: bytes,
    which: sa.ColumnElement[bool],
    member_id: bytes,
) -> None:
    connection.execute(
        sa.update(DRAWS).where(DRAWS.c.program_id == program_id, which).values(member_id=member_id)
    )


def leave(
    connection: sa.Connection,
    program_id: bytes,
    left: Sequence[bytes],
    old_id: bytes,
    into_id: bytes,
) -> None:
    """Leave what was decided of receipts with whom they were left, when all other decisions have
    changed hands."""
    if left:
        connection.execute(
            sa.update(DECISIONS)
            .where(
                DECISIONS.c.program_id == program_id,
                DECISIONS.c.member_id == into_id,
                DECISIONS.c.source_type == _TYPE,
                DECISIONS.c.source_ref.in_([ids.show_id(_PREFIX, one) for one in left]),
            )
            .values(member_id=old_id)
        )
