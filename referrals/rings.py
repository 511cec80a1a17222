"""Rings: friends who bring each other in a circle, so that everybody is paid for everybody.

A brings B, B brings C, C brings A. Two in a circle are refused when the second is bound; longer
ones are looked for here, upwards from the advocate over whoever brought whom, up to `LONGEST`.
"""

import sqlalchemy as sa

from core import db
from referrals.carried import REFERRALS
from referrals.desk import Desk, connection_of

#: How many people a ring has at most that is looked for.
LONGEST = 6
_C = REFERRALS.c
_brought = db.Statement(
    sa.select(_C.advocate_id, _C.is_bound, _C.state).where(
        _C.program_id == sa.bindparam("program_id"), _C.friend_id == sa.bindparam("friend_id")
    )
)


def brought_by(desk: Desk, member_id: bytes) -> bytes | None:
    """Who brought a member, as this unit leaves it; read without locks where it is not held."""
    referral_id = desk.referrals.of_friend.get(member_id)
    if referral_id is not None:
        row = desk.referrals.referrals[referral_id]
        advocate_id, is_bound, state = row.advocate_id, row.is_bound, row.state
    else:
        values = {"program_id": desk.program_id, "friend_id": member_id}
        found = _brought.first(connection_of(desk), values)
        if found is None:
            return None
        advocate_id, is_bound, state = bytes(found[0]), bool(found[1]), found[2]
    return advocate_id if is_bound and state != "rejected" else None


def length(desk: Desk, *, advocate_id: bytes, friend_id: bytes) -> int | None:
    """How many people the ring has that an advocate's friend closes, or None where there is none.
    Rings of two are somebody else's to refuse."""
    seen, above = {advocate_id, friend_id}, brought_by(desk, advocate_id)
    while above is not None:
        if above == friend_id:
            return len(seen) if len(seen) > 2 else None
        if above in seen or len(seen) == LONGEST:
            return None
        seen.add(above)
        above = brought_by(desk, above)
    return None
