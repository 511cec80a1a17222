"""What a proof must know of merges: who a member is by now, and what went along with them."""

import sqlalchemy as sa

from core import ids
from loyalty.ledger.rows import HOLDS
from members.members import MEMBERS
from server.verify.entries import HoldSums


def owner(connection: sa.Connection, program_id: bytes, member_id: bytes) -> bytes:
    """Who a member is by now, erased or not."""
    seen: set[bytes] = set()
    while member_id not in seen:
        seen.add(member_id)
        into = connection.execute(
            sa.select(MEMBERS.c.merged_into_id).where(
                MEMBERS.c.program_id == program_id, MEMBERS.c.id == member_id
            )
        ).scalar()
        if into is None:
            break
        member_id = bytes(into)
    return member_id


def has_gone_along(
    connection: sa.Connection, key: tuple[bytes, bytes], ref: str, found: HoldSums
) -> bool:
    """Whether a hold that entries of a member's account name was released there and goes on in the
    account of whom the member was merged into, as what a pending order keeps does."""
    program_id, member_id = key
    hold_id = ids.read_id("rdm", ref)
    if hold_id is None or found.ended is None or found.ended["kind"] != "release":
        return False
    now_of = connection.execute(
        sa.select(HOLDS.c.member_id).where(HOLDS.c.program_id == program_id, HOLDS.c.id == hold_id)
    ).scalar()
    if now_of is None or bytes(now_of) == member_id:
        return False
    last = owner(connection, program_id, member_id)
    return last != member_id and owner(connection, program_id, bytes(now_of)) == last
