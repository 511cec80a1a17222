"""Codes of vouchers: made, read in any spelling, found by a keyed digest, shown again.

A code has at least 60 random bits where its pattern is ours, in Crockford's symbols, which hold no
I, L, O and U. How it is typed does not matter: letters' case and width, spaces, hyphens, dots and
underscores, I or L for 1 and O for 0. A database alone gives no code away (SEMANTICS E38): rows
hold a digest under a key of the instance, and the code itself sealed.
"""

import re
import secrets
import unicodedata

from core import sealing

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Of a code as it is compared.
LENGTH_MIN, LENGTH_MAX = 4, 64
#: Every symbol is one of 32.
SYMBOL_BITS = 5

_FIND, _SHOW = "voucher digests", "voucher codes"
_ALIKE = str.maketrans({"-": None, "_": None, ".": None, "I": "1", "L": "1", "O": "0"})


def make(pattern: str) -> str:
    """A new code: each # of the pattern is a random symbol."""
    return "".join(secrets.choice(ALPHABET) if sign == "#" else sign for sign in pattern)


def random_bits(pattern: str) -> int:
    """How many random bits a code of a pattern has."""
    return SYMBOL_BITS * pattern.count("#")


def canonical(text: str) -> str:
    """The form in which codes are compared; "" for a text without any symbol."""
    if not text.isascii():
        # Again behind upper(): an upper case letter may come apart into others.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    return "".join(text.upper().split()).translate(_ALIKE)


def is_like(text: str, pattern: str) -> bool:
    """Whether a code may be of a pattern: its own symbols stand where the pattern has some. One of
    random symbols alone is like nothing."""
    wanted = canonical(pattern)
    if not wanted.strip("#"):
        return False
    made = "".join("." if sign == "#" else re.escape(sign) for sign in wanted)
    return re.fullmatch(made, canonical(text)) is not None


def digests(program_id: bytes, text: str) -> list[bytes]:
    """What a code is found by, under the current key first and then under every fallback."""
    message = program_id + canonical(text).encode()
    return sealing.digests(message, purpose=_FIND, keys=sealing.keys())


def seal(program_id: bytes, voucher_id: bytes, code: str) -> str:
    """A code as its row keeps it."""
    owner = program_id + voucher_id
    return sealing.seal(code, purpose=_SHOW, keys=sealing.keys(), owner=owner)


def reveal(program_id: bytes, voucher_id: bytes, sealed: str) -> str | None:
    """The code of a row; None when SECRET_KEY changed without a fallback."""
    owner = program_id + voucher_id
    try:
        return sealing.unseal(sealed, purpose=_SHOW, keys=sealing.keys(), owner=owner)
    except sealing.SealError:
        return None
