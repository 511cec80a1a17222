"""Members' rows: locking, finding, writing, showing.

`lock_*` takes the one lock that every unit touching a member takes before anything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from core.errors import not_found
from core.writing import Writes
from members import aliases, contacts, occasions
from members.models import Consent, ContactDigest, Member, SignupClaim

MEMBERS: sa.Table = Member.__table__  # type: ignore[assignment]
DIGESTS: sa.Table = ContactDigest.__table__  # type: ignore[assignment]
CLAIMS: sa.Table = SignupClaim.__table__  # type: ignore[assignment]
CONSENTS: sa.Table = Consent.__table__  # type: ignore[assignment]
PREFIX = aliases.PREFIX

_COLUMNS = (
    Member.id,
    Member.member_ref,
    Member.is_enrolled,
    Member.joined_at,
    Member.locale,
    Member.attributes,
    Member.erased_at,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What deciding needs of a member."""

    id: bytes
    member_ref: str
    is_enrolled: bool
    joined_at: int
    locale: str | None
    attributes: Mapping[str, Any]
    is_erased: bool = False


def _known(row: Sequence[Any]) -> Known:
    member_id, member_ref, is_enrolled, joined_at, locale, attributes, erased_at = row
    return Known(
        id=bytes(member_id),
        member_ref=member_ref,
        is_enrolled=bool(is_enrolled),
        joined_at=joined_at,
        locale=locale,
        attributes=jsontext.parse(attributes) if attributes != "{}" else {},
        is_erased=erased_at is not None,
    )


def _select(*where: Any, is_locking: bool) -> sa.Select[Any]:
    statement = sa.select(*_COLUMNS).where(
        Member.program_id == sa.bindparam("program_id"), *where, Member.merged_into_id.is_(None)
    )
    if is_locking:
        # Rows in one order, so that two units never wait for each other; FOR NO KEY UPDATE, so
        # that foreign keys to a member do not wait at all.
        statement = statement.order_by(Member.id).with_for_update(key_share=True)
    return statement


_by_ref = {
    locking: db.Statement(
        _select(Member.member_ref == sa.bindparam("member_ref"), is_locking=locking)
    )
    for locking in (False, True)
}
_by_id = {
    locking: db.Statement(
        _select(Member.id == sa.bindparam("id"), Member.erased_at.is_(None), is_locking=locking)
    )
    for locking in (False, True)
}


def find(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, is_locking: bool = False
) -> Known | None:
    """A member by the storefront's reference, or by our own id; also by those of members that
    were merged into them."""
    values = {"program_id": program_id, "member_ref": member_ref}
    row = _by_ref[is_locking].first(connection, values)
    if row is None:
        member_id = ids.read_id(PREFIX, member_ref)
        if member_id is not None:
            values = {"program_id": program_id, "id": member_id}
            row = _by_id[is_locking].first(connection, values)
    if row is None:
        return _find_merged(connection, program_id, member_ref, is_locking=is_locking)
    return _known(row)


def _find_merged(
    connection: sa.Connection, program_id: bytes, member_ref: str, *, is_locking: bool
) -> Known | None:
    found = aliases.find(connection, program_id, member_ref)
    if found is None or found.merged_into_id is None:
        return None
    member_id = aliases.follow(connection, program_id, found.merged_into_id)
    row = _by_id[is_locking].first(connection, {"program_id": program_id, "id": member_id})
    if row is not None:
        return _known(row)
    if aliases.follow(connection, program_id, member_id) != member_id:
        # Merged between the two looks.
        raise db.Restart
    return None


def get(connection: sa.Connection, program_id: bytes, member_ref: str) -> Known:
    """A member by reference; 404 when the program does not know it."""
    found = find(connection, program_id, member_ref)
    if found is None:
        raise not_found("member")
    return found


