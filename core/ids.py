"""Identifiers: UUIDv7 in 16 bytes, shown outside as a prefix and 26 Crockford base 32 symbols.

The application makes every id, so a retry can repeat it and no sequence carries meaning.
"""

import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {symbol: value for value, symbol in enumerate(_ALPHABET)}
_VALUES |= {symbol.upper(): value for symbol, value in _VALUES.items()}
_VALUES |= {"i": 1, "I": 1, "l": 1, "L": 1, "o": 0, "O": 0}
_LENGTH = 26


_TAIL_BITS = 74
_lock = threading.Lock()
_last = (0, 0)


def new_id() -> bytes:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 bits.

    They are random for the first id of a millisecond and grow by a random step for each further
    one, so the ids of one process sort in the order in which they were made.
    """
    global _last
    with _lock:
        milliseconds, tail = time.time_ns() // 1_000_000, 0
        if milliseconds > _last[0]:
            tail = int.from_bytes(os.urandom(10), "big") >> 7
        else:
            milliseconds = _last[0]
            tail = _last[1] + 1 + int.from_bytes(os.urandom(4), "big")
            if tail >> _TAIL_BITS:
                milliseconds, tail = milliseconds + 1, tail & 0xFFFF_FFFF
        _last = (milliseconds, tail)
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    value = milliseconds << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low
    return value.to_bytes(16, "big")


def show_id(prefix: str, value: bytes) -> str:
    """`mem_01j…`: the prefix, an underscore, 130 bits as 26 lower-case symbols."""
    number = int.from_bytes(value, "big")
    symbols = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(symbols)}"


def read_id(prefix: str, text: str) -> bytes | None:
    """The 16 bytes of a shown id, or None when the text is no id with this prefix."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != _LENGTH:
        return None
    number = 0
    for symbol in tail:
        value = _VALUES.get(symbol)
        if value is None:
            return None
        number = number << 5 | value
    return number.to_bytes(17, "big")[1:] if number < 1 << 128 else None
