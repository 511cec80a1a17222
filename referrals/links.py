"""Links: one of each member for each offer, with every code that ever led to it.

Owns `links` and their part of the directory `link_codes`: a code is for ever, whether it was made
or chosen, so what once led to a member never leads to another. Of whoever was erased the codes that
they chose, which may be names, stay as keyed digests alone. Refuses to judge who may have a link,
and to say of a code that is taken whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import clock, db, ids, sealing
from core.errors import Problem, invalid_at
from members import aliases
from referrals import codes
from referrals.models import Link, LinkCode, LinkCount

LINKS: sa.Table = Link.__table__  # type: ignore[assignment]
CODES: sa.Table = LinkCode.__table__  # type: ignore[assignment]
COUNTS: sa.Table = LinkCount.__table__  # type: ignore[assignment]
PREFIX = "lnk"
#: So many codes may be chosen for one link: they are taken for ever, for everybody.
VANITY_MAX = 10
#: What the digest begins with that stands for a code whose member was erased.
ERASED = "#"
_PURPOSE = "link codes"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a code leads. `code` is the one that was found, as it is shown, and `is_vanity` one
    that was chosen; a link that `is_closed` leads nowhere any more."""

    link_id: bytes
    member_id: bytes
    offer_key: str
    code: str
    is_vanity: bool
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A member's own link: the code that is shown now, and the earlier ones, oldest first."""

    id: bytes
    offer_key: str
    code: str
    aliases: tuple[str, ...]
    is_closed: bool


_found = (
    *(LINKS.c.id, LINKS.c.member_id, LINKS.c.offer_key),
    *(CODES.c.code, CODES.c.is_vanity, CODES.c.is_closed),
)
_of_code = db.Statement(
    sa.select(*_found)
    .join(LINKS, sa.and_(LINKS.c.program_id == CODES.c.program_id, LINKS.c.id == CODES.c.link_id))
    .where(
        CODES.c.canonical == sa.bindparam("canonical"),
        CODES.c.program_id == sa.bindparam("program_id"),
    )
)
_of_id = db.Statement(
    sa.select(*_found)
    .join(CODES, sa.and_(CODES.c.program_id == LINKS.c.program_id, CODES.c.link_id == LINKS.c.id))
    .where(
        LINKS.c.program_id == sa.bindparam("program_id"),
        LINKS.c.id == sa.bindparam("link_id"),
        CODES.c.code == LINKS.c.code,
    )
)
_shown_code = db.Statement(
    sa.select(CODES.c.code, CODES.c.is_closed).where(CODES.c.canonical == sa.bindparam("canonical"))
)


def find(connection: sa.Connection, program_id: bytes, text: str) -> Found | None:
    """The link that a code of this program leads to, however the code was typed."""
    canonical = codes.canonical(text)
    if canonical is None:
        return None
    values = {"program_id": program_id, "canonical": canonical}
    return _read(connection, program_id, _of_code.first(connection, values))


def find_made(connection: sa.Connection, program_id: bytes, text: str) -> Found | None:
    """The same of a code that we made, in its own form. One that was chosen may be the very word
    that a storefront gives as a coupon: who uses that was brought by nobody."""
    found = find(connection, program_id, text) if codes.is_made(text) else None
    return None if found is None or found.is_vanity else found


def find_by_id(connection: sa.Connection, program_id: bytes, link_id: bytes) -> Found | None:
    """A link by its id, with the code that is shown now."""
    values = {"program_id": program_id, "link_id": link_id}
    return _read(connection, program_id, _of_id.first(connection, values))


def _read(connection: sa.Connection, program_id: bytes, row: db.Row | None) -> Found | None:
    if row is None:
        return None
    link_id, member_id, offer_key, code, is_vanity, is_closed = row
    # Whoever was merged is who they were merged into.
    living = aliases.follow(connection, program_id, bytes(member_id))
    return Found(bytes(link_id), living, offer_key, code, bool(is_vanity), bool(is_closed))


def find_shown(connection: sa.Connection, text: str) -> str | None:
    """A code of any program as it is shown, None for one that leads nowhere: for what is public."""
    canonical = codes.canonical(text)
    row = None if canonical is None else _shown_code.first(connection, {"canonical": canonical})
    return None if row is None or row[1] else str(row[0])


