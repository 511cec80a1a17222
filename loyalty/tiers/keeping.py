"""Keeping where members stand: rows of tiers, read and written."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core.writing import Writes
from loyalty.tiers.models import TIERS
from loyalty.tiers.standing import Assured, Place

#: What follows from what a member did: keeping it leaves what is assured or given by hand.
_KEPT = sa.Table(
    TIERS.name,
    sa.MetaData(),
    *(
        sa.Column(name, TIERS.c[name].type, primary_key=TIERS.c[name].primary_key)
        for name in (
            "program_id",
            "member_id",
            "level_key",
            "since",
            "until",
            "grace_until",
            "is_at_risk",
            "due_at",
        )
    ),
)


def keep(writes: Writes, program_id: bytes, member_id: bytes, place: Place) -> None:
    """Remember where a member stands, and when that is to be looked at again."""
    standing = place.derived
    writes.replace(
        _KEPT,
        {
            "program_id": program_id,
            "member_id": member_id,
            "level_key": standing.key or standing.lost_key,
            "since": standing.since,
            "until": standing.until,
            "grace_until": standing.grace_until,
            "is_at_risk": standing.is_at_risk,
            "due_at": place.due_at,
        },
    )


def read_rows(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> dict[bytes, Any]:
    """Rows of tiers by member."""
    if not member_ids:
        return {}
    rows = connection.execute(
        sa.select(TIERS).where(
            TIERS.c.program_id == program_id, TIERS.c.member_id.in_(list(member_ids))
        )
    )
    return {bytes(row.member_id): row for row in rows}


def assure(connection: sa.Connection, program_id: bytes, promises: Mapping[bytes, Assured]) -> None:
    """Remember what members are assured; what was assured before is replaced."""
    _promise(connection, program_id, promises, "assured")


def give(connection: sa.Connection, program_id: bytes, promises: Mapping[bytes, Assured]) -> None:
    """Remember which levels members were given by hand; what was given before is replaced."""
    _promise(connection, program_id, promises, "manual")


def _promise(
    connection: sa.Connection, program_id: bytes, promises: Mapping[bytes, Assured], prefix: str
) -> None:
    known = read_rows(connection, program_id, list(promises))
    for member_id, one in promises.items():
        values = {
            f"{prefix}_key": one.level.key,
            f"{prefix}_since": one.since,
            f"{prefix}_until": one.until,
        }
        before = known[member_id].due_at if member_id in known else None
        dates = [date for date in (before, one.until) if date is not None]
        values["due_at"] = min(dates, default=None)
        if member_id in known:
            where = (TIERS.c.program_id == program_id, TIERS.c.member_id == member_id)
            connection.execute(sa.update(TIERS).where(*where).values(values))
            continue
        key = {"program_id": program_id, "member_id": member_id}
        new = {"level_key": None, "since": 0, "is_at_risk": False}
        connection.execute(sa.insert(TIERS).values(key | new | values))
