"""Keys and who may do what: API keys with scopes, and the check of each route's access.

A key is shown once and stored as its SHA-256. What a key resolves to is remembered per process
for less than a second, so a revoked key stops within a second and a request costs no query.
The table of routes and access lives in `server.access`; a route without a row is refused.
Tokens of members are read by whoever knows members (`init`); they are never remembered here.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from flask import Flask, current_app, g, request
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, db, ids, jsontext
from core.errors import Problem

SCOPES = (
    "members",
    "orders",
    "rewards",
    "referrals",
    "program",
    "keys",
    "read",
    "adjust",
    "import",
)
_REMEMBERED_SECONDS = 0.8

#: The header by which `actor` goes, as every writing operation documents it.
ACTOR = {
    "in": "header",
    "name": "Dangol-Actor",
    "required": False,
    "description": "Who in the organisation acts: 1 to 128 printable characters, in UTF-8. Kept "
    "with what is written and shown in every log of it: entries, versions, switches, tiers.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}

Mode = Literal["test", "live"]
Kind = Literal["secret", "publishable", "member"]
#: What tokens of members begin with, as keys do with sk_ and pk_.
MEMBER_TOKEN = "mt_"  # noqa: S105
_READER = "dangol.member_token_reader"
_ASKED = "dangol.asked_program_id"


class ApiKey(db.Base):
    """A key of a program; the key itself is not stored."""

    __tablename__ = "api_keys"

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    prefix: Mapped[str] = mapped_column(sa.Text)
    last_four: Mapped[str] = mapped_column(sa.Text)
    scopes: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class ApiKeyDigest(db.Base):
    """Directory that leads from a key's digest to its program."""

    __tablename__ = "api_key_digests"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "key_id"], ["api_keys.program_id", "api_keys.id"]),
    )

    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    program_id: Mapped[bytes] = mapped_column(db.Id)
    key_id: Mapped[bytes] = mapped_column(db.Id)


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks: the program, the key, and what it may do. `key_id` is that of the key, or that of
    the member whom a token was made for; `member_id` whoever that member is by now."""

    program_id: bytes
    key_id: bytes
    kind: Kind
    mode: Mode
    scopes: frozenset[str] = frozenset()
    member_id: bytes | None = None

    @property
    def holder(self) -> str:
        """Among whose requests an Idempotency-Key is looked for: all keys of one kind are the
        program's own, a member's token is that member's alone."""
        return f"member:{self.key_id.hex()}" if self.kind == "member" else self.kind


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks for: nothing, a credential of a kind, and of a secret key any one of
    these scopes."""

    is_open: bool = False
    kind: Kind = "secret"
    scopes: frozenset[str] = frozenset()


def secret(*scopes: str) -> Access:
    """A route for secret keys that carry any one of these scopes."""
    return Access(scopes=frozenset(scopes))


OPEN = Access(is_open=True)
PUBLISHABLE = Access(kind="publishable")
MEMBER = Access(kind="member")

#: Resolves a member's token, without what tokens begin with: 401 when it is not to be believed.
TokenReader = Callable[[str], Credential]

_remembered: dict[bytes, tuple[float, Credential]] = {}
_by_digest = db.Statement(
    sa.select(ApiKey.program_id, ApiKey.id, ApiKey.prefix, ApiKey.scopes)
    .join(
        ApiKeyDigest,
        (ApiKeyDigest.program_id == ApiKey.program_id) & (ApiKeyDigest.key_id == ApiKey.id),
    )
    .where(ApiKeyDigest.digest == sa.bindparam("digest"), ApiKey.revoked_at.is_(None))
)


def init(
    app: Flask, table: Mapping[str, Access], *, read_member_token: TokenReader | None = None
) -> None:
    """Check every request against the table of routes and access."""
    app.extensions[_READER] = read_member_token

    def check() -> None:
        endpoint = request.endpoint
        if endpoint is None or request.method == "OPTIONS":
            return
        access = table.get(endpoint)
        if access is None:
            raise Problem(403, "forbidden", "This address is open to nobody.")
        if not access.is_open:
            authorise(access)

    app.before_request(check)


_NEEDED = {
    "publishable": "This address is for publishable keys (pk_…), which browsers hold.",
    "member": "This address is for a member's own token; a server makes them.",
}


def authorise(access: Access) -> Credential:
    """The credential of the request, when it is what is asked for; 401 or 403 otherwise."""
    credential = _authenticate(request.headers.get("Authorization", ""))
    note_program(credential.program_id)
    if access.kind != "secret":
        if credential.kind != access.kind:
            raise Problem(403, "forbidden", _NEEDED[access.kind])
    elif credential.kind != "secret" or not credential.scopes & access.scopes:
        needed = " or ".join(sorted(access.scopes))
        raise Problem(
            403, "forbidden", f"This needs a secret key with the scope {needed}; this key lacks it."
        )
    g.credential = credential
    return credential


def note_program(program_id: bytes) -> None:
    """Note whose program a request concerns, although it may be refused yet."""
    request.environ[_ASKED] = program_id


def asked_program_id() -> bytes | None:
    """The program of the request's key or token, also of one that was refused; None when it is
    nobody's."""
    found: bytes | None = request.environ.get(_ASKED)
    return found


