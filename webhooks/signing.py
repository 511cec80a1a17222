"""Signing secrets and signatures, as Standard Webhooks 1.0.0 has them.

A secret is shown once and stored sealed (AES-256-GCM under a key of the instance's SECRET_KEY,
bound to its endpoint). Refuses secrets shorter than 24 or longer than 64 bytes.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "whsec_"
SECRET_MIN, SECRET_MAX = 24, 64
_MADE_BYTES = 32
_NONCE_BYTES = 12


class SealError(ValueError):
    """A sealed secret that no key of this instance opens: SECRET_KEY changed without fallback."""


def make_secret() -> str:
    """A new secret of 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_MADE_BYTES)).decode()


def secret_fault(secret: str) -> str | None:
    """Why a given text cannot be a signing secret, or None."""
    if not secret.startswith(PREFIX):
        return f"must start with {PREFIX}"
    try:
        raw = base64.b64decode(secret[len(PREFIX) :].encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return f"must be {PREFIX} and base64"
    if not SECRET_MIN <= len(raw) <= SECRET_MAX:
        return f"must hold {SECRET_MIN} to {SECRET_MAX} bytes in base64"
    return None


def seal(secret: str, *, keys: Sequence[str], owner: bytes) -> str:
    """A secret as it is stored; `owner` (program and endpoint) must be the same to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_sealing_key(keys[0])).encrypt(nonce, secret.encode(), owner)
    return base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, keys: Sequence[str], owner: bytes) -> str:
    """The secret again, by the current key or an earlier one; SealError when none opens it."""
    raw = base64.b64decode(sealed)
    for key in keys:
        try:
            opened = AESGCM(_sealing_key(key)).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner
            )
        except InvalidTag:
            continue
        return opened.decode()
    raise SealError("no SECRET_KEY of this instance opens the endpoint's signing secret")


def _sealing_key(secret_key: str) -> bytes:
    return hmac.digest(secret_key.encode(), b"dangol webhook secrets", hashlib.sha256)


def sign(message_id: str, timestamp: int, body: bytes, *, secrets: Sequence[str]) -> str:
    """The header `webhook-signature`: one `v1,…` for each secret in force, by spaces."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_raw(secret), content, hashlib.sha256)).decode()
        for secret in secrets
    )


def _raw(secret: str) -> bytes:
    return base64.b64decode(secret[len(PREFIX) :])
