"""Idempotency keys of POSTs: the answer is stored in the transaction of its effect.

Same key and body: the stored answer, byte for byte. Same key, other body or route: 422. Still
running: 409. Only 2xx answers are stored, so after any other the key may be tried again.
Scoped by program and kind of credential, and a member's own by the member; rows are kept for 30
days. Whom an answer tells of is noted beside it (`IdempotencySubject`), so that erasing somebody
need not read every answer: theirs is emptied, its key stays used, and its request is answered 404.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from sqlalchemy.orm import Mapped, mapped_column

from core import auth, clock, db, http, jsontext, rawsql, sealing
from core.errors import Problem
from core.writing import Writes


class IdempotencyKey(db.Base):
    """One answered POST."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index("ix_idempotency_keys_created", "program_id", "created_at"),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    credential_kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    status: Mapped[int] = mapped_column(sa.Integer)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class IdempotencySubject(db.Base):
    """A member of whom a stored answer tells."""

    __tablename__ = "idempotency_subjects"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "credential_kind", "key"],
            [f"idempotency_keys.{name}" for name in ("program_id", "credential_kind", "key")],
            name="fk_idempotency_subjects_key",
        ),
        sa.Index("ix_idempotency_subjects_key", "program_id", "credential_kind", "key"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    credential_kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)


KEYS: sa.Table = IdempotencyKey.__table__  # type: ignore[assignment]
SUBJECTS: sa.Table = IdempotencySubject.__table__  # type: ignore[assignment]
#: The programs there are, which this package otherwise knows nothing of.
_PROGRAMS = sa.table("programs", sa.column("program_id", db.Id))
_KEPT = 30 * 86_400 * clock.SECOND
_FORGOTTEN_AT_ONCE = 1000
_PURPOSE = "idempotency fingerprints"

_stored = db.Statement(
    sa.select(KEYS.c.fingerprint, KEYS.c.status, KEYS.c.body).where(
        KEYS.c.program_id == sa.bindparam("program_id"),
        KEYS.c.credential_kind == sa.bindparam("credential_kind"),
        KEYS.c.key == sa.bindparam("key"),
    )
)

PARAMETER: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "1 to 255 visible ASCII characters; a repeat answers what was answered first.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

Work = Callable[[sa.Connection], tuple[dict[str, Any], int]]
#: Ids of the members of whom an answer tells, asked for in the transaction after its effect.
Subjects = Callable[[sa.Connection], Iterable[bytes]]


def once(work: Work, *, subjects: Subjects | None = None) -> Response:
    """Run `work` once per key in one transaction; it returns the body and a 2xx status.

    An answer that tells of members must name them in `subjects`, or erasing them misses it.
    """
    key = _read_key()
    credential = auth.credential()
    fingerprints = _fingerprints()

    def unit(connection: sa.Connection) -> Response:
        _take_turn(connection, credential.program_id + credential.holder.encode() + key.encode())
        row = {
            "program_id": credential.program_id,
            "credential_kind": credential.holder,
            "key": key,
        }
        stored = _stored.first(connection, row)
        if stored is not None:
            return _replayed(stored, fingerprints)
        body, status = work(connection)
        raw = jsontext.write(body)
        made = {"fingerprint": fingerprints[0], "status": status, "body": raw}
        # Sent together with COMMIT.
        writes = Writes()
        writes.insert(KEYS, row | made | {"created_at": clock.system_now()})
        for one in sorted(set(subjects(connection))) if subjects is not None else ():
            writes.insert(SUBJECTS, row | {"member_id": one})
        writes.run(connection)
        return Response(raw, status=status, mimetype="application/json")

    return db.in_transaction(unit)


def forget(connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]) -> int:
    """Empty the stored answers that tell of these members; how many."""
    theirs = sa.and_(SUBJECTS.c.program_id == program_id, SUBJECTS.c.member_id.in_(member_ids))
    count = connection.execute(
        sa.update(KEYS)
        .where(
            sa.tuple_(KEYS.c.program_id, KEYS.c.credential_kind, KEYS.c.key).in_(
                sa.select(SUBJECTS.c.program_id, SUBJECTS.c.credential_kind, SUBJECTS.c.key).where(
                    theirs
                )
            )
        )
        # The digest of the request goes as well: short requests could be guessed from it.
        .values(body=b"", fingerprint=bytes(32))
    ).rowcount
    connection.execute(sa.delete(SUBJECTS).where(theirs))
    return count


def forget_old(now: clock.Instant) -> int:
    """Delete answers of 30 days ago, a thousand of each program at once; how many."""
    before = now - _KEPT
    old = sa.exists().where(KEYS.c.program_id == _PROGRAMS.c.program_id, KEYS.c.created_at < before)
    programs = db.reading(
        lambda connection: connection.execute(sa.select(_PROGRAMS.c.program_id).where(old)).all()
    )
    return sum(
        db.in_transaction(functools.partial(_forget_old, program_id=bytes(one), before=before))
        for (one,) in programs
    )


def _forget_old(connection: sa.Connection, *, program_id: bytes, before: int) -> int:
    found = connection.execute(
        sa.select(KEYS.c.credential_kind, KEYS.c.key)
        .where(KEYS.c.program_id == program_id, KEYS.c.created_at < before)
        .order_by(KEYS.c.created_at)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    values = [{"kind": kind, "of_key": key} for kind, key in found]
    for table in (SUBJECTS, KEYS) if values else ():
        connection.execute(
            sa.delete(table).where(
                table.c.program_id == program_id,
                table.c.credential_kind == sa.bindparam("kind"),
                table.c.key == sa.bindparam("of_key"),
            ),
            values,
        )
    return len(values)


def _read_key() -> str:
    text = request.headers.get("Idempotency-Key", "").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text:
        raise Problem(
            400,
            "idempotency_key_missing",
            "This write has no reference of its own: send an Idempotency-Key header that you "
            "repeat when you try again.",
        )
    if len(text) > 255 or not all("!" <= symbol <= "~" for symbol in text):
        raise Problem(
            400, "malformed_request", "Idempotency-Key must be 1 to 255 visible ASCII characters."
        )
    return text


def _fingerprints() -> list[bytes]:
    """Keyed digests of the method, the path and the body as JSON (not as text): a short code in one
    of them could be guessed from a digest without a key."""
    value = http.read_body() if request.get_data(cache=True) else None
    message = jsontext.canonical([request.method, request.full_path, value])
    return sealing.digests(message, purpose=_PURPOSE, keys=sealing.keys())


def _take_turn(connection: sa.Connection, name: bytes) -> None:
    # Writers on SQLite run one after the other anyway; on PostgreSQL a twin that runs at this
    # moment holds this advisory lock until its transaction ends.
    if connection.dialect.name != "postgresql":
        return
    number = int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
    [(is_ours,)] = rawsql.run(connection, "SELECT pg_try_advisory_xact_lock($1)", [number])
    if not is_ours:
        raise Problem(
            409,
            "idempotency_in_progress",
            "A request with this Idempotency-Key is still running; ask again in a moment.",
            headers={"Retry-After": "1"},
        )


def _replayed(stored: db.Row, fingerprints: Sequence[bytes]) -> Response:
    stored_fingerprint, status, body = stored
    if not body:
        raise Problem(
            404, "not_found", "What this key was used for told of somebody who was erased since."
        )
    if bytes(stored_fingerprint) not in fingerprints:
        raise Problem(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; a new request needs a new key.",
        )
    response = Response(bytes(body), status=status, mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    return response
