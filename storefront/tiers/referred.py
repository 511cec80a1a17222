"""What friends add to how their advocates stand: approved referrals that stand, as contributions
to the ladder and as a fact. A program that asks for neither costs no statement here.

Reads only. A referral counts for the ladder since it qualified, and for the fact
`member.approved_referrals` since it was approved.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import db
from loyalty.tiers.contributions import Contribution
from programs.compiled import APPROVED_REFERRALS, Compiled
from referrals.carried import REFERRALS

_C = REFERRALS.c
_standing = db.Statement(
    sa.select(_C.id, _C.qualified_at, _C.approved_at)
    .where(
        _C.program_id == sa.bindparam("program_id"),
        _C.advocate_id == sa.bindparam("advocate_id"),
        _C.stands == sa.literal_column("true"),
    )
    .order_by(_C.qualified_at, _C.id)
)

#: Contributions by what they go by.
Keyed = list[tuple[str, Contribution]]


def key(referral_id: bytes) -> str:
    """What the contribution of a referral goes by: no order has such a reference."""
    return f"\x03{referral_id.hex()}"


def contribution(row: Any) -> Contribution | None:
    """What a referral adds that stands; None of one that does not."""
    if not row.stands or row.qualified_at is None:
        return None
    return _counted(row.qualified_at, row.approved_at)


def _counted(qualified_at: int, approved_at: int | None) -> Contribution:
    known_at = qualified_at if approved_at is None else approved_at
    return Contribution(qualified_at, 0, 0, count=0, referrals=1, known_at=known_at)


def read(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Keyed:
    """The friends of an advocate who stand, in the order in which they qualified."""
    values = {"program_id": program_id, "advocate_id": member_id}
    return [
        (key(bytes(referral_id)), _counted(qualified_at, approved_at))
        for referral_id, qualified_at, approved_at in _standing.rows(connection, values)
    ]


def read_many(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> Mapping[bytes, Keyed]:
    """The same of many advocates; those who have none are left out."""
    found: dict[bytes, Keyed] = {}
    rows = connection.execute(
        sa.select(_C.advocate_id, _C.id, _C.qualified_at, _C.approved_at)
        .where(_C.program_id == program_id, _C.advocate_id.in_(member_ids), _C.stands)
        .order_by(_C.qualified_at, _C.id)
    )
    for advocate_id, referral_id, qualified_at, approved_at in rows:
        one = _counted(qualified_at, approved_at)
        found.setdefault(bytes(advocate_id), []).append((key(bytes(referral_id)), one))
    return found


def facts(
    connection: sa.Connection,
    program: Compiled,
    member_id: bytes,
    *,
    at: int,
    known: Mapping[bytes, Any],
) -> dict[str, Any]:
    """The fact as of an instant, where some rule asks for it: as stored, and as the unit leaves
    the referrals that it knows of."""
    if not program.asks_referrals:
        return {}
    found = dict(read(connection, program.program_id, member_id))
    for row in known.values():
        found.pop(key(row.id), None)
        one = contribution(row) if row.advocate_id == member_id else None
        if one is not None:
            found[key(row.id)] = one
    return {APPROVED_REFERRALS: sum(one.known_at <= at for one in found.values())}
