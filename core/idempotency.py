"""Idempotency keys of POSTs: the answer is stored in the transaction of its effect.

Same key and body: the stored answer, byte for byte. Same key, other body or route: 422. Still
running: 409. Only 2xx answers are stored, so after any other the key may be tried again.
Scoped by program and kind of credential; rows are kept for at least 30 days. An answer that told
of somebody who was erased is emptied: its key stays used, and its request is answered 404.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from sqlalchemy.orm import Mapped, mapped_column

from core import auth, clock, db, http, jsontext, rawsql
from core.errors import Problem


class IdempotencyKey(db.Base):
    """One answered POST."""

    __tablename__ = "idempotency_keys"

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    credential_kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    status: Mapped[int] = mapped_column(sa.Integer)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


PARAMETER: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "1 to 255 visible ASCII characters; a repeat answers what was answered first.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

Work = Callable[[sa.Connection], tuple[dict[str, Any], int]]


def once(work: Work) -> Response:
    """Run `work` once per key in one transaction; it returns the body and a 2xx status."""
    key = _read_key()
    credential = auth.credential()
    fingerprint = _fingerprint()

    def unit(connection: sa.Connection) -> Response:
        _take_turn(connection, credential.program_id + credential.kind.encode() + key.encode())
        stored = connection.execute(
            sa.select(IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.body).where(
                IdempotencyKey.program_id == credential.program_id,
                IdempotencyKey.credential_kind == credential.kind,
                IdempotencyKey.key == key,
            )
        ).first()
        if stored is not None:
            return _replayed(stored, fingerprint)
        body, status = work(connection)
        raw = jsontext.write(body)
        connection.execute(
            sa.insert(IdempotencyKey).values(
                program_id=credential.program_id,
                credential_kind=credential.kind,
                key=key,
                fingerprint=fingerprint,
                status=status,
                body=raw,
                created_at=clock.system_now(),
            )
        )
        return Response(raw, status=status, mimetype="application/json")

    return db.in_transaction(unit)


def forget(connection: sa.Connection, program_id: bytes, needles: Sequence[bytes]) -> int:
    """Empty the stored answers in which one of these occurs; how many."""
    found = sa.func.instr if connection.dialect.name == "sqlite" else _position
    return connection.execute(
        sa.update(IdempotencyKey)
        .where(
            IdempotencyKey.program_id == program_id,
            sa.or_(*(found(IdempotencyKey.body, needle) > 0 for needle in needles)),
        )
        # The digest of the request goes as well: short requests could be guessed from it.
        .values(body=b"", fingerprint=bytes(32))
    ).rowcount


def _position(column: Any, needle: bytes) -> sa.ColumnElement[int]:
    return sa.func.position(sa.literal(needle, sa.LargeBinary).op("IN")(column))


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


def _fingerprint() -> bytes:
    """Digest of the method, the path and the body as JSON (not as text)."""
    value = http.read_body() if request.get_data(cache=True) else None
    return hashlib.sha256(jsontext.canonical([request.method, request.full_path, value])).digest()


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


def _replayed(stored: Any, fingerprint: bytes) -> Response:
    if not stored.body:
        raise Problem(
            404, "not_found", "What this key was used for told of somebody who was erased since."
        )
    if bytes(stored.fingerprint) != fingerprint:
        raise Problem(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; a new request needs a new key.",
        )
    response = Response(bytes(stored.body), status=stored.status, mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    return response
