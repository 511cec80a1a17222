"""Canonical contacts and their keyed digests.

Two spellings that reach the same mailbox or telephone are one contact: NFKC, lower case, IDNA;
domains of one provider are one (gmail and googlemail), gmail's without dots; +tags only where
the provider has them. Only an HMAC
of the canonical form is kept for matching.
"""

import hashlib
import hmac
import re
import unicodedata

from flask import current_app

_FORBIDDEN = frozenset('"()<>:,;[]\\')
_DOTLESS = {"gmail.com"}
_ALIASES = {
    "googlemail.com": "gmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
}
#: Shown as nothing although Unicode counts them as letters or marks.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10))
)
_PLUS_TAGS = {
    "gmail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "icloud.com",
    "fastmail.com",
    "proton.me",
}


def canonical_email(text: str) -> str | None:
    """The canonical address, or None when it is none."""
    address = unicodedata.normalize("NFKC", text).strip().lower()
    local, at, domain = address.rpartition("@")
    # Invisible ones also as they were told: normalising makes others of some of them.
    written = text.strip().rpartition("@")[0]
    if (
        not _FORBIDDEN.isdisjoint(local)
        or not _INVISIBLE.isdisjoint(local + written)
        or any(unicodedata.category(symbol) in ("Cc", "Cf") for symbol in local)
    ):
        # Quoted, commented and invisible spellings reach the same mailbox as the plain one.
        return None
    if not at or not local or "@" in local or any(symbol.isspace() for symbol in address):
        return None
    try:
        domain = domain.encode("idna").decode("ascii").rstrip(".")
    except UnicodeError:
        return None
    if "." not in domain:
        return None
    domain = _ALIASES.get(domain, domain)
    if domain in _PLUS_TAGS:
        local = local.partition("+")[0]
    if domain in _DOTLESS:
        local = local.replace(".", "")
    return f"{local}@{domain}" if local else None


def canonical_phone(text: str) -> str | None:
    """Digits with a leading + when it was international; None when it is no number.

    A national number stays national: which country it is of, nobody says.
    """
    number = unicodedata.normalize("NFKC", text).strip()
    plus = "+" if number.startswith(("+", "00")) else ""
    if plus:
        # The trunk zero of a national spelling: +82 (0)10 is +82 10.
        number = number.replace("(0)", "")
    digits = re.sub(r"[\s().\-/]", "", number).lstrip("+")
    if plus and digits.startswith("00"):
        digits = digits[2:]
    if plus and digits.startswith("820"):
        # The trunk zero without brackets: +82 010 is +82 10.
        digits = "82" + digits[3:]
    if not digits.isascii() or not digits.isdigit() or not 5 <= len(digits) <= 17:
        return None
    return plus + digits


def canonical(kind: str, text: str) -> str | None:
    """The canonical form of an `email`, `phone` or `card_ref`."""
    if kind == "email":
        return canonical_email(text)
    if kind == "phone":
        return canonical_phone(text)
    return text


def digest(program_id: bytes, kind: str, value: str) -> bytes:
    """The digest under the key that signs now."""
    return digests(program_id, kind, value)[0]


def digests(program_id: bytes, kind: str, value: str) -> list[bytes]:
    """The digests under every accepted key, the current first: for look-ups after a rotation."""
    keys: tuple[str, ...] = current_app.extensions["dangol.settings"].secret_keys
    message = b"\x00".join([b"contact.v1", program_id, kind.encode(), value.encode()])
    return [hmac.new(key.encode(), message, hashlib.sha256).digest() for key in keys]