def of_member(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[Held]:
    """A member's links, the first one first."""
    rows = connection.execute(
        sa.select(LINKS.c.id, LINKS.c.offer_key, LINKS.c.code, CODES.c.code, CODES.c.is_closed)
        .join(
            CODES, sa.and_(CODES.c.program_id == LINKS.c.program_id, CODES.c.link_id == LINKS.c.id)
        )
        .where(LINKS.c.program_id == program_id, LINKS.c.member_id == member_id)
        .order_by(LINKS.c.id, CODES.c.created_at, CODES.c.canonical)
    ).all()
    found: dict[bytes, Held] = {}
    for link_id, offer_key, shown, code, is_closed in rows:
        before = found.get(bytes(link_id))
        earlier = () if before is None else before.aliases
        if code != shown:
            earlier = (*earlier, code)
        is_shut = bool(is_closed) and (before is None or before.is_closed)
        found[bytes(link_id)] = Held(bytes(link_id), offer_key, shown, earlier, is_shut)
    return list(found.values())


def issue(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    offer_key: str,
    *,
    chosen: str | None,
    now: clock.Instant,
) -> tuple[Held, bool]:
    """The link of a member whose lock is held, and whether it is new; `chosen` is the code that it
    is shown with from now on. 422 for one that may not be chosen, 409 for one that is taken."""
    held = _held(connection, program_id, member_id, offer_key)
    is_new = held is None
    if held is None:
        link_id, code = ids.new_id(), _unused(connection)
        connection.execute(
            sa.insert(LINKS).values(
                program_id=program_id,
                id=link_id,
                member_id=member_id,
                offer_key=offer_key,
                code=code,
                created_at=now,
            )
        )
        _enter(connection, program_id, link_id, code, is_vanity=False, now=now)
        held = Held(link_id, offer_key, code, (), False)
    if chosen is not None:
        _choose(connection, program_id, held, chosen, now=now)
        renewed = _held(connection, program_id, member_id, offer_key)
        assert renewed is not None
        held = renewed
    return held, is_new


def _held(
    connection: sa.Connection, program_id: bytes, member_id: bytes, offer_key: str
) -> Held | None:
    found = of_member(connection, program_id, member_id)
    return next((one for one in found if one.offer_key == offer_key), None)


def _unused(connection: sa.Connection) -> str:
    """A code that nobody has. Should somebody take it at this moment, the unit runs again."""
    while True:
        code = codes.make()
        canonical = codes.canonical(code)
        assert canonical is not None
        if _owner(connection, canonical) is None:
            return code


def _choose(
    connection: sa.Connection, program_id: bytes, held: Held, chosen: str, *, now: clock.Instant
) -> None:
    """Show a link with a code that was chosen; what it was shown with before leads to it too."""
    try:
        code = codes.vanity(chosen)
    except ValueError as error:
        raise invalid_at("/vanity", str(error)) from None
    canonical = codes.canonical(code)
    assert canonical is not None
    owner = _owner(connection, canonical)
    if owner is None:
        _check_room(connection, program_id, held.id)
        _enter(connection, program_id, held.id, code, is_vanity=True, now=now)
    elif (bytes(owner.program_id), bytes(owner.link_id)) != (program_id, held.id):
        raise taken()
    elif owner.code != code:
        # The same code in another spelling: minji as MinJi. One that we made stays one.
        connection.execute(sa.update(CODES).where(CODES.c.canonical == canonical).values(code=code))
    connection.execute(
        sa.update(LINKS)
        .where(LINKS.c.program_id == program_id, LINKS.c.id == held.id)
        .values(code=code)
    )


def taken() -> Problem:
    """The refusal of a code that somebody has, or that is something else; it does not say which."""
    return Problem(
        409,
        "already_exists",
        "This code, or one that looks like it, is taken; choose another one.",
    )


def _owner(connection: sa.Connection, canonical: str) -> sa.Row[tuple[bytes, bytes, str]] | None:
    """Where a code led, or leads: also one of somebody who was erased."""
    forms = [canonical, *_digests(canonical)]
    return connection.execute(
        sa.select(CODES.c.program_id, CODES.c.link_id, CODES.c.code).where(
            CODES.c.canonical.in_(forms)
        )
    ).first()


def _digests(canonical: str) -> list[str]:
    """What stands for a code once its member was erased, under every accepted key, the current
    first: no code is spelled like that."""
    message = canonical.encode()
    found = sealing.digests(message, purpose=_PURPOSE, keys=sealing.keys())
    return [f"{ERASED}{digest.hex()}" for digest in found]


def forget(connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]) -> None:
    """Close the links of members who are erased. Of the codes that they chose digests are left, so
    that nobody ever has one again; their links are shown by the code that we made."""
    own = sa.select(LINKS.c.id).where(
        LINKS.c.program_id == program_id, LINKS.c.member_id.in_(member_ids)
    )
    theirs = (CODES.c.program_id == program_id, CODES.c.link_id.in_(own))
    connection.execute(sa.update(CODES).where(*theirs).values(is_closed=True))
    chosen = connection.execute(
        sa.select(CODES.c.canonical).where(*theirs, CODES.c.is_vanity, CODES.c.code != "")
    ).scalars()
    for canonical in chosen.all():
        connection.execute(
            sa.update(CODES)
            .where(CODES.c.canonical == canonical)
            .values(canonical=_digests(canonical)[0], code="")
        )
    made = sa.select(CODES.c.code).where(
        CODES.c.program_id == LINKS.c.program_id,
        CODES.c.link_id == LINKS.c.id,
        CODES.c.is_vanity.is_(False),
    )
    connection.execute(
        sa.update(LINKS)
        .where(LINKS.c.program_id == program_id, LINKS.c.member_id.in_(member_ids))
        .values(code=made.correlate(LINKS).limit(1).scalar_subquery())
    )


