"""Signing secrets and signatures, as Standard Webhooks 1.0.0 has them.

A secret is shown once and stored sealed (`core.sealing`), bound to its endpoint. Refuses secrets
shorter than 24 or longer than 64 bytes.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from core import sealing

PREFIX = "whsec_"
SECRET_MIN, SECRET_MAX = 24, 64
_MADE_BYTES = 32
_PURPOSE = "webhook secrets"


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
    return sealing.seal(secret, purpose=_PURPOSE, keys=keys, owner=owner)


def unseal(sealed: str, *, keys: Sequence[str], owner: bytes) -> str:
    """The secret again, by the current key or an earlier one; `sealing.SealError` when none
    opens it."""
    return sealing.unseal(sealed, purpose=_PURPOSE, keys=keys, owner=owner)


def sign(message_id: str, timestamp: int, body: bytes, *, secrets: Sequence[str]) -> str:
    """The header `webhook-signature`: one `v1,…` for each secret in force, by spaces."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_raw(secret), content, hashlib.sha256)).decode()
        for secret in secrets
    )


def _raw(secret: str) -> bytes:
    return base64.b64decode(secret[len(PREFIX) :])
