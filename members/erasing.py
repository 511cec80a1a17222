"""Erasing: what of a person goes from members' own tables, and what is remembered of them.

A member's row stays, emptied, because the ledger refers to it. Their contacts' keyed digests stay
for a term where signup effects were paid on them (tombstones), so that nobody is welcomed twice;
so do digests of their references, so that erasing again answers the same. Neither says who it
was. Refuses to know points and orders.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from members import aliases, contacts, occasions
from members.members import CLAIMS, CONSENTS, DIGESTS, MEMBERS, PREFIX, find_all
from members.models import ErasedReference, Erasure

ERASURES: sa.Table = Erasure.__table__  # type: ignore[assignment]
REFERENCES: sa.Table = ErasedReference.__table__  # type: ignore[assignment]

_REFERENCE = "member_ref"


def everyone(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[bytes]:
    """The member and all that were merged into them: one person."""
    return [member_id, *aliases.merged_ids(connection, program_id, member_id)]


def named(program_id: bytes, *member_refs: str) -> Callable[[sa.Connection], Iterable[bytes]]:
    """Whom these references mean: for what is kept and must go when they are erased."""
    return lambda connection: find_all(connection, program_id, member_refs).values()


def references(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> list[str]:
    """Every reference by which the storefront knew the person."""
    return list(
        connection.execute(
            sa.select(MEMBERS.c.member_ref).where(
                MEMBERS.c.program_id == program_id, MEMBERS.c.id.in_(member_ids)
            )
        ).scalars()
    )


def erase(
    connection: sa.Connection,
    program_id: bytes,
    member_ids: Sequence[bytes],
    *,
    answer: dict[str, Any],
    now: clock.Instant,
    ends_at: int,
) -> None:
    """Empty the rows of one person, the first of whom is who they are now; what is remembered is
    so until `ends_at`."""
    _remember(connection, program_id, member_ids, answer=answer, now=now, ends_at=ends_at)
    _entomb(connection, program_id, member_ids, ends_at=ends_at)
    occasions.forget(connection, program_id, member_ids)
    for table in (DIGESTS, CONSENTS):
        connection.execute(
            sa.delete(table).where(
                table.c.program_id == program_id, table.c.member_id.in_(member_ids)
            )
        )
    for member_id in member_ids:
        connection.execute(
            sa.update(MEMBERS)
            .where(MEMBERS.c.program_id == program_id, MEMBERS.c.id == member_id)
            .values(
                # Not derived from anything: it leads back to nobody.
                member_ref=f"erased:{secrets.token_urlsafe(24)}",
                email=None,
                phone=None,
                contact_verified="[]",
                name=None,
                birthday_on=None,
                locale=None,
                card_ref=None,
                attributes="{}",
                is_enrolled=False,
                erased_at=now,
            )
        )


def _remember(
    connection: sa.Connection,
    program_id: bytes,
    member_ids: Sequence[bytes],
    *,
    answer: dict[str, Any],
    now: clock.Instant,
    ends_at: int,
) -> None:
    connection.execute(
        sa.insert(ERASURES).values(
            program_id=program_id,
            member_id=member_ids[0],
            erased_at=now,
            answer=jsontext.text(answer),
        )
    )
    for reference in references(connection, program_id, member_ids):
        accepted = contacts.digests(program_id, _REFERENCE, reference)
        # The reference may have been somebody's before, who was erased as well.
        connection.execute(
            sa.delete(REFERENCES).where(
                REFERENCES.c.program_id == program_id, REFERENCES.c.digest.in_(accepted)
            )
        )
        connection.execute(
            sa.insert(REFERENCES).values(
                program_id=program_id,
                digest=accepted[0],
                member_id=member_ids[0],
                ends_at=ends_at,
            )
        )


def _entomb(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes], *, ends_at: int
) -> None:
    """Give the person's signup claims an end, and let them forget whose they are."""
    connection.execute(
        sa.update(CLAIMS)
        .where(CLAIMS.c.program_id == program_id, CLAIMS.c.member_id.in_(member_ids))
        .values(member_id=None, ends_at=ends_at)
    )


def find_answer(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, now: clock.Instant
) -> dict[str, Any] | None:
    """What erasing a member answered, by our id or by a reference that they had; None when
    nobody like that was erased."""
    member_id = ids.read_id(PREFIX, member_ref)
    if member_id is not None:
        member_id = aliases.follow(connection, program_id, member_id)
    else:
        member_id = _remembered(connection, program_id, member_ref, now=now)
    if member_id is None:
        return None
    answer = connection.execute(
        sa.select(ERASURES.c.answer).where(
            ERASURES.c.program_id == program_id, ERASURES.c.member_id == member_id
        )
    ).scalar()
    found: dict[str, Any] | None = None if answer is None else jsontext.parse(answer)
    return found


def is_remembered(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, now: clock.Instant
) -> bool:
    """Whether somebody of this reference was erased, and not too long ago."""
    return _remembered(connection, program_id, member_ref, now=now) is not None


def _remembered(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, now: clock.Instant
) -> bytes | None:
    found: bytes | None = connection.execute(
        sa.select(REFERENCES.c.member_id).where(
            REFERENCES.c.program_id == program_id,
            REFERENCES.c.digest.in_(contacts.digests(program_id, _REFERENCE, member_ref)),
            REFERENCES.c.ends_at > now,
        )
    ).scalar()
    return found


def purge(connection: sa.Connection, program_id: bytes, *, now: clock.Instant, limit: int) -> int:
    """Forget up to `limit` of each that has ended; how many."""
    count = 0
    for table in (CLAIMS, REFERENCES):
        keys = list(table.primary_key.columns)
        ended = connection.execute(
            sa.select(*keys)
            .where(table.c.program_id == program_id, table.c.ends_at <= now)
            .limit(limit)
        ).all()
        if ended:
            connection.execute(
                sa.delete(table).where(
                    # One that was taken up anew since it was read has no end, or a later one.
                    table.c.ends_at <= now,
                    sa.tuple_(*keys).in_([tuple(row) for row in ended]),
                )
            )
        count += len(ended)
    return count
