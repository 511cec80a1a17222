"""Signed tokens: what we give away and believe again when it comes back.

A purpose is the salt of its signature, so a token is worth nothing for another one. Tokens are
signed with the current key and accepted under every key that still is. Each carries when it ends,
which the caller judges by the program's clock. Refuses secrets: anyone can read a payload.
"""

import functools
import hashlib
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from core import clock


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


def _keys() -> tuple[str, ...]:
    keys: tuple[str, ...] = current_app.extensions["dangol.settings"].secret_keys
    return keys


def sign(purpose: str, values: list[str], *, expires_at: int) -> str:
    """A token over `values` that ends at an instant; the same again for the same values."""
    return str(_serializer(purpose, _keys()).dumps([expires_at, *values]))


def read(purpose: str, token: str, *, now: clock.Instant) -> list[str]:
    """What was signed; BadTokenError or ExpiredTokenError when it is not to be believed."""
    try:
        payload: Any = _serializer(purpose, _keys()).loads(token)
    except BadData:
        raise BadTokenError from None
    expires_at: int = payload[0]
    values: list[str] = payload[1:]
    if now >= expires_at:
        raise ExpiredTokenError
    return values
