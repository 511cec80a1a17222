"""Importing codes into a pool: read as JSON or line by line, then added in parts.

A part is a unit of its own, so that checkout goes on meanwhile; cut off anywhere, the same import
again adds the rest. All is judged before anything is added, as it is read: a body of nothing but
faults is read no further than to the hundredth. Refuses bodies above 16 MiB, codes that are too
short or too long to be told apart, and those that no address could name.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from core import db, http
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from core.fields import Key, reference_fault
from programs import versions
from rewards import codes, pools, vouchers
from rewards.pools import Count
from storefront.vouchers import voucher_schemas

BODY_MAX = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_LINE_MAX = 1024
_PART = 2_000
_SHOWN = 1_000
_FAULTS_SHOWN = 100
_OUR_IDS = f"{vouchers.PREFIX}_"
_BODY = voucher_schemas.PoolBody()


def read_codes() -> Iterable[str]:
    """The codes of the request's body, as they are read; 413, 415 or 422 when it is not
    acceptable. A line without anything counts as a line, and is no code."""
    if (request.content_length or 0) > BODY_MAX:
        raise http.too_large(BODY_MAX)
    request.max_content_length = BODY_MAX
    if request.mimetype != "text/plain":
        found: Iterable[str] = http.load(_BODY, http.read_body(most=BODY_MAX))["codes"]
        return found
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise Problem(415, "unsupported_media_type", "Send text in UTF-8.")
    return _lines()


def _lines() -> Iterator[str]:
    size, rest = 0, b""
    while chunk := _read_chunk():
        size += len(chunk)
        if size > BODY_MAX:
            raise http.too_large(BODY_MAX)
        *whole, rest = (rest + chunk).split(b"\n")
        yield from map(_line, whole)
        # So much is no code already: the rest of its line changes nothing.
        rest = rest[:_LINE_MAX]
    if request.content_length is None and size == BODY_MAX:
        # A body of unannounced length may have been cut at the limit.
        raise http.too_large(BODY_MAX)
    yield _line(rest)


def _read_chunk() -> bytes:
    try:
        found: bytes = request.stream.read(_CHUNK)
    except RequestEntityTooLarge:
        raise http.too_large(BODY_MAX) from None
    return found


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


def put(program_id: bytes, key: str, texts: Iterable[str]) -> dict[str, Any]:
    """Add codes to a pool; what came of it. The same again adds nothing."""
    seen: set[str] = set()
    kept: list[tuple[int, str]] = []
    duplicates: list[dict[str, Any]] = []
    for line, text, canonical in _judged(texts):
        if canonical not in seen:
            seen.add(canonical)
            kept.append((line, text))
        elif len(duplicates) < _SHOWN:
            duplicates.append({"line": line, "code": text, "reason": "repeated"})
    db.in_transaction(lambda connection: _open(connection, program_id, key))
    there = taken = 0
    for start in range(0, len(kept), _PART):
        part = kept[start : start + _PART]
        refused = _add(program_id, key, [text for _, text in part])
        foreign = [(line, text) for line, text in part if refused.get(text, key) != key]
        there += len(refused) - len(foreign)
        taken += len(foreign)
        duplicates += [
            {"line": line, "code": text, "reason": "taken"} for line, text in foreign[:_SHOWN]
        ]
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


def _judged(texts: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Codes with their lines, from 1 on, and as they are compared; 422 names those that cannot be
    codes, the first hundred, behind which nothing is read."""
    count, faults = 0, list[FieldError]()
    for line, text in enumerate(texts, start=1):
        if not text or not (bare := text.strip()):
            continue
        count += 1
        canonical = codes.canonical(bare)
        fault = _fault(bare, canonical)
        if fault is not None:
            faults.append(FieldError(f"/codes/{line - 1}", "invalid", fault))
        if len(faults) == _FAULTS_SHOWN:
            break
        if count > voucher_schemas.CODES_MAX:
            most = f"has more than {voucher_schemas.CODES_MAX:,} codes: send them in parts"
            faults.insert(0, FieldError("/codes", "invalid", most))
            break
        yield line, bare, canonical
    if faults:
        raise invalid(faults[:_FAULTS_SHOWN])


def _fault(text: str, canonical: str) -> str | None:
    fault = reference_fault(text)
    if fault is not None:
        return fault
    if "/" in text:
        return "must not hold a slash: codes are named in addresses"
    if text.lower().startswith(_OUR_IDS):
        return f"must not begin with {_OUR_IDS}, as our own ids of vouchers do"
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
