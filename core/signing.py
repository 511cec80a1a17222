"""Signed tokens: what we give away and believe again when it comes back.

A purpose is the salt of its signature, so a token is worth nothing for another one. Tokens are
signed with the current key and accepted under every key that still is. Each carries when it ends,
which the caller judges by the program's clock. Refuses secrets: anyone can read a payload.
"""

import base64
import binascii
import functools
import hashlib
import hmac
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from core import clock, jsontext

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class BadTokenError(Exception):
    """Not signed by us for this purpose, or damaged; which of them nobody is told."""


class ExpiredTokenError(Exception):
    """Ours, and over."""


@functools.lru_cache(maxsize=64)
def _serializer(purpose: str, keys: tuple[str, ...]) -> URLSafeSerializer:
    return URLSafeSerializer(
        # The library takes the oldest key first and signs with the last.
        list(reversed(keys)),
        salt=f"dangol.{purpose}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


@functools.lru_cache(maxsize=64)
def _keyed(purpose: str, keys: tuple[str, ...]) -> list[hmac.HMAC]:
    """What signs under each key of a purpose, the current one first. The library derives the same
    keys, but anew for every token; and to copy a keyed digest costs less than to key one."""
    signer = _serializer(purpose, keys).make_signer()
    return [hmac.new(signer.derive_key(key), digestmod=hashlib.sha256) for key in keys]


def _signature(keyed: hmac.HMAC, payload: bytes) -> bytes:
    digest = keyed.copy()
    digest.update(payload)
    return written(digest.digest())


def written(value: bytes) -> bytes:
    """Bytes in letters that an address and a cookie take as they are: base 64, without padding."""
    return binascii.b2a_base64(value, newline=False).translate(_URL_SAFE, b"=")


def _keys() -> tuple[str, ...]:
    keys: tuple[str, ...] = current_app.extensions["dangol.settings"].secret_keys
    return keys


def sign(purpose: str, values: list[str], *, expires_at: int) -> str:
    """A token over `values` that ends at an instant; the same again for the same values. It is
    written as it is: compressing costs more than all the rest, and saves little."""
    payload = written(jsontext.write([expires_at, *values]))
    return (payload + b"." + _signature(_keyed(purpose, _keys())[0], payload)).decode()


def read(purpose: str, token: str, *, now: clock.Instant) -> list[str]:
    """What was signed; BadTokenError or ExpiredTokenError when it is not to be believed."""
    expires_at, values = opened(purpose, token)
    if now >= expires_at:
        raise ExpiredTokenError
    return values


def opened(purpose: str, token: str) -> tuple[int, list[str]]:
    """When a token ends and what was signed, whether it is over or not; BadTokenError when it is
    none of ours."""
    keys = _keys()
    if token.startswith("."):
        payload = _decompressed(purpose, token, keys)
    else:
        payload = jsontext.parse(_unsigned(purpose, token, keys))
    expires_at: int = payload[0]
    values: list[str] = payload[1:]
    return expires_at, values


def _unsigned(purpose: str, token: str, keys: tuple[str, ...]) -> bytes:
    if not token.isascii():
        raise BadTokenError
    payload, _, signature = token.encode().rpartition(b".")
    if not any(
        hmac.compare_digest(signature, _signature(keyed, payload))
        for keyed in _keyed(purpose, keys)
    ):
        raise BadTokenError
    return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def _decompressed(purpose: str, token: str, keys: tuple[str, ...]) -> Any:
    """Of a token that was compressed, as they once were."""
    try:
        return _serializer(purpose, keys).loads(token)
    except BadData:
        raise BadTokenError from None
