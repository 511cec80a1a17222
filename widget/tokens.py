"""Tokens of members: what a storefront's server hands to a browser, so that it may ask for one
member's own account for an hour at most.

A token is signed, names the program and the member and holds nothing else; it is stored nowhere.
Its time is told by the program's clock. It ends with its member: erased, it is worth nothing;
merged into another, it speaks for whom they were merged into. Refuses to say why a token that is
not over is not believed.
"""

from typing import Any

import sqlalchemy as sa

from core import auth, clock, db, ids, signing
from core.auth import Credential
from core.errors import Problem, not_found
from members import aliases, members
from members.models import Member
from programs import versions
from programs.models import Program

PURPOSE = "member"
#: The longest that a token is good for, in seconds.
LONGEST = 3600
_NO_END = clock.Instant(-(2**62))

_of_token = db.Statement(
    sa.select(Program.mode, Program.clock_at, Member.erased_at, Member.merged_into_id)
    .join(Member, Member.program_id == Program.program_id)
    .where(
        Program.program_id == sa.bindparam("program_id"),
        Member.id == sa.bindparam("member_id"),
    )
)


def issue(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, expires_in: int
) -> dict[str, str]:
    """A token for a member, good for so many seconds; 404 when there is no such member."""
    known = members.get(connection, program_id, member_ref)
    if known.is_erased:
        raise not_found("member")
    _, now = versions.get_live(connection, program_id)
    expires_at = now + expires_in * clock.SECOND
    values = [ids.show_id("prg", program_id), ids.show_id(members.PREFIX, known.id)]
    return {
        "token": auth.MEMBER_TOKEN + signing.sign(PURPOSE, values, expires_at=expires_at),
        "expires_at": clock.format_instant(expires_at),
    }


def resolve(token: str) -> Credential:
    """Whom a token speaks for; 401 `token_expired` when it is over, `invalid_credentials` when it
    is not to be believed."""
    named = _named(token)
    if named is None:
        raise _unknown()
    program_id, member_id = named
    found = db.reading(lambda connection: _find(connection, program_id, member_id))
    if found is None:
        raise _unknown()
    mode, now, living_id = found
    # Only now: a browser that may call learns why it was refused.
    auth.note_program(program_id)
    try:
        signing.read(PURPOSE, token, now=now)
    except signing.ExpiredTokenError:
        raise auth.unauthorised(
            "token_expired", "This token is over: have your server make another."
        ) from None
    if living_id is None:
        raise _unknown()
    return Credential(program_id, member_id, "member", mode, member_id=living_id)


def _named(token: str) -> tuple[bytes, bytes] | None:
    """The program and the member of a token of ours, whether it is over or not."""
    try:
        values = signing.read(PURPOSE, token, now=_NO_END)
    except signing.BadTokenError:
        return None
    program_id, member_id = ids.read_id("prg", values[0]), ids.read_id(members.PREFIX, values[1])
    assert program_id is not None and member_id is not None, "we have signed another thing"
    return program_id, member_id


def _find(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> tuple[Any, clock.Instant, bytes | None] | None:
    """The program's mode and clock, and who the member is by now: None of one who was erased."""
    values = {"program_id": program_id, "member_id": member_id}
    row = _of_token.first(connection, values)
    if row is None:
        return None
    mode, clock_at, erased_at, merged_into_id = row
    living_id: bytes | None = None
    if erased_at is None:
        living_id = member_id
        if merged_into_id is not None:
            living_id = aliases.follow(connection, program_id, bytes(merged_into_id))
            values["member_id"] = living_id
            row = _of_token.first(connection, values)
            living_id = None if row is None or row[2] is not None else living_id
    return mode, versions.program_now(clock_at), living_id


def _unknown() -> Problem:
    return auth.unauthorised("invalid_credentials", "This token is not one of ours.")
