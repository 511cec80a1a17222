"""Importing codes into a pool: read as JSON or line by line, then added in parts.

A part is a unit of its own, so that checkout goes on meanwhile; cut off anywhere, the same import
again adds the rest. All is read and judged before anything is added. Refuses bodies above 16 MiB,
and codes that are too short or too long to be told apart.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import request

from core import db, http
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from core.fields import Key, reference_fault
from programs import versions
from rewards import codes, pools
from rewards.pools import Count
from storefront.vouchers import voucher_schemas

BODY_MAX = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_PART = 2_000
_SHOWN = 1_000
_FAULTS_SHOWN = 100
_BODY = voucher_schemas.PoolBody()


def read_codes() -> list[str]:
    """The codes of the request's body; 413, 415 or 422 when it is not acceptable. A line without
    anything counts as a line, and is no code."""
    if (request.content_length or 0) > BODY_MAX:
        raise _too_large()
    request.max_content_length = BODY_MAX
    if request.mimetype != "text/plain":
        found: list[str] = http.load(_BODY, http.read_body(most=BODY_MAX))["codes"]
        return found
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise Problem(415, "unsupported_media_type", "Send text in UTF-8.")
    return list(_lines())


def _too_large() -> Problem:
    return Problem(413, "payload_too_large", "More than 16 MiB: send the codes in parts.")


def _lines() -> Iterator[str]:
    size, rest = 0, b""
    while chunk := request.stream.read(_CHUNK):
        size += len(chunk)
        if size > BODY_MAX:
            raise _too_large()
        *whole, rest = (rest + chunk).split(b"\n")
        yield from map(_line, whole)
    yield _line(rest)


def _line(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip("\r\ufeff")
    except UnicodeDecodeError:
        # Judged with the others, by its line.
        return "\x00"


def checked(key: str) -> str:
    """The key of a pool; 422 where it could not stand in a document."""
    try:
        found: str = Key().deserialize(key)
    except ma.ValidationError:
        raise invalid_at(
            "/key", "must start with a letter or digit and hold only a-z, 0-9, _ and -"
        ) from None
    return found


def put(program_id: bytes, key: str, texts: list[str]) -> dict[str, Any]:
    """Add codes to a pool; what came of it. The same again adds nothing."""
    lines = _judged(texts)
    seen: set[str] = set()
    kept: list[tuple[int, str]] = []
    duplicates: list[dict[str, Any]] = []
    for line, text, canonical in lines:
        if canonical in seen:
            duplicates.append({"line": line, "code": text, "reason": "repeated"})
        else:
            seen.add(canonical)
            kept.append((line, text))
    db.in_transaction(lambda connection: _open(connection, program_id, key))
    there = 0
    for start in range(0, len(kept), _PART):
        part = kept[start : start + _PART]
        refused = _add(program_id, key, [text for _, text in part])
        there += sum(1 for owner in refused.values() if owner == key)
        duplicates += [
            {"line": line, "code": text, "reason": "taken"}
            for line, text in part
            if text in refused and refused[text] != key
        ]
    taken = sum(1 for one in duplicates if one["reason"] == "taken")
    return {
        "pool": key,
        "added": len(kept) - there - taken,
        "already_there": there,
        "duplicates": sorted(duplicates, key=lambda one: one["line"])[:_SHOWN],
        **_shown(get(program_id, key)),
    }


def get(program_id: bytes, key: str) -> Count:
    """What a pool holds; 404 when there is none of this key."""
    found = db.reading(lambda connection: pools.count(connection, program_id, key))
    if found is None:
        raise not_found("pool")
    return found


def show(program_id: bytes, key: str) -> dict[str, Any]:
    """The same as the contract shows it."""
    return {"pool": key, **_shown(get(program_id, key))}


def _shown(count: Count) -> dict[str, int]:
    return {"total": count.total, "free": count.free}


def _judged(texts: Iterable[str]) -> list[tuple[int, str, str]]:
    """Codes with their lines, from 1 on, and as they are compared; 422 names those that cannot be
    codes."""
    found, faults = [], []
    for line, text in enumerate(texts, start=1):
        bare = text.strip()
        if not bare:
            continue
        canonical = codes.canonical(bare)
        fault = _fault(bare, canonical)
        if fault is None:
            found.append((line, bare, canonical))
        else:
            faults.append(FieldError(f"/codes/{line - 1}", "invalid", fault))
    if faults:
        raise invalid(faults[:_FAULTS_SHOWN])
    if len(found) > voucher_schemas.CODES_MAX:
        raise invalid(
            [FieldError("/codes", "invalid", f"has more than {voucher_schemas.CODES_MAX:,} codes")]
        )
    return found


def _fault(text: str, canonical: str) -> str | None:
    fault = reference_fault(text)
    if fault is not None:
        return fault
    if codes.LENGTH_MIN <= len(canonical) <= codes.LENGTH_MAX:
        return None
    return (
        f"must have {codes.LENGTH_MIN} to {codes.LENGTH_MAX} symbols besides hyphens, dots,"
        " underscores and spaces"
    )


def _open(connection: sa.Connection, program_id: bytes, key: str) -> None:
    _, now = versions.get_live(connection, program_id)
    pools.open_pool(connection, program_id, key, now)


def _add(program_id: bytes, key: str, texts: list[str]) -> dict[str, str | None]:
    def unit(connection: sa.Connection) -> dict[str, str | None]:
        _, now = versions.get_live(connection, program_id)
        return pools.add(connection, program_id, key, texts, now=now)

    return db.in_transaction(unit)