def lock_ids(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> dict[bytes, Known]:
    """Lock members by id, all at once and in one order.

    For one that was merged, whoever it was merged into is locked as well and is answered.
    """
    statement = (
        sa.select(*_COLUMNS, Member.merged_into_id)
        .where(Member.program_id == program_id, Member.id.in_(sorted(member_ids)))
        .order_by(Member.id)
        .with_for_update(key_share=True)
    )
    found = {}
    for *columns, merged_into_id in connection.execute(statement):
        member_id = bytes(columns[0])
        if merged_into_id is None:
            found[member_id] = _known(columns)
        else:
            known = _find_merged(
                connection, program_id, ids.show_id(PREFIX, member_id), is_locking=True
            )
            if known is not None:
                found[member_id] = known
    return found


def find_all(
    connection: sa.Connection, program_id: bytes, member_refs: Sequence[str]
) -> dict[str, bytes]:
    """Ids of many members by reference or our own id, without locks."""
    shown = {ref: found for ref in member_refs if (found := ids.read_id(PREFIX, ref))}
    statement = sa.select(Member.member_ref, Member.id, Member.merged_into_id).where(
        Member.program_id == program_id,
        Member.erased_at.is_(None),
        sa.or_(Member.member_ref.in_(member_refs), Member.id.in_(list(shown.values()))),
    )
    by_ref: dict[str, bytes] = {}
    by_id: dict[bytes, bytes] = {}
    for member_ref, member_id, merged_into_id in connection.execute(statement).all():
        living = bytes(member_id)
        if merged_into_id is not None:
            living = aliases.follow(connection, program_id, bytes(merged_into_id))
        by_ref[member_ref] = by_id[bytes(member_id)] = living
    for ref, member_id in shown.items():
        if ref not in by_ref and member_id in by_id:
            by_ref[ref] = member_id
    return by_ref


def insert(
    writes: Writes,
    program_id: bytes,
    member_ref: str,
    body: Mapping[str, Any],
    *,
    joined_at: int,
    now: clock.Instant,
    is_told: bool = True,
) -> dict[str, Any]:
    """A new member's row, added to `writes`; a twin that was faster makes the unit run again.
    Whom an order enrols nobody told of yet."""
    row = {
        "program_id": program_id,
        "id": ids.new_id(),
        "member_ref": member_ref,
        **dict.fromkeys(("email", "phone", "name", "birthday_on", "locale", "card_ref")),
        "contact_verified": "[]",
        "attributes": "{}",
        "is_enrolled": True,
        "created_at": now,
        "merged_into_id": None,
        "erased_at": None,
        "told_at": now if is_told else None,
        **(columns(body) | {"joined_at": joined_at}),
    }
    writes.insert(MEMBERS, row)
    occasions.begin(writes, row, now=now)
    return row


def columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a body sets."""
    values: dict[str, Any] = {
        name: body[name]
        for name in ("email", "phone", "name", "locale", "card_ref", "is_enrolled", "joined_at")
        if name in body
    }
    if "birthday_on" in body:
        day = body["birthday_on"]
        values["birthday_on"] = None if day is None else day.isoformat()
    if "contact_verified" in body:
        values["contact_verified"] = jsontext.text(sorted(set(body["contact_verified"])))
    if "attributes" in body:
        values["attributes"] = jsontext.text(body["attributes"])
    return values


def get_row(connection: sa.Connection, program_id: bytes, member_id: bytes) -> dict[str, Any]:
    """The whole row."""
    row = connection.execute(
        sa.select(MEMBERS).where(MEMBERS.c.program_id == program_id, MEMBERS.c.id == member_id)
    ).one()
    return dict(row._mapping)


def replace_digests(
    connection: sa.Connection, program_id: bytes, member_id: bytes, row: Mapping[str, Any]
) -> None:
    """Make the contact digests those of the member's present contacts."""
    connection.execute(
        sa.delete(DIGESTS).where(
            DIGESTS.c.program_id == program_id, DIGESTS.c.member_id == member_id
        )
    )
    found = contact_digests(program_id, row)
    if found:
        connection.execute(
            sa.insert(DIGESTS),
            [
                {"program_id": program_id, "kind": kind, "digest": value, "member_id": member_id}
                for kind, value in found
            ],
        )


def contact_digests(program_id: bytes, row: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Kind and digest of each contact that has a canonical form."""
    found = []
    for kind in ("email", "phone", "card_ref"):
        text = row.get(kind)
        value = contacts.canonical(kind, text) if text else None
        if value is not None:
            found.append((kind, contacts.digest(program_id, kind, value)))
    return found


def search(
    connection: sa.Connection, program_id: bytes, kind: str, text: str, *, limit: int
) -> list[bytes]:
    """Ids of the members with this contact, in any spelling."""
    value = contacts.canonical(kind, text)
    if value is None:
        return []
    rows = connection.execute(
        sa.select(DIGESTS.c.member_id)
        .distinct()
        .where(
            DIGESTS.c.program_id == program_id,
            DIGESTS.c.kind == kind,
            DIGESTS.c.digest.in_(contacts.digests(program_id, kind, value)),
        )
        .order_by(DIGESTS.c.member_id)
        .limit(limit)
    )
    return [bytes(row[0]) for row in rows]


def claim_signup(
    connection: sa.Connection, program_id: bytes, row: Mapping[str, Any], *, now: clock.Instant
) -> bool:
    """Claim the signup effects for the member's contacts; False when one of them had them.
    All of the person's contacts count as used from now on.

    Card numbers are no person's contact and claim nothing. Without any contact there is nothing
    to recognise a person by, so the member's own row is the claim.
    """
    wanted = []
    for kind in ("email", "phone"):
        text = row.get(kind)
        value = contacts.canonical(kind, text) if text else None
        if value is not None:
            wanted.append((kind, contacts.digests(program_id, kind, value)))
    is_free = True
    for kind, accepted in wanted:
        claims = sa.and_(
            CLAIMS.c.program_id == program_id, CLAIMS.c.kind == kind, CLAIMS.c.digest.in_(accepted)
        )
        ends = connection.execute(sa.select(CLAIMS.c.ends_at).where(claims)).scalars().all()
        if any(ends_at is None or ends_at > now for ends_at in ends):
            is_free = False
            continue
        if ends:
            # A tombstone whose term has ended counts no longer, whether it was purged or not.
            connection.execute(sa.delete(CLAIMS).where(claims))
        connection.execute(
            sa.insert(CLAIMS).values(
                program_id=program_id,
                kind=kind,
                digest=accepted[0],
                claimed_at=now,
                member_id=row["id"],
                ends_at=None,
            )
        )
    return is_free


def append_consents(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    consents: Sequence[Mapping[str, Any]],
    *,
    now: clock.Instant,
) -> None:
    """Append statements that are not recorded yet; a repeated request appends nothing twice."""
    known = {
        (row.purpose, row.channel, bool(row.is_granted), row.at, row.source, row.text_version)
        for row in list_consents(connection, program_id, member_id)
    }
    for consent in consents:
        key = (
            consent["purpose"],
            consent["channel"],
            consent["is_granted"],
            consent["at"],
            consent["source"],
            consent["text_version"],
        )
        if key in known:
            continue
        known.add(key)
        connection.execute(
            sa.insert(CONSENTS).values(
                program_id=program_id,
                member_id=member_id,
                id=ids.new_id(),
                recorded_at=now,
                **consent,
            )
        )


def list_consents(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[Any]:
    """Every statement, in the order in which it was recorded."""
    return list(
        connection.execute(
            sa.select(CONSENTS)
            .where(CONSENTS.c.program_id == program_id, CONSENTS.c.member_id == member_id)
            .order_by(CONSENTS.c.recorded_at, CONSENTS.c.id)
        )
    )


def show(row: Mapping[str, Any], consents: Sequence[Any]) -> dict[str, Any]:
    """A member as the contract shows it, without tier and entitlements."""
    return {
        "id": ids.show_id(PREFIX, bytes(row["id"])),
        "member_ref": row["member_ref"],
        "email": row["email"],
        "phone": row["phone"],
        "contact_verified": jsontext.parse(row["contact_verified"]),
        "name": row["name"],
        "birthday_on": row["birthday_on"],
        "locale": row["locale"],
        "card_ref": row["card_ref"],
        "is_enrolled": bool(row["is_enrolled"]),
        "attributes": jsontext.parse(row["attributes"]),
        "joined_at": clock.format_instant(row["joined_at"]),
        "consents": [
            {
                "purpose": consent.purpose,
                "channel": consent.channel,
                "is_granted": bool(consent.is_granted),
                "at": clock.format_instant(consent.at),
                "source": consent.source,
                "text_version": consent.text_version,
            }
            for consent in consents
        ],
    }