def credential() -> Credential:
    """The credential that the current request was authorised with."""
    found: Credential = g.credential
    return found


def member_id() -> bytes:
    """The member whose token the current request came with."""
    found = credential().member_id
    assert found is not None
    return found


def require_scope(scope: str, why: str) -> None:
    """403 unless the current credential carries one more scope."""
    if scope not in credential().scopes:
        raise Problem(403, "forbidden", f"{why} needs a key with the scope {scope}.")


def actor() -> str | None:
    """Who in the organisation acts, by the `Dangol-Actor` header (1 to 128 characters)."""
    text = request.headers.get("Dangol-Actor")
    if text is None:
        return None
    try:
        text = text.encode("latin-1").decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise Problem(400, "malformed_request", "Dangol-Actor must be UTF-8.") from None
    if not 1 <= len(text) <= 128 or not text.isprintable():
        raise Problem(
            400, "malformed_request", "Dangol-Actor must have 1 to 128 printable characters."
        )
    return text


def _authenticate(header: str) -> Credential:
    if not header:
        raise unauthorised(
            "authentication_required",
            "Send Authorization: Bearer with your key, or a member's token.",
        )
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise unauthorised("invalid_credentials", "The header must read: Bearer <key>.")
    read_member_token: TokenReader | None = current_app.extensions[_READER]
    if token.startswith(MEMBER_TOKEN) and read_member_token is not None:
        return read_member_token(token.removeprefix(MEMBER_TOKEN))
    digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    now = time.monotonic()
    remembered = _remembered.get(digest)
    if remembered is not None and remembered[0] > now:
        return remembered[1]
    found = db.reading_once(lambda connection: _by_digest.first(connection, {"digest": digest}))
    if found is None:
        _remembered.pop(digest, None)
        raise unauthorised("invalid_credentials", "This key is unknown or was revoked.")
    program_id, key_id, prefix, scopes = found
    kind, mode = prefix.split("_")[:2]
    resolved = Credential(
        program_id=bytes(program_id),
        key_id=bytes(key_id),
        kind="secret" if kind == "sk" else "publishable",
        mode="live" if mode == "live" else "test",
        scopes=frozenset(jsontext.parse(scopes)),
    )
    if len(_remembered) > 10_000:
        _remembered.clear()
    _remembered[digest] = (now + _REMEMBERED_SECONDS, resolved)
    return resolved


def unauthorised(code: str, detail: str) -> Problem:
    """401 with the header that names the scheme."""
    return Problem(401, code, detail, headers={"WWW-Authenticate": "Bearer"})


def issue_key(
    connection: sa.Connection,
    program_id: bytes,
    *,
    kind: Literal["sk", "pk"],
    mode: Mode,
    name: str,
    scopes: tuple[str, ...],
    now: clock.Instant,
) -> tuple[bytes, str]:
    """Make a key (240 random bits); returns its id and the key, which cannot be shown again."""
    key = f"{kind}_{mode}_{secrets.token_urlsafe(30)}"
    key_id = ids.new_id()
    connection.execute(
        sa.insert(ApiKey).values(
            program_id=program_id,
            id=key_id,
            name=name,
            prefix=f"{kind}_{mode}",
            last_four=key[-4:],
            scopes=jsontext.text(list(scopes)),
            created_at=now,
        )
    )
    connection.execute(
        sa.insert(ApiKeyDigest).values(
            digest=hashlib.sha256(key.encode()).digest(), program_id=program_id, key_id=key_id
        )
    )
    return key_id, key


def revoke_key(
    connection: sa.Connection, program_id: bytes, key_id: bytes, *, now: clock.Instant
) -> bool:
    """Revoke a key for good; False when the program has no such key. Again changes nothing."""
    known = connection.execute(
        sa.select(ApiKey.revoked_at).where(ApiKey.program_id == program_id, ApiKey.id == key_id)
    ).first()
    if known is None:
        return False
    connection.execute(
        sa.update(ApiKey)
        .where(ApiKey.program_id == program_id, ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return True
