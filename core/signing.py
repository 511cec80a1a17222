"""Signed tokens: what we give away and believe again when it comes back.

A purpose is the salt of its signature, so a token is worth nothing for another one. Tokens are
signed with the current key and accepted under every key that still is. Each carries when it ends,
which the caller judges by the program's clock. Refuses secrets: anyone can read a payload.
"""

import functools
import hashlib
from typing import Any

from flask import current_app
from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from core import clock, jsontext


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
def _signer(purpose: str, keys: tuple[str, ...]) -> Signer:
    return _serializer(purpose, keys).make_signer()


def _keys() -> tuple[str, ...]:
    keys: tuple[str, ...] = current_app.extensions["dangol.settings"].secret_keys
    return keys


def sign(purpose: str, values: list[str], *, expires_at: int) -> str:
    """A token over `values` that ends at an instant; the same again for the same values. It is
    written as it is: compressing costs more than all the rest, and saves little."""
    payload = base64_encode(jsontext.write([expires_at, *values]))
    return _signer(purpose, _keys()).sign(payload).decode()


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
    try:
        if token.startswith("."):
            # Compressed, as they once were.
            payload: Any = _serializer(purpose, keys).loads(token)
        else:
            payload = jsontext.parse(base64_decode(_signer(purpose, keys).unsign(token)))
    except BadData:
        raise BadTokenError from None
    expires_at: int = payload[0]
    values: list[str] = payload[1:]
    return expires_at, values
