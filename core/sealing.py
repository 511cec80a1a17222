"""Sealing: what must be shown again but not be read from a leaked database.

A text is sealed with AES-256-GCM under a key derived from SECRET_KEY for one purpose, and bound to
its owner: moved to another row it does not open. Where a secret is looked up, a keyed digest of it
is stored. Earlier keys (SECRET_KEY_FALLBACKS) still open and still find. Refuses to know what it
seals.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import current_app

_NONCE_BYTES = 12


class SealError(ValueError):
    """A sealed text that no key of this instance opens: SECRET_KEY changed without fallback, or it
    is damaged."""


def keys() -> tuple[str, ...]:
    """The instance's secret keys: the one that seals now, then those that still open."""
    found: tuple[str, ...] = current_app.extensions["dangol.settings"].secret_keys
    return found


@functools.lru_cache(maxsize=64)
def derived(secret_key: str, purpose: str) -> bytes:
    """The key of one purpose: what is sealed or keyed for it is worth nothing for another."""
    return hmac.digest(secret_key.encode(), f"dangol {purpose}".encode(), hashlib.sha256)


def seal(text: str, *, purpose: str, keys: Sequence[str], owner: bytes) -> str:
    """A text as it is stored; `owner` must be the same to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(derived(keys[0], purpose)).encrypt(nonce, text.encode(), owner)
    return base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, purpose: str, keys: Sequence[str], owner: bytes) -> str:
    """The text again, by the current key or an earlier one; SealError when none opens it."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except binascii.Error:
        raise SealError(f"what was sealed is damaged: {purpose}") from None
    for key in keys:
        try:
            opened = AESGCM(derived(key, purpose)).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner
            )
        except (InvalidTag, ValueError):
            continue
        return opened.decode()
    raise SealError(f"no SECRET_KEY of this instance opens what was sealed: {purpose}")


def digests(message: bytes, *, purpose: str, keys: Sequence[str]) -> list[bytes]:
    """Keyed digests of a message, by the current key first: for look-ups after a rotation."""
    return [hmac.digest(derived(key, purpose), message, hashlib.sha256) for key in keys]