def _check_room(connection: sa.Connection, program_id: bytes, link_id: bytes) -> None:
    count = connection.execute(
        sa.select(sa.func.count()).where(
            CODES.c.program_id == program_id, CODES.c.link_id == link_id, CODES.c.is_vanity
        )
    ).scalar_one()
    if count >= VANITY_MAX:
        raise Problem(
            409,
            "state_conflict",
            f"{VANITY_MAX} codes were chosen for this link already; choose one of those.",
            state="vanity_limit",
        )


def _enter(
    connection: sa.Connection,
    program_id: bytes,
    link_id: bytes,
    code: str,
    *,
    is_vanity: bool,
    now: clock.Instant,
) -> None:
    connection.execute(
        sa.insert(CODES).values(
            canonical=codes.canonical(code),
            program_id=program_id,
            link_id=link_id,
            code=code,
            is_vanity=is_vanity,
            is_closed=False,
            created_at=now,
        )
    )


def count_share(
    connection: sa.Connection, program_id: bytes, link_id: bytes, *, channel: str, day: date
) -> None:
    """Count that a link was asked for to be shared over a channel ('' where none was named)."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = ("program_id", "link_id", "day", "channel", "kind")
    values = (program_id, link_id, day.isoformat(), channel, "shared")
    connection.execute(
        insert(COUNTS)
        .values(**dict(zip(key, values, strict=True)), count=1)
        .on_conflict_do_update(index_elements=key, set_={"count": COUNTS.c.count + 1})
    )


def counts(
    connection: sa.Connection, program_id: bytes, link_ids: Sequence[bytes]
) -> dict[bytes, dict[str, dict[str, int]]]:
    """How often links were shared, clicked, …: by link, channel and kind, of all days."""
    rows = connection.execute(
        sa.select(COUNTS.c.link_id, COUNTS.c.channel, COUNTS.c.kind, sa.func.sum(COUNTS.c.count))
        .where(COUNTS.c.program_id == program_id, COUNTS.c.link_id.in_(link_ids))
        .group_by(COUNTS.c.link_id, COUNTS.c.channel, COUNTS.c.kind)
        .order_by(COUNTS.c.channel)
    )
    found: dict[bytes, dict[str, dict[str, int]]] = {}
    for link_id, channel, kind, count in rows:
        by_channel = found.setdefault(bytes(link_id), {})
        by_channel.setdefault(channel, {})[kind] = int(count)
    return found
