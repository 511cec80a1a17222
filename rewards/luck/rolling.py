"""Rolls: what a draw comes to, by an epoch's seed and the names of what is drawn for (pure).

Anybody who knows the seed comes to the same roll, and nobody can choose one: the seed was fixed
before the names were known. Refuses to know why something is drawn, and any other source of
chance.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from core import jsontext

#: Chances and rolls count millionths.
WHOLE_PPM = 1_000_000
#: Which list is hashed; another one would be another word.
_NAME = "draw.v1"
_BITS = 256
#: The last place of the list: which roll of one draw it is.
_WIN, _PRIZE = 0, 1


def roll(
    seed: bytes, *, rule: str, version: int, member_ref: str, activity_ref: str, k: int = _WIN
) -> int:
    """The roll of a draw, 0 to 999,999: won below its threshold (SEMANTICS 55)."""
    number = _number(seed, [_NAME, rule, version, member_ref, activity_ref, k])
    return number * WHOLE_PPM >> _BITS


def pick(
    seed: bytes,
    *,
    rule: str,
    version: int,
    member_ref: str,
    activity_ref: str,
    weights: Sequence[int],
) -> int:
    """Which prize a won draw brings: its place among the weights, from 0.

    ValueError when there is nothing to choose from.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("prizes need weights of which one is above zero, and none below")
    left = _number(seed, [_NAME, rule, version, member_ref, activity_ref, _PRIZE]) * total >> _BITS
    for place, weight in enumerate(weights):
        if left < weight:
            return place
        left -= weight
    raise AssertionError("unreachable")


def threshold(probability_ppm: int, pace_ppm: int) -> int:
    """Below which roll a draw wins: its chance by what pacing leaves of it, rounded down."""
    return probability_ppm * pace_ppm // WHOLE_PPM


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values: sorted names, no spaces, UTF-8."""
    return jsontext.sorted_text(value).encode()


def body_hash(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a receipt's body."""
    return hashlib.sha256(canonical(dict(body))).digest()


def _number(seed: bytes, names: list[Any]) -> int:
    return int.from_bytes(hmac.digest(seed, canonical(names), hashlib.sha256), "big")
