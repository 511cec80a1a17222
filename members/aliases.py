"""Aliases: references of members that were merged into others, which lead to them for ever.

A merged member's row stays, so its reference can never be given to another. Whoever is found
directly never comes here. Chains are followed, not shortened: a merge writes no row but its own
two members', so it never waits for somebody who follows one.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from core import db, ids
from members.models import Member

PREFIX = "mem"


@dataclass(frozen=True, slots=True)
class Row:
    """A member's row by its own reference, merged or not."""

    member_id: bytes
    merged_into_id: bytes | None


def _select(where: sa.ColumnElement[bool]) -> db.Statement:
    return db.Statement(
        sa.select(Member.id, Member.merged_into_id).where(
            Member.program_id == sa.bindparam("program_id"), where, Member.erased_at.is_(None)
        )
    )


_by_ref = _select(Member.member_ref == sa.bindparam("member_ref"))
_by_id = _select(Member.id == sa.bindparam("id"))


def find(connection: sa.Connection, program_id: bytes, member_ref: str) -> Row | None:
    """The row with this very reference (or id of ours), whether it was merged or not."""
    row = _by_ref.first(connection, {"program_id": program_id, "member_ref": member_ref})
    if row is None:
        member_id = ids.read_id(PREFIX, member_ref)
        if member_id is not None:
            row = _by_id.first(connection, {"program_id": program_id, "id": member_id})
    if row is None:
        return None
    return Row(bytes(row[0]), None if row[1] is None else bytes(row[1]))


def follow(connection: sa.Connection, program_id: bytes, member_id: bytes) -> bytes:
    """Who a member is by now: themselves, or who they were merged into in the end."""
    while True:
        row = _by_id.first(connection, {"program_id": program_id, "id": member_id})
        if row is None or row[1] is None:
            return member_id
        member_id = bytes(row[1])


def merged_ids(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[bytes]:
    """Every member that was merged into this one, directly or through others."""
    found: list[bytes] = []
    nearest = [member_id]
    while nearest:
        rows = connection.execute(
            sa.select(Member.id).where(
                Member.program_id == program_id, Member.merged_into_id.in_(nearest)
            )
        )
        nearest = [bytes(row[0]) for row in rows]
        found += nearest
    return found
